//! Page faults: filling pages that an area allows.

use emu_core::mem::MemFault;

use crate::abi::errno::Errno;
use crate::ctx::Ctx;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;

/// Why a fault cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadAccess {
    /// No area there: SIGSEGV, SEGV_MAPERR.
    Unmapped,
    /// The area forbids it: SIGSEGV, SEGV_ACCERR.
    Forbidden,
    /// Past the end of the file behind it: SIGBUS.
    Bus,
    /// No memory left.
    OutOfMemory,
}

/// Fills the page at `addr` of `tid`'s space, if its areas allow the access.
pub fn page_fault(
    k: &mut Kernel,
    host: &mut dyn Host,
    tid: TaskId,
    addr: u64,
    access: emu_core::mem::Access,
) -> Result<(), BadAccess> {
    let _ = (k, host, tid, addr, access);
    Err(BadAccess::Unmapped)
}

/// Answers a fault that a handler's own access to user memory met.
pub fn answer(ctx: &mut Ctx<'_>, fault: MemFault, write: bool) -> Result<(), BadAccess> {
    let access = if write { emu_core::mem::Access::Write } else { emu_core::mem::Access::Read };
    match fault {
        MemFault::NotPresent(addr) | MemFault::Protection(addr) => {
            let tid = ctx.tid;
            page_fault(ctx.k, ctx.host, tid, addr, access)
        }
        MemFault::NonCanonical(_) => Err(BadAccess::Unmapped),
        MemFault::OutOfMemory(_) => Err(BadAccess::OutOfMemory),
    }
}

/// See [`Ctx::prefault_write`].
pub fn prefault_write(ctx: &mut Ctx<'_>, addr: u64, len: u64) -> Result<u64, Errno> {
    let _ = (ctx, addr, len);
    Err(Errno::EFAULT)
}
