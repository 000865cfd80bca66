//! Changing attributes: mode, owner, times.

use crate::abi::errno::Errno;
use crate::ctx::Ctx;
use crate::file::inotify::mask;
use crate::file::pty;
use crate::seam::HostChange;
use crate::vfs::ftype::{S_ISGID, S_ISUID};
use crate::vfs::open::notify;
use crate::vfs::perm::{MAY_WRITE, cap, capable, in_group, owner_or_capable, permission};
use crate::vfs::stat::Owned;
use crate::vfs::synth::Synth;
use crate::vfs::{InodeId, InodeKind, Loc, acl, data, fsflag, now, shared, want_write};

/// Changes the permission bits (`chmod(2)`).
pub(crate) fn set_mode(ctx: &mut Ctx<'_>, loc: Loc, mode: u32) -> Result<(), Errno> {
    let id = ctx.k.vfs.inode_at(loc);
    want_write(ctx.k, loc)?;
    if !owner_or_capable(ctx, id) {
        return Err(Errno::EPERM);
    }
    may_change(ctx, id)?;
    not_fixed(ctx, id)?;
    let creds = &ctx.task().creds;
    let inode = ctx.k.vfs.inode(id);
    let mut mode = mode & 0o7777;
    if !in_group(creds, inode.gid) && !capable(creds, cap::FSETID) {
        mode &= !S_ISGID;
    }
    if inode.is_symlink() {
        return Err(Errno::EOPNOTSUPP);
    }
    if shared::is_shared(ctx.k, id) {
        let path = shared::path_of_inode(ctx.k.vfs.inode(id))?;
        shared::change(ctx.host, &HostChange::Chmod(path, mode))?;
    } else {
        data::note_changed(ctx.k, id);
    }
    let now = now(ctx.k, ctx.host);
    let inode = ctx.k.vfs.inode_mut(id);
    inode.mode = mode;
    inode.ctime = now;
    acl::follow_mode(inode);
    keep(ctx, id);
    notify(ctx.k, loc, mask::ATTRIB);
    Ok(())
}

/// Changes owner and group (`chown(2)`).
pub(crate) fn set_owner(
    ctx: &mut Ctx<'_>,
    loc: Loc,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<(), Errno> {
    let id = ctx.k.vfs.inode_at(loc);
    want_write(ctx.k, loc)?;
    let creds = &ctx.task().creds;
    let inode = ctx.k.vfs.inode(id);
    let is_owner = creds.uid[3] == inode.uid;
    let may_all = capable(creds, cap::CHOWN);
    if let Some(uid) = uid
        && !may_all
        && !(is_owner && uid == inode.uid)
    {
        return Err(Errno::EPERM);
    }
    if let Some(gid) = gid
        && !may_all
        && !(is_owner && (in_group(creds, gid) || gid == inode.gid))
    {
        return Err(Errno::EPERM);
    }
    may_change(ctx, id)?;
    not_fixed(ctx, id)?;
    let inode = ctx.k.vfs.inode(id);
    let same = uid.is_none_or(|uid| uid == inode.uid) && gid.is_none_or(|gid| gid == inode.gid);
    if shared::is_shared(ctx.k, id) {
        // Owners are not passed to the host: it decides who owns what.
        return if same { Ok(()) } else { Err(Errno::EPERM) };
    }
    data::note_changed(ctx.k, id);
    let now = now(ctx.k, ctx.host);
    let inode = ctx.k.vfs.inode_mut(id);
    inode.uid = uid.unwrap_or(inode.uid);
    inode.gid = gid.unwrap_or(inode.gid);
    inode.ctime = now;
    // Set-id bits go, whoever changes the owner (should_remove_suid), except of directories.
    if !inode.is_dir() && (uid.is_some() || gid.is_some()) {
        inode.mode &= !S_ISUID;
        if inode.mode & 0o010 != 0 {
            inode.mode &= !S_ISGID;
        }
    }
    keep(ctx, id);
    notify(ctx.k, loc, mask::ATTRIB);
    Ok(())
}

/// A time to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetTime {
    /// `UTIME_OMIT`
    Omit,
    /// `UTIME_NOW`
    Now,
    /// ns since 1970
    To(i64),
}

/// Changes access and modification times (`utimensat(2)`).
pub(crate) fn set_times(ctx: &mut Ctx<'_>, loc: Loc, atime: SetTime, mtime: SetTime) -> Result<(), Errno> {
    if (atime, mtime) == (SetTime::Omit, SetTime::Omit) {
        return Ok(());
    }
    let id = ctx.k.vfs.inode_at(loc);
    want_write(ctx.k, loc)?;
    let immutable = ctx.k.vfs.inode(id).fsflags & fsflag::IMMUTABLE != 0;
    if immutable || (atime, mtime) != (SetTime::Now, SetTime::Now) {
        not_fixed(ctx, id)?;
    }
    if (atime, mtime) == (SetTime::Now, SetTime::Now) {
        if !owner_or_capable(ctx, id) {
            permission(ctx, id, MAY_WRITE)?;
        }
    } else if !owner_or_capable(ctx, id) {
        return Err(Errno::EPERM);
    }
    may_change(ctx, id)?;
    let now = now(ctx.k, ctx.host);
    let value = |time| match time {
        SetTime::Omit => None,
        SetTime::Now => Some(now),
        SetTime::To(ns) => Some(ns),
    };
    let (atime, mtime) = (value(atime), value(mtime));
    if shared::is_shared(ctx.k, id) {
        let path = shared::path_of_inode(ctx.k.vfs.inode(id))?;
        shared::change(ctx.host, &HostChange::SetTimes(path, atime, mtime))?;
    }
    let inode = ctx.k.vfs.inode_mut(id);
    inode.atime = atime.unwrap_or(inode.atime);
    inode.mtime = mtime.unwrap_or(inode.mtime);
    inode.ctime = now;
    notify(ctx.k, loc, mask::ATTRIB);
    Ok(())
}

/// `EPERM` for an immutable or append-only file.
fn not_fixed(ctx: &Ctx<'_>, id: InodeId) -> Result<(), Errno> {
    if ctx.k.vfs.inode(id).is_fixed() { Err(Errno::EPERM) } else { Ok(()) }
}

/// Nodes that are made up anew at each look: the terminal, pipe or socket behind one keeps what was changed.
fn keep(ctx: &mut Ctx<'_>, id: InodeId) {
    let inode = ctx.k.vfs.inode(id);
    let (uid, gid, mode) = (inode.uid, inode.gid, inode.mode);
    if let InodeKind::Anon(file) = inode.kind {
        let kind = ctx.k.files.get(file).map(|file| file.kind.clone());
        if let Some(owned) = kind.as_ref().and_then(|kind| kind.ops().owned(ctx.k)) {
            *owned = Owned { mode, uid, gid };
        }
        return;
    }
    let InodeKind::Synth(Synth::Pts(index)) = inode.kind else { return };
    if let Some(tty) = pty::by_index(ctx.k, index).and_then(|tty| ctx.k.ttys.get_mut(tty)) {
        (tty.owner, tty.group, tty.mode) = (uid, gid, mode);
    }
}

/// Made-up files and open files without a place keep their attributes; terminals do not.
fn may_change(ctx: &mut Ctx<'_>, id: InodeId) -> Result<(), Errno> {
    match ctx.k.vfs.inode(id).kind {
        InodeKind::Synth(Synth::Pts(_)) => Ok(()),
        InodeKind::Synth(_) => Err(Errno::EPERM),
        InodeKind::Anon(file) => {
            let kind = ctx.k.files.get(file).map(|file| file.kind.clone());
            match kind.as_ref().and_then(|kind| kind.ops().owned(ctx.k)) {
                Some(_) => Ok(()),
                None => Err(Errno::EOPNOTSUPP),
            }
        }
        _ => Ok(()),
    }
}
