//! `eventfd(2)`.

use crate::abi::errno::Errno;
use crate::arg::{I32, U32};
use crate::calls::desc::fd_result;
use crate::ctx::{Ctx, SysResult};
use crate::file::eventfd::{EventFd, EventFdFile};
use crate::file::{File, flags};

const EFD_SEMAPHORE: u32 = 1;

/// `eventfd(2)` without flags.
pub(crate) fn eventfd(ctx: &mut Ctx<'_>, initval: U32) -> SysResult {
    eventfd2(ctx, initval, I32(0))
}

/// `eventfd2(2)`
pub(crate) fn eventfd2(ctx: &mut Ctx<'_>, initval: U32, flags: I32) -> SysResult {
    let bits = flags.0.cast_unsigned();
    if bits & !(EFD_SEMAPHORE | flags::O_CLOEXEC | flags::O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let state = EventFd { count: u64::from(initval.0), semaphore: bits & EFD_SEMAPHORE != 0 };
    let counter = ctx.k.eventfds.insert(state);
    let status = flags::O_RDWR | bits & flags::O_NONBLOCK;
    let fd = ctx.install(File::EventFd(EventFdFile { counter }), status, bits & flags::O_CLOEXEC != 0)?;
    Ok(fd_result(fd))
}
