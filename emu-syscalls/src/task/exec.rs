//! Replacing the program of a process.
use crate::kernel::Kernel;
use crate::vfs::Loc;

/// Whether programs may not be run from where the place lies.
#[must_use]
pub fn is_noexec(k: &Kernel, loc: Loc) -> bool {
    let _ = (k, loc);
    false
}
