//! System V semaphores and message queues, POSIX message queues. Shared memory is in `mm/shm.rs`.
//!
//! **Invariant**: a number is never used twice, so one that was removed is simply not found.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::kernel::Kernel;
use crate::task::wait::WaitKey;
use crate::task::{Creds, GroupId};

pub mod mqueue;

id! {
    /// A semaphore set.
    SemId;
    /// A System V message queue.
    MsgId;
    /// A POSIX message queue.
    MqId;
}

/// CAP_IPC_OWNER
const CAP_IPC_OWNER: u64 = 1 << 15;
/// CAP_SYS_ADMIN
const CAP_SYS_ADMIN: u64 = 1 << 21;

/// Owner and rights of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Perm {
    /// Key; 0 is private.
    pub key: i32,
    /// Owner.
    pub owner: (u32, u32),
    /// Creator.
    pub creator: (u32, u32),
    /// Permission bits.
    pub mode: u32,
}

impl Perm {
    /// Of a new object.
    #[must_use]
    pub fn new(key: i32, creds: &Creds, mode: u32) -> Self {
        let me = (creds.uid[1], creds.gid[1]);
        Perm { key, owner: me, creator: me, mode: mode & 0o777 }
    }
    /// Whether `creds` have the rights `wanted` (4 read, 2 write). `EACCES`.
    pub fn permit(&self, creds: &Creds, wanted: u32) -> Result<(), Errno> {
        let (uid, gid) = (creds.uid[1], creds.gid[1]);
        let in_group = |group: u32| gid == group || creds.groups.contains(&group);
        let granted = if uid == self.owner.0 || uid == self.creator.0 {
            self.mode >> 6
        } else if in_group(self.owner.1) || in_group(self.creator.1) {
            self.mode >> 3
        } else {
            self.mode
        };
        let allowed = wanted & !granted & 7 == 0 || creds.cap_effective & CAP_IPC_OWNER != 0;
        if allowed { Ok(()) } else { Err(Errno::EACCES) }
    }
    /// Whether `creds` may change or remove the object. `EPERM`.
    pub fn owns(&self, creds: &Creds) -> Result<(), Errno> {
        let mine = creds.uid[1] == self.owner.0 || creds.uid[1] == self.creator.0;
        if mine || creds.cap_effective & CAP_SYS_ADMIN != 0 { Ok(()) } else { Err(Errno::EPERM) }
    }
    /// `struct ipc64_perm`, 48 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let words =
            [self.key.cast_unsigned(), self.owner.0, self.owner.1, self.creator.0, self.creator.1, self.mode];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.resize(48, 0);
        bytes
    }
}

/// A semaphore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sem {
    /// Value.
    pub value: i32,
    /// Who changed it last.
    pub pid: u32,
}

/// A set of semaphores.
#[derive(Debug, Clone)]
pub struct SemSet {
    /// Owner and rights.
    pub perm: Perm,
    /// The semaphores.
    pub sems: persist::Vector<Sem>,
    /// Last semop and last change, in seconds since 1970.
    pub times: (u64, u64),
    /// What tasks that wait here wait for: semaphore, and whether for zero.
    pub waiting: persist::OrdMap<crate::task::TaskId, (u16, bool)>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Msg {
    /// Its type.
    pub kind: i64,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// A System V message queue.
#[derive(Debug, Clone)]
pub struct MsgQueue {
    /// Owner and rights.
    pub perm: Perm,
    /// Messages in order.
    pub messages: persist::Vector<Msg>,
    /// Bytes in it.
    pub bytes: u64,
    /// Bytes it may hold.
    pub limit: u64,
    /// Last send, receive, change, in seconds since 1970.
    pub times: (u64, u64, u64),
    /// Process of the last send and receive.
    pub pids: (u32, u32),
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Ipc {
    /// Semaphore sets.
    pub sems: Arena<SemId, SemSet>,
    /// What exiting processes give back (SEM_UNDO).
    pub undo: persist::OrdMap<(GroupId, SemId, u16), i32>,
    /// Numbers by key, for those that are not private.
    pub sem_keys: persist::OrdMap<i32, SemId>,
    /// Numbers by key, for those that are not private.
    pub msg_keys: persist::OrdMap<i32, MsgId>,
    /// System V message queues.
    pub queues: Arena<MsgId, MsgQueue>,
    /// POSIX message queues.
    pub mqueues: Arena<MqId, mqueue::MQueue>,
    /// Their names.
    pub mq_names: persist::OrdMap<Vec<u8>, MqId>,
}

/// Puts a new object under the number that `/proc/sys/kernel/*_next_id` asks for once, if it is free, else under the next.
pub fn insert<K: crate::arena::Id, T: Clone>(
    k: &mut Kernel,
    setting: &'static str,
    of: fn(&mut Kernel) -> &mut Arena<K, T>,
    object: T,
) -> K {
    let name = setting.strip_prefix("sys/").unwrap_or(setting);
    let wanted = u32::try_from(crate::vfs::procfs::sysctl::number(k, name)).ok().map(K::from_raw);
    if let Some(id) = wanted {
        k.sysctls.set(setting, "-1".to_owned());
        if !of(k).contains(id) {
            of(k).insert_chosen(id, object);
            return id;
        }
    }
    of(k).insert(object)
}

/// How many objects of a kind there may be (`/proc/sys/kernel`).
#[must_use]
pub fn limit(k: &Kernel, name: &str) -> usize {
    usize::try_from(crate::vfs::procfs::sysctl::number(k, name)).unwrap_or(0)
}

/// What a task waits for at a semaphore set.
#[must_use]
pub fn sem_key(id: SemId) -> WaitKey {
    WaitKey::Ipc(0x4000_0000 | id.0)
}

/// What a task waits for at a message queue.
#[must_use]
pub fn msg_key(id: MsgId) -> WaitKey {
    WaitKey::Ipc(0x8000_0000 | id.0)
}

/// A process ended: its semaphore operations with SEM_UNDO are undone.
pub fn process_ended(k: &mut Kernel, group: GroupId) {
    let all = &k.ipc.undo;
    let mine: Vec<((GroupId, SemId, u16), i32)> = all
        .range((group, SemId(0), 0)..)
        .take_while(|((owner, ..), _)| *owner == group)
        .map(|(key, value)| (*key, *value))
        .collect();
    for (key, adjust) in mine {
        k.ipc.undo.remove(&key);
        let (_, id, index) = key;
        if let Some(set) = k.ipc.sems.get_mut(id)
            && let Some(sem) = set.sems.get_mut(usize::from(index))
        {
            sem.value = (sem.value + adjust).clamp(0, 32767);
            sem.pid = group.0;
            k.wake(sem_key(id));
        }
    }
}
