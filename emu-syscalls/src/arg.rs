//! Types of system-call arguments. A type says what a register means: width and sign, direction of a buffer and where
//! its length stands. Handlers get these values; the table gives [`ArgKind`] to strace, record, fuzzing and docs.
//!
//! **Invariant**: making an argument from a register never fails; checks belong to the handler, in Linux's order.

use crate::abi::errno::Errno;

/// What an argument is, for those who print, record or fuzz it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    /// A file descriptor.
    Fd,
    /// A directory descriptor or `AT_FDCWD`.
    DirFd,
    /// A process, thread or group number.
    Pid,
    /// A signed 32-bit number.
    I32,
    /// An unsigned 32-bit number.
    U32,
    /// A signed 64-bit number.
    I64,
    /// An unsigned 64-bit number.
    U64,
    /// A length in bytes.
    Len,
    /// An address whose meaning the handler knows.
    Addr,
    /// The address of a NUL-terminated string.
    Path,
    /// A buffer the kernel fills; its length is the argument with this index.
    OutBuf(u8),
    /// A buffer the kernel reads; its length is the argument with this index.
    InBuf(u8),
}

/// An argument type.
pub trait Arg: Sized {
    /// What it is.
    const KIND: ArgKind;
    /// From the register, truncated as the ABI says (an `int` is the low 32 bits).
    fn from_reg(reg: u64) -> Self;
}

macro_rules! args {
    ($($(#[$doc:meta])* $name:ident($inner:ty), $kind:expr, $reg:ident => $from:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub $inner);
        impl Arg for $name {
            const KIND: ArgKind = $kind;
            #[allow(clippy::cast_possible_truncation, reason = "the ABI truncates")]
            fn from_reg($reg: u64) -> Self {
                $name($from)
            }
        }
    )*};
}

args! {
    /// A file descriptor.
    Fd(i32), ArgKind::Fd, reg => (reg as u32).cast_signed();
    /// A directory descriptor, or [`DirFd::CWD`].
    DirFd(i32), ArgKind::DirFd, reg => (reg as u32).cast_signed();
    /// A process, thread or process-group number, as `pid_t`.
    Pid(i32), ArgKind::Pid, reg => (reg as u32).cast_signed();
    /// `int`
    I32(i32), ArgKind::I32, reg => (reg as u32).cast_signed();
    /// `unsigned int`
    U32(u32), ArgKind::U32, reg => reg as u32;
    /// `long`
    I64(i64), ArgKind::I64, reg => reg.cast_signed();
    /// `unsigned long`
    U64(u64), ArgKind::U64, reg => reg;
    /// `size_t`, in bytes
    Len(u64), ArgKind::Len, reg => reg;
    /// A user address.
    Addr(u64), ArgKind::Addr, reg => reg;
    /// The address of a NUL-terminated string.
    Path(u64), ArgKind::Path, reg => reg;
}

impl DirFd {
    /// `AT_FDCWD`: relative names start at the working directory.
    pub const CWD: DirFd = DirFd(-100);
}

impl Addr {
    /// The null pointer.
    pub const NULL: Addr = Addr(0);
    /// `None` for the null pointer.
    #[must_use]
    pub fn non_null(self) -> Option<Addr> {
        (self.0 != 0).then_some(self)
    }
    /// The address `offset` bytes on (wrapping, as user pointers do).
    #[must_use]
    pub fn at(self, offset: u64) -> Addr {
        Addr(self.0.wrapping_add(offset))
    }
}

/// A buffer the kernel fills; the length is argument `LEN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutBuf<const LEN: u8>(pub u64);
impl<const LEN: u8> Arg for OutBuf<LEN> {
    const KIND: ArgKind = ArgKind::OutBuf(LEN);
    fn from_reg(reg: u64) -> Self {
        OutBuf(reg)
    }
}
impl<const LEN: u8> OutBuf<LEN> {
    /// The address.
    #[must_use]
    pub fn addr(self) -> Addr {
        Addr(self.0)
    }
}

/// A buffer the kernel reads; the length is argument `LEN`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InBuf<const LEN: u8>(pub u64);
impl<const LEN: u8> Arg for InBuf<LEN> {
    const KIND: ArgKind = ArgKind::InBuf(LEN);
    fn from_reg(reg: u64) -> Self {
        InBuf(reg)
    }
}
impl<const LEN: u8> InBuf<LEN> {
    /// The address.
    #[must_use]
    pub fn addr(self) -> Addr {
        Addr(self.0)
    }
}

/// `EINVAL` unless `bits` holds only bits of `known`.
pub fn known_bits(bits: u32, known: u32) -> Result<(), Errno> {
    if bits & !known == 0 { Ok(()) } else { Err(Errno::EINVAL) }
}
