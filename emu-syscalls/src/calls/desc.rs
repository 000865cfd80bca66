//! Descriptors: `dup`, `close`, `fcntl`, `ioctl`.

use emu_core::mem::PageProt;

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, U32, U64};
use crate::ctx::{Ctx, SysResult};
use crate::file::fdtable::{get_file, put_file, unshare_table};
use crate::file::regular::seal;
use crate::file::{File, FileId, flags, pipe, sigio};
use crate::mm::{Area, Backing};
use crate::vfs::leases;
use crate::vfs::locks::LockKind;

/// A descriptor as a result.
pub(crate) fn fd_result(fd: Fd) -> u64 {
    u64::try_from(fd.0).unwrap_or(0)
}

/// `dup(2)`
pub(crate) fn dup(ctx: &mut Ctx<'_>, oldfd: Fd) -> SysResult {
    let id = ctx.fd_any(oldfd)?;
    dup_from(ctx, id, 0, false)
}

/// `dup2(2)`
pub(crate) fn dup2(ctx: &mut Ctx<'_>, oldfd: Fd, newfd: Fd) -> SysResult {
    if oldfd == newfd {
        ctx.fd_any(oldfd)?;
        return Ok(fd_result(newfd));
    }
    dup_to(ctx, oldfd, newfd, false)
}

/// `dup3(2)`
pub(crate) fn dup3(ctx: &mut Ctx<'_>, oldfd: Fd, newfd: Fd, flags: I32) -> SysResult {
    let bits = flags.0.cast_unsigned();
    if bits & !flags::O_CLOEXEC != 0 || oldfd == newfd {
        return Err(Errno::EINVAL.into());
    }
    dup_to(ctx, oldfd, newfd, bits != 0)
}

fn dup_to(ctx: &mut Ctx<'_>, oldfd: Fd, newfd: Fd, cloexec: bool) -> SysResult {
    if newfd.0 < 0 || newfd.0 >= ctx.fd_limit() {
        return Err(Errno::EBADF.into());
    }
    let id = ctx.fd_any(oldfd)?;
    get_file(ctx.k, id);
    crate::file::fdtable::before_close(ctx, newfd);
    ctx.install_at(newfd, id, cloexec)?;
    Ok(fd_result(newfd))
}

fn dup_from(ctx: &mut Ctx<'_>, id: FileId, from: i32, cloexec: bool) -> SysResult {
    get_file(ctx.k, id);
    match ctx.install_from(id, from, cloexec) {
        Ok(fd) => Ok(fd_result(fd)),
        Err(errno) => {
            put_file(ctx.k, id);
            Err(errno.into())
        }
    }
}

/// `close(2)`
pub(crate) fn close(ctx: &mut Ctx<'_>, fd: Fd) -> SysResult {
    crate::file::fdtable::before_close(ctx, fd);
    ctx.close_fd(fd)?;
    Ok(0)
}

/// `close_range(2)`
pub(crate) fn close_range(ctx: &mut Ctx<'_>, first: U32, last: U32, flags: U32) -> SysResult {
    const UNSHARE: u32 = 2;
    const CLOEXEC: u32 = 4;
    if flags.0 & !(UNSHARE | CLOEXEC) != 0 || first.0 > last.0 {
        return Err(Errno::EINVAL.into());
    }
    if flags.0 & UNSHARE != 0 {
        unshare_table(ctx.k, ctx.tid);
    }
    let Ok(first) = i32::try_from(first.0) else { return Ok(0) };
    let last = i32::try_from(last.0).unwrap_or(i32::MAX);
    let table_id = ctx.task().fds;
    let Some(table) = ctx.k.fd_tables.get_mut(table_id) else { return Ok(0) };
    let fds: Vec<i32> = table.fds.range(first..=last).map(|(fd, _)| *fd).collect();
    for fd in fds {
        if flags.0 & CLOEXEC != 0 {
            ctx.set_cloexec(Fd(fd), true)?;
        } else {
            crate::file::fdtable::before_close(ctx, Fd(fd));
            ctx.close_fd(Fd(fd))?;
        }
    }
    Ok(0)
}

/// Commands of fcntl(2) (include/uapi/linux/fcntl.h, asm-generic/fcntl.h).
mod cmd {
    pub(super) const DUPFD: u32 = 0;
    pub(super) const GETFD: u32 = 1;
    pub(super) const SETFD: u32 = 2;
    pub(super) const GETFL: u32 = 3;
    pub(super) const SETFL: u32 = 4;
    pub(super) const GETLK: u32 = 5;
    pub(super) const SETLKW: u32 = 7;
    pub(super) const SETOWN: u32 = 8;
    pub(super) const GETOWN: u32 = 9;
    pub(super) const SETSIG: u32 = 10;
    pub(super) const GETSIG: u32 = 11;
    pub(super) const SETOWN_EX: u32 = 15;
    pub(super) const GETOWN_EX: u32 = 16;
    pub(super) const OFD_GETLK: u32 = 36;
    pub(super) const OFD_SETLKW: u32 = 38;
    pub(super) const SETLEASE: u32 = 1024;
    pub(super) const GETLEASE: u32 = 1025;
    pub(super) const NOTIFY: u32 = 1026;
    pub(super) const DUPFD_QUERY: u32 = 1027;
    pub(super) const CREATED_QUERY: u32 = 1028;
    pub(super) const DUPFD_CLOEXEC: u32 = 1030;
    pub(super) const SETPIPE_SZ: u32 = 1031;
    pub(super) const GETPIPE_SZ: u32 = 1032;
    pub(super) const ADD_SEALS: u32 = 1033;
    pub(super) const GET_SEALS: u32 = 1034;
    pub(super) const GET_RW_HINT: u32 = 1035;
    pub(super) const SET_RW_HINT: u32 = 1036;
}

/// `fcntl(2)`
pub(crate) fn fcntl(ctx: &mut Ctx<'_>, fd: Fd, cmd: U32, arg: U64) -> SysResult {
    let descriptor = ctx.descriptor(fd)?;
    let id = descriptor.file;
    let path_only = ctx.file(id).flags & flags::O_PATH != 0;
    let command = cmd.0;
    // Linux: check_fcntl_cmd.
    if path_only
        && !matches!(
            command,
            cmd::CREATED_QUERY
                | cmd::DUPFD
                | cmd::DUPFD_CLOEXEC
                | cmd::DUPFD_QUERY
                | cmd::GETFD
                | cmd::SETFD
                | cmd::GETFL
        )
    {
        return Err(Errno::EBADF.into());
    }
    let int = I32::from_arg(arg);
    match command {
        cmd::DUPFD | cmd::DUPFD_CLOEXEC => {
            if int < 0 || int >= ctx.fd_limit() {
                return Err(Errno::EINVAL.into());
            }
            dup_from(ctx, id, int, command == cmd::DUPFD_CLOEXEC)
        }
        cmd::DUPFD_QUERY => Ok(u64::from(ctx.fd_any(Fd(int))? == id)),
        cmd::GETFD => Ok(u64::from(descriptor.cloexec)),
        cmd::SETFD => {
            ctx.set_cloexec(fd, arg.0 & 1 != 0)?;
            Ok(0)
        }
        cmd::GETFL => Ok(u64::from(ctx.file(id).flags & !flags::O_CLOEXEC)),
        cmd::SETFL => set_status(ctx, fd, id, int.cast_unsigned()),
        cmd::GETLK..=cmd::SETLKW | cmd::OFD_GETLK..=cmd::OFD_SETLKW => {
            crate::calls::record::record_lock(ctx, id, command, Addr(arg.0))
        }
        cmd::SETOWN => {
            set_owner(ctx, id, if int < 0 { 2 } else { 1 }, int.checked_abs().ok_or(Errno::EINVAL)?)
        }
        cmd::GETOWN => {
            let (kind, who, _) = ctx.file(id).owner;
            let value = if kind == 2 { -i64::from(who) } else { i64::from(who) };
            Ok(value.cast_unsigned())
        }
        cmd::SETOWN_EX => {
            let kind = ctx.read_u32(Addr(arg.0))?.cast_signed();
            let who = ctx.read_u32(Addr(arg.0).at(4))?.cast_signed();
            set_owner(ctx, id, kind, who)
        }
        cmd::GETOWN_EX => {
            let (kind, who, _) = ctx.file(id).owner;
            ctx.write_u32(Addr(arg.0), kind.cast_unsigned())?;
            ctx.write_u32(Addr(arg.0).at(4), who.cast_unsigned())?;
            Ok(0)
        }
        cmd::SETSIG => {
            if !(0..=64).contains(&int) {
                return Err(Errno::EINVAL.into());
            }
            ctx.file_mut(id).owner.2 = int;
            Ok(0)
        }
        cmd::GETSIG => Ok(u64::try_from(ctx.file(id).owner.2).unwrap_or(0)),
        cmd::SETLEASE => set_lease(ctx, fd, id, int),
        cmd::GETLEASE => {
            let File::Regular(file) = &ctx.file(id).kind else { return Ok(2) };
            Ok(match leases::of_file(ctx.k, file.inode, id) {
                Some(LockKind::Read) => 0,
                Some(LockKind::Write) => 1,
                None => 2,
            })
        }
        cmd::NOTIFY => {
            sigio::watch_dir(ctx.k, id, fd.0, U32::from_arg(arg))?;
            own_if_unowned(ctx, id);
            Ok(0)
        }
        cmd::CREATED_QUERY => Ok(u64::from(ctx.file(id).created)),
        cmd::SETPIPE_SZ | cmd::GETPIPE_SZ => {
            let File::Pipe(end) = ctx.file(id).kind else { return Err(Errno::EBADF.into()) };
            if command == cmd::GETPIPE_SZ {
                Ok(pipe::size(ctx.k, end.pipe))
            } else {
                pipe::set_size(ctx, end.pipe, arg.0)
            }
        }
        cmd::ADD_SEALS | cmd::GET_SEALS => seals(ctx, id, command == cmd::ADD_SEALS, arg),
        cmd::GET_RW_HINT | cmd::SET_RW_HINT => write_hint(ctx, id, command == cmd::SET_RW_HINT, Addr(arg.0)),
        _ => Err(Errno::EINVAL.into()),
    }
}

impl I32 {
    /// The low half of a long argument as an `int`.
    fn from_arg(arg: U64) -> i32 {
        <I32 as crate::arg::Arg>::from_reg(arg.0).0
    }
}

/// `F_GET_RW_HINT` and `F_SET_RW_HINT`: how long what is written will live, kept with the file. Linux took the calls for
/// one open file out again (`EINVAL`).
fn write_hint(ctx: &mut Ctx<'_>, id: FileId, set: bool, at: Addr) -> SysResult {
    const LONGEST: u64 = 5;
    let loc = ctx.file(id).loc.ok_or(Errno::EINVAL)?;
    let inode = ctx.k.vfs.inode_at(loc);
    if !set {
        let hint = ctx.k.vfs.write_hints.get(&inode).copied().unwrap_or(0);
        ctx.write_u64(at, hint)?;
        return Ok(0);
    }
    let hint = ctx.read_u64(at)?;
    if hint > LONGEST {
        return Err(Errno::EINVAL.into());
    }
    if !crate::vfs::perm::owner_or_capable(ctx, inode) {
        return Err(Errno::EPERM.into());
    }
    ctx.k.vfs.write_hints.insert(inode, hint);
    Ok(0)
}

/// `F_SETLEASE`
fn set_lease(ctx: &mut Ctx<'_>, fd: Fd, id: FileId, kind: i32) -> SysResult {
    const CAP_LEASE: u32 = 28;
    let kind = match kind {
        0 => Some(LockKind::Read),
        1 => Some(LockKind::Write),
        2 => None,
        _ => return Err(Errno::EINVAL.into()),
    };
    let regular = match &ctx.file(id).kind {
        File::Regular(file) => Some(file.inode),
        _ => None,
    };
    if kind.is_none() {
        let inode = regular.ok_or(Errno::EAGAIN)?;
        leases::set(ctx.k, inode, id, fd.0, None)?;
        return Ok(0);
    }
    if let Some(loc) = ctx.file(id).loc {
        let owner = ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).uid;
        let creds = &ctx.task().creds;
        if owner != creds.uid[3] && !crate::task::creds::has(creds, CAP_LEASE) {
            return Err(Errno::EACCES.into());
        }
    }
    let inode = regular.ok_or(Errno::EINVAL)?;
    if crate::vfs::procfs::sysctl::number(ctx.k, "fs/leases-enable") == 0 {
        return Err(Errno::EINVAL.into());
    }
    leases::set(ctx.k, inode, id, fd.0, kind)?;
    own_if_unowned(ctx, id);
    Ok(0)
}

/// The caller's process gets the signals of an open file that has no owner yet.
fn own_if_unowned(ctx: &mut Ctx<'_>, id: FileId) {
    let me = ctx.task().group.0.cast_signed();
    let file = ctx.file_mut(id);
    if file.owner.1 == 0 {
        file.owner = (1, me, file.owner.2);
    }
}

fn set_owner(ctx: &mut Ctx<'_>, id: FileId, kind: i32, who: i32) -> SysResult {
    if !(0..=2).contains(&kind) {
        return Err(Errno::EINVAL.into());
    }
    let known = who == 0
        || ctx.k.groups.ids().any(|group| group.0 == who.cast_unsigned())
        || ctx.k.tasks.contains(crate::task::TaskId(who.cast_unsigned()))
        || ctx.k.groups.iter().any(|(_, group)| group.pgid.0 == who.cast_unsigned());
    if !known {
        return Err(Errno::ESRCH.into());
    }
    let file = ctx.file_mut(id);
    file.owner = (kind, who, file.owner.2);
    Ok(0)
}

/// `F_ADD_SEALS` and `F_GET_SEALS` on a file of `memfd_create`.
fn seals(ctx: &mut Ctx<'_>, id: FileId, add: bool, arg: U64) -> SysResult {
    let File::Regular(file) = &ctx.file(id).kind else { return Err(Errno::EINVAL.into()) };
    let inode = file.inode;
    let loc = ctx.file(id).loc.ok_or(Errno::EINVAL)?;
    let memory =
        ctx.k.vfs.inode(inode).nlink == 0 && ctx.k.vfs.dentry(loc.dentry).name.starts_with(b"/memfd:");
    let writable = ctx.file(id).writable();
    let content = ctx.k.vfs.inode(inode).content().filter(|_| memory).ok_or(Errno::EINVAL)?;
    if !add {
        return Ok(u64::from(content.seals));
    }
    let new = U32::from_arg(arg);
    let known = seal::SEAL | seal::SHRINK | seal::GROW | seal::WRITE | seal::FUTURE_WRITE | seal::EXEC;
    if !writable {
        return Err(Errno::EPERM.into());
    }
    if new & !known != 0 {
        return Err(Errno::EINVAL.into());
    }
    if content.seals & seal::SEAL != 0 {
        return Err(Errno::EPERM.into());
    }
    let object = content.object;
    let writes = |area: &Area| match &area.backing {
        Backing::Object { object: mapped, shared: true, .. } => {
            Some(*mapped) == object && area.prot.contains(PageProt::WRITE)
        }
        _ => false,
    };
    if new & seal::WRITE != 0 && ctx.k.mms.iter().any(|(_, mm)| mm.areas.values().any(writes)) {
        return Err(Errno::EBUSY.into());
    }
    if let Some(content) = ctx.k.vfs.inode_mut(inode).content_mut() {
        content.seals |= new;
    }
    Ok(0)
}

impl U32 {
    /// The low half of a long argument.
    fn from_arg(arg: U64) -> u32 {
        <U32 as crate::arg::Arg>::from_reg(arg.0).0
    }
}

/// `F_SETFL`: replaces the flags that may change after open.
fn set_status(ctx: &mut Ctx<'_>, fd: Fd, id: FileId, bits: u32) -> SysResult {
    const MAY_CHANGE: u32 = flags::O_APPEND | flags::O_NONBLOCK | flags::O_DIRECT | flags::O_NOATIME;
    let old = ctx.file(id).flags;
    if (bits ^ old) & flags::O_ASYNC != 0 {
        sigio::set_async(ctx.k, id, fd.0, bits & flags::O_ASYNC != 0, false)?;
    }
    let old = ctx.file(id).flags;
    ctx.file_mut(id).flags = (old & !MAY_CHANGE) | (bits & MAY_CHANGE);
    Ok(0)
}

/// `ioctl(2)`: requests that every file knows; the kind answers the others.
pub(crate) fn ioctl(ctx: &mut Ctx<'_>, fd: Fd, request: U32, arg: Addr) -> SysResult {
    const FIGETBSZ: u32 = 2;
    const FIONBIO: u32 = 0x5421;
    const FIONCLEX: u32 = 0x5450;
    const FIOCLEX: u32 = 0x5451;
    const FIOASYNC: u32 = 0x5452;
    let id = ctx.fd(fd)?;
    match request.0 {
        FIOCLEX | FIONCLEX => {
            ctx.set_cloexec(fd, request.0 == FIOCLEX)?;
            Ok(0)
        }
        FIGETBSZ if !matches!(ctx.file(id).kind, File::Path(_)) => {
            let size = crate::vfs::stat::stat_file(ctx.k, id).blksize;
            ctx.write_u32(arg, size)?;
            Ok(0)
        }
        FIONBIO => {
            let on = ctx.read_u32(arg)? != 0;
            let file = ctx.file_mut(id);
            if on {
                file.flags |= flags::O_NONBLOCK;
            } else {
                file.flags &= !flags::O_NONBLOCK;
            }
            Ok(0)
        }
        FIOASYNC => {
            let on = ctx.read_u32(arg)? != 0;
            sigio::set_async(ctx.k, id, fd.0, on, true)?;
            Ok(0)
        }
        _ => {
            let kind = ctx.file(id).kind.clone();
            let device = matches!(kind, File::Dev(_) | File::Tty(_) | File::Master(_));
            if device && ctx.file(id).denied & crate::landlock::fs::IOCTL_DEV != 0 {
                return Err(Errno::EACCES.into());
            }
            kind.ops().ioctl(ctx, id, request.0, arg)
        }
    }
}
