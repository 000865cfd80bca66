//! Shared parts of the integration tests.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod judge;
