//! Sending and receiving on any socket: what read, write, sendmsg, recvmsg and splice share.

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::FileId;
use crate::net::addr::Address;
use crate::net::control::Outgoing;
use crate::net::errqueue::Report;
use crate::net::packet::Packet;
use crate::net::unix::Waits;
use crate::net::{Domain, Kind, SocketId, State, Ucred, Urgent, drained, inet, netlink, unix, wake_readers};
use crate::task::wait::WaitKey;

/// What was received.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    /// The bytes.
    pub(crate) data: Vec<u8>,
    /// Bytes the datagram had.
    pub(crate) full_len: usize,
    /// Who sent it, by name.
    pub(crate) from: Option<Address>,
    /// Open files; each is a reference that passes to the caller.
    pub(crate) files: Vec<FileId>,
    /// Who sent it.
    pub(crate) creds: Ucred,
    /// What the datagram's header said.
    pub(crate) packet: Packet,
    /// It is an urgent byte.
    pub(crate) urgent: bool,
    /// It is no message but a report of the error queue.
    pub(crate) report: Option<Report>,
}

/// What goes along with bytes: open files, credentials, choices for the datagram.
pub(crate) type Along<'a> = (&'a [FileId], Ucred, Outgoing);

/// Whether a receive leaves what it gets in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// It is taken.
    Consume,
    /// MSG_PEEK
    Peek,
}

/// How long a send (or receive) on a socket may wait.
pub(crate) fn waits(ctx: &Ctx<'_>, id: SocketId, nonblock: bool, sending: bool) -> Result<Waits, Errno> {
    let opts = &ctx.k.net.get(id)?.opts;
    Ok(Waits { nonblock, limit_ns: if sending { opts.sndtimeo_ns } else { opts.rcvtimeo_ns } })
}

/// Sends once; how many bytes were taken. References of `along` pass to the message if something was taken.
pub(crate) fn send_some(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    data: &[u8],
    to: Option<&Address>,
    along: Along<'_>,
    wait: Waits,
) -> Result<usize, Stop> {
    let (files, creds, out) = along;
    match (ctx.k.net.get(id)?.domain, to) {
        (Domain::Unix, Some(Address::Unix(name))) => {
            unix::send(ctx, id, data, Some(name), (files, creds), wait)
        }
        (Domain::Unix, None) => unix::send(ctx, id, data, None, (files, creds), wait),
        (Domain::Inet | Domain::Inet6, Some(Address::Ip(ip, port))) => {
            inet::send(ctx, id, data, Some((*ip, *port)), out, wait)
        }
        (Domain::Inet | Domain::Inet6, None) => inet::send(ctx, id, data, None, out, wait),
        (Domain::Netlink, None | Some(Address::Netlink(0, 0))) => netlink::send(ctx, id, data),
        (Domain::Netlink, Some(Address::Netlink(..))) => Err(Errno::ECONNREFUSED.into()),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Sends one urgent byte (MSG_OOB) through a stream.
pub(crate) fn send_urgent(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    byte: u8,
    along: Along<'_>,
    wait: Waits,
) -> Result<(), Stop> {
    // The checks of an ordinary byte, and its wait for room; then it takes its place as urgent.
    send_some(ctx, id, &[], None, (&[], along.1, along.2), wait)?;
    let socket = ctx.k.net.get(id)?;
    let (local, peer) = (socket.local.clone(), socket.peer);
    if let Some(peer_id) = peer
        && let Some(peer) = ctx.k.net.sockets.get_mut(peer_id)
    {
        peer.push_urgent(byte, local, id, along.1);
        wake_readers(ctx.k, peer_id);
    }
    Ok(())
}

/// Receives the urgent byte of a stream (MSG_OOB). `EINVAL` if there is none, or it stays in the stream.
pub(crate) fn recv_urgent(ctx: &mut Ctx<'_>, id: SocketId, take: Take) -> Result<Received, Stop> {
    let socket = ctx.k.net.get_mut(id)?;
    match (socket.kind, socket.domain) {
        (Kind::Stream, Domain::Inet | Domain::Inet6) if socket.state == State::Listening => {
            return Err(Errno::ENOTCONN.into());
        }
        (Kind::Stream, _) => {}
        (_, Domain::Inet | Domain::Inet6) => return Err(Errno::EOPNOTSUPP.into()),
        _ => return Err(Errno::EOPNOTSUPP.into()),
    }
    if socket.inline_urgent() {
        return Err(Errno::EINVAL.into());
    }
    let found = socket.queue.iter_mut().find(|message| message.urgent == Urgent::Pending);
    let Some(message) = found else { return Err(Errno::EINVAL.into()) };
    if take == Take::Consume {
        message.urgent = Urgent::Read;
    }
    Ok(Received { data: message.data.clone(), full_len: 1, urgent: true, ..Received::default() })
}

/// Receives at most `max` bytes.
pub(crate) fn recv_some(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    max: usize,
    take: Take,
    wait: Waits,
) -> Result<Received, Stop> {
    let socket = ctx.k.net.get_mut(id)?;
    let datagrams = socket.kind == Kind::Dgram;
    // SO_PEEK_OFF: looks begin behind what was looked at.
    let behind = match take {
        Take::Peek => socket.opts.peek_off().unwrap_or(0),
        Take::Consume => 0,
    };
    if datagrams && let Some(error) = socket.take_error() {
        return Err(error.into());
    }
    let stream = socket.is_stream();
    if !socket.has_input() || behind > 0 && socket.look_at(behind).is_none() {
        if let Some(error) = socket.take_error() {
            return Err(error.into());
        }
        if socket.shut_read && datagrams && wait.nonblock {
            return Err(Errno::EAGAIN.into());
        }
        if socket.shut_read && (datagrams || socket.state != State::Unconnected) {
            return Ok(Received::default());
        }
        if !datagrams {
            match (socket.state, socket.domain, socket.kind) {
                (State::Connected | State::Connecting(_), ..) => {}
                (State::Disconnected, ..) => return Ok(Received::default()),
                (_, Domain::Unix, Kind::Stream) => return Err(Errno::EINVAL.into()),
                _ => return Err(Errno::ENOTCONN.into()),
            }
        }
        return Err(wait.stop(ctx, vec![WaitKey::Socket(id.0)]));
    }
    let received = match (socket.kind, take) {
        (Kind::Stream, _) => {
            // A segment may end anywhere; a message between local sockets is not split, but may come alone.
            let first = socket.queue.front().map_or(0, |message| message.data.len() - message.start);
            let local = socket.domain == Domain::Unix;
            let several = socket.queue.len() > 1;
            let short = match take {
                Take::Consume if !local || several && first < max => ctx.k.shorter_read(max),
                _ => None,
            };
            let most = short.map_or(max, |most| if local { first.max(1) } else { most });
            self::stream(ctx, id, most, take, behind)
        }
        (_, Take::Peek) => {
            let Some((index, start)) = socket.look_at(behind) else { return Ok(Received::default()) };
            let Some(first) = socket.queue.get(index) else { return Ok(Received::default()) };
            let rest = &first.data[start..];
            let received = Received {
                data: rest[..rest.len().min(max)].to_vec(),
                full_len: rest.len(),
                from: first.from.clone(),
                files: first.files.clone(),
                creds: first.creds,
                packet: first.packet,
                ..Received::default()
            };
            for file in &received.files {
                crate::file::fdtable::get_file(ctx.k, *file);
            }
            Ok(received)
        }
        (_, Take::Consume) => {
            let Some(mut first) = socket.pop() else { return Ok(Received::default()) };
            let full_len = first.data.len();
            first.data.truncate(max);
            ctx.k.net.in_flight = ctx.k.net.in_flight.saturating_sub(first.files.len());
            drained(ctx.k, id, &[first.sender]);
            Ok(Received {
                data: first.data,
                full_len,
                from: first.from,
                files: first.files,
                creds: first.creds,
                packet: first.packet,
                ..Received::default()
            })
        }
    }?;
    let opts = &mut ctx.k.net.get_mut(id)?.opts;
    match take {
        Take::Peek => opts.move_peek_off(|at| at.saturating_add(received.data.len())),
        Take::Consume => {
            let taken = if stream { received.data.len() } else { received.full_len };
            opts.move_peek_off(|at| at.saturating_sub(taken));
        }
    }
    Ok(received)
}

/// Bytes of a stream: up to the end of a message with files, or to one from somebody else when credentials are asked for.
fn stream(ctx: &mut Ctx<'_>, id: SocketId, max: usize, take: Take, behind: usize) -> Result<Received, Stop> {
    let socket = ctx.k.net.get_mut(id)?;
    let passcred = socket.opts.passcred;
    let mut received = Received::default();
    let (mut index, mut skip) = socket.look_at(behind).unwrap_or((0, 0));
    let inline = socket.inline_urgent();
    while received.data.len() < max || max == 0 {
        let Some(message) = socket.queue.get_mut(index) else { break };
        let begun = !received.data.is_empty();
        if message.urgent != Urgent::No {
            // A read stops at the mark; the next one begins behind it, or with the byte itself if it stays inline.
            if begun {
                break;
            }
            let skipped = !inline || message.urgent == Urgent::Read;
            match (skipped, take) {
                (true, Take::Peek) => {
                    index += 1;
                    continue;
                }
                (true, Take::Consume) => {
                    socket.pop();
                    continue;
                }
                (false, _) => {}
            }
        }
        if begun && passcred && message.creds != received.creds {
            break;
        }
        let from =
            if take == Take::Peek { std::mem::take(&mut skip).max(message.start) } else { message.start };
        let rest = &message.data[from..];
        let n = rest.len().min(max - received.data.len());
        received.data.extend_from_slice(&rest[..n]);
        received.creds = message.creds;
        received.from = message.from.clone();
        let had_files = !message.files.is_empty();
        let whole = n == rest.len();
        if take == Take::Peek {
            if !message.files.is_empty() {
                received.files.clone_from(&message.files);
            }
            index += 1;
        } else {
            if !message.files.is_empty() {
                received.files = std::mem::take(&mut message.files);
            }
            message.start += n;
            if whole {
                socket.pop();
            }
        }
        if had_files || !whole || max == 0 {
            break;
        }
    }
    received.full_len = received.data.len();
    if take == Take::Peek {
        for file in received.files.clone() {
            crate::file::fdtable::get_file(ctx.k, file);
        }
    } else {
        ctx.k.net.in_flight = ctx.k.net.in_flight.saturating_sub(received.files.len());
        drained(ctx.k, id, &[]);
    }
    Ok(received)
}
