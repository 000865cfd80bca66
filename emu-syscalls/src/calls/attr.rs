//! Changing attributes: `chmod`, `chown`, `utime` and their forms.

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd, Fd, I32, Len, Path, U32};
use crate::calls::stat::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, at_flags};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::vfs::attr::{SetTime, set_mode, set_owner, set_times};
use crate::vfs::{Loc, Resolve, resolve};

const NS: i64 = 1_000_000_000;

/// The place of an open file, for calls that change its inode.
pub(crate) fn place_of(ctx: &mut Ctx<'_>, fd: Fd) -> Result<Loc, Errno> {
    let id = ctx.fd(fd)?;
    Ok(match ctx.file(id).loc {
        Some(loc) => loc,
        None => crate::vfs::walk::anon_place(ctx.k, id),
    })
}

/// `fchmodat2(2)`
pub(crate) fn fchmodat2(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, mode: U32, bits: U32) -> SysResult {
    if bits.0 & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, dirfd, &path, at_flags(bits.0))?;
    set_mode(ctx, loc, mode.0)?;
    Ok(0)
}

/// `fchmodat(2)`
pub(crate) fn fchmodat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, mode: U32) -> SysResult {
    fchmodat2(ctx, dirfd, path, mode, U32(0))
}

/// `chmod(2)`
pub(crate) fn chmod(ctx: &mut Ctx<'_>, path: Path, mode: U32) -> SysResult {
    fchmodat2(ctx, DirFd::CWD, path, mode, U32(0))
}

/// `fchmod(2)`
pub(crate) fn fchmod(ctx: &mut Ctx<'_>, fd: Fd, mode: U32) -> SysResult {
    let loc = place_of(ctx, fd)?;
    set_mode(ctx, loc, mode.0)?;
    Ok(0)
}

/// -1 leaves an owner as it is.
fn owner(id: U32) -> Option<u32> {
    (id.0 != u32::MAX).then_some(id.0)
}

/// `fchownat(2)`
pub(crate) fn fchownat(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    uid: U32,
    gid: U32,
    bits: I32,
) -> SysResult {
    let bits = bits.0.cast_unsigned();
    if bits & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, dirfd, &path, at_flags(bits))?;
    set_owner(ctx, loc, owner(uid), owner(gid))?;
    Ok(0)
}

/// `chown(2)`
pub(crate) fn chown(ctx: &mut Ctx<'_>, path: Path, uid: U32, gid: U32) -> SysResult {
    fchownat(ctx, DirFd::CWD, path, uid, gid, I32(0))
}

/// `lchown(2)`
pub(crate) fn lchown(ctx: &mut Ctx<'_>, path: Path, uid: U32, gid: U32) -> SysResult {
    fchownat(ctx, DirFd::CWD, path, uid, gid, I32(AT_SYMLINK_NOFOLLOW.cast_signed()))
}

/// `fchown(2)`
pub(crate) fn fchown(ctx: &mut Ctx<'_>, fd: Fd, uid: U32, gid: U32) -> SysResult {
    let loc = place_of(ctx, fd)?;
    set_owner(ctx, loc, owner(uid), owner(gid))?;
    Ok(0)
}

/// Two words at an address.
fn pair(ctx: &mut Ctx<'_>, at: Addr) -> Result<(i64, i64), Errno> {
    Ok((ctx.read_u64(at)?.cast_signed(), ctx.read_u64(at.at(8))?.cast_signed()))
}

fn stamp(seconds: i64, ns: i64) -> SetTime {
    SetTime::To(seconds.saturating_mul(NS).saturating_add(ns))
}

/// `utimensat(2)`
pub(crate) fn utimensat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, times: Addr, bits: I32) -> SysResult {
    const UTIME_NOW: i64 = (1 << 30) - 1;
    const UTIME_OMIT: i64 = (1 << 30) - 2;
    let bits = bits.0.cast_unsigned();
    let mut set = [SetTime::Now; 2];
    if let Some(times) = times.non_null() {
        for (at, time) in [(0, 0), (16, 1)] {
            let (seconds, ns) = pair(ctx, times.at(at))?;
            set[time] = match ns {
                UTIME_NOW => SetTime::Now,
                UTIME_OMIT => SetTime::Omit,
                0..NS => stamp(seconds, ns),
                _ => return Err(Errno::EINVAL.into()),
            };
        }
        if set == [SetTime::Omit; 2] {
            return Ok(0);
        }
    }
    if bits & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let loc = if path.0 == 0 && dirfd != DirFd::CWD {
        // futimens(3)
        if bits & AT_SYMLINK_NOFOLLOW != 0 {
            return Err(Errno::EINVAL.into());
        }
        place_of(ctx, Fd(dirfd.0))?
    } else {
        let path = ctx.read_path(path)?;
        resolve(ctx, dirfd, &path, at_flags(bits))?
    };
    set_times(ctx, loc, set[0], set[1])?;
    Ok(0)
}

fn timevals(ctx: &mut Ctx<'_>, times: Addr) -> Result<[SetTime; 2], Errno> {
    let mut set = [SetTime::Now; 2];
    if let Some(times) = times.non_null() {
        for (at, time) in [(0, 0), (16, 1)] {
            let (seconds, micros) = pair(ctx, times.at(at))?;
            if !(0..1_000_000).contains(&micros) {
                return Err(Errno::EINVAL);
            }
            set[time] = stamp(seconds, micros * 1000);
        }
    }
    Ok(set)
}

/// `futimesat(2)`
pub(crate) fn futimesat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, times: Addr) -> SysResult {
    let set = timevals(ctx, times)?;
    let loc = if path.0 == 0 && dirfd != DirFd::CWD {
        place_of(ctx, Fd(dirfd.0))?
    } else {
        let path = ctx.read_path(path)?;
        resolve(ctx, dirfd, &path, Resolve::FOLLOW)?
    };
    set_times(ctx, loc, set[0], set[1])?;
    Ok(0)
}

/// `utimes(2)`
pub(crate) fn utimes(ctx: &mut Ctx<'_>, path: Path, times: Addr) -> SysResult {
    futimesat(ctx, DirFd::CWD, path, times)
}

/// `utime(2)`
pub(crate) fn utime(ctx: &mut Ctx<'_>, path: Path, times: Addr) -> SysResult {
    let mut set = [SetTime::Now; 2];
    if let Some(times) = times.non_null() {
        let (atime, mtime) = pair(ctx, times)?;
        set = [stamp(atime, 0), stamp(mtime, 0)];
    }
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, DirFd::CWD, &path, Resolve::FOLLOW)?;
    set_times(ctx, loc, set[0], set[1])?;
    Ok(0)
}

/// Bytes in `struct file_attr`: flags, extent size, extents, project, copy-on-write extent size.
const FILE_ATTR_SIZE: u64 = 24;

/// The place whose `struct file_attr` is meant, after the checks that reading and setting share.
fn file_attr_place(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, size: Len, bits: U32) -> Result<Loc, Stop> {
    if bits.0 & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if size.0 > 4096 {
        return Err(Errno::E2BIG.into());
    }
    if size.0 < FILE_ATTR_SIZE {
        return Err(Errno::EINVAL.into());
    }
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, dirfd, &path, at_flags(bits.0))?;
    let inode = ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc));
    if inode.content().is_none() && inode.dir().is_none() {
        return Err(Errno::EOPNOTSUPP.into());
    }
    Ok(loc)
}

/// `file_getattr(2)`: no file has any of these attributes.
pub(crate) fn file_getattr(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    attr: Addr,
    size: Len,
    bits: U32,
) -> SysResult {
    file_attr_place(ctx, dirfd, path, size, bits)?;
    let size = usize::try_from(size.0).map_err(|_| Errno::E2BIG)?;
    ctx.write_user(attr, &vec![0; size])?;
    Ok(0)
}

/// `file_setattr(2)`: none can be set.
pub(crate) fn file_setattr(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    attr: Addr,
    size: Len,
    bits: U32,
) -> SysResult {
    file_attr_place(ctx, dirfd, path, size, bits)?;
    let mut bytes = vec![0; usize::try_from(size.0).map_err(|_| Errno::E2BIG)?];
    ctx.read_user(attr, &mut bytes)?;
    if bytes.iter().any(|byte| *byte != 0) {
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap("file_setattr: attributes of files (immutable, append-only ...)".to_owned(), at);
        return Err(Errno::EOPNOTSUPP.into());
    }
    Ok(0)
}
