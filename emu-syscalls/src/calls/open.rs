//! Opening and creating files.

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd, I32, Len, Path, U32};
use crate::calls::desc::fd_result;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::fdtable::put_file;
use crate::file::flags;
use crate::file::regular::seal;
use crate::vfs::Resolve;
use crate::vfs::open::{memory_file, open_path};

/// Every flag open(2) knows.
const KNOWN: u32 = flags::O_ACCMODE
    | flags::O_CREAT
    | flags::O_EXCL
    | flags::O_NOCTTY
    | flags::O_TRUNC
    | flags::O_APPEND
    | flags::O_NONBLOCK
    | flags::O_SYNC
    | flags::O_ASYNC
    | flags::O_DIRECT
    | flags::O_LARGEFILE
    | flags::O_DIRECTORY
    | flags::O_NOFOLLOW
    | flags::O_NOATIME
    | flags::O_CLOEXEC
    | flags::O_PATH
    | flags::O_TMPFILE;

fn open_common(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, bits: u32, mode: u32, how: Resolve) -> SysResult {
    // __O_TMPFILE wants O_DIRECTORY with it, and write access.
    const TMPFILE_BIT: u32 = flags::O_TMPFILE & !flags::O_DIRECTORY;
    let mut bits = bits;
    if bits & flags::O_PATH != 0 {
        bits &= flags::O_PATH | flags::O_DIRECTORY | flags::O_NOFOLLOW | flags::O_CLOEXEC;
    } else if bits & TMPFILE_BIT != 0
        && (bits & flags::O_TMPFILE != flags::O_TMPFILE
            || bits & flags::O_CREAT != 0
            || bits & flags::O_ACCMODE == 0)
    {
        return Err(Errno::EINVAL.into());
    }
    if bits & (flags::O_CREAT | flags::O_DIRECTORY) == flags::O_CREAT | flags::O_DIRECTORY
        && bits & TMPFILE_BIT == 0
    {
        return Err(Errno::EINVAL.into());
    }
    let path = ctx.read_path(path)?;
    let cloexec = bits & flags::O_CLOEXEC != 0;
    // The number first, as Linux: no file is made for which there is no descriptor.
    let table = ctx.k.fd_tables.get(ctx.task().fds).ok_or(Errno::EBADF)?;
    if table.lowest_free(0) >= ctx.fd_limit() {
        return Err(Errno::EMFILE.into());
    }
    let id = open_path(ctx, dirfd, &path, bits | flags::O_LARGEFILE, mode & 0o7777, how)?;
    match ctx.install_id(id, cloexec) {
        Ok(fd) => Ok(fd_result(fd)),
        Err(errno) => {
            put_file(ctx.k, id);
            Err(errno.into())
        }
    }
}

/// `open(2)`
pub(crate) fn open(ctx: &mut Ctx<'_>, path: Path, bits: I32, mode: U32) -> SysResult {
    open_common(ctx, DirFd::CWD, path, bits.0.cast_unsigned() & KNOWN, mode.0, Resolve::empty())
}

/// `openat(2)`
pub(crate) fn openat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, bits: I32, mode: U32) -> SysResult {
    open_common(ctx, dirfd, path, bits.0.cast_unsigned() & KNOWN, mode.0, Resolve::empty())
}

/// `creat(2)`
pub(crate) fn creat(ctx: &mut Ctx<'_>, path: Path, mode: U32) -> SysResult {
    let bits = flags::O_CREAT | flags::O_WRONLY | flags::O_TRUNC;
    open_common(ctx, DirFd::CWD, path, bits, mode.0, Resolve::empty())
}

/// `openat2(2)`
pub(crate) fn openat2(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, how: Addr, size: Len) -> SysResult {
    const HOW_SIZE: u64 = 24;
    const CACHED: u64 = 0x20;
    if size.0 < HOW_SIZE {
        return Err(Errno::EINVAL.into());
    }
    if size.0 > 4096 {
        return Err(Errno::E2BIG.into());
    }
    // A larger structure is fine while what we do not know is zero (copy_struct_from_user).
    for at in HOW_SIZE..size.0 {
        let mut byte = [0];
        ctx.read_user(how.at(at), &mut byte)?;
        if byte != [0] {
            return Err(Errno::E2BIG.into());
        }
    }
    let (bits, mode, resolve) = (ctx.read_u64(how)?, ctx.read_u64(how.at(8))?, ctx.read_u64(how.at(16))?);
    let bits = u32::try_from(bits).map_err(|_| Errno::EINVAL)?;
    let path_only = bits & flags::O_PATH != 0;
    let allowed = flags::O_PATH | flags::O_DIRECTORY | flags::O_NOFOLLOW | flags::O_CLOEXEC;
    if bits & !KNOWN != 0 || resolve & !0x3f != 0 || (path_only && bits & !allowed != 0) {
        return Err(Errno::EINVAL.into());
    }
    let creates = bits & flags::O_CREAT != 0 || bits & flags::O_TMPFILE == flags::O_TMPFILE;
    if mode & !0o7777 != 0 || (!creates && mode != 0) {
        return Err(Errno::EINVAL.into());
    }
    let mut how = Resolve::empty();
    for (bit, flag) in [
        (1, Resolve::NO_XDEV),
        (2, Resolve::NO_MAGICLINKS),
        (4, Resolve::NO_SYMLINKS),
        (8, Resolve::BENEATH),
        (0x10, Resolve::IN_ROOT),
    ] {
        how.set(flag, resolve & bit != 0);
    }
    if how.contains(Resolve::BENEATH | Resolve::IN_ROOT) {
        return Err(Errno::EINVAL.into());
    }
    if how.contains(Resolve::NO_SYMLINKS) {
        how |= Resolve::NO_MAGICLINKS;
    }
    if resolve & CACHED != 0 {
        if creates || bits & flags::O_TRUNC != 0 {
            return Err(Errno::EAGAIN.into());
        }
        return Err(Stop::Unsupported("RESOLVE_CACHED"));
    }
    let mode = u32::try_from(mode).map_err(|_| Errno::EINVAL)?;
    open_common(ctx, dirfd, path, bits, mode, how)
}

/// `memfd_create(2)`
pub(crate) fn memfd_create(ctx: &mut Ctx<'_>, name: Path, bits: U32) -> SysResult {
    const CLOEXEC: u32 = 1;
    const ALLOW_SEALING: u32 = 2;
    const HUGETLB: u32 = 4;
    const NOEXEC_SEAL: u32 = 8;
    const EXEC: u32 = 0x10;
    let known = CLOEXEC | ALLOW_SEALING | NOEXEC_SEAL | EXEC;
    if bits.0 & HUGETLB != 0 {
        return Err(Stop::Unsupported("huge pages (MFD_HUGETLB)"));
    }
    if bits.0 & !known != 0 || bits.0 & (NOEXEC_SEAL | EXEC) == NOEXEC_SEAL | EXEC {
        return Err(Errno::EINVAL.into());
    }
    // The name, with the prefix `memfd:`, must fit into NAME_MAX.
    let name = ctx.read_cstr(Addr(name.0), 250, Errno::EINVAL)?;
    let (mode, mut seals) = if bits.0 & NOEXEC_SEAL != 0 { (0o666, seal::EXEC) } else { (0o777, 0) };
    if bits.0 & (ALLOW_SEALING | NOEXEC_SEAL) == 0 {
        seals |= seal::SEAL;
    }
    let id = memory_file(ctx, &name, mode, seals);
    match ctx.install_id(id, bits.0 & CLOEXEC != 0) {
        Ok(fd) => Ok(fd_result(fd)),
        Err(errno) => {
            put_file(ctx.k, id);
            Err(errno.into())
        }
    }
}
