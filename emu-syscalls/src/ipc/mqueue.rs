//! POSIX message queues (mq_overview(7)).

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::{FileId, FileOps, Ready};
use crate::ipc::{MqId, Perm};
use crate::kernel::Kernel;
use crate::net::addr::Address;
use crate::net::{Message, SocketId, Ucred, wake_readers};
use crate::seam::Host;
use crate::task::GroupId;
use crate::task::wait::WaitKey;

/// A queue.
#[derive(Debug, Clone)]
pub struct MQueue {
    /// Owner and rights.
    pub perm: Perm,
    /// Messages: priority and bytes, highest priority first, then oldest.
    pub messages: persist::Vector<(u32, Vec<u8>)>,
    /// Messages it may hold.
    pub max_messages: usize,
    /// Bytes in a message.
    pub max_size: usize,
    /// Open files and its name.
    pub refs: u32,
    /// Who is told of the next message, and how.
    pub notify: Option<(GroupId, Tell)>,
}

/// How a process is told of a message (mq_notify(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// Not at all.
    Nothing,
    /// By a signal with a value.
    Signal(u8, u64),
    /// By a cookie through a netlink socket, from which the C library's thread reads.
    Cookie(SocketId, [u8; 32]),
}

/// What the last byte of the cookie becomes: a message came.
pub const NOTIFY_WOKENUP: u8 = 1;
/// The notification was removed.
pub const NOTIFY_REMOVED: u8 = 2;

/// Sends a cookie with its last byte saying why.
pub fn send_cookie(k: &mut Kernel, socket: SocketId, cookie: [u8; 32], why: u8) {
    let Some(state) = k.net.sockets.get_mut(socket) else { return };
    let mut data = cookie.to_vec();
    data[31] = why;
    let from = Some(Address::Netlink(0, 0));
    state.push(Message::new(data, from, socket, Ucred::default()));
    wake_readers(k, socket);
}

impl MQueue {
    /// Adds a message behind those of its priority.
    pub fn push(&mut self, priority: u32, data: Vec<u8>) {
        let at = self.messages.iter().position(|(p, _)| *p < priority).unwrap_or(self.messages.len());
        self.messages.insert(at, (priority, data));
    }
}

/// What a task waits for at a queue.
#[must_use]
pub fn key(id: MqId) -> WaitKey {
    WaitKey::Ipc(0xc000_0000 | id.0)
}

/// Drops one reference; the last one destroys the queue.
pub fn put(k: &mut Kernel, id: MqId) {
    let Some(queue) = k.ipc.mqueues.get_mut(id) else { return };
    queue.refs = queue.refs.saturating_sub(1);
    if queue.refs == 0 {
        k.ipc.mqueues.remove(id);
    }
}

/// A queue as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MqFile {
    /// Which.
    pub queue: MqId,
}

impl FileOps for MqFile {
    fn read(&self, ctx: &mut Ctx<'_>, _id: FileId, max: usize, pos: u64) -> Result<Vec<u8>, Stop> {
        let queue = ctx.k.ipc.mqueues.get(self.queue).ok_or(Errno::EBADF)?;
        let size: usize = queue.messages.iter().map(|(_, data)| data.len()).sum();
        let (pid, kind, signal) = match queue.notify {
            None => (0, 0, 0),
            Some((group, Tell::Signal(signal, _))) => (group.0, 0, signal),
            Some((group, Tell::Nothing)) => (group.0, 1, 0),
            Some((group, Tell::Cookie(..))) => (group.0, 2, 0),
        };
        let text = format!("QSIZE:{size:<10} NOTIFY:{kind:<5} SIGNO:{signal:<5} NOTIFY_PID:{pid:<6}\n");
        let start = usize::try_from(pos).unwrap_or(usize::MAX).min(text.len());
        let end = start.saturating_add(max).min(text.len());
        Ok(text.as_bytes()[start..end].to_vec())
    }
    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, _id: FileId) -> Ready {
        let Some(queue) = k.ipc.mqueues.get(self.queue) else { return Ready::ERR };
        let mut ready = Ready::empty();
        ready.set(Ready::IN | Ready::RDNORM, !queue.messages.is_empty());
        ready.set(Ready::OUT | Ready::WRNORM, queue.messages.len() < queue.max_messages);
        ready
    }
    fn wait_keys(&self, _k: &Kernel, _id: FileId) -> Vec<WaitKey> {
        vec![key(self.queue)]
    }
    fn release(&self, k: &mut Kernel, _id: FileId) {
        put(k, self.queue);
    }
    fn describe(&self, k: &Kernel, _id: FileId) -> String {
        let name = k.ipc.mq_names.iter().find(|(_, id)| **id == self.queue);
        format!("/{}", name.map_or_else(String::new, |(name, _)| String::from_utf8_lossy(name).into_owned()))
    }
}
