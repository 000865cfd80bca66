//! Deterministic mode: a host that is left with nothing but inputs.
//!
//! Key type: [`DeterministicHost`]. It wraps a real host, from which it takes the contents of files and of standard
//! input, and to which it gives output. Clocks derive from retired instructions and jump when everybody sleeps; entropy
//! comes from a seed; what differs from host to host without being an input (inode numbers, times of access, how an output
//! is connected) has one fixed value.
//!
//! **Invariant**: no answer depends on when it is asked by the host's clock, except that a terminal's input comes when it
//! is typed, and a signal sent to emu when it is sent.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use xxhash_rust::xxh3::Xxh3;

use crate::abi::errno::Errno;
use crate::seam::{
    Direction, Host, HostChange, HostEntry, HostEvent, HostFileKind, HostPath, HostStat, Stream, StreamKind,
    WindowSize,
};

/// Wall clock at instruction zero: 2025-01-01 00:00:00 UTC, in ns since 1970.
pub const EPOCH_NS: u64 = 1_735_689_600_000_000_000;
/// What a terminal measures.
const TERMINAL: WindowSize = WindowSize { rows: 24, cols: 80 };
/// What a directory measures.
const DIRECTORY_SIZE: u64 = 4096;

/// A seed as its generator takes it.
#[must_use]
pub fn seed_bytes(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// See the module documentation.
pub struct DeterministicHost<H> {
    /// What it wraps.
    pub inner: H,
    idle_ns: u64,
    random: ChaCha8Rng,
    /// Files by the host's identity, numbered as they are first seen.
    identities: BTreeMap<u64, u64>,
    /// Events that came while a read waited.
    pending: Vec<HostEvent>,
    inputs: Xxh3,
    has_terminal: bool,
}

impl<H: std::fmt::Debug> std::fmt::Debug for DeterministicHost<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeterministicHost").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<H: Host> DeterministicHost<H> {
    /// Everything that is not an input follows from `seed`.
    pub fn new(mut inner: H, seed: u64) -> Self {
        DeterministicHost {
            has_terminal: inner.stream_kind(Stream::Stdin) == StreamKind::Terminal,
            inner,
            idle_ns: 0,
            random: ChaCha8Rng::from_seed(seed_bytes(seed)),
            identities: BTreeMap::new(),
            pending: Vec::new(),
            inputs: Xxh3::new(),
        }
    }

    /// Digest of all inputs so far: contents of files and of standard input, in the order they were read.
    pub fn inputs(&self) -> u128 {
        self.inputs.digest128()
    }

    fn plain(&mut self, mut stat: HostStat) -> HostStat {
        if stat.identity != 0 {
            let next = self.identities.len() as u64 + 1;
            stat.identity = *self.identities.entry(stat.identity).or_insert(next);
        }
        if stat.kind == HostFileKind::Dir {
            stat.size = DIRECTORY_SIZE;
            stat.nlink = 2;
            stat.mtime_ns = EPOCH_NS.cast_signed();
        }
        stat.atime_ns = stat.mtime_ns;
        stat.ctime_ns = stat.mtime_ns;
        stat
    }

    /// Waits for the host until `stream` can be read or written; whether it can, and nothing else came.
    fn wait_for(&mut self, stream: Stream, direction: Direction) -> bool {
        let (mut ready, mut other) = (false, false);
        while !ready && !other {
            for event in self.inner.wait(0, None, &[(stream, direction)]) {
                match (event, direction) {
                    (HostEvent::Readable(which), Direction::Read)
                    | (HostEvent::Writable(which), Direction::Write)
                        if which == stream =>
                    {
                        ready = true;
                    }
                    (event, _) => {
                        other |= matches!(event, HostEvent::Signal(_));
                        self.pending.push(event);
                    }
                }
            }
            if self.inner.gone() {
                return false;
            }
        }
        ready && !other
    }
}

impl<H: Host> Host for DeterministicHost<H> {
    fn monotonic_ns(&mut self, retired: u64) -> u64 {
        retired.saturating_add(self.idle_ns)
    }
    fn realtime_ns(&mut self, retired: u64) -> u64 {
        EPOCH_NS.saturating_add(self.monotonic_ns(retired))
    }
    fn entropy(&mut self, buf: &mut [u8]) {
        self.random.fill_bytes(buf);
    }

    fn stream_kind(&mut self, stream: Stream) -> StreamKind {
        match self.inner.stream_kind(stream) {
            kind @ (StreamKind::Closed | StreamKind::Terminal) => kind,
            _ => StreamKind::Pipe,
        }
    }
    fn stream_read(&mut self, stream: Stream, max: usize) -> Result<Vec<u8>, Errno> {
        if self.inner.stream_kind(stream) == StreamKind::Terminal {
            return self.inner.stream_read(stream, max);
        }
        // How a pipe's bytes arrive is the host's: a read takes all it asks for, or what is left.
        let mut data = Vec::new();
        while data.len() < max {
            match self.inner.stream_read(stream, max - data.len()) {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => data.extend(piece),
                Err(Errno::EAGAIN) if self.wait_for(stream, Direction::Read) => {}
                Err(errno) if data.is_empty() => return Err(errno),
                Err(_) => break,
            }
        }
        self.inputs.update(&data);
        Ok(data)
    }
    fn stream_write(&mut self, stream: Stream, data: &[u8]) -> Result<usize, Errno> {
        let mut done = 0;
        while done < data.len() {
            match self.inner.stream_write(stream, &data[done..]) {
                Ok(n) => done += n,
                Err(Errno::EAGAIN) if self.wait_for(stream, Direction::Write) => {}
                Err(errno) if done == 0 => return Err(errno),
                Err(_) => break,
            }
        }
        Ok(done)
    }
    fn stream_ready(&mut self, stream: Stream) -> (bool, bool) {
        let readable =
            self.inner.stream_kind(stream) != StreamKind::Terminal || self.inner.stream_ready(stream).0;
        (readable, true)
    }
    fn window_size(&mut self) -> Option<WindowSize> {
        Some(TERMINAL)
    }

    fn file_stat(&mut self, at: &HostPath) -> Result<HostStat, Errno> {
        let stat = self.inner.file_stat(at)?;
        Ok(self.plain(stat))
    }
    fn dir_list(&mut self, at: &HostPath) -> Result<Vec<HostEntry>, Errno> {
        let mut entries = self.inner.dir_list(at)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
    fn link_read(&mut self, at: &HostPath) -> Result<Vec<u8>, Errno> {
        self.inner.link_read(at)
    }
    fn file_read(&mut self, at: &HostPath, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let n = self.inner.file_read(at, offset, buf)?;
        self.inputs.update(buf.get(..n).unwrap_or_default());
        Ok(n)
    }
    fn file_write(&mut self, at: &HostPath, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.inner.file_write(at, offset, data)
    }
    fn file_change(&mut self, change: &HostChange) -> Result<(), Errno> {
        self.inner.file_change(change)
    }

    fn can_signal(&self) -> bool {
        // Who waits for a signal that no guest will send waits for ever, unless somebody sits at a terminal.
        self.has_terminal && self.inner.can_signal()
    }
    fn suspend(&mut self) {
        self.inner.suspend();
    }
    fn gone(&self) -> bool {
        self.inner.gone()
    }
    fn poll(&mut self, retired: u64) -> Vec<HostEvent> {
        let mut events = std::mem::take(&mut self.pending);
        events.extend(self.inner.poll(retired));
        // A resized terminal is none: it has one size.
        events.retain(|event| !matches!(event, HostEvent::WindowSize));
        events
    }
    fn wait(
        &mut self,
        retired: u64,
        until_ns: Option<u64>,
        interest: &[(Stream, Direction)],
    ) -> Vec<HostEvent> {
        if !self.pending.is_empty() {
            return std::mem::take(&mut self.pending);
        }
        let typed = interest.iter().any(|(stream, direction)| {
            *direction == Direction::Read && self.inner.stream_kind(*stream) == StreamKind::Terminal
        });
        let mut ready: Vec<HostEvent> = Vec::new();
        for (stream, direction) in interest {
            match direction {
                Direction::Write => ready.push(HostEvent::Writable(*stream)),
                Direction::Read if !typed => ready.push(HostEvent::Readable(*stream)),
                Direction::Read => {}
            }
        }
        if !ready.is_empty() {
            return ready;
        }
        match until_ns {
            Some(until) if !typed => {
                self.idle_ns += until.saturating_sub(self.monotonic_ns(retired));
                Vec::new()
            }
            // Somebody types, or sends a signal: that is an input, and takes as long as it takes.
            _ => {
                let mut events = self.inner.wait(retired, None, interest);
                events.retain(|event| !matches!(event, HostEvent::WindowSize));
                events
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seam::scripted::ScriptedHost;

    #[test]
    fn sleeping_takes_no_time() {
        let mut host = DeterministicHost::new(ScriptedHost::new(0), 1);
        assert!(host.wait(10, Some(3_600_000_000_000), &[]).is_empty());
        assert_eq!(host.monotonic_ns(10), 3_600_000_000_000);
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let bytes = |seed| {
            let mut buf = [0; 32];
            DeterministicHost::new(ScriptedHost::new(0), seed).entropy(&mut buf);
            buf
        };
        assert_eq!(bytes(7), bytes(7));
        assert_ne!(bytes(7), bytes(8));
    }

    #[test]
    fn a_read_takes_all_it_asks_for() {
        let mut inner = ScriptedHost::new(0);
        inner.input = b"abcdef".to_vec();
        let mut host = DeterministicHost::new(inner, 1);
        assert_eq!(host.stream_read(Stream::Stdin, 4).unwrap(), b"abcd");
        assert_eq!(host.stream_read(Stream::Stdin, 4).unwrap(), b"ef");
        assert_eq!(host.stream_read(Stream::Stdin, 4).unwrap(), b"");
    }
}
