//! One instruction at a time: what both engines share.
//!
//! **Invariant**: nothing is cached here between two steps but translations of pages.

use crate::cpu::{Cpu, Exception, RFlags, reg};
use crate::decode;
use crate::engine::{Exit, SeamInstr};
use crate::exec::{Block, Ctx, Env, Stop};

/// Runs the instruction at rip alone (of a repeated one, one iteration). `None`: go on.
pub(crate) fn step(ctx: &mut Ctx, env: &mut Env<'_>) -> Option<Exit> {
    match decode::build(ctx, env, ctx.rip, 1) {
        Ok(block) => step_by(ctx, env, &block),
        Err(e) => Some(Exit::Exception(e)),
    }
}

/// The same with the instruction decoded: `block` has nothing else in it.
pub(crate) fn step_by(ctx: &mut Ctx, env: &mut Env<'_>, block: &Block) -> Option<Exit> {
    let trap = ctx.system_flags & RFlags::TF.bits() != 0;
    ctx.single = true;
    ctx.shadow = false;
    // No other block may follow.
    let rest = std::mem::replace(&mut ctx.remaining, 0) - 1;
    ctx.block = block;
    let start = block.start();
    let flow = (start.f)(ctx, start, env);
    if !flow.0.is_null() {
        // SAFETY: a block that the context's caches name is alive.
        ctx.rip = unsafe { (*flow.0).rip };
    }
    ctx.single = false;
    ctx.remaining += rest;
    ctx.block = std::ptr::null();
    ctx.link = std::ptr::null();
    match std::mem::replace(&mut ctx.stop, Stop::None) {
        Stop::Exit(exit) => Some(exit),
        Stop::None if trap && !ctx.shadow => Some(Exit::Exception(Exception::single_step())),
        Stop::None | Stop::Retry => None,
    }
}

/// Completes an instruction that waits for a value from outside; the trap behind a single step is an error too.
pub(crate) fn complete(ctx: &mut Ctx, env: &mut Env<'_>, cpu: &mut Cpu, value: u64) -> Result<(), Exception> {
    let ins = decode::instruction_at(ctx, env, cpu.rip)?;
    match seam_of(&ins) {
        Some(SeamInstr::Random) => {
            let r = ins.op_register(0);
            let slot = &mut cpu.regs[r.full_register().number() & 15];
            *slot = match r.size() {
                2 => (*slot & !0xffff) | (value & 0xffff),
                4 => value & 0xffff_ffff,
                _ => value,
            };
            cpu.rflags = (cpu.rflags & !RFlags::STATUS.bits()) | RFlags::CF.bits();
        }
        Some(what) => {
            cpu.regs[reg::RAX] = value & 0xffff_ffff;
            cpu.regs[reg::RDX] = value >> 32;
            if what == SeamInstr::Rdtscp {
                cpu.regs[reg::RCX] = u64::from(cpu.tsc_aux);
            }
        }
        None => return Err(Exception::ud()),
    }
    cpu.rip = cpu.rip.wrapping_add(ins.len() as u64);
    cpu.icount += 1;
    if cpu.rflags & RFlags::TF.bits() != 0 { Err(Exception::single_step()) } else { Ok(()) }
}

fn seam_of(ins: &iced_x86::Instruction) -> Option<SeamInstr> {
    use iced_x86::Mnemonic as M;
    match ins.mnemonic() {
        M::Rdtsc => Some(SeamInstr::Rdtsc),
        M::Rdtscp => Some(SeamInstr::Rdtscp),
        M::Rdrand | M::Rdseed => Some(SeamInstr::Random),
        _ => None,
    }
}
