//! What mmap and brk mean: areas of an address space and what fills their pages.
//!
//! Key types: [`Mm`], [`Area`]. Neighbours: `emu_core::mem` holds the pages; [`fault`] fills them on demand; [`map`],
//! [`remap`] and [`advise`] are the calls that change areas; [`layout`] says where things go.
//!
//! **Invariant**: a page is present only inside an area, with no more rights than the area gives. Areas do not overlap.
//! Reserving addresses costs one area, however large.

use std::sync::Arc;

use emu_core::mem::{ObjectId, PageProt, SpaceId};
use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::id;
use crate::kernel::Kernel;
use crate::mm::object::release_bytes;
use crate::mm::shm::ShmId;
use crate::vfs::{InodeId, Loc};

pub mod advise;
pub mod aio;
mod area;
pub mod fault;
pub mod layout;
pub mod map;
pub mod object;
pub mod remap;
pub mod remote;
pub mod shm;
#[cfg(test)]
mod tests;
pub mod userfault;

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
        /// The file's identity: its pages are filled through the vfs and end with the file.
        inode: Option<InodeId>,
        /// The file it came from, for /proc/PID/maps.
        file: Option<Loc>,
    },
}

bitflags::bitflags! {
    /// What is special about an area.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct AreaFlags: u32 {
        /// Grows towards lower addresses (the stack).
        const GROWS_DOWN = 1;
        /// Takes no part in overcommit accounting.
        const NORESERVE = 2;
        /// Locked in memory.
        const LOCKED = 4;
        /// Absent from children.
        const DONTFORK = 8;
        /// Zeros in children.
        const WIPEONFORK = 0x10;
        /// Not in core dumps.
        const DONTDUMP = 0x20;
        /// `mseal`: may not be changed or unmapped.
        const SEALED = 0x40;
        /// `MADV_HUGEPAGE` was asked for.
        const HUGEPAGE = 0x80;
        /// `MADV_NOHUGEPAGE` was asked for.
        const NOHUGEPAGE = 0x100;
        /// `MADV_MERGEABLE` was asked for.
        const MERGEABLE = 0x200;
        /// `MADV_SEQUENTIAL` was asked for.
        const SEQUENTIAL = 0x400;
        /// `MADV_RANDOM` was asked for.
        const RANDOM = 0x800;
        /// `MADV_GUARD_INSTALL`: every touch is SIGSEGV.
        const GUARD = 0x1000;
    }
}

/// A range of addresses with one meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Area {
    /// First address.
    pub start: u64,
    /// End, exclusive.
    pub end: u64,
    /// Rights as asked for (READ, WRITE, EXEC).
    pub prot: PageProt,
    /// Rights that `mprotect` may give.
    pub may: PageProt,
    /// What fills it.
    pub backing: Backing,
    /// What is special about it.
    pub flags: AreaFlags,
    /// The System V segment it attaches.
    pub shm: Option<ShmId>,
    /// `PR_SET_VMA_ANON_NAME`
    pub name: Option<Arc<[u8]>>,
    /// `mbind(2)`: mode and flags; `None` for the task's.
    pub policy: Option<u32>,
}

/// The rights that user pages can have.
pub const RWX: PageProt = PageProt::READ.union(PageProt::WRITE).union(PageProt::EXEC);

/// Pages by kind, as /proc/PID/status counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// In all areas.
    pub total: u64,
    /// In private writable areas that are no stack.
    pub data: u64,
    /// In stacks.
    pub stack: u64,
    /// In locked areas.
    pub locked: u64,
}

/// The memory of a process.
#[derive(Debug, Clone)]
pub struct Mm {
    /// Page tables.
    pub space: SpaceId,
    /// Areas by first address; they do not overlap.
    pub areas: persist::OrdMap<u64, Area>,
    /// Start and end of the heap.
    pub brk: (u64, u64),
    /// New mappings are placed below this address.
    pub mmap_top: u64,
    /// Address and length: from there to `mmap_top` no room is as long. A length of 0 says nothing.
    crowded: (u64, u64),
    /// Program file.
    pub exe: Option<Loc>,
    /// Auxiliary vector as key and value pairs.
    pub auxv: Vec<(u64, u64)>,
    /// Start and end of the argument strings on the stack.
    pub args: (u64, u64),
    /// Start and end of the environment strings on the stack.
    pub env: (u64, u64),
    /// Start and end of the program's code.
    pub code: (u64, u64),
    /// Start and end of the program's data.
    pub data: (u64, u64),
    /// The stack pointer at the start.
    pub stack_start: u64,
    /// Pages by kind.
    pub usage: Usage,
    /// Most pages that areas ever had.
    pub peak: u64,
    /// New areas are locked (`mlockall(MCL_FUTURE)`).
    pub lock_future: bool,
    /// `PR_SET_THP_DISABLE`
    pub thp_disabled: bool,
    /// Commands of membarrier(2) that were registered for.
    pub membarrier: u32,
    /// Contexts of io_setup(2) by the address of their page.
    pub aio: persist::OrdMap<u64, aio::AioContext>,
    /// Ranges whose faults user space answers.
    pub userfaults: userfault::Userfaults,
    /// Tasks that share it.
    pub users: u32,
}

/// Most areas that a space may have (`/proc/sys/vm/max_map_count`).
pub const MAX_AREAS: usize = 65530;

impl Mm {
    /// An empty description of an empty space, with one user.
    #[must_use]
    pub fn new(space: SpaceId) -> Self {
        Mm {
            space,
            areas: persist::OrdMap::new(),
            brk: (0, 0),
            mmap_top: layout::STACK_TOP,
            crowded: (u64::MAX, 0),
            exe: None,
            auxv: Vec::new(),
            args: (0, 0),
            env: (0, 0),
            code: (0, 0),
            data: (0, 0),
            stack_start: 0,
            usage: Usage::default(),
            peak: 0,
            lock_future: false,
            thp_disabled: false,
            membarrier: 0,
            aio: persist::OrdMap::new(),
            userfaults: userfault::Userfaults::default(),
            users: 1,
        }
    }
}

/// The area that holds `addr`.
#[must_use]
pub fn area_of(k: &Kernel, mm: MmId, addr: u64) -> Option<&Area> {
    k.mms.get(mm)?.find(addr)
}

/// Adds a user (`CLONE_VM`).
pub fn share(k: &mut Kernel, id: MmId) -> MmId {
    if let Some(mm) = k.mms.get_mut(id) {
        mm.users += 1;
    }
    id
}

/// Drops a user; the last one takes pages, areas and space along.
pub fn put(k: &mut Kernel, id: MmId) {
    let Some(mm) = k.mms.get_mut(id) else { return };
    mm.users = mm.users.saturating_sub(1);
    if mm.users > 0 {
        return;
    }
    deny_writes(k, id, 1);
    let Some(mm) = k.mms.remove(id) else { return };
    for poll in mm.aio.values().flat_map(|context| &context.polls) {
        crate::file::fdtable::put_file(k, poll.file);
        if let Some(eventfd) = poll.eventfd {
            crate::file::fdtable::put_file(k, eventfd);
        }
    }
    k.mem.destroy_space(mm.space);
    for area in mm.areas.values() {
        release_bytes(k, area);
    }
}

/// Copies memory as `fork` does. `EAGAIN` never: what a child costs is only what it writes.
pub fn fork(k: &mut Kernel, from: MmId) -> Result<MmId, Errno> {
    let parent = k.mms.get(from).ok_or(Errno::ESRCH)?;
    let mut child = parent.clone();
    child.users = 1;
    child.lock_future = false;
    child.aio = persist::OrdMap::new();
    child.usage.locked = 0;
    child.space = k.mem.fork_space(parent.space);
    let mut changed = Vec::new();
    for area in child.areas.values() {
        if area.flags.intersects(AreaFlags::DONTFORK | AreaFlags::WIPEONFORK | AreaFlags::LOCKED) {
            changed.push(area.clone());
        }
    }
    for mut area in changed {
        if area.flags.intersects(AreaFlags::DONTFORK | AreaFlags::WIPEONFORK) {
            k.mem.unmap(child.space, area.start..area.end);
        }
        if area.flags.contains(AreaFlags::DONTFORK) {
            child.areas.remove(&area.start);
            child.crowded = (u64::MAX, 0);
            child.uncount(&area);
        } else {
            area.flags.remove(AreaFlags::LOCKED);
            child.areas.insert(area.start, area);
        }
    }
    userfault::forked(k, &mut child);
    for area in child.areas.values() {
        object::retain_bytes(k, area);
    }
    let id = k.mms.insert(child);
    deny_writes(k, id, -1);
    Ok(id)
}

/// Counts a program file as run (-1) or no longer (1) by this memory: see `ETXTBSY`.
fn deny_writes(k: &mut Kernel, id: MmId, change: i32) {
    let Some(exe) = k.mms.get(id).and_then(|mm| mm.exe) else { return };
    let inode = k.vfs.inode_at(exe);
    k.vfs.inode_mut(inode).writers += change;
}

impl Area {
    /// Bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end - self.start
    }
    /// Never: an area has at least a page.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
    /// Whether writes are seen by others.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.backing, Backing::Object { shared: true, .. })
    }
    /// Whether it grows down.
    #[must_use]
    pub fn grows_down(&self) -> bool {
        self.flags.contains(AreaFlags::GROWS_DOWN)
    }
    /// Byte offset in the object of address `addr`.
    #[must_use]
    pub fn object_offset(&self, addr: u64) -> Option<u64> {
        match &self.backing {
            Backing::Anonymous => None,
            Backing::Object { offset, .. } => Some(offset + (addr - self.start)),
        }
    }
    /// Rights of its pages: x86 cannot forbid reading where it allows writing or executing.
    #[must_use]
    pub fn page_prot(&self) -> PageProt {
        if self.prot.is_empty() { PageProt::USER } else { self.prot | PageProt::READ | PageProt::USER }
    }
}

/// Where a futex at `addr` really lies if the memory is shared: the object and the byte offset in it.
#[must_use]
pub fn shared_key(k: &Kernel, mm: MmId, addr: u64) -> Option<(ObjectId, u64)> {
    let area = area_of(k, mm, addr)?;
    match &area.backing {
        Backing::Object { object, shared: true, .. } => Some((*object, area.object_offset(addr)?)),
        _ => None,
    }
}
