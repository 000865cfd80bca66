//! `mremap(2)`: resizing and moving an area.
//!
//! **Invariant**: if it fails before anything moved, nothing has changed, except that a `MREMAP_FIXED` target may be
//! unmapped (Linux: `mremap_to`).

use emu_core::elf::page_up;
use emu_core::mem::PAGE_SIZE;

use super::fault::fault_in;
use super::layout::TASK_SIZE;
use super::map::{
    Limits, NewArea, Place, find_place, get, get_mut, map, populate, refuse_sealed, remove, unmap,
};
use super::object::retain_bytes;
use super::{Area, AreaFlags, Backing, MAX_AREAS, MmId};
use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::seam::Host;

bitflags::bitflags! {
    /// Flags of `mremap`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RemapFlags: u64 {
        /// The area may get another address.
        const MAYMOVE = 1;
        /// It gets the address given.
        const FIXED = 2;
        /// The old area stays, empty.
        const DONTUNMAP = 4;
    }
}

/// What is asked for, sizes as given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remap {
    /// Old address.
    pub old: u64,
    /// Old size in bytes.
    pub old_size: u64,
    /// New size in bytes.
    pub new_size: u64,
    /// Flags.
    pub flags: RemapFlags,
    /// New address for `FIXED`.
    pub new: u64,
}

/// Resizes or moves; the new address.
pub fn remap(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    what: &Remap,
    limits: &Limits,
) -> Result<u64, Errno> {
    let flags = what.flags;
    let moves = flags.intersects(RemapFlags::FIXED | RemapFlags::DONTUNMAP);
    if (moves && !flags.contains(RemapFlags::MAYMOVE))
        || (flags.contains(RemapFlags::DONTUNMAP) && what.old_size != what.new_size)
        || !what.old.is_multiple_of(PAGE_SIZE)
        || what.new_size == 0
    {
        return Err(Errno::EINVAL);
    }
    if what.old_size > TASK_SIZE || what.new_size > TASK_SIZE || what.old > TASK_SIZE - page_up(what.old_size)
    {
        return Err(if moves { Errno::EINVAL } else { Errno::EFAULT });
    }
    let sized = Remap { old_size: page_up(what.old_size), new_size: page_up(what.new_size), ..*what };
    if moves {
        return move_to(k, host, id, &sized, limits);
    }
    let (old, old_len, new_len) = (sized.old, sized.old_size, sized.new_size);
    let mm = get(k, id)?;
    let area = mm.find(old).ok_or(Errno::EFAULT)?.clone();
    if new_len <= old_len && old_len > 0 {
        if !mm.covers(old..old + old_len) {
            return Err(Errno::EFAULT);
        }
        if new_len < old_len {
            unmap(k, id, old + new_len..old + old_len)?;
        }
        return Ok(old);
    }
    refuse_sealed(mm, old..old + old_len.max(1))?;
    check_resize(&area, old, old_len)?;
    let growth = new_len - old_len;
    expand_allowed(k, id, &area, growth, limits)?;
    let mm = get(k, id)?;
    let in_place = old_len > 0
        && old + old_len == area.end
        && old <= TASK_SIZE - new_len
        && mm.is_free(area.end..old + new_len)
        && !matches!(area.backing, Backing::Object { offset, .. } if offset.checked_add(area.len() + growth).is_none());
    if in_place {
        extend(k, id, &area, growth)?;
        if area.flags.contains(AreaFlags::LOCKED) {
            populate(k, host, id, area.end..old + new_len, limits);
        }
        return Ok(old);
    }
    if !flags.contains(RemapFlags::MAYMOVE) {
        return Err(Errno::ENOMEM);
    }
    let to = find_place(mm, Place::Hint(0), new_len, limits)?;
    relocate(k, host, id, &sized, to, limits)
}

fn check_resize(area: &Area, old: u64, old_len: u64) -> Result<(), Errno> {
    if old_len == 0 && !area.is_shared() {
        return Err(Errno::EINVAL);
    }
    if old_len > area.end - old { Err(Errno::EFAULT) } else { Ok(()) }
}

fn expand_allowed(k: &Kernel, id: MmId, area: &Area, growth: u64, limits: &Limits) -> Result<(), Errno> {
    let mm = get(k, id)?;
    if area.flags.contains(AreaFlags::LOCKED) && mm.usage.locked * PAGE_SIZE + growth > limits.locked {
        return Err(Errno::EAGAIN);
    }
    let is_data = super::map::NewArea { backing: area.backing.clone(), ..NewArea::anonymous(area.prot) };
    let data =
        if is_data.prot.contains(emu_core::mem::PageProt::WRITE) && !area.is_shared() { growth } else { 0 };
    if (mm.usage.total * PAGE_SIZE).saturating_add(growth) > limits.address_space
        || (mm.usage.data * PAGE_SIZE).saturating_add(data) > limits.data
        || (data > limits.memory && !area.flags.contains(AreaFlags::NORESERVE))
    {
        return Err(Errno::ENOMEM);
    }
    Ok(())
}

fn extend(k: &mut Kernel, id: MmId, area: &Area, growth: u64) -> Result<(), Errno> {
    let mut more = area.clone();
    more.start = area.end;
    more.end = area.end + growth;
    if let Backing::Object { offset, .. } = &mut more.backing {
        *offset += area.len();
    }
    retain_bytes(k, &more);
    let mm = get_mut(k, id)?;
    if area.shm.is_some() {
        // Attached segments are never merged; this is one area all the same.
        mm.take(area.start..area.end);
        more.start = area.start;
        more.backing = area.backing.clone();
    }
    mm.insert(more);
    Ok(())
}

/// `MREMAP_FIXED` and `MREMAP_DONTUNMAP`.
fn move_to(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    what: &Remap,
    limits: &Limits,
) -> Result<u64, Errno> {
    let fixed = what.flags.contains(RemapFlags::FIXED);
    if fixed {
        if !what.new.is_multiple_of(PAGE_SIZE) || what.new > TASK_SIZE - what.new_size {
            return Err(Errno::EINVAL);
        }
        if what.old + what.old_size > what.new && what.new + what.new_size > what.old {
            return Err(Errno::EINVAL);
        }
        if what.new < super::layout::MMAP_MIN && !limits.low_addresses {
            return Err(Errno::EPERM);
        }
    }
    let mm = get(k, id)?;
    if mm.areas.len() + 2 >= MAX_AREAS {
        return Err(Errno::ENOMEM);
    }
    let area = mm.find(what.old).ok_or(Errno::EFAULT)?.clone();
    refuse_sealed(mm, what.old..what.old + what.old_size.max(1))?;
    if fixed {
        refuse_sealed(mm, what.new..what.new + what.new_size)?;
        remove(k, id, what.new..what.new + what.new_size)?;
    }
    let mut what = *what;
    if what.old_size > what.new_size {
        unmap(k, id, what.old + what.new_size..what.old + what.old_size)?;
        what.old_size = what.new_size;
    }
    check_resize(&area, what.old, what.old_size)?;
    let growth = if what.flags.contains(RemapFlags::DONTUNMAP) {
        what.new_size
    } else {
        what.new_size - what.old_size
    };
    expand_allowed(k, id, &area, growth, limits)?;
    let place = if fixed { Place::Fixed(what.new) } else { Place::Hint(what.new) };
    let to = find_place(get(k, id)?, place, what.new_size, limits)?;
    relocate(k, host, id, &what, to, limits)
}

/// Moves area and pages to `to`, where there is room.
fn relocate(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    what: &Remap,
    to: u64,
    limits: &Limits,
) -> Result<u64, Errno> {
    let area = get(k, id)?.find(what.old).ok_or(Errno::EFAULT)?.clone();
    let mut backing = area.backing.clone();
    if let Backing::Object { offset, .. } = &mut backing {
        *offset += what.old - area.start;
    }
    let new = NewArea { prot: area.prot, may: area.may, backing, flags: area.flags, shm: area.shm };
    // The limits were checked for what is added; what moves is counted twice for a moment.
    let unlimited =
        Limits { address_space: u64::MAX, data: u64::MAX, locked: u64::MAX, memory: u64::MAX, ..*limits };
    map(k, id, Place::Fixed(to), what.new_size, new, &unlimited)?;
    let space = get(k, id)?.space;
    if what.old_size > 0 {
        k.mem.move_pages(space, what.old..what.old + what.old_size, to);
        if what.flags.contains(RemapFlags::DONTUNMAP) {
            get_mut(k, id)?.update(what.old..what.old + what.old_size, |area| {
                area.flags.remove(AreaFlags::LOCKED);
            });
        } else {
            remove(k, id, what.old..what.old + what.old_size)?;
        }
    }
    if area.flags.contains(AreaFlags::LOCKED) {
        populate(k, host, id, to..to + what.new_size, limits);
    } else if what.old_size == 0 {
        // A second view of shared memory: nothing is lost if its first page cannot be had now.
        let _ = fault_in(k, host, id, to, emu_core::mem::Access::Read, limits);
    }
    Ok(to)
}
