//! Directories: looking names up, adding and taking entries, and how long dentries and inodes live.
//!
//! Looking up answers from memory, from the host (listed once, attributes on first use) or from [`synth`].
//!
//! **Invariant**: an entry of a directory is a hashed dentry; `Inode::dentries` counts all dentries of the inode.

use std::sync::Arc;

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::seam::{Host, HostFileKind, HostPath, HostStat};
use crate::task::TaskId;
use crate::vfs::ftype::{S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG};
use crate::vfs::synth::{self, Synth, SynthAttr, SynthKind};
use crate::vfs::{Content, Dentry, DentryId, Dir, Inode, InodeId, InodeKind, Load, Lower, SuperId, Vfs};

/// Made-up dentries kept for reuse.
const SYNTH_KEEP: usize = 2048;

/// A new inode with one name and no contents.
pub(crate) fn new_inode(sb: SuperId, kind: InodeKind, mode: u32, owner: (u32, u32), now: i64) -> Inode {
    let ftype = kind.ftype();
    Inode {
        sb,
        kind,
        ftype,
        mode: mode & 0o7777,
        uid: owner.0,
        gid: owner.1,
        nlink: if ftype == S_IFDIR { 2 } else { 1 },
        size: 0,
        atime: now,
        mtime: now,
        ctime: now,
        btime: now,
        fsflags: 0,
        xattrs: persist::OrdMap::new(),
        lower: None,
        settled: true,
        dentries: 0,
        generation: 0,
        writers: 0,
    }
}

impl Vfs {
    /// Makes the root of a file system.
    pub(crate) fn make_root(&mut self, sb: SuperId, inode: Inode) -> DentryId {
        let id = self.inodes.insert(inode);
        let name: Arc<[u8]> = Arc::from(&b"/"[..]);
        let dentry = self.new_dentry(DentryId(0), name, id, 0);
        self.dentry_mut(dentry).parent = dentry;
        self.dentry_mut(dentry).refs = 1;
        self.super_mut(sb).root = dentry;
        dentry
    }

    fn new_dentry(&mut self, parent: DentryId, name: Arc<[u8]>, inode: InodeId, cookie: u64) -> DentryId {
        if let Some(inode) = self.inodes.get_mut(inode) {
            inode.dentries += 1;
        }
        self.dentries.insert(Dentry { parent, name, inode, refs: 0, hashed: true, cookie })
    }

    /// A dentry that no directory holds: for unnamed files. It lives while somebody refers to it.
    pub(crate) fn unnamed_dentry(&mut self, parent: DentryId, name: &[u8], inode: InodeId) -> DentryId {
        let id = self.new_dentry(parent, Arc::from(name), inode, 0);
        self.dentry_mut(id).hashed = false;
        if let Some(parent) = self.dentries.get_mut(parent) {
            parent.refs += 1;
        }
        id
    }

    /// Adds an entry; the caller has checked that there is none.
    pub(crate) fn add_entry(&mut self, dir: DentryId, name: &[u8], inode: InodeId) -> DentryId {
        let name: Arc<[u8]> = Arc::from(name);
        let id = self.new_dentry(dir, name, inode, 0);
        self.link_entry(dir, id);
        id
    }

    /// Puts a dentry (new, or taken out by [`Vfs::unlink_entry`]) into the directory.
    fn link_entry(&mut self, dir: DentryId, id: DentryId) {
        let name = self.dentry(id).name.clone();
        let dir_inode = self.dentry(dir).inode;
        let Some(entries) = self.inode_mut(dir_inode).dir_mut() else { return };
        entries.next += 1;
        let cookie = entries.next + 2;
        entries.entries.insert(name, id);
        entries.order.insert(cookie, id);
        let dentry = self.dentry_mut(id);
        dentry.cookie = cookie;
        dentry.parent = dir;
        dentry.hashed = true;
    }

    /// Takes an entry out of its directory; the dentry stays.
    fn unlink_entry(&mut self, id: DentryId) {
        let dentry = self.dentry(id).clone();
        let dir_inode = self.dentry(dentry.parent).inode;
        if let Some(entries) = self.inode_mut(dir_inode).dir_mut() {
            entries.entries.remove(&dentry.name);
            entries.order.remove(&dentry.cookie);
        }
        self.dentry_mut(id).hashed = false;
    }

    /// Moves an entry to another name or directory.
    pub(crate) fn move_entry(&mut self, id: DentryId, dir: DentryId, name: &[u8]) {
        self.unlink_entry(id);
        self.dentry_mut(id).name = Arc::from(name);
        self.link_entry(dir, id);
    }

    /// Swaps two entries.
    pub(crate) fn exchange_entries(&mut self, a: DentryId, b: DentryId) {
        let (first, second) = (self.dentry(a).clone(), self.dentry(b).clone());
        self.unlink_entry(a);
        self.unlink_entry(b);
        self.dentry_mut(a).name = second.name;
        self.dentry_mut(b).name = first.name;
        self.link_entry(second.parent, a);
        self.link_entry(first.parent, b);
    }

    /// One more reference to a dentry (an open file, a mount).
    pub fn get_dentry(&mut self, id: DentryId) {
        if let Some(dentry) = self.dentries.get_mut(id) {
            dentry.refs += 1;
        }
    }

    /// Marks a made-up dentry as used now.
    fn touch(&mut self, id: DentryId) {
        self.synth_clock += 1;
        let now = self.synth_clock;
        let before = std::mem::replace(&mut self.dentry_mut(id).cookie, now);
        self.synth_used.remove(&before);
        self.synth_used.insert(now, id);
    }

    /// Number of entries of a directory in memory.
    pub(crate) fn entry_count(&self, dir: DentryId) -> usize {
        self.inode(self.dentry(dir).inode).dir().map_or(0, |dir| dir.entries.len())
    }
}

/// The name leaves its directory: the dentry goes, or is kept unnamed while somebody refers to it.
pub(crate) fn remove_entry(k: &mut Kernel, id: DentryId) {
    k.vfs.unlink_entry(id);
    let parent = k.vfs.dentry(id).parent;
    k.vfs.get_dentry(parent);
    if k.vfs.dentry(id).refs == 0 {
        drop_unnamed(k, id);
    }
}

/// One reference less; the last one of an unnamed dentry drops it.
pub fn put_dentry(k: &mut Kernel, id: DentryId) {
    let Some(dentry) = k.vfs.dentries.get_mut(id) else { return };
    dentry.refs = dentry.refs.saturating_sub(1);
    if dentry.refs == 0 && !dentry.hashed {
        drop_unnamed(k, id);
    }
}

/// Whether a task's directories or mappings refer to the dentry.
fn is_pinned(k: &Kernel, id: DentryId) -> bool {
    if k.fs_contexts.iter().any(|(_, fs)| fs.cwd.dentry == id || fs.root.dentry == id) {
        return true;
    }
    let inode = k.vfs.inode(k.vfs.dentry(id).inode);
    let mapped = inode.content().and_then(|content| content.object.filter(|_| content.mapped));
    mapped.is_some_and(|object| {
        k.mms.iter().any(|(_, mm)| {
            mm.exe.is_some_and(|loc| loc.dentry == id)
                || mm.areas.values().any(|area| match &area.backing {
                    crate::mm::Backing::Object { object: of, .. } => *of == object,
                    crate::mm::Backing::Anonymous => false,
                })
        })
    })
}

/// Drops a dentry without name and references, unless something else needs it: then it is looked at again later.
fn drop_unnamed(k: &mut Kernel, id: DentryId) {
    if is_pinned(k, id) {
        k.vfs.orphans.push_back(id);
        if k.vfs.orphans.len() > k.vfs.orphans_limit.max(16) {
            sweep_orphans(k);
        }
        return;
    }
    free_dentry(k, id);
}

/// Looks again at dentries that mappings or working directories kept.
pub fn sweep_orphans(k: &mut Kernel) {
    for id in std::mem::take(&mut k.vfs.orphans) {
        let Some(dentry) = k.vfs.dentries.get(id) else { continue };
        if dentry.refs > 0 {
            continue;
        }
        if is_pinned(k, id) {
            k.vfs.orphans.push_back(id);
        } else {
            free_dentry(k, id);
        }
    }
    k.vfs.orphans_limit = k.vfs.orphans.len() * 2;
}

/// Frees an unnamed dentry, its inode if this was the last, and its hold on its directory (which may go too, and so on).
fn free_dentry(k: &mut Kernel, id: DentryId) {
    let mut next = Some(id);
    while let Some(id) = next.take() {
        let Some(dentry) = k.vfs.dentries.remove(id) else { return };
        put_inode(k, dentry.inode);
        if dentry.parent == id {
            return;
        }
        let Some(parent) = k.vfs.dentries.get_mut(dentry.parent) else { return };
        parent.refs = parent.refs.saturating_sub(1);
        if parent.refs == 0 && !parent.hashed {
            if is_pinned(k, dentry.parent) {
                k.vfs.orphans.push_back(dentry.parent);
            } else {
                next = Some(dentry.parent);
            }
        }
    }
}

/// One dentry less refers to the inode; the last one frees it.
fn put_inode(k: &mut Kernel, id: InodeId) {
    let Some(inode) = k.vfs.inodes.get_mut(id) else { return };
    inode.dentries -= 1;
    if inode.dentries > 0 {
        return;
    }
    if inode.nlink == 0 && crate::file::inotify::active(k) {
        use crate::file::inotify::{event, mask};
        event(k, Some(id), None, mask::DELETE_SELF, 0);
    }
    let Some(inode) = k.vfs.inodes.remove(id) else { return };
    k.vfs.write_hints.remove(&id);
    crate::file::fanotify::inode_gone(k, id);
    let mut pages = 0;
    if let InodeKind::Regular(content) = &inode.kind {
        pages = content.charged;
        if let Some(object) = content.object {
            k.vfs.by_object.remove(&object);
            k.mem.destroy_object(object);
        }
    }
    if let InodeKind::Anon(file) = inode.kind {
        k.vfs.anon_places.remove(&file);
    }
    if let Some(sb) = k.vfs.supers.get_mut(inode.sb) {
        sb.pages = sb.pages.saturating_sub(pages);
        sb.inodes = sb.inodes.saturating_sub(1);
    }
}

/// Drops a whole file system that has no mount left, as far as nothing refers to it.
pub(crate) fn drop_tree(k: &mut Kernel, root: DentryId) {
    let mut todo = vec![root];
    let mut found = Vec::new();
    while let Some(id) = todo.pop() {
        found.push(id);
        if let Some(dir) = k.vfs.dentries.get(id).and_then(|d| k.vfs.inodes.get(d.inode)).and_then(Inode::dir)
        {
            todo.extend(dir.entries.values().copied());
        }
    }
    // An open file keeps what it needs: the tree stays until then, unreachable.
    if found.iter().skip(1).any(|id| k.vfs.dentry(*id).refs > 0 || is_pinned(k, *id)) || is_pinned(k, root) {
        return;
    }
    for id in found.into_iter().rev() {
        if id != root {
            k.vfs.unlink_entry(id);
            if let Some(dentry) = k.vfs.dentries.remove(id) {
                put_inode(k, dentry.inode);
            }
        }
    }
    if let Some(dentry) = k.vfs.dentries.remove(root) {
        let sb = k.vfs.inode(dentry.inode).sb;
        put_inode(k, dentry.inode);
        k.vfs.supers.remove(sb);
    }
}

/// Drops made-up dentries that nobody used for long. Once a system call at most, before it looks anything up: what a
/// call has found stays until its end.
pub(crate) fn sweep_synth(k: &mut Kernel, who: Option<TaskId>) {
    if k.vfs.synth_used.len() <= SYNTH_KEEP {
        return;
    }
    let call = who.map(|tid| (tid, k.task(tid).syscalls));
    if call.is_none() || k.vfs.swept == call {
        return;
    }
    k.vfs.swept = call;
    let old: Vec<(u64, DentryId)> =
        k.vfs.synth_used.iter().take(SYNTH_KEEP / 2).map(|(at, id)| (*at, *id)).collect();
    for (at, id) in old {
        let Some(dentry) = k.vfs.dentries.get(id) else {
            k.vfs.synth_used.remove(&at);
            continue;
        };
        let has_children = k
            .vfs
            .synth_children
            .range((id, Arc::from(&b""[..]))..)
            .next()
            .is_some_and(|((parent, _), _)| *parent == id);
        if dentry.refs > 0 || has_children || is_pinned(k, id) {
            k.vfs.touch(id);
            continue;
        }
        forget_synth(k, id);
    }
}

/// Takes a made-up dentry out of the tables; frees it if nothing refers to it.
fn forget_synth(k: &mut Kernel, id: DentryId) {
    let dentry = k.vfs.dentry(id).clone();
    k.vfs.synth_used.remove(&dentry.cookie);
    k.vfs.synth_children.remove(&(dentry.parent, dentry.name.clone()));
    k.vfs.dentry_mut(id).hashed = false;
    k.vfs.get_dentry(dentry.parent);
    if dentry.refs == 0 {
        drop_unnamed(k, id);
    }
}

/// The entry `name` of a directory. `ENOTDIR`, `ENOENT`.
pub(crate) fn lookup(
    k: &mut Kernel,
    host: &mut dyn Host,
    who: Option<TaskId>,
    dir: DentryId,
    name: &[u8],
) -> Result<DentryId, Errno> {
    let inode_id = k.vfs.dentry(dir).inode;
    if let InodeKind::Synth(node) = &k.vfs.inode(inode_id).kind {
        let node = node.clone();
        return lookup_synth(k, who, dir, &node, name);
    }
    let Some(entries) = k.vfs.inode(inode_id).dir() else { return Err(Errno::ENOTDIR) };
    if entries.load == Load::Todo {
        load_dir(k, host, dir)?;
    }
    let sb = k.vfs.inode(inode_id).sb;
    if k.vfs.super_block(sb).is_shared() {
        crate::vfs::shared::revalidate(k, host, dir, name)?;
    }
    let found = k.vfs.inode(inode_id).dir().and_then(|dir| dir.entries.get(name).copied());
    match found {
        Some(id) => settle(k, host, id).map(|()| id),
        None if k.vfs.inode(inode_id).dir().is_some_and(|dir| dir.load == Load::ByName) => {
            ask_for(k, host, dir, name)
        }
        None => Err(Errno::ENOENT),
    }
}

fn lookup_synth(
    k: &mut Kernel,
    who: Option<TaskId>,
    dir: DentryId,
    node: &Synth,
    name: &[u8],
) -> Result<DentryId, Errno> {
    let tid = who.ok_or(Errno::ENOENT)?;
    if !k.vfs.inode(k.vfs.dentry(dir).inode).is_dir() {
        return Err(Errno::ENOTDIR);
    }
    let child = synth::lookup(k, tid, node, name).ok_or(Errno::ENOENT)?;
    let attr = synth::attr(k, &child);
    let name: Arc<[u8]> = Arc::from(name);
    if let Some(id) = k.vfs.synth_children.get(&(dir, name.clone())).copied() {
        let inode_id = k.vfs.dentry(id).inode;
        if matches!(&k.vfs.inode(inode_id).kind, InodeKind::Synth(same) if *same == child) {
            apply_synth(&mut k.vfs, inode_id, attr);
            k.vfs.touch(id);
            return Ok(id);
        }
        forget_synth(k, id);
    }
    let sb = k.vfs.inode(k.vfs.dentry(dir).inode).sb;
    let inode = k.vfs.inodes.insert(new_inode(sb, InodeKind::Synth(child), 0, (0, 0), 0));
    apply_synth(&mut k.vfs, inode, attr);
    let id = k.vfs.new_dentry(dir, name.clone(), inode, 0);
    k.vfs.synth_children.insert((dir, name), id);
    k.vfs.touch(id);
    Ok(id)
}

/// Takes over what [`synth::attr`] says.
pub(crate) fn apply_synth(vfs: &mut Vfs, id: InodeId, attr: SynthAttr) {
    let Some(inode) = vfs.inodes.get_mut(id) else { return };
    inode.ftype = match attr.kind {
        SynthKind::Dir => S_IFDIR,
        SynthKind::File => S_IFREG,
        SynthKind::Symlink => S_IFLNK,
        SynthKind::CharDevice(_) => S_IFCHR,
    };
    inode.mode = attr.mode & 0o7777;
    inode.uid = attr.uid;
    inode.gid = attr.gid;
    inode.nlink = attr.nlink;
}

/// An inode for a host file of which only the kind is known.
pub(crate) fn host_inode(sb: SuperId, kind: HostFileKind, path: HostPath) -> Inode {
    let kind = match kind {
        HostFileKind::File | HostFileKind::Other => InodeKind::Regular(Content::default()),
        HostFileKind::Dir => InodeKind::Dir(Dir { load: Load::Todo, ..Dir::default() }),
        HostFileKind::Symlink => InodeKind::Symlink(None),
    };
    let mut inode = new_inode(sb, kind, 0, (0, 0), 0);
    inode.lower = Some(Lower::Host(path));
    inode.settled = false;
    inode
}

/// Takes over what the host says of a file.
pub(crate) fn apply_host_stat(inode: &mut Inode, stat: &HostStat) {
    inode.settled = true;
    inode.mode = stat.mode & 0o7777;
    inode.uid = stat.uid;
    inode.gid = stat.gid;
    inode.nlink = stat.nlink.max(1);
    inode.atime = stat.atime_ns;
    inode.mtime = stat.mtime_ns;
    inode.ctime = stat.ctime_ns;
    inode.btime = stat.ctime_ns;
    inode.size = stat.size;
    if let InodeKind::Regular(content) = &mut inode.kind {
        content.lower_len = stat.size;
    }
}

/// Makes sure that the attributes of what a dentry names are known.
pub(crate) fn settle(k: &mut Kernel, host: &mut dyn Host, id: DentryId) -> Result<(), Errno> {
    let inode_id = k.vfs.dentry(id).inode;
    let inode = k.vfs.inode(inode_id);
    if inode.settled {
        return Ok(());
    }
    let Some(Lower::Host(path)) = inode.lower.clone() else { return Ok(()) };
    let sb = inode.sb;
    let stat = match host.file_stat(&path) {
        Ok(stat) => stat,
        Err(errno) => {
            if errno == Errno::ENOENT {
                remove_entry(k, id);
            }
            return Err(errno);
        }
    };
    if stat.nlink > 1 && stat.identity != 0 && stat.kind == HostFileKind::File {
        match k
            .vfs
            .by_identity
            .get(&(sb, stat.identity))
            .copied()
            .filter(|other| k.vfs.inodes.contains(*other))
        {
            Some(other) if other != inode_id => {
                // Another name of a file that is known already.
                k.vfs.dentry_mut(id).inode = other;
                k.vfs.inode_mut(other).dentries += 1;
                put_inode(k, inode_id);
                return Ok(());
            }
            _ => {
                k.vfs.by_identity.insert((sb, stat.identity), inode_id);
            }
        }
    }
    apply_host_stat(k.vfs.inode_mut(inode_id), &stat);
    Ok(())
}

/// The path below a directory of the host.
pub(crate) fn host_child(dir: &HostPath, name: &[u8]) -> HostPath {
    let mut path = dir.path.clone();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    HostPath { share: dir.share, path }
}

/// Reads the listing of a host directory into memory.
pub(crate) fn load_dir(k: &mut Kernel, host: &mut dyn Host, dir: DentryId) -> Result<(), Errno> {
    let inode_id = k.vfs.dentry(dir).inode;
    let inode = k.vfs.inode(inode_id);
    let sb = inode.sb;
    let Some(Lower::Host(path)) = inode.lower.clone() else {
        set_load(k, inode_id, Load::Done);
        return Ok(());
    };
    let mut listing = match host.dir_list(&path) {
        Ok(listing) => listing,
        Err(Errno::EACCES | Errno::EPERM) => {
            set_load(k, inode_id, Load::ByName);
            return Ok(());
        }
        Err(errno) => return Err(errno),
    };
    // The order of a host's listing is no business of the guest's.
    listing.sort_by(|a, b| a.name.cmp(&b.name));
    for entry in listing {
        let name = &entry.name;
        if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0) {
            continue;
        }
        let child = k.vfs.inodes.insert(host_inode(sb, entry.kind, host_child(&path, name)));
        k.vfs.add_entry(dir, name, child);
    }
    set_load(k, inode_id, Load::Done);
    Ok(())
}

fn set_load(k: &mut Kernel, inode: InodeId, load: Load) {
    if let Some(dir) = k.vfs.inode_mut(inode).dir_mut() {
        dir.load = load;
    }
}

/// Asks the host for one name of a directory that it does not list, or that may have changed.
pub(crate) fn ask_for(
    k: &mut Kernel,
    host: &mut dyn Host,
    dir: DentryId,
    name: &[u8],
) -> Result<DentryId, Errno> {
    let inode = k.vfs.inode(k.vfs.dentry(dir).inode);
    let sb = inode.sb;
    let Some(Lower::Host(path)) = inode.lower.clone() else { return Err(Errno::ENOENT) };
    let path = host_child(&path, name);
    let stat = host.file_stat(&path)?;
    let mut inode = host_inode(sb, stat.kind, path);
    apply_host_stat(&mut inode, &stat);
    let child = k.vfs.inodes.insert(inode);
    Ok(k.vfs.add_entry(dir, name, child))
}

/// Drops a loaded entry and everything below it without touching what lies below (the host removed it).
pub(crate) fn forget_entry(k: &mut Kernel, id: DentryId) {
    let mut found = vec![id];
    let mut next = 0;
    while let Some(id) = found.get(next).copied() {
        next += 1;
        if let Some(dir) = k.vfs.inode(k.vfs.dentry(id).inode).dir() {
            found.extend(dir.entries.values().copied());
        }
    }
    for id in found.into_iter().rev() {
        remove_entry(k, id);
    }
}
