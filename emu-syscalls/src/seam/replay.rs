//! Replay: a host that answers from a recording, and a machine that runs against it.
//!
//! Key types: [`ReplayHost`], [`Replayer`] (a machine, checked as it goes, that can be taken to any instruction count),
//! [`Divergence`].
//!
//! **Invariant**: nothing but the recording is asked. Where the machine asks for something else than was recorded, that is
//! told, and nothing after it counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use emu_core::engine::Engine;

use crate::abi::errno::Errno;
use crate::digest::Parts;
use crate::kernel::Kernel;
use crate::machine::{Machine, Stopped};
use crate::seam::predict::Predict;
use crate::seam::record::{Answers, change_sum, next_checkpoint, path_sum, write_sum};
use crate::seam::trace::{CHECKPOINT_EVERY, Item, Record, Trace, TraceError, take_record};
use crate::seam::{
    Direction, Host, HostChange, HostEntry, HostEvent, HostPath, HostStat, Stream, StreamKind, WindowSize,
};
use crate::setup::SetupError;

/// Most snapshots that are kept for going back; the distance between them doubles beyond.
const SNAPSHOTS: usize = 96;

/// Why a replay can go on no more.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Gone {
    /// The recording ends here: the recorder did not come to its end.
    End,
    /// The machine did something else than it did when it was recorded.
    Diverged(String),
    /// The recording makes no sense.
    Broken(TraceError),
}

/// A host that answers from a recording. `clone()` is cheap and goes on by itself.
#[derive(Debug, Clone)]
pub struct ReplayHost {
    trace: Arc<Trace>,
    /// What the guest wrote, since it was last taken.
    pub output: Vec<(Stream, Vec<u8>)>,
    /// Whether output is kept at all.
    pub keep_output: bool,
    chunk: usize,
    chunk_offset: usize,
    records: Arc<Vec<u8>>,
    at: usize,
    /// Records read of this chunk.
    read: u64,
    next: Option<Record>,
    /// Of all records that were read, and of those before `next`.
    answers: (Answers, u64),
    predict: Predict,
    gone: Option<Gone>,
    can_signal: bool,
    /// What the standard streams were, as far as asked.
    kinds: [StreamKind; 3],
}

impl ReplayHost {
    /// Answers from the beginning of `trace`.
    pub fn new(trace: Arc<Trace>) -> Self {
        let predict = Predict::new(trace.start.seed, trace.start.deterministic.is_some());
        let can_signal = trace.start.can_signal;
        let mut host = ReplayHost {
            trace,
            output: Vec::new(),
            keep_output: true,
            chunk: 0,
            chunk_offset: 0,
            records: Arc::default(),
            at: 0,
            read: 0,
            next: None,
            answers: (Answers::default(), 0),
            predict,
            gone: None,
            can_signal,
            kinds: [StreamKind::Closed; 3],
        };
        host.load();
        host
    }

    fn load(&mut self) {
        self.next = None;
        loop {
            if self.at < self.records.len() {
                match take_record(self.records.get(self.at..).unwrap_or_default()) {
                    Ok((record, rest)) => {
                        let end = self.records.len() - rest.len();
                        self.answers.1 = self.answers.0.0.digest();
                        self.answers.0.0.update(self.records.get(self.at..end).unwrap_or_default());
                        self.at = end;
                        self.read += 1;
                        if record.item == Item::Mark && record.skip == 0 {
                            continue;
                        }
                        self.next = Some(record);
                    }
                    Err(_) => self.leave(Gone::Broken(TraceError::Record(self.chunk_offset, self.read))),
                }
                return;
            }
            match self.trace.chunk(self.chunk) {
                Ok(Some((offset, records))) => {
                    self.chunk += 1;
                    (self.chunk_offset, self.records) = (offset, records);
                    (self.at, self.read) = (0, 0);
                }
                Ok(None) => return,
                Err(error) => return self.leave(Gone::Broken(error)),
            }
        }
    }

    fn leave(&mut self, why: Gone) {
        if self.gone.is_none() {
            self.gone = Some(why);
        }
        self.next = None;
    }

    fn diverge(&mut self, asked: &str, recorded: &str) {
        self.leave(Gone::Diverged(format!("the machine asks for {asked}; recorded is {recorded}")));
    }

    /// The recorded answer to the next call, if it has one of its own.
    fn answer(&mut self, asked: &'static str) -> Option<Item> {
        if self.gone.is_some() {
            return None;
        }
        match &mut self.next {
            None => {
                self.past_the_end(asked);
                None
            }
            Some(record) if record.skip > 0 => {
                record.skip -= 1;
                if record.skip == 0 && record.item == Item::Mark {
                    self.load();
                }
                None
            }
            Some(_) => {
                let record = self.next.take();
                self.load();
                record.map(|record| record.item)
            }
        }
    }

    fn past_the_end(&mut self, asked: &str) {
        if self.trace.end.is_some() {
            self.diverge(asked, "the end");
        } else {
            self.leave(Gone::End);
        }
    }

    /// The recorded answer to a call that always has one.
    fn must(&mut self, asked: &'static str) -> Option<Item> {
        let answer = self.answer(asked);
        if answer.is_none() && self.gone.is_none() {
            self.diverge(asked, "nothing of the kind");
        }
        answer
    }

    /// Notes an answer to another question.
    fn other<T: Default>(&mut self, asked: &str, item: Option<Item>) -> T {
        if let Some(item) = item {
            self.diverge(asked, &format!("{}: {item:?}", item.name()));
        }
        T::default()
    }

    fn check(&mut self, asked: &str, sum: u32, recorded: u32) {
        if sum != recorded {
            self.diverge(asked, "the same with other arguments");
        }
    }

    /// Compares the machine with the next checkpoint, which is due.
    fn checkpoint(&mut self, kernel: &Kernel) -> Result<(), String> {
        let Some(Record { skip, item }) = self.next.clone() else {
            self.past_the_end("nothing more");
            return Ok(());
        };
        let Item::Checkpoint { retired, quick, full, answers } = item else {
            return Err(format!("a checkpoint is due; recorded is {}", item.name()));
        };
        if skip > 0 || retired != kernel.retired {
            return Err(format!("{skip} answers were not asked for before the checkpoint at {retired}"));
        }
        if answers != self.answers.1 {
            return Err("the answers since the last checkpoint are not those that were recorded".to_owned());
        }
        self.load();
        quick.compare(&kernel.quick_digests())?;
        full.map_or(Ok(()), |full| full.compare(&kernel.digests()))
    }
}

/// Names the first part that differs.
fn compare(parts: &Parts, recorded: &[u64]) -> Result<(), String> {
    if parts.len() != recorded.len() {
        return Err(format!("{} digests are recorded; this emu takes {}", recorded.len(), parts.len()));
    }
    let differing: Vec<&str> = parts
        .iter()
        .zip(recorded)
        .filter(|((_, digest), recorded)| digest != *recorded)
        .map(|((name, _), _)| *name)
        .collect();
    if differing.is_empty() { Ok(()) } else { Err(format!("other than recorded: {}", differing.join(", "))) }
}

impl Host for ReplayHost {
    fn monotonic_ns(&mut self, retired: u64) -> u64 {
        if self.gone.is_some() {
            // Whoever waits for a time finds that it has come.
            return i64::MAX.cast_unsigned();
        }
        match self.answer("the monotonic clock") {
            None => self.predict.monotonic(retired),
            Some(Item::Monotonic(now)) => {
                self.predict.correct(retired, now);
                now
            }
            item => self.other("the monotonic clock", item),
        }
    }
    fn realtime_ns(&mut self, retired: u64) -> u64 {
        match self.answer("the wall clock") {
            None => self.predict.realtime(retired),
            Some(Item::Realtime(now)) => {
                self.predict.correct_wall(retired, now);
                now
            }
            item => self.other("the wall clock", item),
        }
    }
    fn entropy(&mut self, buf: &mut [u8]) {
        if let item @ Some(_) = self.answer("random numbers") {
            self.other::<()>("random numbers", item);
        }
        self.predict.entropy(buf);
    }

    fn stream_kind(&mut self, stream: Stream) -> StreamKind {
        match self.must("the kind of a stream") {
            Some(Item::Kind(kind)) => {
                self.kinds[stream as usize] = kind;
                kind
            }
            item => self.other("the kind of a stream", item),
        }
    }
    fn stream_read(&mut self, stream: Stream, _max: usize) -> Result<Vec<u8>, Errno> {
        let _ = stream;
        match self.must("a read of a stream") {
            Some(Item::Read(answer)) => answer.map(|bytes| bytes.0),
            item => Ok(self.other("a read of a stream", item)),
        }
    }
    fn stream_write(&mut self, stream: Stream, data: &[u8]) -> Result<usize, Errno> {
        match self.must("a write to a stream") {
            Some(Item::Write { sum, answer }) => {
                self.check("a write to a stream", write_sum(stream, data), sum);
                let n = usize::try_from(answer?).unwrap_or(usize::MAX).min(data.len());
                if self.keep_output && self.gone.is_none() {
                    self.output.push((stream, data[..n].to_vec()));
                }
                Ok(n)
            }
            item => {
                self.other::<()>("a write to a stream", item);
                Ok(data.len())
            }
        }
    }
    fn stream_ready(&mut self, _stream: Stream) -> (bool, bool) {
        match self.must("the readiness of a stream") {
            Some(Item::Ready(read, write)) => (read, write),
            item => {
                self.other::<()>("the readiness of a stream", item);
                (true, true)
            }
        }
    }
    fn window_size(&mut self) -> Option<WindowSize> {
        match self.must("the window size") {
            Some(Item::Window(size)) => size,
            item => self.other("the window size", item),
        }
    }

    fn file_stat(&mut self, at: &HostPath) -> Result<HostStat, Errno> {
        match self.must("the attributes of a file") {
            Some(Item::Stat { sum, answer }) => {
                self.check("the attributes of a file", path_sum(at, &[]), sum);
                answer
            }
            item => {
                self.other::<()>("the attributes of a file", item);
                Err(Errno::EIO)
            }
        }
    }
    fn dir_list(&mut self, at: &HostPath) -> Result<Vec<HostEntry>, Errno> {
        match self.must("a directory") {
            Some(Item::List { sum, answer }) => {
                self.check("a directory", path_sum(at, &[]), sum);
                answer
            }
            item => Ok(self.other("a directory", item)),
        }
    }
    fn link_read(&mut self, at: &HostPath) -> Result<Vec<u8>, Errno> {
        match self.must("a link") {
            Some(Item::Link { sum, answer }) => {
                self.check("a link", path_sum(at, &[]), sum);
                answer.map(|bytes| bytes.0)
            }
            item => Ok(self.other("a link", item)),
        }
    }
    fn file_read(&mut self, at: &HostPath, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        match self.must("a read of a file") {
            Some(Item::FileRead { sum, answer }) => {
                self.check("a read of a file", path_sum(at, &offset.to_le_bytes()), sum);
                let data = answer?.0;
                let n = data.len().min(buf.len());
                buf[..n].copy_from_slice(&data[..n]);
                Ok(n)
            }
            item => Ok(self.other("a read of a file", item)),
        }
    }
    fn file_write(&mut self, at: &HostPath, offset: u64, data: &[u8]) -> Result<(), Errno> {
        match self.must("a write to a file") {
            Some(Item::FileWrite { sum, answer }) => {
                let asked = [&offset.to_le_bytes()[..], data].concat();
                self.check("a write to a file", path_sum(at, &asked), sum);
                answer
            }
            item => {
                self.other::<()>("a write to a file", item);
                Ok(())
            }
        }
    }
    fn file_change(&mut self, change: &HostChange) -> Result<(), Errno> {
        match self.must("a change of a file") {
            Some(Item::FileChange { sum, answer }) => {
                self.check("a change of a file", change_sum(change), sum);
                answer
            }
            item => {
                self.other::<()>("a change of a file", item);
                Ok(())
            }
        }
    }

    fn stamp(&mut self, retired: u64) -> crate::observe::Stamp {
        crate::observe::Stamp {
            monotonic_ns: self.predict.monotonic(retired),
            realtime_ns: self.predict.realtime(retired),
        }
    }
    fn can_signal(&self) -> bool {
        self.can_signal
    }
    fn suspend(&mut self) {
        match self.must("suspension") {
            Some(Item::Suspend) => {}
            item => self.other("suspension", item),
        }
    }
    fn gone(&self) -> bool {
        self.gone.is_some()
    }
    fn poll(&mut self, _retired: u64) -> Vec<HostEvent> {
        match self.answer("events") {
            None => Vec::new(),
            Some(Item::Poll(events)) => events,
            item => self.other("events", item),
        }
    }
    fn wait(
        &mut self,
        retired: u64,
        _until_ns: Option<u64>,
        _interest: &[(Stream, Direction)],
    ) -> Vec<HostEvent> {
        match self.must("a wait") {
            Some(Item::Wait { events, now }) => {
                self.predict.correct(retired, now);
                events
            }
            item => self.other("a wait", item),
        }
    }
}

/// The machine did something else than it did when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the replay diverged at instruction {retired}, task {task} at {rip:#x}: {what}")]
pub struct Divergence {
    /// Instructions retired.
    pub retired: u64,
    /// The task that ran last.
    pub task: u32,
    /// Its user instruction pointer.
    pub rip: u64,
    /// The first thing that differs.
    pub what: String,
}

/// Why [`Replayer::run`] came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The machine did what it did when it was recorded.
    Stopped(Stopped),
    /// The recording ends here; the recorder did not come to its end.
    End,
    /// It did something else.
    Diverged(Divergence),
    /// The recording makes no sense from here on.
    Broken(TraceError),
}

/// Where a task is: its number and its user instruction pointer.
#[must_use]
pub fn whereabouts(k: &Kernel) -> (u32, u64) {
    let Some(tid) = k.sched.current.or(k.last_ran) else { return (0, 0) };
    let rip = match k.tasks.get(tid) {
        Some(task) if task.in_kernel => k.user_regs(tid).ip,
        Some(task) => task.cpu.rip,
        None => 0,
    };
    (tid.0, rip)
}

/// A machine that runs from a recording.
#[derive(Debug)]
pub struct Replayer {
    /// The machine.
    pub machine: Machine,
    /// What answers it.
    pub host: ReplayHost,
    next_checkpoint: u64,
    /// The machine at some counts, to go back to.
    snapshots: BTreeMap<u64, (Kernel, ReplayHost)>,
    /// Instructions between two of them; 0 if none are taken.
    distance: u64,
}

impl Replayer {
    /// The machine of a recording, before its first instruction.
    ///
    /// # Errors
    /// It cannot be built, which is a divergence, or damage.
    pub fn new(trace: Arc<Trace>, engine: Box<dyn Engine>) -> Result<Self, SetupError> {
        let mut host = ReplayHost::new(Arc::clone(&trace));
        let machine = trace.start.setup.build(&mut host, engine)?;
        Ok(Replayer {
            machine,
            host,
            next_checkpoint: CHECKPOINT_EVERY,
            snapshots: BTreeMap::new(),
            distance: 0,
        })
    }

    /// From now on takes snapshots at intervals, so that [`Replayer::seek`] goes back fast.
    pub fn take_snapshots(&mut self) {
        self.distance = CHECKPOINT_EVERY;
        self.keep();
    }

    /// Takes a snapshot here.
    pub fn mark(&mut self) {
        let mut host = self.host.clone();
        host.output.clear();
        self.snapshots.insert(self.machine.kernel.retired, (self.machine.snapshot(), host));
    }

    /// Runs to `stop_at` or until something happens, comparing with the recording on the way.
    pub fn run(&mut self, stop_at: u64) -> Replayed {
        loop {
            let stopped = self.machine.run(&mut self.host, stop_at.min(self.next_checkpoint));
            if let Some(end) = self.gone() {
                return end;
            }
            let retired = self.machine.kernel.retired;
            match stopped {
                Stopped::Budget if retired >= self.next_checkpoint => {
                    if let Err(what) = self.host.checkpoint(&self.machine.kernel) {
                        return self.diverged(what);
                    }
                    if let Some(end) = self.gone() {
                        return end;
                    }
                    self.next_checkpoint = next_checkpoint(retired);
                    self.keep();
                    if retired >= stop_at {
                        return Replayed::Stopped(Stopped::Budget);
                    }
                }
                Stopped::Exited(status) => return self.ended(status),
                other => return Replayed::Stopped(other),
            }
        }
    }

    /// Goes to an instruction count, forwards or back. Output on the way is not kept.
    pub fn seek(&mut self, count: u64) -> Replayed {
        let here = self.machine.kernel.retired;
        let before = self.snapshots.range(..=count).next_back().map(|(at, _)| *at);
        if let Some(at) = before
            && (count < here || at > here)
            && let Some((kernel, host)) = self.snapshots.get(&at)
        {
            self.machine.restore(kernel);
            self.host = host.clone();
            self.next_checkpoint = next_checkpoint(at);
        }
        let keeps = std::mem::replace(&mut self.host.keep_output, false);
        let mut end = self.run(count);
        while end == Replayed::Stopped(Stopped::Report) {
            self.machine.kernel.gaps_new.clear();
            self.machine.kernel.observer.events.clear();
            end = self.run(count);
        }
        self.host.keep_output = keeps;
        end
    }

    /// The machine, to go on with `live` in place of the recording: clocks and random numbers go on as they were.
    ///
    /// # Errors
    /// Why it cannot: what a standard stream was, and is no more.
    pub fn resume(self, mut live: Box<dyn Host>) -> Result<(Machine, ResumedHost), String> {
        let retired = self.machine.kernel.retired;
        for (stream, was) in [Stream::Stdin, Stream::Stdout, Stream::Stderr].into_iter().zip(self.host.kinds)
        {
            let is = live.stream_kind(stream);
            let terminal = |kind| kind == StreamKind::Terminal;
            let closed = |kind| kind == StreamKind::Closed;
            if terminal(was) != terminal(is) || closed(was) != closed(is) {
                return Err(format!("{stream:?} was {was:?} when the snapshot was made, and is {is:?}"));
            }
        }
        let base_ns = self.host.predict.monotonic(retired).saturating_sub(live.monotonic_ns(retired));
        let wall_ns = if self.host.trace.start.deterministic.is_some() { base_ns } else { 0 };
        Ok((self.machine, ResumedHost { inner: live, predict: self.host.predict, base_ns, wall_ns }))
    }

    /// How many snapshots are kept.
    #[must_use]
    pub fn snapshots(&self) -> usize {
        self.snapshots.len()
    }

    fn keep(&mut self) {
        let at = self.machine.kernel.retired;
        if self.distance == 0 || self.snapshots.range(at.saturating_sub(self.distance - 1)..).next().is_some()
        {
            return;
        }
        self.mark();
        if self.snapshots.len() > SNAPSHOTS {
            self.distance *= 2;
            let mut kept = None;
            let distance = self.distance;
            self.snapshots.retain(|at, _| {
                let keeps = kept.is_none_or(|last| *at - last >= distance);
                if keeps {
                    kept = Some(*at);
                }
                keeps
            });
        }
    }

    fn gone(&self) -> Option<Replayed> {
        Some(match self.host.gone.clone()? {
            Gone::End => Replayed::End,
            Gone::Broken(error) => Replayed::Broken(error),
            Gone::Diverged(what) => self.diverged(what),
        })
    }

    fn diverged(&self, what: String) -> Replayed {
        let k = &self.machine.kernel;
        let (task, rip) = whereabouts(k);
        Replayed::Diverged(Divergence { retired: k.retired, task, rip, what })
    }

    fn ended(&self, status: u32) -> Replayed {
        let k = &self.machine.kernel;
        let Some(end) = &self.host.trace.end else { return Replayed::Stopped(Stopped::Exited(status)) };
        let same = if end.status != Some(status) {
            Err(format!("wait status {status:#x}; recorded is {:x?}", end.status))
        } else if end.retired != k.retired {
            Err(format!("the end; recorded is the end at instruction {}", end.retired))
        } else if end.answers != self.host.answers.0.0.digest() {
            Err("the answers are not those that were recorded".to_owned())
        } else {
            compare(&k.digests(), &end.digests)
        };
        match same {
            Ok(()) => Replayed::Stopped(Stopped::Exited(status)),
            Err(what) => self.diverged(what),
        }
    }
}

/// A live host in the place of a recording that came to its end.
#[derive(Debug)]
pub struct ResumedHost {
    inner: Box<dyn Host>,
    predict: Predict,
    base_ns: u64,
    wall_ns: u64,
}

impl Host for ResumedHost {
    fn monotonic_ns(&mut self, retired: u64) -> u64 {
        self.base_ns.saturating_add(self.inner.monotonic_ns(retired))
    }
    fn realtime_ns(&mut self, retired: u64) -> u64 {
        self.wall_ns.saturating_add(self.inner.realtime_ns(retired))
    }
    fn entropy(&mut self, buf: &mut [u8]) {
        self.predict.entropy(buf);
    }
    crate::forward_streams!(inner);
    crate::forward_files!(inner);

    fn can_signal(&self) -> bool {
        self.inner.can_signal()
    }
    fn suspend(&mut self) {
        self.inner.suspend();
    }
    fn gone(&self) -> bool {
        self.inner.gone()
    }
    fn poll(&mut self, retired: u64) -> Vec<HostEvent> {
        self.inner.poll(retired)
    }
    fn wait(
        &mut self,
        retired: u64,
        until_ns: Option<u64>,
        interest: &[(Stream, Direction)],
    ) -> Vec<HostEvent> {
        let until_ns = until_ns.map(|until| until.saturating_sub(self.base_ns));
        self.inner.wait(retired, until_ns, interest)
    }
}
