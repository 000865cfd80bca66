//! Who may do what to an inode (inode_permission, the sticky bit, ownership).
//!
//! **Invariant**: a check without a task is one of the kernel itself and passes.

use crate::abi::errno::Errno;
use crate::ctx::Ctx;
use crate::kernel::Kernel;
use crate::task::{Creds, TaskId};
use crate::vfs::ftype::S_ISVTX;
use crate::vfs::{Inode, InodeId, acl, fsflag};

/// May execute or search.
pub const MAY_EXEC: u32 = 1;
/// May write.
pub const MAY_WRITE: u32 = 2;
/// May read.
pub const MAY_READ: u32 = 4;

/// Capabilities by number.
pub mod cap {
    /// Set the immutable and append-only flags.
    pub const LINUX_IMMUTABLE: u32 = 9;
    /// Change owners.
    pub const CHOWN: u32 = 0;
    /// Ignore permission bits.
    pub const DAC_OVERRIDE: u32 = 1;
    /// Ignore permission bits for reading and searching.
    pub const DAC_READ_SEARCH: u32 = 2;
    /// Act as owner of any file.
    pub const FOWNER: u32 = 3;
    /// Keep set-id bits.
    pub const FSETID: u32 = 4;
    /// chroot(2)
    pub const SYS_CHROOT: u32 = 18;
    /// Mount and much else.
    pub const SYS_ADMIN: u32 = 21;
    /// Go beyond limits.
    pub const SYS_RESOURCE: u32 = 24;
    /// Make device nodes.
    pub const MKNOD: u32 = 27;
}

/// Whether the credentials have an effective capability.
#[must_use]
pub fn capable(creds: &Creds, capability: u32) -> bool {
    creds.cap_effective >> capability & 1 != 0
}

/// Whether the credentials are in a group, as file-system group or supplementary.
#[must_use]
pub fn in_group(creds: &Creds, gid: u32) -> bool {
    creds.gid[3] == gid || creds.groups.contains(&gid)
}

/// Whether `creds` may do `mask` to a file with these attributes.
pub(crate) fn check(creds: &Creds, inode: &Inode, mask: u32) -> Result<(), Errno> {
    if mask & MAY_WRITE != 0 && inode.fsflags & fsflag::IMMUTABLE != 0 {
        return Err(Errno::EPERM);
    }
    let bits = if creds.uid[3] == inode.uid {
        inode.mode >> 6
    } else if inode.mode & 0o070 != 0
        && let Some(acl) = acl::access(inode)
    {
        if acl.grants(creds, inode, mask) { 7 } else { 0 }
    } else if in_group(creds, inode.gid) {
        inode.mode >> 3
    } else {
        inode.mode
    } & 7;
    if mask & !bits == 0 {
        return Ok(());
    }
    if inode.is_dir() {
        if mask & MAY_WRITE == 0 && capable(creds, cap::DAC_READ_SEARCH) {
            return Ok(());
        }
        return if capable(creds, cap::DAC_OVERRIDE) { Ok(()) } else { Err(Errno::EACCES) };
    }
    if mask == MAY_READ && capable(creds, cap::DAC_READ_SEARCH) {
        return Ok(());
    }
    // Even root executes only what somebody may execute.
    if (mask & MAY_EXEC == 0 || inode.mode & 0o111 != 0) && capable(creds, cap::DAC_OVERRIDE) {
        return Ok(());
    }
    Err(Errno::EACCES)
}

/// As [`permission`], for a task or (`None`) the kernel itself.
pub(crate) fn permission_of(k: &Kernel, who: Option<TaskId>, inode: InodeId, mask: u32) -> Result<(), Errno> {
    match who.and_then(|tid| k.tasks.get(tid)) {
        Some(task) => check(&task.creds, k.vfs.inode(inode), mask),
        None => Ok(()),
    }
}

/// Whether the caller may do `mask` ([`MAY_EXEC`], [`MAY_WRITE`], [`MAY_READ`]). `EACCES`.
pub fn permission(ctx: &Ctx<'_>, inode: InodeId, mask: u32) -> Result<(), Errno> {
    permission_of(ctx.k, Some(ctx.tid), inode, mask)
}

/// Whether the caller owns the file or may act as if (`CAP_FOWNER`).
#[must_use]
pub fn owner_or_capable(ctx: &Ctx<'_>, inode: InodeId) -> bool {
    let creds = &ctx.task().creds;
    creds.uid[3] == ctx.k.vfs.inode(inode).uid || capable(creds, cap::FOWNER)
}

/// May the caller remove or rename `victim` in `dir` (`may_delete`)? `EACCES` without write and search permission,
/// `EPERM` if the sticky bit forbids it.
pub(crate) fn may_delete(ctx: &Ctx<'_>, dir: InodeId, victim: InodeId) -> Result<(), Errno> {
    permission(ctx, dir, MAY_WRITE | MAY_EXEC)?;
    let creds = &ctx.task().creds;
    let parent = ctx.k.vfs.inode(dir);
    if parent.fsflags & fsflag::APPEND != 0 || ctx.k.vfs.inode(victim).is_fixed() {
        return Err(Errno::EPERM);
    }
    let sticky = parent.mode & S_ISVTX != 0
        && creds.uid[3] != parent.uid
        && creds.uid[3] != ctx.k.vfs.inode(victim).uid
        && !capable(creds, cap::FOWNER);
    if sticky { Err(Errno::EPERM) } else { Ok(()) }
}
