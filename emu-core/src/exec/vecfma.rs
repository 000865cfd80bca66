//! Fused multiply-add (FMA3), half-precision conversions (F16C), dot products.

use super::fpops::{D, Float, S, settle};
use super::memory::Reach;
use super::operand::Int;
use super::vecint::{VEX128, VEX256, X, d4, halves, high, missed_halves, of_d4, put};
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{Exception, Vector};
use crate::fp::sse::{self, Negate};
use crate::fp::{Mxcsr, PE, Round, fast};
use crate::mem::Access;

/// Bits of the immediate of a fused multiply-add.
pub(crate) mod fma_imm {
    /// The product is negated.
    pub(crate) const PRODUCT: u64 = 1;
    /// The addend is negated.
    pub(crate) const ADDEND: u64 = 2;
    /// In even lanes the addend is negated once more (VFMADDSUB, VFMSUBADD).
    pub(crate) const ALTERNATE: u64 = 4;
}

/// A format with a fused multiply-add.
pub(crate) trait Fused: Float {
    /// `a * b + c`
    fn fma(env: Mxcsr, a: u64, b: u64, c: u64, negate: Negate) -> (u64, u32);
    /// Two or four lanes if that is quick: see [`fast`].
    fn quick_fma(env: Mxcsr, a: X, b: X, c: X, negate: impl Fn(usize) -> Negate) -> Option<(X, u32)>;
}
impl Fused for S {
    #[inline(always)]
    fn fma(env: Mxcsr, a: u64, b: u64, c: u64, negate: Negate) -> (u64, u32) {
        let (r, f) = fast::f32::fma(env, a as u32, b as u32, c as u32, negate);
        (u64::from(r), f)
    }
    #[inline(always)]
    fn quick_fma(env: Mxcsr, a: X, b: X, c: X, negate: impl Fn(usize) -> Negate) -> Option<(X, u32)> {
        let (a, b, c) = (d4(a), d4(b), d4(c));
        let (mut inexact, mut good) = (false, fast::allows_quick_fma(env));
        let r = std::array::from_fn(|i| {
            let (r, more, fine) = fast::quick_fma_f32(a[i], b[i], c[i], negate(i));
            inexact |= more;
            good &= fine;
            r
        });
        good.then_some((of_d4(r), if inexact { PE } else { 0 }))
    }
}
impl Fused for D {
    #[inline(always)]
    fn fma(env: Mxcsr, a: u64, b: u64, c: u64, negate: Negate) -> (u64, u32) {
        fast::f64::fma(env, a, b, c, negate)
    }
    #[inline(always)]
    fn quick_fma(_: Mxcsr, _: X, _: X, _: X, _: impl Fn(usize) -> Negate) -> Option<(X, u32)> {
        None
    }
}

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

/// One lane; `ORDER` 132, 213 or 231 says which operands are multiplied and which NaN wins.
#[inline(always)]
fn one<F: Fused, const ORDER: u8>(env: Mxcsr, x: u64, y: u64, z: u64, negate: Negate) -> (u64, u32) {
    let (a, b, c) = ordered::<_, ORDER>(x, y, z);
    F::fma(env, a, b, c, negate)
}

/// Factors and addend.
#[inline(always)]
fn ordered<T, const ORDER: u8>(x: T, y: T, z: T) -> (T, T, T) {
    match ORDER {
        132 => (x, z, y),
        213 => (y, x, z),
        _ => (y, z, x),
    }
}

/// How the lane `i` is negated.
#[inline(always)]
fn negation(imm: u64, i: usize) -> Negate {
    let flip = imm & fma_imm::ALTERNATE != 0 && i.is_multiple_of(2);
    Negate { product: imm & fma_imm::PRODUCT != 0, addend: (imm & fma_imm::ADDEND != 0) ^ flip }
}

#[inline(always)]
fn each<F: Fused, const ORDER: u8>(env: Mxcsr, x: X, y: X, z: X, imm: u64) -> (X, u32) {
    let (a, b, c) = ordered::<_, ORDER>(x, y, z);
    F::quick_fma(env, a, b, c, |i| negation(imm, i))
        .unwrap_or_else(|| each_slow::<F, ORDER>(env, x, y, z, imm))
}

#[cold]
#[inline(never)]
fn each_slow<F: Fused, const ORDER: u8>(env: Mxcsr, x: X, y: X, z: X, imm: u64) -> (X, u32) {
    let mut all = 0;
    let mut lane = |i: usize, x: u64, y: u64, z: u64| {
        let (r, raised) = one::<F, ORDER>(env, x, y, z, negation(imm, i));
        all |= raised;
        r
    };
    let r = if F::BYTES == 8 {
        std::array::from_fn(|i| lane(i, x[i], y[i], z[i]))
    } else {
        let (p, q, s) = (d4(x), d4(y), d4(z));
        of_d4(std::array::from_fn(|i| lane(i, u64::from(p[i]), u64::from(q[i]), u64::from(s[i])) as u32))
    };
    (r, all)
}

/// VFMADD132PS and all its kin: operands `a`, `b`, source.
pub(crate) fn packed<F: Fused, const ORDER: u8, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some((s, sh)) = halves::<MEM, K>(ctx, op) else { return missed_halves::<K>(ctx, op, env) };
    let control = Mxcsr(ctx.mxcsr);
    let (r, mut raised) = each::<F, ORDER>(control, ctx.x(op.a), ctx.x(op.b), s, op.imm);
    let mut h = [0; 2];
    if K == VEX256 {
        let s = sh;
        let (v, more) = each::<F, ORDER>(control, high(ctx, op.a), high(ctx, op.b), s, op.imm);
        raised |= more;
        h = v;
    }
    if !accept(ctx, raised) {
        return simd_error(ctx, op);
    }
    ctx.ymm[op.a as usize & 15] = [r[0], r[1], h[0], h[1]];
    op.next(ctx, env)
}

/// VFMADD132SS and all its kin; the other lanes of `a` stay.
pub(crate) fn scalar<F: Fused, const ORDER: u8, const MEM: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let z = if MEM {
        let addr = ctx.ea(&op);
        let Some(v) = ctx.peek::<F::Int>(addr) else {
            return ctx.miss(op, env, &Reach::whole(F::Int::BYTES, Access::Read));
        };
        v.u()
    } else {
        F::Int::of(ctx.x(op.base)[0]).u()
    };
    let (x, y) = (ctx.x(op.a), ctx.x(op.b)[0]);
    let negate = Negate { product: op.imm & fma_imm::PRODUCT != 0, addend: op.imm & fma_imm::ADDEND != 0 };
    let (r, raised) = one::<F, ORDER>(Mxcsr(ctx.mxcsr), F::Int::of(x[0]).u(), F::Int::of(y).u(), z, negate);
    if !accept(ctx, raised) {
        return simd_error(ctx, op);
    }
    let mask = u64::MAX >> F::Int::SH;
    put::<VEX128>(ctx, op.a, [x[0] & !mask | r & mask, x[1]]);
    op.next(ctx, env)
}

/// VCVTPH2PS.
pub(crate) fn ph2ps<const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let s = if !MEM {
        ctx.x(op.base)
    } else {
        let addr = ctx.ea(&op);
        let v = if K == VEX256 { ctx.load128(env, addr) } else { ctx.load::<u64>(env, addr).map(|v| [v, 0]) };
        let Some(v) = v else { return ctx.fail(op) };
        v
    };
    let control = Mxcsr(ctx.mxcsr);
    let (mut all, mut r) = (0, [0u64; 4]);
    for i in 0..if K == VEX256 { 8 } else { 4 } {
        let (v, raised) = sse::f16_to_f32(control, s[i / 4] >> (i % 4 * 16) & 0xffff);
        all |= raised;
        r[i / 2] |= v << (i % 2 * 32);
    }
    if !accept(ctx, all) {
        return simd_error(ctx, op);
    }
    ctx.ymm[op.a as usize & 15] = r;
    op.next(ctx, env)
}

/// VCVTPS2PH of register `b`, to register `a` or memory.
pub(crate) fn ps2ph<const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let s = ctx.ymm[op.b as usize & 15];
    let control = Mxcsr(ctx.mxcsr);
    let rc = if op.imm & 4 != 0 { control.rc() } else { Round::from_bits(op.imm as u32) };
    let (mut all, mut r) = (0, [0u64; 2]);
    for i in 0..if K == VEX256 { 8 } else { 4 } {
        let (v, raised) = sse::f32_to_f16(control, s[i / 2] >> (i % 2 * 32) & 0xffff_ffff, rc);
        all |= raised;
        r[i / 4] |= v << (i % 4 * 16);
    }
    if MEM {
        // The memory is checked before the exceptions are taken in.
        let addr = ctx.ea(&op);
        let (flags, bad) = settle(control, all);
        if bad {
            if !ctx.claim(env, addr, if K == VEX256 { 16 } else { 8 }) {
                return ctx.fail(op);
            }
            ctx.mxcsr |= flags;
            return simd_error(ctx, op);
        }
        let done = if K == VEX256 { ctx.store128(env, addr, r) } else { ctx.store(env, addr, r[0]) };
        if !done {
            return ctx.fail(op);
        }
        ctx.mxcsr |= flags;
    } else {
        if !accept(ctx, all) {
            return simd_error(ctx, op);
        }
        ctx.ymm[op.a as usize & 15] = [r[0], r[1], 0, 0];
    }
    op.next(ctx, env)
}

/// DPPS, DPPD on `N` times 128 bits: products of the lanes that the upper half of the immediate names, summed in pairs,
/// to the lanes that the lower half names. Each step is done for all lanes, and its flags are taken in; an unmasked
/// exception of one step keeps later steps from being done. `None` after such an exception.
fn dot<F: Float, const N: usize>(ctx: &mut Ctx, a: [X; N], b: [X; N], imm: u64) -> Option<[X; N]> {
    let n = 16 / F::BYTES;
    let lane = |v: X, i: usize| {
        if F::BYTES == 8 { v[i] } else { u64::from(d4(v)[i]) }
    };
    let env = Mxcsr(ctx.mxcsr);
    let (mut products, mut all) = ([[0u64; 4]; N], 0);
    for h in 0..N {
        for i in (0..n).filter(|i| imm >> (4 + i) & 1 != 0) {
            let (v, raised) = F::mul(env, lane(a[h], i), lane(b[h], i));
            all |= raised;
            products[h][i] = v;
        }
    }
    if !accept(ctx, all) {
        return None;
    }
    // A step may have raised the precision flag, which the fast paths look at.
    let env = Mxcsr(ctx.mxcsr);
    let (mut sums, mut all) = ([[0u64; 2]; N], 0);
    for h in 0..N {
        for i in 0..n / 2 {
            let (v, raised) = F::add(env, products[h][2 * i], products[h][2 * i + 1]);
            all |= raised;
            sums[h][i] = v;
        }
    }
    if !accept(ctx, all) {
        return None;
    }
    if n == 4 {
        let env = Mxcsr(ctx.mxcsr);
        let mut all = 0;
        for sum in &mut sums {
            let (v, raised) = F::add(env, sum[0], sum[1]);
            all |= raised;
            sum[0] = v;
        }
        if !accept(ctx, all) {
            return None;
        }
    }
    Some(sums.map(|sum| {
        let keep = |i: usize| if imm >> i & 1 != 0 { sum[0] } else { 0 };
        if F::BYTES == 8 { [keep(0), keep(1)] } else { of_d4(std::array::from_fn(|i| keep(i) as u32)) }
    }))
}

/// DPPS, DPPD.
pub(crate) fn dot_product<F: Float, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some((s, sh)) = halves::<MEM, K>(ctx, op) else { return missed_halves::<K>(ctx, op, env) };
    let low = ctx.x(op.b);
    if K == VEX256 {
        let both = [low, high(ctx, op.b)];
        let Some([r, h]) = dot::<F, 2>(ctx, both, [s, sh], op.imm) else { return simd_error(ctx, op) };
        ctx.ymm[op.a as usize & 15] = [r[0], r[1], h[0], h[1]];
    } else {
        let Some([r]) = dot::<F, 1>(ctx, [low], [s], op.imm) else { return simd_error(ctx, op) };
        put::<K>(ctx, op.a, r);
    }
    op.next(ctx, env)
}
