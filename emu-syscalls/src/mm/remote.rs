//! Reading and writing the memory of another process: `process_vm_readv(2)`, ptrace, /proc/PID/mem.
//!
//! **Invariant**: pages are faulted in as the process itself would; rights hold unless [`Force`] says otherwise.

use emu_core::elf::page_down;
use emu_core::mem::{Access, MemFault, PAGE_SIZE, PageProt, Privilege};

use super::MmId;
use super::fault::fault_in;
use super::map::{Limits, get};
use crate::kernel::Kernel;
use crate::seam::Host;

/// Whether the rights of the areas hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// They do.
    No,
    /// They do not (a debugger): private pages are copied.
    Yes,
}

/// Limits that let no stack grow: an access from outside is no access of the program.
fn no_growth(k: &Kernel) -> Limits {
    Limits {
        address_space: u64::MAX,
        data: u64::MAX,
        stack: 0,
        locked: u64::MAX,
        memory: k.mem.limit(),
        low_addresses: false,
    }
}

/// Reads as many bytes at `addr` as there are; returns how many.
pub fn read(k: &mut Kernel, host: &mut dyn Host, id: MmId, addr: u64, buf: &mut [u8], force: Force) -> usize {
    let Ok(mm) = get(k, id) else { return 0 };
    let space = mm.space;
    let mut done = 0;
    while done < buf.len() {
        let at = addr.wrapping_add(done as u64);
        let result = match force {
            Force::No => k.mem.read(space, at, &mut buf[done..], Privilege::User),
            Force::Yes => k.mem.read_forced(space, at, &mut buf[done..]),
        };
        let Err((n, fault)) = result else { return buf.len() };
        done += n;
        if !answer(k, host, id, fault, Access::Read, force) {
            return done;
        }
    }
    done
}

/// Writes as many bytes at `addr` as may be; returns how many.
pub fn write(k: &mut Kernel, host: &mut dyn Host, id: MmId, addr: u64, data: &[u8], force: Force) -> usize {
    let Ok(mm) = get(k, id) else { return 0 };
    let space = mm.space;
    let mut done = 0;
    while done < data.len() {
        let at = addr.wrapping_add(done as u64);
        // A shared mapping that forbids writing is not written to by force either (Linux: `check_vma_flags`).
        let area = get(k, id).ok().and_then(|mm| mm.find(at));
        let forced = force == Force::Yes
            && area.is_some_and(|area| !area.prot.contains(PageProt::WRITE) && !area.is_shared());
        let in_page = usize::try_from(PAGE_SIZE - at % PAGE_SIZE).unwrap_or(1).min(data.len() - done);
        let part = &data[done..done + in_page];
        let result = if forced {
            k.mem.write_forced(space, at, part)
        } else {
            k.mem.write(space, at, part, Privilege::User)
        };
        match result {
            Ok(()) => done += in_page,
            Err((n, fault)) => {
                done += n;
                let access = if forced { Access::Read } else { Access::Write };
                if !answer(k, host, id, fault, access, force) {
                    return done;
                }
            }
        }
    }
    done
}

fn answer(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: MmId,
    fault: MemFault,
    access: Access,
    force: Force,
) -> bool {
    let (MemFault::NotPresent(addr) | MemFault::Protection(addr)) = fault else { return false };
    let limits = no_growth(k);
    if fault_in(k, host, id, addr, access, &limits).is_ok() {
        return true;
    }
    // An execute-only or inaccessible page can be had by force if it is there or can be made.
    let Ok(mm) = get(k, id) else { return false };
    let hidden = mm.find(addr).is_some_and(|area| area.prot.is_empty());
    let space = mm.space;
    force == Force::Yes
        && hidden
        && k.mem.page(space, addr).is_none()
        && k.mem.map_zero(space, page_down(addr), PageProt::USER).is_ok()
}
