//! `timerfd_create(2)`, `timerfd_settime(2)`, `timerfd_gettime(2)`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32};
use crate::calls::desc::fd_result;
use crate::calls::poll::{read_timespec, write_timespec};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::timerfd::{TimerFd, TimerFdFile, TimerFdId, expire};
use crate::file::{File, FileId, OpenFile, flags};
use crate::time::Boot;

const CLOCK_REALTIME: i32 = 0;
const CLOCK_MONOTONIC: i32 = 1;
const CLOCK_BOOTTIME: i32 = 7;
const CLOCK_REALTIME_ALARM: i32 = 8;
const CLOCK_BOOTTIME_ALARM: i32 = 9;
/// `CAP_WAKE_ALARM`
const CAP_WAKE_ALARM: u64 = 1 << 35;
const ABSTIME: i32 = 1;
const CANCEL_ON_SET: i32 = 2;

/// `timerfd_create(2)`
pub(crate) fn timerfd_create(ctx: &mut Ctx<'_>, clockid: I32, flags: I32) -> SysResult {
    let bits = flags.0.cast_unsigned();
    let known = matches!(
        clockid.0,
        CLOCK_REALTIME | CLOCK_MONOTONIC | CLOCK_BOOTTIME | CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM
    );
    if bits & !(flags::O_CLOEXEC | flags::O_NONBLOCK) != 0 || !known {
        return Err(Errno::EINVAL.into());
    }
    let alarm = matches!(clockid.0, CLOCK_REALTIME_ALARM | CLOCK_BOOTTIME_ALARM);
    if alarm && ctx.task().creds.cap_effective & CAP_WAKE_ALARM == 0 {
        return Err(Errno::EPERM.into());
    }
    let timer = TimerFd { clock: clockid.0, next_ns: None, interval_ns: 0, ticks: 0, file: FileId(0) };
    let timer = ctx.k.timerfds.timers.insert(timer);
    let status = flags::O_RDWR | bits & flags::O_NONBLOCK;
    let file = ctx.k.files.insert(OpenFile::new(File::TimerFd(TimerFdFile { timer }), status));
    if let Some(state) = ctx.k.timerfds.timers.get_mut(timer) {
        state.file = file;
    }
    match ctx.install_id(file, bits & flags::O_CLOEXEC != 0) {
        Ok(fd) => Ok(fd_result(fd)),
        Err(errno) => {
            crate::file::fdtable::put_file(ctx.k, file);
            Err(errno.into())
        }
    }
}

fn timer_of(ctx: &Ctx<'_>, fd: Fd) -> Result<TimerFdId, Errno> {
    let id = ctx.fd(fd)?;
    match &ctx.file(id).kind {
        File::TimerFd(file) => Ok(file.timer),
        _ => Err(Errno::EINVAL),
    }
}

/// `timerfd_settime(2)`
pub(crate) fn timerfd_settime(
    ctx: &mut Ctx<'_>,
    fd: Fd,
    flags: I32,
    new_value: Addr,
    old_value: Addr,
) -> SysResult {
    if new_value == Addr::NULL {
        return Err(Errno::EFAULT.into());
    }
    let interval = read_timespec(ctx, new_value)?.unwrap_or(0);
    let value = read_timespec(ctx, new_value.at(16))?.unwrap_or(0);
    if flags.0 & !(ABSTIME | CANCEL_ON_SET) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let timer = timer_of(ctx, fd)?;
    let clock = ctx.k.timerfds.timers.get(timer).map_or(CLOCK_MONOTONIC, |timer| timer.clock);
    let wall = matches!(clock, CLOCK_REALTIME | CLOCK_REALTIME_ALARM);
    if flags.0 & CANCEL_ON_SET != 0 && wall && flags.0 & ABSTIME != 0 {
        ctx.k.gap(
            "timerfd_settime TFD_TIMER_CANCEL_ON_SET: setting the clock cancels nothing".to_owned(),
            String::new(),
        );
    }
    let now = ctx.now_ns();
    expire(ctx.k, now);
    let old = current(ctx, timer, now);
    let next = match value {
        0 => None,
        at if flags.0 & ABSTIME == 0 => Some(now.saturating_add(at)),
        at if wall => Some(now.saturating_add(at.saturating_sub(ctx.realtime_ns()))),
        at => Some(ctx.from_namespace(
            at,
            if matches!(clock, 7 | CLOCK_BOOTTIME_ALARM) { Boot::Yes } else { Boot::No },
        )),
    };
    ctx.k.timerfds.set(timer, next, interval);
    expire(ctx.k, now);
    if old_value != Addr::NULL {
        write_timespec(ctx, old_value, old.1)?;
        write_timespec(ctx, old_value.at(16), old.0)?;
    }
    Ok(0)
}

/// Time left and interval, in ns.
fn current(ctx: &Ctx<'_>, timer: TimerFdId, now: u64) -> (u64, u64) {
    let Some(timer) = ctx.k.timerfds.timers.get(timer) else { return (0, 0) };
    (timer.next_ns.map_or(0, |at| at.saturating_sub(now).max(1)), timer.interval_ns)
}

/// `timerfd_gettime(2)`
pub(crate) fn timerfd_gettime(ctx: &mut Ctx<'_>, fd: Fd, curr_value: Addr) -> SysResult {
    let timer = timer_of(ctx, fd).map_err(Stop::from)?;
    let now = ctx.now_ns();
    expire(ctx.k, now);
    let (left, interval) = current(ctx, timer, now);
    write_timespec(ctx, curr_value, interval)?;
    write_timespec(ctx, curr_value.at(16), left)?;
    Ok(0)
}
