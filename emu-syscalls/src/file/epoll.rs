//! epoll(7) instances.
//!
//! **Invariant**: an item that may be ready is in the ready list; looking at what is ready costs as much as there are
//! candidates, not as much as is watched. An item lives as long as the open file it watches.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::arg::Addr;
use crate::ctx::{Ctx, SysResult};
use crate::file::{File, FileId, FileOps, Ready};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::wait::{WaitKey, Waiter};

id! {
    /// An epoll instance's state.
    EpollId;
}

/// Flags of `epoll_event.events` that are not readiness.
pub mod ev {
    /// Wake at least one of those who watch.
    pub const EXCLUSIVE: u32 = 1 << 28;
    /// Keep the system awake.
    pub const WAKEUP: u32 = 1 << 29;
    /// Once, then wait for `EPOLL_CTL_MOD`.
    pub const ONESHOT: u32 = 1 << 30;
    /// Report changes only.
    pub const ET: u32 = 1 << 31;
    /// All of them.
    pub const PRIVATE: u32 = EXCLUSIVE | WAKEUP | ONESHOT | ET;
}

/// Epoll instances may watch each other so deep (EP_MAX_NESTS and the first, fs/eventpoll.c).
const MAX_DEPTH: usize = 6;

/// A watched descriptor.
#[derive(Debug, Clone)]
struct Item {
    target: FileId,
    fd: i32,
    events: u32,
    data: u64,
    keys: Vec<WaitKey>,
    queued: bool,
}

/// An epoll instance.
#[derive(Debug, Clone, Default)]
pub struct Epoll {
    items: persist::OrdMap<u32, Item>,
    by_target: persist::OrdMap<(FileId, i32), u32>,
    ready: persist::Vector<u32>,
    next: u32,
}

/// All instances, and who watches what.
#[derive(Debug, Clone, Default)]
pub struct Epolls {
    /// Instances.
    pub instances: Arena<EpollId, Epoll>,
    watchers: persist::OrdSet<(FileId, FileId, u32)>,
}

/// An epoll instance as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpollFile {
    /// Which.
    pub epoll: EpollId,
}

impl FileOps for EpollFile {
    fn ready(&self, k: &mut Kernel, host: &mut dyn Host, _id: FileId) -> Ready {
        let queued: Vec<u32> =
            k.epolls.instances.get(self.epoll).map(|e| e.ready.iter().copied().collect()).unwrap_or_default();
        for number in queued {
            if item_ready(k, host, self.epoll, number) != 0 {
                return Ready::IN | Ready::RDNORM;
            }
        }
        Ready::empty()
    }
    fn release(&self, k: &mut Kernel, id: FileId) {
        let Some(epoll) = k.epolls.instances.remove(self.epoll) else { return };
        for (number, item) in &epoll.items {
            for key in &item.keys {
                k.waits.unwatch(*key, Waiter::Epoll(id, *number));
            }
            k.epolls.watchers.remove(&(item.target, id, *number));
        }
    }
    fn ioctl(&self, _ctx: &mut Ctx<'_>, _id: FileId, _request: u32, _arg: Addr) -> SysResult {
        Err(Errno::EINVAL.into())
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[eventpoll]".to_owned()
    }
}

/// What of its events an item is ready for.
fn item_ready(k: &mut Kernel, host: &mut dyn Host, epoll: EpollId, number: u32) -> u32 {
    let Some(item) = k.epolls.instances.get(epoll).and_then(|e| e.items.get(&number)) else { return 0 };
    let (target, events) = (item.target, item.events);
    if events & !ev::PRIVATE == 0 {
        return 0;
    }
    let Some(file) = k.files.get(target) else { return 0 };
    let kind = file.kind.clone();
    kind.ops().ready(k, host, target).bits() & (events | (Ready::ERR | Ready::HUP).bits())
}

/// Something happened to an item that an epoll instance watches.
pub fn notify(k: &mut Kernel, epoll: FileId, item: u32) {
    let Some(File::Epoll(file)) = k.files.get(epoll).map(|file| file.kind.clone()) else { return };
    let Some(instance) = k.epolls.instances.get_mut(file.epoll) else { return };
    let Some(entry) = instance.items.get_mut(&item) else { return };
    if entry.events & !ev::PRIVATE == 0 {
        return;
    }
    if !entry.queued {
        entry.queued = true;
        instance.ready.push_back(item);
    }
    k.wake(WaitKey::File(epoll));
}

/// Whether an item was added with `EPOLLEXCLUSIVE`.
#[must_use]
pub fn is_exclusive(k: &Kernel, epoll: FileId, item: u32) -> bool {
    let Some(File::Epoll(file)) = k.files.get(epoll).map(|file| &file.kind) else { return false };
    let entry = k.epolls.instances.get(file.epoll).and_then(|instance| instance.items.get(&item));
    entry.is_some_and(|entry| entry.events & ev::EXCLUSIVE != 0)
}

/// What an event for an item would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemState {
    /// Nothing: it is gone, or waits for `EPOLL_CTL_MOD`.
    Silent,
    /// It would become a candidate.
    Idle,
    /// It is a candidate already.
    Queued,
}

/// The state of an item.
#[must_use]
pub fn item_state(k: &Kernel, epoll: FileId, item: u32) -> ItemState {
    let Some(File::Epoll(file)) = k.files.get(epoll).map(|file| &file.kind) else { return ItemState::Silent };
    let entry = k.epolls.instances.get(file.epoll).and_then(|instance| instance.items.get(&item));
    match entry {
        Some(entry) if entry.events & !ev::PRIVATE == 0 => ItemState::Silent,
        Some(entry) if entry.queued => ItemState::Queued,
        Some(_) => ItemState::Idle,
        None => ItemState::Silent,
    }
}

/// The last reference to a watched file is gone: nobody watches it any more.
pub fn target_closed(k: &mut Kernel, target: FileId) {
    let doomed: Vec<(FileId, FileId, u32)> = k
        .epolls
        .watchers
        .range((target, FileId(0), 0)..)
        .take_while(|(file, ..)| *file == target)
        .copied()
        .collect();
    for (_, epoll, number) in doomed {
        remove_item(k, epoll, number);
    }
}

fn remove_item(k: &mut Kernel, epoll: FileId, number: u32) {
    let Some(File::Epoll(file)) = k.files.get(epoll).map(|file| file.kind.clone()) else { return };
    let Some(instance) = k.epolls.instances.get_mut(file.epoll) else { return };
    let Some(item) = instance.items.remove(&number) else { return };
    instance.by_target.remove(&(item.target, item.fd));
    instance.ready.retain(|queued| *queued != number);
    for key in &item.keys {
        k.waits.unwatch(*key, Waiter::Epoll(epoll, number));
    }
    k.epolls.watchers.remove(&(item.target, epoll, number));
}

fn instance_mut(k: &mut Kernel, epoll: FileId) -> Result<&mut Epoll, Errno> {
    let Some(File::Epoll(file)) = k.files.get(epoll).map(|file| file.kind.clone()) else {
        return Err(Errno::EINVAL);
    };
    k.epolls.instances.get_mut(file.epoll).ok_or(Errno::EINVAL)
}

/// `EPOLL_CTL_ADD`. `EEXIST`, `ELOOP`.
pub(crate) fn add(
    k: &mut Kernel,
    host: &mut dyn Host,
    epoll: FileId,
    fd: i32,
    target: FileId,
    events: u32,
    data: u64,
) -> Result<(), Errno> {
    let Some(file) = k.files.get(target) else { return Err(Errno::EBADF) };
    let kind = file.kind.clone();
    if matches!(kind, File::Epoll(_)) && (below(k, target, epoll, 0) + above(k, epoll, 0)) >= MAX_DEPTH {
        return Err(Errno::ELOOP);
    }
    if instance_mut(k, epoll)?.by_target.contains_key(&(target, fd)) {
        return Err(Errno::EEXIST);
    }
    let keys = kind.ops().wait_keys(k, target);
    let instance = instance_mut(k, epoll)?;
    instance.next = instance.next.wrapping_add(1);
    let number = instance.next;
    let events = events | (Ready::ERR | Ready::HUP).bits();
    instance.by_target.insert((target, fd), number);
    instance.items.insert(number, Item { target, fd, events, data, keys: keys.clone(), queued: false });
    for key in keys {
        k.waits.watch(key, Waiter::Epoll(epoll, number));
    }
    k.epolls.watchers.insert((target, epoll, number));
    queue_if_ready(k, host, epoll, number);
    Ok(())
}

fn queue_if_ready(k: &mut Kernel, host: &mut dyn Host, epoll: FileId, number: u32) {
    let Some(File::Epoll(file)) = k.files.get(epoll).map(|file| file.kind.clone()) else { return };
    if item_ready(k, host, file.epoll, number) != 0 {
        notify(k, epoll, number);
    }
}

/// Levels of epoll instances below `from`; too many if `into` is among them.
fn below(k: &Kernel, from: FileId, into: FileId, depth: usize) -> usize {
    if from == into || depth > MAX_DEPTH {
        return MAX_DEPTH;
    }
    let Some(File::Epoll(file)) = k.files.get(from).map(|file| &file.kind) else { return 0 };
    let Some(instance) = k.epolls.instances.get(file.epoll) else { return 0 };
    let deepest =
        instance.items.values().map(|item| item.target).map(|target| below(k, target, into, depth + 1));
    (1 + deepest.max().unwrap_or(0)).min(MAX_DEPTH)
}

/// Levels of epoll instances that watch `epoll`, itself included.
fn above(k: &Kernel, epoll: FileId, depth: usize) -> usize {
    if depth > MAX_DEPTH {
        return MAX_DEPTH;
    }
    let parents = k.epolls.watchers.range((epoll, FileId(0), 0)..).take_while(|(file, ..)| *file == epoll);
    let highest = parents.map(|(_, parent, _)| above(k, *parent, depth + 1)).max().unwrap_or(0);
    (1 + highest).min(MAX_DEPTH)
}

/// `EPOLL_CTL_MOD`. `ENOENT`, `EINVAL` for an exclusive item.
pub(crate) fn modify(
    k: &mut Kernel,
    host: &mut dyn Host,
    epoll: FileId,
    fd: i32,
    target: FileId,
    events: u32,
    data: u64,
) -> Result<(), Errno> {
    let instance = instance_mut(k, epoll)?;
    let number = *instance.by_target.get(&(target, fd)).ok_or(Errno::ENOENT)?;
    let item = instance.items.get_mut(&number).ok_or(Errno::ENOENT)?;
    if item.events & ev::EXCLUSIVE != 0 {
        return Err(Errno::EINVAL);
    }
    item.events = events | (Ready::ERR | Ready::HUP).bits();
    item.data = data;
    queue_if_ready(k, host, epoll, number);
    Ok(())
}

/// `EPOLL_CTL_DEL`. `ENOENT`.
pub(crate) fn delete(k: &mut Kernel, epoll: FileId, fd: i32, target: FileId) -> Result<(), Errno> {
    let instance = instance_mut(k, epoll)?;
    let number = *instance.by_target.get(&(target, fd)).ok_or(Errno::ENOENT)?;
    remove_item(k, epoll, number);
    Ok(())
}

/// Candidates in order. Each is to be settled with [`settle`].
pub(crate) fn candidates(k: &Kernel, epoll: EpollId) -> Vec<u32> {
    k.epolls.instances.get(epoll).map(|e| e.ready.iter().copied().collect()).unwrap_or_default()
}

/// The event that a candidate has to report, and the user's data; `None` if there is none.
pub(crate) fn report(k: &mut Kernel, host: &mut dyn Host, epoll: EpollId, number: u32) -> Option<(u32, u64)> {
    let bits = item_ready(k, host, epoll, number);
    let data = k.epolls.instances.get(epoll)?.items.get(&number)?.data;
    (bits != 0).then_some((bits, data))
}

/// Takes the first candidate off the list; one that was reported comes back at the end unless it reports changes only.
pub(crate) fn settle(k: &mut Kernel, epoll: EpollId, number: u32, reported: bool) {
    let Some(instance) = k.epolls.instances.get_mut(epoll) else { return };
    if instance.ready.front() == Some(&number) {
        instance.ready.pop_front();
    }
    let Some(item) = instance.items.get_mut(&number) else { return };
    item.queued = false;
    if !reported {
        return;
    }
    if item.events & ev::ONESHOT != 0 {
        item.events &= ev::PRIVATE;
    } else if item.events & ev::ET == 0 {
        item.queued = true;
        instance.ready.push_back(number);
    }
}

/// The open file watched as descriptor `fd`, the `nth` of those (kcmp(2)).
#[must_use]
pub fn target(k: &Kernel, epoll: EpollId, fd: i32, nth: u32) -> Option<FileId> {
    let instance = k.epolls.instances.get(epoll)?;
    let mut of_fd = instance.items.values().filter(|item| item.fd == fd).map(|item| item.target);
    of_fd.nth(usize::try_from(nth).ok()?)
}

/// Items, for /proc/PID/fdinfo: descriptor, events, data.
#[must_use]
pub fn items(k: &Kernel, epoll: EpollId) -> Vec<(i32, u32, u64)> {
    let Some(instance) = k.epolls.instances.get(epoll) else { return Vec::new() };
    instance.items.values().map(|item| (item.fd, item.events, item.data)).collect()
}
