//! What an exec asks of other parts of the kernel for the task that runs it.

use emu_core::cpu::Cpu;

use crate::abi::errno::Errno;
use crate::ctx::Ctx;
use crate::file::fdtable::{self, FdTableId};
use crate::kernel::Kernel;
use crate::mm::MmId;
use crate::seam::Host;
use crate::task::sighand::{SigHand, sig};
use crate::task::{FsId, GroupId, NewTask, Task, TaskId, ThreadGroup, creds, exit, fork, futex};
use crate::time::timer::drop_posix_timers;

/// Whether `PR_SET_NO_NEW_PRIVS` is on.
pub(super) fn no_new_privs(task: &Task) -> bool {
    task.attrs.no_new_privs
}

/// Ends all other threads; the caller becomes the leader.
pub(super) fn kill_other_threads(ctx: &mut Ctx<'_>) -> Result<(), Errno> {
    exit::kill_other_threads(ctx)
}

/// The old memory is left: robust futexes, the word to clear, the parent of a vfork.
pub(super) fn release_memory(ctx: &mut Ctx<'_>) {
    futex::exit_robust_lists(ctx.k, ctx.host, ctx.tid);
    exit::clear_child_tid(ctx.k, ctx.host, ctx.tid);
    fork::vfork_done(ctx.k, ctx.tid);
}

/// Signal dispositions, timers and flags as a new program finds them.
pub(super) fn reset(ctx: &mut Ctx<'_>) {
    let id = ctx.task().sighand;
    let shared = ctx.k.sighands.get(id).is_some_and(|sighand| sighand.users > 1);
    if shared && let Some(copy) = ctx.k.sighands.get(id).cloned() {
        let own = ctx.k.sighands.insert(SigHand { users: 1, ..copy });
        ctx.task_mut().sighand = own;
        exit::put_sighand(ctx.k, id);
    }
    let id = ctx.task().sighand;
    if let Some(sighand) = ctx.k.sighands.get_mut(id) {
        sighand.flush_for_exec();
    }
    let gid = ctx.task().group;
    drop_posix_timers(ctx.k, gid);
    let task = ctx.task_mut();
    task.altstack = (0, 0, 0);
    task.rseq = (0, 0, 0);
    task.work.rseq = false;
    task.restart_call = None;
    let group = ctx.group_mut();
    group.has_execed = true;
    group.exit_signal = sig::CHLD;
    group.dumpable = 1;
}

/// The descriptor table becomes the task's own.
pub(super) fn unshare_files(ctx: &mut Ctx<'_>) {
    fdtable::unshare_table(ctx.k, ctx.tid);
}

/// What the first task is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) tid: TaskId,
    pub(super) kernel_stack_top: u64,
    pub(super) mm: MmId,
    pub(super) fs: FsId,
    pub(super) fds: FdTableId,
    pub(super) cpu: Cpu,
}

/// The number of the first program.
pub(super) fn first_pid(k: &mut Kernel) -> Result<TaskId, Errno> {
    k.alloc_pid()
}

/// Puts the first task and its group into the arenas.
pub(super) fn insert_first(k: &mut Kernel, host: &mut dyn Host, parts: Parts) {
    let (uid, gid) = k.config.user;
    let sighand = k.sighands.insert(SigHand::new());
    let start_ns = k.time.monotonic(host, k.retired);
    k.time.boot_ns = start_ns;
    let task = Task::new(NewTask {
        tid: parts.tid,
        group: GroupId(parts.tid.0),
        cpu: parts.cpu,
        kernel_stack_top: parts.kernel_stack_top,
        mm: parts.mm,
        fds: parts.fds,
        fs: parts.fs,
        sighand,
        creds: creds::of_user(uid, gid),
        comm: Vec::new(),
        start_ns,
    });
    // Without it orphans still have nobody, as before: only what asks for process 1 would miss it.
    let _ = crate::task::init::make(k, start_ns);
    k.tasks.insert_at(parts.tid, task);
    k.groups.insert_at(GroupId(parts.tid.0), ThreadGroup::new(parts.tid, None));
}

/// Takes the first task back when its program could not be loaded.
pub(super) fn discard(k: &mut Kernel, tid: TaskId) {
    k.sched.remove(tid);
    // Whoever is started instead is the first program, which more than its parent tells by its number.
    k.pids.last = tid.0 - 1;
    k.groups.remove(GroupId(tid.0));
    let Some(task) = k.tasks.remove(tid) else { return };
    k.drop_kernel_stack(task.kernel_stack_top);
    if let Some(table) = k.fd_tables.remove(task.fds) {
        for descriptor in table.fds.values() {
            crate::file::fdtable::put_file(k, descriptor.file);
        }
    }
    if let Some(mm) = task.mm {
        crate::mm::put(k, mm);
    }
    k.fs_contexts.remove(task.fs);
    k.sighands.remove(task.sighand);
}
