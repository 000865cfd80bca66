//! Mounts: what stands on which place, and how mounts come and go.
//!
//! **Invariant**: every mount but the first has a parent and a place in it; a place carries at most one mount, on whose
//! root another may stand. Mounts hold a reference to their root and their place.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::vfs::tree::{drop_tree, put_dentry};
use crate::vfs::{DentryId, Loc, MountId, SuperId, Vfs};

bitflags::bitflags! {
    /// Flags of a mount; numbers as mount(2).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct MountFlags: u32 {
        /// Nothing is changed through it.
        const RDONLY = 1;
        /// Set-id bits do not count.
        const NOSUID = 2;
        /// Device nodes do not open.
        const NODEV = 4;
        /// Nothing is executed from it.
        const NOEXEC = 8;
        /// No symbolic links are followed.
        const NOSYMFOLLOW = 0x100;
        /// No access times.
        const NOATIME = 0x400;
        /// No access times of directories.
        const NODIRATIME = 0x800;
        /// Access times only if older than changes.
        const RELATIME = 0x0020_0000;
    }
}

/// A mount.
#[derive(Debug, Clone)]
pub struct Mount {
    /// The mount it stands on.
    pub parent: Option<MountId>,
    /// The place in `parent`.
    pub point: DentryId,
    /// The file system.
    pub sb: SuperId,
    /// The directory (or file) of it that is seen.
    pub root: DentryId,
    /// Flags.
    pub flags: MountFlags,
    /// `MS_SHARED` was asked for: kept for mountinfo, there is but one namespace.
    pub shared: bool,
}

/// A mount as /proc/PID/mounts and mountinfo show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountLine {
    /// Its number.
    pub id: u32,
    /// Its parent's number.
    pub parent: u32,
    /// Device number of the file system.
    pub dev: u64,
    /// The directory of the file system that is seen.
    pub root: Vec<u8>,
    /// Where.
    pub point: Vec<u8>,
    /// Options of the mount, comma separated, `ro` or `rw` first.
    pub options: Vec<u8>,
    /// Type.
    pub fstype: &'static str,
    /// Source.
    pub source: Vec<u8>,
    /// Options of the file system, `ro` or `rw` first.
    pub super_options: Vec<u8>,
}

impl Vfs {
    /// The topmost mount's root at a place, or the place itself.
    #[must_use]
    pub fn follow_mounts(&self, mut loc: Loc) -> Loc {
        while let Some(id) = self.by_point.get(&(loc.mount, loc.dentry)) {
            let Some(mount) = self.mounts.get(*id) else { break };
            loc = Loc { mount: *id, dentry: mount.root };
        }
        loc
    }

    /// Whether something stands on this dentry in any mount.
    #[must_use]
    pub fn is_mount_point(&self, dentry: DentryId) -> bool {
        self.mounts.iter().any(|(_, mount)| mount.parent.is_some() && mount.point == dentry)
    }

    /// Mounts `root` of file system `sb` at `at` (`None`: as the first of all).
    pub(crate) fn attach(
        &mut self,
        sb: SuperId,
        root: DentryId,
        at: Option<Loc>,
        flags: MountFlags,
    ) -> MountId {
        self.get_dentry(root);
        self.super_mut(sb).mounts += 1;
        let (parent, point) = match at {
            Some(loc) => (Some(loc.mount), loc.dentry),
            None => (None, root),
        };
        let id = self.mounts.insert(Mount { parent, point, sb, root, flags, shared: false });
        match at {
            Some(loc) => {
                self.get_dentry(loc.dentry);
                self.by_point.insert((loc.mount, loc.dentry), id);
            }
            None => self.root_mount = self.root_mount.or(Some(id)),
        }
        self.mounts_generation += 1;
        id
    }

    fn children(&self, of: MountId) -> Vec<MountId> {
        self.mounts.iter().filter(|(_, m)| m.parent == Some(of)).map(|(id, _)| id).collect()
    }

    /// `of` and all mounts below it, parents first.
    pub(crate) fn mount_tree(&self, of: MountId) -> Vec<MountId> {
        let mut found = vec![of];
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            next += 1;
            found.extend(self.children(id));
        }
        found
    }

    /// Whether directory `inner` lies in mount `outer` or below.
    pub(crate) fn is_below(&self, inner: MountId, outer: MountId) -> bool {
        let mut at = Some(inner);
        while let Some(id) = at {
            if id == outer {
                return true;
            }
            at = self.mounts.get(id).and_then(|mount| mount.parent);
        }
        false
    }

    /// Whether `inner` is `outer` or below it in the same file system.
    pub(crate) fn is_subdir(&self, inner: DentryId, outer: DentryId) -> bool {
        let mut at = inner;
        loop {
            if at == outer {
                return true;
            }
            match self.dentries.get(at) {
                Some(dentry) if dentry.parent != at => at = dentry.parent,
                _ => return false,
            }
        }
    }
}

/// Takes a mount off its place; the file system goes with its last mount.
fn detach(k: &mut Kernel, id: MountId) {
    let Some(mount) = k.vfs.mounts.remove(id) else { return };
    k.vfs.mounts_generation += 1;
    if let Some(parent) = mount.parent {
        k.vfs.by_point.remove(&(parent, mount.point));
        put_dentry(k, mount.point);
    }
    put_dentry(k, mount.root);
    let Some(sb) = k.vfs.supers.get_mut(mount.sb) else { return };
    sb.mounts -= 1;
    if sb.mounts == 0 {
        let root = sb.root;
        drop_tree(k, root);
    }
}

/// Whether an open file or a task's directory lies in the mount.
fn is_busy(k: &Kernel, id: MountId) -> bool {
    k.files.iter().any(|(_, file)| file.loc.is_some_and(|loc| loc.mount == id))
        || k.fs_contexts.iter().any(|(_, fs)| fs.cwd.mount == id || fs.root.mount == id)
        || k.mms.iter().any(|(_, mm)| mm.exe.is_some_and(|loc| loc.mount == id))
}

/// Unmounts what stands at `loc`, which must be the root of a mount. With `lazy`, everything below goes too and files in
/// use stay as they are.
pub(crate) fn unmount(k: &mut Kernel, loc: Loc, lazy: Lazy) -> Result<(), Errno> {
    let mount = k.vfs.mounts.get(loc.mount).ok_or(Errno::EINVAL)?;
    if mount.root != loc.dentry {
        return Err(Errno::EINVAL);
    }
    if mount.parent.is_none() {
        return Err(Errno::EBUSY);
    }
    let tree = k.vfs.mount_tree(loc.mount);
    if lazy == Lazy::No && (tree.len() > 1 || is_busy(k, loc.mount)) {
        return Err(Errno::EBUSY);
    }
    for id in tree.into_iter().rev() {
        if is_busy(k, id) {
            // Unreachable by name from now on, but still there for those who use it.
            let Some(mount) = k.vfs.mounts.get(id).cloned() else { continue };
            if let Some(parent) = mount.parent {
                k.vfs.by_point.remove(&(parent, mount.point));
                put_dentry(k, mount.point);
            }
            if let Some(kept) = k.vfs.mounts.get_mut(id) {
                kept.parent = None;
                kept.point = kept.root;
            }
            k.vfs.mounts_generation += 1;
        } else {
            detach(k, id);
        }
    }
    Ok(())
}

/// Whether a busy mount is detached anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lazy {
    /// `EBUSY`.
    No,
    /// `MNT_DETACH`.
    Yes,
}

/// Makes what is seen at `from` seen at `to` as well; with `recursive`, mounts below too.
pub(crate) fn bind(k: &mut Kernel, from: Loc, to: Loc, recursive: Recursive) -> Result<(), Errno> {
    let from_dir = k.vfs.inode(k.vfs.inode_at(from)).is_dir();
    let to_dir = k.vfs.inode(k.vfs.inode_at(to)).is_dir();
    if from_dir != to_dir {
        return Err(Errno::ENOTDIR);
    }
    let source = k.vfs.mount(from.mount).clone();
    let tree = if recursive == Recursive::Yes { k.vfs.mount_tree(from.mount) } else { vec![from.mount] };
    let mut copies = persist::OrdMap::new();
    let id = k.vfs.attach(source.sb, from.dentry, Some(to), source.flags);
    copies.insert(from.mount, id);
    for old in tree.into_iter().skip(1) {
        let Some(mount) = k.vfs.mounts.get(old).cloned() else { continue };
        let Some(parent) = mount.parent.and_then(|parent| copies.get(&parent).copied()) else { continue };
        if mount.parent == Some(from.mount) && !k.vfs.is_subdir(mount.point, from.dentry) {
            continue;
        }
        let at = Loc { mount: parent, dentry: mount.point };
        let copy = k.vfs.attach(mount.sb, mount.root, Some(at), mount.flags);
        copies.insert(old, copy);
    }
    Ok(())
}

/// Whether mounts below are bound too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recursive {
    /// Only the one.
    No,
    /// `MS_REC`.
    Yes,
}

/// Moves the mount whose root is `from` to `to` (`MS_MOVE`).
pub(crate) fn move_mount(k: &mut Kernel, from: Loc, to: Loc) -> Result<(), Errno> {
    let mount = k.vfs.mounts.get(from.mount).cloned().ok_or(Errno::EINVAL)?;
    let parent = mount.parent.ok_or(Errno::EINVAL)?;
    if mount.root != from.dentry {
        return Err(Errno::EINVAL);
    }
    let from_dir = k.vfs.inode(k.vfs.inode_at(from)).is_dir();
    if from_dir != k.vfs.inode(k.vfs.inode_at(to)).is_dir() {
        return Err(Errno::EINVAL);
    }
    if k.vfs.is_below(to.mount, from.mount) {
        return Err(Errno::ELOOP);
    }
    k.vfs.by_point.remove(&(parent, mount.point));
    place(k, from.mount, Some(to));
    put_dentry(k, mount.point);
    Ok(())
}

/// Gives a mount (that stands nowhere now) a place.
fn place(k: &mut Kernel, id: MountId, at: Option<Loc>) {
    if let Some(at) = at {
        k.vfs.get_dentry(at.dentry);
        k.vfs.by_point.insert((at.mount, at.dentry), id);
    }
    if let Some(mount) = k.vfs.mounts.get_mut(id) {
        mount.parent = at.map(|loc| loc.mount);
        mount.point = at.map_or(mount.root, |loc| loc.dentry);
    }
    k.vfs.mounts_generation += 1;
}

/// `pivot_root(2)`: `new` becomes the root of the tree, the old root moves to `old`; tasks whose root or working directory
/// was the old root get the new one.
pub(crate) fn pivot_root(k: &mut Kernel, root: Loc, new: Loc, old: Loc) -> Result<(), Errno> {
    let root_mount = k.vfs.mount(root.mount).clone();
    let new_mount = k.vfs.mount(new.mount).clone();
    if new.mount == root.mount || old.mount == root.mount {
        return Err(Errno::EBUSY);
    }
    let new_parent = new_mount.parent.ok_or(Errno::EINVAL)?;
    if root_mount.root != root.dentry || new_mount.root != new.dentry {
        return Err(Errno::EINVAL);
    }
    if !k.vfs.is_below(old.mount, new.mount)
        || (old.mount == new.mount && !k.vfs.is_subdir(old.dentry, new.dentry))
    {
        return Err(Errno::EINVAL);
    }
    k.vfs.by_point.remove(&(new_parent, new_mount.point));
    let root_at = root_mount.parent.map(|parent| Loc { mount: parent, dentry: root_mount.point });
    if let Some(at) = root_at {
        k.vfs.by_point.remove(&(at.mount, at.dentry));
    }
    place(k, new.mount, root_at);
    place(k, root.mount, Some(old));
    put_dentry(k, new_mount.point);
    if let Some(at) = root_at {
        put_dentry(k, at.dentry);
    } else if k.vfs.root_mount == Some(root.mount) {
        k.vfs.root_mount = Some(new.mount);
    }
    let ids: Vec<_> = k.fs_contexts.ids().collect();
    for id in ids {
        if let Some(fs) = k.fs_contexts.get_mut(id) {
            if fs.root == root {
                fs.root = new;
            }
            if fs.cwd == root {
                fs.cwd = new;
            }
        }
    }
    Ok(())
}

/// The mount at the top of the namespace that `mount` belongs to.
fn top_of(vfs: &Vfs, mount: MountId) -> MountId {
    let mut top = mount;
    while let Some(parent) = vfs.mounts.get(top).and_then(|mount| mount.parent) {
        top = parent;
    }
    top
}

/// Gives a task's directories a mount namespace of their own (`CLONE_NEWNS`): a copy of all mounts. A namespace is
/// nothing but the tree of mounts below one without parent.
pub fn copy_namespace(k: &mut Kernel, fs: crate::task::FsId) {
    let Some(context) = k.fs_contexts.get(fs) else { return };
    let from = context.root.mount;
    let mut copies = persist::OrdMap::new();
    for old in k.vfs.mount_tree(top_of(&k.vfs, from)) {
        let Some(mount) = k.vfs.mounts.get(old).cloned() else { continue };
        let at = match mount.parent {
            Some(parent) => match copies.get(&parent) {
                Some(parent) => Some(Loc { mount: *parent, dentry: mount.point }),
                None => continue,
            },
            None => None,
        };
        let copy = k.vfs.attach(mount.sb, mount.root, at, mount.flags);
        copies.insert(old, copy);
    }
    if let Some(context) = k.fs_contexts.get_mut(fs) {
        for loc in [&mut context.root, &mut context.cwd] {
            loc.mount = copies.get(&loc.mount).copied().unwrap_or(loc.mount);
        }
    }
}

/// The topmost mount of the namespace that a mount is in; `None` for the first namespace.
#[must_use]
pub fn namespace_of(k: &Kernel, mount: MountId) -> Option<MountId> {
    let top = top_of(&k.vfs, mount);
    let first = k.vfs.root_mount.map(|root| top_of(&k.vfs, root));
    (first != Some(top)).then_some(top)
}

/// A task's directories are gone that lay in this mount: its namespace goes if nobody else is in it.
pub fn leave_namespace(k: &mut Kernel, mount: MountId) {
    let top = top_of(&k.vfs, mount);
    let first = k.vfs.root_mount.map(|root| top_of(&k.vfs, root));
    if first == Some(top) || !k.vfs.mounts.contains(top) {
        return;
    }
    let tree = k.vfs.mount_tree(top);
    if tree.iter().any(|id| is_busy(k, *id)) {
        return;
    }
    for id in tree.into_iter().rev() {
        detach(k, id);
    }
}

/// The mounts that can be reached from `root`, in the order they were made.
#[must_use]
pub fn mount_lines(k: &Kernel, root: Loc) -> Vec<MountLine> {
    let mut lines = Vec::new();
    for (id, mount) in k.vfs.mounts.iter() {
        let (point, reached) = super::path::walk_up(k, Loc { mount: id, dentry: mount.root }, root);
        let Some(sb) = k.vfs.supers.get(mount.sb).filter(|_| reached) else { continue };
        let top = Loc { mount: id, dentry: sb.root };
        let mut names = Vec::new();
        let mut at = mount.root;
        while at != top.dentry {
            let Some(dentry) = k.vfs.dentries.get(at).filter(|dentry| dentry.parent != at) else { break };
            names.push(dentry.name.clone());
            at = dentry.parent;
        }
        let mut inner = Vec::new();
        for name in names.iter().rev() {
            inner.push(b'/');
            inner.extend_from_slice(name);
        }
        if inner.is_empty() {
            inner.push(b'/');
        }
        let mut super_options = if sb.read_only() { b"ro".to_vec() } else { b"rw".to_vec() };
        if !sb.options.is_empty() {
            super_options.push(b',');
            super_options.extend_from_slice(&sb.options);
        }
        lines.push(MountLine {
            id: id.0,
            parent: mount.parent.map_or(id.0, |parent| parent.0),
            dev: sb.dev,
            root: inner,
            point,
            options: option_text(mount.flags),
            fstype: sb.type_name(),
            source: sb.source.clone(),
            super_options,
        });
    }
    lines
}

fn option_text(flags: MountFlags) -> Vec<u8> {
    let mut text = if flags.contains(MountFlags::RDONLY) { "ro".to_owned() } else { "rw".to_owned() };
    for (flag, name) in [
        (MountFlags::NOSUID, ",nosuid"),
        (MountFlags::NODEV, ",nodev"),
        (MountFlags::NOEXEC, ",noexec"),
        (MountFlags::NOATIME, ",noatime"),
        (MountFlags::NODIRATIME, ",nodiratime"),
        (MountFlags::RELATIME, ",relatime"),
        (MountFlags::NOSYMFOLLOW, ",nosymfollow"),
    ] {
        if flags.contains(flag) {
            text.push_str(name);
        }
    }
    text.into_bytes()
}
