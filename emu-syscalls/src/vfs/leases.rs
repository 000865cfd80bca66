//! Leases on files: `fcntl(F_SETLEASE)` (fs/locks.c).
//!
//! Who opens or truncates a file against a lease waits until its holder gave it up, lowered it, or let
//! /proc/sys/fs/lease-break-time pass. The holder is told by a signal.
//!
//! **Invariant**: a lease belongs to an open file and is gone when that is.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::{File, FileId, flags};
use crate::kernel::Kernel;
use crate::task::wait::{OnSignal, Wait};
use crate::vfs::InodeId;
use crate::vfs::locks::{LockKind, wait_key};
use crate::vfs::procfs::sysctl;

/// A lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Whose.
    pub file: FileId,
    /// The holder's descriptor, for its signals.
    pub fd: i32,
    /// What it holds.
    pub kind: LockKind,
    /// Somebody wants it to be lowered (to a read lease) or given up.
    pub breaking: Option<Breaking>,
}

/// What a holder is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaking {
    /// To give the lease up, not only to lower it.
    pub unlock: bool,
    /// When it is done without the holder, in ns of the monotonic clock.
    pub at_ns: u64,
}

/// What the holder of a lease on an open file has, or will have once it did what it is asked for (`F_GETLEASE`).
#[must_use]
pub fn of_file(k: &Kernel, inode: InodeId, file: FileId) -> Option<LockKind> {
    let lease = k.vfs.leases.get(&inode)?.iter().find(|lease| lease.file == file)?;
    match lease.breaking {
        Some(Breaking { unlock: true, .. }) => None,
        Some(_) => Some(LockKind::Read),
        None => Some(lease.kind),
    }
}

/// Open files of an inode: how many may write, how many there are.
fn open_counts(k: &Kernel, inode: InodeId) -> (usize, usize) {
    let of_inode = k
        .files
        .iter()
        .filter(|(_, file)| matches!(&file.kind, File::Regular(regular) if regular.inode == inode));
    of_inode.fold((0, 0), |(writers, all), (_, file)| (writers + usize::from(file.writable()), all + 1))
}

/// `F_SETLEASE`: takes, changes or (`None`) gives up a lease. `EAGAIN` if the file is open in a way that stands against it.
pub fn set(
    k: &mut Kernel,
    inode: InodeId,
    file: FileId,
    fd: i32,
    kind: Option<LockKind>,
) -> Result<(), Errno> {
    let mut list = k.vfs.leases.get(&inode).cloned().unwrap_or_default();
    let mine = list.iter().position(|lease| lease.file == file);
    let Some(kind) = kind else {
        list.remove(mine.ok_or(Errno::EAGAIN)?);
        put(k, inode, list);
        return Ok(());
    };
    let (writers, all) = open_counts(k, inode);
    let against = match kind {
        LockKind::Read => writers > 0,
        LockKind::Write => all > 1,
    };
    let others = list.iter().any(|lease| {
        lease.file != file
            && (kind == LockKind::Write || lease.breaking.is_some_and(|breaking| breaking.unlock))
    });
    // Who waits for the end of a lease has the file open for writing already, as far as this is concerned.
    let breaking = mine.and_then(|at| list[at].breaking);
    let waited_for = breaking.is_some_and(|breaking| breaking.unlock) && k.waits.any(wait_key(inode));
    if against || others || waited_for {
        return Err(Errno::EAGAIN);
    }
    // A lease that is lowered has done what a reader asked for, not what a writer did.
    let breaking = breaking.filter(|breaking| breaking.unlock || kind == LockKind::Write);
    let lease = Lease { file, fd, kind, breaking };
    match mine {
        Some(at) => list[at] = lease,
        None => list.push_back(lease),
    }
    put(k, inode, list);
    Ok(())
}

fn put(k: &mut Kernel, inode: InodeId, list: persist::Vector<Lease>) {
    if list.is_empty() {
        k.vfs.leases.remove(&inode);
    } else {
        k.vfs.leases.insert(inode, list);
    }
    k.wake(wait_key(inode));
}

/// The open file is gone: so is its lease.
pub fn file_closed(k: &mut Kernel, file: FileId) {
    if k.vfs.leases.is_empty() {
        return;
    }
    let found = k.vfs.leases.iter().find(|(_, list)| list.iter().any(|lease| lease.file == file));
    let Some(inode) = found.map(|(inode, _)| *inode) else { return };
    let _ = set(k, inode, file, -1, None);
}

/// Before a file is opened or truncated: breaks the leases that stand against it and waits for their holders.
/// `EWOULDBLOCK` with O_NONBLOCK.
pub fn break_for(ctx: &mut Ctx<'_>, inode: InodeId, open_flags: u32) -> Result<(), Stop> {
    if ctx.k.vfs.leases.is_empty() {
        return Ok(());
    }
    let Some(mut list) = ctx.k.vfs.leases.get(&inode).cloned() else { return Ok(()) };
    let now = ctx.now_ns();
    let writes = open_flags & flags::O_ACCMODE != 0 || open_flags & flags::O_TRUNC != 0;
    // Time is up for who did not answer.
    let before = list.clone();
    list = list
        .into_iter()
        .filter_map(|lease| match lease.breaking {
            Some(Breaking { unlock: true, at_ns }) if at_ns <= now => None,
            Some(Breaking { at_ns, .. }) if at_ns <= now => {
                Some(Lease { kind: LockKind::Read, breaking: None, ..lease })
            }
            _ => Some(lease),
        })
        .collect();
    let stands = |lease: &Lease| writes || lease.kind == LockKind::Write;
    if !list.iter().any(stands) {
        if list != before {
            put(ctx.k, inode, list);
        }
        return Ok(());
    }
    let seconds = u64::try_from(sysctl::number(ctx.k, "fs/lease-break-time")).unwrap_or(0);
    let at_ns =
        if seconds == 0 { u64::MAX } else { now.saturating_add(seconds.saturating_mul(1_000_000_000)) };
    let mut told = Vec::new();
    for lease in list.iter_mut() {
        let asks = stands(lease) && lease.breaking.is_none_or(|breaking| writes && !breaking.unlock);
        if asks {
            lease.breaking = Some(Breaking { unlock: writes, at_ns });
            told.push(*lease);
        }
    }
    let until = list.iter().filter_map(|lease| lease.breaking).map(|breaking| breaking.at_ns).min();
    ctx.k.vfs.leases.insert(inode, list);
    for lease in told {
        crate::file::sigio::signal_owner(ctx.k, lease.file, lease.fd, crate::file::sigio::POLL_MSG);
    }
    if open_flags & flags::O_NONBLOCK != 0 {
        return Err(Errno::EAGAIN.into());
    }
    let until = until.filter(|at| *at != u64::MAX);
    Err(Stop::Block(Wait::any(vec![wait_key(inode)], until, OnSignal::Restart)))
}
