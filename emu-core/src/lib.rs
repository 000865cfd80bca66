//! The machine below the kernel: registers, memory, instructions and ELF images.
//!
//! This crate knows no system call. A kernel owns a [`mem::Memory`] and one [`cpu::Cpu`] a task, and asks an
//! [`engine::Engine`] to run until something happens.
//!
//! **Invariant**: nothing here reads a clock, a file or a random number of the host.

pub mod cpu;
pub mod decode;
pub mod elf;
pub mod engine;
pub mod exec;
pub mod fp;
pub mod mem;
pub mod persist;
