//! UNIX sockets: names, connections, messages.

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::net::addr::{Address, UnixName};
use crate::net::{Kind, Message, Socket, SocketId, State, Ucred, wake_all, wake_readers};
use crate::task::wait::WaitKey;

/// Datagrams a socket holds before senders must wait (/proc/sys/net/unix/max_dgram_qlen).
const MAX_DGRAM_QUEUE: usize = 10;

/// `bind(2)`
pub(crate) fn bind(ctx: &mut Ctx<'_>, id: SocketId, name: UnixName) -> Result<(), Stop> {
    let bound = ctx.k.net.get(id)?.local.is_some();
    let name = match name {
        UnixName::Unnamed if bound => return Ok(()),
        UnixName::Unnamed => {
            let name = ctx.k.net.next_auto_name();
            ctx.k.net.abstract_names.insert(name.clone(), id);
            UnixName::Abstract(name)
        }
        UnixName::Abstract(name) => {
            if bound {
                return Err(Errno::EINVAL.into());
            }
            if ctx.k.net.abstract_names.contains_key(&name) {
                return Err(Errno::EADDRINUSE.into());
            }
            ctx.k.net.abstract_names.insert(name.clone(), id);
            UnixName::Abstract(name)
        }
        UnixName::Path(path) => {
            if bound {
                // The name is made before it turns out that there is one already.
                return Err(match crate::file::socket::find_inode(ctx, &path) {
                    Err(Stop::Errno(Errno::ENOENT)) => Errno::EINVAL.into(),
                    Ok(_) | Err(Stop::Errno(Errno::EACCES | Errno::ECONNREFUSED)) => Errno::EADDRINUSE.into(),
                    Err(stop) => stop,
                });
            }
            let inode = crate::file::socket::make_inode(ctx, id, &path)?;
            ctx.k.net.inodes.insert(inode, id);
            UnixName::Path(path)
        }
    };
    ctx.k.net.get_mut(id)?.local = Some(Address::Unix(name));
    Ok(())
}

/// The socket with a name, of the kind of `of`. `ECONNREFUSED`, `EPROTOTYPE`.
fn find(ctx: &mut Ctx<'_>, of: SocketId, name: &UnixName) -> Result<SocketId, Stop> {
    let found = match name {
        UnixName::Unnamed => return Err(Errno::EINVAL.into()),
        UnixName::Abstract(name) => {
            let found = ctx.k.net.abstract_names.get(name).copied();
            if let Some(other) = found.and_then(|id| ctx.k.net.sockets.get(id)) {
                let scope = crate::landlock::SCOPE_ABSTRACT;
                crate::landlock::check_scope(&ctx.task().landlock, &other.landlock, scope)?;
            }
            found
        }
        UnixName::Path(path) => {
            let inode = crate::file::socket::find_inode(ctx, path)?;
            ctx.k.net.inodes.get(&inode).copied()
        }
    };
    let found = found.filter(|id| ctx.k.net.sockets.contains(*id)).ok_or(Errno::ECONNREFUSED)?;
    if ctx.k.net.get(found)?.kind != ctx.k.net.get(of)?.kind {
        return Err(Errno::EPROTOTYPE.into());
    }
    Ok(found)
}

/// `connect(2)`; `nonblock` says not to wait for room in the backlog.
pub(crate) fn connect(ctx: &mut Ctx<'_>, id: SocketId, name: &UnixName, wait: Waits) -> Result<(), Stop> {
    let socket = ctx.k.net.get(id)?;
    let kind = socket.kind;
    if kind == Kind::Dgram {
        let target = find(ctx, id, name)?;
        if ctx.k.net.get(target)?.peer.is_some_and(|peer| peer != id) {
            return Err(Errno::EPERM.into());
        }
        let old = ctx.k.net.get(id)?.peer;
        if let Some(old) = old {
            ctx.k.net.dgram_peers.remove(&(old, id));
        }
        ctx.k.net.dgram_peers.insert((target, id));
        let remote = ctx.k.net.get(target)?.local.clone();
        let socket = ctx.k.net.get_mut(id)?;
        socket.peer = Some(target);
        socket.remote = remote;
        socket.state = State::Connected;
        return Ok(());
    }
    let state = socket.state;
    let listener_id = find(ctx, id, name)?;
    let listener = ctx.k.net.get(listener_id)?;
    if listener.state != State::Listening || listener.shut_read {
        return Err(Errno::ECONNREFUSED.into());
    }
    if listener.accept_queue.len() > listener.backlog {
        return Err(wait.stop(ctx, vec![WaitKey::SocketRoom(listener_id.0)]));
    }
    match state {
        State::Unconnected => {}
        State::Listening => return Err(Errno::EINVAL.into()),
        _ => return Err(Errno::EISCONN.into()),
    }
    let (local, listener_owner) = (listener.local.clone(), listener.owner);
    let me = ucred(ctx);
    let socket = ctx.k.net.get_mut(id)?;
    let mut child = Socket::new(socket.domain, kind, 0, listener_owner);
    child.opts.inherit(&ctx.k.net.get(listener_id)?.opts);
    let socket = ctx.k.net.get_mut(id)?;
    child.state = State::Connected;
    child.local = local.clone();
    child.remote = socket.local.clone();
    child.peer = Some(id);
    child.peer_creds = Some(me);
    socket.state = State::Connected;
    socket.remote = local;
    socket.peer_creds = Some(listener_owner);
    let child = ctx.k.net.sockets.insert(child);
    ctx.k.net.get_mut(id)?.peer = Some(child);
    ctx.k.net.get_mut(listener_id)?.accept_queue.push_back(child);
    wake_readers(ctx.k, listener_id);
    wake_all(ctx.k, id);
    Ok(())
}

/// Whether and how long a call may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waits {
    /// Not at all: `EAGAIN`.
    pub(crate) nonblock: bool,
    /// At most so long, in ns (SO_RCVTIMEO, SO_SNDTIMEO); 0 for no limit.
    pub(crate) limit_ns: u64,
}

impl Waits {
    /// How the call stops when it cannot go on until one of `keys`.
    pub(crate) fn stop(self, ctx: &mut Ctx<'_>, keys: Vec<WaitKey>) -> Stop {
        use crate::task::wait::{OnSignal, Wait};
        if self.nonblock {
            return Errno::EAGAIN.into();
        }
        if self.limit_ns == 0 {
            return Stop::Block(Wait::any(keys, None, OnSignal::Restart));
        }
        let timeout = crate::calls::poll::Timeout::after(ctx, Some(self.limit_ns));
        if timeout.over(ctx) {
            return Errno::EAGAIN.into();
        }
        // signal(7): a call on a socket with a timeout is never restarted.
        Stop::Block(Wait::any(keys, timeout.until(), OnSignal::Eintr))
    }
}

/// The caller's credentials as SCM_CREDENTIALS shows them.
pub(crate) fn ucred(ctx: &Ctx<'_>) -> Ucred {
    let task = ctx.task();
    Ucred { pid: task.group.0, uid: task.creds.uid[1], gid: task.creds.gid[1] }
}

/// Sends bytes with files and credentials along; how many were taken. The files' references pass to the message only if
/// something was taken.
pub(crate) fn send(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    data: &[u8],
    to: Option<&UnixName>,
    along: (&[crate::file::FileId], Ucred),
    wait: Waits,
) -> Result<usize, Stop> {
    let socket = ctx.k.net.get(id)?;
    let (kind, state, sndbuf) = (socket.kind, socket.state, socket.opts.sndbuf);
    if kind == Kind::Dgram && socket.shut_write {
        return Err(Errno::EPIPE.into());
    }
    let target = match to {
        // A connection of messages does not look at the name.
        Some(_) if kind == Kind::Stream => {
            return Err(if state == State::Connected { Errno::EISCONN } else { Errno::EOPNOTSUPP }.into());
        }
        Some(name) if kind == Kind::Dgram => find(ctx, id, name)?,
        _ => match socket.peer {
            Some(peer) => peer,
            None => return Err(Errno::ENOTCONN.into()),
        },
    };
    let socket = ctx.k.net.get(id)?;
    if socket.shut_write {
        return Err(Errno::EPIPE.into());
    }
    let Some(receiver) = ctx.k.net.sockets.get(target) else {
        return Err(if kind == Kind::Dgram { Errno::ECONNREFUSED } else { Errno::EPIPE }.into());
    };
    if receiver.shut_read {
        return Err(Errno::EPIPE.into());
    }
    if kind == Kind::Dgram && receiver.peer.is_some_and(|peer| peer != id) {
        return Err(Errno::EPERM.into());
    }
    if kind != Kind::Stream && data.len() > sndbuf.saturating_sub(32) {
        return Err(Errno::EMSGSIZE.into());
    }
    let room = match kind {
        Kind::Dgram => receiver.queue.len() <= MAX_DGRAM_QUEUE || target == id,
        Kind::Stream | Kind::SeqPacket => receiver.queued < sndbuf,
    };
    if !room {
        return Err(wait.stop(ctx, vec![WaitKey::SocketRoom(id.0), WaitKey::SocketRoom(target.0)]));
    }
    let take = if kind == Kind::Stream {
        data.len().min(sndbuf.saturating_sub(receiver.queued).max(1))
    } else {
        data.len()
    };
    let mut message = Message::new(data[..take].to_vec(), socket.local.clone(), id, along.1);
    message.files = along.0.to_vec();
    ctx.k.net.in_flight += along.0.len();
    ctx.k.net.get_mut(target)?.push(message);
    wake_readers(ctx.k, target);
    Ok(take)
}

/// Whether a poll says that the socket can be written to.
pub(crate) fn writable(k: &crate::kernel::Kernel, socket: &Socket) -> bool {
    let Some(peer) = socket.peer.and_then(|peer| k.net.sockets.get(peer)) else { return true };
    match socket.kind {
        Kind::Dgram => peer.queue.len() <= MAX_DGRAM_QUEUE,
        // Linux: at most a quarter of the buffer is used (unix_writable).
        Kind::Stream | Kind::SeqPacket => peer.queued.saturating_mul(4) <= socket.opts.sndbuf,
    }
}

/// Two sockets connected to each other.
pub(crate) fn pair(ctx: &mut Ctx<'_>, kind: Kind) -> Result<(SocketId, SocketId), Errno> {
    let me = ucred(ctx);
    let mut first = Socket::new(crate::net::Domain::Unix, kind, 0, me);
    first.state = State::Connected;
    first.peer_creds = Some(me);
    let second = first.clone();
    let a = ctx.k.net.sockets.insert(first);
    let b = ctx.k.net.sockets.insert(second);
    ctx.k.net.get_mut(a)?.peer = Some(b);
    ctx.k.net.get_mut(b)?.peer = Some(a);
    if kind == Kind::Dgram {
        ctx.k.net.dgram_peers.insert((a, b));
        ctx.k.net.dgram_peers.insert((b, a));
    }
    Ok((a, b))
}
