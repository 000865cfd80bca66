//! Floating point by the host's own instructions, where no flag can come of it that is not raised already.
//!
//! A body computes first and looks afterwards: operands far enough from the denormal numbers, a result neither near
//! them nor infinite nor NaN, rounding to nearest, the precision exception masked and its flag set. Then the result is
//! IEEE's, and MXCSR stays as it is. Everything else, zeros too, goes to the portable body, which begins anew.
//!
//! **Invariant**: the host's own MXCSR is as Rust has it: rounding to nearest, everything masked, denormals kept.
#![allow(clippy::wildcard_imports, reason = "the host's instructions are the vocabulary of this module")]

use std::arch::x86_64::*;

use crate::exec::fpops::{Add, D, Div, Float, Max, Min, Mul, Op2, S, Sqrt, Sub};
use crate::exec::operand::{Int, Src};
use crate::exec::vecfma::{self, Fused};
use crate::exec::vecint::{LEGACY, VEX128, VEX256};
use crate::exec::{Ctx, Env, Flow, OpRef, vecfp};
use crate::fp::PE;

/// Rounding to nearest, the precision exception masked and its flag set: nothing is left to be found out.
#[inline(always)]
fn settled(ctx: &Ctx) -> bool {
    ctx.mxcsr & (0x6000 | PE << 7 | PE) == PE << 7 | PE
}

/// Which operands the portable body looks at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Both, and it rounds.
    Two,
    /// The second, and it rounds.
    One,
    /// Both, and it gives one of them.
    Choice,
}

/// An operation of IEEE arithmetic.
pub(crate) trait HostFloat: Op2 {
    /// What it looks at.
    const KIND: Kind;
    /// On the low double.
    ///
    /// # Safety
    /// [`super::available`], here and below.
    unsafe fn sd(a: __m128d, b: __m128d) -> __m128d;
    /// On the low single.
    unsafe fn ss(a: __m128, b: __m128) -> __m128;
    /// On two doubles.
    unsafe fn pd(a: __m128d, b: __m128d) -> __m128d;
    /// On four singles.
    unsafe fn ps(a: __m128, b: __m128) -> __m128;
    /// On four doubles.
    unsafe fn pd_wide(a: __m256d, b: __m256d) -> __m256d;
    /// On eight singles.
    unsafe fn ps_wide(a: __m256, b: __m256) -> __m256;
}

macro_rules! float_ops {
    ($($name:ident, $kind:ident, |$a:ident, $b:ident| $sd:expr, $ss:expr, $pd:expr, $ps:expr, $pdw:expr, $psw:expr;)*) => {
        $(
            #[allow(unused_variables, reason = "a square root has one operand")]
            impl HostFloat for $name {
                const KIND: Kind = Kind::$kind;
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                unsafe fn sd($a: __m128d, $b: __m128d) -> __m128d {
                    $sd
                }
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                unsafe fn ss($a: __m128, $b: __m128) -> __m128 {
                    $ss
                }
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                unsafe fn pd($a: __m128d, $b: __m128d) -> __m128d {
                    $pd
                }
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                unsafe fn ps($a: __m128, $b: __m128) -> __m128 {
                    $ps
                }
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                unsafe fn pd_wide($a: __m256d, $b: __m256d) -> __m256d {
                    $pdw
                }
                #[inline]
                #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
                unsafe fn ps_wide($a: __m256, $b: __m256) -> __m256 {
                    $psw
                }
            }
        )*
    };
}

float_ops! {
    Add, Two, |a, b| _mm_add_sd(a, b), _mm_add_ss(a, b), _mm_add_pd(a, b), _mm_add_ps(a, b),
        _mm256_add_pd(a, b), _mm256_add_ps(a, b);
    Sub, Two, |a, b| _mm_sub_sd(a, b), _mm_sub_ss(a, b), _mm_sub_pd(a, b), _mm_sub_ps(a, b),
        _mm256_sub_pd(a, b), _mm256_sub_ps(a, b);
    Mul, Two, |a, b| _mm_mul_sd(a, b), _mm_mul_ss(a, b), _mm_mul_pd(a, b), _mm_mul_ps(a, b),
        _mm256_mul_pd(a, b), _mm256_mul_ps(a, b);
    Div, Two, |a, b| _mm_div_sd(a, b), _mm_div_ss(a, b), _mm_div_pd(a, b), _mm_div_ps(a, b),
        _mm256_div_pd(a, b), _mm256_div_ps(a, b);
    Sqrt, One, |a, b| _mm_sqrt_sd(a, b), _mm_move_ss(a, _mm_sqrt_ss(b)), _mm_sqrt_pd(b), _mm_sqrt_ps(b),
        _mm256_sqrt_pd(b), _mm256_sqrt_ps(b);
    Min, Choice, |a, b| _mm_min_sd(a, b), _mm_min_ss(a, b), _mm_min_pd(a, b), _mm_min_ps(a, b),
        _mm256_min_pd(a, b), _mm256_min_ps(a, b);
    Max, Choice, |a, b| _mm_max_sd(a, b), _mm_max_ss(a, b), _mm_max_pd(a, b), _mm_max_ps(a, b),
        _mm256_max_pd(a, b), _mm256_max_ps(a, b);
}

// The upper 32 bits of a number, doubled, are its exponent above some of its significand. One step of the exponent more
// and those of infinities and NaNs are zero, those of denormal numbers one.

/// A step of the exponent of a double, and of a single.
const STEP_D: u32 = 1 << 21;
const STEP_S: u32 = 1 << 24;
/// Exponents from here on are far enough from the denormal numbers.
const ENOUGH: u32 = 3;
/// Makes comparisons without a sign of those with one.
const BIAS: u32 = 1 << 31;

/// Whether of the four words each, doubled and with its term added, is as large as that of exponent [`ENOUGH`].
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn four_enough(v: __m128i, terms: [u32; 4], step: u32) -> bool {
    let [t0, t1, t2, t3] = terms.map(|t| t.wrapping_add(BIAS).cast_signed());
    let v = _mm_add_epi32(_mm_add_epi32(v, v), _mm_setr_epi32(t0, t1, t2, t3));
    let least = (step * ENOUGH - 1).wrapping_add(BIAS).cast_signed();
    _mm_movemask_ps(_mm_castsi128_ps(_mm_cmpgt_epi32(v, _mm_set1_epi32(least)))) == 15
}

/// Whether of four words, the uppermost of numbers, the first ones are at least those of exponent [`ENOUGH`] and the
/// last ones, `UPPER` of them, below those of infinities.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn between<const UPPER: usize>(v: __m128i, step: u32) -> bool {
    let upper = |i: usize| i >= 4 - UPPER;
    let lanes = |f: fn(bool, u32) -> u32| {
        let [p, q, r, s] = std::array::from_fn(|i| f(upper(i), step).cast_signed());
        _mm_setr_epi32(p, q, r, s)
    };
    // What is turned around shrinks as the number grows. Then the sign says what is too small.
    let turned = _mm_xor_si128(v, lanes(|upper, _| if upper { u32::MAX } else { 0 }));
    let size = _mm_and_si128(turned, lanes(|_, _| u32::MAX >> 1));
    let rest = _mm_add_epi32(
        size,
        lanes(
            |upper, step| if upper { (step / 2).wrapping_neg() } else { (step / 2 * ENOUGH).wrapping_neg() },
        ),
    );
    let rest = _mm_castsi128_ps(rest);
    _mm_testz_ps(rest, rest) != 0
}

/// Whether nothing comes of this but the result, for the low doubles.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn quiet_sd(kind: Kind, a: __m128d, b: __m128d, r: __m128d) -> bool {
    let [a, b, r] = [a, b, r].map(|v| _mm_castpd_ps(v));
    match kind {
        Kind::Two => {
            let operands = _mm_shuffle_ps::<0b01_01_01_01>(a, b);
            between::<1>(_mm_castps_si128(_mm_shuffle_ps::<0b01_01_10_00>(operands, r)), STEP_D)
        }
        Kind::One => between::<1>(_mm_castps_si128(_mm_shuffle_ps::<0b01_01_01_01>(b, r)), STEP_D),
        Kind::Choice => {
            let operands = _mm_shuffle_ps::<0b01_01_01_01>(a, b);
            between::<2>(_mm_castps_si128(_mm_shuffle_ps::<0b10_00_10_00>(operands, operands)), STEP_D)
        }
    }
}

/// The same for the low singles.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn quiet_ss(kind: Kind, a: __m128, b: __m128, r: __m128) -> bool {
    match kind {
        Kind::Two => {
            let operands = _mm_unpacklo_ps(a, b);
            between::<1>(_mm_castps_si128(_mm_shuffle_ps::<0b00_00_01_00>(operands, r)), STEP_S)
        }
        Kind::One => between::<1>(_mm_castps_si128(_mm_shuffle_ps::<0>(b, r)), STEP_S),
        Kind::Choice => {
            let operands = _mm_unpacklo_ps(a, b);
            between::<2>(_mm_castps_si128(_mm_shuffle_ps::<0b01_00_01_00>(operands, operands)), STEP_S)
        }
    }
}

/// Whether all of up to four vectors of operands, and a result, are quiet; `step` says of which format. The lower
/// words of doubles do not count.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn quiet<const N: usize>(operands: [__m256i; N], results: &[__m256i], step: u32) -> bool {
    let by = _mm256_set1_epi32(step.cast_signed());
    let least = _mm256_set1_epi32((step * ENOUGH).cast_signed());
    let mut smallest = _mm256_set1_epi32(-1);
    for v in operands {
        smallest = _mm256_min_epu32(smallest, _mm256_add_epi32(v, v));
    }
    for &v in results {
        smallest = _mm256_min_epu32(smallest, _mm256_add_epi32(_mm256_add_epi32(v, v), by));
    }
    let enough = _mm256_cmpeq_epi32(_mm256_min_epu32(smallest, least), least);
    if step == STEP_D {
        _mm256_movemask_pd(_mm256_castsi256_pd(enough)) == 15
    } else {
        _mm256_movemask_ps(_mm256_castsi256_ps(enough)) == 255
    }
}

/// The same for 128 bits.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn quiet_half<const N: usize>(operands: [__m128i; N], results: &[__m128i], step: u32) -> bool {
    let by = _mm_set1_epi32(step.cast_signed());
    let least = _mm_set1_epi32((step * ENOUGH).cast_signed());
    let mut smallest = _mm_set1_epi32(-1);
    for v in operands {
        smallest = _mm_min_epu32(smallest, _mm_add_epi32(v, v));
    }
    for &v in results {
        smallest = _mm_min_epu32(smallest, _mm_add_epi32(_mm_add_epi32(v, v), by));
    }
    let enough = _mm_cmpeq_epi32(_mm_min_epu32(smallest, least), least);
    if step == STEP_D {
        _mm_movemask_pd(_mm_castsi128_pd(enough)) == 3
    } else {
        _mm_movemask_ps(_mm_castsi128_ps(enough)) == 15
    }
}

/// The same vector, of which the compiler knows nothing: it would compute all lanes of a result to look at one.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn as_it_is(mut v: __m128i) -> __m128i {
    // SAFETY: no instruction at all.
    unsafe { std::arch::asm!("/* {0} */", inout(xmm_reg) v, options(pure, nomem, nostack, preserves_flags)) };
    v
}

const fn step<F: Float>() -> u32 {
    if F::BYTES == 8 { STEP_D } else { STEP_S }
}

/// The low lane of a source operand; the lanes above mean nothing.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn low_lane<F: Float, const MEM: bool>(ctx: &Ctx, op: OpRef) -> Option<__m128i> {
    if !MEM {
        return Some(ctx.half(op.base));
    }
    ctx.peek::<F::Int>(ctx.ea(&op)).map(|v| _mm_cvtsi64_si128(v.u().cast_signed()))
}

/// Scalar operation: low lane of `b` and the source; the other lanes come from `b`.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn scalar<O: HostFloat, F: Float, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(s) = low_lane::<F, MEM>(ctx, op) else { return vecfp::scalar::<O, F, MEM, K>(ctx, op, env) };
    let a = ctx.half(op.b);
    // SAFETY: this body runs where the host has the instructions.
    let (r, good) = unsafe { one::<O, F>(a, s) };
    if !good || O::KIND != Kind::Choice && !settled(ctx) {
        return vecfp::scalar::<O, F, MEM, K>(ctx, op, env);
    }
    ctx.set_half::<K>(op.a, r);
    op.next(ctx, env)
}

/// A copy of a register, and a scalar operation on it: `a = op(b, source)`. Whatever is not done at once finds the
/// copy made.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn copied<O: HostFloat, F: Float, const MEM: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let a = ctx.half(op.b);
    let Some(s) = low_lane::<F, MEM>(ctx, op).filter(|_| settled(ctx)) else {
        ctx.set_half::<LEGACY>(op.a, a);
        return vecfp::scalar::<O, F, MEM, LEGACY>(ctx, op, env);
    };
    // SAFETY: this body runs where the host has the instructions.
    let (r, good) = unsafe { one::<O, F>(a, s) };
    if !good {
        ctx.set_half::<LEGACY>(op.a, a);
        return vecfp::scalar::<O, F, MEM, LEGACY>(ctx, op, env);
    }
    ctx.set_half::<LEGACY>(op.a, r);
    op.next(ctx, env)
}

/// The low lane of a result, the others of `a`, and whether it is quiet.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
unsafe fn one<O: HostFloat, F: Float>(a: __m128i, s: __m128i) -> (__m128i, bool) {
    // SAFETY: the caller's promise.
    unsafe {
        if F::BYTES == 8 {
            let (a, s) = (_mm_castsi128_pd(a), _mm_castsi128_pd(s));
            let r = as_it_is(_mm_castpd_si128(O::sd(a, s)));
            (r, quiet_sd(O::KIND, a, s, _mm_castsi128_pd(r)))
        } else {
            let (a, s) = (_mm_castsi128_ps(a), _mm_castsi128_ps(s));
            let r = as_it_is(_mm_castps_si128(O::ss(a, s)));
            (r, quiet_ss(O::KIND, a, s, _mm_castsi128_ps(r)))
        }
    }
}

/// Packed operation.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn packed<O: HostFloat, F: Float, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    if K == VEX256 {
        let Some(s) = ctx.source_whole::<MEM>(op) else { return vecfp::packed::<O, F, MEM, K>(ctx, op, env) };
        let a = ctx.whole(op.b);
        // SAFETY: this body runs where the host has the instructions.
        let r = unsafe {
            if F::BYTES == 8 {
                _mm256_castpd_si256(O::pd_wide(_mm256_castsi256_pd(a), _mm256_castsi256_pd(s)))
            } else {
                _mm256_castps_si256(O::ps_wide(_mm256_castsi256_ps(a), _mm256_castsi256_ps(s)))
            }
        };
        let good = match O::KIND {
            Kind::Two => quiet([a, s], &[r], step::<F>()),
            Kind::One => quiet([s], &[r], step::<F>()),
            Kind::Choice => quiet([], &[a, s], step::<F>()),
        };
        if !good || O::KIND != Kind::Choice && !settled(ctx) {
            return vecfp::packed::<O, F, MEM, K>(ctx, op, env);
        }
        ctx.set_whole(op.a, r);
    } else {
        let Some(s) = ctx.source_half::<MEM, K>(op) else {
            return vecfp::packed::<O, F, MEM, K>(ctx, op, env);
        };
        let a = ctx.half(op.b);
        // SAFETY: as above.
        let r = unsafe {
            if F::BYTES == 8 {
                _mm_castpd_si128(O::pd(_mm_castsi128_pd(a), _mm_castsi128_pd(s)))
            } else {
                _mm_castps_si128(O::ps(_mm_castsi128_ps(a), _mm_castsi128_ps(s)))
            }
        };
        let good = match O::KIND {
            Kind::Two => quiet_half([a, s], &[r], step::<F>()),
            Kind::One => quiet_half([s], &[r], step::<F>()),
            Kind::Choice => quiet_half([], &[a, s], step::<F>()),
        };
        if !good || O::KIND != Kind::Choice && !settled(ctx) {
            return vecfp::packed::<O, F, MEM, K>(ctx, op, env);
        }
        ctx.set_half::<K>(op.a, r);
    }
    op.next(ctx, env)
}

/// A format with a fused multiply-add of the host.
pub(crate) trait HostFused: Fused {
    /// The low lane, `NEGATE` as in [`vecfma::fma_imm`]; the others are those of `a`.
    ///
    /// # Safety
    /// [`super::available`], here and below.
    unsafe fn low<const NEGATE: u64>(a: __m128i, b: __m128i, c: __m128i) -> __m128i;
    /// On 128 bits.
    unsafe fn half<const NEGATE: u64>(a: __m128i, b: __m128i, c: __m128i) -> __m128i;
    /// On 256 bits.
    unsafe fn whole<const NEGATE: u64>(a: __m256i, b: __m256i, c: __m256i) -> __m256i;
}

macro_rules! fused {
    ($F:ty, $to:ident, $from:ident, $tow:ident, $fromw:ident,
     [$l0:ident $l1:ident $l2:ident $l3:ident], [$h0:ident $h1:ident $h2:ident $h3:ident],
     [$w0:ident $w1:ident $w2:ident $w3:ident]) => {
        impl HostFused for $F {
            #[inline]
            #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
            unsafe fn low<const NEGATE: u64>(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
                let (a, b, c) = ($to(a), $to(b), $to(c));
                $from(match NEGATE {
                    0 => $l0(a, b, c),
                    1 => $l1(a, b, c),
                    2 => $l2(a, b, c),
                    _ => $l3(a, b, c),
                })
            }
            #[inline]
            #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
            unsafe fn half<const NEGATE: u64>(a: __m128i, b: __m128i, c: __m128i) -> __m128i {
                let (a, b, c) = ($to(a), $to(b), $to(c));
                $from(match NEGATE {
                    0 => $h0(a, b, c),
                    1 => $h1(a, b, c),
                    2 => $h2(a, b, c),
                    _ => $h3(a, b, c),
                })
            }
            #[inline]
            #[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
            unsafe fn whole<const NEGATE: u64>(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
                let (a, b, c) = ($tow(a), $tow(b), $tow(c));
                $fromw(match NEGATE {
                    0 => $w0(a, b, c),
                    1 => $w1(a, b, c),
                    2 => $w2(a, b, c),
                    _ => $w3(a, b, c),
                })
            }
        }
    };
}

fused!(S, _mm_castsi128_ps, _mm_castps_si128, _mm256_castsi256_ps, _mm256_castps_si256,
    [_mm_fmadd_ss _mm_fnmadd_ss _mm_fmsub_ss _mm_fnmsub_ss],
    [_mm_fmadd_ps _mm_fnmadd_ps _mm_fmsub_ps _mm_fnmsub_ps],
    [_mm256_fmadd_ps _mm256_fnmadd_ps _mm256_fmsub_ps _mm256_fnmsub_ps]);
fused!(D, _mm_castsi128_pd, _mm_castpd_si128, _mm256_castsi256_pd, _mm256_castpd_si256,
    [_mm_fmadd_sd _mm_fnmadd_sd _mm_fmsub_sd _mm_fnmsub_sd],
    [_mm_fmadd_pd _mm_fnmadd_pd _mm_fmsub_pd _mm_fnmsub_pd],
    [_mm256_fmadd_pd _mm256_fnmadd_pd _mm256_fmsub_pd _mm256_fnmsub_pd]);

/// Factors and addend of operands `a`, `b`, source in the order of the mnemonic.
#[inline(always)]
fn ordered<T, const ORDER: u8>(x: T, y: T, z: T) -> (T, T, T) {
    match ORDER {
        132 => (x, z, y),
        213 => (y, x, z),
        _ => (y, z, x),
    }
}

/// VFMADD132SS and all its kin; the other lanes of `a` stay.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn fused_scalar<F: HostFused, const ORDER: u8, const NEGATE: u64, const MEM: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(z) = low_lane::<F, MEM>(ctx, op) else { return vecfma::scalar::<F, ORDER, MEM>(ctx, op, env) };
    let x = ctx.half(op.a);
    let (a, b, c) = ordered::<_, ORDER>(x, ctx.half(op.b), z);
    // SAFETY: this body runs where the host has the instructions.
    let r = as_it_is(unsafe { F::low::<NEGATE>(a, b, c) });
    let good = if F::BYTES == 8 {
        let first = _mm_shuffle_ps::<0b01_01_01_01>(_mm_castsi128_ps(a), _mm_castsi128_ps(b));
        let second = _mm_shuffle_ps::<0b01_01_01_01>(_mm_castsi128_ps(c), _mm_castsi128_ps(r));
        let all = _mm_castps_si128(_mm_shuffle_ps::<0b10_00_10_00>(first, second));
        four_enough(all, [0, 0, 0, STEP_D], STEP_D)
    } else {
        let (first, second) = (_mm_unpacklo_epi32(a, b), _mm_unpacklo_epi32(c, r));
        four_enough(_mm_unpacklo_epi64(first, second), [0, 0, 0, STEP_S], STEP_S)
    };
    if !good || !settled(ctx) {
        return vecfma::scalar::<F, ORDER, MEM>(ctx, op, env);
    }
    let r = if F::BYTES == 8 { _mm_blend_epi32::<3>(x, r) } else { _mm_blend_epi32::<1>(x, r) };
    ctx.set_half::<VEX128>(op.a, r);
    op.next(ctx, env)
}

/// VFMADD132PS and all its kin but those that alternate.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn fused_packed<F: HostFused, const ORDER: u8, const NEGATE: u64, const MEM: bool, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    if K == VEX256 {
        let Some(z) = ctx.source_whole::<MEM>(op) else {
            return vecfma::packed::<F, ORDER, MEM, K>(ctx, op, env);
        };
        let (a, b, c) = ordered::<_, ORDER>(ctx.whole(op.a), ctx.whole(op.b), z);
        // SAFETY: this body runs where the host has the instructions.
        let r = unsafe { F::whole::<NEGATE>(a, b, c) };
        if !settled(ctx) || !quiet([a, b, c], &[r], step::<F>()) {
            if F::BYTES == 4 {
                return singles::<F, ORDER, NEGATE, MEM>(ctx, op, env);
            }
            return vecfma::packed::<F, ORDER, MEM, K>(ctx, op, env);
        }
        ctx.set_whole(op.a, r);
    } else {
        let Some(z) = ctx.source_half::<MEM, K>(op) else {
            return vecfma::packed::<F, ORDER, MEM, K>(ctx, op, env);
        };
        let (a, b, c) = ordered::<_, ORDER>(ctx.half(op.a), ctx.half(op.b), z);
        // SAFETY: as above.
        let r = unsafe { F::half::<NEGATE>(a, b, c) };
        if !settled(ctx) || !quiet_half([a, b, c], &[r], step::<F>()) {
            return vecfma::packed::<F, ORDER, MEM, K>(ctx, op, env);
        }
        ctx.set_half::<VEX128>(op.a, r);
    }
    op.next(ctx, env)
}

/// What is known of four lanes of a fused multiply-add in single precision: the product has 48 bits, so a double holds
/// it, and their sum is exact if both terms are found in it again. Lanes that are exact, lanes whose sum is zero.
#[inline]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn exact_lanes(a: __m128, b: __m128, c: __m128, r: __m128) -> (__m256d, __m256d) {
    let [a, b, c, r] = [a, b, c, r].map(|v| _mm256_cvtps_pd(v));
    let product = _mm256_mul_pd(a, b);
    let sum = _mm256_add_pd(product, c);
    let same = |x, y| _mm256_cmp_pd::<_CMP_EQ_OQ>(x, y);
    let found = _mm256_and_pd(same(_mm256_sub_pd(sum, product), c), same(_mm256_sub_pd(sum, c), product));
    let exact = _mm256_and_pd(found, same(sum, r));
    (exact, _mm256_and_pd(exact, same(sum, _mm256_setzero_pd())))
}

/// Eight lanes of a fused multiply-add in single precision with zeros among them, or with the precision flag clear.
#[inline(never)]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
fn singles<F: HostFused, const ORDER: u8, const NEGATE: u64, const MEM: bool>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let portable = vecfma::packed::<F, ORDER, MEM, VEX256>;
    let Some(z) = ctx.source_whole::<MEM>(op) else { return portable(ctx, op, env) };
    let (a, b, c) = ordered::<_, ORDER>(ctx.whole(op.a), ctx.whole(op.b), z);
    // SAFETY: this body runs where the host has the instructions.
    let r = unsafe { F::whole::<NEGATE>(a, b, c) };
    let sign = |v: __m256i, flip: bool| {
        let v = _mm256_castsi256_ps(v);
        if flip { _mm256_xor_ps(v, _mm256_set1_ps(-0.0)) } else { v }
    };
    let (x, y, w) = (sign(a, NEGATE & 1 != 0), sign(b, false), sign(c, NEGATE & 2 != 0));
    let result = _mm256_castsi256_ps(r);
    let low = |v| _mm256_castps256_ps128(v);
    let up = |v| _mm256_extractf128_ps::<1>(v);
    let (exact_low, zero_low) = exact_lanes(low(x), low(y), low(w), low(result));
    let (exact_up, zero_up) = exact_lanes(up(x), up(y), up(w), up(result));
    // Lanes of 64 bits become such of 32, in an order that two packs share.
    let pack = |p, q| _mm256_packs_epi32(_mm256_castpd_si256(p), _mm256_castpd_si256(q));
    let in_order = |v| _mm256_permute4x64_epi64::<0b11_01_10_00>(v);
    let exact = in_order(pack(exact_low, exact_up));
    let zero = in_order(pack(zero_low, zero_up));
    // Words now: each lane is twice the same word.
    let all = _mm256_set1_epi32(-1);
    let exact_all = _mm256_testc_si256(exact, all) != 0;
    // Operands zero or normal.
    let doubled = |v| _mm256_add_epi32(v, v);
    let plain = |v| {
        let below = _mm256_add_epi32(doubled(v), all);
        let least = _mm256_set1_epi32((STEP_S - 1).cast_signed());
        _mm256_cmpeq_epi32(_mm256_max_epu32(below, least), below)
    };
    let operands = _mm256_and_si256(_mm256_and_si256(plain(a), plain(b)), plain(c));
    // Results zero by an exact sum, or normal beyond the least.
    let shifted = _mm256_add_epi32(doubled(r), _mm256_set1_epi32(STEP_S.cast_signed()));
    let least = _mm256_set1_epi32((STEP_S * ENOUGH).cast_signed());
    let ample = _mm256_cmpeq_epi32(_mm256_max_epu32(shifted, least), shifted);
    let good = _mm256_and_si256(operands, _mm256_or_si256(ample, zero));
    let control = ctx.mxcsr & (0x6000 | PE << 7);
    if _mm256_testc_si256(good, all) == 0 || control != PE << 7 {
        return portable(ctx, op, env);
    }
    if !exact_all {
        ctx.mxcsr |= PE;
    }
    ctx.set_whole(op.a, r);
    op.next(ctx, env)
}

/// CVTSI2SS, CVTSI2SD.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn from_int<T: Int, F: Float, I: Src, const K: u8>(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
) -> Flow {
    let Some(v) = I::peek::<T>(ctx, &op) else { return I::miss::<T>(ctx, op, env) };
    let v = v.s();
    if v.unsigned_abs() > 1 << (if F::BYTES == 8 { 53 } else { 24 }) {
        return vecfp::from_int::<T, F, I, K>(ctx, op, env);
    }
    let a = ctx.half(op.index);
    let r = if F::BYTES == 8 {
        _mm_castpd_si128(_mm_cvtsi64_sd(_mm_castsi128_pd(a), v))
    } else {
        _mm_castps_si128(_mm_cvtsi64_ss(_mm_castsi128_ps(a), v))
    };
    ctx.set_half::<K>(op.a, r);
    op.next(ctx, env)
}

/// CVTSS2SD.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn ss2sd<const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = low_lane::<S, MEM>(ctx, op) else { return vecfp::ss2sd::<MEM, K>(ctx, op, env) };
    let doubled = _mm_cvtsi128_si32(s).cast_unsigned() << 1;
    if doubled.wrapping_add(STEP_S) < STEP_S * 2 && doubled != 0 {
        return vecfp::ss2sd::<MEM, K>(ctx, op, env);
    }
    let r = _mm_cvtss_sd(_mm_castsi128_pd(ctx.half(op.b)), _mm_castsi128_ps(s));
    ctx.set_half::<K>(op.a, _mm_castpd_si128(r));
    op.next(ctx, env)
}

/// CVTSD2SS.
#[target_feature(enable = "avx2,fma,bmi1,bmi2,aes,pclmulqdq")]
pub(crate) fn sd2ss<const MEM: bool, const K: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = low_lane::<D, MEM>(ctx, op) else { return vecfp::sd2ss::<MEM, K>(ctx, op, env) };
    let r = _mm_castps_si128(_mm_cvtsd_ss(_mm_castsi128_ps(ctx.half(op.b)), _mm_castsi128_pd(s)));
    let doubled = _mm_cvtsi128_si32(r).cast_unsigned() << 1;
    if doubled.wrapping_add(STEP_S) < STEP_S * ENOUGH || !settled(ctx) {
        return vecfp::sd2ss::<MEM, K>(ctx, op, env);
    }
    ctx.set_half::<K>(op.a, r);
    op.next(ctx, env)
}
