//! Recording: a host in front of another that writes down every answer.
//!
//! Key type: [`RecordingHost`]. What follows from what is known already is not written: clocks that go on as they went,
//! random numbers of a seed, that nothing happened. [`RecordingHost::run`] runs a machine and notes checkpoints between.
//!
//! **Invariant**: the machine gets exactly the answers that a replay will give it.

use xxhash_rust::xxh3::Xxh3;

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::machine::{Machine, Stopped};
use crate::seam::deterministic::seed_bytes;
use crate::seam::predict::Predict;
use crate::seam::trace::{Brief, Bytes, CHECKPOINT_EVERY, ChunkKind, Effort, End, Item, Record, Sink, Start};
use crate::seam::{
    Direction, Host, HostChange, HostEntry, HostEvent, HostPath, HostStat, Stream, StreamKind, WindowSize,
};
use crate::setup::Setup;

/// Bytes after which a chunk is sealed.
const CHUNK_LEN: usize = 256 * 1024;
/// Time after which a chunk is sealed, in ns; twice as long for the first.
const CHUNK_NS: u64 = 250_000_000;
/// Bytes of contents on which much effort may be spent: they are mostly the pages of the program, and all that the recording
/// of a small program holds.
const TIGHT: usize = 272 * 1024;
/// Least contents that are worth it.
const TIGHT_LEAST: usize = 16 * 1024;
/// What it takes, in ns a byte, and how much of the time so far that may be.
const TIGHT_NS: u64 = 64;
const TIGHT_SHARE: u64 = 32;
/// A run that ends before may take more: nobody feels it.
const SHORT_NS: u64 = 64_000_000;
/// A wait that may be longer seals the chunk before, in ns.
const LONG_WAIT_NS: u64 = 10_000_000;
/// Digests of everything may take one part in so many of the time.
const DIGEST_SHARE: u64 = 64;

/// What happens when the recording cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The machine stops.
    Stop,
    /// The guest goes on unrecorded.
    GoOn,
}

/// Checksum of what was asked.
pub(super) fn sum(parts: &[&[u8]]) -> u32 {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    u32::try_from(hasher.digest() >> 32).unwrap_or(0)
}

/// Checksum of a question about a file.
pub(super) fn path_sum(at: &HostPath, more: &[u8]) -> u32 {
    sum(&[&at.share.0.to_le_bytes(), &at.path, more])
}

/// Checksum of a change.
pub(super) fn change_sum(change: &HostChange) -> u32 {
    sum(&[&postcard::to_allocvec(change).unwrap_or_default()])
}

/// Checksum of a write to a stream.
pub(super) fn write_sum(stream: Stream, data: &[u8]) -> u32 {
    sum(&[&[stream as u8], data])
}

/// A digest that grows with what is recorded.
#[derive(Clone, Default)]
pub(super) struct Answers(pub(super) Xxh3);

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answers({:x})", self.0.digest())
    }
}

/// Whether the guest would rather go on than have its chunk packed well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hurry {
    None,
    Some,
}

/// See the module documentation.
#[derive(Debug)]
pub struct RecordingHost {
    inner: Box<dyn Host>,
    sink: Box<dyn Sink>,
    on_error: OnError,
    /// Why nothing is recorded any more.
    pub error: Option<std::io::Error>,
    predict: Predict,
    buf: Vec<u8>,
    /// Of all records so far.
    answers: Answers,
    skipped: u64,
    sealed_ns: u64,
    /// The host's clock when it was last asked.
    now_ns: u64,
    /// Bytes that were packed with much effort.
    tight: usize,
    next_checkpoint: u64,
    digests_ns: u64,
}

impl RecordingHost {
    /// Records what `inner` answers to a machine that is built from `setup`. `shares`: names of the shares on the host, in
    /// order. With the seed of a deterministic host the machine gets what it would get unrecorded.
    pub fn new(
        mut inner: Box<dyn Host>,
        sink: Box<dyn Sink>,
        setup: &Setup,
        shares: Vec<String>,
        deterministic: Option<u64>,
        on_error: OnError,
    ) -> Self {
        let mut seed = [0; 32];
        match deterministic {
            Some(number) => seed = seed_bytes(number),
            None => inner.entropy(&mut seed),
        }
        let names = Kernel::new(setup.config.clone());
        let start = Start {
            emu: env!("CARGO_PKG_VERSION").to_owned(),
            setup: setup.clone(),
            seed,
            deterministic,
            shares,
            can_signal: inner.can_signal(),
            parts: names.digests().iter().map(|(name, _)| (*name).to_owned()).collect(),
        };
        let mut host = RecordingHost {
            inner,
            sink,
            on_error,
            error: None,
            predict: Predict::new(seed, deterministic.is_some()),
            buf: Vec::new(),
            answers: Answers::default(),
            skipped: 0,
            sealed_ns: 0,
            now_ns: 0,
            tight: 0,
            next_checkpoint: CHECKPOINT_EVERY,
            digests_ns: 0,
        };
        let start = postcard::to_allocvec(&start).unwrap_or_default();
        host.put(ChunkKind::Start, start, Effort::Little);
        host
    }

    /// Runs `machine` against this host as [`Machine::run`] does, with checkpoints between.
    pub fn run(&mut self, machine: &mut Machine, stop_at: u64) -> Stopped {
        loop {
            let to = stop_at.min(self.next_checkpoint);
            let stopped = machine.run(self, to);
            let retired = machine.kernel.retired;
            if stopped != Stopped::Budget || retired < self.next_checkpoint {
                return stopped;
            }
            self.checkpoint(&machine.kernel);
            self.next_checkpoint = next_checkpoint(retired);
            if retired >= stop_at {
                return Stopped::Budget;
            }
        }
    }

    /// Notes how it ended and waits until everything is written.
    ///
    /// # Errors
    /// The recording could not be written to its end.
    pub fn finish(&mut self, kernel: &Kernel, stopped: &Stopped) -> std::io::Result<()> {
        let status = match stopped {
            Stopped::Exited(status) => Some(*status),
            _ => None,
        };
        self.now_ns = self.inner.monotonic_ns(kernel.retired);
        self.seal(if self.now_ns < SHORT_NS { Hurry::None } else { Hurry::Some });
        let end = End {
            status,
            retired: kernel.retired,
            digests: kernel.digests().iter().map(|(_, digest)| *digest).collect(),
            answers: self.answers.0.digest(),
        };
        self.put(ChunkKind::End, postcard::to_allocvec(&end).unwrap_or_default(), Effort::Little);
        if self.error.is_none() {
            self.error = self.sink.finish().err();
        }
        match &self.error {
            Some(error) => Err(std::io::Error::new(error.kind(), error.to_string())),
            None => Ok(()),
        }
    }

    fn checkpoint(&mut self, kernel: &Kernel) {
        let before = self.inner.monotonic_ns(kernel.retired);
        let full = (self.digests_ns <= before / DIGEST_SHARE).then(|| Brief::new(&kernel.digests()));
        let after = self.inner.monotonic_ns(kernel.retired);
        if full.is_some() {
            self.digests_ns += (after - before).max(1) * 2;
        }
        let answers = self.answers.0.digest();
        let quick = Brief::new(&kernel.quick_digests());
        self.log(Item::Checkpoint { retired: kernel.retired, quick, full, answers });
        self.now_ns = after;
        let first = if self.sealed_ns == 0 { 2 } else { 1 };
        if after.saturating_sub(self.sealed_ns) >= CHUNK_NS * first {
            self.seal(Hurry::Some);
            self.sealed_ns = after;
        }
    }

    fn put(&mut self, kind: ChunkKind, contents: Vec<u8>, effort: Effort) {
        if self.error.is_none() {
            self.error = self.sink.put(kind, contents, effort).err();
        }
    }

    fn add(&mut self, item: Item) {
        let record = Record { skip: std::mem::take(&mut self.skipped), item };
        if let Ok(bytes) = postcard::to_allocvec(&record) {
            self.answers.0.update(&bytes);
            self.buf.extend(bytes);
        }
    }

    fn log(&mut self, item: Item) {
        self.add(item);
        if self.buf.len() >= CHUNK_LEN {
            self.seal(Hurry::Some);
        }
    }

    /// Ends a chunk: a replay gets to here even if nothing follows.
    fn seal(&mut self, hurry: Hurry) {
        if self.skipped > 0 {
            self.add(Item::Mark);
        }
        if !self.buf.is_empty() {
            let contents = std::mem::take(&mut self.buf);
            let total = self.tight + contents.len();
            let affordable = total as u64 * TIGHT_NS <= self.now_ns / TIGHT_SHARE || hurry == Hurry::None;
            let effort = if affordable && contents.len() >= TIGHT_LEAST && total <= TIGHT {
                self.tight = total;
                Effort::Much
            } else {
                Effort::Little
            };
            self.put(ChunkKind::Log, contents, effort);
        }
    }
}

/// The count of the checkpoint after one at `retired`. They are further apart the later they are, so that a long recording
/// does not consist of them: every 10,000,000 instructions up to 2,560,000,000, then half as many for the same length again.
pub(super) fn next_checkpoint(retired: u64) -> u64 {
    let doublings = (retired / (CHECKPOINT_EVERY * 128)).checked_ilog2().unwrap_or(0);
    let step = CHECKPOINT_EVERY << doublings;
    (retired / step).saturating_add(1).saturating_mul(step)
}

impl Host for RecordingHost {
    fn monotonic_ns(&mut self, retired: u64) -> u64 {
        let now = self.inner.monotonic_ns(retired);
        self.now_ns = now;
        let predicted = self.predict.monotonic(retired);
        if self.predict.is_close(predicted, now) {
            self.skipped += 1;
            return predicted;
        }
        self.predict.correct(retired, now);
        self.log(Item::Monotonic(now));
        now
    }
    fn realtime_ns(&mut self, retired: u64) -> u64 {
        let now = self.inner.realtime_ns(retired);
        let predicted = self.predict.realtime(retired);
        if self.predict.is_close(predicted, now) {
            self.skipped += 1;
            return predicted;
        }
        self.predict.correct_wall(retired, now);
        self.log(Item::Realtime(now));
        now
    }
    fn entropy(&mut self, buf: &mut [u8]) {
        self.skipped += 1;
        self.predict.entropy(buf);
    }

    fn stream_kind(&mut self, stream: Stream) -> StreamKind {
        let kind = self.inner.stream_kind(stream);
        self.log(Item::Kind(kind));
        kind
    }
    fn stream_read(&mut self, stream: Stream, max: usize) -> Result<Vec<u8>, Errno> {
        let answer = self.inner.stream_read(stream, max).map(Bytes);
        self.log(Item::Read(answer.clone()));
        answer.map(|bytes| bytes.0)
    }
    fn stream_write(&mut self, stream: Stream, data: &[u8]) -> Result<usize, Errno> {
        let answer = self.inner.stream_write(stream, data);
        self.log(Item::Write { sum: write_sum(stream, data), answer: answer.map(|n| n as u64) });
        answer
    }
    fn stream_ready(&mut self, stream: Stream) -> (bool, bool) {
        let (read, write) = self.inner.stream_ready(stream);
        self.log(Item::Ready(read, write));
        (read, write)
    }
    fn window_size(&mut self) -> Option<WindowSize> {
        let size = self.inner.window_size();
        self.log(Item::Window(size));
        size
    }

    fn file_stat(&mut self, at: &HostPath) -> Result<HostStat, Errno> {
        let answer = self.inner.file_stat(at);
        self.log(Item::Stat { sum: path_sum(at, &[]), answer });
        answer
    }
    fn dir_list(&mut self, at: &HostPath) -> Result<Vec<HostEntry>, Errno> {
        let answer = self.inner.dir_list(at);
        self.log(Item::List { sum: path_sum(at, &[]), answer: answer.clone() });
        answer
    }
    fn link_read(&mut self, at: &HostPath) -> Result<Vec<u8>, Errno> {
        let answer = self.inner.link_read(at);
        self.log(Item::Link { sum: path_sum(at, &[]), answer: answer.clone().map(Bytes) });
        answer
    }
    fn file_read(&mut self, at: &HostPath, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let answer = self.inner.file_read(at, offset, buf);
        let data = answer.map(|n| Bytes(buf.get(..n).unwrap_or_default().to_vec()));
        self.log(Item::FileRead { sum: path_sum(at, &offset.to_le_bytes()), answer: data });
        answer
    }
    fn file_write(&mut self, at: &HostPath, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let answer = self.inner.file_write(at, offset, data);
        let asked = [&offset.to_le_bytes()[..], data].concat();
        self.log(Item::FileWrite { sum: path_sum(at, &asked), answer });
        answer
    }
    fn file_change(&mut self, change: &HostChange) -> Result<(), Errno> {
        let answer = self.inner.file_change(change);
        self.log(Item::FileChange { sum: change_sum(change), answer });
        answer
    }

    fn stamp(&mut self, retired: u64) -> crate::observe::Stamp {
        self.inner.stamp(retired)
    }
    fn can_signal(&self) -> bool {
        self.inner.can_signal()
    }
    fn suspend(&mut self) {
        self.seal(Hurry::None);
        self.inner.suspend();
        self.log(Item::Suspend);
    }
    fn gone(&self) -> bool {
        self.error.is_some() && self.on_error == OnError::Stop || self.inner.gone()
    }
    fn poll(&mut self, retired: u64) -> Vec<HostEvent> {
        let events = self.inner.poll(retired);
        if events.is_empty() {
            self.skipped += 1;
        } else {
            self.log(Item::Poll(events.clone()));
        }
        events
    }
    fn wait(
        &mut self,
        retired: u64,
        until_ns: Option<u64>,
        interest: &[(Stream, Direction)],
    ) -> Vec<HostEvent> {
        let now = self.inner.monotonic_ns(retired);
        if until_ns.is_none_or(|until| until.saturating_sub(now) >= LONG_WAIT_NS) {
            self.seal(Hurry::None);
            self.sealed_ns = now;
        }
        let events = self.inner.wait(retired, until_ns, interest);
        // The clock is right after a wait, or its end would seem not to have come.
        let now = self.inner.monotonic_ns(retired);
        self.predict.correct(retired, now);
        self.log(Item::Wait { events: events.clone(), now });
        events
    }
}
