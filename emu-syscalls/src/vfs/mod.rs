//! Paths, inodes and mounts.
//!
//! Key types: [`Loc`] (a place in the tree of mounts), [`Vfs`].

use crate::arena::id;

pub mod procfs;
pub mod synth;
pub mod sysfs;

id! {
    /// A mount.
    MountId;
    /// A name in a directory.
    DentryId;
    /// A file's identity and contents.
    InodeId;
}

/// A place: a dentry as seen through a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loc {
    /// Through which mount.
    pub mount: MountId,
    /// Which name.
    pub dentry: DentryId,
}

/// All mounts, dentries and inodes.
#[derive(Debug, Clone, Default)]
pub struct Vfs {}

impl Vfs {
    /// An empty root.
    #[must_use]
    pub fn new() -> Self {
        Vfs {}
    }
}
