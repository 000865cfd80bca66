//! The scalar operations of SSE, AVX, FMA and F16C, on the bits of one element.
//!
//! Operands and results are raw bits in the low end of a `u64`; the format is a type parameter ([`F16`],
//! [`F32`], [`F64`]). Results come with the exception flags raised. When an exception found before computing
//! is unmasked, the result means nothing and no flag of a later kind is raised.

use super::soft::{Range, Wide, overflows_to_infinity};
use super::{DE, IE, Mxcsr, OE, PE, PRE, Relation, Round, UE, ZE};

/// A binary interchange format.
pub trait Format: Copy {
    /// Bits of significand with the implicit one.
    const P: u32;
    /// Bits of exponent.
    const E: u32;
}

/// binary16.
#[derive(Debug, Clone, Copy)]
pub struct F16;
/// binary32.
#[derive(Debug, Clone, Copy)]
pub struct F32;
/// binary64.
#[derive(Debug, Clone, Copy)]
pub struct F64;

impl Format for F16 {
    const P: u32 = 11;
    const E: u32 = 5;
}
impl Format for F32 {
    const P: u32 = 24;
    const E: u32 = 8;
}
impl Format for F64 {
    const P: u32 = 53;
    const E: u32 = 11;
}

/// Result bits and the flags raised.
pub type Outcome = (u64, u32);

const fn fraction_mask<F: Format>() -> u64 {
    (1 << (F::P - 1)) - 1
}
const fn exponent_mask<F: Format>() -> u64 {
    ((1 << F::E) - 1) << (F::P - 1)
}
const fn sign_bit<F: Format>() -> u64 {
    1 << (F::P + F::E - 1)
}
const fn quiet_bit<F: Format>() -> u64 {
    1 << (F::P - 2)
}
/// The negative quiet NaN that stands for "no result".
const fn default_nan<F: Format>() -> u64 {
    sign_bit::<F>() | exponent_mask::<F>() | quiet_bit::<F>()
}
const fn range<F: Format>() -> Range {
    Range { p: F::P, emin: 2 - (1 << (F::E - 1)) }
}

#[derive(Debug, Clone, Copy)]
enum Class {
    Zero,
    Finite(Wide),
    Infinity,
    Nan,
}

#[derive(Debug, Clone, Copy)]
struct Operand {
    sign: bool,
    class: Class,
    denormal: bool,
    signaling: bool,
}

impl Operand {
    fn is_nan(self) -> bool {
        matches!(self.class, Class::Nan)
    }
}

/// Takes a number apart; with `daz` denormals are zeros.
fn unpack<F: Format>(bits: u64, daz: bool) -> Operand {
    let sign = bits & sign_bit::<F>() != 0;
    let fraction = bits & fraction_mask::<F>();
    let biased = (bits & exponent_mask::<F>()) >> (F::P - 1);
    let emin = range::<F>().emin;
    let top = |sig: u64| u128::from(sig) << (128 - F::P);
    let (class, denormal, signaling) = if biased == 0 {
        if fraction == 0 || daz {
            (Class::Zero, false, false)
        } else {
            (Class::Finite(Wide::normalized(sign, emin, top(fraction))), true, false)
        }
    } else if biased == (1 << F::E) - 1 {
        if fraction == 0 {
            (Class::Infinity, false, false)
        } else {
            (Class::Nan, false, fraction & quiet_bit::<F>() == 0)
        }
    } else {
        let sig = top(fraction | 1 << (F::P - 1));
        (Class::Finite(Wide { sign, exp: emin - 1 + biased as i32, sig }), false, false)
    };
    Operand { sign, class, denormal, signaling }
}

fn zero<F: Format>(sign: bool) -> u64 {
    if sign { sign_bit::<F>() } else { 0 }
}

fn infinity<F: Format>(sign: bool) -> u64 {
    zero::<F>(sign) | exponent_mask::<F>()
}

/// Rounds and packs a finite result.
fn pack<F: Format>(env: Mxcsr, wide: Wide, raised: u32) -> Outcome {
    let r = wide.round(range::<F>(), env.rc());
    let sign = zero::<F>(wide.sign);
    if r.overflow {
        let largest = exponent_mask::<F>() - 1;
        let bits = if overflows_to_infinity(wide.sign, env.rc()) { exponent_mask::<F>() } else { largest };
        let inexact = if env.unmasked(OE) == 0 || r.inexact { PE } else { 0 };
        return (sign | bits, raised | OE | inexact);
    }
    if r.tiny {
        if env.unmasked(UE) != 0 {
            return (0, raised | UE | if r.unbounded.inexact { PE } else { 0 });
        }
        if env.ftz() {
            return (sign, raised | UE | PE);
        }
    }
    let fraction = (r.sig >> (64 - F::P)) & fraction_mask::<F>();
    // A denormal has biased exponent 0; one that was rounded up to the smallest normal has its top bit set.
    let biased = if r.sig >> 63 == 0 { 0 } else { (r.exp - range::<F>().emin + 1) as u64 };
    let raised = match (r.inexact, r.tiny) {
        (true, true) => raised | UE | PE,
        (true, false) => raised | PE,
        (false, _) => raised,
    };
    (sign | biased << (F::P - 1) | fraction, raised)
}

/// The result when the first or second operand is not a number.
fn propagate<F: Format>(a: u64, x: Operand, b: u64, y: Operand) -> Option<Outcome> {
    if !x.is_nan() && !y.is_nan() {
        return None;
    }
    let bits = if x.is_nan() { a } else { b } | quiet_bit::<F>();
    Some((bits, if x.signaling || y.signaling { IE } else { 0 }))
}

fn denormal_flag(env: Mxcsr, any: bool) -> Result<u32, Outcome> {
    let raised = if any { DE } else { 0 };
    if env.unmasked(raised) != 0 { Err((0, raised)) } else { Ok(raised) }
}

fn invalid<F: Format>() -> Outcome {
    (default_nan::<F>(), IE)
}

/// The sign of an exact zero sum.
fn zero_sum<F: Format>(env: Mxcsr, x: bool, y: bool) -> u64 {
    zero::<F>(if x == y { x } else { env.rc() == Round::Down })
}

/// `a + b`
#[must_use]
pub fn add<F: Format>(env: Mxcsr, a: u64, b: u64) -> Outcome {
    let (x, y) = (unpack::<F>(a, env.daz()), unpack::<F>(b, env.daz()));
    propagate::<F>(a, x, b, y).unwrap_or_else(|| sum::<F>(env, x, y))
}

/// `a - b`
#[must_use]
pub fn sub<F: Format>(env: Mxcsr, a: u64, b: u64) -> Outcome {
    let (x, mut y) = (unpack::<F>(a, env.daz()), unpack::<F>(b, env.daz()));
    if let Some(nan) = propagate::<F>(a, x, b, y) {
        return nan;
    }
    y.sign = !y.sign;
    if let Class::Finite(wide) = y.class {
        y.class = Class::Finite(wide.negated());
    }
    sum::<F>(env, x, y)
}

fn sum<F: Format>(env: Mxcsr, x: Operand, y: Operand) -> Outcome {
    let raised = match denormal_flag(env, x.denormal || y.denormal) {
        Ok(raised) => raised,
        Err(outcome) => return outcome,
    };
    match (x.class, y.class) {
        (Class::Infinity, Class::Infinity) if x.sign != y.sign => invalid::<F>(),
        (Class::Infinity, _) => (infinity::<F>(x.sign), raised),
        (_, Class::Infinity) => (infinity::<F>(y.sign), raised),
        (Class::Finite(v), Class::Finite(w)) => match v.add(w) {
            Some(wide) => pack::<F>(env, wide, raised),
            None => (zero_sum::<F>(env, x.sign, y.sign), raised),
        },
        (Class::Finite(wide), _) | (_, Class::Finite(wide)) => pack::<F>(env, wide, raised),
        _ => (zero_sum::<F>(env, x.sign, y.sign), raised),
    }
}

/// `a * b`
#[must_use]
pub fn mul<F: Format>(env: Mxcsr, a: u64, b: u64) -> Outcome {
    let (x, y) = (unpack::<F>(a, env.daz()), unpack::<F>(b, env.daz()));
    if let Some(nan) = propagate::<F>(a, x, b, y) {
        return nan;
    }
    let sign = x.sign ^ y.sign;
    if let (Class::Zero, Class::Infinity) | (Class::Infinity, Class::Zero) = (x.class, y.class) {
        return invalid::<F>();
    }
    let raised = match denormal_flag(env, x.denormal || y.denormal) {
        Ok(raised) => raised,
        Err(outcome) => return outcome,
    };
    match (x.class, y.class) {
        (Class::Infinity, _) | (_, Class::Infinity) => (infinity::<F>(sign), raised),
        (Class::Finite(v), Class::Finite(w)) => pack::<F>(env, v.mul(w), raised),
        _ => (zero::<F>(sign), raised),
    }
}

/// `a / b`
#[must_use]
pub fn div<F: Format>(env: Mxcsr, a: u64, b: u64) -> Outcome {
    let (x, y) = (unpack::<F>(a, env.daz()), unpack::<F>(b, env.daz()));
    if let Some(nan) = propagate::<F>(a, x, b, y) {
        return nan;
    }
    let sign = x.sign ^ y.sign;
    match (x.class, y.class) {
        (Class::Infinity, Class::Infinity) | (Class::Zero, Class::Zero) => return invalid::<F>(),
        (Class::Finite(_), Class::Zero) => return (infinity::<F>(sign), ZE),
        _ => {}
    }
    let raised = match denormal_flag(env, x.denormal || y.denormal) {
        Ok(raised) => raised,
        Err(outcome) => return outcome,
    };
    match (x.class, y.class) {
        (Class::Finite(v), Class::Finite(w)) => pack::<F>(env, v.div(w), raised),
        (Class::Infinity, _) => (infinity::<F>(sign), raised),
        _ => (zero::<F>(sign), raised),
    }
}

/// Square root.
#[must_use]
pub fn sqrt<F: Format>(env: Mxcsr, a: u64) -> Outcome {
    let x = unpack::<F>(a, env.daz());
    match x.class {
        Class::Nan => (a | quiet_bit::<F>(), if x.signaling { IE } else { 0 }),
        Class::Zero => (zero::<F>(x.sign), 0),
        _ if x.sign => invalid::<F>(),
        Class::Infinity => (a, 0),
        Class::Finite(wide) => match denormal_flag(env, x.denormal) {
            Ok(raised) => pack::<F>(env, wide.sqrt(), raised),
            Err(outcome) => outcome,
        },
    }
}

/// `a * b + c` rounded once, parts negated as `negate` says, NaNs never. Of several NaNs the first of a, b, c is
/// the result; `0 * infinity` plus a quiet NaN raises nothing.
///
/// Processors look for NaNs in an order of their own: for operands 1, 2, 3 of the instruction pass
/// `132`: (1, 3, 2), `213`: (2, 1, 3), `231`: (2, 3, 1).
#[must_use]
pub fn fma<F: Format>(env: Mxcsr, a: u64, b: u64, c: u64, negate: Negate) -> Outcome {
    let daz = env.daz();
    let (x, y, mut z) = (unpack::<F>(a, daz), unpack::<F>(b, daz), unpack::<F>(c, daz));
    if x.is_nan() || y.is_nan() || z.is_nan() {
        let bits = if x.is_nan() {
            a
        } else if y.is_nan() {
            b
        } else {
            c
        };
        let signaling = x.signaling || y.signaling || z.signaling;
        return (bits | quiet_bit::<F>(), if signaling { IE } else { 0 });
    }
    if negate.addend {
        z.sign = !z.sign;
        if let Class::Finite(wide) = z.class {
            z.class = Class::Finite(wide.negated());
        }
    }
    let sign = x.sign ^ y.sign ^ negate.product;
    let product = match (x.class, y.class) {
        (Class::Zero, Class::Infinity) | (Class::Infinity, Class::Zero) => return invalid::<F>(),
        (Class::Infinity, _) | (_, Class::Infinity) => Class::Infinity,
        (Class::Finite(v), Class::Finite(w)) => Class::Finite(Wide { sign, ..v.mul(w) }),
        _ => Class::Zero,
    };
    if matches!((product, z.class), (Class::Infinity, Class::Infinity)) && sign != z.sign {
        return invalid::<F>();
    }
    let raised = match denormal_flag(env, x.denormal || y.denormal || z.denormal) {
        Ok(raised) => raised,
        Err(outcome) => return outcome,
    };
    let product = Operand { sign, class: product, denormal: false, signaling: false };
    let (bits, more) = sum::<F>(env, product, Operand { denormal: false, ..z });
    (bits, raised | more)
}

/// Which parts of a fused multiply-add are negated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Negate {
    /// The product (`vfnmadd`, `vfnmsub`).
    pub product: bool,
    /// The addend (`vfmsub`, `vfnmsub`).
    pub addend: bool,
}

fn order(x: Operand, y: Operand) -> Relation {
    let by_sign = |negative: bool| if negative { Relation::Less } else { Relation::Greater };
    let by_magnitude = |ordering: core::cmp::Ordering, negative: bool| match ordering {
        core::cmp::Ordering::Equal => Relation::Equal,
        core::cmp::Ordering::Less => by_sign(!negative),
        core::cmp::Ordering::Greater => by_sign(negative),
    };
    match (x.class, y.class) {
        (Class::Nan, _) | (_, Class::Nan) => Relation::Unordered,
        (Class::Zero, Class::Zero) => Relation::Equal,
        (Class::Zero, _) => by_sign(!y.sign),
        (_, Class::Zero) => by_sign(x.sign),
        _ if x.sign != y.sign => by_sign(x.sign),
        (Class::Infinity, Class::Infinity) => Relation::Equal,
        (Class::Infinity, _) => by_sign(x.sign),
        (_, Class::Infinity) => by_sign(!x.sign),
        (Class::Finite(v), Class::Finite(w)) => by_magnitude(v.cmp_magnitude(w), x.sign),
    }
}

/// Which NaNs a comparison takes for invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// Only signaling ones (`ucomiss`, the quiet predicates).
    Yes,
    /// All (`comiss`, the signaling predicates, `minps`).
    No,
}

/// Compares a with b.
#[must_use]
pub fn compare<F: Format>(env: Mxcsr, a: u64, b: u64, quiet: Quiet) -> (Relation, u32) {
    let (x, y) = (unpack::<F>(a, env.daz()), unpack::<F>(b, env.daz()));
    if x.is_nan() || y.is_nan() {
        let bad = quiet == Quiet::No || x.signaling || y.signaling;
        return (Relation::Unordered, if bad { IE } else { 0 });
    }
    (order(x, y), if x.denormal || y.denormal { DE } else { 0 })
}

/// Compares by one of the 32 predicates of `vcmpps`.
#[must_use]
pub fn compare_predicate<F: Format>(env: Mxcsr, a: u64, b: u64, predicate: u8) -> (bool, u32) {
    const LT: u8 = 1;
    const EQ: u8 = 2;
    const GT: u8 = 4;
    const UN: u8 = 8;
    const TRUTH: [u8; 16] = [
        EQ,
        LT,
        LT | EQ,
        UN,
        LT | GT | UN,
        EQ | GT | UN,
        GT | UN,
        LT | EQ | GT,
        EQ | UN,
        LT | UN,
        LT | EQ | UN,
        0,
        LT | GT,
        EQ | GT,
        GT,
        LT | EQ | GT | UN,
    ];
    // Bit i: predicate i is signaling; 16 to 31 are the other way round.
    const SIGNALING: u32 = 0b0110_0110_0110_0110;
    let low = predicate & 15;
    let signaling = (SIGNALING >> low & 1 != 0) ^ (predicate & 16 != 0);
    let (relation, raised) = compare::<F>(env, a, b, if signaling { Quiet::No } else { Quiet::Yes });
    let bit = match relation {
        Relation::Less => LT,
        Relation::Equal => EQ,
        Relation::Greater => GT,
        Relation::Unordered => UN,
    };
    (TRUTH[usize::from(low)] & bit != 0, raised)
}

/// `minss`: the second operand if either is a NaN or both are zeros.
#[must_use]
pub fn min<F: Format>(env: Mxcsr, a: u64, b: u64) -> Outcome {
    select::<F>(env, a, b, Relation::Less)
}

/// `maxss`: the second operand if either is a NaN or both are zeros.
#[must_use]
pub fn max<F: Format>(env: Mxcsr, a: u64, b: u64) -> Outcome {
    select::<F>(env, a, b, Relation::Greater)
}

fn select<F: Format>(env: Mxcsr, a: u64, b: u64, first_if: Relation) -> Outcome {
    let (relation, raised) = compare::<F>(env, a, b, Quiet::No);
    let chosen = if relation == first_if { a } else { b };
    (if env.daz() && chosen & exponent_mask::<F>() == 0 { chosen & sign_bit::<F>() } else { chosen }, raised)
}

/// Rounds to an integer of the same format (`roundps`). `rc` is the rounding the instruction asks for; the
/// caller drops [`PE`] where the immediate says so.
#[must_use]
pub fn round_int<F: Format>(env: Mxcsr, a: u64, rc: Round) -> Outcome {
    let x = unpack::<F>(a, env.daz());
    match x.class {
        Class::Nan => (a | quiet_bit::<F>(), if x.signaling { IE } else { 0 }),
        Class::Infinity => (a, 0),
        Class::Zero => (zero::<F>(x.sign), 0),
        Class::Finite(wide) if wide.exp >= F::P.cast_signed() - 1 => (a, 0),
        Class::Finite(wide) => {
            // Below 2^53 the magnitude always fits.
            let (magnitude, inexact, _) = wide.to_int(rc).unwrap_or((0, false, false));
            let raised = if inexact { PE } else { 0 };
            if magnitude == 0 {
                (zero::<F>(x.sign), raised)
            } else {
                let (bits, _) = pack::<F>(env, Wide::from_int(x.sign, magnitude), 0);
                (bits, raised)
            }
        }
    }
}

fn to_int<F: Format>(env: Mxcsr, a: u64, rc: Round, bits: u32) -> Outcome {
    let indefinite = 1u64 << (bits - 1);
    let x = unpack::<F>(a, env.daz());
    match x.class {
        Class::Zero => (0, 0),
        Class::Nan | Class::Infinity => (indefinite, IE),
        Class::Finite(wide) => match wide.to_int(rc) {
            Some((m, inexact, _)) if m < indefinite || x.sign && m == indefinite => {
                let value = if x.sign { m.wrapping_neg() } else { m };
                (value & (u64::MAX >> (64 - bits)), if inexact { PE } else { 0 })
            }
            _ => (indefinite, IE),
        },
    }
}

/// To a 32-bit integer (in the low half), by `rc`: [`Round::Zero`] for the truncating instructions.
#[must_use]
pub fn to_i32<F: Format>(env: Mxcsr, a: u64, rc: Round) -> Outcome {
    to_int::<F>(env, a, rc, 32)
}

/// To a 64-bit integer, by `rc`: [`Round::Zero`] for the truncating instructions.
#[must_use]
pub fn to_i64<F: Format>(env: Mxcsr, a: u64, rc: Round) -> Outcome {
    to_int::<F>(env, a, rc, 64)
}

/// From a signed integer; a 32-bit source is sign-extended first.
#[must_use]
pub fn from_i64<F: Format>(env: Mxcsr, value: i64) -> Outcome {
    if value == 0 { (0, 0) } else { pack::<F>(env, Wide::from_int(value < 0, value.unsigned_abs()), 0) }
}

/// From one format to another (`cvtss2sd`, `cvtsd2ss`).
#[must_use]
pub fn convert<From: Format, To: Format>(env: Mxcsr, a: u64) -> Outcome {
    let x = unpack::<From>(a, env.daz());
    match x.class {
        Class::Nan => {
            let fraction = (a & fraction_mask::<From>()) << (64 - From::P) >> (64 - To::P);
            let bits = infinity::<To>(x.sign) | quiet_bit::<To>() | fraction;
            (bits, if x.signaling { IE } else { 0 })
        }
        Class::Infinity => (infinity::<To>(x.sign), 0),
        Class::Zero => (zero::<To>(x.sign), 0),
        Class::Finite(wide) => match denormal_flag(env, x.denormal) {
            Ok(raised) => pack::<To>(env, wide, raised),
            Err(outcome) => outcome,
        },
    }
}

/// `vcvtph2ps`: denormals are never zeros here and raise no flag.
#[must_use]
pub fn f16_to_f32(env: Mxcsr, a: u64) -> Outcome {
    let (bits, raised) = convert::<F16, F32>(Mxcsr(env.0 & !0x40 | DE << 7), a);
    (bits, raised & !DE)
}

/// `vcvtps2ph`, by `rc`: results are never flushed to zero.
#[must_use]
pub fn f32_to_f16(env: Mxcsr, a: u64, rc: Round) -> Outcome {
    convert::<F32, F16>(Mxcsr(env.with_rc(rc).0 & !0x8000), a)
}

/// Whether what was raised forbids computing further.
#[must_use]
pub fn stops(env: Mxcsr, raised: u32) -> bool {
    env.unmasked(raised) & PRE != 0
}
