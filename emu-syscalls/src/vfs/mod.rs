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

/// Makes sure that page `page` of an object that a file's mapping maps holds what the file holds.
pub fn fill_page(
    k: &mut crate::kernel::Kernel,
    host: &mut dyn crate::seam::Host,
    object: emu_core::mem::ObjectId,
    page: u64,
) -> Result<(), crate::abi::errno::Errno> {
    let _ = (k, host, object, page);
    Ok(())
}

/// Writes what mappings changed back to a shared file of the host.
pub fn sync_inode(
    k: &mut crate::kernel::Kernel,
    host: &mut dyn crate::seam::Host,
    id: InodeId,
) -> Result<(), crate::abi::errno::Errno> {
    let _ = (k, host, id);
    Ok(())
}

/// Contents.
pub mod data {
    use super::InodeId;
    /// Makes a hole.
    pub(crate) fn punch(
        k: &mut crate::kernel::Kernel,
        host: &mut dyn crate::seam::Host,
        id: InodeId,
        off: u64,
        len: u64,
    ) -> Result<(), crate::abi::errno::Errno> {
        let _ = (k, host, id, off, len);
        Ok(())
    }
}
