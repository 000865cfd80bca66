//! The live host: clocks, entropy, standard streams, terminal and shared files of the machine emu runs on.
//!
//! **Invariant**: the only code of emu that touches the host while a guest runs.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use emu_syscalls::abi::errno::Errno;
use emu_syscalls::seam::{
    Direction, Host, HostChange, HostEntry, HostEvent, HostPath, HostStat, Stream, StreamKind, WindowSize,
};

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
    fn stream_kind(&mut self, stream: Stream) -> StreamKind {
        self.streams.kind(stream)
    }
    fn stream_read(&mut self, stream: Stream, max: usize) -> Result<Vec<u8>, Errno> {
        self.streams.read(stream, max)
    }
    fn stream_write(&mut self, stream: Stream, data: &[u8]) -> Result<usize, Errno> {
        self.streams.write(stream, data)
    }
    fn stream_ready(&mut self, stream: Stream) -> (bool, bool) {
        self.streams.ready(stream)
    }
    fn window_size(&mut self) -> Option<WindowSize> {
        self.streams.window_size()
    }
    fn file_stat(&mut self, at: &HostPath) -> Result<HostStat, Errno> {
        self.shares.stat(at)
    }
    fn dir_list(&mut self, at: &HostPath) -> Result<Vec<HostEntry>, Errno> {
        self.shares.list(at)
    }
    fn link_read(&mut self, at: &HostPath) -> Result<Vec<u8>, Errno> {
        self.shares.read_link(at)
    }
    fn file_read(&mut self, at: &HostPath, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        self.shares.read(at, offset, buf)
    }
    fn file_write(&mut self, at: &HostPath, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.shares.write(at, offset, data)
    }
    fn file_change(&mut self, change: &HostChange) -> Result<(), Errno> {
        self.shares.change(change)
    }
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
