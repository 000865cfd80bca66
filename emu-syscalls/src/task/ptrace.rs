//! Tracing of one task by another (ptrace(2)): attaching, the stops and how a task goes on from them.
//!
//! A traced task stops on its way through the kernel. What stands before it is data: [`Trace::due`] holds stops that are
//! still to be made before user mode, in order; a stop at the entry of a call keeps the call in its registers, which the
//! tracer may change.
//!
//! Key types: [`Trace`], [`TraceStop`]. Neighbours: [`crate::calls::ptrace`] (the requests), [`super::reap`] (waiting for
//! tracees), [`super::deliver`] (signals).
//!
//! **Invariant**: a task has a tracer exactly if it is in [`super::ThreadGroup::tracees`] of the tracer's process.

use crate::abi::errno::Errno;
use crate::ctx::Call;
use crate::entry::NO_SYSCALL;
use crate::kernel::Kernel;
use crate::task::sighand::{SIG_IGN, SigInfo, sa, si, sig};
use crate::task::signal::{To, action_of, force, post};
use crate::task::wait::WaitKey;
use crate::task::{GroupId, RunState, Task, TaskId, Usage, creds, reap};

/// `PTRACE_O_*`
#[allow(missing_docs, reason = "the names of ptrace(2)")]
pub mod option {
    pub const TRACESYSGOOD: u32 = 1;
    pub const TRACEFORK: u32 = 1 << 1;
    pub const TRACEVFORK: u32 = 1 << 2;
    pub const TRACECLONE: u32 = 1 << 3;
    pub const TRACEEXEC: u32 = 1 << 4;
    pub const TRACEVFORKDONE: u32 = 1 << 5;
    pub const TRACEEXIT: u32 = 1 << 6;
    pub const TRACESECCOMP: u32 = 1 << 7;
    pub const EXITKILL: u32 = 1 << 20;
    pub const SUSPEND_SECCOMP: u32 = 1 << 21;
    pub const KNOWN: u32 = 0xff | EXITKILL | SUSPEND_SECCOMP;
}

/// `PTRACE_EVENT_*`
#[allow(missing_docs, reason = "the names of ptrace(2)")]
pub mod event {
    pub const FORK: u32 = 1;
    pub const VFORK: u32 = 2;
    pub const CLONE: u32 = 3;
    pub const EXEC: u32 = 4;
    pub const VFORK_DONE: u32 = 5;
    pub const EXIT: u32 = 6;
    pub const SECCOMP: u32 = 7;
    pub const STOP: u32 = 128;
}

/// Which kind of stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Before a system call.
    Entry,
    /// Behind a system call.
    Exit,
    /// A filter of seccomp(2) asked for it, before a system call.
    Seccomp,
    /// An event: fork, exec ...
    Event,
    /// A signal is about to be taken.
    Signal,
    /// The process stops (job control), or was asked to by the tracer.
    Group,
}

/// A stop that a task is in, or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceStop {
    /// Kind.
    pub kind: Kind,
    /// The signal, and the event in the bits from 8.
    pub code: u32,
    /// What `PTRACE_GETEVENTMSG` gives.
    pub message: u64,
    /// The tracer has waited for it.
    pub told: bool,
}

/// How a tracee goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resume {
    /// To the next signal or event.
    #[default]
    Run,
    /// To the next entry or end of a system call.
    Syscall,
    /// To the next entry; the call is not made.
    Emulate,
}

/// What tracing keeps of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// The tracing thread.
    pub tracer: Option<TaskId>,
    /// `PTRACE_SEIZE`
    pub seized: bool,
    /// [`option`] bits.
    pub options: u32,
    /// How it goes on, or went on last.
    pub resume: Resume,
    /// The stop it is in.
    pub stop: Option<TraceStop>,
    /// Stops to be made before user mode.
    pub due: Vec<TraceStop>,
    /// Last event's message.
    pub message: u64,
    /// The siginfo of the stop, if it has one.
    pub info: Option<SigInfo>,
    /// Signal that the tracer lets through: taken next, without another stop.
    pub injected: Option<SigInfo>,
    /// The tracer asked for a stop (`PTRACE_INTERRUPT`).
    pub interrupt: bool,
    /// `PTRACE_LISTEN`
    pub listening: bool,
    /// It was let go on from the stop that its process is in.
    pub past_group_stop: bool,
    /// It stopped before its end already (`PTRACE_O_TRACEEXIT`).
    pub exit_told: bool,
    /// Whether a core file was written when a signal ended it.
    pub dumped: Option<bool>,
    /// Debug registers.
    pub debug: [u64; 8],
}

/// A traced thread or process that ended, until its tracer has waited for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceExit {
    /// Who.
    pub tid: TaskId,
    /// Its process group.
    pub pgid: GroupId,
    /// Wait status.
    pub status: u32,
    /// Real user.
    pub uid: u32,
    /// What it used.
    pub usage: Usage,
    /// A process whose parent hears of its end only after the tracer has.
    pub holds: Option<GroupId>,
}

/// Whether `me` may look into and trace `target` (`PTRACE_MODE_ATTACH_REALCREDS`). `EPERM`.
pub fn may_access(k: &Kernel, me: TaskId, target: TaskId) -> Result<(), Errno> {
    let (Some(mine), Some(other)) = (k.tasks.get(me), k.tasks.get(target)) else { return Err(Errno::ESRCH) };
    if mine.group == other.group || creds::has(&mine.creds, creds::cap::SYS_PTRACE) {
        return Ok(());
    }
    let (uid, gid) = (mine.creds.uid[0], mine.creds.gid[0]);
    let same =
        other.creds.uid[..3].iter().all(|id| *id == uid) && other.creds.gid[..3].iter().all(|id| *id == gid);
    let dumpable = k.groups.get(other.group).is_some_and(|group| group.dumpable == 1);
    let covers = other.creds.cap_permitted & !mine.creds.cap_permitted == 0;
    if same && dumpable && covers { Ok(()) } else { Err(Errno::EPERM) }
}

/// The process of a task's tracer, if it has one.
#[must_use]
pub fn tracer_group(k: &Kernel, task: &Task) -> Option<GroupId> {
    k.tasks.get(task.trace.tracer?).map(|tracer| tracer.group)
}

/// Makes `tracer` trace `target`.
pub fn link(k: &mut Kernel, tracer: TaskId, target: TaskId) {
    let Some(gid) = k.tasks.get(tracer).map(|task| task.group) else { return };
    k.group_mut(gid).tracees.insert(target);
    let task = k.task_mut(target);
    task.trace.tracer = Some(tracer);
    task.work.traced = true;
}

/// Ends the tracing of a task; it stays as it is otherwise.
pub fn unlink(k: &mut Kernel, target: TaskId) {
    let Some(task) = k.tasks.get_mut(target) else { return };
    let past_group_stop = task.trace.past_group_stop;
    let trace = std::mem::take(&mut task.trace);
    // A signal that was let through is not lost with the tracer.
    task.trace.injected = trace.injected;
    task.trace.past_group_stop = past_group_stop && trace.stop.is_none();
    task.work.traced = task.trace.injected.is_some();
    task.work.step = false;
    let Some(gid) = trace.tracer.and_then(|id| k.tasks.get(id)).map(|tracer| tracer.group) else { return };
    k.group_mut(gid).tracees.remove(&target);
}

/// A tracee's number changes to its leader's (`execve` in another thread).
pub fn renumber(k: &mut Kernel, old: TaskId, new: TaskId) {
    let Some(gid) = k.tasks.get(new).and_then(|task| tracer_group(k, task)) else { return };
    let group = k.group_mut(gid);
    group.tracees.remove(&old);
    group.tracees.insert(new);
}

/// Whether an event is to be reported.
#[must_use]
pub fn wants(task: &Task, option: u32) -> bool {
    task.trace.tracer.is_some() && task.trace.options & option != 0
}

/// Queues a stop for the way out.
pub fn push(k: &mut Kernel, tid: TaskId, kind: Kind, code: u32, message: u64) {
    let task = k.task_mut(tid);
    task.trace.due.push(TraceStop { kind, code, message, told: false });
}

/// Queues an event's stop.
pub fn push_event(k: &mut Kernel, tid: TaskId, event: u32, message: u64) {
    push(k, tid, Kind::Event, u32::from(sig::TRAP) | event << 8, message);
}

/// The code of a stop at a system call.
#[must_use]
pub fn syscall_code(task: &Task) -> u32 {
    let good = task.trace.options & option::TRACESYSGOOD != 0;
    u32::from(sig::TRAP) | if good { 0x80 } else { 0 }
}

/// Stops a task; the tracer is told. It must be in the kernel.
pub fn stop(k: &mut Kernel, tid: TaskId, stop: TraceStop, info: Option<SigInfo>) {
    let uid = k.task(tid).creds.uid[0];
    let made = || SigInfo::user(sig::TRAP, stop.code.cast_signed(), tid.0, uid);
    let task = k.task_mut(tid);
    task.trace.message = stop.message;
    task.trace.info = match stop.kind {
        Kind::Group if stop.code < 0x100 => None,
        _ => Some(info.unwrap_or_else(made)),
    };
    task.trace.stop = Some(stop);
    task.trace.listening = false;
    task.state = RunState::Stopped;
    k.sched.remove(tid);
    tell(k, tid);
    let gid = k.task(tid).group;
    super::jobs::check_all_stopped(k, gid);
}

/// Tells the tracer that a tracee stopped.
fn tell(k: &mut Kernel, tid: TaskId) {
    let Some(gid) = k.tasks.get(tid).and_then(|task| tracer_group(k, task)) else { return };
    let code = k.task(tid).trace.stop.map_or(0, |stop| stop.code & 0x7f);
    let action = action_of(k, k.group(gid).leader(), sig::CHLD);
    if action.handler != SIG_IGN && action.flags & sa::NOCLDSTOP == 0 {
        let task = k.task(tid);
        let times = (task.user_ns() / reap::NS_PER_TICK, task.system_ns() / reap::NS_PER_TICK);
        let (uid, status) = (task.creds.uid[0], code.cast_signed());
        let info = SigInfo::child(sig::CHLD, si::CLD_TRAPPED, tid.0, uid, status, times);
        post(k, To::Process(gid), info);
    }
    k.wake(WaitKey::Child(gid));
}

/// Makes the next stop that is due. Whether the task stopped.
pub fn stop_if_due(k: &mut Kernel, tid: TaskId) -> bool {
    let task = k.task_mut(tid);
    if task.trace.due.is_empty() {
        return false;
    }
    let next = task.trace.due.remove(0);
    if task.trace.tracer.is_none() {
        task.trace.due.clear();
        return false;
    }
    stop(k, tid, next, None);
    true
}

/// A traced task is about to take a signal: stops. The tracer decides what becomes of it.
pub fn stop_for_signal(k: &mut Kernel, tid: TaskId, info: SigInfo) {
    let code = u32::from(info.signo);
    let message = k.task(tid).trace.message;
    stop(k, tid, TraceStop { kind: Kind::Signal, code, message, told: false }, Some(info));
}

/// A traced thread stops with its process, or because its tracer asked. `signo`: the stop's signal if the process stops.
pub fn stop_with_group(k: &mut Kernel, tid: TaskId, signo: Option<u8>) {
    let task = k.task_mut(tid);
    task.trace.interrupt = false;
    if signo.is_some() {
        task.trace.past_group_stop = true;
    }
    let signal = u32::from(signo.unwrap_or(sig::TRAP));
    let code = if task.trace.seized { signal | event::STOP << 8 } else { signal };
    let message = task.trace.message;
    stop(k, tid, TraceStop { kind: Kind::Group, code, message, told: false }, None);
}

/// A system call is about to run in a traced task. `false`: it stopped, the call is made when it goes on.
pub fn before_call(k: &mut Kernel, tid: TaskId) -> bool {
    let task = k.task(tid);
    if task.trace.tracer.is_none() || task.trace.resume == Resume::Run {
        return true;
    }
    let code = syscall_code(task);
    stop(k, tid, TraceStop { kind: Kind::Entry, code, message: 1, told: false }, None);
    false
}

/// A system call has its result: a stop is due if the tracer wants it.
pub fn after_call(k: &mut Kernel, tid: TaskId) {
    let Some(task) = k.tasks.get_mut(tid) else { return };
    if task.is_dead() || task.trace.tracer.is_none() {
        return;
    }
    let code = syscall_code(task);
    if task.trace.resume == Resume::Syscall {
        push(k, tid, Kind::Exit, code, 2);
    } else if task.work.step {
        // user_single_step_report
        let ip = k.user_regs(tid).ip;
        force(k, tid, SigInfo::fault(sig::TRAP, si::TRAP_BRKPT, ip));
    }
}

/// The call that the registers of a task in an entry stop ask for now; its tracer may have changed them.
fn call_of_registers(k: &Kernel, tid: TaskId) -> Call {
    let regs = k.user_regs(tid);
    let nr = if k.task(tid).trace.resume == Resume::Emulate { NO_SYSCALL } else { regs.orig_ax };
    Call { nr, args: [regs.di, regs.si, regs.dx, regs.r10, regs.r8, regs.r9], ..Call::default() }
}

/// Lets a stopped tracee go on, with a signal (0 for none).
pub fn resume(k: &mut Kernel, tid: TaskId, signo: u8) {
    let tracer = k.task(tid).trace.tracer;
    let task = k.task_mut(tid);
    let Some(stop) = task.trace.stop.take() else { return };
    task.trace.listening = false;
    let info = task.trace.info.take();
    if signo != 0 && matches!(stop.kind, Kind::Signal | Kind::Entry | Kind::Exit) {
        let kept = info.filter(|info| stop.kind == Kind::Signal && info.signo == signo);
        let from = tracer.and_then(|id| k.tasks.get(id));
        let made = match (kept, from) {
            (Some(info), _) => info,
            (None, Some(from)) => SigInfo::user(signo, si::USER, from.group.0, from.creds.uid[0]),
            (None, None) => SigInfo::kernel(signo),
        };
        if stop.kind == Kind::Signal {
            k.task_mut(tid).trace.injected = Some(made);
        } else {
            post(k, To::Thread(tid), made);
        }
    }
    match stop.kind {
        Kind::Entry | Kind::Seccomp => {
            let mut call = call_of_registers(k, tid);
            // A second look at the filters is not taken behind their own stop, but a changed call is judged again.
            call.woken = stop.kind == Kind::Seccomp;
            k.task_mut(tid).call = Some(call);
        }
        _ => {}
    }
    let task = k.task_mut(tid);
    task.state = RunState::Runnable;
    k.enqueue(tid);
}

/// Whether a thread is to stop because its process is stopping.
#[must_use]
pub fn group_stop_waits(k: &Kernel, task: &Task) -> bool {
    !task.trace.past_group_stop && k.groups.get(task.group).is_some_and(|group| group.stop.pending.is_some())
}

/// SIGCONT came while a seized tracee listens: it reports that (`PTRACE_LISTEN`).
pub fn group_continues(k: &mut Kernel, tid: TaskId) {
    let Some(task) = k.tasks.get_mut(tid) else { return };
    task.trace.past_group_stop = false;
    if task.trace.listening
        && let Some(old) = task.trace.stop
    {
        let code = u32::from(sig::TRAP) | event::STOP << 8;
        task.trace.listening = false;
        task.trace.stop = Some(TraceStop { code, told: false, ..old });
        tell(k, tid);
    }
}

/// A task ended: its tracer may wait for it. Returns whether the parent hears of the process's end only later.
pub fn ended(k: &mut Kernel, tid: TaskId, status: u32, process: Option<GroupId>) -> bool {
    let Some(task) = k.tasks.get(tid) else { return false };
    let Some(gid) = tracer_group(k, task) else { return false };
    let usage = task.usage();
    let (own, uid) = (task.group, task.creds.uid[0]);
    let Some(group) = k.groups.get(own) else { return false };
    let pgid = group.pgid;
    // The parent that traces its own child hears of it as a parent.
    let as_parent = process.is_some() && group.parent == Some(gid);
    unlink(k, tid);
    if as_parent || k.groups.get(gid).is_none_or(|tracer| tracer.status.is_some()) {
        return false;
    }
    let holds = process;
    k.group_mut(gid).trace_exits.push_back(TraceExit { tid, pgid, status, uid, usage, holds });
    if let Some(process) = process {
        k.group_mut(process).held = true;
    }
    let (code, value) = reap::exit_code_and_status(status);
    let times = (usage.user_ns / reap::NS_PER_TICK, usage.system_ns / reap::NS_PER_TICK);
    post(k, To::Process(gid), SigInfo::child(sig::CHLD, code, tid.0, uid, value, times));
    k.wake(WaitKey::Child(gid));
    process.is_some()
}

/// The tracer has heard of the end of a process: now its parent does.
pub fn release(k: &mut Kernel, process: GroupId) {
    let Some(group) = k.groups.get_mut(process) else { return };
    if std::mem::take(&mut group.held) {
        reap::notify_parent_exit(k, process);
    }
}

/// A thread that may trace others ends: they are set free.
pub fn tracer_ended(k: &mut Kernel, tracer: TaskId, last: bool) {
    let Some(gid) = k.tasks.get(tracer).map(|task| task.group) else { return };
    let Some(group) = k.groups.get(gid) else { return };
    for tid in group.tracees.clone() {
        let Some(task) = k.tasks.get(tid) else { continue };
        if task.trace.tracer != Some(tracer) {
            continue;
        }
        let kill = task.trace.options & option::EXITKILL != 0;
        detach(k, tid, 0);
        if kill {
            post(k, To::Thread(tid), SigInfo::kernel(sig::KILL));
        }
    }
    if last {
        for exit in std::mem::take(&mut k.group_mut(gid).trace_exits) {
            if let Some(process) = exit.holds {
                release(k, process);
            }
        }
    }
}

/// Ends the tracing of a task and lets it go on.
pub fn detach(k: &mut Kernel, tid: TaskId, signo: u8) {
    k.task_mut(tid).trace.resume = Resume::Run;
    if k.task(tid).trace.stop.is_some() {
        // It stops again, as an ordinary thread, if its process is stopped.
        k.task_mut(tid).trace.past_group_stop = false;
        resume(k, tid, signo);
    }
    let due = k.task(tid).trace.due.is_empty();
    unlink(k, tid);
    if !due {
        k.task_mut(tid).trace.due.clear();
    }
}
