//! `fanotify_init(2)`, `fanotify_mark(2)`.

use crate::abi::errno::Errno;
use crate::arg::{DirFd, Fd, Path, U32, U64};
use crate::calls::desc::fd_result;
use crate::ctx::{Ctx, SysResult};
use crate::file::fanotify::{self, FanotifyFile, FanotifyId, Object, fan, init};
use crate::file::{File, OpenFile, flags};
use crate::task::creds::{cap, has};
use crate::vfs::perm::{MAY_READ, permission};
use crate::vfs::walk::{Resolve, resolve};
use crate::vfs::{InodeId, MountId, SuperId};

/// `fanotify_init(2)`
pub(crate) fn fanotify_init(ctx: &mut Ctx<'_>, bits: U32, event_flags: U32) -> SysResult {
    const CLOEXEC: u32 = 1;
    const NONBLOCK: u32 = 2;
    const REPORT_PIDFD: u32 = 0x80;
    // FID, DIR_FID, NAME, TARGET_FID, FD_ERROR, MNT
    const REPORT_MORE: u32 = 0x200 | 0x400 | 0x800 | 0x1000 | 0x2000 | 0x4000;
    const SIMPLE: u32 = CLOEXEC
        | NONBLOCK
        | init::CLASS
        | init::UNLIMITED_QUEUE
        | init::UNLIMITED_MARKS
        | init::ENABLE_AUDIT
        | init::REPORT_TID;
    const EVENT_FLAGS: u32 = flags::O_ACCMODE
        | flags::O_APPEND
        | flags::O_NONBLOCK
        | flags::O_SYNC
        | flags::O_CLOEXEC
        | flags::O_LARGEFILE
        | flags::O_NOATIME;
    if !has(&ctx.task().creds, cap::SYS_ADMIN) {
        return Err(Errno::EPERM.into());
    }
    if bits.0 & (REPORT_PIDFD | REPORT_MORE) != 0 && bits.0 & !(SIMPLE | REPORT_PIDFD | REPORT_MORE) == 0 {
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap("fanotify: events with file handles or pidfds (FAN_REPORT_*)".to_owned(), at);
        return Err(Errno::EINVAL.into());
    }
    if bits.0 & !SIMPLE != 0
        || event_flags.0 & !EVENT_FLAGS != 0
        || event_flags.0 & flags::O_ACCMODE == flags::O_ACCMODE
        || bits.0 & init::CLASS == init::CLASS
    {
        return Err(Errno::EINVAL.into());
    }
    let group = fanotify::create(ctx.k, bits.0, event_flags.0);
    let status = flags::O_RDWR | if bits.0 & NONBLOCK != 0 { flags::O_NONBLOCK } else { 0 };
    let file = ctx.k.files.insert(OpenFile::new(File::Fanotify(FanotifyFile { group }), status));
    fanotify::set_file(ctx.k, group, file);
    match ctx.install_id(file, bits.0 & CLOEXEC != 0) {
        Ok(fd) => Ok(fd_result(fd)),
        Err(errno) => {
            crate::file::fdtable::put_file(ctx.k, file);
            Err(errno.into())
        }
    }
}

fn group(ctx: &Ctx<'_>, fd: Fd) -> Result<FanotifyId, Errno> {
    match &ctx.file(ctx.fd(fd)?).kind {
        File::Fanotify(file) => Ok(file.group),
        _ => Err(Errno::EINVAL),
    }
}

/// `fanotify_mark(2)`
pub(crate) fn fanotify_mark(
    ctx: &mut Ctx<'_>,
    fanotify_fd: Fd,
    bits: U32,
    mask: U64,
    dirfd: DirFd,
    pathname: Path,
) -> SysResult {
    const ADD: u32 = 1;
    const REMOVE: u32 = 2;
    const DONT_FOLLOW: u32 = 4;
    const ONLYDIR: u32 = 8;
    const MOUNT: u32 = 0x10;
    const IGNORED_MASK: u32 = 0x20;
    const SURV_MODIFY: u32 = 0x40;
    const FLUSH: u32 = 0x80;
    const FILESYSTEM: u32 = 0x100;
    const EVICTABLE: u32 = 0x200;
    const IGNORE: u32 = 0x400;
    const KNOWN: u32 = 0x7ff;
    // Events that only groups with file handles can have: ATTRIB, moves, creations, deletions, errors.
    const BY_HANDLE: u64 = 4 | 0xc0 | 0x100 | 0x200 | 0x400 | 0x800 | 0x8000 | 0x1000_0000;
    let (bits, mask) = (bits.0, mask.0);
    if mask >> 32 != 0 || bits & !KNOWN != 0 {
        return Err(Errno::EINVAL.into());
    }
    let like = match bits & (MOUNT | FILESYSTEM) {
        0 => Object::Inode(InodeId(0)),
        MOUNT => Object::Mount(MountId(0)),
        FILESYSTEM => Object::Super(SuperId(0)),
        _ => return Err(Errno::EINVAL.into()),
    };
    match bits & (ADD | REMOVE | FLUSH) {
        ADD | REMOVE if mask == 0 => return Err(Errno::EINVAL.into()),
        ADD | REMOVE => {}
        FLUSH if bits & !(MOUNT | FILESYSTEM | FLUSH) != 0 => return Err(Errno::EINVAL.into()),
        FLUSH => {}
        _ => return Err(Errno::EINVAL.into()),
    }
    let known = fan::TELL | fan::PERM | fan::EVENT_ON_CHILD | fan::ONDIR;
    if mask & !(known | BY_HANDLE) != 0 || bits & (IGNORE | IGNORED_MASK) == IGNORE | IGNORED_MASK {
        return Err(Errno::EINVAL.into());
    }
    let ignores = bits & (IGNORE | IGNORED_MASK) != 0;
    if bits & SURV_MODIFY != 0 && !ignores || bits & EVICTABLE != 0 && !matches!(like, Object::Inode(_)) {
        return Err(Errno::EINVAL.into());
    }
    let id = group(ctx, fanotify_fd)?;
    let class = fanotify::flags_of(ctx.k, id) & init::CLASS;
    if mask & fan::PERM != 0 && class == 0 || mask & BY_HANDLE != 0 {
        return Err(Errno::EINVAL.into());
    }
    if bits & FLUSH != 0 {
        fanotify::flush(ctx.k, id, like);
        return Ok(0);
    }
    let mut how = Resolve::empty();
    how.set(Resolve::FOLLOW, bits & DONT_FOLLOW == 0);
    how.set(Resolve::DIRECTORY, bits & ONLYDIR != 0);
    let path = if pathname.0 == 0 {
        how |= Resolve::EMPTY;
        Vec::new()
    } else {
        ctx.read_path(pathname)?
    };
    let loc = resolve(ctx, dirfd, &path, how)?;
    let inode = ctx.k.vfs.inode_at(loc);
    permission(ctx, inode, MAY_READ)?;
    let object = match like {
        Object::Inode(_) => Object::Inode(inode),
        Object::Mount(_) => Object::Mount(loc.mount),
        Object::Super(_) => Object::Super(ctx.k.vfs.inode(inode).sb),
    };
    // Only a directory has children, and a mount is no directory.
    let mask = if matches!(object, Object::Inode(_)) && ctx.k.vfs.inode(inode).is_dir() {
        mask
    } else {
        mask & !fan::EVENT_ON_CHILD
    };
    if bits & REMOVE != 0 {
        fanotify::remove_mark(ctx.k, id, object, mask, ignores)?;
    } else {
        fanotify::add_mark(ctx.k, id, object, mask, ignores.then_some(bits & SURV_MODIFY != 0))?;
    }
    Ok(0)
}
