//! Data movement without arithmetic: MOV, LEA, MOVZX, MOVSX, CMOVcc, SETcc, XCHG, PUSH, POP, ENTER, LEAVE, the
//! sign extensions of the accumulator, LAHF, SAHF, PUSHF, POPF, XLAT, MOVBE.

use super::flags::{AF, CF, PF, SF, ZF};
use super::operand::{Dst, Int, Src};
use super::{Ctx, Env, Flow, OpRef, Stop, TMP};
use crate::cpu::{RFlags, reg};

const RAX: u8 = reg::RAX as u8;
const RDX: u8 = reg::RDX as u8;
const RSP: u8 = reg::RSP as u8;
const RBP: u8 = reg::RBP as u8;

/// MOV.
pub(crate) fn mov<T: Int, D: Dst, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    D::write(ctx, &op, at, v);
    op.next(ctx, env)
}

/// MOVZX: width `T` into a register of width `W`.
pub(crate) fn movzx<W: Int, T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    W::put(ctx, op.a, W::of(v.u()));
    op.next(ctx, env)
}

/// MOVSX, MOVSXD.
pub(crate) fn movsx<W: Int, T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    W::put(ctx, op.a, W::of(v.s() as u64));
    op.next(ctx, env)
}

/// LEA.
pub(crate) fn lea<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = ctx.ea(&op);
    T::put(ctx, op.a, T::of(v));
    op.next(ctx, env)
}

/// LEA without an index.
pub(crate) fn lea_near<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = ctx.r(op.base).wrapping_add(op.disp as u64);
    T::put(ctx, op.a, T::of(v));
    op.next(ctx, env)
}

/// Helper operation: address into the spare slot; `imm` is 32 bits of ones for 32-bit addressing, `b` the segment.
pub(crate) fn address(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = (ctx.ea(&op) & op.imm).wrapping_add(ctx.r(op.b));
    ctx.w(TMP, v);
    op.next(ctx, env)
}

/// CMOVcc. The memory operand is always read; 32 bits always zero-extend.
pub(crate) fn cmov<T: Int, S: Src, const CC: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let v = if ctx.cond::<CC>() { v } else { T::get(ctx, op.a) };
    T::put(ctx, op.a, v);
    op.next(ctx, env)
}

/// SETcc.
pub(crate) fn setcc<D: Dst, const CC: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = u8::from(ctx.cond::<CC>());
    let Some(at) = D::reach::<u8>(ctx, &op) else { return D::miss_write::<u8>(ctx, op, env) };
    D::write(ctx, &op, at, v);
    op.next(ctx, env)
}

/// XCHG.
pub(crate) fn xchg<T: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let b = T::get(ctx, op.b);
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let a = D::read::<T>(ctx, &op, at);
    D::write(ctx, &op, at, b);
    T::put(ctx, op.b, a);
    op.next(ctx, env)
}

/// PUSH.
pub(crate) fn push<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(T::BYTES);
    if let Some(v) = S::peek::<T>(ctx, &op)
        && let Some(at) = ctx.reach::<T>(sp)
    {
        at.write(v);
        ctx.w(RSP, sp);
        return op.next(ctx, env);
    }
    push_slow::<T, S>(ctx, op, env)
}

#[cold]
#[inline(never)]
fn push_slow<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::get::<T>(ctx, &op, env) else { return ctx.fail(op) };
    let sp = ctx.r(RSP).wrapping_sub(T::BYTES);
    if !ctx.store(env, sp, v) {
        return ctx.fail_stack(op);
    }
    ctx.w(RSP, sp);
    op.next(ctx, env)
}

/// POP into a register.
pub(crate) fn pop<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    if let Some(v) = ctx.peek::<T>(sp) {
        ctx.w(RSP, sp.wrapping_add(T::BYTES));
        T::put(ctx, op.a, v);
        return op.next(ctx, env);
    }
    pop_slow::<T>(ctx, op, env)
}

#[cold]
#[inline(never)]
fn pop_slow<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(v) = ctx.load::<T>(env, sp) else { return ctx.fail(op) };
    ctx.w(RSP, sp.wrapping_add(T::BYTES));
    T::put(ctx, op.a, v);
    op.next(ctx, env)
}

/// POP into memory: an address through rsp is computed after the increment.
pub(crate) fn pop_mem<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(v) = ctx.load::<T>(env, sp) else { return ctx.fail_stack(op) };
    ctx.w(RSP, sp.wrapping_add(T::BYTES));
    let addr = ctx.ea(&op);
    if !ctx.store(env, addr, v) {
        ctx.w(RSP, sp);
        return ctx.fail(op);
    }
    op.next(ctx, env)
}

/// LEAVE.
pub(crate) fn leave<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RBP);
    let Some(v) = ctx.load::<T>(env, sp) else { return ctx.fail(op) };
    ctx.w(RSP, sp.wrapping_add(T::BYTES));
    T::put(ctx, RBP, v);
    op.next(ctx, env)
}

/// ENTER; `imm` is the size, `b` the nesting level (0 to 31).
pub(crate) fn enter<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    // Writes before a fault stay, but none may be made twice: what is pushed may be what is read.
    if !enter_steps::<T, false>(ctx, op, env) && matches!(ctx.stop, Stop::Retry) {
        return ctx.fail(op);
    }
    ctx.stop = Stop::None;
    if !enter_steps::<T, true>(ctx, op, env) {
        return ctx.fail(op);
    }
    let frame = ctx.r(RSP).wrapping_sub(T::BYTES);
    let pushed = (1 + u64::from(op.b)) * T::BYTES;
    let sp = ctx.r(RSP).wrapping_sub(pushed).wrapping_sub(op.imm);
    T::put(ctx, RBP, T::of(frame));
    ctx.w(RSP, sp);
    op.next(ctx, env)
}

/// The accesses of ENTER in their order; only checked without `WRITE`. False: one faulted.
fn enter_steps<T: Int, const WRITE: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> bool {
    let (bp, mut sp) = (ctx.r(RBP), ctx.r(RSP));
    let frame = sp.wrapping_sub(T::BYTES);
    for level in 0..=u64::from(op.b) {
        let v = match level {
            0 => bp,
            _ if level == u64::from(op.b) => frame,
            _ => match ctx.load::<T>(env, bp.wrapping_sub(level * T::BYTES)) {
                Some(v) => v.u(),
                None => return false,
            },
        };
        sp = sp.wrapping_sub(T::BYTES);
        let done = if WRITE {
            ctx.store(env, sp, T::of(v))
        } else {
            ctx.aligned_if_asked(sp, T::BYTES) && ctx.writable(env, sp, T::BYTES)
        };
        if !done {
            return false;
        }
    }
    // The processor checks that the new top of the stack can be written.
    let sp = sp.wrapping_sub(op.imm);
    ctx.aligned_if_asked(sp, T::BYTES) && ctx.writable(env, sp, T::BYTES)
}

/// CBW, CWDE, CDQE: width `W` from the half width `T`.
pub(crate) fn widen<W: Int, T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = T::get(ctx, RAX).s();
    W::put(ctx, RAX, W::of(v as u64));
    op.next(ctx, env)
}

/// CWD, CDQ, CQO.
pub(crate) fn sign<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = T::get(ctx, RAX).s() >> 63;
    T::put(ctx, RDX, T::of(v as u64));
    op.next(ctx, env)
}

/// LAHF.
pub(crate) fn lahf(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = (ctx.status() & 0xd5) | 2;
    u8::put(ctx, 1, v as u8);
    op.next(ctx, env)
}

/// SAHF. SF, ZF, AF, PF, CF; OF stays.
pub(crate) fn sahf(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let low = SF | ZF | AF | PF | CF;
    let v = u64::from(u8::get(ctx, 1)) & low;
    let rest = ctx.status() & !low;
    ctx.set_explicit(rest | v);
    op.next(ctx, env)
}

/// CLC, STC, CMC: `imm` 0, 1, 2.
pub(crate) fn carry(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let s = ctx.status();
    ctx.set_explicit(match op.imm {
        0 => s & !CF,
        1 => s | CF,
        _ => s ^ CF,
    });
    op.next(ctx, env)
}

/// CLD, STD: `imm` 0, 1.
pub(crate) fn direction(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let df = RFlags::DF.bits();
    ctx.system_flags = if op.imm == 0 { ctx.system_flags & !df } else { ctx.system_flags | df };
    op.next(ctx, env)
}

/// PUSHF. RF reads as zero.
pub(crate) fn pushf<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = ctx.rflags() & !RFlags::RF.bits();
    let sp = ctx.r(RSP).wrapping_sub(T::BYTES);
    if !ctx.store(env, sp, T::of(v)) {
        return ctx.fail(op);
    }
    ctx.w(RSP, sp);
    op.next(ctx, env)
}

/// POPF. At privilege level 3 IF and IOPL stay. Ends its block: TF and AC take effect behind it.
pub(crate) fn popf<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(v) = ctx.load::<T>(env, sp) else { return ctx.fail(op) };
    ctx.w(RSP, sp.wrapping_add(T::BYTES));
    let mut may = RFlags::STATUS | RFlags::TF | RFlags::DF | RFlags::NT | RFlags::AC | RFlags::ID;
    if ctx.cpl == 0 {
        may |= RFlags::IF;
    }
    let may = may.bits() & if T::BITS == 16 { 0xffff } else { u64::MAX };
    let old = ctx.rflags();
    ctx.set_rflags((old & !may & !RFlags::RF.bits()) | (v.u() & may));
    if ctx.alignment_checked() {
        ctx.flush_tlb();
    }
    // Through the engine, which looks at TF.
    ctx.rip = ctx.block().end;
    ctx.link = std::ptr::null();
    Flow::STOP
}

/// XLAT. The table's address is in the operand's base, the index in al.
pub(crate) fn xlat(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let mut at = ctx.r(op.base).wrapping_add(u64::from(u8::get(ctx, 0)));
    at &= op.imm;
    at = at.wrapping_add(ctx.r(op.b));
    let Some(v) = ctx.load::<u8>(env, at) else { return ctx.fail(op) };
    u8::put(ctx, 0, v);
    op.next(ctx, env)
}

/// MOVBE.
pub(crate) fn movbe<T: Int, D: Dst, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(v) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    D::write(ctx, &op, at, T::of(v.u().swap_bytes() >> T::SH));
    op.next(ctx, env)
}

/// CLFLUSH and its kin: no more than a read of one byte.
pub(crate) fn touch(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    if ctx.load::<u8>(env, addr).is_none() {
        return ctx.fail(op);
    }
    op.next(ctx, env)
}

/// Nothing.
pub(crate) fn nop(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    op.next(ctx, env)
}
