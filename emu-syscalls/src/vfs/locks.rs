//! Locks on files: flock(2), POSIX record locks and open-file-description locks (fcntl(2)).
//!
//! A flock lock is one over the whole file owned by an open file. Record locks are ranges owned by a process or an open
//! file; they merge and split as POSIX says.
//!
//! **Invariant**: ranges of one owner on one inode do not overlap; a lock is gone when its owner is.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::file::FileId;
use crate::kernel::Kernel;
use crate::task::GroupId;
use crate::task::wait::WaitKey;
use crate::vfs::{InodeId, Loc};

/// Who holds a record lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// A process (F_SETLK).
    Process(GroupId),
    /// An open file (F_OFD_SETLK).
    File(FileId),
}

/// How a lock excludes others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// Others may read-lock too.
    Read,
    /// Nobody else.
    Write,
}

/// A record lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// First byte.
    pub start: u64,
    /// Last byte; `u64::MAX` to the end of the file, wherever that is.
    pub last: u64,
    /// Kind.
    pub kind: LockKind,
    /// Who holds it.
    pub owner: Owner,
}

/// All locks.
#[derive(Debug, Clone, Default)]
pub struct Locks {
    records: persist::OrdMap<InodeId, persist::Vector<Record>>,
    flocks: persist::OrdMap<InodeId, persist::Vector<(FileId, LockKind)>>,
    /// What a waiting process waits for: to see deadlocks.
    waiting: persist::OrdMap<GroupId, Owner>,
}

/// What a task waits for that wants a lock on this inode.
#[must_use]
pub fn wait_key(inode: InodeId) -> WaitKey {
    WaitKey::FileLock(inode.0)
}

impl Locks {
    /// A record lock of somebody else that stands against `kind` on these bytes.
    #[must_use]
    pub fn conflict(&self, inode: InodeId, wanted: &Record) -> Option<Record> {
        self.records.get(&inode)?.iter().copied().find(|held| {
            held.owner != wanted.owner
                && held.start <= wanted.last
                && wanted.start <= held.last
                && (held.kind == LockKind::Write || wanted.kind == LockKind::Write)
        })
    }

    /// All record locks on an inode and all flock locks, for /proc/locks.
    pub fn records(&self) -> impl Iterator<Item = (InodeId, Record)> + '_ {
        self.records.iter().flat_map(|(inode, list)| list.iter().map(|record| (*inode, *record)))
    }

    /// All flock locks, for /proc/locks.
    pub fn flocks(&self) -> impl Iterator<Item = (InodeId, FileId, LockKind)> + '_ {
        self.flocks.iter().flat_map(|(inode, list)| list.iter().map(|(file, kind)| (*inode, *file, *kind)))
    }
}

/// Takes the bytes `start..=last` away from `owner`'s locks on `inode`.
fn carve(list: &persist::Vector<Record>, owner: Owner, start: u64, last: u64) -> persist::Vector<Record> {
    let mut rest = persist::Vector::new();
    for held in list {
        if held.owner != owner || held.last < start || held.start > last {
            rest.push_back(*held);
            continue;
        }
        if held.start < start {
            rest.push_back(Record { last: start - 1, ..*held });
        }
        if held.last > last {
            rest.push_back(Record { start: last + 1, ..*held });
        }
    }
    rest
}

/// Sets (`Some`) or takes away (`None` as kind) a record lock. `EAGAIN` if somebody else's stands against it.
pub fn set_record(
    k: &mut Kernel,
    inode: InodeId,
    owner: Owner,
    start: u64,
    last: u64,
    kind: Option<LockKind>,
) -> Result<(), Errno> {
    if let Some(kind) = kind
        && k.vfs.locks.conflict(inode, &Record { start, last, kind, owner }).is_some()
    {
        return Err(Errno::EAGAIN);
    }
    let list = k.vfs.locks.records.get(&inode).cloned().unwrap_or_default();
    let mut rest = carve(&list, owner, start, last);
    if let Some(kind) = kind {
        let mut new = Record { start, last, kind, owner };
        // Neighbours of the same kind become one lock.
        let mut apart = persist::Vector::new();
        for held in rest {
            let touches = held.owner == owner
                && held.kind == kind
                && held.start <= new.last.saturating_add(1)
                && new.start <= held.last.saturating_add(1);
            if touches {
                new.start = new.start.min(held.start);
                new.last = new.last.max(held.last);
            } else {
                apart.push_back(held);
            }
        }
        let at = apart.iter().position(|held| held.start > new.start).unwrap_or(apart.len());
        apart.insert(at, new);
        rest = apart;
    }
    let changed = rest != list;
    if rest.is_empty() {
        k.vfs.locks.records.remove(&inode);
    } else {
        k.vfs.locks.records.insert(inode, rest);
    }
    if changed {
        k.wake(wait_key(inode));
    }
    Ok(())
}

/// Notes that process `who` waits for `holder`. `EDEADLK` if `holder` waits, directly or not, for `who`.
pub fn begin_wait(k: &mut Kernel, who: GroupId, holder: Owner) -> Result<(), Errno> {
    let mut at = holder;
    for _ in 0..1000 {
        let Owner::Process(process) = at else { break };
        if process == who {
            return Err(Errno::EDEADLK);
        }
        match k.vfs.locks.waiting.get(&process) {
            Some(next) => at = *next,
            None => break,
        }
    }
    k.vfs.locks.waiting.insert(who, holder);
    Ok(())
}

/// Process `who` waits no longer.
pub fn end_wait(k: &mut Kernel, who: GroupId) {
    k.vfs.locks.waiting.remove(&who);
}

/// Sets (`Some`) or takes away a flock lock. `EAGAIN` if somebody else's stands against it (the own lock is then gone, as
/// flock(2) says of conversions).
pub fn set_flock(k: &mut Kernel, inode: InodeId, file: FileId, kind: Option<LockKind>) -> Result<(), Errno> {
    let list = k.vfs.locks.flocks.get(&inode).cloned().unwrap_or_default();
    if list.iter().any(|(holder, held)| *holder == file && Some(*held) == kind) {
        return Ok(());
    }
    let before = list.len();
    let mut rest: persist::Vector<_> = list.into_iter().filter(|(holder, _)| *holder != file).collect();
    let freed = rest.len() != before;
    let against = kind
        .is_some_and(|kind| rest.iter().any(|(_, held)| *held == LockKind::Write || kind == LockKind::Write));
    if let Some(kind) = kind.filter(|_| !against) {
        rest.push_back((file, kind));
    }
    if rest.is_empty() {
        k.vfs.locks.flocks.remove(&inode);
    } else {
        k.vfs.locks.flocks.insert(inode, rest);
    }
    if freed {
        k.wake(wait_key(inode));
    }
    if against { Err(Errno::EAGAIN) } else { Ok(()) }
}

/// The inode of a place that may be gone.
fn inode_at(k: &Kernel, loc: Option<Loc>) -> Option<InodeId> {
    k.vfs.dentries.get(loc?.dentry).map(|dentry| dentry.inode)
}

/// The last reference to an open file is gone: its flock and OFD locks go.
pub(crate) fn file_closed(k: &mut Kernel, file: FileId, loc: Option<Loc>) {
    if k.vfs.locks.flocks.is_empty() && k.vfs.locks.records.is_empty() {
        return;
    }
    let Some(inode) = inode_at(k, loc) else { return };
    if k.vfs.locks.flocks.contains_key(&inode) {
        let _ = set_flock(k, inode, file, None);
    }
    if k.vfs.locks.records.contains_key(&inode) {
        let _ = set_record(k, inode, Owner::File(file), 0, u64::MAX, None);
    }
}

/// A process closes a descriptor of the file at this place: all its record locks on the file go (fcntl(2)).
pub fn descriptor_closed(k: &mut Kernel, process: GroupId, loc: Option<Loc>) {
    if k.vfs.locks.records.is_empty() {
        return;
    }
    let Some(inode) = inode_at(k, loc) else { return };
    if k.vfs.locks.records.contains_key(&inode) {
        let _ = set_record(k, inode, Owner::Process(process), 0, u64::MAX, None);
    }
}

/// A process ended: all its record locks go.
pub fn process_ended(k: &mut Kernel, process: GroupId) {
    end_wait(k, process);
    if k.vfs.locks.records.is_empty() {
        return;
    }
    let owner = Owner::Process(process);
    let inodes: Vec<InodeId> = k
        .vfs
        .locks
        .records
        .iter()
        .filter(|(_, list)| list.iter().any(|record| record.owner == owner))
        .map(|(inode, _)| *inode)
        .collect();
    for inode in inodes {
        let _ = set_record(k, inode, owner, 0, u64::MAX, None);
    }
}
