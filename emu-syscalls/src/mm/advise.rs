//! Advice about areas: madvise, mlock, mincore, msync, mseal.
//!
//! **Invariant**: advice changes no meaning but where Linux says it does (`MADV_DONTNEED`, `MADV_REMOVE`,
//! `MADV_DONTFORK`, `MADV_WIPEONFORK`).

use std::ops::Range;
use std::sync::Arc;

use emu_core::mem::{Access, PAGE_SIZE, PageProt};

use super::fault::{BadAccess, fault_in};
use super::map::{Limits, get, get_mut, populate};
use super::{Area, AreaFlags, Backing, MmId};
use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::seam::Host;

/// Advice numbers (asm-generic/mman-common.h).
#[allow(missing_docs, reason = "the names of madvise(2)")]
pub mod advice {
    pub const NORMAL: i32 = 0;
    pub const RANDOM: i32 = 1;
    pub const SEQUENTIAL: i32 = 2;
    pub const WILLNEED: i32 = 3;
    pub const DONTNEED: i32 = 4;
    pub const FREE: i32 = 8;
    pub const REMOVE: i32 = 9;
    pub const DONTFORK: i32 = 10;
    pub const DOFORK: i32 = 11;
    pub const MERGEABLE: i32 = 12;
    pub const UNMERGEABLE: i32 = 13;
    pub const HUGEPAGE: i32 = 14;
    pub const NOHUGEPAGE: i32 = 15;
    pub const DONTDUMP: i32 = 16;
    pub const DODUMP: i32 = 17;
    pub const WIPEONFORK: i32 = 18;
    pub const KEEPONFORK: i32 = 19;
    pub const COLD: i32 = 20;
    pub const PAGEOUT: i32 = 21;
    pub const POPULATE_READ: i32 = 22;
    pub const POPULATE_WRITE: i32 = 23;
    pub const DONTNEED_LOCKED: i32 = 24;
    pub const COLLAPSE: i32 = 25;
    pub const GUARD_INSTALL: i32 = 102;
    pub const GUARD_REMOVE: i32 = 103;
}

/// Whether the number is one that is understood.
#[must_use]
pub fn is_known(number: i32) -> bool {
    matches!(number, 0..=4 | 8..=25 | 102 | 103)
}

/// `madvise(2)` for whole pages. As Linux does, holes are skipped and told at the end with `ENOMEM`.
pub fn advise(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    range: Range<u64>,
    number: i32,
    limits: &Limits,
) -> Result<(), Errno> {
    if matches!(number, advice::POPULATE_READ | advice::POPULATE_WRITE) {
        return populate_checked(k, host, id, range, number, limits);
    }
    let areas: Vec<Area> = get(k, id)?.within(range.clone()).cloned().collect();
    let mut hole = false;
    let mut at = range.start;
    for area in areas {
        hole |= area.start > at;
        let part = area.start.max(range.start)..area.end.min(range.end);
        at = part.end;
        advise_area(k, host, id, &area, part, number)?;
    }
    if hole || at < range.end { Err(Errno::ENOMEM) } else { Ok(()) }
}

fn advise_area(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    area: &Area,
    part: Range<u64>,
    number: i32,
) -> Result<(), Errno> {
    let space = get(k, id)?.space;
    let anonymous = matches!(area.backing, Backing::Anonymous);
    let sealed_read_only =
        area.flags.contains(AreaFlags::SEALED) && anonymous && !area.prot.contains(PageProt::WRITE);
    let locked = area.flags.contains(AreaFlags::LOCKED);
    let mut flag = |set: AreaFlags, clear: AreaFlags| -> Result<(), Errno> {
        get_mut(k, id)?.update(part.clone(), |area| {
            area.flags.remove(clear);
            area.flags.insert(set);
        });
        Ok(())
    };
    let none = AreaFlags::empty();
    match number {
        advice::NORMAL => flag(none, AreaFlags::RANDOM | AreaFlags::SEQUENTIAL),
        advice::RANDOM => flag(AreaFlags::RANDOM, AreaFlags::SEQUENTIAL),
        advice::SEQUENTIAL => flag(AreaFlags::SEQUENTIAL, AreaFlags::RANDOM),
        advice::DONTFORK => flag(AreaFlags::DONTFORK, none),
        advice::DOFORK => flag(none, AreaFlags::DONTFORK),
        advice::DONTDUMP => flag(AreaFlags::DONTDUMP, none),
        advice::DODUMP => flag(none, AreaFlags::DONTDUMP),
        advice::HUGEPAGE => flag(AreaFlags::HUGEPAGE, AreaFlags::NOHUGEPAGE),
        advice::NOHUGEPAGE => flag(AreaFlags::NOHUGEPAGE, AreaFlags::HUGEPAGE),
        advice::MERGEABLE => flag(AreaFlags::MERGEABLE, none),
        advice::UNMERGEABLE => flag(none, AreaFlags::MERGEABLE),
        advice::WIPEONFORK if !anonymous => Err(Errno::EINVAL),
        advice::WIPEONFORK => flag(AreaFlags::WIPEONFORK, none),
        advice::KEEPONFORK => flag(none, AreaFlags::WIPEONFORK),
        advice::DONTNEED | advice::DONTNEED_LOCKED | advice::FREE => {
            if locked && number != advice::DONTNEED_LOCKED {
                return Err(Errno::EINVAL);
            }
            if number == advice::FREE && !anonymous {
                return Err(Errno::EINVAL);
            }
            if sealed_read_only {
                return Err(Errno::EPERM);
            }
            k.mem.unmap(space, part);
            Ok(())
        }
        advice::GUARD_INSTALL | advice::GUARD_REMOVE if locked => Err(Errno::EINVAL),
        advice::GUARD_INSTALL => {
            flag(AreaFlags::GUARD, none)?;
            k.mem.unmap(space, part);
            Ok(())
        }
        advice::GUARD_REMOVE => flag(none, AreaFlags::GUARD),
        advice::REMOVE => {
            let Backing::Object { object, shared: true, inode, .. } = area.backing else {
                return Err(Errno::EINVAL);
            };
            if locked {
                return Err(Errno::EINVAL);
            }
            if !area.may.contains(PageProt::WRITE) {
                return Err(Errno::EACCES);
            }
            let offset = area.object_offset(part.start).ok_or(Errno::EINVAL)?;
            let bytes = offset..offset + (part.end - part.start);
            match inode {
                Some(inode) => crate::vfs::data::punch(k, host, inode, bytes.start, bytes.end - bytes.start),
                None => {
                    k.mem.object_punch(object, bytes);
                    Ok(())
                }
            }
        }
        // Nothing that a program could see follows from these.
        advice::WILLNEED | advice::COLLAPSE => Ok(()),
        advice::COLD | advice::PAGEOUT if locked => Err(Errno::EINVAL),
        advice::COLD | advice::PAGEOUT => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

fn populate_checked(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    range: Range<u64>,
    number: i32,
    limits: &Limits,
) -> Result<(), Errno> {
    let access = if number == advice::POPULATE_WRITE { Access::Write } else { Access::Read };
    let mut at = range.start;
    while at < range.end {
        if get(k, id)?.find(at).is_none() {
            return Err(Errno::ENOMEM);
        }
        fault_in(k, host, id, at, access, limits).map_err(|bad| match bad {
            BadAccess::Unmapped | BadAccess::OutOfMemory => Errno::ENOMEM,
            BadAccess::Forbidden => Errno::EINVAL,
            BadAccess::Bus => Errno::EFAULT,
        })?;
        at += PAGE_SIZE;
    }
    Ok(())
}

/// Whether pages are filled when they are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockFill {
    /// Now.
    Now,
    /// When they are touched (`MLOCK_ONFAULT`).
    OnFault,
}

/// `mlock(2)` for whole pages.
pub fn lock(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    range: Range<u64>,
    fill: LockFill,
    limits: &Limits,
) -> Result<(), Errno> {
    if limits.locked == 0 {
        return Err(Errno::EPERM);
    }
    let mm = get(k, id)?;
    let already: u64 = mm
        .within(range.clone())
        .filter(|area| area.flags.contains(AreaFlags::LOCKED))
        .map(|area| area.end.min(range.end) - area.start.max(range.start))
        .sum();
    let wanted = mm.usage.locked * PAGE_SIZE + (range.end - range.start) - already;
    if wanted > limits.locked {
        return Err(Errno::ENOMEM);
    }
    let covered = mm.covers(range.clone());
    get_mut(k, id)?.update(range.clone(), |area| area.flags |= AreaFlags::LOCKED);
    if !covered {
        return Err(Errno::ENOMEM);
    }
    if fill == LockFill::Now {
        populate(k, host, id, range, limits);
    }
    Ok(())
}

/// `munlock(2)` for whole pages.
pub fn unlock(k: &mut Kernel, id: MmId, range: Range<u64>) -> Result<(), Errno> {
    let mm = get_mut(k, id)?;
    let covered = mm.covers(range.clone());
    mm.update(range, |area| area.flags.remove(AreaFlags::LOCKED));
    if covered { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// `mincore(2)`: one byte a page; `ENOMEM` where nothing is mapped.
pub fn mincore(k: &Kernel, id: MmId, range: Range<u64>) -> Result<Vec<u8>, Errno> {
    let mm = get(k, id)?;
    let mut bytes = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let area = mm.find(at).ok_or(Errno::ENOMEM)?;
        let present = match area.backing {
            Backing::Anonymous => k.mem.page(mm.space, at).is_some(),
            Backing::Object { object, .. } => {
                let index = area.object_offset(at).unwrap_or(0) / PAGE_SIZE;
                k.mem.page(mm.space, at).is_some() || k.mem.object_has_page(object, index)
            }
        };
        bytes.push(u8::from(present));
        at += PAGE_SIZE;
    }
    Ok(bytes)
}

/// Names areas for /proc/PID/maps (`PR_SET_VMA_ANON_NAME`), as [`advise`] walks them. `EBADF` for a file's.
pub fn name(k: &mut Kernel, id: MmId, range: Range<u64>, name: Option<&Arc<[u8]>>) -> Result<(), Errno> {
    let areas: Vec<Area> = get(k, id)?.within(range.clone()).cloned().collect();
    let mut at = range.start;
    let mut hole = false;
    for area in areas {
        hole |= area.start > at;
        let part = area.start.max(range.start)..area.end.min(range.end);
        at = part.end;
        if matches!(area.backing, Backing::Object { file: Some(_), .. }) {
            return Err(Errno::EBADF);
        }
        get_mut(k, id)?.update(part, |area| area.name = name.cloned());
    }
    if hole || at < range.end { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// Gives the areas of `range`, which cover it, a memory policy (`mbind(2)`).
pub fn set_policy(k: &mut Kernel, id: MmId, range: Range<u64>, policy: Option<u32>) -> Result<(), Errno> {
    get_mut(k, id)?.update(range, |area| area.policy = policy);
    Ok(())
}

/// `mseal(2)` for whole pages.
pub fn seal(k: &mut Kernel, id: MmId, range: Range<u64>) -> Result<(), Errno> {
    let mm = get_mut(k, id)?;
    if !mm.covers(range.clone()) {
        return Err(Errno::ENOMEM);
    }
    mm.update(range, |area| area.flags |= AreaFlags::SEALED);
    Ok(())
}

/// `mlockall(MCL_CURRENT)`; what cannot be filled is left.
pub fn lock_all(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    fill: LockFill,
    limits: &Limits,
) -> Result<(), Errno> {
    let whole = 0..super::layout::TASK_SIZE;
    get_mut(k, id)?.update(whole.clone(), |area| area.flags |= AreaFlags::LOCKED);
    if fill == LockFill::Now {
        populate(k, host, id, whole, limits);
    }
    Ok(())
}
