//! Signals: dispositions, masks, sending, waiting (sigaction(2), kill(2), sigqueue(3) ...).

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, Len, Pid};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::task::sighand::{SigAction, SigInfo, SigSet, sa, si, sig};
use crate::task::signal::{self, To};
use crate::task::wait::{OnSignal, Wait, WaitKey};
use crate::task::{GroupId, TaskId, deliver, frame, init};

fn sigset_size(size: Len) -> Result<(), Errno> {
    if size.0 == 8 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// A signal number to send: 0 is allowed and only checks. `EINVAL`.
fn number(signo: i32) -> Result<u8, Errno> {
    u8::try_from(signo).ok().filter(|n| *n <= sig::MAX).ok_or(Errno::EINVAL)
}

/// `rt_sigaction(2)`
pub(crate) fn rt_sigaction(
    ctx: &mut Ctx<'_>,
    signum: I32,
    act: Addr,
    oldact: Addr,
    sigsetsize: Len,
) -> SysResult {
    sigset_size(sigsetsize)?;
    let new = match act.non_null() {
        None => None,
        Some(act) => Some(SigAction {
            handler: ctx.read_u64(act)?,
            flags: ctx.read_u64(act.at(8))? & sa::KNOWN,
            restorer: ctx.read_u64(act.at(16))?,
            mask: SigSet(ctx.read_u64(act.at(24))?).minus(SigSet::UNBLOCKABLE),
        }),
    };
    let signo = number(signum.0)?;
    if signo == 0 || (new.is_some() && SigSet::UNBLOCKABLE.contains(signo)) {
        return Err(Errno::EINVAL.into());
    }
    let id = ctx.task().sighand;
    let sighand = ctx.k.sighands.get_mut(id).ok_or(Errno::EINVAL)?;
    let old = sighand.action(signo);
    if let Some(new) = new {
        sighand.set(signo, new);
        if new.ignores(signo) {
            // POSIX: pending signals that are now ignored are thrown away.
            let set = SigSet::EMPTY.with(signo);
            ctx.group_mut().pending.flush(set);
            for tid in ctx.group().threads.clone() {
                if let Some(task) = ctx.k.tasks.get_mut(tid) {
                    task.pending.flush(set);
                }
            }
        }
    }
    if let Some(oldact) = oldact.non_null() {
        let mut bytes = [0; 32];
        for (slot, word) in bytes.chunks_exact_mut(8).zip([old.handler, old.flags, old.restorer, old.mask.0])
        {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        ctx.write_user(oldact, &bytes)?;
    }
    Ok(0)
}

/// `rt_sigprocmask(2)`
pub(crate) fn rt_sigprocmask(
    ctx: &mut Ctx<'_>,
    how: I32,
    set: Addr,
    oldset: Addr,
    sigsetsize: Len,
) -> SysResult {
    sigset_size(sigsetsize)?;
    let old = ctx.task().blocked;
    if let Some(set) = set.non_null() {
        let set = SigSet(ctx.read_u64(set)?);
        let new = match how.0 {
            0 => old.or(set),
            1 => old.minus(set),
            2 => set,
            _ => return Err(Errno::EINVAL.into()),
        };
        signal::set_blocked(ctx.k, ctx.tid, new);
    }
    if let Some(oldset) = oldset.non_null() {
        ctx.write_u64(oldset, old.0)?;
    }
    Ok(0)
}

/// `rt_sigreturn(2)`
pub(crate) fn rt_sigreturn(ctx: &mut Ctx<'_>) -> SysResult {
    frame::sigreturn(ctx);
    Err(Stop::NoReturn)
}

/// `rt_sigpending(2)`
pub(crate) fn rt_sigpending(ctx: &mut Ctx<'_>, set: Addr, sigsetsize: Len) -> SysResult {
    if sigsetsize.0 > 8 {
        return Err(Errno::EINVAL.into());
    }
    let task = ctx.task();
    let pending = task.pending.set.or(ctx.group().pending.set).and(task.blocked);
    let len = usize::try_from(sigsetsize.0).unwrap_or(8);
    ctx.write_user(set, &pending.0.to_le_bytes()[..len])?;
    Ok(0)
}

/// `rt_sigsuspend(2)`
pub(crate) fn rt_sigsuspend(ctx: &mut Ctx<'_>, mask: Addr, sigsetsize: Len) -> SysResult {
    sigset_size(sigsetsize)?;
    if ctx.call.runs <= 1 {
        let mask = SigSet(ctx.read_u64(mask)?);
        signal::set_temporary_mask(ctx.k, ctx.tid, mask);
    }
    Err(Stop::Block(Wait::any(vec![WaitKey::Never], None, OnSignal::RestartNoHandler)))
}

/// `pause(2)`
pub(crate) fn pause(_ctx: &mut Ctx<'_>) -> SysResult {
    Err(Stop::Block(Wait::any(vec![WaitKey::Never], None, OnSignal::RestartNoHandler)))
}

/// `rt_sigtimedwait(2)`
pub(crate) fn rt_sigtimedwait(
    ctx: &mut Ctx<'_>,
    set: Addr,
    info: Addr,
    timeout: Addr,
    sigsetsize: Len,
) -> SysResult {
    sigset_size(sigsetsize)?;
    let wanted = SigSet(ctx.read_u64(set)?).minus(SigSet::UNBLOCKABLE);
    let mut limit = None;
    if let Some(timeout) = timeout.non_null() {
        limit = Some(ctx.read_timespec(timeout)?);
    }
    let everything_else = SigSet(!wanted.0);
    if let Some(found) = deliver::dequeue(ctx.k, ctx.host, ctx.tid, everything_else) {
        if let Some(info) = info.non_null() {
            ctx.write_user(info, &found.to_bytes())?;
        }
        return Ok(u64::from(found.signo));
    }
    if let Some(limit) = limit {
        let now = ctx.now_ns();
        let deadline = *ctx.call.deadline_ns.get_or_insert(now.saturating_add(limit));
        if limit == 0 || now >= deadline {
            return Err(Errno::EAGAIN.into());
        }
    }
    // Senders look here for signals that would be ignored but are waited for.
    ctx.call.done = wanted.0;
    let gid = ctx.task().group;
    Err(Stop::Block(Wait::any(vec![WaitKey::Signal(gid)], ctx.call.deadline_ns, OnSignal::Eintr)))
}

fn user_info(ctx: &Ctx<'_>, signo: u8, code: i32) -> SigInfo {
    SigInfo::user(signo, code, ctx.task().group.0, ctx.task().creds.uid[0])
}

fn leader(gid: GroupId) -> TaskId {
    TaskId(gid.0)
}

/// `kill(2)`
pub(crate) fn kill(ctx: &mut Ctx<'_>, pid: Pid, sig: I32) -> SysResult {
    let targets = match pid.0 {
        1.. => {
            // The number of a thread names its process.
            let gid = ctx.k.find_group(pid.0)?;
            let signo = number(sig.0)?;
            signal::may_signal(ctx.k, ctx.tid, leader(gid), signo)?;
            send_checked(ctx, gid, signo)?;
            return Ok(0);
        }
        -1 => {
            let me = ctx.task().group;
            ctx.k.groups.ids().filter(|gid| *gid != me && !init::is_kernels_group(*gid)).collect()
        }
        0 => ctx.k.group_members(ctx.group().pgid),
        i32::MIN => return Err(Errno::ESRCH.into()),
        other => ctx.k.group_members(GroupId(other.unsigned_abs())),
    };
    let signo = number(sig.0)?;
    if targets.is_empty() {
        return Err(Errno::ESRCH.into());
    }
    let mut result = Err(Errno::ESRCH);
    for gid in targets {
        match signal::may_signal(ctx.k, ctx.tid, leader(gid), signo) {
            Ok(()) => {
                send_checked(ctx, gid, signo)?;
                result = Ok(0);
            }
            Err(errno) if result.is_err() => result = Err(errno),
            Err(_) => {}
        }
    }
    Ok(result?)
}

fn send_checked(ctx: &mut Ctx<'_>, gid: GroupId, signo: u8) -> Result<(), Errno> {
    if signo == 0 {
        return Ok(());
    }
    let info = user_info(ctx, signo, si::USER);
    signal::send(ctx.k, To::Process(gid), info)
}

fn send_to_thread(ctx: &mut Ctx<'_>, tgid: Option<i32>, tid: i32, info: SigInfo) -> SysResult {
    let target = ctx.k.find_task(tid)?;
    if tgid.is_some_and(|tgid| i32::try_from(ctx.k.task(target).group.0) != Ok(tgid)) {
        return Err(Errno::ESRCH.into());
    }
    signal::may_signal(ctx.k, ctx.tid, target, info.signo)?;
    if info.signo != 0 {
        signal::send(ctx.k, To::Thread(target), info)?;
    }
    Ok(0)
}

/// `tkill(2)`
pub(crate) fn tkill(ctx: &mut Ctx<'_>, tid: Pid, sig: I32) -> SysResult {
    if tid.0 <= 0 {
        return Err(Errno::EINVAL.into());
    }
    let target = ctx.k.find_task(tid.0);
    let signo = number(sig.0);
    target?;
    let info = user_info(ctx, signo?, si::TKILL);
    send_to_thread(ctx, None, tid.0, info)
}

/// `tgkill(2)`
pub(crate) fn tgkill(ctx: &mut Ctx<'_>, tgid: Pid, tid: Pid, sig: I32) -> SysResult {
    if tid.0 <= 0 || tgid.0 <= 0 {
        return Err(Errno::EINVAL.into());
    }
    ctx.k.find_task(tid.0)?;
    let info = user_info(ctx, number(sig.0)?, si::TKILL);
    send_to_thread(ctx, Some(tgid.0), tid.0, info)
}

fn read_info(ctx: &mut Ctx<'_>, sig: I32, info: Addr) -> Result<SigInfo, Errno> {
    let mut bytes = [0; 128];
    ctx.read_user(info, &mut bytes)?;
    Ok(SigInfo::from_bytes(number(sig.0)?, &bytes))
}

/// Nobody but the kernel and `kill` may claim to be them, except towards oneself.
fn check_forged(info: &SigInfo, to_self: bool) -> Result<(), Errno> {
    if (info.code >= 0 || info.code == si::TKILL) && !to_self { Err(Errno::EPERM) } else { Ok(()) }
}

/// `rt_sigqueueinfo(2)`
pub(crate) fn rt_sigqueueinfo(ctx: &mut Ctx<'_>, tgid: Pid, sig: I32, info: Addr) -> SysResult {
    let info = read_info(ctx, sig, info)?;
    let me = ctx.task().group.0;
    check_forged(&info, u32::try_from(tgid.0) == Ok(me))?;
    let gid = ctx.k.find_group(tgid.0)?;
    signal::may_signal(ctx.k, ctx.tid, leader(gid), info.signo)?;
    if info.signo != 0 {
        signal::send(ctx.k, To::Process(gid), info)?;
    }
    Ok(0)
}

/// Sends a signal to the process behind a pidfd: as `kill`, or with the given information.
pub(crate) fn send_to_process(ctx: &mut Ctx<'_>, gid: GroupId, sig: I32, info: Addr) -> SysResult {
    let info = if info == Addr::NULL {
        user_info(ctx, number(sig.0)?, si::USER)
    } else {
        let signo = ctx.read_u32(info)?;
        if signo != sig.0.cast_unsigned() {
            return Err(Errno::EINVAL.into());
        }
        let info = read_info(ctx, sig, info)?;
        check_forged(&info, gid == ctx.task().group)?;
        info
    };
    if !ctx.k.groups.contains(gid) {
        return Err(Errno::ESRCH.into());
    }
    signal::may_signal(ctx.k, ctx.tid, leader(gid), info.signo)?;
    if info.signo != 0 {
        signal::send(ctx.k, To::Process(gid), info)?;
    }
    Ok(0)
}

/// `rt_tgsigqueueinfo(2)`
pub(crate) fn rt_tgsigqueueinfo(ctx: &mut Ctx<'_>, tgid: Pid, tid: Pid, sig: I32, info: Addr) -> SysResult {
    let info = read_info(ctx, sig, info)?;
    if tid.0 <= 0 || tgid.0 <= 0 {
        return Err(Errno::EINVAL.into());
    }
    check_forged(&info, u32::try_from(tid.0) == Ok(ctx.tid.0))?;
    send_to_thread(ctx, Some(tgid.0), tid.0, info)
}

/// `sigaltstack(2)`
pub(crate) fn sigaltstack(ctx: &mut Ctx<'_>, ss: Addr, old_ss: Addr) -> SysResult {
    let sp = ctx.k.user_regs(ctx.tid).sp;
    let old = ctx.task().altstack;
    if let Some(ss) = ss.non_null() {
        let base = ctx.read_u64(ss)?;
        let flags = ctx.read_u32(ss.at(8))?;
        let size = ctx.read_u64(ss.at(16))?;
        frame::set_altstack(ctx.k, ctx.tid, (base, size, flags), sp)?;
    }
    if let Some(old_ss) = old_ss.non_null() {
        let state = frame::altstack_state(old, sp) | old.2 & frame::SS_AUTODISARM;
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&old.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&state.to_le_bytes());
        bytes[16..].copy_from_slice(&old.1.to_le_bytes());
        ctx.write_user(old_ss, &bytes)?;
    }
    Ok(0)
}

/// `restart_syscall(2)`: goes on with the call that a signal without handler interrupted.
pub(crate) fn restart_syscall(ctx: &mut Ctx<'_>) -> SysResult {
    if ctx.call.runs <= 1 {
        match ctx.task_mut().restart_call.take() {
            Some(call) => ctx.call = call,
            None => return Err(Errno::EINTR.into()),
        }
    }
    let (Ok(nr), args) = (u32::try_from(ctx.call.nr & 0xffff_ffff), ctx.call.args) else {
        return Err(Errno::EINTR.into());
    };
    if nr == NR_RESTART_SYSCALL {
        return Err(Errno::EINTR.into());
    }
    crate::table::dispatch(ctx, nr, args)
}

const NR_RESTART_SYSCALL: u32 = 219;
