//! Clocks and timers of the machine.
//!
//! **Invariant**: time comes from the seam; what the guest reads never goes back on a monotonic clock.

use crate::seam::Host;

/// Clocks.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    /// The latest monotonic time handed out, in ns.
    pub monotonic_ns: u64,
    /// What `clock_settime` added to the host's wall clock, in ns.
    pub realtime_offset_ns: i64,
    /// Monotonic time at which the machine started, in ns.
    pub boot_ns: u64,
}

impl Clocks {
    /// Reads the monotonic clock.
    pub fn monotonic(&mut self, host: &mut dyn Host, retired: u64) -> u64 {
        self.monotonic_ns = self.monotonic_ns.max(host.monotonic_ns(retired));
        self.monotonic_ns
    }
    /// Reads the wall clock, in ns since 1970.
    pub fn realtime(&mut self, host: &mut dyn Host, retired: u64) -> u64 {
        host.realtime_ns(retired).saturating_add_signed(self.realtime_offset_ns)
    }
}

impl Clocks {
    /// When the next timer is due, in ns of the monotonic clock.
    #[must_use]
    pub fn next_timer(&self) -> Option<u64> {
        None
    }
}
