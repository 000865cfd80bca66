//! Packets as raw sockets see them: raw(7), icmp(7), and what the kernel itself answers to.
//!
//! Streams and datagrams need no packets here; one is made only when somebody could see it. Neighbours: [`super::inet`]
//! sends UDP, [`super::control`] shows the fields of [`Packet`] to receivers.
//!
//! **Invariant**: a packet never leaves the machine; whoever is not on loopback cannot be reached.
#![allow(clippy::cast_possible_truncation, reason = "fields of headers are cut to their width")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::net::addr::Address;
use crate::net::control::Outgoing;
use crate::net::unix::ucred;
use crate::net::{Domain, Message, Socket, SocketId, Ucred, inet, wake_readers};

/// IPPROTO_ICMP
pub const ICMP: i32 = 1;
/// IPPROTO_ICMPV6
pub const ICMPV6: i32 = 58;
/// IPPROTO_RAW
pub const RAW: i32 = 255;
/// Bytes of an IPv4 header without options.
const HEADER: usize = 20;
/// Longest packet in bytes.
const MAX_PACKET: usize = 65_535;

/// What a datagram's header said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Packet {
    /// Where it was sent to.
    pub to: Option<IpAddr>,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// When it arrived, in ns since 1970; 0 if nobody asked for it.
    pub time_ns: u64,
}

/// The Internet checksum (RFC 1071) of `parts`, each of even length but the last.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The checksum of a payload, or what is covered of one of `len` bytes, with its pseudo-header.
fn checksum_over(from: IpAddr, to: IpAddr, protocol: i32, payload: &[u8], len: usize) -> u16 {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut pseudo = octets(from);
    pseudo.extend(octets(to));
    pseudo.extend((len as u32).to_be_bytes());
    pseudo.extend((protocol as u32).to_be_bytes());
    checksum(&[&pseudo, payload])
}

fn ipv4_header(from: Ipv4Addr, to: Ipv4Addr, protocol: i32, len: usize, packet: Packet) -> Vec<u8> {
    let mut header = vec![0x45, packet.tos];
    header.extend(((HEADER + len) as u16).to_be_bytes());
    header.extend([0, 0, 0x40, 0, packet.ttl, protocol as u8, 0, 0]);
    header.extend(from.octets());
    header.extend(to.octets());
    let sum = checksum(&[&header]).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    header
}

fn ipv6_header(from: Ipv6Addr, to: Ipv6Addr, protocol: i32, len: usize, packet: Packet) -> Vec<u8> {
    let mut header = vec![0x60 | packet.tos >> 4, packet.tos << 4, 0, 0];
    header.extend((len as u16).to_be_bytes());
    header.extend([protocol as u8, packet.ttl]);
    header.extend(from.octets());
    header.extend(to.octets());
    header
}

/// The header of a packet with `len` bytes behind it.
fn header(from: IpAddr, to: IpAddr, protocol: i32, len: usize, packet: Packet) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ipv4_header(from, to, protocol, len, packet),
        (IpAddr::V6(from), IpAddr::V6(to)) => ipv6_header(from, to, protocol, len, packet),
        _ => Vec::new(),
    }
}

/// Whether any raw socket is open; without one nobody sees a packet.
fn anybody(ctx: &Ctx<'_>) -> bool {
    !ctx.k.net.raw.is_empty()
}

/// Whether a raw socket wants an ICMP message of this type (ICMP_FILTER, ICMPV6_FILTER: a set bit blocks).
fn passes(socket: &Socket, payload: &[u8]) -> bool {
    let Some(kind) = payload.first().map(|kind| usize::from(*kind)) else { return true };
    match socket.protocol {
        ICMP if kind < 32 => socket.opts.filter.first().is_none_or(|word| word >> kind & 1 == 0),
        ICMPV6 => socket.opts.filter.get(kind / 32).is_none_or(|word| word >> (kind % 32) & 1 == 0),
        _ => true,
    }
}

/// Gives a packet to every raw socket that listens for it.
fn deliver(ctx: &mut Ctx<'_>, from: IpAddr, protocol: i32, payload: &[u8], packet: Packet, creds: Ucred) {
    let Some(to) = packet.to else { return };
    let ids: Vec<SocketId> = ctx.k.net.raw.iter().copied().collect();
    for id in ids {
        let Some(socket) = ctx.k.net.sockets.get(id) else { continue };
        let family =
            matches!((socket.domain, to), (Domain::Inet, IpAddr::V4(_)) | (Domain::Inet6, IpAddr::V6(_)));
        let bound = match &socket.local {
            Some(Address::Ip(ip, _)) => ip.is_unspecified() || *ip == to,
            _ => true,
        };
        let connected = match &socket.remote {
            Some(Address::Ip(ip, _)) => *ip == from,
            _ => true,
        };
        let wanted = socket.protocol == protocol && passes(socket, payload) && !socket.shut_read;
        if !family || !bound || !connected || !wanted {
            continue;
        }
        let mut data = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => ipv4_header(from, to, protocol, payload.len(), packet),
            _ => Vec::new(),
        };
        data.extend_from_slice(payload);
        let mut packet = packet;
        packet.time_ns = stamp(ctx, id);
        let Some(socket) = ctx.k.net.sockets.get_mut(id) else { continue };
        if socket.queued + data.len() > socket.opts.rcvbuf {
            continue;
        }
        let mut message = Message::new(data, Some(Address::Ip(from, 0)), id, creds);
        message.packet = packet;
        socket.push(message);
        wake_readers(ctx.k, id);
    }
}

/// The time of arrival, if the receiver wants it (SO_TIMESTAMP).
pub(crate) fn stamp(ctx: &mut Ctx<'_>, receiver: SocketId) -> u64 {
    let wanted = ctx.k.net.sockets.get(receiver).is_some_and(|socket| socket.opts.wants_time());
    if wanted { ctx.realtime_ns() } else { 0 }
}

/// A packet arrives at this machine, from itself: raw sockets see it, and the kernel answers an echo request.
fn arrive(ctx: &mut Ctx<'_>, from: IpAddr, protocol: i32, payload: &[u8], packet: Packet, creds: Ucred) {
    deliver(ctx, from, protocol, payload, packet, creds);
    let Some(to) = packet.to else { return };
    let reply = match (protocol, payload) {
        (ICMP, [8, 0, ..]) if payload.len() >= 8 && checksum(&[payload]) == 0 => 0,
        (ICMPV6, [128, 0, ..]) if payload.len() >= 8 => 129,
        _ => return,
    };
    let mut answer = payload.to_vec();
    answer[0] = reply;
    finish_icmp(protocol, to, from, &mut answer);
    let back = Packet { to: Some(from), ttl: 64, ..packet };
    deliver(ctx, to, protocol, &answer, back, Ucred::default());
}

/// Fills in the checksum of an ICMP message.
fn finish_icmp(protocol: i32, from: IpAddr, to: IpAddr, message: &mut [u8]) {
    if message.len() < 4 {
        return;
    }
    message[2..4].fill(0);
    let sum = if protocol == ICMP {
        checksum(&[message])
    } else {
        checksum_over(from, to, protocol, message, message.len())
    };
    message[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// A datagram of UDP or UDP-Lite passes: raw sockets may look at it, and at the refusal if no port takes it. `how`: the
/// protocol, how many bytes its checksum covers, and whether it is taken.
pub(crate) fn udp_passes(
    ctx: &mut Ctx<'_>,
    from: (IpAddr, u16),
    to: (IpAddr, u16),
    data: &[u8],
    packet: Packet,
    how: (i32, usize, bool),
) {
    if !anybody(ctx) {
        return;
    }
    let (protocol, coverage, taken) = how;
    let creds = ucred(ctx);
    let whole = 8 + data.len();
    // UDP-Lite has the coverage where UDP has the length; 0 is all.
    let length = if protocol == inet::UDPLITE && coverage == whole { 0 } else { coverage };
    let mut payload = Vec::with_capacity(whole);
    payload.extend(from.1.to_be_bytes());
    payload.extend(to.1.to_be_bytes());
    payload.extend((length as u16).to_be_bytes());
    payload.extend([0, 0]);
    payload.extend_from_slice(data);
    let sum = match checksum_over(from.0, to.0, protocol, &payload[..coverage.min(whole)], whole) {
        0 => 0xffff,
        sum => sum,
    };
    payload[6..8].copy_from_slice(&sum.to_be_bytes());
    deliver(ctx, from.0, protocol, &payload, packet, creds);
    if taken {
        return;
    }
    /// Bytes that an ICMP message quotes of what it is about (icmp_send, icmp6_send).
    const QUOTED: (usize, usize) = (548, 1232);
    let (icmp, kind, code, most) =
        if from.0.is_ipv4() { (ICMP, 3, 3, QUOTED.0) } else { (ICMPV6, 1, 4, QUOTED.1) };
    let mut message = vec![kind, code, 0, 0, 0, 0, 0, 0];
    message.extend(header(from.0, to.0, protocol, payload.len(), packet));
    message.extend_from_slice(&payload);
    message.truncate(8 + most);
    finish_icmp(icmp, to.0, from.0, &mut message);
    let back = Packet { to: Some(from.0), ttl: 64, tos: if icmp == ICMP { 0xc0 } else { 0 }, time_ns: 0 };
    deliver(ctx, to.0, icmp, &message, back, Ucred::default());
}

/// Sends through a raw socket; how many bytes were taken.
pub(crate) fn send(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    data: &[u8],
    to: Option<IpAddr>,
    out: Outgoing,
) -> Result<usize, Stop> {
    if data.len() > MAX_PACKET {
        return Err(Errno::EMSGSIZE.into());
    }
    let socket = ctx.k.net.get_mut(id)?;
    if let Some(error) = socket.take_error() {
        return Err(error.into());
    }
    if socket.shut_write {
        return Err(Errno::EPIPE.into());
    }
    let to = match (to, &socket.remote) {
        (Some(to), _) => to,
        (None, Some(Address::Ip(ip, _))) => *ip,
        (None, _) => return Err(Errno::EDESTADDRREQ.into()),
    };
    let (to, from) = inet::route(&ctx.k.net, ctx.k.net.get(id)?, to, out)?;
    let socket = ctx.k.net.get(id)?;
    let own_header = socket.domain == Domain::Inet && socket.opts.header_included(socket.protocol);
    let mut protocol = socket.protocol;
    let (ttl, tos) = socket.opts.ttl_tos(socket.domain, to, out);
    let mut packet = Packet { to: Some(to), ttl, tos, time_ns: 0 };
    let mut from = from;
    let mut payload = data;
    if own_header {
        let Some(header) = data.first_chunk::<HEADER>() else { return Err(Errno::EINVAL.into()) };
        let len = usize::from(header[0] & 15) * 4;
        if len < HEADER || len > data.len() {
            return Err(Errno::EINVAL.into());
        }
        (packet.tos, packet.ttl, protocol) = (header[1], header[8], i32::from(header[9]));
        let source = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
        if !source.is_unspecified() {
            from = source.into();
        }
        payload = &data[len..];
    }
    let mut body = payload.to_vec();
    if protocol == ICMPV6 && socket.domain == Domain::Inet6 {
        finish_icmp(protocol, from, to, &mut body);
    }
    let creds = ucred(ctx);
    arrive(ctx, from, protocol, &body, packet, creds);
    Ok(data.len())
}

/// The name of a fresh raw socket: its port shows the protocol (inet_create in net/ipv4/af_inet.c).
#[must_use]
pub fn fresh_name(domain: Domain, protocol: i32) -> Address {
    let any: IpAddr =
        if domain == Domain::Inet6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    Address::Ip(any, u16::try_from(protocol).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_its_checksum_sums_to_nothing() {
        let header = ipv4_header(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST, ICMP, 8, Packet::default());
        assert_eq!(checksum(&[&header]), 0);
    }

    #[test]
    fn an_odd_last_byte_counts_as_the_high_one() {
        assert_eq!(checksum(&[&[0x12]]), !0x1200);
    }
}
