//! Guest memory: frames, address spaces with page tables in software, shared objects, access.
//!
//! Key types: [`Memory`] (all memory of a machine), [`SpaceId`], [`ObjectId`], [`PageProt`], [`MemFault`].
//! Neighbours: the kernel's `mm` decides what is mapped and answers page faults; engines look pages up through
//! [`Memory::lookup`] and keep host addresses in a soft TLB.
//!
//! **Invariant**: `Memory::clone()` is a snapshot: constant time, frames and table nodes are shared and copied when
//! written. Every change of a mapping goes through one function, which raises the space's epoch. No host pointer
//! leaves this module except in a [`HostPage`], valid until the next call that takes `&mut Memory`, or as long as
//! the epoch rules of [`Memory::take_invalidations`] say.

mod access;
mod digest;
mod frame;
mod invalidate;
mod object;
mod space;
mod table;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use frame::Pool;

/// Bytes in a page.
pub const PAGE_SIZE: u64 = 4096;
/// First address above user space (47-bit layouts).
pub const USER_END: u64 = 0x0000_8000_0000_0000;
/// First kernel address: everything from here up is supervisor memory, shared by all spaces.
pub const KERNEL_START: u64 = 0xffff_8000_0000_0000;

/// An address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceId(pub u32);

/// A growable, sparse sequence of pages that spaces map and the kernel reads and writes: the contents of a tmpfs
/// file, a page cache, a SysV segment, shared anonymous memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub u32);

/// Identity of a frame, never used twice. Keys caches of decoded instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(pub u64);

bitflags::bitflags! {
    /// What a page allows.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct PageProt: u8 {
        /// Readable.
        const READ = 1;
        /// Writable (as the mapping says; copy-on-write is kept apart).
        const WRITE = 2;
        /// Executable.
        const EXEC = 4;
        /// Usable at privilege level 3.
        const USER = 8;
    }
}

/// Kind of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Data read.
    Read,
    /// Data write.
    Write,
    /// Instruction fetch.
    Execute,
}

/// Who accesses: user code is held to USER pages, the kernel is not; both are held to R/W/X.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    /// Ring 3.
    User,
    /// Ring 0.
    Supervisor,
}

/// Why an access failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MemFault {
    /// No page there.
    #[error("no page at {0:#x}")]
    NotPresent(u64),
    /// The page forbids it.
    #[error("access to {0:#x} not allowed")]
    Protection(u64),
    /// Not a canonical address.
    #[error("non-canonical address {0:#x}")]
    NonCanonical(u64),
    /// The machine's memory bound is reached.
    #[error("out of guest memory at {0:#x}")]
    OutOfMemory(u64),
}

/// The machine's memory bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("out of guest memory")]
pub struct OutOfMemory;

/// A page as an engine may cache it: see [`Memory::lookup`].
#[derive(Debug, Clone, Copy)]
pub struct HostPage {
    /// Host address of the page's first byte. For a lookup for reading or fetching it may only be read through.
    pub ptr: *mut u8,
    /// The frame behind it.
    pub frame: FrameId,
    /// Decoded instructions were taken from this frame since it was last cleaned: writes must be told
    /// ([`Memory::code_written`]), so an engine must not cache it for writing.
    pub code: bool,
}

/// What [`Memory::page`] says of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageInfo {
    /// What the mapping allows.
    pub prot: PageProt,
    /// Object and page index, for a shared mapping.
    pub shared: Option<(ObjectId, u64)>,
    /// The frame behind it; `None` while it reads as zeros and nothing was allocated yet.
    pub frame: Option<FrameId>,
    /// Written through this mapping.
    pub dirty: bool,
    /// Looked up by an engine through this mapping.
    pub accessed: bool,
}

/// What an engine must drop: see [`Memory::take_invalidations`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invalidations {
    /// Every cached host address of the space (`pages` is empty then). Decoded instructions stay good.
    pub all: bool,
    /// Addresses of pages whose cached host addresses are stale, for every kind of access.
    pub pages: Vec<u64>,
    /// Frames that were written after instructions had been decoded from them, by anyone in the machine.
    pub code: Vec<FrameId>,
}

/// All memory of a machine: spaces, what is mapped in them, objects, frames.
///
/// `clone()` is a snapshot: nothing is copied until either side writes, and both sides report every space as stale,
/// since what engines hold for writing is copy-on-write from then on. Clones share one bound on frames.
pub struct Memory {
    // `pool` is last: it outlives the frames in the other fields.
    spaces: Vec<space::Slot>,
    free_slots: Vec<u32>,
    kernel: space::Half,
    objects: object::Objects,
    /// Frames whose decoded instructions are stale.
    code: Vec<FrameId>,
    epoch: u64,
    /// Raised by `clone()` of this or on the copy; above `settled`, every space is stale.
    generation: AtomicU64,
    settled: u64,
    /// Spaces with something to take.
    stale_spaces: usize,
    pool: Arc<Pool>,
}

impl Memory {
    /// `limit`: bound in bytes on frames and page tables, of this machine and its clones together.
    pub fn new(limit: u64) -> Self {
        let pool = Pool::new(limit / PAGE_SIZE);
        Self {
            spaces: Vec::new(),
            free_slots: Vec::new(),
            kernel: space::Half::new(&pool),
            objects: object::Objects::default(),
            code: Vec::new(),
            epoch: 0,
            generation: AtomicU64::new(0),
            settled: 0,
            stale_spaces: 0,
            pool,
        }
    }

    /// Bytes taken by frames and page tables, clones included.
    pub fn used(&self) -> u64 {
        self.pool.used() * PAGE_SIZE
    }

    /// Bytes in the pages of spaces and objects: what a guest may see of its use. It follows from the state alone, whoever
    /// holds snapshots beside it.
    pub fn occupied(&self) -> u64 {
        let spaces: u64 = self.space_ids().map(|id| self.resident(id)).sum();
        let objects: u64 = self.objects.iter().map(|(_, _, pages)| pages.len() as u64).sum();
        (spaces + objects) * PAGE_SIZE
    }

    /// The bound that [`Memory::new`] was given, in whole pages.
    pub fn limit(&self) -> u64 {
        self.pool.limit() * PAGE_SIZE
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let spaces = self.space_ids().count();
        f.debug_struct("Memory").field("spaces", &spaces).field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl Clone for Memory {
    fn clone(&self) -> Self {
        let generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        Self {
            spaces: self.spaces.clone(),
            free_slots: self.free_slots.clone(),
            kernel: self.kernel.clone(),
            objects: self.objects.clone(),
            code: self.code.clone(),
            epoch: self.epoch,
            generation: AtomicU64::new(generation),
            settled: self.settled,
            stale_spaces: self.stale_spaces,
            pool: Arc::clone(&self.pool),
        }
    }
}
