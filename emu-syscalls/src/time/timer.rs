//! Timers: interval timers, POSIX timers and whatever else is due at a time. Expiry is taken by the timer softirq.
//!
//! Key types: [`TimerQueue`] (armed timers by time), [`GroupTimers`] (those of a process).
//!
//! **Invariant**: a timer is in the queue exactly while it is armed on a clock of real time; timers on CPU time are looked
//! at by the tick of a task of their process.

use emu_core::persist;

use crate::file::FileId;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::sighand::{SigInfo, sig};
use crate::task::signal::{To, send};
use crate::task::wait::WaitKey;
use crate::task::{GroupId, TaskId, reap};

/// Whose timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKey {
    /// `ITIMER_REAL` of a process.
    Real(GroupId),
    /// A POSIX timer of a process.
    Posix(GroupId, i32),
    /// Whoever waits for this file is woken (timerfd).
    File(FileId),
    /// A stream sends what it held back.
    Held(crate::net::SocketId),
}

/// Armed timers by time.
#[derive(Debug, Clone, Default)]
pub struct TimerQueue {
    by_time: persist::OrdSet<(u64, TimerKey)>,
    times: persist::OrdMap<TimerKey, u64>,
}

impl TimerQueue {
    /// Arms a timer for a time of the monotonic clock in ns, or disarms it.
    pub fn set(&mut self, key: TimerKey, at_ns: Option<u64>) {
        if let Some(old) = self.times.remove(&key) {
            self.by_time.remove(&(old, key));
        }
        if let Some(at) = at_ns {
            self.times.insert(key, at);
            self.by_time.insert((at, key));
        }
    }
    /// When the next one is due.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.by_time.get_min().map(|(at, _)| *at)
    }
    /// When a timer is due.
    #[must_use]
    pub fn due(&self, key: TimerKey) -> Option<u64> {
        self.times.get(&key).copied()
    }
    fn pop(&mut self, now_ns: u64) -> Option<(u64, TimerKey)> {
        let (at, key) = self.by_time.get_min().copied()?;
        if at > now_ns {
            return None;
        }
        self.set(key, None);
        Some((at, key))
    }
}

/// An interval timer on CPU time: when it is due (in CPU time) and its period; 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuTimer {
    /// 0: not armed.
    pub due_ns: u64,
    /// 0: once.
    pub interval_ns: u64,
}

/// What a POSIX timer measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerClock {
    /// A clock that follows monotonic time.
    Monotonic,
    /// The wall clock.
    Realtime,
    /// CPU time of a process.
    ProcessCpu(GroupId),
    /// CPU time of a thread.
    ThreadCpu(TaskId),
}

/// Whom a POSIX timer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tells {
    /// Nobody.
    Nobody,
    /// The process, with this signal.
    Process(u8),
    /// A thread, with this signal.
    Thread(TaskId, u8),
}

/// A POSIX timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PosixTimer {
    /// What it measures.
    pub clock: TimerClock,
    /// Whom it tells.
    pub tells: Tells,
    /// `si_value`
    pub value: u64,
    /// When it is due: monotonic time, or CPU time for CPU clocks; 0: not armed.
    pub due_ns: u64,
    /// Period; 0: once.
    pub interval_ns: u64,
    /// Its signal is queued and not yet taken.
    pub queued: bool,
    /// Expirations before the machine's clock began (an absolute time long gone), for the first overrun count.
    pub before: u64,
    /// Expirations since the signal was queued.
    pub overrun: i64,
    /// Overruns of the signal that was taken last.
    pub last_overrun: i32,
}

/// Timers of a process.
#[derive(Debug, Clone, Default)]
pub struct GroupTimers {
    /// Period of `ITIMER_REAL`; its time is in the queue.
    pub real_interval_ns: u64,
    /// `ITIMER_VIRTUAL`
    pub virtual_: CpuTimer,
    /// `ITIMER_PROF`
    pub prof: CpuTimer,
    /// POSIX timers by id.
    pub posix: persist::OrdMap<i32, PosixTimer>,
    /// Next id.
    pub next_id: i32,
    /// Whether any timer on CPU time is armed.
    pub cpu_armed: bool,
    /// Whether SIGXCPU was sent for the soft limit, in seconds of CPU time.
    pub xcpu_sent_s: u64,
}

/// Fires what is due: the timer softirq.
pub fn run_timers(k: &mut Kernel, now_ns: u64) {
    while let Some((at, key)) = k.time.timers.pop(now_ns) {
        match key {
            TimerKey::Real(gid) => {
                let Some(group) = k.groups.get(gid) else { continue };
                let interval = group.timers.real_interval_ns;
                if interval != 0 {
                    let next = at.saturating_add(interval.saturating_mul((now_ns - at) / interval + 1));
                    k.time.timers.set(key, Some(next));
                }
                let _ = send(k, To::Process(gid), SigInfo::kernel(sig::ALRM));
            }
            TimerKey::Posix(gid, id) => fire_posix(k, gid, id, now_ns),
            TimerKey::File(file) => k.wake(WaitKey::File(file)),
            TimerKey::Held(socket) => crate::net::flush_held(k, socket),
        }
    }
}

/// A POSIX timer is due at or before `now_ns` of its clock.
fn fire_posix(k: &mut Kernel, gid: GroupId, id: i32, now_ns: u64) {
    let Some(timer) = k.groups.get_mut(gid).and_then(|group| group.timers.posix.get_mut(&id)) else { return };
    let mut expirations = 1;
    let periods = now_ns.saturating_sub(timer.due_ns).checked_div(timer.interval_ns);
    if let Some(periods) = periods {
        expirations = periods.saturating_add(1);
        let before = std::mem::take(&mut timer.before);
        timer.due_ns = timer.due_ns.saturating_add(timer.interval_ns.saturating_mul(expirations));
        if matches!(timer.clock, TimerClock::Monotonic | TimerClock::Realtime) {
            k.time.timers.set(TimerKey::Posix(gid, id), Some(timer.due_ns));
        }
        expirations = expirations.saturating_add(before);
    } else {
        timer.due_ns = 0;
    }
    let missed = i64::try_from(expirations).unwrap_or(i64::MAX);
    if timer.queued {
        timer.overrun = timer.overrun.saturating_add(missed);
        return;
    }
    timer.overrun = missed - 1;
    let (to, signo) = match timer.tells {
        Tells::Nobody => return,
        Tells::Process(signo) => (To::Process(gid), signo),
        Tells::Thread(tid, signo) => (To::Thread(tid), signo),
    };
    timer.queued = true;
    let value = timer.value;
    let sent = send(k, to, SigInfo::timer(signo, id, 0, value));
    let still_queued = sent.is_ok() && queue_holds(k, to, signo, id);
    if !still_queued
        && let Some(timer) = k.groups.get_mut(gid).and_then(|group| group.timers.posix.get_mut(&id))
    {
        timer.queued = false;
    }
}

fn queue_holds(k: &Kernel, to: To, signo: u8, id: i32) -> bool {
    let queue = match to {
        To::Thread(tid) => k.tasks.get(tid).map(|task| &task.pending),
        To::Process(gid) => k.groups.get(gid).map(|group| &group.pending),
    };
    queue.is_some_and(|queue| {
        queue.set.contains(signo)
            && queue.queue.iter().any(|info| {
                info.signo == signo && info.code == crate::task::sighand::si::TIMER && info.int_at(16) == id
            })
    })
}

/// The signal of a POSIX timer is taken: its overrun count is that of now.
pub fn signal_taken(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, info: SigInfo) -> SigInfo {
    let _ = host;
    let gid = k.task(tid).group;
    let id = info.int_at(16);
    let Some(timer) = k.group_mut(gid).timers.posix.get_mut(&id) else { return info };
    timer.queued = false;
    timer.last_overrun = i32::try_from(timer.overrun).unwrap_or(i32::MAX);
    timer.overrun = 0;
    SigInfo::timer(info.signo, id, timer.last_overrun, timer.value)
}

/// Drops all timers of a process that ends.
pub fn drop_timers(k: &mut Kernel, gid: GroupId) {
    k.time.timers.set(TimerKey::Real(gid), None);
    let Some(group) = k.groups.get_mut(gid) else { return };
    let posix: Vec<i32> = group.timers.posix.keys().copied().collect();
    group.timers = GroupTimers::default();
    for id in posix {
        k.time.timers.set(TimerKey::Posix(gid, id), None);
    }
}

/// Drops the POSIX timers of a process, as `execve` does.
pub fn drop_posix_timers(k: &mut Kernel, gid: GroupId) {
    let Some(group) = k.groups.get_mut(gid) else { return };
    let posix = std::mem::take(&mut group.timers.posix);
    for id in posix.keys() {
        k.time.timers.set(TimerKey::Posix(gid, *id), None);
    }
    rearm_cpu(k, gid);
}

/// Notes whether a process has armed timers on CPU time.
pub fn rearm_cpu(k: &mut Kernel, gid: GroupId) {
    let Some(group) = k.groups.get_mut(gid) else { return };
    let timers = &mut group.timers;
    let posix = timers
        .posix
        .values()
        .any(|t| t.due_ns != 0 && matches!(t.clock, TimerClock::ProcessCpu(_) | TimerClock::ThreadCpu(_)));
    timers.cpu_armed = posix || timers.virtual_.due_ns != 0 || timers.prof.due_ns != 0;
}

/// Index of RLIMIT_CPU.
const RLIMIT_CPU: usize = 0;

/// A tick in a task of process `gid`: timers and limits on CPU time.
pub fn run_cpu_timers(k: &mut Kernel, gid: GroupId) {
    let Some(group) = k.groups.get(gid) else { return };
    let (soft, hard) = group.rlimits[RLIMIT_CPU];
    if !group.timers.cpu_armed && soft == u64::MAX {
        return;
    }
    let usage = reap::group_usage(k, gid);
    let total = usage.user_ns + usage.system_ns;
    let timers = &mut k.group_mut(gid).timers;
    let mut signals = Vec::new();
    for (timer, now, signo) in
        [(&mut timers.virtual_, usage.user_ns, sig::VTALRM), (&mut timers.prof, total, sig::PROF)]
    {
        if timer.due_ns != 0 && timer.due_ns <= now {
            signals.push(signo);
            timer.due_ns = if timer.interval_ns == 0 {
                0
            } else {
                timer.due_ns + timer.interval_ns * ((now - timer.due_ns) / timer.interval_ns + 1)
            };
        }
    }
    let seconds = total / super::NS_PER_SEC;
    if seconds >= hard {
        signals.push(sig::KILL);
    } else if seconds >= soft && timers.xcpu_sent_s < seconds {
        timers.xcpu_sent_s = seconds;
        signals.push(sig::XCPU);
    }
    let due: Vec<(i32, TimerClock, u64)> =
        timers.posix.iter().filter(|(_, t)| t.due_ns != 0).map(|(id, t)| (*id, t.clock, t.due_ns)).collect();
    for signo in signals {
        let _ = send(k, To::Process(gid), SigInfo::kernel(signo));
    }
    for (id, clock, due_ns) in due {
        let Some(now) = cpu_clock_ns(k, clock) else { continue };
        if due_ns <= now {
            fire_posix(k, gid, id, now);
        }
    }
    rearm_cpu(k, gid);
}

/// What a CPU clock shows; `None` for other clocks and for what has ended.
#[must_use]
pub fn cpu_clock_ns(k: &Kernel, clock: TimerClock) -> Option<u64> {
    match clock {
        TimerClock::Monotonic | TimerClock::Realtime => None,
        TimerClock::ProcessCpu(gid) => k.groups.contains(gid).then(|| {
            let usage = reap::group_usage(k, gid);
            usage.user_ns + usage.system_ns
        }),
        TimerClock::ThreadCpu(tid) => k.tasks.get(tid).map(crate::task::Task::cpu_ns),
    }
}
