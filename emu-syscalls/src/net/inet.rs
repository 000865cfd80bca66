//! TCP and UDP over loopback. No packet is made: a connection is two sockets that know each other, a datagram goes
//! straight into the receiver's queue.
//!
//! **Invariant**: only loopback addresses exist; every other destination is `ENETUNREACH`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::kernel::Kernel;
use crate::net::addr::Address;
use crate::net::control::Outgoing;
use crate::net::errqueue;
use crate::net::multicast;
use crate::net::netlink::LO_MTU;
use crate::net::packet::{self, Packet};
use crate::net::unix::{Waits, ucred};
use crate::net::{Domain, Kind, Message, Net, Socket, SocketId, State, wake_all, wake_readers};
use crate::task::wait::WaitKey;

/// IPPROTO_TCP
pub const TCP: i32 = 6;
/// IPPROTO_UDP
pub const UDP: i32 = 17;
/// IPPROTO_UDPLITE
pub const UDPLITE: i32 = 136;
/// `CAP_NET_BIND_SERVICE`
const CAP_NET_BIND_SERVICE: u64 = 1 << 10;
/// Longest payload of a datagram over IPv4.
const MAX_V4: usize = 65_507;
/// The same over IPv6.
const MAX_V6: usize = 65_527;
/// Longest payload that the length of a datagram can tell of.
const MAX_LENGTH: usize = 65_535;

fn is_local(ip: IpAddr) -> bool {
    ip.is_unspecified() || ip.is_loopback()
}

/// The wildcard of a family.
fn wildcard(domain: Domain) -> IpAddr {
    if domain == Domain::Inet6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

/// Whether a socket of `domain` bound to `bound` gets what is sent to `ip`: 2 exactly, 1 by wildcard.
fn matches(socket: &Socket, bound: IpAddr, ip: IpAddr) -> u8 {
    match (bound, ip) {
        _ if bound == ip => 2,
        (IpAddr::V4(bound), IpAddr::V4(_)) => u8::from(bound.is_unspecified()),
        (IpAddr::V6(bound), IpAddr::V6(_)) => u8::from(bound.is_unspecified()),
        (IpAddr::V6(bound), IpAddr::V4(_)) => u8::from(bound.is_unspecified() && !socket.opts.v6only),
        (IpAddr::V4(_), IpAddr::V6(_)) => 0,
    }
}

fn on_port(k: &Kernel, protocol: i32, port: u16) -> Vec<(SocketId, &Socket)> {
    k.net
        .ports
        .range((protocol, port, SocketId(0))..)
        .take_while(|(p, n, _)| *p == protocol && *n == port)
        .filter_map(|(_, _, id)| Some((*id, k.net.sockets.get(*id)?)))
        .collect()
}

/// Whether two addresses can receive the same thing.
fn overlap(a: &Socket, ip_a: IpAddr, b: &Socket, ip_b: IpAddr) -> bool {
    matches(a, ip_a, ip_b) > 0 || matches(b, ip_b, ip_a) > 0
}

fn in_use(k: &Kernel, id: SocketId, ip: IpAddr, port: u16) -> bool {
    let Some(socket) = k.net.sockets.get(id) else { return true };
    on_port(k, socket.protocol, port).into_iter().any(|(other_id, other)| {
        let Some(Address::Ip(other_ip, _)) = other.local else { return false };
        if other_id == id || !overlap(socket, ip, other, other_ip) {
            return false;
        }
        let listening = other.state == State::Listening;
        let reuse = socket.opts.reuseaddr && other.opts.reuseaddr && !listening;
        let share = socket.opts.reuseport && other.opts.reuseport && socket.owner.uid == other.owner.uid;
        !reuse && !share
    })
}

/// `bind(2)`
pub(crate) fn bind(ctx: &mut Ctx<'_>, id: SocketId, ip: IpAddr, port: u16) -> Result<(), Stop> {
    let socket = ctx.k.net.get(id)?;
    if socket.domain == Domain::Inet6 && socket.opts.v6only && ip.is_ipv4() {
        return Err(Errno::EINVAL.into());
    }
    if socket.is_raw() {
        return bind_raw(ctx, id, ip);
    }
    // An address of many may be bound to, though no connection comes of it.
    let many = ip.is_multicast() && (ip.is_ipv4() || socket.kind == Kind::Dgram);
    let group = many || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    if !is_local(ip) && !group {
        return Err(Errno::EADDRNOTAVAIL.into());
    }
    if port != 0 && port < 1024 && ctx.task().creds.cap_effective & CAP_NET_BIND_SERVICE == 0 {
        return Err(Errno::EACCES.into());
    }
    if socket.local.is_some() || socket.state != State::Unconnected {
        return Err(Errno::EINVAL.into());
    }
    if ip == IpAddr::V6(Ipv6Addr::LOCALHOST) && !ctx.k.net.lo_up {
        return Err(Errno::EADDRNOTAVAIL.into());
    }
    let fixed_port = port != 0;
    let port = if port == 0 { free_port(ctx.k, id, ip)? } else { port };
    if in_use(ctx.k, id, ip, port) {
        return Err(Errno::EADDRINUSE.into());
    }
    let socket = ctx.k.net.get_mut(id)?;
    (socket.fixed_addr, socket.fixed_port) = (!ip.is_unspecified(), fixed_port);
    set_local(ctx.k, id, ip, port)
}

/// `bind(2)` of a raw socket: an address without a port.
fn bind_raw(ctx: &mut Ctx<'_>, id: SocketId, ip: IpAddr) -> Result<(), Stop> {
    if !is_local(ip) && !ip.is_multicast() {
        return Err(Errno::EADDRNOTAVAIL.into());
    }
    let socket = ctx.k.net.get_mut(id)?;
    if socket.state != State::Unconnected {
        return Err(Errno::EINVAL.into());
    }
    socket.fixed_addr = !ip.is_unspecified();
    if let Some(Address::Ip(local, _)) = &mut socket.local {
        *local = ip;
    }
    Ok(())
}

/// `connect(2)` to AF_UNSPEC: no peer any more, and no name that bind(2) did not give (`tcp_disconnect`,
/// `__udp_disconnect`).
pub(crate) fn disconnect(k: &mut Kernel, id: SocketId) -> Result<(), Stop> {
    let socket = k.net.get(id)?;
    let (stream, state) = (socket.kind == Kind::Stream, socket.state);
    if let State::Connecting(listener) = state
        && let Some(listener) = k.net.sockets.get_mut(listener)
    {
        listener.waiting.retain(|waiting| *waiting != id);
    }
    if stream {
        crate::net::abandon(k, id);
    }
    let socket = k.net.get_mut(id)?;
    socket.remote = None;
    socket.state = State::Unconnected;
    socket.connect_in_progress = false;
    if stream {
        (socket.shut_read, socket.shut_write) = (false, false);
    }
    let any = wildcard(socket.domain);
    let (fixed_addr, fixed_port, protocol, raw) =
        (socket.fixed_addr, socket.fixed_port, socket.protocol, socket.is_raw());
    if let Some(Address::Ip(ip, _)) = &mut socket.local
        && !fixed_addr
    {
        *ip = any;
    }
    if !fixed_port
        && !raw
        && let Some(Address::Ip(ip, port)) = socket.local
    {
        socket.local = if fixed_addr { Some(Address::Ip(ip, 0)) } else { None };
        k.net.ports.remove(&(protocol, port, id));
    }
    wake_all(k, id);
    Ok(())
}

fn set_local(k: &mut Kernel, id: SocketId, ip: IpAddr, port: u16) -> Result<(), Stop> {
    let socket = k.net.get_mut(id)?;
    socket.local = Some(Address::Ip(ip, port));
    let protocol = socket.protocol;
    k.net.ports.insert((protocol, port, id));
    Ok(())
}

fn free_port(k: &mut Kernel, id: SocketId, ip: IpAddr) -> Result<u16, Stop> {
    let protocol = k.net.get(id)?.protocol;
    for _ in 0..30_000 {
        let port = k.net.next_port();
        if on_port(k, protocol, port).is_empty() && !in_use(k, id, ip, port) {
            return Ok(port);
        }
    }
    Err(Errno::EADDRINUSE.into())
}

/// Gives a socket without a port an ephemeral one.
pub(crate) fn autobind(k: &mut Kernel, id: SocketId) -> Result<(), Stop> {
    let socket = k.net.get(id)?;
    let ip = match socket.local {
        None => wildcard(socket.domain),
        // The port went when the socket was disconnected.
        Some(Address::Ip(ip, 0)) if !socket.is_raw() => ip,
        Some(_) => return Ok(()),
    };
    let port = free_port(k, id, ip)?;
    set_local(k, id, ip, port)
}

/// Destination and the source that goes with it. `ENETUNREACH`; `EADDRNOTAVAIL` for version six while `lo` is down.
pub(crate) fn route(net: &Net, socket: &Socket, to: IpAddr, out: Outgoing) -> Result<(IpAddr, IpAddr), Stop> {
    if !net.lo_up {
        let six = to.is_ipv6() && (to.is_unspecified() || to.is_loopback());
        return Err(if six { Errno::EADDRNOTAVAIL } else { Errno::ENETUNREACH }.into());
    }
    let bound = match (out.source, &socket.local) {
        (Some(ip), _) if !is_local(ip) => return Err(Errno::EINVAL.into()),
        (Some(ip), _) => Some(ip),
        (None, Some(Address::Ip(ip, _))) => Some(*ip),
        _ => None,
    };
    if to.is_multicast() {
        if out.on_lo {
            let local: IpAddr =
                if to.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
            return Ok((to, bound.filter(|ip| !ip.is_unspecified()).unwrap_or(local)));
        }
        return Ok((to, multicast::source(socket, to, bound)?));
    }
    let to = match (to, socket.domain) {
        (IpAddr::V4(ip), Domain::Inet6) if socket.opts.v6only && !ip.is_unspecified() => {
            return Err(Errno::ENETUNREACH.into());
        }
        (ip, _) if !is_local(ip) => return Err(Errno::ENETUNREACH.into()),
        (IpAddr::V4(ip), _) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        (IpAddr::V6(ip), _) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        (ip, _) => ip,
    };
    let from = match (bound, to) {
        // An address of the other family, or a group's, is no source.
        (Some(ip), _) if !ip.is_unspecified() && !ip.is_multicast() && ip.is_ipv4() == to.is_ipv4() => ip,
        (Some(ip), _) if ip.is_ipv4() != to.is_ipv4() && !ip.is_unspecified() => {
            return Err(Errno::ENETUNREACH.into());
        }
        (_, IpAddr::V4(_)) => Ipv4Addr::LOCALHOST.into(),
        (_, IpAddr::V6(_)) => Ipv6Addr::LOCALHOST.into(),
    };
    Ok((to, from))
}

/// The socket that gets what is sent from `from` to `to`: a listener, or a datagram socket.
fn receiver(k: &Kernel, protocol: i32, to: (IpAddr, u16), from: (IpAddr, u16)) -> Option<SocketId> {
    let mut best: Option<(u8, SocketId)> = None;
    for (id, socket) in on_port(k, protocol, to.1) {
        let Some(Address::Ip(ip, _)) = socket.local else { continue };
        let mut score = matches(socket, ip, to.0);
        if score == 0 || protocol == TCP && socket.state != State::Listening {
            continue;
        }
        if protocol != TCP
            && let Some(Address::Ip(peer_ip, peer_port)) = &socket.remote
        {
            if (*peer_ip, *peer_port) != from {
                continue;
            }
            score += 4;
        }
        if best.is_none_or(|(old, _)| score > old) {
            best = Some((score, id));
        }
    }
    best.map(|(_, id)| id)
}

/// `connect(2)`
pub(crate) fn connect(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    ip: IpAddr,
    port: u16,
    wait: Waits,
) -> Result<(), Stop> {
    let socket = ctx.k.net.get(id)?;
    if socket.kind == Kind::Dgram {
        if ip == IpAddr::V4(Ipv4Addr::BROADCAST) && !socket.opts.broadcast {
            return Err(Errno::EACCES.into());
        }
        let (to, from) = route(&ctx.k.net, socket, ip, Outgoing::default())?;
        autobind(ctx.k, id)?;
        let socket = ctx.k.net.get_mut(id)?;
        if let Some(Address::Ip(local, _)) = &mut socket.local
            && local.is_unspecified()
        {
            *local = from;
        }
        socket.remote = Some(Address::Ip(to, port));
        socket.state = State::Connected;
        return Ok(());
    }
    match socket.state {
        State::Unconnected | State::Disconnected => {}
        State::Listening => return Err(Errno::EISCONN.into()),
        State::Connected if socket.connect_in_progress => {
            ctx.k.net.get_mut(id)?.connect_in_progress = false;
            return Ok(());
        }
        State::Connected => return Err(Errno::EISCONN.into()),
        State::Connecting(_) if wait.nonblock => return Err(Errno::EALREADY.into()),
        State::Connecting(_) => return Err(pending(ctx, id, wait)),
    }
    let socket = ctx.k.net.get_mut(id)?;
    let refused = std::mem::take(&mut socket.connect_in_progress);
    if let Some(error) = socket.take_error() {
        return Err(error.into());
    }
    if refused {
        // Somebody took the error before it could be told here.
        return Err(Errno::ECONNABORTED.into());
    }
    let (to, from) = route(&ctx.k.net, ctx.k.net.get(id)?, ip, Outgoing::default())?;
    autobind(ctx.k, id)?;
    let socket = ctx.k.net.get_mut(id)?;
    let Some(Address::Ip(local, local_port)) = &mut socket.local else { return Err(Errno::EINVAL.into()) };
    if local.is_unspecified() {
        *local = from;
    }
    let source = (*local, *local_port);
    let Some(listener_id) = receiver(ctx.k, TCP, (to, port), source) else {
        if wait.nonblock {
            let socket = ctx.k.net.get_mut(id)?;
            socket.error = Some(Errno::ECONNREFUSED);
            socket.connect_in_progress = true;
            wake_all(ctx.k, id);
            return Err(Errno::EINPROGRESS.into());
        }
        return Err(Errno::ECONNREFUSED.into());
    };
    let socket = ctx.k.net.get_mut(id)?;
    socket.remote = Some(Address::Ip(to, port));
    socket.connect_in_progress = wait.nonblock;
    let listener = ctx.k.net.get_mut(listener_id)?;
    if listener.accept_queue.len() > listener.backlog {
        listener.waiting.push_back(id);
        ctx.k.net.get_mut(id)?.state = State::Connecting(listener_id);
        return Err(pending(ctx, id, wait));
    }
    establish(ctx.k, listener_id, id)?;
    if wait.nonblock { Err(Errno::EINPROGRESS.into()) } else { Ok(()) }
}

/// How a connect stops that waits for room in a backlog.
fn pending(ctx: &mut Ctx<'_>, id: SocketId, wait: Waits) -> Stop {
    if wait.nonblock {
        return Errno::EINPROGRESS.into();
    }
    // The next run finds the connection made, and is told so once.
    if let Ok(socket) = ctx.k.net.get_mut(id) {
        socket.connect_in_progress = true;
    }
    match wait.stop(ctx, vec![WaitKey::Socket(id.0)]) {
        Stop::Errno(_) => Errno::EINPROGRESS.into(),
        stop => stop,
    }
}

/// Connects `client` to a listener: its new other side goes to the accept queue.
fn establish(k: &mut Kernel, listener_id: SocketId, client_id: SocketId) -> Result<(), Stop> {
    let listener = k.net.get(listener_id)?;
    let client = k.net.get(client_id)?;
    let mut child = Socket::new(listener.domain, Kind::Stream, TCP, listener.owner);
    child.opts = listener.opts.clone();
    child.opts.grow_sndbuf();
    child.state = State::Connected;
    child.local = client.remote.clone();
    child.remote = client.local.clone();
    child.peer = Some(client_id);
    let local = child.local.clone();
    let child = k.net.sockets.insert(child);
    if let Some(Address::Ip(_, port)) = local {
        k.net.ports.insert((TCP, port, child));
    }
    let client = k.net.get_mut(client_id)?;
    client.opts.grow_sndbuf();
    client.state = State::Connected;
    client.peer = Some(child);
    k.net.get_mut(listener_id)?.accept_queue.push_back(child);
    wake_readers(k, listener_id);
    wake_all(k, client_id);
    Ok(())
}

/// A connection was accepted: one that waits for room comes in.
pub(crate) fn accepted(k: &mut Kernel, listener_id: SocketId) {
    let Some(listener) = k.net.sockets.get_mut(listener_id) else { return };
    if let Some(client) = listener.waiting.pop_front()
        && k.net.sockets.contains(client)
        && establish(k, listener_id, client).is_err()
    {
        wake_all(k, client);
    }
    crate::net::wake_writers(k, listener_id);
}

/// Sends bytes; how many were taken.
pub(crate) fn send(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    data: &[u8],
    to: Option<(IpAddr, u16)>,
    out: Outgoing,
    wait: Waits,
) -> Result<usize, Stop> {
    let socket = ctx.k.net.get(id)?;
    match socket.kind {
        Kind::Dgram if socket.is_raw() => packet::send(ctx, id, data, to.map(|(ip, _)| ip), out),
        Kind::Dgram => send_udp(ctx, id, data, to, out),
        Kind::Stream | Kind::SeqPacket => send_tcp(ctx, id, data, wait),
    }
}

fn send_tcp(ctx: &mut Ctx<'_>, id: SocketId, data: &[u8], wait: Waits) -> Result<usize, Stop> {
    let socket = ctx.k.net.get_mut(id)?;
    if let State::Connecting(_) = socket.state {
        return Err(wait.stop(ctx, vec![WaitKey::Socket(id.0)]));
    }
    if let Some(error) = socket.take_error() {
        return Err(error.into());
    }
    if socket.shut_write || socket.state != State::Connected {
        return Err(Errno::EPIPE.into());
    }
    let (sndbuf, local) = (socket.opts.sndbuf, socket.local.clone());
    let peer = socket.peer.filter(|peer| ctx.k.net.sockets.contains(*peer));
    let Some(peer_id) = peer else {
        // The peer is gone: it answers with a reset, which the next call sees.
        let socket = ctx.k.net.get_mut(id)?;
        socket.error = Some(Errno::EPIPE);
        socket.state = State::Disconnected;
        socket.shut_write = true;
        socket.shut_read = true;
        wake_all(ctx.k, id);
        return Ok(data.len());
    };
    let peer = ctx.k.net.get(peer_id)?;
    let room = (sndbuf + peer.opts.rcvbuf).saturating_sub(peer.queued);
    if room == 0 {
        return Err(wait.stop(ctx, vec![WaitKey::SocketRoom(id.0)]));
    }
    let take = data.len().min(room);
    let creds = crate::net::Ucred::default();
    let message = Message::new(data[..take].to_vec(), local, id, creds);
    ctx.k.net.get_mut(peer_id)?.push(message);
    wake_readers(ctx.k, peer_id);
    Ok(take)
}

/// Sends a datagram, or as many as its length makes of it (UDP_SEGMENT).
fn send_udp(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    data: &[u8],
    to: Option<(IpAddr, u16)>,
    out: Outgoing,
) -> Result<usize, Stop> {
    /// UDP_MAX_SEGMENTS
    const MAX_SEGMENTS: usize = 128;
    // Before any check (inet_send_prepare).
    autobind(ctx.k, id)?;
    let socket = ctx.k.net.get(id)?;
    let segment = usize::from(out.segment.unwrap_or(socket.opts.segment()));
    if segment == 0 || socket.protocol != UDP || data.len() <= segment || data.len() > MAX_V4 {
        return send_datagram(ctx, id, data, to, out);
    }
    if data.len() > segment * MAX_SEGMENTS {
        return Err(Errno::EINVAL.into());
    }
    for (index, piece) in data.chunks(segment).enumerate() {
        let sent = send_datagram(ctx, id, piece, to, out);
        if index == 0 {
            sent?;
        }
    }
    Ok(data.len())
}

/// Sends the datagram that a socket held back (UDP_CORK, MSG_MORE), if there is one.
pub(crate) fn uncork(ctx: &mut Ctx<'_>, id: SocketId) -> Result<(), Stop> {
    let socket = ctx.k.net.get_mut(id)?;
    let (held, to) = (std::mem::take(&mut socket.held), socket.held_to.take());
    let to = match to {
        Some(Address::Ip(ip, port)) => Some((ip, port)),
        _ => None,
    };
    if !held.is_empty() {
        send_udp(ctx, id, &held, to, Outgoing::default())?;
    }
    Ok(())
}

fn send_datagram(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    data: &[u8],
    to: Option<(IpAddr, u16)>,
    out: Outgoing,
) -> Result<usize, Stop> {
    if data.len() > MAX_LENGTH {
        return Err(Errno::EMSGSIZE.into());
    }
    let socket = ctx.k.net.get_mut(id)?;
    if let Some(error) = socket.take_error() {
        return Err(error.into());
    }
    if socket.shut_write {
        return Err(Errno::EPIPE.into());
    }
    let (ip, port) = match (to, &socket.remote) {
        (Some((_, 0)), _) => return Err(Errno::EINVAL.into()),
        (Some(to), _) => to,
        (None, Some(Address::Ip(ip, port))) => (*ip, *port),
        (None, _) => return Err(Errno::EDESTADDRREQ.into()),
    };
    if ip == IpAddr::V4(Ipv4Addr::BROADCAST) && !socket.opts.broadcast {
        return Err(Errno::EACCES.into());
    }
    let (to, from) = route(&ctx.k.net, ctx.k.net.get(id)?, ip, out)?;
    let socket = ctx.k.net.get(id)?;
    let (ttl, tos) = socket.opts.ttl_tos(socket.domain, to, out);
    let (protocol, whole) = (socket.protocol, data.len() + 8);
    let coverage = if protocol == UDPLITE { socket.opts.sent_coverage(whole) } else { whole };
    if data.len() > if to.is_ipv4() { MAX_V4 } else { MAX_V6 } {
        // A packet of version four is never longer than 65,535 bytes (IP_MAX_MTU).
        let mtu = if to.is_ipv4() { LO_MTU.min(0xffff) } else { LO_MTU };
        errqueue::refuse(ctx.k, id, (to, port), Errno::EMSGSIZE, mtu);
        return Err(Errno::EMSGSIZE.into());
    }
    let Some(Address::Ip(_, local_port)) = ctx.k.net.get(id)?.local else { return Err(Errno::EINVAL.into()) };
    let source = (from, local_port);
    let packet = Packet { to: Some(to), ttl, tos, time_ns: 0 };
    if to.is_multicast() {
        for target in group_receivers(ctx.k, protocol, (to, port), source) {
            deliver(ctx, target, id, source, data, (packet, coverage))?;
        }
        packet::udp_passes(ctx, source, (to, port), data, packet, (protocol, coverage, true));
        return Ok(data.len());
    }
    let target = receiver(ctx.k, protocol, (to, port), source);
    packet::udp_passes(ctx, source, (to, port), data, packet, (protocol, coverage, target.is_some()));
    let Some(target) = target else {
        errqueue::port_unreachable(ctx.k, id, from, (to, port), data);
        return Ok(data.len());
    };
    deliver(ctx, target, id, source, data, (packet, coverage))?;
    Ok(data.len())
}

/// Puts a datagram into a receiver's queue.
fn deliver(
    ctx: &mut Ctx<'_>,
    target: SocketId,
    sender: SocketId,
    source: (IpAddr, u16),
    data: &[u8],
    (packet, coverage): (Packet, usize),
) -> Result<(), Stop> {
    let creds = ucred(ctx);
    let time_ns = packet::stamp(ctx, target);
    let receiver = ctx.k.net.get_mut(target)?;
    // A full receiver drops, silently; so does one that wants more of a datagram covered.
    let covered = receiver.opts.takes_coverage(coverage, data.len() + 8);
    if covered && receiver.queued + data.len() <= receiver.opts.rcvbuf && !receiver.shut_read {
        let from = Some(Address::Ip(source.0, source.1));
        let mut message = Message::new(data.to_vec(), from, sender, creds);
        message.packet = Packet { time_ns, ..packet };
        receiver.push(message);
        wake_readers(ctx.k, target);
    }
    Ok(())
}

/// The sockets that get what is sent to a group.
fn group_receivers(k: &Kernel, protocol: i32, to: (IpAddr, u16), from: (IpAddr, u16)) -> Vec<SocketId> {
    let wanted = |socket: &Socket| {
        let bound = matches!(socket.local, Some(Address::Ip(ip, _)) if matches(socket, ip, to.0) > 0);
        let peer = match &socket.remote {
            Some(Address::Ip(ip, port)) => (*ip, *port) == from,
            _ => true,
        };
        bound && peer && multicast::listens(k, socket, to.0)
    };
    on_port(k, protocol, to.1).into_iter().filter(|(_, socket)| wanted(socket)).map(|(id, _)| id).collect()
}

/// Whether a poll says that the socket can be written to.
pub(crate) fn writable(k: &Kernel, socket: &Socket) -> bool {
    if socket.kind == Kind::Dgram {
        return true;
    }
    let Some(peer) = socket.peer.and_then(|peer| k.net.sockets.get(peer)) else { return true };
    let limit = socket.opts.sndbuf + peer.opts.rcvbuf;
    // Linux: a third of the buffer is free (sk_stream_is_writeable).
    limit.saturating_sub(peer.queued).saturating_mul(3) >= limit
}
