//! A host that exists only in memory: for tests, examples and as the base of deterministic runs.
//!
//! **Invariant**: everything it answers follows from how it was made and from the instruction count.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::abi::errno::Errno;
use crate::seam::{
    Direction, Host, HostChange, HostEntry, HostEvent, HostFileKind, HostPath, HostStat, Stream, StreamKind,
    WindowSize,
};

/// Nanoseconds that one retired instruction takes.
const NS_PER_INSTRUCTION: u64 = 1;

/// A scripted host: standard input from a buffer, outputs into buffers, files from a map, clocks from the instruction
/// count (idle time is jumped over), entropy from a seed.
#[derive(Debug, Clone)]
pub struct ScriptedHost {
    /// What standard input still holds.
    pub input: Vec<u8>,
    /// What was written to standard output.
    pub output: Vec<u8>,
    /// What was written to standard error.
    pub errors: Vec<u8>,
    /// Bytes of output to keep; what comes beyond is taken and lost.
    pub keep: usize,
    /// Regular files by path.
    pub files: BTreeMap<HostPath, Vec<u8>>,
    /// Wall clock at instruction zero, in ns since 1970.
    pub epoch_ns: u64,
    idle_ns: u64,
    random: ChaCha8Rng,
}

fn keep(output: &mut Vec<u8>, data: &[u8], most: usize) {
    let room = most.saturating_sub(output.len());
    output.extend_from_slice(&data[..data.len().min(room)]);
}

impl ScriptedHost {
    /// A host with this seed, empty input and no files.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        ScriptedHost {
            input: Vec::new(),
            output: Vec::new(),
            errors: Vec::new(),
            keep: usize::MAX,
            files: BTreeMap::new(),
            epoch_ns: 1_000_000_000_000_000_000,
            idle_ns: 0,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }
}

impl Host for ScriptedHost {
    fn monotonic_ns(&mut self, retired: u64) -> u64 {
        retired.saturating_mul(NS_PER_INSTRUCTION).saturating_add(self.idle_ns)
    }
    fn realtime_ns(&mut self, retired: u64) -> u64 {
        self.epoch_ns.saturating_add(self.monotonic_ns(retired))
    }
    fn entropy(&mut self, buf: &mut [u8]) {
        self.random.fill_bytes(buf);
    }
    fn stream_kind(&mut self, _stream: Stream) -> StreamKind {
        StreamKind::Pipe
    }
    fn stream_read(&mut self, stream: Stream, max: usize) -> Result<Vec<u8>, Errno> {
        if stream != Stream::Stdin {
            return Err(Errno::EBADF);
        }
        let take = max.min(self.input.len());
        Ok(self.input.drain(..take).collect())
    }
    fn stream_write(&mut self, stream: Stream, data: &[u8]) -> Result<usize, Errno> {
        match stream {
            Stream::Stdin => return Err(Errno::EBADF),
            Stream::Stdout => keep(&mut self.output, data, self.keep),
            Stream::Stderr => keep(&mut self.errors, data, self.keep),
        }
        Ok(data.len())
    }
    fn stream_ready(&mut self, _stream: Stream) -> (bool, bool) {
        (true, true)
    }
    fn window_size(&mut self) -> Option<WindowSize> {
        None
    }
    fn file_stat(&mut self, at: &HostPath) -> Result<HostStat, Errno> {
        let (kind, size, mode) = match self.files.get(at).map(|data| data.len() as u64) {
            Some(size) => (HostFileKind::File, size, 0o755),
            None if !self.dir_list(at)?.is_empty() || at.path.is_empty() => (HostFileKind::Dir, 0, 0o755),
            None => return Err(Errno::ENOENT),
        };
        let time = i64::try_from(self.epoch_ns).unwrap_or(0);
        Ok(HostStat {
            kind,
            mode,
            uid: 0,
            gid: 0,
            size,
            nlink: 1,
            atime_ns: time,
            mtime_ns: time,
            ctime_ns: time,
            identity: 0,
        })
    }
    fn dir_list(&mut self, at: &HostPath) -> Result<Vec<HostEntry>, Errno> {
        let mut entries: BTreeMap<Vec<u8>, HostFileKind> = BTreeMap::new();
        for path in self.files.keys().filter(|path| path.share == at.share) {
            let rest = if at.path.is_empty() {
                Some(&path.path[..])
            } else {
                path.path.strip_prefix(&at.path[..]).and_then(|rest| rest.strip_prefix(b"/"))
            };
            let Some(rest) = rest else { continue };
            match rest.iter().position(|byte| *byte == b'/') {
                Some(end) => entries.insert(rest[..end].to_vec(), HostFileKind::Dir),
                None => entries.insert(rest.to_vec(), HostFileKind::File),
            };
        }
        Ok(entries.into_iter().map(|(name, kind)| HostEntry { name, kind }).collect())
    }
    fn link_read(&mut self, _at: &HostPath) -> Result<Vec<u8>, Errno> {
        Err(Errno::EINVAL)
    }
    fn file_read(&mut self, at: &HostPath, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let data = self.files.get(at).ok_or(Errno::ENOENT)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        let take = buf.len().min(data.len() - start);
        buf[..take].copy_from_slice(&data[start..start + take]);
        Ok(take)
    }
    fn file_write(&mut self, _at: &HostPath, _offset: u64, _data: &[u8]) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }
    fn file_change(&mut self, _change: &HostChange) -> Result<(), Errno> {
        Err(Errno::EROFS)
    }
    fn poll(&mut self, _retired: u64) -> Vec<HostEvent> {
        Vec::new()
    }
    fn wait(
        &mut self,
        retired: u64,
        until_ns: Option<u64>,
        interest: &[(Stream, Direction)],
    ) -> Vec<HostEvent> {
        if let Some(until) = until_ns {
            self.idle_ns += until.saturating_sub(self.monotonic_ns(retired));
        }
        interest
            .iter()
            .map(|(stream, direction)| match direction {
                Direction::Read => HostEvent::Readable(*stream),
                Direction::Write => HostEvent::Writable(*stream),
            })
            .collect()
    }
}
