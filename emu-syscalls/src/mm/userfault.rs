//! Ranges of memory whose faults user space answers (userfaultfd(2)): which there are, and what a fault in one becomes.
//!
//! A thread that faults in user mode parks until its page was provided; the fault is a message in the instance's queue
//! ([`crate::file::userfault`]). System calls that meet such a page fail with `EFAULT`, loudly: they cannot stop half way.
//!
//! **Invariant**: a page in [`Userfaults::protected`] is present without the right to write.

use std::ops::Range;

use emu_core::elf::page_down;
use emu_core::mem::{Access, PAGE_SIZE, PageProt};
use emu_core::persist;

use super::{Backing, Mm, MmId};
use crate::file::userfault::{UffdId, feature};
use crate::kernel::Kernel;
use crate::task::TaskId;
use crate::task::wait::{OnSignal, Wait, WaitKey, park};

/// `UFFDIO_REGISTER_MODE_*`
pub mod mode {
    /// Pages that are not there.
    pub const MISSING: u64 = 1;
    /// Pages protected against writes.
    pub const WP: u64 = 2;
    /// Pages that their object has, but this mapping has not.
    pub const MINOR: u64 = 4;
}

/// `UFFD_PAGEFAULT_FLAG_*`
mod flag {
    pub(super) const WRITE: u64 = 1;
    pub(super) const WP: u64 = 2;
    pub(super) const MINOR: u64 = 4;
}

/// A registered range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// End, exclusive.
    pub end: u64,
    /// Whose it is.
    pub uffd: UffdId,
    /// [`mode`] bits.
    pub modes: u64,
}

/// What a memory has of it.
#[derive(Debug, Clone, Default)]
pub struct Userfaults {
    /// Ranges by their start; they do not overlap.
    pub ranges: persist::OrdMap<u64, Registered>,
    /// Pages protected against writes.
    pub protected: persist::OrdSet<u64>,
    /// Pages whose touch is SIGBUS (`UFFDIO_POISON`).
    pub poisoned: persist::OrdSet<u64>,
}

impl Userfaults {
    /// Whether there is nothing to look at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.poisoned.is_empty()
    }
    /// The range that holds an address.
    #[must_use]
    pub fn find(&self, addr: u64) -> Option<Registered> {
        let (_, range) = self.ranges.range(..=addr).next_back()?;
        (addr < range.end).then_some(*range)
    }
    /// Forgets what lies in `range`.
    pub fn forget(&mut self, range: Range<u64>) {
        if self.is_empty() {
            return;
        }
        let touched: Vec<(u64, Registered)> = self
            .ranges
            .iter()
            .filter(|(start, held)| **start < range.end && held.end > range.start)
            .map(|(start, held)| (*start, *held))
            .collect();
        for (start, held) in touched {
            self.ranges.remove(&start);
            if start < range.start {
                self.ranges.insert(start, Registered { end: range.start, ..held });
            }
            if held.end > range.end {
                self.ranges.insert(range.end, held);
            }
        }
        for set in [&mut self.protected, &mut self.poisoned] {
            let gone: Vec<u64> = set.range(range.clone()).copied().collect();
            for page in gone {
                set.remove(&page);
            }
        }
    }
}

/// What becomes of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing special.
    Ordinary,
    /// SIGBUS.
    Bus,
    /// User space is asked: whom, with which flags.
    Ask(UffdId, u64),
}

/// Looks what an access to `addr` that the page tables do not allow becomes.
#[must_use]
pub fn look(k: &Kernel, id: MmId, addr: u64, access: Access) -> Fault {
    let Some(mm) = k.mms.get(id) else { return Fault::Ordinary };
    if mm.userfaults.is_empty() {
        return Fault::Ordinary;
    }
    let page = page_down(addr);
    if mm.userfaults.poisoned.contains(&page) {
        return Fault::Bus;
    }
    let (Some(range), Some(area)) = (mm.userfaults.find(page), mm.find(addr)) else { return Fault::Ordinary };
    let write = if access == Access::Write { flag::WRITE } else { 0 };
    let flags = if k.mem.page(mm.space, page).is_some() {
        let protected = write != 0 && mm.userfaults.protected.contains(&page);
        (protected && range.modes & mode::WP != 0).then_some(flag::WP | flag::WRITE)
    } else {
        let held = match &area.backing {
            Backing::Object { object, shared: true, .. } => {
                let index = area.object_offset(page).unwrap_or(0) / PAGE_SIZE;
                k.mem.object_has_page(*object, index)
            }
            _ => false,
        };
        match held {
            true if range.modes & mode::MINOR != 0 => Some(flag::MINOR | write),
            false if range.modes & mode::MISSING != 0 => Some(write),
            _ => None,
        }
    };
    let Some(flags) = flags else { return Fault::Ordinary };
    match k.uffds.get(range.uffd) {
        None => Fault::Ordinary,
        Some(uffd) if uffd.features & feature::SIGBUS != 0 => Fault::Bus,
        Some(_) => Fault::Ask(range.uffd, flags),
    }
}

/// A fault of a thread in user mode: whether it now waits for user space to answer.
pub fn user_fault(k: &mut Kernel, tid: TaskId, addr: u64, access: Access) -> bool {
    let Some(id) = k.task(tid).mm else { return false };
    let Fault::Ask(uffd, flags) = look(k, id, addr, access) else { return false };
    let page = page_down(addr);
    let Some(state) = k.uffds.get_mut(uffd) else { return false };
    let address = if state.features & feature::EXACT_ADDRESS != 0 { addr } else { page };
    let thread = if state.features & feature::THREAD_ID != 0 { tid.0 } else { 0 };
    state.queue.push_back((flags, address, thread));
    let file = state.file;
    k.wake(WaitKey::File(file));
    park(k, tid, Wait::any(vec![WaitKey::Fault(uffd.0, page)], None, OnSignal::Restart));
    true
}

/// Wakes the threads that wait for pages of `range`.
pub fn wake(k: &mut Kernel, uffd: UffdId, range: Range<u64>) {
    let mut page = range.start;
    let waiting: Vec<u64> = k
        .tasks
        .iter()
        .filter_map(|(_, task)| match &task.state {
            crate::task::RunState::Parked(wait) => wait.keys.first().copied(),
            _ => None,
        })
        .filter_map(|key| match key {
            WaitKey::Fault(whose, at) if whose == uffd.0 => Some(at),
            _ => None,
        })
        .collect();
    page = page_down(page);
    for at in waiting.into_iter().filter(|at| (page..range.end).contains(at)) {
        k.wake(WaitKey::Fault(uffd.0, at));
    }
}

/// Protects present pages of `range` against writes, or no longer.
pub fn protect(k: &mut Kernel, id: MmId, range: Range<u64>, protect: bool) {
    let Some(mm) = k.mms.get(id) else { return };
    let space = mm.space;
    let mut at = range.start;
    while let Some(page) = k.mem.next_mapped(space, at..range.end) {
        at = page + PAGE_SIZE;
        let Some(mm) = k.mms.get_mut(id) else { return };
        let Some(prot) = mm.find(page).map(super::Area::page_prot) else { continue };
        let prot = if protect {
            mm.userfaults.protected.insert(page);
            prot.difference(PageProt::WRITE)
        } else if mm.userfaults.protected.remove(&page).is_some() {
            prot
        } else {
            continue;
        };
        k.mem.protect(space, page..page + PAGE_SIZE, prot);
    }
}

/// The copy of a memory has no registered ranges: its protected pages get their rights back.
pub fn forked(k: &mut Kernel, child: &mut Mm) {
    let held = std::mem::take(&mut child.userfaults);
    for page in held.protected {
        if let Some(prot) = child.find(page).map(super::Area::page_prot) {
            k.mem.protect(child.space, page..page + PAGE_SIZE, prot);
        }
    }
}
