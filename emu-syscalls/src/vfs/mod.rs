//! Paths, inodes and mounts.
//!
//! One tree in memory serves tmpfs, directories of the host (read-only, copy-on-write, shared) and archives: a node may
//! have something below it ([`Lower`]) that is looked at when somebody needs it. Made-up trees (/proc, /sys, /dev/pts)
//! hang in the same tree; their nodes come from [`synth`].
//!
//! Key types: [`Loc`] (a place in the tree of mounts), [`Vfs`], [`Inode`], [`Dentry`], [`Super`] (a file system),
//! [`Mount`]. Neighbours: [`walk`] resolves paths, [`tree`] changes directories, [`data`] holds contents, [`mount`]
//! mounts, [`open`] opens, [`build`] makes the first tree.
//!
//! **Invariant**: every inode in the arena has at least one dentry; a dentry that lost its name lives on while an open
//! file, a directory of a task or a mapping refers to it. Contents of files lie in objects of `emu_core::mem`.

use std::sync::Arc;

use emu_core::mem::ObjectId;
use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::file::FileId;
use crate::kernel::Kernel;
use crate::seam::HostPath;
use crate::task::TaskId;

pub(crate) mod acl;
pub mod attr;
pub mod build;
pub mod data;
pub mod leases;
pub mod locks;
pub mod mount;
pub mod open;
pub mod ops;
pub mod path;
pub mod perm;
pub mod procfs;
pub mod shared;
pub mod stat;
pub mod superblock;
pub mod synth;
pub mod sysfs;
pub mod tar;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod walk;
pub mod xattr;

pub use build::{
    add_device, add_file, default_root, mkdir, mount_root_tmpfs, mount_share, mount_synth, mount_tar, symlink,
};
pub use data::{fill_page, page_object, read_inode, set_size, sync_inode, write_inode};
pub use mount::{Mount, MountFlags};
pub use open::open_loc;
pub use path::path_of;
pub use perm::permission;
pub use stat::{Stat, stat_inode};
pub use superblock::{Mode, Super, SuperKind};
pub use walk::{Parent, Resolve, resolve, resolve_parent};

id! {
    /// A mount.
    MountId;
    /// A name in a directory.
    DentryId;
    /// A file's identity and contents.
    InodeId;
    /// A file system (super block).
    SuperId;
}

/// File types in `st_mode`.
pub mod ftype {
    /// Mask of the type.
    pub const S_IFMT: u32 = 0o170_000;
    /// Socket.
    pub const S_IFSOCK: u32 = 0o140_000;
    /// Symbolic link.
    pub const S_IFLNK: u32 = 0o120_000;
    /// Regular file.
    pub const S_IFREG: u32 = 0o100_000;
    /// Block device.
    pub const S_IFBLK: u32 = 0o060_000;
    /// Directory.
    pub const S_IFDIR: u32 = 0o040_000;
    /// Character device.
    pub const S_IFCHR: u32 = 0o020_000;
    /// FIFO.
    pub const S_IFIFO: u32 = 0o010_000;
    /// Set user on execution.
    pub const S_ISUID: u32 = 0o4000;
    /// Set group on execution.
    pub const S_ISGID: u32 = 0o2000;
    /// Sticky: only owners remove entries.
    pub const S_ISVTX: u32 = 0o1000;
}
use ftype::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG, S_IFSOCK};

/// Longest name of a directory entry in bytes.
pub const NAME_MAX: usize = 255;

/// A place: a dentry as seen through a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loc {
    /// Through which mount.
    pub mount: MountId,
    /// Which name.
    pub dentry: DentryId,
}

/// What lies below a node: where its contents come from until they are changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lower {
    /// A file of the host.
    Host(HostPath),
    /// A range of an archive on the host, from this byte offset.
    HostRange(HostPath, u64),
    /// A range of an object, from this byte offset.
    Object(ObjectId, u64),
}

/// Contents of a regular file: the pages of `object` stand before those of the node's [`Lower`].
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Pages written or cached; none before the first.
    pub object: Option<ObjectId>,
    /// How many bytes of the lower file still count; what is beyond reads as zeros.
    pub lower_len: u64,
    /// Pages charged to the file system's limit.
    pub charged: u64,
    /// `F_SEAL_*`
    pub seals: u32,
    /// The object was given to a mapping at some time.
    pub mapped: bool,
}

/// Whether the entries of a directory are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Load {
    /// All entries are here.
    #[default]
    Done,
    /// The host has to be asked for the listing.
    Todo,
    /// The host does not give a listing; each name is asked for.
    ByName,
}

/// Entries of a directory.
#[derive(Debug, Clone, Default)]
pub struct Dir {
    /// By name.
    pub entries: persist::OrdMap<Arc<[u8]>, DentryId>,
    /// By cookie ([`Dentry::cookie`]): the order in which they are read, stable under change.
    pub order: persist::OrdMap<u64, DentryId>,
    /// Next cookie.
    pub next: u64,
    /// Whether these are all.
    pub load: Load,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum InodeKind {
    /// Regular file.
    Regular(Content),
    /// Directory.
    Dir(Dir),
    /// Symbolic link; `None` while the target is only known to the host.
    Symlink(Option<Arc<[u8]>>),
    /// Character device by number.
    CharDevice(u64),
    /// Block device by number.
    BlockDevice(u64),
    /// FIFO; its pipe is known by the inode's number while it is open.
    Fifo,
    /// Socket bound to a name.
    Socket,
    /// Made-up file.
    Synth(synth::Synth),
    /// An open file without a place, reached through /proc/PID/fd.
    Anon(FileId),
}

/// A file's identity: attributes and contents.
#[derive(Debug, Clone)]
pub struct Inode {
    /// Which file system it belongs to.
    pub sb: SuperId,
    /// What it is.
    pub kind: InodeKind,
    /// File type (`S_IF*`), also of made-up nodes.
    pub ftype: u32,
    /// Permission bits with set-id and sticky bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names.
    pub nlink: u32,
    /// Size in bytes.
    pub size: u64,
    /// Last access, ns since 1970.
    pub atime: i64,
    /// Last modification, ns since 1970.
    pub mtime: i64,
    /// Last change, ns since 1970.
    pub ctime: i64,
    /// Birth, ns since 1970.
    pub btime: i64,
    /// `FS_*_FL` bits ([`fsflag`]).
    pub fsflags: u32,
    /// Extended attributes.
    pub xattrs: persist::OrdMap<Arc<[u8]>, Arc<[u8]>>,
    /// What lies below.
    pub lower: Option<Lower>,
    /// Attributes are those of the file; not so while only the listing of its directory was read.
    pub settled: bool,
    /// Dentries that refer to it.
    pub dentries: u32,
    /// Raised by every change, for caches of others.
    pub generation: u64,
    /// Open files that may write minus programs that run it: see `ETXTBSY`.
    pub writers: i32,
}

/// Flags of an inode (ioctl_iflags(2)).
pub mod fsflag {
    /// Nothing of it may be changed.
    pub const IMMUTABLE: u32 = 0x10;
    /// Only appending.
    pub const APPEND: u32 = 0x20;
    /// Not in backups.
    pub const NODUMP: u32 = 0x40;
    /// No access times.
    pub const NOATIME: u32 = 0x80;
    /// What tmpfs lets a user set.
    pub const SETTABLE: u32 = IMMUTABLE | APPEND | NODUMP | NOATIME;
}

impl Inode {
    /// Whether its attributes and names may not be changed.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.fsflags & (fsflag::IMMUTABLE | fsflag::APPEND) != 0
    }
    /// Type and permission bits as `st_mode`.
    #[must_use]
    pub fn st_mode(&self) -> u32 {
        self.ftype | self.mode
    }
    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.ftype == S_IFDIR
    }
    /// Whether it is a symbolic link.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.ftype == S_IFLNK
    }
    /// Whether it is a regular file.
    #[must_use]
    pub fn is_regular(&self) -> bool {
        self.ftype == S_IFREG
    }
    /// Device number of a device node, else 0.
    #[must_use]
    pub fn rdev(&self) -> u64 {
        match self.kind {
            InodeKind::CharDevice(rdev) | InodeKind::BlockDevice(rdev) => rdev,
            InodeKind::Synth(ref node) => node.rdev(),
            _ => 0,
        }
    }
    /// The directory, if it is one with entries of its own.
    pub(crate) fn dir(&self) -> Option<&Dir> {
        match &self.kind {
            InodeKind::Dir(dir) => Some(dir),
            _ => None,
        }
    }
    pub(crate) fn dir_mut(&mut self) -> Option<&mut Dir> {
        match &mut self.kind {
            InodeKind::Dir(dir) => Some(dir),
            _ => None,
        }
    }
    /// The contents, if it is a regular file with contents.
    pub(crate) fn content(&self) -> Option<&Content> {
        match &self.kind {
            InodeKind::Regular(content) => Some(content),
            _ => None,
        }
    }
    pub(crate) fn content_mut(&mut self) -> Option<&mut Content> {
        match &mut self.kind {
            InodeKind::Regular(content) => Some(content),
            _ => None,
        }
    }
}

impl InodeKind {
    /// `S_IF*` of a kind; made-up nodes say it themselves.
    pub(crate) fn ftype(&self) -> u32 {
        match self {
            InodeKind::Regular(_) | InodeKind::Synth(_) => S_IFREG,
            InodeKind::Dir(_) => S_IFDIR,
            InodeKind::Symlink(_) => S_IFLNK,
            InodeKind::CharDevice(_) => S_IFCHR,
            InodeKind::BlockDevice(_) => S_IFBLK,
            InodeKind::Fifo => S_IFIFO,
            InodeKind::Socket => S_IFSOCK,
            InodeKind::Anon(_) => 0,
        }
    }
}

/// A name in a directory.
#[derive(Debug, Clone)]
pub struct Dentry {
    /// Directory; itself for the root of a file system.
    pub parent: DentryId,
    /// Name; for a root the name of its file system, for an unnamed file what /proc shows.
    pub name: Arc<[u8]>,
    /// What it names.
    pub inode: InodeId,
    /// Open files, mounts and unnamed children that refer to it.
    pub refs: u32,
    /// Whether it is (still) reachable by its name.
    pub hashed: bool,
    /// Position in the directory; for a made-up node the time of its last use.
    pub cookie: u64,
}

/// All mounts, dentries and inodes.
#[derive(Debug, Clone, Default)]
pub struct Vfs {
    pub(crate) inodes: Arena<InodeId, Inode>,
    pub(crate) dentries: Arena<DentryId, Dentry>,
    pub(crate) supers: Arena<SuperId, Super>,
    pub(crate) mounts: Arena<MountId, Mount>,
    /// What is mounted on a place.
    pub(crate) by_point: persist::OrdMap<(MountId, DentryId), MountId>,
    /// Children of made-up directories, while somebody used them recently.
    pub(crate) synth_children: persist::OrdMap<(DentryId, Arc<[u8]>), DentryId>,
    pub(crate) synth_used: persist::OrdMap<u64, DentryId>,
    pub(crate) synth_clock: u64,
    /// System call during which dentries were last dropped: task and its count of calls.
    pub(crate) swept: Option<(TaskId, u64)>,
    /// Places of open files without a place, see [`InodeKind::Anon`].
    pub(crate) anon_places: persist::OrdMap<FileId, DentryId>,
    pub(crate) anon_super: Option<SuperId>,
    pub(crate) memfd_super: Option<SuperId>,
    /// Which inode an object is the contents of.
    pub(crate) by_object: persist::OrdMap<ObjectId, InodeId>,
    /// Inodes of the host with several names, by file system and identity.
    pub(crate) by_identity: persist::OrdMap<(SuperId, u64), InodeId>,
    /// Unnamed dentries kept by mappings or working directories, to be looked at again.
    pub(crate) orphans: persist::Vector<DentryId>,
    pub(crate) orphans_limit: usize,
    /// Text of open made-up files.
    pub(crate) synth_text: persist::OrdMap<FileId, Arc<Vec<u8>>>,
    /// Locks.
    pub(crate) locks: locks::Locks,
    /// Leases, by inode.
    pub(crate) leases: persist::OrdMap<InodeId, persist::Vector<leases::Lease>>,
    /// Number of the next anonymous device.
    pub(crate) next_dev: u32,
    /// The mount at the top.
    pub(crate) root_mount: Option<MountId>,
    /// Write-life hints that were set (`F_SET_RW_HINT`).
    pub(crate) write_hints: persist::OrdMap<InodeId, u64>,
    /// What open lists of mounts have been told of.
    pub(crate) mounts_polled: persist::OrdMap<FileId, u64>,
    /// Raised by every change of the mounts (poll on /proc/mounts).
    pub mounts_generation: u64,
}

impl Vfs {
    /// Nothing mounted yet.
    #[must_use]
    pub fn new() -> Self {
        Vfs::default()
    }
    /// An inode.
    ///
    /// # Panics
    /// If there is none: the caller got the id from a dentry or open file that keeps it.
    #[must_use]
    pub fn inode(&self, id: InodeId) -> &Inode {
        self.inodes.get(id).expect("inode exists")
    }
    /// An inode, to be changed.
    ///
    /// # Panics
    /// As [`Vfs::inode`].
    pub(crate) fn inode_mut(&mut self, id: InodeId) -> &mut Inode {
        let inode = self.inodes.get_mut(id).expect("inode exists");
        inode.generation += 1;
        inode
    }
    /// An inode that may be gone.
    #[must_use]
    pub fn get_inode(&self, id: InodeId) -> Option<&Inode> {
        self.inodes.get(id)
    }
    /// A dentry.
    ///
    /// # Panics
    /// If there is none: the caller holds a place that is kept.
    #[must_use]
    pub fn dentry(&self, id: DentryId) -> &Dentry {
        self.dentries.get(id).expect("dentry exists")
    }
    pub(crate) fn dentry_mut(&mut self, id: DentryId) -> &mut Dentry {
        self.dentries.get_mut(id).expect("dentry exists")
    }
    /// A file system.
    ///
    /// # Panics
    /// If there is none: an inode of it keeps it.
    #[must_use]
    pub fn super_block(&self, id: SuperId) -> &Super {
        self.supers.get(id).expect("file system exists")
    }
    pub(crate) fn super_mut(&mut self, id: SuperId) -> &mut Super {
        self.supers.get_mut(id).expect("file system exists")
    }
    /// A mount.
    ///
    /// # Panics
    /// If there is none: the caller holds a place in it.
    #[must_use]
    pub fn mount(&self, id: MountId) -> &Mount {
        self.mounts.get(id).expect("mount exists")
    }
    /// The root of the whole tree, if something is mounted.
    #[must_use]
    pub fn root(&self) -> Option<Loc> {
        let mount = self.root_mount?;
        let loc = Loc { mount, dentry: self.mounts.get(mount)?.root };
        Some(self.follow_mounts(loc))
    }
    /// What a place names.
    #[must_use]
    pub fn inode_at(&self, loc: Loc) -> InodeId {
        self.dentry(loc.dentry).inode
    }
    /// The inode whose contents `object` is.
    #[must_use]
    pub fn inode_of_object(&self, object: ObjectId) -> Option<InodeId> {
        self.by_object.get(&object).copied()
    }
}

/// What a place names.
#[must_use]
pub fn inode_of(k: &Kernel, loc: Loc) -> InodeId {
    k.vfs.inode_at(loc)
}

/// The wall clock for time stamps, in ns since 1970.
pub(crate) fn now(k: &mut Kernel, host: &mut dyn crate::seam::Host) -> i64 {
    i64::try_from(k.time.realtime(host, k.retired)).unwrap_or(i64::MAX)
}

/// `EROFS` if nothing may be changed through this place.
pub(crate) fn want_write(k: &Kernel, loc: Loc) -> Result<(), Errno> {
    let sb = k.vfs.inode(k.vfs.inode_at(loc)).sb;
    let mount_ro = k.vfs.mounts.get(loc.mount).is_some_and(|m| m.flags.contains(MountFlags::RDONLY));
    if mount_ro || k.vfs.super_block(sb).read_only() { Err(Errno::EROFS) } else { Ok(()) }
}
