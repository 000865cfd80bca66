//! A digest of memory, for comparing machines.
//!
//! **Invariant**: it depends on contents and mappings alone: not on host addresses, frame ids, what is shared with
//! whom, or what was looked up or written when.

use std::ops::ControlFlow::Continue;

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::frame::{FRAME_LEN, Frame};
use super::space::{Half, Side};
use super::table::{LAST_PAGE, Pte, Span};
use super::{Memory, SpaceId};

fn page_digest(frame: Option<&Frame>, zeros: u128) -> u128 {
    frame.map_or(zeros, |frame| xxh3_128(frame.bytes()))
}

fn digest_half(half: &Half, side: Side, zeros: u128, hasher: &mut Xxh3) {
    let all = Span { first: 0, last: LAST_PAGE };
    let _ = half.table.look(all, &mut |page, pte| {
        hasher.update(&side.address(page).to_le_bytes());
        hasher.update(&[pte.prot().bits()]);
        match pte {
            Pte::Absent => {}
            Pte::Zero { .. } => hasher.update(&page_digest(None, zeros).to_le_bytes()),
            Pte::Private { frame, .. } => hasher.update(&page_digest(Some(frame), zeros).to_le_bytes()),
            Pte::Shared { object, index, .. } => {
                hasher.update(&object.to_le_bytes());
                hasher.update(&index.to_le_bytes());
            }
        }
        Continue(())
    });
    // No page has this address.
    hasher.update(&u64::MAX.to_le_bytes());
}

impl Memory {
    /// Feeds contents and mappings of everything to `hasher`.
    pub fn digest(&self, hasher: &mut Xxh3) {
        let zeros = xxh3_128(&[0; FRAME_LEN]);
        digest_half(&self.kernel, Side::Kernel, zeros, hasher);
        for SpaceId(id) in self.space_ids() {
            hasher.update(&id.to_le_bytes());
            digest_half(&self.space(SpaceId(id)).half, Side::User, zeros, hasher);
        }
        hasher.update(&u32::MAX.to_le_bytes());
        for (id, len, pages) in self.objects.iter() {
            hasher.update(&id.to_le_bytes());
            hasher.update(&len.to_le_bytes());
            hasher.update(&(pages.len() as u64).to_le_bytes());
            for (index, frame) in pages {
                hasher.update(&index.to_le_bytes());
                hasher.update(&page_digest(Some(frame), zeros).to_le_bytes());
            }
        }
    }
}
