//! Clocks and sleeping (clock_gettime(2), nanosleep(2), gettimeofday(2), times(2) ...).

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::task::wait::{OnSignal, Wait, WaitKey};
use crate::task::{GroupId, creds, reap};
use crate::time::Boot;
use crate::time::timer::{TimerClock, cpu_clock_ns};
use crate::time::{NS_PER_SEC, duration_ns};

/// What a clock number names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    Realtime,
    Monotonic,
    /// Time since the machine started; it never sleeps, so it is monotonic time.
    Boot,
    Tai,
    Cpu(TimerClock),
}

/// The clock behind a number, with its resolution in ns. `EINVAL`.
pub(crate) fn clock(ctx: &Ctx<'_>, id: i32) -> Result<(Clock, u64), Errno> {
    const COARSE_NS: u64 = 4_000_000;
    let me = ctx.task();
    Ok(match id {
        0 => (Clock::Realtime, 1),
        1 | 4 => (Clock::Monotonic, 1),
        2 => (Clock::Cpu(TimerClock::ProcessCpu(me.group)), 1),
        3 => (Clock::Cpu(TimerClock::ThreadCpu(ctx.tid)), 1),
        5 => (Clock::Realtime, COARSE_NS),
        6 => (Clock::Monotonic, COARSE_NS),
        7 | 9 => (Clock::Boot, 1),
        8 => (Clock::Realtime, 1),
        11 => (Clock::Tai, 1),
        id if id < 0 => (Clock::Cpu(cpu_clock(ctx, id)?), 1),
        _ => return Err(Errno::EINVAL),
    })
}

/// The CPU clock of a process or thread: `~pid << 3 | 4 if a thread | kind`.
fn cpu_clock(ctx: &Ctx<'_>, id: i32) -> Result<TimerClock, Errno> {
    const THREAD: i32 = 4;
    if id & 3 == 3 {
        // A clock of a device; no device has one.
        return Err(Errno::EINVAL);
    }
    let pid = !(id >> 3);
    let tid = ctx.k.find_task_or_self(pid, ctx.tid).map_err(|_| Errno::EINVAL)?;
    let group = ctx.k.task(tid).group;
    if id & THREAD != 0 {
        return if group == ctx.task().group { Ok(TimerClock::ThreadCpu(tid)) } else { Err(Errno::EINVAL) };
    }
    if pid != 0 && group.0 != tid.0 {
        return Err(Errno::EINVAL);
    }
    Ok(TimerClock::ProcessCpu(group))
}

pub(crate) fn read_clock(ctx: &mut Ctx<'_>, clock: Clock) -> Result<u64, Errno> {
    /// TAI is ahead of UTC by this since 2017; the kernel itself starts with 0 until it is told.
    const TAI_OFFSET_NS: u64 = 0;
    Ok(match clock {
        Clock::Realtime => ctx.realtime_ns(),
        Clock::Monotonic | Clock::Boot => {
            let now = ctx.now_ns();
            ctx.to_namespace(now, if clock == Clock::Boot { Boot::Yes } else { Boot::No })
        }
        Clock::Tai => ctx.realtime_ns() + TAI_OFFSET_NS,
        Clock::Cpu(clock) => cpu_clock_ns(ctx.k, clock).ok_or(Errno::EINVAL)?,
    })
}

/// `clock_gettime(2)`
pub(crate) fn clock_gettime(ctx: &mut Ctx<'_>, clockid: I32, tp: Addr) -> SysResult {
    let (clock, _) = clock(ctx, clockid.0)?;
    let now = read_clock(ctx, clock)?;
    ctx.write_timespec(tp, now)?;
    Ok(0)
}

/// `clock_getres(2)`
pub(crate) fn clock_getres(ctx: &mut Ctx<'_>, clockid: I32, res: Addr) -> SysResult {
    let (_, resolution) = clock(ctx, clockid.0)?;
    if let Some(res) = res.non_null() {
        ctx.write_timespec(res, resolution)?;
    }
    Ok(0)
}

pub(super) fn set_realtime(ctx: &mut Ctx<'_>, ns: u64) -> Result<(), Errno> {
    creds::need(&ctx.task().creds, creds::cap::SYS_TIME)?;
    let now = ctx.realtime_ns();
    let change = ns.cast_signed().wrapping_sub(now.cast_signed());
    let time = &mut ctx.k.time;
    time.realtime_offset_ns = time.realtime_offset_ns.saturating_add(change);
    time.set_count += 1;
    Ok(())
}

/// `clock_settime(2)`
pub(crate) fn clock_settime(ctx: &mut Ctx<'_>, clockid: I32, tp: Addr) -> SysResult {
    let (clock, _) = clock(ctx, clockid.0)?;
    if clock != Clock::Realtime || clockid.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let ns = ctx.read_timespec(tp)?;
    set_realtime(ctx, ns)?;
    Ok(0)
}

/// `gettimeofday(2)`
pub(crate) fn gettimeofday(ctx: &mut Ctx<'_>, tv: Addr, tz: Addr) -> SysResult {
    if let Some(tv) = tv.non_null() {
        let now = ctx.realtime_ns();
        ctx.write_timeval(tv, now)?;
    }
    if let Some(tz) = tz.non_null() {
        let (minutes, dst) = ctx.k.time.timezone;
        ctx.write_u32(tz, minutes.cast_unsigned())?;
        ctx.write_u32(tz.at(4), dst.cast_unsigned())?;
    }
    Ok(0)
}

/// `settimeofday(2)`
pub(crate) fn settimeofday(ctx: &mut Ctx<'_>, tv: Addr, tz: Addr) -> SysResult {
    let ns = match tv.non_null() {
        Some(tv) => Some(ctx.read_timeval(tv)?),
        None => None,
    };
    if let Some(tz) = tz.non_null() {
        /// Minutes west or east of Greenwich that a zone can be.
        const FARTHEST: i32 = 15 * 60;
        let zone = (ctx.read_u32(tz)?.cast_signed(), ctx.read_u32(tz.at(4))?.cast_signed());
        creds::need(&ctx.task().creds, creds::cap::SYS_TIME)?;
        if !(-FARTHEST..=FARTHEST).contains(&zone.0) {
            return Err(Errno::EINVAL.into());
        }
        ctx.k.time.timezone = zone;
    }
    if let Some(ns) = ns {
        set_realtime(ctx, ns)?;
    }
    Ok(0)
}

/// `time(2)`
pub(crate) fn time(ctx: &mut Ctx<'_>, tloc: Addr) -> SysResult {
    let seconds = ctx.realtime_ns() / NS_PER_SEC;
    if let Some(tloc) = tloc.non_null() {
        ctx.write_u64(tloc, seconds)?;
    }
    Ok(seconds)
}

/// `times(2)`
pub(crate) fn times(ctx: &mut Ctx<'_>, buf: Addr) -> SysResult {
    if let Some(buf) = buf.non_null() {
        let gid = ctx.task().group;
        let mine = reap::group_usage(ctx.k, gid);
        let children = ctx.group().child_usage;
        let words = [mine.user_ns, mine.system_ns, children.user_ns, children.system_ns];
        let mut bytes = [0; 32];
        for (slot, ns) in bytes.chunks_exact_mut(8).zip(words) {
            slot.copy_from_slice(&(ns / reap::NS_PER_TICK).to_le_bytes());
        }
        ctx.write_user(buf, &bytes)?;
    }
    Ok(ctx.now_ns() / reap::NS_PER_TICK)
}

/// Sleeps until the deadline of the call; the time left goes to `remain` if a signal ends it.
fn sleep(ctx: &mut Ctx<'_>, deadline_ns: u64, remain: Option<Addr>) -> SysResult {
    let now = ctx.now_ns();
    if now >= deadline_ns {
        return Ok(0);
    }
    let on_signal =
        if ctx.call.absolute_sleep() { OnSignal::RestartNoHandler } else { OnSignal::RestartBlock };
    if let Some(remain) = remain
        && crate::task::signal::pending(ctx.k, ctx.tid)
    {
        ctx.write_timespec(remain, deadline_ns - now)?;
    }
    Err(Stop::Block(Wait::any(vec![WaitKey::Never], Some(deadline_ns), on_signal)))
}

impl crate::ctx::Call {
    /// Whether it is a `clock_nanosleep` to an absolute time, which is simply started again.
    fn absolute_sleep(&self) -> bool {
        self.nr & 0xffff_ffff == 230 && self.args[1] & 1 != 0
    }
}

/// `nanosleep(2)`
pub(crate) fn nanosleep(ctx: &mut Ctx<'_>, req: Addr, rem: Addr) -> SysResult {
    let deadline = match ctx.call.deadline_ns {
        Some(deadline) => deadline,
        None => {
            let ns = ctx.read_timespec(req)?;
            ctx.now_ns().saturating_add(ns)
        }
    };
    ctx.call.deadline_ns = Some(deadline);
    sleep(ctx, deadline, rem.non_null())
}

/// `clock_nanosleep(2)`
pub(crate) fn clock_nanosleep(
    ctx: &mut Ctx<'_>,
    clockid: I32,
    flags: I32,
    request: Addr,
    remain: Addr,
) -> SysResult {
    const TIMER_ABSTIME: i32 = 1;
    const THREAD_CPUTIME: i32 = 3;
    let (clock, _) = clock(ctx, clockid.0)?;
    // Coarse and raw clocks cannot be slept on; the thread's own CPU clock would never advance.
    if matches!(clockid.0, 4..=6) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if clockid.0 == THREAD_CPUTIME {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if clock == Clock::Cpu(TimerClock::ThreadCpu(ctx.tid)) {
        return Err(Errno::EINVAL.into());
    }
    let absolute = flags.0 & TIMER_ABSTIME != 0;
    let ns = match ctx.call.deadline_ns {
        Some(_) => 0,
        None => ctx.read_timespec(request)?,
    };
    if let Clock::Cpu(cpu) = clock {
        return sleep_on_cpu_clock(ctx, cpu, ns, absolute);
    }
    let deadline = match (ctx.call.deadline_ns, absolute, clock) {
        (Some(deadline), ..) => deadline,
        (None, false, _) => ctx.now_ns().saturating_add(ns),
        (None, true, Clock::Realtime | Clock::Tai) => ctx.realtime_to_monotonic(ns),
        (None, true, Clock::Boot) => ctx.from_namespace(ns, Boot::Yes),
        (None, true, _) => ctx.from_namespace(ns, Boot::No),
    };
    ctx.call.deadline_ns = Some(deadline);
    let remain = if absolute { None } else { remain.non_null() };
    sleep(ctx, deadline, remain)
}

/// CPU clocks advance while others run: looked at again every so often.
fn sleep_on_cpu_clock(ctx: &mut Ctx<'_>, clock: TimerClock, ns: u64, absolute: bool) -> SysResult {
    const LOOK_AGAIN_NS: u64 = 1_000_000;
    let now = cpu_clock_ns(ctx.k, clock).ok_or(Errno::EINVAL)?;
    if ctx.call.done == 0 {
        ctx.call.done = if absolute { ns } else { now.saturating_add(ns) }.max(1);
    }
    if now >= ctx.call.done {
        return Ok(0);
    }
    let until = ctx.now_ns().saturating_add(LOOK_AGAIN_NS);
    Err(Stop::Block(Wait::any(vec![WaitKey::Never], Some(until), OnSignal::Eintr)))
}

/// `adjtimex(2)`
pub(crate) fn adjtimex(ctx: &mut Ctx<'_>, buf: Addr) -> SysResult {
    super::timex::adjust(ctx, buf)
}

/// `clock_adjtime(2)`
pub(crate) fn clock_adjtime(ctx: &mut Ctx<'_>, clockid: I32, buf: Addr) -> SysResult {
    match clock(ctx, clockid.0)? {
        (Clock::Realtime, _) if clockid.0 == 0 => super::timex::adjust(ctx, buf),
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}

/// Nanoseconds from the two words of a `timeval`.
pub(crate) fn timeval_ns(seconds: u64, micros: u64) -> Result<u64, Errno> {
    duration_ns(seconds.cast_signed(), micros.cast_signed(), 1000)
}

/// Total CPU time of a process in ns: user, and user with kernel.
pub(crate) fn process_times(ctx: &Ctx<'_>, gid: GroupId) -> (u64, u64) {
    let usage = reap::group_usage(ctx.k, gid);
    (usage.user_ns, usage.user_ns + usage.system_ns)
}
