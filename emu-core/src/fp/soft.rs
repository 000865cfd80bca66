//! Finite numbers with a 128-bit significand, the exact operations on them, and rounding to a format.
//!
//! **Invariant**: the significand of a [`Wide`] has its top bit set; its lowest bit may be a sticky bit.

use super::Round;

/// A finite number other than zero: `sig * 2^(exp - 127)`, negative if `sign`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wide {
    pub(super) sign: bool,
    pub(super) exp: i32,
    pub(super) sig: u128,
}

/// Precision and exponent range of a format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// Bits of significand.
    pub(super) p: u32,
    /// Exponent of the smallest normal number; the largest is `1 - emin`.
    pub(super) emin: i32,
}

/// What rounding came to. With `tiny` the fields hold the denormalised result, with `overflow` they mean nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rounded {
    /// Significand, top-aligned; the top bit is clear in a denormal result.
    pub(super) sig: u64,
    pub(super) exp: i32,
    pub(super) inexact: bool,
    /// The magnitude was rounded up.
    pub(super) up: bool,
    pub(super) tiny: bool,
    pub(super) overflow: bool,
    /// The result rounded as if the exponent had no bounds.
    pub(super) unbounded: Unbounded,
}

/// A result rounded to precision with an unbounded exponent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unbounded {
    pub(super) sig: u64,
    pub(super) exp: i32,
    pub(super) inexact: bool,
    pub(super) up: bool,
}

/// Shifts right; bits lost leave a one in the lowest bit.
pub(super) fn shift_right_sticky(sig: u128, by: u32) -> u128 {
    if by == 0 {
        sig
    } else if by >= 128 {
        u128::from(sig != 0)
    } else {
        sig >> by | u128::from(sig << (128 - by) != 0)
    }
}

/// Rounds to the upper `p` bits (1 to 64) of `sig`: (kept bits top-aligned, carry out, inexact, up).
fn cut(sig: u128, p: u32, sign: bool, rc: Round) -> (u64, bool, bool, bool) {
    let drop = 128 - p;
    let rest = sig & ((1 << drop) - 1);
    let half = 1 << (drop - 1);
    let kept = ((sig >> drop) as u64) << (64 - p);
    if rest == 0 {
        return (kept, false, false, false);
    }
    let lsb = 1u64 << (64 - p);
    let up = match rc {
        Round::Nearest => rest > half || rest == half && kept & lsb != 0,
        Round::Down => sign,
        Round::Up => !sign,
        Round::Zero => false,
    };
    if up {
        let (sum, carry) = kept.overflowing_add(lsb);
        (sum, carry, true, true)
    } else {
        (kept, false, true, false)
    }
}

impl Wide {
    /// From any significand but zero; `exp` is that of bit 127.
    pub(super) fn normalized(sign: bool, exp: i32, sig: u128) -> Wide {
        let lead = sig.leading_zeros();
        Wide { sign, exp: exp - lead as i32, sig: sig << lead }
    }

    /// From an integer but zero.
    pub(super) fn from_int(sign: bool, magnitude: u64) -> Wide {
        Wide::normalized(sign, 63, u128::from(magnitude) << 64)
    }

    pub(super) fn negated(self) -> Wide {
        Wide { sign: !self.sign, ..self }
    }

    /// The exact sum with sticky bit, `None` for zero. At least the low two bits of both are zero or sticky.
    pub(super) fn add(self, other: Wide) -> Option<Wide> {
        let (big, small) =
            if (self.exp, self.sig) >= (other.exp, other.sig) { (self, other) } else { (other, self) };
        let by = big.exp.wrapping_sub(small.exp).cast_unsigned();
        if big.sign == small.sign {
            let sum = shift_right_sticky(big.sig, 1) + shift_right_sticky(small.sig, by.saturating_add(1));
            Some(Wide::normalized(big.sign, big.exp + 1, sum))
        } else {
            let difference = big.sig - shift_right_sticky(small.sig, by);
            (difference != 0).then(|| Wide::normalized(big.sign, big.exp, difference))
        }
    }

    /// The exact product of two numbers whose significands have 64 bits.
    pub(super) fn mul(self, other: Wide) -> Wide {
        let product = (self.sig >> 64) * (other.sig >> 64);
        Wide::normalized(self.sign ^ other.sign, self.exp + other.exp + 1, product)
    }

    /// The quotient, with sticky bit, of two numbers whose significands have 64 bits.
    pub(super) fn div(self, other: Wide) -> Wide {
        let (n, d) = (self.sig >> 64, other.sig >> 64);
        // n / d lies in (1/2, 2): 64 bits, then 62 more below them.
        let (q, r) = ((n << 63) / d, (n << 63) % d);
        let (q2, r2) = ((r << 62) / d, (r << 62) % d);
        let quotient = (q << 62 | q2) << 2 | u128::from(r2 != 0);
        Wide::normalized(self.sign ^ other.sign, self.exp - other.exp, quotient)
    }

    /// The square root, with sticky bit, of a positive number whose significand has 64 bits.
    pub(super) fn sqrt(self) -> Wide {
        let odd = self.exp & 1 != 0;
        let n = if odd { self.sig } else { self.sig >> 1 };
        let root = n.isqrt();
        let rest = n - root * root;
        let sig = root << 64 | u128::from(rest > root) << 63 | u128::from(rest != 0);
        Wide::normalized(false, self.exp >> 1, sig)
    }

    /// Rounds to a format.
    pub(super) fn round(self, range: Range, rc: Round) -> Rounded {
        let (sig, carry, inexact, up) = cut(self.sig, range.p, self.sign, rc);
        let (sig, exp) = if carry { (1 << 63, self.exp + 1) } else { (sig, self.exp) };
        let unbounded = Unbounded { sig, exp, inexact, up };
        if exp < range.emin {
            let by = range.emin.wrapping_sub(self.exp).cast_unsigned();
            let (sig, _, inexact, up) = cut(shift_right_sticky(self.sig, by), range.p, self.sign, rc);
            Rounded { sig, exp: range.emin, inexact, up, tiny: true, overflow: false, unbounded }
        } else {
            Rounded { sig, exp, inexact, up, tiny: false, overflow: exp > 1 - range.emin, unbounded }
        }
    }

    /// Rounds to an integer: (magnitude, inexact, up), `None` if the magnitude is 2^64 or more.
    pub(super) fn to_int(self, rc: Round) -> Option<(u64, bool, bool)> {
        if self.exp >= 64 {
            return None;
        }
        // Bit 64 is the units bit after this shift.
        let aligned = shift_right_sticky(self.sig, (63 - self.exp).cast_unsigned());
        let (magnitude, carry, inexact, up) = cut(aligned, 64, self.sign, rc);
        (!carry).then_some((magnitude, inexact, up))
    }

    /// Compares magnitudes.
    pub(super) fn cmp_magnitude(self, other: Wide) -> core::cmp::Ordering {
        (self.exp, self.sig).cmp(&(other.exp, other.sig))
    }
}

/// Whether overflow gives infinity rather than the largest finite number.
pub(super) fn overflows_to_infinity(sign: bool, rc: Round) -> bool {
    match rc {
        Round::Nearest => true,
        Round::Down => sign,
        Round::Up => !sign,
        Round::Zero => false,
    }
}
