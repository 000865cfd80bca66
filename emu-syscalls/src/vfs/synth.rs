//! File systems whose files are made up when looked at: /proc, /sys, /dev/pts.
//!
//! The tree of mounts asks these functions; a node is a small value that says which file it is. Neighbours:
//! [`super::procfs`], [`super::sysfs`].
//!
//! **Invariant**: a node holds no contents; what a reader sees follows from the kernel's state at the moment of reading.

use crate::abi::errno::Errno;
use crate::file::FileId;
use crate::file::dev::makedev;
use crate::file::pty;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;
use crate::task::wait::WaitKey;
use crate::vfs::procfs::{self, ProcNode};
use crate::vfs::{Loc, sysfs};

/// A file of a made-up file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Synth {
    /// Root of /proc.
    ProcRoot,
    /// Root of /sys.
    SysRoot,
    /// Root of /dev/pts.
    PtsRoot,
    /// A terminal in /dev/pts, by number.
    Pts(u32),
    /// /dev/pts/ptmx
    Ptmx,
    /// Something below /proc.
    Proc(ProcNode),
    /// Something below /sys, by path.
    Sys(&'static str),
}

impl Synth {
    /// Device number of a node that is a device, else 0.
    #[must_use]
    pub fn rdev(&self) -> u64 {
        match self {
            Synth::Pts(index) => makedev(136, *index),
            Synth::Ptmx => makedev(5, 2),
            _ => 0,
        }
    }
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

impl SynthAttr {
    /// A directory of root.
    #[must_use]
    pub fn dir() -> Self {
        SynthAttr { kind: SynthKind::Dir, mode: 0o555, uid: 0, gid: 0, nlink: 2 }
    }
    /// A regular file of root.
    #[must_use]
    pub fn file(mode: u32) -> Self {
        SynthAttr { kind: SynthKind::File, mode, uid: 0, gid: 0, nlink: 1 }
    }
    /// A symbolic link of root.
    #[must_use]
    pub fn link() -> Self {
        SynthAttr { kind: SynthKind::Symlink, mode: 0o777, uid: 0, gid: 0, nlink: 1 }
    }
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
    match node {
        Synth::ProcRoot => procfs::lookup_root(k, tid, name).map(Synth::Proc),
        Synth::Proc(node) => procfs::lookup(k, tid, node, name).map(Synth::Proc),
        Synth::SysRoot => sysfs::lookup("", name).map(Synth::Sys),
        Synth::Sys(path) => sysfs::lookup(path, name).map(Synth::Sys),
        Synth::PtsRoot if name == b"ptmx" => Some(Synth::Ptmx),
        Synth::PtsRoot => {
            let index = procfs::decimal(name)?;
            pty::by_index(k, index).map(|_| Synth::Pts(index))
        }
        Synth::Pts(_) | Synth::Ptmx => None,
    }
}

/// All entries of directory `node`, in the order readdir gives them, without `.` and `..`.
pub fn list(k: &mut Kernel, tid: TaskId, node: &Synth) -> Vec<(Vec<u8>, Synth)> {
    let proc_nodes = |nodes: Vec<(Vec<u8>, ProcNode)>| {
        nodes.into_iter().map(|(name, node)| (name, Synth::Proc(node))).collect()
    };
    match node {
        Synth::ProcRoot => proc_nodes(procfs::list_root(k)),
        Synth::Proc(node) => proc_nodes(procfs::list(k, tid, node)),
        Synth::SysRoot => sysfs::list("").into_iter().map(|(name, path)| (name, Synth::Sys(path))).collect(),
        Synth::Sys(path) => {
            sysfs::list(path).into_iter().map(|(name, path)| (name, Synth::Sys(path))).collect()
        }
        Synth::PtsRoot => {
            let mut indexes: Vec<u32> = k.ttys.iter().map(|(_, tty)| tty.index).collect();
            indexes.sort_unstable();
            indexes.retain(|index| pty::by_index(k, *index).is_some());
            std::iter::once((b"ptmx".to_vec(), Synth::Ptmx))
                .chain(indexes.into_iter().map(|index| (index.to_string().into_bytes(), Synth::Pts(index))))
                .collect()
        }
        Synth::Pts(_) | Synth::Ptmx => Vec::new(),
    }
}

/// Attributes.
pub fn attr(k: &mut Kernel, node: &Synth) -> SynthAttr {
    match node {
        Synth::ProcRoot | Synth::SysRoot => SynthAttr::dir(),
        Synth::PtsRoot => SynthAttr { mode: 0o755, ..SynthAttr::dir() },
        Synth::Pts(index) => {
            let kind = SynthKind::CharDevice(makedev(136, *index));
            let tty = pty::by_index(k, *index).and_then(|id| k.ttys.get(id));
            let (uid, gid, mode) = tty.map_or((0, 0, 0), |tty| (tty.owner, tty.group, tty.mode));
            SynthAttr { kind, mode, uid, gid, nlink: 1 }
        }
        Synth::Ptmx => SynthAttr { kind: SynthKind::CharDevice(makedev(5, 2)), ..SynthAttr::file(0o666) },
        Synth::Proc(node) => procfs::attr(k, node),
        Synth::Sys(path) => sysfs::attr(path),
    }
}

/// Whether the file behind `node` is still there (its task lives, its descriptor is open).
pub fn alive(k: &Kernel, node: &Synth) -> bool {
    match node {
        Synth::Proc(node) => procfs::alive(k, node),
        Synth::Pts(index) => pty::by_index(k, *index).is_some(),
        _ => true,
    }
}

/// Whole contents, taken when an open file is first read at offset 0.
pub fn read(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, node: &Synth) -> Result<Vec<u8>, Errno> {
    match node {
        Synth::Proc(node) => procfs::read(k, host, tid, node),
        Synth::Sys(path) => sysfs::read(k, path),
        Synth::ProcRoot | Synth::SysRoot | Synth::PtsRoot => Err(Errno::EISDIR),
        Synth::Pts(_) | Synth::Ptmx => Err(Errno::EIO),
    }
}

/// For files that have no whole contents (/proc/PID/mem, /proc/kmsg): at most `max` bytes at `offset`. `None` for all
/// others. `EAGAIN`: the caller waits for [`wait_key`] or fails.
pub fn read_at(
    k: &mut Kernel,
    host: &mut dyn Host,
    tid: TaskId,
    node: &Synth,
    offset: u64,
    max: usize,
) -> Option<Result<Vec<u8>, Errno>> {
    match node {
        Synth::Proc(node) => procfs::read_at(k, host, tid, node, offset, max),
        _ => None,
    }
}

/// What a reader that got `EAGAIN` waits for.
#[must_use]
pub fn wait_key(node: &Synth) -> WaitKey {
    match node {
        Synth::Proc(ProcNode::Path("kmsg")) => crate::log::WAIT,
        _ => WaitKey::Never,
    }
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
    match node {
        Synth::Proc(node) => procfs::write(k, host, tid, node, offset, data),
        Synth::Sys(path) => sysfs::write(k, path, data),
        _ => Err(Errno::EIO),
    }
}

/// Where a link leads, as task `tid` sees it.
pub fn readlink(k: &mut Kernel, tid: TaskId, node: &Synth) -> Result<LinkTarget, Errno> {
    match node {
        Synth::Proc(node) => procfs::readlink(k, tid, node),
        Synth::Sys(path) => sysfs::readlink(path).map(|target| LinkTarget::Path(target.into())),
        _ => Err(Errno::EINVAL),
    }
}
