//! Interrupts: top halves that count and queue, softirqs that do the work on the way back to user mode.
//!
//! Key types: [`Irqs`] (counts and what is pending), [`Irq`] (sources), [`SoftIrq`].
//!
//! **Invariant**: nothing asynchronous reaches the machine by any other way; a top half only counts, queues and raises.

use emu_core::persist;

use crate::kernel::Kernel;
use crate::observe::{Event, hook};
use crate::seam::{Direction, Host, HostEvent};
use crate::task::signal;
use crate::task::wait::{WaitKey, wake_expired};
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

/// Number of softirqs.
pub const SOFTIRQS: usize = 10;
/// Their names, as /proc/softirqs has them.
pub const SOFTIRQ_NAMES: [&str; SOFTIRQS] =
    ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];

/// Most host events that one run of the bottom half handles before the rest is left to ksoftirqd.
const BUDGET: u32 = 64;

/// Interrupt counts and what is pending.
#[derive(Debug, Clone, Default)]
pub struct Irqs {
    /// Interrupts by source ([`Irq`]).
    pub counts: [u64; IRQS],
    /// Softirqs run, by number.
    pub softirqs: [u64; SOFTIRQS],
    /// Raised softirqs, a bit each.
    pub raised: u16,
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

/// Bottom halves of what is raised, within a budget; whatever is left stays raised for ksoftirqd, which runs when the next
/// interrupt comes or nobody else can run.
pub fn run_softirqs(k: &mut Kernel, host: &mut dyn Host) {
    if k.irq.raised == 0 {
        return;
    }
    if k.observer.on {
        hook::stamp(k, host);
    }
    let daemon = k.sched.current.is_none() && !k.irq.events.is_empty() && k.irq.deferred > 0;
    if k.irq.take(SoftIrq::Timer) {
        begins(k, SoftIrq::Timer, daemon);
        let now = k.time.monotonic(host, k.retired);
        if !are_late(k, now) {
            wake_expired(k, now);
            run_timers(k, now);
        }
        ends(k, SoftIrq::Timer, daemon);
    }
    if k.irq.take(SoftIrq::Tasklet) {
        begins(k, SoftIrq::Tasklet, daemon);
        let mut budget = BUDGET;
        while let Some(event) = k.irq.events.pop_front() {
            host_event(k, host, event);
            budget -= 1;
            if budget == 0 {
                break;
            }
        }
        if !k.irq.events.is_empty() {
            k.irq.deferred += 1;
            k.irq.raise(SoftIrq::Tasklet);
        }
        ends(k, SoftIrq::Tasklet, daemon);
    }
    for softirq in [SoftIrq::Hi, SoftIrq::NetTx, SoftIrq::NetRx, SoftIrq::Block, SoftIrq::Sched, SoftIrq::Rcu]
    {
        if k.irq.take(softirq) {
            begins(k, softirq, daemon);
            ends(k, softirq, daemon);
        }
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

fn begins(k: &mut Kernel, softirq: SoftIrq, daemon: bool) {
    k.observer.note_machine(k.retired, || Event::SoftIrq { softirq, begins: true, daemon });
}

fn ends(k: &mut Kernel, softirq: SoftIrq, daemon: bool) {
    k.observer.note_machine(k.retired, || Event::SoftIrq { softirq, begins: false, daemon });
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
