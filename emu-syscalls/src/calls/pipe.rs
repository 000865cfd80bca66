//! `pipe(2)`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32};
use crate::ctx::{Ctx, SysResult};
use crate::file::fdtable::put_file;
use crate::file::{FileId, flags, pipe as object};

/// `pipe(2)`
pub(crate) fn pipe(ctx: &mut Ctx<'_>, pipefd: Addr) -> SysResult {
    pipe2(ctx, pipefd, I32(0))
}

/// `pipe2(2)`
pub(crate) fn pipe2(ctx: &mut Ctx<'_>, pipefd: Addr, flags: I32) -> SysResult {
    let bits = flags.0.cast_unsigned();
    if bits & !(flags::O_CLOEXEC | flags::O_NONBLOCK | flags::O_DIRECT) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (reader, writer) = object::create(ctx.k, bits & !flags::O_CLOEXEC);
    let (uid, gid) = (ctx.task().creds.uid[3], ctx.task().creds.gid[3]);
    if let Some(owned) = ctx.file(reader).kind.clone().ops().owned(ctx.k) {
        (owned.uid, owned.gid) = (uid, gid);
    }
    install_pair(ctx, pipefd, reader, writer, bits & flags::O_CLOEXEC != 0)
}

/// Gives two open files the lowest free descriptors and writes their numbers as two `int`s.
pub(crate) fn install_pair(
    ctx: &mut Ctx<'_>,
    at: Addr,
    first: FileId,
    second: FileId,
    cloexec: bool,
) -> SysResult {
    let a = match ctx.install_id(first, cloexec) {
        Ok(fd) => fd,
        Err(errno) => {
            put_file(ctx.k, first);
            put_file(ctx.k, second);
            return Err(errno.into());
        }
    };
    let b: Fd = match ctx.install_id(second, cloexec) {
        Ok(fd) => fd,
        Err(errno) => {
            ctx.close_fd(a)?;
            put_file(ctx.k, second);
            return Err(errno.into());
        }
    };
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&a.0.to_le_bytes());
    bytes[4..].copy_from_slice(&b.0.to_le_bytes());
    if let Err(errno) = ctx.write_user(at, &bytes) {
        ctx.close_fd(a)?;
        ctx.close_fd(b)?;
        return Err(errno.into());
    }
    Ok(0)
}
