//! The format of a recording: chunks with checksums, and the records in them (docs/trace-format.md).
//!
//! Key types: [`Trace`] (a recording that was read), [`ChunkWriter`] (one that is written), [`Record`]. Neighbours:
//! [`super::record`] writes, [`super::replay`] answers from one.
//!
//! **Invariant**: nothing of a file is believed before its checksum is; a damaged file is good up to the damage.

use std::io::{Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use lzma_rust2::{LzmaOptions, LzmaReader, LzmaWriter};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::abi::errno::Errno;
use crate::digest::Parts;
use crate::seam::{HostEntry, HostEvent, HostStat, StreamKind, WindowSize};
use crate::setup::Setup;

/// First bytes of a recording.
pub const MAGIC: [u8; 8] = *b"EMUTRACE";
/// The format's version; others are refused.
pub const VERSION: u16 = 4;
/// Bytes before the first chunk.
const FILE_HEADER: usize = 12;
/// Bytes before a chunk's contents.
const CHUNK_HEADER: usize = 20;
/// Longest chunk that is read or written.
const CHUNK_MAX: usize = 64 << 20;
/// Window of the tighter packing. A larger one costs time before the first byte.
const TIGHT_WINDOW: u32 = 256 << 10;
/// Its properties: bits of context and of position.
const TIGHT_BITS: (u32, u32, u32) = (4, 0, 0);
/// Level of the other packing: a third of the default's time, for 4 % more bytes.
const LEVEL: u32 = 2;
/// Fewest instructions between two checkpoints.
pub const CHECKPOINT_EVERY: u64 = 10_000_000;

/// What is wrong with a recording. Offsets are in bytes from its beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// It does not begin as one.
    #[error("not a recording of emu (offset 0)")]
    NotATrace,
    /// Another version.
    #[error("a recording of format version {0}; this emu reads version {VERSION} (offset 8)")]
    Version(u16),
    /// It ends in the middle of something.
    #[error("the recording is cut off at offset {0}")]
    Truncated(usize),
    /// A checksum is wrong.
    #[error("the recording is damaged: wrong checksum of the chunk at offset {0}")]
    Checksum(usize),
    /// A chunk of unknown kind or absurd length.
    #[error("the recording is damaged: no chunk at offset {0}")]
    Chunk(usize),
    /// The contents of a chunk make no sense.
    #[error("the recording is damaged: record {1} of the chunk at offset {0} makes no sense")]
    Record(usize, u64),
    /// It has no first chunk, which says what was run.
    #[error("the recording is empty: what was run is missing (offset {FILE_HEADER})")]
    Empty,
}

/// Kinds of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkKind {
    /// A [`Start`]; the first, once.
    Start = 1,
    /// [`Record`]s.
    Log = 2,
    /// An [`End`]; the last, if the recorder came to its end.
    End = 3,
}

/// What was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Version of the emu that recorded.
    pub emu: String,
    /// The machine.
    pub setup: Setup,
    /// Where its random numbers come from.
    pub seed: [u8; 32],
    /// The seed, if the host was a deterministic one.
    pub deterministic: Option<u64>,
    /// Names of the shares on the host that recorded, in order.
    pub shares: Vec<String>,
    /// Answer of [`super::Host::can_signal`].
    pub can_signal: bool,
    /// Names of the parts that digests are taken of, quick ones first.
    pub parts: Vec<String>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Wait status of the first process; `None` if it did not end.
    pub status: Option<u32>,
    /// Instructions retired.
    pub retired: u64,
    /// Digests of everything, by part.
    pub digests: Vec<u64>,
    /// Digest of all records.
    pub answers: u64,
}

/// An answer of the host, or a mark between answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Calls since the record before whose answer follows from what is known.
    pub skip: u64,
    /// The answer to the next call.
    pub item: Item,
}

/// What came through the seam. `sum` is a checksum of what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the methods of Host")]
pub enum Item {
    /// Nothing: the calls before are known.
    Mark,
    /// The machine between two instructions.
    Checkpoint {
        /// Instructions retired.
        retired: u64,
        /// Of the quick parts.
        quick: Brief,
        /// Of everything, now and then.
        full: Option<Brief>,
        /// Digest of all records before.
        answers: u64,
    },
    Monotonic(u64),
    Realtime(u64),
    Kind(StreamKind),
    Read(Result<Bytes, Errno>),
    Write {
        sum: u32,
        answer: Result<u64, Errno>,
    },
    Ready(bool, bool),
    Window(Option<WindowSize>),
    Stat {
        sum: u32,
        answer: Result<HostStat, Errno>,
    },
    List {
        sum: u32,
        answer: Result<Vec<HostEntry>, Errno>,
    },
    Link {
        sum: u32,
        answer: Result<Bytes, Errno>,
    },
    FileRead {
        sum: u32,
        answer: Result<Bytes, Errno>,
    },
    FileWrite {
        sum: u32,
        answer: Result<(), Errno>,
    },
    FileChange {
        sum: u32,
        answer: Result<(), Errno>,
    },
    Suspend,
    Poll(Vec<HostEvent>),
    Wait {
        events: Vec<HostEvent>,
        /// The monotonic clock afterwards.
        now: u64,
    },
}

impl Item {
    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Item::Mark => "mark",
            Item::Checkpoint { .. } => "checkpoint",
            Item::Monotonic(_) => "monotonic clock",
            Item::Realtime(_) => "wall clock",
            Item::Kind(_) => "kind of a stream",
            Item::Read(_) => "read of a stream",
            Item::Write { .. } => "write to a stream",
            Item::Ready(..) => "readiness of a stream",
            Item::Window(_) => "window size",
            Item::Stat { .. } => "attributes of a file",
            Item::List { .. } => "directory",
            Item::Link { .. } => "link",
            Item::FileRead { .. } => "read of a file",
            Item::FileWrite { .. } => "write to a file",
            Item::FileChange { .. } => "change of a file",
            Item::Suspend => "suspension",
            Item::Poll(_) => "events",
            Item::Wait { .. } => "wait",
        }
    }
}

/// Digests of parts in few bytes: one of all of them, and 16 bits of each, which name what differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brief(Bytes);

impl Brief {
    /// Of these digests.
    #[must_use]
    pub fn new(parts: &Parts) -> Self {
        let mut whole = Xxh3::new();
        let mut bytes = vec![0; 8];
        for (_, digest) in parts {
            let digest = digest.to_le_bytes();
            whole.update(&digest);
            bytes.extend(&digest[..2]);
        }
        bytes[..8].copy_from_slice(&whole.digest().to_le_bytes());
        Brief(Bytes(bytes))
    }

    /// Tells the names of the parts that differ.
    ///
    /// # Errors
    /// What differs.
    pub fn compare(&self, parts: &Parts) -> Result<(), String> {
        let ours = Brief::new(parts);
        if *self == ours {
            return Ok(());
        }
        let (theirs, ours) = (&self.0.0, &ours.0.0);
        if theirs.len() != ours.len() {
            let count = theirs.len().saturating_sub(8) / 2;
            return Err(format!("{count} digests are recorded; this emu takes {}", parts.len()));
        }
        let differing: Vec<&str> = parts
            .iter()
            .zip(theirs[8..].chunks(2).zip(ours[8..].chunks(2)))
            .filter(|(_, (theirs, ours))| theirs != ours)
            .map(|((name, _), _)| *name)
            .collect();
        let names = if differing.is_empty() { "the digest".to_owned() } else { differing.join(", ") };
        Err(format!("other than recorded: {names}"))
    }
}

/// Bytes, as bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        from.deserialize_bytes(Visitor)
    }
}

/// What may be spent on packing a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// About 13 ns a byte.
    Little,
    /// About 60 ns a byte, for 10 % fewer bytes.
    Much,
}

/// Where chunks go.
pub trait Sink: Send + std::fmt::Debug {
    /// Takes a chunk. It may be written later; an error is told at the next call then.
    fn put(&mut self, kind: ChunkKind, contents: Vec<u8>, effort: Effort) -> std::io::Result<()>;
    /// Waits until everything is written.
    fn finish(&mut self) -> std::io::Result<()>;
}

/// Writes chunks, each at once and whole.
pub struct ChunkWriter<W> {
    to: W,
    begun: bool,
}

impl<W> std::fmt::Debug for ChunkWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkWriter").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl<W: Write> ChunkWriter<W> {
    /// Writes to `to`.
    pub fn new(to: W) -> Self {
        ChunkWriter { to, begun: false }
    }

    /// What it writes to.
    pub fn into_inner(self) -> W {
        self.to
    }
}

/// How the contents of a chunk are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None = 0,
    Deflate = 1,
    Lzma = 2,
}

fn deflate(contents: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(LEVEL));
    encoder.write_all(contents)?;
    encoder.finish()
}

fn lzma(contents: &[u8]) -> std::io::Result<Vec<u8>> {
    let (lc, lp, pb) = TIGHT_BITS;
    let options = LzmaOptions { dict_size: TIGHT_WINDOW, lc, lp, pb, ..LzmaOptions::with_preset(0) };
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false)?;
    writer.write_all(contents)?;
    writer.finish()
}

/// A chunk as it stands in a file.
fn chunk(kind: ChunkKind, contents: &[u8], wanted: Packing) -> std::io::Result<Vec<u8>> {
    let length =
        |n: usize| u32::try_from(n).map_err(|_| std::io::Error::other("a chunk of a recording is too long"));
    let packed = match wanted {
        Packing::Deflate if contents.len() >= 64 => deflate(contents)?,
        Packing::Lzma if contents.len() >= 64 => lzma(contents)?,
        _ => Vec::new(),
    };
    let is_packed = !packed.is_empty() && packed.len() < contents.len();
    let (packing, stored) = if is_packed { (wanted, &packed[..]) } else { (Packing::None, contents) };
    let mut out = Vec::with_capacity(CHUNK_HEADER + stored.len());
    out.extend([kind as u8, packing as u8, 0, 0]);
    out.extend(length(contents.len())?.to_le_bytes());
    out.extend(length(stored.len())?.to_le_bytes());
    let sum = xxh3_64(&out).rotate_left(1) ^ xxh3_64(stored);
    out.extend(sum.to_le_bytes());
    out.extend(stored);
    Ok(out)
}

impl<W: Write + Send> Sink for ChunkWriter<W> {
    fn put(&mut self, kind: ChunkKind, contents: Vec<u8>, effort: Effort) -> std::io::Result<()> {
        let mut out = Vec::new();
        if !self.begun {
            out.extend(MAGIC);
            out.extend(VERSION.to_le_bytes());
            out.extend([0, 0]);
            self.begun = true;
        }
        let packing = match effort {
            Effort::Little => Packing::Deflate,
            Effort::Much => Packing::Lzma,
        };
        out.extend(chunk(kind, &contents, packing)?);
        self.to.write_all(&out)?;
        self.to.flush()
    }
    fn finish(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Where a chunk with records begins, and its contents.
pub type Chunk = (usize, Arc<Vec<u8>>);

/// Where a chunk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    offset: usize,
    raw: usize,
    stored: usize,
    packing: Packing,
}

/// A recording that was read.
#[derive(Debug)]
pub struct Trace {
    bytes: Vec<u8>,
    /// What was run.
    pub start: Start,
    /// How it ended, if the recorder came to its end.
    pub end: Option<End>,
    logs: Vec<Place>,
    /// Why it is good only up to some point.
    pub damage: Option<TraceError>,
}

/// Reads one record; gives what follows it.
///
/// # Errors
/// It makes no sense.
pub fn take_record(bytes: &[u8]) -> Result<(Record, &[u8]), postcard::Error> {
    postcard::take_from_bytes(bytes)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn place(bytes: &[u8], offset: usize) -> Result<(u8, Place), TraceError> {
    let cut = || TraceError::Truncated(offset);
    let head = bytes.get(offset..).and_then(|rest| rest.get(..CHUNK_HEADER)).ok_or_else(cut)?;
    let length =
        |at| array(head, at).map_or(0, |n| usize::try_from(u32::from_le_bytes(n)).unwrap_or(usize::MAX));
    let (raw, stored) = (length(4), length(8));
    let packing = match head[1] {
        0 => Packing::None,
        1 => Packing::Deflate,
        2 => Packing::Lzma,
        _ => return Err(TraceError::Chunk(offset)),
    };
    if !(1..=3).contains(&head[0]) || head[2..4] != [0, 0] || raw.max(stored) > CHUNK_MAX {
        return Err(TraceError::Chunk(offset));
    }
    let contents = bytes.get(offset + CHUNK_HEADER..).and_then(|rest| rest.get(..stored)).ok_or_else(cut)?;
    let sum = array(head, 12).map_or(0, u64::from_le_bytes);
    if sum != xxh3_64(&head[..12]).rotate_left(1) ^ xxh3_64(contents) {
        return Err(TraceError::Checksum(offset));
    }
    Ok((head[0], Place { offset, raw, stored, packing }))
}

fn contents(bytes: &[u8], place: &Place) -> Result<Vec<u8>, TraceError> {
    let from = place.offset + CHUNK_HEADER;
    let stored = bytes.get(from..from + place.stored).unwrap_or_default();
    let mut raw = Vec::new();
    let limit = place.raw as u64;
    let (lc, lp, pb) = TIGHT_BITS;
    let read = match place.packing {
        Packing::None => return Ok(stored.to_vec()),
        Packing::Deflate => DeflateDecoder::new(stored).take(limit + 1).read_to_end(&mut raw),
        Packing::Lzma => LzmaReader::new(stored, limit, lc, lp, pb, TIGHT_WINDOW, None)
            .and_then(|reader| reader.take(limit + 1).read_to_end(&mut raw)),
    };
    match read {
        Ok(n) if n == place.raw => Ok(raw),
        _ => Err(TraceError::Record(place.offset, 0)),
    }
}

impl Trace {
    /// Reads a recording: all of it is checked, nothing but its two ends unpacked.
    ///
    /// # Errors
    /// It is none, or not even its beginning can be used. Damage further on is in [`Trace::damage`].
    pub fn open(bytes: Vec<u8>) -> Result<Trace, TraceError> {
        match bytes.get(..8) {
            Some(magic) if magic == MAGIC => {}
            _ => return Err(TraceError::NotATrace),
        }
        let version = array(&bytes, 8).map(u16::from_le_bytes).ok_or(TraceError::Truncated(8))?;
        if version != VERSION {
            return Err(TraceError::Version(version));
        }
        let mut start = None;
        let mut end = None;
        let mut logs = Vec::new();
        let mut damage = None;
        let mut offset = FILE_HEADER;
        while offset < bytes.len() && end.is_none() {
            let found = place(&bytes, offset).and_then(|(kind, place)| {
                let bad = || TraceError::Record(place.offset, 0);
                match (kind, &start) {
                    (1, None) => {
                        let raw = contents(&bytes, &place)?;
                        start = Some(postcard::from_bytes(&raw).map_err(|_| bad())?);
                    }
                    (2, Some(_)) => logs.push(place),
                    (3, Some(_)) => {
                        let raw = contents(&bytes, &place)?;
                        end = Some(postcard::from_bytes(&raw).map_err(|_| bad())?);
                    }
                    _ => return Err(TraceError::Chunk(place.offset)),
                }
                Ok(place.offset + CHUNK_HEADER + place.stored)
            });
            match found {
                Ok(next) => offset = next,
                Err(error) => {
                    damage = Some(error);
                    break;
                }
            }
        }
        match start {
            Some(start) => Ok(Trace { bytes, start, end, logs, damage }),
            None => Err(damage.unwrap_or(TraceError::Empty)),
        }
    }

    /// Bytes of the file.
    #[must_use]
    pub fn file_len(&self) -> usize {
        self.bytes.len()
    }
    /// Number of chunks with records.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.logs.len()
    }
    /// Where a chunk with records begins, and its contents.
    ///
    /// # Errors
    /// They cannot be unpacked.
    pub fn chunk(&self, index: usize) -> Result<Option<Chunk>, TraceError> {
        let Some(place) = self.logs.get(index) else { return Ok(None) };
        Ok(Some((place.offset, Arc::new(contents(&self.bytes, place)?))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Config;

    pub(super) fn small() -> Vec<u8> {
        let setup = Setup {
            config: Config::default(),
            steps: Vec::new(),
            candidates: vec![b"/a".to_vec()],
            argv: Vec::new(),
            envp: Vec::new(),
            cwd: Vec::new(),
        };
        let start = Start {
            emu: "x".into(),
            setup,
            seed: [7; 32],
            deterministic: None,
            shares: Vec::new(),
            can_signal: false,
            parts: Vec::new(),
        };
        let mut writer = ChunkWriter::new(Vec::new());
        writer.put(ChunkKind::Start, postcard::to_allocvec(&start).unwrap(), Effort::Little).unwrap();
        let record = Record { skip: 3, item: Item::Read(Ok(Bytes(vec![1; 500]))) };
        writer.put(ChunkKind::Log, postcard::to_allocvec(&record).unwrap(), Effort::Little).unwrap();
        let end = End { status: Some(0), retired: 5, digests: vec![1, 2], answers: 3 };
        writer.put(ChunkKind::End, postcard::to_allocvec(&end).unwrap(), Effort::Little).unwrap();
        writer.into_inner()
    }

    #[test]
    fn what_is_written_is_read() {
        let trace = Trace::open(small()).unwrap();
        assert_eq!((trace.chunks(), trace.damage.clone()), (1, None));
        assert_eq!(trace.end.as_ref().unwrap().retired, 5);
        let (_, raw) = trace.chunk(0).unwrap().unwrap();
        let record: Record = postcard::from_bytes(&raw).unwrap();
        assert_eq!(record.item, Item::Read(Ok(Bytes(vec![1; 500]))));
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let mut bytes = small();
        bytes[8] = 9;
        assert_eq!(Trace::open(bytes).unwrap_err(), TraceError::Version(9));
        assert_eq!(Trace::open(b"#!/bin/sh".to_vec()).unwrap_err(), TraceError::NotATrace);
    }

    #[test]
    fn no_byte_can_be_changed_unnoticed() {
        let good = small();
        for at in 0..good.len() {
            // Two bytes of the file's header say nothing yet.
            if (10..12).contains(&at) {
                continue;
            }
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            match Trace::open(bad) {
                Ok(trace) => assert!(trace.damage.is_some(), "a change at {at} was not noticed"),
                Err(error) => drop(error.to_string()),
            }
        }
    }

    #[test]
    fn a_cut_is_told_where_it_is() {
        let good = small();
        for len in 0..good.len() {
            match Trace::open(good[..len].to_vec()) {
                Ok(trace) => assert!(trace.end.is_none() && (trace.damage.is_some() || trace.chunks() <= 1)),
                Err(TraceError::Truncated(at)) => assert!(at <= len),
                Err(error) => assert!(matches!(error, TraceError::NotATrace | TraceError::Empty)),
            }
        }
    }
}
