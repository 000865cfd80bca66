//! The seam: everything that does not follow from the machine's state enters through [`Host`].
//!
//! Key types: [`Host`], [`Stream`], [`HostPath`]. The command line implements it on the real host; recording wraps it,
//! replay replaces it, deterministic mode has no host behind it, tests script it ([`scripted`]).
//!
//! **Invariant**: the kernel reaches the host by no other way, and no method hands out a host handle.

use serde::{Deserialize, Serialize};

use crate::abi::errno::Errno;

pub mod deterministic;
mod predict;
pub mod record;
pub mod replay;
pub mod scripted;
pub mod trace;

/// A standard stream of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stream {
    /// Standard input.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a standard stream is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum StreamKind {
    /// Closed.
    #[default]
    Closed,
    /// A terminal: the guest gets a terminal of ours, with our line discipline; bytes pass raw.
    Terminal,
    /// A pipe, or a socket.
    Pipe,
    /// A regular file of this size in bytes.
    File(u64),
    /// A character device such as /dev/null.
    CharDevice,
}

/// Size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WindowSize {
    /// Lines.
    pub rows: u16,
    /// Columns.
    pub cols: u16,
}

/// A directory that the user shares with the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShareId(pub u16);

/// A file of the host: a share and a path below it, without leading slash, `..` or empty components; empty for the
/// share itself. Symbolic links are not followed in the last component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPath {
    /// Which share.
    pub share: ShareId,
    /// The path below it.
    pub path: Vec<u8>,
}

/// Kind of a host file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostFileKind {
    /// Regular file.
    File,
    /// Directory.
    Dir,
    /// Symbolic link.
    Symlink,
    /// Anything else; the guest sees a regular file that cannot be opened.
    Other,
}

/// Attributes of a host file. Owners are what the guest shall see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStat {
    /// Kind.
    pub kind: HostFileKind,
    /// Permission bits, with set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
    /// Number of links.
    pub nlink: u32,
    /// Last access, ns since 1970.
    pub atime_ns: i64,
    /// Last modification, ns since 1970.
    pub mtime_ns: i64,
    /// Last change, ns since 1970.
    pub ctime_ns: i64,
    /// A number that two names of one file share (device and inode hashed), 0 if unknown.
    pub identity: u64,
}

/// An entry of a host directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEntry {
    /// Its name.
    pub name: Vec<u8>,
    /// Its kind.
    pub kind: HostFileKind,
}

/// A change to a writable share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostChange {
    /// Make an empty regular file (exclusively).
    CreateFile(HostPath, u32),
    /// Make a directory.
    CreateDir(HostPath, u32),
    /// Make a symbolic link with this target.
    CreateSymlink(HostPath, Vec<u8>),
    /// Make a hard link from the first to the second.
    Link(HostPath, HostPath),
    /// Rename, replacing.
    Rename(HostPath, HostPath),
    /// Remove a name that is not a directory.
    Unlink(HostPath),
    /// Remove an empty directory.
    RemoveDir(HostPath),
    /// Set the size in bytes.
    Truncate(HostPath, u64),
    /// Set the permission bits.
    Chmod(HostPath, u32),
    /// Set access and modification times in ns since 1970; `None` leaves one alone.
    SetTimes(HostPath, Option<i64>, Option<i64>),
}

/// Something that happened on the host while the machine ran: an interrupt to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostEvent {
    /// A stream may be readable now (or at its end).
    Readable(Stream),
    /// A stream may be writable now.
    Writable(Stream),
    /// The terminal's size changed.
    WindowSize,
    /// The host asked emu to pass this signal number of Linux to the guest (SIGTERM, SIGHUP, SIGINT ...).
    Signal(u8),
}

/// The world outside the machine. Methods never block, except [`Host::wait`].
pub trait Host: Send + std::fmt::Debug {
    /// A clock that never goes back, in ns. `retired` is the machine's instruction count.
    fn monotonic_ns(&mut self, retired: u64) -> u64;
    /// The wall clock in ns since 1970.
    fn realtime_ns(&mut self, retired: u64) -> u64;
    /// Fills with random bytes.
    fn entropy(&mut self, buf: &mut [u8]);

    /// The clocks of whoever watches the machine ([`crate::observe`]). Nothing of them enters its state, so that a recording
    /// need not hold them.
    fn stamp(&mut self, retired: u64) -> crate::observe::Stamp {
        crate::observe::Stamp { monotonic_ns: retired, realtime_ns: retired }
    }

    /// What a stream is.
    fn stream_kind(&mut self, stream: Stream) -> StreamKind;
    /// Reads at most `max` bytes: empty at the end, `EAGAIN` if there is nothing now.
    fn stream_read(&mut self, stream: Stream, max: usize) -> Result<Vec<u8>, Errno>;
    /// Writes some of `data`: how much was taken, `EAGAIN` if nothing can be now, `EPIPE`.
    fn stream_write(&mut self, stream: Stream, data: &[u8]) -> Result<usize, Errno>;
    /// Whether a read and a write would not answer `EAGAIN`.
    fn stream_ready(&mut self, stream: Stream) -> (bool, bool);
    /// Size of the terminal.
    fn window_size(&mut self) -> Option<WindowSize>;

    /// Attributes of a file.
    fn file_stat(&mut self, at: &HostPath) -> Result<HostStat, Errno>;
    /// All entries of a directory, without `.` and `..`, in any order.
    fn dir_list(&mut self, at: &HostPath) -> Result<Vec<HostEntry>, Errno>;
    /// Target of a symbolic link.
    fn link_read(&mut self, at: &HostPath) -> Result<Vec<u8>, Errno>;
    /// Reads at an offset; fewer bytes than asked only at the end.
    fn file_read(&mut self, at: &HostPath, offset: u64, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Writes at an offset, all of it.
    fn file_write(&mut self, at: &HostPath, offset: u64, data: &[u8]) -> Result<(), Errno>;
    /// Changes a writable share.
    fn file_change(&mut self, change: &HostChange) -> Result<(), Errno>;

    /// Whether a [`HostEvent::Signal`] may come at any time, so that waiting for one makes sense.
    fn can_signal(&self) -> bool {
        false
    }
    /// The first process stopped (job control): a host with job control of its own stops emu too. The guest goes on when
    /// this returns.
    fn suspend(&mut self) {}

    /// Whether it can answer no more (a recording that ended, or was left): the machine stops as soon as it can.
    fn gone(&self) -> bool {
        false
    }

    /// What happened since the last call, without waiting. Called about every time slice.
    fn poll(&mut self, retired: u64) -> Vec<HostEvent>;
    /// Waits until something of `interest` (stream, for writing) happens or the monotonic clock reaches `until_ns`; `None`: no limit.
    fn wait(
        &mut self,
        retired: u64,
        until_ns: Option<u64>,
        interest: &[(Stream, Direction)],
    ) -> Vec<HostEvent>;
}

/// Methods of [`Host`] about standard streams that a field answers.
#[macro_export]
macro_rules! forward_streams {
    ($field:ident) => {
        fn stream_kind(&mut self, stream: $crate::seam::Stream) -> $crate::seam::StreamKind {
            self.$field.stream_kind(stream)
        }
        fn stream_read(
            &mut self,
            stream: $crate::seam::Stream,
            max: usize,
        ) -> Result<Vec<u8>, $crate::abi::errno::Errno> {
            self.$field.stream_read(stream, max)
        }
        fn stream_write(
            &mut self,
            stream: $crate::seam::Stream,
            data: &[u8],
        ) -> Result<usize, $crate::abi::errno::Errno> {
            self.$field.stream_write(stream, data)
        }
        fn stream_ready(&mut self, stream: $crate::seam::Stream) -> (bool, bool) {
            self.$field.stream_ready(stream)
        }
        fn window_size(&mut self) -> Option<$crate::seam::WindowSize> {
            self.$field.window_size()
        }
    };
}

/// Methods of [`Host`] about files that a field answers.
#[macro_export]
macro_rules! forward_files {
    ($field:ident) => {
        fn file_stat(
            &mut self,
            at: &$crate::seam::HostPath,
        ) -> Result<$crate::seam::HostStat, $crate::abi::errno::Errno> {
            self.$field.file_stat(at)
        }
        fn dir_list(
            &mut self,
            at: &$crate::seam::HostPath,
        ) -> Result<Vec<$crate::seam::HostEntry>, $crate::abi::errno::Errno> {
            self.$field.dir_list(at)
        }
        fn link_read(&mut self, at: &$crate::seam::HostPath) -> Result<Vec<u8>, $crate::abi::errno::Errno> {
            self.$field.link_read(at)
        }
        fn file_read(
            &mut self,
            at: &$crate::seam::HostPath,
            offset: u64,
            buf: &mut [u8],
        ) -> Result<usize, $crate::abi::errno::Errno> {
            self.$field.file_read(at, offset, buf)
        }
        fn file_write(
            &mut self,
            at: &$crate::seam::HostPath,
            offset: u64,
            data: &[u8],
        ) -> Result<(), $crate::abi::errno::Errno> {
            self.$field.file_write(at, offset, data)
        }
        fn file_change(
            &mut self,
            change: &$crate::seam::HostChange,
        ) -> Result<(), $crate::abi::errno::Errno> {
            self.$field.file_change(change)
        }
    };
}

/// Which way somebody waits for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// To read.
    Read,
    /// To write.
    Write,
}
