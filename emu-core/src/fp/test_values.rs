//! Random numbers with a taste for the edges, for the tests against the hardware.

/// A small generator (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    /// A fraction of `bits` bits: random, or few ones or zeros in a row.
    pub(super) fn fraction(&mut self, bits: u32) -> u64 {
        let all = u64::MAX >> (64 - bits);
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => all,
            3 => all - 1,
            4 => all << self.below(u64::from(bits)) & all,
            5 => 1 << self.below(u64::from(bits)),
            _ => self.next() & all,
        }
    }
    /// A number of a format with `e` exponent bits and `f` fraction bits.
    pub(super) fn float(&mut self, e: u32, f: u32) -> u64 {
        let all = (1u64 << e) - 1;
        let bias = all >> 1;
        let exponent = match self.below(10) {
            0 => 0,
            1 => 1,
            2 => all,
            3 => all - 1,
            4 => self.below(all + 1),
            5 => bias - self.below(u64::from(f) + 4),
            6 => bias + self.below(u64::from(f) + 14),
            7 => self.below(u64::from(f) + 4),
            _ => bias - 2 + self.below(5),
        }
        .min(all);
        (self.next() & 1) << (e + f) | exponent << f | self.fraction(f)
    }
}
