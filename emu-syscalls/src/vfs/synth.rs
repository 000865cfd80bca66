//! File systems whose files are made up when looked at: /proc, /sys, /dev/pts.
//!
//! The tree of mounts asks these functions; a node is a small value that says which file it is.
//!
//! **Invariant**: a node holds no contents; what a reader sees follows from the kernel's state at the moment of reading.

use crate::abi::errno::Errno;
use crate::file::FileId;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;
use crate::vfs::Loc;

/// A file of a made-up file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Synth {
    /// Root of /proc.
    ProcRoot,
    /// Root of /sys.
    SysRoot,
}

/// Kind of a made-up file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SynthKind {
    /// Directory.
    Dir,
    /// Regular file.
    File,
    /// Symbolic link.
    Symlink,
    /// Character device with this device number.
    CharDevice(u64),
}

/// Attributes of a made-up file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SynthAttr {
    /// Kind.
    pub kind: SynthKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Links.
    pub nlink: u32,
}

/// Where a made-up link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTarget {
    /// To a path, as an ordinary symbolic link.
    Path(Vec<u8>),
    /// Straight to a place (/proc/PID/exe, cwd, root); the text is what readlink gives.
    Loc(Loc, Vec<u8>),
    /// Straight to an open file (/proc/PID/fd/N), opened anew; the text is what readlink gives.
    File(FileId, Vec<u8>),
}

/// The entry `name` of directory `node`, as task `tid` sees it.
pub fn lookup(k: &mut Kernel, tid: TaskId, node: &Synth, name: &[u8]) -> Option<Synth> {
    let _ = (k, tid, node, name);
    None
}

/// All entries of directory `node`, in the order readdir gives them, without `.` and `..`.
pub fn list(k: &mut Kernel, tid: TaskId, node: &Synth) -> Vec<(Vec<u8>, Synth)> {
    let _ = (k, tid, node);
    Vec::new()
}

/// Attributes.
pub fn attr(k: &mut Kernel, node: &Synth) -> SynthAttr {
    let _ = (k, node);
    SynthAttr { kind: SynthKind::Dir, mode: 0o555, uid: 0, gid: 0, nlink: 2 }
}

/// Whether the file behind `node` is still there (its task lives, its descriptor is open).
pub fn alive(k: &Kernel, node: &Synth) -> bool {
    let _ = (k, node);
    true
}

/// Whole contents, taken when an open file is first read at offset 0.
pub fn read(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, node: &Synth) -> Result<Vec<u8>, Errno> {
    let _ = (k, host, tid, node);
    Err(Errno::EIO)
}

/// A write at `offset`; returns how many bytes were taken.
pub fn write(
    k: &mut Kernel,
    host: &mut dyn Host,
    tid: TaskId,
    node: &Synth,
    offset: u64,
    data: &[u8],
) -> Result<usize, Errno> {
    let _ = (k, host, tid, node, offset, data);
    Err(Errno::EIO)
}

/// Where a link leads, as task `tid` sees it.
pub fn readlink(k: &mut Kernel, tid: TaskId, node: &Synth) -> Result<LinkTarget, Errno> {
    let _ = (k, tid, node);
    Err(Errno::EINVAL)
}
