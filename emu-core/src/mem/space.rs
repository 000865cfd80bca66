//! Address spaces: making, copying and dropping them, and what is mapped where.
//!
//! Neighbours: [`super::table`] stores, [`super::invalidate`] tells engines.
//!
//! **Invariant**: every change of a mapping goes through `Memory::change`.

#![allow(clippy::cast_possible_truncation, reason = "offsets in a page and indices in a node fit")]

use std::ops::ControlFlow::{Break, Continue};
use std::ops::Range;
use std::sync::Arc;

use super::frame::{Bound, Pool};
use super::invalidate::Stale;
use super::table::{LAST_PAGE, Pte, Span, Table, Used};
use super::{
    KERNEL_START, MemFault, Memory, ObjectId, OutOfMemory, PAGE_SIZE, PageInfo, PageProt, SpaceId, USER_END,
};

/// Low bits of a [`SpaceId`]: index of the slot. The others tell its tenants apart.
const SLOT_BITS: u32 = 20;

/// A half of the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Below [`USER_END`]; each space has its own.
    User,
    /// From [`KERNEL_START`] up; one for all spaces.
    Kernel,
}

impl Side {
    /// The side of an address and its page number there.
    pub(super) fn of(addr: u64) -> Result<(Self, u64), MemFault> {
        match addr {
            0..USER_END => Ok((Self::User, addr / PAGE_SIZE)),
            KERNEL_START.. => Ok((Self::Kernel, addr / PAGE_SIZE & LAST_PAGE)),
            _ => Err(MemFault::NonCanonical(addr)),
        }
    }

    /// Address of a page.
    pub(super) fn address(self, page: u64) -> u64 {
        match self {
            Self::User => page * PAGE_SIZE,
            Self::Kernel => (page * PAGE_SIZE) | KERNEL_START,
        }
    }

    /// The pages that a range of addresses touches, by side. An end of 0 is the end of all addresses.
    fn spans(range: Range<u64>) -> impl Iterator<Item = (Self, Span)> {
        let first = range.start / PAGE_SIZE;
        let last = range.end.wrapping_sub(1) / PAGE_SIZE;
        let empty = range.end <= range.start && (range.end != 0 || range.start == 0);
        let cut = move |side, low: u64, high: u64| {
            let span = Span { first: first.max(low), last: last.min(high) };
            let numbers = Span { first: span.first & LAST_PAGE, last: span.last & LAST_PAGE };
            (!empty && span.first <= span.last).then_some((side, numbers))
        };
        let user = cut(Self::User, 0, USER_END / PAGE_SIZE - 1);
        let kernel = cut(Self::Kernel, KERNEL_START / PAGE_SIZE, u64::MAX / PAGE_SIZE);
        user.into_iter().chain(kernel)
    }
}

/// What is mapped in one half.
#[derive(Debug, Clone)]
pub(super) struct Half {
    pub(super) table: Table,
    /// Pages present.
    resident: u64,
}

impl Half {
    pub(super) fn new(pool: &Arc<Pool>) -> Self {
        Self { table: Table::new(pool), resident: 0 }
    }
}

/// An address space.
#[derive(Debug, Clone)]
pub(super) struct Space {
    pub(super) half: Half,
    pub(super) stale: Stale,
    /// [`Memory::epoch`] of the last change that engines must hear of.
    pub(super) epoch: u64,
}

/// A place for a space.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// Which tenant this is.
    tenant: u32,
    pub(super) space: Option<Space>,
}

fn slot_index(space: SpaceId) -> usize {
    (space.0 & ((1 << SLOT_BITS) - 1)) as usize
}

fn no_space(space: SpaceId) -> ! {
    panic!("{space:?} does not exist: the kernel kept the id of a space that it destroyed")
}

fn find(slots: &[Slot], id: SpaceId) -> &Space {
    match slots.get(slot_index(id)) {
        Some(Slot { tenant, space: Some(space) }) if *tenant == id.0 >> SLOT_BITS => space,
        _ => no_space(id),
    }
}

fn find_mut(slots: &mut [Slot], id: SpaceId) -> &mut Space {
    match slots.get_mut(slot_index(id)) {
        Some(Slot { tenant, space: Some(space) }) if *tenant == id.0 >> SLOT_BITS => space,
        _ => no_space(id),
    }
}

/// The half on `side`, borrowing nothing else of the memory.
pub(super) fn half_mut<'a>(
    slots: &'a mut [Slot],
    kernel: &'a mut Half,
    space: SpaceId,
    side: Side,
) -> &'a mut Half {
    match side {
        Side::User => &mut find_mut(slots, space).half,
        Side::Kernel => kernel,
    }
}

impl Memory {
    /// Makes an empty space.
    pub fn create_space(&mut self) -> SpaceId {
        let half = Half::new(&self.pool);
        self.install(half)
    }

    /// Copies a space as `fork` does: private pages become copy-on-write in both, shared ones stay shared.
    pub fn fork_space(&mut self, from: SpaceId) -> SpaceId {
        let half = self.space(from).half.clone();
        let copy = self.install(half);
        self.stale_all(from);
        copy
    }

    fn install(&mut self, half: Half) -> SpaceId {
        let index = match self.free_slots.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.spaces.len()).unwrap_or(u32::MAX);
                assert!(index < 1 << SLOT_BITS, "more address spaces than ids");
                self.spaces.push(Slot { tenant: 0, space: None });
                index
            }
        };
        self.epoch += 1;
        let epoch = self.epoch;
        let slot = &mut self.spaces[index as usize];
        slot.space = Some(Space { half, stale: Stale::everything(), epoch });
        self.stale_spaces += 1;
        SpaceId(slot.tenant << SLOT_BITS | index)
    }

    /// Drops a space and what only it holds.
    pub fn destroy_space(&mut self, space: SpaceId) {
        if !find(&self.spaces, space).stale.is_empty() {
            self.stale_spaces -= 1;
        }
        let slot = &mut self.spaces[slot_index(space)];
        slot.space = None;
        slot.tenant = (slot.tenant + 1) & (u32::MAX >> SLOT_BITS);
        self.free_slots.push(space.0 & ((1 << SLOT_BITS) - 1));
    }

    /// Pages present in the user half.
    pub fn resident(&self, space: SpaceId) -> u64 {
        self.space(space).half.resident
    }

    /// The spaces there are, in order of slots.
    pub(super) fn space_ids(&self) -> impl Iterator<Item = SpaceId> {
        (0u32..)
            .zip(&self.spaces)
            .filter(|(_, slot)| slot.space.is_some())
            .map(|(index, slot)| SpaceId(slot.tenant << SLOT_BITS | index))
    }

    pub(super) fn space(&self, space: SpaceId) -> &Space {
        find(&self.spaces, space)
    }

    pub(super) fn space_mut(&mut self, space: SpaceId) -> &mut Space {
        find_mut(&mut self.spaces, space)
    }

    pub(super) fn half(&self, space: SpaceId, side: Side) -> &Half {
        match side {
            Side::User => &self.space(space).half,
            Side::Kernel => &self.kernel,
        }
    }

    /// The one way to change mappings: `edit` notes what engines may have cached, and they are told.
    fn change<R>(&mut self, space: SpaceId, side: Side, edit: impl FnOnce(&mut Half, &mut Stale) -> R) -> R {
        let mut stale = Stale::default();
        let result = edit(half_mut(&mut self.spaces, &mut self.kernel, space, side), &mut stale);
        self.tell(space, side, &stale);
        result
    }

    fn map(&mut self, space: SpaceId, addr: u64, pte: Pte, bound: Bound) -> Result<(), OutOfMemory> {
        let (side, page) = Side::of(addr).map_err(|_| OutOfMemory)?;
        self.change(space, side, |half, stale| {
            let old = half.table.replace(page, pte, bound)?;
            half.resident += u64::from(!old.is_present());
            if old.used().contains(Used::ACCESSED) {
                stale.add(side.address(page));
            }
            Ok(())
        })
    }

    /// Maps a page of zeros at `addr` in place of what is there. A frame is taken when it is first written.
    ///
    /// # Errors
    /// The bound is reached (by page tables), or `addr` is not canonical.
    pub fn map_zero(&mut self, space: SpaceId, addr: u64, prot: PageProt) -> Result<(), OutOfMemory> {
        self.map(space, addr, Pte::Zero { prot, used: Used::empty() }, Bound::Checked)
    }

    /// Maps page `index` of `object` as it is now, copy-on-write. A page that the object does not have reads as zeros.
    ///
    /// # Errors
    /// As [`Memory::map_zero`].
    pub fn map_private(
        &mut self,
        space: SpaceId,
        addr: u64,
        object: ObjectId,
        index: u64,
        prot: PageProt,
    ) -> Result<(), OutOfMemory> {
        let used = Used::empty();
        let pte = match self.objects.frame(object.0, index).flatten() {
            Some(frame) => Pte::Private { prot, used, frame: frame.clone() },
            None => Pte::Zero { prot, used },
        };
        // Engines may hold the page for writing through a shared mapping; from now on that needs a copy.
        if matches!(pte, Pte::Private { .. }) && self.objects.is_mapped_shared(object.0) {
            self.stale_everywhere();
        }
        self.map(space, addr, pte, Bound::Checked)
    }

    /// Maps page `index` of `object`: what is written there is written to the object.
    ///
    /// If the object was truncated below this page it grows to hold it: who maps it says that it is there.
    ///
    /// # Errors
    /// As [`Memory::map_zero`].
    pub fn map_shared(
        &mut self,
        space: SpaceId,
        addr: u64,
        object: ObjectId,
        index: u64,
        prot: PageProt,
    ) -> Result<(), OutOfMemory> {
        self.objects.note_shared(object.0, index);
        let pte = Pte::Shared { prot, used: Used::empty(), object: object.0, index };
        self.map(space, addr, pte, Bound::Checked)
    }

    /// Takes away what is mapped in `range`.
    pub fn unmap(&mut self, space: SpaceId, range: Range<u64>) {
        for (side, span) in Side::spans(range) {
            self.change(space, side, |half, stale| {
                half.table.remove(span, &mut |page, pte| {
                    half.resident -= 1;
                    if pte.used().contains(Used::ACCESSED) {
                        stale.add(side.address(page));
                    }
                });
            });
        }
    }

    /// Sets the protection of the pages present in `range`.
    pub fn protect(&mut self, space: SpaceId, range: Range<u64>, prot: PageProt) {
        self.edit(space, range, &|pte| pte.prot() != prot, &|current, _| *current = prot);
    }

    /// Clears the dirty marks in `range`.
    pub fn clear_dirty(&mut self, space: SpaceId, range: Range<u64>) {
        let dirty = |pte: &Pte| pte.used().contains(Used::DIRTY);
        self.edit(space, range, &dirty, &|_, used| used.remove(Used::DIRTY));
    }

    fn edit(
        &mut self,
        space: SpaceId,
        range: Range<u64>,
        wanted: &dyn Fn(&Pte) -> bool,
        set: &dyn Fn(&mut PageProt, &mut Used),
    ) {
        for (side, span) in Side::spans(range) {
            self.change(space, side, |half, stale| {
                half.table.edit(span, wanted, &mut |page, pte| {
                    if let Some((prot, used)) = pte.fields() {
                        if used.contains(Used::ACCESSED) {
                            stale.add(side.address(page));
                        }
                        set(prot, used);
                    }
                });
            });
        }
    }

    /// Moves what is mapped in `from` to `to`, in place of what is there (`mremap`). The ranges may overlap.
    /// Absent pages are moved too: their places are absent afterwards.
    pub fn move_pages(&mut self, space: SpaceId, from: Range<u64>, to: u64) {
        let mut moved = Vec::new();
        for (side, span) in Side::spans(from.clone()) {
            let _ = self.half(space, side).table.look(span, &mut |page, pte| {
                moved.push((side.address(page), pte.clone()));
                Continue(())
            });
        }
        let target = to..to.wrapping_add(from.end.wrapping_sub(from.start));
        self.unmap(space, from.clone());
        self.unmap(space, target);
        for (addr, mut pte) in moved {
            if let Some((_, used)) = pte.fields() {
                used.remove(Used::ACCESSED);
            }
            let addr = (addr - from.start).wrapping_add(to);
            // Out of bounds cannot happen over the bound, and a target that is no address loses the page.
            let _ = self.map(space, addr, pte, Bound::Exceeded);
        }
    }

    /// What is mapped at `addr`.
    pub fn page(&self, space: SpaceId, addr: u64) -> Option<PageInfo> {
        let (side, page) = Side::of(addr).ok()?;
        let pte = self.half(space, side).table.get(page)?;
        let (shared, frame) = match pte {
            Pte::Absent => return None,
            Pte::Zero { .. } => (None, None),
            Pte::Private { frame, .. } => (None, Some(frame.id())),
            Pte::Shared { object, index, .. } => {
                let frame = self.objects.frame(*object, *index)?;
                (Some((ObjectId(*object), *index)), frame.map(super::frame::Frame::id))
            }
        };
        let used = pte.used();
        Some(PageInfo {
            prot: pte.prot(),
            shared,
            frame,
            dirty: used.contains(Used::DIRTY),
            accessed: used.contains(Used::ACCESSED),
        })
    }

    /// Counts the pages present in `range`.
    pub fn mapped_pages(&self, space: SpaceId, range: Range<u64>) -> u64 {
        let mut count = 0;
        for (side, span) in Side::spans(range) {
            let _ = self.half(space, side).table.look(span, &mut |_, _| {
                count += 1;
                Continue(())
            });
        }
        count
    }

    /// Address of the first page present in `range`.
    pub fn next_mapped(&self, space: SpaceId, range: Range<u64>) -> Option<u64> {
        let mut found = None;
        for (side, span) in Side::spans(range) {
            let stop = self.half(space, side).table.look(span, &mut |page, _| {
                found = Some(side.address(page));
                Break(())
            });
            if stop.is_break() {
                break;
            }
        }
        found
    }
}
