//! /proc.

pub mod maps;
pub mod sysctl;

/// What /proc/cmdline says.
pub const CMDLINE: &str = "emu";
