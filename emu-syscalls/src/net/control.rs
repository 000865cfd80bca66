//! Control messages of internet sockets (ip(7), ipv6(7), socket(7)): what a sender chooses for one datagram, and what a
//! receiver asked to be told about each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::abi::errno::Errno;
use crate::ctx::Stop;
use crate::net::packet::Packet;
use crate::net::{Domain, Socket};

const SOL_SOCKET: i32 = 1;
const SOL_IP: i32 = 0;
const SOL_IPV6: i32 = 41;
const SOL_UDP: i32 = 17;
const UDP_SEGMENT: i32 = 103;
const IP_TOS: i32 = 1;
const IP_TTL: i32 = 2;
const IP_PKTINFO: i32 = 8;
const IP_RECVTTL: i32 = 12;
const IP_RECVTOS: i32 = 13;
const IP_ORIGDSTADDR: i32 = 20;
const IPV6_RECVPKTINFO: i32 = 49;
const IPV6_PKTINFO: i32 = 50;
const IPV6_RECVHOPLIMIT: i32 = 51;
const IPV6_HOPLIMIT: i32 = 52;
const IPV6_RECVTCLASS: i32 = 66;
const IPV6_TCLASS: i32 = 67;
const SO_TIMESTAMP: i32 = 29;
const SO_TIMESTAMPNS: i32 = 35;
/// Number of `lo`.
const LO: u32 = 1;

/// What control messages of a send chose; what is `None` is the socket's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Outgoing {
    /// Source address.
    pub(crate) source: Option<IpAddr>,
    /// Interface number was given: `lo`.
    pub(crate) on_lo: bool,
    /// Bytes of each datagram that a long send becomes (UDP_SEGMENT).
    pub(crate) segment: Option<u16>,
    /// Time to live, or hop limit.
    pub(crate) ttl: Option<u8>,
    /// Type of service, or traffic class.
    pub(crate) tos: Option<u8>,
}

fn int(body: &[u8]) -> Result<i32, Errno> {
    body.first_chunk().map(|bytes| i32::from_le_bytes(*bytes)).ok_or(Errno::EINVAL)
}

/// Takes one control message of a send. `EINVAL` if it is malformed, or unknown.
pub(crate) fn read(
    domain: Domain,
    out: &mut Outgoing,
    level: i32,
    kind: i32,
    body: &[u8],
) -> Result<(), Stop> {
    match (domain, level, kind) {
        (Domain::Inet | Domain::Inet6, SOL_IP, IP_TTL) => {
            out.ttl = Some(u8::try_from(int(body)?).ok().filter(|ttl| *ttl > 0).ok_or(Errno::EINVAL)?);
        }
        (Domain::Inet | Domain::Inet6, SOL_IP, IP_TOS) => {
            let tos =
                if body.len() >= 4 { int(body)? } else { i32::from(*body.first().ok_or(Errno::EINVAL)?) };
            out.tos = Some(u8::try_from(tos).map_err(|_| Errno::EINVAL)?);
        }
        (Domain::Inet | Domain::Inet6, SOL_IP, IP_PKTINFO) => {
            let Some(info) = body.first_chunk::<12>() else { return Err(Errno::EINVAL.into()) };
            interface(out, [info[0], info[1], info[2], info[3]])?;
            let source = Ipv4Addr::new(info[4], info[5], info[6], info[7]);
            if !source.is_unspecified() {
                out.source = Some(source.into());
            }
        }
        (Domain::Inet6, SOL_IPV6, IPV6_PKTINFO) => {
            let Some(info) = body.first_chunk::<20>() else { return Err(Errno::EINVAL.into()) };
            interface(out, [info[16], info[17], info[18], info[19]])?;
            let mut ip = [0; 16];
            ip.copy_from_slice(&info[..16]);
            if ip != [0; 16] {
                out.source = Some(IpAddr::from(ip).to_canonical());
            }
        }
        (Domain::Inet6, SOL_IPV6, IPV6_HOPLIMIT) => {
            let limit = int(body)?;
            out.ttl = if limit == -1 { None } else { Some(u8::try_from(limit).map_err(|_| Errno::EINVAL)?) };
        }
        (Domain::Inet6, SOL_IPV6, IPV6_TCLASS) => {
            let class = int(body)?;
            out.tos = if class == -1 { None } else { Some(u8::try_from(class).map_err(|_| Errno::EINVAL)?) };
        }
        (Domain::Inet | Domain::Inet6, SOL_UDP, UDP_SEGMENT) => {
            let [low, high] = body else { return Err(Errno::EINVAL.into()) };
            out.segment = Some(u16::from_le_bytes([*low, *high]));
        }
        (Domain::Inet | Domain::Inet6, SOL_UDP, _) => return Err(Errno::EINVAL.into()),
        // Linux ignores the messages of other levels.
        (_, SOL_SOCKET | SOL_IP | SOL_IPV6, _) => return Err(Errno::EINVAL.into()),
        _ => {}
    }
    Ok(())
}

fn interface(out: &mut Outgoing, index: [u8; 4]) -> Result<(), Errno> {
    match u32::from_le_bytes(index) {
        0 => Ok(()),
        LO => {
            out.on_lo = true;
            Ok(())
        }
        _ => Err(Errno::ENODEV),
    }
}

/// The control messages that a receiver asked for: level, type, body.
pub(crate) fn list(
    socket: &Socket,
    from: Option<IpAddr>,
    port: u16,
    packet: Packet,
) -> Vec<(i32, i32, Vec<u8>)> {
    let mut out = Vec::new();
    let on = |level: i32, name: i32| socket.opts.stored(level, name) != 0;
    if packet.time_ns != 0 {
        let (sec, ns) = (packet.time_ns / 1_000_000_000, packet.time_ns % 1_000_000_000);
        let two = |a: u64, b: u64| [a.to_le_bytes(), b.to_le_bytes()].concat();
        if on(SOL_SOCKET, SO_TIMESTAMP) {
            out.push((SOL_SOCKET, SO_TIMESTAMP, two(sec, ns / 1000)));
        } else if on(SOL_SOCKET, SO_TIMESTAMPNS) {
            out.push((SOL_SOCKET, SO_TIMESTAMPNS, two(sec, ns)));
        }
    }
    let Some(to) = packet.to else { return out };
    let number = |value: u8| i32::from(value).to_le_bytes().to_vec();
    // A v6 socket that gets IPv4 gives both kinds, each in its own form.
    if let IpAddr::V4(to) = to {
        if on(SOL_IP, IP_PKTINFO) {
            let local = if to.is_multicast() { Ipv4Addr::LOCALHOST } else { to };
            out.push((SOL_IP, IP_PKTINFO, [&LO.to_le_bytes()[..], &local.octets(), &to.octets()].concat()));
        }
        if on(SOL_IP, IP_RECVTTL) {
            out.push((SOL_IP, IP_TTL, number(packet.ttl)));
        }
        if on(SOL_IP, IP_RECVTOS) {
            out.push((SOL_IP, IP_TOS, vec![packet.tos]));
        }
        if on(SOL_IP, IP_ORIGDSTADDR) && from.is_some() {
            let mut name = vec![2, 0];
            name.extend(port.to_be_bytes());
            name.extend(to.octets());
            name.resize(16, 0);
            out.push((SOL_IP, IP_ORIGDSTADDR, name));
        }
    }
    if socket.domain == Domain::Inet6 {
        let mapped: Ipv6Addr = match to {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        if on(SOL_IPV6, IPV6_RECVPKTINFO) {
            out.push((SOL_IPV6, IPV6_PKTINFO, [&mapped.octets()[..], &LO.to_le_bytes()].concat()));
        }
        if on(SOL_IPV6, IPV6_RECVHOPLIMIT) && to.is_ipv6() {
            out.push((SOL_IPV6, IPV6_HOPLIMIT, number(packet.ttl)));
        }
        if on(SOL_IPV6, IPV6_RECVTCLASS) && to.is_ipv6() {
            out.push((SOL_IPV6, IPV6_TCLASS, number(packet.tos)));
        }
    }
    out
}
