//! Clocks and timers of the machine.
//!
//! Key types: [`Clocks`], [`timer::TimerQueue`]. Time that tasks used is counted in instructions, one nanosecond each.
//!
//! **Invariant**: time comes from the seam; what the guest reads never goes back on a monotonic clock.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::Ctx;
use crate::seam::Host;

pub mod timer;

/// Nanoseconds in a second.
pub const NS_PER_SEC: u64 = 1_000_000_000;

/// Clocks.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    /// The latest monotonic time handed out, in ns.
    pub monotonic_ns: u64,
    /// What `clock_settime` added to the host's wall clock, in ns.
    pub realtime_offset_ns: i64,
    /// Monotonic time at which the machine started, in ns.
    pub boot_ns: u64,
    /// Raised when the wall clock is set: absolute waits on it look again.
    pub set_count: u64,
    /// `struct timezone` of settimeofday(2): minutes west of Greenwich and kind of summer time.
    pub timezone: (i32, i32),
    /// What adjtimex(2) keeps.
    pub adjustment: Adjustment,
    /// Armed timers.
    pub timers: timer::TimerQueue,
    /// Time namespaces made so far.
    pub namespaces: u64,
    /// Those that a task has been in: their offsets are fixed.
    pub frozen: persist::OrdSet<u64>,
}

/// What adjtimex(2) keeps and tells. The clock's rate is the host's whatever is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjustment {
    /// Offset still to be made up for, in us or ns.
    pub offset: i64,
    /// Offset of adjtime(3) still to be made up for, in us.
    pub single: i64,
    /// Frequency in parts per million, scaled by 65536.
    pub frequency: i64,
    /// Largest error in us.
    pub max_error: i64,
    /// Estimated error in us.
    pub estimated_error: i64,
    /// `STA_*` bits.
    pub status: u32,
    /// Time constant of the loop.
    pub constant: i64,
    /// Microseconds between ticks.
    pub tick: i64,
    /// Seconds that TAI is ahead of UTC.
    pub tai: i32,
}

impl Default for Adjustment {
    /// A clock that nobody has set in step.
    fn default() -> Self {
        Adjustment {
            offset: 0,
            single: 0,
            frequency: 0,
            max_error: 16_000_000,
            estimated_error: 16_000_000,
            status: 0x40,
            constant: 2,
            tick: 10_000,
            tai: 0,
        }
    }
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
    /// When the next timer is due, in ns of the monotonic clock.
    #[must_use]
    pub fn next_timer(&self) -> Option<u64> {
        self.timers.next()
    }
}

/// Whether a clock is the one of time since boot, or the monotonic one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// CLOCK_BOOTTIME
    Yes,
    /// CLOCK_MONOTONIC
    No,
}

/// Nanoseconds of a `timespec` or, with `unit_ns` 1000, a `timeval`. `EINVAL` if negative or not normal.
pub fn duration_ns(seconds: i64, fraction: i64, unit_ns: i64) -> Result<u64, Errno> {
    let max = 1_000_000_000 / unit_ns;
    if seconds < 0 || !(0..max).contains(&fraction) {
        return Err(Errno::EINVAL);
    }
    let ns = (fraction * unit_ns).unsigned_abs();
    // KTIME_MAX caps what a guest can ask for.
    Ok(seconds.unsigned_abs().saturating_mul(NS_PER_SEC).saturating_add(ns).min(i64::MAX.unsigned_abs()))
}

impl Ctx<'_> {
    /// The monotonic time at which the caller's clock of monotonic time (or, `boot`, of time since boot) shows `ns`.
    #[must_use]
    pub fn from_namespace(&self, ns: u64, boot: Boot) -> u64 {
        ns.saturating_add_signed(self.namespace_offset(boot).saturating_neg())
    }
    /// What the caller's clock shows at monotonic time `ns`.
    #[must_use]
    pub fn to_namespace(&self, ns: u64, boot: Boot) -> u64 {
        ns.saturating_add_signed(self.namespace_offset(boot))
    }
    fn namespace_offset(&self, boot: Boot) -> i64 {
        let time = self.task().time;
        if boot == Boot::Yes { time.boot } else { time.monotonic }
    }
    /// Reads a `timespec` as ns. `EFAULT`, `EINVAL`.
    pub fn read_timespec(&mut self, addr: Addr) -> Result<u64, Errno> {
        let seconds = self.read_u64(addr)?.cast_signed();
        let ns = self.read_u64(addr.at(8))?.cast_signed();
        duration_ns(seconds, ns, 1)
    }
    /// Reads a `timeval` as ns. `EFAULT`, `EINVAL`.
    pub fn read_timeval(&mut self, addr: Addr) -> Result<u64, Errno> {
        let seconds = self.read_u64(addr)?.cast_signed();
        let us = self.read_u64(addr.at(8))?.cast_signed();
        duration_ns(seconds, us, 1000)
    }
    /// Writes ns as a `timespec`.
    pub fn write_timespec(&mut self, addr: Addr, ns: u64) -> Result<(), Errno> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(ns / NS_PER_SEC).to_le_bytes());
        bytes[8..].copy_from_slice(&(ns % NS_PER_SEC).to_le_bytes());
        self.write_user(addr, &bytes)
    }
    /// Writes ns as a `timeval`.
    pub fn write_timeval(&mut self, addr: Addr, ns: u64) -> Result<(), Errno> {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(ns / NS_PER_SEC).to_le_bytes());
        bytes[8..].copy_from_slice(&(ns % NS_PER_SEC / 1000).to_le_bytes());
        self.write_user(addr, &bytes)
    }
    /// The monotonic time at which the wall clock shows `realtime_ns`.
    pub fn realtime_to_monotonic(&mut self, realtime_ns: u64) -> u64 {
        let now = self.realtime_ns();
        let monotonic = self.now_ns();
        if realtime_ns >= now {
            monotonic.saturating_add(realtime_ns - now)
        } else {
            monotonic.saturating_sub(now - realtime_ns)
        }
    }
}
