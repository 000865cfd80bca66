//! The map of areas: finding, splitting, merging, taking out, finding room.
//!
//! **Invariant**: [`Mm::usage`] counts exactly what is in the map. Splitting and merging change no meaning.

use std::ops::Range;

use emu_core::mem::{PAGE_SIZE, PageProt};

use super::layout::{MMAP_MIN, TASK_SIZE};
use super::{Area, AreaFlags, Backing, Mm};

/// Pages kept free below an area that grows down.
pub(super) const STACK_GUARD: u64 = 256 * PAGE_SIZE;

impl Mm {
    /// The area that holds `addr`.
    #[must_use]
    pub fn find(&self, addr: u64) -> Option<&Area> {
        let (_, area) = self.areas.get_prev(&addr)?;
        (addr < area.end).then_some(area)
    }

    /// The first area that ends above `addr`.
    #[must_use]
    pub fn next(&self, addr: u64) -> Option<&Area> {
        self.find(addr).or_else(|| self.areas.get_next(&addr).map(|(_, area)| area))
    }

    /// The last area that ends at or below `addr`.
    #[must_use]
    pub fn previous(&self, addr: u64) -> Option<&Area> {
        let (_, area) = self.areas.get_prev(&addr)?;
        if area.end <= addr {
            return Some(area);
        }
        let below = area.start.checked_sub(1)?;
        self.areas.get_prev(&below).map(|(_, area)| area)
    }

    /// The areas that share addresses with `range`, ascending.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = &Area> {
        let first = self.find(range.start).filter(|area| area.start < range.start && !range.is_empty());
        let rest = if range.is_empty() { range.start..range.start } else { range };
        first.into_iter().chain(self.areas.range(rest).map(|(_, area)| area))
    }

    /// Whether areas cover all of `range`.
    #[must_use]
    pub fn covers(&self, range: Range<u64>) -> bool {
        let mut at = range.start;
        while at < range.end {
            match self.find(at) {
                Some(area) => at = area.end,
                None => return false,
            }
        }
        true
    }

    /// How many more areas there would be if `range` were cut out of those it lies in.
    #[must_use]
    pub fn cuts(&self, range: Range<u64>) -> usize {
        let cut = |at| usize::from(self.find(at).is_some_and(|area| area.start < at));
        cut(range.start) + cut(range.end)
    }

    pub(super) fn count(&mut self, area: &Area) {
        self.tally(area, u64::wrapping_add);
        self.peak = self.peak.max(self.usage.total);
    }

    pub(super) fn uncount(&mut self, area: &Area) {
        self.tally(area, u64::wrapping_sub);
    }

    fn tally(&mut self, area: &Area, change: fn(u64, u64) -> u64) {
        let pages = area.len() / PAGE_SIZE;
        let usage = &mut self.usage;
        usage.total = change(usage.total, pages);
        if area.grows_down() {
            usage.stack = change(usage.stack, pages);
        } else if area.prot.contains(PageProt::WRITE) && !area.is_shared() {
            usage.data = change(usage.data, pages);
        }
        if area.flags.contains(AreaFlags::LOCKED) {
            usage.locked = change(usage.locked, pages);
        }
    }

    /// Makes an area end and another begin at `at`.
    pub(super) fn split(&mut self, at: u64) {
        let Some(area) = self.find(at).filter(|area| area.start < at) else { return };
        let mut low = area.clone();
        let mut high = area.clone();
        low.end = at;
        high.start = at;
        if let Backing::Object { offset, .. } = &mut high.backing {
            *offset += at - low.start;
        }
        self.areas.insert(low.start, low);
        self.areas.insert(at, high);
    }

    /// Takes out what lies in `range`.
    pub(super) fn take(&mut self, range: Range<u64>) -> Vec<Area> {
        self.split(range.start);
        self.split(range.end);
        let starts: Vec<u64> = self.areas.range(range).map(|(start, _)| *start).collect();
        let taken: Vec<Area> = starts.iter().filter_map(|start| self.areas.remove(start)).collect();
        for area in &taken {
            self.uncount(area);
            if area.end > self.crowded.0 {
                self.crowded = (u64::MAX, 0);
            }
        }
        taken
    }

    /// Where the search for room for `len` bytes may begin: there is none above.
    pub(super) fn search_top(&self, len: u64) -> u64 {
        if len >= self.crowded.1 { self.mmap_top.min(self.crowded.0) } else { self.mmap_top }
    }

    /// The highest room for `len` bytes below `mmap_top` was at `addr`, and was taken.
    pub(super) fn searched(&mut self, addr: u64, len: u64) {
        if addr < self.crowded.0.min(self.mmap_top) {
            self.crowded = (addr, len);
        }
    }

    /// Puts in an area where there is room, merged with its neighbours if they mean the same.
    pub(super) fn insert(&mut self, area: Area) {
        self.count(&area);
        let mut merged = area;
        if let Some(low) = self.previous(merged.start).filter(|low| joins(low, &merged)).cloned() {
            merged.start = low.start;
            merged.backing = low.backing;
        }
        if let Some(high) = self.areas.get(&merged.end).filter(|high| joins(&merged, high)).cloned() {
            self.areas.remove(&high.start);
            merged.end = high.end;
        }
        self.areas.insert(merged.start, merged);
    }

    /// Changes the areas of `range` (which the caller knows to be covered as it needs), splitting and merging.
    pub(super) fn update(&mut self, range: Range<u64>, change: impl Fn(&mut Area)) {
        // All of it comes back.
        let crowded = self.crowded;
        for mut area in self.take(range) {
            change(&mut area);
            self.insert(area);
        }
        self.crowded = crowded;
    }

    /// Whether nothing lies in `range`, nor does an area above grow into its guard.
    #[must_use]
    pub(super) fn is_free(&self, range: Range<u64>) -> bool {
        self.next(range.start).is_none_or(|area| area.start >= range.end && floor(area) >= range.end)
    }

    /// The highest room for `len` bytes below `top` and not below `bottom`, with a multiple of `align` as address.
    #[must_use]
    pub(crate) fn room_below(&self, top: u64, bottom: u64, len: u64, align: u64) -> Option<u64> {
        let fit = |low: u64, high: u64| {
            let start = high.checked_sub(len)? & !(align - 1);
            (start >= low.max(bottom)).then_some(start)
        };
        let mut high = match self.next(top) {
            Some(area) => floor(area).min(top),
            None => top,
        };
        for (_, area) in self.areas.range(..top).rev() {
            if let Some(found) = fit(area.end, high) {
                return Some(found);
            }
            high = high.min(floor(area));
            if high < bottom.saturating_add(len) {
                return None;
            }
        }
        fit(bottom, high)
    }

    /// The lowest room for `len` bytes in `range`.
    #[must_use]
    pub(super) fn room_above(&self, range: Range<u64>, len: u64, align: u64) -> Option<u64> {
        let up = |at: u64| at.checked_add(align - 1).map(|at| at & !(align - 1));
        let mut low = up(range.start.max(MMAP_MIN))?;
        for area in self.within(low..range.end.max(low)).collect::<Vec<_>>() {
            if floor(area) >= low && floor(area) - low >= len {
                return Some(low);
            }
            low = up(low.max(area.end))?;
        }
        let end = self.next(range.end).map_or(TASK_SIZE, floor).min(range.end);
        (end >= low && end - low >= len).then_some(low)
    }
}

/// The lowest address that an area claims: an area that grows down keeps a guard.
fn floor(area: &Area) -> u64 {
    if area.grows_down() { area.start.saturating_sub(STACK_GUARD) } else { area.start }
}

fn joins(low: &Area, high: &Area) -> bool {
    let same_backing = match (&low.backing, &high.backing) {
        (Backing::Anonymous, Backing::Anonymous) => true,
        (
            Backing::Object { object: a, offset: at_a, shared: s_a, inode: i_a, file: f_a },
            Backing::Object { object: b, offset: at_b, shared: s_b, inode: i_b, file: f_b },
        ) => a == b && at_a + low.len() == *at_b && s_a == s_b && i_a == i_b && f_a == f_b,
        _ => false,
    };
    low.end == high.start
        && low.prot == high.prot
        && low.may == high.may
        && low.flags == high.flags
        && low.shm.is_none()
        && high.shm.is_none()
        && low.name == high.name
        && low.policy == high.policy
        && same_backing
}
