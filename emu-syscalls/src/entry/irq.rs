//! Interrupts: top halves that count and queue, softirqs that do the work on the way back to user mode, ksoftirqd for what is
//! more than one way back may do.
//!
//! Key types: [`Irqs`] (counts and what is pending), [`Irq`] (sources), [`SoftIrq`].
//!
//! **Invariant**: nothing asynchronous reaches the machine by any other way; a top half only counts, queues and raises.

use emu_core::persist;

use crate::kernel::Kernel;
use crate::observe::{Event, hook};
use crate::seam::{Direction, Host, HostEvent};
use crate::task::wait::{WaitKey, unpark, wake_expired};
use crate::task::{init, signal};
use crate::time::timer::run_timers;

/// A source of interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Irq {
    /// The local timer (`LOC` in /proc/interrupts).
    Timer,
    /// The terminal: input, room for output, a new size.
    Terminal,
    /// Completion of something else on the host.
    Host,
    /// The network.
    Network,
}

/// Number of sources.
pub const IRQS: usize = 4;

/// A softirq, numbered as Linux does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoftIrq {
    /// High-priority tasklets.
    Hi = 0,
    /// Timers.
    Timer = 1,
    /// Packets sent.
    NetTx = 2,
    /// Packets received.
    NetRx = 3,
    /// Block devices.
    Block = 4,
    /// Polled interrupts.
    IrqPoll = 5,
    /// Tasklets: what top halves queued.
    Tasklet = 6,
    /// Scheduling.
    Sched = 7,
    /// High-resolution timers.
    HrTimer = 8,
    /// Read-copy-update.
    Rcu = 9,
}

impl SoftIrq {
    /// All of them, by number.
    pub const ALL: [SoftIrq; SOFTIRQS] = [
        SoftIrq::Hi,
        SoftIrq::Timer,
        SoftIrq::NetTx,
        SoftIrq::NetRx,
        SoftIrq::Block,
        SoftIrq::IrqPoll,
        SoftIrq::Tasklet,
        SoftIrq::Sched,
        SoftIrq::HrTimer,
        SoftIrq::Rcu,
    ];
}

/// Number of softirqs.
pub const SOFTIRQS: usize = 10;
/// Their names, as /proc/softirqs has them.
pub const SOFTIRQ_NAMES: [&str; SOFTIRQS] =
    ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];

/// Most host events that one run of the bottom half handles before the rest is left to ksoftirqd. Linux has a time here
/// (MAX_SOFTIRQ_TIME); a count is the same in every run.
pub const BUDGET: u32 = 64;
/// How often one run looks for softirqs that were raised meanwhile (MAX_SOFTIRQ_RESTART).
const RESTARTS: u32 = 10;

/// Interrupt counts and what is pending.
#[derive(Debug, Clone, Default)]
pub struct Irqs {
    /// Interrupts by source ([`Irq`]).
    pub counts: [u64; IRQS],
    /// Softirqs run, by number.
    pub softirqs: [u64; SOFTIRQS],
    /// Raised softirqs, a bit each.
    pub raised: u16,
    /// Those that were left to ksoftirqd, which has not done them yet.
    pub left: u16,
    /// Host events that top halves queued.
    pub events: persist::Vector<HostEvent>,
    /// Times work was left to ksoftirqd.
    pub deferred: u64,
    /// Context switches.
    pub switches: u64,
    /// Tasks made since the start.
    pub forks: u64,
    /// Exceptions taken from user mode.
    pub exceptions: u64,
    /// System calls.
    pub syscalls: u64,
    /// Nanoseconds nobody could run.
    pub idle_ns: u64,
    /// Work since the start, in instructions, with a nominal cost for each call.
    pub work: u64,
    /// The timer interrupts when `work` reaches this.
    pub next_tick: u64,
}

impl Irqs {
    /// Raises a softirq.
    pub fn raise(&mut self, softirq: SoftIrq) {
        self.raised |= 1 << softirq as u16;
    }
    fn take(&mut self, softirq: SoftIrq) -> bool {
        let bit = 1 << softirq as u16;
        let raised = self.raised & bit != 0;
        if raised {
            self.raised &= !bit;
            self.softirqs[softirq as usize] += 1;
        }
        raised
    }
    /// All interrupts.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Top half of an interrupt without data.
pub fn top_half(k: &mut Kernel, irq: Irq) {
    k.irq.counts[irq as usize] += 1;
    if k.observer.on && k.observer.watch.machine {
        let tid = k.sched.current.filter(|tid| k.tasks.contains(*tid));
        let in_kernel = tid.filter(|tid| k.task(*tid).in_kernel);
        let rip = in_kernel.map(|tid| k.user_regs(tid).ip);
        k.observer.note(k.retired, || Event::Interrupt { tid, irq, rip });
    }
    match irq {
        Irq::Timer => {
            k.irq.raise(SoftIrq::Timer);
            k.irq.raise(SoftIrq::Sched);
        }
        Irq::Terminal | Irq::Host => k.irq.raise(SoftIrq::Tasklet),
        Irq::Network => k.irq.raise(SoftIrq::NetRx),
    }
}

/// Top half of an interrupt that brings an event of the host.
pub fn host_interrupt(k: &mut Kernel, event: HostEvent) {
    let irq = match event {
        HostEvent::Readable(_) | HostEvent::Writable(_) | HostEvent::WindowSize => Irq::Terminal,
        HostEvent::Signal(_) => Irq::Host,
    };
    k.irq.events.push_back(event);
    top_half(k, irq);
}

/// Who runs bottom halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Whoever is on the way out of the kernel.
    WayOut,
    /// ksoftirqd.
    Daemon,
}

/// Bottom halves of what is raised, within a budget. What is left stays raised, and ksoftirqd is woken for it.
pub fn run_softirqs(k: &mut Kernel, host: &mut dyn Host) {
    let rest = pass(k, host, By::WayOut);
    if rest != 0 {
        k.irq.left |= rest;
        k.irq.deferred += 1;
        wake_daemon(k);
    }
}

fn wake_daemon(k: &mut Kernel) {
    if unpark(k, init::KSOFTIRQD) {
        k.sched.woken(init::KSOFTIRQD);
    }
}

/// One turn of ksoftirqd. Whether there is more to do.
pub(crate) fn daemon(k: &mut Kernel, host: &mut dyn Host) -> bool {
    let rest = pass(k, host, By::Daemon);
    k.irq.left = rest;
    rest != 0
}

/// Runs what is raised, in the order of its numbers, again and again until nothing is, the budget is used up or it was looked
/// often enough. What is raised still.
fn pass(k: &mut Kernel, host: &mut dyn Host, by: By) -> u16 {
    let mine = |k: &Kernel| match by {
        By::WayOut => k.irq.raised & !k.irq.left,
        By::Daemon => k.irq.raised,
    };
    if mine(k) == 0 {
        return 0;
    }
    if k.observer.on {
        hook::stamp(k, host);
    }
    let mut budget = BUDGET;
    for _ in 0..RESTARTS {
        let pending = mine(k);
        if pending == 0 || budget == 0 {
            break;
        }
        for softirq in SoftIrq::ALL {
            if pending >> softirq as u16 & 1 != 0 && k.irq.take(softirq) {
                note(k, softirq, true, by);
                action(k, host, softirq, &mut budget);
                note(k, softirq, false, by);
            }
        }
    }
    mine(k)
}

/// The work of a softirq.
fn action(k: &mut Kernel, host: &mut dyn Host, softirq: SoftIrq, budget: &mut u32) {
    match softirq {
        SoftIrq::Timer => {
            let now = k.time.monotonic(host, k.retired);
            if !are_late(k, now) {
                wake_expired(k, now);
                run_timers(k, now);
            }
        }
        SoftIrq::Tasklet => {
            while *budget > 0
                && let Some(event) = k.irq.events.pop_front()
            {
                *budget -= 1;
                host_event(k, host, event);
            }
            if !k.irq.events.is_empty() {
                k.irq.raise(SoftIrq::Tasklet);
            }
        }
        // Their work is done where it arises; that it was due is counted.
        _ => {}
    }
}

/// When the next timer or timeout is due, in ns of the monotonic clock.
pub fn next_due(k: &Kernel) -> Option<u64> {
    let due =
        [k.waits.next_deadline(), k.time.next_timer(), k.timerfds.next()].into_iter().flatten().min()?;
    let late = k.sched.chaos.as_ref().and_then(|chaos| chaos.late_until_ns);
    Some(due.max(late.unwrap_or(0)))
}

/// Whether timers that are due are made to come later (`--chaos`). They never come early.
fn are_late(k: &mut Kernel, now_ns: u64) -> bool {
    if k.sched.chaos.is_none() || next_due(k).is_none_or(|due| due > now_ns) {
        return k.sched.chaos.as_ref().is_some_and(|chaos| chaos.late_until_ns.is_some());
    }
    k.sched.chaos.as_mut().is_some_and(|chaos| chaos.is_late(k.retired, now_ns))
}

fn note(k: &mut Kernel, softirq: SoftIrq, begins: bool, by: By) {
    let daemon = by == By::Daemon;
    k.observer.note_machine(k.retired, || Event::SoftIrq { softirq, begins, daemon });
}

/// The work for an event of the host: who waits for it is woken.
fn host_event(k: &mut Kernel, host: &mut dyn Host, event: HostEvent) {
    match event {
        HostEvent::Readable(stream) => {
            crate::file::tty::host_readable(k, host, stream);
            k.wake(WaitKey::Host(stream, Direction::Read));
        }
        HostEvent::Writable(stream) => {
            crate::file::tty::host_writable(k, host);
            k.wake(WaitKey::Host(stream, Direction::Write));
        }
        HostEvent::WindowSize => crate::file::tty::host_resized(k, host),
        HostEvent::Signal(number) => signal::from_host(k, number),
    }
}
