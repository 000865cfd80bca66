//! What the kernel says it is: `uname(2)`, /proc/version and the boot lines of the log agree through these.

/// `sysname`
pub const SYSNAME: &str = "Linux";
/// `release`
pub const RELEASE: &str = "6.13.0-emu";
/// `version`
pub const VERSION: &str = "#1 SMP PREEMPT_DYNAMIC Mon Jan  1 00:00:00 UTC 2024";
/// `machine`
pub const MACHINE: &str = "x86_64";
/// `domainname` until somebody sets one.
pub const DOMAIN: &str = "(none)";
/// What /proc/version names as the builder.
pub const BUILDER: &str = "(emu@emu) (rustc)";
