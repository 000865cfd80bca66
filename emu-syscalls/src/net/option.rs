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
use crate::net::errqueue::{IP_RECVERR, IPV6_RECVERR};
use crate::net::kept::{IP, IPV6, NETLINK, SOCKET, TCP, UDP};
use crate::net::{Domain, Kind, Net, Socket, SocketId, State};
use crate::net::{kept, multicast};
use crate::task::{GroupId, TaskId};

/// SOL_UDPLITE
const UDPLITE: i32 = 136;
const TCP_CONGESTION: i32 = 13;
const UDP_CORK: i32 = 1;
const UDP_SEGMENT: i32 = 103;
/// UDPLITE_SEND_CSCOV
const SEND_COVERAGE: i32 = 10;
/// UDPLITE_RECV_CSCOV
const RECV_COVERAGE: i32 = 11;
/// SOL_RAW
const RAW: i32 = 255;
/// SOL_ICMPV6
const ICMPV6: i32 = 58;
/// Largest buffer that may be asked for (/proc/sys/net/core/wmem_max); Linux gives twice as much.
const BUFFER_MAX: u32 = 212_992;

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
    pub(super) const PEEK_OFF: i32 = 42;
    pub(super) const PASSPIDFD: i32 = 76;
    pub(super) const PEERPIDFD: i32 = 77;
    pub(super) const MEMINFO: i32 = 55;
    pub(super) const COOKIE: i32 = 57;
    pub(super) const PEERGROUPS: i32 = 59;
    pub(super) const ZEROCOPY: i32 = 60;
    pub(super) const NETNS_COOKIE: i32 = 71;
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
            None => kept::row(level, name).map_or(0, |(first, _)| first),
        }
    }
    /// Whether ends of MSG_ZEROCOPY are reported (SO_ZEROCOPY).
    #[must_use]
    pub fn zerocopy(&self) -> bool {
        self.stored(SOCKET, so::ZEROCOPY) != 0
    }
    /// How far behind the front of the queue a look begins (SO_PEEK_OFF), if looks move at all.
    #[must_use]
    pub fn peek_off(&self) -> Option<usize> {
        usize::try_from(self.stored(SOCKET, so::PEEK_OFF)).ok()
    }
    /// Moves it, if looks move.
    pub fn move_peek_off(&mut self, to: impl FnOnce(usize) -> usize) {
        if let Some(now) = self.peek_off() {
            let to = i32::try_from(to(now)).unwrap_or(i32::MAX);
            self.stored.insert((SOCKET, so::PEEK_OFF), to);
        }
    }
    /// Whether a pidfd of the sender is asked for (SO_PASSPIDFD).
    #[must_use]
    pub fn passpidfd(&self) -> bool {
        self.stored(SOCKET, so::PASSPIDFD) != 0
    }
    /// What a connection takes over from the UNIX socket that listened.
    pub fn inherit(&mut self, listener: &Options) {
        self.passcred = listener.passcred;
        if let Some(value) = listener.stored.get(&(SOCKET, so::PASSPIDFD)) {
            self.stored.insert((SOCKET, so::PASSPIDFD), *value);
        }
    }
    /// Whether sends are held back until told otherwise (UDP_CORK).
    #[must_use]
    pub fn udp_cork(&self) -> bool {
        self.stored(UDP, UDP_CORK) != 0
    }
    /// Bytes of each datagram that a long send becomes (UDP_SEGMENT); 0 for one alone.
    #[must_use]
    pub fn segment(&self) -> u16 {
        u16::try_from(self.stored(UDP, UDP_SEGMENT)).unwrap_or(0)
    }
    /// How many bytes of a datagram of `len` bytes a UDP-Lite checksum covers when this socket sends it.
    #[must_use]
    pub fn sent_coverage(&self, len: usize) -> usize {
        match usize::try_from(self.stored(UDP, SEND_COVERAGE)) {
            Ok(0) | Err(_) => len,
            Ok(bytes) => bytes.min(len),
        }
    }
    /// Whether a UDP-Lite socket that asked for a coverage takes a datagram of `len` bytes with this one.
    #[must_use]
    pub fn takes_coverage(&self, coverage: usize, len: usize) -> bool {
        match self.stored.get(&(UDP, RECV_COVERAGE)) {
            None => true,
            _ if coverage == len => true,
            Some(least) => usize::try_from(*least).is_ok_and(|least| least != 0 && coverage >= least),
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

/// Options that can be set, but whose effect is missing: what each would do.
fn without_effect(level: i32, name: i32) -> Option<&'static str> {
    Some(match (level, name) {
        (SOCKET, 26 | 50 | 51 | 52) => "SO_ATTACH_FILTER: packet filters",
        (SOCKET, 37 | 63 | 64 | 65) => "SO_TIMESTAMPING and the 64-bit forms of SO_TIMESTAMP",
        (IP | IPV6, 37..=41 | 43 | 44 | 46..=48) => "multicast from chosen sources",
        (IPV6, 54 | 55 | 57 | 59) => "extension headers of IPv6",
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

/// The level that an option of UDP or UDP-Lite is kept under: the two have theirs in common, but for the coverage of a
/// checksum, which only the second has.
fn common_level(socket: &Socket, level: i32, name: i32) -> Result<i32, Errno> {
    let datagrams = socket.is_inet() && socket.kind == Kind::Dgram && !socket.is_raw();
    if !datagrams || !matches!(level, UDP | UDPLITE) {
        return Ok(level);
    }
    let coverage = matches!(name, SEND_COVERAGE | RECV_COVERAGE);
    if coverage && socket.protocol != crate::net::inet::UDPLITE { Err(Errno::ENOPROTOOPT) } else { Ok(UDP) }
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
    let level = common_level(socket, level, name)?;
    check_level(socket, level)?;
    let copies = socket.is_inet() && !socket.is_raw();
    let (inet, tcp, local) = (socket.is_inet(), socket.is_tcp(), socket.domain == Domain::Unix);
    let netlink = socket.domain == Domain::Netlink;
    match (level, name) {
        (SOCKET, so::BINDTODEVICE) => return bind_to_device(ctx, value, len),
        // TCP_CONGESTION, TCP_ULP
        (TCP, TCP_CONGESTION) => return set_congestion(ctx, id, value, len),
        (TCP, 31) => return Err(Errno::ENOENT.into()),
        (RAW | ICMPV6, 1) => return set_filter(ctx, id, value, len),
        _ if multicast::is_option(level, name) => return multicast::set(ctx, id, level, name, value, len),
        _ => {}
    }
    if let Some(what) = without_effect(level, name) {
        return Err(Stop::Unsupported(what));
    }
    let kept = kept::row(level, name);
    let raw = socket.is_raw();
    if matches!((level, name), (IP, 3) | (IPV6, 7)) && !raw {
        return Err(Errno::ENOPROTOOPT.into());
    }
    // IP_TTL, FREEBIND, TRANSPARENT, MINTTL, MULTICAST_TTL, MULTICAST_LOOP, MULTICAST_ALL, UNICAST_IF, LOCAL_PORT_RANGE
    let needs_length = matches!(name, 2 | 15 | 19 | 21 | 33 | 34 | 49 | 50 | 51);
    let number = match (level, len) {
        (IP, _) if kept.is_none() => return Err(unknown(ctx, level, name)),
        (IP, 0) if !needs_length => 0,
        (IP, 1..=3) if !matches!(name, 50 | 51) => {
            let mut byte = [0];
            ctx.read_user(value, &mut byte)?;
            i32::from(byte[0])
        }
        // IPV6_DONTFRAG, AUTOFLOWLABEL, RECVFRAGSIZE
        (IPV6, 0..=3) if matches!(name, 62 | 70 | 77) => 0,
        (_, 0..=3) => return Err(Errno::EINVAL.into()),
        _ => ctx.read_u32(value)?.cast_signed(),
    };
    may_set(ctx, level, name, number)?;
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
    let socket = ctx.k.net.get_mut(id)?;
    if matches!((level, name), IP_RECVERR | IPV6_RECVERR) && !on {
        socket.errors.clear();
    }
    let opts = &mut socket.opts;
    let forced = matches!(name, so::SNDBUFFORCE | so::RCVBUFFORCE);
    let asked = if forced { number.max(0) } else { number };
    match (level, name) {
        (SOCKET, so::REUSEADDR) => opts.reuseaddr = on,
        (SOCKET, so::REUSEPORT) if on && !inet => return Err(Errno::EOPNOTSUPP.into()),
        (SOCKET, so::REUSEPORT) => opts.reuseport = on,
        // SO_LOCK_FILTER cannot be taken back.
        (SOCKET, 44) if !on && opts.stored(SOCKET, 44) != 0 => return Err(Errno::EPERM.into()),
        (SOCKET, so::PEEK_OFF) if netlink => return Err(Errno::EOPNOTSUPP.into()),
        (SOCKET, so::PASSPIDFD) if !local => return Err(Errno::EOPNOTSUPP.into()),
        // SO_TXREHASH
        (SOCKET, 74) if local => return Err(Errno::EOPNOTSUPP.into()),
        (SOCKET, so::BROADCAST) => opts.broadcast = on,
        (SOCKET, so::PASSCRED) => opts.passcred = on,
        (SOCKET, so::SNDBUF | so::SNDBUFFORCE) => {
            opts.sndbuf = buffer(asked, 4608);
            opts.sndbuf_fixed = true;
        }
        (SOCKET, so::RCVBUF | so::RCVBUFFORCE) => {
            opts.rcvbuf = buffer(asked, 2304);
        }
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
            | so::MEMINFO
            | so::COOKIE,
        ) => return Err(Errno::ENOPROTOOPT.into()),
        (SOCKET, so::ZEROCOPY) if !copies => return Err(Errno::EOPNOTSUPP.into()),
        (SOCKET, so::ZEROCOPY) if !(0..=1).contains(&number) => return Err(Errno::EINVAL.into()),
        (UDP, SEND_COVERAGE | RECV_COVERAGE) => {
            // 0 covers all of a datagram; its header is always covered.
            let bytes = if number == 0 { 0 } else { number.clamp(8, 0xffff) };
            opts.stored.insert((level, name), bytes);
        }
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
        // IPV6_MTU
        (IPV6, 24) if number == 0 || number >= 1280 => {}
        (IPV6, 24) => return Err(Errno::EINVAL.into()),
        // IPV6_V6ONLY
        (IPV6, 26) => {
            if bound {
                return Err(Errno::EINVAL.into());
            }
            opts.v6only = on;
        }
        // SO_CNX_ADVICE: there is no route to look for anew.
        (SOCKET, 53) => {}
        _ if kept.is_some() => {
            let Some((first, takes)) = kept else { return Ok(0) };
            let now = opts.stored(level, name);
            let number = takes.take(number, now, first)?;
            // One form of the time of arrival replaces the other.
            if level == SOCKET && matches!(name, so::TIMESTAMP | so::TIMESTAMPNS) && on {
                opts.stored.remove(&(SOCKET, so::TIMESTAMP + so::TIMESTAMPNS - name));
            }
            // The two bits of congestion are TCP's own.
            let number = if (level, name) == (IP, 1) && tcp { number & !3 } else { number };
            opts.stored.insert((level, name), number);
        }
        _ => return Err(unknown(ctx, level, name)),
    }
    if (level, name) == (UDP, UDP_CORK) && !on {
        crate::net::inet::uncork(ctx, id)?;
    }
    Ok(0)
}

/// Bytes of a buffer of the size that was asked for; a negative one is as good as a huge one.
fn buffer(asked: i32, least: usize) -> usize {
    usize::try_from(asked.cast_unsigned().min(BUFFER_MAX) * 2).unwrap_or(0).max(least)
}

/// What privileges an option needs.
fn may_set(ctx: &Ctx<'_>, level: i32, name: i32, value: i32) -> Result<(), Errno> {
    const CAP_NET_ADMIN: u64 = 1 << 12;
    const CAP_NET_RAW: u64 = 1 << 13;
    let caps = ctx.task().creds.cap_effective;
    let (admin, either) = (caps & CAP_NET_ADMIN != 0, caps & (CAP_NET_ADMIN | CAP_NET_RAW) != 0);
    match (level, name) {
        // SO_DEBUG
        (SOCKET, 1) if value != 0 && !admin => Err(Errno::EACCES),
        (SOCKET, so::SNDBUFFORCE | so::RCVBUFFORCE) if !admin => Err(Errno::EPERM),
        // SO_PRIORITY, MARK, BUSY_POLL, PREFER_BUSY_POLL; IP_TRANSPARENT, IPV6_TRANSPARENT
        (SOCKET, 12) if !(0..=6).contains(&value) && !either => Err(Errno::EPERM),
        (SOCKET, 36) if !either => Err(Errno::EPERM),
        (SOCKET, 46 | 69) if value > 0 && !admin => Err(Errno::EPERM),
        (IP, 19) | (IPV6, 75) if value != 0 && !either => Err(Errno::EPERM),
        _ => Ok(()),
    }
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

/// Ways to control congestion that there are, though on loopback there never is any.
const CONGESTION: [&[u8; 16]; 2] = [b"cubic\0\0\0\0\0\0\0\0\0\0\0", b"reno\0\0\0\0\0\0\0\0\0\0\0\0"];

fn set_congestion(ctx: &mut Ctx<'_>, id: SocketId, value: Addr, len: usize) -> SysResult {
    if len == 0 {
        return Err(Errno::EINVAL.into());
    }
    let name = read_name(ctx, value, len)?;
    let known = CONGESTION.iter().position(|known| known.split(|byte| *byte == 0).next() == Some(&name[..]));
    let known = known.and_then(|index| i32::try_from(index).ok()).ok_or(Errno::ENOENT)?;
    ctx.k.net.get_mut(id)?.opts.stored.insert((TCP, TCP_CONGESTION), known);
    Ok(0)
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
    let level = common_level(socket, level, name)?;
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
            let name = format(socket.domain, socket.remote.as_ref());
            if room > name.len() {
                return Err(Errno::EINVAL.into());
            }
            name
        }
        // SO_BINDTODEVICE, GET_FILTER; IP_OPTIONS; IPV6_2292PKTOPTIONS, HOPOPTS, RTHDRDSTOPTS, RTHDR, DSTOPTS;
        // TCP_SAVED_SYN, ULP, FASTOPEN_KEY: there are none.
        (SOCKET, so::BINDTODEVICE | 26) | (IP, 4) | (IPV6, 6 | 54 | 55 | 57 | 59) | (TCP, 28 | 31 | 33) => {
            Vec::new()
        }
        // SO_TIMESTAMPING in both forms: flags, and no clock.
        (SOCKET, 37 | 65) => vec![0; 8],
        // SO_TXTIME
        (SOCKET, 61) => vec![0; 8],
        // SO_MAX_PACING_RATE
        (SOCKET, 47) => {
            let rate = i64::from(socket.opts.stored(SOCKET, 47));
            if room >= 8 { rate.to_le_bytes().to_vec() } else { rate.to_le_bytes()[..4].to_vec() }
        }
        (SOCKET, so::MEMINFO) => {
            let opts = &socket.opts;
            let words = [socket.queued, opts.rcvbuf, 0, opts.sndbuf, 0, 0, 0, 0, 0];
            words.iter().flat_map(|word| u32::try_from(*word).unwrap_or(u32::MAX).to_le_bytes()).collect()
        }
        (SOCKET, so::NETNS_COOKIE) if room != 8 => return Err(Errno::EINVAL.into()),
        (SOCKET, so::NETNS_COOKIE) => 1u64.to_le_bytes().to_vec(),
        (SOCKET, 73) => vec![0; 4],
        (SOCKET, 74) if socket.domain == Domain::Unix => return Err(Errno::EOPNOTSUPP.into()),
        (SOCKET, so::COOKIE) => u64::from(id.0).to_le_bytes().to_vec(),
        (SOCKET, so::PEERSEC) => return Err(Errno::ENOPROTOOPT.into()),
        (SOCKET, so::PEERGROUPS | so::PEERPIDFD) if socket.peer_creds.is_none() => {
            return Err(Errno::ENODATA.into());
        }
        (SOCKET, so::PEERGROUPS) => {
            let groups = peer_groups(ctx, id)?;
            let bytes: Vec<u8> = groups.iter().flat_map(|group| group.to_le_bytes()).collect();
            if bytes.len() > room {
                ctx.write_u32(len, u32::try_from(bytes.len()).unwrap_or(0))?;
                return Err(Errno::ERANGE.into());
            }
            bytes
        }
        (SOCKET, so::PEERPIDFD) => {
            let pid = socket.peer_creds.map_or(0, |creds| creds.pid);
            let fd = crate::calls::pidfd::install(ctx, GroupId(pid))?;
            fd.0.to_le_bytes().to_vec()
        }
        (RAW | ICMPV6, 1) => {
            let words = if level == RAW { 1 } else { 8 };
            let word = |at: usize| socket.opts.filter.get(at).copied().unwrap_or(0);
            (0..words).flat_map(|at| word(at).to_le_bytes()).collect()
        }
        (IP, 32) => socket.opts.multicast_from.octets().to_vec(),
        (IPV6, 17) => i32::from(socket.opts.multicast_lo).to_le_bytes().to_vec(),
        (TCP, 11) => tcp_info(socket, &ctx.k.net),
        (TCP, TCP_CONGESTION) => CONGESTION[usize::from(socket.opts.stored(TCP, 13) != 0)].to_vec(),
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

/// Supplementary groups of the peer, if it still runs.
fn peer_groups(ctx: &Ctx<'_>, id: SocketId) -> Result<Vec<u32>, Errno> {
    let pid = ctx.k.net.get(id)?.peer_creds.map_or(0, |creds| creds.pid);
    Ok(ctx.k.tasks.get(TaskId(pid)).map(|task| task.creds.groups.to_vec()).unwrap_or_default())
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
        // IPV6_ADDRFORM; IP_MTU, IPV6_MTU
        (IPV6, 1) | (IP, 14) | (IPV6, 24) if socket.remote.is_none() => return Err(Errno::ENOTCONN),
        (IPV6, 1) => 10,
        (IP, 14) | (IPV6, 24) => 65_536,
        (IPV6, 7) if !socket.is_raw() => return Err(Errno::ENOPROTOOPT),
        // TCP_MAXSEG
        (TCP, 2) => match (opts.stored(TCP, 2), socket.state) {
            (_, State::Connected) => 65_483,
            (0, _) => 536,
            (chosen, _) => chosen,
        },
        // SO_TIMESTAMP_NEW, TIMESTAMPNS_NEW
        (SOCKET, 63 | 64) => 0,
        _ => match opts.stored.get(&(level, name)) {
            Some(value) => *value,
            None => return Ok(kept::row(level, name).map(|(first, _)| first)),
        },
    }))
}

/// The beginning of `struct tcp_info`: states, and round numbers of a loopback connection.
fn tcp_info(socket: &Socket, net: &Net) -> Vec<u8> {
    let mut info = vec![0; 248];
    info[0] = match socket.state {
        // ESTABLISHED, FIN_WAIT2, CLOSE_WAIT, CLOSE
        State::Connected => match socket.fins(net) {
            (false, false) => 1,
            (true, false) => 5,
            (false, true) => 8,
            (true, true) => 7,
        },
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
