//! Filters of system calls (seccomp(2)): programs of classic BPF, checked when they are installed, run before each call.
//!
//! Key types: [`Seccomp`] (what a task has), [`Filter`], [`Verdict`]. The handler is in `calls/seccomp.rs`.
//!
//! **Invariant**: an installed program ends, reads only the call's data and initialised scratch words, and divides by no
//! zero constant.

use std::sync::Arc;

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::ctx::Call;
use crate::kernel::Kernel;
use crate::task::TaskId;

/// `AUDIT_ARCH_X86_64`
pub const AUDIT_ARCH: u32 = 0xc000_003e;
/// Longest program.
pub const MAX_INSNS: usize = 4096;
/// Instructions of all programs of a task, each with four more.
const MAX_PATH: usize = 32_768;
/// Bytes of `struct seccomp_data`.
const DATA_SIZE: u32 = 64;

/// What a program returns: the action in the high half, data in the low.
#[allow(missing_docs, reason = "the names of seccomp(2)")]
pub mod ret {
    pub const KILL_PROCESS: u32 = 0x8000_0000;
    pub const KILL_THREAD: u32 = 0;
    pub const TRAP: u32 = 0x0003_0000;
    pub const ERRNO: u32 = 0x0005_0000;
    pub const USER_NOTIF: u32 = 0x7fc0_0000;
    pub const TRACE: u32 = 0x7ff0_0000;
    pub const LOG: u32 = 0x7ffc_0000;
    pub const ALLOW: u32 = 0x7fff_0000;
    pub const ACTION: u32 = 0xffff_0000;
    pub const DATA: u32 = 0xffff;
}

/// An instruction: `struct sock_filter`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    /// Class, size, mode.
    pub code: u16,
    /// Jump if true.
    pub jt: u8,
    /// Jump if false.
    pub jf: u8,
    /// Constant.
    pub k: u32,
}

/// A checked program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    insns: Vec<Insn>,
}

/// What a task has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seccomp {
    /// Only read, write, exit and rt_sigreturn (SECCOMP_MODE_STRICT).
    pub strict: bool,
    /// Programs, the oldest first.
    pub filters: persist::Vector<Arc<Filter>>,
}

impl Seccomp {
    /// As `prctl(PR_GET_SECCOMP)` gives it.
    #[must_use]
    pub fn mode(&self) -> u32 {
        match (self.strict, self.filters.is_empty()) {
            (true, _) => 1,
            (false, false) => 2,
            (false, true) => 0,
        }
    }
    /// Whether `other` has this one's programs first (is_ancestor).
    #[must_use]
    pub fn is_ancestor_of(&self, other: &Seccomp) -> bool {
        !self.strict
            && !other.strict
            && self.filters.len() <= other.filters.len()
            && self.filters.iter().zip(&other.filters).all(|(a, b)| Arc::ptr_eq(a, b) || a == b)
    }
    /// Adds a program. `ENOMEM` if all together get too long.
    pub fn add(&mut self, filter: Arc<Filter>) -> Result<(), Errno> {
        let total: usize = self.filters.iter().map(|filter| filter.insns.len() + 4).sum();
        if total + filter.insns.len() > MAX_PATH {
            return Err(Errno::ENOMEM);
        }
        self.filters.push_back(filter);
        Ok(())
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Run,
    /// It fails with this number; 0 is success.
    Fail(u16),
    /// SIGSYS with this data.
    Trap(u16),
    /// The tracer is asked, with this data.
    Ask(u16),
    /// The thread dies.
    KillThread,
    /// The process dies.
    KillProcess,
    /// The process dies of SIGKILL (strict mode).
    Kill,
}

const LD: u16 = 0;
const LDX: u16 = 1;
const ST: u16 = 2;
const STX: u16 = 3;
const ALU: u16 = 4;
const JMP: u16 = 5;
const RET: u16 = 6;
const MISC: u16 = 7;
/// Modes of loads.
const IMM: u16 = 0x00;
const ABS: u16 = 0x20;
const MEM: u16 = 0x60;
const LEN: u16 = 0x80;
/// The other operand is the index register.
const X: u16 = 0x08;

impl Filter {
    /// Checks a program (bpf_check_classic, seccomp_check_filter). `EINVAL`.
    pub fn new(insns: Vec<Insn>) -> Result<Filter, Errno> {
        if insns.is_empty() || insns.len() > MAX_INSNS {
            return Err(Errno::EINVAL);
        }
        let count = insns.len();
        // Scratch words known to be written, by the time an instruction is reached on every way.
        let mut known = vec![u16::MAX; count];
        let mut have = 0u16;
        for (at, insn) in insns.iter().enumerate() {
            have &= known[at];
            if !insn.is_allowed() {
                return Err(Errno::EINVAL);
            }
            let mut join = |offset: usize, have: u16| match at.checked_add(1 + offset) {
                Some(to) if to < count => {
                    known[to] &= have;
                    Ok(())
                }
                _ => Err(Errno::EINVAL),
            };
            match insn.code & 7 {
                ST | STX => have |= 1 << insn.k,
                LD | LDX if insn.code & 0xe0 == MEM && have & 1 << insn.k == 0 => return Err(Errno::EINVAL),
                JMP if insn.code & 0xf0 == 0 => {
                    join(usize::try_from(insn.k).unwrap_or(usize::MAX), have)?;
                    have = u16::MAX;
                }
                JMP => {
                    join(usize::from(insn.jt), have)?;
                    join(usize::from(insn.jf), have)?;
                    have = u16::MAX;
                }
                _ => {}
            }
        }
        match insns.last() {
            Some(last) if last.code & 7 == RET => Ok(Filter { insns }),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Runs the program over a call's data.
    fn run(&self, data: &[u32; 16]) -> u32 {
        let (mut a, mut x, mut mem) = (0u32, 0u32, [0u32; 16]);
        let mut at = 0;
        while let Some(insn) = self.insns.get(at) {
            at += 1;
            let slot = usize::try_from(insn.k).unwrap_or(0) & 15;
            let operand = if insn.code & X != 0 { x } else { insn.k };
            match insn.code & 7 {
                LD | LDX => {
                    let value = match insn.code & 0xe0 {
                        ABS => data[usize::try_from(insn.k / 4).unwrap_or(0) & 15],
                        MEM => mem[slot],
                        LEN => DATA_SIZE,
                        _ => insn.k,
                    };
                    *(if insn.code & 7 == LD { &mut a } else { &mut x }) = value;
                }
                ST => mem[slot] = a,
                STX => mem[slot] = x,
                ALU => match alu(insn.code & 0xf0, a, operand) {
                    Some(value) => a = value,
                    // A division by a register that is zero ends the program with 0.
                    None => return 0,
                },
                JMP => {
                    let skip = match insn.code & 0xf0 {
                        0x00 => insn.k,
                        op => u32::from(if jumps(op, a, operand) { insn.jt } else { insn.jf }),
                    };
                    at += usize::try_from(skip).unwrap_or(usize::MAX);
                }
                RET => return if insn.code & 0x18 == 0x10 { a } else { insn.k },
                _ if insn.code & 0xf8 == 0 => x = a,
                _ => a = x,
            }
        }
        0
    }
}

fn alu(op: u16, a: u32, b: u32) -> Option<u32> {
    Some(match op {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x20 => a.wrapping_mul(b),
        0x30 => a.checked_div(b)?,
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a.wrapping_shl(b),
        0x70 => a.wrapping_shr(b),
        0x80 => a.wrapping_neg(),
        _ => a ^ b,
    })
}

fn jumps(op: u16, a: u32, b: u32) -> bool {
    match op {
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        _ => a & b != 0,
    }
}

impl Insn {
    fn is_allowed(&self) -> bool {
        let (class, op, source) = (self.code & 7, self.code & 0xf0, self.code & X);
        match class {
            // Words only (the size bits are 0).
            LD => match self.code {
                0x20 => self.k < DATA_SIZE && self.k.is_multiple_of(4),
                0x60 => self.k < 16,
                IMM | 0x80 => true,
                _ => false,
            },
            LDX => match self.code {
                0x61 => self.k < 16,
                0x01 | 0x81 => true,
                _ => false,
            },
            ST | STX => matches!(self.code, 2 | 3) && self.k < 16,
            ALU => match op {
                0x30 => source != 0 || self.k != 0,
                0x60 | 0x70 => source != 0 || self.k < 32,
                0x80 => source == 0,
                0x00 | 0x10 | 0x20 | 0x40 | 0x50 | 0xa0 => true,
                _ => false,
            },
            JMP => match op {
                0x00 => source == 0,
                0x10 | 0x20 | 0x30 | 0x40 => true,
                _ => false,
            },
            RET => matches!(self.code, 0x06 | 0x16),
            MISC => matches!(self.code, 0x07 | 0x87),
            _ => false,
        }
    }
}

/// `struct seccomp_data` in words.
fn data_of(call: &Call, ip: u64) -> [u32; 16] {
    let halves = |value: u64| [value & 0xffff_ffff, value >> 32].map(|half| u32::try_from(half).unwrap_or(0));
    let mut data = [0; 16];
    data[0] = halves(call.nr)[0];
    data[1] = AUDIT_ARCH;
    [data[2], data[3]] = halves(ip);
    for (slot, arg) in data[4..].chunks_exact_mut(2).zip(call.args) {
        slot.copy_from_slice(&halves(arg));
    }
    data
}

/// What the filters of a task say about a call; the strictest wins.
#[must_use]
pub fn judge(k: &Kernel, tid: TaskId, call: &Call) -> Verdict {
    let Some(task) = k.tasks.get(tid) else { return Verdict::Run };
    if task.seccomp.strict {
        let allowed = matches!(call.nr, 0 | 1 | 15 | 60);
        return if allowed { Verdict::Run } else { Verdict::Kill };
    }
    let data = data_of(call, k.user_regs(tid).ip);
    let mut worst = ret::ALLOW;
    for filter in task.seccomp.filters.iter().rev() {
        let value = filter.run(&data);
        if (value & ret::ACTION).cast_signed() < (worst & ret::ACTION).cast_signed() {
            worst = value;
        }
    }
    let low = u16::try_from(worst & ret::DATA).unwrap_or(0);
    match worst & ret::ACTION {
        ret::ALLOW | ret::LOG => Verdict::Run,
        ret::ERRNO => Verdict::Fail(low.min(4095)),
        ret::TRAP => Verdict::Trap(low),
        ret::TRACE => Verdict::Ask(low),
        // There is no listener.
        ret::USER_NOTIF => Verdict::Fail(Errno::ENOSYS.0),
        ret::KILL_THREAD => Verdict::KillThread,
        _ => Verdict::KillProcess,
    }
}
