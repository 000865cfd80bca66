//! The error queue of internet sockets: what ICMP, this machine itself and MSG_ZEROCOPY report (ip(7), IP_RECVERR).
//!
//! Key type: [`Report`]. Neighbours: [`super::inet`] makes reports, `calls/message.rs` hands them out (MSG_ERRQUEUE).
//!
//! **Invariant**: a queue is charged to the receive buffer of its socket; what does not fit is dropped.

use std::net::IpAddr;

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::net::addr::{self, Address};
use crate::net::packet::Packet;
use crate::net::transfer::Received;
use crate::net::{Domain, OVERHEAD, Socket, SocketId, wake_all};

/// IP_RECVERR
pub(crate) const IP_RECVERR: (i32, i32) = (0, 11);
/// IPV6_RECVERR
pub(crate) const IPV6_RECVERR: (i32, i32) = (41, 25);

/// Who reports (`SO_EE_ORIGIN_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This machine.
    Local,
    /// An ICMP message.
    Icmp,
    /// An ICMPv6 message.
    Icmp6,
    /// The end of a MSG_ZEROCOPY.
    Zerocopy,
}

/// A report in the queue: `struct sock_extended_err` and what goes along.
#[derive(Debug, Clone)]
pub struct Report {
    /// What a call would have failed with.
    pub errno: u16,
    /// Who reports.
    pub origin: Origin,
    /// Type of the ICMP message.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// `ee_info`
    pub info: u32,
    /// `ee_data`
    pub value: u32,
    /// Where the datagram went that it is about.
    pub about: Option<(IpAddr, u16)>,
    /// Who sent the report.
    pub offender: Option<IpAddr>,
    /// Payload of that datagram.
    pub data: Vec<u8>,
    /// Header of the report.
    pub packet: Packet,
}

impl Report {
    fn is_icmp(&self) -> bool {
        matches!(self.origin, Origin::Icmp | Origin::Icmp6)
    }
    /// The control message that tells it: level, type, body.
    pub(crate) fn control(&self, domain: Domain) -> (i32, i32, Vec<u8>) {
        let origin = match self.origin {
            Origin::Local => 1,
            Origin::Icmp => 2,
            Origin::Icmp6 => 3,
            Origin::Zerocopy => 5,
        };
        let mut body = u32::from(self.errno).to_le_bytes().to_vec();
        body.extend([origin, self.kind, self.code, 0]);
        body.extend(self.info.to_le_bytes());
        body.extend(self.value.to_le_bytes());
        let (level, name) = if domain == Domain::Inet6 { IPV6_RECVERR } else { IP_RECVERR };
        match self.offender {
            Some(ip) => body.extend(addr::format(domain, Some(&Address::Ip(ip, 0)))),
            None => body.resize(16 + if domain == Domain::Inet6 { 28 } else { 16 }, 0),
        }
        (level, name, body)
    }
}

/// Whether `socket` asked for reports about what it sends to `to`.
pub(crate) fn wanted(socket: &Socket, to: IpAddr) -> bool {
    let (level, name) = if to.is_ipv4() { IP_RECVERR } else { IPV6_RECVERR };
    socket.opts.stored(level, name) != 0
}

/// Puts a report into the queue of a socket.
pub(crate) fn queue(k: &mut Kernel, id: SocketId, report: Report) {
    let Some(socket) = k.net.sockets.get_mut(id) else { return };
    let held: usize = socket.errors.iter().map(|report| report.data.len() + OVERHEAD).sum();
    if socket.queued + held + report.data.len() + OVERHEAD >= socket.opts.rcvbuf {
        return;
    }
    // Completions in a row become one.
    if report.origin == Origin::Zerocopy
        && let Some(last) = socket.errors.back_mut()
        && last.origin == Origin::Zerocopy
        && last.value.wrapping_add(1) == report.info
    {
        last.value = report.value;
    } else {
        socket.errors.push_back(report);
    }
    wake_all(k, id);
}

/// This machine refuses to send to `about`: a report for who asked for one.
pub(crate) fn refuse(k: &mut Kernel, id: SocketId, about: (IpAddr, u16), errno: Errno, info: u32) {
    let Some(socket) = k.net.sockets.get(id) else { return };
    if wanted(socket, about.0) {
        let report = Report {
            errno: errno.0,
            origin: Origin::Local,
            kind: 0,
            code: 0,
            info,
            value: 0,
            about: Some(about),
            offender: None,
            data: Vec::new(),
            packet: Packet::default(),
        };
        queue(k, id, report);
    }
}

/// "Port unreachable" comes back for a datagram: a connected socket gets the error, and who asked for it the report.
pub(crate) fn port_unreachable(k: &mut Kernel, id: SocketId, from: IpAddr, to: (IpAddr, u16), data: &[u8]) {
    /// Bytes of a datagram that an ICMP message quotes, behind its headers (icmp_send, icmp6_send).
    const QUOTED: (usize, usize) = (520, 1184);
    let Some(socket) = k.net.sockets.get(id) else { return };
    let wanted = wanted(socket, to.0);
    if !wanted && socket.remote.is_none() {
        return;
    }
    if wanted {
        let six = to.0.is_ipv6();
        let (origin, kind, code) = if six { (Origin::Icmp6, 1, 4) } else { (Origin::Icmp, 3, 3) };
        let quoted = data.len().min(if six { QUOTED.1 } else { QUOTED.0 });
        let report = Report {
            errno: Errno::ECONNREFUSED.0,
            origin,
            kind,
            code,
            info: 0,
            value: 0,
            about: Some(to),
            offender: Some(to.0),
            data: data[..quoted].to_vec(),
            packet: Packet { to: Some(from), ttl: 64, tos: if six { 0 } else { 0xc0 }, time_ns: 0 },
        };
        queue(k, id, report);
    }
    if let Some(socket) = k.net.sockets.get_mut(id) {
        socket.error = Some(Errno::ECONNREFUSED);
        wake_all(k, id);
    }
}

/// A send with MSG_ZEROCOPY is done: its bytes were copied, and their buffer may be used again.
pub(crate) fn zerocopy_done(k: &mut Kernel, id: SocketId) {
    const COPIED: u8 = 1;
    let Some(socket) = k.net.sockets.get_mut(id) else { return };
    let number = socket.zerocopies;
    socket.zerocopies = number.wrapping_add(1);
    let report = Report {
        errno: 0,
        origin: Origin::Zerocopy,
        kind: 0,
        code: COPIED,
        info: number,
        value: number,
        about: None,
        offender: None,
        data: Vec::new(),
        packet: Packet::default(),
    };
    queue(k, id, report);
}

/// Takes the first report, with at most `max` bytes of its data; for MSG_PEEK too, as Linux does. `EAGAIN` if there is none:
/// nobody waits here.
pub(crate) fn take(k: &mut Kernel, id: SocketId, max: usize) -> Result<Received, Errno> {
    let socket = k.net.get_mut(id)?;
    if !matches!(socket.domain, Domain::Inet | Domain::Inet6) {
        return Err(Errno::EAGAIN);
    }
    let report = socket.errors.pop_front().ok_or(Errno::EAGAIN)?;
    let next = socket.errors.front().filter(|report| report.is_icmp());
    match next {
        Some(next) => socket.error = Some(Errno(next.errno)),
        None if report.is_icmp() => socket.error = None,
        None => {}
    }
    let full_len = report.data.len();
    let from = report.about.filter(|(_, port)| *port != 0).map(|(ip, port)| Address::Ip(ip, port));
    Ok(Received {
        data: report.data[..full_len.min(max)].to_vec(),
        full_len,
        from,
        packet: report.packet,
        report: Some(report),
        ..Received::default()
    })
}
