//! Tasks (threads) and thread groups (processes): what they are made of and who shares it.
//!
//! Key types: [`Task`], [`ThreadGroup`], [`RunState`]. Neighbours: [`wait`] (blocking), [`sched`] (who runs next),
//! [`sighand`] (signals), [`crate::entry`] (the way in and out of the kernel).
//!
//! **Invariant**: a sleeping task is data: what it waits for, and the call that runs again when it is woken. What tasks
//! share (memory, descriptors, directories, dispositions) lies in arenas with a count of users.

use emu_core::cpu::Cpu;

use crate::arena::id;
use crate::ctx::Call;
use crate::file::fdtable::FdTableId;
use crate::mm::MmId;
use crate::vfs::Loc;

pub mod exec;
pub mod sched;
pub mod sighand;
pub mod signal;
pub mod wait;

use sighand::{SigHandId, SigQueue, SigSet};
use wait::Wait;

id! {
    /// A task: its thread number (`gettid`).
    TaskId;
    /// A thread group: its process number (`getpid`), the thread number of its leader.
    GroupId;
    /// Working directory, root and umask, shared by `CLONE_FS`.
    FsId;
}

/// What a task is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// On the run queue, or running.
    Runnable,
    /// Waits; [`Task::call`] runs again when woken.
    Parked(Wait),
    /// Stopped by a signal (job control).
    Stopped,
    /// Ended; kept until waited for.
    Zombie,
}

/// User and group numbers, and capabilities, of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Creds {
    /// Real, effective, saved and file-system user.
    pub uid: [u32; 4],
    /// Real, effective, saved and file-system group.
    pub gid: [u32; 4],
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Effective capabilities, a bit each.
    pub cap_effective: u64,
    /// Permitted capabilities.
    pub cap_permitted: u64,
    /// Inheritable capabilities.
    pub cap_inheritable: u64,
    /// Bounding set.
    pub cap_bounding: u64,
    /// Ambient capabilities.
    pub cap_ambient: u64,
    /// `PR_SET_SECUREBITS`
    pub securebits: u32,
}

/// A thread.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its number.
    pub tid: TaskId,
    /// Its process.
    pub group: GroupId,
    /// Processor state. While the task is in the kernel its user registers are the `pt_regs` on its kernel stack.
    pub cpu: Cpu,
    /// Highest address of its kernel stack, exclusive.
    pub kernel_stack_top: u64,
    /// Whether it is inside the kernel (between entry and return).
    pub in_kernel: bool,
    /// What it is doing.
    pub state: RunState,
    /// The system call in progress or to be run again.
    pub call: Option<Call>,
    /// The call that `restart_syscall` goes on with.
    pub restart_call: Option<Call>,
    /// Memory; `None` once it exited.
    pub mm: Option<MmId>,
    /// Descriptors.
    pub fds: FdTableId,
    /// Directories.
    pub fs: FsId,
    /// Dispositions.
    pub sighand: SigHandId,
    /// Signals sent to this thread.
    pub pending: SigQueue,
    /// Blocked signals.
    pub blocked: SigSet,
    /// The mask to put back after `sigsuspend`, `ppoll` and the like.
    pub saved_mask: Option<SigSet>,
    /// Alternate signal stack: address, size, flags.
    pub altstack: (u64, u64, u32),
    /// Credentials.
    pub creds: Creds,
    /// Name, as /proc/PID/comm shows it, without NUL, at most 15 bytes.
    pub comm: Vec<u8>,
    /// Address to clear and wake at exit (`set_tid_address`).
    pub clear_child_tid: u64,
    /// Robust futex list: head address and length.
    pub robust_list: (u64, u64),
    /// Restartable-sequence area: address, length, signature; zero if none.
    pub rseq: (u64, u32, u32),
    /// Nice value, -20 to 19.
    pub nice: i32,
    /// Instructions retired in user mode.
    pub user_instructions: u64,
    /// System calls made.
    pub syscalls: u64,
    /// Monotonic time of its start in ns.
    pub start_ns: u64,
}

/// A process.
#[derive(Debug, Clone)]
pub struct ThreadGroup {
    /// Its number.
    pub id: GroupId,
    /// Its threads, the leader first while it lives.
    pub threads: Vec<TaskId>,
    /// Parent process.
    pub parent: Option<GroupId>,
    /// Process group.
    pub pgid: GroupId,
    /// Session.
    pub sid: GroupId,
    /// Signal sent to the parent at the end; 0 for none.
    pub exit_signal: u8,
    /// Wait status once every thread ended.
    pub status: Option<u32>,
    /// Status that `exit_group` or a deadly signal fixed; threads that find it set, exit.
    pub exiting: Option<u32>,
    /// Signals sent to the process.
    pub pending: SigQueue,
    /// Controlling terminal.
    pub tty: Option<crate::file::tty::TtyId>,
    /// Resource limits: soft and hard, indexed by RLIMIT_*.
    pub rlimits: [(u64, u64); 16],
}

/// Directories of a task.
#[derive(Debug, Clone)]
pub struct FsContext {
    /// Working directory.
    pub cwd: Loc,
    /// Root.
    pub root: Loc,
    /// Mode bits taken away from new files.
    pub umask: u32,
    /// Tasks that share it.
    pub users: u32,
}
