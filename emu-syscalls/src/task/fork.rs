//! Making tasks: `fork`, `vfork`, `clone`, `clone3` (kernel/fork.c).
//!
//! **Invariant**: a failed clone leaves nothing behind but a number that was skipped.

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Call, Ctx, Stop, SysResult};
use crate::file::fdtable;
use crate::kernel::Kernel;
use crate::mm;
use crate::task::futex::FutexWait;
use crate::task::ptrace::{self, event, option};
use crate::task::sched::policy;
use crate::task::sighand::{SigInfo, SigQueue, si, sig};
use crate::task::wait::{OnSignal, Wait, WaitKey};
use crate::task::{
    GroupId, RunState, Task, TaskId, ThreadGroup, TimeOffsets, Trap, Usage, Work, creds, exit, frame,
};

/// `CLONE_*` flags (clone(2)).
#[allow(missing_docs, reason = "the names of clone(2)")]
pub mod flag {
    pub const NEWTIME: u64 = 0x80;
    pub const VM: u64 = 0x100;
    pub const FS: u64 = 0x200;
    pub const FILES: u64 = 0x400;
    pub const SIGHAND: u64 = 0x800;
    pub const PIDFD: u64 = 0x1000;
    pub const PTRACE: u64 = 0x2000;
    pub const VFORK: u64 = 0x4000;
    pub const PARENT: u64 = 0x8000;
    pub const THREAD: u64 = 0x1_0000;
    pub const NEWNS: u64 = 0x2_0000;
    pub const SYSVSEM: u64 = 0x4_0000;
    pub const SETTLS: u64 = 0x8_0000;
    pub const PARENT_SETTID: u64 = 0x10_0000;
    pub const CHILD_CLEARTID: u64 = 0x20_0000;
    pub const DETACHED: u64 = 0x40_0000;
    pub const UNTRACED: u64 = 0x80_0000;
    pub const CHILD_SETTID: u64 = 0x100_0000;
    pub const NEWCGROUP: u64 = 0x200_0000;
    pub const NEWUTS: u64 = 0x400_0000;
    pub const NEWIPC: u64 = 0x800_0000;
    pub const NEWUSER: u64 = 0x1000_0000;
    pub const NEWPID: u64 = 0x2000_0000;
    pub const NEWNET: u64 = 0x4000_0000;
    pub const IO: u64 = 0x8000_0000;
    pub const CLEAR_SIGHAND: u64 = 0x1_0000_0000;
    pub const INTO_CGROUP: u64 = 0x2_0000_0000;
    /// All namespaces.
    pub const NAMESPACES: u64 = NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET;
}

/// What a clone is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CloneArgs {
    /// [`flag`] bits.
    pub flags: u64,
    /// Where the parent wants the pidfd.
    pub pidfd: u64,
    /// Word in the child's memory that gets its number or is cleared at its end.
    pub child_tid: u64,
    /// Word in the parent's memory that gets the child's number.
    pub parent_tid: u64,
    /// Signal to the parent at the child's end.
    pub exit_signal: u8,
    /// Stack pointer of the child; 0 for the parent's.
    pub stack: u64,
    /// fs base of the child.
    pub tls: u64,
    /// Number asked for (`set_tid`).
    pub set_tid: Option<i32>,
}

/// Index of RLIMIT_NPROC.
const RLIMIT_NPROC: usize = 6;

/// Of namespaces there are those of mounts and of time; for the others, loudly, what Linux answers that was built without them.
pub fn refuse_namespaces(ctx: &mut Ctx<'_>, flags: u64) -> Result<(), Stop> {
    if flags & (flag::NAMESPACES | flag::NEWTIME) == 0 {
        return Ok(());
    }
    if flags & flag::NEWUSER == 0 && !creds::has(&ctx.task().creds, creds::cap::SYS_ADMIN) {
        return Err(Errno::EPERM.into());
    }
    if flags & (flag::NAMESPACES | flag::NEWTIME) & !(flag::NEWNS | flag::NEWTIME) == 0 {
        return Ok(());
    }
    let at = format!("task {}", ctx.tid.0);
    ctx.k.gap(format!("namespaces (flags {flags:#x})"), at);
    Err(Errno::EINVAL.into())
}

fn check(ctx: &mut Ctx<'_>, args: &CloneArgs) -> Result<(), Stop> {
    let f = args.flags;
    let has = |bits: u64| f & bits == bits;
    let wrong = has(flag::NEWNS | flag::FS)
        || has(flag::NEWUSER | flag::FS)
        || (has(flag::THREAD) && !has(flag::SIGHAND))
        || (has(flag::SIGHAND) && !has(flag::VM))
        || (has(flag::THREAD) && f & (flag::NEWUSER | flag::NEWPID) != 0)
        || (has(flag::PIDFD) && f & flag::DETACHED != 0)
        || has(flag::CLEAR_SIGHAND | flag::SIGHAND);
    if wrong {
        return Err(Errno::EINVAL.into());
    }
    refuse_namespaces(ctx, f)?;
    if has(flag::INTO_CGROUP) {
        return Err(Stop::Unsupported("clone into a cgroup"));
    }
    if has(flag::PIDFD | flag::THREAD) {
        return Err(Stop::Unsupported("CLONE_PIDFD of a thread"));
    }
    if has(flag::PIDFD) {
        let table = ctx.k.fd_tables.get(ctx.task().fds);
        if table.is_none_or(|table| table.lowest_free(0) >= ctx.fd_limit()) {
            return Err(Errno::EMFILE.into());
        }
    }
    let me = ctx.task();
    let privileged =
        creds::has(&me.creds, creds::cap::SYS_RESOURCE) || creds::has(&me.creds, creds::cap::SYS_ADMIN);
    let (uid, limit) = (me.creds.uid[0], ctx.group().rlimits[RLIMIT_NPROC].0);
    if uid != 0 && !privileged {
        let mine = ctx.k.tasks.iter().filter(|(_, task)| task.creds.uid[0] == uid).count() as u64;
        if mine >= limit {
            return Err(Errno::EAGAIN.into());
        }
    }
    Ok(())
}

/// Makes a task as asked; the number of the new one. With `CLONE_VFORK` the caller waits until the child releases its
/// memory.
pub fn clone(ctx: &mut Ctx<'_>, args: &CloneArgs) -> SysResult {
    if ctx.call.done != 0 {
        return wait_for_vfork(ctx);
    }
    check(ctx, args)?;
    if args.flags & flag::PIDFD != 0 {
        // Linux writes the descriptor before the task exists for others.
        ctx.prefault_write(Addr(args.pidfd), 4)
            .and_then(|n| if n < 4 { Err(Errno::EFAULT) } else { Ok(()) })?;
    }
    let child = match args.set_tid {
        None => ctx.k.alloc_pid()?,
        Some(wanted) => chosen_pid(ctx, wanted)?,
    };
    make(ctx, child, args)?;
    if args.flags & flag::PIDFD != 0 {
        use crate::file::{File, flags, pidfd::PidFdFile};
        let file = File::PidFd(PidFdFile::new(ctx.k, crate::task::GroupId(child.0)));
        let fd = ctx.install(file, flags::O_RDWR, true)?;
        let _ = ctx.write_u32(Addr(args.pidfd), fd.0.cast_unsigned());
    }
    if args.flags & flag::PARENT_SETTID != 0 {
        // Linux ignores a fault here (kernel_clone: put_user without check).
        let _ = ctx.write_u32(Addr(args.parent_tid), child.0);
    }
    if args.flags & flag::CHILD_SETTID != 0 {
        let mut as_child = Ctx { k: ctx.k, host: ctx.host, tid: child, call: Call::default() };
        let _ = as_child.write_u32(Addr(args.child_tid), child.0);
    }
    ctx.k.irq.forks += 1;
    trace_child(ctx, child, args);
    let parent = ctx.tid;
    ctx.k.observer.note(ctx.k.retired, || crate::observe::Event::Forked { parent, child });
    ctx.k.enqueue(child);
    if args.flags & flag::VFORK != 0 {
        ctx.call.done = u64::from(child.0);
        return wait_for_vfork(ctx);
    }
    Ok(u64::from(child.0))
}

/// The child of a traced task is traced too if the tracer asked for it, and starts with a stop; the tracer hears of it.
fn trace_child(ctx: &mut Ctx<'_>, child: TaskId, args: &CloneArgs) {
    let me = ctx.task();
    let Some(tracer) = me.trace.tracer else { return };
    let (event, option) = if args.flags & flag::VFORK != 0 {
        (event::VFORK, option::TRACEVFORK)
    } else if args.exit_signal == sig::CHLD {
        (event::FORK, option::TRACEFORK)
    } else {
        (event::CLONE, option::TRACECLONE)
    };
    let told = args.flags & flag::UNTRACED == 0 && ptrace::wants(me, option);
    if !told && args.flags & flag::PTRACE == 0 {
        return;
    }
    let (seized, options) = (me.trace.seized, me.trace.options);
    ptrace::link(ctx.k, tracer, child);
    let task = ctx.k.task_mut(child);
    task.trace.seized = seized;
    task.trace.options = options;
    if seized {
        task.trace.interrupt = true;
    } else {
        task.pending.push(SigInfo::user(sig::STOP, si::USER, 0, 0));
    }
    if told {
        ptrace::push_event(ctx.k, ctx.tid, event, u64::from(child.0));
    }
}

fn wait_for_vfork(ctx: &mut Ctx<'_>) -> SysResult {
    let child = TaskId(u32::try_from(ctx.call.done).unwrap_or(0));
    if ctx.k.tasks.get(child).is_some_and(|task| task.vfork_child) {
        return Err(Stop::Block(Wait::any(vec![WaitKey::Vfork(child)], None, OnSignal::Killable)));
    }
    if ptrace::wants(ctx.task(), option::TRACEVFORKDONE) {
        ptrace::push_event(ctx.k, ctx.tid, event::VFORK_DONE, u64::from(child.0));
    }
    Ok(ctx.call.done)
}

/// The child of a `vfork` no longer uses its parent's memory: `execve` or the end.
pub fn vfork_done(k: &mut Kernel, tid: TaskId) {
    if let Some(task) = k.tasks.get_mut(tid)
        && std::mem::take(&mut task.vfork_child)
    {
        k.wake(WaitKey::Vfork(tid));
    }
}

fn chosen_pid(ctx: &mut Ctx<'_>, wanted: i32) -> Result<TaskId, Stop> {
    if !creds::has(&ctx.task().creds, creds::cap::SYS_ADMIN) {
        return Err(Errno::EPERM.into());
    }
    let pid = u32::try_from(wanted).map_err(|_| Errno::EINVAL)?;
    if !(2..crate::task::pids::PID_MAX).contains(&pid) {
        return Err(Errno::EINVAL.into());
    }
    if ctx.k.tasks.contains(TaskId(pid)) || ctx.k.groups.contains(GroupId(pid)) {
        return Err(Errno::EEXIST.into());
    }
    Ok(TaskId(pid))
}

fn make(ctx: &mut Ctx<'_>, child: TaskId, args: &CloneArgs) -> Result<(), Stop> {
    let f = args.flags;
    let now = ctx.now_ns();
    let tid = ctx.tid;
    let k = &mut *ctx.k;
    let parent_mm = k.task(tid).mm.ok_or(Errno::ENOMEM)?;
    let kernel_stack_top = k.make_kernel_stack(child)?;
    let mm = if f & flag::VM != 0 {
        mm::share(k, parent_mm)
    } else {
        match mm::fork(k, parent_mm) {
            Ok(mm) => mm,
            Err(errno) => {
                k.drop_kernel_stack(kernel_stack_top);
                return Err(errno.into());
            }
        }
    };
    let me = k.task(tid).clone();
    let fds = if f & flag::FILES != 0 {
        fdtable::share_table(k, me.fds);
        me.fds
    } else {
        fdtable::copy_table(k, me.fds)
    };
    let fs = share_or_copy_fs(k, me.fs, f & flag::FS != 0);
    if f & flag::NEWNS != 0 {
        crate::vfs::mount::copy_namespace(k, fs);
    }
    let sighand = share_or_copy_sighand(k, me.sighand, f);
    let parent_group = k.group(me.group);
    let group = if f & flag::THREAD != 0 { me.group } else { GroupId(child.0) };
    if group == me.group {
        k.group_mut(group).threads.push(child);
    } else {
        let mut new = ThreadGroup::new(child, Some(parent_group));
        new.parent_thread = tid;
        new.dumpable = parent_group.dumpable;
        new.exit_signal = args.exit_signal;
        if f & flag::PARENT != 0 {
            new.parent = parent_group.parent;
            new.parent_thread = parent_group.parent_thread;
            new.exit_signal = parent_group.exit_signal;
        }
        let parent = new.parent;
        k.groups.insert_at(group, new);
        if let Some(parent) = parent.and_then(|id| k.groups.get_mut(id)) {
            parent.children.insert(group);
        }
    }
    let new_time = if f & flag::NEWTIME != 0 {
        k.time.namespaces += 1;
        k.time.namespaces
    } else {
        0
    };
    let mut regs = k.user_regs(tid);
    regs.ax = 0;
    if args.stack != 0 {
        regs.sp = args.stack;
    }
    let mut task = Task {
        tid: child,
        group,
        kernel_stack_top,
        in_kernel: true,
        state: RunState::Runnable,
        call: None,
        restart_call: None,
        mm: Some(mm),
        fds,
        fs,
        sighand,
        pending: SigQueue::default(),
        saved_mask: None,
        clear_child_tid: if f & flag::CHILD_CLEARTID != 0 { args.child_tid } else { 0 },
        robust_list: (0, 0),
        user_instructions: 0,
        extra_ns: (0, 0),
        syscalls: 0,
        start_ns: now,
        usage: Usage::default(),
        trap: Trap::default(),
        work: Work { seccomp: me.work.seccomp, ..Work::default() },
        vfork_child: f & flag::VFORK != 0,
        exit_status: 0,
        futex: FutexWait::default(),
        trace: ptrace::Trace::default(),
        time: {
            let time = me.children_time.unwrap_or(me.time);
            if new_time == 0 { time } else { TimeOffsets { id: new_time, ..time } }
        },
        children_time: None,
        keys: crate::keys::TaskKeys { thread: None, ..me.keys },
        ..me
    };
    task.cpu.icount = 0;
    task.attrs.parent_death_signal = 0;
    task.attrs.default_slack_ns = task.attrs.timer_slack_ns;
    if f & flag::SETTLS != 0 {
        task.cpu.fs_base = args.tls;
    }
    if f & flag::VM != 0 {
        task.rseq = (0, 0, 0);
        if f & flag::VFORK == 0 {
            task.altstack = (0, 0, frame::SS_DISABLE);
        }
    }
    if task.sched.reset_on_fork {
        task.sched.reset_on_fork = false;
        task.nice = task.nice.max(0);
        if task.sched.is_realtime() {
            task.sched.policy = policy::NORMAL;
            task.sched.priority = 0;
        }
    }
    if task.time.id != 0 {
        k.time.frozen.insert(task.time.id);
    }
    k.tasks.insert_at(child, task);
    k.set_user_regs(child, &regs);
    Ok(())
}

fn share_or_copy_fs(k: &mut Kernel, id: crate::task::FsId, share: bool) -> crate::task::FsId {
    match k.fs_contexts.get_mut(id) {
        Some(fs) if share => {
            fs.users += 1;
            id
        }
        Some(fs) => {
            let mut copy = fs.clone();
            copy.users = 1;
            k.fs_contexts.insert(copy)
        }
        None => id,
    }
}

fn share_or_copy_sighand(
    k: &mut Kernel,
    id: crate::task::sighand::SigHandId,
    f: u64,
) -> crate::task::sighand::SigHandId {
    match k.sighands.get_mut(id) {
        Some(sighand) if f & flag::SIGHAND != 0 => {
            sighand.users += 1;
            id
        }
        Some(sighand) => {
            let mut copy = sighand.clone();
            copy.users = 1;
            if f & flag::CLEAR_SIGHAND != 0 {
                copy.clear_handlers();
            }
            k.sighands.insert(copy)
        }
        None => id,
    }
}

/// Gives the caller its own copy of what it shares and `flags` name (`unshare(2)`; of namespaces the one of mounts).
pub fn unshare(ctx: &mut Ctx<'_>, flags: u64) -> SysResult {
    const KNOWN: u64 = flag::THREAD
        | flag::FS
        | flag::SIGHAND
        | flag::VM
        | flag::FILES
        | flag::SYSVSEM
        | flag::NAMESPACES
        | flag::NEWTIME;
    if flags & !KNOWN != 0 {
        return Err(Errno::EINVAL.into());
    }
    let threads = ctx.group().threads.len();
    if flags & (flag::THREAD | flag::SIGHAND | flag::VM) != 0 {
        let shares_vm = flags & flag::VM != 0 && ctx.k.mm(ctx.tid).users > 1;
        if threads > 1 || shares_vm {
            return Err(Errno::EINVAL.into());
        }
    }
    refuse_namespaces(ctx, flags)?;
    if flags & flag::FILES != 0 {
        // A table that is copied must not be larger than one may be made now (dup_fd).
        let limit = crate::vfs::procfs::sysctl::number(ctx.k, "fs/nr_open");
        let table = ctx.k.fd_tables.get(ctx.task().fds).filter(|table| table.users > 1);
        let highest = table.and_then(|table| table.fds.get_max().map(|(fd, _)| *fd));
        if highest.is_some_and(|fd| i64::from(fd) >= limit) {
            return Err(Errno::EMFILE.into());
        }
    }
    if flags & (flag::FS | flag::NEWNS) != 0 {
        let old = ctx.task().fs;
        if ctx.k.fs_contexts.get(old).is_some_and(|fs| fs.users > 1) {
            let new = share_or_copy_fs(ctx.k, old, false);
            ctx.task_mut().fs = new;
            exit::put_fs(ctx.k, old);
        }
    }
    if flags & flag::NEWNS != 0 {
        let fs = ctx.task().fs;
        crate::vfs::mount::copy_namespace(ctx.k, fs);
    }
    if flags & flag::NEWTIME != 0 {
        ctx.k.time.namespaces += 1;
        let id = ctx.k.time.namespaces;
        let task = ctx.task_mut();
        task.children_time = Some(TimeOffsets { id, ..task.children_time.unwrap_or(task.time) });
    }
    if flags & flag::FILES != 0 {
        fdtable::unshare_table(ctx.k, ctx.tid);
    }
    Ok(0)
}

/// `fork(2)`
#[must_use]
pub fn fork_args() -> CloneArgs {
    CloneArgs { exit_signal: sig::CHLD, ..CloneArgs::default() }
}
