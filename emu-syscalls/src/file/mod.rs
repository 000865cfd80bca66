//! Open files: what a descriptor refers to.
//!
//! Key types: [`OpenFile`] (flags, position, references), [`File`] (which kind), [`FileOps`] (what every kind answers).
//! One file a kind in this folder, each of the same shape: state, `impl FileOps`, and functions of its own calls.
//!
//! **Invariant**: a kind is a small value (ids); its state lies in an arena of the kernel, so an operation may borrow the
//! whole kernel.

use crate::abi::errno::Errno;
use crate::arena::id;
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::kernel::Kernel;
use crate::mm::map::{MapRequest, MapSource};
use crate::task::wait::{OnSignal, Wait, WaitKey};
use crate::vfs::Loc;
use crate::vfs::stat::Owned;

pub mod dev;
pub mod dir;
pub mod epoll;
pub mod eventfd;
pub mod fanotify;
pub mod fdtable;
pub mod inotify;
pub mod jobctl;
pub mod ldisc;
#[cfg(test)]
mod ldisc_tests;
pub mod ns;
pub mod pidfd;
pub mod pipe;
pub mod pty;
pub mod regular;
pub mod sigio;
pub mod signalfd;
pub mod socket;
pub mod stream;
pub mod timerfd;
pub mod tty;
pub(crate) mod tty_ioctl;
pub mod userfault;

id! {
    /// An open file description.
    FileId;
}

bitflags::bitflags! {
    /// Readiness as poll(2) reports it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Ready: u32 {
        /// Data to read.
        const IN = 1;
        /// Urgent data.
        const PRI = 2;
        /// Room to write.
        const OUT = 4;
        /// An error.
        const ERR = 8;
        /// Hung up.
        const HUP = 0x10;
        /// Peer closed its writing half.
        const RDHUP = 0x2000;
        /// Same as IN.
        const RDNORM = 0x40;
        /// Same as OUT.
        const WRNORM = 0x100;
    }
}

/// Open flags that change behaviour after open (fcntl F_GETFL).
pub mod flags {
    /// Access mode mask: 0 read, 1 write, 2 both.
    pub const O_ACCMODE: u32 = 3;
    /// Write only.
    pub const O_WRONLY: u32 = 1;
    /// Read and write.
    pub const O_RDWR: u32 = 2;
    /// Create.
    pub const O_CREAT: u32 = 0o100;
    /// Exclusively.
    pub const O_EXCL: u32 = 0o200;
    /// Do not make it the controlling terminal.
    pub const O_NOCTTY: u32 = 0o400;
    /// Truncate.
    pub const O_TRUNC: u32 = 0o1000;
    /// Writes go to the end.
    pub const O_APPEND: u32 = 0o2000;
    /// Do not block.
    pub const O_NONBLOCK: u32 = 0o4000;
    /// Synchronised data.
    pub const O_DSYNC: u32 = 0o10000;
    /// Signal-driven.
    pub const O_ASYNC: u32 = 0o20000;
    /// No page cache.
    pub const O_DIRECT: u32 = 0o40000;
    /// Large file.
    pub const O_LARGEFILE: u32 = 0o100_000;
    /// Must be a directory.
    pub const O_DIRECTORY: u32 = 0o200_000;
    /// Do not follow a link.
    pub const O_NOFOLLOW: u32 = 0o400_000;
    /// No access times.
    pub const O_NOATIME: u32 = 0o1_000_000;
    /// Close on exec: a flag of the descriptor.
    pub const O_CLOEXEC: u32 = 0o2_000_000;
    /// Synchronised.
    pub const O_SYNC: u32 = 0o4_010_000;
    /// Only a reference to a place.
    pub const O_PATH: u32 = 0o10_000_000;
    /// Unnamed file.
    pub const O_TMPFILE: u32 = 0o20_200_000;
}

/// Which kind a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// A pipe's end, or a FIFO.
    Pipe(pipe::PipeEnd),
    /// A standard stream of the host that is not a terminal.
    Stream(stream::StreamFile),
    /// An epoll instance.
    Epoll(epoll::EpollFile),
    /// A terminal.
    Tty(tty::TtyFile),
    /// A counter.
    EventFd(eventfd::EventFdFile),
    /// A timer.
    TimerFd(timerfd::TimerFdFile),
    /// Signals as a file.
    SignalFd(signalfd::SignalFdFile),
    /// A process.
    PidFd(pidfd::PidFdFile),
    /// An inotify instance.
    Inotify(inotify::InotifyFile),
    /// A fanotify group.
    Fanotify(fanotify::FanotifyFile),
    /// The master of a pseudo-terminal.
    Master(pty::MasterFile),
    /// A device that is not a terminal.
    Dev(dev::DevFile),
    /// A regular file.
    Regular(regular::RegularFile),
    /// A made-up file.
    Synth(regular::SynthFile),
    /// A directory.
    Dir(dir::DirFile),
    /// Only a place (O_PATH).
    Path(dir::PathFile),
    /// A socket.
    Socket(socket::SocketFile),
    /// A namespace.
    Ns(ns::NsFile),
    /// Faults that user space answers.
    Uffd(userfault::UffdFile),
    /// A ruleset of Landlock.
    Ruleset(crate::landlock::RulesetFile),
    /// A POSIX message queue.
    Mq(crate::ipc::mqueue::MqFile),
}

/// An open file description.
#[derive(Debug, Clone)]
pub struct OpenFile {
    /// Which kind.
    pub kind: File,
    /// O_* status flags and access mode.
    pub flags: u32,
    /// File position in bytes.
    pub pos: u64,
    /// Descriptors and messages in flight that refer to it.
    pub refs: u32,
    /// The place it was opened at.
    pub loc: Option<Loc>,
    /// Who gets its signals: kind (F_OWNER_*) and number, and which signal (F_SETOWN, F_SETSIG).
    pub owner: (i32, i32, i32),
    /// The descriptor through which O_ASYNC was set.
    pub async_fd: i32,
    /// Opening it made it (F_CREATED_QUERY).
    pub created: bool,
    /// What Landlock took away when it was opened (`TRUNCATE`, `IOCTL_DEV`).
    pub denied: u64,
    /// What is done with it is no event (a listener's look at one).
    pub quiet: bool,
}

/// What a read meets user memory with, for when a part of that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextRead {
    /// As many bytes as there is room for.
    Bytes,
    /// So many bytes, or none of them: they stay. 0 if there are none.
    Piece(usize),
    /// A message, which is gone even if it cannot be copied.
    Message,
}

/// What every kind of file answers. The defaults are those of a file that cannot do it.
pub(crate) trait FileOps {
    /// Reads at most `max` bytes at `pos` (`None`: no position, or the file's own, which the caller advances).
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, pos: u64) -> Result<Vec<u8>, Stop> {
        let _ = (ctx, id, max, pos);
        Err(Errno::EINVAL.into())
    }
    /// Writes some of `data` at `pos`.
    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], pos: u64) -> Result<usize, Stop> {
        let _ = (ctx, id, data, pos);
        Err(Errno::EINVAL.into())
    }
    /// How many bytes a write copies from user memory at a time: of a piece with a byte that is not there, nothing is
    /// written.
    fn write_piece(&self, k: &Kernel) -> usize {
        let _ = k;
        1
    }
    /// Whether each range of a vector is a write of its own (a file with no `write_iter`).
    fn by_range(&self) -> bool {
        false
    }
    /// What a read of a file without positions copies to user memory first.
    fn next_read(&self, k: &Kernel) -> NextRead {
        let _ = k;
        NextRead::Bytes
    }
    /// Whether it has positions (`ESPIPE` otherwise for pread and lseek).
    fn seekable(&self) -> bool {
        false
    }
    /// Whether epoll can watch it; regular files, directories and the like cannot be (`EPERM`).
    fn pollable(&self) -> bool {
        !self.seekable()
    }
    /// What could be done now without blocking.
    fn ready(&self, k: &mut Kernel, host: &mut dyn crate::seam::Host, id: FileId) -> Ready {
        let _ = (k, host, id);
        Ready::IN | Ready::OUT | Ready::RDNORM | Ready::WRNORM
    }
    /// What to wait for until readiness changes.
    fn wait_keys(&self, k: &Kernel, id: FileId) -> Vec<WaitKey> {
        let _ = k;
        vec![WaitKey::File(id)]
    }
    /// `ioctl(2)` after the requests that every file knows.
    fn ioctl(&self, ctx: &mut Ctx<'_>, id: FileId, request: u32, arg: Addr) -> SysResult {
        let _ = (ctx, id, request, arg);
        Err(Errno::ENOTTY.into())
    }
    /// What a mapping of it maps. The access mode was checked. `ENODEV` for what cannot be mapped.
    fn mmap(&self, ctx: &mut Ctx<'_>, id: FileId, request: &MapRequest) -> Result<MapSource, Errno> {
        let _ = (ctx, id, request);
        Err(Errno::ENODEV)
    }
    /// Attributes, for a file that is no inode of a file system.
    fn stat(&self, k: &Kernel, id: FileId) -> crate::vfs::Stat {
        let _ = k;
        crate::vfs::Stat::anonymous(u64::from(id.0), 0o600)
    }
    /// Its permission bits and owner, if they can be changed.
    fn owned<'a>(&self, k: &'a mut Kernel) -> Option<&'a mut Owned> {
        let _ = k;
        None
    }
    /// Opens the same thing anew through /proc/PID/fd. `ENXIO` if that cannot be (sockets, eventfd ...).
    fn reopen(&self, ctx: &mut Ctx<'_>, id: FileId, flags: u32) -> Result<File, Stop> {
        let _ = (ctx, id, flags);
        Err(Errno::ENXIO.into())
    }
    /// The last reference is gone.
    fn release(&self, k: &mut Kernel, id: FileId) {
        let _ = (k, id);
    }
    /// What /proc/PID/fd shows for a file without a place, for example `pipe:[7]`.
    fn describe(&self, k: &Kernel, id: FileId) -> String;
}

impl File {
    /// The operations of the kind.
    pub(crate) fn ops(&self) -> &dyn FileOps {
        match self {
            File::Pipe(file) => file,
            File::Stream(file) => file,
            File::Epoll(file) => file,
            File::Tty(file) => file,
            File::EventFd(file) => file,
            File::TimerFd(file) => file,
            File::SignalFd(file) => file,
            File::PidFd(file) => file,
            File::Inotify(file) => file,
            File::Fanotify(file) => file,
            File::Master(file) => file,
            File::Dev(file) => file,
            File::Regular(file) => file,
            File::Synth(file) => file,
            File::Dir(file) => file,
            File::Path(file) => file,
            File::Socket(file) => file,
            File::Ns(file) => file,
            File::Uffd(file) => file,
            File::Mq(file) => file,
            File::Ruleset(file) => file,
        }
    }
}

impl OpenFile {
    /// A new description with one reference.
    #[must_use]
    pub fn new(kind: File, flags: u32) -> Self {
        OpenFile {
            kind,
            flags,
            pos: 0,
            refs: 1,
            loc: None,
            owner: (0, 0, 0),
            async_fd: -1,
            created: false,
            denied: 0,
            quiet: false,
        }
    }
    /// Whether reads are allowed.
    #[must_use]
    pub fn readable(&self) -> bool {
        matches!(self.flags & flags::O_ACCMODE, 0 | flags::O_RDWR) && self.flags & flags::O_PATH == 0
    }
    /// Whether writes are allowed.
    #[must_use]
    pub fn writable(&self) -> bool {
        matches!(self.flags & flags::O_ACCMODE, flags::O_WRONLY | flags::O_RDWR)
            && self.flags & flags::O_PATH == 0
    }
}

impl Ctx<'_> {
    /// `EAGAIN` for a non-blocking file, else a wait for what changes its readiness.
    pub(crate) fn block_on(&self, id: FileId) -> Stop {
        let Some(file) = self.k.files.get(id) else { return Errno::EBADF.into() };
        if file.flags & flags::O_NONBLOCK != 0 {
            return Errno::EAGAIN.into();
        }
        Stop::Block(Wait::any(file.kind.ops().wait_keys(self.k, id), None, OnSignal::Restart))
    }
}
