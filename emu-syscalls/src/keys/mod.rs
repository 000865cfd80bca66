//! Keys and keyrings (keyrings(7), security/keys).
//!
//! Key types: [`Key`], [`Keys`] (all of a machine, with each user's quota), [`TaskKeys`] (what a task holds).
//! Neighbours: [`search`] (who possesses what), [`crate::calls::keys`] (the calls).
//!
//! **Invariant**: a key is charged to its owner from its making to its end; a key that no keyring, task or user holds is
//! dropped by [`collect`]. Serial numbers are not used twice.

use std::sync::Arc;

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::kernel::Kernel;
use crate::task::TaskId;
use crate::vfs::procfs::sysctl;

pub mod search;
pub mod show;

id! {
    /// A key, by its serial number.
    KeyId;
}

/// Permission bits (keyctl_setperm(3)); the possessor's are 24 bits up, the owner's 16, the group's 8.
#[allow(missing_docs, reason = "the names of keyrings(7)")]
pub mod perm {
    pub const VIEW: u32 = 1;
    pub const READ: u32 = 2;
    pub const WRITE: u32 = 4;
    pub const SEARCH: u32 = 8;
    pub const LINK: u32 = 16;
    pub const SETATTR: u32 = 32;
    /// All six.
    pub const ALL: u32 = 63;
    /// Those of the possessor.
    pub const POS: u32 = ALL << 24;
    /// All bits that exist.
    pub const KNOWN: u32 = 0x3f3f_3f3f;
    /// What a user's own keyrings start with.
    pub const USER_KEYRING: u32 = POS & !(SETATTR << 24) | ALL << 16;
}

/// Type of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyType {
    /// Links to other keys.
    Keyring,
    /// A payload that user space can read.
    User,
    /// A payload that it cannot.
    Logon,
    /// A large payload.
    BigKey,
}

impl KeyType {
    /// By name.
    #[must_use]
    pub fn by_name(name: &[u8]) -> Option<KeyType> {
        match name {
            b"keyring" => Some(KeyType::Keyring),
            b"user" => Some(KeyType::User),
            b"logon" => Some(KeyType::Logon),
            b"big_key" => Some(KeyType::BigKey),
            _ => None,
        }
    }
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            KeyType::Keyring => "keyring",
            KeyType::User => "user",
            KeyType::Logon => "logon",
            KeyType::BigKey => "big_key",
        }
    }
    /// Whether user space can read the payload.
    #[must_use]
    pub fn readable(self) -> bool {
        self != KeyType::Logon
    }
    /// Whether the payload can be replaced.
    #[must_use]
    pub fn updatable(self) -> bool {
        self != KeyType::Keyring
    }
    /// Whether a key can have this payload and description. `EINVAL`.
    pub fn check(self, description: &[u8], payload: &[u8]) -> Result<(), Errno> {
        let good = match self {
            KeyType::Keyring => payload.is_empty(),
            KeyType::User => (1..=32_767).contains(&payload.len()),
            KeyType::Logon => {
                let colon = description.iter().position(|byte| *byte == b':');
                (1..=32_767).contains(&payload.len()) && colon.is_some_and(|at| at > 0)
            }
            KeyType::BigKey => (1..=1024 * 1024).contains(&payload.len()),
        };
        if good { Ok(()) } else { Err(Errno::EINVAL) }
    }
}

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Has its payload.
    Ready,
    /// The request for it was refused with this number.
    Negative(Errno),
    /// Revoked: accesses fail, links stay.
    Revoked,
    /// Invalidated: as good as gone.
    Invalid,
}

/// Links of a keyring: one for each type and description.
pub type Links = persist::OrdMap<(KeyType, Arc<[u8]>), KeyId>;

/// A key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Type.
    pub kind: KeyType,
    /// Description.
    pub description: Arc<[u8]>,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// [`perm`] bits.
    pub perm: u32,
    /// State.
    pub state: KeyState,
    /// When it expires or when it was revoked, in ns since 1970.
    pub until: Option<u64>,
    /// Payload, unless a keyring.
    pub payload: Arc<[u8]>,
    /// Links, if a keyring.
    pub links: Links,
    /// A keyring that takes no further links.
    pub restricted: bool,
    /// Whether its owner is charged for it, and bytes charged.
    pub charged: Option<u64>,
}

impl Key {
    /// What stands between a caller and the key: `ENOKEY`, `EKEYREVOKED`, `EKEYEXPIRED`.
    pub fn validate(&self, now_ns: u64) -> Result<(), Errno> {
        match self.state {
            KeyState::Invalid => Err(Errno::ENOKEY),
            KeyState::Revoked => Err(Errno::EKEYREVOKED),
            _ if self.until.is_some_and(|until| until <= now_ns) => Err(Errno::EKEYEXPIRED),
            KeyState::Ready | KeyState::Negative(_) => Ok(()),
        }
    }
    /// Bytes that its description and payload cost.
    fn cost(&self) -> u64 {
        let payload = if self.kind == KeyType::BigKey { 16 } else { self.payload.len() };
        (self.description.len() + 1 + payload + self.links.len() * LINK_BYTES) as u64
    }
}

/// What a link costs its keyring's owner.
const LINK_BYTES: usize = 4;

/// What a user has.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserKeys {
    /// `_uid.N`
    pub keyring: Option<KeyId>,
    /// `_uid_ses.N`
    pub session: Option<KeyId>,
    /// Keys charged.
    pub keys: u64,
    /// Bytes charged.
    pub bytes: u64,
}

/// All keys of a machine.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// By serial number.
    pub all: Arena<KeyId, Key>,
    /// By user number.
    pub users: persist::OrdMap<u32, UserKeys>,
    /// Number of keys at which [`collect`] looks again by itself.
    limit: usize,
    /// Keys made so far.
    made: u32,
    /// `_persistent.N`, by user number.
    pub persistent: persist::OrdMap<u32, KeyId>,
}

/// What a task holds. A process's own keyring is in its thread group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskKeys {
    /// Its own keyring.
    pub thread: Option<KeyId>,
    /// Its session's; without one its user's session keyring stands for it.
    pub session: Option<KeyId>,
    /// Where requested keys go: `KEY_REQKEY_DEFL_*`.
    pub reqkey: i32,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Type.
    pub kind: KeyType,
    /// Description.
    pub description: Vec<u8>,
    /// Payload.
    pub payload: Vec<u8>,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub perm: u32,
    /// Whether the owner is charged.
    pub charged: bool,
}

/// Keys and bytes that a user may be charged for.
#[must_use]
pub fn limits(k: &Kernel, uid: u32) -> (u64, u64) {
    let names = if uid == 0 {
        ["kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"]
    } else {
        ["kernel/keys/maxkeys", "kernel/keys/maxbytes"]
    };
    let [keys, bytes] = names.map(|name| u64::try_from(sysctl::number(k, name)).unwrap_or(0));
    (keys, bytes)
}

/// Charges a user for more or less. `EDQUOT`.
fn charge(k: &mut Kernel, uid: u32, keys: u64, old_bytes: u64, new_bytes: u64) -> Result<(), Errno> {
    let (max_keys, max_bytes) = limits(k, uid);
    let user = k.keys.users.entry(uid).or_default();
    let bytes = user.bytes.saturating_sub(old_bytes) + new_bytes;
    let more = keys > 0 || new_bytes > old_bytes;
    if more && (user.keys + keys > max_keys || bytes > max_bytes) {
        return Err(Errno::EDQUOT);
    }
    user.keys += keys;
    user.bytes = bytes;
    Ok(())
}

fn uncharge(k: &mut Kernel, key: &Key) {
    if let (Some(bytes), Some(user)) = (key.charged, k.keys.users.get_mut(&key.uid)) {
        user.keys = user.keys.saturating_sub(1);
        user.bytes = user.bytes.saturating_sub(bytes);
    }
}

/// A key's cost has changed: its owner is charged for what it is now. `EDQUOT`, and the caller undoes the change.
fn recharge(k: &mut Kernel, id: KeyId) -> Result<(), Errno> {
    let Some(key) = k.keys.all.get(id) else { return Ok(()) };
    let (Some(old), uid, new) = (key.charged, key.uid, key.cost()) else { return Ok(()) };
    charge(k, uid, 0, old, new)?;
    if let Some(key) = k.keys.all.get_mut(id) {
        key.charged = Some(new);
    }
    Ok(())
}

/// Makes a key that nobody holds yet. `EDQUOT`.
pub fn make(k: &mut Kernel, new: NewKey) -> Result<KeyId, Errno> {
    let mut key = Key {
        kind: new.kind,
        description: Arc::from(new.description),
        uid: new.uid,
        gid: new.gid,
        perm: new.perm,
        state: KeyState::Ready,
        until: None,
        payload: Arc::from(new.payload),
        links: Links::new(),
        restricted: false,
        charged: None,
    };
    if new.charged {
        let cost = key.cost();
        charge(k, key.uid, 1, 0, cost)?;
        key.charged = Some(cost);
    }
    // Numbers are spread out, as Linux's random ones are, but follow from the order in which keys are made.
    let serial = loop {
        k.keys.made = k.keys.made.wrapping_add(1);
        let serial = KeyId(k.keys.made.wrapping_mul(0x9e37_79b1) & 0x3fff_ffff);
        if serial.0 > 2 && !k.keys.all.contains(serial) {
            break serial;
        }
    };
    k.keys.all.insert_at(serial, key);
    Ok(serial)
}

/// Makes a keyring with these permissions.
pub fn make_keyring(
    k: &mut Kernel,
    name: &[u8],
    owner: (u32, u32),
    bits: u32,
    charged: bool,
) -> Result<KeyId, Errno> {
    let (uid, gid) = owner;
    let description = name.to_vec();
    make(
        k,
        NewKey { kind: KeyType::Keyring, description, payload: Vec::new(), uid, gid, perm: bits, charged },
    )
}

/// Changes a key's payload. `EDQUOT`.
pub fn set_payload(k: &mut Kernel, id: KeyId, payload: Vec<u8>) -> Result<(), Errno> {
    let Some(key) = k.keys.all.get_mut(id) else { return Err(Errno::ENOKEY) };
    let old = std::mem::replace(&mut key.payload, Arc::from(payload));
    if let Err(errno) = recharge(k, id) {
        if let Some(key) = k.keys.all.get_mut(id) {
            key.payload = old;
        }
        return Err(errno);
    }
    if let Some(key) = k.keys.all.get_mut(id) {
        key.state = KeyState::Ready;
        key.until = None;
    }
    Ok(())
}

/// How many keyrings may lie inside one another.
pub const DEPTH_MAX: usize = 6;

/// Whether `inner` can be reached from keyring `outer`, or how deep keyrings below `outer` go. `EDEADLK`, `ELOOP`.
fn check_cycle(k: &Kernel, keyring: KeyId, target: KeyId) -> Result<(), Errno> {
    let mut level = vec![target];
    for _ in 0..=DEPTH_MAX {
        if level.contains(&keyring) {
            return Err(Errno::EDEADLK);
        }
        level = level
            .iter()
            .filter_map(|id| k.keys.all.get(*id))
            .flat_map(|key| key.links.values().copied())
            .filter(|id| k.keys.all.get(*id).is_some_and(|key| key.kind == KeyType::Keyring))
            .collect();
        if level.is_empty() {
            return Ok(());
        }
    }
    Err(Errno::ELOOP)
}

/// Links a key into a keyring, in place of one with the same type and description. `ENOTDIR`, `EKEYREVOKED`, `EPERM` for a
/// restricted keyring, `EDEADLK`, `ELOOP`, `EDQUOT`.
pub fn link(k: &mut Kernel, keyring: KeyId, id: KeyId) -> Result<(), Errno> {
    let ring = k.keys.all.get(keyring).ok_or(Errno::ENOKEY)?;
    if ring.kind != KeyType::Keyring {
        return Err(Errno::ENOTDIR);
    }
    if ring.state == KeyState::Revoked {
        return Err(Errno::EKEYREVOKED);
    }
    if ring.restricted {
        return Err(Errno::EPERM);
    }
    let key = k.keys.all.get(id).ok_or(Errno::ENOKEY)?;
    let index = (key.kind, key.description.clone());
    if key.kind == KeyType::Keyring {
        check_cycle(k, keyring, id)?;
    }
    let before = k.keys.all.get_mut(keyring).and_then(|ring| ring.links.insert(index.clone(), id));
    if let Err(errno) = recharge(k, keyring) {
        if let Some(ring) = k.keys.all.get_mut(keyring) {
            match before {
                Some(before) => ring.links.insert(index, before),
                None => ring.links.remove(&index),
            };
        }
        return Err(errno);
    }
    if before.is_some_and(|before| before != id) {
        collect(k, None);
    }
    Ok(())
}

/// Takes a link out of a keyring. `ENOTDIR`, `ENOENT`.
pub fn unlink(k: &mut Kernel, keyring: KeyId, id: KeyId) -> Result<(), Errno> {
    let index = k.keys.all.get(id).map(|key| (key.kind, key.description.clone())).ok_or(Errno::ENOENT)?;
    let ring = k.keys.all.get_mut(keyring).ok_or(Errno::ENOKEY)?;
    if ring.kind != KeyType::Keyring {
        return Err(Errno::ENOTDIR);
    }
    if ring.links.get(&index) != Some(&id) {
        return Err(Errno::ENOENT);
    }
    ring.links.remove(&index);
    recharge(k, keyring)?;
    collect(k, None);
    Ok(())
}

/// Empties a keyring. `ENOTDIR`.
pub fn clear(k: &mut Kernel, keyring: KeyId) -> Result<(), Errno> {
    let ring = k.keys.all.get_mut(keyring).ok_or(Errno::ENOKEY)?;
    if ring.kind != KeyType::Keyring {
        return Err(Errno::ENOTDIR);
    }
    ring.links = Links::new();
    recharge(k, keyring)?;
    collect(k, None);
    Ok(())
}

/// Gives a key to another owner, who is charged for it. `EDQUOT`.
pub fn set_owner(k: &mut Kernel, id: KeyId, uid: u32, gid: u32) -> Result<(), Errno> {
    let Some(key) = k.keys.all.get(id).cloned() else { return Err(Errno::ENOKEY) };
    if let Some(bytes) = key.charged.filter(|_| key.uid != uid) {
        charge(k, uid, 1, 0, bytes)?;
        uncharge(k, &key);
    }
    if let Some(key) = k.keys.all.get_mut(id) {
        key.uid = uid;
        key.gid = gid;
    }
    Ok(())
}

/// A user's own keyring and session keyring, made when first asked for. `EDQUOT`.
pub fn user_keyrings(k: &mut Kernel, uid: u32) -> Result<(KeyId, KeyId), Errno> {
    let user = k.keys.users.get(&uid).copied().unwrap_or_default();
    let own = match user.keyring {
        Some(id) => id,
        None => make_keyring(k, format!("_uid.{uid}").as_bytes(), (uid, u32::MAX), perm::USER_KEYRING, true)?,
    };
    k.keys.users.entry(uid).or_default().keyring = Some(own);
    let session = match user.session {
        Some(id) => id,
        None => {
            let name = format!("_uid_ses.{uid}");
            let id = make_keyring(k, name.as_bytes(), (uid, u32::MAX), perm::USER_KEYRING, true)?;
            link(k, id, own)?;
            id
        }
    };
    k.keys.users.entry(uid).or_default().session = Some(session);
    Ok((own, session))
}

/// Drops keys that nobody holds, and links to keys that are dead for longer than `kernel.keys.gc_delay` seconds at the
/// time given.
pub fn collect(k: &mut Kernel, now_ns: Option<u64>) {
    if let Some(now) = now_ns {
        drop_dead_links(k, now);
    }
    let mut held: Vec<KeyId> =
        k.tasks.iter().flat_map(|(_, task)| [task.keys.thread, task.keys.session]).flatten().collect();
    held.extend(k.groups.iter().filter_map(|(_, group)| group.process_keyring));
    held.extend(k.keys.users.values().flat_map(|user| [user.keyring, user.session]).flatten());
    held.extend(k.keys.persistent.values().copied());
    let mut seen = std::collections::BTreeSet::new();
    while let Some(id) = held.pop() {
        if seen.insert(id)
            && let Some(key) = k.keys.all.get(id)
        {
            held.extend(key.links.values().copied());
        }
    }
    let gone: Vec<KeyId> = k.keys.all.ids().filter(|id| !seen.contains(id)).collect();
    for id in gone {
        if let Some(key) = k.keys.all.remove(id) {
            uncharge(k, &key);
        }
    }
    k.keys.limit = 2 * k.keys.all.len() + 64;
}

fn drop_dead_links(k: &mut Kernel, now: u64) {
    let delay =
        u64::try_from(sysctl::number(k, "kernel/keys/gc_delay")).unwrap_or(0).saturating_mul(1_000_000_000);
    let dead: std::collections::BTreeSet<KeyId> = k
        .keys
        .all
        .iter()
        .filter(|(_, key)| {
            key.state == KeyState::Invalid
                || key.until.is_some_and(|until| until.saturating_add(delay) <= now)
        })
        .map(|(id, _)| id)
        .collect();
    if dead.is_empty() {
        return;
    }
    let rings: Vec<KeyId> =
        k.keys.all.iter().filter(|(_, key)| !key.links.is_empty()).map(|(id, _)| id).collect();
    for ring in rings {
        if let Some(key) = k.keys.all.get_mut(ring) {
            key.links = key
                .links
                .iter()
                .filter(|(_, id)| !dead.contains(id))
                .map(|(index, id)| (index.clone(), *id))
                .collect();
            // It costs less now, which no limit forbids.
            let _ = recharge(k, ring);
        }
    }
}

/// Before a key is made: looks for dropped ones when many were made since the last time.
pub fn before_make(k: &mut Kernel, tid: TaskId, now_ns: u64) {
    let uid = k.task(tid).creds.uid[3];
    let (max, _) = limits(k, uid);
    let used = k.keys.users.get(&uid).map_or(0, |user| user.keys);
    if k.keys.all.len() > k.keys.limit || used >= max {
        collect(k, Some(now_ns));
    }
}
