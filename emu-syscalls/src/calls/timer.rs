//! Interval timers and POSIX timers (setitimer(2), alarm(2), timer_create(2) ...).

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, U32};
use crate::calls::clock::{self, Clock, process_times, timeval_ns};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::task::TaskId;
use crate::task::sighand::sig;
use crate::time::NS_PER_SEC;
use crate::time::timer::{self, CpuTimer, PosixTimer, Tells, TimerClock, TimerKey};

/// What is left of an interval timer, and its period, in ns.
fn remaining(ctx: &mut Ctx<'_>, which: i32) -> Result<(u64, u64), Errno> {
    let gid = ctx.task().group;
    let now = ctx.now_ns();
    let (user, total) = process_times(ctx, gid);
    let timers = &ctx.k.group(gid).timers;
    let cpu = |timer: CpuTimer, now: u64| match timer.due_ns {
        0 => (0, timer.interval_ns),
        due => (due.saturating_sub(now).max(1000), timer.interval_ns),
    };
    Ok(match which {
        0 => {
            let left =
                ctx.k.time.timers.due(TimerKey::Real(gid)).map_or(0, |at| at.saturating_sub(now).max(1000));
            (left, timers.real_interval_ns)
        }
        1 => cpu(timers.virtual_, user),
        2 => cpu(timers.prof, total),
        _ => return Err(Errno::EINVAL),
    })
}

fn write_itimerval(ctx: &mut Ctx<'_>, at: Addr, (value, interval): (u64, u64)) -> Result<(), Errno> {
    ctx.write_timeval(at, interval)?;
    ctx.write_timeval(at.at(16), value)
}

/// `getitimer(2)`
pub(crate) fn getitimer(ctx: &mut Ctx<'_>, which: I32, curr_value: Addr) -> SysResult {
    let state = remaining(ctx, which.0)?;
    write_itimerval(ctx, curr_value, state)?;
    Ok(0)
}

fn set(ctx: &mut Ctx<'_>, which: i32, value: u64, interval: u64) {
    let gid = ctx.task().group;
    let now = ctx.now_ns();
    let (user, total) = process_times(ctx, gid);
    let at = |now: u64| if value == 0 { 0 } else { now.saturating_add(value) };
    match which {
        0 => {
            ctx.k.time.timers.set(TimerKey::Real(gid), (value != 0).then_some(at(now)));
            ctx.group_mut().timers.real_interval_ns = interval;
        }
        1 => ctx.group_mut().timers.virtual_ = CpuTimer { due_ns: at(user), interval_ns: interval },
        _ => ctx.group_mut().timers.prof = CpuTimer { due_ns: at(total), interval_ns: interval },
    }
    timer::rearm_cpu(ctx.k, gid);
}

/// `setitimer(2)`
pub(crate) fn setitimer(ctx: &mut Ctx<'_>, which: I32, new_value: Addr, old_value: Addr) -> SysResult {
    let (mut value, mut interval) = (0, 0);
    if let Some(new) = new_value.non_null() {
        let words = [
            ctx.read_u64(new)?,
            ctx.read_u64(new.at(8))?,
            ctx.read_u64(new.at(16))?,
            ctx.read_u64(new.at(24))?,
        ];
        interval = timeval_ns(words[0], words[1])?;
        value = timeval_ns(words[2], words[3])?;
    }
    let old = remaining(ctx, which.0)?;
    set(ctx, which.0, value, interval);
    if let Some(old_value) = old_value.non_null() {
        write_itimerval(ctx, old_value, old)?;
    }
    Ok(0)
}

/// `alarm(2)`
pub(crate) fn alarm(ctx: &mut Ctx<'_>, seconds: U32) -> SysResult {
    let (left, _) = remaining(ctx, 0)?;
    set(ctx, 0, u64::from(seconds.0) * NS_PER_SEC, 0);
    // Rounded to the nearest second, but never to "no alarm" (alarm_setitimer).
    let rounded = left / NS_PER_SEC + u64::from(left % NS_PER_SEC >= NS_PER_SEC / 2);
    Ok(if left > 0 { rounded.max(1) } else { 0 })
}

/// Most POSIX timers of a process (they count against RLIMIT_SIGPENDING in Linux).
const MAX_TIMERS: u64 = 4096;

fn timer_clock(ctx: &Ctx<'_>, id: i32) -> Result<TimerClock, Errno> {
    match clock::clock(ctx, id)? {
        // Coarse and raw clocks have no timers.
        _ if matches!(id, 4..=6) => Err(Errno::EOPNOTSUPP),
        (Clock::Realtime | Clock::Tai, _) => Ok(TimerClock::Realtime),
        (Clock::Monotonic | Clock::Boot, _) => Ok(TimerClock::Monotonic),
        (Clock::Cpu(clock), _) => Ok(clock),
    }
}

/// `timer_create(2)`
pub(crate) fn timer_create(ctx: &mut Ctx<'_>, clockid: I32, sevp: Addr, timerid: Addr) -> SysResult {
    const SIGEV_SIGNAL: u32 = 0;
    const SIGEV_NONE: u32 = 1;
    const SIGEV_THREAD: u32 = 2;
    const SIGEV_THREAD_ID: u32 = 4;
    let clock = timer_clock(ctx, clockid.0)?;
    let gid = ctx.task().group;
    let limit = ctx.group().rlimits[11].0.min(MAX_TIMERS);
    if ctx.group().timers.posix.len() as u64 >= limit {
        return Err(Errno::EAGAIN.into());
    }
    let mut id = ctx.group().timers.next_id;
    while ctx.group().timers.posix.contains_key(&id) {
        id = id.wrapping_add(1) & i32::MAX;
    }
    let (mut tells, mut value) = (Tells::Process(sig::ALRM), u64::from(id.cast_unsigned()));
    if let Some(sevp) = sevp.non_null() {
        value = ctx.read_u64(sevp)?;
        let signo = ctx.read_u32(sevp.at(8))?;
        let notify = ctx.read_u32(sevp.at(12))?;
        let thread = ctx.read_u32(sevp.at(16))?;
        let signal = u8::try_from(signo).ok().filter(|n| (1..=sig::MAX).contains(n));
        tells = match notify {
            SIGEV_NONE => Tells::Nobody,
            SIGEV_SIGNAL | SIGEV_THREAD => Tells::Process(signal.ok_or(Errno::EINVAL)?),
            SIGEV_THREAD_ID => {
                let tid = TaskId(thread);
                if ctx.k.tasks.get(tid).is_none_or(|task| task.group != gid) {
                    return Err(Errno::EINVAL.into());
                }
                Tells::Thread(tid, signal.ok_or(Errno::EINVAL)?)
            }
            _ => return Err(Errno::EINVAL.into()),
        };
    }
    ctx.write_u32(timerid, id.cast_unsigned())?;
    let timers = &mut ctx.group_mut().timers;
    timers.next_id = id.wrapping_add(1) & i32::MAX;
    timers.posix.insert(
        id,
        PosixTimer {
            clock,
            tells,
            value,
            due_ns: 0,
            interval_ns: 0,
            queued: false,
            before: 0,
            overrun: 0,
            last_overrun: 0,
        },
    );
    Ok(0)
}

fn timer(ctx: &Ctx<'_>, id: I32) -> Result<PosixTimer, Errno> {
    ctx.group().timers.posix.get(&id.0).copied().ok_or(Errno::EINVAL)
}

fn now_of(ctx: &mut Ctx<'_>, timer: &PosixTimer) -> u64 {
    match timer::cpu_clock_ns(ctx.k, timer.clock) {
        Some(now) => now,
        None => ctx.now_ns(),
    }
}

fn write_itimerspec(ctx: &mut Ctx<'_>, at: Addr, timer: &PosixTimer, now: u64) -> Result<(), Errno> {
    ctx.write_timespec(at, timer.interval_ns)?;
    let left = if timer.due_ns == 0 { 0 } else { timer.due_ns.saturating_sub(now).max(1) };
    ctx.write_timespec(at.at(16), left)
}

/// `timer_settime(2)`
pub(crate) fn timer_settime(
    ctx: &mut Ctx<'_>,
    timerid: I32,
    flags: I32,
    new_value: Addr,
    old_value: Addr,
) -> SysResult {
    const TIMER_ABSTIME: i32 = 1;
    if new_value == Addr::NULL {
        return Err(Errno::EINVAL.into());
    }
    let interval_ns = ctx.read_timespec(new_value)?;
    let value = ctx.read_timespec(new_value.at(16))?;
    let old = timer(ctx, timerid)?;
    let now = now_of(ctx, &old);
    let due_ns = match (value, flags.0 & TIMER_ABSTIME != 0, old.clock) {
        (0, ..) => 0,
        (_, false, _) => now.saturating_add(value),
        (_, true, TimerClock::Realtime) => ctx.realtime_to_monotonic(value).max(1),
        (_, true, TimerClock::Monotonic) => ctx.from_namespace(value, crate::time::Boot::No).max(1),
        (_, true, _) => value,
    };
    // A wall-clock time before the machine was made: periods since then count as well.
    let before = match (flags.0 & TIMER_ABSTIME != 0, old.clock) {
        (true, TimerClock::Realtime) if value != 0 => {
            let began = ctx.realtime_ns().saturating_sub(ctx.now_ns());
            began.saturating_sub(value).checked_div(interval_ns).unwrap_or(0)
        }
        _ => 0,
    };
    let gid = ctx.task().group;
    if let Some(timer) = ctx.group_mut().timers.posix.get_mut(&timerid.0) {
        timer.due_ns = due_ns;
        timer.interval_ns = if value == 0 { 0 } else { interval_ns };
        timer.before = before;
        timer.overrun = 0;
        timer.last_overrun = 0;
    }
    if matches!(old.clock, TimerClock::Monotonic | TimerClock::Realtime) {
        ctx.k.time.timers.set(TimerKey::Posix(gid, timerid.0), (due_ns != 0).then_some(due_ns));
    }
    timer::rearm_cpu(ctx.k, gid);
    if let Some(old_value) = old_value.non_null() {
        write_itimerspec(ctx, old_value, &old, now)?;
    }
    Ok(0)
}

/// `timer_gettime(2)`
pub(crate) fn timer_gettime(ctx: &mut Ctx<'_>, timerid: I32, curr_value: Addr) -> SysResult {
    let state = timer(ctx, timerid)?;
    let now = now_of(ctx, &state);
    write_itimerspec(ctx, curr_value, &state, now)?;
    Ok(0)
}

/// `timer_getoverrun(2)`
pub(crate) fn timer_getoverrun(ctx: &mut Ctx<'_>, timerid: I32) -> SysResult {
    Ok(u64::from(timer(ctx, timerid)?.last_overrun.cast_unsigned()))
}

/// `timer_delete(2)`
pub(crate) fn timer_delete(ctx: &mut Ctx<'_>, timerid: I32) -> SysResult {
    let gid = ctx.task().group;
    if ctx.group_mut().timers.posix.remove(&timerid.0).is_none() {
        return Err(Stop::Errno(Errno::EINVAL));
    }
    ctx.k.time.timers.set(TimerKey::Posix(gid, timerid.0), None);
    timer::rearm_cpu(ctx.k, gid);
    Ok(0)
}
