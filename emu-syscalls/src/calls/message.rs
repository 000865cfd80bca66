//! `sendto(2)`, `sendmsg(2)`, `recvfrom(2)`, `recvmsg(2)` and their many-message forms.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, InBuf, Len, OutBuf, U32};
use crate::calls::poll::{Timeout, ends_now, read_timespec};
use crate::calls::rw::{access_ok, room};
use crate::calls::socket::{nonblocking, socket_of};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::fdtable::{get_file, put_file};
use crate::file::{FileId, NextRead};
use crate::net::addr::{self, Address};
use crate::net::control::{self, Outgoing};
use crate::net::errqueue;
use crate::net::transfer::{Along, Received, Take, recv_some, recv_urgent, send_some, send_urgent, waits};
use crate::net::unix::ucred;
use crate::net::{Domain, Kind, SocketId, State, Ucred};
use crate::task::GroupId;
use crate::time::timer::TimerKey;

/// MSG_* flags.
mod msg {
    pub(super) const OOB: u32 = 1;
    pub(super) const MORE: u32 = 0x8000;
    pub(super) const PEEK: u32 = 2;
    pub(super) const CTRUNC: u32 = 8;
    pub(super) const TRUNC: u32 = 0x20;
    pub(super) const DONTWAIT: u32 = 0x40;
    pub(super) const WAITALL: u32 = 0x100;
    pub(super) const ERRQUEUE: u32 = 0x2000;
    pub(super) const NOSIGNAL: u32 = 0x4000;
    pub(super) const WAITFORONE: u32 = 0x1_0000;
    pub(super) const ZEROCOPY: u32 = 0x400_0000;
    pub(super) const FASTOPEN: u32 = 0x2000_0000;
    pub(super) const CMSG_CLOEXEC: u32 = 0x4000_0000;
}

const SOL_SOCKET: i32 = 1;
const SCM_RIGHTS: i32 = 1;
const SCM_CREDENTIALS: i32 = 2;
const SCM_PIDFD: i32 = 4;
/// Files in one message (SCM_MAX_FD).
const MAX_FILES: usize = 253;
/// Bytes of control messages (/proc/sys/net/core/optmem_max).
const MAX_CONTROL: u64 = 131_072;
/// Bytes moved at a time.
const STEP: usize = 256 * 1024;
/// Bytes of `struct msghdr` and `struct mmsghdr`.
const MMSGHDR: u64 = 64;
/// Messages in one call (UIO_MAXIOV).
const MAX_VECTOR: u64 = 1024;
/// Bytes in one call (MAX_RW_COUNT).
const MAX_BYTES: u64 = 0x7fff_f000;

/// A `struct msghdr`.
#[derive(Debug, Clone)]
struct Header {
    name: Addr,
    name_len: i32,
    iov: Vec<(Addr, u64)>,
    control: Addr,
    control_len: u64,
}

fn read_header(ctx: &mut Ctx<'_>, at: Addr) -> Result<Header, Errno> {
    let name = Addr(ctx.read_u64(at)?);
    let name_len = ctx.read_u32(at.at(8))?.cast_signed();
    let vector = Addr(ctx.read_u64(at.at(16))?);
    let count = ctx.read_u64(at.at(24))?;
    let control = Addr(ctx.read_u64(at.at(32))?);
    let control_len = ctx.read_u64(at.at(40))?;
    if name != Addr::NULL && name_len < 0 {
        return Err(Errno::EINVAL);
    }
    if count > MAX_VECTOR {
        return Err(Errno::EMSGSIZE);
    }
    let mut iov = Vec::new();
    let mut total: u64 = 0;
    for index in 0..count {
        let base = Addr(ctx.read_u64(vector.at(index * 16))?);
        let len = ctx.read_u64(vector.at(index * 16 + 8))?;
        if len.cast_signed() < 0 {
            return Err(Errno::EINVAL);
        }
        access_ok(base, len)?;
        let len = len.min(MAX_BYTES - total);
        total += len;
        iov.push((base, len));
    }
    Ok(Header { name, name_len, iov, control, control_len })
}

fn total(iov: &[(Addr, u64)]) -> u64 {
    iov.iter().map(|(_, len)| len).sum()
}

/// The piece of a vector from byte `skip` on, at most `max` bytes of it.
fn piece(iov: &[(Addr, u64)], mut skip: u64, max: usize) -> Vec<(Addr, usize)> {
    let mut out = Vec::new();
    let mut left = max;
    for (base, len) in iov {
        if skip >= *len {
            skip -= len;
            continue;
        }
        let take = usize::try_from(len - skip).unwrap_or(usize::MAX).min(left);
        if take == 0 {
            break;
        }
        out.push((base.at(skip), take));
        left -= take;
        skip = 0;
    }
    out
}

/// Copies from user memory in steps of `step` bytes: fewer bytes if a later step meets a fault, `EFAULT` if the first does.
fn gather(
    ctx: &mut Ctx<'_>,
    iov: &[(Addr, u64)],
    skip: u64,
    max: usize,
    step: usize,
) -> Result<Vec<u8>, Errno> {
    let mut data = Vec::new();
    for (at, len) in piece(iov, skip, max) {
        let start = data.len();
        data.resize(start + len, 0);
        if let Err(errno) = ctx.read_user(at, &mut data[start..]) {
            let whole = start / step * step;
            if whole == 0 {
                return Err(errno);
            }
            data.truncate(whole);
            break;
        }
    }
    Ok(data)
}

fn scatter(ctx: &mut Ctx<'_>, iov: &[(Addr, u64)], skip: u64, data: &[u8]) -> Result<(), Errno> {
    let mut rest = data;
    for (at, len) in piece(iov, skip, data.len()) {
        let (now, later) = rest.split_at(len.min(rest.len()));
        ctx.write_user(at, now)?;
        rest = later;
    }
    Ok(())
}

/// `sendto(2)`
pub(crate) fn sendto(
    ctx: &mut Ctx<'_>,
    sockfd: Fd,
    buf: InBuf<2>,
    len: Len,
    flags: U32,
    dest_addr: Addr,
    addrlen: I32,
) -> SysResult {
    let iov = [(buf.addr(), len.0.min(MAX_BYTES))];
    access_ok(buf.addr(), iov[0].1)?;
    socket_of(ctx, sockfd)?;
    let name = if dest_addr == Addr::NULL { Vec::new() } else { addr::read_raw(ctx, dest_addr, addrlen.0)? };
    let creds = ucred(ctx);
    send(ctx, sockfd, &iov, flags.0, &name, (&[], creds, Outgoing::default()))
}

/// `sendmsg(2)`
pub(crate) fn sendmsg(ctx: &mut Ctx<'_>, sockfd: Fd, msg: Addr, flags: U32) -> SysResult {
    socket_of(ctx, sockfd)?;
    send_header(ctx, sockfd, msg, flags.0)
}

fn send_header(ctx: &mut Ctx<'_>, sockfd: Fd, msg: Addr, flags: u32) -> SysResult {
    let header = read_header(ctx, msg)?;
    let name = if header.name == Addr::NULL || header.name_len == 0 {
        Vec::new()
    } else {
        addr::read_raw(ctx, header.name, header.name_len.min(128))?
    };
    let (files, creds, out) = read_control(ctx, sockfd, &header)?;
    send(ctx, sockfd, &header.iov, flags, &name, (&files, creds, out))
}

/// Sends a whole message, or all bytes for a stream; progress is in `ctx.call.done`.
fn send(
    ctx: &mut Ctx<'_>,
    sockfd: Fd,
    iov: &[(Addr, u64)],
    flags: u32,
    name: &[u8],
    along: Along<'_>,
) -> SysResult {
    let (file, id) = socket_of(ctx, sockfd)?;
    if flags & msg::FASTOPEN != 0 {
        return Err(Stop::Unsupported("MSG_FASTOPEN"));
    }
    let socket = ctx.k.net.get(id)?;
    let (domain, kind, state) = (socket.domain, socket.kind, socket.state);
    let urgent = flags & msg::OOB != 0;
    if urgent && kind != Kind::Stream {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let to = match (name.is_empty(), domain, kind) {
        (true, ..) => None,
        // TCP and connections of messages look at no name.
        (false, Domain::Inet | Domain::Inet6, Kind::Stream) | (false, Domain::Unix, Kind::SeqPacket) => None,
        (false, Domain::Unix, Kind::Stream) => {
            let connected = state == State::Connected;
            return Err(if connected { Errno::EISCONN } else { Errno::EOPNOTSUPP }.into());
        }
        _ => Some(addr::parse(
            domain,
            name,
            if domain == Domain::Unix { Errno::EINVAL } else { Errno::EAFNOSUPPORT },
        )?),
    };
    let nonblock = nonblocking(ctx, file) || flags & msg::DONTWAIT != 0;
    let wait = waits(ctx, id, nonblock, true)?;
    let internet = matches!(domain, Domain::Inet | Domain::Inet6);
    let cork = kind == Kind::Dgram && ctx.k.net.get(id)?.opts.udp_cork();
    let more = flags & msg::MORE != 0 || cork;
    let result = if internet && (more || !ctx.k.net.get(id)?.held.is_empty()) {
        send_held(ctx, id, iov, to, along, wait, (more, urgent))
    } else {
        send_all(ctx, id, iov, (kind, urgent), to.as_ref(), along, wait)
    };
    let broken = result == Err(Stop::Errno(Errno::EPIPE));
    if broken && kind != Kind::Dgram && flags & msg::NOSIGNAL == 0 {
        crate::task::signal::send_sigpipe(ctx.k, ctx.tid);
    }
    let sent = partial(ctx, result);
    if flags & msg::ZEROCOPY != 0 && matches!(sent, Ok(1..)) && ctx.k.net.get(id)?.opts.zerocopy() {
        errqueue::zerocopy_done(ctx.k, id);
    }
    sent
}

/// The result of a call that moved `ctx.call.done` bytes before it stopped: those bytes, unless it goes on waiting.
fn partial(ctx: &Ctx<'_>, result: SysResult) -> SysResult {
    match &result {
        Err(stop) if ctx.call.done > 0 => match stop {
            Stop::Errno(_) => Ok(ctx.call.done),
            Stop::Block(_) if ends_now(ctx, &result) => Ok(ctx.call.done),
            _ => result,
        },
        _ => result,
    }
}

/// Sends on an internet socket that holds something back, or shall (`MSG_MORE`): a datagram grows until a send without the
/// flag, a stream waits a moment for more.
fn send_held(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    iov: &[(Addr, u64)],
    to: Option<Address>,
    along: Along<'_>,
    wait: crate::net::unix::Waits,
    (more, urgent): (bool, bool),
) -> SysResult {
    /// Largest payload of a datagram.
    const MOST: usize = 65_507;
    const MOMENT_NS: u64 = 200_000_000;
    let along: Along<'_> = (&[], along.1, along.2);
    let socket = ctx.k.net.get(id)?;
    let kind = socket.kind;
    let (held, len) = (socket.held.len(), total(iov));
    let fits = usize::try_from(len).is_ok_and(|len| held + len <= MOST);
    if kind == Kind::Stream && (!more || !fits) {
        crate::net::flush_held(ctx.k, id);
        return send_all(ctx, id, iov, (kind, urgent), None, along, wait);
    }
    if !fits {
        return Err(Errno::EMSGSIZE.into());
    }
    if kind == Kind::Stream {
        send_check(ctx, id)?;
    } else if to.is_none() && held == 0 && ctx.k.net.get(id)?.remote.is_none() {
        return Err(Errno::EDESTADDRREQ.into());
    }
    let data = gather(ctx, iov, 0, MOST, usize::MAX)?;
    let socket = ctx.k.net.get_mut(id)?;
    if held == 0 {
        socket.held_to = to;
    }
    if more {
        socket.held.extend_from_slice(&data);
        if kind == Kind::Stream {
            let now = ctx.now_ns();
            ctx.k.time.timers.set(TimerKey::Held(id), Some(now.saturating_add(MOMENT_NS)));
        }
        return Ok(len);
    }
    let (mut whole, to) = (std::mem::take(&mut socket.held), socket.held_to.take());
    whole.extend_from_slice(&data);
    send_some(ctx, id, &whole, to.as_ref(), along, wait)?;
    Ok(len)
}

fn send_all(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    iov: &[(Addr, u64)],
    (kind, urgent): (Kind, bool),
    to: Option<&Address>,
    along: Along<'_>,
    wait: crate::net::unix::Waits,
) -> SysResult {
    let total = total(iov);
    if kind != Kind::Stream {
        if total > STEP as u64 {
            return Err(Errno::EMSGSIZE.into());
        }
        let data = gather(ctx, iov, 0, STEP, usize::MAX)?;
        let sent = send_some(ctx, id, &data, to, along, wait)?;
        for file in along.0 {
            get_file(ctx.k, *file);
        }
        return Ok(sent as u64);
    }
    if total == 0 {
        // Only the checks.
        send_check(ctx, id)?;
        return Ok(0);
    }
    // The last byte of a MSG_OOB is the urgent one.
    let plain = total - u64::from(urgent);
    let piece = ctx.k.net.get(id)?.write_piece();
    while ctx.call.done < plain {
        let left = usize::try_from(plain - ctx.call.done).unwrap_or(usize::MAX);
        let data = gather(ctx, iov, ctx.call.done, STEP.min(left), piece)?;
        let files = if ctx.call.done == 0 { along.0 } else { &[] };
        let sent = send_some(ctx, id, &data, to, (files, along.1, along.2), wait)?;
        for file in files {
            get_file(ctx.k, *file);
        }
        ctx.call.done += sent as u64;
    }
    if urgent {
        if let Some(byte) = gather(ctx, iov, plain, 1, 1)?.first() {
            send_urgent(ctx, id, *byte, along, wait)?;
        }
        ctx.call.done += 1;
    }
    Ok(ctx.call.done)
}

fn send_check(ctx: &Ctx<'_>, id: SocketId) -> Result<(), Errno> {
    let socket = ctx.k.net.get(id)?;
    match socket.state {
        _ if socket.shut_write => Err(Errno::EPIPE),
        State::Connected => Ok(()),
        _ if socket.domain == Domain::Unix => Err(Errno::ENOTCONN),
        _ => Err(Errno::EPIPE),
    }
}

/// Control messages of a send: files (borrowed, not counted yet) and credentials.
fn read_control(
    ctx: &mut Ctx<'_>,
    sockfd: Fd,
    header: &Header,
) -> Result<(Vec<FileId>, Ucred, Outgoing), Stop> {
    let (_, id) = socket_of(ctx, sockfd)?;
    let mut creds = ucred(ctx);
    let mut files = Vec::new();
    let mut out = Outgoing::default();
    if header.control_len == 0 {
        return Ok((files, creds, out));
    }
    if header.control_len > MAX_CONTROL {
        return Err(Errno::ENOBUFS.into());
    }
    let mut raw = vec![0; usize::try_from(header.control_len).map_err(|_| Errno::ENOBUFS)?];
    ctx.read_user(header.control, &mut raw)?;
    let domain = ctx.k.net.get(id)?.domain;
    let unix = domain == Domain::Unix;
    let mut rest = &raw[..];
    while let Some((head, _)) = rest.split_first_chunk::<16>() {
        let word = |at: usize| i32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let len =
            u64::from_le_bytes([head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]]);
        let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
        if len < 16 || len > rest.len() {
            return Err(Errno::EINVAL.into());
        }
        let (level, kind, body) = (word(8), word(12), &rest[16..len]);
        match (level, kind) {
            (SOL_SOCKET, SCM_RIGHTS) if unix => {
                for number in body.chunks_exact(4) {
                    let fd = i32::from_le_bytes([number[0], number[1], number[2], number[3]]);
                    files.push(ctx.fd_any(Fd(fd))?);
                }
                if files.len() > MAX_FILES {
                    return Err(Errno::EINVAL.into());
                }
            }
            (SOL_SOCKET, SCM_CREDENTIALS) if unix => creds = read_creds(ctx, body)?,
            (SOL_SOCKET, _) if unix => return Err(Errno::EINVAL.into()),
            _ if unix => {}
            (SOL_SOCKET, SCM_RIGHTS | SCM_CREDENTIALS) => {}
            _ => control::read(domain, &mut out, level, kind, body)?,
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    Ok((files, creds, out))
}

/// Credentials that a sender claims. `EPERM` if they are not its own.
fn read_creds(ctx: &Ctx<'_>, body: &[u8]) -> Result<Ucred, Errno> {
    const CAP_SETGID: u64 = 1 << 6;
    const CAP_SETUID: u64 = 1 << 7;
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    let body: &[u8; 12] = body.try_into().map_err(|_| Errno::EINVAL)?;
    let word = |at: usize| u32::from_le_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
    let claimed = Ucred { pid: word(0), uid: word(4), gid: word(8) };
    let task = ctx.task();
    let caps = task.creds.cap_effective;
    let pid = claimed.pid == task.group.0 || caps & CAP_SYS_ADMIN != 0;
    let uid = task.creds.uid[..3].contains(&claimed.uid) || caps & CAP_SETUID != 0;
    let gid = task.creds.gid[..3].contains(&claimed.gid) || caps & CAP_SETGID != 0;
    if pid && uid && gid { Ok(claimed) } else { Err(Errno::EPERM) }
}

/// `sendmmsg(2)`
pub(crate) fn sendmmsg(ctx: &mut Ctx<'_>, sockfd: Fd, msgvec: Addr, vlen: U32, flags: U32) -> SysResult {
    socket_of(ctx, sockfd)?;
    let count = u64::from(vlen.0).min(MAX_VECTOR);
    let result = loop {
        if ctx.call.count >= count {
            break Ok(0);
        }
        let at = msgvec.at(ctx.call.count * MMSGHDR);
        match send_header(ctx, sockfd, at, flags.0) {
            Ok(sent) => {
                ctx.write_u32(at.at(56), u32::try_from(sent).unwrap_or(u32::MAX))?;
                ctx.call.count += 1;
                ctx.call.done = 0;
            }
            Err(stop) => break Err(stop),
        }
    };
    counted(ctx, result)
}

/// The result of a call that moved `ctx.call.count` messages before it stopped.
fn counted(ctx: &Ctx<'_>, result: SysResult) -> SysResult {
    match &result {
        Ok(_) => Ok(ctx.call.count),
        Err(Stop::Block(_)) if !ends_now(ctx, &result) => result,
        Err(_) if ctx.call.count > 0 => Ok(ctx.call.count),
        Err(_) => result,
    }
}

/// `recvfrom(2)`
pub(crate) fn recvfrom(
    ctx: &mut Ctx<'_>,
    sockfd: Fd,
    buf: OutBuf<2>,
    len: Len,
    flags: U32,
    src_addr: Addr,
    addrlen: Addr,
) -> SysResult {
    let iov = [(buf.addr(), len.0.min(MAX_BYTES))];
    access_ok(buf.addr(), iov[0].1)?;
    let (value, received) = recv(ctx, sockfd, &iov, flags.0)?;
    for file in &received.files {
        put_file(ctx.k, *file);
    }
    if src_addr != Addr::NULL {
        let raw = source(ctx, sockfd, &received)?;
        addr::write(ctx, &raw, src_addr, addrlen)?;
    }
    Ok(value)
}

/// The sender's address as the socket shows it: empty for a connection.
fn source(ctx: &Ctx<'_>, sockfd: Fd, received: &Received) -> Result<Vec<u8>, Errno> {
    let (_, id) = socket_of(ctx, sockfd)?;
    let socket = ctx.k.net.get(id)?;
    // A sender without a name, and a TCP connection, give none at all.
    Ok(match (&received.from, socket.domain, socket.kind) {
        (None, ..) | (_, Domain::Inet | Domain::Inet6, Kind::Stream) => Vec::new(),
        (from, domain, _) => addr::format(domain, from.as_ref()),
    })
}

/// Receives into a vector; bytes of a MSG_WAITALL that was interrupted are in `ctx.call.done`.
fn recv(ctx: &mut Ctx<'_>, sockfd: Fd, iov: &[(Addr, u64)], flags: u32) -> Result<(u64, Received), Stop> {
    let (file, id) = socket_of(ctx, sockfd)?;
    let socket = ctx.k.net.get(id)?;
    // UDP knows nothing urgent, and does not mind being asked for it.
    let udp = socket.is_inet() && socket.kind == Kind::Dgram && !socket.is_raw();
    // TCP throws away what it would copy.
    let discards = socket.is_tcp() && flags & msg::TRUNC != 0 && flags & msg::PEEK == 0;
    if flags & msg::OOB != 0 && !udp {
        let take = if flags & msg::PEEK != 0 { Take::Peek } else { Take::Consume };
        let received = recv_urgent(ctx, id, take)?;
        let room = total(iov);
        if room > 0 {
            scatter(ctx, iov, 0, &received.data)?;
        }
        return Ok((room.min(1), received));
    }
    if flags & msg::ERRQUEUE != 0 {
        let room = total(iov);
        let received = errqueue::take(ctx.k, id, usize::try_from(room).unwrap_or(usize::MAX))?;
        scatter(ctx, iov, 0, &received.data)?;
        return Ok((received.data.len() as u64, received));
    }
    let nonblock = nonblocking(ctx, file) || flags & msg::DONTWAIT != 0;
    let wait = waits(ctx, id, nonblock, false)?;
    let stream = ctx.k.net.get(id)?.is_stream();
    let take = if flags & msg::PEEK != 0 { Take::Peek } else { Take::Consume };
    let all = stream && flags & msg::WAITALL != 0 && take == Take::Consume;
    let total = total(iov);
    let mut first: Option<Received> = None;
    loop {
        let done = ctx.call.done;
        let step = if stream { STEP } else { usize::MAX };
        let max = usize::try_from(total - done.min(total)).unwrap_or(usize::MAX).min(step);
        let max = match if discards { None } else { refused(ctx, id, iov, max) } {
            Some(_) if done > 0 => {
                return Ok((std::mem::take(&mut ctx.call.done), first.unwrap_or_default()));
            }
            Some(errno) => return Err(errno.into()),
            None => max,
        };
        match recv_some(ctx, id, max, take, wait) {
            Ok(received) => {
                let copied = if discards { Ok(()) } else { scatter(ctx, iov, done, &received.data) };
                if let Err(errno) = copied {
                    for file in &received.files {
                        put_file(ctx.k, *file);
                    }
                    return if done > 0 { Ok((done, first.unwrap_or_default())) } else { Err(errno.into()) };
                }
                ctx.call.done += received.data.len() as u64;
                let end = received.data.is_empty() || !received.files.is_empty();
                let more = stream && take == Take::Consume && (all || received.data.len() == STEP);
                let full_len = received.full_len as u64;
                first.get_or_insert(received);
                if end || !more || ctx.call.done >= total {
                    let datagram_len = if stream { ctx.call.done } else { full_len };
                    let value = if flags & msg::TRUNC != 0 && !stream { datagram_len } else { ctx.call.done };
                    let mut received = first.unwrap_or_default();
                    received.full_len = usize::try_from(datagram_len).unwrap_or(usize::MAX);
                    ctx.call.done = 0;
                    return Ok((value, received));
                }
            }
            Err(stop) => {
                let blocked = matches!(stop, Stop::Block(_));
                let goes_on = blocked
                    && all
                    && first.as_ref().is_none_or(|r| r.files.is_empty())
                    && !ends_now(ctx, &Err(stop.clone()));
                if ctx.call.done > 0 && !goes_on {
                    let done = std::mem::take(&mut ctx.call.done);
                    let mut received = first.unwrap_or_default();
                    received.full_len = usize::try_from(done).unwrap_or(usize::MAX);
                    return Ok((done, received));
                }
                return Err(stop);
            }
        }
    }
}

/// `EFAULT` if what a stream gives next cannot be copied to the vector: it stays.
fn refused(ctx: &mut Ctx<'_>, id: SocketId, iov: &[(Addr, u64)], max: usize) -> Option<Errno> {
    let NextRead::Piece(next) = ctx.k.net.get(id).ok()?.next_read() else { return None };
    let part: Vec<_> =
        piece(iov, ctx.call.done, next.min(max)).into_iter().map(|(at, len)| (at, len as u64)).collect();
    (room(ctx, &part) < total(&part)).then_some(Errno::EFAULT)
}

/// `recvmsg(2)`
pub(crate) fn recvmsg(ctx: &mut Ctx<'_>, sockfd: Fd, msg: Addr, flags: U32) -> SysResult {
    socket_of(ctx, sockfd)?;
    recv_header(ctx, sockfd, msg, flags.0)
}

fn recv_header(ctx: &mut Ctx<'_>, sockfd: Fd, at: Addr, flags: u32) -> SysResult {
    let header = read_header(ctx, at)?;
    let (_, id) = socket_of(ctx, sockfd)?;
    let (value, received) = recv(ctx, sockfd, &header.iov, flags)?;
    let room = total(&header.iov);
    let mut out_flags = flags & msg::CMSG_CLOEXEC;
    if received.urgent {
        out_flags |= msg::OOB;
    }
    if received.report.is_some() {
        out_flags |= msg::ERRQUEUE;
    }
    let kind = ctx.k.net.get(id)?.kind;
    if (kind != Kind::Stream || received.report.is_some()) && received.full_len as u64 > room {
        out_flags |= msg::TRUNC;
    }
    let written = write_control(ctx, id, &header, received.clone(), flags & msg::CMSG_CLOEXEC != 0)?;
    out_flags |= if written.1 { msg::CTRUNC } else { 0 };
    if header.name != Addr::NULL {
        let raw = source(ctx, sockfd, &received)?;
        let space = usize::try_from(header.name_len).unwrap_or(0).min(raw.len());
        ctx.write_user(header.name, &raw[..space])?;
        ctx.write_u32(at.at(8), u32::try_from(raw.len()).unwrap_or(0))?;
    }
    ctx.write_u64(at.at(40), written.0)?;
    ctx.write_u32(at.at(48), out_flags)?;
    Ok(value)
}

/// Writes control messages: their length, and whether some did not fit.
fn write_control(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    header: &Header,
    received: Received,
    cloexec: bool,
) -> Result<(u64, bool), Stop> {
    let mut at = 0;
    let mut cut = false;
    let room = if header.control == Addr::NULL { 0 } else { header.control_len };
    let socket = ctx.k.net.get(id)?;
    if socket.domain == Domain::Unix && socket.opts.passcred {
        let creds = received.creds;
        let body: Vec<u8> = [creds.pid, creds.uid, creds.gid].iter().flat_map(|n| n.to_le_bytes()).collect();
        let (used, short) = put_control(ctx, header.control, at, room, (SOL_SOCKET, SCM_CREDENTIALS), &body)?;
        at += used;
        cut |= short;
    }
    let socket = ctx.k.net.get(id)?;
    let takes_pidfd = socket.domain == Domain::Unix && socket.opts.passpidfd();
    if !received.files.is_empty() {
        let fits = usize::try_from(room.saturating_sub(at + 16) / 4).unwrap_or(0);
        let mut numbers = Vec::new();
        for (index, file) in received.files.iter().enumerate() {
            let fd = if index < fits && !cut { ctx.install_id(*file, cloexec) } else { Err(Errno::EMFILE) };
            match fd {
                Ok(fd) => numbers.extend_from_slice(&fd.0.to_le_bytes()),
                Err(_) => {
                    cut = true;
                    put_file(ctx.k, *file);
                }
            }
        }
        if !numbers.is_empty() {
            let (used, short) =
                put_control(ctx, header.control, at, room, (SOL_SOCKET, SCM_RIGHTS), &numbers)?;
            at += used;
            cut |= short;
        }
    }
    if takes_pidfd && room.saturating_sub(at) > 16 {
        let fd = crate::calls::pidfd::install(ctx, GroupId(received.creds.pid));
        let number = fd.map_or_else(|errno| -i32::from(errno.0), |fd| fd.0);
        let (used, short) =
            put_control(ctx, header.control, at, room, (SOL_SOCKET, SCM_PIDFD), &number.to_le_bytes())?;
        at += used;
        cut |= short;
    } else {
        cut |= takes_pidfd;
    }
    let socket = ctx.k.net.get(id)?;
    if socket.is_inet() && socket.kind == Kind::Dgram {
        let from = match &received.from {
            Some(Address::Ip(ip, _)) => Some(*ip),
            _ => None,
        };
        let port = match &socket.local {
            Some(Address::Ip(_, port)) => *port,
            _ => 0,
        };
        for (level, kind, body) in control::list(socket, from, port, received.packet) {
            let (used, short) = put_control(ctx, header.control, at, room, (level, kind), &body)?;
            at += used;
            cut |= short;
        }
    }
    let domain = ctx.k.net.get(id)?.domain;
    if let Some((level, kind, body)) = received.report.map(|report| report.control(domain)) {
        let (used, short) = put_control(ctx, header.control, at, room, (level, kind), &body)?;
        at += used;
        cut |= short;
    }
    Ok((at, cut))
}

/// Writes one control message (level, type) at offset `at`: bytes used, and whether it was cut.
fn put_control(
    ctx: &mut Ctx<'_>,
    control: Addr,
    at: u64,
    room: u64,
    (level, kind): (i32, i32),
    body: &[u8],
) -> Result<(u64, bool), Errno> {
    let left = room.saturating_sub(at);
    if left < 16 {
        return Ok((0, true));
    }
    let whole = 16 + body.len() as u64;
    let len = whole.min(left);
    let mut bytes = len.to_le_bytes().to_vec();
    bytes.extend_from_slice(&level.to_le_bytes());
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes.truncate(usize::try_from(len).unwrap_or(0));
    ctx.write_user(control.at(at), &bytes)?;
    Ok((len.next_multiple_of(8).min(left), len < whole))
}

/// `recvmmsg(2)`
pub(crate) fn recvmmsg(
    ctx: &mut Ctx<'_>,
    sockfd: Fd,
    msgvec: Addr,
    vlen: U32,
    flags: U32,
    timeout: Addr,
) -> SysResult {
    socket_of(ctx, sockfd)?;
    let span = read_timespec(ctx, timeout)?;
    // Linux looks at the timeout only after each message; a call that gets none waits for ever (recvmmsg(2), BUGS).
    let limit = Timeout::after(ctx, span.map(|ns| ns.max(1)));
    let count = u64::from(vlen.0).min(MAX_VECTOR);
    let mut one = flags.0 & !msg::WAITFORONE;
    let result = loop {
        if ctx.call.count >= count || ctx.call.count > 0 && limit.over(ctx) {
            break Ok(0);
        }
        if flags.0 & msg::WAITFORONE != 0 && ctx.call.count > 0 {
            one |= msg::DONTWAIT;
        }
        let at = msgvec.at(ctx.call.count * MMSGHDR);
        match recv_header(ctx, sockfd, at, one) {
            Ok(len) => {
                ctx.write_u32(at.at(56), u32::try_from(len).unwrap_or(u32::MAX))?;
                ctx.call.count += 1;
            }
            Err(stop) => {
                // The messages before it are told now, the error next time.
                if let Stop::Errno(errno) = &stop
                    && ctx.call.count > 0
                    && *errno != Errno::EAGAIN
                {
                    let (_, id) = socket_of(ctx, sockfd)?;
                    ctx.k.net.get_mut(id)?.error = Some(*errno);
                }
                break Err(stop);
            }
        }
    };
    counted(ctx, result)
}
