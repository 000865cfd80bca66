//! Directories: reading, making, removing, the working directory, the root.

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd, Fd, Len, Path, U32};
use crate::ctx::{Ctx, SysResult};
use crate::file::File;
use crate::file::dir::DirEntry;
use crate::vfs::ops::{self, Making};
use crate::vfs::perm::{MAY_EXEC, cap, capable, permission};
use crate::vfs::{Loc, Resolve, path_of, resolve, resolve_parent};

/// Most bytes one call gives, and entries looked at for it.
const STEP: usize = 1 << 20;

/// How an entry is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `struct linux_dirent`
    Old,
    /// `struct linux_dirent64`
    New,
}

fn record(entry: &DirEntry, layout: Layout) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&entry.ino.to_le_bytes());
    bytes.extend_from_slice(&entry.next.to_le_bytes());
    let name_at = if layout == Layout::New { 19 } else { 18 };
    let extra = if layout == Layout::New { 1 } else { 2 };
    let len = (name_at + entry.name.len() + extra).next_multiple_of(8);
    bytes.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes());
    if layout == Layout::New {
        bytes.push(entry.dtype);
    }
    bytes.extend_from_slice(&entry.name);
    bytes.resize(len, 0);
    if layout == Layout::Old
        && let Some(last) = bytes.last_mut()
    {
        *last = entry.dtype;
    }
    bytes
}

fn read_dir(ctx: &mut Ctx<'_>, fd: Fd, dirp: Addr, count: u32, layout: Layout) -> SysResult {
    let id = ctx.fd(fd)?;
    let File::Dir(dir) = ctx.file(id).kind else { return Err(Errno::ENOTDIR.into()) };
    let room = usize::try_from(count).unwrap_or(usize::MAX).min(STEP);
    let pos = ctx.file(id).pos;
    let entries = dir.entries(ctx, id, pos, room / 24 + 1)?;
    let mut bytes = Vec::new();
    let mut next = pos;
    for entry in &entries {
        let record = record(entry, layout);
        if bytes.len() + record.len() > room {
            if bytes.is_empty() {
                return Err(Errno::EINVAL.into());
            }
            break;
        }
        bytes.extend_from_slice(&record);
        next = entry.next;
    }
    ctx.write_user(dirp, &bytes)?;
    ctx.file_mut(id).pos = next;
    Ok(bytes.len() as u64)
}

/// `getdents(2)`
pub(crate) fn getdents(ctx: &mut Ctx<'_>, fd: Fd, dirp: Addr, count: U32) -> SysResult {
    read_dir(ctx, fd, dirp, count.0, Layout::Old)
}

/// `getdents64(2)`
pub(crate) fn getdents64(ctx: &mut Ctx<'_>, fd: Fd, dirp: Addr, count: U32) -> SysResult {
    read_dir(ctx, fd, dirp, count.0, Layout::New)
}

/// `mkdirat(2)`
pub(crate) fn mkdirat(ctx: &mut Ctx<'_>, dirfd: DirFd, path: Path, mode: U32) -> SysResult {
    let path = ctx.read_path(path)?;
    let parent = resolve_parent(ctx, dirfd, &path)?;
    let mode = mode.0 & 0o1777;
    ops::create_new(ctx, &parent, Making::Dir, mode)?;
    Ok(0)
}

/// `mkdir(2)`
pub(crate) fn mkdir(ctx: &mut Ctx<'_>, path: Path, mode: U32) -> SysResult {
    mkdirat(ctx, DirFd::CWD, path, mode)
}

/// `rmdir(2)`
pub(crate) fn rmdir(ctx: &mut Ctx<'_>, path: Path) -> SysResult {
    let path = ctx.read_path(path)?;
    let parent = resolve_parent(ctx, DirFd::CWD, &path)?;
    ops::rmdir(ctx, &parent)?;
    Ok(0)
}

/// `getcwd(2)`: the length with the NUL.
pub(crate) fn getcwd(ctx: &mut Ctx<'_>, buf: Addr, size: Len) -> SysResult {
    let fs = ctx.k.fs_contexts.get(ctx.task().fs).ok_or(Errno::ENOENT)?;
    let (cwd, root) = (fs.cwd, fs.root);
    if ctx.k.vfs.dentries.get(cwd.dentry).is_none_or(|dentry| !dentry.hashed) {
        return Err(Errno::ENOENT.into());
    }
    let mut path = path_of(ctx.k, cwd, root);
    path.push(0);
    let len = path.len() as u64;
    if len > 4096 {
        return Err(Errno::ENAMETOOLONG.into());
    }
    if len > size.0 {
        return Err(Errno::ERANGE.into());
    }
    ctx.write_user(buf, &path)?;
    Ok(len)
}

fn set_cwd(ctx: &mut Ctx<'_>, loc: Loc) -> Result<(), Errno> {
    permission(ctx, ctx.k.vfs.inode_at(loc), MAY_EXEC)?;
    let fs = ctx.task().fs;
    let fs = ctx.k.fs_contexts.get_mut(fs).ok_or(Errno::ENOENT)?;
    let before = std::mem::replace(&mut fs.cwd, loc);
    left(ctx, before);
    Ok(())
}

/// A removed directory that a task was in may go now.
fn left(ctx: &mut Ctx<'_>, loc: Loc) {
    if ctx.k.vfs.dentries.get(loc.dentry).is_some_and(|dentry| !dentry.hashed) {
        crate::vfs::tree::sweep_orphans(ctx.k);
    }
}

/// `chdir(2)`
pub(crate) fn chdir(ctx: &mut Ctx<'_>, path: Path) -> SysResult {
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, DirFd::CWD, &path, Resolve::FOLLOW | Resolve::DIRECTORY)?;
    set_cwd(ctx, loc)?;
    Ok(0)
}

/// `fchdir(2)`
pub(crate) fn fchdir(ctx: &mut Ctx<'_>, fd: Fd) -> SysResult {
    let id = ctx.fd_any(fd)?;
    let loc = ctx.file(id).loc.ok_or(Errno::ENOTDIR)?;
    if !ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    set_cwd(ctx, loc)?;
    Ok(0)
}

/// `chroot(2)`
pub(crate) fn chroot(ctx: &mut Ctx<'_>, path: Path) -> SysResult {
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, DirFd::CWD, &path, Resolve::FOLLOW | Resolve::DIRECTORY)?;
    permission(ctx, ctx.k.vfs.inode_at(loc), MAY_EXEC)?;
    if !capable(&ctx.task().creds, cap::SYS_CHROOT) {
        return Err(Errno::EPERM.into());
    }
    let fs = ctx.task().fs;
    let fs = ctx.k.fs_contexts.get_mut(fs).ok_or(Errno::ENOENT)?;
    let before = std::mem::replace(&mut fs.root, loc);
    left(ctx, before);
    Ok(0)
}
