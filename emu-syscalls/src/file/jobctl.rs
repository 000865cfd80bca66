//! Job control: which session a terminal belongs to, which group is in the foreground, and what happens to the others.
//!
//! **Invariant**: `tty.session` and the `tty` of the session's processes agree: whoever ends one ends both.

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::tty::{TtyId, Wire};
use crate::kernel::Kernel;
use crate::task::jobs::is_orphaned;
use crate::task::sighand::SigInfo;
use crate::task::signal::{To, post, post_pgrp};
use crate::task::wait::{OnSignal, Wait, WaitKey};
use crate::task::{GroupId, TaskId, ThreadGroup};

/// Hangup.
pub(crate) const SIGHUP: u8 = 1;
/// Go on.
pub(crate) const SIGCONT: u8 = 18;
/// Background read.
pub(crate) const SIGTTIN: u8 = 21;
/// Background write or change.
pub(crate) const SIGTTOU: u8 = 22;
/// Size changed.
pub(crate) const SIGWINCH: u8 = 28;

const CAP_SYS_ADMIN: u32 = 21;

/// Whether `tid` has CAP_SYS_ADMIN.
pub(crate) fn capable_admin(k: &Kernel, tid: TaskId) -> bool {
    k.task(tid).creds.cap_effective >> CAP_SYS_ADMIN & 1 == 1
}

/// Sends a signal of the kernel (`SI_KERNEL`) to a process.
fn send(k: &mut Kernel, group: GroupId, signal: u8) {
    post(k, To::Process(group), SigInfo::kernel(signal));
}

/// Sends a signal of the kernel to every process of a group.
pub(crate) fn signal_pgrp(k: &mut Kernel, pgrp: GroupId, signal: u8) {
    post_pgrp(k, pgrp, &SigInfo::kernel(signal));
}

fn alive(k: &Kernel) -> impl Iterator<Item = &ThreadGroup> {
    k.groups.iter().map(|(_, group)| group).filter(|group| group.status.is_none())
}

/// Sends a signal to the foreground group of a terminal.
pub(crate) fn signal_foreground(k: &mut Kernel, id: TtyId, signal: u8) {
    if let Some(pgrp) = k.ttys.get(id).and_then(|tty| tty.pgrp) {
        signal_pgrp(k, pgrp, signal);
    }
}

fn ignores(k: &Kernel, tid: TaskId, signal: u8) -> bool {
    let task = k.task(tid);
    let blocked = task.blocked.0 >> (signal - 1) & 1 == 1;
    let action = k.sighands.get(task.sighand).and_then(|hand| hand.actions.get(usize::from(signal) - 1));
    blocked || action.is_some_and(|action| action.handler == 1)
}

/// Stops a caller that is in the background of its terminal (tty_check_change): `EIO` if that cannot help, else the
/// signal to its group and a restart.
pub(crate) fn check_change(ctx: &mut Ctx<'_>, id: TtyId, signal: u8) -> Result<(), Stop> {
    if ctx.group().tty != Some(id) {
        return Ok(());
    }
    let pgid = ctx.group().pgid;
    match ctx.k.ttys.get(id).and_then(|tty| tty.pgrp) {
        Some(foreground) if foreground != pgid => {}
        _ => return Ok(()),
    }
    if ignores(ctx.k, ctx.tid, signal) {
        return if signal == SIGTTIN { Err(Errno::EIO.into()) } else { Ok(()) };
    }
    if is_orphaned(ctx.k, pgid, None) {
        return Err(Errno::EIO.into());
    }
    signal_pgrp(ctx.k, pgid, signal);
    Err(Stop::Block(Wait::any(vec![WaitKey::Tty(id)], None, OnSignal::Restart)))
}

/// [`check_change`] for a read.
pub(crate) fn check_read(ctx: &mut Ctx<'_>, id: TtyId) -> Result<(), Stop> {
    check_change(ctx, id, SIGTTIN)
}

/// A session leader without a terminal gets this one, if it is nobody's.
pub(crate) fn adopt(k: &mut Kernel, tid: TaskId, id: TtyId) {
    let group = k.group(k.task(tid).group);
    let free = k.ttys.get(id).is_some_and(|tty| tty.session.is_none());
    if group.sid == group.id && group.tty.is_none() && free {
        take(k, tid, id);
    }
}

/// Makes the terminal the caller's controlling one, its group the foreground (proc_set_tty).
pub(crate) fn take(k: &mut Kernel, tid: TaskId, id: TtyId) {
    let group_id = k.task(tid).group;
    let group = k.group_mut(group_id);
    group.tty = Some(id);
    let (sid, pgid) = (group.sid, group.pgid);
    if let Some(tty) = k.ttys.get_mut(id) {
        tty.session = Some(sid);
        tty.pgrp = Some(pgid);
    }
}

/// Nobody has the terminal as controlling one any more.
pub(crate) fn forget_terminal(k: &mut Kernel, id: TtyId) {
    let members: Vec<GroupId> =
        k.groups.iter().filter(|(_, group)| group.tty == Some(id)).map(|(gid, _)| gid).collect();
    for member in members {
        k.group_mut(member).tty = None;
    }
    if let Some(tty) = k.ttys.get_mut(id) {
        tty.session = None;
        tty.pgrp = None;
    }
}

/// The line is cut: the session's leader gets SIGHUP and SIGCONT, open files are dead (tty_vhangup).
pub(crate) fn hangup(k: &mut Kernel, id: TtyId) {
    let Some(tty) = k.ttys.get_mut(id) else { return };
    tty.hangups += 1;
    tty.ld = crate::file::ldisc::Ldisc::default();
    let session = tty.session;
    let leaders: Vec<GroupId> = alive(k)
        .filter(|group| Some(group.sid) == session && group.id == group.sid)
        .map(|group| group.id)
        .collect();
    forget_terminal(k, id);
    for leader in leaders {
        send(k, leader, SIGHUP);
        send(k, leader, SIGCONT);
    }
    k.wake(WaitKey::Tty(id));
}

/// `vhangup(2)`: hangs up the caller's terminal.
pub fn vhangup(k: &mut Kernel, tid: TaskId) {
    if let Some(id) = k.group(k.task(tid).group).tty {
        hangup(k, id);
    }
}

/// TIOCNOTTY: the process gives up its terminal; a leader takes it from the whole session.
pub(crate) fn give_up(k: &mut Kernel, group_id: GroupId) {
    let group = k.group_mut(group_id);
    let (Some(id), leader) = (group.tty.take(), group.sid == group.id) else { return };
    if leader {
        let foreground = k.ttys.get(id).and_then(|tty| tty.pgrp);
        forget_terminal(k, id);
        if let Some(pgrp) = foreground {
            signal_pgrp(k, pgrp, SIGHUP);
            signal_pgrp(k, pgrp, SIGCONT);
        }
    }
}

/// A process ends: if it leads a session with a terminal, the foreground group gets SIGHUP and the session loses it.
pub fn process_exits(k: &mut Kernel, group_id: GroupId) {
    let Some(group) = k.groups.get_mut(group_id) else { return };
    let Some(id) = group.tty else { return };
    if group.sid != group.id {
        return;
    }
    let foreground = k.ttys.get(id).and_then(|tty| tty.pgrp);
    if k.ttys.get(id).is_some_and(|tty| tty.wire == Wire::Master) {
        forget_terminal(k, id);
    } else {
        // The host's terminal is a line of its own: it is hung up for the session (tty_vhangup_session).
        hangup(k, id);
    }
    if let Some(pgrp) = foreground {
        signal_pgrp(k, pgrp, SIGHUP);
    }
}
