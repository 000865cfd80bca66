//! Observation of a machine: system calls, signals, faults, scheduling, as they happen.
//!
//! **Invariant**: watching changes nothing that a guest can see, instruction counts included.

use crate::abi::errno::Errno;
use crate::ctx::Call;
use crate::task::TaskId;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A system call was entered.
    SyscallEnter {
        /// Who.
        tid: TaskId,
        /// What.
        call: Call,
    },
    /// A system call finished.
    SyscallExit {
        /// Who.
        tid: TaskId,
        /// What.
        call: Call,
        /// With which result.
        result: Result<u64, Errno>,
    },
    /// A call blocked.
    Blocked {
        /// Who.
        tid: TaskId,
    },
    /// A signal was delivered.
    Signal {
        /// To whom.
        tid: TaskId,
        /// Its number.
        number: u8,
    },
    /// An exception was raised by user code.
    Exception {
        /// By whom.
        tid: TaskId,
        /// Which.
        exception: emu_core::cpu::Exception,
        /// Where.
        rip: u64,
    },
    /// A thread group ended with this wait status.
    Exited {
        /// Its leader.
        tid: TaskId,
        /// Status as wait4(2) gives it.
        status: u32,
    },
}

/// Collects events when switched on; whoever watches drains it between runs of the machine.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    /// Whether anybody watches.
    pub on: bool,
    /// What happened since last drained.
    pub events: Vec<(u64, Event)>,
}

impl Observer {
    /// Notes an event at instruction count `retired`; `event` is made only if somebody watches.
    pub fn note(&mut self, retired: u64, event: impl FnOnce() -> Event) {
        if self.on {
            self.events.push((retired, event()));
        }
    }
}
