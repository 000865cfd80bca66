//! Landlock: restrictions that a task puts on itself (landlock(7), security/landlock).
//!
//! Key types: [`Ruleset`] (being written, an open file), [`Domain`] (a ruleset in force, on top of those before it).
//! Neighbours: [`crate::calls::landlock`] (the calls); files, sockets and signals ask [`check_path`], [`check_port`] and
//! [`check_scope`].
//!
//! **Invariant**: a domain never changes; a task's domain only ever gets another on top.

use std::sync::Arc;

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::ctx::Ctx;
use crate::file::{FileId, FileOps};
use crate::kernel::Kernel;
use crate::task::TaskId;
use crate::vfs::{InodeId, Loc};

id! {
    /// A ruleset.
    RulesetId;
}

/// `LANDLOCK_ACCESS_FS_*` (include/uapi/linux/landlock.h).
#[allow(missing_docs, reason = "the names of landlock(7)")]
pub mod fs {
    pub const EXECUTE: u64 = 1;
    pub const WRITE_FILE: u64 = 1 << 1;
    pub const READ_FILE: u64 = 1 << 2;
    pub const READ_DIR: u64 = 1 << 3;
    pub const REMOVE_DIR: u64 = 1 << 4;
    pub const REMOVE_FILE: u64 = 1 << 5;
    pub const MAKE_CHAR: u64 = 1 << 6;
    pub const MAKE_DIR: u64 = 1 << 7;
    pub const MAKE_REG: u64 = 1 << 8;
    pub const MAKE_SOCK: u64 = 1 << 9;
    pub const MAKE_FIFO: u64 = 1 << 10;
    pub const MAKE_BLOCK: u64 = 1 << 11;
    pub const MAKE_SYM: u64 = 1 << 12;
    pub const REFER: u64 = 1 << 13;
    pub const TRUNCATE: u64 = 1 << 14;
    pub const IOCTL_DEV: u64 = 1 << 15;
    /// All that exist.
    pub const ALL: u64 = (1 << 16) - 1;
    /// Those that make sense for a file that is no directory.
    pub const OF_FILE: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
}

/// `LANDLOCK_ACCESS_NET_BIND_TCP`
pub const BIND_TCP: u64 = 1;
/// `LANDLOCK_ACCESS_NET_CONNECT_TCP`
pub const CONNECT_TCP: u64 = 2;
/// `LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET`
pub const SCOPE_ABSTRACT: u64 = 1;
/// `LANDLOCK_SCOPE_SIGNAL`
pub const SCOPE_SIGNAL: u64 = 2;
/// Domains may lie on one another so high.
pub const LAYERS_MAX: u32 = 16;

/// What a ruleset says: what it handles, and what it allows of that.
#[derive(Debug, Clone, Default)]
pub struct Ruleset {
    /// Accesses to files that are refused unless allowed.
    pub handled_fs: u64,
    /// Accesses to ports that are refused unless allowed.
    pub handled_net: u64,
    /// What does not reach out of the domain.
    pub scoped: u64,
    /// Allowed below a file or directory.
    pub paths: persist::OrdMap<InodeId, u64>,
    /// Allowed on a port.
    pub ports: persist::OrdMap<u16, u64>,
}

/// A ruleset in force.
#[derive(Debug, Clone)]
pub struct Domain {
    number: u64,
    layer: Ruleset,
    below: Option<Arc<Domain>>,
    height: u32,
}

/// All rulesets that are open.
#[derive(Debug, Clone, Default)]
pub struct Landlock {
    /// By id.
    pub rulesets: Arena<RulesetId, Ruleset>,
    domains: u64,
}

/// The domain of a task.
pub type TaskDomain = Option<Arc<Domain>>;

/// A ruleset as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulesetFile {
    /// Which.
    pub ruleset: RulesetId,
}

impl FileOps for RulesetFile {
    fn pollable(&self) -> bool {
        false
    }
    fn release(&self, k: &mut Kernel, _id: FileId) {
        k.landlock.rulesets.remove(self.ruleset);
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[landlock-ruleset]".to_owned()
    }
}

/// Layers of a domain, the newest first.
fn layers(domain: &TaskDomain) -> impl Iterator<Item = &Domain> {
    std::iter::successors(domain.as_deref(), |domain| domain.below.as_deref())
}

/// Puts a ruleset on top of a task's domain. `E2BIG`.
pub fn restrict(k: &mut Kernel, tid: TaskId, layer: Ruleset) -> Result<(), Errno> {
    let below = k.task(tid).landlock.clone();
    let height = below.as_ref().map_or(0, |domain| domain.height) + 1;
    if height > LAYERS_MAX {
        return Err(Errno::E2BIG);
    }
    k.landlock.domains += 1;
    let number = k.landlock.domains;
    k.task_mut(tid).landlock = Some(Arc::new(Domain { number, layer, below, height }));
    Ok(())
}

/// The inodes from a place up to the top of the mounts; `None` for a place that no path leads to.
fn way_up(k: &Kernel, loc: Loc) -> Option<Vec<InodeId>> {
    let mut way = Vec::new();
    let mut at = loc;
    loop {
        let mount = k.vfs.mounts.get(at.mount)?;
        let dentry = k.vfs.dentries.get(at.dentry)?;
        way.push(dentry.inode);
        if at.dentry == mount.root {
            match mount.parent {
                Some(parent) => at = Loc { mount: parent, dentry: mount.point },
                None => return Some(way),
            }
            continue;
        }
        if dentry.parent == at.dentry {
            return Some(way);
        }
        at.dentry = dentry.parent;
    }
}

fn granted(layer: &Ruleset, way: &[InodeId]) -> u64 {
    way.iter().filter_map(|inode| layer.paths.get(inode)).fold(0, |all, bits| all | bits)
}

/// Whether a place belongs to no path at all (pipes, sockets, memory files): nothing is restricted there.
fn is_internal(k: &Kernel, loc: Loc) -> bool {
    let inode = k.vfs.dentries.get(loc.dentry).and_then(|dentry| k.vfs.get_inode(dentry.inode));
    inode.is_none_or(|inode| Some(inode.sb) == k.vfs.anon_super || Some(inode.sb) == k.vfs.memfd_super)
}

/// What of `wanted` (see [`fs`]) the task's domain allows at a place.
#[must_use]
pub fn allowed(k: &Kernel, tid: TaskId, loc: Loc, wanted: u64) -> u64 {
    let domain = &k.task(tid).landlock;
    if domain.is_none() || is_internal(k, loc) {
        return wanted;
    }
    let way = way_up(k, loc).unwrap_or_default();
    layers(domain)
        .fold(wanted, |left, domain| left & (granted(&domain.layer, &way) | !domain.layer.handled_fs))
}

/// `EACCES` unless the task's domain allows all of `wanted` at a place.
pub fn check_path(k: &Kernel, tid: TaskId, loc: Loc, wanted: u64) -> Result<(), Errno> {
    if k.task(tid).landlock.is_none() || allowed(k, tid, loc, wanted) == wanted {
        Ok(())
    } else {
        Err(Errno::EACCES)
    }
}

/// Whether a file may get another directory as parent: `EXDEV` unless both allow `REFER` and nothing becomes possible with
/// the file that was not.
pub fn check_refer(k: &Kernel, tid: TaskId, file: Loc, from: Loc, to: Loc) -> Result<(), Errno> {
    let domain = &k.task(tid).landlock;
    if domain.is_none() || from == to {
        return Ok(());
    }
    let (old, new) = (way_up(k, from).unwrap_or_default(), way_up(k, to).unwrap_or_default());
    let is_dir = k.vfs.inode(k.vfs.inode_at(file)).is_dir();
    let kinds = if is_dir { fs::ALL } else { fs::OF_FILE };
    for domain in layers(domain) {
        let (before, after) = (granted(&domain.layer, &old), granted(&domain.layer, &new));
        // Without being handled it is refused too: older rulesets did not know it.
        if before & after & fs::REFER == 0 || after & !before & kinds & domain.layer.handled_fs != 0 {
            return Err(Errno::EXDEV);
        }
    }
    Ok(())
}

/// `EPERM` for who changes mounts from inside a domain that handles files.
pub fn check_mount(k: &Kernel, tid: TaskId) -> Result<(), Errno> {
    let handles = layers(&k.task(tid).landlock).any(|domain| domain.layer.handled_fs != 0);
    if handles { Err(Errno::EPERM) } else { Ok(()) }
}

/// `EACCES` unless the task's domain allows `wanted` ([`BIND_TCP`], [`CONNECT_TCP`]) on a port.
pub fn check_port(k: &Kernel, tid: TaskId, port: u16, wanted: u64) -> Result<(), Errno> {
    let refused = layers(&k.task(tid).landlock).any(|domain| {
        let granted = domain.layer.ports.get(&port).copied().unwrap_or(0);
        wanted & domain.layer.handled_net & !granted != 0
    });
    if refused { Err(Errno::EACCES) } else { Ok(()) }
}

/// `EPERM` if one domain keeps what is `scoped` inside itself and the other lies outside.
pub fn check_scope(from: &TaskDomain, to: &TaskDomain, scoped: u64) -> Result<(), Errno> {
    let out = layers(from)
        .filter(|domain| domain.layer.scoped & scoped != 0)
        .any(|domain| !layers(to).any(|other| other.number == domain.number));
    if out { Err(Errno::EPERM) } else { Ok(()) }
}

/// The ruleset behind a descriptor. `EBADF`, `EBADFD` for another file.
pub fn ruleset_of(ctx: &Ctx<'_>, fd: crate::arg::Fd) -> Result<RulesetId, Errno> {
    match &ctx.file(ctx.fd(fd)?).kind {
        crate::file::File::Ruleset(file) => Ok(file.ruleset),
        _ => Err(Errno::EBADFD),
    }
}
