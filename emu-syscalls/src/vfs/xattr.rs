//! Extended attributes (xattr(7)): `user.`, `trusted.`, `security.`, and the two of [`super::acl`].
//!
//! **Invariant**: an attribute is bounded by XATTR_SIZE_MAX, all of a file's by [`ALL_MAX`].

use std::sync::Arc;

use crate::abi::errno::Errno;
use crate::ctx::Ctx;
use crate::vfs::acl::{self, Acl};
use crate::vfs::ftype::{S_ISGID, S_ISVTX};
use crate::vfs::perm::{MAY_READ, MAY_WRITE, cap, capable, in_group, owner_or_capable, permission};
use crate::vfs::{InodeId, InodeKind, Loc, data, ops, shared, want_write};

/// Longest name in bytes.
pub(crate) const NAME_MAX: usize = 255;
/// Longest value in bytes.
pub(crate) const SIZE_MAX: u64 = 65536;
/// The access-control lists of acl(5).
const ACLS: [&[u8]; 2] = [acl::ACCESS, acl::DEFAULT];
/// All names and values of one file, in bytes.
const ALL_MAX: usize = 1 << 20;
/// `XATTR_CREATE`
pub(crate) const CREATE: u32 = 1;
/// `XATTR_REPLACE`
pub(crate) const REPLACE: u32 = 2;

/// Whether the file may have such an attribute and the caller may `mask` it (xattr_permission).
fn check(ctx: &Ctx<'_>, id: InodeId, name: &[u8], mask: u32) -> Result<(), Errno> {
    let inode = ctx.k.vfs.inode(id);
    let reads = mask & MAY_WRITE == 0;
    let anonymous = matches!(inode.kind, InodeKind::Anon(_));
    if anonymous && name.starts_with(b"user.") {
        return Err(if reads { Errno::ENODATA } else { Errno::EPERM });
    }
    if anonymous || matches!(inode.kind, InodeKind::Synth(_)) || shared::is_shared(ctx.k, id) {
        return Err(Errno::EOPNOTSUPP);
    }
    if name.starts_with(b"security.") {
        return Ok(());
    }
    if name.starts_with(b"trusted.") {
        return match capable(&ctx.task().creds, cap::SYS_ADMIN) {
            true => Ok(()),
            false if reads => Err(Errno::ENODATA),
            false => Err(Errno::EPERM),
        };
    }
    if reads && ACLS.contains(&name) && !inode.is_symlink() {
        return Ok(());
    }
    if !name.starts_with(b"user.") {
        return Err(Errno::EOPNOTSUPP);
    }
    if name == b"user." {
        return Err(Errno::EINVAL);
    }
    if !inode.is_regular() && !inode.is_dir() {
        return Err(if reads { Errno::ENODATA } else { Errno::EPERM });
    }
    if inode.is_dir() && inode.mode & S_ISVTX != 0 && !reads && !owner_or_capable(ctx, id) {
        return Err(Errno::EPERM);
    }
    permission(ctx, id, mask)
}

/// The value of an attribute. `ENODATA`.
pub(crate) fn get(ctx: &Ctx<'_>, loc: Loc, name: &[u8]) -> Result<Arc<[u8]>, Errno> {
    let id = ctx.k.vfs.inode_at(loc);
    check(ctx, id, name, MAY_READ)?;
    ctx.k.vfs.inode(id).xattrs.get(name).cloned().ok_or(Errno::ENODATA)
}

/// All names, each with its NUL.
pub(crate) fn list(ctx: &Ctx<'_>, loc: Loc) -> Vec<u8> {
    let trusted = capable(&ctx.task().creds, cap::SYS_ADMIN);
    let mut text = Vec::new();
    for name in ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).xattrs.keys() {
        if trusted || !name.starts_with(b"trusted.") {
            text.extend_from_slice(name);
            text.push(0);
        }
    }
    text
}

/// Sets or takes away (`None`) an access-control list. `EPERM` for whoever does not own the file.
fn set_acl(ctx: &mut Ctx<'_>, id: InodeId, name: &[u8], value: Option<&[u8]>) -> Result<(), Errno> {
    let list = value.map_or(Ok(None), Acl::parse)?;
    let inode = ctx.k.vfs.inode(id);
    let has_none = matches!(inode.kind, InodeKind::Synth(_) | InodeKind::Anon(_)) || inode.is_symlink();
    if has_none || shared::is_shared(ctx.k, id) {
        return Err(Errno::EOPNOTSUPP);
    }
    if !owner_or_capable(ctx, id) {
        return Err(Errno::EPERM);
    }
    let keeps_sgid =
        in_group(&ctx.task().creds, ctx.k.vfs.inode(id).gid) || capable(&ctx.task().creds, cap::FSETID);
    let inode = ctx.k.vfs.inode_mut(id);
    acl::set(inode, name, list.as_ref())?;
    if !keeps_sgid && list.is_some() && name == acl::ACCESS {
        inode.mode &= !S_ISGID;
    }
    data::note_changed(ctx.k, id);
    ops::stamp_ctime(ctx, id);
    Ok(())
}

/// Sets an attribute. `EEXIST`, `ENODATA`, `ENOSPC`.
pub(crate) fn set(ctx: &mut Ctx<'_>, loc: Loc, name: &[u8], value: &[u8], flags: u32) -> Result<(), Errno> {
    let id = ctx.k.vfs.inode_at(loc);
    want_write(ctx.k, loc)?;
    if ctx.k.vfs.inode(id).is_fixed() {
        return Err(Errno::EPERM);
    }
    if ACLS.contains(&name) {
        return set_acl(ctx, id, name, Some(value));
    }
    check(ctx, id, name, MAY_WRITE)?;
    let xattrs = &ctx.k.vfs.inode(id).xattrs;
    let there = xattrs.contains_key(name);
    if there && flags & CREATE != 0 {
        return Err(Errno::EEXIST);
    }
    if !there && flags & REPLACE != 0 {
        return Err(Errno::ENODATA);
    }
    let used: usize = xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    if used + name.len() + value.len() > ALL_MAX {
        return Err(Errno::ENOSPC);
    }
    ctx.k.vfs.inode_mut(id).xattrs.insert(name.into(), value.into());
    data::note_changed(ctx.k, id);
    ops::stamp_ctime(ctx, id);
    Ok(())
}

/// Takes an attribute away. `ENODATA`.
pub(crate) fn remove(ctx: &mut Ctx<'_>, loc: Loc, name: &[u8]) -> Result<(), Errno> {
    let id = ctx.k.vfs.inode_at(loc);
    want_write(ctx.k, loc)?;
    if ctx.k.vfs.inode(id).is_fixed() {
        return Err(Errno::EPERM);
    }
    if ACLS.contains(&name) {
        return set_acl(ctx, id, name, None);
    }
    check(ctx, id, name, MAY_WRITE)?;
    ctx.k.vfs.inode_mut(id).xattrs.remove(name).ok_or(Errno::ENODATA)?;
    data::note_changed(ctx.k, id);
    ops::stamp_ctime(ctx, id);
    Ok(())
}
