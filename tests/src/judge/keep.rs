//! Makes lines worth keeping: one case a form, with nothing in the state that the instruction does not look at.

use super::generate::Generator;
use super::host::Host;
use super::{After, Case, End, line};
use emu_core::cpu::{CpuModel, X87};
use iced_x86::{Code, InstructionInfoFactory, Register};
use std::collections::BTreeSet;

/// What the processor makes of a small random case for `code`, as a line; `None` if there is no case.
pub fn kept(generator: &mut Generator, host: &mut Host, code: Code) -> Option<String> {
    let mut last = None;
    // One that retires says more than one that faults.
    for _ in 0..8 {
        let mut case = generator.case(code)?;
        forget_unused(&mut case);
        let after = host.run(&case);
        let done = after.end == End::Done;
        last = Some((case, after));
        if done {
            break;
        }
    }
    let (mut case, mut after) = last?;
    for i in 0..case.memory.len() {
        for at in (0..case.memory[i].1.len()).step_by(8) {
            let mut smaller = case.clone();
            let bytes = &mut smaller.memory[i].1;
            let end = (at + 8).min(bytes.len());
            bytes[at..end].fill(0);
            let result = host.run(&smaller);
            if effect(&smaller, &result) == effect(&case, &after) {
                (case, after) = (smaller, result);
            }
        }
    }
    Some(line::write(&case, &after))
}

/// What an instruction did: its end, the registers, the bytes it changed.
fn effect(case: &Case, after: &After) -> (End, emu_core::cpu::Cpu, Vec<(usize, u8)>) {
    let before = case.image();
    let changed = before.0.iter().zip(after.image.0.iter()).enumerate();
    let changed = changed.filter(|(_, (old, new))| old != new).map(|(at, (_, new))| (at, *new)).collect();
    (after.end.clone(), after.cpu.clone(), changed)
}

fn forget_unused(case: &mut Case) {
    let instruction = super::compare::decode(case);
    let mut factory = InstructionInfoFactory::new();
    let info = factory.info(&instruction);
    let mut used: BTreeSet<u32> =
        info.used_registers().iter().map(|r| r.register().full_register() as u32).collect();
    for memory in info.used_memory() {
        used.insert(memory.base().full_register() as u32);
        used.insert(memory.index().full_register() as u32);
    }
    for i in 0..16 {
        if !used.contains(&(Register::RAX as u32 + i)) {
            case.before.regs[i as usize] = 0;
        }
        if !used.contains(&(Register::ZMM0 as u32 + i)) {
            case.before.ymm[i as usize] = [0; 4];
        }
    }
    let segment =
        |s: Register| used.contains(&(s as u32)) || info.used_memory().iter().any(|m| m.segment() == s);
    use iced_x86::Mnemonic as M;
    let bases = matches!(instruction.mnemonic(), M::Rdfsbase | M::Rdgsbase | M::Wrfsbase | M::Wrgsbase);
    if !bases && !segment(Register::FS) && !segment(Register::GS) {
        (case.before.fs_base, case.before.gs_base) = (0, 0);
    }
    let name = format!("{:?}", instruction.code());
    let x87 = name.starts_with('F') || name.contains("_mm_") || name.contains("_mmm64") || name == "Emms";
    if !x87 {
        case.before.x87 = X87::default();
    }
    if !used.iter().any(|r| (Register::XMM0 as u32..=Register::ZMM31 as u32).contains(r)) {
        case.before.mxcsr = emu_core::cpu::Cpu::new(CpuModel::V3).mxcsr;
    }
}
