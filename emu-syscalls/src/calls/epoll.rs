//! `epoll_create(2)`, `epoll_ctl(2)`, `epoll_wait(2)`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, Len};
use crate::calls::desc::fd_result;
use crate::calls::poll::{Timeout, enter_mask, leave_mask, millis, read_timespec};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::epoll::{Epoll, EpollFile, EpollId, add, candidates, delete, ev, modify, report, settle};
use crate::file::{File, FileId, Ready, flags};
use crate::task::wait::{OnSignal, Wait, WaitKey};

/// Bytes of the packed `struct epoll_event`.
const EVENT_SIZE: u64 = 12;

/// `epoll_create(2)`
pub(crate) fn epoll_create(ctx: &mut Ctx<'_>, size: I32) -> SysResult {
    if size.0 <= 0 {
        return Err(Errno::EINVAL.into());
    }
    epoll_create1(ctx, I32(0))
}

/// `epoll_create1(2)`
pub(crate) fn epoll_create1(ctx: &mut Ctx<'_>, flags: I32) -> SysResult {
    let bits = flags.0.cast_unsigned();
    if bits & !flags::O_CLOEXEC != 0 {
        return Err(Errno::EINVAL.into());
    }
    let epoll = ctx.k.epolls.instances.insert(Epoll::default());
    let fd = ctx.install(File::Epoll(EpollFile { epoll }), flags::O_RDWR, bits != 0)?;
    Ok(fd_result(fd))
}

/// `epoll_ctl(2)`
pub(crate) fn epoll_ctl(ctx: &mut Ctx<'_>, epfd: Fd, op: I32, fd: Fd, event: Addr) -> SysResult {
    const ADD: i32 = 1;
    const DEL: i32 = 2;
    const MOD: i32 = 3;
    // Linux copies the event before it looks at anything else.
    let (mut events, mut data) = (0, 0);
    if op.0 != DEL {
        events = ctx.read_u32(event)?;
        data = ctx.read_u64(event.at(4))?;
    }
    let epoll = ctx.fd(epfd)?;
    let target = ctx.fd(fd)?;
    if !ctx.file(target).kind.ops().pollable() {
        return Err(Errno::EPERM.into());
    }
    if epoll == target || !matches!(ctx.file(epoll).kind, File::Epoll(_)) {
        return Err(Errno::EINVAL.into());
    }
    if op.0 != DEL && events & ev::EXCLUSIVE != 0 {
        let allowed =
            (Ready::IN | Ready::OUT | Ready::ERR | Ready::HUP).bits() | ev::WAKEUP | ev::ET | ev::EXCLUSIVE;
        let nested = matches!(ctx.file(target).kind, File::Epoll(_));
        if op.0 == MOD || nested || events & !allowed != 0 {
            return Err(Errno::EINVAL.into());
        }
    }
    match op.0 {
        ADD => add(ctx.k, ctx.host, epoll, fd.0, target, events, data)?,
        MOD => modify(ctx.k, ctx.host, epoll, fd.0, target, events, data)?,
        DEL => delete(ctx.k, epoll, fd.0, target)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// `epoll_wait(2)`
pub(crate) fn epoll_wait(
    ctx: &mut Ctx<'_>,
    epfd: Fd,
    events: Addr,
    maxevents: I32,
    timeout: I32,
) -> SysResult {
    let timeout = Timeout::after(ctx, millis(timeout));
    wait_until(ctx, epfd, events, maxevents, timeout)
}

/// `epoll_pwait(2)`
pub(crate) fn epoll_pwait(
    ctx: &mut Ctx<'_>,
    epfd: Fd,
    events: Addr,
    maxevents: I32,
    timeout: I32,
    sigmask: Addr,
    sigsetsize: Len,
) -> SysResult {
    enter_mask(ctx, sigmask, sigsetsize.0)?;
    let timeout = Timeout::after(ctx, millis(timeout));
    let result = wait_until(ctx, epfd, events, maxevents, timeout);
    leave_mask(ctx, sigmask, result)
}

/// `epoll_pwait2(2)`
pub(crate) fn epoll_pwait2(
    ctx: &mut Ctx<'_>,
    epfd: Fd,
    events: Addr,
    maxevents: I32,
    timeout: Addr,
    sigmask: Addr,
    sigsetsize: Len,
) -> SysResult {
    let span = read_timespec(ctx, timeout)?;
    enter_mask(ctx, sigmask, sigsetsize.0)?;
    let timeout = Timeout::after(ctx, span);
    let result = wait_until(ctx, epfd, events, maxevents, timeout);
    leave_mask(ctx, sigmask, result)
}

fn wait_until(ctx: &mut Ctx<'_>, epfd: Fd, events: Addr, maxevents: I32, timeout: Timeout) -> SysResult {
    let max = u64::try_from(maxevents.0).unwrap_or(0);
    if max == 0 || max > 0x7fff_ffff / EVENT_SIZE {
        return Err(Errno::EINVAL.into());
    }
    if events.0.checked_add(max * EVENT_SIZE).is_none_or(|end| end > emu_core::mem::USER_END) {
        return Err(Errno::EFAULT.into());
    }
    let id: FileId = ctx.fd(epfd)?;
    let File::Epoll(file) = ctx.file(id).kind else { return Err(Errno::EINVAL.into()) };
    let found = collect(ctx, file.epoll, events, max)?;
    if found == 0 && !timeout.over(ctx) {
        return Err(Stop::Block(Wait::any(vec![WaitKey::File(id)], timeout.until(), OnSignal::Eintr)));
    }
    Ok(found)
}

fn collect(ctx: &mut Ctx<'_>, epoll: EpollId, events: Addr, max: u64) -> Result<u64, Errno> {
    let mut found = 0;
    for number in candidates(ctx.k, epoll) {
        if found == max {
            break;
        }
        let Some((bits, data)) = report(ctx.k, ctx.host, epoll, number) else {
            settle(ctx.k, epoll, number, false);
            continue;
        };
        let mut record = [0; 12];
        record[..4].copy_from_slice(&bits.to_le_bytes());
        record[4..].copy_from_slice(&data.to_le_bytes());
        match ctx.write_user(events.at(found * EVENT_SIZE), &record) {
            Ok(()) => settle(ctx.k, epoll, number, true),
            Err(errno) if found == 0 => return Err(errno),
            Err(_) => break,
        }
        found += 1;
    }
    Ok(found)
}
