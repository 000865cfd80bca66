//! Socket options that are an `int` the socket keeps: what each is at first, and which values it takes.
//!
//! Neighbours: [`super::option`] has those that are more than a number, [`super::multicast`] groups.

use crate::abi::errno::Errno;

/// SOL_SOCKET
pub(super) const SOCKET: i32 = 1;
/// SOL_IP
pub(super) const IP: i32 = 0;
/// SOL_TCP
pub(super) const TCP: i32 = 6;
/// SOL_UDP
pub(super) const UDP: i32 = 17;
/// SOL_IPV6
pub(super) const IPV6: i32 = 41;
/// SOL_NETLINK
pub(super) const NETLINK: i32 = 270;

/// Which values an option takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Takes {
    /// Yes or no.
    Flag,
    /// Any.
    Any,
    /// From the first to the second; `EINVAL` otherwise.
    Within(i32, i32),
    /// The same, and -1 for what it was at first.
    WithinOrFirst(i32, i32),
    /// Any, and stays as it is.
    Ignored,
    /// None.
    Never(Errno),
    /// What the function makes of it.
    By(fn(i32) -> Result<i32, Errno>),
}
use Takes::{Any, By, Flag, Ignored, Never, Within, WithinOrFirst};

const UNKNOWN: Takes = Never(Errno::ENOPROTOOPT);

/// The value an option has at first and what it takes; `None` for one that is not kept.
pub(super) fn row(level: i32, name: i32) -> Option<(i32, Takes)> {
    Some(match (level, name) {
        // SO_DEBUG, DONTROUTE, KEEPALIVE, OOBINLINE, NO_CHECK
        (SOCKET, 1 | 5 | 9 | 10 | 11) => (0, Flag),
        // SO_PRIORITY, BSDCOMPAT, RCVLOWAT
        (SOCKET, 12) => (0, Any),
        (SOCKET, 14) => (0, Ignored),
        (SOCKET, 18) => (1, By(|value| Ok(if value < 0 { i32::MAX } else { value.max(1) }))),
        // SO_TIMESTAMP, PASSSEC, TIMESTAMPNS, RXQ_OVFL, WIFI_STATUS, NOFCS, LOCK_FILTER, SELECT_ERR_QUEUE, ZEROCOPY
        (SOCKET, 29 | 34 | 35 | 40 | 41 | 43 | 44 | 45 | 60) => (0, Flag),
        // SO_PEEK_OFF, PASSPIDFD
        (SOCKET, 42) => (-1, Any),
        (SOCKET, 76) => (0, Flag),
        // SO_MARK, BUSY_POLL, MAX_PACING_RATE, INCOMING_CPU
        (SOCKET, 36) => (0, Any),
        (SOCKET, 46) => (0, Within(0, i32::MAX)),
        (SOCKET, 47 | 49) => (-1, Any),
        // SO_BPF_EXTENSIONS, INCOMING_NAPI_ID
        (SOCKET, 48) => (64, UNKNOWN),
        (SOCKET, 56) => (0, UNKNOWN),
        // SO_BINDTOIFINDEX: there is lo; PREFER_BUSY_POLL, BUF_LOCK, TXREHASH, RCVMARK
        (SOCKET, 62) => (0, Within(0, i32::MAX)),
        (SOCKET, 69 | 75) => (0, Flag),
        (SOCKET, 72) => (0, Within(0, 3)),
        (SOCKET, 74) => (1, By(|value| within(value, -1, 1).map(i32::abs))),

        // IP_TOS, TTL, OPTIONS, ROUTER_ALERT (of raw sockets)
        (IP, 1) => (0, By(|value| Ok(value & 0xff))),
        (IP, 2) => (64, WithinOrFirst(1, 255)),
        (IP, 4) => (0, Any),
        (IP, 5) => (0, Never(Errno::EINVAL)),
        // IP_HDRINCL, RECVOPTS, RETOPTS, PKTINFO, RECVERR, RECVTTL, RECVTOS, FREEBIND, PASSSEC, TRANSPARENT,
        // RECVORIGDSTADDR, CHECKSUM, BIND_ADDRESS_NO_PORT
        (IP, 3 | 6 | 7 | 8 | 11 | 12 | 13 | 15 | 18 | 19 | 20 | 23 | 24) => (0, Flag),
        // IP_MTU_DISCOVER, MINTTL, NODEFRAG (of raw sockets), RECVERR_RFC4884
        (IP, 10) => (1, Within(0, 5)),
        (IP, 21) => (0, Within(0, 255)),
        (IP, 22) => (0, UNKNOWN),
        (IP, 26) => (0, Within(0, 1)),
        // IP_MULTICAST_TTL, MULTICAST_LOOP, MULTICAST_ALL
        (IP, 33) => (1, WithinOrFirst(0, 255)),
        (IP, 34) => (1, Flag),
        (IP, 49) => (1, Within(0, 1)),
        // IP_UNICAST_IF (in network order), LOCAL_PORT_RANGE
        (IP, 50) => (0, By(interface)),
        (IP, 51) => (0, By(port_range)),

        // IPV6_CHECKSUM (of raw sockets)
        (IPV6, 7) => (-1, Any),
        // IPV6_2292PKTINFO, 2292HOPOPTS, 2292DSTOPTS, 2292RTHDR, 2292HOPLIMIT, FLOWINFO, RECVERR, MULTICAST_ALL,
        // ROUTER_ALERT_ISOLATE, FLOWINFO_SEND, RECVPKTINFO, RECVHOPLIMIT, RECVHOPOPTS, RECVRTHDR, RECVDSTOPTS,
        // RECVPATHMTU, DONTFRAG, RECVTCLASS, ORIGDSTADDR, TRANSPARENT, RECVFRAGSIZE, FREEBIND
        (
            IPV6,
            2 | 3 | 4 | 5 | 8 | 11 | 25 | 30 | 33 | 49 | 51 | 53 | 56 | 58 | 60 | 62 | 66 | 74 | 75 | 77 | 78,
        ) => (0, Flag),
        (IPV6, 29) => (1, Flag),
        // IPV6_UNICAST_HOPS, MULTICAST_HOPS, MULTICAST_LOOP, ROUTER_ALERT (of raw sockets), MTU_DISCOVER
        (IPV6, 16) => (64, WithinOrFirst(0, 255)),
        (IPV6, 18) => (1, WithinOrFirst(0, 255)),
        (IPV6, 19) => (1, Within(0, 1)),
        (IPV6, 22) => (0, UNKNOWN),
        (IPV6, 23) => (1, Within(0, 5)),
        // IPV6_RECVERR_RFC4884, TCLASS, AUTOFLOWLABEL, ADDR_PREFERENCES, MINHOPCOUNT, UNICAST_IF
        (IPV6, 31) => (0, Within(0, 1)),
        (IPV6, 67) => (0, WithinOrFirst(0, 255)),
        (IPV6, 70) => (1, Flag),
        (IPV6, 72) => (PREFER_BY_DEFAULT, By(preferences)),
        (IPV6, 73) => (0, Within(0, 255)),
        (IPV6, 76) => (0, By(interface)),

        // TCP_NODELAY, CORK
        (TCP, 1 | 3) => (0, Flag),
        // TCP_MAXSEG, KEEPIDLE, KEEPINTVL, KEEPCNT, SYNCNT, LINGER2, DEFER_ACCEPT, WINDOW_CLAMP
        (TCP, 2) => (0, By(|value| if value == 0 { Ok(0) } else { within(value, 88, 32_767) })),
        (TCP, 4) => (7200, Within(1, 32_767)),
        (TCP, 5) => (75, Within(1, 32_767)),
        (TCP, 6) => (9, Within(1, 127)),
        (TCP, 7) => (6, Within(1, 127)),
        (TCP, 8) => (60, By(|value| Ok(if value == 0 { 60 } else { value.clamp(-1, 120) }))),
        (TCP, 9) => (0, By(|value| Ok(deferred(value)))),
        (TCP, 10) => (0, By(|value| Ok(if value == 0 { 0 } else { value.max(1152) }))),
        // TCP_QUICKACK, THIN_LINEAR_TIMEOUTS, THIN_DUPACK, USER_TIMEOUT
        (TCP, 12) => (1, Flag),
        (TCP, 16) => (0, Within(0, 1)),
        (TCP, 17) => (0, By(|value| within(value, 0, 1).map(|_| 0))),
        (TCP, 18) => (0, Within(0, i32::MAX)),
        // TCP_FASTOPEN, TIMESTAMP, NOTSENT_LOWAT, SAVE_SYN, FASTOPEN_CONNECT, FASTOPEN_NO_COOKIE, INQ, TX_DELAY
        (TCP, 23) => (0, By(|value| within(value, 0, i32::MAX).map(|value| value.min(4096)))),
        (TCP, 24) => (0, Never(Errno::EPERM)),
        (TCP, 25) => (0, Any),
        (TCP, 27) => (0, Within(0, 2)),
        (TCP, 30 | 34 | 36) => (0, Within(0, 1)),
        (TCP, 37) => (0, Within(0, i32::MAX)),

        // UDP_CORK, NO_CHECK6_TX, NO_CHECK6_RX, and UDP_GRO, which makes nothing of datagrams that were never one
        (UDP, 1 | 101 | 102 | 104) => (0, Flag),
        // UDPLITE_SEND_CSCOV, RECV_CSCOV; UDP_SEGMENT
        (UDP, 10 | 11) => (0, Any),
        (UDP, 103) => (0, Within(0, 0xffff)),
        // NETLINK_PKTINFO, BROADCAST_ERROR, NO_ENOBUFS, CAP_ACK, EXT_ACK, GET_STRICT_CHK
        (NETLINK, 3 | 4 | 5 | 10 | 11 | 12) => (0, Any),
        _ => return None,
    })
}

impl Takes {
    /// What is kept when `value` is set, of an option that is `now` and was `first`.
    pub(super) fn take(self, value: i32, now: i32, first: i32) -> Result<i32, Errno> {
        match self {
            Flag => Ok(i32::from(value != 0)),
            Any => Ok(value),
            Within(low, high) => within(value, low, high),
            WithinOrFirst(..) if value == -1 => Ok(first),
            WithinOrFirst(low, high) => within(value, low, high),
            Ignored => Ok(now),
            Never(errno) => Err(errno),
            By(makes) => makes(value),
        }
    }
}

fn within(value: i32, low: i32, high: i32) -> Result<i32, Errno> {
    if (low..=high).contains(&value) { Ok(value) } else { Err(Errno::EINVAL) }
}

/// An interface in network order: none, or `lo`.
fn interface(value: i32) -> Result<i32, Errno> {
    match value {
        0 => Ok(0),
        _ if value == 1i32.to_be() => Ok(value),
        _ => Err(Errno::EADDRNOTAVAIL),
    }
}

/// The lowest port in the low half, the highest in the other; 0 for no bound.
fn port_range(value: i32) -> Result<i32, Errno> {
    let bits = value.cast_unsigned();
    let (low, high) = (bits & 0xffff, bits >> 16);
    if low != 0 && high != 0 && high < low { Err(Errno::EINVAL) } else { Ok(value) }
}

/// The time that TCP_DEFER_ACCEPT waits, in seconds: what so many retransmissions take, each twice as long as the one
/// before, at most 120 s (secs_to_retrans, retrans_to_secs).
fn deferred(seconds: i32) -> i32 {
    if seconds <= 0 {
        return 0;
    }
    let (mut period, mut timeout, mut count) = (1, 1, 1);
    while seconds > period && count < 255 {
        count += 1;
        timeout = (timeout * 2).min(120);
        period += timeout;
    }
    period
}

/// IPV6_PREFER_SRC_PUBTMP_DEFAULT and IPV6_PREFER_SRC_HOME
const PREFER_BY_DEFAULT: i32 = 0x500;

/// IPV6_ADDR_PREFERENCES: one of each of three groups.
fn preferences(value: i32) -> Result<i32, Errno> {
    let one_of = |mask: i32, default: i32| match value & mask {
        0 => Ok(default),
        one if one.count_ones() == 1 => Ok(one),
        _ => Err(Errno::EINVAL),
    };
    Ok(one_of(0x103, 0x100)? | one_of(0x404, 0x400)? | one_of(0x808, 0)?)
}
