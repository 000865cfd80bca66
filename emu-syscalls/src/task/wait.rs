//! Blocking as data: what a parked task waits for, and how it is woken.
//!
//! **Invariant**: a woken task runs its call again and decides by itself whether to go on waiting; waking too often is
//! harmless, waking too seldom is a bug.

use emu_core::persist;

use crate::file::FileId;
use crate::file::pipe::PipeId;
use crate::kernel::Kernel;
use crate::seam::{Direction, Stream};
use crate::task::{GroupId, RunState, TaskId};

/// Something a task can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitKey {
    /// A child of this process changed state.
    Child(GroupId),
    /// The child of a `vfork` released its parent's memory.
    Vfork(TaskId),
    /// A pipe became readable, or lost an end.
    Pipe(PipeId),
    /// A pipe has room again, or lost an end.
    PipeRoom(PipeId),
    /// A FIFO is being opened for reading (true) or writing, and the other end is missing.
    FifoOpen(PipeId, bool),
    /// An open file whose state is its own (eventfd, timerfd, epoll, signalfd, inotify ...) changed.
    File(FileId),
    /// A standard stream of the host became ready.
    Host(Stream, Direction),
    /// A terminal changed.
    Tty(crate::file::tty::TtyId),
    /// A signal arrived for this process (signalfd, sigtimedwait).
    Signal(GroupId),
    /// A futex: space or object, and address or offset.
    Futex(u64, u64),
    /// A socket has something to read or accept, or its connection changed.
    Socket(u32),
    /// A socket has room to write again.
    SocketRoom(u32),
    /// A lock on an inode was released.
    FileLock(u32),
    /// A System V or POSIX queue, semaphore set or segment changed.
    Ipc(u32),
    /// A thread of this process ended or changed.
    Thread(TaskId),
    /// An event of this asynchronous input-output context.
    Aio(u64),
    /// A page of a range registered with this userfaultfd instance is provided.
    Fault(u32, u64),
    /// A record was added to the kernel log.
    Log,
    /// The mounts changed (poll on /proc/PID/mounts).
    Mounts,
    /// Nothing: only time or a signal ends the wait.
    Never,
}

/// What happens to a blocked call when a signal is to be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSignal {
    /// Restarted if the handler says SA_RESTART, else EINTR (`ERESTARTSYS`).
    Restart,
    /// Restarted only if no handler ran (`ERESTARTNOHAND`).
    RestartNoHandler,
    /// Restarted by `restart_syscall` with the time left (`ERESTART_RESTARTBLOCK`).
    RestartBlock,
    /// Always EINTR.
    Eintr,
    /// Only a deadly signal ends the wait.
    Killable,
}

/// What a parked task waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Any of these.
    pub keys: Vec<WaitKey>,
    /// At the latest at this time of the monotonic clock, in ns.
    pub until_ns: Option<u64>,
    /// What a signal does.
    pub on_signal: OnSignal,
}

impl Wait {
    /// Waits for one thing without limit, restartable.
    #[must_use]
    pub fn on(key: WaitKey) -> Self {
        Wait { keys: vec![key], until_ns: None, on_signal: OnSignal::Restart }
    }
    /// Waits for any of several things, at most until a time.
    #[must_use]
    pub fn any(keys: Vec<WaitKey>, until_ns: Option<u64>, on_signal: OnSignal) -> Self {
        Wait { keys, until_ns, on_signal }
    }
}

/// Who is told when something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waiter {
    /// A parked task.
    Task(TaskId),
    /// An epoll instance, about the item with this number.
    Epoll(FileId, u32),
    /// The owner of an O_ASYNC file.
    Async(FileId),
}

/// Waiters by what they wait for, in order of arrival, and parked tasks by deadline.
#[derive(Debug, Clone, Default)]
pub struct WaitQueues {
    by_key: persist::OrdSet<(WaitKey, u64, Waiter)>,
    deadlines: persist::OrdSet<(u64, TaskId)>,
    arrivals: persist::OrdMap<TaskId, u64>,
    next: u64,
}

impl WaitQueues {
    /// Those who wait for `key`, first come first.
    #[must_use]
    pub fn waiters(&self, key: WaitKey) -> Vec<Waiter> {
        self.by_key
            .range((key, 0, Waiter::Task(TaskId(0)))..)
            .take_while(|(k, ..)| *k == key)
            .map(|(_, _, waiter)| *waiter)
            .collect()
    }
    /// Whether anybody waits for `key`.
    #[must_use]
    pub fn any(&self, key: WaitKey) -> bool {
        self.by_key.range((key, 0, Waiter::Task(TaskId(0)))..).next().is_some_and(|(k, ..)| *k == key)
    }
    /// The earliest deadline of a parked task, in ns of the monotonic clock.
    #[must_use]
    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.get_min().map(|(at, _)| *at)
    }
    /// Lasting registration of an epoll item; undone by [`WaitQueues::unwatch`].
    pub fn watch(&mut self, key: WaitKey, waiter: Waiter) {
        self.next += 1;
        self.by_key.insert((key, self.next, waiter));
    }
    /// Undoes [`WaitQueues::watch`].
    pub fn unwatch(&mut self, key: WaitKey, waiter: Waiter) {
        let found = self
            .by_key
            .range((key, 0, Waiter::Task(TaskId(0)))..)
            .take_while(|(k, ..)| *k == key)
            .find(|(_, _, w)| *w == waiter)
            .copied();
        if let Some(entry) = found {
            self.by_key.remove(&entry);
        }
    }

    fn add(&mut self, tid: TaskId, wait: &Wait) {
        self.next += 1;
        for key in &wait.keys {
            self.by_key.insert((*key, self.next, Waiter::Task(tid)));
        }
        self.arrivals.insert(tid, self.next);
        if let Some(at) = wait.until_ns {
            self.deadlines.insert((at, tid));
        }
    }

    fn remove(&mut self, tid: TaskId, wait: &Wait) {
        let Some(arrival) = self.arrivals.remove(&tid) else { return };
        for key in &wait.keys {
            self.by_key.remove(&(*key, arrival, Waiter::Task(tid)));
        }
        if let Some(at) = wait.until_ns {
            self.deadlines.remove(&(at, tid));
        }
    }
}

/// Parks a task.
pub fn park(k: &mut Kernel, tid: TaskId, wait: Wait) {
    k.waits.add(tid, &wait);
    let task = k.task_mut(tid);
    task.usage.voluntary += 1;
    task.state = RunState::Parked(wait);
    k.sched.remove(tid);
}

/// Makes a parked task runnable; others are left as they are. Whether it was parked.
pub fn unpark(k: &mut Kernel, tid: TaskId) -> bool {
    let Some(task) = k.tasks.get_mut(tid) else { return false };
    let RunState::Parked(wait) = &task.state else { return false };
    let wait = wait.clone();
    task.state = RunState::Runnable;
    k.waits.remove(tid, &wait);
    k.enqueue(tid);
    k.observer.note_machine(k.retired, || crate::observe::Event::Woken { tid });
    true
}

/// Moves a parked task from one key to another (`FUTEX_CMP_REQUEUE`), behind those who wait there.
pub fn rekey(k: &mut Kernel, tid: TaskId, from: WaitKey, to: WaitKey) {
    let Some(task) = k.tasks.get_mut(tid) else { return };
    let RunState::Parked(wait) = &mut task.state else { return };
    k.waits.remove(tid, wait);
    for key in &mut wait.keys {
        if *key == from {
            *key = to;
        }
    }
    let wait = wait.clone();
    k.waits.add(tid, &wait);
}

/// Wakes all who wait for `key`.
pub fn wake(k: &mut Kernel, key: WaitKey) {
    // Of those who watch exclusively only the first that somebody waits at is told (fs/eventpoll.c).
    let mut told = false;
    for waiter in k.waits.waiters(key) {
        match waiter {
            Waiter::Task(tid) => {
                unpark(k, tid);
            }
            Waiter::Epoll(file, item) if crate::file::epoll::is_exclusive(k, file, item) => {
                if !told {
                    told = k.waits.any(WaitKey::File(file));
                    crate::file::epoll::notify(k, file, item);
                }
            }
            Waiter::Epoll(file, item) => crate::file::epoll::notify(k, file, item),
            Waiter::Async(file) => crate::file::sigio::woken(k, file, key),
        }
    }
}

/// Wakes every task whose deadline is not after `now_ns`, and lets timer files expire.
pub fn wake_expired(k: &mut Kernel, now_ns: u64) {
    crate::file::timerfd::expire(k, now_ns);
    while let Some((at, tid)) = k.waits.deadlines.get_min().copied() {
        if at > now_ns {
            break;
        }
        if !unpark(k, tid) {
            k.waits.deadlines.remove(&(at, tid));
        }
    }
}
