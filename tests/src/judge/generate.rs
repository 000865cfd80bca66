//! Makes cases: the bytes of an instruction of a given form, operands that point at the data pages or deliberately
//! not, and a state full of edges.
//!
//! **Invariant**: no case can leave the worker's region other than by a fault, or run an instruction that is not in its
//! bytes.

use super::encode::{encode, judged, spoil};
use super::values::Random;
use super::{CODE_PAGE, Case, READ_ONLY, WRITABLE, compare, machine, special};
use emu_core::cpu::{Cpu, CpuModel, X87};
use emu_core::decode::OPTIONS;
use std::sync::atomic::Ordering;

use iced_x86::{
    Code, ConstantOffsets, Decoder, DecoderError, DecoderOptions, FlowControl, Instruction,
    InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register, UsedMemory,
};

/// Makes cases for one worker.
#[derive(Debug)]
pub struct Generator {
    /// The source of everything.
    pub random: Random,
    region: u64,
    info: InstructionInfoFactory,
    /// Forms that may stand before another in a sequence; empty: no sequences.
    plain: Vec<Code>,
    /// Whether some encodings are spoiled.
    spoils: bool,
}

/// Registers that point at data in a sequence.
const POINTERS: [usize; 7] = [3, 4, 5, 6, 7, 12, 13];

/// Index of a general register in the order of the instruction set, of any width.
pub(super) fn general(register: Register) -> Option<usize> {
    let full = register.full_register();
    (Register::RAX..=Register::R15).contains(&full).then(|| full as usize - Register::RAX as usize)
}

impl Generator {
    /// A generator for the region of worker `index`.
    #[must_use]
    pub fn new(seed: u64, index: u64) -> Self {
        let mut random = Random(seed);
        random.0 ^= Random(index).bits();
        Generator {
            random,
            region: super::region_of(index),
            info: InstructionInfoFactory::new(),
            plain: Vec::new(),
            spoils: false,
        }
    }

    /// Makes sequences and spoiled encodings too; `codes` are the forms to make sequences of.
    pub fn mix(&mut self, codes: &[Code]) {
        self.plain = codes.iter().copied().filter(|code| judged(*code) && plain(*code)).collect();
        self.spoils = true;
    }

    /// A case for `code`; `None` if no bytes for it were found.
    pub fn case(&mut self, code: Code) -> Option<Case> {
        if !self.plain.is_empty()
            && self.random.one_in(6)
            && let Some(case) = self.sequence(code)
        {
            return Some(case);
        }
        for _ in 0..60 {
            let mut bytes = encode(&mut self.random, code);
            let rip = self.rip();
            let spoiled = self.spoils && self.random.one_in(16);
            if spoiled {
                spoil(&mut self.random, &mut bytes);
            }
            bytes.truncate(15);
            let mut decoder = Decoder::with_ip(64, &bytes, rip, OPTIONS);
            let instruction = decoder.decode();
            if instruction.code() != code {
                let long = decoder.last_error() == DecoderError::NoMoreBytes;
                if spoiled && instruction.is_invalid() && (!long || bytes.len() == 15) {
                    let lax = OPTIONS | DecoderOptions::NO_INVALID_CHECK;
                    let meant = Decoder::with_ip(64, &bytes, rip, lax).decode().code();
                    if rip & 0xfff > 0xf00 || lenient(code) || lenient(meant) || evex(&bytes) {
                        continue;
                    }
                    let before = self.state(rip);
                    return Some(Case { region: self.region, bytes, before, memory: Vec::new() });
                }
                if !(spoiled && judged(instruction.code()) && machine::implemented(instruction.code())) {
                    continue;
                }
            }
            let offsets = decoder.get_constant_offsets(&instruction);
            bytes.truncate(instruction.len());
            if let Some(case) = self.finish(&instruction, offsets, bytes, rip) {
                return Some(case);
            }
        }
        None
    }

    fn rip(&mut self) -> u64 {
        let r = &mut self.random;
        let at = if r.one_in(80) { 0x1000 - 1 - r.below(15) } else { 0x800 + r.below(64) };
        self.region + CODE_PAGE + at
    }

    /// How often a string instruction repeats: a few times, over a page or two, or beyond all that is mapped.
    fn repetitions(&mut self) -> u64 {
        let r = &mut self.random;
        match r.below(8) {
            0 => r.below(0x800),
            1 => r.below(0x100),
            2 if r.one_in(8) => r.integer(),
            _ => r.below(9),
        }
    }

    /// An address near another, or the same.
    fn beside(&mut self, target: u64) -> u64 {
        let r = &mut self.random;
        let distance = match r.below(4) {
            0 => 0,
            1 => r.below(0x400),
            _ => r.below(40),
        };
        if r.one_in(2) { target.wrapping_add(distance) } else { target.wrapping_sub(distance) }
    }

    fn code_address(&mut self) -> u64 {
        self.region + CODE_PAGE + 0x100 + self.random.below(0x600)
    }

    /// An address to point an operand at.
    fn target(&mut self) -> u64 {
        let (start, writable) = (self.region + READ_ONLY, self.region + WRITABLE);
        let end = writable + 0x2000;
        let r = &mut self.random;
        match r.below(48) {
            0 => end + r.below(0x800),
            1 | 2 => end - r.below(40),
            3 => start + r.below(0xfc0),
            4 => writable - r.below(40),
            5 => start - r.below(40),
            6 => r.pick(&[
                0x8000_0000_0000_0000,
                0x0000_7fff_ffff_fff8,
                0x0000_8000_0000_0000,
                0xffff_7fff_ffff_fffc,
            ]),
            7 => r.integer(),
            8..=11 => writable + 0x1000 - r.below(40),
            12..=19 => writable + r.below(0x1f00),
            _ => writable + 0x40 * (1 + r.below(0x70)),
        }
    }

    fn state(&mut self, rip: u64) -> Cpu {
        let r = &mut self.random;
        let mut cpu = Cpu::new(CpuModel::V3);
        cpu.rip = rip;
        cpu.regs = std::array::from_fn(|_| r.integer());
        cpu.rflags |= r.bits() & 0x8d5;
        if r.one_in(16) {
            cpu.rflags |= 0x4_0000;
        }
        cpu.fs_base = self.base();
        cpu.gs_base = self.base();
        let r = &mut self.random;
        if r.one_in(6) {
            cpu.rflags |= 0x400;
        }
        for i in 0..16 {
            cpu.ymm[i] = if i > 0 && r.one_in(6) { cpu.ymm[i - 1] } else { r.vector() };
        }
        cpu.mxcsr = match r.below(6) {
            0 | 1 => 0x1f80,
            2 => 0x1fa0,
            3 => 0x1f80 | r.bits() as u32 & 0xe07f,
            4 => 0x1f80 | r.bits() as u32 & 0x6000,
            _ => r.bits() as u32 & 0xffff,
        };
        cpu.x87 = Self::x87(r);
        cpu
    }

    /// A base of a segment.
    fn base(&mut self) -> u64 {
        let r = &mut self.random;
        match r.below(4) {
            0 => self.region + r.below(0x8000),
            1 => r.below(0x2000_0000),
            2 => (r.integer().cast_signed() << 16 >> 16).cast_unsigned(),
            _ => (r.bits().cast_signed() << 16 >> 16).cast_unsigned(),
        }
    }

    fn x87(r: &mut Random) -> X87 {
        let control = match r.below(4) {
            0 | 1 => 0x37f,
            2 => 0x7f | r.pick(&[0, 2, 3, 1]) << 8 | (r.below(4) as u16) << 10,
            _ => 0x40 | r.bits() as u16 & 0x3f | r.pick(&[0, 2, 3]) << 8 | (r.below(4) as u16) << 10,
        };
        let mut status = r.bits() as u16 & 0x477f;
        if !r.one_in(10) {
            status &= control & 0x3f | !0x3f;
        }
        if status & !control & 0x3f != 0 {
            status |= 0x8080;
        }
        let mut x87 = X87 { control, status, ..X87::default() };
        x87.top = r.below(8) as u8;
        x87.in_use = if r.one_in(3) { r.bits() as u8 } else { 0xff };
        for register in &mut x87.regs {
            *register = r.extended();
        }
        x87
    }

    /// Makes registers and displacements point somewhere sensible.
    fn finish(
        &mut self,
        instruction: &Instruction,
        offsets: ConstantOffsets,
        mut bytes: Vec<u8>,
        rip: u64,
    ) -> Option<Case> {
        let used: Vec<UsedMemory> = self.info.info(instruction).used_memory().to_vec();
        let mut cpu = self.state(rip);
        let mut memory = Vec::new();
        if instruction.has_rep_prefix() || instruction.has_repne_prefix() {
            cpu.regs[1] = self.repetitions();
        }
        if Self::wild_bit_offset(instruction) {
            return None;
        }
        self.limit_bit_offset(instruction, &mut cpu);
        let mut before = None;
        for operand in &used {
            // Operands of one instruction may lie over each other.
            let target = match before {
                Some(before) if self.random.one_in(3) => self.beside(before),
                _ => self.target(),
            };
            before = Some(target);
            let segment = match operand.segment() {
                Register::FS => cpu.fs_base,
                Register::GS => cpu.gs_base,
                _ => 0,
            };
            let offset = target.wrapping_sub(segment);
            // AMD's processors look at the offset by itself.
            if segment != 0 && (offset.cast_signed() << 16 >> 16).cast_unsigned() != offset {
                return None;
            }
            let fixed = general(operand.base()).is_none() && general(operand.index()).is_none();
            if segment != 0 && fixed && offset.wrapping_sub(self.region) >= super::REGION / 16 {
                return None;
            }
            self.aim(operand, offset, instruction, offsets, &mut bytes, &mut cpu)?;
            memory.extend(self.contents(target));
        }
        // Displacements were patched.
        let instruction = &Decoder::with_ip(64, &bytes, rip, OPTIONS).decode();
        let operand = compare::address(instruction, &cpu);
        special::prepare(&mut self.random, instruction, self.region, operand, &mut cpu, &mut memory);
        self.steer(instruction, &mut cpu, &mut memory)?;
        Some(Case { region: self.region, bytes, before: cpu, memory })
    }

    /// Keeps the bit offset of `bt mem, reg` near most of the time.
    fn limit_bit_offset(&mut self, instruction: &Instruction, cpu: &mut Cpu) {
        let bit_test =
            matches!(instruction.mnemonic(), Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc);
        if bit_test
            && instruction.op0_kind() == OpKind::Memory
            && instruction.op1_kind() == OpKind::Register
            && let Some(i) = general(instruction.op1_register())
        {
            cpu.regs[i] = self.random.below(512).wrapping_sub(256);
        }
    }

    /// Whether the bit offset of `bt mem, reg` is also part of the address, and so could point into the judge.
    fn wild_bit_offset(instruction: &Instruction) -> bool {
        matches!(instruction.mnemonic(), Mnemonic::Bt | Mnemonic::Bts | Mnemonic::Btr | Mnemonic::Btc)
            && instruction.op1_kind() == OpKind::Register
            && [instruction.memory_base(), instruction.memory_index()]
                .iter()
                .any(|r| r.full_register() == instruction.op1_register().full_register())
    }

    fn aim(
        &mut self,
        operand: &UsedMemory,
        target: u64,
        instruction: &Instruction,
        offsets: ConstantOffsets,
        bytes: &mut [u8],
        cpu: &mut Cpu,
    ) -> Option<()> {
        let displacement = operand.displacement();
        let scale = u64::from(operand.scale());
        let patch = |bytes: &mut [u8], value: u64| {
            if offsets.displacement_size() == 4 {
                let at = offsets.displacement_offset();
                bytes[at..at + 4].copy_from_slice(&(value as u32).to_le_bytes());
                Some(())
            } else {
                None
            }
        };
        if operand.vsib_size() != 0 {
            let index = operand.index().full_register() as usize - Register::ZMM0 as usize;
            for word in cpu.ymm.get_mut(index)? {
                let small = |r: &mut Random| r.below(128).wrapping_sub(64);
                *word = if operand.vsib_size() == 4 {
                    small(&mut self.random) & 0xffff_ffff | small(&mut self.random) << 32
                } else {
                    small(&mut self.random)
                };
            }
            if let Some(base) = general(operand.base()) {
                cpu.regs[base] = target.wrapping_sub(displacement);
            }
            return Some(());
        }
        let base = general(operand.base());
        let index = general(operand.index());
        match (base, index) {
            (None, None) if instruction.is_ip_rel_memory_operand() => {
                // Patching changes what the displacement means only for this operand.
                let next = cpu.rip + bytes.len() as u64;
                let near = self.near(target);
                patch(bytes, near.wrapping_sub(next))
            }
            (None, None) => {
                let near = self.near(target);
                if offsets.displacement_size() == 8 {
                    let at = offsets.displacement_offset();
                    bytes[at..at + 8].copy_from_slice(&target.to_le_bytes());
                    return Some(());
                }
                patch(bytes, near)
            }
            (Some(base), None) => {
                cpu.regs[base] = target.wrapping_sub(displacement);
                Some(())
            }
            (None, Some(index)) => {
                cpu.regs[index] = target.wrapping_sub(displacement) / scale;
                Some(())
            }
            (Some(base), Some(index)) if base == index => {
                cpu.regs[base] = target.wrapping_sub(displacement) / (scale + 1);
                Some(())
            }
            (Some(base), Some(index)) => {
                let offset = match operand.index().size() {
                    1 => cpu.regs[index] & 0xff,
                    _ => cpu.regs[index].wrapping_mul(scale),
                };
                cpu.regs[base] = target.wrapping_sub(displacement).wrapping_sub(offset);
                Some(())
            }
        }
    }

    /// A target that a 32-bit displacement reaches.
    fn near(&mut self, target: u64) -> u64 {
        if target.wrapping_sub(self.region) < super::REGION / 16 {
            target
        } else {
            self.region + WRITABLE + 0x40 * (1 + self.random.below(0x70))
        }
    }

    fn contents(&mut self, target: u64) -> Option<(u64, Vec<u8>)> {
        let start = (target & !31).wrapping_sub(32);
        let mut bytes = Vec::with_capacity(128);
        for _ in 0..4 {
            for word in self.random.vector() {
                bytes.extend(word.to_le_bytes());
            }
        }
        if self.random.one_in(3) {
            // Numbers for x87 lie anywhere.
            let at = target.wrapping_sub(start) as usize;
            let number = self.random.extended();
            bytes[at..at + 8].copy_from_slice(&number.mantissa.to_le_bytes());
            bytes[at + 8..at + 10].copy_from_slice(&number.sign_exp.to_le_bytes());
        }
        (target.wrapping_sub(self.region) < super::REGION / 16).then_some((start, bytes))
    }

    /// Lets branches go where a breakpoint waits, most of the time.
    fn steer(
        &mut self,
        instruction: &Instruction,
        cpu: &mut Cpu,
        memory: &mut [(u64, Vec<u8>)],
    ) -> Option<()> {
        let indirect = matches!(
            instruction.flow_control(),
            FlowControl::IndirectBranch | FlowControl::IndirectCall | FlowControl::Return
        );
        let own = cpu.rip..cpu.rip + instruction.len() as u64;
        if indirect {
            let address = self.code_address();
            if instruction.op_count() > 0
                && instruction.op0_kind() == OpKind::Register
                && let Some(i) = general(instruction.op0_register())
            {
                cpu.regs[i] = if self.random.one_in(6) { self.target() } else { address };
            } else if !self.random.one_in(6)
                && let Some((start, bytes)) = memory.last_mut()
            {
                // Operands stand 32 bytes in, plus what alignment took.
                let start = *start;
                for at in 0..bytes.len().saturating_sub(8) {
                    let here = start + at as u64;
                    if here == indirect_operand(instruction, cpu) {
                        bytes[at..at + 8].copy_from_slice(&address.to_le_bytes());
                    }
                }
            }
        }
        let direct = instruction.near_branch_target();
        (direct == 0 || !own.contains(&direct)).then_some(())
    }

    /// Some plain instructions, then one of the form `code`.
    fn sequence(&mut self, code: Code) -> Option<Case> {
        let last = code.op_code();
        if last.can_use_rep_prefix() || matches!(code.mnemonic(), Mnemonic::Shld | Mnemonic::Shrd) {
            return None;
        }
        let rip = self.region + CODE_PAGE + 0x800 + self.random.below(64);
        let mut cpu = self.state(rip);
        if !self.random.one_in(4) {
            cpu.rflags &= !0x4_0000;
        }
        let mut memory = Vec::new();
        let some = self.region + WRITABLE + 0x100 + 0x40 * self.random.below(0x60);
        for register in POINTERS {
            let target = match self.random.below(32) {
                0 => self.target(),
                1..=8 => self.beside(some),
                _ => self.region + WRITABLE + 0x100 + 0x40 * self.random.below(0x60),
            };
            cpu.regs[register] = target;
            memory.extend(self.contents(target));
        }
        let mut bytes = Vec::new();
        let mut written = 0u16;
        let length = 1 + self.random.below(5);
        for i in 0..=length {
            let code = if i == length { code } else { self.pick_plain() };
            let (more, writes) = self.link(code, cpu.rip + bytes.len() as u64, written, i == length)?;
            written |= writes;
            bytes.extend(more);
        }
        Some(Case { region: self.region, bytes, before: cpu, memory })
    }

    fn pick_plain(&mut self) -> Code {
        let i = self.random.below(self.plain.len() as u64) as usize;
        self.plain[i]
    }

    /// One instruction of a sequence, and the registers that no longer point at data behind it.
    fn link(&mut self, code: Code, rip: u64, written: u16, last: bool) -> Option<(Vec<u8>, u16)> {
        for _ in 0..40 {
            let mut bytes = encode(&mut self.random, code);
            let instruction = Decoder::with_ip(64, &bytes, rip, OPTIONS).decode();
            if instruction.code() != code || instruction.has_rep_prefix() || instruction.has_repne_prefix() {
                continue;
            }
            let ends =
                plain(code) || looks(code) || instruction.flow_control() == FlowControl::ConditionalBranch;
            if last && !ends {
                return None;
            }
            let direct = instruction.near_branch_target();
            if direct.wrapping_sub(rip).wrapping_add(128) < 256 {
                continue;
            }
            let info = self.info.info(&instruction);
            let near = info.used_memory().iter().all(|operand| {
                operand.index() == Register::None
                    && operand.vsib_size() == 0
                    && operand.base().size() == 8
                    && (-0x100..0x100).contains(&operand.displacement().cast_signed())
                    && !matches!(operand.segment(), Register::FS | Register::GS)
                    && general(operand.base()).is_some_and(|i| POINTERS.contains(&i) && written >> i & 1 == 0)
            });
            if !near {
                continue;
            }
            let mut writes = 0u16;
            for register in info.used_registers() {
                if !matches!(register.access(), OpAccess::Read | OpAccess::CondRead | OpAccess::None)
                    && let Some(i) = general(register.register())
                    && !(i == 4 && instruction.is_stack_instruction())
                {
                    writes |= 1 << i;
                }
            }
            bytes.truncate(instruction.len());
            return Some((bytes, writes));
        }
        None
    }
}

/// Whether bytes begin as an instruction of AVX-512, which no model has but the host may.
fn evex(bytes: &[u8]) -> bool {
    let is_prefix = |byte: &u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3);
    bytes.iter().find(|byte| !is_prefix(byte)) == Some(&0x62)
}

/// Forms of which processors take spoiled encodings too: VEX.W, LOCK.
fn lenient(code: Code) -> bool {
    use Mnemonic as M;
    matches!(code.mnemonic(), M::Vpermq | M::Vpermpd | M::Verr | M::Verw)
}

/// Where an indirect branch finds its target.
fn indirect_operand(instruction: &Instruction, cpu: &Cpu) -> u64 {
    if instruction.flow_control() == FlowControl::Return {
        return cpu.regs[4];
    }
    compare::address(instruction, cpu)
}

/// Whether an instruction of this form only looks at what others left behind.
fn looks(code: Code) -> bool {
    use Mnemonic as M;
    matches!(code.mnemonic(), M::Fnsave | M::Fnstenv | M::Fxsave | M::Fxsave64 | M::Pushf | M::Pushfq)
}

/// Whether an instruction of this form may stand before another: all that it leaves behind is defined.
fn plain(code: Code) -> bool {
    use Mnemonic as M;
    let info = code.op_code();
    let mut instruction = Instruction::default();
    instruction.set_code(code);
    instruction.flow_control() == FlowControl::Next
        && (instruction.rflags_undefined() == 0 || compare::STRICT.load(Ordering::Relaxed))
        && !info.is_privileged()
        && !info.is_save_restore()
        && !info.is_input_output()
        && compare::open_form(&instruction).is_none()
        && !matches!(
            code.mnemonic(),
            M::Fnsave
                | M::Fnstenv
                | M::Fldenv
                | M::Frstor
                | M::Popf
                | M::Popfd
                | M::Popfq
                | M::Ldmxcsr
                | M::Vldmxcsr
                | M::Fldcw
                | M::Wrfsbase
                | M::Wrgsbase
                | M::Shl
                | M::Shr
                | M::Sal
                | M::Sar
                | M::Rol
                | M::Ror
                | M::Rcl
                | M::Rcr
                | M::Shld
                | M::Shrd
                | M::Enter
                | M::Leave
                | M::Maskmovq
                | M::Maskmovdqu
                | M::Vmaskmovdqu
                | M::Lar
                | M::Lsl
                | M::Lss
                | M::Lfs
                | M::Lgs
        )
        && !(code.mnemonic() == M::Pop && format!("{code:?}").contains("rm"))
}
