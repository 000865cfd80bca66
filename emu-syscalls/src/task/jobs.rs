//! Job control: stopping and continuing processes, orphaned process groups, sessions.
//!
//! **Invariant**: while a stop is pending every thread that reaches the way out stops; the process counts as stopped when
//! all of its live threads have.

use crate::kernel::Kernel;
use crate::task::reap::{GroupChange, notify_parent_stop};
use crate::task::sighand::{SigInfo, sig};
use crate::task::signal::post_pgrp;
use crate::task::wait::{OnSignal, unpark};
use crate::task::{GroupId, RunState, TaskId, ptrace};

/// State of a stop of the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StopState {
    /// Threads shall stop because of this signal.
    pub pending: Option<u8>,
    /// All have stopped because of this signal.
    pub stopped: Option<u8>,
}

/// A stop signal was taken: the whole process is to stop.
pub fn begin_stop(k: &mut Kernel, gid: GroupId, signo: u8) {
    for tid in k.group(gid).threads.clone() {
        if let Some(task) = k.tasks.get_mut(tid) {
            task.trace.past_group_stop = false;
        }
    }
    let group = k.group_mut(gid);
    if group.stop.pending.is_some() {
        return;
    }
    group.stop = StopState { pending: Some(signo), stopped: None };
    for tid in group.threads.clone() {
        if let Some(RunState::Parked(wait)) = k.tasks.get(tid).map(|task| &task.state)
            && wait.on_signal != OnSignal::Killable
        {
            unpark(k, tid);
        }
    }
}

/// Thread `tid` stops, as its process is to. The last one tells the parent.
pub fn stop_thread(k: &mut Kernel, tid: TaskId) {
    k.task_mut(tid).state = RunState::Stopped;
    k.sched.remove(tid);
    let gid = k.task(tid).group;
    let signal = k.groups.get(gid).and_then(|group| group.stop.pending).unwrap_or(0);
    k.observer.note(k.retired, || crate::observe::Event::Stopped { tid, signal });
    check_all_stopped(k, gid);
}

/// Completes a stop when the last thread has stopped, or ended.
pub fn check_all_stopped(k: &mut Kernel, gid: GroupId) {
    let Some(group) = k.groups.get(gid) else { return };
    let Some(signo) = group.stop.pending else { return };
    if group.stop.stopped.is_some() {
        return;
    }
    let mut any = false;
    for task in group.threads.iter().filter_map(|tid| k.tasks.get(*tid)) {
        match &task.state {
            RunState::Zombie => {}
            RunState::Stopped => any = true,
            RunState::Parked(wait) if wait.on_signal == OnSignal::Killable => {}
            RunState::Parked(_) | RunState::Runnable => return,
        }
    }
    if any {
        // The parent that traces the process hears of each thread's stop instead.
        let leader = k.tasks.get(k.group(gid).leader());
        let tracer = leader.and_then(|task| ptrace::tracer_group(k, task));
        let group = k.group_mut(gid);
        group.stop.stopped = Some(signo);
        if tracer.is_some() && tracer == group.parent {
            return;
        }
        group.change = Some(GroupChange::Stopped(signo));
        notify_parent_stop(k, gid, GroupChange::Stopped(signo));
    }
}

/// SIGCONT was sent: stopped threads go on.
pub fn continue_group(k: &mut Kernel, gid: GroupId) {
    let group = k.group_mut(gid);
    let was = group.stop;
    if was.pending.is_none() {
        return;
    }
    group.stop = StopState::default();
    for tid in group.threads.clone() {
        let Some(task) = k.tasks.get_mut(tid) else { continue };
        if task.trace.stop.is_some() {
            ptrace::group_continues(k, tid);
        } else if task.state == RunState::Stopped {
            task.state = RunState::Runnable;
            k.enqueue(tid);
        }
    }
    if was.stopped.is_some() {
        k.group_mut(gid).change = Some(GroupChange::Continued);
        notify_parent_stop(k, gid, GroupChange::Continued);
    }
}

/// Whether no member of a process group has a parent in another group of the same session; members in `except` do not
/// count (is_orphaned_pgrp). The first process has such a parent: whoever runs the machine.
#[must_use]
pub fn is_orphaned(k: &Kernel, pgid: GroupId, except: Option<GroupId>) -> bool {
    !k.groups.iter().any(|(gid, group)| {
        group.pgid == pgid
            && Some(gid) != except
            && group.status.is_none()
            && match group.parent.and_then(|parent| k.groups.get(parent)) {
                Some(parent) => parent.pgid != pgid && parent.sid == group.sid,
                None => gid.0 == crate::task::pids::FIRST_PID,
            }
    })
}

/// Hangs up a process group that became orphaned while a member is stopped: SIGHUP, then SIGCONT.
/// `exiting` is the process that ends, `parent` the one whose connection to it counted (kill_orphaned_pgrp).
pub fn hang_up_if_orphaned(k: &mut Kernel, exiting: GroupId, parent: Option<GroupId>) {
    let child = parent.map_or(exiting, |_| exiting);
    let Some(group) = k.groups.get(child) else { return };
    let (pgid, sid) = (group.pgid, group.sid);
    let Some(other) = parent.or(group.parent).and_then(|id| k.groups.get(id)) else { return };
    if other.pgid == pgid || other.sid != sid {
        return;
    }
    let ignore = if parent.is_none() { Some(exiting) } else { None };
    let has_stopped = k.groups.iter().any(|(_, member)| member.pgid == pgid && member.stop.stopped.is_some());
    if has_stopped && is_orphaned(k, pgid, ignore) {
        post_pgrp(k, pgid, &SigInfo::kernel(sig::HUP));
        post_pgrp(k, pgid, &SigInfo::kernel(sig::CONT));
    }
}
