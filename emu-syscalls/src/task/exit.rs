//! How threads and processes end.
//!
//! Ending a process ends all its threads at once: their state is data, nobody has to be asked to come along.
//!
//! **Invariant**: an ended thread holds no memory, descriptors or waits; an ended process has no children.

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Call, Ctx};
use crate::file::fdtable;
use crate::kernel::Kernel;
use crate::mm;
use crate::observe::Event;
use crate::seam::Host;
use crate::task::sighand::{SigInfo, si};
use crate::task::signal::{To, post};
use crate::task::wait::{WaitKey, unpark};
use crate::task::{GroupId, RunState, TaskId, fork, futex, jobs, ptrace, reap};

/// Wait status of `exit(code)`.
#[must_use]
pub fn exited(code: i32) -> u32 {
    (code.cast_unsigned() & 0xff) << 8
}

/// Ends the process of `tid` with a wait status.
pub fn exit_group(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, status: u32) {
    let gid = k.task(tid).group;
    let status = *k.group_mut(gid).exiting.get_or_insert(status);
    for other in k.group(gid).threads.clone() {
        if other != tid {
            exit_thread(k, host, other, status);
        }
    }
    exit_thread(k, host, tid, status);
}

/// Ends one thread; with the last one, its process.
pub fn exit_thread(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, status: u32) {
    let Some(task) = k.tasks.get(tid) else { return };
    if task.is_dead() {
        return;
    }
    let gid = task.group;
    unpark(k, tid);
    k.sched.remove(tid);
    futex::exit_robust_lists(k, host, tid);
    clear_child_tid(k, host, tid);
    fork::vfork_done(k, tid);
    let status = k.group(gid).exiting.unwrap_or(status);

    crate::observe::hook::task_exited(k, tid, status);
    let resident = k.task(tid).mm.and_then(|id| k.mms.get(id)).map_or(0, |mm| k.mem.resident(mm.space));
    let task = k.task_mut(tid);
    task.exit_status = status;
    task.state = RunState::Zombie;
    task.call = None;
    task.restart_call = None;
    task.saved_mask = None;
    task.rseq = (0, 0, 0);
    let (mm, fds, fs, sighand) = (task.mm.take(), task.fds, task.fs, task.sighand);
    let mut usage = task.usage();
    usage.max_resident = resident;
    if let Some(mm) = mm {
        mm::put(k, mm);
    }
    fdtable::put_table(k, fds);
    put_fs(k, fs);
    k.group_mut(gid).dead_usage.add(&usage);
    let last =
        !k.group(gid).threads.iter().any(|other| k.tasks.get(*other).is_some_and(|task| !task.is_dead()));
    if last {
        crate::vfs::locks::process_ended(k, gid);
    }
    if !k.group(gid).tracees.is_empty() || !k.group(gid).trace_exits.is_empty() {
        ptrace::tracer_ended(k, tid, last);
    }
    if tid.0 != gid.0 {
        ptrace::ended(k, tid, status, None);
    }
    orphan_children_of_thread(k, gid, tid, last);
    k.wake(WaitKey::Thread(tid));
    if last {
        end_process(k, gid);
    } else {
        jobs::check_all_stopped(k, gid);
    }
    // The parent was told; who asks for the dispositions of a dead process finds those of its leader.
    put_sighand(k, sighand);
    if tid.0 != gid.0 {
        remove_task(k, tid);
    }
}

/// Takes a dead task out, with its kernel stack.
pub fn remove_task(k: &mut Kernel, tid: TaskId) {
    let Some(task) = k.tasks.remove(tid) else { return };
    k.drop_kernel_stack(task.kernel_stack_top);
    if let Some(group) = k.groups.get_mut(task.group)
        && let Some(at) = group.threads.iter().position(|other| *other == tid)
    {
        group.threads.remove(at);
    }
}

/// `set_tid_address(2)`: clears the word and wakes one who waits for it, if somebody else can see it.
pub(super) fn clear_child_tid(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) {
    let addr = std::mem::take(&mut k.task_mut(tid).clear_child_tid);
    let shared = k.task(tid).mm.and_then(|id| k.mms.get(id)).is_some_and(|mm| mm.users > 1);
    if addr == 0 || !shared {
        return;
    }
    let mut ctx = Ctx { k, host, tid, call: Call::default() };
    if ctx.write_u32(Addr(addr), 0).is_ok()
        && let Ok(key) = futex::key(&mut ctx, Addr(addr), false)
    {
        futex::wake(ctx.k, key, 1, u32::MAX);
    }
}

/// Drops one user of a set of directories.
pub fn put_fs(k: &mut Kernel, id: crate::task::FsId) {
    let Some(fs) = k.fs_contexts.get_mut(id) else { return };
    fs.users = fs.users.saturating_sub(1);
    if fs.users == 0 {
        let gone = k.fs_contexts.remove(id);
        crate::vfs::tree::sweep_orphans(k);
        if let Some(fs) = gone {
            crate::vfs::mount::leave_namespace(k, fs.root.mount);
        }
    }
}

/// Drops one user of dispositions.
pub fn put_sighand(k: &mut Kernel, id: crate::task::sighand::SigHandId) {
    let Some(sighand) = k.sighands.get_mut(id) else { return };
    sighand.users = sighand.users.saturating_sub(1);
    if sighand.users == 0 {
        k.sighands.remove(id);
    }
}

/// Children made by a thread that ends: their parent-death signals, and who is their parent thread from now on.
fn orphan_children_of_thread(k: &mut Kernel, gid: GroupId, tid: TaskId, last: bool) {
    if k.group(gid).children.is_empty() {
        return;
    }
    let heir =
        k.group(gid).threads.iter().copied().find(|other| k.tasks.get(*other).is_some_and(|t| !t.is_dead()));
    let reaper = if last { find_reaper(k, gid) } else { Some(gid) };
    for child in k.group(gid).children.clone() {
        let Some(group) = k.groups.get_mut(child) else { continue };
        if !last && group.parent_thread != tid {
            continue;
        }
        let was_mine = group.parent_thread == tid;
        group.parent = reaper;
        group.parent_thread = if last { TaskId(reaper.map_or(1, |id| id.0)) } else { heir.unwrap_or(tid) };
        let threads = group.threads.clone();
        for thread in threads {
            let signal = k.tasks.get(thread).map_or(0, |task| task.attrs.parent_death_signal);
            if was_mine && signal != 0 {
                let uid = k.task(tid).creds.uid[0];
                post(k, To::Thread(thread), SigInfo::user(signal, si::USER, gid.0, uid));
            }
        }
        if last {
            adopt(k, gid, child, reaper);
        }
    }
    if last {
        k.group_mut(gid).children.clear();
    }
}

fn adopt(k: &mut Kernel, old: GroupId, child: GroupId, reaper: Option<GroupId>) {
    let group = k.group_mut(child);
    group.exit_signal = crate::task::sighand::sig::CHLD;
    if let Some(reaper) = reaper.and_then(|id| k.groups.get_mut(id)) {
        reaper.children.insert(child);
    }
    if k.group(child).status.is_some() && !k.group(child).held {
        reap::notify_parent_exit(k, child);
    } else {
        jobs::hang_up_if_orphaned(k, child, Some(old));
    }
}

/// Who becomes parent of the children of a process that ends: the nearest living subreaper above it, else the kernel's
/// init (`None`).
fn find_reaper(k: &Kernel, gid: GroupId) -> Option<GroupId> {
    let mut next = k.group(gid).parent;
    while let Some(id) = next {
        let group = k.groups.get(id)?;
        if group.subreaper && group.status.is_none() && group.exiting.is_none() {
            return Some(id);
        }
        next = group.parent;
    }
    None
}

/// The last thread of a process has ended.
fn end_process(k: &mut Kernel, gid: GroupId) {
    let leader = k.group(gid).leader();
    let fallback = k.tasks.get(leader).map_or(0, |task| task.exit_status);
    let group = k.group_mut(gid);
    let status = group.exiting.unwrap_or(fallback);
    group.status = Some(status);
    group.exiting = Some(status);
    group.change = None;
    group.stop = jobs::StopState::default();
    group.pending = crate::task::sighand::SigQueue::default();
    crate::time::timer::drop_timers(k, gid);
    crate::file::jobctl::process_exits(k, gid);
    crate::vfs::locks::process_ended(k, gid);
    crate::ipc::process_ended(k, gid);
    // Those who poll a pidfd hear of the process, not only of its first thread.
    k.wake(WaitKey::Thread(leader));
    jobs::hang_up_if_orphaned(k, gid, None);
    k.observer.note(k.retired, || Event::Exited { tid: leader, status });
    if !ptrace::ended(k, leader, status, Some(gid)) {
        reap::notify_parent_exit(k, gid);
    }
}

/// Ends all other threads of the caller's process, as `execve` does, and gives the caller the leader's number
/// (`de_thread`). `ctx.tid` changes if the caller was not the leader.
pub fn kill_other_threads(ctx: &mut Ctx<'_>) -> Result<(), Errno> {
    let tid = ctx.tid;
    let gid = ctx.task().group;
    let leader = TaskId(gid.0);
    for other in ctx.group().threads.clone() {
        if other != tid {
            exit_thread(ctx.k, ctx.host, other, 0);
        }
    }
    if tid == leader {
        return Ok(());
    }
    let k = &mut *ctx.k;
    let regs = k.user_regs(tid);
    let start_ns = k.tasks.get(leader).map(|task| task.start_ns);
    ptrace::unlink(k, leader);
    remove_task(k, leader);
    let top = k.make_kernel_stack(leader)?;
    k.sched.remove(tid);
    let Some(mut task) = k.tasks.remove(tid) else { return Err(Errno::ESRCH) };
    k.drop_kernel_stack(task.kernel_stack_top);
    task.tid = leader;
    task.kernel_stack_top = top;
    task.start_ns = start_ns.unwrap_or(task.start_ns);
    k.tasks.insert_at(leader, task);
    k.set_user_regs(leader, &regs);
    ptrace::renumber(k, tid, leader);
    k.group_mut(gid).threads = vec![leader];
    for child in k.group(gid).children.clone() {
        if let Some(child) = k.groups.get_mut(child) {
            child.parent_thread = leader;
        }
    }
    k.enqueue(leader);
    k.sched.current = Some(leader);
    ctx.tid = leader;
    Ok(())
}
