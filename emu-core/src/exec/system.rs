//! What leaves the program: SYSCALL, INT, traps, privileged instructions; segment bases; FP state save and restore.

use super::memory::canonical;
use super::operand::{Dst, Int};
use super::{Ctx, Env, FS, Flow, GS, OpRef, Stop};
use crate::cpu::{Exception, F80, Vector, reg};
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

/// INT3, INT1: traps. The vector is `imm`.
pub(crate) fn trap(ctx: &mut Ctx, op: OpRef, _: &mut Env<'_>) -> Flow {
    let vector = if op.imm == 3 { Vector::Breakpoint } else { Vector::Debug };
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

/// XGETBV: XCR0 says x87, SSE, AVX. `#GP` for another register.
pub(crate) fn xgetbv(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if ctx.regs[reg::RCX] as u32 != 0 {
        return ctx.raise(op, Exception::gp());
    }
    ctx.regs[reg::RAX] = 7;
    ctx.regs[reg::RDX] = 0;
    op.next(ctx, env)
}

/// MOV from a segment register: the selectors that Linux gives a program. The value is `imm`.
pub(crate) fn mov_from_seg<T: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if !D::set(ctx, &op, env, T::of(op.imm)) {
        return ctx.fail(op);
    }
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

/// The 512 bytes of FXSAVE.
pub(crate) fn fx_image(ctx: &Ctx) -> [u8; 512] {
    let mut m = [0u8; 512];
    let x = &ctx.x87;
    m[0..2].copy_from_slice(&x.control.to_le_bytes());
    m[2..4].copy_from_slice(&(x.status & !0x3800 | (u16::from(x.top & 7) << 11)).to_le_bytes());
    m[4] = x.in_use;
    m[6..8].copy_from_slice(&x.opcode.to_le_bytes());
    m[8..16].copy_from_slice(&x.ip.to_le_bytes());
    m[16..24].copy_from_slice(&x.dp.to_le_bytes());
    m[24..28].copy_from_slice(&ctx.mxcsr.to_le_bytes());
    m[28..32].copy_from_slice(&MXCSR_MASK.to_le_bytes());
    for i in 0..8 {
        let r = x.regs[(usize::from(x.top) + i) & 7];
        let at = 32 + i * 16;
        m[at..at + 8].copy_from_slice(&r.mantissa.to_le_bytes());
        m[at + 8..at + 10].copy_from_slice(&r.sign_exp.to_le_bytes());
    }
    for i in 0..16 {
        let at = 160 + i * 16;
        m[at..at + 8].copy_from_slice(&ctx.ymm[i][0].to_le_bytes());
        m[at + 8..at + 16].copy_from_slice(&ctx.ymm[i][1].to_le_bytes());
    }
    m
}

fn word(m: &[u8], at: usize) -> u64 {
    let mut b = [0; 8];
    b.copy_from_slice(&m[at..at + 8]);
    u64::from_le_bytes(b)
}

/// FXSAVE. `#GP` if misaligned; bytes 464 to 511 stay as they are.
pub(crate) fn fxsave(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    if addr & 15 != 0 {
        return ctx.raise(op, Exception::gp());
    }
    let m = fx_image(ctx);
    if !ctx.store_bytes(env, addr, &m[..416]) {
        return ctx.fail(op);
    }
    op.next(ctx, env)
}

/// FXRSTOR. `#GP` if misaligned or a reserved bit of MXCSR is set.
pub(crate) fn fxrstor(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let mut m = [0u8; 512];
    if addr & 15 != 0 {
        return ctx.raise(op, Exception::gp());
    }
    if !ctx.load_bytes(env, addr, &mut m) {
        return ctx.fail(op);
    }
    let mxcsr = word(&m, 24) as u32;
    if mxcsr & !MXCSR_MASK != 0 {
        return ctx.raise(op, Exception::gp());
    }
    ctx.mxcsr = mxcsr;
    let head = word(&m, 0);
    let x = &mut ctx.x87;
    x.control = head as u16 | 0x40;
    x.top = (head >> 27) as u8 & 7;
    x.status = (head >> 16) as u16 & !0x3800;
    x.in_use = (head >> 32) as u8;
    x.opcode = (head >> 48) as u16 & 0x7ff;
    x.ip = word(&m, 8);
    x.dp = word(&m, 16);
    for i in 0..8 {
        let at = 32 + i * 16;
        x.regs[(usize::from(x.top) + i) & 7] =
            F80 { mantissa: word(&m, at), sign_exp: word(&m, at + 8) as u16 };
    }
    for i in 0..16 {
        ctx.ymm[i][0] = word(&m, 160 + i * 16);
        ctx.ymm[i][1] = word(&m, 168 + i * 16);
    }
    op.next(ctx, env)
}
