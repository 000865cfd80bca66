//! The status flags, kept as what they follow from until someone reads them.
//!
//! Key type: [`Kind`]. Values are shifted left so that the operation's most significant bit is bit 63: then one
//! formula serves all widths.
//!
//! **Invariant**: flags that the manuals leave undefined have the value that AMD Zen hardware gives them.

use super::Ctx;
use super::operand::Int;
use crate::cpu::RFlags;

/// Carry.
pub(crate) const CF: u64 = RFlags::CF.bits();
/// Parity.
pub(crate) const PF: u64 = RFlags::PF.bits();
/// Auxiliary carry.
pub(crate) const AF: u64 = RFlags::AF.bits();
/// Zero.
pub(crate) const ZF: u64 = RFlags::ZF.bits();
/// Sign.
pub(crate) const SF: u64 = RFlags::SF.bits();
/// Overflow.
pub(crate) const OF: u64 = RFlags::OF.bits();

/// What the flags follow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// `fl_a + fl_b`.
    Add,
    /// `fl_a - fl_b`.
    Sub,
    /// Result `fl_a`; CF, AF, OF clear.
    Logic,
    /// ZF, SF, PF from the result `fl_a`; CF, AF, OF in `fl_b`.
    Mixed,
    /// All in `fl_b`.
    Explicit,
}

impl Ctx {
    /// Flags of `a + b`.
    #[inline(always)]
    pub(crate) fn set_add<T: Int>(&mut self, a: T, b: T) {
        self.fl_kind = Kind::Add;
        self.fl_sh = T::SH as u8;
        self.fl_a = a.u() << T::SH;
        self.fl_b = b.u() << T::SH;
    }

    /// Flags of `a - b`.
    #[inline(always)]
    pub(crate) fn set_sub<T: Int>(&mut self, a: T, b: T) {
        self.fl_kind = Kind::Sub;
        self.fl_sh = T::SH as u8;
        self.fl_a = a.u() << T::SH;
        self.fl_b = b.u() << T::SH;
    }

    /// Flags of a logical operation.
    #[inline(always)]
    pub(crate) fn set_logic<T: Int>(&mut self, r: T) {
        self.fl_kind = Kind::Logic;
        self.fl_sh = T::SH as u8;
        self.fl_a = r.u() << T::SH;
    }

    /// ZF, SF, PF of `r`; CF, AF, OF as given.
    #[inline(always)]
    pub(crate) fn set_mixed<T: Int>(&mut self, r: T, bits: u64) {
        self.fl_kind = Kind::Mixed;
        self.fl_sh = T::SH as u8;
        self.fl_a = r.u() << T::SH;
        self.fl_b = bits;
    }

    /// All six as given.
    #[inline(always)]
    pub(crate) fn set_explicit(&mut self, bits: u64) {
        self.fl_kind = Kind::Explicit;
        self.fl_b = bits;
    }

    /// Of CF, AF and OF those in `which` as given; the other flags stay.
    #[inline(always)]
    pub(crate) fn set_some(&mut self, which: u64, bits: u64) {
        let rest = match self.fl_kind {
            Kind::Mixed | Kind::Explicit => self.fl_b & !which,
            Kind::Logic => {
                self.fl_kind = Kind::Mixed;
                0
            }
            Kind::Add | Kind::Sub => {
                let mut rest = 0;
                if which & CF == 0 {
                    rest |= u64::from(self.cf()) * CF;
                }
                if which & AF == 0 {
                    rest |= u64::from(self.af()) * AF;
                }
                if which & OF == 0 {
                    rest |= u64::from(self.of()) * OF;
                }
                self.fl_a = self.result();
                self.fl_kind = Kind::Mixed;
                rest
            }
        };
        self.fl_b = rest | bits;
    }

    #[inline(always)]
    fn result(&self) -> u64 {
        match self.fl_kind {
            Kind::Add => self.fl_a.wrapping_add(self.fl_b),
            Kind::Sub => self.fl_a.wrapping_sub(self.fl_b),
            _ => self.fl_a,
        }
    }

    /// Carry.
    #[inline(always)]
    pub(crate) fn cf(&self) -> bool {
        match self.fl_kind {
            Kind::Add => self.fl_a.wrapping_add(self.fl_b) < self.fl_a,
            Kind::Sub => self.fl_a < self.fl_b,
            Kind::Logic => false,
            Kind::Mixed | Kind::Explicit => self.fl_b & CF != 0,
        }
    }

    /// Zero.
    #[inline(always)]
    pub(crate) fn zf(&self) -> bool {
        match self.fl_kind {
            Kind::Add => self.fl_a.wrapping_add(self.fl_b) == 0,
            Kind::Sub => self.fl_a == self.fl_b,
            Kind::Logic | Kind::Mixed => self.fl_a == 0,
            Kind::Explicit => self.fl_b & ZF != 0,
        }
    }

    /// Sign.
    #[inline(always)]
    pub(crate) fn sf(&self) -> bool {
        match self.fl_kind {
            Kind::Explicit => self.fl_b & SF != 0,
            _ => (self.result() as i64) < 0,
        }
    }

    /// Overflow.
    #[inline(always)]
    pub(crate) fn of(&self) -> bool {
        match self.fl_kind {
            Kind::Add => {
                let r = self.fl_a.wrapping_add(self.fl_b);
                (((self.fl_a ^ r) & (self.fl_b ^ r)) as i64) < 0
            }
            Kind::Sub => {
                let r = self.fl_a.wrapping_sub(self.fl_b);
                (((self.fl_a ^ self.fl_b) & (self.fl_a ^ r)) as i64) < 0
            }
            Kind::Logic => false,
            Kind::Mixed | Kind::Explicit => self.fl_b & OF != 0,
        }
    }

    /// Parity.
    pub(crate) fn pf(&self) -> bool {
        match self.fl_kind {
            Kind::Explicit => self.fl_b & PF != 0,
            _ => parity((self.result() >> self.fl_sh) as u8),
        }
    }

    /// Auxiliary carry.
    #[inline(always)]
    pub(crate) fn af(&self) -> bool {
        match self.fl_kind {
            Kind::Add | Kind::Sub => {
                ((self.fl_a ^ self.fl_b ^ self.result()) >> (self.fl_sh & 63)) & 0x10 != 0
            }
            Kind::Logic => false,
            Kind::Mixed | Kind::Explicit => self.fl_b & AF != 0,
        }
    }

    /// All six, as bits of rflags.
    pub(crate) fn status(&self) -> u64 {
        let (a, b) = (self.fl_a, self.fl_b);
        let result = match self.fl_kind {
            Kind::Explicit => return b,
            Kind::Add => a.wrapping_add(b),
            Kind::Sub => a.wrapping_sub(b),
            Kind::Logic | Kind::Mixed => a,
        };
        let sh = self.fl_sh & 63;
        let carries = match self.fl_kind {
            Kind::Add | Kind::Sub => {
                let (carry, signs) = match self.fl_kind {
                    Kind::Add => (result < a, (a ^ result) & (b ^ result)),
                    _ => (a < b, (a ^ b) & (a ^ result)),
                };
                (u64::from(carry) * CF) | ((signs >> 63) * OF) | ((a ^ b ^ result) >> sh & AF)
            }
            Kind::Logic => 0,
            Kind::Mixed | Kind::Explicit => b & (CF | AF | OF),
        };
        carries
            | (u64::from(parity((result >> sh) as u8)) * PF)
            | (u64::from(result == 0) * ZF)
            | ((result >> 63) * SF)
    }

    /// A condition, numbered as in the encoding of `jcc`.
    #[inline(always)]
    pub(crate) fn cond<const CC: u8>(&self) -> bool {
        let v = match CC >> 1 {
            0 => self.of(),
            1 => self.cf(),
            2 => self.zf(),
            3 => match self.fl_kind {
                Kind::Sub => self.fl_a <= self.fl_b,
                _ => self.cf() || self.zf(),
            },
            4 => self.sf(),
            5 => self.pf(),
            6 => match self.fl_kind {
                Kind::Sub => (self.fl_a as i64) < (self.fl_b as i64),
                Kind::Logic => (self.fl_a as i64) < 0,
                _ => self.sf() != self.of(),
            },
            _ => match self.fl_kind {
                Kind::Sub => (self.fl_a as i64) <= (self.fl_b as i64),
                Kind::Logic => (self.fl_a as i64) <= 0,
                _ => self.zf() || self.sf() != self.of(),
            },
        };
        v != (CC & 1 == 1)
    }
}

/// True if the number of one bits is even.
#[inline(always)]
pub(crate) fn parity(v: u8) -> bool {
    v.count_ones() & 1 == 0
}
