//! Signals: sets, queues, dispositions.
//!
//! **Invariant**: signal numbers are 1 to 64; SIGKILL and SIGSTOP are never blocked, ignored or handled.

use crate::arena::id;

id! {
    /// Dispositions, shared by `CLONE_SIGHAND`.
    SigHandId;
}

/// A set of signals; bit `n - 1` stands for signal `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SigSet(pub u64);

/// A signal with its origin, as `siginfo_t`: the 128 bytes a guest sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigInfo {
    /// Signal number.
    pub signo: u8,
    /// `si_errno`
    pub errno: i32,
    /// `si_code`
    pub code: i32,
    /// The union behind the first three fields, from offset 16.
    pub fields: [u8; 112],
}

/// Signals that were sent and not yet taken, in order.
#[derive(Debug, Clone, Default)]
pub struct SigQueue {
    /// One entry a standard signal at most; real-time signals queue.
    pub queue: imbl::Vector<SigInfo>,
}

/// What a signal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SigAction {
    /// 0 default, 1 ignore, else the handler's address.
    pub handler: u64,
    /// SA_* flags.
    pub flags: u64,
    /// Address of the trampoline.
    pub restorer: u64,
    /// Signals blocked while it runs.
    pub mask: SigSet,
}

/// Dispositions of all signals.
#[derive(Debug, Clone)]
pub struct SigHand {
    /// Index is the number minus one.
    pub actions: [SigAction; 64],
    /// Tasks that share it.
    pub users: u32,
}
