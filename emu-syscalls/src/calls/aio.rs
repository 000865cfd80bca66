//! Asynchronous input and output of the old kind: io_setup(2), io_submit(2), io_getevents(2) and their family (fs/aio.c).
//!
//! **Invariant**: reads, writes and syncs are complete when `io_submit` returns; only polls wait, and are looked at when
//! their events are asked for. The page that names a context holds no ring (its magic number is zero), so C libraries that
//! know rings call the kernel.

use emu_core::mem::{PAGE_SIZE, PageProt};

use super::poll::{Timeout, add_keys, enter_mask, leave_mask, ready_of};
use super::rw::{self, At};
use super::sync;
use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I64, U32, U64};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::{File, FileId, fdtable};
use crate::mm::aio::{AioContext, AioEvent, AioPoll};
use crate::mm::map::{self, Limits, NewArea, Place};
use crate::task::wait::{OnSignal, Wait, WaitKey};

/// `/proc/sys/fs/aio-max-nr`
const AIO_MAX_NR: u64 = 65536;
/// Bytes of `struct iocb`.
const IOCB_SIZE: usize = 64;
/// `IOCB_FLAG_RESFD`
const FLAG_RESFD: u32 = 1;
/// `IOCB_FLAG_IOPRIO`
const FLAG_IOPRIO: u32 = 2;

/// A request: `struct iocb` (linux/aio_abi.h).
#[derive(Debug, Clone, Copy)]
struct Iocb {
    at: u64,
    data: u64,
    rw_flags: u32,
    opcode: u16,
    fd: Fd,
    buf: u64,
    nbytes: u64,
    offset: i64,
    flags: u32,
    eventfd: Fd,
}

fn read_iocb(ctx: &mut Ctx<'_>, at: u64) -> Result<Iocb, Errno> {
    let mut bytes = [0; IOCB_SIZE];
    ctx.read_user(Addr(at), &mut bytes)?;
    let word = |from: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[from..from + 8]);
        u64::from_le_bytes(word)
    };
    let half = |from: usize| u32::try_from(word(from & !7) >> ((from & 4) * 8) & 0xffff_ffff).unwrap_or(0);
    if word(48) != 0 || i64::try_from(word(32)).is_err() {
        return Err(Errno::EINVAL);
    }
    if half(12) & !rw::RWF_KNOWN != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    Ok(Iocb {
        at,
        data: word(0),
        rw_flags: half(12),
        opcode: u16::from_le_bytes([bytes[16], bytes[17]]),
        fd: Fd(half(20).cast_signed()),
        buf: word(24),
        nbytes: word(32),
        offset: word(40).cast_signed(),
        flags: half(56),
        eventfd: Fd(half(60).cast_signed()),
    })
}

fn context<'a>(ctx: &'a Ctx<'_>, id: u64) -> Result<&'a AioContext, Errno> {
    ctx.k.mm(ctx.tid).aio.get(&id).ok_or(Errno::EINVAL)
}

fn context_mut<'a>(ctx: &'a mut Ctx<'_>, id: u64) -> Result<&'a mut AioContext, Errno> {
    let tid = ctx.tid;
    ctx.k.mm_mut(tid).aio.get_mut(&id).ok_or(Errno::EINVAL)
}

/// `io_setup(2)`
pub(crate) fn io_setup(ctx: &mut Ctx<'_>, nr_events: U32, ctx_idp: Addr) -> SysResult {
    let old = ctx.read_u64(ctx_idp)?;
    if old != 0 || nr_events.0 == 0 || nr_events.0 > 0x1000_0000 / 32 {
        return Err(Errno::EINVAL.into());
    }
    let used: u64 = ctx.k.mms.iter().flat_map(|(_, mm)| mm.aio.values()).map(|aio| u64::from(aio.max)).sum();
    if used + u64::from(nr_events.0) > AIO_MAX_NR {
        return Err(Errno::EAGAIN.into());
    }
    let mm = ctx.mm_id()?;
    let limits = Limits::of(ctx.k, ctx.tid);
    let new = NewArea::anonymous(PageProt::READ | PageProt::WRITE);
    let at = map::map(ctx.k, mm, Place::Hint(0), PAGE_SIZE, new, &limits)?;
    if let Err(errno) = ctx.write_u64(ctx_idp, at) {
        let _ = map::unmap(ctx.k, mm, at..at + PAGE_SIZE);
        return Err(errno.into());
    }
    let tid = ctx.tid;
    ctx.k.mm_mut(tid).aio.insert(at, AioContext { max: nr_events.0, ..AioContext::default() });
    Ok(0)
}

/// `io_destroy(2)`
pub(crate) fn io_destroy(ctx: &mut Ctx<'_>, ctx_id: U64) -> SysResult {
    let mm = ctx.mm_id()?;
    let tid = ctx.tid;
    let gone = ctx.k.mm_mut(tid).aio.remove(&ctx_id.0).ok_or(Errno::EINVAL)?;
    for poll in gone.polls {
        fdtable::put_file(ctx.k, poll.file);
        if let Some(eventfd) = poll.eventfd {
            fdtable::put_file(ctx.k, eventfd);
        }
    }
    ctx.k.wake(WaitKey::Aio(ctx_id.0));
    // The guest may have unmapped the page itself.
    let _ = map::unmap(ctx.k, mm, ctx_id.0..ctx_id.0 + PAGE_SIZE);
    Ok(0)
}

/// `io_submit(2)`
pub(crate) fn io_submit(ctx: &mut Ctx<'_>, ctx_id: U64, nr: I64, iocbpp: Addr) -> SysResult {
    let nr = u64::try_from(nr.0).map_err(|_| Errno::EINVAL)?;
    let nr = nr.min(u64::from(context(ctx, ctx_id.0)?.max));
    // Requests that earlier runs of this call completed.
    while ctx.call.count < nr {
        let index = ctx.call.count;
        let one = match ctx.read_u64(iocbpp.at(index * 8)) {
            Ok(at) => submit_one(ctx, ctx_id.0, at),
            Err(errno) => Err(errno.into()),
        };
        match one {
            Ok(()) => {
                ctx.call.count += 1;
                ctx.call.done = 0;
            }
            Err(Stop::Block(wait)) if !interrupted(ctx, &wait) => return Err(Stop::Block(wait)),
            Err(_) if index > 0 => return Ok(index),
            Err(stop) => return Err(stop),
        }
    }
    Ok(nr)
}

fn interrupted(ctx: &Ctx<'_>, wait: &Wait) -> bool {
    ctx.call.count > 0 && crate::task::signal::interrupts(ctx.k, ctx.tid, wait.on_signal).is_some()
}

fn submit_one(ctx: &mut Ctx<'_>, id: u64, at: u64) -> Result<(), Stop> {
    let iocb = read_iocb(ctx, at)?;
    if context(ctx, id)?.is_full() {
        return Err(Errno::EAGAIN.into());
    }
    let file = ctx.fd(iocb.fd)?;
    let eventfd = if iocb.flags & FLAG_RESFD != 0 {
        let eventfd = ctx.fd(iocb.eventfd)?;
        if !matches!(ctx.file(eventfd).kind, File::EventFd(_)) {
            return Err(Errno::EINVAL.into());
        }
        Some(eventfd)
    } else {
        None
    };
    // The kernel's key, by which io_cancel knows a request that was submitted.
    ctx.write_u32(Addr(at + 8), 0)?;
    if iocb.flags & !(FLAG_RESFD | FLAG_IOPRIO) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let Some(result) = carry_out(ctx, id, &iocb, file, eventfd)? else { return Ok(()) };
    complete(ctx, id, AioEvent { data: iocb.data, iocb: iocb.at, result }, eventfd)?;
    Ok(())
}

/// Does what a request asks for: the result its event tells, `None` for a poll that waits. Errors that Linux finds before
/// it accepts the request are this call's.
fn carry_out(
    ctx: &mut Ctx<'_>,
    id: u64,
    iocb: &Iocb,
    file: FileId,
    eventfd: Option<FileId>,
) -> Result<Option<i64>, Stop> {
    const PREAD: u16 = 0;
    const PWRITE: u16 = 1;
    const FSYNC: u16 = 2;
    const FDSYNC: u16 = 3;
    const POLL: u16 = 5;
    const PREADV: u16 = 7;
    const PWRITEV: u16 = 8;
    let result = match iocb.opcode {
        PREAD | PREADV | PWRITE | PWRITEV => {
            let writes = matches!(iocb.opcode, PWRITE | PWRITEV);
            let open = ctx.file(file);
            if !(if writes { open.writable() } else { open.readable() }) {
                return Err(Errno::EBADF.into());
            }
            let buffers = if matches!(iocb.opcode, PREADV | PWRITEV) {
                rw::read_iovec(ctx, Addr(iocb.buf), iocb.nbytes)?
            } else {
                rw::one(Addr(iocb.buf), crate::arg::Len(iocb.nbytes))?.to_vec()
            };
            let place = match u64::try_from(iocb.offset) {
                _ if !ctx.file(file).kind.ops().seekable() => At::Own,
                Ok(offset) => At::Pos(offset),
                Err(_) => return Err(Errno::EINVAL.into()),
            };
            rw::nowait(ctx, file, iocb.rw_flags, |ctx| {
                if writes {
                    let append = rw::append_of(iocb.rw_flags)?;
                    rw::write_iov(ctx, file, &buffers, place, append)
                } else {
                    rw::read_iov(ctx, file, &buffers, place)
                }
            })
        }
        FSYNC | FDSYNC if iocb.buf != 0 || iocb.offset != 0 || iocb.nbytes != 0 => {
            return Err(Errno::EINVAL.into());
        }
        FSYNC => return Ok(Some(value(sync::fsync(ctx, iocb.fd))?)),
        FDSYNC => return Ok(Some(value(sync::fdatasync(ctx, iocb.fd))?)),
        POLL => {
            let events = u16::try_from(iocb.buf).map_err(|_| Errno::EINVAL)?;
            if iocb.offset != 0 || iocb.nbytes != 0 {
                return Err(Errno::EINVAL.into());
            }
            let now = ready_of(ctx, file, u32::from(events));
            if now == 0 {
                wait_for(ctx, id, iocb, u32::from(events), file, eventfd)?;
                return Ok(None);
            }
            Ok(u64::from(now))
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    Ok(Some(value(result)?))
}

fn value(result: SysResult) -> Result<i64, Stop> {
    match result {
        Ok(value) => Ok(value.cast_signed()),
        Err(Stop::Errno(errno)) => Ok(-i64::from(errno.0)),
        Err(stop) => Err(stop),
    }
}

/// Notes a poll of a file that is not ready; it holds on to the file.
fn wait_for(
    ctx: &mut Ctx<'_>,
    id: u64,
    iocb: &Iocb,
    events: u32,
    file: FileId,
    eventfd: Option<FileId>,
) -> Result<(), Errno> {
    let poll = AioPoll { data: iocb.data, iocb: iocb.at, file, events, eventfd };
    context_mut(ctx, id)?.polls.push_back(poll);
    fdtable::get_file(ctx.k, file);
    if let Some(eventfd) = eventfd {
        fdtable::get_file(ctx.k, eventfd);
    }
    Ok(())
}

/// Adds an event and tells who waits for it.
fn complete(ctx: &mut Ctx<'_>, id: u64, event: AioEvent, eventfd: Option<FileId>) -> Result<(), Errno> {
    context_mut(ctx, id)?.events.push_back(event);
    ctx.k.wake(WaitKey::Aio(id));
    if let Some(eventfd) = eventfd
        && let Some(file) = ctx.k.files.get(eventfd)
        && let File::EventFd(counter) = file.kind
        && let Some(counter) = ctx.k.eventfds.get_mut(counter.counter)
    {
        counter.count = counter.count.saturating_add(1);
        ctx.k.wake(WaitKey::File(eventfd));
    }
    Ok(())
}

/// Completes the polls whose files became ready.
fn look_at_polls(ctx: &mut Ctx<'_>, id: u64) -> Result<(), Errno> {
    for poll in context(ctx, id)?.polls.clone() {
        let now = ready_of(ctx, poll.file, poll.events);
        if now != 0 {
            finish_poll(ctx, id, &poll, i64::from(now))?;
        }
    }
    Ok(())
}

fn finish_poll(ctx: &mut Ctx<'_>, id: u64, poll: &AioPoll, result: i64) -> Result<(), Errno> {
    context_mut(ctx, id)?.polls.retain(|other| other != poll);
    complete(ctx, id, AioEvent { data: poll.data, iocb: poll.iocb, result }, poll.eventfd)?;
    fdtable::put_file(ctx.k, poll.file);
    if let Some(eventfd) = poll.eventfd {
        fdtable::put_file(ctx.k, eventfd);
    }
    Ok(())
}

/// `io_cancel(2)`: only a poll can still be under way; its event says so.
pub(crate) fn io_cancel(ctx: &mut Ctx<'_>, ctx_id: U64, iocb: Addr, _result: Addr) -> SysResult {
    if ctx.read_u32(iocb.at(8))? != 0 {
        return Err(Errno::EINVAL.into());
    }
    let found = context(ctx, ctx_id.0)?.polls.iter().find(|poll| poll.iocb == iocb.0).copied();
    let poll = found.ok_or(Errno::EINVAL)?;
    finish_poll(ctx, ctx_id.0, &poll, 0)?;
    Err(Errno::EINPROGRESS.into())
}

fn get(
    ctx: &mut Ctx<'_>,
    ctx_id: U64,
    min_nr: I64,
    nr: I64,
    events: Addr,
    timeout: Option<u64>,
    on_signal: OnSignal,
) -> SysResult {
    context(ctx, ctx_id.0)?;
    let (Ok(min), Ok(max)) = (u64::try_from(min_nr.0), u64::try_from(nr.0)) else {
        return Err(Errno::EINVAL.into());
    };
    if min > max {
        return Err(Errno::EINVAL.into());
    }
    look_at_polls(ctx, ctx_id.0)?;
    while ctx.call.count < max {
        let Some(event) = context(ctx, ctx_id.0)?.events.front().copied() else { break };
        match ctx.write_user(events.at(ctx.call.count * 32), &event.to_bytes()) {
            Ok(()) => {}
            Err(errno) if ctx.call.count == 0 => return Err(errno.into()),
            Err(_) => return Ok(ctx.call.count),
        }
        context_mut(ctx, ctx_id.0)?.events.pop_front();
        ctx.call.count += 1;
    }
    let timeout = Timeout::after(ctx, timeout);
    if ctx.call.count >= min || timeout.over(ctx) {
        return Ok(ctx.call.count);
    }
    let mut keys = vec![WaitKey::Aio(ctx_id.0)];
    for poll in context(ctx, ctx_id.0)?.polls.clone() {
        add_keys(ctx, poll.file, &mut keys);
    }
    let wait = Wait::any(keys, timeout.until(), on_signal);
    if interrupted(ctx, &wait) {
        return Ok(ctx.call.count);
    }
    Err(Stop::Block(wait))
}

/// A span of time, `None` for no limit.
fn span(ctx: &mut Ctx<'_>, timeout: Addr) -> Result<Option<u64>, Errno> {
    match timeout.non_null() {
        Some(at) => super::poll::read_timespec(ctx, at),
        None => Ok(None),
    }
}

/// `io_getevents(2)`
pub(crate) fn io_getevents(
    ctx: &mut Ctx<'_>,
    ctx_id: U64,
    min_nr: I64,
    nr: I64,
    events: Addr,
    timeout: Addr,
) -> SysResult {
    let span = span(ctx, timeout)?;
    get(ctx, ctx_id, min_nr, nr, events, span, OnSignal::Eintr)
}

/// `io_pgetevents(2)`
pub(crate) fn io_pgetevents(
    ctx: &mut Ctx<'_>,
    ctx_id: U64,
    min_nr: I64,
    nr: I64,
    events: Addr,
    timeout: Addr,
    usig: Addr,
) -> SysResult {
    let span = span(ctx, timeout)?;
    let (mask, size) = match usig.non_null() {
        Some(at) => (Addr(ctx.read_u64(at)?), ctx.read_u64(at.at(8))?),
        None => (Addr::NULL, 0),
    };
    enter_mask(ctx, mask, size)?;
    let result = get(ctx, ctx_id, min_nr, nr, events, span, OnSignal::RestartNoHandler);
    leave_mask(ctx, mask, result)
}
