//! Route netlink: what getifaddrs(3), Go's net package and `ip` ask for. There is one interface, `lo`.
#![allow(clippy::cast_possible_truncation, reason = "lengths of messages built here are small")]

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::net::addr::Address;
use crate::net::{Message, SocketId, Ucred, wake_readers};

/// Flags of `lo`: IFF_UP, LOOPBACK, RUNNING.
pub const LO_FLAGS: u32 = 0x49;
/// MTU of `lo`.
pub const LO_MTU: u32 = 65_536;
const IFF_LOWER_UP: u32 = 0x10000;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_MULTI: u16 = 2;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// NETLINK_SOCK_DIAG
pub const SOCK_DIAG: i32 = 4;

#[derive(Debug, Clone, Copy)]
struct Header {
    len: usize,
    kind: u16,
    flags: u16,
    seq: u32,
}

fn header(raw: &[u8]) -> Option<Header> {
    let word = |at: usize| raw.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let half = |at: usize| raw.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes);
    Some(Header { len: usize::try_from(word(0)?).ok()?, kind: half(4)?, flags: half(6)?, seq: word(8)? })
}

fn message(out: &mut Vec<u8>, kind: u16, flags: u16, seq: u32, port: u32, body: &[u8]) {
    out.extend_from_slice(&((16 + body.len()) as u32).to_le_bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&port.to_le_bytes());
    out.extend_from_slice(body);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn attribute(out: &mut Vec<u8>, kind: u16, data: &[u8]) {
    out.extend_from_slice(&((4 + data.len()) as u16).to_le_bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn link() -> Vec<u8> {
    let mut body = vec![0, 0];
    body.extend_from_slice(&772u16.to_le_bytes()); // ARPHRD_LOOPBACK
    body.extend_from_slice(&1u32.to_le_bytes());
    body.extend_from_slice(&(LO_FLAGS | IFF_LOWER_UP).to_le_bytes());
    body.extend_from_slice(&0u32.to_le_bytes());
    attribute(&mut body, 3, b"lo\0"); // IFLA_IFNAME
    attribute(&mut body, 13, &1000u32.to_le_bytes()); // IFLA_TXQLEN
    attribute(&mut body, 16, &[0]); // IFLA_OPERSTATE: unknown
    attribute(&mut body, 17, &[0]); // IFLA_LINKMODE
    attribute(&mut body, 4, &LO_MTU.to_le_bytes()); // IFLA_MTU
    attribute(&mut body, 27, &0u32.to_le_bytes()); // IFLA_GROUP
    attribute(&mut body, 6, b"noqueue\0"); // IFLA_QDISC
    attribute(&mut body, 1, &[0; 6]); // IFLA_ADDRESS
    attribute(&mut body, 2, &[0; 6]); // IFLA_BROADCAST
    body
}

fn address(family: u8, prefix: u8, ip: &[u8]) -> Vec<u8> {
    const PERMANENT: u8 = 0x80;
    const SCOPE_HOST: u8 = 254;
    let mut body = vec![family, prefix, PERMANENT, SCOPE_HOST];
    body.extend_from_slice(&1u32.to_le_bytes());
    attribute(&mut body, 1, ip); // IFA_ADDRESS
    if family == 2 {
        attribute(&mut body, 2, ip); // IFA_LOCAL
        attribute(&mut body, 3, b"lo\0"); // IFA_LABEL
    }
    attribute(&mut body, 8, &u32::from(PERMANENT).to_le_bytes()); // IFA_FLAGS
    let mut cache = vec![0xff; 8];
    cache.resize(16, 0);
    attribute(&mut body, 6, &cache); // IFA_CACHEINFO
    body
}

fn route(family: u8, prefix: u8, ip: &[u8]) -> Vec<u8> {
    const TABLE_LOCAL: u8 = 255;
    // Protocol "kernel", scope "host", type "local".
    let mut body = vec![family, prefix, 0, 0, TABLE_LOCAL, 2, 254, 2, 0, 0, 0, 0];
    attribute(&mut body, 15, &u32::from(TABLE_LOCAL).to_le_bytes()); // RTA_TABLE
    attribute(&mut body, 1, ip); // RTA_DST
    attribute(&mut body, 4, &1u32.to_le_bytes()); // RTA_OIF
    body
}

/// Answers the requests in `data`; the replies go to the sender's own queue.
pub(crate) fn send(ctx: &mut Ctx<'_>, id: SocketId, data: &[u8]) -> Result<usize, Stop> {
    let port = bind(ctx, id, 0)?;
    let mut rest = data;
    while let Some(request) = header(rest).filter(|h| h.len >= 16 && h.len <= rest.len()) {
        let whole = &rest[..request.len];
        answer(ctx, id, port, request, whole)?;
        rest = rest.get(request.len.next_multiple_of(4)..).unwrap_or_default();
    }
    wake_readers(ctx.k, id);
    Ok(data.len())
}

fn answer(ctx: &mut Ctx<'_>, id: SocketId, port: u32, request: Header, whole: &[u8]) -> Result<(), Stop> {
    let family = whole.get(16).copied().unwrap_or(0);
    let dump = request.flags & NLM_F_DUMP != 0;
    if ctx.k.net.get(id)?.protocol == SOCK_DIAG {
        return diagnose(ctx, id, port, request, whole);
    }
    let (kind, bodies) = match request.kind {
        RTM_GETLINK => (RTM_NEWLINK, vec![(0, link())]),
        RTM_GETADDR => {
            (RTM_NEWADDR, vec![(2, address(2, 8, &[127, 0, 0, 1])), (10, address(10, 128, &LOCALHOST6))])
        }
        RTM_GETROUTE => {
            (RTM_NEWROUTE, vec![(2, route(2, 8, &[127, 0, 0, 0])), (10, route(10, 128, &LOCALHOST6))])
        }
        other => {
            let at = format!("task {}", ctx.tid.0);
            ctx.k.gap(format!("netlink request {other}"), at);
            return reply(ctx, id, error(request, port, whole, Errno::EOPNOTSUPP));
        }
    };
    let mut out = Vec::new();
    if dump {
        for (_, body) in bodies.iter().filter(|(f, _)| family == 0 || *f == 0 || *f == family) {
            message(&mut out, kind, NLM_F_MULTI, request.seq, port, body);
        }
        reply(ctx, id, out)?;
        let mut done = Vec::new();
        message(&mut done, NLMSG_DONE, NLM_F_MULTI, request.seq, port, &0u32.to_le_bytes());
        return reply(ctx, id, done);
    }
    if request.kind != RTM_GETLINK {
        let wanted = bodies.iter().find(|(f, _)| family == 0 || *f == family);
        let Some((_, body)) = wanted else {
            return reply(ctx, id, error(request, port, whole, Errno::ENODEV));
        };
        message(&mut out, kind, 0, request.seq, port, body);
        return reply(ctx, id, out);
    }
    let index = whole.get(20..24).and_then(|b| b.try_into().ok()).map_or(0, i32::from_le_bytes);
    let named_lo = whole.windows(3).any(|w| w == b"lo\0");
    if index > 1 || index == 0 && !named_lo {
        return reply(ctx, id, error(request, port, whole, Errno::ENODEV));
    }
    message(&mut out, kind, 0, request.seq, port, &link());
    reply(ctx, id, out)?;
    if request.flags & NLM_F_ACK != 0 {
        reply(ctx, id, error(request, port, whole, Errno(0)))?;
    }
    Ok(())
}

/// sock_diag(7): lists of sockets.
fn diagnose(ctx: &mut Ctx<'_>, id: SocketId, port: u32, request: Header, whole: &[u8]) -> Result<(), Stop> {
    let body = whole.get(16..).unwrap_or_default();
    let dump = request.flags & NLM_F_DUMP != 0;
    let bodies = match request.kind {
        SOCK_DIAG_BY_FAMILY if dump => super::diag::dump(ctx.k, body),
        _ => None,
    };
    let Some(bodies) = bodies else {
        let at = format!("task {}", ctx.tid.0);
        let family = body.first().copied().unwrap_or(0);
        ctx.k.gap(format!("sock_diag request {} about family {family}", request.kind), at);
        return reply(ctx, id, error(request, port, whole, Errno::ENOENT));
    };
    // A message a reader can take with a buffer of 32 KiB, as Linux makes them.
    for group in bodies.chunks(64) {
        let mut out = Vec::new();
        for body in group {
            message(&mut out, SOCK_DIAG_BY_FAMILY, NLM_F_MULTI, request.seq, port, body);
        }
        reply(ctx, id, out)?;
    }
    let mut done = Vec::new();
    message(&mut done, NLMSG_DONE, NLM_F_MULTI, request.seq, port, &0u32.to_le_bytes());
    reply(ctx, id, done)
}

const LOCALHOST6: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// `NLMSG_ERROR` about a request; number 0 is an acknowledgement.
fn error(request: Header, port: u32, whole: &[u8], errno: Errno) -> Vec<u8> {
    let mut body = (-i32::from(errno.0)).to_le_bytes().to_vec();
    body.extend_from_slice(if errno.0 == 0 { whole.get(..16).unwrap_or(whole) } else { whole });
    let mut out = Vec::new();
    message(&mut out, NLMSG_ERROR, 0, request.seq, port, &body);
    out
}

fn reply(ctx: &mut Ctx<'_>, id: SocketId, data: Vec<u8>) -> Result<(), Stop> {
    let socket = ctx.k.net.get_mut(id)?;
    if socket.queued + data.len() > socket.opts.rcvbuf {
        socket.error = Some(Errno::ENOBUFS);
        return Ok(());
    }
    let from = Some(Address::Netlink(0, 0));
    socket.push(Message::new(data, from, id, Ucred::default()));
    Ok(())
}

/// `bind(2)`: the port, an automatic one for 0. `EADDRINUSE`.
pub(crate) fn bind(ctx: &mut Ctx<'_>, id: SocketId, port: u32) -> Result<u32, Stop> {
    if let Some(Address::Netlink(bound, _)) = ctx.k.net.get(id)?.local {
        return if port == 0 || port == bound { Ok(bound) } else { Err(Errno::EINVAL.into()) };
    }
    let taken = |port: u32| {
        ctx.k
            .net
            .sockets
            .iter()
            .any(|(_, s)| matches!(s.local, Some(Address::Netlink(bound, _)) if bound == port))
    };
    let process = ctx.task().group.0;
    let port = match port {
        0 if !taken(process) => process,
        0 => 0xf000_0000 | id.0,
        port if taken(port) => return Err(Errno::EADDRINUSE.into()),
        port => port,
    };
    ctx.k.net.get_mut(id)?.local = Some(Address::Netlink(port, 0));
    Ok(port)
}
