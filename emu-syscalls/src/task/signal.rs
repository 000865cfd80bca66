//! Sending signals: to a thread, a process, a process group; exceptions; who is woken.
//!
//! Key functions: [`send`], [`force_fault`], [`pending`], [`interrupts`]. [`super::deliver`] takes them on the way out.
//!
//! **Invariant**: a signal that its target ignores and does not block is never queued; a stop signal and SIGCONT are never
//! queued together.

use emu_core::cpu::{Exception, Vector, pf};

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::mm::fault::BadAccess;
use crate::seam::Host;
use crate::task::sighand::{SIG_DFL, SIG_IGN, SigAction, SigInfo, SigSet, si, sig};
use crate::task::wait::{OnSignal, WaitKey, unpark};
use crate::task::{GroupId, RunState, Task, TaskId, ThreadGroup, Trap, creds, init, jobs, pids};

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// This thread only.
    Thread(TaskId),
    /// Any thread of this process.
    Process(GroupId),
}

/// Index of RLIMIT_SIGPENDING.
const RLIMIT_SIGPENDING: usize = 11;

/// Delivers pending signals to a task on its way to user mode. See [`super::deliver`].
pub fn deliver(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) {
    super::deliver::deliver(k, host, tid);
}

/// Sends a signal. `EAGAIN` if it is a real-time signal of a user and the target's queue is full. A target that is gone or
/// ignores it takes nothing, without error.
pub fn send(k: &mut Kernel, to: To, info: SigInfo) -> Result<(), Errno> {
    let signo = info.signo;
    let (gid, main) = match to {
        To::Thread(tid) => match k.tasks.get(tid) {
            Some(task) if !task.is_dead() => (task.group, tid),
            _ => return Ok(()),
        },
        To::Process(gid) => match k.groups.get(gid) {
            Some(group) if group.status.is_none() => (gid, first_live(k, gid).unwrap_or(group.leader())),
            _ => return Ok(()),
        },
    };
    if signo == 0 || signo > sig::MAX || init::ignores(k, to, &info) {
        return Ok(());
    }
    prepare(k, gid, signo);
    let Some(task) = k.tasks.get(main) else { return Ok(()) };
    let action = action_of(k, main, signo);
    let traced = task.trace.tracer.is_some() && signo != sig::KILL;
    if !traced && !task.blocked.contains(signo) && action.ignores(signo) && !sigwaits(k, gid, signo) {
        crate::observe::hook::ignored(k, main, &info);
        return Ok(());
    }
    let limit = k.group(gid).rlimits[RLIMIT_SIGPENDING].0;
    let queue = match to {
        To::Thread(tid) => &mut k.task_mut(tid).pending,
        To::Process(gid) => &mut k.group_mut(gid).pending,
    };
    if signo >= sig::RTMIN && queue.queue.len() as u64 >= limit {
        // Linux's last resort (__send_signal_locked): a lost siginfo of kill is forgiven, that of sigqueue is not.
        if info.code != si::USER && info.code < 0 {
            return Err(Errno::EAGAIN);
        }
        queue.set = queue.set.with(signo);
        if !queue.queue.iter().any(|queued| queued.signo == signo) {
            queue.push(SigInfo::new(signo, si::USER));
        }
    } else {
        queue.push(info);
    }
    k.wake(WaitKey::Signal(gid));
    notify(k, to, gid, signo);
    Ok(())
}

/// Sends a signal that never fails: of the kernel, or a standard one.
pub fn post(k: &mut Kernel, to: To, info: SigInfo) {
    // The only failure is a full queue of real-time signals; Linux's callers ignore it as well.
    let _ = send(k, to, info);
}

/// Sends to every process of a process group.
pub fn post_pgrp(k: &mut Kernel, pgid: GroupId, info: &SigInfo) {
    for gid in k.group_members(pgid) {
        post(k, To::Process(gid), info.clone());
    }
}

/// SIGPIPE to the thread that wrote to a pipe or socket nobody reads.
pub fn send_sigpipe(k: &mut Kernel, tid: TaskId) {
    let Some(task) = k.tasks.get(tid) else { return };
    let info = SigInfo::user(sig::PIPE, si::USER, task.group.0, task.creds.uid[0]);
    post(k, To::Thread(tid), info);
}

fn first_live(k: &Kernel, gid: GroupId) -> Option<TaskId> {
    k.groups
        .get(gid)?
        .threads
        .iter()
        .copied()
        .find(|tid| k.tasks.get(*tid).is_some_and(|task| !task.is_dead()))
}

/// The action of a signal for a task.
#[must_use]
pub fn action_of(k: &Kernel, tid: TaskId, signo: u8) -> SigAction {
    let sighand = k.tasks.get(tid).and_then(|task| k.sighands.get(task.sighand));
    sighand.map(|sighand| sighand.action(signo)).unwrap_or_default()
}

/// Whether a thread of the process waits for this signal in `rt_sigtimedwait`.
fn sigwaits(k: &Kernel, gid: GroupId, signo: u8) -> bool {
    let Some(group) = k.groups.get(gid) else { return false };
    group.threads.iter().any(|tid| {
        k.tasks.get(*tid).is_some_and(|task| {
            matches!(task.state, RunState::Parked(_))
                && task.call.as_ref().is_some_and(|call| call.nr == 128 && SigSet(call.done).contains(signo))
        })
    })
}

/// Stop signals take back SIGCONT and the other way round; SIGCONT and SIGKILL start stopped threads (prepare_signal).
fn prepare(k: &mut Kernel, gid: GroupId, signo: u8) {
    let flush = if SigSet::STOPS.contains(signo) {
        SigSet::EMPTY.with(sig::CONT)
    } else if signo == sig::CONT {
        SigSet::STOPS
    } else {
        return;
    };
    let Some(group) = k.groups.get_mut(gid) else { return };
    group.pending.flush(flush);
    for tid in group.threads.clone() {
        if let Some(task) = k.tasks.get_mut(tid) {
            task.pending.flush(flush);
        }
    }
    if signo == sig::CONT {
        jobs::continue_group(k, gid);
    }
}

/// Wakes who shall take a signal (complete_signal).
fn notify(k: &mut Kernel, to: To, gid: GroupId, signo: u8) {
    let wants = |k: &Kernel, tid: TaskId| {
        k.tasks.get(tid).is_some_and(|task| !task.is_dead() && !task.blocked.contains(signo))
    };
    let target = match to {
        To::Thread(tid) => Some(tid).filter(|tid| wants(k, *tid)),
        To::Process(gid) => k.group(gid).threads.iter().copied().find(|tid| wants(k, *tid)),
    };
    let Some(target) = target else { return };
    let fatal = is_fatal(signo, &action_of(k, target, signo));
    if signo == sig::KILL {
        // Whichever thread comes first ends all of them.
        for tid in k.group(gid).threads.clone() {
            wake_thread(k, tid, signo, true);
        }
    } else {
        wake_thread(k, target, signo, fatal);
    }
}

fn wake_thread(k: &mut Kernel, tid: TaskId, signo: u8, fatal: bool) {
    let Some(task) = k.tasks.get_mut(tid) else { return };
    match &task.state {
        RunState::Parked(wait) if fatal || wait.on_signal != OnSignal::Killable => {
            unpark(k, tid);
        }
        RunState::Stopped if signo == sig::KILL => {
            task.trace.stop = None;
            task.trace.due.clear();
            task.state = RunState::Runnable;
            k.enqueue(tid);
        }
        _ => {}
    }
}

/// Whether a signal with this action ends the process.
#[must_use]
pub fn is_fatal(signo: u8, action: &SigAction) -> bool {
    action.handler == SIG_DFL && !SigSet::IGNORED.or(SigSet::STOPS).contains(signo)
}

/// Signals that wait for `tid` and are not blocked.
#[must_use]
pub fn pending_set(k: &Kernel, tid: TaskId) -> SigSet {
    let Some(task) = k.tasks.get(tid) else { return SigSet::EMPTY };
    let shared = k.groups.get(task.group).map_or(SigSet::EMPTY, |group| group.pending.set);
    task.pending.set.or(shared).minus(task.blocked)
}

/// Whether a signal that is not blocked, or a stop of the process, waits for `tid`.
#[must_use]
pub fn pending(k: &Kernel, tid: TaskId) -> bool {
    let Some(task) = k.tasks.get(tid) else { return false };
    k.groups.get(task.group).is_some_and(|group| pending_in(task, group))
}

/// The same with both at hand.
#[must_use]
pub fn pending_in(task: &Task, group: &ThreadGroup) -> bool {
    !task.pending.set.or(group.pending.set).minus(task.blocked).is_empty()
        || (group.stop.pending.is_some() && !task.trace.past_group_stop)
        || task.trace.interrupt
        || task.trace.injected.is_some()
}

/// Whether a signal that will end the process waits for `tid`.
#[must_use]
pub fn fatal_pending(k: &Kernel, tid: TaskId) -> bool {
    let mut set = pending_set(k, tid);
    while let Some(signo) = set.first() {
        if is_fatal(signo, &action_of(k, tid, signo)) {
            return true;
        }
        set = set.without(signo);
    }
    false
}

/// Whether a call that would block is to be interrupted by a pending signal, and with which (possibly restart) number.
#[must_use]
pub fn interrupts(k: &Kernel, tid: TaskId, on_signal: OnSignal) -> Option<Errno> {
    if !pending(k, tid) {
        return None;
    }
    match on_signal {
        OnSignal::Restart => Some(Errno::ERESTARTSYS),
        OnSignal::RestartNoHandler => Some(Errno::ERESTARTNOHAND),
        OnSignal::RestartBlock => Some(Errno::ERESTART_RESTARTBLOCK),
        OnSignal::Eintr => Some(Errno::EINTR),
        OnSignal::Killable => fatal_pending(k, tid).then_some(Errno::EINTR),
    }
}

/// A signal that cannot be blocked or ignored by its thread: if it is, its action becomes the default (force_sig_info).
pub fn force(k: &mut Kernel, tid: TaskId, info: SigInfo) {
    let signo = info.signo;
    let Some(task) = k.tasks.get_mut(tid) else { return };
    let blocked = task.blocked.contains(signo);
    task.blocked = task.blocked.without(signo);
    let sighand = task.sighand;
    if let Some(sighand) = k.sighands.get_mut(sighand) {
        let action = sighand.action(signo);
        if blocked || action.handler == SIG_IGN {
            sighand.set(signo, SigAction { handler: SIG_DFL, ..action });
        }
    }
    let task = k.task_mut(tid);
    // What the thread itself caused comes before an equal signal that somebody sent.
    task.pending.take(signo);
    task.pending.push(info);
    wake_thread(k, tid, signo, true);
}

/// A frame could not be written: SIGSEGV, deadly if it was SIGSEGV's own frame (force_sigsegv).
pub fn force_sigsegv(k: &mut Kernel, tid: TaskId, signo: u8) {
    if signo == sig::SEGV
        && let Some(sighand) = k.tasks.get(tid).map(|task| task.sighand)
        && let Some(sighand) = k.sighands.get_mut(sighand)
    {
        sighand.set(sig::SEGV, SigAction::default());
    }
    force(k, tid, SigInfo::kernel(sig::SEGV));
}

/// The signal that an exception becomes (arch/x86/kernel/traps.c, mm/fault.c).
pub fn force_fault(k: &mut Kernel, tid: TaskId, exception: Exception, bad: Option<BadAccess>) {
    let ip = k.user_regs(tid).ip;
    let error_code = match exception.vector {
        Vector::PageFault => u64::from(exception.error_code | pf::USER),
        _ => u64::from(exception.error_code),
    };
    let trap = &mut k.task_mut(tid).trap;
    let cr2 = if exception.vector == Vector::PageFault { exception.address } else { trap.cr2 };
    *trap = Trap { vector: exception.vector as u64, error_code, cr2 };
    let info = match exception.vector {
        Vector::DivideError => SigInfo::fault(sig::FPE, si::FPE_INTDIV, ip),
        Vector::Debug => SigInfo::fault(sig::TRAP, si::TRAP_TRACE, ip),
        Vector::Breakpoint => SigInfo::kernel(sig::TRAP),
        Vector::InvalidOpcode => SigInfo::fault(sig::ILL, si::ILL_ILLOPN, ip),
        Vector::StackFault => SigInfo::kernel(sig::BUS),
        Vector::AlignmentCheck => SigInfo::fault(sig::BUS, si::BUS_ADRALN, 0),
        Vector::Overflow | Vector::BoundRange | Vector::DeviceNotAvailable | Vector::GeneralProtection => {
            SigInfo::kernel(sig::SEGV)
        }
        Vector::X87 => {
            let x87 = &k.task(tid).cpu.x87;
            SigInfo::fault(sig::FPE, float_code(u32::from(x87.status & !x87.control)), ip)
        }
        Vector::Simd => {
            let mxcsr = k.task(tid).cpu.mxcsr;
            SigInfo::fault(sig::FPE, float_code(!(mxcsr >> 7) & mxcsr), ip)
        }
        Vector::PageFault => match bad {
            Some(BadAccess::Forbidden) => SigInfo::fault(sig::SEGV, si::SEGV_ACCERR, exception.address),
            Some(BadAccess::Bus) => SigInfo::fault(sig::BUS, si::BUS_ADRERR, exception.address),
            Some(BadAccess::OutOfMemory) => {
                k.gap(
                    "memory bound reached (--memory): process killed".into(),
                    format!("task {} at {ip:#x}", tid.0),
                );
                SigInfo::kernel(sig::KILL)
            }
            Some(BadAccess::Unmapped) | None => SigInfo::fault(sig::SEGV, si::SEGV_MAPERR, exception.address),
        },
    };
    log_unhandled(k, tid, &exception, info.signo, error_code);
    force(k, tid, info);
}

/// The line in the kernel log about an exception that no handler takes (show_signal_msg, show_signal).
fn log_unhandled(k: &mut Kernel, tid: TaskId, exception: &Exception, signo: u8, error_code: u64) {
    let handler = action_of(k, tid, signo).handler;
    if handler != SIG_DFL && handler != SIG_IGN {
        return;
    }
    let regs = k.user_regs(tid);
    let what = match exception.vector {
        Vector::PageFault if signo == sig::KILL => return k.log_oom(tid),
        Vector::PageFault if signo == sig::SEGV => {
            return k.log_segfault(tid, exception.address, regs.ip, regs.sp, error_code);
        }
        Vector::GeneralProtection => "general protection fault",
        Vector::DivideError => "trap divide error",
        Vector::InvalidOpcode => "trap invalid opcode",
        Vector::StackFault => "trap stack segment",
        Vector::Breakpoint => "trap int3",
        Vector::Overflow => "trap overflow",
        Vector::BoundRange => "trap bounds",
        _ => return,
    };
    k.log_trap(tid, what, regs.ip, regs.sp, error_code);
}

/// `si_code` of a floating-point exception (fpu__exception_code), from its unmasked status bits.
fn float_code(raised: u32) -> i32 {
    match raised {
        bits if bits & 1 != 0 => 7,
        bits if bits & 4 != 0 => 3,
        bits if bits & 8 != 0 => 4,
        bits if bits & 0x12 != 0 => 5,
        bits if bits & 0x20 != 0 => 6,
        _ => 0,
    }
}

/// The host passes a signal to the guest: what a terminal sends, to the first process's group; the rest to the first
/// process.
pub fn from_host(k: &mut Kernel, number: u8) {
    let first = GroupId(pids::FIRST_PID);
    let info = SigInfo::kernel(number);
    match (number, k.groups.get(first).map(|group| group.pgid)) {
        (sig::INT | sig::QUIT | sig::TSTP | sig::CONT | sig::WINCH, Some(pgid)) => post_pgrp(k, pgid, &info),
        _ => post(k, To::Process(first), info),
    }
}

/// Whether `sender` may send `signo` to `target` (check_kill_permission). `EPERM`.
pub fn may_signal(k: &Kernel, sender: TaskId, target: TaskId, signo: u8) -> Result<(), Errno> {
    let (Some(from), Some(to)) = (k.tasks.get(sender), k.tasks.get(target)) else { return Err(Errno::ESRCH) };
    if from.group == to.group {
        return Ok(());
    }
    crate::landlock::check_scope(&from.landlock, &to.landlock, crate::landlock::SCOPE_SIGNAL)?;
    let [real, _, saved, _] = to.creds.uid;
    let same_user = [from.creds.uid[0], from.creds.uid[1]].iter().any(|uid| *uid == real || *uid == saved);
    let same_session = || {
        let session = |gid| k.groups.get(gid).map(|group| group.sid);
        session(from.group) == session(to.group)
    };
    let allowed =
        same_user || creds::has(&from.creds, creds::cap::KILL) || (signo == sig::CONT && same_session());
    if allowed { Ok(()) } else { Err(Errno::EPERM) }
}

/// Replaces the mask for the length of one call (`sigsuspend`, `ppoll`, `epoll_pwait` ...); the way out puts the old one
/// back, after a handler has run if one does. Call it in the first run of a call only.
pub fn set_temporary_mask(k: &mut Kernel, tid: TaskId, mask: SigSet) {
    let task = k.task_mut(tid);
    task.saved_mask = Some(task.blocked);
    task.blocked = mask.minus(SigSet::UNBLOCKABLE);
}

/// Sets the mask of blocked signals.
pub fn set_blocked(k: &mut Kernel, tid: TaskId, mask: SigSet) {
    k.task_mut(tid).blocked = mask.minus(SigSet::UNBLOCKABLE);
    let gid = k.task(tid).group;
    // A thread that waits for a process signal which this one no longer takes must get a chance (retarget_shared_pending).
    let shared = k.group(gid).pending.set;
    if !shared.is_empty() && k.group(gid).threads.len() > 1 {
        let others = k.group(gid).threads.clone();
        for other in others {
            if other != tid && k.tasks.get(other).is_some_and(|task| !shared.minus(task.blocked).is_empty()) {
                wake_thread(k, other, 0, false);
            }
        }
    }
}
