//! `add_key(2)`, `request_key(2)`, `keyctl(2)`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, Len, Path, U64};
use crate::ctx::{Ctx, SysResult};
use crate::keys::search::{self, Create, KeyRef, Need, lookup};
use crate::keys::{self, KeyId, KeyState, KeyType, NewKey, perm};
use crate::task::creds::{cap, has};

/// Longest payload that `add_key` takes.
const PAYLOAD_MAX: u64 = 1024 * 1024 - 1;
/// Longest description with its NUL.
const DESCRIPTION_MAX: usize = 4096;
/// How long a refused request is remembered, in ns.
const NEGATIVE_NS: u64 = 60_000_000_000;

fn serial(id: KeyId) -> u64 {
    u64::from(id.0)
}

/// The name of a type: at most 31 bytes, not the kernel's own. `EINVAL`, `EPERM`.
fn read_type(ctx: &mut Ctx<'_>, at: Addr) -> Result<Vec<u8>, Errno> {
    let name = ctx.read_cstr(at, 32, Errno::EINVAL)?;
    match name.first() {
        None => Err(Errno::EINVAL),
        Some(b'.') => Err(Errno::EPERM),
        Some(_) => Ok(name),
    }
}

/// `add_key(2)`
pub(crate) fn add_key(
    ctx: &mut Ctx<'_>,
    type_: Path,
    description: Path,
    payload: Addr,
    plen: Len,
    keyring: I32,
) -> SysResult {
    if plen.0 > PAYLOAD_MAX {
        return Err(Errno::EINVAL.into());
    }
    let kind = read_type(ctx, Addr(type_.0))?;
    let description = match Addr(description.0).non_null() {
        Some(at) => ctx.read_cstr(at, DESCRIPTION_MAX, Errno::EINVAL)?,
        None => Vec::new(),
    };
    if description.first() == Some(&b'.') && kind.starts_with(b"keyring") {
        return Err(Errno::EPERM.into());
    }
    let mut bytes = vec![0; usize::try_from(plen.0).unwrap_or(0)];
    ctx.read_user(payload, &mut bytes)?;
    let ring = lookup(ctx, keyring.0, Create::Yes, Need::Bits(perm::WRITE))?;
    let kind = KeyType::by_name(&kind).ok_or(Errno::ENODEV)?;
    if description.is_empty() {
        return Err(Errno::EINVAL.into());
    }
    if ctx.k.keys.all.get(ring.id).is_none_or(|key| key.kind != KeyType::Keyring) {
        return Err(Errno::ENOTDIR.into());
    }
    kind.check(&description, &bytes)?;
    let index = (kind, std::sync::Arc::from(&description[..]));
    let there = ctx.k.keys.all.get(ring.id).and_then(|ring| ring.links.get(&index)).copied();
    if let Some(id) = there.filter(|_| kind.updatable()) {
        let usable = ctx
            .k
            .keys
            .all
            .get(id)
            .is_some_and(|key| key.state != KeyState::Invalid && key.state != KeyState::Revoked);
        if usable {
            search::check(ctx, KeyRef { id, possessed: ring.possessed }, perm::WRITE)?;
            keys::set_payload(ctx.k, id, bytes)?;
            return Ok(serial(id));
        }
    }
    let mut possessor = perm::VIEW | perm::SEARCH | perm::LINK | perm::SETATTR;
    if kind.readable() {
        possessor |= perm::READ;
    }
    // Keyrings can be written to, other types if they can be updated: so all can.
    possessor |= perm::WRITE;
    let id = make(ctx, kind, description, bytes, possessor << 24 | perm::VIEW << 16)?;
    keys::link(ctx.k, ring.id, id).inspect_err(|_| keys::collect(ctx.k, None))?;
    Ok(serial(id))
}

fn make(
    ctx: &mut Ctx<'_>,
    kind: KeyType,
    description: Vec<u8>,
    payload: Vec<u8>,
    bits: u32,
) -> Result<KeyId, Errno> {
    let now = ctx.realtime_ns();
    let tid = ctx.tid;
    keys::before_make(ctx.k, tid, now);
    let (uid, gid) = (ctx.task().creds.uid[3], ctx.task().creds.gid[3]);
    keys::make(ctx.k, NewKey { kind, description, payload, uid, gid, perm: bits, charged: true })
}

/// `request_key(2)`. No program answers requests: what is not found is refused and remembered so.
pub(crate) fn request_key(
    ctx: &mut Ctx<'_>,
    type_: Path,
    description: Path,
    callout_info: Path,
    dest_keyring: I32,
) -> SysResult {
    let kind = read_type(ctx, Addr(type_.0))?;
    let description = ctx.read_cstr(Addr(description.0), DESCRIPTION_MAX, Errno::EINVAL)?;
    let callout = match Addr(callout_info.0).non_null() {
        Some(at) => Some(ctx.read_cstr(at, 4096, Errno::EINVAL)?),
        None => None,
    };
    let dest = match dest_keyring.0 {
        0 => None,
        number => Some(lookup(ctx, number, Create::Yes, Need::Bits(perm::WRITE))?),
    };
    let kind = KeyType::by_name(&kind).ok_or(Errno::ENOKEY)?;
    match search::in_own(ctx, kind, &description) {
        Ok(id) => {
            if let Some(dest) = dest {
                keys::link(ctx.k, dest.id, id)?;
            }
            return Ok(serial(id));
        }
        Err(Errno::EAGAIN) => {}
        Err(errno) => return Err(errno.into()),
    }
    if callout.is_none() {
        return Err(Errno::ENOKEY.into());
    }
    if kind == KeyType::Keyring {
        return Err(Errno::EPERM.into());
    }
    let ring = match dest {
        Some(dest) => dest.id,
        None => default_destination(ctx)?,
    };
    let mut bits = (perm::VIEW | perm::SEARCH | perm::LINK | perm::SETATTR) << 24 | perm::VIEW << 16;
    if kind.readable() {
        bits |= perm::READ << 24;
    }
    bits |= perm::WRITE << 24;
    let id = make(ctx, kind, description, Vec::new(), bits)?;
    let until = ctx.realtime_ns().saturating_add(NEGATIVE_NS);
    if let Some(key) = ctx.k.keys.all.get_mut(id) {
        key.state = KeyState::Negative(Errno::ENOKEY);
        key.until = Some(until);
    }
    keys::link(ctx.k, ring, id).inspect_err(|_| keys::collect(ctx.k, None))?;
    Err(Errno::ENOKEY.into())
}

/// Where a requested key goes that has no destination (construct_get_dest_keyring). `EACCES`.
fn default_destination(ctx: &mut Ctx<'_>) -> Result<KeyId, Errno> {
    let uid = ctx.task().creds.uid[0];
    let task = ctx.task().keys;
    let process = ctx.group().process_keyring;
    let (own, user_session) = keys::user_keyrings(ctx.k, uid)?;
    let by_default = task.thread.or(process).or(task.session).unwrap_or(user_session);
    let id = match task.reqkey {
        1 => task.thread.unwrap_or(by_default),
        2 => process.or(task.session).unwrap_or(user_session),
        3 => task.session.unwrap_or(user_session),
        4 => own,
        5 => user_session,
        _ => by_default,
    };
    search::check(ctx, KeyRef { id, possessed: true }, perm::WRITE)?;
    Ok(id)
}

/// `keyctl(2)`
pub(crate) fn keyctl(
    ctx: &mut Ctx<'_>,
    operation: I32,
    arg2: U64,
    arg3: U64,
    arg4: U64,
    arg5: U64,
) -> SysResult {
    let int = |arg: U64| <I32 as crate::arg::Arg>::from_reg(arg.0).0;
    let bits = |arg: U64| int(arg).cast_unsigned();
    let id = int(arg2);
    match operation.0 {
        0 => {
            let create = if int(arg3) == 0 { Create::No } else { Create::Yes };
            Ok(serial(lookup(ctx, id, create, Need::Bits(perm::SEARCH))?.id))
        }
        1 => join_session(ctx, Addr(arg2.0)),
        2 => update(ctx, id, Addr(arg3.0), arg4.0),
        3 => revoke(ctx, id),
        4 => chown(ctx, id, bits(arg3), bits(arg4)),
        5 => setperm(ctx, id, bits(arg3)),
        6 => describe(ctx, id, Addr(arg3.0), arg4.0),
        7 => {
            let ring = lookup(ctx, id, Create::Yes, Need::Bits(perm::WRITE))?;
            keys::clear(ctx.k, ring.id)?;
            Ok(0)
        }
        8 => {
            let ring = lookup(ctx, int(arg3), Create::Yes, Need::Bits(perm::WRITE))?;
            let key = lookup(ctx, id, Create::Yes, Need::Bits(perm::LINK))?;
            keys::link(ctx.k, ring.id, key.id)?;
            Ok(0)
        }
        9 => {
            let ring = lookup(ctx, int(arg3), Create::No, Need::Bits(perm::WRITE))?;
            let key = lookup(ctx, id, Create::No, Need::Nothing)?;
            keys::unlink(ctx.k, ring.id, key.id)?;
            Ok(0)
        }
        10 => search_ring(ctx, id, Addr(arg3.0), Addr(arg4.0), int(arg5)),
        11 => read(ctx, id, Addr(arg3.0), arg4.0),
        // Only who answers a request may instantiate its key, and there are no requests.
        12 | 13 | 19 | 20 => Err(Errno::EPERM.into()),
        14 => set_reqkey(ctx, id),
        15 => set_timeout(ctx, id, bits(arg3)),
        16 if id < 0 => Err(Errno::EINVAL.into()),
        16 if id == 0 => Ok(0),
        16 => Err(Errno::ENOKEY.into()),
        17 => {
            lookup(ctx, id, Create::No, Need::OfAny(perm::VIEW))?;
            // No security module: an empty label.
            if arg3.0 != 0 && arg4.0 > 0 {
                ctx.write_user(Addr(arg3.0), &[0])?;
            }
            Ok(1)
        }
        18 => session_to_parent(ctx),
        21 => invalidate(ctx, id),
        22 => persistent(ctx, bits(arg2), int(arg3)),
        29 => restrict(ctx, id, Addr(arg3.0), Addr(arg4.0)),
        30 => move_link(ctx, id, int(arg3), int(arg4), bits(arg5)),
        31 => capabilities(ctx, Addr(arg2.0), arg3.0),
        23..=28 | 32 => {
            let at = format!("task {}", ctx.tid.0);
            ctx.k.gap(format!("keyctl operation {}", operation.0), at);
            Err(Errno::EOPNOTSUPP.into())
        }
        _ => Err(Errno::EOPNOTSUPP.into()),
    }
}

fn join_session(ctx: &mut Ctx<'_>, name: Addr) -> SysResult {
    let owner = (ctx.task().creds.uid[3], ctx.task().creds.gid[3]);
    let id = match name.non_null() {
        None => make(ctx, KeyType::Keyring, b"_ses".to_vec(), Vec::new(), search::SESSION_PERM)?,
        Some(at) => {
            let name = ctx.read_cstr(at, DESCRIPTION_MAX, Errno::EINVAL)?;
            if name.is_empty() {
                return Err(Errno::EINVAL.into());
            }
            if name[0] == b'.' {
                return Err(Errno::EPERM.into());
            }
            let found = ctx.k.keys.all.iter().find(|(_, key)| {
                key.kind == KeyType::Keyring
                    && *key.description == *name
                    && key.uid == owner.0
                    && key.state == KeyState::Ready
                    && !name.starts_with(b"_")
            });
            match found.map(|(id, _)| id) {
                Some(id) => {
                    search::check(ctx, KeyRef { id, possessed: false }, perm::SEARCH)?;
                    id
                }
                None => {
                    make(ctx, KeyType::Keyring, name, Vec::new(), search::SESSION_PERM | perm::LINK << 16)?
                }
            }
        }
    };
    ctx.task_mut().keys.session = Some(id);
    keys::collect(ctx.k, None);
    Ok(serial(id))
}

fn update(ctx: &mut Ctx<'_>, id: i32, payload: Addr, plen: u64) -> SysResult {
    if plen > 4096 {
        return Err(Errno::EINVAL.into());
    }
    let mut bytes = vec![0; usize::try_from(plen).unwrap_or(0)];
    ctx.read_user(payload, &mut bytes)?;
    let key = lookup(ctx, id, Create::No, Need::Bits(perm::WRITE))?;
    let found = ctx.k.keys.all.get(key.id).ok_or(Errno::ENOKEY)?;
    if !found.kind.updatable() {
        return Err(Errno::EOPNOTSUPP.into());
    }
    found.kind.check(&found.description, &bytes)?;
    keys::set_payload(ctx.k, key.id, bytes)?;
    Ok(0)
}

fn revoke(ctx: &mut Ctx<'_>, id: i32) -> SysResult {
    let key = match lookup(ctx, id, Create::No, Need::Bits(perm::WRITE)) {
        Err(Errno::EACCES) => lookup(ctx, id, Create::No, Need::Bits(perm::SETATTR))?,
        other => other?,
    };
    let now = ctx.realtime_ns();
    if let Some(key) = ctx.k.keys.all.get_mut(key.id) {
        key.state = KeyState::Revoked;
        key.until = Some(key.until.unwrap_or(now).min(now));
        key.links = keys::Links::new();
    }
    keys::collect(ctx.k, None);
    Ok(0)
}

fn chown(ctx: &mut Ctx<'_>, id: i32, uid: u32, gid: u32) -> SysResult {
    if uid == u32::MAX && gid == u32::MAX {
        return Ok(0);
    }
    let key = lookup(ctx, id, Create::Yes, Need::OfAny(perm::SETATTR))?;
    let found = ctx.k.keys.all.get(key.id).ok_or(Errno::ENOKEY)?;
    let creds = &ctx.task().creds;
    if !has(creds, cap::SYS_ADMIN) {
        let other_group = gid != u32::MAX && gid != found.gid && !crate::task::creds::in_group(creds, gid);
        if (uid != u32::MAX && uid != found.uid) || other_group {
            return Err(Errno::EACCES.into());
        }
    }
    let uid = if uid == u32::MAX { found.uid } else { uid };
    let gid = if gid == u32::MAX { found.gid } else { gid };
    keys::set_owner(ctx.k, key.id, uid, gid)?;
    Ok(0)
}

fn setperm(ctx: &mut Ctx<'_>, id: i32, bits: u32) -> SysResult {
    if bits & !perm::KNOWN != 0 {
        return Err(Errno::EINVAL.into());
    }
    let key = lookup(ctx, id, Create::Yes, Need::OfAny(perm::SETATTR))?;
    let admin = has(&ctx.task().creds, cap::SYS_ADMIN);
    let me = ctx.task().creds.uid[3];
    let found = ctx.k.keys.all.get_mut(key.id).ok_or(Errno::ENOKEY)?;
    if !admin && found.uid != me {
        return Err(Errno::EACCES.into());
    }
    found.perm = bits;
    Ok(0)
}

fn describe(ctx: &mut Ctx<'_>, id: i32, buffer: Addr, len: u64) -> SysResult {
    let key = lookup(ctx, id, Create::No, Need::OfAny(perm::VIEW))?;
    let found = ctx.k.keys.all.get(key.id).ok_or(Errno::ENOKEY)?;
    let (name, uid, gid) = (found.kind.name(), found.uid.cast_signed(), found.gid.cast_signed());
    let mut text = format!("{name};{uid};{gid};{:08x};", found.perm).into_bytes();
    text.extend_from_slice(&found.description);
    text.push(0);
    if buffer != Addr::NULL && len >= text.len() as u64 {
        ctx.write_user(buffer, &text)?;
    }
    Ok(text.len() as u64)
}

fn search_ring(ctx: &mut Ctx<'_>, id: i32, kind: Addr, description: Addr, dest: i32) -> SysResult {
    let kind = read_type(ctx, kind)?;
    let description = ctx.read_cstr(description, DESCRIPTION_MAX, Errno::EINVAL)?;
    let ring = lookup(ctx, id, Create::No, Need::Bits(perm::SEARCH))?;
    let dest = match dest {
        0 => None,
        number => Some(lookup(ctx, number, Create::Yes, Need::Bits(perm::WRITE))?),
    };
    let kind = KeyType::by_name(&kind).ok_or(Errno::ENOKEY)?;
    if ctx.k.keys.all.get(ring.id).is_none_or(|key| key.kind != KeyType::Keyring) {
        return Err(Errno::ENOTDIR.into());
    }
    let found = search::in_keyring(ctx, ring, kind, &description)
        .map_err(|errno| if errno == Errno::EAGAIN { Errno::ENOKEY } else { errno })?;
    if let Some(dest) = dest {
        search::check(ctx, KeyRef { id: found, possessed: ring.possessed }, perm::LINK)?;
        keys::link(ctx.k, dest.id, found)?;
    }
    Ok(serial(found))
}

fn read(ctx: &mut Ctx<'_>, id: i32, buffer: Addr, len: u64) -> SysResult {
    // Whatever keeps the key from being found (keyctl_read_key).
    let key = lookup(ctx, id, Create::No, Need::Nothing).map_err(|_| Errno::ENOKEY)?;
    let found = ctx.k.keys.all.get(key.id).ok_or(Errno::ENOKEY)?;
    if let KeyState::Negative(errno) = found.state {
        return Err(errno.into());
    }
    // Who may not read it may still do so if a search of its keyrings leads there.
    match search::check(ctx, key, perm::READ) {
        Err(Errno::EACCES) if key.possessed => {
            search::check(ctx, key, perm::SEARCH)?;
        }
        other => other?,
    }
    let now = ctx.realtime_ns();
    let found = ctx.k.keys.all.get(key.id).ok_or(Errno::ENOKEY)?;
    if !found.kind.readable() {
        return Err(Errno::EOPNOTSUPP.into());
    }
    found.validate(now)?;
    let bytes: Vec<u8> = match found.kind {
        KeyType::Keyring => found.links.values().flat_map(|id| id.0.to_le_bytes()).collect(),
        _ => found.payload.to_vec(),
    };
    if buffer != Addr::NULL && len >= bytes.len() as u64 {
        ctx.write_user(buffer, &bytes)?;
    }
    Ok(bytes.len() as u64)
}

fn set_reqkey(ctx: &mut Ctx<'_>, wanted: i32) -> SysResult {
    let old = ctx.task().keys.reqkey;
    match wanted {
        -1 => return Ok(u64::from(old.cast_unsigned())),
        0 | 3 | 4 | 5 | 7 => {}
        1 => {
            search::thread_keyring(ctx)?;
        }
        2 => {
            search::process_keyring(ctx)?;
        }
        _ => return Err(Errno::EINVAL.into()),
    }
    ctx.task_mut().keys.reqkey = wanted;
    Ok(u64::from(old.cast_unsigned()))
}

fn set_timeout(ctx: &mut Ctx<'_>, id: i32, seconds: u32) -> SysResult {
    let key = lookup(ctx, id, Create::Yes, Need::OfAny(perm::SETATTR))?;
    let now = ctx.realtime_ns();
    if let Some(key) = ctx.k.keys.all.get_mut(key.id) {
        key.until = (seconds > 0).then(|| now.saturating_add(u64::from(seconds) * 1_000_000_000));
    }
    Ok(0)
}

/// The parent's session keyring becomes the caller's, if both are the same user's and the parent has one thread.
fn session_to_parent(ctx: &mut Ctx<'_>) -> SysResult {
    let session = lookup(ctx, -3, Create::No, Need::Bits(perm::LINK))?.id;
    let parent = ctx.group().parent.and_then(|id| ctx.k.groups.get(id)).ok_or(Errno::EPERM)?;
    let [leader] = parent.threads[..] else { return Err(Errno::EPERM.into()) };
    let Some(task) = ctx.k.tasks.get(leader).filter(|task| task.mm.is_some()) else {
        return Err(Errno::EPERM.into());
    };
    let (mine, theirs) = (&ctx.task().creds, &task.creds);
    let same = theirs.uid[..3].iter().all(|uid| *uid == mine.uid[1])
        && theirs.gid[..3].iter().all(|gid| *gid == mine.gid[1]);
    let their_owner = task.keys.session.and_then(|id| ctx.k.keys.all.get(id)).map(|key| key.uid);
    if !same || their_owner.is_some_and(|uid| uid != mine.uid[1]) {
        return Err(Errno::EPERM.into());
    }
    ctx.k.task_mut(leader).keys.session = Some(session);
    keys::collect(ctx.k, None);
    Ok(0)
}

fn invalidate(ctx: &mut Ctx<'_>, id: i32) -> SysResult {
    let key = lookup(ctx, id, Create::No, Need::Bits(perm::SEARCH))?;
    if let Some(key) = ctx.k.keys.all.get_mut(key.id) {
        key.state = KeyState::Invalid;
    }
    let now = ctx.realtime_ns();
    keys::collect(ctx.k, Some(now));
    Ok(0)
}

fn persistent(ctx: &mut Ctx<'_>, uid: u32, dest: i32) -> SysResult {
    let creds = &ctx.task().creds;
    let uid = if uid == u32::MAX { creds.uid[0] } else { uid };
    if uid != creds.uid[0] && uid != creds.uid[1] && !has(creds, cap::SETUID) {
        return Err(Errno::EPERM.into());
    }
    let dest = lookup(ctx, dest, Create::Yes, Need::Bits(perm::WRITE))?;
    if ctx.k.keys.all.get(dest.id).is_none_or(|key| key.kind != KeyType::Keyring) {
        return Err(Errno::ENOTDIR.into());
    }
    let id = match ctx.k.keys.persistent.get(&uid).copied() {
        Some(id) => id,
        None => {
            let name = format!("_persistent.{uid}");
            let bits = perm::POS & !(perm::SETATTR << 24) | (perm::VIEW | perm::READ) << 16;
            let id = keys::make_keyring(ctx.k, name.as_bytes(), (uid, u32::MAX), bits, false)?;
            ctx.k.keys.persistent.insert(uid, id);
            id
        }
    };
    search::check(ctx, KeyRef { id, possessed: true }, perm::LINK)?;
    keys::link(ctx.k, dest.id, id)?;
    let expiry = crate::vfs::procfs::sysctl::number(ctx.k, "kernel/keys/persistent_keyring_expiry");
    let seconds = u64::try_from(expiry).unwrap_or(0);
    let until = ctx.realtime_ns().saturating_add(seconds.saturating_mul(1_000_000_000));
    if let Some(key) = ctx.k.keys.all.get_mut(id) {
        key.until = Some(until);
    }
    Ok(serial(id))
}

/// `KEYCTL_RESTRICT_KEYRING`: without a type nothing more can be linked; the types here know no restrictions.
fn restrict(ctx: &mut Ctx<'_>, id: i32, kind: Addr, restriction: Addr) -> SysResult {
    let ring = lookup(ctx, id, Create::No, Need::Bits(perm::SETATTR))?;
    if kind == Addr::NULL && restriction != Addr::NULL {
        return Err(Errno::EINVAL.into());
    }
    if kind != Addr::NULL {
        let kind = read_type(ctx, kind)?;
        if restriction == Addr::NULL {
            return Err(Errno::EINVAL.into());
        }
        ctx.read_cstr(restriction, 4096, Errno::EINVAL)?;
        return Err(if KeyType::by_name(&kind).is_some() { Errno::ENOENT } else { Errno::ENOKEY }.into());
    }
    let ring = ctx.k.keys.all.get_mut(ring.id).ok_or(Errno::ENOKEY)?;
    if ring.kind != KeyType::Keyring {
        return Err(Errno::ENOTDIR.into());
    }
    if ring.restricted {
        return Err(Errno::EEXIST.into());
    }
    ring.restricted = true;
    Ok(0)
}

fn move_link(ctx: &mut Ctx<'_>, id: i32, from: i32, to: i32, flags: u32) -> SysResult {
    const EXCL: u32 = 1;
    if flags & !EXCL != 0 {
        return Err(Errno::EINVAL.into());
    }
    let key = lookup(ctx, id, Create::Yes, Need::Bits(perm::LINK))?;
    let from = lookup(ctx, from, Create::No, Need::Bits(perm::WRITE))?;
    let to = lookup(ctx, to, Create::Yes, Need::Bits(perm::WRITE))?;
    let ring =
        |id: KeyId| ctx.k.keys.all.get(id).filter(|key| key.kind == KeyType::Keyring).ok_or(Errno::ENOTDIR);
    let found = ctx.k.keys.all.get(key.id).ok_or(Errno::ENOKEY)?;
    let index = (found.kind, found.description.clone());
    if ring(from.id)?.links.get(&index) != Some(&key.id) {
        return Err(Errno::ENOENT.into());
    }
    if flags & EXCL != 0 && ring(to.id)?.links.contains_key(&index) {
        return Err(Errno::EEXIST.into());
    }
    if from.id == to.id {
        return Ok(0);
    }
    keys::link(ctx.k, to.id, key.id)?;
    keys::unlink(ctx.k, from.id, key.id)?;
    Ok(0)
}

/// `KEYCTL_CAPABILITIES`: these calls, persistent keyrings, big keys, invalidation, restriction, moving.
fn capabilities(ctx: &mut Ctx<'_>, buffer: Addr, len: u64) -> SysResult {
    const HAVE: [u8; 2] = [0x01 | 0x02 | 0x10 | 0x20 | 0x40 | 0x80, 0];
    if len > 0 {
        let shown = HAVE.len().min(usize::try_from(len).unwrap_or(HAVE.len()));
        ctx.write_user(buffer, &HAVE[..shown])?;
        // What the caller has room for beyond that is zero.
        for at in (shown as u64)..len.min(4096) {
            ctx.write_user(buffer.at(at), &[0])?;
        }
    }
    Ok(HAVE.len() as u64)
}
