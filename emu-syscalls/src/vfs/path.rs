//! The path of a place.

use crate::kernel::Kernel;
use crate::vfs::Loc;

/// Longest chain of directories looked at for a path.
const DEPTH_MAX: usize = 1 << 20;

/// The path of a place and whether it can be reached from `root`.
#[must_use]
pub(crate) fn walk_up(k: &Kernel, loc: Loc, root: Loc) -> (Vec<u8>, bool) {
    let mut names = Vec::new();
    let mut at = loc;
    let mut reached = false;
    for _ in 0..DEPTH_MAX {
        if at == root {
            reached = true;
            break;
        }
        let Some(mount) = k.vfs.mounts.get(at.mount) else { break };
        if at.dentry == mount.root {
            match mount.parent {
                Some(parent) => {
                    at = Loc { mount: parent, dentry: mount.point };
                    continue;
                }
                None => {
                    // The top of all mounts counts as reached for a task that sees it all.
                    reached =
                        k.vfs.root().is_some_and(|top| top == root) && k.vfs.root_mount == Some(at.mount);
                    break;
                }
            }
        }
        let Some(dentry) = k.vfs.dentries.get(at.dentry) else { break };
        names.push(dentry.name.clone());
        if dentry.parent == at.dentry {
            break;
        }
        at.dentry = dentry.parent;
    }
    let mut path = Vec::new();
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    if path.is_empty() {
        path.push(b'/');
    }
    (path, reached)
}

/// The path of a place as seen from `root` (d_path): ` (deleted)` behind a name that was removed, `(unreachable)` before
/// a place outside of `root`, the bare name for a file that never had a place.
#[must_use]
pub fn path_of(k: &Kernel, loc: Loc, root: Loc) -> Vec<u8> {
    let Some(dentry) = k.vfs.dentries.get(loc.dentry) else { return b"(deleted)".to_vec() };
    let is_anon = k
        .vfs
        .inodes
        .get(dentry.inode)
        .is_some_and(|inode| Some(inode.sb) == k.vfs.anon_super || Some(inode.sb) == k.vfs.memfd_super);
    if is_anon {
        let mut name = dentry.name.to_vec();
        if name.starts_with(b"/memfd:") {
            name.extend_from_slice(b" (deleted)");
        }
        return name;
    }
    let (mut path, reached) = walk_up(k, loc, root);
    if !reached {
        path.splice(0..0, b"(unreachable)".iter().copied());
    }
    if !dentry.hashed {
        path.extend_from_slice(b" (deleted)");
    }
    path
}

impl Kernel {
    /// The path of a place as task `tid` sees it.
    #[must_use]
    pub fn path_for(&self, tid: crate::task::TaskId, loc: Loc) -> Vec<u8> {
        let root = self.tasks.get(tid).and_then(|task| self.fs_contexts.get(task.fs)).map(|fs| fs.root);
        match root.or_else(|| self.vfs.root()) {
            Some(root) => path_of(self, loc, root),
            None => b"/".to_vec(),
        }
    }
}
