//! The state of one x86-64 processor as a program in 64-bit mode sees it, and the exceptions it raises.
//!
//! Key types: [`Cpu`], [`Exception`], [`Vector`], [`CpuModel`]. Neighbours: [`crate::exec`] changes this state,
//! [`crate::engine`] drives it.
//!
//! **Invariant**: plain data, no pointer, no handle. At every engine exit every field is exact: no lazily kept
//! flag is outstanding, and `rip` and `icount` stand at an instruction boundary.

pub mod features;
pub mod xsave;

/// Indices into [`Cpu::regs`], in the encoding order of the instruction set.
pub mod reg {
    /// rax
    pub const RAX: usize = 0;
    /// rcx
    pub const RCX: usize = 1;
    /// rdx
    pub const RDX: usize = 2;
    /// rbx
    pub const RBX: usize = 3;
    /// rsp
    pub const RSP: usize = 4;
    /// rbp
    pub const RBP: usize = 5;
    /// rsi
    pub const RSI: usize = 6;
    /// rdi
    pub const RDI: usize = 7;
    /// r8
    pub const R8: usize = 8;
    /// r9
    pub const R9: usize = 9;
    /// r10
    pub const R10: usize = 10;
    /// r11
    pub const R11: usize = 11;
    /// r12
    pub const R12: usize = 12;
    /// r13
    pub const R13: usize = 13;
    /// r14
    pub const R14: usize = 14;
    /// r15
    pub const R15: usize = 15;
}

bitflags::bitflags! {
    /// Bits of the rflags register (SDM volume 1, 3.4.3).
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct RFlags: u64 {
        /// Carry.
        const CF = 1 << 0;
        /// Always one.
        const FIXED = 1 << 1;
        /// Parity.
        const PF = 1 << 2;
        /// Auxiliary carry.
        const AF = 1 << 4;
        /// Zero.
        const ZF = 1 << 6;
        /// Sign.
        const SF = 1 << 7;
        /// Trap: single step.
        const TF = 1 << 8;
        /// Interrupt enable.
        const IF = 1 << 9;
        /// Direction.
        const DF = 1 << 10;
        /// Overflow.
        const OF = 1 << 11;
        /// Nested task.
        const NT = 1 << 14;
        /// Resume.
        const RF = 1 << 16;
        /// Alignment check.
        const AC = 1 << 18;
        /// CPUID may be used.
        const ID = 1 << 21;
    }
}

impl RFlags {
    /// The six arithmetic status flags.
    pub const STATUS: RFlags =
        RFlags::CF.union(RFlags::PF).union(RFlags::AF).union(RFlags::ZF).union(RFlags::SF).union(RFlags::OF);
}

/// Which instruction-set level CPUID claims and the decoder accepts (`--cpu`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum CpuModel {
    /// x86-64-v1: the baseline, SSE2.
    #[default]
    V1,
    /// x86-64-v2: to SSE4.2, POPCNT, CMPXCHG16B.
    V2,
    /// x86-64-v3: AVX2, FMA, BMI, F16C, LZCNT, MOVBE; with AES, PCLMULQDQ, SHA, ADX as far as implemented.
    V3,
}

impl CpuModel {
    /// What CPUID answers: eax, ebx, ecx, edx of a leaf and subleaf.
    #[must_use]
    pub fn cpuid(self, leaf: u32, subleaf: u32) -> [u32; 4] {
        crate::exec::cpuid::leaf(self, leaf, subleaf)
    }
}

/// Exception vectors (SDM volume 3, table 6-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Vector {
    /// #DE, divide error.
    DivideError = 0,
    /// #DB, debug (single step, `int1`).
    Debug = 1,
    /// #BP, `int3`.
    Breakpoint = 3,
    /// #OF, `into`.
    Overflow = 4,
    /// #BR, `bound`.
    BoundRange = 5,
    /// #UD, invalid opcode.
    InvalidOpcode = 6,
    /// #NM, device not available.
    DeviceNotAvailable = 7,
    /// #SS, stack fault (a non-canonical address through rsp or rbp).
    StackFault = 12,
    /// #GP, general protection.
    GeneralProtection = 13,
    /// #PF, page fault.
    PageFault = 14,
    /// #MF, x87 error.
    X87 = 16,
    /// #AC, alignment check.
    AlignmentCheck = 17,
    /// #XM, SIMD floating point.
    Simd = 19,
}

/// Error-code bits of a page fault (SDM volume 3, 4.7).
pub mod pf {
    /// Set: a protection violation; clear: the page is not present.
    pub const PRESENT: u32 = 1;
    /// Set: the access was a write.
    pub const WRITE: u32 = 2;
    /// Set: the access was made in user mode.
    pub const USER: u32 = 4;
    /// Set: the access was an instruction fetch.
    pub const FETCH: u32 = 16;
}

/// Bit of dr6: a single step.
pub const DR6_BS: u64 = 1 << 14;

/// An exception. The processor state is that before the faulting instruction, except for traps (`#BP` and a
/// single-step `#DB`), whose rip is that of the next instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception {
    /// Which.
    pub vector: Vector,
    /// The error code pushed by the processor; 0 where the vector has none.
    pub error_code: u32,
    /// cr2, the faulting linear address, of a page fault; dr6 of a `#DB`: [`DR6_BS`] or 0; 0 otherwise.
    pub address: u64,
}

impl Exception {
    /// An exception without error code and address.
    #[must_use]
    pub const fn new(vector: Vector) -> Self {
        Exception { vector, error_code: 0, address: 0 }
    }
    /// `#GP(0)`.
    #[must_use]
    pub const fn gp() -> Self {
        Exception::new(Vector::GeneralProtection)
    }
    /// `#DB` of a single step.
    #[must_use]
    pub const fn single_step() -> Self {
        Exception { vector: Vector::Debug, error_code: 0, address: DR6_BS }
    }
    /// `#UD`.
    #[must_use]
    pub const fn ud() -> Self {
        Exception::new(Vector::InvalidOpcode)
    }
    /// A page fault at `address` with an error code of [`pf`] bits.
    #[must_use]
    pub const fn page_fault(address: u64, error_code: u32) -> Self {
        Exception { vector: Vector::PageFault, error_code, address }
    }
}

/// An 80-bit extended-precision number as it lies in memory: 64-bit significand, then sign and 15-bit exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct F80 {
    /// Significand with explicit integer bit.
    pub mantissa: u64,
    /// Bit 15: sign; bits 14..0: biased exponent.
    pub sign_exp: u16,
}

/// The x87 unit. Physical registers: `st(i)` is `regs[(top + i) & 7]`. MMX register i is `regs[i].mantissa`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct X87 {
    /// Physical registers.
    pub regs: [F80; 8],
    /// Control word.
    pub control: u16,
    /// Status word without the TOP field, which is `top`.
    pub status: u16,
    /// Bit i set: physical register i is in use (the abridged tag of FXSAVE).
    pub in_use: u8,
    /// Index of the physical register that is st(0).
    pub top: u8,
    /// Opcode (11 bits) of the last instruction that was no control instruction.
    pub opcode: u16,
    /// Its address.
    pub ip: u64,
    /// The address of the last operand in memory.
    pub dp: u64,
    /// The selector beside `ip`.
    pub code: u16,
    /// The selector beside `dp`.
    pub data: u16,
}

impl Default for X87 {
    /// The state after FNINIT.
    fn default() -> Self {
        X87 {
            regs: [F80::default(); 8],
            control: 0x37f,
            status: 0,
            in_use: 0,
            top: 0,
            opcode: 0,
            ip: 0,
            dp: 0,
            code: 0,
            data: 0,
        }
    }
}

/// A 256-bit vector register as four little-endian quadwords.
pub type Ymm = [u64; 4];

/// Selectors of a 64-bit program on Linux: es, cs, ss, ds, fs, gs, in the encoding order of the instruction set.
pub const SELECTORS: [u16; 6] = [0, 0x33, 0x2b, 0, 0, 0];

/// One processor. See the module documentation for the invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(C)]
pub struct Cpu {
    /// General registers, indexed by [`reg`].
    pub regs: [u64; 16],
    /// Address of the next instruction.
    pub rip: u64,
    /// rflags, exact at every engine exit.
    pub rflags: u64,
    /// Retired instructions since this task began. A `rep` iteration counts as one; a faulting instruction does
    /// not count; the `syscall` itself does.
    pub icount: u64,
    /// fs segment base.
    pub fs_base: u64,
    /// gs segment base.
    pub gs_base: u64,
    /// Selectors of es, cs, ss, ds, fs, gs. Code and stack are always [`SELECTORS`]'s: no program leaves 64-bit mode.
    pub selectors: [u16; 6],
    /// Current privilege level: 0 or 3.
    pub cpl: u8,
    /// What CPUID claims.
    pub model: CpuModel,
    /// Value that RDPID and the low part of RDTSCP's ecx give.
    pub tsc_aux: u32,
    /// MXCSR.
    pub mxcsr: u32,
    /// x87 and MMX.
    pub x87: X87,
    /// ymm0 to ymm15; the xmm registers are the low two quadwords.
    pub ymm: [Ymm; 16],
}

impl Cpu {
    /// A processor as Linux hands it to a new program: user mode, all registers zero, default FP control.
    #[must_use]
    pub fn new(model: CpuModel) -> Self {
        Cpu {
            regs: [0; 16],
            rip: 0,
            rflags: (RFlags::FIXED | RFlags::IF).bits(),
            icount: 0,
            fs_base: 0,
            gs_base: 0,
            selectors: SELECTORS,
            cpl: 3,
            model,
            tsc_aux: 0,
            mxcsr: 0x1f80,
            x87: X87::default(),
            ymm: [[0; 4]; 16],
        }
    }
}
