//! `signalfd(2)`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, Len};
use crate::calls::desc::fd_result;
use crate::ctx::{Ctx, SysResult};
use crate::file::signalfd::SignalFdFile;
use crate::file::{File, flags};
use crate::task::wait::WaitKey;

/// `signalfd(2)` without flags.
pub(crate) fn signalfd(ctx: &mut Ctx<'_>, fd: Fd, mask: Addr, sizemask: Len) -> SysResult {
    signalfd4(ctx, fd, mask, sizemask, I32(0))
}

/// `signalfd4(2)`
pub(crate) fn signalfd4(ctx: &mut Ctx<'_>, fd: Fd, mask: Addr, sizemask: Len, flags: I32) -> SysResult {
    const KILL_AND_STOP: u64 = 1 << 8 | 1 << 18;
    let bits = flags.0.cast_unsigned();
    if sizemask.0 != 8 {
        return Err(Errno::EINVAL.into());
    }
    let mask = ctx.read_u64(mask)? & !KILL_AND_STOP;
    if bits & !(flags::O_CLOEXEC | flags::O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if fd.0 == -1 {
        let status = flags::O_RDWR | bits & flags::O_NONBLOCK;
        let fd = ctx.install(File::SignalFd(SignalFdFile { mask }), status, bits & flags::O_CLOEXEC != 0)?;
        return Ok(fd_result(fd));
    }
    let id = ctx.fd(fd)?;
    match &mut ctx.file_mut(id).kind {
        File::SignalFd(file) => file.mask = mask,
        _ => return Err(Errno::EINVAL.into()),
    }
    ctx.k.wake(WaitKey::File(id));
    Ok(fd_result(fd))
}
