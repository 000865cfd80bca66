//! Random numbers with a taste for the edges.

use emu_core::cpu::F80;

/// A small generator (splitmix64): the same cases for the same seed everywhere.
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }
    /// True once in `n`.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    /// One of several.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    /// An integer: edges of every width, small ones, powers of two, random bits.
    pub fn integer(&mut self) -> u64 {
        match self.below(8) {
            0 => {
                self.pick(&[0, 1, u64::MAX, 1 << 63, i64::MAX as u64, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])
            }
            1 => self.pick(&[
                0x7f,
                0x80,
                0xff,
                0x7fff,
                0x8000,
                0xffff,
                0xffff_ffff_8000_0000,
                0x5555_5555_5555_5555,
            ]),
            2 => self.below(256),
            3 => self.below(256).wrapping_neg(),
            4 => 1 << self.below(64),
            5 => self.bits() >> self.below(64),
            _ => self.bits(),
        }
    }

    fn fraction(&mut self, bits: u32) -> u64 {
        let all = u64::MAX >> (64 - bits);
        match self.below(8) {
            0 | 1 => 0,
            2 => all,
            3 => 1,
            4 => 1 << self.below(u64::from(bits)),
            _ => self.bits() & all,
        }
    }

    /// A floating-point number with `e` exponent bits and `f` fraction bits.
    pub fn float(&mut self, e: u32, f: u32) -> u64 {
        let all = (1u64 << e) - 1;
        let bias = all >> 1;
        let exponent = match self.below(12) {
            0 => 0,
            1 => self.pick(&[0, 1, all, all - 1]),
            2 => all,
            3 => self.below(all + 1),
            4 => bias - self.below(u64::from(f).min(bias)),
            5 | 6 => bias + self.below(u64::from(f) + 8),
            _ => bias - 3 + self.below(7),
        }
        .min(all);
        (self.bits() & 1) << (e + f) | exponent << f | self.fraction(f)
    }

    /// 32 bytes of one kind of element.
    pub fn vector(&mut self) -> [u64; 4] {
        let kind = self.below(8);
        std::array::from_fn(|_| match kind {
            0 | 1 => self.float(8, 23) | self.float(8, 23) << 32,
            2 | 3 => self.float(11, 52),
            4 => self.integer(),
            5 => {
                let mut word = 0;
                for _ in 0..8 {
                    let byte = match self.below(4) {
                        0 => self.pick(&[0, 1, 0x7f, 0x80, 0xff]),
                        _ => self.bits() & 0xff,
                    };
                    word = word << 8 | byte;
                }
                word
            }
            6 => self.pick(&[0, u64::MAX]),
            _ => self.bits(),
        })
    }

    /// An 80-bit number, one in sixteen with an encoding the processor does not support.
    pub fn extended(&mut self) -> F80 {
        let exponent = match self.below(8) {
            0 => self.pick(&[0, 1, 0x7fff, 0x7ffe]),
            1 => self.below(0x8000),
            2 => {
                self.pick(&[16383 - 1022, 16383 + 1023, 16383 - 126, 16383 + 127, 16383 - 1074, 16383 - 149])
            }
            _ => 16383 - 4 + self.below(72),
        };
        let integer_bit = if self.one_in(16) { self.bits() & 1 } else { u64::from(exponent != 0) };
        F80 {
            mantissa: self.fraction(63) | integer_bit << 63,
            sign_exp: exponent as u16 | ((self.bits() & 1) << 15) as u16,
        }
    }
}
