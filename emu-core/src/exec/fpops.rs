//! Scalar floating-point operations by format, on bits: the steps that vector instructions repeat lane by lane.
//!
//! Key traits: [`Float`] (a format), [`Op2`] (an operation). Neighbour: [`crate::fp`] computes.

use std::cmp::Ordering;

use crate::fp::sse::{self, F32, F64, Quiet};
use crate::fp::{self, Mxcsr, PE, Relation, Round, approximate, fast};

/// Result bits and exception flags.
pub(crate) type Out = (u64, u32);

/// A format of vector lanes.
pub(crate) trait Float {
    /// As an operand width.
    type Int: super::operand::Int;
    /// In [`crate::fp`].
    type Format: sse::Format;
    /// Bytes.
    const BYTES: usize;
    /// `a + b`
    fn add(env: Mxcsr, a: u64, b: u64) -> Out;
    /// `a - b`
    fn sub(env: Mxcsr, a: u64, b: u64) -> Out;
    /// `a * b`
    fn mul(env: Mxcsr, a: u64, b: u64) -> Out;
    /// `a / b`
    fn div(env: Mxcsr, a: u64, b: u64) -> Out;
    /// Square root.
    fn sqrt(env: Mxcsr, a: u64) -> Out;
    /// How two numbers compare.
    fn compare(env: Mxcsr, a: u64, b: u64, quiet: Quiet) -> (Relation, u32);
    /// `a + b`, if that is quick: see [`fast`].
    fn quick_add(env: Mxcsr, a: u64, b: u64) -> Option<Out>;
    /// `a - b`, likewise.
    fn quick_sub(env: Mxcsr, a: u64, b: u64) -> Option<Out>;
    /// `a * b`, likewise.
    fn quick_mul(env: Mxcsr, a: u64, b: u64) -> Option<Out>;
    /// `a / b`, likewise.
    fn quick_div(env: Mxcsr, a: u64, b: u64) -> Option<Out>;
    /// Square root, likewise.
    fn quick_sqrt(env: Mxcsr, a: u64) -> Option<Out>;
    /// How two numbers compare that are neither NaN nor denormal.
    fn order(a: u64, b: u64) -> Option<Ordering>;
    /// From an integer.
    fn of_int(env: Mxcsr, v: i64) -> Out;
    /// To an integer of `wide` 64 or 32 bits.
    fn to_int(env: Mxcsr, a: u64, rc: Round, bits: u32) -> Out {
        if bits == 64 {
            sse::to_i64::<Self::Format>(env, a, rc)
        } else {
            sse::to_i32::<Self::Format>(env, a, rc)
        }
    }
}

macro_rules! float {
    ($(#[$d:meta])* $name:ident, $int:ty, $format:ty, $m:ident, $of:ident) => {
        $(#[$d])*
        pub(crate) struct $name;
        impl Float for $name {
            type Int = $int;
            type Format = $format;
            const BYTES: usize = size_of::<$int>();
            #[inline(always)]
            fn add(env: Mxcsr, a: u64, b: u64) -> Out {
                let (r, f) = fast::$m::add(env, a as $int, b as $int);
                (r as u64, f)
            }
            #[inline(always)]
            fn sub(env: Mxcsr, a: u64, b: u64) -> Out {
                let (r, f) = fast::$m::sub(env, a as $int, b as $int);
                (r as u64, f)
            }
            #[inline(always)]
            fn mul(env: Mxcsr, a: u64, b: u64) -> Out {
                let (r, f) = fast::$m::mul(env, a as $int, b as $int);
                (r as u64, f)
            }
            #[inline(always)]
            fn div(env: Mxcsr, a: u64, b: u64) -> Out {
                let (r, f) = fast::$m::div(env, a as $int, b as $int);
                (r as u64, f)
            }
            #[inline(always)]
            fn sqrt(env: Mxcsr, a: u64) -> Out {
                let (r, f) = fast::$m::sqrt(env, a as $int);
                (r as u64, f)
            }
            #[inline(always)]
            fn compare(env: Mxcsr, a: u64, b: u64, quiet: Quiet) -> (Relation, u32) {
                fast::$m::compare(env, a as $int, b as $int, quiet)
            }
            #[inline(always)]
            fn quick_add(env: Mxcsr, a: u64, b: u64) -> Option<Out> {
                fast::$m::quick_add(env, a as $int, b as $int).map(|(r, f)| (r as u64, f))
            }
            #[inline(always)]
            fn quick_sub(env: Mxcsr, a: u64, b: u64) -> Option<Out> {
                fast::$m::quick_sub(env, a as $int, b as $int).map(|(r, f)| (r as u64, f))
            }
            #[inline(always)]
            fn quick_mul(env: Mxcsr, a: u64, b: u64) -> Option<Out> {
                fast::$m::quick_mul(env, a as $int, b as $int).map(|(r, f)| (r as u64, f))
            }
            #[inline(always)]
            fn quick_div(env: Mxcsr, a: u64, b: u64) -> Option<Out> {
                fast::$m::quick_div(env, a as $int, b as $int).map(|(r, f)| (r as u64, f))
            }
            #[inline(always)]
            fn quick_sqrt(env: Mxcsr, a: u64) -> Option<Out> {
                fast::$m::quick_sqrt(env, a as $int).map(|(r, f)| (r as u64, f))
            }
            #[inline(always)]
            fn order(a: u64, b: u64) -> Option<Ordering> {
                fast::$m::order(a as $int, b as $int)
            }
            #[inline(always)]
            fn of_int(env: Mxcsr, v: i64) -> Out {
                let (r, f) = fast::$of(env, v);
                (r as u64, f)
            }
        }
    };
}

float!(/** Single precision. */ S, u32, F32, f32, i64_to_f32);
float!(/** Double precision. */ D, u64, F64, f64, i64_to_f64);

/// An operation on two lanes and an immediate. A one-source operation ignores `a`.
pub(crate) trait Op2 {
    /// Result and flags.
    fn run<F: Float>(env: Mxcsr, a: u64, b: u64, imm: u8) -> Out;
    /// The same if it is quick; of flags there is at most a masked precision flag.
    fn quick<F: Float>(env: Mxcsr, a: u64, b: u64, imm: u8) -> Option<Out>;
}

macro_rules! ops {
    ($($name:ident = |$F:ident, $env:ident, $a:ident, $b:ident, $imm:ident| $e:expr, $q:expr;)*) => {
        $(
            #[doc = concat!("The operation of ", stringify!($name), ".")]
            pub(crate) struct $name;
            impl Op2 for $name {
                #[inline(always)]
                #[allow(unused_variables, reason = "not every operation has an immediate or a first source")]
                fn run<$F: Float>($env: Mxcsr, $a: u64, $b: u64, $imm: u8) -> Out {
                    $e
                }
                #[inline(always)]
                #[allow(unused_variables, reason = "not every operation has an immediate or a first source")]
                fn quick<$F: Float>($env: Mxcsr, $a: u64, $b: u64, $imm: u8) -> Option<Out> {
                    $q
                }
            }
        )*
    };
}

ops! {
    Add = |F, env, a, b, imm| F::add(env, a, b), F::quick_add(env, a, b);
    Sub = |F, env, a, b, imm| F::sub(env, a, b), F::quick_sub(env, a, b);
    Mul = |F, env, a, b, imm| F::mul(env, a, b), F::quick_mul(env, a, b);
    Div = |F, env, a, b, imm| F::div(env, a, b), F::quick_div(env, a, b);
    Sqrt = |F, env, a, b, imm| F::sqrt(env, b), F::quick_sqrt(env, b);
    Min = |F, env, a, b, imm| sse::min::<F::Format>(env, a, b),
        F::order(a, b).map(|o| (if o == Ordering::Less { a } else { b }, 0));
    Max = |F, env, a, b, imm| sse::max::<F::Format>(env, a, b),
        F::order(a, b).map(|o| (if o == Ordering::Greater { a } else { b }, 0));
    Cmp = |F, env, a, b, imm| {
        let (yes, raised) = sse::compare_predicate::<F::Format>(env, a, b, imm & 31);
        (if yes { u64::MAX >> (64 - 8 * F::BYTES) } else { 0 }, raised)
    }, F::order(a, b).map(|o| {
        // For which of less, equal and greater the eight predicates hold; the others differ by NaNs only.
        let holds = 0x7465_0312u32 >> ((imm & 7) * 4);
        let at = match o {
            Ordering::Less => 1,
            Ordering::Equal => 2,
            Ordering::Greater => 4,
        };
        (if holds & at != 0 { u64::MAX >> (64 - 8 * F::BYTES) } else { 0 }, 0)
    });
    Round_ = |F, env, a, b, imm| {
        let rc = if imm & 4 != 0 { env.rc() } else { Round::from_bits(u32::from(imm)) };
        let (r, raised) = sse::round_int::<F::Format>(env, b, rc);
        (r, if imm & 8 != 0 { raised & !PE } else { raised })
    }, None;
    Rcp = |F, env, a, b, imm| (u64::from(approximate::reciprocal(b as u32)), 0), None;
    Rsqrt = |F, env, a, b, imm| (u64::from(approximate::reciprocal_sqrt(b as u32)), 0), None;
}

/// What of `raised` the status register takes, and whether `#XM` follows.
#[inline(always)]
pub(crate) fn settle(env: Mxcsr, raised: u32) -> (u32, bool) {
    let bad = env.unmasked(raised);
    if bad == 0 {
        return (raised, false);
    }
    // An exception found before computing keeps the later ones from being found.
    (if bad & fp::PRE != 0 { raised & fp::PRE } else { raised }, true)
}
