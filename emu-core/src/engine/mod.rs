//! What executes instructions: [`Engine`], and why it stopped: [`Exit`].
//!
//! Engines: [`interp`] (decoded blocks) and [`stepper`] (decode, execute, one at a time; the oracle for the other).
//!
//! **Invariant**: an engine holds only caches. It may be dropped and made anew, or replaced by another, at any exit
//! without any visible change. It never calls the kernel.

pub mod interp;
pub(crate) mod step;
pub mod stepper;

use crate::cpu::{Cpu, Exception};
use crate::mem::{Memory, SpaceId};

/// An instruction whose result comes from outside the machine. `rip` stands at the instruction; the kernel gets
/// the value through the seam and hands it to [`Engine::complete`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeamInstr {
    /// `rdtsc`
    Rdtsc,
    /// `rdtscp`
    Rdtscp,
    /// `rdrand` or `rdseed`.
    Random,
}

/// An instruction that the engine does not implement: #UD to the guest, one loud line to the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingInstr {
    /// Where.
    pub rip: u64,
    /// The bytes of the instruction, at most 15.
    pub bytes: Vec<u8>,
    /// Its name in iced-x86's notation of forms, for example `VPCONFLICTD_xmm_k1z_xmmm128b32`.
    pub name: String,
}

/// Why an engine stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// A `syscall` retired: rcx and r11 hold rip and rflags as the hardware leaves them, rip is behind it.
    Syscall,
    /// An exception. `rip` as [`Exception`] says.
    Exception(Exception),
    /// #UD because the instruction is not implemented.
    Missing(MissingInstr),
    /// `Cpu::icount` reached the count asked for.
    Budget,
    /// An instruction needs a value from the seam.
    Seam(SeamInstr),
}

/// An instruction-execution engine.
pub trait Engine: Send + std::fmt::Debug {
    /// Runs `cpu` in `space` until something happens, at the latest when `cpu.icount == stop_at`.
    ///
    /// If `cpu.icount >= stop_at` already, returns [`Exit::Budget`] at once.
    fn run(&mut self, cpu: &mut Cpu, mem: &mut Memory, space: SpaceId, stop_at: u64) -> Exit;

    /// Completes the instruction of an [`Exit::Seam`] with `value` and retires it. The trap behind a single step is an
    /// error too.
    fn complete(
        &mut self,
        cpu: &mut Cpu,
        mem: &mut Memory,
        space: SpaceId,
        value: u64,
    ) -> Result<(), Exception>;

    /// Drops every cache. Needed after the memory was replaced (restore of a snapshot).
    fn flush(&mut self);

    /// Its name, as `--engine` takes it.
    fn name(&self) -> &'static str;
}
