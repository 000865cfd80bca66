//! Socket options: getsockopt(2) and setsockopt(2).
//!
//! **Invariant**: an option that changes nothing here (TCP_NODELAY on a network without packets) is stored and given back;
//! one whose effect is missing is reported as a gap.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use std::net::{IpAddr, Ipv4Addr};

use crate::net::addr::format;
use crate::net::control::Outgoing;
use crate::net::multicast;
use crate::net::{Domain, Kind, Socket, SocketId, State};

/// SOL_SOCKET
const SOCKET: i32 = 1;
/// SOL_IP
const IP: i32 = 0;
/// SOL_TCP
const TCP: i32 = 6;
/// SOL_UDP
const UDP: i32 = 17;
/// SOL_IPV6
const IPV6: i32 = 41;
/// SOL_RAW
const RAW: i32 = 255;
/// SOL_ICMPV6
const ICMPV6: i32 = 58;
/// SOL_NETLINK
const NETLINK: i32 = 270;
/// Largest buffer that may be asked for (/proc/sys/net/core/wmem_max); Linux gives twice as much.
const BUFFER_MAX: i32 = 212_992;

/// Numbers of SOL_SOCKET (include/uapi/asm-generic/socket.h).
mod so {
    pub(super) const REUSEADDR: i32 = 2;
    pub(super) const TYPE: i32 = 3;
    pub(super) const ERROR: i32 = 4;
    pub(super) const BROADCAST: i32 = 6;
    pub(super) const SNDBUF: i32 = 7;
    pub(super) const RCVBUF: i32 = 8;
    pub(super) const LINGER: i32 = 13;
    pub(super) const REUSEPORT: i32 = 15;
    pub(super) const PASSCRED: i32 = 16;
    pub(super) const PEERCRED: i32 = 17;
    pub(super) const SNDLOWAT: i32 = 19;
    pub(super) const RCVTIMEO: i32 = 20;
    pub(super) const SNDTIMEO: i32 = 21;
    pub(super) const BINDTODEVICE: i32 = 25;
    pub(super) const DETACH_FILTER: i32 = 27;
    pub(super) const PEERNAME: i32 = 28;
    pub(super) const TIMESTAMP: i32 = 29;
    pub(super) const ACCEPTCONN: i32 = 30;
    pub(super) const PEERSEC: i32 = 31;
    pub(super) const SNDBUFFORCE: i32 = 32;
    pub(super) const RCVBUFFORCE: i32 = 33;
    pub(super) const TIMESTAMPNS: i32 = 35;
    pub(super) const PROTOCOL: i32 = 38;
    pub(super) const DOMAIN: i32 = 39;
    pub(super) const COOKIE: i32 = 57;
    pub(super) const PEERGROUPS: i32 = 59;
    pub(super) const RCVTIMEO_NEW: i32 = 66;
    pub(super) const SNDTIMEO_NEW: i32 = 67;
}

/// Options of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// SO_REUSEADDR
    pub reuseaddr: bool,
    /// SO_REUSEPORT
    pub reuseport: bool,
    /// SO_BROADCAST
    pub broadcast: bool,
    /// SO_PASSCRED
    pub passcred: bool,
    /// IPV6_V6ONLY
    pub v6only: bool,
    /// SO_LINGER: on, seconds.
    pub linger: (i32, i32),
    /// SO_SNDBUF, in bytes.
    pub sndbuf: usize,
    /// SO_RCVBUF, in bytes.
    pub rcvbuf: usize,
    /// SO_RCVTIMEO in ns; 0 for none.
    pub rcvtimeo_ns: u64,
    /// SO_SNDTIMEO in ns; 0 for none.
    pub sndtimeo_ns: u64,
    /// What ICMP_FILTER or ICMPV6_FILTER blocks: a bit for each type.
    pub filter: Vec<u32>,
    /// Multicast groups that were joined.
    pub groups: persist::OrdSet<IpAddr>,
    /// Whether IP_MULTICAST_IF or IPV6_MULTICAST_IF named `lo`.
    pub multicast_lo: bool,
    /// Address that IP_MULTICAST_IF gave.
    pub multicast_from: Ipv4Addr,
    sndbuf_fixed: bool,
    stored: persist::OrdMap<(i32, i32), i32>,
}

impl Options {
    /// Those of a fresh socket.
    #[must_use]
    pub fn new(domain: Domain, kind: Kind) -> Self {
        let tcp = matches!(domain, Domain::Inet | Domain::Inet6) && kind == Kind::Stream;
        Options {
            reuseaddr: false,
            reuseport: false,
            broadcast: false,
            passcred: false,
            v6only: false,
            linger: (0, 0),
            sndbuf: if tcp { 16_384 } else { 212_992 },
            rcvbuf: if tcp { 131_072 } else { 212_992 },
            rcvtimeo_ns: 0,
            sndtimeo_ns: 0,
            filter: Vec::new(),
            groups: persist::OrdSet::new(),
            multicast_lo: false,
            multicast_from: Ipv4Addr::UNSPECIFIED,
            sndbuf_fixed: false,
            stored: persist::OrdMap::new(),
        }
    }
    /// Value of an option that is an `int`; 0 for one that is not stored.
    #[must_use]
    pub fn stored(&self, level: i32, name: i32) -> i32 {
        match self.stored.get(&(level, name)) {
            Some(value) => *value,
            None => stored_default(level, name).unwrap_or(0),
        }
    }
    /// Whether times of arrival are asked for.
    #[must_use]
    pub fn wants_time(&self) -> bool {
        self.stored(SOCKET, so::TIMESTAMP) != 0 || self.stored(SOCKET, so::TIMESTAMPNS) != 0
    }
    /// Whether what a raw socket of `protocol` sends begins with its own IP header.
    #[must_use]
    pub fn header_included(&self, protocol: i32) -> bool {
        match self.stored.get(&(IP, 3)) {
            Some(value) => *value != 0,
            None => protocol == crate::net::packet::RAW,
        }
    }
    /// Time to live and type of service of what is sent to `to`.
    pub(crate) fn ttl_tos(&self, domain: Domain, to: IpAddr, out: Outgoing) -> (u8, u8) {
        let six = domain == Domain::Inet6 && to.is_ipv6();
        let ttl = match (six, to.is_multicast()) {
            (false, false) => self.stored(IP, 2),
            (false, true) => self.stored(IP, 33),
            (true, false) => self.stored(IPV6, 16),
            (true, true) => self.stored(IPV6, 18),
        };
        let tos = if six { self.stored(IPV6, 67) } else { self.stored(IP, 1) };
        let byte = |value: i32, other: u8| u8::try_from(value).unwrap_or(other);
        (out.ttl.unwrap_or(byte(ttl, 64)), out.tos.unwrap_or(byte(tos, 0)))
    }
    /// A TCP connection was made: its buffer grows, unless the program chose its size.
    pub fn grow_sndbuf(&mut self) {
        if !self.sndbuf_fixed {
            self.sndbuf = 2_626_560;
        }
    }
}

/// Options that are stored, with the value they have at first; `None` for one that we do not know.
fn stored_default(level: i32, name: i32) -> Option<i32> {
    Some(match (level, name) {
        // SO_DEBUG, DONTROUTE, KEEPALIVE, OOBINLINE, NO_CHECK, PRIORITY, BSDCOMPAT
        (SOCKET, 1 | 5 | 9 | 10 | 11 | 12 | 14) => 0,
        // SO_RCVLOWAT
        (SOCKET, 18) => 1,
        // SO_PASSSEC, MARK, RXQ_OVFL, WIFI_STATUS, NOFCS, LOCK_FILTER, SELECT_ERR_QUEUE, BUSY_POLL, ZEROCOPY
        // SO_TIMESTAMP, TIMESTAMPNS
        (SOCKET, 29 | 35) => 0,
        (SOCKET, 34 | 36 | 40 | 41 | 43 | 44 | 45 | 46 | 60) => 0,
        // SO_INCOMING_CPU
        (SOCKET, 49) => -1,
        // IP_TOS, HDRINCL, OPTIONS, PKTINFO, RECVERR, RECVTTL, RECVTOS, FREEBIND, TRANSPARENT, RECVORIGDSTADDR,
        // BIND_ADDRESS_NO_PORT
        (IP, 1 | 3 | 4 | 8 | 11 | 12 | 13 | 15 | 19 | 20 | 24) => 0,
        // IP_MULTICAST_ALL, IPV6_MULTICAST_ALL
        (IP, 49) | (IPV6, 29) => 1,
        // IPV6_CHECKSUM
        (IPV6, 7) => -1,
        // IPV6_RECVPKTINFO, RECVHOPLIMIT, RECVTCLASS
        (IPV6, 49 | 51 | 66) => 0,
        // IP_TTL
        (IP, 2) => 64,
        // IP_MTU_DISCOVER, MTU
        (IP, 10) => 1,
        (IP, 14) => 65_536,
        // IP_MULTICAST_TTL, MULTICAST_LOOP
        (IP, 33 | 34) => 1,
        // IPV6_UNICAST_HOPS, MULTICAST_HOPS, MULTICAST_LOOP
        (IPV6, 16) => 64,
        (IPV6, 18 | 19) => 1,
        // IPV6_MTU_DISCOVER, MTU, RECVERR, DONTFRAG, TCLASS, AUTOFLOWLABEL, ADDR_PREFERENCES, FREEBIND
        (IPV6, 23) => 1,
        (IPV6, 24) => 65_536,
        (IPV6, 25 | 62 | 67 | 70 | 72 | 78) => 0,
        // TCP_NODELAY, CORK
        (TCP, 1 | 3) => 0,
        // TCP_MAXSEG, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, LINGER2
        (TCP, 2) => 65_483,
        (TCP, 4) => 7200,
        (TCP, 5) => 75,
        (TCP, 6) => 9,
        (TCP, 7) => 6,
        (TCP, 8) => 60,
        // TCP_DEFER_ACCEPT, WINDOW_CLAMP, USER_TIMEOUT, FASTOPEN, TIMESTAMP, NOTSENT_LOWAT, SAVE_SYN,
        // FASTOPEN_CONNECT, INQ
        (TCP, 9 | 10 | 18 | 23 | 24 | 25 | 27 | 30 | 36) => 0,
        // TCP_QUICKACK
        (TCP, 12) => 1,
        // UDP_CORK, SEGMENT, GRO
        (UDP, 1 | 103 | 104) => 0,
        // NETLINK_PKTINFO, BROADCAST_ERROR, NO_ENOBUFS, EXT_ACK, GET_STRICT_CHK
        (NETLINK, 3 | 4 | 5 | 11 | 12) => 0,
        _ => return None,
    })
}

/// Options that can be set, but whose effect is missing: what each would do.
fn without_effect(level: i32, name: i32) -> Option<&'static str> {
    Some(match (level, name) {
        (SOCKET, 26 | 50 | 51 | 52) => "SO_ATTACH_FILTER: packet filters",
        (SOCKET, 37 | 63 | 64 | 65) => "SO_TIMESTAMPING and the 64-bit forms of SO_TIMESTAMP",
        (SOCKET, 42) => "SO_PEEK_OFF",
        (SOCKET, 76) => "SO_PASSPIDFD",
        (IP, 6 | 7) => "IP options of what arrives",
        (IP | IPV6, 37..=41 | 43 | 44 | 46..=48) => "multicast from chosen sources",
        (IPV6, 53 | 54 | 55 | 57) => "extension headers of IPv6",
        (NETLINK, 1 | 2) => "netlink groups",
        _ => return None,
    })
}

/// Whether a level means anything to a socket: Linux answers `EOPNOTSUPP` (UNIX) or `ENOPROTOOPT` otherwise.
fn check_level(socket: &Socket, level: i32) -> Result<(), Errno> {
    let (domain, kind) = (socket.domain, socket.kind);
    let known = match domain {
        Domain::Unix => level == SOCKET,
        Domain::Netlink => matches!(level, SOCKET | NETLINK),
        Domain::Inet | Domain::Inet6 if socket.is_raw() => {
            let own = if domain == Domain::Inet { RAW } else { ICMPV6 };
            matches!(level, SOCKET | IP)
                || level == own
                || domain == Domain::Inet6 && matches!(level, IPV6 | RAW)
        }
        Domain::Inet => {
            level == SOCKET || level == IP || level == if kind == Kind::Stream { TCP } else { UDP }
        }
        Domain::Inet6 => {
            matches!(level, SOCKET | IP | IPV6) || level == if kind == Kind::Stream { TCP } else { UDP }
        }
    };
    match (known, domain) {
        (true, _) => Ok(()),
        (false, Domain::Unix) => Err(Errno::EOPNOTSUPP),
        (false, _) => Err(Errno::ENOPROTOOPT),
    }
}

fn unknown(ctx: &mut Ctx<'_>, level: i32, name: i32) -> Stop {
    let at = format!("task {}", ctx.tid.0);
    ctx.k.gap(format!("socket option {name} of level {level}"), at);
    Errno::ENOPROTOOPT.into()
}

/// `setsockopt(2)`
pub(crate) fn set(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    level: i32,
    name: i32,
    value: Addr,
    len: i32,
) -> SysResult {
    let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
    let socket = ctx.k.net.get(id)?;
    let bound = socket.local.is_some();
    check_level(socket, level)?;
    match (level, name) {
        (SOCKET, so::BINDTODEVICE) => return bind_to_device(ctx, value, len),
        // TCP_CONGESTION, TCP_ULP
        (TCP, 13) => return set_congestion(ctx, value, len),
        (TCP, 31) => return Err(Errno::ENOENT.into()),
        (RAW | ICMPV6, 1) => return set_filter(ctx, id, value, len),
        _ if multicast::is_option(level, name) => return multicast::set(ctx, id, level, name, value, len),
        _ => {}
    }
    if let Some(what) = without_effect(level, name) {
        return Err(Stop::Unsupported(what));
    }
    let small = matches!(level, IP | IPV6) && (1..4).contains(&len);
    if len < 4 && !small {
        return Err(Errno::EINVAL.into());
    }
    let number = if small {
        let mut byte = [0];
        ctx.read_user(value, &mut byte)?;
        i32::from(byte[0])
    } else {
        ctx.read_u32(value)?.cast_signed()
    };
    let pair =
        if len >= 8 { Some((ctx.read_u32(value.at(4))?.cast_signed(), ctx.read_u64(value)?)) } else { None };
    let timeout = match (level, name) {
        (SOCKET, so::RCVTIMEO | so::SNDTIMEO | so::RCVTIMEO_NEW | so::SNDTIMEO_NEW) => {
            if len < 16 {
                return Err(Errno::EINVAL.into());
            }
            read_timeval(ctx, value)?
        }
        _ => 0,
    };
    let on = number != 0;
    let opts = &mut ctx.k.net.get_mut(id)?.opts;
    match (level, name) {
        (SOCKET, so::REUSEADDR) => opts.reuseaddr = on,
        (SOCKET, so::REUSEPORT) => opts.reuseport = on,
        (SOCKET, so::BROADCAST) => opts.broadcast = on,
        (SOCKET, so::PASSCRED) => opts.passcred = on,
        (SOCKET, so::SNDBUF | so::SNDBUFFORCE) => {
            opts.sndbuf = buffer(number, 4608);
            opts.sndbuf_fixed = true;
        }
        (SOCKET, so::RCVBUF | so::RCVBUFFORCE) => opts.rcvbuf = buffer(number, 2304),
        (SOCKET, so::LINGER) => {
            let (seconds, _) = pair.ok_or(Errno::EINVAL)?;
            opts.linger = (i32::from(on), seconds);
        }
        (SOCKET, so::RCVTIMEO | so::RCVTIMEO_NEW) => opts.rcvtimeo_ns = timeout,
        (SOCKET, so::SNDTIMEO | so::SNDTIMEO_NEW) => opts.sndtimeo_ns = timeout,
        (
            SOCKET,
            so::TYPE
            | so::ERROR
            | so::PEERCRED
            | so::SNDLOWAT
            | so::ACCEPTCONN
            | so::PROTOCOL
            | so::DOMAIN
            | so::COOKIE,
        ) => return Err(Errno::ENOPROTOOPT.into()),
        (SOCKET, so::DETACH_FILTER) => return Err(Errno::ENOENT.into()),
        // IPV6_ADDRFORM: a connection over a mapped address becomes one of AF_INET.
        (IPV6, 1) => {
            if number != 2 {
                return Err(Errno::EINVAL.into());
            }
            let v6only = opts.v6only;
            let socket = ctx.k.net.get_mut(id)?;
            if socket.state != State::Connected {
                return Err(Errno::ENOTCONN.into());
            }
            let mapped =
                matches!(socket.remote, Some(crate::net::addr::Address::Ip(std::net::IpAddr::V4(_), _)));
            if v6only || !mapped {
                return Err(Errno::EADDRNOTAVAIL.into());
            }
            socket.domain = Domain::Inet;
        }
        // IPV6_V6ONLY
        (IPV6, 26) => {
            if bound {
                return Err(Errno::EINVAL.into());
            }
            opts.v6only = on;
        }
        _ if stored_default(level, name).is_some() => {
            let flag = matches!(
                (level, name),
                (SOCKET, 1 | 5 | 9 | 10 | 29 | 35)
                    | (IP, 3 | 8 | 12 | 13 | 20)
                    | (IPV6, 49 | 51 | 66)
                    | (TCP, 1 | 3)
            );
            // One form of the time of arrival replaces the other.
            if level == SOCKET && matches!(name, so::TIMESTAMP | so::TIMESTAMPNS) && on {
                opts.stored.remove(&(SOCKET, so::TIMESTAMP + so::TIMESTAMPNS - name));
            }
            opts.stored.insert((level, name), if flag { i32::from(on) } else { number });
        }
        _ => return Err(unknown(ctx, level, name)),
    }
    Ok(0)
}

fn buffer(asked: i32, least: usize) -> usize {
    usize::try_from(asked.clamp(0, BUFFER_MAX) * 2).unwrap_or(0).max(least)
}

fn read_timeval(ctx: &mut Ctx<'_>, at: Addr) -> Result<u64, Errno> {
    let sec = ctx.read_u64(at)?.cast_signed();
    let usec = ctx.read_u64(at.at(8))?;
    if usec >= 1_000_000 {
        return Err(Errno::EDOM);
    }
    // Linux: a negative time means none at all is waited; 1 ns is as good.
    Ok(u64::try_from(sec).map_or(1, |sec| sec.saturating_mul(1_000_000_000).saturating_add(usec * 1000)))
}

fn read_name(ctx: &mut Ctx<'_>, value: Addr, len: usize) -> Result<Vec<u8>, Errno> {
    let mut name = vec![0; len.min(16)];
    ctx.read_user(value, &mut name)?;
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name.truncate(end);
    Ok(name)
}

fn bind_to_device(ctx: &mut Ctx<'_>, value: Addr, len: usize) -> SysResult {
    let name = read_name(ctx, value, len)?;
    if name.is_empty() || name == b"lo" { Ok(0) } else { Err(Errno::ENODEV.into()) }
}

/// ICMP_FILTER and ICMPV6_FILTER.
fn set_filter(ctx: &mut Ctx<'_>, id: SocketId, value: Addr, len: usize) -> SysResult {
    let socket = ctx.k.net.get(id)?;
    let words = match (socket.domain, socket.protocol) {
        (Domain::Inet, crate::net::packet::ICMP) => 1,
        (Domain::Inet6, crate::net::packet::ICMPV6) => 8,
        _ => return Err(Errno::EOPNOTSUPP.into()),
    };
    let mut filter = socket.opts.filter.clone();
    filter.resize(words, 0);
    for (index, word) in filter.iter_mut().enumerate().take(len / 4) {
        *word = ctx.read_u32(value.at(index as u64 * 4))?;
    }
    ctx.k.net.get_mut(id)?.opts.filter = filter;
    Ok(0)
}

fn set_congestion(ctx: &mut Ctx<'_>, value: Addr, len: usize) -> SysResult {
    let name = read_name(ctx, value, len)?;
    if name == b"cubic" || name == b"reno" { Ok(0) } else { Err(Errno::ENOENT.into()) }
}

/// `getsockopt(2)`
pub(crate) fn get(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    level: i32,
    name: i32,
    value: Addr,
    len: Addr,
) -> SysResult {
    let room = usize::try_from(ctx.read_u32(len)?.cast_signed()).map_err(|_| Errno::EINVAL)?;
    let socket = ctx.k.net.get(id)?;
    // A level that nobody knows is another error here than in setsockopt (net/ipv4/ip_sockglue.c).
    check_level(socket, level)
        .map_err(|errno| if socket.domain == Domain::Inet { Errno::EOPNOTSUPP } else { errno })?;
    let bytes: Vec<u8> = match (level, name) {
        (SOCKET, so::ERROR) => {
            let error = ctx.k.net.get_mut(id)?.take_error().map_or(0, |errno| i32::from(errno.0));
            error.to_le_bytes().to_vec()
        }
        (SOCKET, so::PEERCRED) => {
            let creds = socket.peer_creds;
            let (pid, uid, gid) = creds.map_or((0, u32::MAX, u32::MAX), |c| (c.pid, c.uid, c.gid));
            [pid, uid, gid].iter().flat_map(|n| n.to_le_bytes()).collect()
        }
        (SOCKET, so::LINGER) => {
            [socket.opts.linger.0, socket.opts.linger.1].iter().flat_map(|n| n.to_le_bytes()).collect()
        }
        (SOCKET, so::RCVTIMEO | so::RCVTIMEO_NEW) => timeval(socket.opts.rcvtimeo_ns),
        (SOCKET, so::SNDTIMEO | so::SNDTIMEO_NEW) => timeval(socket.opts.sndtimeo_ns),
        (SOCKET, so::PEERNAME) => {
            if socket.state != State::Connected {
                return Err(Errno::ENOTCONN.into());
            }
            format(socket.domain, socket.remote.as_ref())
        }
        (SOCKET, so::BINDTODEVICE) => Vec::new(),
        (SOCKET, so::COOKIE) => u64::from(id.0).to_le_bytes().to_vec(),
        (SOCKET, so::PEERSEC) => return Err(Errno::ENOPROTOOPT.into()),
        (SOCKET, so::PEERGROUPS) if socket.peer_creds.is_none() => return Err(Errno::ENODATA.into()),
        (RAW | ICMPV6, 1) => {
            let words = if level == RAW { 1 } else { 8 };
            let word = |at: usize| socket.opts.filter.get(at).copied().unwrap_or(0);
            (0..words).flat_map(|at| word(at).to_le_bytes()).collect()
        }
        (IP, 32) => socket.opts.multicast_from.octets().to_vec(),
        (IPV6, 17) => i32::from(socket.opts.multicast_lo).to_le_bytes().to_vec(),
        (TCP, 11) => tcp_info(socket.state),
        (TCP, 13) => b"cubic\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
        _ => match number(ctx, id, level, name)? {
            Some(number) => number.to_le_bytes().to_vec(),
            None => return Err(unknown(ctx, level, name)),
        },
    };
    let take = bytes.len().min(room);
    ctx.write_user(value, &bytes[..take])?;
    ctx.write_u32(len, u32::try_from(take).unwrap_or(0))?;
    Ok(0)
}

fn timeval(ns: u64) -> Vec<u8> {
    [ns / 1_000_000_000, ns % 1_000_000_000 / 1000].iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// An option that is an `int`.
fn number(ctx: &Ctx<'_>, id: SocketId, level: i32, name: i32) -> Result<Option<i32>, Errno> {
    let socket = ctx.k.net.get(id)?;
    let opts = &socket.opts;
    let size = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    Ok(Some(match (level, name) {
        (SOCKET, so::REUSEADDR) => i32::from(opts.reuseaddr),
        (SOCKET, so::REUSEPORT) => i32::from(opts.reuseport),
        (SOCKET, so::BROADCAST) => i32::from(opts.broadcast),
        (SOCKET, so::PASSCRED) => i32::from(opts.passcred),
        (SOCKET, so::TYPE) => socket.type_number,
        (SOCKET, so::PROTOCOL) => socket.protocol,
        (SOCKET, so::DOMAIN) => match socket.domain {
            Domain::Unix => 1,
            Domain::Inet => 2,
            Domain::Inet6 => 10,
            Domain::Netlink => 16,
        },
        (SOCKET, so::SNDBUF) => size(opts.sndbuf),
        (SOCKET, so::RCVBUF) => size(opts.rcvbuf),
        (SOCKET, so::SNDLOWAT) => 1,
        (SOCKET, so::ACCEPTCONN) => i32::from(socket.state == State::Listening),
        (IPV6, 26) => i32::from(opts.v6only),
        // IPV6_ADDRFORM and others of a v4 connection are not asked here.
        _ => match (opts.stored.get(&(level, name)), stored_default(level, name)) {
            (Some(value), _) => *value,
            (None, Some(value)) => value,
            (None, None) if without_effect(level, name).is_some() => 0,
            (None, None) => return Ok(None),
        },
    }))
}

/// The beginning of `struct tcp_info`: states, and round numbers of a loopback connection.
fn tcp_info(state: State) -> Vec<u8> {
    let mut info = vec![0; 104];
    info[0] = match state {
        State::Connected => 1,
        State::Connecting(_) => 2,
        State::Unconnected | State::Disconnected => 7,
        State::Listening => 10,
    };
    let mut put = |at: usize, value: u32| info[at..at + 4].copy_from_slice(&value.to_le_bytes());
    put(8, 204_000); // rto
    put(16, 65_483); // snd_mss
    put(20, 65_483); // rcv_mss
    put(60, 65_535); // pmtu
    put(68, 30); // rtt
    put(80, 10); // snd_cwnd
    info
}
