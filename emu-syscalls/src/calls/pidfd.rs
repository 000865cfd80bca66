//! `pidfd_open(2)`, `pidfd_getfd(2)`, `pidfd_send_signal(2)`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, Pid, U32};
use crate::calls::desc::fd_result;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::fdtable::{get_file, put_file};
use crate::file::pidfd::PidFdFile;
use crate::file::{File, flags};
use crate::task::{GroupId, TaskId};
use crate::vfs::InodeKind;
use crate::vfs::synth::Synth;

/// `CAP_SYS_PTRACE`
const CAP_SYS_PTRACE: u64 = 1 << 19;

/// `pidfd_open(2)`
pub(crate) fn pidfd_open(ctx: &mut Ctx<'_>, pid: Pid, flags: U32) -> SysResult {
    const PIDFD_THREAD: u32 = flags::O_EXCL;
    if flags.0 & !(flags::O_NONBLOCK | PIDFD_THREAD) != 0 || pid.0 <= 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags.0 & PIDFD_THREAD != 0 {
        return Err(Stop::Unsupported("pidfd_open PIDFD_THREAD"));
    }
    let number = pid.0.cast_unsigned();
    if !ctx.k.groups.contains(GroupId(number)) {
        let thread = ctx.k.tasks.contains(TaskId(number));
        return Err(if thread { Errno::EINVAL } else { Errno::ESRCH }.into());
    }
    let file = File::PidFd(PidFdFile::new(ctx.k, GroupId(number)));
    let fd = ctx.install(file, flags::O_RDWR | flags.0 & flags::O_NONBLOCK, true)?;
    Ok(fd_result(fd))
}

/// A descriptor of a process that a socket knows. `ESRCH` if it is gone.
pub(crate) fn install(ctx: &mut Ctx<'_>, group: GroupId) -> Result<Fd, Errno> {
    if !ctx.k.groups.contains(group) {
        return Err(Errno::ESRCH);
    }
    let file = File::PidFd(PidFdFile::new(ctx.k, group));
    ctx.install(file, flags::O_RDWR, true)
}

/// The process behind a pidfd. `EBADF`.
pub(crate) fn process(ctx: &Ctx<'_>, pidfd: Fd) -> Result<GroupId, Errno> {
    let id = ctx.fd(pidfd)?;
    match &ctx.file(id).kind {
        File::PidFd(file) => Ok(file.group),
        _ => Err(Errno::EBADF),
    }
}

/// Whether a pidfd was opened with `PIDFD_NONBLOCK`.
pub(crate) fn nonblocking(ctx: &Ctx<'_>, pidfd: Fd) -> bool {
    ctx.fd(pidfd).is_ok_and(|id| ctx.file(id).flags & flags::O_NONBLOCK != 0)
}

/// The process that a descriptor of /proc/PID names, which passes for a pidfd where signals are sent.
fn process_of_directory(ctx: &Ctx<'_>, pidfd: Fd) -> Option<GroupId> {
    let loc = ctx.file(ctx.fd(pidfd).ok()?).loc?;
    match &ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).kind {
        InodeKind::Synth(Synth::Proc(node)) => node.process_directory().map(|tid| GroupId(tid.0)),
        _ => None,
    }
}

/// `process_mrelease(2)`: a process that dies has given its memory back already, so there never is one to be helped.
pub(crate) fn process_mrelease(ctx: &mut Ctx<'_>, pidfd: Fd, flags: U32) -> SysResult {
    if flags.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let group = process(ctx, pidfd)?;
    let alive = ctx.k.groups.get(group).is_some_and(|group| group.status.is_none());
    Err(if alive { Errno::EINVAL } else { Errno::ESRCH }.into())
}

/// `pidfd_getfd(2)`
pub(crate) fn pidfd_getfd(ctx: &mut Ctx<'_>, pidfd: Fd, targetfd: Fd, flags: U32) -> SysResult {
    if flags.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let group = process(ctx, pidfd)?;
    let thread =
        ctx.k.groups.get(group).and_then(|group| group.threads.first().copied()).ok_or(Errno::ESRCH)?;
    let Some(target) = ctx.k.tasks.get(thread) else { return Err(Errno::ESRCH.into()) };
    let (me, other) = (&ctx.task().creds, &target.creds);
    let same = other.uid[..3].iter().all(|uid| *uid == me.uid[3])
        && other.gid[..3].iter().all(|gid| *gid == me.gid[3])
        && other.cap_permitted & !me.cap_permitted == 0;
    if !same && me.cap_effective & CAP_SYS_PTRACE == 0 {
        return Err(Errno::EPERM.into());
    }
    let table = ctx.k.fd_tables.get(target.fds).ok_or(Errno::EBADF)?;
    let file = table.fds.get(&targetfd.0).ok_or(Errno::EBADF)?.file;
    get_file(ctx.k, file);
    match ctx.install_id(file, true) {
        Ok(fd) => Ok(fd_result(fd)),
        Err(errno) => {
            put_file(ctx.k, file);
            Err(errno.into())
        }
    }
}

/// `pidfd_send_signal(2)`
pub(crate) fn pidfd_send_signal(ctx: &mut Ctx<'_>, pidfd: Fd, sig: I32, info: Addr, flags: U32) -> SysResult {
    if flags.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let group = match process(ctx, pidfd) {
        Err(Errno::EBADF) if ctx.fd(pidfd).is_ok() => process_of_directory(ctx, pidfd).ok_or(Errno::EBADF)?,
        group => group?,
    };
    super::signal::send_to_process(ctx, group, sig, info)
}
