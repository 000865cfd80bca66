//! What changes directories: creating, linking, removing, renaming, with Linux's checks in Linux's order.
//!
//! **Invariant**: on a writable share the host is changed first; memory follows only if it succeeded.

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::inotify::{self, mask};
use crate::landlock::{check_path, check_refer, fs};
use crate::seam::HostChange;
use crate::vfs::ftype::S_ISGID;
use crate::vfs::open::{notify, notify_entry};
use crate::vfs::perm::{MAY_EXEC, MAY_WRITE, cap, capable, in_group, may_delete, permission};
use crate::vfs::tree::{host_child, load_dir, new_inode, remove_entry, settle};
use crate::vfs::walk::entry;
use crate::vfs::{
    Content, DentryId, Dir, Inode, InodeId, InodeKind, Load, Loc, Lower, NAME_MAX, Parent, SuperKind, acl,
    data, now, shared, want_write,
};

/// What to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Making {
    /// An empty regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link with this target.
    Symlink(Vec<u8>),
    /// A character device.
    CharDevice(u64),
    /// A block device.
    BlockDevice(u64),
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
}

impl Making {
    /// What Landlock calls it.
    fn right(&self) -> u64 {
        match self {
            Making::File => fs::MAKE_REG,
            Making::Dir => fs::MAKE_DIR,
            Making::Symlink(_) => fs::MAKE_SYM,
            Making::CharDevice(_) => fs::MAKE_CHAR,
            Making::BlockDevice(_) => fs::MAKE_BLOCK,
            Making::Fifo => fs::MAKE_FIFO,
            Making::Socket => fs::MAKE_SOCK,
        }
    }
    fn kind(&self) -> InodeKind {
        match self {
            Making::File => InodeKind::Regular(Content::default()),
            Making::Dir => InodeKind::Dir(Dir::default()),
            Making::Symlink(target) => InodeKind::Symlink(Some(target.as_slice().into())),
            Making::CharDevice(rdev) => InodeKind::CharDevice(*rdev),
            Making::BlockDevice(rdev) => InodeKind::BlockDevice(*rdev),
            Making::Fifo => InodeKind::Fifo,
            Making::Socket => InodeKind::Socket,
        }
    }
}

/// Sets modification and change time of a file to now.
pub(crate) fn stamp_change(ctx: &mut Ctx<'_>, id: InodeId) {
    let now = now(ctx.k, ctx.host);
    let inode = ctx.k.vfs.inode_mut(id);
    inode.mtime = now;
    inode.ctime = now;
}

/// Sets the change time.
pub(crate) fn stamp_ctime(ctx: &mut Ctx<'_>, id: InodeId) {
    let now = now(ctx.k, ctx.host);
    ctx.k.vfs.inode_mut(id).ctime = now;
}

/// A new inode for directory `dir`, owned by the caller (inode_init_owner), with the permissions that the umask or the
/// directory leaves of `mode`. `ENOSPC`.
pub(crate) fn inode_for(ctx: &mut Ctx<'_>, dir: InodeId, kind: InodeKind, mode: u32) -> Result<Inode, Errno> {
    let now = now(ctx.k, ctx.host);
    let (mode, lists) = acl::inherit(ctx, dir, &kind, mode);
    let creds = &ctx.task().creds;
    let parent = ctx.k.vfs.inode(dir);
    let (sb, mut owner, mut mode) = (parent.sb, (creds.uid[3], creds.gid[3]), mode);
    if parent.mode & S_ISGID != 0 {
        owner.1 = parent.gid;
        if matches!(kind, InodeKind::Dir(_)) {
            mode |= S_ISGID;
        } else if mode & 0o2010 == 0o2010 && !in_group(creds, owner.1) && !capable(creds, cap::FSETID) {
            mode &= !S_ISGID;
        }
    }
    ctx.k.vfs.super_mut(sb).charge_inode()?;
    let mut inode = new_inode(sb, kind, mode, owner, now);
    for (name, list) in lists {
        inode.xattrs.insert(name.into(), list);
    }
    Ok(inode)
}

/// The path below the share of an entry of a host directory, for telling the user.
fn note_entry(ctx: &mut Ctx<'_>, dir: InodeId, name: &[u8], gone: Gone) {
    let inode = ctx.k.vfs.inode(dir);
    let sb = inode.sb;
    if !ctx.k.vfs.super_block(sb).is_cow() {
        return;
    }
    let path = match &inode.lower {
        Some(Lower::Host(path)) => host_child(path, name).path,
        // A directory that exists in memory only is noted itself.
        _ => return,
    };
    let sb = ctx.k.vfs.super_mut(sb);
    match gone {
        Gone::No => sb.note_changed(path),
        Gone::OnlyHere => {
            sb.changed.remove(&path);
        }
    }
}

/// Whether a noted entry went again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    No,
    /// It never was on the host: there is nothing left to lose.
    OnlyHere,
}

/// What creating gives in a made-up directory: /proc does not even look for room, the others forbid it.
pub(crate) fn no_room(ctx: &Ctx<'_>, dir: InodeId) -> Result<(), Errno> {
    let inode = ctx.k.vfs.inode(dir);
    let is_proc = ctx.k.vfs.super_block(inode.sb).kind == SuperKind::Proc;
    if is_proc { Err(Errno::ENOENT) } else { Ok(()) }
}

/// Checks that an entry may be made in `parent.dir`: nothing there, the directory alive and writable.
fn may_create(ctx: &mut Ctx<'_>, parent: &Parent) -> Result<InodeId, Errno> {
    let dir = ctx.k.vfs.inode_at(parent.dir);
    no_room(ctx, dir)?;
    want_write(ctx.k, parent.dir)?;
    if !ctx.k.vfs.dentry(parent.dir.dentry).hashed {
        return Err(Errno::ENOENT);
    }
    permission(ctx, dir, MAY_WRITE | MAY_EXEC)?;
    let Some(entries) = ctx.k.vfs.inode(dir).dir() else {
        // Nothing can be made in /proc and the like.
        return Err(Errno::EPERM);
    };
    if entries.load == Load::Todo {
        load_dir(ctx.k, ctx.host, parent.dir.dentry)?;
    }
    Ok(dir)
}

/// Makes the entry `parent` names, which the caller did not find. The umask is not applied to the mode yet.
pub(crate) fn create(ctx: &mut Ctx<'_>, parent: &Parent, making: Making, mode: u32) -> Result<Loc, Errno> {
    if parent.name.len() > NAME_MAX {
        return Err(Errno::ENAMETOOLONG);
    }
    let dir = may_create(ctx, parent)?;
    check_path(ctx.k, ctx.tid, parent.dir, making.right())?;
    let name = &parent.name;
    let lower = if shared::is_shared(ctx.k, dir) {
        let path = host_child(&shared::path_of_inode(ctx.k.vfs.inode(dir))?, name);
        let allowed = mode & !ctx.umask();
        let change = match &making {
            Making::File => HostChange::CreateFile(path.clone(), allowed),
            Making::Dir => HostChange::CreateDir(path.clone(), allowed),
            Making::Symlink(target) => HostChange::CreateSymlink(path.clone(), target.clone()),
            _ => return Err(Errno::EPERM),
        };
        shared::change(ctx.host, &change)?;
        Some(path)
    } else {
        None
    };
    let is_dir = making == Making::Dir;
    let mut inode = inode_for(ctx, dir, making.kind(), mode)?;
    if let Making::Symlink(target) = &making {
        inode.size = target.len() as u64;
    }
    inode.lower = lower.map(Lower::Host);
    let id = ctx.k.vfs.inodes.insert(inode);
    let dentry = ctx.k.vfs.add_entry(parent.dir.dentry, name, id);
    if is_dir {
        ctx.k.vfs.inode_mut(dir).nlink += 1;
    }
    stamp_change(ctx, dir);
    note_entry(ctx, dir, name, Gone::No);
    shared::refresh(ctx.k, ctx.host, id);
    let bits = if is_dir { mask::CREATE | mask::ISDIR } else { mask::CREATE };
    notify_entry(ctx.k, dir, name, bits, 0);
    Ok(Loc { mount: parent.dir.mount, dentry })
}

/// As [`create`] for calls that never open what is there: `EEXIST` if the name exists.
pub(crate) fn create_new(
    ctx: &mut Ctx<'_>,
    parent: &Parent,
    making: Making,
    mode: u32,
) -> Result<Loc, Errno> {
    if !parent.is_name() {
        return Err(Errno::EEXIST);
    }
    match entry(ctx, parent) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    if parent.must_be_dir && making != Making::Dir {
        return Err(Errno::ENOENT);
    }
    create(ctx, parent, making, mode)
}

/// Drops a name and one link of what it named.
fn drop_name(ctx: &mut Ctx<'_>, dentry: DentryId) {
    let id = ctx.k.vfs.dentry(dentry).inode;
    let now = now(ctx.k, ctx.host);
    let inode = ctx.k.vfs.inode_mut(id);
    inode.ctime = now;
    inode.nlink = if inode.is_dir() { 0 } else { inode.nlink.saturating_sub(1) };
    let nlink = inode.nlink;
    if inotify::active(ctx.k) {
        // The end of the file itself is told when nothing refers to it any more.
        if !ctx.k.vfs.inode(id).is_dir() {
            inotify::event(ctx.k, Some(id), None, mask::ATTRIB, 0);
        }
    }
    let _ = nlink;
    remove_entry(ctx.k, dentry);
}

/// `unlink(2)` of what `parent` names.
pub(crate) fn unlink(ctx: &mut Ctx<'_>, parent: &Parent) -> Result<(), Errno> {
    if !parent.is_name() {
        return Err(Errno::EISDIR);
    }
    let victim = entry(ctx, parent)?;
    let id = ctx.k.vfs.inode_at(victim);
    let dir = ctx.k.vfs.inode_at(parent.dir);
    if parent.must_be_dir {
        return Err(if ctx.k.vfs.inode(id).is_dir() { Errno::EISDIR } else { Errno::ENOTDIR });
    }
    want_write(ctx.k, parent.dir)?;
    may_delete(ctx, dir, id)?;
    if ctx.k.vfs.inode(id).is_dir() {
        return Err(Errno::EISDIR);
    }
    if ctx.k.vfs.inode(dir).dir().is_none() {
        return Err(Errno::EPERM);
    }
    if victim.mount != parent.dir.mount || ctx.k.vfs.is_mount_point(victim.dentry) {
        return Err(Errno::EBUSY);
    }
    check_path(ctx.k, ctx.tid, parent.dir, fs::REMOVE_FILE)?;
    remove_checked(ctx, parent, dir, victim.dentry, Lost::File)
}

/// `rmdir(2)` of what `parent` names.
pub(crate) fn rmdir(ctx: &mut Ctx<'_>, parent: &Parent) -> Result<(), Errno> {
    match parent.name.as_slice() {
        b"" => return Err(Errno::EBUSY),
        b"." => return Err(Errno::EINVAL),
        b".." => return Err(Errno::ENOTEMPTY),
        _ => {}
    }
    let victim = entry(ctx, parent)?;
    let id = ctx.k.vfs.inode_at(victim);
    let dir = ctx.k.vfs.inode_at(parent.dir);
    want_write(ctx.k, parent.dir)?;
    may_delete(ctx, dir, id)?;
    if !ctx.k.vfs.inode(id).is_dir() {
        return Err(Errno::ENOTDIR);
    }
    if victim.mount != parent.dir.mount || ctx.k.vfs.is_mount_point(victim.dentry) {
        return Err(Errno::EBUSY);
    }
    if ctx.k.vfs.inode(dir).dir().is_none() {
        return Err(Errno::EPERM);
    }
    check_path(ctx.k, ctx.tid, parent.dir, fs::REMOVE_DIR)?;
    must_be_empty(ctx, victim.dentry)?;
    remove_checked(ctx, parent, dir, victim.dentry, Lost::Dir)
}

/// What is being removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    File,
    Dir,
}

fn must_be_empty(ctx: &mut Ctx<'_>, dir: DentryId) -> Result<(), Errno> {
    let id = ctx.k.vfs.dentry(dir).inode;
    if ctx.k.vfs.inode(id).dir().is_some_and(|dir| dir.load == Load::Todo) {
        load_dir(ctx.k, ctx.host, dir)?;
    }
    if shared::is_shared(ctx.k, id) {
        return Ok(());
    }
    if ctx.k.vfs.entry_count(dir) > 0 { Err(Errno::ENOTEMPTY) } else { Ok(()) }
}

fn remove_checked(
    ctx: &mut Ctx<'_>,
    parent: &Parent,
    dir: InodeId,
    dentry: DentryId,
    lost: Lost,
) -> Result<(), Errno> {
    let id = ctx.k.vfs.dentry(dentry).inode;
    if shared::is_shared(ctx.k, dir) {
        let path = shared::path_of_inode(ctx.k.vfs.inode(id))?;
        let change = if lost == Lost::Dir { HostChange::RemoveDir(path) } else { HostChange::Unlink(path) };
        shared::change(ctx.host, &change)?;
    }
    let on_host = ctx.k.vfs.inode(id).lower.is_some();
    note_entry(ctx, dir, &parent.name, if on_host { Gone::No } else { Gone::OnlyHere });
    drop_name(ctx, dentry);
    if lost == Lost::Dir {
        let parent = ctx.k.vfs.inode_mut(dir);
        parent.nlink = parent.nlink.saturating_sub(1);
    }
    stamp_change(ctx, dir);
    let bits = if lost == Lost::Dir { mask::DELETE | mask::ISDIR } else { mask::DELETE };
    notify_entry(ctx.k, dir, &parent.name, bits, 0);
    Ok(())
}

/// `link(2)`: another name for the file at `from`.
pub(crate) fn link(ctx: &mut Ctx<'_>, from: Loc, parent: &Parent) -> Result<(), Errno> {
    settle(ctx.k, ctx.host, from.dentry)?;
    let id = ctx.k.vfs.inode_at(from);
    if !parent.is_name() {
        return Err(Errno::EEXIST);
    }
    match entry(ctx, parent) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    no_room(ctx, ctx.k.vfs.inode_at(parent.dir))?;
    if parent.must_be_dir {
        return Err(Errno::ENOENT);
    }
    if from.mount != parent.dir.mount {
        return Err(Errno::EXDEV);
    }
    let dir = may_create(ctx, parent)?;
    let inode = ctx.k.vfs.inode(id);
    if inode.is_fixed() {
        return Err(Errno::EPERM);
    }
    if inode.sb != ctx.k.vfs.inode(dir).sb {
        return Err(Errno::EXDEV);
    }
    if inode.is_dir() {
        return Err(Errno::EPERM);
    }
    // A file whose last name is gone comes back only if it never had one (O_TMPFILE).
    if inode.nlink == 0 && !ctx.k.vfs.dentry(from.dentry).name.starts_with(b"#") {
        return Err(Errno::ENOENT);
    }
    check_path(ctx.k, ctx.tid, parent.dir, making_right(ctx, id))?;
    let from_dir = dir_of(ctx, from);
    check_refer(ctx.k, ctx.tid, from, from_dir, parent.dir)?;
    if shared::is_shared(ctx.k, dir) {
        let to = host_child(&shared::path_of_inode(ctx.k.vfs.inode(dir))?, &parent.name);
        let from = shared::path_of_inode(ctx.k.vfs.inode(id))?;
        shared::change(ctx.host, &HostChange::Link(from, to))?;
    }
    ctx.k.vfs.inode_mut(id).nlink += 1;
    ctx.k.vfs.add_entry(parent.dir.dentry, &parent.name, id);
    stamp_ctime(ctx, id);
    stamp_change(ctx, dir);
    note_entry(ctx, dir, &parent.name, Gone::No);
    notify_entry(ctx.k, dir, &parent.name, mask::CREATE, 0);
    Ok(())
}

/// What Landlock calls making a name for a file of this type.
fn making_right(ctx: &Ctx<'_>, id: InodeId) -> u64 {
    use crate::vfs::ftype::{S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFSOCK};
    match ctx.k.vfs.inode(id).ftype {
        S_IFDIR => fs::MAKE_DIR,
        S_IFLNK => fs::MAKE_SYM,
        S_IFCHR => fs::MAKE_CHAR,
        S_IFBLK => fs::MAKE_BLOCK,
        S_IFIFO => fs::MAKE_FIFO,
        S_IFSOCK => fs::MAKE_SOCK,
        _ => fs::MAKE_REG,
    }
}

/// The directory that holds a name.
fn dir_of(ctx: &Ctx<'_>, loc: Loc) -> Loc {
    Loc { dentry: ctx.k.vfs.dentry(loc.dentry).parent, ..loc }
}

/// What Landlock says to a rename: names go and come, and files may change their directory.
fn check_rename(
    ctx: &Ctx<'_>,
    old: Loc,
    target: Option<Loc>,
    from: Loc,
    to: Loc,
    exchange: bool,
) -> Result<(), Errno> {
    if ctx.task().landlock.is_none() {
        return Ok(());
    }
    let removing = |loc: Loc| {
        if ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).is_dir() { fs::REMOVE_DIR } else { fs::REMOVE_FILE }
    };
    let (k, tid) = (&*ctx.k, ctx.tid);
    let making = |loc: Loc| making_right(ctx, k.vfs.inode_at(loc));
    let mut at_from = removing(old);
    let mut at_to = making(old);
    if let Some(target) = target {
        at_to |= removing(target);
        if exchange {
            at_from |= making(target);
        }
    }
    check_path(k, tid, from, at_from)?;
    check_path(k, tid, to, at_to)?;
    check_refer(k, tid, old, from, to)?;
    match target.filter(|_| exchange) {
        Some(target) => check_refer(k, tid, target, to, from),
        None => Ok(()),
    }
}

/// `RENAME_WHITEOUT`
pub(crate) const RENAME_WHITEOUT: u32 = 4;
/// `RENAME_NOREPLACE`
pub(crate) const RENAME_NOREPLACE: u32 = 1;
/// `RENAME_EXCHANGE`
pub(crate) const RENAME_EXCHANGE: u32 = 2;

/// `rename(2)` with the flags of renameat2(2).
pub(crate) fn rename(ctx: &mut Ctx<'_>, from: &Parent, to: &Parent, flags: u32) -> Result<(), Stop> {
    if from.dir.mount != to.dir.mount {
        return Err(Errno::EXDEV.into());
    }
    if !from.is_name() {
        return Err(Errno::EBUSY.into());
    }
    if !to.is_name() {
        return Err(if flags & RENAME_NOREPLACE != 0 { Errno::EEXIST } else { Errno::EBUSY }.into());
    }
    let old = entry(ctx, from)?;
    let target = match entry(ctx, to) {
        Ok(loc) => Some(loc),
        Err(Errno::ENOENT) => None,
        Err(errno) => return Err(errno.into()),
    };
    if target.is_some() && flags & RENAME_NOREPLACE != 0 {
        return Err(Errno::EEXIST.into());
    }
    if target.is_none() && flags & RENAME_EXCHANGE != 0 {
        return Err(Errno::ENOENT.into());
    }
    let id = ctx.k.vfs.inode_at(old);
    let is_dir = ctx.k.vfs.inode(id).is_dir();
    if !is_dir && (from.must_be_dir || (flags & RENAME_EXCHANGE == 0 && to.must_be_dir)) {
        return Err(Errno::ENOTDIR.into());
    }
    // Nothing moves into itself, and a directory is not replaced by what it holds.
    if is_dir && ctx.k.vfs.is_subdir(to.dir.dentry, old.dentry) {
        return Err(Errno::EINVAL.into());
    }
    if let Some(target) = target
        && ctx.k.vfs.is_subdir(from.dir.dentry, target.dentry)
    {
        let errno = if flags & RENAME_EXCHANGE != 0 { Errno::EINVAL } else { Errno::ENOTEMPTY };
        return Err(errno.into());
    }
    want_write(ctx.k, from.dir)?;
    let (from_dir, to_dir) = (ctx.k.vfs.inode_at(from.dir), ctx.k.vfs.inode_at(to.dir));
    if target.is_some_and(|target| ctx.k.vfs.inode_at(target) == id) {
        return Ok(());
    }
    may_delete(ctx, from_dir, id)?;
    let target_id = target.map(|loc| ctx.k.vfs.inode_at(loc));
    match target_id {
        Some(target) => {
            may_delete(ctx, to_dir, target)?;
            let target_is_dir = ctx.k.vfs.inode(target).is_dir();
            if flags & RENAME_EXCHANGE == 0 {
                match (is_dir, target_is_dir) {
                    (true, false) => return Err(Errno::ENOTDIR.into()),
                    (false, true) => return Err(Errno::EISDIR.into()),
                    _ => {}
                }
            }
        }
        None => {
            may_create(ctx, to)?;
        }
    }
    // Another directory as parent changes `..`.
    if is_dir && from_dir != to_dir {
        permission(ctx, id, MAY_WRITE)?;
    }
    if ctx.k.vfs.inode(from_dir).dir().is_none() || ctx.k.vfs.inode(to_dir).dir().is_none() {
        return Err(Errno::EPERM.into());
    }
    let busy = |loc: Loc| loc.mount != from.dir.mount || ctx.k.vfs.is_mount_point(loc.dentry);
    if busy(old) || target.is_some_and(busy) {
        return Err(Errno::EBUSY.into());
    }
    if ctx.k.vfs.inode(from_dir).sb != ctx.k.vfs.inode(to_dir).sb {
        return Err(Errno::EXDEV.into());
    }
    check_rename(ctx, old, target, from.dir, to.dir, flags & RENAME_EXCHANGE != 0)?;
    if flags & RENAME_WHITEOUT != 0 {
        if !capable(&ctx.task().creds, cap::MKNOD) {
            return Err(Errno::EPERM.into());
        }
        if shared::is_shared(ctx.k, from_dir) {
            return Err(Errno::EINVAL.into());
        }
    }
    if shared::is_shared(ctx.k, from_dir) {
        if flags & RENAME_EXCHANGE != 0 {
            return Err(Stop::Unsupported("RENAME_EXCHANGE on a shared host directory"));
        }
        let old_path = shared::path_of_inode(ctx.k.vfs.inode(id))?;
        let new_path = host_child(&shared::path_of_inode(ctx.k.vfs.inode(to_dir))?, &to.name);
        shared::change(ctx.host, &HostChange::Rename(old_path, new_path.clone()))?;
        shared::moved(ctx.k, old.dentry, new_path);
    } else if let (Some(target), true) = (target, flags & RENAME_EXCHANGE == 0)
        && ctx.k.vfs.inode(ctx.k.vfs.inode_at(target)).is_dir()
    {
        must_be_empty(ctx, target.dentry)?;
    }
    note_entry(ctx, from_dir, &from.name, Gone::No);
    note_entry(ctx, to_dir, &to.name, Gone::No);
    if flags & RENAME_EXCHANGE != 0 {
        exchange(ctx, old, target, from_dir, to_dir);
    } else {
        replace(ctx, old, target, (from_dir, to_dir), to);
    }
    stamp_ctime(ctx, id);
    stamp_change(ctx, from_dir);
    stamp_change(ctx, to_dir);
    tell_renamed(ctx, id, (from_dir, &from.name), (to_dir, &to.name));
    if flags & RENAME_WHITEOUT != 0 {
        // What hides a name of the lower layer of an overlay: a character device 0:0.
        create(ctx, from, Making::CharDevice(0), 0)?;
    }
    Ok(())
}

fn replace(
    ctx: &mut Ctx<'_>,
    old: Loc,
    target: Option<Loc>,
    (from_dir, to_dir): (InodeId, InodeId),
    to: &Parent,
) {
    if let Some(target) = target {
        let was_dir = ctx.k.vfs.inode(ctx.k.vfs.inode_at(target)).is_dir();
        drop_name(ctx, target.dentry);
        if was_dir {
            let dir = ctx.k.vfs.inode_mut(to_dir);
            dir.nlink = dir.nlink.saturating_sub(1);
        }
    }
    if ctx.k.vfs.inode(ctx.k.vfs.inode_at(old)).is_dir() {
        let dir = ctx.k.vfs.inode_mut(from_dir);
        dir.nlink = dir.nlink.saturating_sub(1);
        ctx.k.vfs.inode_mut(to_dir).nlink += 1;
    }
    ctx.k.vfs.move_entry(old.dentry, to.dir.dentry, &to.name);
}

fn exchange(ctx: &mut Ctx<'_>, old: Loc, target: Option<Loc>, from_dir: InodeId, to_dir: InodeId) {
    let Some(target) = target else { return };
    let dirs = [old, target].map(|loc| ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).is_dir());
    if dirs[0] != dirs[1] {
        let (less, more) = if dirs[0] { (from_dir, to_dir) } else { (to_dir, from_dir) };
        let dir = ctx.k.vfs.inode_mut(less);
        dir.nlink = dir.nlink.saturating_sub(1);
        ctx.k.vfs.inode_mut(more).nlink += 1;
    }
    ctx.k.vfs.exchange_entries(old.dentry, target.dentry);
}

fn tell_renamed(ctx: &mut Ctx<'_>, id: InodeId, from: (InodeId, &[u8]), to: (InodeId, &[u8])) {
    if !inotify::active(ctx.k) {
        return;
    }
    let dir = if ctx.k.vfs.inode(id).is_dir() { mask::ISDIR } else { 0 };
    let cookie = inotify::new_cookie(ctx.k);
    notify_entry(ctx.k, from.0, from.1, mask::MOVED_FROM | dir, cookie);
    notify_entry(ctx.k, to.0, to.1, mask::MOVED_TO | dir, cookie);
    if from.0 == to.0 {
        crate::file::sigio::dir_event(ctx.k, from.0, 0, true);
    }
    inotify::event(ctx.k, Some(id), None, mask::MOVE_SELF, 0);
}

/// `truncate(2)`, after the checks of the caller: size, times, set-id bits, watchers.
pub(crate) fn truncate(ctx: &mut Ctx<'_>, loc: Loc, id: InodeId, size: u64) -> Result<(), Errno> {
    data::set_size(ctx.k, ctx.host, id, size)?;
    stamp_change(ctx, id);
    if !capable(&ctx.task().creds, cap::FSETID) {
        let inode = ctx.k.vfs.inode_mut(id);
        inode.mode &= !crate::vfs::ftype::S_ISUID;
        if inode.mode & 0o010 != 0 {
            inode.mode &= !S_ISGID;
        }
    }
    notify(ctx.k, loc, mask::MODIFY);
    Ok(())
}
