//! Where things lie in an address space, as a policy of the kernel.
//!
//! | addresses | what |
//! |---|---|
//! | from `MMAP_MIN` | programs that name their addresses |
//! | from [`PIE_BASE`] | programs that do not; the heap follows the image |
//! | below `Mm::mmap_top` | mappings, downwards; the interpreter is the first |
//! | below [`STACK_TOP`] | the stack, room for its limit and a gap |
//!
//! **Invariant**: everything follows from the program and its limits; no host address decides anything. Images stand
//! below 2 GiB, so that a translator may keep their addresses in 32 bits.

use emu_core::mem::PAGE_SIZE;

/// End of user addresses: the last page below 2^47 stays empty (Linux: `TASK_SIZE_MAX`).
pub const TASK_SIZE: u64 = 0x7fff_ffff_f000;
/// Lowest address that an unprivileged program may map (`/proc/sys/vm/mmap_min_addr`).
pub const MMAP_MIN: u64 = 0x1_0000;
/// Where position-independent programs stand.
pub const PIE_BASE: u64 = 0x5555_5000;
/// End of the stack.
pub const STACK_TOP: u64 = 0x7fff_f000_0000;
/// The least room that is kept for the stack.
const MIN_GAP: u64 = 128 << 20;

/// Where mappings begin, downwards, for a limit of the stack in bytes.
#[must_use]
pub fn mmap_top(stack_limit: u64) -> u64 {
    let gap = stack_limit.clamp(MIN_GAP, STACK_TOP / 6 * 5);
    (STACK_TOP - gap - super::area::STACK_GUARD) & !(PAGE_SIZE - 1)
}
