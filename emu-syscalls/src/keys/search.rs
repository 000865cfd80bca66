//! Finding keys: what a task possesses, and what a keyring holds for it (security/keys/process_keys.c, keyring.c).
//!
//! **Invariant**: a key is possessed if it can be reached through the task's thread, process or session keyring by
//! searching, which every keyring on the way must permit.

use super::{DEPTH_MAX, Key, KeyId, KeyState, KeyType, make_keyring, perm, user_keyrings};
use crate::abi::errno::Errno;
use crate::ctx::Ctx;
use crate::task::Creds;
use crate::task::creds::in_group;

/// A key as somebody reached it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRef {
    /// Which.
    pub id: KeyId,
    /// Whether the possessor's permissions count.
    pub possessed: bool,
}

/// What a caller wants to do with a key that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// These permission bits, of a valid key.
    Bits(u32),
    /// These permission bits; a key that is dead or refused will do.
    OfAny(u32),
    /// Nothing: the call checks itself.
    Nothing,
}

/// Whether a special keyring is made if it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// `ENOKEY`
    No,
    /// Made.
    Yes,
}

/// Whether credentials permit these bits.
fn permitted(key: &Key, possessed: bool, creds: &Creds, bits: u32) -> bool {
    let group_bits = key.perm >> 8 & perm::ALL;
    let mut granted = if key.uid == creds.uid[3] {
        key.perm >> 16
    } else if group_bits != 0 && key.gid != u32::MAX && in_group(creds, key.gid) {
        key.perm >> 8
    } else {
        key.perm
    };
    if possessed {
        granted |= key.perm >> 24;
    }
    granted & bits == bits
}

/// `EACCES` unless the caller may do this with the key.
pub fn check(ctx: &Ctx<'_>, key: KeyRef, bits: u32) -> Result<(), Errno> {
    let found = ctx.k.keys.all.get(key.id).ok_or(Errno::ENOKEY)?;
    if permitted(found, key.possessed, &ctx.task().creds, bits) { Ok(()) } else { Err(Errno::EACCES) }
}

fn owner(ctx: &Ctx<'_>) -> (u32, u32) {
    (ctx.task().creds.uid[3], ctx.task().creds.gid[3])
}

/// The caller's thread keyring, made if need be. `EDQUOT`.
pub fn thread_keyring(ctx: &mut Ctx<'_>) -> Result<KeyId, Errno> {
    if let Some(id) = ctx.task().keys.thread {
        return Ok(id);
    }
    let id = make_keyring(ctx.k, b"_tid", owner(ctx), perm::POS | perm::VIEW << 16, true)?;
    ctx.task_mut().keys.thread = Some(id);
    Ok(id)
}

/// The caller's process keyring, made if need be. `EDQUOT`.
pub fn process_keyring(ctx: &mut Ctx<'_>) -> Result<KeyId, Errno> {
    if let Some(id) = ctx.group().process_keyring {
        return Ok(id);
    }
    let id = make_keyring(ctx.k, b"_pid", owner(ctx), perm::POS | perm::VIEW << 16, true)?;
    ctx.group_mut().process_keyring = Some(id);
    Ok(id)
}

/// Permissions of a new session keyring.
pub const SESSION_PERM: u32 = perm::POS | (perm::VIEW | perm::READ) << 16;

/// A special keyring. `ENOKEY`, `EINVAL`.
fn special(ctx: &mut Ctx<'_>, number: i32, create: Create) -> Result<KeyId, Errno> {
    let uid = ctx.task().creds.uid[0];
    match number {
        -1 if create == Create::Yes => thread_keyring(ctx),
        -1 => ctx.task().keys.thread.ok_or(Errno::ENOKEY),
        -2 if create == Create::Yes => process_keyring(ctx),
        -2 => ctx.group().process_keyring.ok_or(Errno::ENOKEY),
        -3 => {
            let (_, default) = user_keyrings(ctx.k, uid)?;
            let now = ctx.task().keys.session.unwrap_or(default);
            if create == Create::Yes && now == default {
                let id = make_keyring(ctx.k, b"_ses", owner(ctx), SESSION_PERM, true)?;
                ctx.task_mut().keys.session = Some(id);
                return Ok(id);
            }
            ctx.task_mut().keys.session = Some(now);
            Ok(now)
        }
        -4 => Ok(user_keyrings(ctx.k, uid)?.0),
        -5 => Ok(user_keyrings(ctx.k, uid)?.1),
        // Group keyrings were never made.
        -6 => Err(Errno::EINVAL),
        // Only a request for a key has these.
        -7 | -8 => Err(Errno::ENOKEY),
        _ => Err(Errno::EINVAL),
    }
}

/// The key that a caller names by serial number or special number. `ENOKEY`, `EACCES`, `EKEYREVOKED`, `EKEYEXPIRED`.
pub fn lookup(ctx: &mut Ctx<'_>, number: i32, create: Create, need: Need) -> Result<KeyRef, Errno> {
    let now = ctx.realtime_ns();
    let key = if number < 0 {
        KeyRef { id: special(ctx, number, create)?, possessed: true }
    } else {
        let id = u32::try_from(number).ok().filter(|n| *n > 0).map(KeyId).ok_or(if number == 0 {
            Errno::EINVAL
        } else {
            Errno::ENOKEY
        })?;
        if ctx.k.keys.all.get(id).is_none_or(|key| key.state == KeyState::Invalid) {
            return Err(Errno::ENOKEY);
        }
        KeyRef { id, possessed: is_possessed(ctx, id, now) }
    };
    let found = ctx.k.keys.all.get(key.id).ok_or(Errno::ENOKEY)?;
    match need {
        Need::Nothing => return Ok(key),
        Need::OfAny(_) => {}
        Need::Bits(_) => {
            if let KeyState::Negative(errno) = found.state {
                return Err(errno);
            }
        }
    }
    if let Need::Bits(bits) | Need::OfAny(bits) = need {
        if matches!(need, Need::Bits(_)) {
            found.validate(now)?;
        }
        check(ctx, key, bits)?;
    }
    Ok(key)
}

/// What somebody searches for.
enum Wanted<'a> {
    Id(KeyId),
    Name(KeyType, &'a [u8]),
}

/// The keyrings in which a task looks, in order.
fn own_keyrings(ctx: &Ctx<'_>) -> Vec<KeyId> {
    let task = ctx.task();
    let user = ctx.k.keys.users.get(&task.creds.uid[0]);
    let session = task.keys.session.or_else(|| user.and_then(|user| user.session));
    [task.keys.thread, ctx.group().process_keyring, session].into_iter().flatten().collect()
}

/// Whether the caller can reach a key from its keyrings.
pub fn is_possessed(ctx: &Ctx<'_>, id: KeyId, now_ns: u64) -> bool {
    own_keyrings(ctx).into_iter().any(|ring| walk(ctx, ring, true, &Wanted::Id(id), now_ns).is_ok())
}

/// Looks through a keyring and those inside it, breadth before depth. `EAGAIN` if nothing matches.
fn walk(
    ctx: &Ctx<'_>,
    ring: KeyId,
    possessed: bool,
    wanted: &Wanted<'_>,
    now_ns: u64,
) -> Result<KeyId, Errno> {
    let creds = &ctx.task().creds;
    let by_id = matches!(wanted, Wanted::Id(_));
    let mut worst = Errno::EAGAIN;
    let mut level = vec![ring];
    for depth in 0..=DEPTH_MAX {
        let mut next = Vec::new();
        for id in level {
            let Some(key) = ctx.k.keys.all.get(id) else { continue };
            let matches = match wanted {
                Wanted::Id(wanted) => *wanted == id,
                Wanted::Name(kind, name) => key.kind == *kind && *key.description == **name && depth > 0,
            };
            if matches {
                if by_id {
                    return Ok(id);
                }
                match key.validate(now_ns) {
                    Err(errno) => worst = errno,
                    Ok(()) if !permitted(key, possessed, creds, perm::SEARCH) => worst = Errno::EACCES,
                    Ok(()) => match key.state {
                        KeyState::Negative(errno) => return Err(errno),
                        _ => return Ok(id),
                    },
                }
                continue;
            }
            if key.kind != KeyType::Keyring || matches!(key.state, KeyState::Revoked | KeyState::Invalid) {
                continue;
            }
            if !permitted(key, possessed, creds, perm::SEARCH) {
                if depth == 0 {
                    return Err(Errno::EACCES);
                }
                continue;
            }
            match wanted {
                // A key of that name first, then the keyrings inside.
                Wanted::Name(kind, name) => {
                    next.extend(key.links.get(&(*kind, std::sync::Arc::from(*name))).copied());
                    let rings = key.links.iter().filter(|((of, _), _)| *of == KeyType::Keyring);
                    next.extend(rings.map(|(_, id)| *id));
                }
                Wanted::Id(_) => next.extend(key.links.values().copied()),
            }
        }
        if next.is_empty() {
            break;
        }
        level = next;
    }
    Err(worst)
}

/// Searches one keyring. `EAGAIN` if it holds nothing of that name; `EACCES`, `EKEYREVOKED`, `EKEYEXPIRED`, `ENOKEY`.
pub fn in_keyring(ctx: &mut Ctx<'_>, ring: KeyRef, kind: KeyType, name: &[u8]) -> Result<KeyId, Errno> {
    let now = ctx.realtime_ns();
    walk(ctx, ring.id, ring.possessed, &Wanted::Name(kind, name), now)
}

/// Searches the caller's keyrings (`request_key(2)`).
pub fn in_own(ctx: &mut Ctx<'_>, kind: KeyType, name: &[u8]) -> Result<KeyId, Errno> {
    let now = ctx.realtime_ns();
    let mut answer = Errno::EAGAIN;
    for ring in own_keyrings(ctx) {
        match walk(ctx, ring, true, &Wanted::Name(kind, name), now) {
            Ok(id) => return Ok(id),
            Err(Errno::EAGAIN) => {}
            Err(Errno::ENOKEY) => answer = Errno::ENOKEY,
            Err(errno) if answer != Errno::ENOKEY => answer = errno,
            Err(_) => {}
        }
    }
    Err(answer)
}
