//! Processes: making, ending, waiting, process groups and sessions (fork(2), wait(2), setpgid(2) ...).

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, Len, Pid, U32, U64};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::task::fork::{self, CloneArgs, flag};
use crate::task::reap::{self, Found, Looked, Who, option};
use crate::task::sighand::sig;
use crate::task::wait::{Wait, WaitKey};
use crate::task::{GroupId, Usage, creds, exit, pids};

/// `clone(2)`
pub(crate) fn clone(
    ctx: &mut Ctx<'_>,
    flags: U64,
    stack: Addr,
    parent_tid: Addr,
    child_tid: Addr,
    tls: Addr,
) -> SysResult {
    // The low byte is the exit signal; the pidfd goes where the parent's word would.
    let exit_signal = u8::try_from(flags.0 & 0xff).unwrap_or(0);
    let args = CloneArgs {
        flags: flags.0 & 0xffff_ff00,
        pidfd: parent_tid.0,
        child_tid: child_tid.0,
        parent_tid: parent_tid.0,
        exit_signal,
        stack: stack.0,
        tls: tls.0,
        set_tid: None,
    };
    if args.flags & flag::PIDFD != 0 && args.flags & flag::PARENT_SETTID != 0 {
        return Err(Errno::EINVAL.into());
    }
    fork::clone(ctx, &args)
}

/// `fork(2)`
pub(crate) fn fork(ctx: &mut Ctx<'_>) -> SysResult {
    fork::clone(ctx, &fork::fork_args())
}

/// `vfork(2)`
pub(crate) fn vfork(ctx: &mut Ctx<'_>) -> SysResult {
    fork::clone(ctx, &CloneArgs { flags: flag::VFORK | flag::VM, ..fork::fork_args() })
}

/// `clone3(2)`
pub(crate) fn clone3(ctx: &mut Ctx<'_>, cl_args: Addr, size: Len) -> SysResult {
    const VER0: u64 = 64;
    const VER2: usize = 88;
    if size.0 > 4096 {
        return Err(Errno::E2BIG.into());
    }
    if size.0 < VER0 {
        return Err(Errno::EINVAL.into());
    }
    let len = usize::try_from(size.0).unwrap_or(4096);
    let mut bytes = [0u8; 4096];
    ctx.read_user(cl_args, &mut bytes[..len])?;
    if bytes[VER2..len.max(VER2)].iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG.into());
    }
    let word = |i: usize| {
        let mut quad = [0; 8];
        quad.copy_from_slice(&bytes[8 * i..8 * i + 8]);
        u64::from_le_bytes(quad)
    };
    let (flags, stack, stack_size) = (word(0), word(5), word(6));
    let (set_tid, set_tid_size) = (word(8), word(9));
    if set_tid_size > 32 || (set_tid == 0) != (set_tid_size == 0) {
        return Err(Errno::EINVAL.into());
    }
    let exit_signal = u8::try_from(word(4)).ok().filter(|signo| *signo <= sig::MAX).ok_or(Errno::EINVAL)?;
    let known = (0x1_0000_0000u64 - 0x100) | flag::CLEAR_SIGHAND | flag::INTO_CGROUP | flag::NEWTIME;
    let wrong = flags & !known != 0
        || flags & flag::DETACHED != 0
        || (flags & (flag::THREAD | flag::PARENT) != 0 && exit_signal != 0)
        || (stack == 0) != (stack_size == 0);
    if wrong {
        return Err(Errno::EINVAL.into());
    }
    let set_tid = if set_tid_size == 0 {
        None
    } else if set_tid_size > 1 {
        // One entry a level of pid namespaces; there is one level.
        return Err(Errno::EINVAL.into());
    } else {
        Some(ctx.read_u32(Addr(set_tid))?.cast_signed())
    };
    let args = CloneArgs {
        flags,
        pidfd: word(1),
        child_tid: word(2),
        parent_tid: word(3),
        exit_signal,
        stack: stack.wrapping_add(stack_size),
        tls: word(7),
        set_tid,
    };
    fork::clone(ctx, &args)
}

/// `unshare(2)`
pub(crate) fn unshare(ctx: &mut Ctx<'_>, flags: U64) -> SysResult {
    fork::unshare(ctx, flags.0)
}

/// `setns(2)`
pub(crate) fn setns(ctx: &mut Ctx<'_>, fd: crate::arg::Fd, nstype: I32) -> SysResult {
    use crate::file::File;
    let id = ctx.fd(fd)?;
    let wanted = u64::from(nstype.0.cast_unsigned());
    let spaces = match &ctx.file(id).kind {
        File::Ns(ns) => {
            if wanted != 0 && wanted != ns.flag {
                return Err(Errno::EINVAL.into());
            }
            vec![*ns]
        }
        File::PidFd(pidfd) => {
            if wanted == 0 || wanted & !(flag::NAMESPACES | flag::NEWTIME) != 0 {
                return Err(Errno::EINVAL.into());
            }
            let group = ctx.k.groups.get(pidfd.group).filter(|group| group.status.is_none());
            let target = group.ok_or(Errno::ESRCH)?.leader();
            crate::task::ptrace::may_access(ctx.k, ctx.tid, target)?;
            let kinds = crate::file::ns::KINDS.iter();
            kinds
                .filter(|(name, flag, _)| wanted & flag != 0 && !name.ends_with("_for_children"))
                .filter_map(|(name, ..)| crate::file::ns::of_task(ctx.k, target, name))
                .collect()
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    for ns in &spaces {
        // One's own user namespace cannot be entered again.
        if ns.flag == flag::NEWUSER {
            return Err(Errno::EINVAL.into());
        }
        creds::need(&ctx.task().creds, creds::cap::SYS_ADMIN)?;
        let threads = ctx.group().threads.len();
        let shared = ctx.k.fs_contexts.get(ctx.task().fs).is_some_and(|fs| fs.users > 1);
        if ns.flag == flag::NEWNS && shared || ns.flag == flag::NEWTIME && threads > 1 {
            return Err(if ns.flag == flag::NEWNS { Errno::EINVAL } else { Errno::EUSERS }.into());
        }
    }
    for ns in spaces {
        if let Some(root) = ns.root {
            if !ctx.k.vfs.mounts.contains(root.mount) {
                return Err(Errno::EINVAL.into());
            }
            let id = ctx.task().fs;
            let old = ctx.k.fs_contexts.get(id).map(|fs| fs.root.mount);
            if let Some(fs) = ctx.k.fs_contexts.get_mut(id) {
                fs.root = root;
                fs.cwd = root;
            }
            crate::vfs::tree::sweep_orphans(ctx.k);
            if let Some(old) = old {
                crate::vfs::mount::leave_namespace(ctx.k, old);
            }
        }
        if ns.flag == flag::NEWTIME {
            let task = ctx.task_mut();
            task.time = ns.time;
            task.children_time = None;
        }
    }
    Ok(0)
}

/// `exit(2)`: of the thread.
pub(crate) fn exit(ctx: &mut Ctx<'_>, status: I32) -> SysResult {
    exit::exit_thread(ctx.k, ctx.host, ctx.tid, exit::exited(status.0));
    Err(Stop::NoReturn)
}

/// `exit_group(2)`
pub(crate) fn exit_group(ctx: &mut Ctx<'_>, status: I32) -> SysResult {
    exit::exit_group(ctx.k, ctx.host, ctx.tid, exit::exited(status.0));
    Err(Stop::NoReturn)
}

/// The 144 bytes of `struct rusage`.
pub(crate) fn rusage_bytes(usage: &Usage) -> [u8; 144] {
    let mut words = [0u64; 18];
    words[0] = usage.user_ns / 1_000_000_000;
    words[1] = usage.user_ns % 1_000_000_000 / 1000;
    words[2] = usage.system_ns / 1_000_000_000;
    words[3] = usage.system_ns % 1_000_000_000 / 1000;
    words[4] = usage.max_resident * 4;
    words[8] = usage.minor_faults;
    words[9] = usage.major_faults;
    words[16] = usage.voluntary;
    words[17] = usage.involuntary;
    let mut bytes = [0; 144];
    for (slot, word) in bytes.chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// Looks for a child, and waits if there may be one. `None`: nothing changed and `WNOHANG`.
fn wait_for(ctx: &mut Ctx<'_>, who: Who, options: u32) -> Result<Option<Found>, Stop> {
    match reap::look(ctx.k, ctx.tid, who, options) {
        Looked::Found(found) => Ok(Some(found)),
        Looked::NoChild => Err(Errno::ECHILD.into()),
        Looked::NotYet if options & option::NOHANG != 0 => Ok(None),
        Looked::NotYet => Err(Stop::Block(Wait::on(WaitKey::Child(ctx.task().group)))),
    }
}

/// `wait4(2)`
pub(crate) fn wait4(ctx: &mut Ctx<'_>, pid: Pid, wstatus: Addr, options: I32, rusage: Addr) -> SysResult {
    let options = options.0.cast_unsigned();
    let known = option::NOHANG
        | option::UNTRACED
        | option::CONTINUED
        | option::NOTHREAD
        | option::CLONE
        | option::ALL;
    if options & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    let who = match pid.0 {
        i32::MIN => return Err(Errno::ESRCH.into()),
        -1 => Who::Any,
        0 => Who::ProcessGroup(ctx.group().pgid),
        pid if pid < 0 => Who::ProcessGroup(GroupId(pid.unsigned_abs())),
        pid => Who::Process(GroupId(pid.unsigned_abs())),
    };
    let Some(found) = wait_for(ctx, who, options | option::EXITED)? else { return Ok(0) };
    if let Some(wstatus) = wstatus.non_null() {
        ctx.write_u32(wstatus, found.status)?;
    }
    if let Some(rusage) = rusage.non_null() {
        ctx.write_user(rusage, &rusage_bytes(&found.usage))?;
    }
    Ok(u64::from(found.child.0))
}

/// `waitid(2)`
pub(crate) fn waitid(
    ctx: &mut Ctx<'_>,
    idtype: I32,
    id: Pid,
    infop: Addr,
    options: I32,
    rusage: Addr,
) -> SysResult {
    let options = options.0.cast_unsigned();
    let wanted = option::EXITED | option::STOPPED | option::CONTINUED;
    let known = wanted | option::NOHANG | option::NOWAIT | option::NOTHREAD | option::CLONE | option::ALL;
    if options & !known != 0 || options & wanted == 0 {
        return Err(Errno::EINVAL.into());
    }
    let who = match idtype.0 {
        0 => Who::Any,
        1 if id.0 > 0 => Who::Process(GroupId(id.0.unsigned_abs())),
        2 if id.0 == 0 => Who::ProcessGroup(ctx.group().pgid),
        2 if id.0 > 0 => Who::ProcessGroup(GroupId(id.0.unsigned_abs())),
        3 if id.0 >= 0 => Who::Process(super::pidfd::process(ctx, crate::arg::Fd(id.0))?),
        _ => return Err(Errno::EINVAL.into()),
    };
    let found = match wait_for(ctx, who, options) {
        // A pidfd that does not block makes the wait not block (pidfd_open(2)).
        Err(Stop::Block(_)) if idtype.0 == 3 && super::pidfd::nonblocking(ctx, crate::arg::Fd(id.0)) => {
            return Err(Errno::EAGAIN.into());
        }
        found => found?,
    };
    if let (Some(found), Some(rusage)) = (&found, rusage.non_null()) {
        ctx.write_user(rusage, &rusage_bytes(&found.usage))?;
    }
    if let Some(infop) = infop.non_null() {
        let mut bytes = [0u8; 28];
        if let Some(found) = &found {
            let signo = i32::from(sig::CHLD);
            let pid = found.child.0.cast_signed();
            let fields = [signo, 0, found.code, 0, pid, found.uid.cast_signed(), found.si_status];
            for (slot, field) in bytes.chunks_exact_mut(4).zip(fields) {
                slot.copy_from_slice(&field.to_le_bytes());
            }
        }
        ctx.write_user(infop, &bytes)?;
    }
    Ok(0)
}

/// `getpid(2)`
pub(crate) fn getpid(ctx: &mut Ctx<'_>) -> SysResult {
    Ok(u64::from(ctx.task().group.0))
}

/// `gettid(2)`
pub(crate) fn gettid(ctx: &mut Ctx<'_>) -> SysResult {
    Ok(u64::from(ctx.tid.0))
}

/// `getppid(2)`
pub(crate) fn getppid(ctx: &mut Ctx<'_>) -> SysResult {
    Ok(u64::from(ctx.group().parent.map_or(pids::INIT_PID, |parent| parent.0)))
}

/// `set_tid_address(2)`
pub(crate) fn set_tid_address(ctx: &mut Ctx<'_>, tidptr: Addr) -> SysResult {
    ctx.task_mut().clear_child_tid = tidptr.0;
    Ok(u64::from(ctx.tid.0))
}

/// The process that a number names, threads' numbers included, 0 meaning the caller's. `ESRCH`.
fn process(ctx: &Ctx<'_>, pid: i32) -> Result<GroupId, Errno> {
    Ok(ctx.k.task(ctx.k.find_task_or_self(pid, ctx.tid)?).group)
}

/// `setpgid(2)`
pub(crate) fn setpgid(ctx: &mut Ctx<'_>, pid: Pid, pgid: Pid) -> SysResult {
    let me = ctx.task().group;
    let target = if pid.0 == 0 { me.0.cast_signed() } else { pid.0 };
    let wanted = if pgid.0 == 0 { target } else { pgid.0 };
    if wanted < 0 {
        return Err(Errno::EINVAL.into());
    }
    let task = ctx.k.find_task(target)?;
    let gid = ctx.k.task(task).group;
    if gid.0 != task.0 {
        return Err(Errno::EINVAL.into());
    }
    let mine = ctx.group();
    let group = ctx.k.group(gid);
    if gid != me {
        if group.parent != Some(me) {
            return Err(Errno::ESRCH.into());
        }
        if group.sid != mine.sid {
            return Err(Errno::EPERM.into());
        }
        if group.has_execed {
            return Err(Errno::EACCES.into());
        }
    }
    if group.sid == group.id {
        return Err(Errno::EPERM.into());
    }
    let wanted = GroupId(wanted.unsigned_abs());
    if wanted != gid {
        let sid = mine.sid;
        let exists = ctx.k.groups.iter().any(|(_, other)| other.pgid == wanted && other.sid == sid);
        if !exists {
            return Err(Errno::EPERM.into());
        }
    }
    ctx.k.group_mut(gid).pgid = wanted;
    Ok(0)
}

/// `getpgid(2)`
pub(crate) fn getpgid(ctx: &mut Ctx<'_>, pid: Pid) -> SysResult {
    Ok(u64::from(ctx.k.group(process(ctx, pid.0)?).pgid.0))
}

/// `getpgrp(2)`
pub(crate) fn getpgrp(ctx: &mut Ctx<'_>) -> SysResult {
    Ok(u64::from(ctx.group().pgid.0))
}

/// `getsid(2)`
pub(crate) fn getsid(ctx: &mut Ctx<'_>, pid: Pid) -> SysResult {
    Ok(u64::from(ctx.k.group(process(ctx, pid.0)?).sid.0))
}

/// `setsid(2)`
pub(crate) fn setsid(ctx: &mut Ctx<'_>) -> SysResult {
    let me = ctx.task().group;
    if ctx.k.groups.iter().any(|(_, group)| group.pgid == me) {
        return Err(Errno::EPERM.into());
    }
    let group = ctx.group_mut();
    group.sid = me;
    group.pgid = me;
    group.tty = None;
    Ok(u64::from(me.0))
}

/// `kcmp(2)`
pub(crate) fn kcmp(ctx: &mut Ctx<'_>, pid1: Pid, pid2: Pid, type_: I32, idx1: U64, idx2: U64) -> SysResult {
    let first = ctx.k.task(ctx.k.find_task(pid1.0)?);
    let second = ctx.k.task(ctx.k.find_task(pid2.0)?);
    let privileged = creds::has(&ctx.task().creds, creds::cap::SYS_PTRACE);
    let uid = ctx.task().creds.uid[0];
    if !privileged && [first, second].iter().any(|task| task.creds.uid[0] != uid) {
        return Err(Errno::EPERM.into());
    }
    let file = |task: &crate::task::Task, fd: u64| {
        let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
        let table = ctx.k.fd_tables.get(task.fds).ok_or(Errno::EBADF)?;
        table.fds.get(&fd).map(|descriptor| descriptor.file.0).ok_or(Errno::EBADF)
    };
    let none = u32::MAX;
    let (a, b) = match type_.0 {
        0 => (file(first, idx1.0)?, file(second, idx2.0)?),
        1 => (first.mm.map_or(none, |id| id.0), second.mm.map_or(none, |id| id.0)),
        2 => (first.fds.0, second.fds.0),
        3 => (first.fs.0, second.fs.0),
        4 => (first.sighand.0, second.sighand.0),
        // No task has an I/O context or a System V undo list beside itself: nothing is the same as nothing.
        5 | 6 => (0, 0),
        7 => {
            // KCMP_EPOLL_TFD: idx2 is a struct kcmp_epoll_slot: epoll's descriptor, the watched one, which of its kind.
            let slot = Addr(idx2.0);
            let (first, second) = (first.tid, second.tid);
            let (efd, tfd) = (ctx.read_u32(slot)?, ctx.read_u32(slot.at(4))?.cast_signed());
            let nth = ctx.read_u32(slot.at(8))?;
            let file = |tid, fd: u64| {
                let fd = i32::try_from(fd).map_err(|_| Errno::EBADF)?;
                let table = ctx.k.fd_tables.get(ctx.k.task(tid).fds).ok_or(Errno::EBADF)?;
                table.fds.get(&fd).map(|descriptor| descriptor.file).ok_or(Errno::EBADF)
            };
            let (mine, epoll) = (file(first, idx1.0)?, file(second, u64::from(efd))?);
            let crate::file::File::Epoll(epoll) = ctx.file(epoll).kind else {
                return Err(Errno::EINVAL.into());
            };
            let found = crate::file::epoll::target(ctx.k, epoll.epoll, tfd, nth).ok_or(Errno::ENOENT)?;
            (mine.0, found.0)
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    Ok(match a.cmp(&b) {
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Less => 1,
        std::cmp::Ordering::Greater => 2,
    })
}

/// `umask(2)`
pub(crate) fn umask(ctx: &mut Ctx<'_>, mask: U32) -> SysResult {
    let id = ctx.task().fs;
    let fs = ctx.k.fs_contexts.get_mut(id).ok_or(Errno::EINVAL)?;
    let old = std::mem::replace(&mut fs.umask, mask.0 & 0o777);
    Ok(u64::from(old))
}
