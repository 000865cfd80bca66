//! Restartable sequences (rseq(2), kernel/rseq.c): a user critical section is aborted when its thread was preempted or
//! takes a signal in it; the area tells the thread on which processor it runs.
//!
//! **Invariant**: a thread is never resumed inside a critical section in which it lost the processor.

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Call, Ctx};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;
use crate::task::sighand::SigInfo;
use crate::task::signal::force;

/// Offsets in `struct rseq`.
mod at {
    pub(super) const CPU_ID_START: u64 = 0;
    pub(super) const CPU_ID: u64 = 4;
    pub(super) const CS: u64 = 8;
    pub(super) const FLAGS: u64 = 16;
    pub(super) const NODE_ID: u64 = 20;
    pub(super) const MM_CID: u64 = 24;
}

/// Looks at the area of a thread that was preempted or takes `signo`: fixes the instruction pointer if it stands in a
/// critical section, and updates the processor number. A bad area is SIGSEGV.
pub fn check(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, signo: Option<u8>) {
    let Some(task) = k.tasks.get(tid) else { return };
    if task.rseq.0 == 0 || task.mm.is_none() {
        return;
    }
    let mut ctx = Ctx { k, host, tid, call: Call::default() };
    if handle(&mut ctx).is_err() {
        let info = SigInfo::kernel(crate::task::sighand::sig::SEGV);
        // The signal on its way cannot be told apart from this one if it is SIGSEGV itself (force_sigsegv).
        if signo == Some(info.signo) {
            crate::task::signal::force_sigsegv(ctx.k, tid, info.signo);
        } else {
            force(ctx.k, tid, info);
        }
    }
}

fn handle(ctx: &mut Ctx<'_>) -> Result<(), Errno> {
    let (area, len, signature) = ctx.task().rseq;
    let area = Addr(area);
    let section = ctx.read_u64(area.at(at::CS))?;
    if section != 0 {
        fix_ip(ctx, area, Addr(section), signature)?;
    }
    ctx.write_u32(area.at(at::CPU_ID_START), 0)?;
    ctx.write_u32(area.at(at::CPU_ID), 0)?;
    if len > 20 {
        ctx.write_u32(area.at(at::NODE_ID), 0)?;
        ctx.write_u32(area.at(at::MM_CID), 0)?;
    }
    Ok(())
}

fn fix_ip(ctx: &mut Ctx<'_>, area: Addr, section: Addr, signature: u32) -> Result<(), Errno> {
    let mut regs = ctx.k.user_regs(ctx.tid);
    let version = ctx.read_u32(section)?;
    let start = ctx.read_u64(section.at(8))?;
    let length = ctx.read_u64(section.at(16))?;
    let abort = ctx.read_u64(section.at(24))?;
    let end = start.checked_add(length).ok_or(Errno::EINVAL)?;
    if version != 0 || end > emu_core::mem::USER_END || abort.wrapping_sub(start) < length {
        return Err(Errno::EINVAL);
    }
    if ctx.read_u32(Addr(abort.wrapping_sub(4)))? != signature {
        return Err(Errno::EINVAL);
    }
    if ctx.read_u32(area.at(at::FLAGS))? != 0 {
        return Err(Errno::EINVAL);
    }
    // The section is left either way: the pointer is cleared lazily.
    ctx.write_u64(area.at(at::CS), 0)?;
    if (start..end).contains(&regs.ip) {
        regs.ip = abort;
        ctx.k.set_user_regs(ctx.tid, &regs);
    }
    Ok(())
}

/// `RSEQ_FLAG_UNREGISTER`
const UNREGISTER: i32 = 1;

/// `rseq(2)`
pub fn register(ctx: &mut Ctx<'_>, area: Addr, len: u32, flags: i32, signature: u32) -> Result<u64, Errno> {
    let current = ctx.task().rseq;
    if flags & UNREGISTER != 0 {
        if flags & !UNREGISTER != 0 || current.0 == 0 || current.0 != area.0 || current.1 != len {
            return Err(Errno::EINVAL);
        }
        if current.2 != signature {
            return Err(Errno::EPERM);
        }
        ctx.write_u32(area.at(at::CPU_ID_START), 0)?;
        ctx.write_u32(area.at(at::CPU_ID), u32::MAX)?;
        ctx.task_mut().rseq = (0, 0, 0);
        return Ok(0);
    }
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    if current.0 != 0 {
        if current.0 != area.0 || current.1 != len {
            return Err(Errno::EINVAL);
        }
        return Err(if current.2 == signature { Errno::EBUSY } else { Errno::EPERM });
    }
    if len < 32 || !area.0.is_multiple_of(32) {
        return Err(Errno::EINVAL);
    }
    if area.0.checked_add(u64::from(len)).is_none_or(|end| end > emu_core::mem::USER_END) {
        return Err(Errno::EFAULT);
    }
    ctx.write_u64(area.at(at::CS), 0)?;
    let task = ctx.task_mut();
    task.rseq = (area.0, len, signature);
    task.work.rseq = true;
    Ok(0)
}
