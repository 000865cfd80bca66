//! Telling parents what became of their children, and waiting for it: `wait4`, `waitid`.
//!
//! **Invariant**: a process is taken out of the machine exactly once: by its parent's wait, or at once if the parent does
//! not want to know or is the kernel's init. The first program stays: its status is the machine's.

use crate::kernel::Kernel;
use crate::task::sighand::{SIG_IGN, SigInfo, sa, si, sig};
use crate::task::signal::{To, action_of, post};
use crate::task::wait::WaitKey;
use crate::task::{GroupId, TaskId, Usage, exit, pids, ptrace};

/// A change of state that a parent may wait for, besides the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupChange {
    /// Stopped by this signal.
    Stopped(u8),
    /// Continued by SIGCONT.
    Continued,
}

/// Nanoseconds in a clock tick (`USER_HZ` is 100).
pub const NS_PER_TICK: u64 = 10_000_000;

/// `si_code` and `si_status` of an ended process.
#[must_use]
pub fn exit_code_and_status(status: u32) -> (i32, i32) {
    let signal = (status & 0x7f).cast_signed();
    if signal == 0 {
        (si::CLD_EXITED, (status >> 8 & 0xff).cast_signed())
    } else if status & 0x80 != 0 {
        (si::CLD_DUMPED, signal)
    } else {
        (si::CLD_KILLED, signal)
    }
}

fn child_info(k: &Kernel, gid: GroupId, signo: u8, code: i32, status: i32) -> SigInfo {
    let usage = group_usage(k, gid);
    let uid =
        k.groups.get(gid).and_then(|group| k.tasks.get(group.leader())).map_or(0, |task| task.creds.uid[0]);
    let times = (usage.user_ns / NS_PER_TICK, usage.system_ns / NS_PER_TICK);
    SigInfo::child(signo, code, gid.0, uid, status, times)
}

/// Resources used by all threads of a process so far.
#[must_use]
pub fn group_usage(k: &Kernel, gid: GroupId) -> Usage {
    let Some(group) = k.groups.get(gid) else { return Usage::default() };
    let mut sum = group.dead_usage;
    for task in group.threads.iter().filter_map(|tid| k.tasks.get(*tid)) {
        if !task.is_dead() {
            sum.add(&task.usage());
            let resident = task.mm.and_then(|id| k.mms.get(id)).map_or(0, |mm| k.mem.resident(mm.space));
            sum.max_resident = sum.max_resident.max(resident);
        }
    }
    sum
}

/// A process ended, or its parent changed after it had (do_notify_parent).
pub fn notify_parent_exit(k: &mut Kernel, gid: GroupId) {
    let group = k.group(gid);
    let Some(status) = group.status else { return };
    let Some(parent) = group.parent.filter(|parent| k.groups.contains(*parent)) else {
        if gid.0 != pids::FIRST_PID {
            reap(k, gid);
        }
        return;
    };
    let signo = group.exit_signal;
    let leader = k.group(parent).leader();
    let action = action_of(k, leader, sig::CHLD);
    let ignored = signo == sig::CHLD && action.handler == SIG_IGN;
    let auto = ignored || (signo == sig::CHLD && action.flags & sa::NOCLDWAIT != 0);
    if signo != 0 && !ignored {
        let (code, value) = exit_code_and_status(status);
        let info = child_info(k, gid, signo, code, value);
        post(k, To::Process(parent), info);
    }
    if auto {
        reap(k, gid);
    }
    k.wake(WaitKey::Child(parent));
}

/// A process stopped or went on (do_notify_parent_cldstop).
pub fn notify_parent_stop(k: &mut Kernel, gid: GroupId, change: GroupChange) {
    let Some(parent) = k.group(gid).parent.filter(|parent| k.groups.contains(*parent)) else { return };
    let action = action_of(k, k.group(parent).leader(), sig::CHLD);
    if action.handler != SIG_IGN && action.flags & sa::NOCLDSTOP == 0 {
        let (code, value) = match change {
            GroupChange::Stopped(signo) => (si::CLD_STOPPED, i32::from(signo)),
            GroupChange::Continued => (si::CLD_CONTINUED, i32::from(sig::CONT)),
        };
        let info = child_info(k, gid, sig::CHLD, code, value);
        post(k, To::Process(parent), info);
    }
    k.wake(WaitKey::Child(parent));
}

/// Takes an ended process out of the machine.
pub fn reap(k: &mut Kernel, gid: GroupId) {
    let Some(group) = k.groups.get(gid) else { return };
    let leader = group.leader();
    let parent = group.parent;
    let mut usage = group.dead_usage;
    usage.add(&group.child_usage);
    let status = group.status;
    exit::remove_task(k, leader);
    k.groups.remove(gid);
    if let Some((_, kept)) = k.pidfds.get_mut(&gid) {
        *kept = status;
    }
    if let Some(parent) = parent.and_then(|id| k.groups.get_mut(id)) {
        parent.children.remove(&gid);
        parent.child_usage.add(&usage);
    }
}

/// Whom a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Any child.
    Any,
    /// This process.
    Process(GroupId),
    /// Any child of this process group.
    ProcessGroup(GroupId),
}

/// `W*` option bits.
#[allow(missing_docs, reason = "the names of wait(2)")]
pub mod option {
    pub const NOHANG: u32 = 1;
    pub const UNTRACED: u32 = 2;
    pub const STOPPED: u32 = 2;
    pub const EXITED: u32 = 4;
    pub const CONTINUED: u32 = 8;
    pub const NOWAIT: u32 = 0x0100_0000;
    pub const NOTHREAD: u32 = 0x2000_0000;
    pub const ALL: u32 = 0x4000_0000;
    pub const CLONE: u32 = 0x8000_0000;
}

/// What a wait found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Which child.
    pub child: GroupId,
    /// Wait status as wait4(2) gives it.
    pub status: u32,
    /// `si_code` of waitid(2).
    pub code: i32,
    /// `si_status` of waitid(2).
    pub si_status: i32,
    /// The child's real user.
    pub uid: u32,
    /// What it used.
    pub usage: Usage,
}

/// Result of looking for a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// There is none that could ever match.
    NoChild,
    /// None has changed yet.
    NotYet,
    /// One has; it is taken unless `NOWAIT` was asked for.
    Found(Found),
}

/// Looks for a child of `tid`'s process that matches and has changed as `options` ask.
pub fn look(k: &mut Kernel, tid: TaskId, who: Who, options: u32) -> Looked {
    let me = k.task(tid).group;
    let mut any = false;
    let mut hit = None;
    let one;
    let children: &mut dyn Iterator<Item = GroupId> = match who {
        Who::Process(gid) => {
            one = k.group(me).children.contains(&gid).then_some(gid);
            &mut one.into_iter()
        }
        _ => &mut k.group(me).children.iter().copied(),
    };
    for gid in children {
        let Some(child) = k.groups.get(gid) else { continue };
        let matches = match who {
            Who::ProcessGroup(pgid) => child.pgid == pgid,
            _ => true,
        };
        let is_clone = child.exit_signal != sig::CHLD;
        let wanted_kind = options & option::ALL != 0 || is_clone == (options & option::CLONE != 0);
        let mine = options & option::NOTHREAD == 0 || child.parent_thread == tid;
        if !(matches && wanted_kind && mine) {
            continue;
        }
        any = true;
        let exited = child.status.is_some() && !child.held && options & option::EXITED != 0;
        let changed = match child.change {
            Some(GroupChange::Stopped(_)) => options & option::STOPPED != 0,
            Some(GroupChange::Continued) => options & option::CONTINUED != 0,
            None => false,
        };
        if exited || (child.status.is_none() && changed) {
            hit = Some(gid);
            break;
        }
    }
    let traced = match hit {
        None => look_at_tracees(k, tid, who, options),
        Some(_) => Looked::NoChild,
    };
    match hit {
        Some(gid) => Looked::Found(take(k, gid, options)),
        None if traced != Looked::NoChild => traced,
        None if any => Looked::NotYet,
        None => Looked::NoChild,
    }
}

/// Looks for a task that a thread of `tid`'s process traces and that stopped or ended.
fn look_at_tracees(k: &mut Kernel, tid: TaskId, who: Who, options: u32) -> Looked {
    let me = k.task(tid).group;
    let group = k.group(me);
    if group.tracees.is_empty() && group.trace_exits.is_empty() {
        return Looked::NoChild;
    }
    let matches = |tid: TaskId, pgid: GroupId| match who {
        Who::Any => true,
        Who::Process(gid) => gid.0 == tid.0,
        Who::ProcessGroup(wanted) => wanted == pgid,
    };
    let mut any = false;
    let exit = group.trace_exits.iter().position(|exit| matches(exit.tid, exit.pgid));
    if let Some(index) = exit {
        any = true;
        if options & option::EXITED != 0
            && let Some(exit) = group.trace_exits.get(index).cloned()
        {
            if options & option::NOWAIT == 0 {
                k.group_mut(me).trace_exits.remove(index);
                if let Some(process) = exit.holds {
                    ptrace::release(k, process);
                }
            }
            let (code, si_status) = exit_code_and_status(exit.status);
            let (child, uid) = (GroupId(exit.tid.0), exit.uid);
            return Looked::Found(Found {
                child,
                status: exit.status,
                code,
                si_status,
                uid,
                usage: exit.usage,
            });
        }
    }
    for tracee in k.group(me).tracees.clone() {
        let Some(task) = k.tasks.get(tracee) else { continue };
        let pgid = k.groups.get(task.group).map_or(task.group, |group| group.pgid);
        let mine = options & option::NOTHREAD == 0 || task.trace.tracer == Some(tid);
        if !mine || !matches(tracee, pgid) {
            continue;
        }
        any = true;
        let Some(stop) = task.trace.stop.filter(|stop| !stop.told) else { continue };
        let (uid, usage) = (task.creds.uid[0], task.usage());
        if options & option::NOWAIT == 0
            && let Some(stop) = &mut k.task_mut(tracee).trace.stop
        {
            stop.told = true;
        }
        let (child, status) = (GroupId(tracee.0), stop.code << 8 | 0x7f);
        let si_status = stop.code.cast_signed();
        return Looked::Found(Found { child, status, code: si::CLD_TRAPPED, si_status, uid, usage });
    }
    if any { Looked::NotYet } else { Looked::NoChild }
}

fn take(k: &mut Kernel, gid: GroupId, options: u32) -> Found {
    let mut usage = group_usage(k, gid);
    let group = k.group(gid);
    usage.add(&group.child_usage);
    let uid = k.tasks.get(group.leader()).map_or(0, |task| task.creds.uid[0]);
    let (status, code, si_status) = match (group.status, group.change) {
        (Some(status), _) => {
            let (code, value) = exit_code_and_status(status);
            (status, code, value)
        }
        (None, Some(GroupChange::Stopped(signo))) => {
            (u32::from(signo) << 8 | 0x7f, si::CLD_STOPPED, i32::from(signo))
        }
        (None, _) => (0xffff, si::CLD_CONTINUED, i32::from(sig::CONT)),
    };
    if options & option::NOWAIT == 0 {
        if group.status.is_some() {
            reap(k, gid);
        } else {
            k.group_mut(gid).change = None;
        }
    }
    Found { child: gid, status, code, si_status, uid, usage }
}
