//! What engines must forget: stale host addresses, a space at a time, and stale decoded instructions.
//!
//! Rules for an engine that caches [`HostPage`](super::HostPage)s of a space:
//! - ask [`Memory::take_invalidations`] before it runs, and again whenever it called a `&mut` method of [`Memory`]
//!   and [`Memory::pending_in`] says so (a lookup for writing may break copy-on-write, which makes what is cached of
//!   the same page for reading and fetching stale);
//! - do not cache that a page is absent or forbidden, and do not cache for writing a page whose `code` is set;
//! - one engine at a time uses a [`Memory`]: one that takes over from another flushes first.
//!
//! **Invariant**: what no engine ever looked up is never reported.

use super::frame::Frame;
use super::space::Side;
use super::table::{Pte, Used};
use super::{FrameId, Invalidations, Memory, PAGE_SIZE, SpaceId};
use std::sync::atomic::Ordering;

/// More stale pages than this are reported as "all".
const MOST_PAGES: usize = 32;

/// What of a space is stale.
#[derive(Debug, Clone, Default)]
pub(super) struct Stale {
    all: bool,
    pages: Vec<u64>,
}

impl Stale {
    pub(super) fn everything() -> Self {
        Self { all: true, pages: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.pages.is_empty()
    }

    pub(super) fn add(&mut self, addr: u64) {
        if self.all || self.pages.contains(&addr) {
        } else if self.pages.len() < MOST_PAGES {
            self.pages.push(addr);
        } else {
            *self = Self::everything();
        }
    }

    fn merge(&mut self, other: &Self) {
        if other.all {
            *self = Self::everything();
        }
        for &page in &other.pages {
            self.add(page);
        }
    }
}

impl Memory {
    /// Adds to what engines must forget: of one space, or of all if it is about the kernel's half.
    pub(super) fn tell(&mut self, space: SpaceId, side: Side, stale: &Stale) {
        if stale.is_empty() {
            return;
        }
        match side {
            Side::Kernel => self.tell_all(stale),
            Side::User => {
                self.epoch += 1;
                let epoch = self.epoch;
                let space = self.space_mut(space);
                let was_empty = space.stale.is_empty();
                space.stale.merge(stale);
                space.epoch = epoch;
                self.stale_spaces += usize::from(was_empty);
            }
        }
    }

    fn tell_all(&mut self, stale: &Stale) {
        self.epoch += 1;
        for space in self.spaces.iter_mut().filter_map(|slot| slot.space.as_mut()) {
            self.stale_spaces += usize::from(space.stale.is_empty());
            space.stale.merge(stale);
            space.epoch = self.epoch;
        }
    }

    pub(super) fn stale_page(&mut self, space: SpaceId, side: Side, page: u64) {
        let mut stale = Stale::default();
        stale.add(side.address(page));
        self.tell(space, side, &stale);
    }

    pub(super) fn stale_all(&mut self, space: SpaceId) {
        self.tell(space, Side::User, &Stale::everything());
    }

    pub(super) fn stale_everywhere(&mut self) {
        self.tell_all(&Stale::everything());
    }

    pub(super) fn stale_code(&mut self, frame: FrameId) {
        if self.code.last() != Some(&frame) {
            self.code.push(frame);
        }
    }

    /// Instructions are being decoded from the page at `addr`: later writes to its frame, by anyone, are reported.
    ///
    /// What engines hold of the frame for writing becomes stale; look at [`Memory::pending_in`] afterwards.
    pub fn mark_code(&mut self, space: SpaceId, addr: u64) {
        let Ok((side, page)) = Side::of(addr) else { return };
        let Some(pte) = self.half(space, side).table.get(page) else { return };
        match pte {
            Pte::Absent | Pte::Zero { .. } => {}
            Pte::Private { frame, used, .. } => {
                let held = used.contains(Used::DIRTY | Used::ACCESSED);
                if !frame.set_code(true) && held {
                    self.stale_page(space, side, page);
                }
            }
            Pte::Shared { object, index, .. } => {
                let marked = self.objects.frame(*object, *index).flatten().is_some_and(|f| !f.set_code(true));
                if marked {
                    self.stale_everywhere();
                }
            }
        }
    }

    /// An engine is about to write to the page at `addr`, where a lookup gave `frame` and `code`: clears the mark and
    /// queues `frame` in [`Invalidations::code`].
    pub fn code_written(&mut self, frame: FrameId, space: SpaceId, addr: u64) {
        if let Ok((side, page)) = Side::of(addr) {
            let found = match self.half(space, side).table.get(page) {
                Some(Pte::Private { frame, .. }) => Some(frame),
                Some(Pte::Shared { object, index, .. }) => self.objects.frame(*object, *index).flatten(),
                _ => None,
            };
            if let Some(found) = found.filter(|found| found.id() == frame) {
                Frame::set_code(found, false);
            }
        }
        self.stale_code(frame);
    }

    /// What must be forgotten since this was last asked: `all` and `pages` of `space`, `code` of the whole machine.
    pub fn take_invalidations(&mut self, space: SpaceId) -> Invalidations {
        let generation = self.generation.load(Ordering::Relaxed);
        if generation != self.settled {
            self.settled = generation;
            self.stale_everywhere();
        }
        let code = std::mem::take(&mut self.code);
        let stale = std::mem::take(&mut self.space_mut(space).stale);
        if !stale.is_empty() {
            self.stale_spaces -= 1;
        }
        let pages = if stale.all { Vec::new() } else { stale.pages };
        debug_assert!(pages.iter().all(|page| page % PAGE_SIZE == 0), "addresses of pages");
        Invalidations { all: stale.all, pages, code }
    }

    /// Whether any space may have something to take.
    pub fn pending(&self) -> bool {
        self.stale_spaces != 0 || !self.code.is_empty() || self.is_unsettled()
    }

    /// Whether `take_invalidations(space)` has something to say.
    pub fn pending_in(&self, space: SpaceId) -> bool {
        !self.code.is_empty() || self.is_unsettled() || !self.space(space).stale.is_empty()
    }

    /// A number that grows whenever something of `space` becomes stale, except by `clone()`.
    pub fn epoch(&self, space: SpaceId) -> u64 {
        self.space(space).epoch
    }

    fn is_unsettled(&self) -> bool {
        self.generation.load(Ordering::Relaxed) != self.settled
    }
}
