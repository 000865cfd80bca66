//! What a recording does not need to hold: clocks that go on as they went, random numbers of a known seed.
//!
//! **Invariant**: recorder and replay hold the same of these at the same call, so that both say the same.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How far a clock may be from the host's before it is corrected, in ns.
const TOLERANCE_NS: u64 = 50_000;
/// How far after many corrections: on a busy host the clock jumps often.
const TOLERANCE_MOST_NS: u64 = 4_000_000;
/// Corrections after which the tolerance is twice as large.
const CORRECTIONS: u64 = 64;
/// Instructions below which a correction says nothing about speed.
const SPEED_SAMPLE: u64 = 10_000;
/// Bits behind the point of a speed.
const POINT: u32 = 16;
/// Slowest and fastest speed that is believed, in ns for an instruction.
const SPEEDS: (u64, u64) = (1 << (POINT - 6), 64 << POINT);

/// See the module documentation.
#[derive(Debug, Clone)]
pub(super) struct Predict {
    last_ns: u64,
    last_retired: u64,
    /// Nanoseconds for an instruction.
    speed: u64,
    /// Wall clock less monotonic clock.
    wall_ns: u64,
    /// An instruction takes one nanosecond, and no answer is off.
    exact: bool,
    /// Corrections that were recorded.
    corrections: u64,
    random: ChaCha8Rng,
}

impl Predict {
    pub(super) fn new(seed: [u8; 32], exact: bool) -> Self {
        Predict {
            last_ns: 0,
            last_retired: 0,
            speed: if exact { 1 } else { 10 } << POINT,
            wall_ns: 0,
            exact,
            corrections: 0,
            random: ChaCha8Rng::from_seed(seed),
        }
    }

    /// What the monotonic clock should show.
    pub(super) fn monotonic(&self, retired: u64) -> u64 {
        let passed =
            (u128::from(retired.saturating_sub(self.last_retired)) * u128::from(self.speed)) >> POINT;
        self.last_ns.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// What it shows instead.
    pub(super) fn correct(&mut self, retired: u64, ns: u64) {
        let ran = retired.saturating_sub(self.last_retired);
        if ran >= SPEED_SAMPLE && !self.exact {
            let measured = (u128::from(ns.saturating_sub(self.last_ns)) << POINT) / u128::from(ran);
            let measured = u64::try_from(measured).unwrap_or(u64::MAX).clamp(SPEEDS.0, SPEEDS.1);
            self.speed = (self.speed * 3 + measured) / 4;
        }
        (self.last_ns, self.last_retired) = (ns, retired);
    }

    /// What the wall clock should show.
    pub(super) fn realtime(&self, retired: u64) -> u64 {
        self.monotonic(retired).saturating_add(self.wall_ns)
    }

    /// What it shows instead.
    pub(super) fn correct_wall(&mut self, retired: u64, ns: u64) {
        self.wall_ns = ns.saturating_sub(self.monotonic(retired));
    }

    /// Whether a prediction will do. Only a recorder asks: a replay finds the correction or does not.
    pub(super) fn is_close(&mut self, predicted: u64, ns: u64) -> bool {
        let tolerance = TOLERANCE_NS + TOLERANCE_NS * self.corrections / CORRECTIONS;
        let close = predicted.abs_diff(ns) <= if self.exact { 0 } else { tolerance.min(TOLERANCE_MOST_NS) };
        self.corrections += u64::from(!close);
        close
    }

    pub(super) fn entropy(&mut self, buf: &mut [u8]) {
        self.random.fill_bytes(buf);
    }
}
