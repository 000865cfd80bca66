//! `inotify_init(2)`, `inotify_add_watch(2)`, `inotify_rm_watch(2)`.

use crate::abi::errno::Errno;
use crate::arg::{DirFd, Fd, I32, Path, U32};
use crate::calls::desc::fd_result;
use crate::ctx::{Ctx, SysResult};
use crate::file::inotify::{self, InotifyFile, InotifyId, mask};
use crate::file::{File, OpenFile, flags};
use crate::vfs::perm::{MAY_READ, permission};
use crate::vfs::walk::{Resolve, resolve};

/// `inotify_init(2)`
pub(crate) fn inotify_init(ctx: &mut Ctx<'_>) -> SysResult {
    inotify_init1(ctx, I32(0))
}

/// `inotify_init1(2)`
pub(crate) fn inotify_init1(ctx: &mut Ctx<'_>, flags: I32) -> SysResult {
    let bits = flags.0.cast_unsigned();
    if bits & !(flags::O_CLOEXEC | flags::O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let instance = inotify::create(ctx.k);
    let kind = File::Inotify(InotifyFile { instance });
    let file = ctx.k.files.insert(OpenFile::new(kind, bits & flags::O_NONBLOCK));
    inotify::set_file(ctx.k, instance, file);
    match ctx.install_id(file, bits & flags::O_CLOEXEC != 0) {
        Ok(fd) => Ok(fd_result(fd)),
        Err(errno) => {
            crate::file::fdtable::put_file(ctx.k, file);
            Err(errno.into())
        }
    }
}

fn instance(ctx: &Ctx<'_>, fd: Fd) -> Result<InotifyId, Errno> {
    let id = ctx.fd(fd)?;
    match &ctx.file(id).kind {
        File::Inotify(file) => Ok(file.instance),
        _ => Err(Errno::EINVAL),
    }
}

/// `inotify_add_watch(2)`
pub(crate) fn inotify_add_watch(ctx: &mut Ctx<'_>, fd: Fd, path: Path, bits: U32) -> SysResult {
    let known = mask::ALL_EVENTS
        | mask::ONLYDIR
        | mask::DONT_FOLLOW
        | mask::EXCL_UNLINK
        | mask::MASK_CREATE
        | mask::MASK_ADD
        | mask::ONESHOT;
    if bits.0 & known == 0 || bits.0 & mask::MASK_ADD != 0 && bits.0 & mask::MASK_CREATE != 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = instance(ctx, fd)?;
    let path = ctx.read_path(path)?;
    let mut how = Resolve::empty();
    how.set(Resolve::FOLLOW, bits.0 & mask::DONT_FOLLOW == 0);
    how.set(Resolve::DIRECTORY, bits.0 & mask::ONLYDIR != 0);
    let loc = resolve(ctx, DirFd::CWD, &path, how)?;
    let inode = ctx.k.vfs.inode_at(loc);
    permission(ctx, inode, MAY_READ)?;
    let wd = inotify::add_watch(ctx.k, id, inode, bits.0)?;
    Ok(u64::try_from(wd).unwrap_or(0))
}

/// `inotify_rm_watch(2)`
pub(crate) fn inotify_rm_watch(ctx: &mut Ctx<'_>, fd: Fd, wd: I32) -> SysResult {
    let id = instance(ctx, fd)?;
    inotify::remove_watch(ctx.k, id, wd.0)?;
    Ok(0)
}
