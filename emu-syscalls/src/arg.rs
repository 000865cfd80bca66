//! Types of system-call arguments. A type says what a register means: width and sign, direction of a buffer and where
//! its length stands. Handlers get these values; the table gives [`ArgKind`] to strace, record, fuzzing and docs.
//!
//! **Invariant**: making an argument from a register never fails; checks belong to the handler, in Linux's order.

use crate::abi::errno::Errno;
use crate::observe::names::Names;

/// What an argument is, for those who print, record or fuzz it.
///
/// The type of an argument implies a kind; a row refines it with `as`: `flags: I32 as bits(&EFD)`, `buf: Addr as
/// out(S::Stat)`.
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
    /// A number of 32 bits with names.
    Named(&'static Names),
    /// A number of 64 bits with names.
    NamedLong(&'static Names),
    /// A number of 32 bits, told in hexadecimal.
    Hex32,
    /// A number of 64 bits, told in hexadecimal.
    Hex,
    /// Permission bits.
    Perm,
    /// File type and permission bits.
    Mode,
    /// Number of a device.
    Dev,
    /// Number of a user or group; -1 for none.
    Id,
    /// Number of a signal.
    Signal,
    /// The address of a NUL-terminated string that is no path.
    Str,
    /// The address of what has this shape.
    Mem(Dir, Shape),
    /// What it is depends on other arguments.
    By(Rule),
    /// Told with an argument before it.
    Silent,
}

/// Which way a structure goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dir {
    /// The kernel reads it.
    In,
    /// The kernel fills it.
    Out,
    /// The kernel reads and changes it.
    InOut,
}

/// What lies at an address. A number is the index of the argument that says how many elements or bytes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as the structures are in Linux")]
pub enum Shape {
    Int,
    Uint,
    Long,
    Hex64,
    Pointer,
    Pair,
    Stat,
    Statx,
    Statfs,
    Timespec,
    Timeval,
    Timevals,
    Timespecs,
    Timezone,
    Itimerval,
    Itimerspec,
    Utimbuf,
    Time,
    Sigset(u8),
    Sigaction,
    Siginfo,
    Sigevent,
    Stack,
    Rlimit,
    Rusage,
    Sysinfo,
    Utsname,
    Tms,
    Iovec(u8),
    RemoteIovec(u8),
    Msghdr,
    Mmsghdr(u8),
    Sockaddr(u8),
    SockaddrPtr(u8),
    WaitStatus,
    Pollfds(u8),
    EpollEvent,
    EpollEvents,
    Dirents,
    Dirents64,
    SchedParam,
    SchedAttr,
    CpuSet(u8),
    Nodes(u8),
    CapHeader,
    CapData,
    Gids(u8),
    Timex,
    CloneArgs(u8),
    OpenHow(u8),
    Sembufs(u8),
    Msgbuf(u8),
    MqAttr,
    Strings,
    Environment,
    Residency(u8),
    FileHandle,
    Iocbs(u8),
    Iocb,
    IoEvents,
    FutexWaiters(u8),
    SigsetSized,
    MpolMode,
    TimerId,
    CStr,
    Xattrs(u8),
}

/// How an argument that depends on others is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the call or the argument")]
pub enum Rule {
    /// Flags of open(2) with the access mode.
    OpenFlags,
    /// Permission bits if the flags with this index make a file.
    OpenMode(u8),
    /// A device if the mode with this index says so.
    MknodDev(u8),
    SocketType,
    /// Protocol of the family in argument 0.
    Protocol,
    SockOptName,
    SockOptVal,
    MmapFlags,
    /// Only if the flags with this index have MREMAP_FIXED.
    MremapAddress(u8),
    IpcKey,
    /// Permission bits and flags.
    IpcFlags(&'static Names),
    IpcCtlArg,
    Ioctl,
    IoctlArg,
    Fcntl,
    Prctl,
    ArchPrctl,
    Futex,
    Clone,
    Poll,
    Select,
    Ptrace,
    Remain,
    Offset,
    Priority,
    Ioprio,
    Syslog,
    Restart,
    Sigreturn,
    AtStatx,
    Personality,
    MpolMode,
    Kcmp,
    MsgType,
    Splice,
    Key,
    Keyctl,
    Seccomp,
    Userfaultfd,
    FanotifyInit,
    FanotifyDir,
    Landlock,
    Fsconfig,
    MovePages,
    MountAttr,
    Bpf,
    PerfAttr,
}

/// Short forms for the rows of the table.
pub mod kind {
    use super::{ArgKind, Dir, Rule, Shape};
    use crate::observe::names::Names;

    /// A number of 32 bits with names.
    #[must_use]
    pub const fn names(list: &'static Names) -> ArgKind {
        ArgKind::Named(list)
    }
    /// A number of 64 bits with names.
    #[must_use]
    pub const fn names64(list: &'static Names) -> ArgKind {
        ArgKind::NamedLong(list)
    }
    /// The kernel reads it.
    #[must_use]
    pub const fn inp(shape: Shape) -> ArgKind {
        ArgKind::Mem(Dir::In, shape)
    }
    /// The kernel fills it.
    #[must_use]
    pub const fn out(shape: Shape) -> ArgKind {
        ArgKind::Mem(Dir::Out, shape)
    }
    /// The kernel reads and changes it.
    #[must_use]
    pub const fn inout(shape: Shape) -> ArgKind {
        ArgKind::Mem(Dir::InOut, shape)
    }
    /// What it is depends on other arguments.
    #[must_use]
    pub const fn by(rule: Rule) -> ArgKind {
        ArgKind::By(rule)
    }
}

/// How a result is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Returns {
    /// A signed number.
    #[default]
    Int,
    /// An address or another number in hexadecimal.
    Hex,
    /// In octal.
    Oct,
    /// A descriptor.
    Fd,
    /// A scheduling policy.
    Policy,
    /// Seconds since 1970.
    Time,
    /// What `restart` or a signal handler's return gives back.
    Saved,
    /// Depends on the operation: fcntl(2), prctl(2) and the like.
    Special,
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
