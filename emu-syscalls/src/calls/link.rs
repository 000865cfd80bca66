//! Names: `link`, `unlink`, `symlink`, `readlink`, `rename`, `mknod`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd, I32, OutBuf, Path, U32};
use crate::calls::stat::{AT_EMPTY_PATH, AT_SYMLINK_FOLLOW};
use crate::ctx::{Ctx, SysResult};
use crate::vfs::ftype::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK};
use crate::vfs::ops::{self, Making, RENAME_EXCHANGE, RENAME_NOREPLACE};
use crate::vfs::perm::{cap, capable};
use crate::vfs::synth::LinkTarget;
use crate::vfs::{Resolve, resolve, resolve_parent};

/// `AT_REMOVEDIR`
const AT_REMOVEDIR: u32 = 0x200;

/// `unlinkat(2)`
pub(crate) fn unlinkat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, bits: I32) -> SysResult {
    let bits = bits.0.cast_unsigned();
    if bits & !AT_REMOVEDIR != 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = ctx.read_path(path)?;
    let parent = resolve_parent(ctx, dirfd, &path)?;
    if bits & AT_REMOVEDIR != 0 {
        ops::rmdir(ctx, &parent)?;
    } else {
        ops::unlink(ctx, &parent)?;
    }
    Ok(0)
}

/// `unlink(2)`
pub(crate) fn unlink(ctx: &mut Ctx<'_>, path: Path) -> SysResult {
    unlinkat(ctx, DirFd::CWD, path, I32(0))
}

/// `linkat(2)`
pub(crate) fn linkat(
    ctx: &mut Ctx<'_>,
    olddirfd: DirFd,
    oldpath: Path,
    newdirfd: DirFd,
    newpath: Path,
    bits: I32,
) -> SysResult {
    let bits = bits.0.cast_unsigned();
    if bits & !(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut how = Resolve::empty();
    how.set(Resolve::FOLLOW, bits & AT_SYMLINK_FOLLOW != 0);
    how.set(Resolve::EMPTY, bits & AT_EMPTY_PATH != 0);
    let old = ctx.read_path(oldpath)?;
    let from = resolve(ctx, olddirfd, &old, how)?;
    let new = ctx.read_path(newpath)?;
    let parent = resolve_parent(ctx, newdirfd, &new)?;
    ops::link(ctx, from, &parent)?;
    Ok(0)
}

/// `link(2)`
pub(crate) fn link(ctx: &mut Ctx<'_>, oldpath: Path, newpath: Path) -> SysResult {
    linkat(ctx, DirFd::CWD, oldpath, DirFd::CWD, newpath, I32(0))
}

/// `symlinkat(2)`
pub(crate) fn symlinkat(ctx: &mut Ctx<'_>, target: Path, newdirfd: DirFd, linkpath: Path) -> SysResult {
    let target = ctx.read_path(target)?;
    if target.is_empty() {
        return Err(Errno::ENOENT.into());
    }
    let path = ctx.read_path(linkpath)?;
    let parent = resolve_parent(ctx, newdirfd, &path)?;
    ops::create_new(ctx, &parent, Making::Symlink(target), 0o777)?;
    Ok(0)
}

/// `symlink(2)`
pub(crate) fn symlink(ctx: &mut Ctx<'_>, target: Path, linkpath: Path) -> SysResult {
    symlinkat(ctx, target, DirFd::CWD, linkpath)
}

fn read_link(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, buf: Addr, size: i32) -> SysResult {
    let size = usize::try_from(size).ok().filter(|size| *size > 0).ok_or(Errno::EINVAL)?;
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, dirfd, &path, Resolve::EMPTY)?;
    let is_link = ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).is_symlink();
    if !is_link {
        return Err(if path.is_empty() { Errno::ENOENT } else { Errno::EINVAL }.into());
    }
    let text = match crate::vfs::walk::read_link(ctx.k, ctx.host, Some(ctx.tid), loc.dentry)? {
        LinkTarget::Path(text) | LinkTarget::Loc(_, text) | LinkTarget::File(_, text) => text,
    };
    let text = text.get(..size).unwrap_or(&text);
    ctx.write_user(buf, text)?;
    Ok(text.len() as u64)
}

/// `readlinkat(2)`
pub(crate) fn readlinkat(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    buf: OutBuf<3>,
    bufsiz: I32,
) -> SysResult {
    read_link(ctx, dirfd, path, buf.addr(), bufsiz.0)
}

/// `readlink(2)`
pub(crate) fn readlink(ctx: &mut Ctx<'_>, path: Path, buf: OutBuf<2>, bufsiz: I32) -> SysResult {
    read_link(ctx, DirFd::CWD, path, buf.addr(), bufsiz.0)
}

/// `renameat2(2)`
pub(crate) fn renameat2(
    ctx: &mut Ctx<'_>,
    olddirfd: DirFd,
    oldpath: Path,
    newdirfd: DirFd,
    newpath: Path,
    bits: U32,
) -> SysResult {
    const WHITEOUT: u32 = ops::RENAME_WHITEOUT;
    if bits.0 & !(RENAME_NOREPLACE | RENAME_EXCHANGE | WHITEOUT) != 0
        || bits.0 & (RENAME_NOREPLACE | RENAME_EXCHANGE) == RENAME_NOREPLACE | RENAME_EXCHANGE
        || bits.0 & (WHITEOUT | RENAME_EXCHANGE) == WHITEOUT | RENAME_EXCHANGE
    {
        return Err(Errno::EINVAL.into());
    }
    let old = ctx.read_path(oldpath)?;
    let new = ctx.read_path(newpath)?;
    let from = resolve_parent(ctx, olddirfd, &old)?;
    let to = resolve_parent(ctx, newdirfd, &new)?;
    ops::rename(ctx, &from, &to, bits.0)?;
    Ok(0)
}

/// `renameat(2)`
pub(crate) fn renameat(
    ctx: &mut Ctx<'_>,
    olddirfd: DirFd,
    oldpath: Path,
    newdirfd: DirFd,
    newpath: Path,
) -> SysResult {
    renameat2(ctx, olddirfd, oldpath, newdirfd, newpath, U32(0))
}

/// `rename(2)`
pub(crate) fn rename(ctx: &mut Ctx<'_>, oldpath: Path, newpath: Path) -> SysResult {
    renameat2(ctx, DirFd::CWD, oldpath, DirFd::CWD, newpath, U32(0))
}

/// `mknodat(2)`
pub(crate) fn mknodat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, mode: U32, dev: U32) -> SysResult {
    let making = match mode.0 & S_IFMT {
        0 | S_IFREG => Making::File,
        S_IFCHR => Making::CharDevice(u64::from(dev.0)),
        S_IFBLK => Making::BlockDevice(u64::from(dev.0)),
        S_IFIFO => Making::Fifo,
        S_IFSOCK => Making::Socket,
        S_IFDIR => return Err(Errno::EPERM.into()),
        _ => return Err(Errno::EINVAL.into()),
    };
    let path = ctx.read_path(path)?;
    let parent = resolve_parent(ctx, dirfd, &path)?;
    let is_device = matches!(making, Making::CharDevice(_) | Making::BlockDevice(_));
    if is_device && !capable(&ctx.task().creds, cap::MKNOD) {
        return Err(Errno::EPERM.into());
    }
    let mode = mode.0 & 0o7777;
    ops::create_new(ctx, &parent, making, mode)?;
    Ok(0)
}

/// `mknod(2)`
pub(crate) fn mknod(ctx: &mut Ctx<'_>, path: Path, mode: U32, dev: U32) -> SysResult {
    mknodat(ctx, DirFd::CWD, path, mode, dev)
}
