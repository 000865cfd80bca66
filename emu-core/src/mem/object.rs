//! Objects: growable, sparse sequences of pages that live by themselves and are mapped into spaces.
//!
//! Key types: [`Objects`]. Neighbours: [`super::access`] resolves shared mappings here at each walk, so that a
//! snapshot has objects of its own while all spaces of a machine see the same ones.
//!
//! **Invariant**: ids are given out in order and not again while any object has them. A page is replaced or dropped
//! only with everybody told, if the object was ever mapped shared.

#![allow(clippy::cast_possible_truncation, reason = "offsets in a page and indices in a node fit")]

use std::ops::Range;
use std::sync::Arc;

use crate::persist::OrdMap;

use super::frame::{Bound, Frame, Pool};
use super::{Memory, ObjectId, OutOfMemory, PAGE_SIZE};

/// A frame that may be written.
pub(super) struct Own<'a> {
    pub(super) frame: &'a mut Frame,
    /// It replaces one that engines may have cached.
    pub(super) is_stale: bool,
}

#[derive(Debug, Clone)]
struct Object {
    pages: OrdMap<u64, Frame>,
    /// Bytes; pages past it are not there for mappings. No bound before the first truncation.
    len: u64,
    mapped_shared: bool,
}

/// The objects of a machine. `clone()` shares everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Objects {
    map: OrdMap<u32, Object>,
    next: u32,
}

impl Object {
    /// Pages that hold bytes below `len`.
    fn page_bound(&self) -> u64 {
        self.len.div_ceil(PAGE_SIZE)
    }

    fn frame_mut(&mut self, pool: &Arc<Pool>, index: u64) -> Result<Own<'_>, OutOfMemory> {
        // Lookups give holes a page, so nobody has cached this one.
        let is_new = !self.pages.contains_key(&index);
        if is_new {
            self.pages.insert(index, pool.zeroed(Bound::Checked)?);
        }
        match self.pages.get_mut(&index) {
            Some(frame) => {
                let replaced = !is_new && frame.make_unique(Bound::Checked)?;
                Ok(Own { frame, is_stale: replaced && self.mapped_shared })
            }
            None => unreachable!("the page is there"),
        }
    }

    /// Zeroes bytes of a page that is there. Over the bound if need be: this cannot be refused.
    fn zero(&mut self, index: u64, range: Range<usize>) {
        if let Some(frame) = self.pages.get_mut(&index) {
            // Only the host itself being out of memory makes this fail, as any allocation of ours would.
            assert!(frame.make_unique(Bound::Exceeded).is_ok(), "the host is out of memory");
            frame.zero(range.start, range.len());
            if frame.has_code() {
                frame.set_code(false);
            }
        }
    }

    /// Takes away the bytes of `range`.
    fn clear(&mut self, range: Range<u64>) {
        let (first, last) = (range.start.div_ceil(PAGE_SIZE), range.end / PAGE_SIZE);
        let head = (range.start % PAGE_SIZE) as usize;
        let tail = (range.end % PAGE_SIZE) as usize;
        if first > last {
            return self.zero(last, head..tail);
        }
        if head != 0 {
            self.zero(first - 1, head..PAGE_SIZE as usize);
        }
        if tail != 0 {
            self.zero(last, 0..tail);
        }
        let gone: Vec<u64> = self.pages.range(first..last).map(|(index, _)| *index).collect();
        for index in gone {
            self.pages.remove(&index);
        }
    }
}

impl Objects {
    /// Page `index` of an object for reading: `None` if it is not there at all, `Some(None)` if it is a hole.
    pub(super) fn frame(&self, object: u32, index: u64) -> Option<Option<&Frame>> {
        let object = self.map.get(&object)?;
        (index < object.page_bound()).then(|| object.pages.get(&index))
    }

    /// Page `index` of an object for writing; `None` if it is not there at all.
    pub(super) fn frame_mut(
        &mut self,
        pool: &Arc<Pool>,
        object: u32,
        index: u64,
    ) -> Result<Option<Own<'_>>, OutOfMemory> {
        match self.map.get_mut(&object) {
            Some(object) if index < object.page_bound() => object.frame_mut(pool, index).map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn is_mapped_shared(&self, object: u32) -> bool {
        self.map.get(&object).is_some_and(|object| object.mapped_shared)
    }

    /// Page `index` is going to be mapped shared.
    pub(super) fn note_shared(&mut self, object: u32, index: u64) {
        let known = self.map.get(&object).is_none_or(|o| o.mapped_shared && index < o.page_bound());
        if !known && let Some(object) = self.map.get_mut(&object) {
            object.mapped_shared = true;
            object.len = object.len.max(index.saturating_add(1).saturating_mul(PAGE_SIZE));
        }
    }

    /// All objects in order: id, byte length, pages.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u64, &OrdMap<u64, Frame>)> {
        self.map.iter().map(|(id, object)| (*id, object.len, &object.pages))
    }

    fn get(&self, object: ObjectId) -> &Object {
        match self.map.get(&object.0) {
            Some(found) => found,
            None => {
                panic!("{object:?} does not exist: the kernel kept the id of an object that it destroyed")
            }
        }
    }

    fn get_mut(&mut self, object: ObjectId) -> &mut Object {
        match self.map.get_mut(&object.0) {
            Some(found) => found,
            None => {
                panic!("{object:?} does not exist: the kernel kept the id of an object that it destroyed")
            }
        }
    }
}

impl Memory {
    /// Makes an empty object, without a bound on its length.
    pub fn create_object(&mut self) -> ObjectId {
        let objects = &mut self.objects;
        while objects.map.contains_key(&objects.next) {
            objects.next = objects.next.wrapping_add(1);
        }
        let id = objects.next;
        objects.next = objects.next.wrapping_add(1);
        objects.map.insert(id, Object { pages: OrdMap::new(), len: u64::MAX, mapped_shared: false });
        ObjectId(id)
    }

    /// Drops an object. Shared mappings of it read as absent; private ones keep their pages.
    pub fn destroy_object(&mut self, object: ObjectId) {
        if self.objects.map.remove(&object.0).is_some_and(|object| object.mapped_shared) {
            self.stale_everywhere();
        }
    }

    /// Reads from an object; holes and what is past its end are zeros.
    pub fn object_read(&self, object: ObjectId, offset: u64, buf: &mut [u8]) {
        let object = self.objects.get(object);
        let mut done = 0;
        while done < buf.len() {
            let at = offset.saturating_add(done as u64);
            let within = (at % PAGE_SIZE) as usize;
            let end = (done + PAGE_SIZE as usize - within).min(buf.len());
            match object.pages.get(&(at / PAGE_SIZE)) {
                Some(frame) => frame.read(within, &mut buf[done..end]),
                None => buf[done..end].fill(0),
            }
            done = end;
        }
    }

    /// Writes to an object, which grows as needed.
    ///
    /// # Errors
    /// The bound is reached (or the offset is beyond 2^64); the pages before the one that failed are written.
    pub fn object_write(&mut self, object: ObjectId, offset: u64, buf: &[u8]) -> Result<(), OutOfMemory> {
        let mut done = 0;
        while done < buf.len() {
            let at = offset.checked_add(done as u64).ok_or(OutOfMemory)?;
            let within = (at % PAGE_SIZE) as usize;
            let end = (done + PAGE_SIZE as usize - within).min(buf.len());
            let target = self.objects.get_mut(object);
            let own = target.frame_mut(&self.pool, at / PAGE_SIZE)?;
            own.frame.write(within, &buf[done..end]);
            let code = own.frame.set_code(false).then(|| own.frame.id());
            let is_stale = own.is_stale;
            target.len = target.len.max(at.saturating_add((end - done) as u64));
            if let Some(frame) = code {
                self.stale_code(frame);
            }
            if is_stale {
                self.stale_everywhere();
            }
            done = end;
        }
        Ok(())
    }

    /// Sets the byte length of an object, shorter or longer. Pages past it are dropped and shared mappings of them
    /// become absent; the rest of the last page is zeroed.
    pub fn object_truncate(&mut self, object: ObjectId, len: u64) {
        let end = self
            .objects
            .get(object)
            .pages
            .get_max()
            .map_or(0, |(index, _)| (index + 1).saturating_mul(PAGE_SIZE));
        self.take_bytes(object, len..end);
        self.objects.get_mut(object).len = len;
    }

    /// Makes a hole: reads as zeros, whole pages are given back.
    pub fn object_punch(&mut self, object: ObjectId, range: Range<u64>) {
        self.take_bytes(object, range);
    }

    fn take_bytes(&mut self, object: ObjectId, range: Range<u64>) {
        // Nobody has cached a hole, so there is nothing to tell either.
        if range.is_empty() {
            return;
        }
        let target = self.objects.get_mut(object);
        let edges = [range.start / PAGE_SIZE, range.end / PAGE_SIZE];
        let code = edges.map(|index| target.pages.get(&index).filter(|f| f.has_code()).map(Frame::id));
        target.clear(range);
        let mapped = target.mapped_shared;
        for frame in code.into_iter().flatten() {
            self.stale_code(frame);
        }
        if mapped {
            self.stale_everywhere();
        }
    }

    /// Pages that an object holds.
    pub fn object_pages(&self, object: ObjectId) -> u64 {
        self.objects.get(object).pages.len() as u64
    }

    /// Whether an object holds page `index`: it is no hole.
    pub fn object_has_page(&self, object: ObjectId, index: u64) -> bool {
        self.objects.get(object).pages.contains_key(&index)
    }

    /// Offset of the first byte at or after `from` in a page that the object holds (`SEEK_DATA`).
    pub fn object_next_data(&self, object: ObjectId, from: u64) -> Option<u64> {
        let (index, _) = self.objects.get(object).pages.get_next(&(from / PAGE_SIZE))?;
        Some(from.max(index * PAGE_SIZE))
    }

    /// Offset of the first byte at or after `from` in a hole (`SEEK_HOLE`); what is past the end is one.
    pub fn object_next_hole(&self, object: ObjectId, from: u64) -> u64 {
        let mut expected = from / PAGE_SIZE;
        for (index, _) in self.objects.get(object).pages.range(expected..) {
            if *index != expected {
                break;
            }
            expected += 1;
        }
        from.max(expected.saturating_mul(PAGE_SIZE))
    }
}
