//! `poll(2)`, `ppoll(2)`, and what all calls share that wait for readiness: deadlines and temporary signal masks.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, Len, U32};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::{FileId, Ready};
use crate::task::sighand::SigSet;
use crate::task::signal;
use crate::task::wait::{OnSignal, Wait, WaitKey};

const POLLNVAL: u32 = 0x20;

/// When a wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeout {
    /// Does not wait at all.
    Now,
    /// At this time of the monotonic clock, in ns.
    At(u64),
    /// Never.
    Never,
}

impl Timeout {
    /// From a span in ns, counted from the first run of the call; `None`: no limit.
    pub(crate) fn after(ctx: &mut Ctx<'_>, span_ns: Option<u64>) -> Timeout {
        match span_ns {
            None => Timeout::Never,
            Some(0) => Timeout::Now,
            Some(span) => match ctx.call.deadline_ns {
                Some(at) => Timeout::At(at),
                None => {
                    let at = ctx.now_ns().saturating_add(span);
                    ctx.call.deadline_ns = Some(at);
                    Timeout::At(at)
                }
            },
        }
    }
    /// Whether it is over.
    pub(crate) fn over(self, ctx: &mut Ctx<'_>) -> bool {
        match self {
            Timeout::Now => true,
            Timeout::At(at) => ctx.now_ns() >= at,
            Timeout::Never => false,
        }
    }
    /// The time for [`Wait::until_ns`].
    pub(crate) fn until(self) -> Option<u64> {
        match self {
            Timeout::At(at) => Some(at),
            Timeout::Now | Timeout::Never => None,
        }
    }
}

/// Milliseconds as poll(2) and epoll_wait(2) take them: negative is for ever.
pub(crate) fn millis(timeout: I32) -> Option<u64> {
    u64::try_from(timeout.0).ok().map(|ms| ms * 1_000_000)
}

/// A `struct timespec` in ns; `None` for the null pointer. `EINVAL`.
pub(crate) fn read_timespec(ctx: &mut Ctx<'_>, at: Addr) -> Result<Option<u64>, Errno> {
    if at == Addr::NULL {
        return Ok(None);
    }
    let sec = ctx.read_u64(at)?.cast_signed();
    let nsec = ctx.read_u64(at.at(8))?;
    let sec = u64::try_from(sec).map_err(|_| Errno::EINVAL)?;
    if nsec >= 1_000_000_000 {
        return Err(Errno::EINVAL);
    }
    Ok(Some(sec.saturating_mul(1_000_000_000).saturating_add(nsec)))
}

/// Writes a `struct timespec`.
pub(crate) fn write_timespec(ctx: &mut Ctx<'_>, at: Addr, ns: u64) -> Result<(), Errno> {
    ctx.write_u64(at, ns / 1_000_000_000)?;
    ctx.write_u64(at.at(8), ns % 1_000_000_000)
}

/// Sets the signal mask for the time of a call (`ppoll`, `pselect6`, `epoll_pwait`). `EINVAL` for another size than 8.
pub(crate) fn enter_mask(ctx: &mut Ctx<'_>, mask: Addr, size: u64) -> Result<(), Errno> {
    const NEVER_BLOCKED: u64 = 1 << 8 | 1 << 18;
    if mask == Addr::NULL {
        return Ok(());
    }
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    let bits = ctx.read_u64(mask)?;
    if ctx.call.runs == 1 {
        let task = ctx.task_mut();
        task.saved_mask = Some(task.blocked);
        task.blocked = SigSet(bits & !NEVER_BLOCKED);
    }
    Ok(())
}

/// Puts the mask back when the call is over; while it waits, or if a signal ends it, the way out does.
pub(crate) fn leave_mask(ctx: &mut Ctx<'_>, mask: Addr, result: SysResult) -> SysResult {
    let goes_on = matches!(result, Err(Stop::Block(_)));
    if mask != Addr::NULL && !goes_on {
        let task = ctx.task_mut();
        if let Some(saved) = task.saved_mask.take() {
            task.blocked = saved;
        }
    }
    result
}

/// Writes the time left to `at` when a call with timeout `timeout` ends, or is about to be ended by a signal.
pub(crate) fn time_left(ctx: &mut Ctx<'_>, timeout: Timeout) -> u64 {
    match timeout {
        // Time has passed since the call began, even where the clock is too coarse to show it.
        Timeout::At(at) => at.saturating_sub(ctx.now_ns()).saturating_sub(1),
        Timeout::Now | Timeout::Never => 0,
    }
}

/// Whether a call that returns `result` ends now: it has a value, or a signal will end its wait.
pub(crate) fn ends_now(ctx: &Ctx<'_>, result: &SysResult) -> bool {
    match result {
        Err(Stop::Block(wait)) => signal::interrupts(ctx.k, ctx.tid, wait.on_signal).is_some(),
        _ => true,
    }
}

/// What of `events` the file is ready for.
pub(crate) fn ready_of(ctx: &mut Ctx<'_>, id: FileId, events: u32) -> u32 {
    let kind = ctx.file(id).kind.clone();
    let always = (Ready::ERR | Ready::HUP).bits();
    kind.ops().ready(ctx.k, ctx.host, id).bits() & (events | always)
}

/// Adds what to wait for until the file's readiness changes.
pub(crate) fn add_keys(ctx: &Ctx<'_>, id: FileId, keys: &mut Vec<WaitKey>) {
    keys.extend(ctx.file(id).kind.ops().wait_keys(ctx.k, id));
}

/// `poll(2)`
pub(crate) fn poll(ctx: &mut Ctx<'_>, fds: Addr, nfds: U32, timeout: I32) -> SysResult {
    let timeout = Timeout::after(ctx, millis(timeout));
    poll_until(ctx, fds, nfds, timeout, OnSignal::RestartBlock)
}

/// `ppoll(2)`
pub(crate) fn ppoll(
    ctx: &mut Ctx<'_>,
    fds: Addr,
    nfds: U32,
    tmo_p: Addr,
    sigmask: Addr,
    sigsetsize: Len,
) -> SysResult {
    let span = read_timespec(ctx, tmo_p)?;
    let timeout = Timeout::after(ctx, span);
    enter_mask(ctx, sigmask, sigsetsize.0)?;
    let result = poll_until(ctx, fds, nfds, timeout, OnSignal::RestartNoHandler);
    if tmo_p != Addr::NULL && ends_now(ctx, &result) {
        let left = time_left(ctx, timeout);
        // Linux: a timespec that cannot be written does not fail the call (poll_select_finish).
        let _ = write_timespec(ctx, tmo_p, left);
    }
    leave_mask(ctx, sigmask, result)
}

fn poll_until(ctx: &mut Ctx<'_>, fds: Addr, nfds: U32, timeout: Timeout, on_signal: OnSignal) -> SysResult {
    if i32::try_from(nfds.0).map_or(true, |n| n > ctx.fd_limit()) {
        return Err(Errno::EINVAL.into());
    }
    let count = usize::try_from(nfds.0).map_err(|_| Errno::EINVAL)?;
    let mut table = vec![0; count * 8];
    ctx.read_user(fds, &mut table)?;
    let mut found = 0;
    let mut keys = Vec::new();
    for entry in table.chunks_exact_mut(8) {
        let fd = i32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]);
        let events = u32::from(u16::from_le_bytes([entry[4], entry[5]]));
        let revents = match (fd, ctx.fd(Fd(fd))) {
            (..0, _) => 0,
            (_, Err(_)) => POLLNVAL,
            (_, Ok(id)) => {
                add_keys(ctx, id, &mut keys);
                ready_of(ctx, id, events)
            }
        };
        found += u64::from(revents != 0);
        let bits = u16::try_from(revents & 0xffff).unwrap_or(0);
        entry[6..].copy_from_slice(&bits.to_le_bytes());
    }
    if found == 0 && !timeout.over(ctx) {
        keys.sort_unstable();
        keys.dedup();
        return Err(Stop::Block(Wait::any(keys, timeout.until(), on_signal)));
    }
    for (index, entry) in table.chunks_exact(8).enumerate() {
        ctx.write_user(fds.at(index as u64 * 8 + 6), &entry[6..])?;
    }
    Ok(found)
}
