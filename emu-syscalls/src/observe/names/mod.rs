//! Names of the numbers that arguments hold. The rows of the table say which list an argument takes; this is data only.
//!
//! **Invariant**: a list of bits is in the order in which strace(1) prints them; a list of single values is looked up.

#[rustfmt::skip]
pub mod file;
#[rustfmt::skip]
pub mod kernel;
#[rustfmt::skip]
pub mod misc;
#[rustfmt::skip]
pub mod net;
#[rustfmt::skip]
pub mod task;

/// How the values of a list combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// Bits, joined by `|`.
    Bits,
    /// One of them.
    One,
}

/// Names of the values of an argument.
#[derive(PartialEq, Eq)]
pub struct Names {
    /// How they combine.
    pub combine: Combine,
    /// What a comment says about a value without a name.
    pub unknown: &'static str,
    /// Values and names.
    pub list: &'static [(u64, &'static str)],
}

impl Names {
    /// Bits.
    #[must_use]
    pub const fn bits(unknown: &'static str, list: &'static [(u64, &'static str)]) -> Self {
        Names { combine: Combine::Bits, unknown, list }
    }
    /// Single values.
    #[must_use]
    pub const fn one(unknown: &'static str, list: &'static [(u64, &'static str)]) -> Self {
        Names { combine: Combine::One, unknown, list }
    }
    /// The name of exactly this value.
    #[must_use]
    pub fn name(&self, value: u64) -> Option<&'static str> {
        self.list.iter().find(|(known, _)| *known == value).map(|(_, name)| *name)
    }
    /// The names of the bits that are set, and the bits without a name.
    #[must_use]
    pub fn split(&self, value: u64) -> (Vec<&'static str>, u64) {
        let mut rest = value;
        let mut names = Vec::new();
        for (bits, name) in self.list {
            if *bits != 0 && rest & bits == *bits {
                names.push(*name);
                rest &= !bits;
            }
        }
        (names, rest)
    }
    /// The value as strace(1) prints it: names, or the number and a comment.
    #[must_use]
    pub fn text(&self, value: u64) -> String {
        if let Some(name) = self.name(value) {
            return name.to_owned();
        }
        if self.combine == Combine::One {
            return format!("{value:#x} /* {} */", self.unknown);
        }
        let (names, rest) = self.split(value);
        match (names.is_empty(), rest) {
            (true, 0) => "0".to_owned(),
            (true, rest) => format!("{rest:#x} /* {} */", self.unknown),
            (false, 0) => names.join("|"),
            (false, rest) => format!("{}|{rest:#x}", names.join("|")),
        }
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.unknown)
    }
}
