//! Makes cases: the bytes of an instruction of a given form, operands that point at the data pages or deliberately
//! not, and a state full of edges.
//!
//! **Invariant**: no case can leave the worker's region other than by a fault, or run a second instruction of its own.

use super::values::Random;
use super::{CODE_PAGE, Case, READ_ONLY, WRITABLE};
use emu_core::cpu::{Cpu, CpuModel, X87};
use iced_x86::{
    Code, ConstantOffsets, Decoder, DecoderOptions, EncodingKind, FlowControl, Instruction,
    InstructionInfoFactory, MandatoryPrefix, Mnemonic, OpCodeOperandKind, OpCodeTableKind, OpKind, Register,
    UsedMemory,
};

/// Whether the judge can run this form: it needs nothing from the system and returns to us.
#[must_use]
pub fn judged(code: Code) -> bool {
    use Mnemonic as M;
    let info = code.op_code();
    // Not decoded with the options of this project, or not in 64-bit mode of any processor of today.
    let foreign = info
        .op_kinds()
        .iter()
        .any(|kind| matches!(kind, OpCodeOperandKind::br16_1 | OpCodeOperandKind::br16_2))
        || format!("{code:?}").contains("KNC");
    let encoding = matches!(info.encoding(), EncodingKind::Legacy | EncodingKind::VEX);
    let far = info.op_kinds().iter().any(|kind| {
        matches!(
            kind,
            OpCodeOperandKind::farbr2_2
                | OpCodeOperandKind::farbr4_2
                | OpCodeOperandKind::seg_reg
                | OpCodeOperandKind::seg_rSI
        )
    });
    let far = far
        && !matches!(code.mnemonic(), M::Lodsb | M::Lodsw | M::Lodsd | M::Lodsq)
        && !matches!(
            code.mnemonic(),
            M::Movsb | M::Movsw | M::Movsd | M::Movsq | M::Cmpsb | M::Cmpsw | M::Cmpsd | M::Cmpsq
        );
    encoding
        && info.is_instruction()
        && info.mode64()
        && !info.is_privileged()
        && !info.is_save_restore()
        && !info.is_input_output()
        && !info.fwait()
        && !far
        && !foreign
        && !matches!(
            code.mnemonic(),
            M::INVALID
                | M::Int
                | M::Int1
                | M::Int3
                | M::Into
                | M::Syscall
                | M::Sysenter
                | M::Iret
                | M::Iretd
                | M::Iretq
                | M::Retf
                | M::Rdtsc
                | M::Rdtscp
                | M::Rdrand
                | M::Rdseed
                | M::Rdpid
                | M::Rdpmc
                | M::Cpuid
                | M::Xgetbv
                | M::Xsetbv
                | M::Fnsave
                | M::Fnstenv
                | M::Fldenv
                | M::Frstor
                | M::Fxsave
                | M::Fxsave64
                | M::Fxrstor
                | M::Fxrstor64
                | M::Popf
                | M::Popfd
                | M::Popfq
                | M::Pushf
                | M::Pushfd
                | M::Pushfq
                | M::Wrfsbase
                | M::Wrgsbase
                | M::Rdfsbase
                | M::Rdgsbase
                | M::Lsl
                | M::Lar
                | M::Verr
                | M::Verw
                | M::Str
                | M::Sldt
                | M::Smsw
                | M::Sgdt
                | M::Sidt
                | M::Lgdt
                | M::Lidt
                | M::Lss
                | M::Lfs
                | M::Lgs
                | M::Rdpkru
                | M::Wrpkru
                | M::Monitor
                | M::Mwait
                | M::Monitorx
                | M::Mwaitx
                | M::Clzero
                | M::Vmcall
                | M::Vmmcall
                | M::Xbegin
                | M::Xabort
                | M::Xend
                | M::Xtest
                | M::Clac
                | M::Stac
        )
        // Vendors differ about prefetches of registers.
        && !matches!(
            code,
            Code::Reservednop_rm16_r16_0F0D | Code::Reservednop_rm32_r32_0F0D | Code::Reservednop_rm64_r64_0F0D
        )
        && !matches!(code, Code::Popw_FS | Code::Popq_FS | Code::Popw_GS | Code::Popq_GS)
        && !matches!(code, Code::Jmp_m1616 | Code::Jmp_m1632 | Code::Jmp_m1664)
        && !matches!(code, Code::Call_m1616 | Code::Call_m1632 | Code::Call_m1664)
}

/// Bytes that probably decode to `code`, with a random tail.
fn encode(r: &mut Random, code: Code) -> Vec<u8> {
    let info = code.op_code();
    let mut bytes = Vec::with_capacity(32);
    if info.address_size() == 32 || r.one_in(30) {
        bytes.push(0x67);
    }
    if r.one_in(40) {
        bytes.push(r.pick(&[0x2e, 0x3e, 0x26, 0x36]));
    }
    let in_opcode = info.op_kinds().iter().any(|kind| {
        use OpCodeOperandKind as K;
        matches!(kind, K::r8_opcode | K::r16_opcode | K::r32_opcode | K::r64_opcode | K::sti_opcode)
    });
    let mut opcode = info.op_code();
    if in_opcode {
        opcode |= (r.bits() & 7) as u32;
    }
    let map = match info.table() {
        OpCodeTableKind::Normal => 0,
        OpCodeTableKind::T0F => 1,
        OpCodeTableKind::T0F38 => 2,
        OpCodeTableKind::T0F3A => 3,
        _ => 4,
    };
    let prefix = match info.mandatory_prefix() {
        MandatoryPrefix::P66 => 1,
        MandatoryPrefix::PF3 => 2,
        MandatoryPrefix::PF2 => 3,
        _ => 0,
    };
    if info.encoding() == EncodingKind::VEX {
        let w = u8::from(if info.is_wig() { r.one_in(2) } else { info.w() != 0 });
        let l = if info.is_lig() { r.bits() as u8 & 1 } else { info.l() as u8 };
        let vvvv = if r.one_in(2) { 15 } else { r.bits() as u8 & 15 };
        let last = vvvv << 3 | l << 2 | prefix;
        let rxb = r.bits() as u8 & 0xe0;
        if map == 1 && w == 0 && r.one_in(2) {
            bytes.extend([0xc5, rxb & 0x80 | last]);
        } else {
            bytes.extend([0xc4, rxb | map, w << 7 | last]);
        }
    } else {
        if info.operand_size() == 16 {
            bytes.push(0x66);
        }
        if info.can_use_lock_prefix() && r.one_in(4) {
            bytes.push(0xf0);
        }
        if info.can_use_rep_prefix() && r.one_in(2) {
            bytes.push(0xf3);
        } else if info.can_use_repne_prefix() && r.one_in(3) {
            bytes.push(0xf2);
        }
        if prefix != 0 {
            bytes.push([0, 0x66, 0xf3, 0xf2][usize::from(prefix)]);
        }
        let wide = info.operand_size() == 64 && !(info.default_op_size64() || info.force_op_size64());
        let wide = wide || info.w() == 1;
        if wide || r.one_in(2) {
            let extra = if r.one_in(2) { r.bits() as u8 & 7 } else { 0 };
            let ignored = (info.force_op_size64() || info.operand_size() == 0) && r.one_in(8);
            bytes.push(0x40 | u8::from(wide || ignored) << 3 | extra);
        }
        match map {
            1 => bytes.push(0x0f),
            2 => bytes.extend([0x0f, 0x38]),
            3 => bytes.extend([0x0f, 0x3a]),
            _ => {}
        }
    }
    if info.op_code_len() == 2 {
        bytes.push((opcode >> 8) as u8);
    }
    bytes.push(opcode as u8);
    let modrm = bytes.len();
    for _ in 0..12 {
        bytes.push(r.bits() as u8);
    }
    if info.group_index() >= 0 {
        bytes[modrm] = bytes[modrm] & !0x38 | (info.group_index() as u8) << 3;
    }
    if info.rm_group_index() >= 0 {
        bytes[modrm] = bytes[modrm] & !0xc7 | 0xc0 | info.rm_group_index() as u8;
    }
    bytes
}

/// Makes cases for one worker.
#[derive(Debug)]
pub struct Generator {
    /// The source of everything.
    pub random: Random,
    region: u64,
    info: InstructionInfoFactory,
}

/// Index of a general register in the order of the instruction set, of any width.
fn general(register: Register) -> Option<usize> {
    let full = register.full_register();
    (Register::RAX..=Register::R15).contains(&full).then(|| full as usize - Register::RAX as usize)
}

impl Generator {
    /// A generator for the region of worker `index`.
    #[must_use]
    pub fn new(seed: u64, index: u64) -> Self {
        let mut random = Random(seed);
        random.0 ^= Random(index).bits();
        Generator { random, region: super::region_of(index), info: InstructionInfoFactory::new() }
    }

    /// A case for `code`; `None` if no bytes for it were found.
    pub fn case(&mut self, code: Code) -> Option<Case> {
        for _ in 0..60 {
            let mut bytes = encode(&mut self.random, code);
            let rip = self.rip();
            let mut decoder = Decoder::with_ip(64, &bytes, rip, DecoderOptions::NONE);
            let instruction = decoder.decode();
            if instruction.code() != code {
                continue;
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

    fn x87(r: &mut Random) -> X87 {
        let control = match r.below(4) {
            0 | 1 => 0x37f,
            2 => 0x7f | r.pick(&[0, 2, 3]) << 8 | (r.below(4) as u16) << 10,
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
            cpu.regs[1] = self.random.below(9);
        }
        if Self::wild_bit_offset(instruction) {
            return None;
        }
        self.limit_bit_offset(instruction, &mut cpu);
        for operand in &used {
            if matches!(operand.segment(), Register::FS | Register::GS) {
                return None;
            }
            let target = self.target();
            self.aim(operand, target, instruction, offsets, &mut bytes, &mut cpu)?;
            memory.extend(self.contents(target));
        }
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
                for at in (0..bytes.len() - 8).step_by(1) {
                    let here = start + at as u64;
                    if here == self.indirect_operand(instruction, cpu) {
                        bytes[at..at + 8].copy_from_slice(&address.to_le_bytes());
                    }
                }
            }
        }
        let direct = instruction.near_branch_target();
        (direct == 0 || !own.contains(&direct)).then_some(())
    }

    fn indirect_operand(&self, instruction: &Instruction, cpu: &Cpu) -> u64 {
        if instruction.flow_control() == FlowControl::Return {
            return cpu.regs[4];
        }
        instruction
            .virtual_address(0, 0, |register, _, _| match register {
                Register::RIP => Some(cpu.rip),
                Register::CS | Register::DS | Register::ES | Register::SS => Some(0),
                _ => general(register)
                    .map(|i| if register.size() == 4 { cpu.regs[i] & 0xffff_ffff } else { cpu.regs[i] }),
            })
            .unwrap_or(0)
    }
}
