//! `splice(2)`, `tee(2)`, `vmsplice(2)`, `sendfile(2)`, `copy_file_range(2)`: bytes moved between files without user memory
//! of their own. A step moves a bounded piece.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, Len, U32, U64};
use crate::calls::poll::ends_now;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::dev::DevFile;
use crate::file::pipe::{Pipe, PipeId};
use crate::file::{File, FileId, flags};
use crate::task::wait::{OnSignal, Wait, WaitKey};

/// Bytes moved in one step.
const STEP: usize = 64 * 1024;
/// Bytes moved in one call (MAX_RW_COUNT).
const MAX_BYTES: u64 = 0x7fff_f000;
const SPLICE_F_NONBLOCK: u32 = 2;
/// SPLICE_F_MOVE, NONBLOCK, MORE, GIFT
const SPLICE_FLAGS: u32 = 0xf;

/// Where a file that is no pipe is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At its own position, which moves on.
    Own,
    /// At the offset stored here, which moves on.
    At(Addr, u64),
}

fn pipe_of(ctx: &Ctx<'_>, id: FileId) -> Option<PipeId> {
    match &ctx.file(id).kind {
        File::Pipe(end) => Some(end.pipe),
        _ => None,
    }
}

fn place(ctx: &mut Ctx<'_>, id: FileId, off: Addr) -> Result<Place, Errno> {
    if off == Addr::NULL {
        return Ok(Place::Own);
    }
    if pipe_of(ctx, id).is_some() || !ctx.file(id).kind.ops().seekable() {
        return Err(Errno::ESPIPE);
    }
    let at = ctx.read_u64(off)?;
    if at.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    Ok(Place::At(off, at))
}

/// Moves a position on by `n` bytes.
fn advance(ctx: &mut Ctx<'_>, id: FileId, place: Place, n: usize) -> Result<(), Errno> {
    match place {
        Place::Own => {
            if ctx.file(id).kind.ops().seekable() {
                ctx.file_mut(id).pos += n as u64;
            }
            Ok(())
        }
        Place::At(off, at) => ctx.write_u64(off, at + n as u64),
    }
}

fn position(ctx: &Ctx<'_>, id: FileId, place: Place) -> u64 {
    match place {
        Place::Own => ctx.file(id).pos,
        Place::At(_, at) => at,
    }
}

fn read_at(ctx: &mut Ctx<'_>, id: FileId, max: usize, pos: u64) -> Result<Vec<u8>, Stop> {
    let kind = ctx.file(id).kind.clone();
    kind.ops().read(ctx, id, max, pos)
}

fn write_at(ctx: &mut Ctx<'_>, id: FileId, data: &[u8], pos: u64) -> Result<usize, Stop> {
    let kind = ctx.file(id).kind.clone();
    kind.ops().write(ctx, id, data, pos)
}

/// How a call stops that waits for a pipe.
fn wait_pipe(ctx: &Ctx<'_>, pipe_file: FileId, nonblock: bool, key: WaitKey) -> Stop {
    if nonblock || ctx.file(pipe_file).flags & flags::O_NONBLOCK != 0 {
        return Errno::EAGAIN.into();
    }
    Stop::Block(Wait::any(vec![key], None, OnSignal::Restart))
}

fn pipe_mut<'a>(ctx: &'a mut Ctx<'_>, id: PipeId) -> Result<&'a mut Pipe, Errno> {
    ctx.k.pipes.get_mut(id).ok_or(Errno::EBADF)
}

/// Room in a pipe for at least one buffer. `EPIPE` with its signal if nobody reads.
fn room(ctx: &mut Ctx<'_>, id: FileId, pipe: PipeId, nonblock: bool) -> Result<usize, Stop> {
    let state = pipe_mut(ctx, pipe)?;
    if state.readers == 0 {
        crate::task::signal::send_sigpipe(ctx.k, ctx.tid);
        return Err(Errno::EPIPE.into());
    }
    match state.room() {
        0 => Err(wait_pipe(ctx, id, nonblock, WaitKey::PipeRoom(pipe))),
        room => Ok(room),
    }
}

/// The first bytes of a pipe, left in it; empty at the end.
fn front(ctx: &mut Ctx<'_>, id: FileId, pipe: PipeId, max: usize, nonblock: bool) -> Result<Vec<u8>, Stop> {
    let state = pipe_mut(ctx, pipe)?;
    if state.is_empty() && state.writers > 0 {
        return Err(wait_pipe(ctx, id, nonblock, WaitKey::Pipe(pipe)));
    }
    Ok(state.peek(max))
}

fn consume(ctx: &mut Ctx<'_>, pipe: PipeId, n: usize) -> Result<(), Errno> {
    pipe_mut(ctx, pipe)?.take(n);
    ctx.k.wake(WaitKey::PipeRoom(pipe));
    Ok(())
}

fn fill(ctx: &mut Ctx<'_>, pipe: PipeId, data: &[u8]) -> Result<usize, Errno> {
    let n = pipe_mut(ctx, pipe)?.put(data, false);
    ctx.k.wake(WaitKey::Pipe(pipe));
    Ok(n)
}

/// Both ends of a move. `EBADF`.
fn ends(ctx: &Ctx<'_>, fd_in: Fd, fd_out: Fd) -> Result<(FileId, FileId), Errno> {
    let (from, to) = (ctx.fd(fd_in)?, ctx.fd(fd_out)?);
    if !ctx.file(from).readable() || !ctx.file(to).writable() {
        return Err(Errno::EBADF);
    }
    Ok((from, to))
}

fn capped(len: u64) -> usize {
    usize::try_from(len.min(MAX_BYTES)).unwrap_or(STEP).min(STEP)
}

/// Whether a kind of file can be spliced from (has `splice_read`).
fn gives_pages(kind: &File) -> bool {
    match kind {
        File::Regular(_) | File::Synth(_) | File::Socket(_) | File::Tty(_) | File::Stream(_) => true,
        File::Dev(dev) => !matches!(dev, DevFile::Kmsg | DevFile::Userfaultfd),
        _ => false,
    }
}

/// Whether a kind of file can be spliced to (has `splice_write`).
fn takes_pages(kind: &File) -> bool {
    match kind {
        File::Regular(_) | File::Synth(_) | File::Socket(_) | File::Tty(_) | File::Stream(_) => true,
        File::Dev(dev) => matches!(dev, DevFile::Null | DevFile::Zero | DevFile::Random),
        _ => false,
    }
}

/// `splice(2)`
pub(crate) fn splice(
    ctx: &mut Ctx<'_>,
    fd_in: Fd,
    off_in: Addr,
    fd_out: Fd,
    off_out: Addr,
    len: Len,
    flags: U32,
) -> SysResult {
    if len.0 == 0 {
        return Ok(0);
    }
    if flags.0 & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (from, to) = ends(ctx, fd_in, fd_out)?;
    let nonblock = flags.0 & SPLICE_F_NONBLOCK != 0;
    let (pipe_in, pipe_out) = (pipe_of(ctx, from), pipe_of(ctx, to));
    if pipe_in.is_some() && off_in != Addr::NULL || pipe_out.is_some() && off_out != Addr::NULL {
        return Err(Errno::ESPIPE.into());
    }
    let max = capped(len.0);
    match (pipe_in, pipe_out) {
        (None, None) => Err(Errno::EINVAL.into()),
        (Some(a), Some(b)) if a == b => Err(Errno::EINVAL.into()),
        (Some(a), Some(b)) => {
            let data = front(ctx, from, a, max, nonblock)?;
            if data.is_empty() {
                return Ok(0);
            }
            let space = room(ctx, to, b, nonblock)?;
            let n = fill(ctx, b, &data[..data.len().min(space)])?;
            consume(ctx, a, n)?;
            Ok(n as u64)
        }
        (Some(a), None) => {
            if ctx.file(to).flags & flags::O_APPEND != 0 || !takes_pages(&ctx.file(to).kind) {
                return Err(Errno::EINVAL.into());
            }
            let place = place(ctx, to, off_out)?;
            let data = front(ctx, from, a, max, nonblock)?;
            if data.is_empty() {
                return Ok(0);
            }
            let pos = position(ctx, to, place);
            let n = write_at(ctx, to, &data, pos)?;
            consume(ctx, a, n)?;
            advance(ctx, to, place, n)?;
            Ok(n as u64)
        }
        (None, Some(b)) => {
            if !gives_pages(&ctx.file(from).kind) {
                return Err(Errno::EINVAL.into());
            }
            let place = place(ctx, from, off_in)?;
            let space = room(ctx, to, b, nonblock)?;
            let pos = position(ctx, from, place);
            let data = read_at(ctx, from, max.min(space), pos)?;
            if !data.is_empty() {
                fill(ctx, b, &data)?;
            }
            advance(ctx, from, place, data.len())?;
            Ok(data.len() as u64)
        }
    }
}

/// `tee(2)`
pub(crate) fn tee(ctx: &mut Ctx<'_>, fd_in: Fd, fd_out: Fd, len: Len, flags: U32) -> SysResult {
    if flags.0 & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL.into());
    }
    if len.0 == 0 {
        return Ok(0);
    }
    let (from, to) = ends(ctx, fd_in, fd_out)?;
    let (Some(a), Some(b)) = (pipe_of(ctx, from), pipe_of(ctx, to)) else { return Err(Errno::EINVAL.into()) };
    if a == b {
        return Err(Errno::EINVAL.into());
    }
    let nonblock = flags.0 & SPLICE_F_NONBLOCK != 0;
    let data = front(ctx, from, a, capped(len.0), nonblock)?;
    if data.is_empty() {
        return Ok(0);
    }
    let space = room(ctx, to, b, nonblock)?;
    Ok(fill(ctx, b, &data[..data.len().min(space)])? as u64)
}

/// `vmsplice(2)`
pub(crate) fn vmsplice(ctx: &mut Ctx<'_>, fd: Fd, iov: Addr, nr_segs: U64, flags: U32) -> SysResult {
    if flags.0 & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = ctx.fd(fd)?;
    let Some(pipe) = pipe_of(ctx, id) else { return Err(Errno::EBADF.into()) };
    if nr_segs.0 > 1024 {
        return Err(Errno::EINVAL.into());
    }
    let nonblock = flags.0 & SPLICE_F_NONBLOCK != 0;
    let writes = ctx.file(id).writable();
    let mut skip = ctx.call.done;
    let result = (|| {
        for index in 0..nr_segs.0 {
            let base = Addr(ctx.read_u64(iov.at(index * 16))?);
            let len = ctx.read_u64(iov.at(index * 16 + 8))?.min(MAX_BYTES);
            let mut at = len.min(skip);
            skip -= at;
            while at < len {
                let max = capped(len - at);
                let n = if writes {
                    // It waits for room only before the first byte.
                    if ctx.call.done > 0 && pipe_mut(ctx, pipe)?.room() == 0 {
                        return Ok(ctx.call.done);
                    }
                    let space = room(ctx, id, pipe, nonblock)?;
                    let mut data = vec![0; max.min(space)];
                    ctx.read_user(base.at(at), &mut data)?;
                    fill(ctx, pipe, &data)?
                } else {
                    if ctx.call.done > 0 && pipe_mut(ctx, pipe)?.is_empty() {
                        return Ok(ctx.call.done);
                    }
                    let data = front(ctx, id, pipe, max, nonblock)?;
                    if data.is_empty() {
                        return Ok(ctx.call.done);
                    }
                    ctx.write_user(base.at(at), &data)?;
                    consume(ctx, pipe, data.len())?;
                    data.len()
                };
                at += n as u64;
                ctx.call.done += n as u64;
            }
        }
        Ok(ctx.call.done)
    })();
    partial(ctx, result)
}

/// The result of a call that moved `ctx.call.done` bytes before it stopped: those bytes, unless it goes on waiting.
pub(crate) fn partial(ctx: &Ctx<'_>, result: SysResult) -> SysResult {
    match &result {
        Err(Stop::Block(_)) if !ends_now(ctx, &result) => result,
        Err(Stop::Errno(_) | Stop::Block(_)) if ctx.call.done > 0 => Ok(ctx.call.done),
        _ => result,
    }
}

/// `sendfile(2)`
pub(crate) fn sendfile(ctx: &mut Ctx<'_>, out_fd: Fd, in_fd: Fd, offset: Addr, count: Len) -> SysResult {
    let start = if offset == Addr::NULL { None } else { Some(ctx.read_u64(offset)?) };
    if start.is_some_and(|at| at.cast_signed() < 0) {
        return Err(Errno::EINVAL.into());
    }
    let (from, to) = ends(ctx, in_fd, out_fd)?;
    if matches!(ctx.file(from).kind, File::Dir(_)) {
        return Err(Errno::EINVAL.into());
    }
    if !ctx.file(from).kind.ops().seekable() {
        return Err(if start.is_some() { Errno::ESPIPE } else { Errno::EINVAL }.into());
    }
    if ctx.file(to).flags & flags::O_APPEND != 0 {
        return Err(Errno::EINVAL.into());
    }
    // As splice: an eventfd, say, would take eight bytes at a time for ever.
    if !gives_pages(&ctx.file(from).kind) || pipe_of(ctx, to).is_none() && !takes_pages(&ctx.file(to).kind) {
        return Err(Errno::EINVAL.into());
    }
    let result = move_bytes(ctx, from, start, to, None, count.0.min(MAX_BYTES));
    let result = partial(ctx, result);
    if let (Some(at), Ok(moved)) = (start, &result) {
        ctx.write_u64(offset, at + moved)?;
    }
    result
}

/// Moves at most `count` bytes; progress is in `ctx.call.done`. A start of `None` is the file's own position, which moves on.
fn move_bytes(
    ctx: &mut Ctx<'_>,
    from: FileId,
    from_start: Option<u64>,
    to: FileId,
    to_start: Option<u64>,
    count: u64,
) -> SysResult {
    while ctx.call.done < count {
        let done = ctx.call.done;
        let read_pos = from_start.map_or(ctx.file(from).pos, |at| at + done);
        let data = read_at(ctx, from, capped(count - done), read_pos)?;
        if data.is_empty() {
            break;
        }
        let write_pos = to_start.map_or(ctx.file(to).pos, |at| at + done);
        let n = write_at(ctx, to, &data, write_pos)?;
        if from_start.is_none() {
            ctx.file_mut(from).pos += n as u64;
        }
        if to_start.is_none() && ctx.file(to).kind.ops().seekable() {
            ctx.file_mut(to).pos += n as u64;
        }
        ctx.call.done += n as u64;
    }
    Ok(ctx.call.done)
}

/// `copy_file_range(2)`
pub(crate) fn copy_file_range(
    ctx: &mut Ctx<'_>,
    fd_in: Fd,
    off_in: Addr,
    fd_out: Fd,
    off_out: Addr,
    len: Len,
    flags: U32,
) -> SysResult {
    let (from, to) = (ctx.fd(fd_in)?, ctx.fd(fd_out)?);
    let from_start = if off_in == Addr::NULL { None } else { Some(ctx.read_u64(off_in)?) };
    let to_start = if off_out == Addr::NULL { None } else { Some(ctx.read_u64(off_out)?) };
    if flags.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    for id in [from, to] {
        match ctx.file(id).kind {
            File::Regular(_) => {}
            File::Dir(_) => return Err(Errno::EISDIR.into()),
            _ => return Err(Errno::EINVAL.into()),
        }
    }
    if !ctx.file(from).readable() || !ctx.file(to).writable() || ctx.file(to).flags & flags::O_APPEND != 0 {
        return Err(Errno::EBADF.into());
    }
    let source = from_start.unwrap_or(ctx.file(from).pos);
    let target = to_start.unwrap_or(ctx.file(to).pos);
    let same = ctx.file(from).loc.is_some() && ctx.file(from).loc == ctx.file(to).loc;
    if source.checked_add(len.0).is_none() || target.checked_add(len.0).is_none() {
        return Err(Errno::EOVERFLOW.into());
    }
    if same && source < target.saturating_add(len.0) && target < source.saturating_add(len.0) {
        return Err(Errno::EINVAL.into());
    }
    let result = move_bytes(ctx, from, from_start, to, to_start, len.0.min(MAX_BYTES));
    let result = partial(ctx, result);
    if let Ok(moved) = &result {
        if let Some(at) = from_start {
            ctx.write_u64(off_in, at + moved)?;
        }
        if let Some(at) = to_start {
            ctx.write_u64(off_out, at + moved)?;
        }
    }
    result
}
