//! Signals: numbers, sets, queues, dispositions.
//!
//! **Invariant**: signal numbers are 1 to 64; SIGKILL and SIGSTOP are never blocked, ignored or handled; a queue's set
//! holds exactly the numbers of its entries.

use emu_core::persist;

use crate::arena::id;

id! {
    /// Dispositions, shared by `CLONE_SIGHAND`.
    SigHandId;
}

/// Signal numbers (x86-64).
#[allow(missing_docs, reason = "the names of signal(7)")]
pub mod sig {
    pub const HUP: u8 = 1;
    pub const INT: u8 = 2;
    pub const QUIT: u8 = 3;
    pub const ILL: u8 = 4;
    pub const TRAP: u8 = 5;
    pub const ABRT: u8 = 6;
    pub const BUS: u8 = 7;
    pub const FPE: u8 = 8;
    pub const KILL: u8 = 9;
    pub const USR1: u8 = 10;
    pub const SEGV: u8 = 11;
    pub const USR2: u8 = 12;
    pub const PIPE: u8 = 13;
    pub const ALRM: u8 = 14;
    pub const TERM: u8 = 15;
    pub const STKFLT: u8 = 16;
    pub const CHLD: u8 = 17;
    pub const CONT: u8 = 18;
    pub const STOP: u8 = 19;
    pub const TSTP: u8 = 20;
    pub const TTIN: u8 = 21;
    pub const TTOU: u8 = 22;
    pub const URG: u8 = 23;
    pub const XCPU: u8 = 24;
    pub const XFSZ: u8 = 25;
    pub const VTALRM: u8 = 26;
    pub const PROF: u8 = 27;
    pub const WINCH: u8 = 28;
    pub const IO: u8 = 29;
    pub const PWR: u8 = 30;
    pub const SYS: u8 = 31;
    pub const RTMIN: u8 = 32;
    pub const MAX: u8 = 64;
}

/// SA_* flags of [`SigAction::flags`].
#[allow(missing_docs, reason = "the names of sigaction(2)")]
pub mod sa {
    pub const NOCLDSTOP: u64 = 1;
    pub const NOCLDWAIT: u64 = 2;
    pub const SIGINFO: u64 = 4;
    pub const RESTORER: u64 = 0x0400_0000;
    pub const ONSTACK: u64 = 0x0800_0000;
    pub const RESTART: u64 = 0x1000_0000;
    pub const NODEFER: u64 = 0x4000_0000;
    pub const RESETHAND: u64 = 0x8000_0000;
    /// All flags that the kernel keeps (UAPI_SA_FLAGS).
    pub const KNOWN: u64 =
        NOCLDSTOP | NOCLDWAIT | SIGINFO | EXPOSE_TAGBITS | RESTORER | ONSTACK | RESTART | NODEFER | RESETHAND;
    pub const EXPOSE_TAGBITS: u64 = 0x800;
}

/// `si_code` values.
#[allow(missing_docs, reason = "the names of sigaction(2)")]
pub mod si {
    pub const USER: i32 = 0;
    pub const KERNEL: i32 = 0x80;
    pub const QUEUE: i32 = -1;
    pub const TIMER: i32 = -2;
    pub const MESGQ: i32 = -3;
    pub const ASYNCIO: i32 = -4;
    pub const SIGIO: i32 = -5;
    pub const TKILL: i32 = -6;
    pub const ILL_ILLOPN: i32 = 2;
    pub const FPE_INTDIV: i32 = 1;
    pub const SEGV_MAPERR: i32 = 1;
    pub const SEGV_ACCERR: i32 = 2;
    pub const BUS_ADRALN: i32 = 1;
    pub const BUS_ADRERR: i32 = 2;
    pub const TRAP_BRKPT: i32 = 1;
    pub const TRAP_TRACE: i32 = 2;
    pub const CLD_EXITED: i32 = 1;
    pub const CLD_KILLED: i32 = 2;
    pub const CLD_DUMPED: i32 = 3;
    pub const CLD_TRAPPED: i32 = 4;
    pub const CLD_STOPPED: i32 = 5;
    pub const CLD_CONTINUED: i32 = 6;
}

/// A set of signals; bit `n - 1` stands for signal `n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SigSet(pub u64);

impl SigSet {
    /// No signal.
    pub const EMPTY: SigSet = SigSet(0);
    /// SIGKILL and SIGSTOP, which cannot be blocked.
    pub const UNBLOCKABLE: SigSet = SigSet::EMPTY.with(sig::KILL).with(sig::STOP);
    /// Signals that stop a process.
    pub const STOPS: SigSet = SigSet::EMPTY.with(sig::STOP).with(sig::TSTP).with(sig::TTIN).with(sig::TTOU);
    /// Signals whose default is to be ignored.
    pub const IGNORED: SigSet = SigSet::EMPTY.with(sig::CONT).with(sig::CHLD).with(sig::WINCH).with(sig::URG);
    /// Signals that the instruction stream itself causes: taken first.
    pub const SYNCHRONOUS: SigSet = SigSet::EMPTY
        .with(sig::SEGV)
        .with(sig::BUS)
        .with(sig::ILL)
        .with(sig::TRAP)
        .with(sig::FPE)
        .with(sig::SYS);
    /// Signals whose default is to dump core.
    pub const CORE: SigSet =
        SigSet::SYNCHRONOUS.with(sig::QUIT).with(sig::ABRT).with(sig::XCPU).with(sig::XFSZ);

    const fn bit(signo: u8) -> u64 {
        if signo >= 1 && signo <= sig::MAX { 1 << (signo - 1) } else { 0 }
    }
    /// The set and one more.
    #[must_use]
    pub const fn with(self, signo: u8) -> SigSet {
        SigSet(self.0 | SigSet::bit(signo))
    }
    /// The set without one.
    #[must_use]
    pub const fn without(self, signo: u8) -> SigSet {
        SigSet(self.0 & !SigSet::bit(signo))
    }
    /// Whether `signo` is in it.
    #[must_use]
    pub const fn contains(self, signo: u8) -> bool {
        self.0 & SigSet::bit(signo) != 0
    }
    /// In both.
    #[must_use]
    pub const fn and(self, other: SigSet) -> SigSet {
        SigSet(self.0 & other.0)
    }
    /// In either.
    #[must_use]
    pub const fn or(self, other: SigSet) -> SigSet {
        SigSet(self.0 | other.0)
    }
    /// In this and not in the other.
    #[must_use]
    pub const fn minus(self, other: SigSet) -> SigSet {
        SigSet(self.0 & !other.0)
    }
    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The one to be taken first: a synchronous one, else the lowest number.
    #[must_use]
    pub fn first(self) -> Option<u8> {
        let sync = self.and(SigSet::SYNCHRONOUS);
        let from = if sync.is_empty() { self.0 } else { sync.0 };
        if from == 0 { None } else { u8::try_from(from.trailing_zeros() + 1).ok() }
    }
}

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

impl SigInfo {
    /// With an empty union.
    #[must_use]
    pub fn new(signo: u8, code: i32) -> Self {
        SigInfo { signo, errno: 0, code, fields: [0; 112] }
    }
    /// From the kernel itself.
    #[must_use]
    pub fn kernel(signo: u8) -> Self {
        SigInfo::new(signo, si::KERNEL)
    }
    fn put<const N: usize>(mut self, offset: usize, bytes: [u8; N]) -> Self {
        self.fields[offset - 16..offset - 16 + N].copy_from_slice(&bytes);
        self
    }
    /// Sent by a process (`kill`: [`si::USER`], `tgkill`: [`si::TKILL`]).
    #[must_use]
    pub fn user(signo: u8, code: i32, pid: u32, uid: u32) -> Self {
        SigInfo::new(signo, code).put(16, pid.to_le_bytes()).put(20, uid.to_le_bytes())
    }
    /// Sent by `sigqueue(3)` or a message queue, with a value.
    #[must_use]
    pub fn queued(signo: u8, code: i32, pid: u32, uid: u32, value: u64) -> Self {
        SigInfo::user(signo, code, pid, uid).put(24, value.to_le_bytes())
    }
    /// A fault at an address.
    #[must_use]
    pub fn fault(signo: u8, code: i32, addr: u64) -> Self {
        SigInfo::new(signo, code).put(16, addr.to_le_bytes())
    }
    /// A POSIX timer expired.
    #[must_use]
    pub fn timer(signo: u8, id: i32, overrun: i32, value: u64) -> Self {
        SigInfo::new(signo, si::TIMER)
            .put(16, id.to_le_bytes())
            .put(20, overrun.to_le_bytes())
            .put(24, value.to_le_bytes())
    }
    /// A child changed state. Times in clock ticks.
    #[must_use]
    pub fn child(signo: u8, code: i32, pid: u32, uid: u32, status: i32, times: (u64, u64)) -> Self {
        SigInfo::user(signo, code, pid, uid)
            .put(24, status.to_le_bytes())
            .put(32, times.0.to_le_bytes())
            .put(40, times.1.to_le_bytes())
    }
    /// Readiness of a descriptor (`F_SETSIG`, `O_ASYNC`).
    #[must_use]
    pub fn poll(signo: u8, code: i32, band: u64, fd: i32) -> Self {
        SigInfo::new(signo, code).put(16, band.to_le_bytes()).put(24, fd.to_le_bytes())
    }
    /// `si_addr` of a fault.
    #[must_use]
    pub fn address(&self) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.fields[..8]);
        u64::from_le_bytes(bytes)
    }
    /// The `int` at an offset of the whole structure, 16 or more.
    #[must_use]
    pub fn int_at(&self, offset: usize) -> i32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.fields[offset - 16..offset - 12]);
        i32::from_le_bytes(bytes)
    }
    /// The structure's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 128] {
        let mut bytes = [0; 128];
        bytes[..4].copy_from_slice(&u32::from(self.signo).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.errno.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.code.to_le_bytes());
        bytes[16..].copy_from_slice(&self.fields);
        bytes
    }
    /// From the structure's bytes; the number is given apart, as the calls do.
    #[must_use]
    pub fn from_bytes(signo: u8, bytes: &[u8; 128]) -> Self {
        let mut info = SigInfo::new(signo, 0);
        let mut quad = [0; 4];
        quad.copy_from_slice(&bytes[4..8]);
        info.errno = i32::from_le_bytes(quad);
        quad.copy_from_slice(&bytes[8..12]);
        info.code = i32::from_le_bytes(quad);
        info.fields.copy_from_slice(&bytes[16..]);
        info
    }
}

/// Signals that were sent and not yet taken, in order.
#[derive(Debug, Clone, Default)]
pub struct SigQueue {
    /// One entry a standard signal at most; real-time signals queue.
    pub queue: persist::Vector<SigInfo>,
    /// Which numbers are queued.
    pub set: SigSet,
}

impl SigQueue {
    /// Adds a signal: a standard signal that is there already is not added again. Whether it was added.
    pub fn push(&mut self, info: SigInfo) -> bool {
        if info.signo < sig::RTMIN && self.set.contains(info.signo) {
            return false;
        }
        self.set = self.set.with(info.signo);
        self.queue.push_back(info);
        true
    }
    /// Takes the first of number `signo`.
    pub fn take(&mut self, signo: u8) -> Option<SigInfo> {
        let index = self.queue.iter().position(|info| info.signo == signo)?;
        let info = self.queue.remove(index);
        if !self.queue.iter().any(|info| info.signo == signo) {
            self.set = self.set.without(signo);
        }
        Some(info)
    }
    /// Drops all whose number is in `set`.
    pub fn flush(&mut self, set: SigSet) {
        if !self.set.and(set).is_empty() {
            self.queue.retain(|info| !set.contains(info.signo));
            self.set = self.set.minus(set);
        }
    }
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

/// `SIG_DFL`
pub const SIG_DFL: u64 = 0;
/// `SIG_IGN`
pub const SIG_IGN: u64 = 1;

impl SigAction {
    /// Whether a signal with this action is thrown away.
    #[must_use]
    pub fn ignores(&self, signo: u8) -> bool {
        self.handler == SIG_IGN || (self.handler == SIG_DFL && SigSet::IGNORED.contains(signo))
    }
}

/// Dispositions of all signals.
#[derive(Debug, Clone)]
pub struct SigHand {
    /// Index is the number minus one.
    pub actions: [SigAction; 64],
    /// Tasks that share it.
    pub users: u32,
}

impl SigHand {
    /// All default, one user.
    #[must_use]
    pub fn new() -> Self {
        SigHand { actions: [SigAction::default(); 64], users: 1 }
    }
    /// The action of a signal (the default one for a number out of range).
    #[must_use]
    pub fn action(&self, signo: u8) -> SigAction {
        self.actions.get(usize::from(signo).wrapping_sub(1)).copied().unwrap_or_default()
    }
    /// Sets the action of a signal.
    pub fn set(&mut self, signo: u8, action: SigAction) {
        if let Some(slot) = self.actions.get_mut(usize::from(signo).wrapping_sub(1)) {
            *slot = action;
        }
    }
    /// What `execve` does: handlers become default, ignored ones stay ignored, flags are gone.
    pub fn flush_for_exec(&mut self) {
        for action in &mut self.actions {
            let handler = if action.handler == SIG_IGN { SIG_IGN } else { SIG_DFL };
            *action = SigAction { handler, ..SigAction::default() };
        }
    }
    /// What `CLONE_CLEAR_SIGHAND` does.
    pub fn clear_handlers(&mut self) {
        self.flush_for_exec();
    }
}

impl Default for SigHand {
    fn default() -> Self {
        SigHand::new()
    }
}
