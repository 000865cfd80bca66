//! Sizes and storage: `truncate`, `fallocate`, `fsync` and advice.

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd, Fd, I32, I64, Len, Path, U32};
use crate::ctx::{Ctx, SysResult};
use crate::file::regular::{limit_size, seal};
use crate::file::{File, FileId};
use crate::vfs::perm::{MAY_WRITE, permission};
use crate::vfs::{InodeId, Resolve, data, ops, resolve, want_write};

/// `truncate(2)`
pub(crate) fn truncate(ctx: &mut Ctx<'_>, path: Path, length: I64) -> SysResult {
    let size = u64::try_from(length.0).map_err(|_| Errno::EINVAL)?;
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, DirFd::CWD, &path, Resolve::FOLLOW)?;
    let id = ctx.k.vfs.inode_at(loc);
    let inode = ctx.k.vfs.inode(id);
    if inode.is_dir() {
        return Err(Errno::EISDIR.into());
    }
    if inode.content().is_none() {
        return Err(Errno::EINVAL.into());
    }
    want_write(ctx.k, loc)?;
    permission(ctx, id, MAY_WRITE)?;
    if ctx.k.vfs.inode(id).is_fixed() {
        return Err(Errno::EPERM.into());
    }
    crate::landlock::check_path(ctx.k, ctx.tid, loc, crate::landlock::fs::TRUNCATE)?;
    resize(ctx, id, size)?;
    crate::vfs::leases::break_for(ctx, id, crate::file::flags::O_WRONLY)?;
    ops::truncate(ctx, loc, id, size)?;
    Ok(0)
}

/// Whether seals and limits allow the size.
fn resize(ctx: &mut Ctx<'_>, id: InodeId, size: u64) -> Result<(), Errno> {
    let inode = ctx.k.vfs.inode(id);
    let (before, seals) = (inode.size, inode.content().map_or(0, |content| content.seals));
    if (size < before && seals & seal::SHRINK != 0) || (size > before && seals & seal::GROW != 0) {
        return Err(Errno::EPERM);
    }
    if size > before {
        limit_size(ctx, size - 1, 1)?;
    }
    Ok(())
}

/// The regular file behind a descriptor. `EINVAL` for others.
fn regular(ctx: &Ctx<'_>, id: FileId) -> Result<InodeId, Errno> {
    match &ctx.file(id).kind {
        File::Regular(file) => Ok(file.inode),
        _ => Err(Errno::EINVAL),
    }
}

/// `ftruncate(2)`
pub(crate) fn ftruncate(ctx: &mut Ctx<'_>, fd: Fd, length: I64) -> SysResult {
    let size = u64::try_from(length.0).map_err(|_| Errno::EINVAL)?;
    let id = ctx.fd(fd)?;
    let inode = regular(ctx, id)?;
    if !ctx.file(id).writable() {
        return Err(Errno::EINVAL.into());
    }
    if ctx.file(id).denied & crate::landlock::fs::TRUNCATE != 0 {
        return Err(Errno::EACCES.into());
    }
    resize(ctx, inode, size)?;
    if let Some(loc) = ctx.file(id).loc {
        ops::truncate(ctx, loc, inode, size)?;
    }
    Ok(0)
}

/// `fallocate(2)`
pub(crate) fn fallocate(ctx: &mut Ctx<'_>, fd: Fd, mode: I32, offset: I64, len: I64) -> SysResult {
    const KEEP_SIZE: u32 = 1;
    const PUNCH_HOLE: u32 = 2;
    const COLLAPSE_RANGE: u32 = 8;
    const ZERO_RANGE: u32 = 0x10;
    const INSERT_RANGE: u32 = 0x20;
    const UNSHARE_RANGE: u32 = 0x40;
    let id = ctx.fd(fd)?;
    let (Ok(offset), Ok(len)) = (u64::try_from(offset.0), u64::try_from(len.0)) else {
        return Err(Errno::EINVAL.into());
    };
    if len == 0 {
        return Err(Errno::EINVAL.into());
    }
    let bits = mode.0.cast_unsigned();
    let what = bits & !KEEP_SIZE;
    let keeps = bits & KEEP_SIZE != 0;
    let known = match what {
        0 | ZERO_RANGE | UNSHARE_RANGE => true,
        PUNCH_HOLE => keeps,
        COLLAPSE_RANGE | INSERT_RANGE => !keeps,
        _ => false,
    };
    if !known {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if !ctx.file(id).writable() {
        return Err(Errno::EBADF.into());
    }
    let inode = match &ctx.file(id).kind {
        File::Regular(file) => file.inode,
        File::Pipe(_) => return Err(Errno::ESPIPE.into()),
        File::Dir(_) => return Err(Errno::EISDIR.into()),
        _ => return Err(Errno::ENODEV.into()),
    };
    let end = offset.checked_add(len).filter(|end| *end <= data::MAX_BYTES).ok_or(Errno::EFBIG)?;
    if matches!(what, COLLAPSE_RANGE | INSERT_RANGE | UNSHARE_RANGE) {
        // As Linux's own file systems in memory.
        return Err(Errno::EOPNOTSUPP.into());
    }
    let held = ctx.k.vfs.inode(inode);
    let (size, seals) = (held.size, held.content().map_or(0, |content| content.seals));
    if what == PUNCH_HOLE && seals & (seal::WRITE | seal::FUTURE_WRITE) != 0 {
        return Err(Errno::EPERM.into());
    }
    if what != PUNCH_HOLE && end > size && seals & seal::GROW != 0 {
        return Err(Errno::EPERM.into());
    }
    if what != 0 {
        data::punch(ctx.k, ctx.host, inode, offset, len)?;
    } else {
        data::allocate(ctx.k, ctx.host, inode, offset, len)?;
    }
    if end > size && bits & KEEP_SIZE == 0 {
        limit_size(ctx, end - 1, 1)?;
        data::set_size(ctx.k, ctx.host, inode, end)?;
    }
    ops::stamp_change(ctx, inode);
    Ok(0)
}

/// Writes back what mappings changed in a shared host file.
fn sync_fd(ctx: &mut Ctx<'_>, fd: Fd) -> SysResult {
    let id = ctx.fd(fd)?;
    match &ctx.file(id).kind {
        File::Regular(file) => {
            let inode = file.inode;
            data::sync_inode(ctx.k, ctx.host, inode)?;
            Ok(0)
        }
        File::Dir(_) | File::Synth(_) => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `fsync(2)`
pub(crate) fn fsync(ctx: &mut Ctx<'_>, fd: Fd) -> SysResult {
    sync_fd(ctx, fd)
}

/// `fdatasync(2)`
pub(crate) fn fdatasync(ctx: &mut Ctx<'_>, fd: Fd) -> SysResult {
    sync_fd(ctx, fd)
}

/// `sync(2)`
pub(crate) fn sync(ctx: &mut Ctx<'_>) -> SysResult {
    let open: Vec<InodeId> = ctx
        .k
        .files
        .iter()
        .filter_map(|(_, file)| match &file.kind {
            File::Regular(file) => Some(file.inode),
            _ => None,
        })
        .collect();
    for inode in open {
        // sync(2) reports no errors; fsync(2) on the file does.
        let _ = data::sync_inode(ctx.k, ctx.host, inode);
    }
    Ok(0)
}

/// `syncfs(2)`
pub(crate) fn syncfs(ctx: &mut Ctx<'_>, fd: Fd) -> SysResult {
    ctx.fd(fd)?;
    sync(ctx)
}

/// `sync_file_range(2)`
pub(crate) fn sync_file_range(ctx: &mut Ctx<'_>, fd: Fd, offset: I64, nbytes: I64, bits: U32) -> SysResult {
    let id = ctx.fd(fd)?;
    let end = offset.0.checked_add(nbytes.0);
    if bits.0 & !7 != 0 || offset.0 < 0 || end.is_none_or(|end| end < offset.0) {
        return Err(Errno::EINVAL.into());
    }
    match ctx.file(id).kind {
        File::Regular(_) | File::Dir(_) => sync_fd(ctx, fd),
        _ => Err(Errno::ESPIPE.into()),
    }
}

/// `readahead(2)`
pub(crate) fn readahead(ctx: &mut Ctx<'_>, fd: Fd, _offset: I64, _count: Len) -> SysResult {
    let id = ctx.fd(fd)?;
    if !ctx.file(id).readable() {
        return Err(Errno::EBADF.into());
    }
    // Advice only: files are in memory, or read when needed.
    regular(ctx, id)?;
    Ok(0)
}

/// `fadvise64(2)`
pub(crate) fn fadvise64(ctx: &mut Ctx<'_>, fd: Fd, _offset: I64, len: I64, advice: I32) -> SysResult {
    let id = ctx.fd(fd)?;
    if matches!(ctx.file(id).kind, File::Pipe(_)) {
        return Err(Errno::ESPIPE.into());
    }
    if len.0 < 0 || !(0..=5).contains(&advice.0) {
        return Err(Errno::EINVAL.into());
    }
    Ok(0)
}

/// `cachestat(2)`: everything in memory is in the cache and clean.
pub(crate) fn cachestat(ctx: &mut Ctx<'_>, fd: Fd, range: Addr, cstat: Addr, bits: U32) -> SysResult {
    let id = ctx.fd(fd)?;
    let (off, len) = (ctx.read_u64(range)?, ctx.read_u64(range.at(8))?);
    if bits.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let cached = match &ctx.file(id).kind {
        File::Regular(file) => {
            let inode = ctx.k.vfs.inode(file.inode);
            let end = if len == 0 { inode.size } else { off.saturating_add(len).min(inode.size) };
            let object = inode.content().and_then(|content| content.object);
            let pages = off / 4096..end.div_ceil(4096);
            let mut found = 0;
            let mut next = object.and_then(|object| ctx.k.mem.object_next_data(object, pages.start * 4096));
            while let (Some(object), Some(at)) = (object, next.filter(|at| *at / 4096 < pages.end)) {
                let hole = ctx.k.mem.object_next_hole(object, at);
                found += (hole / 4096).min(pages.end).saturating_sub(at / 4096);
                next = ctx.k.mem.object_next_data(object, hole);
            }
            found
        }
        _ => 0,
    };
    ctx.write_u64(cstat, cached)?;
    ctx.write_user(cstat.at(8), &[0; 32])?;
    Ok(0)
}
