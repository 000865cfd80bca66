//! The frequent cases of x87 arithmetic in few steps: normal numbers, rounding to nearest at full precision with the
//! precision exception masked. Neighbour: [`super::x87`] has all cases.
//!
//! **Invariant**: `None` stands for "ask the long way"; whatever is given is what the long way gives.

use std::cmp::Ordering;
use std::hint::select_unpredictable;

use super::Control;
use crate::cpu::F80;

/// A result of the short way: of flags there is at most the precision flag, which is masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quick {
    /// The result.
    pub value: F80,
    /// It was rounded.
    pub inexact: bool,
    /// Its magnitude was rounded up.
    pub up: bool,
}

/// Whether the control word allows the short way.
#[must_use]
#[inline(always)]
pub fn plain(cw: Control) -> bool {
    // Rounding control nearest, precision control 64 bits, precision mask.
    cw.0 & 0x0f20 == 0x0320
}

#[inline(always)]
fn biased(a: F80) -> i32 {
    i32::from(a.sign_exp & 0x7fff)
}

#[inline(always)]
fn is_normal(a: F80) -> bool {
    (a.sign_exp & 0x7fff).wrapping_sub(1) < 0x7ffe && a.mantissa >> 63 != 0
}

#[inline(always)]
fn is_zero(a: F80) -> bool {
    a.sign_exp & 0x7fff == 0 && a.mantissa == 0
}

/// Rounds a significand whose bit 127 is set.
#[inline(always)]
fn finish(sign: u16, exp: i32, sig: u128) -> Option<Quick> {
    const HALF: u64 = 1 << 63;
    let (kept, rest) = ((sig >> 64) as u64, sig as u64);
    let up = rest > HALF || rest == HALF && kept & 1 != 0;
    let (mut mantissa, carry) = kept.overflowing_add(u64::from(up));
    if carry {
        mantissa = HALF;
    }
    let rounded = exp + i32::from(carry);
    if exp < 1 || rounded > 0x7ffe {
        return None;
    }
    Some(Quick { value: F80 { mantissa, sign_exp: sign | rounded as u16 }, inexact: rest != 0, up })
}

/// `a + b`
#[must_use]
#[inline]
pub fn add(a: F80, b: F80) -> Option<Quick> {
    if !is_normal(a) || !is_normal(b) {
        return None;
    }
    // Which is larger, and how far apart they are, nobody can foresee: no branches.
    let size = |v: F80| u128::from(v.sign_exp & 0x7fff) << 64 | u128::from(v.mantissa);
    let (x, y) = (size(a), size(b));
    let big = select_unpredictable(y > x, y, x);
    let small = select_unpredictable(y > x, x, y);
    let sign = select_unpredictable(y > x, b.sign_exp, a.sign_exp) & 0x8000;
    let exp = (big >> 64) as i32;
    let apart = ((big >> 64) as u32 - (small >> 64) as u32).min(127);
    let (high, low) = (u128::from(big as u64) << 63, u128::from(small as u64) << 63);
    let shifted = low >> apart;
    let low = shifted | u128::from(shifted << apart != low);
    let negative = u128::from((a.sign_exp ^ b.sign_exp) >> 15);
    let sum = high.wrapping_add((low ^ negative.wrapping_neg()).wrapping_add(negative));
    if sum == 0 {
        return Some(Quick { value: F80::default(), inexact: false, up: false });
    }
    let zeros = sum.leading_zeros();
    finish(sign, exp + 1 - zeros as i32, sum << zeros)
}

/// `a - b`
#[must_use]
#[inline]
pub fn sub(a: F80, b: F80) -> Option<Quick> {
    add(a, F80 { sign_exp: b.sign_exp ^ 0x8000, ..b })
}

/// `a * b`
#[must_use]
#[inline]
pub fn mul(a: F80, b: F80) -> Option<Quick> {
    if !is_normal(a) || !is_normal(b) {
        return None;
    }
    let product = u128::from(a.mantissa) * u128::from(b.mantissa);
    let zeros = product.leading_zeros();
    let exp = biased(a) + biased(b) - 16382 - zeros as i32;
    finish((a.sign_exp ^ b.sign_exp) & 0x8000, exp, product << zeros)
}

/// Quotient and remainder; the quotient fits, since the upper half of `n` is less than `d`.
#[inline]
fn divide(n: u128, d: u64) -> (u64, u64) {
    debug_assert!(((n >> 64) as u64) < d);
    #[cfg(target_arch = "x86_64")]
    {
        let (q, r);
        // SAFETY: one instruction, which cannot overflow.
        unsafe {
            std::arch::asm!(
                "div {d}",
                d = in(reg) d,
                inout("rax") n as u64 => q,
                inout("rdx") (n >> 64) as u64 => r,
                options(pure, nomem, nostack)
            );
        }
        (q, r)
    }
    #[cfg(not(target_arch = "x86_64"))]
    ((n / u128::from(d)) as u64, (n % u128::from(d)) as u64)
}

/// `a / b`
#[must_use]
#[inline]
pub fn div(a: F80, b: F80) -> Option<Quick> {
    if !is_normal(a) || !is_normal(b) {
        return None;
    }
    let less = a.mantissa < b.mantissa;
    let n = u128::from(a.mantissa) << if less { 64 } else { 63 };
    let (q, r) = divide(n, b.mantissa);
    let rest = match (u128::from(r) << 1).cmp(&u128::from(b.mantissa)) {
        _ if r == 0 => 0,
        Ordering::Less => 1,
        Ordering::Equal => 1 << 63,
        Ordering::Greater => (1 << 63) | 1,
    };
    let exp = biased(a) - biased(b) + 16383 - i32::from(less);
    finish((a.sign_exp ^ b.sign_exp) & 0x8000, exp, u128::from(q) << 64 | rest)
}

/// Square root.
#[must_use]
#[inline]
pub fn sqrt(a: F80) -> Option<Quick> {
    if !is_normal(a) || a.sign_exp & 0x8000 != 0 {
        return None;
    }
    let odd = biased(a) & 1 == 0;
    let n = u128::from(a.mantissa) << if odd { 64 } else { 63 };
    let square = |r: u64| u128::from(r) * u128::from(r);
    // The first is good to some 50 bits, the second to one unit.
    let first = ((n >> 64) as f64 * 18_446_744_073_709_551_616.0).sqrt() as u64;
    let error = (n.wrapping_sub(square(first)).cast_signed() >> 16) as i64 as f64 * 65536.0;
    let mut root = first.saturating_add_signed((error / (2.0 * first as f64)) as i64);
    while square(root) > n {
        root -= 1;
    }
    while n - square(root) > 2 * u128::from(root) {
        root += 1;
    }
    let rest = (n - square(root)) as u64;
    let over = n - square(root) > u128::from(root);
    let mantissa = root + u64::from(over);
    let exp = (biased(a) + 16383 - i32::from(odd)) / 2;
    let inexact = rest != 0 || over;
    Some(Quick { value: F80 { mantissa, sign_exp: exp as u16 }, inexact, up: over })
}

/// An integer, exactly.
#[must_use]
#[inline]
pub fn from_i64(v: i64) -> F80 {
    if v == 0 {
        return F80::default();
    }
    let zeros = v.unsigned_abs().leading_zeros();
    let sign = if v < 0 { 0x8000 } else { 0 };
    F80 { mantissa: v.unsigned_abs() << zeros, sign_exp: sign | (16383 + 63 - zeros as u16) }
}

/// How two numbers compare.
#[must_use]
#[inline]
pub fn order(a: F80, b: F80) -> Option<Ordering> {
    if !(is_normal(a) || is_zero(a)) || !(is_normal(b) || is_zero(b)) {
        return None;
    }
    let (x, y) = (a.sign_exp & 0x8000 != 0 && !is_zero(a), b.sign_exp & 0x8000 != 0 && !is_zero(b));
    let magnitude = (biased(a), a.mantissa).cmp(&(biased(b), b.mantissa));
    Some(match (x, y) {
        (false, false) => magnitude,
        (true, true) => magnitude.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    })
}

/// From double precision, exactly.
#[must_use]
#[inline]
pub fn from_f64(bits: u64) -> Option<F80> {
    let (sign, exp) = ((bits >> 48 & 0x8000) as u16, (bits >> 52 & 0x7ff) as u16);
    if bits << 1 == 0 {
        return Some(F80 { mantissa: 0, sign_exp: sign });
    }
    (exp.wrapping_sub(1) < 0x7fe)
        .then_some(F80 { mantissa: 1 << 63 | bits << 11, sign_exp: sign | (exp + 15360) })
}

/// From single precision, exactly.
#[must_use]
#[inline]
pub fn from_f32(bits: u32) -> Option<F80> {
    let (sign, exp) = ((bits >> 16 & 0x8000) as u16, (bits >> 23 & 0xff) as u16);
    if bits << 1 == 0 {
        return Some(F80 { mantissa: 0, sign_exp: sign });
    }
    (exp.wrapping_sub(1) < 0xfe)
        .then_some(F80 { mantissa: 1 << 63 | u64::from(bits) << 40, sign_exp: sign | (exp + 16256) })
}

/// To double precision: bits, whether they were rounded, and whether up.
#[must_use]
#[inline]
pub fn to_f64(a: F80) -> Option<(u64, bool, bool)> {
    let sign = u64::from(a.sign_exp & 0x8000) << 48;
    if is_zero(a) {
        return Some((sign, false, false));
    }
    let exp = biased(a) - 15360;
    if !is_normal(a) || !(1..0x7fe).contains(&exp) {
        return None;
    }
    let (kept, rest) = (a.mantissa >> 11, a.mantissa & 0x7ff);
    let up = rest > 0x400 || rest == 0x400 && kept & 1 != 0;
    // A carry out of the significand goes to the exponent, where it belongs.
    let bits = ((exp as u64) << 52) + (kept & !(1 << 52)) + u64::from(up);
    (bits < 0x7ff << 52).then_some((sign | bits, rest != 0, up))
}

#[cfg(test)]
mod tests {
    use super::super::{PE, Relation, sse::Quiet, x87, x87_convert};
    use super::*;

    fn numbers(count: usize) -> Vec<F80> {
        let mut x = 0x1234_5678_9abc_def1u64;
        let mut next = move || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        (0..count)
            .map(|_| {
                let (kind, m, e) = (next(), next(), next());
                let mantissa = match kind & 7 {
                    0 => 1 << 63,
                    1 => u64::MAX,
                    2 => 1 << 63 | m >> 40 << 30,
                    3 => m,
                    _ => m | 1 << 63,
                };
                let exp = match kind >> 8 & 7 {
                    0 => e & 0x7fff,
                    1 => 16383 - 66 + e % 132,
                    2 => [0, 1, 2, 0x7ffd, 0x7ffe, 0x7fff][e as usize % 6],
                    _ => 16383 - 4 + e % 8,
                };
                F80 { mantissa, sign_exp: exp as u16 | (kind >> 48 & 0x8000) as u16 }
            })
            .collect()
    }

    #[test]
    fn the_short_way_gives_what_the_long_way_gives() {
        let cw = Control(0x37f);
        let list = numbers(1500);
        let mut quick = 0;
        for (i, &a) in list.iter().enumerate() {
            for &b in list.iter().skip(i % 3).step_by(3) {
                let pairs = [
                    (add(a, b), x87::add(cw, a, b)),
                    (sub(a, b), x87::sub(cw, a, b)),
                    (mul(a, b), x87::mul(cw, a, b)),
                    (div(a, b), x87::div(cw, a, b)),
                ];
                for (short, long) in pairs {
                    let Some(s) = short else { continue };
                    quick += 1;
                    assert_eq!((s.value, s.up), (long.value, long.up), "{a:?} {b:?}");
                    assert_eq!(if s.inexact { PE } else { 0 }, long.raised, "{a:?} {b:?}");
                }
                if let Some(order) = order(a, b) {
                    let relation = match order {
                        Ordering::Less => Relation::Less,
                        Ordering::Equal => Relation::Equal,
                        Ordering::Greater => Relation::Greater,
                    };
                    assert_eq!((relation, 0), x87::compare(a, b, Quiet::No), "{a:?} {b:?}");
                }
            }
            if let Some(s) = sqrt(a) {
                let long = x87::sqrt(cw, a);
                assert_eq!((s.value, s.up), (long.value, long.up), "{a:?}");
                assert_eq!(if s.inexact { PE } else { 0 }, long.raised, "{a:?}");
            }
            let int = a.mantissa.cast_signed() >> (a.sign_exp & 63);
            assert_eq!(from_i64(int), x87_convert::from_i64(int), "{int}");
            if let Some((bits, inexact, up)) = to_f64(a) {
                let long = x87_convert::to_f64(cw, a);
                assert_eq!(
                    (bits, up, if inexact { PE } else { 0 }),
                    (long.bits, long.up, long.raised),
                    "{a:?}"
                );
            }
            let bits = a.mantissa ^ u64::from(a.sign_exp) << 47;
            if let Some(v) = from_f64(bits) {
                assert_eq!((v, 0), x87_convert::from_f64(bits));
            }
            if let Some(v) = from_f32(bits as u32) {
                assert_eq!((v, 0), x87_convert::from_f32(bits as u32));
            }
        }
        assert!(quick > 1_000_000, "{quick} of the cases are quick");
    }
}
