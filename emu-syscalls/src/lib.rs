//! A Linux kernel for emulated x86-64 programs.
//!
//! A [`machine::Machine`] holds everything a guest can observe as plain data and runs guest programs on an engine of
//! `emu-core`. Whatever does not follow from that state enters through [`seam::Host`].
//!
//! **Invariant**: no `unsafe`, no host file, clock or random number, no shared pointer in state.
#![forbid(unsafe_code)]

pub mod abi;
pub mod arena;
pub mod arg;
mod calls;
pub mod ctx;
pub mod digest;
pub mod entry;
pub mod file;
pub mod ipc;
pub mod kernel;
pub mod keys;
pub mod landlock;
pub mod log;
pub mod machine;
pub mod mm;
pub mod net;
pub mod observe;
pub mod seam;
pub mod setup;
pub mod table;
pub mod task;
pub mod time;
pub mod vfs;
