//! Attributes: the `stat` family, `access`, `statfs`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd, Fd, I32, Path, U32, U64};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::File;
use crate::vfs::perm::{MAY_EXEC, MAY_READ, MAY_WRITE, permission};
use crate::vfs::stat::{Stat, stat_file, stat_inode};
use crate::vfs::{InodeKind, Loc, MountFlags, Resolve, SuperKind, resolve, want_write};

/// `AT_SYMLINK_NOFOLLOW`
pub(crate) const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
/// `AT_SYMLINK_FOLLOW`
pub(crate) const AT_SYMLINK_FOLLOW: u32 = 0x400;
/// `AT_NO_AUTOMOUNT`
const AT_NO_AUTOMOUNT: u32 = 0x800;
/// `AT_EMPTY_PATH`
pub(crate) const AT_EMPTY_PATH: u32 = 0x1000;
/// `AT_EACCESS`
const AT_EACCESS: u32 = 0x200;

/// How the flags of an `*at` call resolve a path that is followed by default.
pub(crate) fn at_flags(bits: u32) -> Resolve {
    let mut how = Resolve::empty();
    how.set(Resolve::FOLLOW, bits & AT_SYMLINK_NOFOLLOW == 0);
    how.set(Resolve::EMPTY, bits & AT_EMPTY_PATH != 0);
    how
}

/// Seconds and nanoseconds of a time stamp.
fn split(ns: i64) -> (i64, i64) {
    (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000))
}

/// `struct stat` of x86-64.
pub(crate) fn to_bytes(stat: &Stat) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(144);
    let mut word = |value: u64| bytes.extend_from_slice(&value.to_le_bytes());
    word(stat.dev);
    word(stat.ino);
    word(u64::from(stat.nlink));
    word(u64::from(stat.mode) | u64::from(stat.uid) << 32);
    word(u64::from(stat.gid));
    word(stat.rdev);
    word(stat.size);
    word(u64::from(stat.blksize));
    word(stat.blocks);
    for time in [stat.atime, stat.mtime, stat.ctime] {
        let (seconds, ns) = split(time);
        word(seconds.cast_unsigned());
        word(ns.cast_unsigned());
    }
    for _ in 0..3 {
        word(0);
    }
    bytes
}

fn stat_path(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, bits: u32) -> Result<Stat, Stop> {
    // With AT_EMPTY_PATH a null pointer stands for the empty path (Linux 6.11).
    let path = if path.0 == 0 && bits & AT_EMPTY_PATH != 0 { Vec::new() } else { ctx.read_path(path)? };
    if path.is_empty() && bits & AT_EMPTY_PATH != 0 && dirfd != DirFd::CWD {
        return Ok(stat_fd(ctx, Fd(dirfd.0))?);
    }
    let loc = resolve(ctx, dirfd, &path, at_flags(bits))?;
    Ok(stat_loc(ctx, loc))
}

fn stat_loc(ctx: &mut Ctx<'_>, loc: Loc) -> Stat {
    let id = ctx.k.vfs.inode_at(loc);
    stat_inode(ctx.k, ctx.host, id)
}

fn stat_fd(ctx: &mut Ctx<'_>, fd: Fd) -> Result<Stat, Errno> {
    let id = ctx.fd_any(fd)?;
    Ok(match ctx.file(id).loc {
        Some(loc) => stat_loc(ctx, loc),
        None => stat_file(ctx.k, id),
    })
}

/// `stat(2)`
pub(crate) fn stat(ctx: &mut Ctx<'_>, path: Path, statbuf: Addr) -> SysResult {
    let stat = stat_path(ctx, DirFd::CWD, path, 0)?;
    ctx.write_user(statbuf, &to_bytes(&stat))?;
    Ok(0)
}

/// `lstat(2)`
pub(crate) fn lstat(ctx: &mut Ctx<'_>, path: Path, statbuf: Addr) -> SysResult {
    let stat = stat_path(ctx, DirFd::CWD, path, AT_SYMLINK_NOFOLLOW)?;
    ctx.write_user(statbuf, &to_bytes(&stat))?;
    Ok(0)
}

/// `fstat(2)`
pub(crate) fn fstat(ctx: &mut Ctx<'_>, fd: Fd, statbuf: Addr) -> SysResult {
    let stat = stat_fd(ctx, fd)?;
    ctx.write_user(statbuf, &to_bytes(&stat))?;
    Ok(0)
}

/// `newfstatat(2)`
pub(crate) fn newfstatat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, statbuf: Addr, bits: I32) -> SysResult {
    let bits = bits.0.cast_unsigned();
    if bits & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let stat = stat_path(ctx, dirfd, path, bits)?;
    ctx.write_user(statbuf, &to_bytes(&stat))?;
    Ok(0)
}

/// `statx(2)`
pub(crate) fn statx(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    bits: U32,
    mask: U32,
    statxbuf: Addr,
) -> SysResult {
    const SYNC_TYPE: u32 = 0x6000;
    const RESERVED: u32 = 0x8000_0000;
    const BASIC: u32 = 0x7ff;
    const BTIME: u32 = 0x800;
    const MNT_ID: u32 = 0x1000;
    const CHANGES: u32 = 0xc0;
    if mask.0 & RESERVED != 0
        || bits.0 & SYNC_TYPE == SYNC_TYPE
        || bits.0 & !(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | SYNC_TYPE) != 0
    {
        return Err(Errno::EINVAL.into());
    }
    let path_text =
        if path.0 == 0 && bits.0 & AT_EMPTY_PATH != 0 { Vec::new() } else { ctx.read_path(path)? };
    let (stat, mount) = if path_text.is_empty() && bits.0 & AT_EMPTY_PATH != 0 && dirfd != DirFd::CWD {
        let fd = Fd(dirfd.0);
        let loc = ctx.file(ctx.fd_any(fd)?).loc;
        (stat_fd(ctx, fd)?, loc.map_or(0, |loc| loc.mount.0))
    } else {
        let loc = resolve(ctx, dirfd, &path_text, at_flags(bits.0))?;
        (stat_loc(ctx, loc), loc.mount.0)
    };
    let mut bytes = Vec::with_capacity(256);
    // The birth is told to who asks, and the times of change are only looked up then (fill_mg_cmtime).
    let mut known = BASIC | MNT_ID | if stat.btime != 0 { BTIME & mask.0 } else { 0 };
    if mask.0 & CHANGES == 0 {
        known &= !CHANGES;
    }
    put32(&mut bytes, known);
    put32(&mut bytes, stat.blksize);
    put64(&mut bytes, 0);
    put32(&mut bytes, stat.nlink);
    put32(&mut bytes, stat.uid);
    put32(&mut bytes, stat.gid);
    put32(&mut bytes, stat.mode & 0xffff);
    put64(&mut bytes, stat.ino);
    put64(&mut bytes, stat.size);
    put64(&mut bytes, stat.blocks);
    // Attributes that can be told: whether it is the root of a mount.
    put64(&mut bytes, 0);
    for time in [stat.atime, stat.btime, stat.ctime, stat.mtime] {
        let (seconds, ns) = split(time);
        put64(&mut bytes, seconds.cast_unsigned());
        put64(&mut bytes, ns.cast_unsigned());
    }
    for dev in [stat.rdev, stat.dev] {
        let (major, minor) = crate::file::dev::split_dev(dev);
        put32(&mut bytes, u32::try_from(major).unwrap_or(0));
        put32(&mut bytes, u32::try_from(minor).unwrap_or(0));
    }
    put64(&mut bytes, u64::from(mount));
    bytes.resize(256, 0);
    ctx.write_user(statxbuf, &bytes)?;
    Ok(0)
}

fn put32(bytes: &mut Vec<u8>, value: u32) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn put64(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn access_common(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, mode: i32, bits: u32) -> SysResult {
    let mask = mode.cast_unsigned();
    if mask & !7 != 0 || bits & !(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let path = ctx.read_path(path)?;
    // The real user asks, with the capabilities that user would have.
    let saved = ctx.task().creds.clone();
    if bits & AT_EACCESS == 0 {
        let creds = &mut ctx.task_mut().creds;
        creds.uid[3] = creds.uid[0];
        creds.gid[3] = creds.gid[0];
        creds.cap_effective = if creds.uid[0] == 0 { creds.cap_permitted } else { 0 };
    }
    let result = may_access(ctx, dirfd, &path, mask, bits);
    ctx.task_mut().creds = saved;
    result.map(|()| 0)
}

fn may_access(ctx: &mut Ctx<'_>, dirfd: DirFd, path: &[u8], mask: u32, bits: u32) -> Result<(), Stop> {
    let loc = resolve(ctx, dirfd, path, at_flags(bits))?;
    let id = ctx.k.vfs.inode_at(loc);
    let inode = ctx.k.vfs.inode(id);
    let is_node = inode.is_regular() || inode.is_dir() || inode.is_symlink();
    if mask & MAY_EXEC != 0
        && inode.is_regular()
        && ctx.k.vfs.mounts.get(loc.mount).is_some_and(|m| m.flags.contains(MountFlags::NOEXEC))
    {
        return Err(Errno::EACCES.into());
    }
    permission(ctx, id, mask & (MAY_READ | MAY_WRITE | MAY_EXEC))?;
    if mask & MAY_WRITE != 0 && is_node {
        want_write(ctx.k, loc)?;
    }
    Ok(())
}

/// `access(2)`
pub(crate) fn access(ctx: &mut Ctx<'_>, path: Path, mode: I32) -> SysResult {
    access_common(ctx, DirFd::CWD, path, mode.0, 0)
}

/// `faccessat(2)`
pub(crate) fn faccessat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, mode: I32) -> SysResult {
    access_common(ctx, dirfd, path, mode.0, 0)
}

/// `faccessat2(2)`
pub(crate) fn faccessat2(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, mode: I32, bits: I32) -> SysResult {
    access_common(ctx, dirfd, path, mode.0, bits.0.cast_unsigned())
}

/// `f_type` of the file system that pipes and the like belong to.
fn anonymous_magic(ctx: &Ctx<'_>, loc: Loc) -> Option<u64> {
    let InodeKind::Anon(file) = ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).kind else { return None };
    match ctx.k.files.get(file)?.kind {
        File::Pipe(_) => Some(0x5049_5045),
        File::Socket(_) => Some(0x534f_434b),
        File::PidFd(_) => Some(0x5049_4446),
        File::Ns(_) => Some(0x6e73_6673),
        _ => None,
    }
}

/// `struct statfs` of the file system at a place.
fn statfs_bytes(ctx: &Ctx<'_>, loc: Loc) -> Vec<u8> {
    let sb_id = ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).sb;
    let sb = ctx.k.vfs.super_block(sb_id);
    let memory = ctx.k.mem.limit() / 4096;
    let left = memory.saturating_sub(ctx.k.mem.occupied() / 4096);
    let made_up = matches!(sb.kind, SuperKind::Proc | SuperKind::Sysfs | SuperKind::Devpts | SuperKind::Anon);
    let (blocks, free) = match sb.max_pages {
        _ if made_up => (0, 0),
        Some(max) => (max, max.saturating_sub(sb.pages).min(left)),
        None => (memory, left),
    };
    let (files, files_free) = match sb.max_inodes {
        _ if made_up => (0, 0),
        Some(max) => (max, max.saturating_sub(sb.inodes)),
        None => (1 << 24, (1 << 24) - sb.inodes.min(1 << 24)),
    };
    const ST_VALID: u64 = 0x20;
    let mount = ctx.k.vfs.mounts.get(loc.mount).map_or(MountFlags::empty(), |mount| mount.flags);
    let mut flags = ST_VALID;
    for (flag, bit) in [
        (MountFlags::RDONLY, 1),
        (MountFlags::NOSUID, 2),
        (MountFlags::NODEV, 4),
        (MountFlags::NOEXEC, 8),
        (MountFlags::NOATIME, 0x400),
        (MountFlags::NODIRATIME, 0x800),
        (MountFlags::RELATIME, 0x1000),
        (MountFlags::NOSYMFOLLOW, 0x2000),
    ] {
        if mount.contains(flag) {
            flags |= bit;
        }
    }
    let mut bytes = Vec::with_capacity(120);
    let magic = anonymous_magic(ctx, loc).unwrap_or_else(|| sb.magic());
    for word in [magic, 4096, blocks, free, free, files, files_free, sb.dev, 255, 4096, flags, 0, 0, 0, 0] {
        put64(&mut bytes, word);
    }
    bytes
}

/// `statfs(2)`
pub(crate) fn statfs(ctx: &mut Ctx<'_>, path: Path, buf: Addr) -> SysResult {
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, DirFd::CWD, &path, Resolve::FOLLOW)?;
    let bytes = statfs_bytes(ctx, loc);
    ctx.write_user(buf, &bytes)?;
    Ok(0)
}

/// `fstatfs(2)`
pub(crate) fn fstatfs(ctx: &mut Ctx<'_>, fd: Fd, buf: Addr) -> SysResult {
    let id = ctx.fd_any(fd)?;
    let loc = match ctx.file(id).loc {
        Some(loc) => loc,
        None => crate::vfs::walk::anon_place(ctx.k, id),
    };
    let bytes = statfs_bytes(ctx, loc);
    ctx.write_user(buf, &bytes)?;
    Ok(0)
}

/// `ustat(2)`: free blocks and inodes of the file system with this device number.
pub(crate) fn ustat(ctx: &mut Ctx<'_>, dev: U32, ubuf: Addr) -> SysResult {
    let root = ctx
        .k
        .vfs
        .mounts
        .iter()
        .find(|(_, mount)| ctx.k.vfs.super_block(mount.sb).dev == u64::from(dev.0))
        .map(|(id, mount)| Loc { mount: id, dentry: mount.root });
    let fs = statfs_bytes(ctx, root.ok_or(Errno::EINVAL)?);
    // Free blocks and free inodes are words 3 and 6 of struct statfs; names and padding are zeros.
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&fs[24..28]);
    bytes[8..16].copy_from_slice(&fs[48..56]);
    ctx.write_user(ubuf, &bytes)?;
    Ok(0)
}

/// The types of file systems, in the order of their numbers.
const TYPES: [&str; 6] = ["sysfs", "tmpfs", "proc", "devtmpfs", "devpts", "ramfs"];

/// `sysfs(2)`: numbers and names of file system types.
pub(crate) fn sysfs(ctx: &mut Ctx<'_>, option: I32, arg1: U64, arg2: U64) -> SysResult {
    match option.0 {
        1 => {
            let name = ctx.read_cstr(Addr(arg1.0), 4096, Errno::ENAMETOOLONG)?;
            let found = TYPES.iter().position(|known| known.as_bytes() == name);
            Ok(found.ok_or(Errno::EINVAL)? as u64)
        }
        2 => {
            let index = usize::try_from(arg1.0).map_err(|_| Errno::EINVAL)?;
            let name = TYPES.get(index).ok_or(Errno::EINVAL)?;
            ctx.write_user(Addr(arg2.0), &[name.as_bytes(), b"\0"].concat())?;
            Ok(0)
        }
        3 => Ok(TYPES.len() as u64),
        _ => Err(Errno::EINVAL.into()),
    }
}
