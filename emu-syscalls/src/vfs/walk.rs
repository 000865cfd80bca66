//! Resolving paths (path_resolution(7)): components, links, mounts, permissions, in Linux's order of errors.
//!
//! **Invariant**: a walk never leaves its root; it follows at most 40 links.

use crate::abi::errno::Errno;
use crate::arg::DirFd;
use crate::ctx::{Ctx, PATH_MAX, Stop};
use crate::file::FileId;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;
use crate::vfs::perm::{MAY_EXEC, permission_of};
use crate::vfs::synth::{self, LinkTarget};
use crate::vfs::tree::{lookup, sweep_synth};
use crate::vfs::{DentryId, InodeKind, Loc, Lower, MountFlags, NAME_MAX};

/// Links followed before `ELOOP`.
const LINKS_MAX: u32 = 40;

bitflags::bitflags! {
    /// How a path is resolved. Empty: the last component is not followed if it is a link.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct Resolve: u32 {
        /// Follow a link in the last component.
        const FOLLOW = 1;
        /// The empty path means the base itself (`AT_EMPTY_PATH`).
        const EMPTY = 2;
        /// The result must be a directory.
        const DIRECTORY = 4;
        /// `RESOLVE_NO_XDEV`
        const NO_XDEV = 0x10;
        /// `RESOLVE_NO_MAGICLINKS`
        const NO_MAGICLINKS = 0x20;
        /// `RESOLVE_NO_SYMLINKS`
        const NO_SYMLINKS = 0x40;
        /// `RESOLVE_BENEATH`
        const BENEATH = 0x80;
        /// `RESOLVE_IN_ROOT`
        const IN_ROOT = 0x100;
    }
}

/// The directory of a path's last component, and that component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The directory.
    pub dir: Loc,
    /// The name: empty for the root, or `.` or `..` if the path ends so.
    pub name: Vec<u8>,
    /// The path ends with a slash.
    pub must_be_dir: bool,
}

impl Parent {
    /// Whether the last component is a proper name: not the root, `.` or `..`.
    #[must_use]
    pub fn is_name(&self) -> bool {
        !matches!(self.name.as_slice(), b"" | b"." | b"..")
    }
}

/// A walk in progress.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    pub(crate) k: &'a mut Kernel,
    pub(crate) host: &'a mut dyn Host,
    /// Whose rights count; `None`: the kernel's.
    pub(crate) who: Option<TaskId>,
    pub(crate) root: Loc,
    /// Where the walk is.
    pub(crate) at: Loc,
    /// Where it began, for `BENEATH`.
    pub(crate) start: Loc,
    pub(crate) how: Resolve,
    links: u32,
}

/// What a link leads to.
enum Led {
    /// On with this path.
    Path(Vec<u8>),
    /// Straight to a place.
    Place(Loc),
}

impl<'a> Walk<'a> {
    /// A walk of the kernel itself from the top.
    pub(crate) fn of_kernel(k: &'a mut Kernel, host: &'a mut dyn Host) -> Result<Self, Errno> {
        let root = k.vfs.root().ok_or(Errno::ENOENT)?;
        Ok(Walk { k, host, who: None, root, at: root, start: root, how: Resolve::FOLLOW, links: 0 })
    }

    /// A walk of the calling task along `path` from `base`.
    pub(crate) fn of_task(
        ctx: &'a mut Ctx<'_>,
        base: DirFd,
        path: &[u8],
        how: Resolve,
    ) -> Result<Self, Errno> {
        sweep_synth(ctx.k, Some(ctx.tid));
        let fs = ctx.k.fs_contexts.get(ctx.task().fs).ok_or(Errno::ENOENT)?;
        let (cwd, mut root) = (fs.cwd, fs.root);
        let absolute = path.first() == Some(&b'/');
        if path.len() >= PATH_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if path.is_empty() && !how.contains(Resolve::EMPTY) {
            return Err(Errno::ENOENT);
        }
        let at = if absolute && !how.contains(Resolve::IN_ROOT) {
            root
        } else if base == DirFd::CWD {
            cwd
        } else {
            let id = ctx.fd_any(crate::arg::Fd(base.0))?;
            match ctx.file(id).loc {
                Some(loc) => loc,
                None if path.is_empty() => anon_place(ctx.k, id),
                None => return Err(Errno::ENOTDIR),
            }
        };
        if !path.is_empty() && !ctx.k.vfs.inode(ctx.k.vfs.inode_at(at)).is_dir() {
            return Err(Errno::ENOTDIR);
        }
        if how.contains(Resolve::IN_ROOT) {
            root = at;
        }
        if absolute && how.contains(Resolve::BENEATH) {
            return Err(Errno::EXDEV);
        }
        Ok(Walk { k: ctx.k, host: ctx.host, who: Some(ctx.tid), root, at, start: at, how, links: 0 })
    }

    /// Walks all of `path`.
    pub(crate) fn all(&mut self, path: &[u8]) -> Result<Loc, Errno> {
        self.go(path.to_vec(), Upto::Last).map(|_| self.at)
    }

    /// Walks to the directory of the last component.
    pub(crate) fn parent(&mut self, path: &[u8]) -> Result<Parent, Errno> {
        let (name, must_be_dir) = self.go(path.to_vec(), Upto::Parent)?;
        Ok(Parent { dir: self.at, name, must_be_dir })
    }

    fn go(&mut self, mut path: Vec<u8>, upto: Upto) -> Result<(Vec<u8>, bool), Errno> {
        let mut pos = 0;
        loop {
            if path.get(pos) == Some(&b'/') {
                if pos == 0 {
                    self.go_to_root()?;
                }
                while path.get(pos) == Some(&b'/') {
                    pos += 1;
                }
            }
            if pos >= path.len() {
                // "/", the empty path, or a link to one of them.
                return self.finish(upto, Vec::new(), path.last() == Some(&b'/'));
            }
            let end = path[pos..].iter().position(|byte| *byte == b'/').map_or(path.len(), |n| pos + n);
            let name = path[pos..end].to_vec();
            let slash = end < path.len();
            let last = path[end..].iter().all(|byte| *byte == b'/');
            pos = end;
            let dir = self.k.vfs.inode_at(self.at);
            if !self.k.vfs.inode(dir).is_dir() {
                return Err(Errno::ENOTDIR);
            }
            permission_of(self.k, self.who, dir, MAY_EXEC)?;
            if last && upto == Upto::Parent {
                return self.finish(upto, name, slash);
            }
            match name.as_slice() {
                b"." => {}
                b".." => self.up()?,
                _ => {
                    let next = self.step(&name)?;
                    let inode = self.k.vfs.inode(self.k.vfs.inode_at(next));
                    let follow = !last || slash || self.how.contains(Resolve::FOLLOW);
                    if inode.is_symlink() && follow {
                        match self.follow(next)? {
                            Led::Place(loc) => self.at = loc,
                            Led::Path(target) => {
                                let mut rest = target;
                                rest.extend_from_slice(&path[pos..]);
                                path = rest;
                                pos = 0;
                                continue;
                            }
                        }
                    } else {
                        if last && inode.is_symlink() && self.how.contains(Resolve::NO_SYMLINKS) {
                            return Err(Errno::ELOOP);
                        }
                        self.at = next;
                    }
                }
            }
            if last {
                return self.finish(upto, name, slash);
            }
        }
    }

    fn finish(&mut self, upto: Upto, name: Vec<u8>, slash: bool) -> Result<(Vec<u8>, bool), Errno> {
        let must_be_dir = slash || self.how.contains(Resolve::DIRECTORY);
        if upto == Upto::Last && must_be_dir && !self.k.vfs.inode(self.k.vfs.inode_at(self.at)).is_dir() {
            return Err(Errno::ENOTDIR);
        }
        Ok((name, slash))
    }

    fn go_to_root(&mut self) -> Result<(), Errno> {
        if self.how.contains(Resolve::BENEATH) {
            return Err(Errno::EXDEV);
        }
        if self.how.contains(Resolve::NO_XDEV) && self.root.mount != self.at.mount {
            return Err(Errno::EXDEV);
        }
        self.at = self.root;
        Ok(())
    }

    /// `..`
    fn up(&mut self) -> Result<(), Errno> {
        if self.at == self.start && self.how.contains(Resolve::BENEATH) {
            return Err(Errno::EXDEV);
        }
        let mut at = self.at;
        loop {
            if at == self.root {
                return Ok(());
            }
            let Some(mount) = self.k.vfs.mounts.get(at.mount) else { return Ok(()) };
            if at.dentry != mount.root {
                break;
            }
            match mount.parent {
                Some(parent) => at = Loc { mount: parent, dentry: mount.point },
                None => return Ok(()),
            }
        }
        at.dentry = self.k.vfs.dentry(at.dentry).parent;
        self.cross(at)
    }

    fn cross(&mut self, at: Loc) -> Result<(), Errno> {
        let next = self.k.vfs.follow_mounts(at);
        if next.mount != self.at.mount && self.how.contains(Resolve::NO_XDEV) {
            return Err(Errno::EXDEV);
        }
        self.at = next;
        Ok(())
    }

    /// The place of entry `name` of the current directory, not followed if it is a link.
    pub(crate) fn step(&mut self, name: &[u8]) -> Result<Loc, Errno> {
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let dentry = lookup(self.k, self.host, self.who, self.at.dentry, name)?;
        let before = self.at;
        self.cross(Loc { mount: before.mount, dentry })?;
        let next = self.at;
        self.at = before;
        Ok(next)
    }

    /// Follows the link at `link`, an entry of the current directory.
    fn follow(&mut self, link: Loc) -> Result<Led, Errno> {
        self.links += 1;
        if self.links > LINKS_MAX || self.how.contains(Resolve::NO_SYMLINKS) {
            return Err(Errno::ELOOP);
        }
        if self.k.vfs.mount(link.mount).flags.contains(MountFlags::NOSYMFOLLOW) {
            return Err(Errno::ELOOP);
        }
        let target = match read_link(self.k, self.host, self.who, link.dentry)? {
            LinkTarget::Path(path) => path,
            magic => {
                if self.how.contains(Resolve::NO_MAGICLINKS) {
                    return Err(Errno::ELOOP);
                }
                if self.how.intersects(Resolve::BENEATH | Resolve::IN_ROOT) {
                    return Err(Errno::EXDEV);
                }
                let place = match magic {
                    LinkTarget::File(file, _) => file_place(self.k, file).ok_or(Errno::ENOENT)?,
                    LinkTarget::Loc(loc, _) => loc,
                    LinkTarget::Path(_) => return Err(Errno::ENOENT),
                };
                if self.how.contains(Resolve::NO_XDEV) && place.mount != self.at.mount {
                    return Err(Errno::EXDEV);
                }
                return Ok(Led::Place(place));
            }
        };
        if target.is_empty() { Err(Errno::ENOENT) } else { Ok(Led::Path(target)) }
    }

    /// For an open that may create: follows the link `link` found at `self.at`. A path to go on with, or the place.
    pub(crate) fn follow_last(&mut self, link: Loc) -> Result<Result<Loc, Vec<u8>>, Errno> {
        Ok(match self.follow(link)? {
            Led::Place(loc) => Ok(loc),
            Led::Path(path) => Err(path),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Upto {
    /// All of the path.
    Last,
    /// All but the last component.
    Parent,
}

/// Where an open file was opened, or a place made for it.
fn file_place(k: &mut Kernel, file: FileId) -> Option<Loc> {
    let loc = k.files.get(file)?.loc;
    Some(loc.unwrap_or_else(|| anon_place(k, file)))
}

/// A place for an open file that has none. It goes when the file is closed.
pub(crate) fn anon_place(k: &mut Kernel, file: FileId) -> Loc {
    let root = crate::vfs::build::anon_mount(k);
    if let Some(dentry) = k.vfs.anon_places.get(&file).copied() {
        return Loc { mount: root.mount, dentry };
    }
    let stat = crate::vfs::stat::stat_file(k, file);
    let name = k.files.get(file).map(|f| f.kind.ops().describe(k, file)).unwrap_or_default();
    let sb = k.vfs.inode(k.vfs.inode_at(root)).sb;
    let mut inode =
        crate::vfs::tree::new_inode(sb, InodeKind::Anon(file), stat.mode, (stat.uid, stat.gid), stat.mtime);
    inode.ftype = stat.mode & crate::vfs::ftype::S_IFMT;
    let inode = k.vfs.inodes.insert(inode);
    let dentry = k.vfs.unnamed_dentry(root.dentry, name.as_bytes(), inode);
    k.vfs.anon_places.insert(file, dentry);
    Loc { mount: root.mount, dentry }
}

/// Where the link `dentry` leads.
pub(crate) fn read_link(
    k: &mut Kernel,
    host: &mut dyn Host,
    who: Option<TaskId>,
    dentry: DentryId,
) -> Result<LinkTarget, Errno> {
    let id = k.vfs.dentry(dentry).inode;
    let inode = k.vfs.inode(id);
    match &inode.kind {
        InodeKind::Symlink(Some(target)) => Ok(LinkTarget::Path(target.to_vec())),
        InodeKind::Symlink(None) => {
            let Some(Lower::Host(path)) = &inode.lower else { return Err(Errno::EIO) };
            let target = host.link_read(path)?;
            if target.len() >= PATH_MAX || target.contains(&0) {
                return Err(Errno::ENAMETOOLONG);
            }
            let sb = inode.sb;
            if !k.vfs.super_block(sb).is_shared() {
                k.vfs.inode_mut(id).kind = InodeKind::Symlink(Some(target.clone().into()));
            }
            Ok(LinkTarget::Path(target))
        }
        InodeKind::Synth(node) => {
            let node = node.clone();
            synth::readlink(k, who.ok_or(Errno::ENOENT)?, &node)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Resolves `path` from `base` for the calling task.
pub fn resolve(ctx: &mut Ctx<'_>, base: DirFd, path: &[u8], how: Resolve) -> Result<Loc, Stop> {
    Ok(Walk::of_task(ctx, base, path, how)?.all(path)?)
}

/// Resolves all but the last component of `path`.
pub fn resolve_parent(ctx: &mut Ctx<'_>, base: DirFd, path: &[u8]) -> Result<Parent, Stop> {
    Ok(Walk::of_task(ctx, base, path, Resolve::empty())?.parent(path)?)
}

/// The entry of the directory, not followed if it is a link. `ENOENT`.
pub(crate) fn entry(ctx: &mut Ctx<'_>, parent: &Parent) -> Result<Loc, Errno> {
    let mut walk = Walk {
        k: ctx.k,
        host: ctx.host,
        who: Some(ctx.tid),
        root: parent.dir,
        at: parent.dir,
        start: parent.dir,
        how: Resolve::empty(),
        links: 0,
    };
    walk.step(&parent.name)
}
