//! The naive engine: decode, execute, one instruction at a time. The oracle for [`super::interp`].

use super::{Engine, Exit, step};
use crate::cpu::{Cpu, Exception};
use crate::exec::{Ctx, Env};
use crate::mem::{Memory, SpaceId};

/// Decodes every instruction every time, to portable bodies.
pub struct Stepper {
    ctx: Box<Ctx>,
}

// SAFETY: the pointers in the context are set and used within one call of `run` only.
unsafe impl Send for Stepper {}

impl std::fmt::Debug for Stepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stepper").finish_non_exhaustive()
    }
}

impl Default for Stepper {
    fn default() -> Self {
        Stepper::new()
    }
}

impl Stepper {
    /// An engine.
    #[must_use]
    pub fn new() -> Self {
        let mut ctx = Ctx::new(false);
        // Links of a block have generation 0: never followed.
        ctx.generation = 1;
        Stepper { ctx }
    }
}

impl Engine for Stepper {
    fn run(&mut self, cpu: &mut Cpu, mem: &mut Memory, space: SpaceId, stop_at: u64) -> Exit {
        self.ctx.load_cpu(cpu);
        self.ctx.flush_tlb();
        let mut env = Env { mem, space };
        let mut exit = Exit::Budget;
        let budget = stop_at.saturating_sub(cpu.icount).min(i64::MAX as u64) as i64;
        self.ctx.remaining = budget;
        while self.ctx.remaining > 0 {
            if env.mem.pending_in(space) {
                env.mem.take_invalidations(space);
                self.ctx.flush_tlb();
            }
            if let Some(e) = step::step(&mut self.ctx, &mut env) {
                exit = e;
                break;
            }
        }
        cpu.icount += (budget - self.ctx.remaining) as u64;
        self.ctx.store_cpu(cpu);
        exit
    }

    fn complete(
        &mut self,
        cpu: &mut Cpu,
        mem: &mut Memory,
        space: SpaceId,
        value: u64,
    ) -> Result<(), Exception> {
        self.ctx.load_cpu(cpu);
        step::complete(&mut self.ctx, &mut Env { mem, space }, cpu, value)
    }

    fn flush(&mut self) {
        self.ctx.flush_tlb();
    }

    fn name(&self) -> &'static str {
        "stepper"
    }
}
