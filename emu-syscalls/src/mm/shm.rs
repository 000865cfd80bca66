//! System V shared memory: segments by key, attached as areas.
//!
//! Key types: [`Segments`], [`Segment`]. The handlers are in `calls/shm.rs`.
//!
//! **Invariant**: a segment marked for destruction goes with its last attachment; its object goes with it.

use emu_core::elf::page_up;
use emu_core::mem::{ObjectId, PAGE_SIZE};

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::kernel::Kernel;
use crate::task::Creds;

id! {
    /// A segment: the number that `shmget` gives.
    ShmId;
}

/// A segment.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its key; 0 is private, also once it is marked for destruction.
    pub key: i32,
    /// Its pages.
    pub object: ObjectId,
    /// Size in bytes as asked for.
    pub size: u64,
    /// Owner: user, group.
    pub owner: (u32, u32),
    /// Creator: user, group.
    pub creator: (u32, u32),
    /// Permission bits, with `SHM_DEST` (0o1000) and `SHM_LOCKED` (0o2000).
    pub mode: u32,
    /// Process of the creator.
    pub cpid: u32,
    /// Process of the last shmat or shmdt.
    pub lpid: u32,
    /// Last attachment, last detachment, last change: seconds since 1970.
    pub times: (u64, u64, u64),
}

/// Marked for destruction.
pub const SHM_DEST: u32 = 0o1000;
/// Locked in memory.
pub const SHM_LOCKED: u32 = 0o2000;
/// Most segments (`/proc/sys/kernel/shmmni`).
pub const SHMMNI: usize = 4096;
/// Largest segment in bytes (`/proc/sys/kernel/shmmax`).
pub const SHMMAX: u64 = u64::MAX - (1 << 24);

/// All segments.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    /// By number.
    pub by_id: Arena<ShmId, Segment>,
}

impl Segments {
    /// The segment with this key.
    #[must_use]
    pub fn by_key(&self, key: i32) -> Option<ShmId> {
        self.by_id.iter().find(|(_, segment)| segment.key == key && key != 0).map(|(id, _)| id)
    }
    /// The segment with this number. `EINVAL`.
    pub fn get(&self, id: i32) -> Result<(ShmId, &Segment), Errno> {
        let id = ShmId(u32::try_from(id).map_err(|_| Errno::EINVAL)?);
        self.by_id.get(id).map(|segment| (id, segment)).ok_or(Errno::EINVAL)
    }
    /// Pages of all segments.
    #[must_use]
    pub fn pages(&self) -> u64 {
        self.by_id.iter().map(|(_, segment)| page_up(segment.size) / PAGE_SIZE).sum()
    }
}

/// CAP_IPC_OWNER
const CAP_IPC_OWNER: u64 = 1 << 15;

impl Segment {
    /// Whether `creds` have the rights `wanted` (4 read, 2 write). `EACCES`.
    pub fn permit(&self, creds: &Creds, wanted: u32) -> Result<(), Errno> {
        let (uid, gid) = (creds.uid[1], creds.gid[1]);
        let in_group = |group: u32| gid == group || creds.groups.contains(&group);
        let granted = if uid == self.owner.0 || uid == self.creator.0 {
            self.mode >> 6
        } else if in_group(self.owner.1) || in_group(self.creator.1) {
            self.mode >> 3
        } else {
            self.mode
        };
        if wanted & !granted & 7 == 0 || creds.cap_effective & CAP_IPC_OWNER != 0 {
            Ok(())
        } else {
            Err(Errno::EACCES)
        }
    }
}

/// How many areas, in all spaces, attach the segment.
#[must_use]
pub fn attachments(k: &Kernel, id: ShmId) -> u64 {
    let areas = k.mms.iter().flat_map(|(_, mm)| mm.areas.values());
    u64::try_from(areas.filter(|area| area.shm == Some(id)).count()).unwrap_or(u64::MAX)
}

/// The last area that attached the segment is gone.
pub(super) fn unmapped(k: &mut Kernel, id: ShmId) {
    if k.shm.by_id.get(id).is_some_and(|segment| segment.mode & SHM_DEST != 0) {
        destroy(k, id);
    }
}

/// Marks the segment for destruction; it goes now if nobody attaches it.
pub fn mark_destroyed(k: &mut Kernel, id: ShmId) {
    let Some(segment) = k.shm.by_id.get_mut(id) else { return };
    segment.mode |= SHM_DEST;
    segment.key = 0;
    let object = segment.object;
    if !k.mapped_bytes.is_mapped(object) {
        destroy(k, id);
    }
}

fn destroy(k: &mut Kernel, id: ShmId) {
    if let Some(segment) = k.shm.by_id.remove(id) {
        k.mem.destroy_object(segment.object);
    }
}
