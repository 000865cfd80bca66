//! `f2xm1`, `fyl2x`, `fyl2xp1`, `fsin`, `fcos`, `fptan`, `fpatan`.
//!
//! Processors differ in the last bit here; these results are those of series summed to more than 100 bits and
//! rounded once. Angles are reduced by a value of pi of 66 bits, as Intel documents for its processors (SDM
//! volume 1, 8.3.8).
//!
//! **Invariant**: the same bits on every host; no floating point of the host.

use super::soft::{Wide, shift_right_sticky};
use super::x87::{
    Class, Operand, Outcome, denormal_stop, infinity, one, pack, propagate, propagate_one, unpack, zero,
};
use super::{Control, PE, UE, ZE};
use crate::cpu::F80;

const PI: u128 = 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1;
const LN2: u128 = 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6af;
/// 2 / ln 2; the exponent is 1.
const TWO_LOG2_E: u128 = 0xb8aa_3b29_5c17_f0bb_be87_fed0_691d_3e88;
/// pi / 2 in units of 2^-65: 66 bits.
const HALF_PI_66: u128 = PI >> 62;
/// 1.0 with 127 bits of fraction.
const ONE_127: u128 = 1 << 127;
/// atan(j / 16) with 128 bits of fraction.
const ATAN: [u128; 17] = [
    0x0000_0000_0000_0000_0000_0000_0000_0000,
    0x0ffa_addb_967e_f4e3_6cb2_792d_c0e2_e0d5,
    0x1fd5_ba9a_ac2f_6dc6_5912_f313_e7d1_11de,
    0x2f72_f697_9cb6_044d_1ec2_d3e2_0727_1d21,
    0x3eb6_ebf2_5901_bac5_5b71_e7bd_7de8_85f9,
    0x4d89_dcdc_1faf_2f34_e2d5_da4c_693d_7994,
    0x5bd8_6507_937b_c239_c551_9091_6e7f_2241,
    0x6993_bb0f_308f_f2db_213e_4af4_800f_389b,
    0x76b1_9c15_86ed_3da2_b7f2_22f6_5e1d_4681,
    0x832b_f4a6_d986_7e2a_4b6a_09cb_61a5_15c0,
    0x8f00_5d5e_f7f5_9f9b_5c83_5e16_65c4_3747,
    0x9a2f_80e6_71bd_da20_4226_f8e2_204f_f3bc,
    0xa4bc_7d19_34f7_0924_19a8_7f2a_457d_ac9e,
    0xaeac_4c38_b4d8_c080_1472_5e2f_3e52_070a,
    0xb805_3e2b_c231_9e73_cb2d_a552_10a4_443d,
    0xc0ce_85b8_ac52_6640_89dd_62c4_6e92_fa24,
    0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1,
];

/// The upper half of a product.
fn mul_high(a: u128, b: u128) -> u128 {
    let mask = u128::from(u64::MAX);
    let (ah, al, bh, bl) = (a >> 64, a & mask, b >> 64, b & mask);
    let (hl, lh) = (ah * bl, al * bh);
    let middle = ((al * bl) >> 64) + (hl & mask) + (lh & mask);
    ah * bh + (hl >> 64) + (lh >> 64) + (middle >> 64)
}

/// A product of full significands, with an error below one in the last of 128 bits.
fn multiply(a: Wide, b: Wide) -> Wide {
    Wide::normalized(a.sign ^ b.sign, a.exp + b.exp + 1, mul_high(a.sig, b.sig))
}

/// A quotient of full significands to about 126 bits.
fn divide(a: Wide, b: Wide) -> Wide {
    // Keep one bit of headroom so that the remainder can be doubled.
    let (mut rest, divisor) = (a.sig >> 1, b.sig >> 1);
    let mut quotient = 0u128;
    for _ in 0..127 {
        quotient <<= 1;
        if rest >= divisor {
            rest -= divisor;
            quotient |= 1;
        }
        rest <<= 1;
    }
    // Bit 126 stands for 1.
    Wide::normalized(a.sign ^ b.sign, a.exp - b.exp + 1, quotient)
}

/// A positive number below 1 with 128 bits of fraction.
fn fraction(a: Wide) -> u128 {
    shift_right_sticky(a.sig, (-1 - a.exp).cast_unsigned())
}

/// Rounds a result that is never exact.
fn inexact(cw: Control, a: Wide, raised: u32) -> Outcome {
    pack(cw, Wide { sig: a.sig | 1, ..a }, 64, raised)
}

/// pi times `quarters` / 4, rounded.
fn quarters_of_pi(cw: Control, sign: bool, quarters: u8, raised: u32) -> Outcome {
    let wide = match quarters {
        1 => Wide { sign, exp: -1, sig: PI },
        2 => Wide { sign, exp: 0, sig: PI },
        3 => Wide::normalized(sign, 1, PI / 4 * 3),
        _ => Wide { sign, exp: 1, sig: PI },
    };
    inexact(cw, wide, raised)
}

/// An angle reduced to at most pi / 4.
#[derive(Debug, Clone, Copy)]
struct Reduced {
    /// Which multiple of pi / 2 was taken away, modulo 4.
    quadrant: u8,
    /// What is left; `None` for nothing.
    angle: Option<Wide>,
}

fn reduce(a: Wide) -> Reduced {
    if a.exp < -2 {
        return Reduced { quadrant: 0, angle: Some(a) };
    }
    // The magnitude is an integer in units of 2^-65: 2^63 at most is 128 bits long.
    let units = (a.sig >> 64) << (a.exp + 2);
    let (mut n, mut rest) = (units / HALF_PI_66, units % HALF_PI_66);
    let mut sign = a.sign;
    if rest > HALF_PI_66 / 2 {
        rest = HALF_PI_66 - rest;
        n += 1;
        sign = !sign;
    }
    let quadrant = (n & 3) as u8;
    let quadrant = if a.sign { quadrant.wrapping_neg() & 3 } else { quadrant };
    let angle = (rest != 0).then(|| Wide::normalized(sign, 62, rest));
    Reduced { quadrant, angle }
}

/// `1 - u/(n(n+1)) (1 - u/((n+2)(n+3)) (...))` with 127 bits of fraction, `u` with 128.
fn alternating(u: u128, first: u128) -> u128 {
    let mut sum = ONE_127;
    for k in (0..16).rev() {
        let n = first + 2 * k;
        sum = ONE_127 - mul_high(u, sum) / (n * (n + 1));
    }
    sum.min(ONE_127 - 1)
}

fn square(angle: Wide) -> u128 {
    fraction(multiply(angle, angle))
}

/// The sine of a reduced angle.
fn sine(angle: Wide) -> Wide {
    multiply(angle, Wide::normalized(false, 0, alternating(square(angle), 2)))
}

/// The cosine of a reduced angle.
fn cosine(angle: Option<Wide>) -> Wide {
    let u = angle.map_or(0, square);
    if angle.is_none() {
        return Wide { sign: false, exp: 0, sig: ONE_127 };
    }
    let half = mul_high(u, alternating(u, 3)) >> 1;
    Wide::normalized(false, 0, (ONE_127 - half).min(ONE_127 - 1))
}

/// Both: `None` is zero.
fn sine_and_cosine(a: Wide) -> (Option<Wide>, Option<Wide>) {
    let Reduced { quadrant, angle } = reduce(a);
    let (s, c) = (angle.map(sine), Some(cosine(angle)));
    let negated = |w: Option<Wide>| w.map(Wide::negated);
    match quadrant {
        0 => (s, c),
        1 => (c, negated(s)),
        2 => (negated(s), negated(c)),
        _ => (negated(c), s),
    }
}

/// What an angle is for the trigonometric instructions.
enum Angle {
    Done(Outcome),
    TooLarge,
    Zero,
    Number(Wide, u32),
}

fn angle(cw: Control, a: F80) -> Angle {
    let x = unpack(a);
    if let Some(outcome) = propagate_one(a, x) {
        return Angle::Done(outcome);
    }
    match x.class {
        Class::Zero => Angle::Zero,
        Class::Finite(wide) if wide.exp >= 63 => Angle::TooLarge,
        Class::Finite(wide) => denormal_stop(cw, x.flag()).map_or(Angle::Number(wide, x.flag()), Angle::Done),
        _ => Angle::Done(Outcome::invalid()),
    }
}

fn maybe_zero(cw: Control, value: Option<Wide>, raised: u32) -> Outcome {
    match value {
        Some(wide) => inexact(cw, wide, raised),
        None => Outcome::exact(zero(false), raised),
    }
}

/// `fsin`; `None` if the angle is 2^63 or more (condition bit 2).
#[must_use]
pub fn sin(cw: Control, a: F80) -> Option<Outcome> {
    match angle(cw, a) {
        Angle::Done(outcome) => Some(outcome),
        Angle::TooLarge => None,
        Angle::Zero => Some(Outcome::exact(a, 0)),
        Angle::Number(wide, raised) => Some(maybe_zero(cw, sine_and_cosine(wide).0, raised)),
    }
}

/// `fcos`; `None` if the angle is 2^63 or more.
#[must_use]
pub fn cos(cw: Control, a: F80) -> Option<Outcome> {
    match angle(cw, a) {
        Angle::Done(outcome) => Some(outcome),
        Angle::TooLarge => None,
        Angle::Zero => Some(Outcome::exact(one(false), 0)),
        Angle::Number(wide, raised) => Some(maybe_zero(cw, sine_and_cosine(wide).1, raised)),
    }
}

/// The tangent of `fptan`, which also pushes 1.0 (or the NaN); `None` if the angle is 2^63 or more.
#[must_use]
pub fn tan(cw: Control, a: F80) -> Option<Outcome> {
    match angle(cw, a) {
        Angle::Done(outcome) => Some(outcome),
        Angle::TooLarge => None,
        Angle::Zero => Some(Outcome::exact(a, 0)),
        Angle::Number(wide, raised) => Some(match sine_and_cosine(wide) {
            (Some(s), Some(c)) => inexact(cw, divide(s, c), raised),
            (None, _) => Outcome::exact(zero(false), raised),
            (Some(s), None) => Outcome::exact(infinity(s.sign), raised | ZE),
        }),
    }
}

/// atan(n / d) of positive numbers, n not above d.
fn arc_tangent(n: Wide, d: Wide) -> Wide {
    let ratio = divide(n, d);
    let j = if ratio.exp >= 0 {
        16
    } else if ratio.exp < -6 {
        0
    } else {
        ((fraction(ratio) >> 123) + 1) >> 1
    };
    // atan(n / d) = atan(j / 16) + atan(z), z = (16 n - j d) / (16 d + j n), |z| <= 1/32 or so.
    let z = if j == 0 {
        Some(ratio)
    } else {
        let times = |w: Wide| multiply(w, Wide::from_int(false, j as u64));
        let sixteen = |w: Wide| Wide { exp: w.exp + 4, ..w };
        let below = sixteen(d).add(times(n));
        sixteen(n).add(times(d).negated()).zip(below).map(|(above, below)| divide(above, below))
    };
    let series = z.map(|z| {
        let u = square(z);
        let mut sum = 0u128;
        for k in (0..14u128).rev() {
            sum = ONE_127 / (2 * k + 1) - mul_high(u, sum);
        }
        multiply(z, Wide::normalized(false, 0, sum.min(ONE_127 - 1)))
    });
    let base = (j != 0).then(|| Wide::normalized(false, -1, ATAN[j as usize]));
    match (base, series) {
        (Some(base), Some(series)) => base.add(series).unwrap_or(base),
        (Some(base), None) => base,
        (None, Some(series)) => series,
        (None, None) => ratio,
    }
}

/// `fpatan`: the angle of the point with abscissa `x` (st(0)) and ordinate `y` (st(1)).
#[must_use]
pub fn atan2(cw: Control, y: F80, x: F80) -> Outcome {
    let (v, h) = (unpack(y), unpack(x));
    if let Some(outcome) = propagate(x, h, y, v) {
        return outcome;
    }
    let raised = v.flag() | h.flag();
    if let Some(outcome) = denormal_stop(cw, raised) {
        return outcome;
    }
    match (v.class, h.class) {
        (Class::Infinity, Class::Infinity) => quarters_of_pi(cw, v.sign, if h.sign { 3 } else { 1 }, raised),
        (Class::Infinity, _) => quarters_of_pi(cw, v.sign, 2, raised),
        (Class::Zero, _) | (_, Class::Infinity) if h.sign => quarters_of_pi(cw, v.sign, 4, raised),
        (Class::Zero, _) | (_, Class::Infinity) => Outcome::exact(zero(v.sign), raised),
        (_, Class::Zero) => quarters_of_pi(cw, v.sign, 2, raised),
        (Class::Finite(n), Class::Finite(d)) => {
            let (n, d) = (Wide { sign: false, ..n }, Wide { sign: false, ..d });
            let pi = |exp| Wide { sign: false, exp, sig: PI };
            let steep = n.cmp_magnitude(d) == core::cmp::Ordering::Greater;
            let base = if steep { arc_tangent(d, n) } else { arc_tangent(n, d) };
            let right_of = |from: Wide, less: Wide| from.add(less.negated()).unwrap_or(from);
            let angle = match (steep, h.sign) {
                (false, false) => base,
                (false, true) => right_of(pi(1), base),
                (true, false) => right_of(pi(0), base),
                (true, true) => pi(0).add(base).unwrap_or(base),
            };
            inexact(cw, Wide { sign: v.sign, ..angle }, raised)
        }
        _ => Outcome::exact(zero(v.sign), raised),
    }
}

/// `f2xm1`: 2^a - 1 for a from -1 to 1; outside, the operand.
#[must_use]
pub fn exp2_minus_1(cw: Control, a: F80) -> Outcome {
    let x = unpack(a);
    if let Some(outcome) = propagate_one(a, x) {
        return outcome;
    }
    match x.class {
        Class::Infinity if x.sign => Outcome::exact(one(true), 0),
        Class::Finite(wide) => {
            if let Some(outcome) = denormal_stop(cw, x.flag()) {
                return outcome;
            }
            if wide.exp == 0 && wide.sig == ONE_127 {
                let half = F80 { mantissa: 1 << 63, sign_exp: 0xbffe };
                // Exact, and yet inexact and rounded up to AMD's processors.
                return Outcome { value: if x.sign { half } else { a }, raised: PE, up: !x.sign };
            }
            if wide.exp >= 0 {
                return Outcome::exact(a, PE);
            }
            inexact(cw, exp_minus_1(multiply(wide, Wide { sign: false, exp: -1, sig: LN2 })), x.flag())
        }
        _ => Outcome::exact(a, 0),
    }
}

/// e^z - 1 for a magnitude below 0.7.
fn exp_minus_1(z: Wide) -> Wide {
    // z (1 + z/2 (1 + z/3 (...))); the sum is below 2 and has 126 bits of fraction.
    const ONE: u128 = 1 << 126;
    let magnitude = fraction(z);
    let mut sum = ONE;
    for k in (2..36u128).rev() {
        let term = mul_high(magnitude, sum) / k;
        sum = if z.sign { ONE - term } else { ONE + term };
    }
    if sum == ONE {
        sum = if z.sign { ONE - 1 } else { ONE + 1 };
    }
    multiply(z, Wide::normalized(false, 1, sum))
}

/// log2((1 + s) / (1 - s))
fn log2_of_ratio(s: Wide) -> Wide {
    let u = square(s);
    let mut sum = 0u128;
    for k in (0..30u128).rev() {
        sum = (ONE_127 >> 1) / (2 * k + 1) + mul_high(u, sum);
    }
    let series = multiply(s, Wide::normalized(false, 1, sum));
    multiply(series, Wide { sign: false, exp: 1, sig: TWO_LOG2_E })
}

/// log2 of a positive number: the exact integer where it is one.
fn log2(a: Wide) -> Option<(Wide, bool)> {
    // Significand from about 0.707 to 1.414.
    let high = a.sig >> 64 > 0xb504_f333_f9de_6484;
    let (exp, m) = if high { (a.exp + 1, -1) } else { (a.exp, 0) };
    let one = Wide { sign: false, exp: 0, sig: ONE_127 };
    let m = Wide { sign: false, exp: m, sig: a.sig };
    let whole = (exp != 0).then(|| Wide::from_int(exp < 0, u64::from(exp.unsigned_abs())));
    let part = m.add(one.negated()).zip(m.add(one)).map(|(n, d)| log2_of_ratio(divide(n, d)));
    match (whole, part) {
        (None, None) => None,
        (Some(whole), None) => Some((whole, true)),
        (None, Some(part)) => Some((part, false)),
        (Some(whole), Some(part)) => whole.add(part).map(|sum| (sum, false)),
    }
}

fn signed_infinity(sign: bool, raised: u32) -> Outcome {
    Outcome::exact(infinity(sign), raised)
}

/// Multiplies a logarithm with y; `log` is its sign and, for finite numbers, its value.
fn times_log(cw: Control, y: Operand, value: Option<(Wide, bool)>, zero_sign: bool, raised: u32) -> Outcome {
    match (value, y.class) {
        (None, Class::Infinity) => Outcome::invalid(),
        (None, _) => Outcome::exact(zero(y.sign ^ zero_sign), raised),
        (Some((log, _)), Class::Infinity) => signed_infinity(y.sign ^ log.sign, raised),
        (Some((log, true)), Class::Finite(factor)) => {
            // AMD's processors call exact logarithms inexact.
            let out = pack(cw, log.mul(factor), 64, raised);
            let tiny = if out.value.sign_exp & 0x7fff == 0 { UE } else { 0 };
            Outcome { raised: out.raised | PE | tiny, ..out }
        }
        (Some((log, false)), Class::Finite(factor)) => inexact(cw, multiply(log, factor), raised),
        (Some((log, _)), _) => Outcome::exact(zero(y.sign ^ log.sign), raised),
    }
}

/// `fyl2x`: `y * log2(x)`, x being st(0) and y st(1).
#[must_use]
pub fn y_log2_x(cw: Control, y: F80, x: F80) -> Outcome {
    let (f, a) = (unpack(y), unpack(x));
    if let Some(outcome) = propagate(x, a, y, f) {
        return outcome;
    }
    let raised = f.flag() | a.flag();
    match (a.class, f.class) {
        (Class::Zero, Class::Zero) => return Outcome::invalid(),
        (Class::Zero, Class::Infinity) => return signed_infinity(!f.sign, 0),
        (Class::Zero, _) => return signed_infinity(!f.sign, ZE),
        _ if a.sign => return Outcome::invalid(),
        (Class::Infinity, Class::Zero) => return Outcome::invalid(),
        _ => {}
    }
    if let Some(outcome) = denormal_stop(cw, raised) {
        return outcome;
    }
    match a.class {
        Class::Finite(wide) => times_log(cw, f, log2(wide), false, raised),
        _ => signed_infinity(f.sign, raised),
    }
}

/// `fyl2xp1`: `y * log2(x + 1)`, x being st(0) and y st(1).
#[must_use]
pub fn y_log2_x_plus_1(cw: Control, y: F80, x: F80) -> Outcome {
    let (f, a) = (unpack(y), unpack(x));
    if let Some(outcome) = propagate(x, a, y, f) {
        return outcome;
    }
    let raised = f.flag() | a.flag();
    let one = Wide { sign: false, exp: 0, sig: ONE_127 };
    match (a.class, f.class) {
        (Class::Infinity, _) if a.sign => return Outcome::invalid(),
        (Class::Infinity, Class::Zero) => return Outcome::invalid(),
        (Class::Finite(wide), _) if a.sign && wide.exp >= 0 => return Outcome::invalid(),
        _ => {}
    }
    if let Some(outcome) = denormal_stop(cw, raised) {
        return outcome;
    }
    match a.class {
        Class::Finite(wide) if wide.exp < -1 => {
            let two = Wide { exp: 1, ..one };
            let log = two.add(wide).map(|sum| (log2_of_ratio(divide(wide, sum)), false));
            times_log(cw, f, log, false, raised)
        }
        Class::Finite(wide) => times_log(cw, f, one.add(wide).and_then(log2), false, raised),
        Class::Zero => times_log(cw, f, None, a.sign, raised),
        _ => signed_infinity(f.sign, raised),
    }
}
