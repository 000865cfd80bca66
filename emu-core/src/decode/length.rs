//! How many bytes the processor reads of an instruction, defined or not.
//!
//! The decoder says of a valid instruction how long it is, and of all else that it is invalid, or that it wants more
//! bytes; a processor reads an undefined encoding as far as its opcode promises, and only then refuses it. Where a page
//! or the fifteen bytes end before, that comes first. The shapes are as seen on processors of the vendor that CPUID
//! names.
//!
//! **Invariant**: for a valid instruction it is the length that the decoder gives.

/// One bit for each opcode of a map.
struct Set([u64; 4]);

impl Set {
    const fn of(ranges: &[(u8, u8)]) -> Set {
        let mut bits = [0; 4];
        let mut i = 0;
        while i < ranges.len() {
            let mut op = ranges[i].0 as usize;
            while op <= ranges[i].1 as usize {
                bits[op >> 6] |= 1 << (op & 63);
                op += 1;
            }
            i += 1;
        }
        Set(bits)
    }

    fn has(&self, op: u8) -> bool {
        self.0[usize::from(op >> 6)] >> (op & 63) & 1 != 0
    }
}

/// Opcodes of one byte with a ModRM byte.
const ONE_MODRM: Set = Set::of(&[
    (0x00, 0x03),
    (0x08, 0x0b),
    (0x10, 0x13),
    (0x18, 0x1b),
    (0x20, 0x23),
    (0x28, 0x2b),
    (0x30, 0x33),
    (0x38, 0x3b),
    (0x63, 0x63),
    (0x69, 0x69),
    (0x6b, 0x6b),
    (0x80, 0x8f),
    (0xc0, 0xc1),
    (0xc6, 0xc7),
    (0xd0, 0xd3),
    (0xd8, 0xdf),
    (0xf6, 0xf7),
    (0xfe, 0xff),
]);

/// Opcodes of one byte with an immediate of one byte.
const ONE_BYTE: Set = Set::of(&[
    (0x04, 0x04),
    (0x0c, 0x0c),
    (0x14, 0x14),
    (0x1c, 0x1c),
    (0x24, 0x24),
    (0x2c, 0x2c),
    (0x34, 0x34),
    (0x3c, 0x3c),
    (0x6a, 0x6b),
    (0x70, 0x80),
    (0x82, 0x83),
    (0xa8, 0xa8),
    (0xb0, 0xb7),
    (0xc0, 0xc1),
    (0xc6, 0xc6),
    (0xcd, 0xcd),
    (0xd4, 0xd5),
    (0xe0, 0xe7),
    (0xeb, 0xeb),
]);

/// Opcodes of one byte with an immediate as wide as the operands, at most four bytes.
const ONE_WIDE: Set = Set::of(&[
    (0x05, 0x05),
    (0x0d, 0x0d),
    (0x15, 0x15),
    (0x1d, 0x1d),
    (0x25, 0x25),
    (0x2d, 0x2d),
    (0x35, 0x35),
    (0x3d, 0x3d),
    (0x68, 0x69),
    (0x81, 0x81),
    (0xa9, 0xa9),
    (0xb8, 0xbf),
    (0xc7, 0xc7),
    (0xe8, 0xe9),
]);

/// Opcodes behind 0F without a ModRM byte.
const TWO_BARE: Set = Set::of(&[
    (0x04, 0x0c),
    (0x0e, 0x0e),
    (0x20, 0x27),
    (0x30, 0x3f),
    (0x77, 0x77),
    (0x7a, 0x7b),
    (0x80, 0x8f),
    (0xa0, 0xa2),
    (0xa6, 0xaa),
    (0xb9, 0xb9),
    (0xc8, 0xcf),
    (0xff, 0xff),
]);

/// Opcodes behind 0F with an immediate of one byte.
const TWO_BYTE: Set = Set::of(&[
    (0x0f, 0x0f),
    (0x70, 0x73),
    (0xa4, 0xa4),
    (0xac, 0xac),
    (0xba, 0xba),
    (0xc2, 0xc2),
    (0xc4, 0xc6),
]);

/// What stands behind an opcode.
struct Shape {
    modrm: bool,
    /// Bytes of the immediate.
    rest: usize,
}

/// The bytes of an instruction, read one after the other.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes of an immediate as wide as the operands.
    wide: usize,
    /// Prefix 67.
    narrow: bool,
    /// A REX prefix.
    rex: bool,
    /// REX.W.
    long: bool,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The prefixes, and the byte behind them.
    fn opcode(&mut self) -> Option<u8> {
        loop {
            let byte = self.next()?;
            match byte {
                0x66 => self.wide = 2,
                0x67 => self.narrow = true,
                0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0xf0 | 0xf2 | 0xf3 => {}
                0x40..=0x4f => {
                    self.long = byte & 8 != 0;
                    let behind = *self.bytes.get(self.at)?;
                    if !matches!(behind, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3)
                    {
                        if self.long {
                            self.wide = 4;
                        }
                        self.rex = true;
                        self.at += 1;
                        return Some(behind);
                    }
                    self.long = false;
                }
                _ => return Some(byte),
            }
        }
    }

    fn one(&mut self, op: u8) -> Option<Shape> {
        let mut rest = usize::from(ONE_BYTE.has(op)) + if ONE_WIDE.has(op) { self.wide } else { 0 };
        match op {
            0xb8..=0xbf if self.long => rest = 8,
            0x9a | 0xea => rest = self.wide + 2,
            0xa0..=0xa3 => rest = if self.narrow { 4 } else { 8 },
            0xc2 | 0xca => rest = 2,
            0xc8 => rest = 3,
            0xf6 if self.bytes.get(self.at)? & 0x30 == 0 => rest = 1,
            0xf7 if self.bytes.get(self.at)? & 0x30 == 0 => rest = self.wide,
            _ => {}
        }
        Some(Shape { modrm: ONE_MODRM.has(op), rest })
    }

    fn two(&self, op: u8) -> Shape {
        let rest = match op {
            // Always registers, whatever the mode says.
            0x20..=0x23 => 1,
            0x78 => 2,
            0x80..=0x8f => self.wide,
            _ => usize::from(TWO_BYTE.has(op)),
        };
        Shape { modrm: !TWO_BARE.has(op), rest }
    }

    /// ModRM, SIB and displacement.
    fn operand(&mut self) -> Option<()> {
        let modrm = self.next()?;
        let (mode, mut base) = (modrm >> 6, modrm & 7);
        if mode == 3 {
            return Some(());
        }
        if base == 4 {
            base = self.next()? & 7;
        }
        self.at += match mode {
            0 if base == 5 => 4,
            1 => 1,
            2 => 4,
            _ => 0,
        };
        Some(())
    }
}

/// How many bytes the processor reads of the instruction that `bytes` begin with, more than there are where they
/// break off.
pub(super) fn length(bytes: &[u8]) -> usize {
    let r = Reader { bytes, at: 0, wide: 4, narrow: false, rex: false, long: false };
    read(r).unwrap_or(usize::MAX)
}

fn read(mut r: Reader<'_>) -> Option<usize> {
    let op = r.opcode()?;
    let shape = match op {
        0x0f => match r.next()? {
            0x38 => {
                r.next()?;
                Shape { modrm: true, rest: 0 }
            }
            0x3a => {
                r.next()?;
                Shape { modrm: true, rest: 1 }
            }
            op => r.two(op),
        },
        // LES, LDS and BOUND, as in 32-bit mode.
        0x62 | 0xc4 | 0xc5 if r.rex => Shape { modrm: true, rest: 0 },
        0xc5 => {
            r.next()?;
            let op = r.next()?;
            r.two(op)
        }
        0xc4 => {
            let map = r.next()? & 31;
            r.next()?;
            let op = r.next()?;
            match map {
                1 => r.two(op),
                _ => Shape { modrm: true, rest: usize::from(map == 3) },
            }
        }
        0x62 => {
            let map = r.next()? & 7;
            r.next()?;
            r.next()?;
            r.next()?;
            Shape { modrm: true, rest: usize::from(map == 3) }
        }
        // What XOP would be.
        0x8f if !r.rex && *r.bytes.get(r.at)? & 0x38 != 0 => {
            let map = r.next()? & 31;
            r.next()?;
            r.next()?;
            Shape { modrm: true, rest: if map == 10 { 4 } else { 0 } }
        }
        op => r.one(op)?,
    };
    if shape.modrm {
        r.operand()?;
    }
    Some(r.at + shape.rest)
}

#[cfg(test)]
mod tests {
    use super::super::{OPTIONS, features};
    use super::length;
    use iced_x86::{Decoder, Mnemonic};

    #[test]
    fn a_valid_instruction_has_the_length_the_decoder_gives() {
        const STARTS: [&[u8]; 8] =
            [&[], &[], &[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a], &[0x66, 0x0f], &[0xc5], &[0xc4, 0xe3]];
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut seen = 0;
        for i in 0..400_000 {
            let mut bytes = [0; 15];
            for byte in &mut bytes {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = (state >> 32) as u8;
            }
            let start = STARTS[i % STARTS.len()];
            bytes[..start.len()].copy_from_slice(start);
            let ins = Decoder::with_ip(64, &bytes, 0, OPTIONS).decode();
            let refused = features::lowest_for(ins.code()).is_none() || ins.mnemonic() == Mnemonic::Ud1;
            if ins.is_invalid() || refused {
                continue;
            }
            seen += 1;
            assert_eq!(length(&bytes), ins.len(), "{bytes:02x?} {:?}", ins.code());
            for n in 0..ins.len() {
                assert!(length(&bytes[..n]) > n, "{:02x?} {:?}", &bytes[..n], ins.code());
            }
        }
        assert!(seen > 50_000, "only {seen}");
    }

    #[test]
    fn an_undefined_encoding_is_read_as_far_as_its_opcode_promises() {
        let whole: [&[u8]; 12] = [
            &[0x06],
            &[0x0f, 0x04],
            &[0x0f, 0xb9],
            &[0xdb, 0xfc],
            &[0x0f, 0x38, 0xff, 0xc0],
            &[0x0f, 0x3a, 0xff, 0xc0, 0],
            &[0x82, 0x80, 0, 0, 0, 0, 0],
            &[0x66, 0x9a, 0, 0, 0, 0],
            &[0xfe, 0x95, 0, 0, 0, 0],
            &[0xc4, 0xe4, 0x78, 0, 0xc0],
            &[0x8f, 0xe8, 0x78, 0xc0, 0xc0],
            &[0x0f, 0x78, 0xc0, 0, 0],
        ];
        for bytes in whole {
            assert_eq!(length(bytes), bytes.len(), "{bytes:02x?}");
            assert!((0..bytes.len()).all(|n| length(&bytes[..n]) > n), "{bytes:02x?}");
        }
    }
}
