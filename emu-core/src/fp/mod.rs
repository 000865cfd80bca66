//! IEEE arithmetic as x86 processors do it, in integers: the same bits and exception flags on every host.
//!
//! Key types: [`Mxcsr`] (the environment of SSE and AVX), [`Control`] (that of x87), [`Round`]. [`sse`] has the
//! scalar operations of f16, f32 and f64, [`fast`] the same for callers in a hurry, [`x87`] those of the
//! 80-bit format. Neighbours: [`crate::exec`] calls these and decides about `#XM` and `#MF`.
//!
//! Every operation returns its result and the exception flags it raises, in the bit positions of MXCSR and of
//! the x87 status word. [`Mxcsr::unmasked`] and [`Control::unmasked`] tell whether the destination may be written.
//!
//! **Invariant**: pure functions of their arguments; no floating-point environment of the host is read.
#![allow(
    clippy::cast_possible_truncation,
    reason = "bit fields are cut out of wider integers everywhere in this module"
)]

pub mod approximate;
pub mod fast;
mod soft;
pub mod sse;
#[cfg(all(test, target_arch = "x86_64"))]
mod sse_tests;
#[cfg(all(test, target_arch = "x86_64"))]
mod test_values;
pub mod x87;
pub mod x87_convert;
pub mod x87_fast;
#[cfg(all(test, target_arch = "x86_64"))]
mod x87_tests;
pub mod x87_transcendental;
#[cfg(all(test, target_arch = "x86_64"))]
mod x87_transcendental_tests;

/// Invalid operation.
pub const IE: u32 = 1;
/// Denormal operand.
pub const DE: u32 = 2;
/// Division of a finite number by zero.
pub const ZE: u32 = 4;
/// Overflow.
pub const OE: u32 = 8;
/// Underflow.
pub const UE: u32 = 16;
/// Precision: the result is not exact.
pub const PE: u32 = 32;
/// The exceptions found before computing; unmasked, they leave every destination as it was.
pub const PRE: u32 = IE | DE | ZE;

/// Rounding control, in the encoding of MXCSR, of the x87 control word and of `roundps`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// To nearest, ties to even.
    Nearest = 0,
    /// Towards minus infinity.
    Down = 1,
    /// Towards plus infinity.
    Up = 2,
    /// Towards zero.
    Zero = 3,
}

impl Round {
    /// From the low two bits of `bits`.
    #[must_use]
    #[inline]
    pub const fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            0 => Round::Nearest,
            1 => Round::Down,
            2 => Round::Up,
            _ => Round::Zero,
        }
    }
}

/// The value of the MXCSR register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mxcsr(pub u32);

impl Mxcsr {
    /// Rounding control.
    #[must_use]
    #[inline]
    pub const fn rc(self) -> Round {
        Round::from_bits(self.0 >> 13)
    }
    /// The same environment with another rounding control.
    #[must_use]
    #[inline]
    pub const fn with_rc(self, rc: Round) -> Self {
        Mxcsr(self.0 & !0x6000 | (rc as u32) << 13)
    }
    /// Denormals are zeros.
    #[must_use]
    #[inline]
    pub const fn daz(self) -> bool {
        self.0 & 0x40 != 0
    }
    /// Flush to zero.
    #[must_use]
    #[inline]
    pub const fn ftz(self) -> bool {
        self.0 & 0x8000 != 0
    }
    /// The masked exceptions.
    #[must_use]
    #[inline]
    pub const fn masks(self) -> u32 {
        self.0 >> 7 & 0x3f
    }
    /// Those of `raised` that are not masked: not zero means `#XM`, and no destination is written.
    #[must_use]
    #[inline]
    pub const fn unmasked(self, raised: u32) -> u32 {
        raised & !self.masks()
    }
}

/// The value of the x87 control word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control(pub u16);

impl Control {
    /// Rounding control.
    #[must_use]
    pub const fn rc(self) -> Round {
        Round::from_bits((self.0 >> 10) as u32)
    }
    /// The same environment with another rounding control.
    #[must_use]
    pub const fn with_rc(self, rc: Round) -> Self {
        Control(self.0 & !0xc00 | (rc as u16) << 10)
    }
    /// Precision control as bits of significand; the reserved encoding 1 counts as 64.
    #[must_use]
    pub const fn precision(self) -> u32 {
        match self.0 >> 8 & 3 {
            0 => 24,
            2 => 53,
            _ => 64,
        }
    }
    /// The masked exceptions.
    #[must_use]
    pub const fn masks(self) -> u32 {
        (self.0 & 0x3f) as u32
    }
    /// Those of `raised` that are not masked: not zero means that `#MF` is pending.
    #[must_use]
    pub const fn unmasked(self, raised: u32) -> u32 {
        raised & !self.masks()
    }
}

/// How two numbers compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// First less than second.
    Less,
    /// Equal; zeros of both signs are.
    Equal,
    /// First greater than second.
    Greater,
    /// One of them is not a number.
    Unordered,
}
