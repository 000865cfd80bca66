//! Tasks (threads) and thread groups (processes): what they are made of and who shares it.
//!
//! Key types: [`Task`], [`ThreadGroup`], [`RunState`]. Neighbours: [`wait`] (blocking), [`sched`] (who runs next),
//! [`sighand`] (signals), [`crate::entry`] (the way in and out of the kernel).
//!
//! **Invariant**: a sleeping task is data: what it waits for, and the call that runs again when it is woken. What tasks
//! share (memory, descriptors, directories, dispositions) lies in arenas with a count of users.

use emu_core::cpu::Cpu;
use emu_core::persist;

use crate::arena::id;
use crate::ctx::Call;
use crate::file::fdtable::FdTableId;
use crate::mm::MmId;
use crate::vfs::Loc;

pub mod creds;
pub mod death;
pub mod deliver;
pub mod exec;
pub mod exit;
pub mod fork;
pub mod frame;
pub mod futex;
pub mod init;
pub mod jobs;
pub mod pids;
pub mod ptrace;
pub mod reap;
pub mod rseq;
pub mod sched;
pub mod seccomp;
pub mod sighand;
pub mod signal;
pub mod wait;

use futex::FutexWait;
use reap::GroupChange;
use sched::SchedParams;
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
    /// Time in user mode and in the kernel, in ns, that its instructions and calls took beyond their nominal cost.
    pub extra_ns: (u64, u64),
    /// System calls made.
    pub syscalls: u64,
    /// Monotonic time of its start in ns.
    pub start_ns: u64,
    /// Scheduling policy and parameters.
    pub sched: SchedParams,
    /// Page faults and context switches.
    pub usage: Usage,
    /// The last exception, for signal frames.
    pub trap: Trap,
    /// What prctl(2) and personality(2) set.
    pub attrs: TaskAttrs,
    /// What the way back to user mode must look at besides signals.
    pub work: Work,
    /// Set in the child of a `vfork` until it releases its parent's memory.
    pub vfork_child: bool,
    /// Wait status of the thread once it ended.
    pub exit_status: u32,
    /// What a waker needs to know of a wait on a futex.
    pub futex: FutexWait,
    /// Who traces it, and how.
    pub trace: ptrace::Trace,
    /// Filters of its calls.
    pub seccomp: seccomp::Seccomp,
    /// Its time namespace.
    pub time: TimeOffsets,
    /// That of children to come and of the next program, if it is another.
    pub children_time: Option<TimeOffsets>,
    /// What it has forbidden itself.
    pub landlock: crate::landlock::TaskDomain,
    /// Keyrings.
    pub keys: crate::keys::TaskKeys,
}

/// Page faults and context switches of a task, or sums of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Faults answered without a host file.
    pub minor_faults: u64,
    /// Faults that read a host file.
    pub major_faults: u64,
    /// Switches because the task waited.
    pub voluntary: u64,
    /// Switches because its slice was over.
    pub involuntary: u64,
    /// Time in user mode, in ns (instructions); only in sums.
    pub user_ns: u64,
    /// Time in the kernel, in ns; only in sums.
    pub system_ns: u64,
    /// Largest resident memory in pages; only in sums.
    pub max_resident: u64,
}

impl Usage {
    /// Adds another's.
    pub fn add(&mut self, other: &Usage) {
        self.minor_faults += other.minor_faults;
        self.major_faults += other.major_faults;
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
        self.user_ns += other.user_ns;
        self.system_ns += other.system_ns;
        self.max_resident = self.max_resident.max(other.max_resident);
    }
}

/// The last exception of a task (`thread.trap_nr`, `error_code`, `cr2`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trap {
    /// Vector.
    pub vector: u64,
    /// Error code.
    pub error_code: u64,
    /// Faulting address.
    pub cr2: u64,
}

/// Attributes that prctl(2) and personality(2) set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskAttrs {
    /// Signal sent when the parent thread ends; 0 for none.
    pub parent_death_signal: u8,
    /// `PR_SET_NO_NEW_PRIVS`
    pub no_new_privs: bool,
    /// Timer slack in ns.
    pub timer_slack_ns: u64,
    /// What the slack goes back to: the parent's at the fork.
    pub default_slack_ns: u64,
    /// Execution domain.
    pub personality: u32,
    /// I/O priority.
    pub ioprio: u32,
    /// What `set_mempolicy` keeps: mode and flags; `None` for the default.
    pub mempolicy: Option<u32>,
    /// `PR_SET_TSC`: reading the time-stamp counter is a fault.
    pub no_tsc: bool,
}

impl Default for TaskAttrs {
    fn default() -> Self {
        TaskAttrs {
            parent_death_signal: 0,
            no_new_privs: false,
            timer_slack_ns: 50_000,
            default_slack_ns: 50_000,
            personality: 0,
            ioprio: 0,
            mempolicy: None,
            no_tsc: false,
        }
    }
}

/// A time namespace (time_namespaces(7)): what its clocks show more than the machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeOffsets {
    /// Which one; 0 for the first.
    pub id: u64,
    /// Of the monotonic clocks, in ns.
    pub monotonic: i64,
    /// Of the clock since boot, in ns.
    pub boot: i64,
}

/// What the way back to user mode must look at besides signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// The call ended with a number that asks for a restart.
    pub restart: bool,
    /// The task was preempted or got a signal since its restartable sequence was last looked at.
    pub rseq: bool,
    /// Somebody traces it, or a signal that its tracer let through is still to be taken.
    pub traced: bool,
    /// Its calls are filtered.
    pub seccomp: bool,
    /// Its tracer lets it run one instruction at a time.
    pub step: bool,
}

/// A process.
#[derive(Debug, Clone)]
pub struct ThreadGroup {
    /// Its number.
    pub id: GroupId,
    /// Its threads, the leader first; an ended leader stays until the process was waited for.
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
    /// Thread of the parent that made it (`prctl(PR_SET_PDEATHSIG)`, `__WNOTHREAD`).
    pub parent_thread: TaskId,
    /// Child processes that were not waited for.
    pub children: persist::OrdSet<GroupId>,
    /// Job control.
    pub stop: jobs::StopState,
    /// What a parent may still wait for.
    pub change: Option<GroupChange>,
    /// Resources used by threads that ended.
    pub dead_usage: Usage,
    /// Resources used by children that were waited for, with theirs.
    pub child_usage: Usage,
    /// Timers.
    pub timers: crate::time::timer::GroupTimers,
    /// `PR_SET_CHILD_SUBREAPER`
    pub subreaper: bool,
    /// `PR_SET_DUMPABLE`
    pub dumpable: u8,
    /// It has called `execve` since it was made (`setpgid` answers EACCES then).
    pub has_execed: bool,
    /// `/proc/PID/oom_score_adj`
    pub oom_score_adj: i32,
    /// Tasks that its threads trace.
    pub tracees: persist::OrdSet<TaskId>,
    /// Traced tasks that ended and were not waited for.
    pub trace_exits: persist::Vector<ptrace::TraceExit>,
    /// It ended, and its parent hears of it when its tracer has.
    pub held: bool,
    /// The process's keyring.
    pub process_keyring: Option<crate::keys::KeyId>,
}

/// `RLIM_INFINITY`
pub const RLIM_INFINITY: u64 = u64::MAX;

/// Limits of the first process: Linux's INIT_RLIMITS with the descriptors and locked memory that systems give.
pub const INIT_RLIMITS: [(u64, u64); 16] = [
    (RLIM_INFINITY, RLIM_INFINITY),
    (RLIM_INFINITY, RLIM_INFINITY),
    (RLIM_INFINITY, RLIM_INFINITY),
    (8 << 20, RLIM_INFINITY),
    (0, RLIM_INFINITY),
    (RLIM_INFINITY, RLIM_INFINITY),
    (31_000, 31_000),
    (1024, 1_048_576),
    (8 << 20, 8 << 20),
    (RLIM_INFINITY, RLIM_INFINITY),
    (RLIM_INFINITY, RLIM_INFINITY),
    (31_000, 31_000),
    (819_200, 819_200),
    (0, 0),
    (0, 0),
    (RLIM_INFINITY, RLIM_INFINITY),
];

/// What a new task is made of; the rest starts as Linux starts the first one.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// Its number.
    pub tid: TaskId,
    /// Its process.
    pub group: GroupId,
    /// Processor state.
    pub cpu: Cpu,
    /// Top of its kernel stack.
    pub kernel_stack_top: u64,
    /// Memory.
    pub mm: MmId,
    /// Descriptors.
    pub fds: FdTableId,
    /// Directories.
    pub fs: FsId,
    /// Dispositions.
    pub sighand: SigHandId,
    /// Credentials.
    pub creds: Creds,
    /// Name.
    pub comm: Vec<u8>,
    /// Monotonic time of its start in ns.
    pub start_ns: u64,
}

impl Task {
    /// A runnable task in user mode with nothing pending. The caller puts it into the arena and on the run queue.
    #[must_use]
    pub fn new(new: NewTask) -> Self {
        Task {
            tid: new.tid,
            group: new.group,
            cpu: new.cpu,
            kernel_stack_top: new.kernel_stack_top,
            in_kernel: false,
            state: RunState::Runnable,
            call: None,
            restart_call: None,
            mm: Some(new.mm),
            fds: new.fds,
            fs: new.fs,
            sighand: new.sighand,
            pending: SigQueue::default(),
            blocked: SigSet::default(),
            saved_mask: None,
            altstack: (0, 0, 0),
            creds: new.creds,
            comm: new.comm,
            clear_child_tid: 0,
            robust_list: (0, 0),
            rseq: (0, 0, 0),
            nice: 0,
            user_instructions: 0,
            extra_ns: (0, 0),
            syscalls: 0,
            start_ns: new.start_ns,
            sched: SchedParams::default(),
            usage: Usage::default(),
            trap: Trap::default(),
            attrs: TaskAttrs::default(),
            work: Work::default(),
            vfork_child: false,
            exit_status: 0,
            futex: FutexWait::default(),
            trace: ptrace::Trace::default(),
            seccomp: seccomp::Seccomp::default(),
            time: TimeOffsets::default(),
            children_time: None,
            keys: crate::keys::TaskKeys::default(),
            landlock: None,
        }
    }

    /// Time in user mode in ns: an instruction counts as one, and each turn as no less than it took.
    #[must_use]
    pub fn user_ns(&self) -> u64 {
        self.user_instructions.saturating_add(self.extra_ns.0)
    }
    /// Time in the kernel in ns, at a nominal cost a call, and each turn as no less than it took.
    #[must_use]
    pub fn system_ns(&self) -> u64 {
        self.syscalls.saturating_mul(NS_PER_SYSCALL).saturating_add(self.extra_ns.1)
    }
    /// Charges a turn that took `took_ns`, in which it ran `instructions` and made `calls`: what their nominal cost does
    /// not cover is shared out in proportion to it.
    pub fn charge(&mut self, took_ns: u64, instructions: u64, calls: u64) {
        let system = calls.saturating_mul(NS_PER_SYSCALL);
        let nominal = instructions.saturating_add(system);
        let extra = took_ns.saturating_sub(nominal);
        if extra > 0 {
            let share = u128::from(extra) * u128::from(system) / u128::from(nominal.max(1));
            let share = u64::try_from(share).unwrap_or(extra);
            self.extra_ns.0 = self.extra_ns.0.saturating_add(extra - share);
            self.extra_ns.1 = self.extra_ns.1.saturating_add(share);
        }
    }
    /// Time in ns on the processor.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        self.user_ns().saturating_add(self.system_ns())
    }
    /// Whether it has ended.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state == RunState::Zombie
    }
    /// Resources used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage { user_ns: self.user_ns(), system_ns: self.system_ns(), ..self.usage }
    }
}

/// Nominal time that a system call takes in the kernel.
pub const NS_PER_SYSCALL: u64 = 200;

impl ThreadGroup {
    /// A process with one thread, in its parent's process group and session if it has one, else in its own.
    #[must_use]
    pub fn new(leader: TaskId, parent: Option<&ThreadGroup>) -> Self {
        let id = GroupId(leader.0);
        ThreadGroup {
            id,
            threads: vec![leader],
            parent: parent.map(|parent| parent.id),
            pgid: parent.map_or(id, |parent| parent.pgid),
            sid: parent.map_or(id, |parent| parent.sid),
            exit_signal: sighand::sig::CHLD,
            status: None,
            exiting: None,
            pending: SigQueue::default(),
            tty: parent.and_then(|parent| parent.tty),
            rlimits: parent.map_or(INIT_RLIMITS, |parent| parent.rlimits),
            parent_thread: TaskId(parent.map_or(1, |parent| parent.id.0)),
            children: persist::OrdSet::new(),
            stop: jobs::StopState::default(),
            change: None,
            dead_usage: Usage::default(),
            child_usage: Usage::default(),
            timers: crate::time::timer::GroupTimers::default(),
            subreaper: false,
            dumpable: 1,
            has_execed: false,
            oom_score_adj: parent.map_or(0, |parent| parent.oom_score_adj),
            tracees: persist::OrdSet::new(),
            trace_exits: persist::Vector::new(),
            held: false,
            process_keyring: None,
        }
    }
    /// Its leading thread.
    #[must_use]
    pub fn leader(&self) -> TaskId {
        TaskId(self.id.0)
    }
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
