//! Sockets as open files.

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::{FileId, FileOps, NextRead, Ready, flags};
use crate::kernel::Kernel;
use crate::net::control::Outgoing;
use crate::net::netlink::{LO_FLAGS, LO_MTU};
use crate::net::transfer::{Take, recv_some, send_some, waits};
use crate::net::{Domain, Kind, Socket, SocketId, State, inet, unix};
use crate::seam::Host;
use crate::task::wait::WaitKey;
use crate::vfs::ops::{Making, create_new};
use crate::vfs::perm::{MAY_WRITE, permission};
use crate::vfs::stat::Owned;
use crate::vfs::walk::{Resolve, resolve, resolve_parent};
use crate::vfs::{InodeId, InodeKind};

/// A socket as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketFile {
    /// Which.
    pub socket: SocketId,
}

impl FileOps for SocketFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let nonblock = ctx.file(id).flags & flags::O_NONBLOCK != 0;
        let wait = waits(ctx, self.socket, nonblock, false)?;
        let received = recv_some(ctx, self.socket, max, Take::Consume, wait)?;
        for file in received.files {
            crate::file::fdtable::put_file(ctx.k, file);
        }
        Ok(received.data)
    }
    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], _pos: u64) -> Result<usize, Stop> {
        let nonblock = ctx.file(id).flags & flags::O_NONBLOCK != 0;
        let wait = waits(ctx, self.socket, nonblock, true)?;
        let creds = unix::ucred(ctx);
        let stream = ctx.k.net.get(self.socket)?.kind != Kind::Dgram;
        let sent = send_some(ctx, self.socket, data, None, (&[], creds, Outgoing::default()), wait);
        if stream && sent == Err(Stop::Errno(Errno::EPIPE)) {
            crate::task::signal::send_sigpipe(ctx.k, ctx.tid);
        }
        sent
    }
    fn write_piece(&self, k: &Kernel) -> usize {
        k.net.get(self.socket).map_or(1, Socket::write_piece)
    }
    fn next_read(&self, k: &Kernel) -> NextRead {
        k.net.get(self.socket).map_or(NextRead::Message, Socket::next_read)
    }
    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, _id: FileId) -> Ready {
        let Some(socket) = k.net.sockets.get(self.socket) else { return Ready::ERR | Ready::HUP };
        let mut ready = Ready::empty();
        let readable = Ready::IN | Ready::RDNORM;
        let writable = Ready::OUT | Ready::WRNORM;
        ready.set(Ready::ERR, socket.error.is_some() || !socket.errors.is_empty());
        if socket.state == State::Listening {
            ready.set(readable, !socket.accept_queue.is_empty());
            return ready;
        }
        ready.set(Ready::RDHUP | readable, socket.shut_read);
        ready.set(Ready::HUP, socket.shut_read && socket.shut_write);
        ready.set(Ready::PRI, socket.has_urgent());
        if socket.has_input() {
            ready |= readable;
        }
        match (socket.kind, socket.domain, socket.state) {
            (Kind::Stream | Kind::SeqPacket, Domain::Unix, State::Unconnected)
            | (Kind::Stream, _, State::Unconnected | State::Disconnected) => {
                ready |= Ready::HUP | writable;
                // A failed connection is seen by readers too.
                ready.set(readable | Ready::RDHUP, socket.error.is_some() || socket.shut_read);
            }
            (_, _, State::Connecting(_)) => {}
            (_, Domain::Unix, _) => ready.set(writable, unix::writable(k, socket)),
            (_, Domain::Inet | Domain::Inet6, _) => {
                ready.set(writable, socket.shut_write || inet::writable(k, socket));
            }
            (_, Domain::Netlink, _) => ready |= writable,
        }
        ready
    }
    fn wait_keys(&self, _k: &Kernel, _id: FileId) -> Vec<WaitKey> {
        vec![WaitKey::Socket(self.socket.0), WaitKey::SocketRoom(self.socket.0)]
    }
    fn ioctl(&self, ctx: &mut Ctx<'_>, _id: FileId, request: u32, arg: Addr) -> SysResult {
        const FIONREAD: u32 = 0x541b;
        const SIOCOUTQ: u32 = 0x5411;
        const SIOCATMARK: u32 = 0x8905;
        let socket = ctx.k.net.get(self.socket)?;
        let number = match request {
            FIONREAD if socket.state == State::Listening => return Err(Errno::EINVAL.into()),
            FIONREAD => socket.readable_bytes(),
            SIOCOUTQ => {
                let peer = socket.peer.and_then(|peer| ctx.k.net.sockets.get(peer));
                if socket.domain == Domain::Unix { peer.map_or(0, |peer| peer.queued) } else { 0 }
            }
            // SIOCOUTQNSD
            0x894b if socket.is_tcp() => 0,
            SIOCATMARK if socket.kind != Kind::Stream => return Err(Errno::ENOTTY.into()),
            SIOCATMARK if socket.state == State::Listening => return Err(Errno::EINVAL.into()),
            SIOCATMARK => usize::from(socket.at_mark()),
            0x8900..=0x89ff => return interface(ctx, request, arg),
            _ => return Err(Errno::ENOTTY.into()),
        };
        ctx.write_u32(arg, u32::try_from(number).unwrap_or(u32::MAX))?;
        Ok(0)
    }
    fn release(&self, k: &mut Kernel, _id: FileId) {
        crate::net::close(k, self.socket);
        crate::net::collect_garbage(k);
    }
    fn stat(&self, k: &Kernel, _id: FileId) -> crate::vfs::Stat {
        let ino = 2 << 32 | u64::from(self.socket.0);
        match k.net.sockets.get(self.socket) {
            Some(socket) => crate::vfs::Stat::owned(ino, crate::vfs::ftype::S_IFSOCK, socket.owned),
            None => crate::vfs::Stat::anonymous(ino, crate::vfs::ftype::S_IFSOCK),
        }
    }
    fn owned<'a>(&self, k: &'a mut Kernel) -> Option<&'a mut Owned> {
        k.net.sockets.get_mut(self.socket).map(|socket| &mut socket.owned)
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        format!("socket:[{}]", self.socket.0)
    }
}

/// Requests about network interfaces (netdevice(7)). There is one: `lo`, number 1.
fn interface(ctx: &mut Ctx<'_>, request: u32, arg: Addr) -> SysResult {
    const GIFNAME: u32 = 0x8910;
    const GIFCONF: u32 = 0x8912;
    const GIFFLAGS: u32 = 0x8913;
    const SIFFLAGS: u32 = 0x8914;
    const GIFADDR: u32 = 0x8915;
    const GIFDSTADDR: u32 = 0x8917;
    const GIFBRDADDR: u32 = 0x8919;
    const GIFNETMASK: u32 = 0x891b;
    const GIFMETRIC: u32 = 0x891d;
    const GIFMTU: u32 = 0x8921;
    const GIFHWADDR: u32 = 0x8927;
    const GIFINDEX: u32 = 0x8933;
    const GIFTXQLEN: u32 = 0x8942;
    /// Bytes of `struct ifreq`.
    const IFREQ: u32 = 40;
    let sockaddr = |ip: [u8; 4]| [2, 0, 0, 0, ip[0], ip[1], ip[2], ip[3], 0, 0, 0, 0, 0, 0, 0, 0];
    if request == GIFCONF {
        let room = ctx.read_u32(arg)?;
        let buf = Addr(ctx.read_u64(arg.at(8))?);
        if !ctx.k.net.lo_up {
            // Only interfaces with an address are listed.
            ctx.write_u32(arg, 0)?;
            return Ok(0);
        }
        if buf != Addr::NULL && room >= IFREQ {
            let mut record = [0; 40];
            record[..2].copy_from_slice(b"lo");
            record[16..32].copy_from_slice(&sockaddr([127, 0, 0, 1]));
            ctx.write_user(buf, &record)?;
        }
        ctx.write_u32(arg, if buf == Addr::NULL || room >= IFREQ { IFREQ } else { 0 })?;
        return Ok(0);
    }
    if request == GIFNAME {
        if ctx.read_u32(arg.at(16))? != 1 {
            return Err(Errno::ENODEV.into());
        }
        ctx.write_user(arg, b"lo\0\0\0\0\0\0\0\0\0\0\0\0\0\0")?;
        return Ok(0);
    }
    let mut name = [0; 16];
    ctx.read_user(arg, &mut name)?;
    if !name.starts_with(b"lo\0") {
        return Err(Errno::ENODEV.into());
    }
    let word = |value: u32| {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let up = ctx.k.net.lo_up;
    let answer = match request {
        GIFFLAGS => word(if up { LO_FLAGS } else { IFF_LOOPBACK }),
        SIFFLAGS => return set_flags(ctx, arg),
        GIFADDR | GIFDSTADDR | GIFBRDADDR | GIFNETMASK if !up => return Err(Errno::EADDRNOTAVAIL.into()),
        GIFADDR | GIFDSTADDR => sockaddr([127, 0, 0, 1]),
        GIFBRDADDR => sockaddr([0; 4]),
        GIFNETMASK => sockaddr([255, 0, 0, 0]),
        GIFMETRIC => word(0),
        GIFMTU => word(LO_MTU),
        GIFHWADDR => word(772),
        GIFINDEX => word(1),
        GIFTXQLEN => word(1000),
        _ => {
            let at = format!("task {}", ctx.tid.0);
            ctx.k.gap(format!("socket ioctl {request:#x}"), at);
            return Err(Errno::EPERM.into());
        }
    };
    let take = if matches!(request, GIFFLAGS) {
        2
    } else if answer[0] == 2 && answer[1] == 0 {
        16
    } else {
        4
    };
    let take = if request == GIFHWADDR { 16 } else { take };
    ctx.write_user(arg.at(16), &answer[..take])?;
    Ok(0)
}

const IFF_LOOPBACK: u32 = 8;

/// SIOCSIFFLAGS: of its flags, `lo` can be told to come up.
fn set_flags(ctx: &mut Ctx<'_>, arg: Addr) -> SysResult {
    const CAP_NET_ADMIN: u64 = 1 << 12;
    const IFF_UP: u32 = 1;
    if ctx.task().creds.cap_effective & CAP_NET_ADMIN == 0 {
        return Err(Errno::EPERM.into());
    }
    let flags = ctx.read_u32(arg.at(16))? & 0xffff;
    if ctx.k.net.lo_up && flags & IFF_UP == 0 {
        return Err(Stop::Unsupported("taking lo down"));
    }
    if flags & !LO_FLAGS != 0 {
        return Err(Stop::Unsupported("flags of lo besides IFF_UP"));
    }
    ctx.k.net.lo_up |= flags & IFF_UP != 0;
    Ok(0)
}

/// Makes the inode that a UNIX socket is bound to. `EADDRINUSE` if the name exists.
pub(crate) fn make_inode(ctx: &mut Ctx<'_>, id: SocketId, path: &[u8]) -> Result<InodeId, Stop> {
    let mode = ctx.k.net.get(id)?.owned.mode;
    let parent = resolve_parent(ctx, DirFd::CWD, path)?;
    let loc = create_new(ctx, &parent, Making::Socket, mode).map_err(|errno| match errno {
        Errno::EEXIST => Errno::EADDRINUSE,
        other => other,
    })?;
    Ok(ctx.k.vfs.inode_at(loc))
}

/// The inode a path leads to, with the right to write to it. `ECONNREFUSED` if it is no socket.
pub(crate) fn find_inode(ctx: &mut Ctx<'_>, path: &[u8]) -> Result<InodeId, Stop> {
    let loc = resolve(ctx, DirFd::CWD, path, Resolve::FOLLOW)?;
    let inode = ctx.k.vfs.inode_at(loc);
    permission(ctx, inode, MAY_WRITE)?;
    match ctx.k.vfs.inode(inode).kind {
        InodeKind::Socket => Ok(inode),
        _ => Err(Errno::ECONNREFUSED.into()),
    }
}
