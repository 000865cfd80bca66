//! /proc/keys and /proc/key-users (keyrings(7)).

use std::fmt::Write;

use super::search::is_possessed;
use super::{KeyState, KeyType, collect, limits};
use crate::abi::errno::Errno;
use crate::ctx::{Call, Ctx};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;

/// The column of /proc/keys that says how long a key lives.
fn lifetime(until: Option<u64>, now_ns: u64) -> String {
    let Some(until) = until else { return "perm".to_owned() };
    if until <= now_ns {
        return "expd".to_owned();
    }
    let seconds = (until - now_ns) / 1_000_000_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..604_800 => format!("{}d", seconds / 86_400),
        _ => format!("{}w", seconds / 604_800),
    }
}

/// /proc/keys: the keys that the reader may view.
pub fn keys(k: &mut Kernel, host: &mut dyn Host, viewer: TaskId) -> Result<String, Errno> {
    let mut ctx = Ctx { k, host, tid: viewer, call: Call::default() };
    let now = ctx.realtime_ns();
    collect(ctx.k, Some(now));
    let mut out = String::new();
    for (id, key) in ctx.k.keys.all.iter() {
        let reference = super::search::KeyRef { id, possessed: is_possessed(&ctx, id, now) };
        if super::search::check(&ctx, reference, super::perm::VIEW).is_err() {
            continue;
        }
        let mark = |set: bool, letter: char| if set { letter } else { '-' };
        let flags: String = [
            mark(true, 'I'),
            mark(key.state == KeyState::Revoked, 'R'),
            '-',
            mark(key.charged.is_some(), 'Q'),
            '-',
            mark(matches!(key.state, KeyState::Negative(_)), 'N'),
            mark(key.state == KeyState::Invalid, 'i'),
        ]
        .iter()
        .collect();
        let detail = match key.kind {
            _ if matches!(key.state, KeyState::Negative(_)) => String::new(),
            KeyType::Keyring if key.links.is_empty() => ": empty".to_owned(),
            KeyType::Keyring => format!(": {}", key.links.len()),
            KeyType::BigKey => format!(": {} [buff]", key.payload.len()),
            KeyType::User | KeyType::Logon => format!(": {}", key.payload.len()),
        };
        let _ = writeln!(
            out,
            "{:08x} {flags} {:5} {:>4} {:08x} {:5} {:5} {:<9.9} {}{detail}",
            id.0,
            1,
            lifetime(key.until, now),
            key.perm,
            key.uid,
            key.gid.cast_signed(),
            key.kind.name(),
            String::from_utf8_lossy(&key.description),
        );
    }
    Ok(out)
}

/// /proc/key-users: what each user is charged for.
pub fn users(k: &mut Kernel, host: &mut dyn Host) -> Result<String, Errno> {
    let now = k.time.realtime(host, k.retired);
    collect(k, Some(now));
    let mut out = String::new();
    let users = k.keys.users.clone();
    for (uid, user) in &users {
        let (max_keys, max_bytes) = limits(k, *uid);
        let keys = k.keys.all.iter().filter(|(_, key)| key.uid == *uid).count();
        let _ = writeln!(
            out,
            "{uid:5}: {:5} {keys}/{keys} {}/{max_keys} {}/{max_bytes}",
            keys + 1,
            user.keys,
            user.bytes
        );
    }
    Ok(out)
}
