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
const RTM_SETLINK: u16 = 19;
const RTM_NEWNEIGH: u16 = 28;
const RTM_GETNEIGH: u16 = 30;
const RTM_NEWRULE: u16 = 32;
const RTM_GETRULE: u16 = 34;
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_GETNEXTHOP: u16 = 106;
/// Largest number of a request.
const RTM_MAX: u16 = 123;
const INET: u8 = 2;
const INET6: u8 = 10;
const LOCALHOST: [u8; 4] = [127, 0, 0, 1];
const LOCALHOST6: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// `CAP_NET_ADMIN`
const CAP_NET_ADMIN: u64 = 1 << 12;
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

/// The attributes of a request behind its fixed part of `fixed` bytes: type and data.
fn attributes(body: &[u8], fixed: usize) -> Vec<(u16, &[u8])> {
    let mut out = Vec::new();
    let mut rest = body.get(fixed..).unwrap_or_default();
    while let [l0, l1, k0, k1, ..] = rest {
        let len = usize::from(u16::from_le_bytes([*l0, *l1]));
        if len < 4 || len > rest.len() {
            break;
        }
        // The upper two bits say how the data is written, not what it is.
        out.push((u16::from_le_bytes([*k0, *k1]) & 0x3fff, &rest[4..len]));
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    out
}

fn word(body: &[u8], at: usize) -> u32 {
    body.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// Number of `lo`.
const LO: u32 = 1;

fn link(up: bool) -> Vec<u8> {
    const IFF_LOOPBACK: u32 = 8;
    let mut body = vec![0, 0];
    body.extend_from_slice(&772u16.to_le_bytes()); // ARPHRD_LOOPBACK
    body.extend_from_slice(&LO.to_le_bytes());
    let flags = if up { LO_FLAGS | IFF_LOWER_UP } else { IFF_LOOPBACK };
    body.extend_from_slice(&flags.to_le_bytes());
    body.extend_from_slice(&0u32.to_le_bytes());
    let number = |body: &mut Vec<u8>, kind: u16, value: u32| attribute(body, kind, &value.to_le_bytes());
    attribute(&mut body, 3, b"lo\0"); // IFLA_IFNAME
    number(&mut body, 13, 1000); // IFLA_TXQLEN
    attribute(&mut body, 16, &[if up { 0 } else { 2 }]); // IFLA_OPERSTATE: unknown, down
    attribute(&mut body, 17, &[0]); // IFLA_LINKMODE
    number(&mut body, 4, LO_MTU); // IFLA_MTU
    number(&mut body, 50, 0); // IFLA_MIN_MTU
    number(&mut body, 51, 0); // IFLA_MAX_MTU
    number(&mut body, 27, 0); // IFLA_GROUP
    number(&mut body, 30, 0); // IFLA_PROMISCUITY
    number(&mut body, 31, 1); // IFLA_NUM_TX_QUEUES
    number(&mut body, 40, 65_535); // IFLA_GSO_MAX_SEGS
    number(&mut body, 41, 65_536); // IFLA_GSO_MAX_SIZE
    number(&mut body, 32, 1); // IFLA_NUM_RX_QUEUES
    attribute(&mut body, 33, &[1]); // IFLA_CARRIER
    number(&mut body, 35, 0); // IFLA_CARRIER_CHANGES
    attribute(&mut body, 39, &[0]); // IFLA_PROTO_DOWN
    attribute(&mut body, 1, &[0; 6]); // IFLA_ADDRESS
    attribute(&mut body, 2, &[0; 6]); // IFLA_BROADCAST
    attribute(&mut body, 23, &[0; 200]); // IFLA_STATS64
    attribute(&mut body, 7, &[0; 100]); // IFLA_STATS
    attribute(&mut body, 6, if up { b"noqueue\0" } else { b"noop\0" }); // IFLA_QDISC
    attribute(&mut body, 14, &[0; 32]); // IFLA_MAP
    body
}

fn address(family: u8, prefix: u8, ip: &[u8]) -> Vec<u8> {
    const PERMANENT: u8 = 0x80;
    const SCOPE_HOST: u8 = 254;
    let mut body = vec![family, prefix, PERMANENT, SCOPE_HOST];
    body.extend_from_slice(&LO.to_le_bytes());
    attribute(&mut body, 1, ip); // IFA_ADDRESS
    if family == INET {
        attribute(&mut body, 2, ip); // IFA_LOCAL
        attribute(&mut body, 3, b"lo\0"); // IFA_LABEL
    }
    attribute(&mut body, 8, &u32::from(PERMANENT).to_le_bytes()); // IFA_FLAGS
    let mut cache = vec![0xff; 8];
    cache.resize(16, 0);
    attribute(&mut body, 6, &cache); // IFA_CACHEINFO
    if family == INET6 {
        attribute(&mut body, 11, &[1]); // IFA_PROTO: the kernel, for lo
    }
    body
}

/// A route of the table "local".
#[derive(Debug, Clone, Copy)]
struct Route {
    family: u8,
    prefix: u8,
    to: &'static [u8],
    /// RTN_LOCAL or RTN_BROADCAST
    kind: u8,
    scope: u8,
}

const TABLE_MAIN: u32 = 254;
const TABLE_LOCAL: u32 = 255;
const RTPROT_KERNEL: u8 = 2;
const RTN_LOCAL: u8 = 2;
const ROUTES: [Route; 4] = [
    Route { family: INET, prefix: 8, to: &[127, 0, 0, 0], kind: RTN_LOCAL, scope: 254 },
    Route { family: INET, prefix: 32, to: &[127, 0, 0, 1], kind: RTN_LOCAL, scope: 254 },
    Route { family: INET, prefix: 32, to: &[127, 255, 255, 255], kind: 3, scope: 253 },
    Route { family: INET6, prefix: 128, to: &LOCALHOST6, kind: RTN_LOCAL, scope: 0 },
];

impl Route {
    fn body(&self) -> Vec<u8> {
        let mut body =
            vec![self.family, self.prefix, 0, 0, TABLE_LOCAL as u8, RTPROT_KERNEL, self.scope, self.kind];
        body.extend([0; 4]);
        attribute(&mut body, 15, &TABLE_LOCAL.to_le_bytes()); // RTA_TABLE
        attribute(&mut body, 1, self.to); // RTA_DST
        if self.family == INET {
            attribute(&mut body, 7, &LOCALHOST); // RTA_PREFSRC
        } else {
            attribute(&mut body, 6, &0u32.to_le_bytes()); // RTA_PRIORITY
        }
        attribute(&mut body, 4, &LO.to_le_bytes()); // RTA_OIF
        if self.family == INET6 {
            attribute(&mut body, 12, &[0; 32]); // RTA_CACHEINFO
            attribute(&mut body, 20, &[0]); // RTA_PREF
        }
        body
    }
}

/// A rule that sends everything to a table.
fn rule(family: u8, table: u8, priority: u32) -> Vec<u8> {
    const TO_TABLE: u8 = 1;
    let mut body = vec![family, 0, 0, 0, table, 0, 0, TO_TABLE, 0, 0, 0, 0];
    attribute(&mut body, 15, &u32::from(table).to_le_bytes()); // FRA_TABLE
    attribute(&mut body, 14, &u32::MAX.to_le_bytes()); // FRA_SUPPRESS_PREFIXLEN
    attribute(&mut body, 21, &[RTPROT_KERNEL]); // FRA_PROTOCOL
    if priority != 0 {
        attribute(&mut body, 6, &priority.to_le_bytes()); // FRA_PRIORITY
    }
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
    const NLM_F_REQUEST: u16 = 1;
    const NLMSG_MIN_TYPE: u16 = 16;
    if request.flags & NLM_F_REQUEST == 0 {
        return Ok(());
    }
    let socket = ctx.k.net.get(id)?;
    if socket.protocol == SOCK_DIAG {
        return diagnose(ctx, id, port, request, whole);
    }
    let capped = socket.opts.stored(270, 10) != 0; // NETLINK_CAP_ACK
    let strict = socket.opts.stored(270, 12) != 0; // NETLINK_GET_STRICT_CHK
    let body = whole.get(16..).unwrap_or_default();
    // Linux leaves alone what is no message of a family, or has no room for one (rtnetlink_rcv_msg).
    let result = if request.kind < NLMSG_MIN_TYPE || body.is_empty() {
        Ok(())
    } else if request.flags & NLM_F_DUMP != 0 && is_get(request.kind) {
        match dump(ctx, request.kind, body, strict) {
            Ok((kind, bodies, filtered)) => return list(ctx, id, port, request, (kind, bodies, filtered)),
            Err(Stop::Errno(Errno::EOPNOTSUPP)) => Err(Errno::EOPNOTSUPP),
            Err(Stop::Errno(errno)) => {
                // What is wrong with a dump is said at its end.
                let mut done = Vec::new();
                let status = (-i32::from(errno.0)).to_le_bytes();
                let flags = NLM_F_MULTI | if strict { filtered_flag(request.kind) } else { 0 };
                message(&mut done, NLMSG_DONE, flags, request.seq, port, &status);
                return reply(ctx, id, done);
            }
            Err(stop) => return Err(stop),
        }
    } else if is_get(request.kind) {
        match get(ctx, request.kind, body) {
            Ok((kind, body)) => {
                let mut out = Vec::new();
                message(&mut out, kind, 0, request.seq, port, &body);
                reply(ctx, id, out)?;
                Ok(())
            }
            Err(errno) => Err(errno),
        }
    } else {
        change(ctx, request.kind, body)
    };
    match result {
        Ok(()) if request.flags & NLM_F_ACK == 0 => Ok(()),
        Ok(()) => reply(ctx, id, error(request, port, whole, Errno(0), true)),
        Err(errno) => reply(ctx, id, error(request, port, whole, errno, capped)),
    }
}

/// Whether a request asks (RTNL_KIND_GET): such have numbers of one form.
fn is_get(kind: u16) -> bool {
    kind >= 16 && kind & 3 == 2
}

/// NLM_F_DUMP_FILTERED, for the lists that can be told to leave things out.
fn filtered_flag(kind: u16) -> u16 {
    if matches!(kind, RTM_GETADDR | RTM_GETROUTE) { 0x20 } else { 0 }
}

/// A list: type of its messages, their bodies, whether something was left out.
type Dump = (u16, Vec<Vec<u8>>, bool);

fn list(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    port: u32,
    request: Header,
    (kind, bodies, filtered): Dump,
) -> Result<(), Stop> {
    let flags = NLM_F_MULTI | if filtered { filtered_flag(request.kind) } else { 0 };
    if !bodies.is_empty() {
        let mut out = Vec::new();
        for body in &bodies {
            message(&mut out, kind, flags, request.seq, port, body);
        }
        reply(ctx, id, out)?;
    }
    let mut done = Vec::new();
    message(&mut done, NLMSG_DONE, flags, request.seq, port, &0u32.to_le_bytes());
    reply(ctx, id, done)
}

/// What a dump lists; with `strict` a request says which of it (NETLINK_GET_STRICT_CHK), and without only its family.
fn dump(ctx: &mut Ctx<'_>, kind: u16, body: &[u8], strict: bool) -> Result<Dump, Stop> {
    let up = ctx.k.net.lo_up;
    // Families without a list of their own get everything.
    let family = body.first().copied().filter(|family| matches!(*family, INET | INET6)).unwrap_or(0);
    let of_family = |wanted: u8| family == 0 || family == wanted;
    Ok(match kind {
        RTM_GETLINK if strict && word(body, 4) != 0 => return Err(Errno::EINVAL.into()),
        RTM_GETLINK => {
            // Of one master (IFLA_MASTER) or kind (IFLA_LINKINFO): lo has neither.
            let asked = attributes(body, 16);
            let other = asked.iter().any(|(kind, data)| *kind == 10 && word(data, 0) != 0 || *kind == 18);
            (RTM_NEWLINK, if other { Vec::new() } else { vec![link(up)] }, false)
        }
        RTM_GETADDR => {
            let index = if strict { word(body, 4) } else { 0 };
            if index > LO {
                return Err(Errno::ENODEV.into());
            }
            let all = [(INET, address(INET, 8, &LOCALHOST)), (INET6, address(INET6, 128, &LOCALHOST6))];
            let kept = all.into_iter().filter(|(f, _)| up && of_family(*f)).map(|(_, body)| body);
            (RTM_NEWADDR, kept.collect(), index != 0)
        }
        RTM_GETROUTE => dump_routes(family, body, strict, up)?,
        RTM_GETNEIGH => {
            if strict && word(body, 4) > LO {
                return Err(Errno::ENODEV.into());
            }
            (RTM_NEWNEIGH, Vec::new(), false)
        }
        RTM_GETRULE => {
            let v4 = [rule(INET, 255, 0), rule(INET, 254, 32_766), rule(INET, 253, 32_767)];
            let v6 = [rule(INET6, 255, 0), rule(INET6, 254, 32_766)];
            let v4 = v4.into_iter().filter(|_| of_family(INET));
            (RTM_NEWRULE, v4.chain(v6.into_iter().filter(|_| of_family(INET6))).collect(), false)
        }
        RTM_GETNEXTHOP => (RTM_NEWNEXTHOP, Vec::new(), false),
        other => return Err(gap(ctx, other).into()),
    })
}

fn dump_routes(family: u8, body: &[u8], strict: bool, up: bool) -> Result<Dump, Stop> {
    const CLONED: u32 = 0x200;
    // Only what was remembered about single destinations: nothing is.
    if word(body, 8) & CLONED != 0 {
        return Ok((RTM_NEWROUTE, Vec::new(), false));
    }
    let byte = |at: usize| if strict { body.get(at).copied().unwrap_or(0) } else { 0 };
    let asked = if strict { attributes(body, 12) } else { Vec::new() };
    let number = |kind: u16| asked.iter().find(|(k, _)| *k == kind).map(|(_, data)| word(data, 0));
    let (table, oif) = (number(15).unwrap_or(u32::from(byte(4))), number(4).unwrap_or(0));
    let (protocol, kind) = (byte(5), byte(7));
    if oif > LO {
        return Err(Errno::ENODEV.into());
    }
    let exists = match family {
        INET => up && matches!(table, TABLE_MAIN | TABLE_LOCAL),
        _ => matches!(table, TABLE_MAIN | TABLE_LOCAL),
    };
    if table != 0 && !exists && family != 0 {
        return Err(Errno::ENOENT.into());
    }
    let wanted = |route: &&Route| {
        up && (family == 0 || family == route.family)
            && matches!(table, 0 | TABLE_LOCAL)
            && matches!(protocol, 0 | RTPROT_KERNEL)
            && (kind == 0 || kind == route.kind)
    };
    let bodies = ROUTES.iter().filter(wanted).map(Route::body).collect();
    Ok((RTM_NEWROUTE, bodies, strict && (table, oif, protocol, kind) != (0, 0, 0, 0)))
}

/// One thing that a request names.
fn get(ctx: &mut Ctx<'_>, kind: u16, body: &[u8]) -> Result<(u16, Vec<u8>), Errno> {
    let up = ctx.k.net.lo_up;
    let family = body.first().copied().unwrap_or(0);
    match kind {
        RTM_GETLINK => {
            named_link(body)?;
            Ok((RTM_NEWLINK, link(up)))
        }
        RTM_GETADDR if family == INET6 => {
            let asked = attributes(body, 8);
            // IFA_ADDRESS, IFA_LOCAL
            let ip = asked.iter().find(|(kind, _)| matches!(kind, 1 | 2)).ok_or(Errno::EINVAL)?.1;
            if word(body, 4) > LO {
                return Err(Errno::ENODEV);
            }
            if !up || ip != LOCALHOST6 {
                return Err(Errno::EADDRNOTAVAIL);
            }
            Ok((RTM_NEWADDR, address(INET6, 128, &LOCALHOST6)))
        }
        RTM_GETADDR => Err(Errno::EOPNOTSUPP),
        RTM_GETROUTE => Ok((RTM_NEWROUTE, find_route(ctx, family, body)?)),
        RTM_GETNEIGH => match word(body, 4) {
            0 => Err(Errno::EINVAL),
            LO if attributes(body, 12).iter().any(|(kind, _)| *kind == 1) => Err(Errno::ENOENT),
            LO => Err(Errno::EINVAL),
            _ => Err(Errno::ENODEV),
        },
        other => Err(gap(ctx, other)),
    }
}

/// Checks that a request about a link names `lo`, by number or by name. `ENODEV`; `EINVAL` if it names nothing.
fn named_link(body: &[u8]) -> Result<(), Errno> {
    let index = word(body, 4).cast_signed();
    if index != 0 {
        return match index {
            1 => Ok(()),
            2.. => Err(Errno::ENODEV),
            _ => Err(Errno::EINVAL),
        };
    }
    let asked = attributes(body, 16);
    // IFLA_IFNAME, IFLA_ALT_IFNAME
    let name = asked.iter().find(|(kind, _)| matches!(kind, 3 | 53)).ok_or(Errno::EINVAL)?.1;
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    if &name[..end] == b"lo" { Ok(()) } else { Err(Errno::ENODEV) }
}

/// Which route leads to an address (RTA_DST). `ENETUNREACH`.
fn find_route(ctx: &Ctx<'_>, family: u8, body: &[u8]) -> Result<Vec<u8>, Errno> {
    const LOOKUP_TABLE: u32 = 0x1000;
    const FIB_MATCH: u32 = 0x2000;
    const LOCAL_AND_CLONED: u32 = 0x8000_0200;
    let asked = attributes(body, 12);
    let find = |wanted: u16| asked.iter().find(|(kind, _)| *kind == wanted).map(|(_, data)| *data);
    let (flags, to) = (word(body, 8), find(1));
    let oif = find(4).map_or(0, |data| word(data, 0));
    if oif > LO {
        return Err(Errno::ENODEV);
    }
    if !matches!(family, INET | INET6) {
        return Err(Errno::EOPNOTSUPP);
    }
    let reached = match (family, to) {
        (INET, Some(ip)) => matches!(ip, [127, _, _, _] | [0, 0, 0, 0]),
        (_, Some(ip)) => ip == LOCALHOST6,
        (_, None) => return Err(Errno::EINVAL),
    };
    if !reached || !ctx.k.net.lo_up {
        return Err(Errno::ENETUNREACH);
    }
    let to = to.unwrap_or_default();
    if flags & FIB_MATCH != 0 {
        let route = ROUTES.iter().filter(|route| route.family == family);
        let best = route.filter(|route| route.to == to || route.prefix == 8).max_by_key(|route| route.prefix);
        return best.map(Route::body).ok_or(Errno::ENETUNREACH);
    }
    if family == INET6 {
        let mut route = ROUTES[3].body();
        route[2] = 128;
        attribute(&mut route, 2, &[0; 16]); // RTA_SRC
        attribute(&mut route, 7, &LOCALHOST6); // RTA_PREFSRC
        return Ok(route);
    }
    let table = if flags & LOOKUP_TABLE != 0 { TABLE_LOCAL } else { TABLE_MAIN };
    let mut route = vec![INET, 32, 0, 0, table as u8, 0, 0, RTN_LOCAL];
    route.extend(LOCAL_AND_CLONED.to_le_bytes());
    attribute(&mut route, 15, &table.to_le_bytes()); // RTA_TABLE
    attribute(&mut route, 1, if to == [0; 4] { &LOCALHOST } else { to }); // RTA_DST
    attribute(&mut route, 4, &LO.to_le_bytes()); // RTA_OIF
    let source = find(2).filter(|ip| ip.len() == 4 && ip[0] == 127);
    attribute(&mut route, 7, source.unwrap_or(if to == [0; 4] { &LOCALHOST } else { to })); // RTA_PREFSRC
    attribute(&mut route, 25, &ctx.task().creds.uid[0].to_le_bytes()); // RTA_UID
    let mut cache = [0; 32];
    cache[0] = 2;
    attribute(&mut route, 12, &cache); // RTA_CACHEINFO
    Ok(route)
}

/// A request that changes something. `EPERM` for who may not; of what `lo` can be told, only to come up.
fn change(ctx: &mut Ctx<'_>, kind: u16, body: &[u8]) -> Result<(), Errno> {
    const IFF_UP: u32 = 1;
    if kind > RTM_MAX {
        return Err(gap(ctx, kind));
    }
    if ctx.task().creds.cap_effective & CAP_NET_ADMIN == 0 {
        return Err(Errno::EPERM);
    }
    if kind != RTM_NEWLINK && kind != RTM_SETLINK {
        return Err(gap(ctx, kind));
    }
    named_link(body)?;
    let (flags, changed) = (word(body, 8), word(body, 12));
    // Without a mask all flags are meant.
    let mask = if changed == 0 { flags } else { changed };
    let only_name = attributes(body, 16).iter().all(|(kind, _)| matches!(kind, 3 | 29 | 53));
    if !only_name || mask & !IFF_UP & !LO_FLAGS != 0 || mask & IFF_UP != 0 && flags & IFF_UP == 0 {
        return Err(gap(ctx, kind));
    }
    if mask & IFF_UP != 0 {
        ctx.k.net.lo_up = true;
    }
    Ok(())
}

fn gap(ctx: &mut Ctx<'_>, kind: u16) -> Errno {
    let at = format!("task {}", ctx.tid.0);
    ctx.k.gap(format!("netlink request {kind}"), at);
    Errno::EOPNOTSUPP
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
        return reply(ctx, id, error(request, port, whole, Errno::ENOENT, false));
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

/// `NLMSG_ERROR` about a request; number 0 is an acknowledgement; a `capped` one quotes no more than a header.
fn error(request: Header, port: u32, whole: &[u8], errno: Errno, capped: bool) -> Vec<u8> {
    const NLM_F_CAPPED: u16 = 0x100;
    let mut body = (-i32::from(errno.0)).to_le_bytes().to_vec();
    body.extend_from_slice(if capped { whole.get(..16).unwrap_or(whole) } else { whole });
    let mut out = Vec::new();
    let flags = if capped { NLM_F_CAPPED } else { 0 };
    message(&mut out, NLMSG_ERROR, flags, request.seq, port, &body);
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
