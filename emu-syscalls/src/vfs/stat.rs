//! Attributes as stat(2) reports them.

use crate::file::FileId;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::vfs::synth;
use crate::vfs::{InodeId, InodeKind};

/// Attributes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stat {
    /// Device of the file system.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Type and permission bits.
    pub mode: u32,
    /// Names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device node.
    pub rdev: u64,
    /// Size in bytes.
    pub size: u64,
    /// Preferred size of a transfer in bytes.
    pub blksize: u32,
    /// Space used, in units of 512 bytes.
    pub blocks: u64,
    /// Last access, ns since 1970.
    pub atime: i64,
    /// Last modification, ns since 1970.
    pub mtime: i64,
    /// Last change, ns since 1970.
    pub ctime: i64,
    /// Birth, ns since 1970; 0 if unknown.
    pub btime: i64,
}

impl Stat {
    /// Attributes of a file that is no node of a file system: a number, type and permission bits.
    #[must_use]
    pub fn anonymous(ino: u64, mode: u32) -> Stat {
        Stat { dev: 15, ino, mode, nlink: 1, blksize: 4096, ..Stat::default() }
    }
    /// The same with bits and owners of its own.
    #[must_use]
    pub fn owned(ino: u64, ftype: u32, owned: Owned) -> Stat {
        Stat { uid: owned.uid, gid: owned.gid, ..Stat::anonymous(ino, ftype | owned.mode) }
    }
}

/// Permission bits and owner of a pipe or socket, which is no inode of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owned {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Attributes of an inode, made-up and shared ones asked for anew.
pub fn stat_inode(k: &mut Kernel, host: &mut dyn Host, id: InodeId) -> Stat {
    match &k.vfs.inode(id).kind {
        InodeKind::Synth(node) => {
            let node = node.clone();
            let attr = synth::attr(k, &node);
            super::tree::apply_synth(&mut k.vfs, id, attr);
            let now = super::now(k, host);
            let rdev = match attr.kind {
                synth::SynthKind::CharDevice(rdev) => rdev,
                _ => 0,
            };
            let stat = stat_known(k, id);
            return Stat { rdev, atime: now, mtime: now, ctime: now, btime: 0, ..stat };
        }
        InodeKind::Anon(file) => {
            let file = *file;
            return stat_file(k, file);
        }
        _ => {}
    }
    super::shared::refresh(k, host, id);
    stat_known(k, id)
}

/// Attributes of an inode as the kernel knows them now.
#[must_use]
pub fn stat_known(k: &Kernel, id: InodeId) -> Stat {
    let inode = k.vfs.inode(id);
    let sb = k.vfs.super_block(inode.sb);
    let size = match &inode.kind {
        InodeKind::Dir(dir) if inode.lower.is_none() => (dir.entries.len() as u64 + 2) * 20,
        _ => inode.size,
    };
    let blocks = match &inode.kind {
        InodeKind::Regular(content) => {
            let pages = content.object.map_or(0, |object| k.mem.object_pages(object));
            let lower = content.lower_len.div_ceil(4096);
            pages.max(lower).min(size.div_ceil(4096)) * 8
        }
        InodeKind::Dir(_) if inode.lower.is_some() => size.div_ceil(4096) * 8,
        _ => 0,
    };
    Stat {
        dev: sb.dev,
        ino: u64::from(id.0),
        mode: inode.st_mode(),
        nlink: inode.nlink,
        uid: inode.uid,
        gid: inode.gid,
        rdev: inode.rdev(),
        size,
        blksize: if matches!(inode.kind, InodeKind::Synth(_)) { 1024 } else { 4096 },
        blocks,
        atime: inode.atime,
        mtime: inode.mtime,
        ctime: inode.ctime,
        btime: inode.btime,
    }
}

/// Attributes of an open file: of its inode, or of a file that has none.
#[must_use]
pub fn stat_file(k: &Kernel, id: FileId) -> Stat {
    let Some(file) = k.files.get(id) else { return Stat::anonymous(0, 0o600) };
    match file.loc.and_then(|loc| k.vfs.dentries.get(loc.dentry)) {
        Some(dentry)
            if k.vfs.inodes.get(dentry.inode).is_some_and(|i| !matches!(i.kind, InodeKind::Anon(_))) =>
        {
            stat_known(k, dentry.inode)
        }
        _ => file.kind.ops().stat(k, id),
    }
}
