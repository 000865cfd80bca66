//! MUL, IMUL, DIV, IDIV, MULX.
//!
//! **Invariant**: multiplication leaves SF, ZF, AF, PF; division sets AF, clears SF, ZF, PF and leaves CF, OF (the
//! undefined flags as AMD Zen has them).

use super::alu::carry_bits;
use super::flags::{CF, OF};
use super::operand::{Int, Src};
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{Exception, Vector, reg};

const RAX: u8 = reg::RAX as u8;
const RDX: u8 = reg::RDX as u8;

#[inline(always)]
fn set_high(ctx: &mut Ctx, significant: bool) {
    ctx.set_some(CF | OF, carry_bits(significant, false, significant));
}

/// The double-width accumulator.
#[inline(always)]
fn put_pair<T: Int>(ctx: &mut Ctx, low: u64, high: u64) {
    if T::BITS == 8 {
        u16::put(ctx, RAX, (low & 0xff) as u16 | ((high & 0xff) << 8) as u16);
    } else {
        T::put(ctx, RAX, T::of(low));
        T::put(ctx, RDX, T::of(high));
    }
}

/// MUL. CF, OF: the high half is not zero.
pub(crate) fn mul<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(b) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let p = u128::from(T::get(ctx, RAX).u()) * u128::from(b.u());
    let high = (p >> T::BITS) as u64;
    put_pair::<T>(ctx, p as u64, high);
    set_high(ctx, high != 0);
    op.next(ctx, env)
}

/// IMUL with one operand. CF, OF: the product does not fit the low half.
pub(crate) fn imul1<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(b) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let p = i128::from(T::get(ctx, RAX).s()) * i128::from(b.s());
    put_pair::<T>(ctx, p as u64, (p >> T::BITS) as u64);
    set_high(ctx, p != i128::from(T::of(p as u64).s()));
    op.next(ctx, env)
}

#[inline(always)]
fn imul_to<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>, a: T, b: T) -> Flow {
    let p = i128::from(a.s()) * i128::from(b.s());
    let r = T::of(p as u64);
    T::put(ctx, op.a, r);
    set_high(ctx, p != i128::from(r.s()));
    op.next(ctx, env)
}

/// IMUL with two operands.
pub(crate) fn imul2<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(b) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let a = T::get(ctx, op.a);
    imul_to(ctx, op, env, a, b)
}

/// IMUL with three operands.
pub(crate) fn imul3<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(b) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    imul_to(ctx, op, env, T::of(op.imm), b)
}

/// MULX: high half to `a`, low half to slot `imm`; the multiplicand is rdx. No flags.
pub(crate) fn mulx<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(b) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    let p = u128::from(T::get(ctx, RDX).u()) * u128::from(b.u());
    T::put(ctx, op.imm as u8 & 15, T::of(p as u64));
    T::put(ctx, op.a, T::of((p >> T::BITS) as u64));
    op.next(ctx, env)
}

#[inline(always)]
fn divided(ctx: &mut Ctx) {
    ctx.set_explicit(carry_bits(ctx.cf(), true, ctx.of()));
}

/// DIV. `#DE` on zero or if the quotient does not fit.
pub(crate) fn div<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(b) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    if b.u() == 0 {
        return ctx.raise(op, Exception::new(Vector::DivideError));
    }
    let (q, r) = match T::BITS {
        8 => {
            let n = u64::from(u16::get(ctx, RAX));
            (n / b.u(), n % b.u())
        }
        64 if ctx.r(RDX) == 0 => (ctx.r(RAX) / b.u(), ctx.r(RAX) % b.u()),
        64 => {
            if ctx.r(RDX) >= b.u() {
                return ctx.raise(op, Exception::new(Vector::DivideError));
            }
            let n = (u128::from(ctx.r(RDX)) << 64) | u128::from(ctx.r(RAX));
            ((n / u128::from(b.u())) as u64, (n % u128::from(b.u())) as u64)
        }
        _ => {
            let n = (T::get(ctx, RDX).u() << T::BITS) | T::get(ctx, RAX).u();
            (n / b.u(), n % b.u())
        }
    };
    if T::of(q).u() != q {
        return ctx.raise(op, Exception::new(Vector::DivideError));
    }
    put_pair::<T>(ctx, q, r);
    divided(ctx);
    op.next(ctx, env)
}

/// IDIV. `#DE` on zero or if the quotient does not fit.
pub(crate) fn idiv<T: Int, S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(b) = S::peek::<T>(ctx, &op) else { return S::miss::<T>(ctx, op, env) };
    if b.u() == 0 {
        return ctx.raise(op, Exception::new(Vector::DivideError));
    }
    let b = b.s();
    let result = match T::BITS {
        8 => {
            let n = u16::get(ctx, RAX).s();
            Some((n / b, n % b))
        }
        64 => {
            let n = ((u128::from(ctx.r(RDX)) << 64) | u128::from(ctx.r(RAX))) as i128;
            let d = i128::from(b);
            n.checked_div(d)
                .filter(|&q| i128::from(q as i64) == q)
                .map(|q| (q as i64, n.wrapping_rem(d) as i64))
        }
        _ => {
            let low = T::get(ctx, RAX).u();
            let n = ((T::get(ctx, RDX).s() << T::BITS) as u64 | low) as i64;
            n.checked_div(b).map(|q| (q, n.wrapping_rem(b)))
        }
    };
    let Some((q, r)) = result.filter(|&(q, _)| T::of(q as u64).s() == q) else {
        return ctx.raise(op, Exception::new(Vector::DivideError));
    };
    put_pair::<T>(ctx, q as u64, r as u64);
    divided(ctx);
    op.next(ctx, env)
}
