//! What instructions of the system's kind need in memory: frames of far returns, selectors, images of the vector state.

use super::generate::general;
use super::values::Random;
use super::{CODE_PAGE, WRITABLE};
use emu_core::cpu::Cpu;
use iced_x86::{Instruction, Mnemonic, OpKind};

/// A selector; none that leads to 32-bit code.
fn selector(r: &mut Random) -> u16 {
    match r.below(6) {
        0 => r.pick(&[0, 1, 2, 3]),
        1 => r.pick(&[0x28, 0x29, 0x2a, 0x7b, 0x78, 0x30, 0x32]),
        2 => r.pick(&[8, 0x10, 0x18, 0x40, 0x48, 0x50, 0x63, 0x6b, 0x73, 0x80, 0xfff8, 0x2f, 0x37, 7]),
        3 => 0x33,
        _ => 0x2b,
    }
}

/// A selector of code; none of 32-bit code.
fn code_selector(r: &mut Random) -> u16 {
    if r.one_in(5) {
        loop {
            let s = selector(r);
            if s & 0xfffc != 0x20 {
                return s;
            }
        }
    }
    0x33
}

/// Flags for POPF and IRET: all that may change, and some that may not, but never the trap flag.
fn flags(r: &mut Random) -> u64 {
    r.bits() & 0x24_4ed5 | if r.one_in(4) { r.bits() & !0x100 } else { 0 } & !0x100
}

fn words(values: &[u64], width: usize) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()[..width].to_vec()).collect()
}

/// Overlays what the instruction at hand should find, at `operand` (its memory operand) or on the stack.
pub(super) fn prepare(
    r: &mut Random,
    instruction: &Instruction,
    region: u64,
    operand: u64,
    cpu: &mut Cpu,
    memory: &mut Vec<(u64, Vec<u8>)>,
) {
    use Mnemonic as M;
    let near = region + CODE_PAGE + 0x100 + r.below(0x600);
    let to = if r.one_in(12) { r.integer() } else { near };
    let new_stack = region + WRITABLE + 8 * r.below(0x300);
    let stack = cpu.regs[4];
    let mut put = |at: u64, bytes: Vec<u8>| {
        if at.wrapping_sub(region) < super::REGION / 16 {
            memory.push((at, bytes));
        }
    };
    match instruction.mnemonic() {
        M::Popf | M::Popfq => put(stack, words(&[flags(r)], 8)),
        M::Iret | M::Iretd | M::Iretq => {
            let width = match instruction.mnemonic() {
                M::Iret => 2,
                M::Iretd => 4,
                _ => 8,
            };
            let ss = if r.one_in(5) { selector(r) } else { 0x2b };
            let frame = [to, code_selector(r).into(), flags(r), new_stack, ss.into()];
            put(stack, words(&frame, width));
        }
        M::Retf => {
            let more = if instruction.op_count() == 1 { i32::from(instruction.immediate16()) } else { 0 };
            let width = ((instruction.stack_pointer_increment() - more) / 2) as usize;
            put(stack, words(&[to, code_selector(r).into()], width));
        }
        M::Jmp | M::Call if instruction.is_jmp_far_indirect() || instruction.is_call_far_indirect() => {
            let width = instruction.memory_size().size() - 2;
            put(operand, words(&[to, code_selector(r).into()], width));
        }
        M::Lss | M::Lfs | M::Lgs => {
            let width = instruction.memory_size().size() - 2;
            put(operand.wrapping_add(width as u64), words(&[selector(r).into()], 2));
        }
        M::Lar | M::Lsl | M::Verr | M::Verw | M::Mov | M::Pop => {
            let segment = |i: u32| {
                instruction.op_kind(i) == OpKind::Register && instruction.op_register(i).is_segment_register()
            };
            let is_move = matches!(instruction.mnemonic(), M::Mov | M::Pop);
            if is_move && !segment(0) {
                return;
            }
            let source = u32::from(instruction.op_count() == 2);
            let mut value = selector(r);
            if instruction.mnemonic() == M::Lsl && value & 0xfffc == 0x78 {
                // The limit is the number of the processor.
                value = 0x2b;
            }
            if instruction.mnemonic() == M::Pop {
                put(stack, words(&[value.into()], 2));
            } else if instruction.op_kind(source) == OpKind::Register {
                if let Some(i) = general(instruction.op_register(source)) {
                    cpu.regs[i] = cpu.regs[i] & !0xffff | u64::from(value);
                }
            } else {
                put(operand, words(&[value.into()], 2));
            }
        }
        M::Wrfsbase | M::Wrgsbase => {
            if let Some(i) = general(instruction.op_register(0))
                && !r.one_in(4)
            {
                cpu.regs[i] = r.integer() << 16 >> 17;
            }
        }
        M::Fxrstor | M::Fxrstor64 => {
            put(operand.wrapping_add(24), words(&[0xffff_0000_0000_0000 | mxcsr(r)], 4));
        }
        M::Xsave | M::Xsave64 | M::Xsavec | M::Xsavec64 | M::Xsaveopt | M::Xsaveopt64 => components(r, cpu),
        M::Xrstor | M::Xrstor64 => {
            components(r, cpu);
            put(operand.wrapping_add(24), words(&[mxcsr(r)], 4));
            let compact = u64::from(r.one_in(3)) << 63;
            // Components between these the host's processor may have.
            let strange = |r: &mut Random| if r.one_in(16) { 1 << (20 + r.below(43)) } else { 0 };
            let wild = strange(r);
            let used = r.bits() & 7 | strange(r);
            let layout = if compact != 0 { compact | r.bits() & 7 | wild } else { wild };
            let used = if compact != 0 && !r.one_in(8) { used & layout } else { used };
            let mut header = [used, layout, 0, 0, 0, 0, 0, 0];
            if r.one_in(20) {
                header[2 + r.below(6) as usize] = 1;
            }
            put(operand.wrapping_add(512), words(&header, 8));
        }
        M::Fldenv | M::Frstor
            // Exceptions that wait are rare.
            if !r.one_in(4) => {
                put(operand, words(&[0x37f], 2));
            }
        _ => {}
    }
}

fn mxcsr(r: &mut Random) -> u64 {
    if r.one_in(10) { r.bits() & 0xfffd_ffff } else { r.bits() & 0xffff }
}

/// Asks for components that this project's models have.
fn components(r: &mut Random, cpu: &mut Cpu) {
    cpu.regs[0] = r.bits() & 7 | r.bits() << 32;
    cpu.regs[2] = r.bits() << 32;
    for ymm in &mut cpu.ymm {
        if r.one_in(3) {
            ymm[2] = 0;
            ymm[3] = 0;
        }
    }
    if r.one_in(4) {
        cpu.ymm = [[0; 4]; 16];
    }
}
