//! The arithmetic of [`super::sse`] on the host's own floating point wherever that gives the same bits and flags.
//!
//! The short way needs rounding to nearest, precision exceptions masked, and normal (or zero) operands and
//! results; Rust's operations are then IEEE's. If the precision flag is already set nothing more has to be
//! known. Otherwise an exact result is told from an inexact one without the host's flags. All else goes to
//! the integer implementation.
//!
//! Operands go by value as `u32` and `u64` bits.
//!
//! The `quick_` functions are the short way alone; `None` stands for the long one.
//!
//! **Invariant**: flags already sticky in the given MXCSR may be missing from those returned, no others.

use super::sse::{self, F32, F64, Format, Negate};
use super::{Mxcsr, PE};

/// Rounding control, precision mask, precision flag.
const CONTROL: u32 = 0x6000 | PE << 7 | PE;
/// The same for rounding to nearest with the precision exception masked, its flag clear.
const PLAIN: u32 = PE << 7;

macro_rules! fast {
    ($name:ident, $doc:literal, $float:ty, $bits:ty, $format:ty, $p:literal) => {
        #[doc = $doc]
        pub mod $name {
            use super::super::Relation;
            use super::{CONTROL, Format, Mxcsr, Negate, PE, PLAIN, sse};

            const MIN_NORMAL: $bits = 1 << $p;
            const INFINITY: $bits = MIN_NORMAL * ((1 << <$format as Format>::E) - 1);

            /// Zero or normal or infinite or NaN.
            #[inline(always)]
            fn not_denormal(bits: $bits) -> bool {
                (bits << 1).wrapping_sub(1) >= MIN_NORMAL - 1
            }
            /// Finite and above the smallest normal number.
            #[inline(always)]
            fn safe(bits: $bits) -> bool {
                (bits << 1).wrapping_sub(MIN_NORMAL + 1) < INFINITY - MIN_NORMAL - 1
            }
            #[inline(always)]
            fn is_zero(bits: $bits) -> bool {
                bits << 1 == 0
            }
            /// Zero bits at the end of the significand of a normal number.
            #[inline(always)]
            fn trailing(bits: $bits) -> u32 {
                (bits | 1 << ($p - 1)).trailing_zeros()
            }
            /// Biased exponent.
            #[inline(always)]
            fn exponent(bits: $bits) -> $bits {
                bits << 1 >> $p
            }
            /// Whether errors of operations on a number of this size can be had exactly.
            #[inline(always)]
            fn moderate(bits: $bits) -> bool {
                exponent(bits).wrapping_sub($p * 2) < (1 << <$format as Format>::E) - $p * 4
            }
            /// Whether `x * y` is exactly `z`; `None` if that is hard to tell.
            #[inline(always)]
            fn product_is(x: $bits, y: $bits, z: $bits) -> Option<bool> {
                let zeros = trailing(x) + trailing(y);
                if zeros < $p - 1 {
                    Some(false)
                } else if zeros >= $p && moderate(x) && moderate(y) && moderate(z) {
                    Some(<$float>::from_bits(x) * <$float>::from_bits(y) == <$float>::from_bits(z))
                } else {
                    None
                }
            }
            #[inline(always)]
            fn inexact(exact: bool) -> u32 {
                if exact { 0 } else { PE }
            }
            #[cold]
            #[inline(never)]
            fn slow(f: fn(Mxcsr, u64, u64) -> sse::Outcome, env: Mxcsr, a: $bits, b: $bits) -> ($bits, u32) {
                let (bits, raised) = f(env, u64::from(a), u64::from(b));
                (bits as $bits, raised)
            }

            #[inline(always)]
            fn sum(env: Mxcsr, a: $bits, b: $bits, x: $float, y: $float) -> Option<($bits, u32)> {
                let r = x + y;
                let bits = r.to_bits();
                if !(not_denormal(a) && not_denormal(b) && (safe(bits) || is_zero(bits))) {
                    return None;
                }
                match env.0 & CONTROL {
                    c if c == PLAIN | PE => Some((bits, 0)),
                    PLAIN if moderate(bits) => {
                        let v = r - x;
                        Some((bits, inexact((x - (r - v)) + (y - v) == 0.0)))
                    }
                    _ => None,
                }
            }
            /// `a + b`, if that is quick. Of flags there is at most a masked precision flag, here and below.
            #[inline(always)]
            pub fn quick_add(env: Mxcsr, a: $bits, b: $bits) -> Option<($bits, u32)> {
                sum(env, a, b, <$float>::from_bits(a), <$float>::from_bits(b))
            }
            /// `a + b`
            #[must_use]
            #[inline]
            pub fn add(env: Mxcsr, a: $bits, b: $bits) -> ($bits, u32) {
                quick_add(env, a, b).unwrap_or_else(|| slow(sse::add::<$format>, env, a, b))
            }
            /// `a - b`, if that is quick.
            #[inline(always)]
            pub fn quick_sub(env: Mxcsr, a: $bits, b: $bits) -> Option<($bits, u32)> {
                sum(env, a, b, <$float>::from_bits(a), -<$float>::from_bits(b))
            }
            /// `a - b`
            #[must_use]
            #[inline]
            pub fn sub(env: Mxcsr, a: $bits, b: $bits) -> ($bits, u32) {
                quick_sub(env, a, b).unwrap_or_else(|| slow(sse::sub::<$format>, env, a, b))
            }
            /// `a * b`, if that is quick.
            #[inline(always)]
            pub fn quick_mul(env: Mxcsr, a: $bits, b: $bits) -> Option<($bits, u32)> {
                let bits = (<$float>::from_bits(a) * <$float>::from_bits(b)).to_bits();
                if not_denormal(a)
                    && not_denormal(b)
                    && (safe(bits) || is_zero(bits) && (is_zero(a) || is_zero(b)))
                {
                    match env.0 & CONTROL {
                        c if c == PLAIN | PE => return Some((bits, 0)),
                        PLAIN if is_zero(bits) => return Some((bits, 0)),
                        PLAIN => {
                            let zeros = trailing(a) + trailing(b);
                            if zeros != $p - 1 {
                                return Some((bits, inexact(zeros >= $p)));
                            }
                        }
                        _ => {}
                    }
                }
                None
            }
            /// `a * b`
            #[must_use]
            #[inline]
            pub fn mul(env: Mxcsr, a: $bits, b: $bits) -> ($bits, u32) {
                quick_mul(env, a, b).unwrap_or_else(|| slow(sse::mul::<$format>, env, a, b))
            }
            /// `a / b`, if that is quick.
            #[inline(always)]
            pub fn quick_div(env: Mxcsr, a: $bits, b: $bits) -> Option<($bits, u32)> {
                let bits = (<$float>::from_bits(a) / <$float>::from_bits(b)).to_bits();
                if not_denormal(a) && not_denormal(b) && safe(bits) {
                    match env.0 & CONTROL {
                        c if c == PLAIN | PE => return Some((bits, 0)),
                        PLAIN => {
                            if let Some(exact) = product_is(bits, b, a) {
                                return Some((bits, inexact(exact)));
                            }
                        }
                        _ => {}
                    }
                }
                None
            }
            /// `a / b`
            #[must_use]
            #[inline]
            pub fn div(env: Mxcsr, a: $bits, b: $bits) -> ($bits, u32) {
                quick_div(env, a, b).unwrap_or_else(|| slow(sse::div::<$format>, env, a, b))
            }
            /// Square root, if that is quick.
            #[inline(always)]
            pub fn quick_sqrt(env: Mxcsr, a: $bits) -> Option<($bits, u32)> {
                let bits = <$float>::from_bits(a).sqrt().to_bits();
                if not_denormal(a) && safe(bits) {
                    match env.0 & CONTROL {
                        c if c == PLAIN | PE => return Some((bits, 0)),
                        PLAIN => {
                            if let Some(exact) = product_is(bits, bits, a) {
                                return Some((bits, inexact(exact)));
                            }
                        }
                        _ => {}
                    }
                }
                None
            }
            /// Square root.
            #[must_use]
            #[inline]
            pub fn sqrt(env: Mxcsr, a: $bits) -> ($bits, u32) {
                quick_sqrt(env, a)
                    .unwrap_or_else(|| slow(|env, a, _| sse::sqrt::<$format>(env, a), env, a, 0))
            }
            /// `a * b + c` rounded once.
            #[must_use]
            #[inline]
            pub fn fma(env: Mxcsr, a: $bits, b: $bits, c: $bits, negate: Negate) -> ($bits, u32) {
                // MinGW's `fma`, which `mul_add` may call there, rounds twice.
                if !cfg!(all(windows, target_env = "gnu")) && env.0 & CONTROL == PLAIN | PE {
                    let x = <$float>::from_bits(a);
                    let z = <$float>::from_bits(c);
                    let x = if negate.product { -x } else { x };
                    let z = if negate.addend { -z } else { z };
                    let bits = x.mul_add(<$float>::from_bits(b), z).to_bits();
                    if not_denormal(a) && not_denormal(b) && not_denormal(c) && safe(bits) {
                        return (bits, 0);
                    }
                }
                let (bits, raised) =
                    sse::fma::<$format>(env, u64::from(a), u64::from(b), u64::from(c), negate);
                (bits as $bits, raised)
            }
            /// Compares, quiet NaNs being valid or not.
            #[must_use]
            #[inline]
            pub fn compare(env: Mxcsr, a: $bits, b: $bits, quiet: sse::Quiet) -> (Relation, u32) {
                match order(a, b) {
                    Some(core::cmp::Ordering::Less) => (Relation::Less, 0),
                    Some(core::cmp::Ordering::Equal) => (Relation::Equal, 0),
                    Some(core::cmp::Ordering::Greater) => (Relation::Greater, 0),
                    None => sse::compare::<$format>(env, u64::from(a), u64::from(b), quiet),
                }
            }
            /// How two numbers compare that are neither NaN nor denormal.
            #[inline(always)]
            pub fn order(a: $bits, b: $bits) -> Option<core::cmp::Ordering> {
                if not_denormal(a) && not_denormal(b) {
                    <$float>::from_bits(a).partial_cmp(&<$float>::from_bits(b))
                } else {
                    None
                }
            }
            /// Not denormal.
            #[inline(always)]
            pub fn plain(bits: $bits) -> bool {
                not_denormal(bits)
            }
            /// Finite, and farther from zero than the smallest normal number.
            #[inline(always)]
            pub fn ample(bits: $bits) -> bool {
                safe(bits)
            }
        }
    };
}

fast!(f32, "Single precision.", f32, u32, super::F32, 24);
fast!(f64, "Double precision.", f64, u64, super::F64, 53);

/// `a * b + c` rounded once in single precision with the precision exception masked: in double precision, rounded to
/// odd first. Bits, whether they were rounded, and whether that holds; no branches, for the sake of vectors.
#[inline(always)]
pub fn quick_fma_f32(a: u32, b: u32, c: u32, negate: Negate) -> (u32, bool, bool) {
    let sign = |v: u32, flip: bool| f64::from(f32::from_bits(v ^ u32::from(flip) << 31));
    let (product, addend) = (sign(a, negate.product) * sign(b, false), sign(c, negate.addend));
    let sum = product + addend;
    // What the sum lacks, exactly.
    let back = sum - product;
    let rest = (product - (sum - back)) + (addend - back);
    let bits = sum.to_bits();
    let step = u64::from(rest != 0.0) & !bits & 1;
    // Away from zero if what is lacking has the sum's sign.
    let inwards = ((rest.to_bits() ^ bits) >> 63).wrapping_neg();
    let odd = bits.wrapping_add((step ^ inwards).wrapping_sub(inwards));
    let narrow = f64::from_bits(odd) as f32;
    let result = narrow.to_bits();
    let good = f32::plain(a) & f32::plain(b) & f32::plain(c) & f32::ample(result);
    (result, (rest != 0.0) | (f64::from(narrow) != sum), good)
}

/// Whether the environment allows [`quick_fma_f32`].
#[inline(always)]
pub fn allows_quick_fma(env: Mxcsr) -> bool {
    env.0 & CONTROL & !PE == PLAIN
}

/// `cvtss2sd`
#[must_use]
#[inline]
pub fn f32_to_f64(env: Mxcsr, a: u32) -> (u64, u32) {
    let biased = a >> 23 & 0xff;
    if biased != 0 && biased != 0xff || a << 1 == 0 {
        (f64::from(f32::from_bits(a)).to_bits(), 0)
    } else {
        sse::convert::<F32, F64>(env, u64::from(a))
    }
}

/// `cvtsd2ss`
#[must_use]
#[inline]
pub fn f64_to_f32(env: Mxcsr, a: u64) -> (u32, u32) {
    let wide = f64::from_bits(a);
    let narrow = wide as f32;
    let biased = narrow.to_bits() >> 23 & 0xff;
    if env.0 & 0x6000 == 0 && (biased > 1 && biased != 0xff || a << 1 == 0) {
        let raised = if f64::from(narrow).to_bits() == a { 0 } else { PE };
        return (narrow.to_bits(), raised);
    }
    let (bits, raised) = sse::convert::<F64, F32>(env, a);
    (bits as u32, raised)
}

/// `cvtsi2sd`
#[must_use]
#[inline]
pub fn i64_to_f64(env: Mxcsr, value: i64) -> (u64, u32) {
    if value.unsigned_abs() <= 1 << 53 {
        ((value as f64).to_bits(), 0)
    } else {
        sse::from_i64::<F64>(env, value)
    }
}

/// `cvtsi2ss`
#[must_use]
#[inline]
pub fn i64_to_f32(env: Mxcsr, value: i64) -> (u32, u32) {
    if value.unsigned_abs() <= 1 << 24 {
        ((value as f32).to_bits(), 0)
    } else {
        let (bits, raised) = sse::from_i64::<F32>(env, value);
        (bits as u32, raised)
    }
}

/// `cvttsd2si` with a 64-bit destination.
#[must_use]
#[inline]
pub fn f64_to_i64_truncated(env: Mxcsr, a: u64) -> (i64, u32) {
    let x = f64::from_bits(a);
    if x.abs() < 9.0e18 && x.abs() >= 1.0 {
        let value = x as i64;
        return (value, if value as f64 == x { 0 } else { PE });
    }
    let (bits, raised) = sse::to_i64::<F64>(env, a, super::Round::Zero);
    (bits.cast_signed(), raised)
}

/// `cvttsd2si` with a 32-bit destination.
#[must_use]
#[inline]
pub fn f64_to_i32_truncated(env: Mxcsr, a: u64) -> (i32, u32) {
    let x = f64::from_bits(a);
    if x.abs() < 2_147_483_648.0 && x.abs() >= 1.0 {
        let value = x as i32;
        return (value, if f64::from(value) == x { 0 } else { PE });
    }
    let (bits, raised) = sse::to_i32::<F64>(env, a, super::Round::Zero);
    ((bits as u32).cast_signed(), raised)
}
