//! Who maps which object: an object lives as long as somebody maps it or its owner (a file, a segment) holds it.
//!
//! **Invariant**: the count of an object is the sum of the bytes of all areas that map it, in all spaces; splitting and
//! merging do not change it.

use emu_core::mem::ObjectId;
use emu_core::persist;

use super::{Area, Backing};
use crate::kernel::Kernel;

/// Bytes mapped of each object.
#[derive(Debug, Clone, Default)]
pub struct MappedBytes {
    bytes: persist::OrdMap<ObjectId, u64>,
}

impl MappedBytes {
    /// Whether anybody maps the object.
    #[must_use]
    pub fn is_mapped(&self, object: ObjectId) -> bool {
        self.bytes.contains_key(&object)
    }
}

/// An area came to be.
pub(super) fn retain_bytes(k: &mut Kernel, area: &Area) {
    let Backing::Object { object, .. } = area.backing else { return };
    *k.mapped_bytes.bytes.entry(object).or_insert(0) += area.len();
}

/// An area is gone. The last one of an object without owner takes the object along.
pub(super) fn release_bytes(k: &mut Kernel, area: &Area) {
    let Backing::Object { object, inode, .. } = area.backing else { return };
    let left = k.mapped_bytes.bytes.get(&object).copied().unwrap_or(0).saturating_sub(area.len());
    if left > 0 {
        k.mapped_bytes.bytes.insert(object, left);
        return;
    }
    k.mapped_bytes.bytes.remove(&object);
    match (inode, area.shm) {
        // The file's: the vfs asks whether it is mapped before it lets an unnamed file go.
        (Some(_), _) => {}
        (None, Some(shm)) => super::shm::unmapped(k, shm),
        (None, None) => k.mem.destroy_object(object),
    }
}
