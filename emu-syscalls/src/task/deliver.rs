//! Taking signals on the way back to user mode: default actions, handlers, restarts of interrupted calls
//! (kernel/signal.c `get_signal`, arch/x86/kernel/signal.c).
//!
//! **Invariant**: a number that asks for a restart never reaches user mode.

use crate::abi::errno::Errno;
use crate::entry::{NO_SYSCALL, PtRegs};
use crate::kernel::Kernel;
use crate::observe::Event;
use crate::seam::Host;
use crate::task::sighand::{SIG_DFL, SIG_IGN, SigAction, SigInfo, SigSet, sa, si, sig};
use crate::task::{
    RunState, Task, TaskId, ThreadGroup, coredump, death, exit, frame, init, jobs, ptrace, rseq, signal,
};

/// Number of `restart_syscall`.
const NR_RESTART_SYSCALL: u64 = 219;
/// Bytes of a `syscall` instruction.
const SYSCALL_LEN: u64 = 2;

/// Does what is pending for a task on its way to user mode. The task may be stopped or dead afterwards.
pub fn deliver(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) {
    let Some(task) = k.tasks.get(tid) else { return };
    if task.state != RunState::Runnable || !task.in_kernel {
        return;
    }
    let work = task.work;
    if k.groups.get(task.group).is_none_or(|group| is_idle(task, group)) {
        return;
    }
    if work.traced && ptrace::stop_if_due(k, tid) {
        return;
    }
    if work.rseq {
        k.task_mut(tid).work.rseq = false;
        rseq::check(k, host, tid, None);
    }
    if k.task(tid).saved_mask.is_some() && !interrupted(&k.user_regs(tid)) {
        restore_mask(k, tid);
    }
    let mut handled = false;
    loop {
        match get_signal(k, host, tid) {
            Taken::Gone => return,
            Taken::Nothing => break,
            Taken::Handler(info, action) => {
                handle(k, host, tid, &info, &action);
                handled = true;
            }
        }
    }
    let regs = k.user_regs(tid);
    if let Some(errno) = restart_errno(&regs) {
        restart_without_handler(k, tid, regs, errno);
    }
    let task = k.task_mut(tid);
    task.work.restart = false;
    task.work.traced = task.trace.tracer.is_some();
    if handled && task.work.step && task.work.traced {
        // A step into a handler ends at its first instruction.
        ptrace::push(k, tid, ptrace::Kind::Signal, u32::from(sig::TRAP), 0);
        ptrace::stop_if_due(k, tid);
    }
    restore_mask(k, tid);
}

/// Whether a task has nothing to do on its way to user mode, if it may go there.
pub fn is_idle(task: &Task, group: &ThreadGroup) -> bool {
    let work = task.work;
    task.state == RunState::Runnable
        && task.in_kernel
        && !(work.restart || work.rseq || work.traced || task.saved_mask.is_some())
        && !signal::pending_in(task, group)
}

fn restore_mask(k: &mut Kernel, tid: TaskId) {
    if let Some(mask) = k.task_mut(tid).saved_mask.take() {
        signal::set_blocked(k, tid, mask);
    }
}

/// Whether the call that ends was interrupted, so that its temporary mask decides which signals are taken.
fn interrupted(regs: &PtRegs) -> bool {
    regs.orig_ax != NO_SYSCALL && (restart_errno(regs).is_some() || regs.ax == Errno::EINTR.to_reg())
}

fn restart_errno(regs: &PtRegs) -> Option<Errno> {
    if regs.orig_ax == NO_SYSCALL {
        return None;
    }
    let number = u16::try_from(regs.ax.wrapping_neg()).ok()?;
    Some(Errno(number)).filter(|errno| errno.is_restart())
}

fn restart_without_handler(k: &mut Kernel, tid: TaskId, mut regs: PtRegs, errno: Errno) {
    regs.ax = if errno == Errno::ERESTART_RESTARTBLOCK { NR_RESTART_SYSCALL } else { regs.orig_ax };
    regs.ip = regs.ip.wrapping_sub(SYSCALL_LEN);
    k.set_user_regs(tid, &regs);
}

enum Taken {
    /// Nothing more is pending.
    Nothing,
    /// The task stopped or ended.
    Gone,
    /// A handler is to run.
    Handler(SigInfo, SigAction),
}

fn get_signal(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) -> Taken {
    loop {
        let task = k.task(tid);
        let gid = task.group;
        let traced = task.trace.tracer.is_some();
        let stops = ptrace::group_stop_waits(k, task);
        if (stops || task.trace.interrupt) && !signal::pending_set(k, tid).contains(sig::KILL) {
            let signo = k.group(gid).stop.pending.filter(|_| stops);
            if traced {
                ptrace::stop_with_group(k, tid, signo);
            } else {
                jobs::stop_thread(k, tid);
            }
            return Taken::Gone;
        }
        let info = match k.task_mut(tid).trace.injected.take() {
            // What the tracer let through waits again if it is blocked by now.
            Some(info) if k.task(tid).blocked.contains(info.signo) => {
                k.task_mut(tid).pending.push(info);
                continue;
            }
            Some(info) => info,
            None => {
                let Some(info) = dequeue(k, host, tid, k.task(tid).blocked) else { return Taken::Nothing };
                if traced && info.signo != sig::KILL {
                    ptrace::stop_for_signal(k, tid, info);
                    return Taken::Gone;
                }
                info
            }
        };
        let signo = info.signo;
        // SIGKILL is told by the end that it makes.
        if k.observer.on && signo != sig::KILL {
            k.observer.note(k.retired, || Event::Signal { tid, info: Box::new(info.clone()) });
        }
        let sighand = k.task(tid).sighand;
        let action = signal::action_of(k, tid, signo);
        if action.handler == SIG_IGN {
            continue;
        }
        if action.handler != SIG_DFL {
            if action.flags & sa::RESETHAND != 0
                && let Some(sighand) = k.sighands.get_mut(sighand)
            {
                sighand.set(signo, SigAction { handler: SIG_DFL, ..action });
            }
            return Taken::Handler(info, action);
        }
        if SigSet::IGNORED.contains(signo) || init::is_kernels_group(gid) {
            continue;
        }
        if SigSet::STOPS.contains(signo) {
            if signo == sig::STOP || !jobs::is_orphaned(k, k.group(gid).pgid, None) {
                jobs::begin_stop(k, gid, signo);
            }
            continue;
        }
        let told = k.task(tid).trace.exit_told;
        let dumped = match k.task(tid).trace.dumped {
            // It was before its tracer was told.
            Some(dumped) if told => dumped,
            _ => SigSet::CORE.contains(signo) && coredump::dump(k, host, tid, &info),
        };
        let status = u32::from(signo) | if dumped { 0x80 } else { 0 };
        let task = k.task_mut(tid);
        task.trace.dumped = Some(dumped);
        if signo != sig::KILL && !task.trace.exit_told && ptrace::wants(task, ptrace::option::TRACEEXIT) {
            task.trace.exit_told = true;
            task.trace.injected = Some(info);
            ptrace::push_event(k, tid, ptrace::event::EXIT, u64::from(status));
            ptrace::stop_if_due(k, tid);
            return Taken::Gone;
        }
        death::note(k, host, tid, &info);
        exit::exit_group(k, host, tid, status);
        return Taken::Gone;
    }
}

/// Takes the signal that comes first of those not in `blocked`: synchronous ones, then the thread's, then the process's.
pub fn dequeue(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, blocked: SigSet) -> Option<SigInfo> {
    let task = k.task_mut(tid);
    let info = match task.pending.set.minus(blocked).first() {
        Some(signo) => task.pending.take(signo),
        None => {
            let gid = task.group;
            let group = k.group_mut(gid);
            let signo = group.pending.set.minus(blocked).first()?;
            group.pending.take(signo)
        }
    }?;
    if info.code == si::TIMER {
        return Some(crate::time::timer::signal_taken(k, host, tid, info));
    }
    Some(info)
}

/// Sets up the frame of a handler (handle_signal).
fn handle(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, info: &SigInfo, action: &SigAction) {
    let mut regs = k.user_regs(tid);
    if let Some(errno) = restart_errno(&regs) {
        let restarts = match errno {
            Errno::ERESTARTNOINTR => true,
            Errno::ERESTARTSYS => action.flags & sa::RESTART != 0,
            _ => false,
        };
        if restarts {
            regs.ax = regs.orig_ax;
            regs.ip = regs.ip.wrapping_sub(SYSCALL_LEN);
        } else {
            regs.ax = Errno::EINTR.to_reg();
        }
        k.set_user_regs(tid, &regs);
    }
    rseq::check(k, host, tid, Some(info.signo));
    if !matches!(k.tasks.get(tid).map(|task| &task.state), Some(RunState::Runnable)) {
        return;
    }
    let saved = k.task_mut(tid).saved_mask.take();
    let mask = saved.unwrap_or(k.task(tid).blocked);
    match frame::setup(k, host, tid, info, action, mask) {
        Ok(()) => {
            let mut blocked = k.task(tid).blocked.or(action.mask);
            if action.flags & sa::NODEFER == 0 {
                blocked = blocked.with(info.signo);
            }
            signal::set_blocked(k, tid, blocked);
        }
        Err(_) => {
            // The mask that was to be put back is, as no handler will.
            if let Some(saved) = saved {
                signal::set_blocked(k, tid, saved);
            }
            signal::force_sigsegv(k, tid, info.signo);
        }
    }
}
