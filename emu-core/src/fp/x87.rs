//! Arithmetic, comparison and classification of 80-bit numbers.
//!
//! Neighbours: [`super::x87_convert`] for the other formats, [`super::x87_transcendental`] for the functions.
//! Stack faults, the status word and the withholding of results after unmasked exceptions are the caller's:
//! when [`Control::unmasked`] of the flags has a bit of [`super::PRE`], the value means nothing; unmasked
//! overflow and underflow give the result with its exponent wrapped by 24576, as a register receives it.
//!
//! **Invariant**: operands with an encoding the processor does not support are invalid, never numbers.

use super::soft::{Range, Wide, overflows_to_infinity};
use super::{Control, DE, IE, OE, PE, Relation, Round, UE, ZE};
use crate::cpu::F80;

/// Condition bit 0 of the status word.
pub const C0: u16 = 0x100;
/// Condition bit 1 of the status word.
pub const C1: u16 = 0x200;
/// Condition bit 2 of the status word.
pub const C2: u16 = 0x400;
/// Condition bit 3 of the status word.
pub const C3: u16 = 0x4000;

/// A result, the flags raised, and whether rounding went up (condition bit 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// The result.
    pub value: F80,
    /// Exception flags.
    pub raised: u32,
    /// The magnitude was rounded up.
    pub up: bool,
}

impl Outcome {
    pub(super) fn exact(value: F80, raised: u32) -> Self {
        Outcome { value, raised, up: false }
    }
    pub(super) fn invalid() -> Self {
        Outcome::exact(DEFAULT_NAN, IE)
    }
}

/// The negative quiet NaN that stands for "no result".
pub const DEFAULT_NAN: F80 = F80 { mantissa: 3 << 62, sign_exp: 0xffff };
const EMIN: i32 = -16382;
const WRAP: i32 = 24576;
const QUIET: u64 = 1 << 62;
/// The format itself.
pub(super) const FULL: Range = Range { p: 64, emin: EMIN };

#[derive(Debug, Clone, Copy)]
pub(super) enum Class {
    Zero,
    Finite(Wide),
    Infinity,
    Nan,
    Invalid,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Operand {
    pub(super) sign: bool,
    pub(super) class: Class,
    pub(super) denormal: bool,
    pub(super) signaling: bool,
}

impl Operand {
    /// [`DE`] if the number is denormal.
    pub(super) fn flag(self) -> u32 {
        if self.denormal { DE } else { 0 }
    }
}

pub(super) fn unpack(a: F80) -> Operand {
    let sign = a.sign_exp >> 15 != 0;
    let biased = i32::from(a.sign_exp & 0x7fff);
    let integer_bit = a.mantissa >> 63 != 0;
    let sig = u128::from(a.mantissa) << 64;
    let mut denormal = false;
    let mut signaling = false;
    let class = match biased {
        0 if a.mantissa == 0 => Class::Zero,
        0 => {
            denormal = true;
            Class::Finite(Wide::normalized(sign, EMIN, sig))
        }
        _ if !integer_bit => Class::Invalid,
        0x7fff if a.mantissa << 1 == 0 => Class::Infinity,
        0x7fff => {
            signaling = a.mantissa & QUIET == 0;
            Class::Nan
        }
        _ => Class::Finite(Wide { sign, exp: biased - 16383, sig }),
    };
    Operand { sign, class, denormal, signaling }
}

pub(super) fn zero(sign: bool) -> F80 {
    F80 { mantissa: 0, sign_exp: u16::from(sign) << 15 }
}

pub(super) fn infinity(sign: bool) -> F80 {
    F80 { mantissa: 1 << 63, sign_exp: u16::from(sign) << 15 | 0x7fff }
}

/// 1.0 or -1.0.
pub(super) fn one(sign: bool) -> F80 {
    F80 { mantissa: 1 << 63, sign_exp: u16::from(sign) << 15 | 0x3fff }
}

fn assemble(sign: bool, exp: i32, sig: u64) -> F80 {
    let biased = if sig >> 63 == 0 { 0 } else { (exp + 16383) as u16 };
    F80 { mantissa: sig, sign_exp: u16::from(sign) << 15 | biased }
}

/// Rounds to `p` bits and packs.
pub(super) fn pack(cw: Control, wide: Wide, p: u32, raised: u32) -> Outcome {
    let r = wide.round(Range { p, emin: EMIN }, cw.rc());
    let inexact = |inexact: bool| if inexact { PE } else { 0 };
    let bounded = r.unbounded;
    if r.overflow {
        if cw.unmasked(OE) == 0 {
            let up = overflows_to_infinity(wide.sign, cw.rc());
            let largest =
                F80 { mantissa: u64::MAX << (64 - p), sign_exp: u16::from(wide.sign) << 15 | 0x7ffe };
            let value = if up { infinity(wide.sign) } else { largest };
            return Outcome { value, raised: raised | OE | PE, up };
        }
        let raised = raised | OE | inexact(bounded.inexact);
        let exp = bounded.exp - WRAP;
        if exp > 16383 {
            return Outcome { value: infinity(wide.sign), raised: raised | PE, up: true };
        }
        return Outcome { value: assemble(wide.sign, exp, bounded.sig), raised, up: bounded.up };
    }
    if r.tiny && cw.unmasked(UE) != 0 {
        let raised = raised | UE | inexact(bounded.inexact);
        let exp = bounded.exp + WRAP;
        if exp < EMIN {
            return Outcome { value: zero(wide.sign), raised: raised | PE, up: false };
        }
        return Outcome { value: assemble(wide.sign, exp, bounded.sig), raised, up: bounded.up };
    }
    let underflow = if r.tiny && r.inexact { UE } else { 0 };
    Outcome {
        value: assemble(wide.sign, r.exp, r.sig),
        raised: raised | underflow | inexact(r.inexact),
        up: r.up,
    }
}

/// The result when an operand is invalid or not a number.
pub(super) fn propagate(a: F80, x: Operand, b: F80, y: Operand) -> Option<Outcome> {
    let value = match (x.class, y.class) {
        (Class::Invalid, _) | (_, Class::Invalid) => return Some(Outcome::invalid()),
        (Class::Nan, Class::Nan) if x.signaling && !y.signaling => b,
        (Class::Nan, Class::Nan) if y.signaling && !x.signaling => a,
        // The larger significand; of equal ones the positive.
        (Class::Nan, Class::Nan) => match a.mantissa.cmp(&b.mantissa) {
            core::cmp::Ordering::Less => b,
            core::cmp::Ordering::Greater => a,
            core::cmp::Ordering::Equal if x.sign => b,
            core::cmp::Ordering::Equal => a,
        },
        (Class::Nan, _) => a,
        (_, Class::Nan) => b,
        _ => return None,
    };
    let value = F80 { mantissa: value.mantissa | QUIET, ..value };
    Some(Outcome::exact(value, if x.signaling || y.signaling { IE } else { 0 }))
}

/// The same for one operand.
pub(super) fn propagate_one(a: F80, x: Operand) -> Option<Outcome> {
    match x.class {
        Class::Invalid => Some(Outcome::invalid()),
        Class::Nan => {
            Some(Outcome::exact(F80 { mantissa: a.mantissa | QUIET, ..a }, if x.signaling { IE } else { 0 }))
        }
        _ => None,
    }
}

/// Ends an operation early when a denormal operand is an unmasked exception.
pub(super) fn denormal_stop(cw: Control, raised: u32) -> Option<Outcome> {
    (cw.unmasked(raised & DE) != 0).then(|| Outcome::exact(DEFAULT_NAN, DE))
}

/// `a + b`
#[must_use]
pub fn add(cw: Control, a: F80, b: F80) -> Outcome {
    let (x, y) = (unpack(a), unpack(b));
    propagate(a, x, b, y).unwrap_or_else(|| sum(cw, x, y))
}

/// `a - b`
#[must_use]
pub fn sub(cw: Control, a: F80, b: F80) -> Outcome {
    let (x, mut y) = (unpack(a), unpack(b));
    if let Some(outcome) = propagate(a, x, b, y) {
        return outcome;
    }
    y.sign = !y.sign;
    if let Class::Finite(wide) = y.class {
        y.class = Class::Finite(wide.negated());
    }
    sum(cw, x, y)
}

fn sum(cw: Control, x: Operand, y: Operand) -> Outcome {
    let raised = x.flag() | y.flag();
    let zero_sign = if x.sign == y.sign { x.sign } else { cw.rc() == Round::Down };
    if let (Class::Infinity, Class::Infinity) = (x.class, y.class)
        && x.sign != y.sign
    {
        return Outcome::invalid();
    }
    if let Some(outcome) = denormal_stop(cw, raised) {
        return outcome;
    }
    match (x.class, y.class) {
        (Class::Infinity, _) => Outcome::exact(infinity(x.sign), raised),
        (_, Class::Infinity) => Outcome::exact(infinity(y.sign), raised),
        (Class::Finite(v), Class::Finite(w)) => match v.add(w) {
            Some(wide) => pack(cw, wide, cw.precision(), raised),
            None => Outcome::exact(zero(zero_sign), raised),
        },
        (Class::Finite(wide), _) | (_, Class::Finite(wide)) => pack(cw, wide, cw.precision(), raised),
        _ => Outcome::exact(zero(zero_sign), raised),
    }
}

/// `a * b`
#[must_use]
pub fn mul(cw: Control, a: F80, b: F80) -> Outcome {
    let (x, y) = (unpack(a), unpack(b));
    if let Some(outcome) = propagate(a, x, b, y) {
        return outcome;
    }
    let sign = x.sign ^ y.sign;
    let raised = x.flag() | y.flag();
    if let (Class::Zero, Class::Infinity) | (Class::Infinity, Class::Zero) = (x.class, y.class) {
        return Outcome::invalid();
    }
    if let Some(outcome) = denormal_stop(cw, raised) {
        return outcome;
    }
    match (x.class, y.class) {
        (Class::Infinity, _) | (_, Class::Infinity) => Outcome::exact(infinity(sign), raised),
        (Class::Finite(v), Class::Finite(w)) => pack(cw, v.mul(w), cw.precision(), raised),
        _ => Outcome::exact(zero(sign), raised),
    }
}

/// `a / b`
#[must_use]
pub fn div(cw: Control, a: F80, b: F80) -> Outcome {
    let (x, y) = (unpack(a), unpack(b));
    if let Some(outcome) = propagate(a, x, b, y) {
        return outcome;
    }
    let sign = x.sign ^ y.sign;
    match (x.class, y.class) {
        (Class::Infinity, Class::Infinity) | (Class::Zero, Class::Zero) => return Outcome::invalid(),
        (Class::Finite(_), Class::Zero) => return Outcome::exact(infinity(sign), ZE),
        _ => {}
    }
    let raised = x.flag() | y.flag();
    if let Some(outcome) = denormal_stop(cw, raised) {
        return outcome;
    }
    match (x.class, y.class) {
        (Class::Finite(v), Class::Finite(w)) => pack(cw, v.div(w), cw.precision(), raised),
        (Class::Infinity, _) => Outcome::exact(infinity(sign), raised),
        _ => Outcome::exact(zero(sign), raised),
    }
}

/// `fsqrt`
#[must_use]
pub fn sqrt(cw: Control, a: F80) -> Outcome {
    let x = unpack(a);
    if let Some(outcome) = propagate_one(a, x) {
        return outcome;
    }
    match x.class {
        Class::Zero => Outcome::exact(a, 0),
        _ if x.sign => Outcome::invalid(),
        Class::Finite(wide) => {
            denormal_stop(cw, x.flag()).unwrap_or_else(|| pack(cw, wide.sqrt(), cw.precision(), x.flag()))
        }
        _ => Outcome::exact(a, 0),
    }
}

/// `frndint`
#[must_use]
pub fn round_int(cw: Control, a: F80) -> Outcome {
    let x = unpack(a);
    if let Some(outcome) = propagate_one(a, x) {
        return outcome;
    }
    match x.class {
        Class::Finite(wide) if wide.exp < 63 => {
            if let Some(outcome) = denormal_stop(cw, x.flag()) {
                return outcome;
            }
            let (magnitude, inexact, up) = wide.to_int(cw.rc()).unwrap_or((0, false, false));
            let raised = x.flag() | if inexact { PE } else { 0 };
            let value = if magnitude == 0 { zero(x.sign) } else { from_magnitude(x.sign, magnitude) };
            Outcome { value, raised, up }
        }
        _ => Outcome::exact(a, 0),
    }
}

/// An integer but zero.
pub(super) fn from_magnitude(sign: bool, magnitude: u64) -> F80 {
    let lead = magnitude.leading_zeros();
    assemble(sign, 63 - lead as i32, magnitude << lead)
}

/// What `fprem` and `fprem1` find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remainder {
    /// The remainder, or what is left of the dividend.
    pub outcome: Outcome,
    /// The reduction is not finished (condition bit 2).
    pub partial: bool,
    /// The low three bits of the quotient: bit 2 is C0, bit 1 is C3, bit 0 is C1.
    pub quotient: u8,
}

impl Remainder {
    fn plain(outcome: Outcome) -> Self {
        Remainder { outcome, partial: false, quotient: 0 }
    }
    /// The condition bits C0 to C3.
    #[must_use]
    pub fn conditions(&self) -> u16 {
        let bit = |of: u8, to: u16| if self.quotient >> of & 1 != 0 { to } else { 0 };
        bit(0, C1) | bit(1, C3) | bit(2, C0) | if self.partial { C2 } else { 0 }
    }
}

/// Which quotient a remainder belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotient {
    /// Chopped (`fprem`).
    Truncated,
    /// Rounded to nearest (`fprem1`, IEEE).
    Nearest,
}

/// The remainder of `a / b`, or a step towards it if their exponents differ by 64 or more.
#[must_use]
pub fn remainder(cw: Control, a: F80, b: F80, quotient: Quotient) -> Remainder {
    let (x, y) = (unpack(a), unpack(b));
    if let Some(outcome) = propagate(a, x, b, y) {
        return Remainder::plain(outcome);
    }
    if matches!(x.class, Class::Infinity) || matches!(y.class, Class::Zero) {
        return Remainder::plain(Outcome::invalid());
    }
    let raised = x.flag() | y.flag();
    if let Some(outcome) = denormal_stop(cw, raised) {
        return Remainder::plain(outcome);
    }
    let (v, w) = match (x.class, y.class) {
        (Class::Finite(v), Class::Finite(w)) => (v, w),
        (Class::Finite(v), _) => return Remainder::plain(pack(cw, v, 64, raised)),
        _ => return Remainder::plain(Outcome::exact(a, raised)),
    };
    let difference = v.exp - w.exp;
    let (m, n) = (v.sig >> 64, w.sig >> 64);
    if difference >= 64 {
        let by = 32 + difference % 32;
        let rest = (m << by) % n;
        let outcome = finish(cw, x.sign, rest, w.exp + difference - by, raised);
        return Remainder { outcome, partial: true, quotient: 0 };
    }
    if difference < -1 || difference < 0 && quotient == Quotient::Truncated {
        return Remainder::plain(pack(cw, v, 64, raised));
    }
    // In units of the divisor's last place, or half of it when the dividend's exponent is one less.
    let (m, n, unit) = if difference < 0 { (m, n << 1, w.exp - 1) } else { (m << difference, n, w.exp) };
    let (mut q, mut rest, mut sign) = (m / n, m % n, x.sign);
    if quotient == Quotient::Nearest && (rest << 1 > n || rest << 1 == n && q & 1 != 0) {
        q += 1;
        rest = n - rest;
        sign = !sign;
    }
    let outcome =
        if rest == 0 { Outcome::exact(zero(x.sign), raised) } else { finish(cw, sign, rest, unit, raised) };
    Remainder { outcome, partial: false, quotient: (q & 7) as u8 }
}

/// `rest * 2^(unit - 63)`
fn finish(cw: Control, sign: bool, rest: u128, unit: i32, raised: u32) -> Outcome {
    if rest == 0 {
        return Outcome::exact(zero(sign), raised);
    }
    pack(cw, Wide::normalized(sign, unit + 2, rest << 62), 64, raised)
}

/// `fscale`: `a * 2^trunc(b)`
#[must_use]
pub fn scale(cw: Control, a: F80, b: F80) -> Outcome {
    let (x, y) = (unpack(a), unpack(b));
    if let Some(outcome) = propagate(a, x, b, y) {
        return outcome;
    }
    let raised = x.flag() | y.flag();
    match (x.class, y.class) {
        (Class::Zero, Class::Infinity) if !y.sign => return Outcome::invalid(),
        (Class::Infinity, Class::Infinity) if y.sign => return Outcome::invalid(),
        _ => {}
    }
    if let Some(outcome) = denormal_stop(cw, raised) {
        return outcome;
    }
    match (x.class, y.class) {
        (Class::Finite(_), Class::Infinity) => {
            let value = if y.sign { zero(x.sign) } else { infinity(x.sign) };
            Outcome::exact(value, raised)
        }
        (Class::Finite(v), Class::Finite(w)) => {
            let by = match w.to_int(Round::Zero) {
                Some((magnitude, _, _)) => magnitude.min(1 << 17) as i32,
                None => 1 << 17,
            };
            let exp = v.exp + if y.sign { -by } else { by };
            pack(cw, Wide { exp, ..v }, 64, raised)
        }
        (Class::Finite(v), _) => pack(cw, v, 64, raised),
        _ => Outcome::exact(a, raised),
    }
}

/// `fxtract`: the significand and the exponent of a number.
#[must_use]
pub fn extract(cw: Control, a: F80) -> (F80, F80, u32) {
    let x = unpack(a);
    if let Some(outcome) = propagate_one(a, x) {
        return (outcome.value, outcome.value, outcome.raised);
    }
    match x.class {
        Class::Zero => (a, infinity(true), ZE),
        Class::Finite(wide) => {
            if denormal_stop(cw, x.flag()).is_some() {
                return (DEFAULT_NAN, DEFAULT_NAN, DE);
            }
            let exponent = match wide.exp {
                0 => zero(false),
                exp => from_magnitude(exp < 0, u64::from(exp.unsigned_abs())),
            };
            (assemble(x.sign, 0, (wide.sig >> 64) as u64), exponent, x.flag())
        }
        _ => (a, infinity(false), 0),
    }
}

/// Compares: with `quiet`, quiet NaNs raise nothing (`fucom`, `fucomi`).
#[must_use]
pub fn compare(a: F80, b: F80, quiet: super::sse::Quiet) -> (Relation, u32) {
    let (x, y) = (unpack(a), unpack(b));
    let invalid = |o: Operand| matches!(o.class, Class::Invalid);
    let nan = |o: Operand| matches!(o.class, Class::Nan);
    if invalid(x) || invalid(y) {
        return (Relation::Unordered, IE);
    }
    if nan(x) || nan(y) {
        let bad = quiet == super::sse::Quiet::No || x.signaling || y.signaling;
        return (Relation::Unordered, if bad { IE } else { 0 });
    }
    (order(x, y), x.flag() | y.flag())
}

fn order(x: Operand, y: Operand) -> Relation {
    // Sign and magnitude as one number.
    let key = |o: Operand| {
        let magnitude = match o.class {
            Class::Zero => (0, 0),
            Class::Finite(wide) => (wide.exp + 20000, (wide.sig >> 64) as u64),
            _ => (i32::MAX, 0),
        };
        (i128::from(magnitude.0) << 64 | i128::from(magnitude.1)) * if o.sign { -1 } else { 1 }
    };
    match key(x).cmp(&key(y)) {
        core::cmp::Ordering::Less => Relation::Less,
        core::cmp::Ordering::Equal => Relation::Equal,
        core::cmp::Ordering::Greater => Relation::Greater,
    }
}

/// The condition bits that `fcom` sets for a relation.
#[must_use]
pub const fn relation_conditions(relation: Relation) -> u16 {
    match relation {
        Relation::Greater => 0,
        Relation::Less => C0,
        Relation::Equal => C3,
        Relation::Unordered => C0 | C2 | C3,
    }
}

/// The condition bits that `fxam` sets for the content of a register in use; an empty one gives
/// `C3 | C0` and the sign in C1.
#[must_use]
pub fn examine(a: F80) -> u16 {
    let x = unpack(a);
    let sign = if x.sign { C1 } else { 0 };
    sign | match x.class {
        Class::Invalid => 0,
        Class::Nan => C0,
        Class::Finite(_) if x.denormal => C2 | C3,
        Class::Finite(_) => C2,
        Class::Infinity => C2 | C0,
        Class::Zero => C3,
    }
}
