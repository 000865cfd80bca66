//! Lists of sockets: /proc/net/{tcp,udp,raw,unix} and sock_diag(7).
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut to the width of their field")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::kernel::Kernel;
use crate::net::addr::{Address, UnixName};
use crate::net::{Domain, Kind, Socket, SocketId, State, inet};

/// TCP's numbers of states (include/net/tcp_states.h), which all sockets of the internet use.
fn state_number(socket: &Socket) -> u8 {
    match (socket.state, socket.kind) {
        (State::Connected, Kind::Dgram) => 1,
        (State::Connected, _) => match (socket.shut_read, socket.shut_write) {
            (false, false) => 1,
            (true, false) => 8,
            (false, true) => 5,
            (true, true) => 7,
        },
        (State::Connecting(_), _) => 2,
        (State::Listening, _) => 10,
        (State::Unconnected | State::Disconnected, _) => 7,
    }
}

fn ends(socket: &Socket) -> [(IpAddr, u16); 2] {
    let any: IpAddr = if socket.domain == Domain::Inet6 {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    [&socket.local, &socket.remote].map(|end| match end {
        Some(Address::Ip(IpAddr::V4(ip), port)) if socket.domain == Domain::Inet6 => {
            (ip.to_ipv6_mapped().into(), *port)
        }
        Some(Address::Ip(ip, port)) => (*ip, *port),
        _ => (any, 0),
    })
}

fn hex((ip, port): (IpAddr, u16)) -> String {
    let words: String = match ip {
        IpAddr::V4(ip) => format!("{:08X}", u32::from_le_bytes(ip.octets())),
        IpAddr::V6(ip) => {
            let octets = ip.octets();
            octets
                .chunks_exact(4)
                .map(|w| format!("{:08X}", u32::from_le_bytes([w[0], w[1], w[2], w[3]])))
                .collect()
        }
    };
    format!("{words}:{port:04X}")
}

/// Number that the inode of a socket shows.
#[must_use]
pub fn inode_number(id: SocketId) -> u32 {
    id.0
}

/// What waits to be read and to be sent: connections or bytes.
fn queues(socket: &Socket) -> (usize, usize) {
    if socket.state == State::Listening {
        (socket.accept_queue.len(), socket.backlog)
    } else {
        (socket.queue.iter().map(|message| message.data.len() - message.start).sum(), 0)
    }
}

/// Sockets of a family and protocol that have a name, in the order of their numbers; `raw` for raw sockets of any
/// protocol.
fn named(k: &Kernel, domain: Domain, protocol: Option<i32>) -> Vec<(SocketId, &Socket)> {
    let fits = |socket: &Socket| match protocol {
        Some(protocol) => !socket.is_raw() && socket.protocol == protocol,
        None => socket.is_raw(),
    };
    let all = k.net.sockets.iter().filter(|(_, s)| s.domain == domain && fits(s) && s.local.is_some());
    all.collect()
}

/// The lines of /proc/net/tcp, udp, raw and their v6 forms, without the header.
#[must_use]
pub fn inet_table(k: &Kernel, domain: Domain, protocol: Option<i32>) -> String {
    let mut out = String::new();
    for (index, (id, socket)) in named(k, domain, protocol).into_iter().enumerate() {
        let [local, remote] = ends(socket).map(hex);
        let (receive, send) = queues(socket);
        let send = if socket.state == State::Listening { 0 } else { send };
        let line = format!(
            "{index:4}: {local} {remote} {:02X} {send:08X}:{receive:08X} 00:00000000 00000000 {:5} {:8} {} 1 \
             0000000000000000",
            state_number(socket),
            socket.owner.uid,
            0,
            inode_number(id),
        );
        let rest = if protocol == Some(inet::TCP) { " 100 0 0 10 0" } else { " 0" };
        let width = match (domain, protocol) {
            (Domain::Inet, Some(inet::TCP)) => 149,
            (Domain::Inet, _) => 127,
            _ => 0,
        };
        out.push_str(&format!("{:<width$}\n", line + rest));
    }
    out
}

/// The lines of /proc/net/unix, without the header.
#[must_use]
pub fn unix_table(k: &Kernel) -> String {
    let mut out = String::new();
    for (id, socket) in k.net.sockets.iter().filter(|(_, socket)| socket.domain == Domain::Unix) {
        let listening = socket.state == State::Listening;
        let state = if socket.state == State::Connected { 3 } else { 1 };
        let flags: u32 = if listening { 0x10000 } else { 0 };
        let name = match &socket.local {
            Some(Address::Unix(UnixName::Path(path))) => format!(" {}", String::from_utf8_lossy(path)),
            Some(Address::Unix(UnixName::Abstract(name))) => {
                format!(" @{}", String::from_utf8_lossy(name).replace('\0', "@"))
            }
            _ => String::new(),
        };
        out.push_str(&format!(
            "0000000000000000: {:08X} {:08X} {flags:08X} {:04X} {state:02X} {:5}{name}\n",
            2,
            0,
            socket.type_number,
            inode_number(id),
        ));
    }
    out
}

fn attribute(out: &mut Vec<u8>, kind: u16, data: &[u8]) {
    out.extend_from_slice(&((4 + data.len()) as u16).to_le_bytes());
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// Answers a dump request of SOCK_DIAG_BY_FAMILY: the bodies of the messages, or `None` for a family we do not list.
#[must_use]
pub fn dump(k: &Kernel, request: &[u8]) -> Option<Vec<Vec<u8>>> {
    let word =
        |at: usize| request.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    match *request.first()? {
        1 => Some(dump_unix(k, word(4), word(12))),
        family @ (2 | 10) => {
            let domain = if family == 2 { Domain::Inet } else { Domain::Inet6 };
            let protocol = match request.get(1)? {
                255 => None,
                number => Some(i32::from(*number)),
            };
            Some(dump_inet(k, domain, protocol, word(4)))
        }
        _ => None,
    }
}

fn dump_inet(k: &Kernel, domain: Domain, protocol: Option<i32>, states: u32) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for (id, socket) in named(k, domain, protocol) {
        let state = state_number(socket);
        if states >> state & 1 == 0 {
            continue;
        }
        let [local, remote] = ends(socket);
        let mut body = vec![if domain == Domain::Inet { 2 } else { 10 }, state, 0, 0];
        body.extend(local.1.to_be_bytes());
        body.extend(remote.1.to_be_bytes());
        for (ip, _) in [local, remote] {
            match ip {
                IpAddr::V4(ip) => {
                    body.extend(ip.octets());
                    body.extend([0; 12]);
                }
                IpAddr::V6(ip) => body.extend(ip.octets()),
            }
        }
        body.extend(0u32.to_le_bytes()); // interface
        body.extend(u64::from(id.0).to_le_bytes()); // cookie
        let (receive, send) = queues(socket);
        body.extend(0u32.to_le_bytes()); // expires
        body.extend((receive as u32).to_le_bytes());
        body.extend((send as u32).to_le_bytes());
        body.extend(socket.owner.uid.to_le_bytes());
        body.extend(inode_number(id).to_le_bytes());
        out.push(body);
    }
    out
}

fn dump_unix(k: &Kernel, states: u32, show: u32) -> Vec<Vec<u8>> {
    const SHOW_NAME: u32 = 1;
    const SHOW_PEER: u32 = 4;
    const SHOW_RQLEN: u32 = 0x10;
    let mut out = Vec::new();
    for (id, socket) in k.net.sockets.iter().filter(|(_, socket)| socket.domain == Domain::Unix) {
        let state = match socket.state {
            State::Listening => 10,
            State::Connected => 1,
            _ => 7,
        };
        if states >> state & 1 == 0 {
            continue;
        }
        let mut body = vec![1, socket.type_number as u8, state, 0];
        body.extend(inode_number(id).to_le_bytes());
        body.extend(u64::from(id.0).to_le_bytes());
        let name = match &socket.local {
            Some(Address::Unix(UnixName::Path(path))) => Some(path.clone()),
            Some(Address::Unix(UnixName::Abstract(name))) => Some([&[0], &name[..]].concat()),
            _ => None,
        };
        if let (Some(name), true) = (name, show & SHOW_NAME != 0) {
            attribute(&mut body, 0, &name);
        }
        if let (Some(peer), true) = (socket.peer, show & SHOW_PEER != 0) {
            attribute(&mut body, 2, &inode_number(peer).to_le_bytes());
        }
        if show & SHOW_RQLEN != 0 {
            let (receive, send) = queues(socket);
            attribute(&mut body, 4, &[(receive as u32).to_le_bytes(), (send as u32).to_le_bytes()].concat());
        }
        out.push(body);
    }
    out
}
