//! Pipes and FIFOs.
//!
//! **Invariant**: as in Linux, a pipe is a ring of page-sized buffers: what fits is counted in buffers, so a write of at
//! most PIPE_BUF bytes is taken whole or not at all.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::id;
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::{File, FileId, FileOps, NextRead, OpenFile, Ready, flags};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::RunState;
use crate::task::wait::{OnSignal, Wait, WaitKey, Waiter, unpark};
use crate::vfs::stat::Owned;

id! {
    /// A pipe.
    PipeId;
}

/// Bytes in a buffer, and the largest atomic write (PIPE_BUF).
pub const PIPE_BUF: usize = 4096;
/// Buffers of a new pipe.
pub const DEFAULT_SLOTS: usize = 16;
/// Bytes to which anybody may grow a pipe (/proc/sys/fs/pipe-max-size).
pub const MAX_SIZE: u64 = 1 << 20;
/// Bytes to which nobody can grow a pipe.
const HARD_MAX_SIZE: u64 = 1 << 31;
/// `CAP_SYS_RESOURCE`
const CAP_SYS_RESOURCE: u64 = 1 << 24;
/// `FIONREAD`
const FIONREAD: u32 = 0x541b;

/// One buffer.
#[derive(Debug, Clone, Default)]
struct PipeBuf {
    data: Vec<u8>,
    start: usize,
    packet: bool,
}

impl PipeBuf {
    fn rest(&self) -> &[u8] {
        self.data.get(self.start..).unwrap_or_default()
    }
}

/// A pipe: bytes between its ends.
#[derive(Debug, Clone)]
pub struct Pipe {
    bufs: persist::Vector<PipeBuf>,
    slots: usize,
    /// Open files that read.
    pub readers: u32,
    /// Open files that write.
    pub writers: u32,
    /// Writers there ever were.
    writer_opens: u64,
    /// Key of the inode, for a FIFO.
    fifo: Option<u64>,
    /// Permission bits and owner.
    pub owned: Owned,
}

impl Default for Pipe {
    fn default() -> Self {
        Pipe {
            bufs: persist::Vector::new(),
            slots: DEFAULT_SLOTS,
            readers: 0,
            writers: 0,
            writer_opens: 0,
            fifo: None,
            owned: Owned { mode: 0o600, uid: 0, gid: 0 },
        }
    }
}

impl Pipe {
    /// Bytes in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bufs.iter().map(|buf| buf.rest().len()).sum()
    }
    /// Whether there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bufs.is_empty()
    }
    /// Whether no buffer is free.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bufs.len() >= self.slots
    }
    /// Takes at most `max` bytes; a packet is taken whole, what does not fit of it is lost.
    pub fn take(&mut self, max: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while out.len() < max {
            let Some(front) = self.bufs.front_mut() else { break };
            let n = front.rest().len().min(max - out.len());
            out.extend_from_slice(&front.rest()[..n]);
            front.start += n;
            let packet = front.packet;
            if packet || front.rest().is_empty() {
                self.bufs.pop_front();
            }
            if packet {
                break;
            }
        }
        out
    }
    /// The first `max` bytes, left where they are.
    #[must_use]
    pub fn peek(&self, max: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for buf in &self.bufs {
            let n = buf.rest().len().min(max - out.len());
            out.extend_from_slice(&buf.rest()[..n]);
            if out.len() == max {
                break;
            }
        }
        out
    }
    /// Puts as much of `data` as there is room for; how much.
    pub fn put(&mut self, data: &[u8], packet: bool) -> usize {
        let mut done = 0;
        let tail = data.len() % PIPE_BUF;
        if tail > 0
            && let Some(back) = self.bufs.back_mut()
            && !back.packet
            && !packet
            && back.data.len() + tail <= PIPE_BUF
        {
            back.data.extend_from_slice(&data[..tail]);
            done = tail;
        }
        while done < data.len() && !self.is_full() {
            let n = (data.len() - done).min(PIPE_BUF);
            self.bufs.push_back(PipeBuf { data: data[done..done + n].to_vec(), start: 0, packet });
            done += n;
        }
        done
    }
    /// Bytes that [`Pipe::put`] surely takes.
    #[must_use]
    pub fn room(&self) -> usize {
        self.slots.saturating_sub(self.bufs.len()) * PIPE_BUF
    }
}

/// One end of a pipe, or both ends of a FIFO, as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeEnd {
    /// Which pipe.
    pub pipe: PipeId,
    /// Reads.
    pub reads: bool,
    /// Writes.
    pub writes: bool,
    /// Not hung up as long as there were only so many writers: a FIFO opened for reading before any writer came.
    quiet_until: u64,
}

/// Makes a pipe: its reading and its writing end, not installed.
pub fn create(k: &mut Kernel, status_flags: u32) -> (FileId, FileId) {
    let pipe = k.pipes.insert(Pipe { readers: 1, writers: 1, writer_opens: 1, ..Pipe::default() });
    let end = PipeEnd { pipe, reads: true, writes: false, quiet_until: 0 };
    let reader = k.files.insert(OpenFile::new(File::Pipe(end), status_flags));
    let end = PipeEnd { pipe, reads: false, writes: true, quiet_until: 0 };
    let writer = k.files.insert(OpenFile::new(File::Pipe(end), status_flags | flags::O_WRONLY));
    (reader, writer)
}

/// Opens the FIFO whose inode has key `inode`: waits for the other end unless O_NONBLOCK (fifo(7)). `ENXIO`.
pub fn open_fifo(ctx: &mut Ctx<'_>, inode: u64, open_flags: u32) -> Result<File, Stop> {
    let (reads, writes) = match open_flags & flags::O_ACCMODE {
        0 => (true, false),
        flags::O_WRONLY => (false, true),
        flags::O_RDWR => (true, true),
        _ => return Err(Errno::EINVAL.into()),
    };
    let id = match ctx.k.fifos.get(&inode) {
        Some(id) => *id,
        None => {
            let id = ctx.k.pipes.insert(Pipe { fifo: Some(inode), ..Pipe::default() });
            ctx.k.fifos.insert(inode, id);
            id
        }
    };
    let nonblock = open_flags & flags::O_NONBLOCK != 0;
    let Some(pipe) = ctx.k.pipes.get(id) else { return Err(Errno::ENXIO.into()) };
    // A task that waits here is counted as an end at the moment when the other end comes and wakes it.
    let counted = ctx.call.woken;
    let waits_for_me = |reader: bool| ctx.k.waits.any(WaitKey::FifoOpen(id, reader));
    let mut quiet_until = 0;
    if !counted {
        if reads && !writes && pipe.writers == 0 && !waits_for_me(false) {
            if !nonblock {
                return Err(Stop::Block(Wait::on(WaitKey::FifoOpen(id, true))));
            }
            quiet_until = pipe.writer_opens;
        }
        if writes && !reads && pipe.readers == 0 && !waits_for_me(true) {
            if nonblock {
                return Err(Errno::ENXIO.into());
            }
            return Err(Stop::Block(Wait::on(WaitKey::FifoOpen(id, false))));
        }
        count_end(ctx.k, id, reads, writes);
        if reads {
            meet(ctx.k, id, false);
        }
        if writes {
            meet(ctx.k, id, true);
        }
    }
    ctx.k.wake(WaitKey::Pipe(id));
    ctx.k.wake(WaitKey::PipeRoom(id));
    Ok(File::Pipe(PipeEnd { pipe: id, reads, writes, quiet_until }))
}

fn count_end(k: &mut Kernel, id: PipeId, reads: bool, writes: bool) {
    if let Some(pipe) = k.pipes.get_mut(id) {
        pipe.readers += u32::from(reads);
        pipe.writers += u32::from(writes);
        pipe.writer_opens += u64::from(writes);
    }
}

/// Lets the tasks that wait to open a FIFO (as readers or as writers) go on.
fn meet(k: &mut Kernel, id: PipeId, readers: bool) {
    for waiter in k.waits.waiters(WaitKey::FifoOpen(id, readers)) {
        let Waiter::Task(tid) = waiter else { continue };
        if !matches!(k.task(tid).state, RunState::Parked(_)) {
            continue;
        }
        if let Some(call) = k.task_mut(tid).call.as_mut() {
            call.woken = true;
        }
        count_end(k, id, readers, !readers);
        unpark(k, tid);
    }
}

/// `F_GETPIPE_SZ`, in bytes.
pub fn size(k: &Kernel, id: PipeId) -> u64 {
    k.pipes.get(id).map_or(0, |pipe| (pipe.slots * PIPE_BUF) as u64)
}

/// `F_SETPIPE_SZ`: the new size in bytes. `EPERM`, `EBUSY`, `EINVAL`.
pub fn set_size(ctx: &mut Ctx<'_>, id: PipeId, bytes: u64) -> SysResult {
    let bytes = bytes & 0xffff_ffff;
    if bytes > HARD_MAX_SIZE {
        return Err(Errno::EINVAL.into());
    }
    let bytes = bytes.max(PIPE_BUF as u64).next_power_of_two();
    let slots = usize::try_from(bytes).map_err(|_| Errno::EINVAL)? / PIPE_BUF;
    let privileged = ctx.task().creds.cap_effective & CAP_SYS_RESOURCE != 0;
    let pipe = ctx.k.pipes.get_mut(id).ok_or(Errno::EBADF)?;
    if slots > pipe.slots && bytes > MAX_SIZE && !privileged {
        return Err(Errno::EPERM.into());
    }
    if slots < pipe.bufs.len() {
        return Err(Errno::EBUSY.into());
    }
    pipe.slots = slots;
    ctx.k.wake(WaitKey::PipeRoom(id));
    Ok(bytes)
}

impl PipeEnd {
    fn block(&self, ctx: &Ctx<'_>, id: FileId, key: WaitKey) -> Stop {
        if ctx.file(id).flags & flags::O_NONBLOCK != 0 {
            return Errno::EAGAIN.into();
        }
        Stop::Block(Wait::any(vec![key], None, OnSignal::Restart))
    }
}

impl FileOps for PipeEnd {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let pipe = ctx.k.pipes.get_mut(self.pipe).ok_or(Errno::EBADF)?;
        if pipe.is_empty() {
            if pipe.writers == 0 {
                return Ok(Vec::new());
            }
            return Err(self.block(ctx, id, WaitKey::Pipe(self.pipe)));
        }
        let was_full = pipe.is_full();
        // A buffer never ends inside an atomic write: what is behind it may as well not have come yet.
        let first = pipe.bufs.front().filter(|_| pipe.bufs.len() > 1).map(|buf| buf.rest().len());
        let max = match first.filter(|len| *len < max) {
            Some(len) if ctx.k.shorter_read(max).is_some() => len,
            _ => max,
        };
        let pipe = ctx.k.pipes.get_mut(self.pipe).ok_or(Errno::EBADF)?;
        let data = pipe.take(max);
        if was_full && !pipe.is_full() {
            ctx.k.wake(WaitKey::PipeRoom(self.pipe));
        }
        Ok(data)
    }
    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], _pos: u64) -> Result<usize, Stop> {
        if data.is_empty() {
            return Ok(0);
        }
        let packet = ctx.file(id).flags & flags::O_DIRECT != 0;
        let pipe = ctx.k.pipes.get_mut(self.pipe).ok_or(Errno::EBADF)?;
        if pipe.readers == 0 {
            crate::task::signal::send_sigpipe(ctx.k, ctx.tid);
            return Err(Errno::EPIPE.into());
        }
        let done = pipe.put(data, packet);
        if done == 0 {
            return Err(self.block(ctx, id, WaitKey::PipeRoom(self.pipe)));
        }
        ctx.k.wake(WaitKey::Pipe(self.pipe));
        Ok(done)
    }
    fn write_piece(&self, _k: &Kernel) -> usize {
        PIPE_BUF
    }
    fn next_read(&self, k: &Kernel) -> NextRead {
        let first = k.pipes.get(self.pipe).and_then(|pipe| pipe.bufs.front());
        NextRead::Piece(first.map_or(0, |buf| buf.rest().len()))
    }
    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, _id: FileId) -> Ready {
        let mut ready = Ready::empty();
        let Some(pipe) = k.pipes.get(self.pipe) else { return Ready::ERR };
        if self.reads {
            ready.set(Ready::IN | Ready::RDNORM, !pipe.is_empty());
            ready.set(Ready::HUP, pipe.writers == 0 && pipe.writer_opens != self.quiet_until);
        }
        if self.writes {
            ready.set(Ready::OUT | Ready::WRNORM, !pipe.is_full());
            ready.set(Ready::ERR, pipe.readers == 0);
        }
        ready
    }
    fn wait_keys(&self, _k: &Kernel, _id: FileId) -> Vec<WaitKey> {
        let mut keys = Vec::with_capacity(2);
        if self.reads {
            keys.push(WaitKey::Pipe(self.pipe));
        }
        if self.writes {
            keys.push(WaitKey::PipeRoom(self.pipe));
        }
        keys
    }
    fn ioctl(&self, ctx: &mut Ctx<'_>, _id: FileId, request: u32, arg: Addr) -> SysResult {
        match request {
            FIONREAD => {
                let len = ctx.k.pipes.get(self.pipe).map_or(0, Pipe::len);
                ctx.write_u32(arg, u32::try_from(len).unwrap_or(u32::MAX))?;
                Ok(0)
            }
            _ => Err(Errno::ENOTTY.into()),
        }
    }
    fn stat(&self, k: &Kernel, id: FileId) -> crate::vfs::Stat {
        // Both ends are one inode.
        let ino = 1 << 32 | u64::from(self.pipe.0);
        let _ = id;
        match k.pipes.get(self.pipe) {
            Some(pipe) => crate::vfs::Stat::owned(ino, crate::vfs::ftype::S_IFIFO, pipe.owned),
            None => crate::vfs::Stat::anonymous(ino, crate::vfs::ftype::S_IFIFO),
        }
    }
    fn owned<'a>(&self, k: &'a mut Kernel) -> Option<&'a mut Owned> {
        k.pipes.get_mut(self.pipe).map(|pipe| &mut pipe.owned)
    }
    fn reopen(&self, ctx: &mut Ctx<'_>, _id: FileId, open_flags: u32) -> Result<File, Stop> {
        let (reads, writes) = match open_flags & flags::O_ACCMODE {
            0 => (true, false),
            flags::O_WRONLY => (false, true),
            _ => (true, true),
        };
        // The end that is open keeps the pipe alive: nobody has to wait for the other one.
        count_end(ctx.k, self.pipe, reads, writes);
        Ok(File::Pipe(PipeEnd { pipe: self.pipe, reads, writes, quiet_until: 0 }))
    }
    fn release(&self, k: &mut Kernel, _id: FileId) {
        let Some(pipe) = k.pipes.get_mut(self.pipe) else { return };
        pipe.readers = pipe.readers.saturating_sub(u32::from(self.reads));
        pipe.writers = pipe.writers.saturating_sub(u32::from(self.writes));
        if pipe.readers == 0 && pipe.writers == 0 {
            if let Some(inode) = pipe.fifo {
                k.fifos.remove(&inode);
            }
            k.pipes.remove(self.pipe);
        }
        k.wake(WaitKey::Pipe(self.pipe));
        k.wake(WaitKey::PipeRoom(self.pipe));
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        format!("pipe:[{}]", self.pipe.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_writes_share_a_buffer() {
        let mut pipe = Pipe::default();
        for _ in 0..65536 {
            assert_eq!(pipe.put(b"x", false), 1);
        }
        assert_eq!(pipe.put(b"x", false), 0);
        assert_eq!(pipe.len(), 65536);
    }

    #[test]
    fn a_write_of_pipe_buf_bytes_is_taken_whole_or_not() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.put(&[1; 61441], false), 61441);
        assert_eq!(pipe.put(&[2; 4096], false), 0);
        assert_eq!(pipe.put(&[2; 4095], false), 4095);
        assert_eq!(pipe.take(100_000).len(), 65536);
    }

    #[test]
    fn a_packet_is_read_alone_and_cut() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.put(b"hello", true), 5);
        assert_eq!(pipe.put(b"world", true), 5);
        assert_eq!(pipe.take(3), b"hel");
        assert_eq!(pipe.take(30), b"world");
    }
}
