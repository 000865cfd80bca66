//! What an exec asks of other parts of the kernel for the task that runs it.

use emu_core::cpu::Cpu;

use crate::abi::errno::Errno;
use crate::ctx::Ctx;
use crate::file::fdtable::FdTableId;
use crate::kernel::Kernel;
use crate::mm::MmId;
use crate::seam::Host;
use crate::task::sighand::{SigAction, SigHand, SigQueue, SigSet};
use crate::task::{Creds, FsId, GroupId, RunState, Task, TaskId, ThreadGroup};

/// Whether `PR_SET_NO_NEW_PRIVS` is on.
pub(super) fn no_new_privs(task: &Task) -> bool {
    let _ = task;
    false
}

/// Ends all other threads; the caller becomes the leader.
pub(super) fn kill_other_threads(ctx: &mut Ctx<'_>) -> Result<(), Errno> {
    if ctx.group().threads.len() > 1 { Err(Errno::EAGAIN) } else { Ok(()) }
}

/// The old memory is left: robust futexes, the parent of a vfork.
pub(super) fn release_memory(ctx: &mut Ctx<'_>) {
    let _ = ctx;
}

/// Signal dispositions, timers and flags as a new program finds them.
pub(super) fn reset(ctx: &mut Ctx<'_>) {
    let id = ctx.task().sighand;
    if let Some(sighand) = ctx.k.sighands.get_mut(id) {
        for action in &mut sighand.actions {
            let handler = if action.handler == 1 { 1 } else { 0 };
            *action = SigAction { handler, ..SigAction::default() };
        }
    }
}

/// The descriptor table becomes the task's own.
pub(super) fn unshare_files(ctx: &mut Ctx<'_>) {
    let _ = ctx;
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
    let _ = k;
    Ok(TaskId(2))
}

/// Puts the first task and its group into the arenas.
pub(super) fn insert_first(k: &mut Kernel, host: &mut dyn Host, parts: Parts) {
    let (uid, gid) = k.config.user;
    let caps = if uid == 0 { (1 << 41) - 1 } else { 0 };
    let creds = Creds {
        uid: [uid; 4],
        gid: [gid; 4],
        cap_effective: caps,
        cap_permitted: caps,
        cap_bounding: (1 << 41) - 1,
        ..Creds::default()
    };
    let sighand = k.sighands.insert(SigHand { actions: [SigAction::default(); 64], users: 1 });
    let start_ns = k.time.monotonic(host, k.retired);
    let id = GroupId(parts.tid.0);
    k.tasks.insert_at(
        parts.tid,
        Task {
            tid: parts.tid,
            group: id,
            cpu: parts.cpu,
            kernel_stack_top: parts.kernel_stack_top,
            in_kernel: true,
            state: RunState::Runnable,
            call: None,
            restart_call: None,
            mm: Some(parts.mm),
            fds: parts.fds,
            fs: parts.fs,
            sighand,
            pending: SigQueue::default(),
            blocked: SigSet::default(),
            saved_mask: None,
            altstack: (0, 0, 0),
            creds,
            comm: Vec::new(),
            clear_child_tid: 0,
            robust_list: (0, 0),
            rseq: (0, 0, 0),
            nice: 0,
            user_instructions: 0,
            syscalls: 0,
            start_ns,
        },
    );
    let unlimited = (u64::MAX, u64::MAX);
    let mut rlimits = [unlimited; 16];
    rlimits[3] = (8 << 20, u64::MAX);
    rlimits[7] = (1024, 1 << 20);
    rlimits[8] = (8 << 20, 8 << 20);
    k.groups.insert_at(
        id,
        ThreadGroup {
            id,
            threads: vec![parts.tid],
            parent: None,
            pgid: id,
            sid: id,
            exit_signal: 17,
            status: None,
            exiting: None,
            pending: SigQueue::default(),
            tty: None,
            rlimits,
        },
    );
}

/// Takes the first task back when its program could not be loaded.
pub(super) fn discard(k: &mut Kernel, tid: TaskId) {
    k.sched.remove(tid);
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
