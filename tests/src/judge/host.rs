//! Runs one instruction on the host's processor, inside this process.
//!
//! Key type: [`Host`]. A trap enters a signal handler, which swaps the interrupted state for the guest's; returning
//! from the signal loads all of it at once. The instruction, or the breakpoint behind it, traps again, and the
//! handler takes the state out and puts the host's back. No code of ours runs with guest registers.
//!
//! **Invariant**: everything a worker needs in the handler lies in its own region, found from the address of the
//! signal stack; so workers on several threads do not meet.

use super::{After, CODE_PAGE, CONTROL, Case, End, Image, READ_ONLY, REGION, STACK, STACK_SIZE};
use emu_core::cpu::{Cpu, CpuModel, F80};
use std::io;
use std::ptr;

const MAGIC: u64 = 0x6a75_6467_6521;
/// Room for the state that XSAVE keeps; larger frames are refused.
const XSAVE_MAX: usize = 16384;

/// Offsets in an XSAVE area.
mod xsave {
    pub(super) const MXCSR: usize = 24;
    pub(super) const ST: usize = 32;
    pub(super) const XMM: usize = 160;
    pub(super) const SOFTWARE: usize = 464;
    pub(super) const HEADER: usize = 512;
    pub(super) const YMM: usize = 576;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
enum Phase {
    Idle,
    Entering,
    Running,
}

#[repr(C)]
struct Control {
    magic: u64,
    phase: Phase,
    gregs: [i64; 23],
    xsave_size: usize,
    xsave: [u8; XSAVE_MAX],
    guest: Cpu,
    trap: u64,
    error: u64,
    cr2: u64,
    host_fs: u64,
    host_gs: u64,
}

/// What of the processor a signal frame does not hold.
mod hidden {
    use std::arch::asm;

    /// `HWCAP2_FSGSBASE` (arch/x86/include/uapi/asm/hwcap2.h).
    const FSGSBASE: u64 = 2;

    /// Whether programs may use RDFSBASE and its kin.
    pub(super) fn available() -> bool {
        // SAFETY: no memory is involved.
        unsafe { libc::getauxval(libc::AT_HWCAP2) & FSGSBASE != 0 }
    }

    /// The bases of fs and gs.
    #[inline(always)]
    pub(super) fn bases() -> (u64, u64) {
        let (fs, gs): (u64, u64);
        // SAFETY: reads registers; `available` was asked before the first case.
        unsafe {
            asm!("rdfsbase {}", "rdgsbase {}", out(reg) fs, out(reg) gs, options(nomem, nostack, preserves_flags));
        }
        (fs, gs)
    }

    /// Sets the bases of fs and gs.
    ///
    /// # Safety
    /// Until they are set back nothing may look at thread-local data. Both are canonical.
    #[inline(always)]
    pub(super) unsafe fn set_bases(fs: u64, gs: u64) {
        // SAFETY: the caller's promise.
        unsafe {
            asm!("wrfsbase {}", "wrgsbase {}", in(reg) fs, in(reg) gs, options(nostack, preserves_flags));
        }
    }

    /// Selectors in the order of [`emu_core::cpu::Cpu::selectors`], code and stack as they always are.
    #[inline(always)]
    pub(super) fn selectors() -> [u16; 6] {
        let mut s = emu_core::cpu::SELECTORS;
        // SAFETY: reads registers.
        unsafe {
            asm!("mov {0:x}, es", "mov {1:x}, ds", "mov {2:x}, fs", "mov {3:x}, gs",
                out(reg) s[0], out(reg) s[3], out(reg) s[4], out(reg) s[5],
                options(nomem, nostack, preserves_flags));
        }
        s
    }

    /// Clears the selectors of data, and with them the bases of fs and gs.
    ///
    /// # Safety
    /// The bases must be set back.
    #[inline(always)]
    pub(super) unsafe fn clear_selectors() {
        // SAFETY: the null selector may be loaded; the caller sets the bases back.
        unsafe {
            asm!("mov es, {0:x}", "mov ds, {0:x}", "mov fs, {0:x}", "mov gs, {0:x}", in(reg) 0u64,
                options(nostack, preserves_flags));
        }
    }

    /// Clears alignment check, nested task and ID: a handler inherits them.
    #[inline(always)]
    pub(super) fn clear_flags() {
        // SAFETY: below the red zone; the flags are none the compiler uses.
        unsafe {
            asm!("sub rsp, 128", "pushfq", "and qword ptr [rsp], ~0x244000", "popfq", "add rsp, 128");
        }
    }
}

/// General registers in the order of the instruction set, as indices into `gregs`.
const GREGS: [i32; 16] = [
    libc::REG_RAX,
    libc::REG_RCX,
    libc::REG_RDX,
    libc::REG_RBX,
    libc::REG_RSP,
    libc::REG_RBP,
    libc::REG_RSI,
    libc::REG_RDI,
    libc::REG_R8,
    libc::REG_R9,
    libc::REG_R10,
    libc::REG_R11,
    libc::REG_R12,
    libc::REG_R13,
    libc::REG_R14,
    libc::REG_R15,
];
/// Flags that a case may set: status, direction, alignment check.
const FLAGS: u64 = 0x4_0cd5;
/// Flags that a case may look at: besides, nested task and ID.
const SEEN: u64 = 0x24_4cd5;

/// Puts `cpu` into a signal frame.
///
/// # Safety
/// `xs` points at the XSAVE area of the frame, with AVX state in it.
unsafe fn put(cpu: &Cpu, gregs: &mut [i64; 23], xs: *mut u8) {
    for (value, at) in cpu.regs.iter().zip(GREGS) {
        gregs[at as usize] = value.cast_signed();
    }
    gregs[libc::REG_RIP as usize] = cpu.rip.cast_signed();
    let flags = gregs[libc::REG_EFL as usize].cast_unsigned() & !FLAGS | cpu.rflags & FLAGS;
    gregs[libc::REG_EFL as usize] = flags.cast_signed();
    let x = &cpu.x87;
    // SAFETY: all offsets lie in the area.
    unsafe {
        ptr::write_bytes(xs, 0, 24);
        xs.cast::<u16>().write_unaligned(x.control);
        xs.add(2).cast::<u16>().write_unaligned(x.status | u16::from(x.top) << 11);
        xs.add(4).write(x.in_use);
        xs.add(xsave::MXCSR).cast::<u32>().write_unaligned(cpu.mxcsr);
        for i in 0..8u8 {
            let from = x.regs[usize::from((x.top + i) & 7)];
            let to = xs.add(xsave::ST + 16 * usize::from(i));
            to.cast::<u64>().write_unaligned(from.mantissa);
            to.add(8).cast::<u64>().write_unaligned(u64::from(from.sign_exp));
        }
        for (i, ymm) in cpu.ymm.iter().enumerate() {
            for half in 0..2 {
                xs.add(xsave::XMM + 16 * i + 8 * half).cast::<u64>().write_unaligned(ymm[half]);
                xs.add(xsave::YMM + 16 * i + 8 * half).cast::<u64>().write_unaligned(ymm[half + 2]);
            }
        }
        let components = xs.add(xsave::HEADER).cast::<u64>();
        components.write_unaligned(components.read_unaligned() | 7);
    }
}

/// Takes the state out of a signal frame.
///
/// # Safety
/// As for [`put`].
unsafe fn take(cpu: &mut Cpu, gregs: &[i64; 23], xs: *const u8) {
    for (value, at) in cpu.regs.iter_mut().zip(GREGS) {
        *value = gregs[at as usize].cast_unsigned();
    }
    cpu.rip = gregs[libc::REG_RIP as usize].cast_unsigned();
    cpu.rflags = cpu.rflags & !SEEN | gregs[libc::REG_EFL as usize].cast_unsigned() & SEEN;
    // SAFETY: all offsets lie in the area.
    unsafe {
        let components = xs.add(xsave::HEADER).cast::<u64>().read_unaligned();
        let x = &mut cpu.x87;
        if components & 1 != 0 {
            x.control = xs.cast::<u16>().read_unaligned();
            let status = xs.add(2).cast::<u16>().read_unaligned();
            x.status = status & !0x3800;
            x.top = (status >> 11 & 7) as u8;
            x.in_use = xs.add(4).read();
            x.opcode = xs.add(6).cast::<u16>().read_unaligned();
            x.ip = xs.add(8).cast::<u64>().read_unaligned();
            x.dp = xs.add(16).cast::<u64>().read_unaligned();
            for i in 0..8u8 {
                let from = xs.add(xsave::ST + 16 * usize::from(i));
                x.regs[usize::from((x.top + i) & 7)] = F80 {
                    mantissa: from.cast::<u64>().read_unaligned(),
                    sign_exp: from.add(8).cast::<u16>().read_unaligned(),
                };
            }
        } else {
            *x = emu_core::cpu::X87::default();
        }
        cpu.mxcsr = xs.add(xsave::MXCSR).cast::<u32>().read_unaligned();
        for (i, ymm) in cpu.ymm.iter_mut().enumerate() {
            for half in 0..2 {
                let word = |bit: u64, at: usize| {
                    if components & bit == 0 { 0 } else { xs.add(at).cast::<u64>().read_unaligned() }
                };
                ymm[half] = word(2, xsave::XMM + 16 * i + 8 * half);
                ymm[half + 2] = word(4, xsave::YMM + 16 * i + 8 * half);
            }
        }
    }
}

extern "C" fn handler(signal: i32, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    hidden::clear_flags();
    let (fs, gs) = hidden::bases();
    let selectors = hidden::selectors();
    let local = 0u8;
    let region = (&raw const local).addr() as u64 & !(REGION - 1);
    let control = ptr::with_exposed_provenance_mut::<Control>((region + CONTROL) as usize);
    // SAFETY: the handler runs on the signal stack of a worker, in whose region the control block is mapped; other
    // threads have no such stack and this handler is entered there only on a stack outside any region, whose
    // control page is not mapped: that crash is then what it would have been anyway.
    unsafe {
        let frame = &mut *context.cast::<libc::ucontext_t>();
        let control = &mut *control;
        let xs = frame.uc_mcontext.fpregs.cast::<u8>();
        let size = xs.add(xsave::SOFTWARE + 4).cast::<u32>().read_unaligned() as usize;
        match control.phase {
            Phase::Entering if control.magic == MAGIC && size > xsave::YMM && size <= XSAVE_MAX => {
                control.gregs = frame.uc_mcontext.gregs;
                control.xsave_size = size;
                ptr::copy_nonoverlapping(xs, control.xsave.as_mut_ptr(), size);
                put(&control.guest, &mut frame.uc_mcontext.gregs, xs);
                control.phase = Phase::Running;
                (control.host_fs, control.host_gs) = (fs, gs);
                hidden::set_bases(control.guest.fs_base, control.guest.gs_base);
            }
            Phase::Running if control.magic == MAGIC => {
                if selectors != emu_core::cpu::SELECTORS {
                    hidden::clear_selectors();
                }
                hidden::set_bases(control.host_fs, control.host_gs);
                (control.guest.fs_base, control.guest.gs_base) = (fs, gs);
                control.guest.selectors = selectors;
                take(&mut control.guest, &frame.uc_mcontext.gregs, xs);
                control.trap = frame.uc_mcontext.gregs[libc::REG_TRAPNO as usize].cast_unsigned();
                control.error = frame.uc_mcontext.gregs[libc::REG_ERR as usize].cast_unsigned();
                control.cr2 = frame.uc_mcontext.gregs[libc::REG_CR2 as usize].cast_unsigned();
                frame.uc_mcontext.gregs = control.gregs;
                ptr::copy_nonoverlapping(control.xsave.as_ptr(), xs, control.xsave_size);
                control.phase = Phase::Idle;
            }
            _ => {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}

/// One worker's place on the host's processor.
#[derive(Debug)]
pub struct Host {
    region: u64,
}

fn map(at: u64, length: usize, protection: i32) -> io::Result<()> {
    // SAFETY: NOREPLACE never touches an existing mapping.
    let got = unsafe {
        libc::mmap(
            ptr::with_exposed_provenance_mut(at as usize),
            length,
            protection,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE,
            -1,
            0,
        )
    };
    if got.addr() as u64 == at { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Host {
    /// Prepares the calling thread, and only it, to run cases in the region of worker `index`.
    pub fn new(index: u64) -> io::Result<Host> {
        if !hidden::available() {
            return Err(io::Error::other("the kernel does not let programs set the bases of fs and gs"));
        }
        let region = super::region_of(index);
        let (rw, rwx) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC);
        map(region + CODE_PAGE, 4096, rwx)?;
        map(region + READ_ONLY, super::DATA_SIZE, rw)?;
        map(region + CONTROL, size_of::<Control>(), rw)?;
        map(region + STACK, STACK_SIZE, rw)?;
        // SAFETY: the mappings were just made and belong to this worker; the handler is async-signal-safe.
        unsafe {
            let control = ptr::with_exposed_provenance_mut::<Control>((region + CONTROL) as usize);
            control.write(Control {
                magic: MAGIC,
                phase: Phase::Idle,
                gregs: [0; 23],
                xsave_size: 0,
                xsave: [0; XSAVE_MAX],
                guest: Cpu::new(CpuModel::V3),
                trap: 0,
                error: 0,
                cr2: 0,
                host_fs: 0,
                host_gs: 0,
            });
            let stack = libc::stack_t {
                ss_sp: ptr::with_exposed_provenance_mut((region + STACK) as usize),
                ss_flags: 0,
                ss_size: STACK_SIZE,
            };
            if libc::sigaltstack(&raw const stack, ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigfillset(&raw mut action.sa_mask);
            for signal in [libc::SIGTRAP, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
                if libc::sigaction(signal, &raw const action, ptr::null_mut()) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
        }
        let host = Host { region };
        host.protect(libc::PROT_READ);
        Ok(host)
    }

    fn protect(&self, protection: i32) {
        // SAFETY: the page is this worker's.
        unsafe {
            libc::mprotect(
                ptr::with_exposed_provenance_mut((self.region + READ_ONLY) as usize),
                4096,
                protection,
            );
        }
    }

    /// Runs one case.
    pub fn run(&mut self, case: &Case) -> After {
        let control = ptr::with_exposed_provenance_mut::<Control>((self.region + CONTROL) as usize);
        let data = ptr::with_exposed_provenance_mut::<u8>((self.region + READ_ONLY) as usize);
        let code = ptr::with_exposed_provenance_mut::<u8>((self.region + CODE_PAGE) as usize);
        let image = case.image();
        // The first page is read-only while the instruction runs.
        // SAFETY: the handler touches only this worker's region; the guest's instruction can reach what the
        // generator lets it.
        unsafe {
            if std::slice::from_raw_parts(data, 4096) != &image.0[..4096] {
                self.protect(libc::PROT_READ | libc::PROT_WRITE);
                ptr::copy_nonoverlapping(image.0.as_ptr(), data, 4096);
                self.protect(libc::PROT_READ);
            }
            ptr::copy_nonoverlapping(image.0.as_ptr().add(4096), data.add(4096), super::DATA_SIZE - 4096);
            ptr::write_bytes(code, 0xcc, 4096);
            let at = (case.before.rip & 0xfff) as usize;
            let fits = case.bytes.len().min(4096 - at);
            ptr::copy_nonoverlapping(case.bytes.as_ptr(), code.add(at), fits);
            (*control).guest = case.before.clone();
            (*control).phase = Phase::Entering;
            std::arch::asm!("int3");
            let mut cpu = (*control).guest.clone();
            let breakpoint = (*control).trap == 3;
            let fetch = (*control).trap == 14 && (*control).cr2 == cpu.rip && cpu.rip != case.before.rip;
            let end = if breakpoint {
                cpu.rip -= 1;
                End::Done
            } else if fetch {
                End::Done
            } else {
                let page_fault = (*control).trap == 14;
                End::Fault {
                    vector: (*control).trap as u8,
                    error: if matches!((*control).trap, 12..=14 | 17) { (*control).error as u32 } else { 0 },
                    address: if page_fault { (*control).cr2 } else { 0 },
                }
            };
            let mut after = Image::default();
            ptr::copy_nonoverlapping(data, after.0.as_mut_ptr(), super::DATA_SIZE);
            After { cpu, image: after, end }
        }
    }
}
