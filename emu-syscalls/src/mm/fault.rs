//! Page faults: filling pages that an area allows.
//!
//! **Invariant**: only pages inside areas are filled, and a page gets no more rights than its area gives. Copy-on-write
//! of pages that are present is the engine's and `Memory`'s business and comes here only when memory runs out.

use emu_core::elf::page_down;
use emu_core::mem::{Access, MemFault, PAGE_SIZE, PageProt, Privilege};

use super::area::STACK_GUARD;
use super::map::{Limits, get, get_mut};
use super::userfault::{self, Fault};
use super::{Area, AreaFlags, Backing, Mm, MmId};
use crate::abi::errno::Errno;
use crate::ctx::Ctx;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;

/// Why a fault cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadAccess {
    /// No area there: SIGSEGV, SEGV_MAPERR.
    Unmapped,
    /// The area forbids it: SIGSEGV, SEGV_ACCERR.
    Forbidden,
    /// Past the end of the file behind it: SIGBUS.
    Bus,
    /// No memory left.
    OutOfMemory,
}

/// Pages of a file that one fault maps besides the one asked for, if the object has them (Linux: `fault_around_bytes`).
const AROUND: u64 = 16;

/// Fills the page at `addr` of `tid`'s space, if its areas allow the access.
pub fn page_fault(
    k: &mut Kernel,
    host: &mut dyn Host,
    tid: TaskId,
    addr: u64,
    access: Access,
) -> Result<(), BadAccess> {
    let Some(mm) = k.task(tid).mm else { return Err(BadAccess::Unmapped) };
    match userfault::look(k, mm, addr, access) {
        Fault::Ordinary => {}
        Fault::Bus => return Err(BadAccess::Bus),
        Fault::Ask(..) => {
            // A thread in user mode waits for the answer; a call does not get here twice and cannot.
            let at = format!("task {} at address {addr:#x}", tid.0);
            k.gap("userfaultfd: a fault inside a system call".into(), at);
            return Err(BadAccess::Bus);
        }
    }
    let limits = Limits::of(k, tid);
    fault_in(k, host, mm, addr, access, &limits)
}

/// Fills the page at `addr` of a space, if its areas allow the access.
pub fn fault_in(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    addr: u64,
    access: Access,
    limits: &Limits,
) -> Result<(), BadAccess> {
    let page = page_down(addr);
    let mm = get(k, id).map_err(|_| BadAccess::Unmapped)?;
    let area = match mm.find(addr) {
        Some(area) => area.clone(),
        None => grow_stack(k, id, page, limits)?,
    };
    if area.flags.contains(AreaFlags::GUARD) {
        return Err(BadAccess::Unmapped);
    }
    if !allows(&area, access) {
        return Err(BadAccess::Forbidden);
    }
    let space = get(k, id).map_err(|_| BadAccess::Unmapped)?.space;
    if k.mem.page(space, page).is_none() {
        fill(k, host, space, &area, page)?;
    }
    // What is left is the frame for a write: taken now, so that running out of memory is told here.
    if access == Access::Write {
        let taken = k.mem.lookup(space, page, Access::Write, Privilege::User);
        if let Err(MemFault::OutOfMemory(_)) = taken {
            return Err(BadAccess::OutOfMemory);
        }
    }
    Ok(())
}

fn allows(area: &Area, access: Access) -> bool {
    match access {
        Access::Read => !area.prot.is_empty(),
        Access::Write => area.prot.contains(PageProt::WRITE),
        Access::Execute => area.prot.contains(PageProt::EXEC),
    }
}

fn fill(
    k: &mut Kernel,
    host: &mut dyn Host,
    space: emu_core::mem::SpaceId,
    area: &Area,
    page: u64,
) -> Result<(), BadAccess> {
    let prot = area.page_prot();
    let Backing::Object { object, offset, shared, inode, .. } = area.backing else {
        return k.mem.map_zero(space, page, prot).map_err(|_| BadAccess::OutOfMemory);
    };
    let first = page;
    let last = if inode.is_some() { area.end.min((page | (AROUND * PAGE_SIZE - 1)) + 1) } else { page + 1 };
    let mut at = first;
    while at < last {
        let index = (offset + (at - area.start)) / PAGE_SIZE;
        if at == page {
            if inode.is_some() {
                crate::vfs::fill_page(k, host, object, index).map_err(|errno| match errno {
                    Errno::ENOMEM => BadAccess::OutOfMemory,
                    _ => BadAccess::Bus,
                })?;
            }
        } else if !k.mem.object_has_page(object, index) || k.mem.page(space, at).is_some() {
            break;
        }
        let mapped = if shared {
            k.mem.map_shared(space, at, object, index, prot)
        } else {
            k.mem.map_private(space, at, object, index, prot)
        };
        mapped.map_err(|_| BadAccess::OutOfMemory)?;
        at += PAGE_SIZE;
    }
    Ok(())
}

/// Lets the area above `page` grow down to it, if it is one that does and its limit allows.
fn grow_stack(k: &mut Kernel, id: MmId, page: u64, limits: &Limits) -> Result<Area, BadAccess> {
    let mm = get(k, id).map_err(|_| BadAccess::Unmapped)?;
    let area = mm.next(page).filter(|area| area.grows_down()).ok_or(BadAccess::Unmapped)?;
    if !may_grow(mm, area, page, limits) {
        return Err(BadAccess::Unmapped);
    }
    let start = area.start;
    let mm = get_mut(k, id).map_err(|_| BadAccess::Unmapped)?;
    let mut area = mm.areas.remove(&start).ok_or(BadAccess::Unmapped)?;
    mm.uncount(&area);
    area.start = page;
    mm.count(&area);
    mm.areas.insert(page, area.clone());
    Ok(area)
}

fn may_grow(mm: &Mm, area: &Area, page: u64, limits: &Limits) -> bool {
    let grown = area.start - page;
    let below = mm.previous(page);
    let guard_is_free =
        below.is_none_or(|low| low.grows_down() || low.prot.is_empty() || page - low.end >= STACK_GUARD);
    let locked = area.flags.contains(AreaFlags::LOCKED)
        && (mm.usage.locked * PAGE_SIZE).saturating_add(grown) > limits.locked;
    page >= super::layout::MMAP_MIN
        && area.end - page <= limits.stack
        && (mm.usage.total * PAGE_SIZE).saturating_add(grown) <= limits.address_space
        && matches!(area.backing, Backing::Anonymous)
        && guard_is_free
        && !locked
}

/// Answers a fault that a handler's own access to user memory met.
pub fn answer(ctx: &mut Ctx<'_>, fault: MemFault, write: bool) -> Result<(), BadAccess> {
    let access = if write { Access::Write } else { Access::Read };
    match fault {
        MemFault::NotPresent(addr) | MemFault::Protection(addr) if addr < super::layout::TASK_SIZE => {
            let tid = ctx.tid;
            page_fault(ctx.k, ctx.host, tid, addr, access)
        }
        MemFault::OutOfMemory(_) => Err(BadAccess::OutOfMemory),
        _ => Err(BadAccess::Unmapped),
    }
}

/// See [`Ctx::prefault_write`].
pub fn prefault_write(ctx: &mut Ctx<'_>, addr: u64, len: u64) -> Result<u64, Errno> {
    let space = ctx.space();
    let end = addr.saturating_add(len);
    let mut at = addr;
    while at < end {
        let fault = match ctx.k.mem.check(space, at..end, Access::Write, Privilege::User) {
            Ok(()) => return Ok(len),
            Err(fault) => fault,
        };
        let bad = match fault {
            MemFault::NotPresent(addr) | MemFault::Protection(addr) | MemFault::NonCanonical(addr) => {
                at = addr.max(at);
                answer(ctx, fault, true).is_err()
            }
            MemFault::OutOfMemory(_) => true,
        };
        if bad {
            let good = at - addr;
            return if good == 0 { Err(Errno::EFAULT) } else { Ok(good) };
        }
    }
    Ok(len)
}
