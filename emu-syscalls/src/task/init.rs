//! The kernel's own processes: init, process 1, and ksoftirqd. Neither takes a signal or has memory.
//!
//! Init sleeps for ever; it is there so that what names it (`kill`, `sched_getscheduler`, `PTRACE_ATTACH`, /proc/1) meets a
//! process of root. Orphans have no parent ([`super::ThreadGroup::parent`] is `None`): they are reaped at once, as a good init
//! would. Ksoftirqd ([`crate::entry::irq`]) is woken when softirqs have more to do than one way out may do, and is scheduled
//! like any other task.
//!
//! **Invariant**: they never run in user mode.

use emu_core::cpu::Cpu;

use crate::abi::errno::Errno;
use crate::entry::irq;
use crate::file::fdtable::FdTable;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::pids::{INIT_PID, KSOFTIRQD_PID};
use crate::task::sighand::{SigHand, SigInfo, sig};
use crate::task::signal::To;
use crate::task::wait::{OnSignal, Wait, WaitKey, park};
use crate::task::{FsContext, GroupId, NewTask, TaskId, ThreadGroup, creds};

/// Its task.
pub const TASK: TaskId = TaskId(INIT_PID);
/// Its process.
pub const GROUP: GroupId = GroupId(INIT_PID);

/// The task that does what softirqs leave.
pub const KSOFTIRQD: TaskId = TaskId(KSOFTIRQD_PID);

/// Whether a task is one of the kernel's own.
#[must_use]
pub fn is_kernels(tid: TaskId) -> bool {
    tid == TASK || tid == KSOFTIRQD
}

/// Whether a process is one of the kernel's own.
#[must_use]
pub fn is_kernels_group(gid: GroupId) -> bool {
    is_kernels(TaskId(gid.0))
}

/// Makes them, unless they are there.
pub fn make(k: &mut Kernel, start_ns: u64) -> Result<(), Errno> {
    if k.tasks.contains(TASK) {
        return Ok(());
    }
    make_one(k, TASK, b"init", start_ns)?;
    make_one(k, KSOFTIRQD, b"ksoftirqd/0", start_ns)
}

fn make_one(k: &mut Kernel, tid: TaskId, comm: &[u8], start_ns: u64) -> Result<(), Errno> {
    let root = k.vfs.root().ok_or(Errno::ENOENT)?;
    let kernel_stack_top = k.make_kernel_stack(tid)?;
    let fs = k.fs_contexts.insert(FsContext { cwd: root, root, umask: 0o022, users: 1 });
    let fds = k.fd_tables.insert(FdTable::new());
    let sighand = k.sighands.insert(SigHand::new());
    let mut task = crate::task::Task::new(NewTask {
        tid,
        group: GroupId(tid.0),
        cpu: Cpu { cpl: 0, ..Cpu::new(k.config.cpu) },
        kernel_stack_top,
        mm: crate::mm::MmId(0),
        fds,
        fs,
        sighand,
        creds: creds::of_user(0, 0),
        comm: comm.to_vec(),
        start_ns,
    });
    task.mm = None;
    task.in_kernel = true;
    k.tasks.insert_at(tid, task);
    k.groups.insert_at(GroupId(tid.0), ThreadGroup::new(tid, None));
    sleep(k, tid);
    Ok(())
}

/// One has the processor: it does what it is for, then sleeps again.
pub fn run(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) {
    if tid == KSOFTIRQD && irq::daemon(k, host) {
        // There is more: others first.
        k.sched.yielded = true;
        k.sched.need_resched = true;
        return;
    }
    sleep(k, tid);
}

fn sleep(k: &mut Kernel, tid: TaskId) {
    park(k, tid, Wait::any(vec![WaitKey::Never], None, OnSignal::Restart));
}

/// Whether a signal is lost on them: all are but the one with which a tracer stops init (SIGNAL_UNKILLABLE).
#[must_use]
pub fn ignores(k: &Kernel, to: To, info: &SigInfo) -> bool {
    let mine = match to {
        To::Thread(tid) => is_kernels(tid),
        To::Process(gid) => is_kernels_group(gid),
    };
    let traced = || k.tasks.get(TASK).is_some_and(|task| task.trace.tracer.is_some());
    mine && !(info.signo == sig::STOP && traced())
}
