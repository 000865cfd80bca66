//! Reading and writing: `read`, `write`, their positioned and vectored forms, `lseek`.
//!
//! All forms come down to [`read_iov`] and [`write_iov`]: ranges of user memory, a position or the file's own.
//!
//! **Invariant**: bytes are taken from a stream only when there is room for them in user memory.

use std::borrow::Cow;

use emu_core::mem::USER_END;

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, I64, InBuf, Len, OutBuf, U32, U64};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::dev::DevFile;
use crate::file::{File, FileId, NextRead, flags};
use crate::vfs::data::{self, Seek};
use crate::vfs::shared;

/// Most bytes that one call moves (MAX_RW_COUNT).
const TOTAL_MAX: u64 = 0x7fff_f000;
/// Most bytes of one step.
const STEP: u64 = 1 << 20;
/// Most bytes of one read from a stream: its buffer is made writable first.
const STREAM_STEP: u64 = 256 << 10;
/// Most ranges of one call (UIO_MAXIOV).
const IOV_MAX: u64 = 1024;

/// A range of user memory.
pub(crate) type Iov = (Addr, u64);

/// Checks that a range lies in user space, as `access_ok` does.
pub(crate) fn access_ok(addr: Addr, len: u64) -> Result<(), Errno> {
    match addr.0.checked_add(len) {
        Some(end) if end <= USER_END => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

/// Reads an array of `struct iovec`: ranges with at most 0x7ffff000 bytes in all. `EINVAL`, `EFAULT`.
pub(crate) fn read_iovec(ctx: &mut Ctx<'_>, iov: Addr, count: u64) -> Result<Vec<Iov>, Errno> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    let mut bytes = vec![0; usize::try_from(count * 16).map_err(|_| Errno::EINVAL)?];
    ctx.read_user(iov, &mut bytes)?;
    let mut ranges = Vec::new();
    let mut total = 0u64;
    for entry in bytes.chunks_exact(16) {
        let mut words = [0; 2];
        for (word, half) in words.iter_mut().zip(entry.chunks_exact(8)) {
            let mut quad = [0; 8];
            quad.copy_from_slice(half);
            *word = u64::from_le_bytes(quad);
        }
        let [addr, len] = words;
        if i64::try_from(len).is_err() {
            return Err(Errno::EINVAL);
        }
        access_ok(Addr(addr), len)?;
        let len = len.min(TOTAL_MAX - total);
        total += len;
        ranges.push((Addr(addr), len));
    }
    Ok(ranges)
}

/// A vector of nothing moves nothing, whatever the file is.
fn is_nothing(iovs: &[Iov]) -> bool {
    iovs.iter().all(|(_, len)| *len == 0)
}

/// The part of `iovs` from byte `skip` on, at most `max` bytes.
fn window(iovs: &[Iov], mut skip: u64, mut max: u64) -> Cow<'_, [Iov]> {
    let mut part = Vec::new();
    let whole = iovs.iter().all(|(_, len)| *len > 0) && iovs.iter().map(|(_, len)| len).sum::<u64>() <= max;
    if skip == 0 && whole {
        return Cow::Borrowed(iovs);
    }
    for (addr, len) in iovs {
        if skip >= *len {
            skip -= len;
            continue;
        }
        let take = (len - skip).min(max);
        if take > 0 {
            part.push((addr.at(skip), take));
        }
        max -= take;
        skip = 0;
    }
    Cow::Owned(part)
}

/// Copies `data` to user memory; how many bytes arrived, `EFAULT` if none.
fn scatter(ctx: &mut Ctx<'_>, part: &[Iov], data: &[u8]) -> Result<u64, Errno> {
    let mut done = 0;
    for (addr, len) in part {
        let rest = data.get(done..).unwrap_or_default();
        let take = usize::try_from(*len).unwrap_or(usize::MAX).min(rest.len());
        if take == 0 {
            break;
        }
        if let Err(errno) = ctx.write_user(*addr, &rest[..take]) {
            // What could be written was; how much that is, prefaulting tells.
            let n = ctx.prefault_write(*addr, take as u64).unwrap_or(0);
            done += usize::try_from(n).unwrap_or(0).min(take);
            return if done == 0 { Err(errno) } else { Ok(done as u64) };
        }
        done += take;
    }
    Ok(done as u64)
}

/// Copies from user memory; fewer bytes if a later page cannot be read, `EFAULT` if the first cannot.
fn gather(ctx: &mut Ctx<'_>, part: &[Iov]) -> Result<Vec<u8>, Errno> {
    let total: u64 = part.iter().map(|(_, len)| len).sum();
    let mut data = vec![0; usize::try_from(total).map_err(|_| Errno::EINVAL)?];
    let mut done = 0;
    for (addr, len) in part {
        let len = usize::try_from(*len).unwrap_or(0);
        if ctx.read_user(*addr, &mut data[done..done + len]).is_ok() {
            done += len;
            continue;
        }
        // Page by page, to find the one that is not there.
        let end = done + len;
        let mut at = *addr;
        while done < end {
            let take = usize::try_from(4096 - (at.0 & 4095)).unwrap_or(1).min(end - done);
            if ctx.read_user(at, &mut data[done..done + take]).is_err() {
                data.truncate(done);
                return if done == 0 { Err(Errno::EFAULT) } else { Ok(data) };
            }
            done += take;
            at = at.at(take as u64);
        }
    }
    Ok(data)
}

/// Where a transfer takes place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// At the file's own position, which moves.
    Own,
    /// Here; the file's position stays.
    Pos(u64),
}

/// A transfer may not end beyond the largest offset (rw_verify_area). `EINVAL`.
fn check_end(ctx: &Ctx<'_>, id: FileId, at: At, total: u64) -> Result<(), Errno> {
    let pos = match at {
        At::Own => ctx.file(id).pos,
        At::Pos(pos) => pos,
    };
    match pos.checked_add(total).map(i64::try_from) {
        Some(Ok(_)) => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// Reads into ranges of user memory.
pub(crate) fn read_iov(ctx: &mut Ctx<'_>, id: FileId, iovs: &[Iov], at: At) -> SysResult {
    let kind = ctx.file(id).kind.clone();
    let ops = kind.ops();
    let total: u64 = iovs.iter().map(|(_, len)| len).sum();
    let seekable = ops.seekable();
    if seekable {
        check_end(ctx, id, at, total)?;
    }
    let mut done = 0u64;
    let mut message = false;
    loop {
        let step = (total - done).min(if seekable { STEP } else { STREAM_STEP });
        let mut part = window(iovs, done, step);
        let mut max = step;
        if !seekable {
            let room = room(ctx, &part);
            let next = if room < step { ops.next_read(ctx.k) } else { NextRead::Bytes };
            let fails = match next {
                NextRead::Bytes => room == 0 && step > 0,
                NextRead::Piece(piece) => room < step.min(piece as u64),
                NextRead::Message => false,
            };
            if fails {
                return if done > 0 { Ok(done) } else { Err(Errno::EFAULT.into()) };
            }
            if room < step && next != NextRead::Message && next != NextRead::Piece(0) {
                max = room;
                part = Cow::Owned(window(&part, 0, max).into_owned());
            } else if room < step {
                message = true;
            }
        }
        let pos = match at {
            At::Own => ctx.file(id).pos,
            At::Pos(pos) => pos.saturating_add(done),
        };
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let data = match ops.read(ctx, id, max, if seekable { pos } else { 0 }) {
            Ok(data) => data,
            Err(_) if done > 0 => return Ok(done),
            Err(stop) => return Err(stop),
        };
        let written = match scatter(ctx, &part, &data) {
            Ok(written) if message && written < data.len() as u64 => return Err(Errno::EFAULT.into()),
            Ok(written) => written,
            Err(_) if done > 0 => return Ok(done),
            Err(errno) => return Err(errno.into()),
        };
        done += written;
        if seekable
            && at == At::Own
            && let Some(file) = ctx.k.files.get_mut(id)
        {
            file.pos = pos.saturating_add(written);
        }
        if !seekable || data.len() < max || written < data.len() as u64 || done >= total {
            return Ok(done);
        }
    }
}

/// How many bytes at the start of the ranges can be written.
pub(crate) fn room(ctx: &mut Ctx<'_>, part: &[Iov]) -> u64 {
    let mut room = 0;
    for (addr, len) in part {
        match ctx.prefault_write(*addr, *len) {
            Ok(n) if n == *len => room += n,
            Ok(n) => return room + n,
            Err(_) => return room,
        }
    }
    room
}

/// Where a write that appends goes: the end of the file now.
fn end_of(ctx: &mut Ctx<'_>, kind: &File) -> Option<u64> {
    let File::Regular(file) = kind else { return None };
    shared::refresh(ctx.k, ctx.host, file.inode);
    Some(ctx.k.vfs.inode(file.inode).size)
}

/// Writes from ranges of user memory. What a blocked write has moved stays in the call.
pub(crate) fn write_iov(ctx: &mut Ctx<'_>, id: FileId, iovs: &[Iov], at: At, append: Append) -> SysResult {
    let kind = ctx.file(id).kind.clone();
    let ops = kind.ops();
    let total: u64 = iovs.iter().map(|(_, len)| len).sum();
    let seekable = ops.seekable();
    if seekable {
        check_end(ctx, id, at, total)?;
    }
    let appends = match append {
        Append::AsOpened => ctx.file(id).flags & flags::O_APPEND != 0,
        Append::Yes => true,
        Append::No => false,
    };
    // Some devices do not look at what they get.
    match kind {
        File::Dev(DevFile::Null | DevFile::Zero) => return Ok(total),
        File::Dev(DevFile::Full) => return Err(Errno::ENOSPC.into()),
        _ => {}
    }
    let piece = ops.write_piece(ctx.k);
    let mut done = ctx.call.done.min(total);
    loop {
        let mut part = window(iovs, done, STEP);
        if ops.by_range() {
            part.to_mut().truncate(1);
        }
        let wanted: u64 = part.iter().map(|(_, len)| len).sum();
        let data = match gather(ctx, &part) {
            Ok(mut data) => {
                if (data.len() as u64) < wanted && piece > 1 {
                    data.truncate(data.len() / piece * piece);
                    if data.is_empty() {
                        return if done > 0 { Ok(done) } else { Err(Errno::EFAULT.into()) };
                    }
                }
                data
            }
            Err(_) if done > 0 => return Ok(done),
            Err(errno) => return Err(errno.into()),
        };
        let mut pos = match at {
            At::Own => ctx.file(id).pos,
            At::Pos(pos) => pos.saturating_add(done),
        };
        if appends && let Some(end) = end_of(ctx, &kind) {
            pos = end;
        }
        let n = match ops.write(ctx, id, &data, if seekable { pos } else { 0 }) {
            Ok(n) => n as u64,
            Err(Stop::Block(wait)) => {
                if done > 0 && crate::task::signal::interrupts(ctx.k, ctx.tid, wait.on_signal).is_some() {
                    return Ok(done);
                }
                return Err(Stop::Block(wait));
            }
            Err(_) if done > 0 => return Ok(done),
            Err(stop) => return Err(stop),
        };
        done += n;
        ctx.call.done = done;
        if seekable
            && at == At::Own
            && let Some(file) = ctx.k.files.get_mut(id)
        {
            file.pos = pos.saturating_add(n);
        }
        // A part of the buffer could not be read: what was there is written.
        let mut short = (data.len() as u64) < wanted;
        // A file that took less has no room for more: the next write says why.
        short |= seekable && n < data.len() as u64;
        if n == 0 || done >= total || short {
            return Ok(done);
        }
    }
}

/// Whether a write goes to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Append {
    /// As O_APPEND says.
    AsOpened,
    /// `RWF_APPEND`
    Yes,
    /// `RWF_NOAPPEND`
    No,
}

/// The open file to read from. `EBADF` if it was not opened for reading.
pub(crate) fn readable(ctx: &Ctx<'_>, fd: Fd) -> Result<FileId, Errno> {
    let id = ctx.fd(fd)?;
    if ctx.file(id).readable() { Ok(id) } else { Err(Errno::EBADF) }
}

/// The open file to write to. `EBADF` if it was not opened for writing.
pub(crate) fn writable(ctx: &Ctx<'_>, fd: Fd) -> Result<FileId, Errno> {
    let id = ctx.fd(fd)?;
    if ctx.file(id).writable() { Ok(id) } else { Err(Errno::EBADF) }
}

/// A position a guest names: `EINVAL` if negative, `ESPIPE` if the file has none.
fn position(ctx: &Ctx<'_>, id: FileId, offset: i64) -> Result<At, Errno> {
    if !ctx.file(id).kind.ops().seekable() {
        return Err(Errno::ESPIPE);
    }
    u64::try_from(offset).map(At::Pos).map_err(|_| Errno::EINVAL)
}

/// One range of user memory, cut to what a call moves.
pub(crate) fn one(addr: Addr, len: Len) -> Result<[Iov; 1], Errno> {
    access_ok(addr, len.0)?;
    Ok([(addr, len.0.min(TOTAL_MAX))])
}

/// `read(2)`
pub(crate) fn read(ctx: &mut Ctx<'_>, fd: Fd, buf: OutBuf<2>, count: Len) -> SysResult {
    let id = readable(ctx, fd)?;
    let iov = one(buf.addr(), count)?;
    read_iov(ctx, id, &iov, At::Own)
}

/// `write(2)`
pub(crate) fn write(ctx: &mut Ctx<'_>, fd: Fd, buf: InBuf<2>, count: Len) -> SysResult {
    let id = writable(ctx, fd)?;
    let iov = one(buf.addr(), count)?;
    write_iov(ctx, id, &iov, At::Own, Append::AsOpened)
}

/// `pread64(2)`
pub(crate) fn pread64(ctx: &mut Ctx<'_>, fd: Fd, buf: OutBuf<2>, count: Len, offset: I64) -> SysResult {
    if offset.0 < 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = ctx.fd(fd)?;
    let at = position(ctx, id, offset.0)?;
    let id = readable(ctx, fd)?;
    let iov = one(buf.addr(), count)?;
    read_iov(ctx, id, &iov, at)
}

/// `pwrite64(2)`
pub(crate) fn pwrite64(ctx: &mut Ctx<'_>, fd: Fd, buf: InBuf<2>, count: Len, offset: I64) -> SysResult {
    if offset.0 < 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = ctx.fd(fd)?;
    let at = position(ctx, id, offset.0)?;
    let id = writable(ctx, fd)?;
    let iov = one(buf.addr(), count)?;
    write_iov(ctx, id, &iov, at, Append::AsOpened)
}

/// `readv(2)`
pub(crate) fn readv(ctx: &mut Ctx<'_>, fd: Fd, iov: Addr, iovcnt: U64) -> SysResult {
    let id = readable(ctx, fd)?;
    let iovs = read_iovec(ctx, iov, iovcnt.0)?;
    if is_nothing(&iovs) {
        return Ok(0);
    }
    read_iov(ctx, id, &iovs, At::Own)
}

/// `writev(2)`
pub(crate) fn writev(ctx: &mut Ctx<'_>, fd: Fd, iov: Addr, iovcnt: U64) -> SysResult {
    let id = writable(ctx, fd)?;
    let iovs = read_iovec(ctx, iov, iovcnt.0)?;
    if is_nothing(&iovs) {
        return Ok(0);
    }
    write_iov(ctx, id, &iovs, At::Own, Append::AsOpened)
}

/// `preadv(2)`
pub(crate) fn preadv(
    ctx: &mut Ctx<'_>,
    fd: Fd,
    iov: Addr,
    iovcnt: U64,
    pos_l: U64,
    _pos_h: U64,
) -> SysResult {
    let offset = pos_l.0.cast_signed();
    if offset < 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = ctx.fd(fd)?;
    let at = position(ctx, id, offset)?;
    let id = readable(ctx, fd)?;
    let iovs = read_iovec(ctx, iov, iovcnt.0)?;
    if is_nothing(&iovs) {
        return Ok(0);
    }
    read_iov(ctx, id, &iovs, at)
}

/// `pwritev(2)`
pub(crate) fn pwritev(
    ctx: &mut Ctx<'_>,
    fd: Fd,
    iov: Addr,
    iovcnt: U64,
    pos_l: U64,
    _pos_h: U64,
) -> SysResult {
    let offset = pos_l.0.cast_signed();
    if offset < 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = ctx.fd(fd)?;
    let at = position(ctx, id, offset)?;
    let id = writable(ctx, fd)?;
    let iovs = read_iovec(ctx, iov, iovcnt.0)?;
    if is_nothing(&iovs) {
        return Ok(0);
    }
    write_iov(ctx, id, &iovs, at, Append::AsOpened)
}

const RWF_DSYNC: u32 = 2;
const RWF_HIPRI: u32 = 1;
const RWF_SYNC: u32 = 4;
const RWF_NOWAIT: u32 = 8;
const RWF_APPEND: u32 = 0x10;
const RWF_NOAPPEND: u32 = 0x20;
/// All flags of `preadv2` and `pwritev2` that are known.
pub(crate) const RWF_KNOWN: u32 = RWF_HIPRI | RWF_NOWAIT | RWF_DSYNC | RWF_SYNC | RWF_APPEND | RWF_NOAPPEND;

/// Where flags say that a write goes. `EINVAL` for both places.
pub(crate) fn append_of(bits: u32) -> Result<Append, Errno> {
    match (bits & RWF_APPEND != 0, bits & RWF_NOAPPEND != 0) {
        (true, true) => Err(Errno::EINVAL),
        (true, false) => Ok(Append::Yes),
        (false, true) => Ok(Append::No),
        (false, false) => Ok(Append::AsOpened),
    }
}

/// Whether RWF_NOWAIT is known (FMODE_NOWAIT): for regular files, as with ext4, and counters only to read.
fn may_nowait(ctx: &Ctx<'_>, id: FileId, writes: bool) -> bool {
    match ctx.file(id).kind {
        File::Pipe(_) | File::Socket(_) | File::Dev(_) => true,
        File::Regular(_) | File::EventFd(_) => !writes,
        _ => false,
    }
}

/// Runs `work` with the open file not blocking if RWF_NOWAIT asks for it.
pub(crate) fn nowait(
    ctx: &mut Ctx<'_>,
    id: FileId,
    bits: u32,
    work: impl FnOnce(&mut Ctx<'_>) -> SysResult,
) -> SysResult {
    let before = ctx.file(id).flags;
    if bits & RWF_NOWAIT != 0 {
        ctx.file_mut(id).flags |= flags::O_NONBLOCK;
    }
    let result = work(ctx);
    if let Some(file) = ctx.k.files.get_mut(id) {
        file.flags = before;
    }
    result
}

/// `preadv2(2)`
pub(crate) fn preadv2(
    ctx: &mut Ctx<'_>,
    fd: Fd,
    iov: Addr,
    iovcnt: U64,
    pos_l: U64,
    _pos_h: U64,
    rwf: I32,
) -> SysResult {
    let bits = rwf.0.cast_unsigned();
    let offset = pos_l.0.cast_signed();
    let id = ctx.fd(fd)?;
    let at = if offset == -1 { At::Own } else { position(ctx, id, offset)? };
    let id = readable(ctx, fd)?;
    let iovs = read_iovec(ctx, iov, iovcnt.0)?;
    if is_nothing(&iovs) {
        return Ok(0);
    }
    if bits & !RWF_KNOWN != 0 || bits & RWF_NOWAIT != 0 && !may_nowait(ctx, id, false) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    append_of(bits)?;
    nowait(ctx, id, bits, |ctx| read_iov(ctx, id, &iovs, at))
}

/// `pwritev2(2)`
pub(crate) fn pwritev2(
    ctx: &mut Ctx<'_>,
    fd: Fd,
    iov: Addr,
    iovcnt: U64,
    pos_l: U64,
    _pos_h: U64,
    rwf: I32,
) -> SysResult {
    let bits = rwf.0.cast_unsigned();
    let offset = pos_l.0.cast_signed();
    let id = ctx.fd(fd)?;
    let at = if offset == -1 { At::Own } else { position(ctx, id, offset)? };
    let id = writable(ctx, fd)?;
    let iovs = read_iovec(ctx, iov, iovcnt.0)?;
    if is_nothing(&iovs) {
        return Ok(0);
    }
    if bits & !RWF_KNOWN != 0 || bits & RWF_NOWAIT != 0 && !may_nowait(ctx, id, true) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let append = append_of(bits)?;
    nowait(ctx, id, bits, |ctx| write_iov(ctx, id, &iovs, at, append))
}

const SEEK_HOLE: u32 = 4;

/// `lseek(2)`
pub(crate) fn lseek(ctx: &mut Ctx<'_>, fd: Fd, offset: I64, whence: U32) -> SysResult {
    let id = ctx.fd(fd)?;
    let kind = ctx.file(id).kind.clone();
    if whence.0 > SEEK_HOLE {
        return Err(Errno::EINVAL.into());
    }
    // These have no positions but do not mind (noop_llseek).
    let idle = matches!(
        kind,
        File::Epoll(_) | File::EventFd(_) | File::TimerFd(_) | File::SignalFd(_) | File::Inotify(_)
    );
    if matches!(kind, File::Dev(DevFile::Kmsg)) {
        return Ok(ctx.k.log.seek(id, offset.0, whence.0)?);
    }
    if !kind.ops().seekable() {
        return if idle { Ok(0) } else { Err(Errno::ESPIPE.into()) };
    }
    let pos = ctx.file(id).pos;
    let inode = match &kind {
        File::Regular(file) => Some(file.inode),
        // Devices like /dev/null stay where they are (null_lseek).
        File::Dev(_) => {
            ctx.file_mut(id).pos = 0;
            return Ok(0);
        }
        _ => None,
    };
    if let Some(inode) = inode {
        shared::refresh(ctx.k, ctx.host, inode);
    }
    let size = |ctx: &Ctx<'_>| inode.map(|inode| ctx.k.vfs.inode(inode).size).ok_or(Errno::EINVAL);
    let base = match whence.0 {
        0 => 0,
        1 => pos,
        2 => size(ctx)?,
        3 | 4 => {
            let from = u64::try_from(offset.0).map_err(|_| Errno::ENXIO)?;
            let what = if whence.0 == 3 { Seek::Data } else { Seek::Hole };
            let found = data::seek(ctx.k, inode.ok_or(Errno::EINVAL)?, from, what)?;
            ctx.file_mut(id).pos = found;
            return Ok(found);
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    let target =
        base.checked_add_signed(offset.0).filter(|at| *at <= data::MAX_BYTES).ok_or(Errno::EINVAL)?;
    ctx.file_mut(id).pos = target;
    Ok(target)
}
