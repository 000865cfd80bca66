//! The live host: clocks, entropy, standard streams, terminal and shared files of the machine emu runs on.
//!
//! **Invariant**: the only code of emu that touches the host while a guest runs.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use emu_syscalls::seam::{Direction, Host, HostEvent, Stream};

pub(crate) mod files;
#[cfg(not(unix))]
#[path = "streams_threads.rs"]
mod streams;
#[cfg(unix)]
#[path = "streams_unix.rs"]
mod streams;

pub(crate) use streams::Terminal;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct LiveHost {
    start: Instant,
    streams: streams::Streams,
    /// What the user shares.
    pub(crate) shares: files::Shares,
}

impl LiveHost {
    /// Connects to the host; the terminal stays as it is until [`Terminal::raw`].
    #[expect(clippy::disallowed_methods, reason = "this is the seam's other side")]
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(LiveHost {
            start: Instant::now(),
            streams: streams::Streams::new()?,
            shares: files::Shares::default(),
        })
    }
}

impl Host for LiveHost {
    fn monotonic_ns(&mut self, _retired: u64) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
    #[expect(clippy::disallowed_methods, reason = "this is the seam's other side")]
    fn realtime_ns(&mut self, _retired: u64) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
    #[expect(clippy::disallowed_methods, reason = "this is the seam's other side")]
    fn stamp(&mut self, _retired: u64) -> emu_syscalls::observe::Stamp {
        let ns = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        emu_syscalls::observe::Stamp {
            monotonic_ns: ns(self.start.elapsed()),
            realtime_ns: ns(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
        }
    }
    fn entropy(&mut self, buf: &mut [u8]) {
        getrandom::fill(buf).expect("the host has a source of random numbers");
    }
    emu_syscalls::forward_streams!(streams);
    emu_syscalls::forward_files!(shares);

    fn can_signal(&self) -> bool {
        true
    }
    #[cfg(unix)]
    fn suspend(&mut self) {
        self.streams.suspend();
    }
    fn poll(&mut self, _retired: u64) -> Vec<HostEvent> {
        self.streams.poll()
    }
    fn wait(
        &mut self,
        retired: u64,
        until_ns: Option<u64>,
        interest: &[(Stream, Direction)],
    ) -> Vec<HostEvent> {
        let now = self.monotonic_ns(retired);
        self.streams.wait(until_ns.map(|until| until.saturating_sub(now)), interest)
    }
}
