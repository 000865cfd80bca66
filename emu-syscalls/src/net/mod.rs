//! Sockets of the guest: UNIX, TCP and UDP over loopback, route netlink.
//!
//! Key types: [`Socket`], [`Net`], [`Message`]. Loopback needs no packets: what one socket sends lies in the receive queue
//! of another. Neighbours: `file/socket.rs` makes a socket an open file, `calls/socket.rs` decodes the calls.
//!
//! **Invariant**: a socket names others by id only, and ids are never used twice, so a socket that was closed is simply
//! not found. Open files in messages hold references; [`collect_garbage`] finds cycles of them.

use std::collections::BTreeSet;

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::file::{File, FileId, NextRead};
use crate::kernel::{Kernel, Network};
use crate::task::wait::WaitKey;
use crate::vfs::InodeId;
use crate::vfs::stat::Owned;

pub mod addr;
pub mod control;
pub mod diag;
pub mod errqueue;
pub mod inet;
mod kept;
pub mod multicast;
pub mod netlink;
pub mod option;
pub mod packet;
pub mod transfer;
pub mod unix;

use addr::{Address, UnixName};
use packet::Packet;

id! {
    /// A socket.
    SocketId;
}

/// Address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    /// AF_UNIX
    Unix,
    /// AF_INET
    Inet,
    /// AF_INET6
    Inet6,
    /// AF_NETLINK
    Netlink,
}

/// Kind of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SOCK_STREAM
    Stream,
    /// SOCK_DGRAM (and SOCK_RAW for netlink)
    Dgram,
    /// SOCK_SEQPACKET
    SeqPacket,
}

/// What a socket is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Neither connected nor listening.
    Unconnected,
    /// Takes connections.
    Listening,
    /// Waits for room in the backlog of this socket.
    Connecting(SocketId),
    /// Has a peer (for datagrams: a default one).
    Connected,
    /// Had a peer, and was reset.
    Disconnected,
}

/// Process, user and group of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ucred {
    /// Process.
    pub pid: u32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Whether a byte is urgent (MSG_OOB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Urgent {
    /// It is not.
    #[default]
    No,
    /// It is, and was not read out of band yet.
    Pending,
    /// It was read out of band: only its place in the stream is left.
    Read,
}

/// Bytes on their way, with what goes along.
#[derive(Debug, Clone)]
pub struct Message {
    /// The bytes.
    pub data: Vec<u8>,
    /// How many of them were read.
    pub start: usize,
    /// Where from, as the receiver sees it.
    pub from: Option<Address>,
    /// The sending socket.
    pub sender: SocketId,
    /// Open files that go along (SCM_RIGHTS); each is a reference.
    pub files: Vec<FileId>,
    /// Who sent it.
    pub creds: Ucred,
    /// What its header said.
    pub packet: Packet,
    /// Whether it is an urgent byte.
    pub urgent: Urgent,
}

impl Message {
    /// Bytes with nothing along but their sender's credentials.
    #[must_use]
    pub fn new(data: Vec<u8>, from: Option<Address>, sender: SocketId, creds: Ucred) -> Self {
        let packet = Packet::default();
        Message { data, start: 0, from, sender, files: Vec::new(), creds, packet, urgent: Urgent::No }
    }
}

/// A socket.
#[derive(Debug, Clone)]
pub struct Socket {
    /// Family.
    pub domain: Domain,
    /// Kind.
    pub kind: Kind,
    /// SOCK_* number, as SO_TYPE gives it.
    pub type_number: i32,
    /// IPPROTO_* or NETLINK_* number.
    pub protocol: i32,
    /// State.
    pub state: State,
    /// Set by a non-blocking connect until somebody asks again.
    pub connect_in_progress: bool,
    /// Own name.
    pub local: Option<Address>,
    /// The own address was chosen by bind(2), and stays when the socket is disconnected.
    pub fixed_addr: bool,
    /// So was the port.
    pub fixed_port: bool,
    /// The other's name.
    pub remote: Option<Address>,
    /// The other.
    pub peer: Option<SocketId>,
    /// Nothing more will come.
    pub shut_read: bool,
    /// Nothing more may be sent.
    pub shut_write: bool,
    /// Error to be reported once.
    pub error: Option<Errno>,
    /// Reports about what was sent (MSG_ERRQUEUE).
    pub errors: persist::Vector<errqueue::Report>,
    /// Number of the next MSG_ZEROCOPY.
    pub zerocopies: u32,
    /// What arrived.
    pub queue: persist::Vector<Message>,
    /// What it takes, in bytes with overhead.
    pub queued: usize,
    /// Length of the queue of connections.
    pub backlog: usize,
    /// Connections not accepted yet.
    pub accept_queue: persist::Vector<SocketId>,
    /// Sockets that wait for room in the backlog.
    pub waiting: persist::Vector<SocketId>,
    /// Permission bits and owner.
    pub owned: Owned,
    /// Credentials of the one who made it (or listens).
    pub owner: Ucred,
    /// Credentials of the peer when the connection was made.
    pub peer_creds: Option<Ucred>,
    /// Landlock domain of the one who made it.
    pub landlock: crate::landlock::TaskDomain,
    /// What `MSG_MORE` holds back, and for whom if it is a datagram.
    pub held: Vec<u8>,
    /// See [`Socket::held`].
    pub held_to: Option<Address>,
    /// Options.
    pub opts: option::Options,
}

/// All sockets.
#[derive(Debug, Clone, Default)]
pub struct Net {
    /// By id.
    pub sockets: Arena<SocketId, Socket>,
    /// Abstract UNIX names.
    pub abstract_names: persist::OrdMap<Vec<u8>, SocketId>,
    /// UNIX sockets bound to inodes.
    pub inodes: persist::OrdMap<InodeId, SocketId>,
    /// Bound ports: protocol (6, 17, 136), port, socket.
    pub ports: persist::OrdSet<(i32, u16, SocketId)>,
    /// Raw internet sockets.
    pub raw: persist::OrdSet<SocketId>,
    /// UNIX datagram sockets connected to another: (to, from).
    pub dgram_peers: persist::OrdSet<(SocketId, SocketId)>,
    /// Open files in messages.
    pub in_flight: usize,
    /// Whether `lo` is up; until it is, it has no address.
    pub lo_up: bool,
    next_port: u16,
    next_auto: u32,
}

/// Overhead that a message is charged besides its bytes (Linux: SKB_TRUESIZE).
const OVERHEAD: usize = 768;

impl Socket {
    /// A fresh socket.
    #[must_use]
    pub fn new(domain: Domain, kind: Kind, protocol: i32, owner: Ucred) -> Self {
        let type_number = match kind {
            Kind::Stream => 1,
            Kind::Dgram => 2,
            Kind::SeqPacket => 5,
        };
        Socket {
            domain,
            kind,
            type_number,
            protocol,
            state: State::Unconnected,
            connect_in_progress: false,
            owned: Owned { mode: 0o777, uid: owner.uid, gid: owner.gid },
            local: None,
            fixed_addr: false,
            fixed_port: false,
            remote: None,
            peer: None,
            shut_read: false,
            shut_write: false,
            error: None,
            errors: persist::Vector::new(),
            zerocopies: 0,
            queue: persist::Vector::new(),
            queued: 0,
            backlog: 0,
            accept_queue: persist::Vector::new(),
            waiting: persist::Vector::new(),
            owner,
            peer_creds: None,
            landlock: None,
            held: Vec::new(),
            held_to: None,
            opts: option::Options::new(domain, kind),
        }
    }
    /// Whether bytes have no borders between them.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.kind == Kind::Stream
    }
    /// Whether it is TCP.
    #[must_use]
    pub fn is_tcp(&self) -> bool {
        self.is_stream() && self.is_inet()
    }
    /// Whether it is of an internet family.
    #[must_use]
    pub fn is_inet(&self) -> bool {
        matches!(self.domain, Domain::Inet | Domain::Inet6)
    }
    /// Takes the error to be reported.
    pub fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }
    /// Puts a message into the receive queue.
    pub fn push(&mut self, message: Message) {
        if self.is_stream()
            && message.files.is_empty()
            && message.urgent == Urgent::No
            && let Some(last) = self.queue.back_mut()
            && last.files.is_empty()
            && last.urgent == Urgent::No
            && last.creds == message.creds
            && last.data.len() + message.data.len() <= 65536
        {
            self.queued += message.data.len();
            last.data.extend_from_slice(&message.data);
            return;
        }
        self.queued += message.data.len() + OVERHEAD;
        self.queue.push_back(message);
    }
    /// Takes the first message off the queue.
    pub fn pop(&mut self) -> Option<Message> {
        let message = self.queue.pop_front()?;
        self.queued = self.queued.saturating_sub(message.data.len() + OVERHEAD);
        Some(message)
    }
    /// Bytes that can be read at once: a stream's up to the urgent mark, the first datagram.
    #[must_use]
    pub fn readable_bytes(&self) -> usize {
        let take = if self.is_stream() { usize::MAX } else { 1 };
        // A mark at the front is passed by the read.
        let passed = usize::from(!self.inline_urgent() && self.at_mark());
        let plain = |message: &&Message| self.inline_urgent() || message.urgent == Urgent::No;
        let pieces = self.queue.iter().take(take).skip(passed).take_while(plain);
        pieces.map(|message| message.data.len() - message.start).sum()
    }
    /// How many bytes a send copies from user memory at a time: a datagram whole, a stream a buffer's worth.
    pub(crate) fn write_piece(&self) -> usize {
        if self.is_stream() { 32 << 10 } else { usize::MAX }
    }
    /// Which message a look that begins so many bytes behind the front of the queue meets, and where in its data.
    pub(crate) fn look_at(&self, mut behind: usize) -> Option<(usize, usize)> {
        for (index, message) in self.queue.iter().enumerate() {
            let len = message.data.len() - message.start;
            if behind < len || behind == 0 {
                return Some((index, message.start + behind));
            }
            behind -= len;
        }
        None
    }
    /// Whether each side of a TCP connection said that it sends no more: this one, the other one.
    pub(crate) fn fins(&self, net: &Net) -> (bool, bool) {
        let other = self.peer.and_then(|peer| net.sockets.get(peer));
        (self.shut_write, other.is_none_or(|other| other.shut_write))
    }
    /// Whether it is a TCP connection that both sides ended: for Linux it is closed.
    pub(crate) fn ended(&self, net: &Net) -> bool {
        self.is_tcp() && self.state == State::Connected && self.fins(net) == (true, true)
    }
    /// What a read copies to user memory first: of a stream what came in one piece, which stays if it cannot be copied.
    pub(crate) fn next_read(&self) -> NextRead {
        if !self.is_stream() {
            return NextRead::Message;
        }
        let first = self.queue.front().filter(|_| self.has_input());
        NextRead::Piece(first.map_or(0, |message| message.data.len() - message.start))
    }
    /// Whether it is a raw internet socket.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.is_inet() && self.type_number == 3
    }
    /// Whether urgent bytes stay in the stream (SO_OOBINLINE).
    #[must_use]
    pub fn inline_urgent(&self) -> bool {
        self.opts.stored(1, 10) != 0
    }
    /// Whether the next byte of the stream is the urgent one (SIOCATMARK).
    #[must_use]
    pub fn at_mark(&self) -> bool {
        self.queue.front().is_some_and(|message| message.urgent != Urgent::No)
    }
    /// Whether a read has something to take.
    #[must_use]
    pub fn has_input(&self) -> bool {
        match self.queue.len() {
            0 => false,
            1 => self.inline_urgent() || !self.at_mark(),
            _ => true,
        }
    }
    /// Whether urgent data waits to be read out of band (POLLPRI).
    #[must_use]
    pub fn has_urgent(&self) -> bool {
        self.queue.iter().any(|message| message.urgent == Urgent::Pending)
    }
    /// Adds an urgent byte; one that was there before becomes ordinary.
    pub fn push_urgent(&mut self, byte: u8, from: Option<Address>, sender: SocketId, creds: Ucred) {
        for message in self.queue.iter_mut().filter(|message| message.urgent == Urgent::Pending) {
            message.urgent = Urgent::No;
        }
        // What was read out of band already is not in the stream any more.
        let read: usize =
            self.queue.iter().filter(|m| m.urgent == Urgent::Read).map(|m| m.data.len() + OVERHEAD).sum();
        self.queue.retain(|message| message.urgent != Urgent::Read);
        self.queued = self.queued.saturating_sub(read);
        let mut message = Message::new(vec![byte], from, sender, creds);
        message.urgent = Urgent::Pending;
        self.push(message);
    }
}

impl Net {
    /// No sockets.
    #[must_use]
    pub fn new(network: Network) -> Self {
        Net { lo_up: network == Network::Loopback, ..Net::default() }
    }
    /// The next number of an automatic abstract name.
    pub fn next_auto_name(&mut self) -> Vec<u8> {
        loop {
            let name = format!("{:05x}", self.next_auto & 0xf_ffff).into_bytes();
            self.next_auto = self.next_auto.wrapping_add(1);
            if !self.abstract_names.contains_key(&name) {
                return name;
            }
        }
    }
    /// The next ephemeral port to try.
    pub fn next_port(&mut self) -> u16 {
        const FIRST: u16 = 32768;
        const LAST: u16 = 60999;
        self.next_port = if (FIRST..LAST).contains(&self.next_port) { self.next_port + 1 } else { FIRST };
        self.next_port
    }
    /// A socket. `EBADF` if it is gone.
    pub fn get(&self, id: SocketId) -> Result<&Socket, Errno> {
        self.sockets.get(id).ok_or(Errno::EBADF)
    }
    /// A socket, to be changed.
    pub fn get_mut(&mut self, id: SocketId) -> Result<&mut Socket, Errno> {
        self.sockets.get_mut(id).ok_or(Errno::EBADF)
    }
}

/// Something about a socket changed for readers.
pub fn wake_readers(k: &mut Kernel, id: SocketId) {
    k.wake(WaitKey::Socket(id.0));
}

/// Sends what a stream held back (`MSG_MORE`).
pub fn flush_held(k: &mut Kernel, id: SocketId) {
    let Some(socket) = k.net.sockets.get_mut(id) else { return };
    if socket.held.is_empty() || socket.kind == Kind::Dgram {
        return;
    }
    let data = std::mem::take(&mut socket.held);
    let (peer, from) = (socket.peer, socket.local.clone());
    let Some(peer) = peer else { return };
    let Some(state) = k.net.sockets.get_mut(peer) else { return };
    state.push(Message::new(data, from, id, Ucred::default()));
    wake_readers(k, peer);
}

/// A socket may send again.
pub fn wake_writers(k: &mut Kernel, id: SocketId) {
    k.wake(WaitKey::SocketRoom(id.0));
}

/// Anything about a socket changed.
pub fn wake_all(k: &mut Kernel, id: SocketId) {
    wake_readers(k, id);
    wake_writers(k, id);
}

/// After something was taken from the queue of `id`: those who send to it may have room.
pub fn drained(k: &mut Kernel, id: SocketId, senders: &[SocketId]) {
    let Some(socket) = k.net.sockets.get(id) else { return };
    match socket.kind {
        Kind::Stream | Kind::SeqPacket => {
            if let Some(peer) = socket.peer {
                wake_writers(k, peer);
            }
        }
        Kind::Dgram => {
            wake_writers(k, id);
            let connected = k.net.dgram_peers.range((id, SocketId(0))..).take_while(|(to, _)| *to == id);
            let mut all: Vec<SocketId> = connected.map(|(_, from)| *from).collect();
            all.extend_from_slice(senders);
            all.sort_unstable();
            all.dedup();
            for sender in all {
                wake_writers(k, sender);
            }
        }
    }
}

/// Drops messages with the files in them.
pub fn discard(k: &mut Kernel, messages: persist::Vector<Message>) {
    for message in messages {
        for file in message.files {
            k.net.in_flight = k.net.in_flight.saturating_sub(1);
            crate::file::fdtable::put_file(k, file);
        }
    }
}

/// The last reference to a socket is gone.
pub fn close(k: &mut Kernel, id: SocketId) {
    flush_held(k, id);
    let Some(mut socket) = k.net.sockets.remove(id) else { return };
    forget_name(k, id, &socket);
    for child in socket.accept_queue.clone() {
        close(k, child);
    }
    for client in socket.waiting.clone() {
        if let Some(client_socket) = k.net.sockets.get_mut(client) {
            client_socket.state = State::Unconnected;
            client_socket.error = Some(Errno::ECONNREFUSED);
            wake_all(k, client);
        }
    }
    if let State::Connecting(listener) = socket.state
        && let Some(listener) = k.net.sockets.get_mut(listener)
    {
        listener.waiting.retain(|waiting| *waiting != id);
    }
    if let Some(peer_id) = socket.peer {
        k.net.dgram_peers.remove(&(peer_id, id));
        if socket.kind != Kind::Dgram {
            part(k, id, &socket, peer_id);
        }
    }
    let messages = std::mem::take(&mut socket.queue);
    discard(k, messages);
    wake_all(k, id);
}

/// Ends what a stream socket was doing, as a reset does: the peer sees it, what arrived is dropped.
pub fn abandon(k: &mut Kernel, id: SocketId) {
    let Some(socket) = k.net.sockets.get_mut(id) else { return };
    let children = std::mem::take(&mut socket.accept_queue);
    let waiting = std::mem::take(&mut socket.waiting);
    let messages = std::mem::take(&mut socket.queue);
    socket.queued = 0;
    let peer = socket.peer.take();
    for child in children {
        close(k, child);
    }
    for client in waiting {
        if let Some(client_socket) = k.net.sockets.get_mut(client) {
            client_socket.state = State::Unconnected;
            client_socket.error = Some(Errno::ECONNREFUSED);
            wake_all(k, client);
        }
    }
    discard(k, messages);
    if let Some(peer_id) = peer
        && let Some(peer) = k.net.sockets.get_mut(peer_id)
        && peer.peer == Some(id)
    {
        peer.error = Some(Errno::ECONNRESET);
        peer.state = State::Disconnected;
        (peer.shut_read, peer.shut_write) = (true, true);
        wake_all(k, peer_id);
    }
}

/// What the peer of a connection sees when `socket` is closed.
fn part(k: &mut Kernel, id: SocketId, socket: &Socket, peer_id: SocketId) {
    let unread = !socket.queue.is_empty();
    let tcp = socket.is_tcp();
    let abort = socket.opts.linger == (1, 0) && tcp;
    let Some(peer) = k.net.sockets.get_mut(peer_id) else { return };
    if peer.peer != Some(id) {
        return;
    }
    peer.shut_read = true;
    if !tcp {
        peer.shut_write = true;
        if unread {
            peer.error = Some(Errno::ECONNRESET);
        }
    } else if unread || abort {
        peer.shut_write = true;
        peer.error = Some(Errno::ECONNRESET);
        peer.state = State::Disconnected;
    }
    wake_all(k, peer_id);
}

/// Frees the name of a socket.
fn forget_name(k: &mut Kernel, id: SocketId, socket: &Socket) {
    match &socket.local {
        Some(Address::Unix(UnixName::Abstract(name))) if k.net.abstract_names.get(name) == Some(&id) => {
            k.net.abstract_names.remove(name);
        }
        Some(Address::Unix(UnixName::Path(_))) => {
            let bound = k.net.inodes.iter().find(|(_, socket)| **socket == id).map(|(inode, _)| *inode);
            if let Some(inode) = bound {
                k.net.inodes.remove(&inode);
            }
        }
        Some(Address::Ip(..)) if socket.is_raw() => {
            k.net.raw.remove(&id);
        }
        Some(Address::Ip(_, port)) => {
            k.net.ports.remove(&(socket.protocol, *port, id));
        }
        _ => {}
    }
}

/// `shutdown(2)` on a connected socket.
pub fn shut(k: &mut Kernel, id: SocketId, read: bool, write: bool) {
    let Some(socket) = k.net.sockets.get_mut(id) else { return };
    socket.shut_read |= read;
    socket.shut_write |= write;
    let (tcp, peer) = (socket.is_tcp(), socket.peer.filter(|_| socket.kind != Kind::Dgram));
    if let Some(peer_id) = peer
        && let Some(peer) = k.net.sockets.get_mut(peer_id)
    {
        peer.shut_read |= write;
        // A TCP peer is not told that nobody reads.
        peer.shut_write |= read && !tcp;
        wake_all(k, peer_id);
    }
    wake_all(k, id);
}

/// Empties the queues of sockets that can be reached from no descriptor: they hang on each other through messages.
pub fn collect_garbage(k: &mut Kernel) {
    if k.net.in_flight == 0 {
        return;
    }
    let mut in_messages = std::collections::BTreeMap::<FileId, u32>::new();
    for (_, socket) in k.net.sockets.iter() {
        for file in socket.queue.iter().flat_map(|message| &message.files) {
            *in_messages.entry(*file).or_default() += 1;
        }
    }
    let socket_of = |file: FileId| match k.files.get(file).map(|file| &file.kind) {
        Some(File::Socket(file)) => Some(file.socket),
        _ => None,
    };
    let mut reached = BTreeSet::new();
    let mut todo: Vec<SocketId> = Vec::new();
    for (file, open) in k.files.iter() {
        if let File::Socket(socket) = &open.kind
            && open.refs > in_messages.get(&file).copied().unwrap_or(0)
        {
            todo.push(socket.socket);
        }
    }
    while let Some(id) = todo.pop() {
        let Some(socket) = k.net.sockets.get(id).filter(|_| reached.insert(id)) else { continue };
        todo.extend(socket.accept_queue.iter().copied());
        todo.extend(socket.queue.iter().flat_map(|m| &m.files).filter_map(|file| socket_of(*file)));
    }
    let lost: Vec<SocketId> =
        in_messages.keys().filter_map(|file| socket_of(*file)).filter(|id| !reached.contains(id)).collect();
    for id in lost {
        let queue = k.net.sockets.get_mut(id).map(|socket| std::mem::take(&mut socket.queue));
        if let Some(queue) = queue {
            discard(k, queue);
        }
    }
}
