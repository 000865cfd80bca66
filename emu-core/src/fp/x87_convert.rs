//! Conversions between the 80-bit format and the others of x87: single, double, integers, decimal; constants.
//!
//! **Invariant**: where an unmasked exception forbids the store, the caller sees it in the flags; the bits
//! returned then mean nothing.

use super::soft::{Range, Wide, overflows_to_infinity};
use super::x87::{Class, FULL, from_magnitude, unpack, zero};
use super::{Control, DE, IE, OE, PE, UE};
use crate::cpu::F80;

/// Bits for memory, the flags raised, and whether rounding went up (condition bit 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<T> {
    /// The bits.
    pub bits: T,
    /// Exception flags.
    pub raised: u32,
    /// The magnitude was rounded up.
    pub up: bool,
}

/// `fld m32`. Raises [`IE`] for a signaling NaN and [`DE`] for a denormal.
#[must_use]
pub fn from_f32(bits: u32) -> (F80, u32) {
    from_float(u64::from(bits), 24, 8)
}

/// `fld m64`. Raises [`IE`] for a signaling NaN and [`DE`] for a denormal.
#[must_use]
pub fn from_f64(bits: u64) -> (F80, u32) {
    from_float(bits, 53, 11)
}

fn from_float(bits: u64, p: u32, e: u32) -> (F80, u32) {
    let sign = bits >> (p + e - 1) & 1 != 0;
    let sign_bit = u16::from(sign) << 15;
    let all = (1u64 << e) - 1;
    let biased = bits >> (p - 1) & all;
    let fraction = (bits << (64 - p)) & (u64::MAX >> 1);
    if biased == 0 {
        if fraction == 0 {
            return (zero(sign), 0);
        }
        let lead = fraction.leading_zeros();
        let exp = 16383 + 2 - (1 << (e - 1)) - lead;
        return (F80 { mantissa: fraction << lead, sign_exp: sign_bit | exp as u16 }, DE);
    }
    let mantissa = fraction | 1 << 63;
    if biased == all {
        let signaling = fraction != 0 && fraction >> 62 == 0;
        let quiet = if signaling { 1 << 62 } else { 0 };
        return (
            F80 { mantissa: mantissa | quiet, sign_exp: sign_bit | 0x7fff },
            if signaling { IE } else { 0 },
        );
    }
    let exp = biased + 16383 + 1 - (1 << (e - 1));
    (F80 { mantissa, sign_exp: sign_bit | exp as u16 }, 0)
}

/// `fst m32`
#[must_use]
pub fn to_f32(cw: Control, a: F80) -> Stored<u32> {
    let Stored { bits, raised, up } = to_float(cw, a, 24, 8);
    Stored { bits: bits as u32, raised, up }
}

/// `fst m64`
#[must_use]
pub fn to_f64(cw: Control, a: F80) -> Stored<u64> {
    to_float(cw, a, 53, 11)
}

fn to_float(cw: Control, a: F80, p: u32, e: u32) -> Stored<u64> {
    let x = unpack(a);
    let sign = u64::from(x.sign) << (p + e - 1);
    let all = ((1u64 << e) - 1) << (p - 1);
    let fraction_mask = (1u64 << (p - 1)) - 1;
    let exact = |bits, raised| Stored { bits, raised, up: false };
    let wide = match x.class {
        Class::Zero => return exact(sign, 0),
        Class::Infinity => return exact(sign | all, 0),
        Class::Invalid => return exact(1 << (p + e - 1) | all | 1 << (p - 2), IE),
        Class::Nan => {
            let fraction = (a.mantissa >> (64 - p)) & fraction_mask;
            return exact(sign | all | 1 << (p - 2) | fraction, if x.signaling { IE } else { 0 });
        }
        Class::Finite(wide) => wide,
    };
    let emin = 2 - (1 << (e - 1));
    let r = wide.round(Range { p, emin }, cw.rc());
    if r.overflow {
        let up = overflows_to_infinity(x.sign, cw.rc());
        if cw.unmasked(OE) != 0 {
            return exact(0, OE);
        }
        return Stored { bits: sign | if up { all } else { all - 1 }, raised: OE | PE, up };
    }
    if r.tiny && cw.unmasked(UE) != 0 {
        return exact(0, UE);
    }
    let biased = if r.sig >> 63 == 0 { 0 } else { (r.exp - emin + 1) as u64 };
    let raised = match (r.inexact, r.tiny) {
        (true, true) => UE | PE,
        (true, false) => PE,
        (false, _) => 0,
    };
    let bits = sign | biased << (p - 1) | r.sig >> (64 - p) & fraction_mask;
    Stored { bits, raised, up: r.up }
}

/// `fild`; a narrower source is sign-extended first.
#[must_use]
pub fn from_i64(value: i64) -> F80 {
    if value == 0 { zero(false) } else { from_magnitude(value < 0, value.unsigned_abs()) }
}

fn to_int(cw: Control, a: F80, bits: u32) -> Stored<i64> {
    let limit = 1u64 << (bits - 1);
    let x = unpack(a);
    let indefinite = Stored { bits: i64::MIN >> (64 - bits), raised: IE, up: false };
    match x.class {
        Class::Zero => Stored { bits: 0, raised: 0, up: false },
        Class::Finite(wide) => match wide.to_int(cw.rc()) {
            Some((m, inexact, up)) if m < limit || x.sign && m == limit => {
                let value = if x.sign { m.wrapping_neg() } else { m };
                Stored { bits: value.cast_signed(), raised: if inexact { PE } else { 0 }, up }
            }
            _ => indefinite,
        },
        _ => indefinite,
    }
}

/// `fist m16`; for `fisttp` give a control word that truncates ([`Control::with_rc`]).
#[must_use]
pub fn to_i16(cw: Control, a: F80) -> Stored<i16> {
    let Stored { bits, raised, up } = to_int(cw, a, 16);
    Stored { bits: bits as i16, raised, up }
}

/// `fist m32`; for `fisttp` give a control word that truncates.
#[must_use]
pub fn to_i32(cw: Control, a: F80) -> Stored<i32> {
    let Stored { bits, raised, up } = to_int(cw, a, 32);
    Stored { bits: bits as i32, raised, up }
}

/// `fistp m64`; for `fisttp` give a control word that truncates.
#[must_use]
pub fn to_i64(cw: Control, a: F80) -> Stored<i64> {
    to_int(cw, a, 64)
}

/// `fbld`: 18 decimal digits and a sign. Digits above 9 count for what they are.
#[must_use]
pub fn from_bcd(bytes: [u8; 10]) -> F80 {
    let magnitude = bytes[..9]
        .iter()
        .rev()
        .fold(0u64, |n, &byte| n * 100 + u64::from(byte >> 4) * 10 + u64::from(byte & 15));
    let sign = bytes[9] & 0x80 != 0;
    if magnitude == 0 { zero(sign) } else { from_magnitude(sign, magnitude) }
}

/// `fbstp`
#[must_use]
pub fn to_bcd(cw: Control, a: F80) -> Stored<[u8; 10]> {
    const INDEFINITE: [u8; 10] = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff];
    let x = unpack(a);
    let (mut magnitude, inexact, up) = match x.class {
        Class::Zero => (0, false, false),
        Class::Finite(wide) => match wide.to_int(cw.rc()) {
            Some(rounded) if rounded.0 < 1_000_000_000_000_000_000 => rounded,
            _ => return Stored { bits: INDEFINITE, raised: IE, up: false },
        },
        _ => return Stored { bits: INDEFINITE, raised: IE, up: false },
    };
    let mut bytes = [0; 10];
    for byte in &mut bytes[..9] {
        *byte = (magnitude % 10) as u8 | ((magnitude / 10 % 10) as u8) << 4;
        magnitude /= 100;
    }
    bytes[9] = u8::from(x.sign) << 7;
    Stored { bits: bytes, raised: if inexact { PE } else { 0 }, up }
}

/// The constants an instruction can load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constant {
    /// `fld1`
    One,
    /// `fldl2t`: log2 10
    Log2Of10,
    /// `fldl2e`: log2 e
    Log2OfE,
    /// `fldpi`
    Pi,
    /// `fldlg2`: log10 2
    Log10Of2,
    /// `fldln2`: ln 2
    LnOf2,
    /// `fldz`
    Zero,
}

/// A constant, rounded by the control word. Raises nothing.
#[must_use]
pub fn constant(cw: Control, which: Constant) -> F80 {
    let (exp, sig) = match which {
        Constant::Zero => return zero(false),
        Constant::One => (0, 1 << 127),
        Constant::Log2Of10 => (1, 0xd49a784b_cd1b8afe_492bf6ff_4dafdb4c),
        Constant::Log2OfE => (0, 0xb8aa3b29_5c17f0bb_be87fed0_691d3e88),
        Constant::Pi => (1, 0xc90fdaa2_2168c234_c4c6628b_80dc1cd1),
        Constant::Log10Of2 => (-2, 0x9a209a84_fbcff798_8f8959ac_0b7c9178),
        Constant::LnOf2 => (-1, 0xb17217f7_d1cf79ab_c9e3b398_03f2f6af),
    };
    let r = Wide { sign: false, exp, sig }.round(FULL, cw.rc());
    F80 { mantissa: r.sig, sign_exp: (r.exp + 16383) as u16 }
}
