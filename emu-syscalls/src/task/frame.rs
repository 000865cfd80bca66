//! Frames of signal handlers: `struct rt_sigframe` of x86-64, bit for bit, and the way back from it.
//!
//! Layout from the frame's start (which is the handler's rsp): return address, `ucontext`, `siginfo`; above it, 64-byte
//! aligned, the floating-point state (arch/x86/include/asm/sigframe.h, uapi/asm/sigcontext.h).
//!
//! **Invariant**: whatever a guest writes into a frame, `rt_sigreturn` gives it no more than user mode may have.

use emu_core::cpu::{CpuModel, RFlags, xsave};

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Call, Ctx};
use crate::entry::{NO_SYSCALL, PtRegs, USER_CS, USER_SS};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::sighand::{SigAction, SigInfo, SigSet, sa};
use crate::task::{TaskId, signal};

/// `SS_ONSTACK`
pub const SS_ONSTACK: u32 = 1;
/// `SS_DISABLE`
pub const SS_DISABLE: u32 = 2;
/// `SS_AUTODISARM`
pub const SS_AUTODISARM: u32 = 1 << 31;
/// Smallest alternate stack.
pub const MINSIGSTKSZ: u64 = 2048;

/// What a function may use below its stack pointer.
const RED_ZONE: u64 = 128;
const UC_FP_XSTATE: u64 = 1;
const UC_SIGCONTEXT_SS: u64 = 2;
const UC_STRICT_RESTORE_SS: u64 = 4;
const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;
/// Where `sw_reserved` stands in the legacy area.
const SW_RESERVED: usize = 464;

/// Offsets in the frame.
mod at {
    pub(super) const UC: usize = 8;
    pub(super) const STACK: usize = UC + 16;
    pub(super) const MCONTEXT: usize = UC + 40;
    pub(super) const SIGMASK: usize = MCONTEXT + 256;
    pub(super) const INFO: usize = SIGMASK + 8;
    pub(super) const END: usize = INFO + 128;
    pub(super) const SEGMENTS: usize = MCONTEXT + 144;
    pub(super) const ERR: usize = MCONTEXT + 152;
    pub(super) const FPSTATE: usize = MCONTEXT + 184;
}

/// rflags bits that `rt_sigreturn` takes from the frame (FIX_EFLAGS).
const FIX_EFLAGS: u64 =
    RFlags::STATUS.bits() | RFlags::AC.bits() | RFlags::DF.bits() | RFlags::TF.bits() | RFlags::RF.bits();

/// Whether the processor model has XSAVE, so that frames hold the extended state.
fn has_xsave(model: CpuModel) -> bool {
    model >= CpuModel::V3
}

/// Whether `sp` lies on the alternate stack.
#[must_use]
pub fn on_altstack(altstack: (u64, u64, u32), sp: u64) -> bool {
    altstack.2 & SS_AUTODISARM == 0 && within_altstack(altstack, sp)
}

fn within_altstack((base, size, _): (u64, u64, u32), sp: u64) -> bool {
    sp > base && sp - base <= size
}

/// `ss_flags` that sigaltstack(2) reports without the flag bits (sas_ss_flags).
#[must_use]
pub fn altstack_state(altstack: (u64, u64, u32), sp: u64) -> u32 {
    if altstack.1 == 0 {
        SS_DISABLE
    } else if on_altstack(altstack, sp) {
        SS_ONSTACK
    } else {
        0
    }
}

fn put(frame: &mut [u8], at: usize, value: u64) {
    frame[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn get(frame: &[u8], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&frame[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// The registers in the order of `struct sigcontext`.
fn context_words(r: &PtRegs) -> [u64; 18] {
    [
        r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.di, r.si, r.bp, r.bx, r.dx, r.ax, r.cx, r.sp,
        r.ip, r.flags,
    ]
}

/// The floating-point image of a frame.
fn fp_image(cpu: &emu_core::cpu::Cpu) -> Vec<u8> {
    if !has_xsave(cpu.model) {
        return xsave::fxsave(cpu).to_vec();
    }
    let mut image = xsave::xsave(cpu).to_vec();
    let size = u32::try_from(image.len()).unwrap_or(u32::MAX);
    let mut put32 = |at: usize, value: u32| image[at..at + 4].copy_from_slice(&value.to_le_bytes());
    put32(SW_RESERVED, FP_XSTATE_MAGIC1);
    put32(SW_RESERVED + 4, size + 4);
    put32(SW_RESERVED + 8, 7);
    put32(SW_RESERVED + 12, 0);
    put32(SW_RESERVED + 16, size);
    image.extend_from_slice(&FP_XSTATE_MAGIC2.to_le_bytes());
    image
}

/// Writes a frame and makes the handler run. `mask` is what the handler's return puts back. `EFAULT` changes nothing.
pub fn setup(
    k: &mut Kernel,
    host: &mut dyn Host,
    tid: TaskId,
    info: &SigInfo,
    action: &SigAction,
    mask: SigSet,
) -> Result<(), Errno> {
    if action.flags & sa::RESTORER == 0 {
        return Err(Errno::EFAULT);
    }
    let mut regs = k.user_regs(tid);
    let task = k.task(tid);
    let altstack = task.altstack;
    let image = fp_image(&task.cpu);
    let mut sp = regs.sp.wrapping_sub(RED_ZONE);
    let nested = on_altstack(altstack, regs.sp);
    let mut entering = false;
    if action.flags & sa::ONSTACK != 0 && altstack_state(altstack, sp) == 0 {
        sp = altstack.0.wrapping_add(altstack.1);
        entering = true;
    }
    let fp = sp.wrapping_sub(image.len() as u64) & !63;
    let base = (fp.wrapping_sub(at::END as u64) & !15).wrapping_sub(8);
    if (nested || entering) && !within_altstack(altstack, base) {
        return Err(Errno::EFAULT);
    }

    let mut frame = [0u8; at::END];
    put(&mut frame, 0, action.restorer);
    let xstate = if has_xsave(task.cpu.model) { UC_FP_XSTATE } else { 0 };
    put(&mut frame, at::UC, xstate | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS);
    put(&mut frame, at::STACK, altstack.0);
    put(&mut frame, at::STACK + 8, u64::from(altstack.2));
    put(&mut frame, at::STACK + 16, altstack.1);
    for (i, word) in context_words(&regs).into_iter().enumerate() {
        put(&mut frame, at::MCONTEXT + 8 * i, word);
    }
    put(&mut frame, at::SEGMENTS, USER_CS | USER_SS << 48);
    put(&mut frame, at::ERR, task.trap.error_code);
    put(&mut frame, at::ERR + 8, task.trap.vector);
    put(&mut frame, at::ERR + 16, mask.0);
    put(&mut frame, at::ERR + 24, task.trap.cr2);
    put(&mut frame, at::FPSTATE, fp);
    put(&mut frame, at::SIGMASK, mask.0);
    let mut len = at::INFO;
    if action.flags & sa::SIGINFO != 0 {
        frame[at::INFO..].copy_from_slice(&info.to_bytes());
        len = at::END;
    }
    let mut ctx = Ctx { k, host, tid, call: Call::default() };
    ctx.write_user(Addr(fp), &image)?;
    ctx.write_user(Addr(base), &frame[..len])?;
    let Ctx { k, .. } = ctx;

    regs.di = u64::from(info.signo);
    regs.ax = 0;
    regs.si = base + at::INFO as u64;
    regs.dx = base + at::UC as u64;
    regs.ip = action.handler;
    regs.sp = base;
    regs.cs = USER_CS;
    regs.flags &= !(RFlags::DF | RFlags::RF | RFlags::TF).bits();
    k.set_user_regs(tid, &regs);
    let task = k.task_mut(tid);
    xsave::initialise(&mut task.cpu);
    if altstack.2 & SS_AUTODISARM != 0 {
        task.altstack = (0, 0, SS_DISABLE);
    }
    Ok(())
}

/// `rt_sigreturn(2)`: takes everything back from the frame below rsp. An unreadable or wrong frame is SIGSEGV.
pub fn sigreturn(ctx: &mut Ctx<'_>) {
    if restore(ctx).is_err() {
        signal::force_sigsegv(ctx.k, ctx.tid, 0);
    }
}

fn restore(ctx: &mut Ctx<'_>) -> Result<(), Errno> {
    let mut regs = ctx.k.user_regs(ctx.tid);
    let base = regs.sp.wrapping_sub(8);
    let mut frame = [0u8; at::INFO];
    ctx.read_user(Addr(base), &mut frame)?;
    signal::set_blocked(ctx.k, ctx.tid, SigSet(get(&frame, at::SIGMASK)));

    let word = |i: usize| get(&frame, at::MCONTEXT + 8 * i);
    let cs = get(&frame, at::SEGMENTS) & 0xffff | 3;
    if cs != USER_CS {
        let place = format!("task {} at {:#x}", ctx.tid.0, regs.ip);
        ctx.k.gap(format!("rt_sigreturn to code segment {cs:#x}"), place);
        return Err(Errno::EFAULT);
    }
    regs = PtRegs {
        r8: word(0),
        r9: word(1),
        r10: word(2),
        r11: word(3),
        r12: word(4),
        r13: word(5),
        r14: word(6),
        r15: word(7),
        di: word(8),
        si: word(9),
        bp: word(10),
        bx: word(11),
        dx: word(12),
        ax: word(13),
        cx: word(14),
        sp: word(15),
        ip: word(16),
        flags: regs.flags & !FIX_EFLAGS | word(17) & FIX_EFLAGS,
        orig_ax: NO_SYSCALL,
        cs: USER_CS,
        ss: USER_SS,
    };
    ctx.k.set_user_regs(ctx.tid, &regs);
    restore_fp(ctx, get(&frame, at::FPSTATE))?;

    let flags = u32::try_from(get(&frame, at::STACK + 8) & 0xffff_ffff).unwrap_or(0);
    let stack = (get(&frame, at::STACK), get(&frame, at::STACK + 16), flags);
    // Errors other than of reading are squashed (restore_altstack).
    let _ = set_altstack(ctx.k, ctx.tid, stack, regs.sp);
    Ok(())
}

fn restore_fp(ctx: &mut Ctx<'_>, fp: u64) -> Result<(), Errno> {
    if fp == 0 {
        xsave::initialise(&mut ctx.task_mut().cpu);
        return Ok(());
    }
    let mut legacy = [0u8; xsave::FXSAVE_SIZE];
    ctx.read_user(Addr(fp), &mut legacy)?;
    let magic = get(&legacy, SW_RESERVED) & 0xffff_ffff;
    let full = (get(&legacy, SW_RESERVED + 16) & 0xffff_ffff) >= xsave::XSAVE_SIZE as u64;
    if has_xsave(ctx.task().cpu.model) && magic == u64::from(FP_XSTATE_MAGIC1) && full {
        let mut image = [0u8; xsave::XSAVE_SIZE];
        ctx.read_user(Addr(fp), &mut image)?;
        let magic2 = ctx.read_u32(Addr(fp + xsave::XSAVE_SIZE as u64))?;
        if magic2 == FP_XSTATE_MAGIC2 {
            let mask = get(&legacy, SW_RESERVED + 8);
            let cpu = &mut ctx.task_mut().cpu;
            xsave::xrstor(cpu, &image, mask & xsave::XFEATURES).map_err(|_| Errno::EFAULT)?;
            return Ok(());
        }
    }
    let cpu = &mut ctx.task_mut().cpu;
    cpu.ymm.iter_mut().for_each(|ymm| ymm[2..].fill(0));
    xsave::fxrstor(cpu, &legacy).map_err(|_| Errno::EFAULT)
}

/// Sets the alternate stack (do_sigaltstack): address, size, flags.
pub fn set_altstack(k: &mut Kernel, tid: TaskId, new: (u64, u64, u32), sp: u64) -> Result<(), Errno> {
    let task = k.task_mut(tid);
    if on_altstack(task.altstack, sp) {
        return Err(Errno::EPERM);
    }
    let mode = new.2 & !SS_AUTODISARM;
    match mode {
        SS_DISABLE => task.altstack = (0, 0, new.2),
        0 | SS_ONSTACK if new.1 < MINSIGSTKSZ => return Err(Errno::ENOMEM),
        0 | SS_ONSTACK => task.altstack = new,
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}
