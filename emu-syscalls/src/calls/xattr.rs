//! Extended attributes.

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd, Fd, I32, InBuf, Len, OutBuf, Path, U32};
use crate::calls::attr::place_of;
use crate::calls::stat::{AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, at_flags};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::vfs::xattr::{self, NAME_MAX, SIZE_MAX};
use crate::vfs::{Loc, Resolve, resolve};

fn at(ctx: &mut Ctx<'_>, path: Path, how: Resolve) -> Result<Loc, Stop> {
    let path = ctx.read_path(path)?;
    resolve(ctx, DirFd::CWD, &path, how)
}

fn name_of(ctx: &mut Ctx<'_>, name: Path) -> Result<Vec<u8>, Errno> {
    let name = ctx.read_cstr(Addr(name.0), NAME_MAX + 1, Errno::ERANGE)?;
    if name.is_empty() { Err(Errno::ERANGE) } else { Ok(name) }
}

/// What `setxattr` asks for.
fn set_args(
    ctx: &mut Ctx<'_>,
    name: Path,
    value: Addr,
    size: Len,
    flags: I32,
) -> Result<(Vec<u8>, Vec<u8>, u32), Errno> {
    let bits = flags.0.cast_unsigned();
    if bits & !(xattr::CREATE | xattr::REPLACE) != 0 {
        return Err(Errno::EINVAL);
    }
    let name = name_of(ctx, name)?;
    if size.0 > SIZE_MAX {
        return Err(Errno::E2BIG);
    }
    let mut bytes = vec![0; usize::try_from(size.0).map_err(|_| Errno::E2BIG)?];
    ctx.read_user(value, &mut bytes)?;
    Ok((name, bytes, bits))
}

/// `setxattr(2)`
pub(crate) fn setxattr(
    ctx: &mut Ctx<'_>,
    path: Path,
    name: Path,
    value: InBuf<3>,
    size: Len,
    flags: I32,
) -> SysResult {
    let (name, value, bits) = set_args(ctx, name, value.addr(), size, flags)?;
    let loc = at(ctx, path, Resolve::FOLLOW)?;
    xattr::set(ctx, loc, &name, &value, bits)?;
    Ok(0)
}

/// `lsetxattr(2)`
pub(crate) fn lsetxattr(
    ctx: &mut Ctx<'_>,
    path: Path,
    name: Path,
    value: InBuf<3>,
    size: Len,
    flags: I32,
) -> SysResult {
    let (name, value, bits) = set_args(ctx, name, value.addr(), size, flags)?;
    let loc = at(ctx, path, Resolve::empty())?;
    xattr::set(ctx, loc, &name, &value, bits)?;
    Ok(0)
}

/// `fsetxattr(2)`
pub(crate) fn fsetxattr(
    ctx: &mut Ctx<'_>,
    fd: Fd,
    name: Path,
    value: InBuf<3>,
    size: Len,
    flags: I32,
) -> SysResult {
    let loc = place_of(ctx, fd)?;
    let (name, value, bits) = set_args(ctx, name, value.addr(), size, flags)?;
    xattr::set(ctx, loc, &name, &value, bits)?;
    Ok(0)
}

/// Hands a value out: its length if `size` is 0, `ERANGE` if it does not fit.
fn give(ctx: &mut Ctx<'_>, data: &[u8], to: Addr, size: Len) -> SysResult {
    if size.0 != 0 {
        if data.len() as u64 > size.0 {
            return Err(Errno::ERANGE.into());
        }
        ctx.write_user(to, data)?;
    }
    Ok(data.len() as u64)
}

/// `getxattr(2)`
pub(crate) fn getxattr(ctx: &mut Ctx<'_>, path: Path, name: Path, value: OutBuf<3>, size: Len) -> SysResult {
    let name = name_of(ctx, name)?;
    let loc = at(ctx, path, Resolve::FOLLOW)?;
    let data = xattr::get(ctx, loc, &name)?;
    give(ctx, &data, value.addr(), size)
}

/// `lgetxattr(2)`
pub(crate) fn lgetxattr(ctx: &mut Ctx<'_>, path: Path, name: Path, value: OutBuf<3>, size: Len) -> SysResult {
    let name = name_of(ctx, name)?;
    let loc = at(ctx, path, Resolve::empty())?;
    let data = xattr::get(ctx, loc, &name)?;
    give(ctx, &data, value.addr(), size)
}

/// `fgetxattr(2)`
pub(crate) fn fgetxattr(ctx: &mut Ctx<'_>, fd: Fd, name: Path, value: OutBuf<3>, size: Len) -> SysResult {
    let loc = place_of(ctx, fd)?;
    let name = name_of(ctx, name)?;
    let data = xattr::get(ctx, loc, &name)?;
    give(ctx, &data, value.addr(), size)
}

/// `listxattr(2)`
pub(crate) fn listxattr(ctx: &mut Ctx<'_>, path: Path, list: OutBuf<2>, size: Len) -> SysResult {
    let loc = at(ctx, path, Resolve::FOLLOW)?;
    let names = xattr::list(ctx, loc);
    give(ctx, &names, list.addr(), size)
}

/// `llistxattr(2)`
pub(crate) fn llistxattr(ctx: &mut Ctx<'_>, path: Path, list: OutBuf<2>, size: Len) -> SysResult {
    let loc = at(ctx, path, Resolve::empty())?;
    let names = xattr::list(ctx, loc);
    give(ctx, &names, list.addr(), size)
}

/// `flistxattr(2)`
pub(crate) fn flistxattr(ctx: &mut Ctx<'_>, fd: Fd, list: OutBuf<2>, size: Len) -> SysResult {
    let loc = place_of(ctx, fd)?;
    let names = xattr::list(ctx, loc);
    give(ctx, &names, list.addr(), size)
}

/// `removexattr(2)`
pub(crate) fn removexattr(ctx: &mut Ctx<'_>, path: Path, name: Path) -> SysResult {
    let name = name_of(ctx, name)?;
    let loc = at(ctx, path, Resolve::FOLLOW)?;
    xattr::remove(ctx, loc, &name)?;
    Ok(0)
}

/// `lremovexattr(2)`
pub(crate) fn lremovexattr(ctx: &mut Ctx<'_>, path: Path, name: Path) -> SysResult {
    let name = name_of(ctx, name)?;
    let loc = at(ctx, path, Resolve::empty())?;
    xattr::remove(ctx, loc, &name)?;
    Ok(0)
}

/// `fremovexattr(2)`
pub(crate) fn fremovexattr(ctx: &mut Ctx<'_>, fd: Fd, name: Path) -> SysResult {
    let loc = place_of(ctx, fd)?;
    let name = name_of(ctx, name)?;
    xattr::remove(ctx, loc, &name)?;
    Ok(0)
}

/// The place that an `*at` form means. With an empty path and AT_EMPTY_PATH it is the descriptor's.
fn place_at(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, bits: U32) -> Result<Loc, Stop> {
    if bits.0 & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = ctx.read_path(path)?;
    resolve(ctx, dirfd, &path, at_flags(bits.0))
}

/// `struct xattr_args`: address of the value, its size, flags.
fn read_args(ctx: &mut Ctx<'_>, args: Addr, size: Len) -> Result<(Addr, Len, u32), Errno> {
    const ARGS_SIZE: u64 = 16;
    if size.0 < ARGS_SIZE {
        return Err(Errno::EINVAL);
    }
    if size.0 > 4096 {
        return Err(Errno::E2BIG);
    }
    let mut rest = vec![0; usize::try_from(size.0 - ARGS_SIZE).map_err(|_| Errno::E2BIG)?];
    ctx.read_user(args.at(ARGS_SIZE), &mut rest)?;
    if rest.iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG);
    }
    let (value, len, bits) = (ctx.read_u64(args)?, ctx.read_u32(args.at(8))?, ctx.read_u32(args.at(12))?);
    Ok((Addr(value), Len(u64::from(len)), bits))
}

/// `setxattrat(2)`
pub(crate) fn setxattrat(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    bits: U32,
    name: Path,
    args: Addr,
    size: Len,
) -> SysResult {
    let (value, len, flags) = read_args(ctx, args, size)?;
    let (name, value, flags) = set_args(ctx, name, value, len, I32(flags.cast_signed()))?;
    let loc = place_at(ctx, dirfd, path, bits)?;
    xattr::set(ctx, loc, &name, &value, flags)?;
    Ok(0)
}

/// `getxattrat(2)`
pub(crate) fn getxattrat(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    bits: U32,
    name: Path,
    args: Addr,
    size: Len,
) -> SysResult {
    let (value, len, flags) = read_args(ctx, args, size)?;
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let name = name_of(ctx, name)?;
    let loc = place_at(ctx, dirfd, path, bits)?;
    let data = xattr::get(ctx, loc, &name)?;
    give(ctx, &data, value, len)
}

/// `listxattrat(2)`
pub(crate) fn listxattrat(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    bits: U32,
    list: Addr,
    size: Len,
) -> SysResult {
    let loc = place_at(ctx, dirfd, path, bits)?;
    let names = xattr::list(ctx, loc);
    give(ctx, &names, list, size)
}

/// `removexattrat(2)`
pub(crate) fn removexattrat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, bits: U32, name: Path) -> SysResult {
    let name = name_of(ctx, name)?;
    let loc = place_at(ctx, dirfd, path, bits)?;
    xattr::remove(ctx, loc, &name)?;
    Ok(0)
}
