//! `flock`. Record locks are in [`super::record`].

use crate::abi::errno::Errno;
use crate::arg::{Fd, U32};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::FileId;
use crate::task::wait::{OnSignal, Wait};
use crate::vfs::InodeId;
use crate::vfs::locks::{self, LockKind};

/// The inode that locks of an open file are on.
pub(crate) fn inode_of(ctx: &mut Ctx<'_>, id: FileId) -> InodeId {
    let loc = match ctx.file(id).loc {
        Some(loc) => loc,
        None => crate::vfs::walk::anon_place(ctx.k, id),
    };
    ctx.k.vfs.inode_at(loc)
}

/// `flock(2)`
pub(crate) fn flock(ctx: &mut Ctx<'_>, fd: Fd, operation: U32) -> SysResult {
    const LOCK_NB: u32 = 4;
    let kind = match operation.0 & !LOCK_NB {
        1 => Some(LockKind::Read),
        2 => Some(LockKind::Write),
        8 => None,
        _ => return Err(Errno::EINVAL.into()),
    };
    let id = ctx.fd(fd)?;
    let inode = inode_of(ctx, id);
    match locks::set_flock(ctx.k, inode, id, kind) {
        Err(Errno::EAGAIN) if operation.0 & LOCK_NB == 0 => {
            Err(Stop::Block(Wait::any(vec![locks::wait_key(inode)], None, OnSignal::Restart)))
        }
        other => Ok(other.map(|()| 0)?),
    }
}
