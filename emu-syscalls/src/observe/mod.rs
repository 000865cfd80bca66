//! Observation of a machine: system calls as values, signals, faults, interrupts, scheduling, as they happen.
//!
//! Key types: [`Observer`] (what is watched, and what happened), [`Event`], [`Watcher`] (who is told). Neighbours: [`decode`]
//! reads arguments as the rows of the table say, [`value`] prints them as strace(1) does, [`inject`] changes results on purpose.
//!
//! **Invariant**: watching changes nothing that a guest can see, instruction counts included; only [`inject`] does.

pub mod decode;
pub mod hook;
pub mod inject;
pub mod names;
pub mod peek;
pub mod stack;
pub mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::abi::errno::Errno;
use crate::arg::Returns;
use crate::entry::irq::{Irq, SoftIrq};
use crate::kernel::Kernel;
use crate::task::TaskId;
use crate::task::sighand::SigInfo;
use value::{FdPath, Style, Value};

/// The time of an event, on the clocks of whoever watches; no guest sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// A clock that never goes back, in ns.
    pub monotonic_ns: u64,
    /// The wall clock in ns since 1970.
    pub realtime_ns: u64,
}

/// How a system call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With a value.
    Value(u64),
    /// With an error; numbers that ask for a restart included.
    Error(Errno),
    /// Never: the task is gone.
    Never,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A system call was entered.
    Enter {
        /// Who.
        tid: TaskId,
        /// Its number.
        nr: u64,
        /// The argument registers.
        regs: [u64; 6],
        /// Address behind the `syscall` instruction.
        ip: u64,
        /// The arguments that are known on entry.
        args: Vec<Value>,
        /// More arguments will be told on exit, after a comma.
        more: bool,
        /// The words of `pt_regs` on the kernel stack, if the gate is watched.
        gate: Option<Box<[u64; 21]>>,
    },
    /// A system call finished.
    Exit {
        /// Who.
        tid: TaskId,
        /// Its number.
        nr: u64,
        /// The arguments that only the result tells.
        args: Vec<Value>,
        /// The result.
        ended: Ended,
        /// How the result is told.
        returns: Returns,
        /// What a returned descriptor is open on.
        fd: Option<FdPath>,
        /// What is told in parentheses behind the result.
        note: Option<String>,
        /// What was done to it on purpose.
        tampered: inject::Tampered,
        /// The words of `pt_regs` on the kernel stack with the result, if the gate is watched.
        gate: Option<Box<[u64; 21]>>,
    },
    /// Bytes that a call moved, if they are to be shown whole (`-e read=`, `-e write=`).
    Data {
        /// Who.
        tid: TaskId,
        /// Towards the guest's memory.
        read: bool,
        /// The buffers.
        buffers: Vec<Vec<u8>>,
    },
    /// The calls that led to a system call, innermost first, if that was asked for.
    Stack {
        /// Who.
        tid: TaskId,
        /// The frames.
        frames: Vec<stack::Frame>,
    },
    /// A call waits.
    Blocked {
        /// Who.
        tid: TaskId,
    },
    /// A call that waited goes on.
    Resumed {
        /// Who.
        tid: TaskId,
    },
    /// A signal was taken.
    Signal {
        /// By whom.
        tid: TaskId,
        /// With its origin.
        info: Box<SigInfo>,
    },
    /// A task stopped (job control).
    Stopped {
        /// Who.
        tid: TaskId,
        /// By which signal.
        signal: u8,
    },
    /// A task was made.
    Forked {
        /// By whom.
        parent: TaskId,
        /// The new one.
        child: TaskId,
    },
    /// A thread that was not the leader called execve(2) and got the leader's number.
    Renumbered {
        /// Its number before.
        from: TaskId,
        /// Its number now.
        to: TaskId,
    },
    /// A task ended.
    TaskExited {
        /// Who.
        tid: TaskId,
        /// Wait status as wait4(2) gives it.
        status: u32,
    },
    /// A process ended.
    Exited {
        /// Its leader.
        tid: TaskId,
        /// Status as wait4(2) gives it.
        status: u32,
    },
    /// User code raised an exception.
    Exception {
        /// Who.
        tid: TaskId,
        /// Which, with error code and address.
        exception: emu_core::cpu::Exception,
        /// Where.
        rip: u64,
    },
    /// An exception or interrupt of a task is over; it goes back to user mode.
    Return {
        /// Who.
        tid: TaskId,
    },
    /// An interrupt came: its top half runs.
    Interrupt {
        /// The task it came upon; `None` if nobody ran.
        tid: Option<TaskId>,
        /// Its source.
        irq: Irq,
        /// Where the task was, if in user mode.
        rip: Option<u64>,
    },
    /// A bottom half begins or ends.
    SoftIrq {
        /// Which.
        softirq: SoftIrq,
        /// Whether it begins.
        begins: bool,
        /// Whether ksoftirqd runs it.
        daemon: bool,
    },
    /// A waiting task was made runnable.
    Woken {
        /// Who.
        tid: TaskId,
    },
    /// Another task got the processor.
    Switch {
        /// Who had it before.
        from: Option<TaskId>,
        /// Who has it now.
        to: TaskId,
    },
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// Instructions the machine had retired.
    pub retired: u64,
    /// On the clocks of whoever watches.
    pub stamp: Stamp,
    /// What happened.
    pub event: Event,
}

/// A set of system-call numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallSet(pub Vec<u64>);

impl CallSet {
    /// No call.
    #[must_use]
    pub fn none() -> Self {
        CallSet(vec![0; 8])
    }
    /// Every call.
    #[must_use]
    pub fn all() -> Self {
        CallSet(vec![u64::MAX; 8])
    }
    /// Adds a number.
    pub fn add(&mut self, nr: u64) {
        if let Some(word) = usize::try_from(nr / 64).ok().and_then(|at| self.0.get_mut(at)) {
            *word |= 1 << (nr % 64);
        }
    }
    /// Whether a number is in it; numbers past the table count as the last.
    #[must_use]
    pub fn contains(&self, nr: u64) -> bool {
        let nr = nr.min(511);
        usize::try_from(nr / 64)
            .ok()
            .and_then(|at| self.0.get(at))
            .is_some_and(|word| word >> (nr % 64) & 1 != 0)
    }
    /// The numbers that are not in it.
    #[must_use]
    pub fn inverted(&self) -> Self {
        CallSet(self.0.iter().map(|word| !word).collect())
    }
}

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// How much of strings and arrays is read, and whether descriptors are looked up.
    pub style: Style,
    /// Calls whose arguments are read.
    pub calls: CallSet,
    /// Calls whose structures are read; those of others are told as addresses.
    pub structures: CallSet,
    /// Calls whose arrays and structures are cut short.
    pub abbrev: CallSet,
    /// Only this task; `None` for all.
    pub only: Option<TaskId>,
    /// The saved registers at entry and exit of each call.
    pub gate: bool,
    /// The stack of each call.
    pub stack: bool,
    /// Interrupts, softirqs, wake-ups and switches too.
    pub machine: bool,
    /// Descriptors whose data is shown whole when read: bits of the numbers below 64; `None` for none.
    pub data_read: u64,
    /// The same for data written.
    pub data_written: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Watch {
            style: Style::default(),
            calls: CallSet::all(),
            structures: CallSet::all(),
            abbrev: CallSet::all(),
            only: None,
            gate: false,
            stack: false,
            machine: false,
            data_read: 0,
            data_written: 0,
        }
    }
}

impl Watch {
    /// How the arguments of a call are read.
    #[must_use]
    pub fn style_of(&self, nr: u64) -> Style {
        Style { structures: self.structures.contains(nr), verbose: !self.abbrev.contains(nr), ..self.style }
    }
}

/// A call that was entered and not finished.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open {
    nr: u64,
    next: usize,
    saved: Vec<u64>,
    inside: bool,
    owed: Vec<SigInfo>,
}

/// Collects events when switched on.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    /// Whether anybody watches.
    pub on: bool,
    /// What is watched.
    pub watch: Arc<Watch>,
    /// What happened since last taken.
    pub events: Vec<Stamped>,
    /// What is done on purpose.
    pub plan: Arc<Vec<inject::Rule>>,
    pub(crate) progress: inject::Progress,
    pub(crate) open: BTreeMap<TaskId, Open>,
    pub(crate) ignored: Vec<(TaskId, SigInfo)>,
    pub(crate) now: Stamp,
}

impl Observer {
    /// Starts watching.
    pub fn start(&mut self, watch: Watch) {
        self.on = true;
        self.watch = Arc::new(watch);
    }

    /// Notes an event at instruction count `retired`; `event` is made only if somebody watches.
    pub fn note(&mut self, retired: u64, event: impl FnOnce() -> Event) {
        if self.on {
            let event = event();
            if let (Some(only), Some(tid)) = (self.watch.only, event.task())
                && only != tid
            {
                return;
            }
            self.events.push(Stamped { retired, stamp: self.now, event });
        }
    }

    /// Notes an event of the machine below the system calls, if those are watched.
    pub fn note_machine(&mut self, retired: u64, event: impl FnOnce() -> Event) {
        if self.on && self.watch.machine {
            self.note(retired, event);
        }
    }
}

impl Event {
    /// The task it is about.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Event::Enter { tid, .. }
            | Event::Exit { tid, .. }
            | Event::Data { tid, .. }
            | Event::Stack { tid, .. }
            | Event::Blocked { tid }
            | Event::Resumed { tid }
            | Event::Signal { tid, .. }
            | Event::Stopped { tid, .. }
            | Event::TaskExited { tid, .. }
            | Event::Exited { tid, .. }
            | Event::Exception { tid, .. }
            | Event::Return { tid }
            | Event::Woken { tid } => Some(*tid),
            Event::Forked { parent, .. } => Some(*parent),
            Event::Renumbered { from, .. } => Some(*from),
            Event::Switch { to, .. } => Some(*to),
            Event::Interrupt { tid, .. } => *tid,
            Event::SoftIrq { .. } => None,
        }
    }
}

/// Who is told what happened. It stands beside the machine and sees the kernel as it is after the events.
pub trait Watcher: Send + std::fmt::Debug {
    /// Takes events, oldest first.
    fn events(&mut self, k: &Kernel, events: Vec<Stamped>);
    /// The machine has stopped for good.
    fn finish(&mut self, k: &Kernel) {
        let _ = k;
    }
}
