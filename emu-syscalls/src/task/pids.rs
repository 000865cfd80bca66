//! Numbers of tasks: allocation as Linux does it, and what a number names.
//!
//! **Invariant**: number 1 is the kernel's own init, the highest its ksoftirqd ([`super::init`]). A number
//! is not given out while a task, process group or session bears it.

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::task::{GroupId, TaskId};

/// The kernel's own init.
pub const INIT_PID: u32 = 1;
/// The first program.
pub const FIRST_PID: u32 = 2;
/// The kernel's own ksoftirqd: out of the way of the numbers that programs see.
pub const KSOFTIRQD_PID: u32 = PID_MAX - 1;
/// `/proc/sys/kernel/pid_max`
pub const PID_MAX: u32 = 32_768;
/// After a wrap, numbers start here.
const RESERVED_PIDS: u32 = 300;

/// The last number given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pids {
    /// See the type.
    pub last: u32,
    /// Numbers have been used before: look for those in use.
    pub wrapped: bool,
}

impl Default for Pids {
    fn default() -> Self {
        Pids { last: INIT_PID, wrapped: false }
    }
}

impl Kernel {
    /// A number for a new task. `EAGAIN` if none is free.
    pub fn alloc_pid(&mut self) -> Result<TaskId, Errno> {
        for _ in 0..PID_MAX {
            let mut next = self.pids.last + 1;
            if next >= PID_MAX {
                next = RESERVED_PIDS;
                self.pids.wrapped = true;
            }
            self.pids.last = next;
            if !self.pid_in_use(next) {
                return Ok(TaskId(next));
            }
        }
        Err(Errno::EAGAIN)
    }

    fn pid_in_use(&self, pid: u32) -> bool {
        self.tasks.contains(TaskId(pid))
            || self.groups.contains(GroupId(pid))
            || (self.pids.wrapped
                && self.groups.iter().any(|(_, group)| group.pgid.0 == pid || group.sid.0 == pid))
    }

    /// The task with a number, dead leaders included. `ESRCH`.
    pub fn find_task(&self, pid: i32) -> Result<TaskId, Errno> {
        let tid = u32::try_from(pid).map(TaskId).map_err(|_| Errno::ESRCH)?;
        if self.tasks.contains(tid) { Ok(tid) } else { Err(Errno::ESRCH) }
    }

    /// The task with a number, 0 meaning `me`. `ESRCH`.
    pub fn find_task_or_self(&self, pid: i32, me: TaskId) -> Result<TaskId, Errno> {
        if pid == 0 { Ok(me) } else { self.find_task(pid) }
    }

    /// The process with a number, not yet waited for; the number of a thread names its process. `ESRCH`.
    pub fn find_group(&self, pid: i32) -> Result<GroupId, Errno> {
        let number = u32::try_from(pid).map_err(|_| Errno::ESRCH)?;
        if self.groups.contains(GroupId(number)) {
            return Ok(GroupId(number));
        }
        self.tasks.get(TaskId(number)).map(|task| task.group).ok_or(Errno::ESRCH)
    }

    /// The processes of a process group, ascending.
    #[must_use]
    pub fn group_members(&self, pgid: GroupId) -> Vec<GroupId> {
        self.groups.iter().filter(|(_, group)| group.pgid == pgid).map(|(id, _)| id).collect()
    }
}
