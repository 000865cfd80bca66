//! Making, removing and protecting areas: mmap, munmap, mprotect, brk.
//!
//! Key types: [`Place`], [`NewArea`], [`Limits`]. The handlers in `calls/mmap.rs` decode; these functions act.

use std::ops::Range;

use emu_core::elf::{page_down, page_up};
use emu_core::mem::{Access, ObjectId, PAGE_SIZE, PageProt};

use super::area::STACK_GUARD;
use super::fault::fault_in;
use super::layout::{MMAP_MIN, TASK_SIZE};
use super::object::{release_bytes, retain_bytes};
use super::shm::ShmId;
use super::{Area, AreaFlags, Backing, MAX_AREAS, Mm, MmId, RWX};
use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;
use crate::vfs::InodeId;

/// Limits of the process and of the machine, in bytes, that hold for its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// RLIMIT_AS
    pub address_space: u64,
    /// RLIMIT_DATA
    pub data: u64,
    /// RLIMIT_STACK
    pub stack: u64,
    /// RLIMIT_MEMLOCK; no bound with CAP_IPC_LOCK.
    pub locked: u64,
    /// Memory of the machine: a single private writable mapping larger than that is refused (overcommit mode 0).
    pub memory: u64,
    /// May map below `mmap_min_addr` (CAP_SYS_RAWIO).
    pub low_addresses: bool,
}

/// CAP_IPC_LOCK
const CAP_IPC_LOCK: u64 = 1 << 14;
/// CAP_SYS_RAWIO
const CAP_SYS_RAWIO: u64 = 1 << 17;

impl Limits {
    /// Those of a task.
    #[must_use]
    pub fn of(k: &Kernel, tid: TaskId) -> Self {
        let task = k.task(tid);
        let rlimits = &k.group(task.group).rlimits;
        let caps = task.creds.cap_effective;
        Limits {
            address_space: rlimits[9].0,
            data: rlimits[2].0,
            stack: rlimits[3].0,
            locked: if caps & CAP_IPC_LOCK != 0 { u64::MAX } else { rlimits[8].0 },
            memory: k.mem.limit(),
            low_addresses: caps & CAP_SYS_RAWIO != 0,
        }
    }
}

/// Where a new area shall go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Here if there is room, else anywhere; 0 for no wish.
    Hint(u64),
    /// Here, in place of what is there.
    Fixed(u64),
    /// Here, or `EEXIST`.
    FixedNoReplace(u64),
    /// Below 2 GiB.
    Low(u64),
}

/// What a file is asked for by mmap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapRequest {
    /// Whether writes go to the file.
    pub shared: bool,
    /// Rights.
    pub prot: PageProt,
    /// Byte offset of the first page.
    pub offset: u64,
    /// Bytes, whole pages.
    pub len: u64,
}

/// What a mapping of a file maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapSource {
    /// Zeros, as without a file.
    Zeros,
    /// Pages of an object.
    Object {
        /// Which.
        object: ObjectId,
        /// Whose contents they are.
        inode: InodeId,
        /// Rights that the mapping can get (seals take WRITE away).
        may: PageProt,
    },
}

/// A new area but for its place.
#[derive(Debug, Clone)]
pub struct NewArea {
    /// Rights.
    pub prot: PageProt,
    /// Rights that it may get.
    pub may: PageProt,
    /// What fills it.
    pub backing: Backing,
    /// What is special.
    pub flags: AreaFlags,
    /// The segment it attaches.
    pub shm: Option<ShmId>,
}

impl NewArea {
    /// Private zeros.
    #[must_use]
    pub fn anonymous(prot: PageProt) -> Self {
        NewArea { prot, may: RWX, backing: Backing::Anonymous, flags: AreaFlags::empty(), shm: None }
    }
    fn is_private_writable(&self) -> bool {
        self.prot.contains(PageProt::WRITE) && !matches!(self.backing, Backing::Object { shared: true, .. })
    }
}

/// The kernel's description of `mm`.
pub(super) fn get(k: &Kernel, mm: MmId) -> Result<&Mm, Errno> {
    k.mms.get(mm).ok_or(Errno::ESRCH)
}

pub(super) fn get_mut(k: &mut Kernel, mm: MmId) -> Result<&mut Mm, Errno> {
    k.mms.get_mut(mm).ok_or(Errno::ESRCH)
}

/// Checks a length: `len` rounded up to pages. Zero and what wraps are `zero` and `ENOMEM`.
pub fn page_len(len: u64, zero: Errno) -> Result<u64, Errno> {
    if len == 0 {
        return Err(zero);
    }
    if len > TASK_SIZE { Err(Errno::ENOMEM) } else { Ok(page_up(len)) }
}

/// Finds the address for `len` bytes (`get_unmapped_area`).
pub fn find_place(mm: &Mm, place: Place, len: u64, limits: &Limits) -> Result<u64, Errno> {
    if len > TASK_SIZE {
        return Err(Errno::ENOMEM);
    }
    match place {
        Place::Fixed(addr) | Place::FixedNoReplace(addr) => {
            if addr > TASK_SIZE - len {
                return Err(Errno::ENOMEM);
            }
            if addr % PAGE_SIZE != 0 {
                return Err(Errno::EINVAL);
            }
            if addr < MMAP_MIN && !limits.low_addresses {
                return Err(Errno::EPERM);
            }
            if matches!(place, Place::FixedNoReplace(_)) && mm.within(addr..addr + len).next().is_some() {
                return Err(Errno::EEXIST);
            }
            Ok(addr)
        }
        Place::Hint(hint) => {
            let hint = page_down(hint);
            if hint >= MMAP_MIN && hint <= TASK_SIZE - len && mm.is_free(hint..hint + len) {
                return Ok(hint);
            }
            mm.room_below(mm.search_top(len), MMAP_MIN, len, PAGE_SIZE)
                .or_else(|| mm.room_above(mm.mmap_top..TASK_SIZE, len, PAGE_SIZE))
                .ok_or(Errno::ENOMEM)
        }
        Place::Low(hint) => {
            let hint = page_down(hint);
            if hint >= MMAP_MIN && hint + len <= 1 << 31 && mm.is_free(hint..hint + len) {
                return Ok(hint);
            }
            mm.room_above(0x4000_0000..1 << 31, len, PAGE_SIZE).ok_or(Errno::ENOMEM)
        }
    }
}

/// Whether `bytes` more of areas like `new` fit the limits.
fn may_expand(mm: &Mm, new: &NewArea, bytes: u64, replaced: u64, limits: &Limits) -> Result<(), Errno> {
    let total = (mm.usage.total * PAGE_SIZE).saturating_sub(replaced);
    if total.saturating_add(bytes) > limits.address_space {
        return Err(Errno::ENOMEM);
    }
    if new.is_private_writable() && !new.flags.contains(AreaFlags::GROWS_DOWN) {
        if (mm.usage.data * PAGE_SIZE).saturating_add(bytes) > limits.data {
            return Err(Errno::ENOMEM);
        }
        if !new.flags.contains(AreaFlags::NORESERVE) && bytes > limits.memory {
            return Err(Errno::ENOMEM);
        }
    }
    Ok(())
}

/// Makes an area of `len` bytes (whole pages, not zero) and returns its address.
pub fn map(
    k: &mut Kernel,
    id: MmId,
    place: Place,
    len: u64,
    mut new: NewArea,
    limits: &Limits,
) -> Result<u64, Errno> {
    let mm = get(k, id)?;
    let addr = find_place(mm, place, len, limits)?;
    if mm.areas.len() + mm.cuts(addr..addr + len) >= MAX_AREAS {
        return Err(Errno::ENOMEM);
    }
    if mm.lock_future {
        new.flags |= AreaFlags::LOCKED;
    }
    if new.flags.contains(AreaFlags::LOCKED) && mm.usage.locked * PAGE_SIZE + len > limits.locked {
        return Err(Errno::EAGAIN);
    }
    let range = addr..addr + len;
    let replaced: u64 =
        mm.within(range.clone()).map(|area| area.end.min(range.end) - area.start.max(range.start)).sum();
    may_expand(mm, &new, len, replaced, limits)?;
    if replaced > 0 {
        refuse_sealed(mm, range.clone())?;
        remove(k, id, range.clone())?;
    }
    let NewArea { prot, may, backing, flags, shm } = new;
    let area =
        Area { start: addr, end: addr + len, prot, may, backing, flags, shm, name: None, policy: None };
    retain_bytes(k, &area);
    let mm = get_mut(k, id)?;
    mm.insert(area);
    if matches!(place, Place::Hint(hint) if page_down(hint) != addr) {
        mm.searched(addr, len);
    }
    Ok(addr)
}

/// `EPERM` if anything in `range` is sealed.
pub(super) fn refuse_sealed(mm: &Mm, range: Range<u64>) -> Result<(), Errno> {
    if mm.within(range).any(|area| area.flags.contains(AreaFlags::SEALED)) {
        return Err(Errno::EPERM);
    }
    Ok(())
}

/// Takes out areas and pages of `range`.
pub(super) fn remove(k: &mut Kernel, id: MmId, range: Range<u64>) -> Result<(), Errno> {
    let mm = get_mut(k, id)?;
    let taken = mm.take(range.clone());
    mm.userfaults.forget(range.clone());
    let space = mm.space;
    for area in &taken {
        k.mem.unmap(space, area.start..area.end);
        release_bytes(k, area);
    }
    Ok(())
}

/// `munmap(2)` of whole pages.
pub fn unmap(k: &mut Kernel, id: MmId, range: Range<u64>) -> Result<(), Errno> {
    let mm = get(k, id)?;
    refuse_sealed(mm, range.clone())?;
    let splits_one =
        mm.find(range.start).is_some_and(|area| area.start < range.start && area.end > range.end);
    if splits_one && mm.areas.len() >= MAX_AREAS {
        return Err(Errno::ENOMEM);
    }
    remove(k, id, range)
}

/// `mprotect(2)` of whole pages. As Linux does, the areas before one that refuses are changed.
pub fn protect(
    k: &mut Kernel,
    id: MmId,
    range: Range<u64>,
    prot: PageProt,
    limits: &Limits,
) -> Result<(), Errno> {
    let mm = get(k, id)?;
    refuse_sealed(mm, range.clone())?;
    if mm.areas.len() + mm.cuts(range.clone()) > MAX_AREAS {
        return Err(Errno::ENOMEM);
    }
    let areas: Vec<Area> = mm.within(range.clone()).cloned().collect();
    let mut at = range.start;
    for area in areas {
        if area.start > at {
            return Err(Errno::ENOMEM);
        }
        if !area.may.contains(prot) {
            return Err(Errno::EACCES);
        }
        let part = at..area.end.min(range.end);
        let becomes_data = prot.contains(PageProt::WRITE)
            && !area.prot.contains(PageProt::WRITE)
            && !area.is_shared()
            && !area.grows_down();
        let bytes = part.end - part.start;
        if becomes_data {
            let data = get(k, id)?.usage.data * PAGE_SIZE;
            if data.saturating_add(bytes) > limits.data
                || (!area.flags.contains(AreaFlags::NORESERVE) && bytes > limits.memory)
            {
                return Err(Errno::ENOMEM);
            }
        }
        let mm = get_mut(k, id)?;
        mm.update(part.clone(), |area| area.prot = prot);
        let space = mm.space;
        k.mem.protect(space, part.clone(), Area { prot, ..area.clone() }.page_prot());
        at = part.end;
    }
    if at < range.end { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// `brk(2)`: the new end of the heap, or the old one if it cannot be moved.
pub fn brk(k: &mut Kernel, id: MmId, wanted: u64, limits: &Limits) -> Result<u64, Errno> {
    let mm = get(k, id)?;
    let (start, end) = mm.brk;
    if wanted < start || wanted > TASK_SIZE {
        return Ok(end);
    }
    let data = mm.data.1.saturating_sub(mm.data.0);
    if (wanted - start).saturating_add(data) > limits.data {
        return Ok(end);
    }
    let (old, new) = (page_up(end), page_up(wanted));
    if new < old {
        if unmap(k, id, new..old).is_err() {
            return Ok(end);
        }
    } else if new > old {
        let free = mm.next(old).is_none_or(|area| {
            let guard = if area.grows_down() { STACK_GUARD } else { PAGE_SIZE };
            area.start.saturating_sub(guard) >= new
        });
        let heap = NewArea::anonymous(PageProt::READ | PageProt::WRITE);
        if !free || map(k, id, Place::FixedNoReplace(old), new - old, heap, limits).is_err() {
            return Ok(end);
        }
    }
    get_mut(k, id)?.brk.1 = wanted;
    Ok(wanted)
}

/// Fills the pages of `range` as `MAP_POPULATE` and `mlock` do; stops quietly at what cannot be filled.
pub fn populate(k: &mut Kernel, host: &mut dyn Host, id: MmId, range: Range<u64>, limits: &Limits) {
    let mut at = range.start;
    while at < range.end {
        let Some(area) = get(k, id).ok().and_then(|mm| mm.next(at)).cloned() else { return };
        let end = area.end.min(range.end);
        let access = match area.prot {
            prot if prot.contains(PageProt::WRITE) && !area.is_shared() => Access::Write,
            prot if prot.is_empty() => {
                at = area.end;
                continue;
            }
            prot if prot.intersects(PageProt::READ | PageProt::WRITE) => Access::Read,
            _ => Access::Execute,
        };
        at = at.max(area.start);
        while at < end {
            if fault_in(k, host, id, at, access, limits).is_err() {
                return;
            }
            at += PAGE_SIZE;
        }
    }
}
