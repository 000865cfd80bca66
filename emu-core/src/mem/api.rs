//! The operations of [`Memory`].
#![allow(unused_variables, missing_docs, reason = "signatures only, bodies follow")]
use super::*;
use std::ops::Range;
type Partial = (usize, MemFault);
impl Memory {
    pub fn new(limit: u64) -> Self {
        unimplemented!()
    }
    pub fn used(&self) -> u64 {
        unimplemented!()
    }
    pub fn limit(&self) -> u64 {
        unimplemented!()
    }
    pub fn create_space(&mut self) -> SpaceId {
        unimplemented!()
    }
    pub fn fork_space(&mut self, from: SpaceId) -> SpaceId {
        unimplemented!()
    }
    pub fn destroy_space(&mut self, space: SpaceId) {
        unimplemented!()
    }
    pub fn resident(&self, space: SpaceId) -> u64 {
        unimplemented!()
    }
    pub fn map_zero(&mut self, space: SpaceId, addr: u64, prot: PageProt) -> Result<(), OutOfMemory> {
        unimplemented!()
    }
    pub fn map_private(
        &mut self,
        space: SpaceId,
        addr: u64,
        object: ObjectId,
        index: u64,
        prot: PageProt,
    ) -> Result<(), OutOfMemory> {
        unimplemented!()
    }
    pub fn map_shared(
        &mut self,
        space: SpaceId,
        addr: u64,
        object: ObjectId,
        index: u64,
        prot: PageProt,
    ) -> Result<(), OutOfMemory> {
        unimplemented!()
    }
    pub fn unmap(&mut self, space: SpaceId, range: Range<u64>) {
        unimplemented!()
    }
    pub fn protect(&mut self, space: SpaceId, range: Range<u64>, prot: PageProt) {
        unimplemented!()
    }
    pub fn move_pages(&mut self, space: SpaceId, from: Range<u64>, to: u64) {
        unimplemented!()
    }
    pub fn clear_dirty(&mut self, space: SpaceId, range: Range<u64>) {
        unimplemented!()
    }
    pub fn page(&self, space: SpaceId, addr: u64) -> Option<PageInfo> {
        unimplemented!()
    }
    pub fn mapped_pages(&self, space: SpaceId, range: Range<u64>) -> u64 {
        unimplemented!()
    }
    /// First mapped page at or above `from`, below `end`.
    pub fn next_mapped(&self, space: SpaceId, range: Range<u64>) -> Option<u64> {
        unimplemented!()
    }
    pub fn read(&self, space: SpaceId, addr: u64, buf: &mut [u8], who: Privilege) -> Result<(), Partial> {
        unimplemented!()
    }
    pub fn write(&mut self, space: SpaceId, addr: u64, buf: &[u8], who: Privilege) -> Result<(), Partial> {
        unimplemented!()
    }
    pub fn write_forced(&mut self, space: SpaceId, addr: u64, buf: &[u8]) -> Result<(), Partial> {
        unimplemented!()
    }
    /// Reads ignoring the READ bit.
    pub fn read_forced(&self, space: SpaceId, addr: u64, buf: &mut [u8]) -> Result<(), Partial> {
        unimplemented!()
    }
    pub fn read_u8(&self, space: SpaceId, addr: u64, who: Privilege) -> Result<u8, MemFault> {
        unimplemented!()
    }
    pub fn read_u16(&self, space: SpaceId, addr: u64, who: Privilege) -> Result<u16, MemFault> {
        unimplemented!()
    }
    pub fn read_u32(&self, space: SpaceId, addr: u64, who: Privilege) -> Result<u32, MemFault> {
        unimplemented!()
    }
    pub fn read_u64(&self, space: SpaceId, addr: u64, who: Privilege) -> Result<u64, MemFault> {
        unimplemented!()
    }
    pub fn write_u8(&mut self, space: SpaceId, addr: u64, value: u8, who: Privilege) -> Result<(), MemFault> {
        unimplemented!()
    }
    pub fn write_u16(
        &mut self,
        space: SpaceId,
        addr: u64,
        value: u16,
        who: Privilege,
    ) -> Result<(), MemFault> {
        unimplemented!()
    }
    pub fn write_u32(
        &mut self,
        space: SpaceId,
        addr: u64,
        value: u32,
        who: Privilege,
    ) -> Result<(), MemFault> {
        unimplemented!()
    }
    pub fn write_u64(
        &mut self,
        space: SpaceId,
        addr: u64,
        value: u64,
        who: Privilege,
    ) -> Result<(), MemFault> {
        unimplemented!()
    }
    /// Inner result as in `AtomicU32::compare_exchange`: the value found.
    pub fn compare_exchange_u32(
        &mut self,
        space: SpaceId,
        addr: u64,
        current: u32,
        new: u32,
        who: Privilege,
    ) -> Result<Result<u32, u32>, MemFault> {
        unimplemented!()
    }
    /// Whether all of `range` allows `access`: the first fault if not.
    pub fn check(
        &self,
        space: SpaceId,
        range: Range<u64>,
        access: Access,
        who: Privilege,
    ) -> Result<(), MemFault> {
        unimplemented!()
    }
    /// Walks the table. For writing, breaks copy-on-write and marks dirty.
    pub fn lookup(
        &mut self,
        space: SpaceId,
        addr: u64,
        access: Access,
        who: Privilege,
    ) -> Result<HostPage, MemFault> {
        unimplemented!()
    }
    /// May queue invalidations (cached write pointers of the page): handle [`Memory::pending`] afterwards.
    pub fn mark_code(&mut self, space: SpaceId, addr: u64) {
        unimplemented!()
    }
    pub fn code_written(&mut self, frame: FrameId, space: SpaceId, addr: u64) {
        unimplemented!()
    }
    pub fn take_invalidations(&mut self, space: SpaceId) -> Invalidations {
        unimplemented!()
    }
    /// Whether any space may have invalidations to take.
    pub fn pending(&self) -> bool {
        unimplemented!()
    }
    /// Whether `take_invalidations(space)` has something to say.
    pub fn pending_in(&self, space: SpaceId) -> bool {
        unimplemented!()
    }
    pub fn epoch(&self, space: SpaceId) -> u64 {
        unimplemented!()
    }
    pub fn create_object(&mut self) -> ObjectId {
        unimplemented!()
    }
    pub fn destroy_object(&mut self, object: ObjectId) {
        unimplemented!()
    }
    pub fn object_read(&self, object: ObjectId, offset: u64, buf: &mut [u8]) {
        unimplemented!()
    }
    pub fn object_write(&mut self, object: ObjectId, offset: u64, buf: &[u8]) -> Result<(), OutOfMemory> {
        unimplemented!()
    }
    /// Sets the byte length, shorter or longer. An object that was never truncated has no bound.
    pub fn object_truncate(&mut self, object: ObjectId, len: u64) {
        unimplemented!()
    }
    pub fn object_punch(&mut self, object: ObjectId, range: Range<u64>) {
        unimplemented!()
    }
    pub fn object_pages(&self, object: ObjectId) -> u64 {
        unimplemented!()
    }
    pub fn object_has_page(&self, object: ObjectId, index: u64) -> bool {
        unimplemented!()
    }
    pub fn object_next_data(&self, object: ObjectId, from: u64) -> Option<u64> {
        unimplemented!()
    }
    pub fn object_next_hole(&self, object: ObjectId, from: u64) -> u64 {
        unimplemented!()
    }
    pub fn digest(&self, hasher: &mut xxhash_rust::xxh3::Xxh3) {
        unimplemented!()
    }
}
