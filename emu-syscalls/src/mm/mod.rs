//! What mmap and brk mean: areas of an address space and what fills their pages.
//!
//! Key types: [`Mm`], [`Area`]. Neighbours: `emu_core::mem` holds the pages; [`fault`] fills them on demand.
//!
//! **Invariant**: a page is present only inside an area, with no more rights than the area gives.

use emu_core::mem::{ObjectId, PageProt, SpaceId};

use crate::arena::id;
use crate::vfs::Loc;

pub mod fault;

id! {
    /// A memory description, shared by `CLONE_VM`.
    MmId;
}

/// What fills an area's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backing {
    /// Zeros, private.
    Anonymous,
    /// An object, from this byte offset for the first page of the area; private copy-on-write or shared.
    Object {
        /// The pages.
        object: ObjectId,
        /// Byte offset of the area's first page.
        offset: u64,
        /// Whether writes go to the object.
        shared: bool,
        /// The file it came from, for /proc/PID/maps.
        file: Option<Loc>,
    },
}

/// A range of addresses with one meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// First address.
    pub start: u64,
    /// End, exclusive.
    pub end: u64,
    /// Rights.
    pub prot: PageProt,
    /// What fills it.
    pub backing: Backing,
    /// Grows down towards lower addresses (the stack).
    pub grows_down: bool,
}

/// The memory of a process.
#[derive(Debug, Clone)]
pub struct Mm {
    /// Page tables.
    pub space: SpaceId,
    /// Areas by first address; they do not overlap.
    pub areas: imbl::OrdMap<u64, Area>,
    /// Start and end of the heap.
    pub brk: (u64, u64),
    /// New mappings are placed below this address.
    pub mmap_top: u64,
    /// Program file.
    pub exe: Option<Loc>,
    /// Auxiliary vector as key and value pairs.
    pub auxv: Vec<(u64, u64)>,
    /// Start and end of the argument strings on the stack.
    pub args: (u64, u64),
    /// Start and end of the environment strings on the stack.
    pub env: (u64, u64),
    /// Tasks that share it.
    pub users: u32,
}
