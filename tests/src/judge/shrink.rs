//! Makes a mismatch small: whatever of the state can be zero without the difference going away becomes zero.

use super::compare::differences;
use super::host::Host;
use super::machine::Machine;
use super::{Case, Mismatch};
use emu_core::cpu::{CpuModel, F80, X87};

/// Runs a case on both sides; `None` if they agree, if the host would find its own signal frame where the case
/// left the stack, or if it jumps to the page of the host's kernel that every process has (vsyscall).
pub fn judge(host: &mut Host, machine: &mut Machine, case: &Case) -> Option<Mismatch> {
    let ours = machine.run(case);
    let vsyscall = 0xffff_ffff_ff60_0000..0xffff_ffff_ff60_1000;
    if super::is_ours(case.region, ours.cpu.regs[4]) || vsyscall.contains(&ours.cpu.rip) {
        return None;
    }
    let theirs = host.run(case);
    let parts = differences(case, &theirs, &ours);
    (!parts.is_empty()).then(|| Mismatch { case: case.clone(), host: theirs, ours, parts })
}

/// Times that the processor is asked again about a mismatch.
const AGAIN: usize = 8;

/// Whether the processor, asked again, answers as the interpreter did. XSAVE tells what the system around it left: where
/// an interrupt fell right before, a component that holds its initial values may count as in use.
pub fn is_unsteady(host: &mut Host, found: &Mismatch) -> bool {
    (0..AGAIN).any(|_| differences(&found.case, &host.run(&found.case), &found.ours).is_empty())
}

/// Reduces a mismatch to another one of the same parts.
pub fn shrink(host: &mut Host, machine: &mut Machine, mut best: Mismatch) -> Mismatch {
    let mut attempt = |best: &mut Mismatch, change: &dyn Fn(&mut Case)| {
        let mut case = best.case.clone();
        change(&mut case);
        if let Some(found) = judge(host, machine, &case)
            && found.parts == best.parts
        {
            *best = found;
        }
    };
    let plain = emu_core::cpu::Cpu::new(CpuModel::V3);
    // Leave out what of a sequence does not matter.
    let mut nth = 0;
    while nth + 1 < best.case.instructions().len() {
        let all = best.case.instructions();
        let start: usize = all[..nth].iter().map(iced_x86::Instruction::len).sum();
        let end = start + all[nth].len();
        attempt(&mut best, &|case| {
            case.bytes.drain(start..end);
        });
        if best.case.instructions().len() == all.len() {
            nth += 1;
        }
    }
    attempt(&mut best, &|case| case.before.fs_base = 0);
    attempt(&mut best, &|case| case.before.gs_base = 0);
    attempt(&mut best, &|case| case.before.x87 = X87::default());
    attempt(&mut best, &|case| case.before.ymm = [[0; 4]; 16]);
    attempt(&mut best, &|case| case.before.mxcsr = plain.mxcsr);
    attempt(&mut best, &|case| case.before.rflags = plain.rflags);
    attempt(&mut best, &|case| case.memory.clear());
    for i in 0..16 {
        attempt(&mut best, &|case| case.before.regs[i] = 0);
        attempt(&mut best, &|case| case.before.ymm[i] = [0; 4]);
        for word in 0..4 {
            if best.case.before.ymm[i][word] != 0 {
                attempt(&mut best, &|case| case.before.ymm[i][word] = 0);
            }
        }
    }
    for i in 0..8 {
        attempt(&mut best, &|case| case.before.x87.regs[i] = F80::default());
    }
    attempt(&mut best, &|case| case.before.x87.control = 0x37f);
    attempt(&mut best, &|case| case.before.x87.status = 0);
    attempt(&mut best, &|case| case.before.x87.in_use = 0);
    attempt(&mut best, &|case| case.before.x87.in_use = 0xff);
    for bit in [0x4_0000, 0x800, 0x400, 0x80, 0x40, 0x10, 4, 1] {
        attempt(&mut best, &|case| case.before.rflags &= !bit);
    }
    for i in 0..best.case.memory.len() {
        for at in (0..best.case.memory[i].1.len()).step_by(8) {
            attempt(&mut best, &|case| {
                let bytes = &mut case.memory[i].1;
                let end = (at + 8).min(bytes.len());
                bytes[at..end].fill(0);
            });
        }
    }
    best
}
