//! MMX: the integer vector operations on the 64-bit registers that lie in the x87 unit.
//!
//! **Invariant**: every instruction here first raises `#MF` if an x87 exception is pending; one that retires leaves
//! top 0 and all registers in use (EMMS ends that).

use super::operand::{Dst, Int, Src};
use super::vecint::{LEGACY, V2};
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{Exception, F80, Vector, reg};
use crate::fp::{Mxcsr, Round, sse};

use super::fpops::{D, Float, S, settle};

/// How 64-bit operands become the 128-bit ones of [`V2`], and which half of the result counts.
pub(crate) mod how {
    /// Each in its low half; the low half counts.
    pub(crate) const LOW: u8 = 0;
    /// Both in one, first below second: packs and horizontal operations.
    pub(crate) const JOINED: u8 = 1;
    /// Each in its low half; the high half counts.
    pub(crate) const HIGH: u8 = 2;
    /// As `LOW`, with the second operand's bytes made indices below 8.
    pub(crate) const BYTES: u8 = 3;
    /// The second below the first, shifted right by the immediate in bytes.
    pub(crate) const SHIFT: u8 = 4;
}

macro_rules! wait {
    ($ctx:ident, $op:ident) => {
        if $ctx.x87.status & 0x80 != 0 {
            return $ctx.raise($op, Exception::new(Vector::X87));
        }
    };
}

#[inline(always)]
fn mm(ctx: &Ctx, i: u8) -> u64 {
    ctx.x87.regs[i as usize & 7].mantissa
}

/// Enters MMX mode.
#[inline(always)]
fn enter(ctx: &mut Ctx) {
    ctx.x87.top = 0;
    ctx.x87.in_use = 0xff;
}

#[inline(always)]
fn set_mm(ctx: &mut Ctx, i: u8, v: u64) {
    enter(ctx);
    ctx.x87.regs[i as usize & 7] = F80 { mantissa: v, sign_exp: 0xffff };
}

/// Source register `base` or memory of width `T`.
#[inline(always)]
fn source<T: Int, const MEM: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Option<u64> {
    if MEM {
        let addr = ctx.ea(&op);
        ctx.load::<T>(env, addr).map(Int::u)
    } else {
        Some(mm(ctx, op.base))
    }
}

/// Body: `a = F(a, source)`; `HOW` as in [`how`], `T` the width read from memory.
pub(crate) fn v2<F: V2, T: Int, const HOW: u8, const MEM: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    wait!(ctx, op);
    let Some(s) = source::<T, MEM>(ctx, op, env) else { return ctx.fail(op) };
    let a = mm(ctx, op.a);
    let imm = op.imm as u8;
    let r = match HOW {
        how::JOINED => F::run([a, s], [a, s], imm)[0],
        how::HIGH => F::run([a, 0], [s, 0], imm)[1],
        how::BYTES => F::run([a, 0], [s & 0x8787_8787_8787_8787, 0], imm)[0],
        how::SHIFT => F::run([s, a], [u64::from(imm), 0], imm)[0],
        _ => F::run([a, 0], [s, 0], imm)[0],
    };
    set_mm(ctx, op.a, r);
    op.next(ctx, env)
}

/// Body: shift by the immediate.
pub(crate) fn shift_imm<F: V2>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let r = F::run([mm(ctx, op.a), 0], [op.imm & 0xff, 0], 0)[0];
    set_mm(ctx, op.a, r);
    op.next(ctx, env)
}

/// MOVD, MOVQ into an MMX register from a general register or memory.
pub(crate) fn load<T: Int, I: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let Some(v) = I::get::<T>(ctx, &op, env) else { return ctx.fail(op) };
    set_mm(ctx, op.a, v.u());
    op.next(ctx, env)
}

/// MOVQ between MMX registers: `base` to `a`.
pub(crate) fn copy(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let v = mm(ctx, op.base);
    set_mm(ctx, op.a, v);
    op.next(ctx, env)
}

/// MOVD, MOVQ, MOVNTQ out of MMX register `b`.
pub(crate) fn store<T: Int, O: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let v = T::of(mm(ctx, op.b));
    let Some(at) = O::reach::<T>(ctx, &op) else { return O::miss_write::<T>(ctx, op, env) };
    O::write(ctx, &op, at, v);
    enter(ctx);
    op.next(ctx, env)
}

/// MOVQ2DQ.
pub(crate) fn to_xmm(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let v = mm(ctx, op.b);
    enter(ctx);
    ctx.set_x(op.a, [v, 0]);
    op.next(ctx, env)
}

/// MOVDQ2Q.
pub(crate) fn of_xmm(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let v = ctx.x(op.b)[0];
    set_mm(ctx, op.a, v);
    op.next(ctx, env)
}

/// PMOVMSKB.
pub(crate) fn pmovmskb(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let bytes = mm(ctx, op.b).to_le_bytes();
    let m = bytes.iter().enumerate().fold(0, |m, (i, b)| m | (u64::from(b >> 7) << i));
    enter(ctx);
    ctx.w(op.a, m);
    op.next(ctx, env)
}

/// PEXTRW.
pub(crate) fn pextrw(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let v = mm(ctx, op.b) >> ((op.imm & 3) * 16) & 0xffff;
    enter(ctx);
    ctx.w(op.a, v);
    op.next(ctx, env)
}

/// PINSRW.
pub(crate) fn pinsrw<I: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let Some(v) = I::get::<u16>(ctx, &op, env) else { return ctx.fail(op) };
    let shift = (op.imm & 3) * 16;
    let r = mm(ctx, op.a) & !(0xffff << shift) | v.u() << shift;
    set_mm(ctx, op.a, r);
    op.next(ctx, env)
}

/// MASKMOVQ: bytes of `a` whose mask byte in `b` is negative go to rdi (segment base in slot `index`). `imm` masks
/// the address.
pub(crate) fn maskmovq(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let addr = (ctx.regs[reg::RDI] & op.imm).wrapping_add(ctx.r(op.index));
    let (v, m) = (mm(ctx, op.a).to_le_bytes(), mm(ctx, op.b).to_le_bytes());
    // The address is checked whatever the mask, in MMX mode already.
    enter(ctx);
    if !ctx.aligned_if_asked(addr, 8) || !ctx.writable(env, addr, 8) {
        return ctx.fail(op);
    }
    for i in (0..8).filter(|&i| m[i] & 0x80 != 0) {
        if !ctx.store(env, addr.wrapping_add(i as u64), v[i]) {
            return ctx.fail(op);
        }
    }
    op.next(ctx, env)
}

fn accept(ctx: &mut Ctx, raised: u32) -> bool {
    let (flags, bad) = settle(Mxcsr(ctx.mxcsr), raised);
    ctx.mxcsr |= flags;
    !bad
}

/// CVTPI2PS. Only a register source is an MMX instruction.
pub(crate) fn pi2ps<const MEM: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if !MEM {
        wait!(ctx, op);
    }
    let Some(s) = source::<u64, MEM>(ctx, op, env) else { return ctx.fail(op) };
    let control = Mxcsr(ctx.mxcsr);
    let (low, f) = S::of_int(control, i64::from(s as i32));
    let (up, g) = S::of_int(control, i64::from((s >> 32) as i32));
    if !MEM {
        enter(ctx);
    }
    if !accept(ctx, f | g) {
        return ctx.raise(op, Exception::new(Vector::Simd));
    }
    let old = ctx.x(op.a);
    ctx.set_x(op.a, [low | up << 32, old[1]]);
    op.next(ctx, env)
}

/// CVTPI2PD. Only a register source is an MMX instruction.
pub(crate) fn pi2pd<const MEM: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if !MEM {
        wait!(ctx, op);
    }
    let Some(s) = source::<u64, MEM>(ctx, op, env) else { return ctx.fail(op) };
    let control = Mxcsr(ctx.mxcsr);
    let (low, _) = D::of_int(control, i64::from(s as i32));
    let (up, _) = D::of_int(control, i64::from((s >> 32) as i32));
    if !MEM {
        enter(ctx);
    }
    ctx.set_x(op.a, [low, up]);
    op.next(ctx, env)
}

/// CVTPS2PI, CVTTPS2PI.
pub(crate) fn ps2pi<const TRUNCATE: bool, const MEM: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    wait!(ctx, op);
    let s = if MEM {
        let addr = ctx.ea(&op);
        let Some(v) = ctx.load::<u64>(env, addr) else { return ctx.fail(op) };
        v
    } else {
        ctx.x(op.base)[0]
    };
    let control = Mxcsr(ctx.mxcsr);
    let rc = if TRUNCATE { Round::Zero } else { control.rc() };
    let (low, f) = sse::to_i32::<sse::F32>(control, s & 0xffff_ffff, rc);
    let (up, g) = sse::to_i32::<sse::F32>(control, s >> 32, rc);
    enter(ctx);
    if !accept(ctx, f | g) {
        return ctx.raise(op, Exception::new(Vector::Simd));
    }
    set_mm(ctx, op.a, low & 0xffff_ffff | up << 32);
    op.next(ctx, env)
}

/// CVTPD2PI, CVTTPD2PI.
pub(crate) fn pd2pi<const TRUNCATE: bool, const MEM: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    wait!(ctx, op);
    let Some(s) = super::vecint::source::<MEM, LEGACY>(ctx, op) else {
        return super::vecint::missed::<16, LEGACY>(ctx, op, env);
    };
    let control = Mxcsr(ctx.mxcsr);
    let rc = if TRUNCATE { Round::Zero } else { control.rc() };
    let (low, f) = sse::to_i32::<sse::F64>(control, s[0], rc);
    let (up, g) = sse::to_i32::<sse::F64>(control, s[1], rc);
    enter(ctx);
    if !accept(ctx, f | g) {
        return ctx.raise(op, Exception::new(Vector::Simd));
    }
    set_mm(ctx, op.a, low & 0xffff_ffff | up << 32);
    op.next(ctx, env)
}
