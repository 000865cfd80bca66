//! Host directories that are shared for writing: changes go to the host, what the host changed is seen.
//!
//! **Invariant**: the host's file is the truth; memory holds names and numbers only.

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::seam::{Host, HostChange, HostFileKind, HostPath};
use crate::vfs::tree::{apply_host_stat, ask_for, forget_entry, host_child};
use crate::vfs::{DentryId, Inode, InodeId, Load, Lower, SuperKind};

/// The host path of an inode on a writable share.
pub(crate) fn path_of_inode(inode: &Inode) -> Result<HostPath, Errno> {
    match &inode.lower {
        Some(Lower::Host(path)) => Ok(path.clone()),
        _ => Err(Errno::EIO),
    }
}

/// Whether the inode lies on a writable share.
pub(crate) fn is_shared(k: &Kernel, id: InodeId) -> bool {
    k.vfs.super_block(k.vfs.inode(id).sb).is_shared()
}

/// Takes over the attributes that the host's file has now.
pub(crate) fn refresh(k: &mut Kernel, host: &mut dyn Host, id: InodeId) {
    let inode = k.vfs.inode(id);
    if !matches!(k.vfs.super_block(inode.sb).kind, SuperKind::Host(_, super::Mode::Rw)) {
        return;
    }
    let Ok(path) = path_of_inode(inode) else { return };
    if let Ok(stat) = host.file_stat(&path) {
        let inode = k.vfs.inode_mut(id);
        if same_kind(inode, stat.kind) {
            let (ftype_ok, old_size) = (inode.settled, inode.size);
            apply_host_stat(inode, &stat);
            let object = inode.content().and_then(|content| content.object);
            if let Some(object) = object.filter(|_| ftype_ok && stat.size < old_size) {
                k.mem.object_truncate(object, stat.size);
            }
        }
    }
}

fn same_kind(inode: &Inode, kind: HostFileKind) -> bool {
    match kind {
        HostFileKind::File | HostFileKind::Other => inode.is_regular(),
        HostFileKind::Dir => inode.is_dir(),
        HostFileKind::Symlink => inode.is_symlink(),
    }
}

/// Brings one entry of a directory up to date before it is looked up.
pub(crate) fn revalidate(
    k: &mut Kernel,
    host: &mut dyn Host,
    dir: DentryId,
    name: &[u8],
) -> Result<(), Errno> {
    let inode = k.vfs.inode(k.vfs.dentry(dir).inode);
    let path = host_child(&path_of_inode(inode)?, name);
    let known = inode.dir().and_then(|dir| dir.entries.get(name).copied());
    match (host.file_stat(&path), known) {
        (Ok(stat), Some(id)) => {
            let child = k.vfs.dentry(id).inode;
            let inode = k.vfs.inode_mut(child);
            if same_kind(inode, stat.kind) {
                apply_host_stat(inode, &stat);
            } else {
                forget_entry(k, id);
                ask_for(k, host, dir, name)?;
            }
        }
        (Ok(_), None) => {
            ask_for(k, host, dir, name)?;
        }
        (Err(Errno::ENOENT | Errno::ENOTDIR), Some(id)) => forget_entry(k, id),
        (Err(_), _) => {}
    }
    Ok(())
}

/// Brings the listing of a directory up to date before it is read from its start.
pub(crate) fn relist(k: &mut Kernel, host: &mut dyn Host, dir: DentryId) -> Result<(), Errno> {
    let inode = k.vfs.inode(k.vfs.dentry(dir).inode);
    let Some(entries) = inode.dir().filter(|entries| entries.load == Load::Done) else { return Ok(()) };
    let sb = inode.sb;
    let path = path_of_inode(inode)?;
    let known: Vec<(Vec<u8>, DentryId)> =
        entries.entries.iter().map(|(name, id)| (name.to_vec(), *id)).collect();
    let mut listing = host.dir_list(&path)?;
    listing.sort_by(|a, b| a.name.cmp(&b.name));
    for (name, id) in &known {
        if listing.binary_search_by(|entry| entry.name.cmp(name)).is_err() {
            forget_entry(k, *id);
        }
    }
    for entry in listing {
        if known.binary_search_by(|(name, _)| name.cmp(&entry.name)).is_err() && !entry.name.contains(&b'/') {
            let inode = super::tree::host_inode(sb, entry.kind, host_child(&path, &entry.name));
            let child = k.vfs.inodes.insert(inode);
            k.vfs.add_entry(dir, &entry.name, child);
        }
    }
    Ok(())
}

/// Makes a change on the host.
pub(crate) fn change(host: &mut dyn Host, change: &HostChange) -> Result<(), Errno> {
    host.file_change(change)
}

/// After a rename on the host: everything below `dentry` has another path.
pub(crate) fn moved(k: &mut Kernel, dentry: DentryId, to: HostPath) {
    let mut todo = vec![(dentry, to)];
    while let Some((id, path)) = todo.pop() {
        let inode_id = k.vfs.dentry(id).inode;
        k.vfs.inode_mut(inode_id).lower = Some(Lower::Host(path.clone()));
        if let Some(dir) = k.vfs.inode(inode_id).dir() {
            todo.extend(dir.entries.iter().map(|(name, id)| (*id, host_child(&path, name))));
        }
    }
}
