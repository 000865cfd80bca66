//! Floating-point vector instructions of SSE and AVX: arithmetic, comparison, conversion.
//!
//! **Invariant**: an unmasked exception sets its flag in MXCSR and raises `#XM`; no destination is written then.

use std::cmp::Ordering;

use super::flags::{CF, PF, ZF};
use super::fpops::{D, Float, Op2, S, settle};
use super::memory::Reach;
use super::operand::{Int, Src};
use super::vecint::{LEGACY, VEX256, X, d4, halves, high, missed_halves, of_d4, put};
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{Exception, Vector};
use crate::fp::sse::Quiet;
use crate::fp::{Mxcsr, PE, Relation, Round, fast};
use crate::mem::Access;

/// Takes exception flags in. False: `#XM`.
#[inline(always)]
fn accept(ctx: &mut Ctx, raised: u32) -> bool {
    if raised == 0 {
        return true;
    }
    let (flags, bad) = settle(Mxcsr(ctx.mxcsr), raised);
    ctx.mxcsr |= flags;
    !bad
}

#[cold]
#[inline(never)]
fn simd_error(ctx: &mut Ctx, op: OpRef) -> Flow {
    ctx.raise(op, Exception::new(Vector::Simd))
}

/// The low lane of a source operand. `None`: end in [`missed_scalar`].
#[inline(always)]
fn scalar_source<T: Int, const MEM: bool>(ctx: &Ctx, op: OpRef) -> Option<u64> {
    if !MEM {
        return Some(T::of(ctx.x(op.base)[0]).u());
    }
    ctx.peek::<T>(ctx.ea(&op)).map(Int::u)
}

#[inline(always)]
fn missed_scalar<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    ctx.miss(op, env, &Reach::whole(T::BYTES, Access::Read))
}

/// `a` with its low lane replaced.
#[inline(always)]
fn merge<T: Int>(a: X, v: u64) -> X {
    let mask = u64::MAX >> T::SH;
    [(a[0] & !mask) | (v & mask), a[1]]
}

/// Scalar operation: low lane of `b` and the source; the other lanes come from `b`.
pub(crate) fn scalar<O: Op2, F: Float, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(s) = scalar_source::<F::Int, MEM>(ctx, op) else { return missed_scalar::<F::Int>(ctx, op, env) };
    let a = ctx.x(op.b);
    let Some((r, raised)) = O::quick::<F>(Mxcsr(ctx.mxcsr), F::Int::of(a[0]).u(), s, op.imm as u8) else {
        return scalar_slow::<O, F, K>(ctx, op, env, s);
    };
    ctx.mxcsr |= raised;
    put::<K>(ctx, op.a, merge::<F::Int>(a, r));
    op.next(ctx, env)
}

#[cold]
#[inline(never)]
fn scalar_slow<O: Op2, F: Float, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>, s: u64) -> Flow {
    let a = ctx.x(op.b);
    let (r, raised) = O::run::<F>(Mxcsr(ctx.mxcsr), F::Int::of(a[0]).u(), s, op.imm as u8);
    if !accept(ctx, raised) {
        return simd_error(ctx, op);
    }
    put::<K>(ctx, op.a, merge::<F::Int>(a, r));
    op.next(ctx, env)
}

#[inline(always)]
fn each<O: Op2, F: Float>(env: Mxcsr, a: X, b: X, imm: u8) -> (X, u32) {
    let mut all = 0;
    let mut lane = |x: u64, y: u64| {
        let (r, raised) = O::run::<F>(env, x, y, imm);
        all |= raised;
        r
    };
    let r = if F::BYTES == 8 {
        [lane(a[0], b[0]), lane(a[1], b[1])]
    } else {
        let (p, q) = (d4(a), d4(b));
        of_d4(std::array::from_fn(|i| lane(u64::from(p[i]), u64::from(q[i])) as u32))
    };
    (r, all)
}

#[inline(always)]
fn each_quick<O: Op2, F: Float>(env: Mxcsr, a: X, b: X, imm: u8) -> Option<(X, u32)> {
    let mut all = 0;
    let mut good = true;
    let mut lane = |x: u64, y: u64| {
        let found = O::quick::<F>(env, x, y, imm);
        good &= found.is_some();
        let (r, raised) = found.unwrap_or_default();
        all |= raised;
        r
    };
    let r = if F::BYTES == 8 {
        [lane(a[0], b[0]), lane(a[1], b[1])]
    } else {
        let (p, q) = (d4(a), d4(b));
        of_d4(std::array::from_fn(|i| lane(u64::from(p[i]), u64::from(q[i])) as u32))
    };
    good.then_some((r, all))
}

/// Packed operation.
pub(crate) fn packed<O: Op2, F: Float, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some((s, sh)) = halves::<MEM, K>(ctx, op) else { return missed_halves::<K>(ctx, op, env) };
    let (control, imm) = (Mxcsr(ctx.mxcsr), op.imm as u8);
    let Some((r, mut raised)) = each_quick::<O, F>(control, ctx.x(op.b), s, imm) else {
        return packed_slow::<O, F, MEM, K>(ctx, op, env);
    };
    if K == VEX256 {
        let Some((h, more)) = each_quick::<O, F>(control, high(ctx, op.b), sh, imm) else {
            return packed_slow::<O, F, MEM, K>(ctx, op, env);
        };
        raised |= more;
        ctx.ymm[op.a as usize & 15] = [r[0], r[1], h[0], h[1]];
    } else {
        put::<K>(ctx, op.a, r);
    }
    ctx.mxcsr |= raised;
    op.next(ctx, env)
}

#[cold]
#[inline(never)]
fn packed_slow<O: Op2, F: Float, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    packed_with::<MEM, K>(ctx, op, env, |c, a, b, imm| each::<O, F>(c, a, b, imm))
}

#[inline(always)]
fn packed_with<const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
    f: impl Fn(Mxcsr, X, X, u8) -> (X, u32),
) -> Flow {
    let Some((s, sh)) = halves::<MEM, K>(ctx, op) else { return missed_halves::<K>(ctx, op, env) };
    let control = Mxcsr(ctx.mxcsr);
    let (r, mut raised) = f(control, ctx.x(op.b), s, op.imm as u8);
    let mut h = [0; 2];
    if K == VEX256 {
        let s = sh;
        let (v, more) = f(control, high(ctx, op.b), s, op.imm as u8);
        raised |= more;
        h = v;
    }
    if !accept(ctx, raised) {
        return simd_error(ctx, op);
    }
    if K == VEX256 {
        ctx.ymm[op.a as usize & 15] = [r[0], r[1], h[0], h[1]];
    } else {
        put::<K>(ctx, op.a, r);
    }
    op.next(ctx, env)
}

/// HADDPS, HADDPD, HSUBPS, HSUBPD: `O` on neighbours.
pub(crate) fn horizontal<O: Op2, F: Float, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    packed_with::<MEM, K>(ctx, op, env, |c, a, b, imm| {
        if F::BYTES == 8 {
            each::<O, F>(c, [a[0], b[0]], [a[1], b[1]], imm)
        } else {
            let (p, q) = (d4(a), d4(b));
            each::<O, F>(c, of_d4([p[0], p[2], q[0], q[2]]), of_d4([p[1], p[3], q[1], q[3]]), imm)
        }
    })
}

/// ADDSUBPS, ADDSUBPD: even lanes subtract, odd lanes add.
pub(crate) fn addsub<F: Float, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    packed_with::<MEM, K>(ctx, op, env, |c, a, b, _| {
        let mut all = 0;
        let mut lane = |i: usize, x: u64, y: u64| {
            let (r, raised) = if i.is_multiple_of(2) { F::sub(c, x, y) } else { F::add(c, x, y) };
            all |= raised;
            r
        };
        let r = if F::BYTES == 8 {
            [lane(0, a[0], b[0]), lane(1, a[1], b[1])]
        } else {
            let (p, q) = (d4(a), d4(b));
            of_d4(std::array::from_fn(|i| lane(i, u64::from(p[i]), u64::from(q[i])) as u32))
        };
        (r, all)
    })
}

/// UCOMISS, UCOMISD (`QUIET`), COMISS, COMISD. ZF, PF, CF; the rest clear.
pub(crate) fn comis<F: Float, const MEM: bool, const QUIET: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(s) = scalar_source::<F::Int, MEM>(ctx, op) else { return missed_scalar::<F::Int>(ctx, op, env) };
    let a = F::Int::of(ctx.x(op.a)[0]).u();
    let Some(order) = F::order(a, s) else { return comis_slow::<F, QUIET>(ctx, op, env, s) };
    ctx.set_explicit(match order {
        Ordering::Greater => 0,
        Ordering::Less => CF,
        Ordering::Equal => ZF,
    });
    op.next(ctx, env)
}

#[cold]
#[inline(never)]
fn comis_slow<F: Float, const QUIET: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>, s: u64) -> Flow {
    let a = F::Int::of(ctx.x(op.a)[0]).u();
    let quiet = if QUIET { Quiet::Yes } else { Quiet::No };
    let (relation, raised) = F::compare(Mxcsr(ctx.mxcsr), a, s, quiet);
    if !accept(ctx, raised) {
        return simd_error(ctx, op);
    }
    ctx.set_explicit(match relation {
        Relation::Unordered => ZF | PF | CF,
        Relation::Greater => 0,
        Relation::Less => CF,
        Relation::Equal => ZF,
    });
    op.next(ctx, env)
}

/// CVTSI2SS, CVTSI2SD.
pub(crate) fn from_int<T: Int, F: Float, I: Src, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(v) = I::peek::<T>(ctx, &op) else { return I::miss::<T>(ctx, op, env) };
    let v = v.s();
    if v.unsigned_abs() <= 1 << (if F::BYTES == 8 { 53 } else { 24 }) {
        let r = if F::BYTES == 8 { (v as f64).to_bits() } else { u64::from((v as f32).to_bits()) };
        let a = ctx.x(op.index);
        put::<K>(ctx, op.a, merge::<F::Int>(a, r));
        return op.next(ctx, env);
    }
    from_int_slow::<F, K>(ctx, op, env, v)
}

#[cold]
#[inline(never)]
fn from_int_slow<F: Float, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>, v: i64) -> Flow {
    let (r, raised) = F::of_int(Mxcsr(ctx.mxcsr), v);
    if !accept(ctx, raised) {
        return simd_error(ctx, op);
    }
    let a = ctx.x(op.index);
    put::<K>(ctx, op.a, merge::<F::Int>(a, r));
    op.next(ctx, env)
}

/// CVTSS2SI, CVTSD2SI, and with `TRUNCATE` CVTTSS2SI, CVTTSD2SI.
pub(crate) fn to_int<T: Int, F: Float, const MEM: bool, const TRUNCATE: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(s) = scalar_source::<F::Int, MEM>(ctx, op) else { return missed_scalar::<F::Int>(ctx, op, env) };
    if TRUNCATE {
        let x = if F::BYTES == 8 { f64::from_bits(s) } else { f64::from(f32::from_bits(s as u32)) };
        let limit = if T::BITS == 32 { 2_147_483_648.0 } else { 9.0e18 };
        if x.abs() < limit && (x.abs() >= 1.0 || x == 0.0) && ctx.mxcsr & PE << 7 != 0 {
            // SAFETY: the number is finite and fits.
            let v: i64 = unsafe { x.to_int_unchecked() };
            ctx.mxcsr |= if v as f64 == x { 0 } else { PE };
            T::put(ctx, op.a, T::of(v as u64));
            return op.next(ctx, env);
        }
    }
    to_int_slow::<T, F, TRUNCATE>(ctx, op, env, s)
}

#[cold]
#[inline(never)]
fn to_int_slow<T: Int, F: Float, const TRUNCATE: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
    s: u64,
) -> Flow {
    let control = Mxcsr(ctx.mxcsr);
    let (r, raised) = F::to_int(control, s, if TRUNCATE { Round::Zero } else { control.rc() }, T::BITS);
    if !accept(ctx, raised) {
        return simd_error(ctx, op);
    }
    T::put(ctx, op.a, T::of(r));
    op.next(ctx, env)
}

/// CVTSS2SD.
pub(crate) fn ss2sd<const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = scalar_source::<u32, MEM>(ctx, op) else { return missed_scalar::<u32>(ctx, op, env) };
    let (r, raised) = fast::f32_to_f64(Mxcsr(ctx.mxcsr), s as u32);
    if !accept(ctx, raised) {
        return simd_error(ctx, op);
    }
    let a = ctx.x(op.b);
    put::<K>(ctx, op.a, [r, a[1]]);
    op.next(ctx, env)
}

/// CVTSD2SS.
pub(crate) fn sd2ss<const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = scalar_source::<u64, MEM>(ctx, op) else { return missed_scalar::<u64>(ctx, op, env) };
    let (r, raised) = fast::f64_to_f32(Mxcsr(ctx.mxcsr), s);
    if !accept(ctx, raised) {
        return simd_error(ctx, op);
    }
    let a = ctx.x(op.b);
    put::<K>(ctx, op.a, merge::<u32>(a, u64::from(r)));
    op.next(ctx, env)
}

/// A lane-by-lane conversion of equal widths: CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ.
pub(crate) trait Convert {
    /// One lane.
    fn lane(env: Mxcsr, v: u32) -> (u64, u32);
}
/// CVTDQ2PS.
pub(crate) struct Dq2ps;
impl Convert for Dq2ps {
    fn lane(env: Mxcsr, v: u32) -> (u64, u32) {
        S::of_int(env, i64::from(v as i32))
    }
}
/// CVTPS2DQ.
pub(crate) struct Ps2dq;
impl Convert for Ps2dq {
    fn lane(env: Mxcsr, v: u32) -> (u64, u32) {
        S::to_int(env, u64::from(v), env.rc(), 32)
    }
}
/// CVTTPS2DQ.
pub(crate) struct Tps2dq;
impl Convert for Tps2dq {
    fn lane(env: Mxcsr, v: u32) -> (u64, u32) {
        S::to_int(env, u64::from(v), Round::Zero, 32)
    }
}

/// A [`Convert`] of all lanes.
pub(crate) fn convert<C: Convert, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    packed_with::<MEM, K>(ctx, op, env, |c, _, b, _| {
        let (q, mut all) = (d4(b), 0);
        let r = std::array::from_fn(|i| {
            let (r, raised) = C::lane(c, q[i]);
            all |= raised;
            r as u32
        });
        (of_d4(r), all)
    })
}

/// A conversion of two 32-bit lanes to two 64-bit ones: CVTPS2PD, and with `INT` CVTDQ2PD.
pub(crate) fn widen<const INT: bool, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let control = Mxcsr(ctx.mxcsr);
    let wide = K == VEX256;
    let s = if !MEM {
        ctx.x(op.base)
    } else {
        let addr = ctx.ea(&op);
        let s = if wide { ctx.load128(env, addr) } else { ctx.load::<u64>(env, addr).map(|v| [v, 0]) };
        let Some(s) = s else { return ctx.fail(op) };
        s
    };
    let mut all = 0;
    let q = d4(s);
    let r: [u64; 4] = std::array::from_fn(|i| {
        if i >= 2 && !wide {
            return 0;
        }
        let (r, raised) =
            if INT { D::of_int(control, i64::from(q[i] as i32)) } else { fast::f32_to_f64(control, q[i]) };
        all |= raised;
        r
    });
    if !accept(ctx, all) {
        return simd_error(ctx, op);
    }
    if wide {
        ctx.ymm[op.a as usize & 15] = r;
    } else {
        put::<K>(ctx, op.a, [r[0], r[1]]);
    }
    op.next(ctx, env)
}

/// A conversion of 64-bit lanes to 32-bit ones: CVTPD2PS (0), CVTPD2DQ (1), CVTTPD2DQ (2). The rest is cleared.
pub(crate) fn narrow<const KIND: u8, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let control = Mxcsr(ctx.mxcsr);
    let Some((s, sh)) = halves::<MEM, K>(ctx, op) else { return missed_halves::<K>(ctx, op, env) };
    let mut q = [s[0], s[1], 0, 0];
    let mut n = 2;
    if K == VEX256 {
        let s = sh;
        q[2] = s[0];
        q[3] = s[1];
        n = 4;
    }
    let mut all = 0;
    let r = std::array::from_fn(|i| {
        if i >= n {
            return 0;
        }
        let (r, raised) = match KIND {
            0 => fast::f64_to_f32(control, q[i]),
            _ => {
                let rc = if KIND == 2 { Round::Zero } else { control.rc() };
                let (r, f) = D::to_int(control, q[i], rc, 32);
                (r as u32, f)
            }
        };
        all |= raised;
        r
    });
    if !accept(ctx, all) {
        return simd_error(ctx, op);
    }
    if K == LEGACY {
        ctx.set_x(op.a, of_d4(r));
    } else {
        put::<{ super::vecint::VEX128 }>(ctx, op.a, of_d4(r));
    }
    op.next(ctx, env)
}
