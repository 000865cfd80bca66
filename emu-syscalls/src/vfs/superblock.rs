//! File systems: what a tree of inodes has in common.
//!
//! **Invariant**: limits bound what a guest may store; a file system without mounts and open files is dropped.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::seam::ShareId;
use crate::vfs::{DentryId, SuperId, Vfs};

/// How a shared directory of the host is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Mode {
    /// Nothing can be changed.
    Ro,
    /// Changes stay in memory and are dropped at the end.
    Cow,
    /// Changes go to the host.
    Rw,
}

/// Which file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuperKind {
    /// tmpfs, with limits.
    Tmpfs,
    /// ramfs, without.
    Ramfs,
    /// /proc
    Proc,
    /// /sys
    Sysfs,
    /// /dev/pts
    Devpts,
    /// /dev
    Devtmpfs,
    /// A directory of the host.
    Host(ShareId, Mode),
    /// An archive.
    Tar(Mode),
    /// Places of pipes, sockets and the like.
    Anon,
}

/// A file system.
#[derive(Debug, Clone)]
pub struct Super {
    /// Which.
    pub kind: SuperKind,
    /// `st_dev`
    pub dev: u64,
    /// Its root.
    pub root: DentryId,
    /// Mounts of it.
    pub mounts: u32,
    /// First column of /proc/mounts.
    pub source: Vec<u8>,
    /// Options of the file system itself, for /proc/mounts.
    pub options: Vec<u8>,
    /// Mounted read-only.
    pub rdonly: bool,
    /// Limit of pages; `None`: none.
    pub max_pages: Option<u64>,
    /// Pages in use.
    pub pages: u64,
    /// Limit of inodes.
    pub max_inodes: Option<u64>,
    /// Inodes in use.
    pub inodes: u64,
    /// Host files changed in memory only, by path below the mount: told to the user at the end.
    pub changed: persist::OrdSet<Vec<u8>>,
    /// How many changes did not fit into `changed`.
    pub changed_more: u64,
}

/// No more names than this are kept of changed files.
const CHANGED_MAX: usize = 4096;

impl Super {
    /// Nothing can be changed.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.rdonly || matches!(self.kind, SuperKind::Host(_, Mode::Ro) | SuperKind::Tar(Mode::Ro))
    }
    /// Changes go to the host.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.kind, SuperKind::Host(_, Mode::Rw))
    }
    /// Changes are dropped though the user may want them.
    #[must_use]
    pub fn is_cow(&self) -> bool {
        matches!(self.kind, SuperKind::Host(_, Mode::Cow))
    }
    /// Name of the type, as in /proc/filesystems.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self.kind {
            SuperKind::Tmpfs => "tmpfs",
            SuperKind::Ramfs => "ramfs",
            SuperKind::Proc => "proc",
            SuperKind::Sysfs => "sysfs",
            SuperKind::Devpts => "devpts",
            SuperKind::Devtmpfs => "devtmpfs",
            SuperKind::Host(..) => "hostfs",
            SuperKind::Tar(_) => "tarfs",
            SuperKind::Anon => "anon_inodefs",
        }
    }
    /// `f_type` of statfs.
    #[must_use]
    pub fn magic(&self) -> u64 {
        match self.kind {
            SuperKind::Tmpfs | SuperKind::Devtmpfs | SuperKind::Tar(_) => 0x0102_1994,
            SuperKind::Ramfs => 0x8584_58f6,
            SuperKind::Proc => 0x9fa0,
            SuperKind::Sysfs => 0x6265_6572,
            SuperKind::Devpts => 0x1cd1,
            SuperKind::Host(..) => 0x00c0_ffee,
            SuperKind::Anon => 0x0904_1934,
        }
    }
    /// Takes one more inode into account. `ENOSPC`.
    pub(crate) fn charge_inode(&mut self) -> Result<(), Errno> {
        if self.max_inodes.is_some_and(|max| self.inodes >= max) {
            return Err(Errno::ENOSPC);
        }
        self.inodes += 1;
        Ok(())
    }
    /// Notes that `path` was changed in memory only.
    pub(crate) fn note_changed(&mut self, path: Vec<u8>) {
        if self.changed.len() < CHANGED_MAX {
            self.changed.insert(path);
        } else if !self.changed.contains(&path) {
            self.changed_more += 1;
        }
    }
}

/// What would be lost at the end: see [`Vfs::dropped_changes`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dropped {
    /// How many files.
    pub count: u64,
    /// The first of them, as share and path below it.
    pub paths: Vec<(ShareId, Vec<u8>)>,
}

impl Vfs {
    /// Files of copy-on-write host directories that were changed in memory and not on the host.
    #[must_use]
    pub fn dropped_changes(&self) -> Dropped {
        let mut dropped = Dropped::default();
        for (_, sb) in self.supers.iter() {
            if let SuperKind::Host(share, Mode::Cow) = sb.kind {
                dropped.count += sb.changed.len() as u64 + sb.changed_more;
                dropped.paths.extend(sb.changed.iter().take(100).map(|path| (share, path.clone())));
            }
        }
        dropped
    }
    /// A new file system without a root.
    pub(crate) fn new_super(&mut self, kind: SuperKind, source: &[u8]) -> SuperId {
        self.next_dev += 1;
        let dev = crate::file::dev::makedev(0, self.next_dev + 20);
        self.supers.insert(Super {
            kind,
            dev,
            root: DentryId(0),
            mounts: 0,
            source: source.to_vec(),
            options: Vec::new(),
            rdonly: false,
            max_pages: None,
            pages: 0,
            max_inodes: None,
            inodes: 0,
            changed: persist::OrdSet::new(),
            changed_more: 0,
        })
    }
}
