//! Process 1: the kernel's own init. It sleeps for ever, takes no signal and has no memory; it is there so that what names
//! it (`kill`, `sched_getscheduler`, `PTRACE_ATTACH`, /proc/1) meets a process of root.
//!
//! Orphans have no parent ([`super::ThreadGroup::parent`] is `None`): they are reaped at once, as a good init would.
//!
//! **Invariant**: it never runs in user mode.

use emu_core::cpu::Cpu;

use crate::abi::errno::Errno;
use crate::file::fdtable::FdTable;
use crate::kernel::Kernel;
use crate::task::pids::INIT_PID;
use crate::task::sighand::{SigHand, SigInfo, sig};
use crate::task::signal::To;
use crate::task::wait::{OnSignal, Wait, WaitKey, park};
use crate::task::{FsContext, GroupId, NewTask, TaskId, ThreadGroup, creds};

/// Its task.
pub const TASK: TaskId = TaskId(INIT_PID);
/// Its process.
pub const GROUP: GroupId = GroupId(INIT_PID);

/// Makes it, unless it is there.
pub fn make(k: &mut Kernel, start_ns: u64) -> Result<(), Errno> {
    if k.tasks.contains(TASK) {
        return Ok(());
    }
    let root = k.vfs.root().ok_or(Errno::ENOENT)?;
    let kernel_stack_top = k.make_kernel_stack(TASK)?;
    let fs = k.fs_contexts.insert(FsContext { cwd: root, root, umask: 0o022, users: 1 });
    let fds = k.fd_tables.insert(FdTable::new());
    let sighand = k.sighands.insert(SigHand::new());
    let mut task = crate::task::Task::new(NewTask {
        tid: TASK,
        group: GROUP,
        cpu: Cpu { cpl: 0, ..Cpu::new(k.config.cpu) },
        kernel_stack_top,
        mm: crate::mm::MmId(0),
        fds,
        fs,
        sighand,
        creds: creds::of_user(0, 0),
        comm: b"init".to_vec(),
        start_ns,
    });
    task.mm = None;
    task.in_kernel = true;
    k.tasks.insert_at(TASK, task);
    k.groups.insert_at(GROUP, ThreadGroup::new(TASK, None));
    sleep(k);
    Ok(())
}

/// It goes (back) to sleep.
pub fn sleep(k: &mut Kernel) {
    park(k, TASK, Wait::any(vec![WaitKey::Never], None, OnSignal::Restart));
}

/// Whether a signal is lost on it: all are but the one with which a tracer stops it (SIGNAL_UNKILLABLE).
#[must_use]
pub fn ignores(k: &Kernel, to: To, info: &SigInfo) -> bool {
    let mine = match to {
        To::Thread(tid) => tid == TASK,
        To::Process(gid) => gid == GROUP,
    };
    let traced = || k.tasks.get(TASK).is_some_and(|task| task.trace.tracer.is_some());
    mine && !(info.signo == sig::STOP && traced())
}
