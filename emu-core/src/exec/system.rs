//! What leaves the program: SYSCALL, INT, traps, privileged instructions; segment bases.

use super::memory::canonical;
use super::operand::Int;
use super::{Ctx, Env, FS, Flow, GS, OpRef, Stop};
use crate::cpu::{Exception, Vector, reg};
use crate::engine::{Exit, MissingInstr, SeamInstr};

/// Leaves behind the instruction of `op`, which is the last of its block and counts.
fn leave_behind(ctx: &mut Ctx, exit: Exit) -> Flow {
    ctx.stop = Stop::Exit(exit);
    ctx.rip = ctx.block().end;
    Flow::STOP
}

/// SYSCALL: rcx, r11 take rip and rflags. The flag mask is the kernel's business.
pub(crate) fn syscall(ctx: &mut Ctx, _: OpRef, _: &mut Env<'_>) -> Flow {
    ctx.regs[reg::RCX] = ctx.block().end;
    ctx.regs[reg::R11] = ctx.rflags();
    leave_behind(ctx, Exit::Syscall)
}

/// INT3, INT1, INT 4: traps. The vector is `imm`.
pub(crate) fn trap(ctx: &mut Ctx, op: OpRef, _: &mut Env<'_>) -> Flow {
    let vector = match op.imm {
        3 => Vector::Breakpoint,
        4 => Vector::Overflow,
        _ => Vector::Debug,
    };
    leave_behind(ctx, Exit::Exception(Exception::new(vector)))
}

/// INT n: `#GP` with the gate's selector as error code, since no gate may be used from level 3.
pub(crate) fn int_n(ctx: &mut Ctx, op: OpRef, _: &mut Env<'_>) -> Flow {
    let e = Exception { vector: Vector::GeneralProtection, error_code: (op.imm as u32) * 8 + 2, address: 0 };
    ctx.raise(op, e)
}

/// `#UD`.
pub(crate) fn undefined(ctx: &mut Ctx, op: OpRef, _: &mut Env<'_>) -> Flow {
    ctx.raise(op, Exception::ud())
}

/// `#GP(0)`: an instruction longer than 15 bytes.
pub(crate) fn too_long(ctx: &mut Ctx, op: OpRef, _: &mut Env<'_>) -> Flow {
    ctx.raise(op, Exception::gp())
}

/// An instruction of level 0 that this machine has no use for: `#GP(0)` at level 3, missing at level 0.
pub(crate) fn privileged(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if ctx.cpl == 3 { ctx.raise(op, Exception::gp()) } else { missing(ctx, op, env) }
}

/// An instruction that is not implemented. `imm` is iced-x86's code, `disp` the length.
pub(crate) fn missing(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let rip = ctx.ip_of(&op);
    let mut bytes = vec![0; (op.disp as usize).min(15)];
    if env.mem.read_forced(env.space, rip, &mut bytes).is_err() {
        bytes.clear();
    }
    let name = iced_x86::Code::try_from(op.imm as usize).map_or_else(|_| String::new(), |c| format!("{c:?}"));
    ctx.leave(op, Exit::Missing(MissingInstr { rip, bytes, name }))
}

/// RDTSC, RDTSCP, RDRAND, RDSEED: `imm` 0, 1, 2.
pub(crate) fn seam(ctx: &mut Ctx, op: OpRef, _: &mut Env<'_>) -> Flow {
    let what = match op.imm {
        0 => SeamInstr::Rdtsc,
        1 => SeamInstr::Rdtscp,
        _ => SeamInstr::Random,
    };
    ctx.leave(op, Exit::Seam(what))
}

/// RDPID.
pub(crate) fn rdpid(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = u64::from(ctx.tsc_aux);
    ctx.w(op.a, v);
    op.next(ctx, env)
}

/// RDFSBASE, RDGSBASE: base in slot `b`.
pub(crate) fn rdbase<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = ctx.r(op.b);
    T::put(ctx, op.a, T::of(v));
    op.next(ctx, env)
}

/// WRFSBASE, WRGSBASE: base in slot `b`. `#GP` if not canonical.
pub(crate) fn wrbase<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = T::get(ctx, op.a).u();
    if !canonical(v) {
        return ctx.raise(op, Exception::gp());
    }
    ctx.w(if op.b == FS { FS } else { GS }, v);
    op.next(ctx, env)
}

/// STMXCSR.
pub(crate) fn stmxcsr(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let v = ctx.mxcsr;
    if !ctx.store(env, addr, v) {
        return ctx.fail(op);
    }
    op.next(ctx, env)
}

/// LDMXCSR. `#GP` if a reserved bit is set.
pub(crate) fn ldmxcsr(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let Some(v) = ctx.load::<u32>(env, addr) else { return ctx.fail(op) };
    if v & !MXCSR_MASK != 0 {
        return ctx.raise(op, Exception::gp());
    }
    ctx.mxcsr = v;
    op.next(ctx, env)
}

/// Bits of MXCSR that may be set.
pub(crate) const MXCSR_MASK: u32 = 0xffff;
