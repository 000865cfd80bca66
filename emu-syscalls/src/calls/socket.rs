//! `socket(2)`, `bind(2)`, `listen(2)`, `accept(2)`, `connect(2)` and what asks about a socket.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32};
use crate::calls::desc::fd_result;
use crate::calls::pipe::install_pair;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::socket::SocketFile;
use crate::file::{File, FileId, OpenFile, flags};
use crate::net::addr::{self, Address};
use crate::net::transfer::waits;
use crate::net::unix::ucred;
use crate::net::{Domain, Kind, Socket, SocketId, State, inet, netlink, option, packet, shut, unix};
use crate::task::wait::WaitKey;

const SOCK_STREAM: i32 = 1;
const SOCK_DGRAM: i32 = 2;
const SOCK_RAW: i32 = 3;
const SOCK_SEQPACKET: i32 = 5;
/// /proc/sys/net/core/somaxconn
const SOMAXCONN: usize = 4096;

/// Type number, status flags and close-on-exec of a `type` argument.
fn split_type(type_: I32) -> Result<(i32, u32, bool), Errno> {
    let bits = type_.0.cast_unsigned();
    let extra = bits & !0xf;
    if extra & !(flags::O_CLOEXEC | flags::O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    Ok((type_.0 & 0xf, flags::O_RDWR | extra & flags::O_NONBLOCK, extra & flags::O_CLOEXEC != 0))
}

/// Family, kind and protocol of a new socket, in Linux's order of errors.
fn choose(ctx: &mut Ctx<'_>, family: i32, number: i32, protocol: i32) -> Result<(Domain, Kind, i32), Stop> {
    const CAP_NET_RAW: u64 = 1 << 13;
    if !(0..46).contains(&family) {
        return Err(Errno::EAFNOSUPPORT.into());
    }
    if !(0..11).contains(&number) {
        return Err(Errno::EINVAL.into());
    }
    let unsupported = |ctx: &mut Ctx<'_>, what: String, errno: Errno| {
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap(what, at);
        Stop::Errno(errno)
    };
    match family {
        1 => {
            if protocol != 0 && protocol != 1 {
                return Err(Errno::EPROTONOSUPPORT.into());
            }
            let kind = match number {
                SOCK_STREAM => Kind::Stream,
                SOCK_DGRAM | SOCK_RAW => Kind::Dgram,
                SOCK_SEQPACKET => Kind::SeqPacket,
                _ => return Err(Errno::ESOCKTNOSUPPORT.into()),
            };
            Ok((Domain::Unix, kind, 0))
        }
        2 | 10 => {
            let domain = if family == 2 { Domain::Inet } else { Domain::Inet6 };
            if protocol < 0 {
                return Err(Errno::EINVAL.into());
            }
            match (number, protocol) {
                (SOCK_STREAM, 0 | inet::TCP) => Ok((domain, Kind::Stream, inet::TCP)),
                (SOCK_DGRAM, 0 | inet::UDP) => Ok((domain, Kind::Dgram, inet::UDP)),
                (SOCK_DGRAM, inet::UDPLITE) => Ok((domain, Kind::Dgram, inet::UDPLITE)),
                // No raw entry of the protocol table has the number 0.
                (SOCK_RAW, 0) => Err(Errno::EPROTONOSUPPORT.into()),
                (SOCK_RAW, _) if ctx.task().creds.cap_effective & CAP_NET_RAW == 0 => {
                    Err(Errno::EPERM.into())
                }
                (SOCK_RAW, 1..=255) => Ok((domain, Kind::Dgram, protocol)),
                (SOCK_RAW, _) => Err(Errno::EPROTONOSUPPORT.into()),
                // ICMP "ping" sockets: allowed to no group by default.
                (SOCK_DGRAM, 1) if domain == Domain::Inet => Err(Errno::EACCES.into()),
                (SOCK_DGRAM, 58) if domain == Domain::Inet6 => Err(Errno::EACCES.into()),
                (SOCK_STREAM | SOCK_DGRAM, 132 | 262) => {
                    Err(unsupported(ctx, format!("internet protocol {protocol}"), Errno::EPROTONOSUPPORT))
                }
                (SOCK_STREAM | SOCK_DGRAM, _) => Err(Errno::EPROTONOSUPPORT.into()),
                _ => Err(Errno::ESOCKTNOSUPPORT.into()),
            }
        }
        16 => match (number, protocol) {
            (SOCK_RAW | SOCK_DGRAM, 0 | netlink::SOCK_DIAG) => Ok((Domain::Netlink, Kind::Dgram, protocol)),
            (SOCK_RAW | SOCK_DGRAM, other) => {
                Err(unsupported(ctx, format!("netlink protocol {other}"), Errno::EPROTONOSUPPORT))
            }
            _ => Err(Errno::ESOCKTNOSUPPORT.into()),
        },
        17 if ctx.task().creds.cap_effective & CAP_NET_RAW == 0 => Err(Errno::EPERM.into()),
        other => Err(unsupported(ctx, format!("address family {other}"), Errno::EAFNOSUPPORT)),
    }
}

/// `socket(2)`
pub(crate) fn socket(ctx: &mut Ctx<'_>, domain: I32, type_: I32, protocol: I32) -> SysResult {
    let (number, status, cloexec) = split_type(type_)?;
    let (domain, kind, protocol) = choose(ctx, domain.0, number, protocol.0)?;
    let owner = ucred(ctx);
    let mut socket = Socket::new(domain, kind, protocol, owner);
    socket.landlock = ctx.task().landlock.clone();
    if domain == Domain::Netlink || number == SOCK_RAW && domain != Domain::Unix {
        socket.type_number = number;
    }
    let raw = socket.is_raw();
    if raw && protocol == inet::TCP {
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap("raw sockets of TCP: no segment is ever seen".to_owned(), at);
    }
    if raw {
        socket.local = Some(packet::fresh_name(domain, protocol));
    }
    let socket = ctx.k.net.sockets.insert(socket);
    if raw {
        ctx.k.net.raw.insert(socket);
    }
    let fd = ctx.install(File::Socket(SocketFile { socket }), status, cloexec)?;
    Ok(fd_result(fd))
}

/// `socketpair(2)`
pub(crate) fn socketpair(ctx: &mut Ctx<'_>, domain: I32, type_: I32, protocol: I32, sv: Addr) -> SysResult {
    let (number, status, cloexec) = split_type(type_)?;
    let (domain, kind, _) = choose(ctx, domain.0, number, protocol.0)?;
    if domain != Domain::Unix {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let (a, b) = unix::pair(ctx, kind)?;
    let first = ctx.k.files.insert(OpenFile::new(File::Socket(SocketFile { socket: a }), status));
    let second = ctx.k.files.insert(OpenFile::new(File::Socket(SocketFile { socket: b }), status));
    install_pair(ctx, sv, first, second, cloexec)
}

/// The socket behind a descriptor and its open file. `EBADF`, `ENOTSOCK`.
pub(crate) fn socket_of(ctx: &Ctx<'_>, fd: Fd) -> Result<(FileId, SocketId), Errno> {
    let id = ctx.fd(fd)?;
    match &ctx.file(id).kind {
        File::Socket(file) => Ok((id, file.socket)),
        _ => Err(Errno::ENOTSOCK),
    }
}

/// Whether the open file does not block.
pub(crate) fn nonblocking(ctx: &Ctx<'_>, file: FileId) -> bool {
    ctx.file(file).flags & flags::O_NONBLOCK != 0
}

/// `bind(2)`
pub(crate) fn bind(ctx: &mut Ctx<'_>, sockfd: Fd, addr: Addr, addrlen: I32) -> SysResult {
    let (_, id) = socket_of(ctx, sockfd)?;
    let raw = addr::read_raw(ctx, addr, addrlen.0)?;
    let socket = ctx.k.net.get(id)?;
    let (domain, kind) = (socket.domain, socket.kind);
    let wrong = if domain == Domain::Unix { Errno::EINVAL } else { Errno::EAFNOSUPPORT };
    // Linux: AF_UNSPEC with the wildcard is AF_INET (inet_bind).
    let unspecified = addr::family(&raw) == Some(0) && raw.get(4..8) == Some(&[0; 4]);
    let raw = if domain == Domain::Inet && unspecified { [&[2, 0], &raw[2..]].concat() } else { raw };
    if domain == Domain::Inet6 && addr::family(&raw) == Some(addr::AF_INET) {
        return Err(Errno::EAFNOSUPPORT.into());
    }
    match addr::parse(domain, &raw, wrong)? {
        Address::Unix(name) => unix::bind(ctx, id, name)?,
        Address::Ip(ip, port) => {
            if kind == Kind::Stream {
                crate::landlock::check_port(ctx.k, ctx.tid, port, crate::landlock::BIND_TCP)?;
            }
            inet::bind(ctx, id, ip, port)?;
        }
        Address::Netlink(port, groups) => {
            if groups != 0 {
                let at = format!("task {}", ctx.tid.0);
                ctx.k.gap("netlink groups: no event is ever sent".to_owned(), at);
            }
            netlink::bind(ctx, id, port)?;
        }
    }
    Ok(0)
}

/// `listen(2)`
pub(crate) fn listen(ctx: &mut Ctx<'_>, sockfd: Fd, backlog: I32) -> SysResult {
    let (_, id) = socket_of(ctx, sockfd)?;
    let socket = ctx.k.net.get(id)?;
    if socket.kind == Kind::Dgram {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if !matches!(socket.state, State::Unconnected | State::Listening) {
        return Err(Errno::EINVAL.into());
    }
    if socket.domain == Domain::Unix {
        if socket.local.is_none() {
            return Err(Errno::EINVAL.into());
        }
    } else {
        inet::autobind(ctx.k, id)?;
    }
    let owner = ucred(ctx);
    let socket = ctx.k.net.get_mut(id)?;
    socket.backlog = usize::try_from(backlog.0).unwrap_or(SOMAXCONN).min(SOMAXCONN);
    socket.state = State::Listening;
    socket.owner = owner;
    crate::net::wake_all(ctx.k, id);
    Ok(0)
}

/// `connect(2)`
pub(crate) fn connect(ctx: &mut Ctx<'_>, sockfd: Fd, addr: Addr, addrlen: I32) -> SysResult {
    let (file, id) = socket_of(ctx, sockfd)?;
    let raw = addr::read_raw(ctx, addr, addrlen.0)?;
    let wait = waits(ctx, id, nonblocking(ctx, file), true)?;
    let socket = ctx.k.net.get(id)?;
    let (domain, kind) = (socket.domain, socket.kind);
    if addr::family(&raw).ok_or(Errno::EINVAL)? == addr::AF_UNSPEC {
        return disconnect(ctx, id, kind);
    }
    let wrong = if domain == Domain::Unix { Errno::EINVAL } else { Errno::EAFNOSUPPORT };
    match addr::parse(domain, &raw, wrong)? {
        Address::Unix(name) => unix::connect(ctx, id, &name, wait)?,
        Address::Ip(ip, port) => {
            if kind == Kind::Stream {
                crate::landlock::check_port(ctx.k, ctx.tid, port, crate::landlock::CONNECT_TCP)?;
            }
            inet::connect(ctx, id, ip, port, wait)?;
        }
        Address::Netlink(port, _) => {
            netlink::bind(ctx, id, 0)?;
            ctx.k.net.get_mut(id)?.remote = Some(Address::Netlink(port, 0));
        }
    }
    Ok(0)
}

/// `connect(2)` to AF_UNSPEC: no default peer any more.
fn disconnect(ctx: &mut Ctx<'_>, id: SocketId, kind: Kind) -> SysResult {
    let socket = ctx.k.net.get_mut(id)?;
    match (socket.domain, kind) {
        (Domain::Inet | Domain::Inet6, _) => {
            inet::disconnect(ctx.k, id)?;
            return Ok(0);
        }
        (Domain::Unix, Kind::Stream | Kind::SeqPacket) => return Err(Errno::EINVAL.into()),
        _ => {}
    }
    socket.remote = None;
    socket.state = State::Unconnected;
    if let Some(peer) = socket.peer.take() {
        ctx.k.net.dgram_peers.remove(&(peer, id));
    }
    Ok(0)
}

/// `accept(2)`
pub(crate) fn accept(ctx: &mut Ctx<'_>, sockfd: Fd, addr: Addr, addrlen: Addr) -> SysResult {
    accept4(ctx, sockfd, addr, addrlen, I32(0))
}

/// `accept4(2)`
pub(crate) fn accept4(ctx: &mut Ctx<'_>, sockfd: Fd, addr: Addr, addrlen: Addr, flags: I32) -> SysResult {
    let bits = flags.0.cast_unsigned();
    if bits & !(flags::O_CLOEXEC | flags::O_NONBLOCK) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (file, id) = socket_of(ctx, sockfd)?;
    let socket = ctx.k.net.get(id)?;
    if socket.kind == Kind::Dgram {
        return Err(Errno::EOPNOTSUPP.into());
    }
    if socket.state != State::Listening || socket.shut_read {
        return Err(Errno::EINVAL.into());
    }
    let Some(child) = socket.accept_queue.front().copied() else {
        let wait = waits(ctx, id, nonblocking(ctx, file), false)?;
        return Err(wait.stop(ctx, vec![WaitKey::Socket(id.0)]));
    };
    let (domain, remote) = {
        let child = ctx.k.net.get(child)?;
        (child.domain, child.remote.clone())
    };
    let status = flags::O_RDWR | bits & flags::O_NONBLOCK;
    let new = ctx.k.files.insert(OpenFile::new(File::Socket(SocketFile { socket: child }), status));
    let fd = match ctx.install_id(new, bits & flags::O_CLOEXEC != 0) {
        Ok(fd) => fd,
        Err(errno) => {
            // The connection stays in the queue: only its open file goes.
            ctx.k.files.remove(new);
            return Err(errno.into());
        }
    };
    ctx.k.net.get_mut(id)?.accept_queue.pop_front();
    inet::accepted(ctx.k, id);
    if addr != Addr::NULL {
        let raw = addr::format(domain, remote.as_ref());
        if let Err(errno) = addr::write(ctx, &raw, addr, addrlen) {
            ctx.close_fd(fd)?;
            return Err(errno.into());
        }
    }
    Ok(fd_result(fd))
}

/// `getsockname(2)`
pub(crate) fn getsockname(ctx: &mut Ctx<'_>, sockfd: Fd, addr: Addr, addrlen: Addr) -> SysResult {
    let (_, id) = socket_of(ctx, sockfd)?;
    let socket = ctx.k.net.get(id)?;
    let raw = addr::format(socket.domain, socket.local.as_ref());
    addr::write(ctx, &raw, addr, addrlen)?;
    Ok(0)
}

/// `getpeername(2)`
pub(crate) fn getpeername(ctx: &mut Ctx<'_>, sockfd: Fd, addr: Addr, addrlen: Addr) -> SysResult {
    let (_, id) = socket_of(ctx, sockfd)?;
    let socket = ctx.k.net.get(id)?;
    let known = match socket.domain {
        Domain::Netlink => true,
        _ => socket.state == State::Connected && !socket.ended(&ctx.k.net),
    };
    if !known {
        return Err(Errno::ENOTCONN.into());
    }
    let raw = addr::format(socket.domain, socket.remote.as_ref());
    addr::write(ctx, &raw, addr, addrlen)?;
    Ok(0)
}

/// `shutdown(2)`
pub(crate) fn shutdown(ctx: &mut Ctx<'_>, sockfd: Fd, how: I32) -> SysResult {
    let (_, id) = socket_of(ctx, sockfd)?;
    if !(0..=2).contains(&how.0) {
        return Err(Errno::EINVAL.into());
    }
    crate::net::flush_held(ctx.k, id);
    let socket = ctx.k.net.get(id)?;
    let connected = socket.state == State::Connected && !socket.ended(&ctx.k.net);
    let datagrams = socket.kind == Kind::Dgram;
    // A listening TCP socket stops listening; UNIX sockets may be shut down in any state.
    if socket.domain != Domain::Unix && !connected {
        if socket.state == State::Listening && how.0 != 1 {
            let socket = ctx.k.net.get_mut(id)?;
            socket.state = State::Unconnected;
            let children = std::mem::take(&mut socket.accept_queue);
            for child in children {
                crate::net::close(ctx.k, child);
            }
            crate::net::wake_all(ctx.k, id);
            return Ok(0);
        }
        // A datagram socket without a peer is shut all the same (inet_shutdown).
        if datagrams {
            shut(ctx.k, id, how.0 != 1, how.0 != 0);
        }
        return Err(Errno::ENOTCONN.into());
    }
    shut(ctx.k, id, how.0 != 1, how.0 != 0);
    Ok(0)
}

/// `setsockopt(2)`
pub(crate) fn setsockopt(
    ctx: &mut Ctx<'_>,
    sockfd: Fd,
    level: I32,
    optname: I32,
    optval: Addr,
    optlen: I32,
) -> SysResult {
    let (_, id) = socket_of(ctx, sockfd)?;
    option::set(ctx, id, level.0, optname.0, optval, optlen.0)
}

/// `getsockopt(2)`
pub(crate) fn getsockopt(
    ctx: &mut Ctx<'_>,
    sockfd: Fd,
    level: I32,
    optname: I32,
    optval: Addr,
    optlen: Addr,
) -> SysResult {
    let (_, id) = socket_of(ctx, sockfd)?;
    option::get(ctx, id, level.0, optname.0, optval, optlen)
}
