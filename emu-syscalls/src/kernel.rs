//! [`Kernel`]: everything of a machine that a guest can observe, as one value.
//!
//! **Invariant**: plain data and ids; `clone()` is a snapshot whose cost does not grow with the guest. No host handle.

use std::collections::BTreeSet;

use emu_core::cpu::CpuModel;
use emu_core::mem::{Memory, SpaceId};
use emu_core::persist;

use crate::arena::Arena;
use crate::entry::irq::Irqs;
use crate::file::epoll::Epolls;
use crate::file::eventfd::{EventFd, EventFdId};
use crate::file::fdtable::{FdTable, FdTableId, KinId};
use crate::file::inotify::Inotifies;
use crate::file::pipe::{Pipe, PipeId};
use crate::file::timerfd::TimerFds;
use crate::file::tty::{Tty, TtyId};
use crate::file::{FileId, OpenFile};
use crate::log::Log;
use crate::mm::{Mm, MmId};
use crate::net::Net;
use crate::observe::Observer;
use crate::task::pids::Pids;
use crate::task::sched::{Chaos, Choice, Scheduler};
use crate::task::sighand::{SigHand, SigHandId};
use crate::task::wait::{WaitKey, WaitQueues};
use crate::task::{FsContext, FsId, GroupId, Task, TaskId, ThreadGroup};
use crate::time::Clocks;
use crate::vfs::Vfs;
use crate::vfs::procfs::sysctl::Sysctls;

/// One more than the highest system-call number.
pub const SYSCALL_NUMBERS: usize = 472;

/// What a machine is built with.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Config {
    /// Bound on guest memory in bytes.
    pub memory: u64,
    /// What CPUID claims.
    #[serde(with = "cpu_level")]
    pub cpu: CpuModel,
    /// Node name that `uname` gives.
    pub hostname: Vec<u8>,
    /// Instructions that a task runs before another may.
    pub slice: u64,
    /// uid and gid of the first process.
    pub user: (u32, u32),
    /// What network there is.
    pub network: Network,
    /// What Linux leaves open is varied by this seed: who runs when, interrupted waits, short reads,
    /// late timers.
    pub chaos: Option<u64>,
    /// Choices where they are not the usual ones, with their instruction counts, ascending.
    pub schedule: Option<Vec<(u64, Choice)>>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            memory: 4 << 30,
            cpu: CpuModel::V3,
            hostname: b"emu".to_vec(),
            slice: 200_000,
            user: (0, 0),
            network: Network::Loopback,
            chaos: None,
            schedule: None,
        }
    }
}

/// What network a machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Network {
    /// `lo` is there and down, as in a fresh network namespace.
    None,
    /// `lo` is up.
    #[default]
    Loopback,
}

/// A processor model in a recording: its level, 1 to 3.
mod cpu_level {
    use emu_core::cpu::CpuModel;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(model: &CpuModel, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u8(match model {
            CpuModel::V1 => 1,
            CpuModel::V2 => 2,
            CpuModel::V3 => 3,
        })
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<CpuModel, D::Error> {
        match u8::deserialize(from)? {
            1 => Ok(CpuModel::V1),
            2 => Ok(CpuModel::V2),
            3 => Ok(CpuModel::V3),
            other => Err(D::Error::custom(format_args!("no processor model {other}"))),
        }
    }
}

/// A gap that a guest ran into, reported once a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// What is missing, by name: a system call, an instruction, an ioctl.
    pub what: String,
    /// Where the first one was: task and rip.
    pub at: String,
}

/// The state of the machine. See the module documentation.
#[derive(Clone)]
pub struct Kernel {
    /// How it was built.
    pub config: Config,
    /// Memory of all tasks, and the kernel's own.
    pub mem: Memory,
    /// Instructions retired by all tasks.
    pub retired: u64,
    /// Tasks by thread number.
    pub tasks: Arena<TaskId, Task>,
    /// Thread groups (processes) by process number.
    pub groups: Arena<GroupId, ThreadGroup>,
    /// Who runs next.
    pub sched: Scheduler,
    /// Who waits for what.
    pub waits: WaitQueues,
    /// Address-space descriptions.
    pub mms: Arena<MmId, Mm>,
    /// Who maps which object.
    pub mapped_bytes: crate::mm::object::MappedBytes,
    /// System V shared memory.
    pub shm: crate::mm::shm::Segments,
    /// Descriptor tables.
    pub fd_tables: Arena<FdTableId, FdTable>,
    /// How many tables are kin.
    pub fd_kin: Arena<KinId, u32>,
    /// Open files.
    pub files: Arena<FileId, OpenFile>,
    /// Working directories, roots and umasks.
    pub fs_contexts: Arena<FsId, FsContext>,
    /// Signal dispositions.
    pub sighands: Arena<SigHandId, SigHand>,
    /// Pipes.
    pub pipes: Arena<PipeId, Pipe>,
    /// Pipes of FIFOs that are open, by inode key.
    pub fifos: persist::OrdMap<u64, PipeId>,
    /// Epoll instances.
    pub epolls: Epolls,
    /// Counters of eventfd.
    pub eventfds: Arena<EventFdId, EventFd>,
    /// Timers of timerfd.
    pub timerfds: TimerFds,
    /// Files of namespaces, by kind and number.
    pub ns_files: persist::OrdMap<(u64, u64), FileId>,
    /// Userfaultfd instances.
    pub uffds: Arena<crate::file::userfault::UffdId, crate::file::userfault::Uffd>,
    /// Inotify instances.
    pub inotifies: Inotifies,
    /// Processes that have pidfds: how many, and the exit status once the process was waited for.
    pub pidfds: persist::OrdMap<crate::task::GroupId, (u32, Option<u32>)>,
    /// Fanotify groups.
    pub fanotifies: crate::file::fanotify::Fanotifies,
    /// Rulesets of Landlock that are open.
    pub landlock: crate::landlock::Landlock,
    /// Keys and keyrings.
    pub keys: crate::keys::Keys,
    /// Sockets.
    pub net: Net,
    /// Semaphores and message queues.
    pub ipc: crate::ipc::Ipc,
    /// Terminals.
    pub ttys: Arena<TtyId, Tty>,
    /// The kernel log.
    pub log: Log,
    /// Settings of /proc/sys that were written.
    pub sysctls: Sysctls,
    /// Mounts, dentries and inodes.
    pub vfs: Vfs,
    /// Clocks and timers.
    pub time: Clocks,
    /// How the first process died, if a signal of a fault killed it: signal, address, where.
    pub death: Option<String>,
    /// How often each system call was made, by number.
    pub syscall_counts: persist::Shared<[u64; SYSCALL_NUMBERS]>,
    /// Interrupts and softirqs.
    pub irq: Irqs,
    /// Numbers of tasks.
    pub pids: Pids,
    /// The task that ran last.
    pub last_ran: Option<TaskId>,
    /// Domain name that `uname` gives; the node name is [`Config::hostname`].
    pub domainname: Vec<u8>,
    /// Gaps reported so far, by name.
    pub gaps_seen: BTreeSet<String>,
    /// Gaps not yet told to the user.
    pub gaps_new: Vec<Gap>,
    /// Events for observers, when somebody watches.
    pub observer: Observer,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel")
            .field("retired", &self.retired)
            .field("tasks", &self.tasks.len())
            .finish_non_exhaustive()
    }
}

impl Kernel {
    /// An empty kernel: no task, an empty root file system.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Kernel {
            mem: Memory::new(config.memory),
            retired: 0,
            tasks: Arena::default(),
            groups: Arena::default(),
            sched: Scheduler::varied(match (&config.schedule, config.chaos) {
                (None, None) => None,
                (script, seed) => Some(Chaos::new(seed.unwrap_or(0), script.as_deref())),
            }),
            waits: WaitQueues::default(),
            mms: Arena::default(),
            mapped_bytes: crate::mm::object::MappedBytes::default(),
            shm: crate::mm::shm::Segments::default(),
            fd_tables: Arena::default(),
            fd_kin: Arena::default(),
            files: Arena::default(),
            fs_contexts: Arena::default(),
            sighands: Arena::default(),
            pipes: Arena::default(),
            fifos: persist::OrdMap::new(),
            epolls: Epolls::default(),
            eventfds: Arena::default(),
            timerfds: TimerFds::default(),
            ns_files: persist::OrdMap::new(),
            uffds: Arena::default(),
            inotifies: Inotifies::default(),
            keys: crate::keys::Keys::default(),
            pidfds: persist::OrdMap::new(),
            fanotifies: crate::file::fanotify::Fanotifies::default(),
            landlock: crate::landlock::Landlock::default(),
            net: Net::new(config.network),
            ipc: crate::ipc::Ipc::default(),
            ttys: Arena::default(),
            log: Log::booted(config.memory, crate::vfs::procfs::CMDLINE),
            sysctls: Sysctls::default(),
            vfs: Vfs::new(),
            time: Clocks::default(),
            death: None,
            syscall_counts: persist::Shared::new([0; SYSCALL_NUMBERS]),
            irq: Irqs::default(),
            pids: Pids::default(),
            last_ran: None,
            domainname: b"(none)".to_vec(),
            gaps_seen: BTreeSet::new(),
            gaps_new: Vec::new(),
            observer: Observer::default(),
            config,
        }
    }

    /// A live task.
    ///
    /// # Panics
    /// If there is none: the caller holds an id of a task that it keeps alive.
    #[must_use]
    pub fn task(&self, tid: TaskId) -> &Task {
        self.tasks.get(tid).expect("task exists")
    }
    /// A live task, to be changed.
    ///
    /// # Panics
    /// As [`Kernel::task`].
    pub fn task_mut(&mut self, tid: TaskId) -> &mut Task {
        self.tasks.get_mut(tid).expect("task exists")
    }
    /// A thread group with members.
    ///
    /// # Panics
    /// As [`Kernel::task`].
    #[must_use]
    pub fn group(&self, id: GroupId) -> &ThreadGroup {
        self.groups.get(id).expect("thread group exists")
    }
    /// A thread group, to be changed.
    ///
    /// # Panics
    /// As [`Kernel::task`].
    pub fn group_mut(&mut self, id: GroupId) -> &mut ThreadGroup {
        self.groups.get_mut(id).expect("thread group exists")
    }
    /// The memory description of a task that has one.
    ///
    /// # Panics
    /// If the task has given up its memory: it runs no call then.
    #[must_use]
    pub fn mm(&self, tid: TaskId) -> &Mm {
        self.task(tid).mm.and_then(|id| self.mms.get(id)).expect("a running task has memory")
    }
    /// As [`Kernel::mm`], to be changed.
    ///
    /// # Panics
    /// As [`Kernel::mm`].
    pub fn mm_mut(&mut self, tid: TaskId) -> &mut Mm {
        let id = self.task(tid).mm.expect("a running task has memory");
        self.mms.get_mut(id).expect("a running task has memory")
    }
    /// The address space of a task.
    #[must_use]
    pub fn space_of(&self, tid: TaskId) -> SpaceId {
        self.mm(tid).space
    }

    /// Wakes every task that waits for `key`, and tells the epoll instances that watch it.
    pub fn wake(&mut self, key: WaitKey) {
        crate::task::wait::wake(self, key);
    }

    /// Notes a gap: the first of a kind becomes one line for the user.
    pub fn gap(&mut self, what: String, at: String) {
        if self.gaps_seen.len() < 10_000 && self.gaps_seen.insert(what.clone()) {
            self.printk(crate::log::Level::Warning, &format!("emu: not supported: {what}, {at}"));
            self.gaps_new.push(Gap { what, at });
        }
    }
}
