//! Credentials: users, groups and capabilities, and how changing users changes capabilities (security/commoncap.c).
//!
//! **Invariant**: no call raises a capability that was not permitted; the bounding set only shrinks.

use crate::abi::errno::Errno;
use crate::task::Creds;

/// Capability numbers (capabilities(7)).
#[allow(missing_docs, reason = "the names of capabilities(7)")]
pub mod cap {
    pub const CHOWN: u32 = 0;
    pub const DAC_OVERRIDE: u32 = 1;
    pub const DAC_READ_SEARCH: u32 = 2;
    pub const FOWNER: u32 = 3;
    pub const FSETID: u32 = 4;
    pub const KILL: u32 = 5;
    pub const SETGID: u32 = 6;
    pub const SETUID: u32 = 7;
    pub const SETPCAP: u32 = 8;
    pub const LINUX_IMMUTABLE: u32 = 9;
    pub const NET_BIND_SERVICE: u32 = 10;
    pub const NET_ADMIN: u32 = 12;
    pub const NET_RAW: u32 = 13;
    pub const IPC_LOCK: u32 = 14;
    pub const IPC_OWNER: u32 = 15;
    pub const SYS_MODULE: u32 = 16;
    pub const SYS_RAWIO: u32 = 17;
    pub const SYS_CHROOT: u32 = 18;
    pub const SYS_PTRACE: u32 = 19;
    pub const SYS_ADMIN: u32 = 21;
    pub const SYS_BOOT: u32 = 22;
    pub const SYS_NICE: u32 = 23;
    pub const SYS_RESOURCE: u32 = 24;
    pub const SYS_TIME: u32 = 25;
    pub const SYS_TTY_CONFIG: u32 = 26;
    pub const MKNOD: u32 = 27;
    /// The last one that exists.
    pub const LAST: u32 = 40;
    /// All that exist.
    pub const ALL: u64 = (1 << (LAST + 1)) - 1;
    /// Those that follow the file-system user.
    pub const FS: u64 = 1 << CHOWN
        | 1 << DAC_OVERRIDE
        | 1 << DAC_READ_SEARCH
        | 1 << FOWNER
        | 1 << FSETID
        | 1 << LINUX_IMMUTABLE
        | 1 << MKNOD
        | 1 << 32;
}

/// `SECBIT_*` (capabilities(7)).
#[allow(missing_docs, reason = "the names of capabilities(7)")]
pub mod secbit {
    pub const NOROOT: u32 = 1;
    pub const NO_SETUID_FIXUP: u32 = 4;
    pub const KEEP_CAPS: u32 = 16;
    pub const KEEP_CAPS_LOCKED: u32 = 32;
    pub const NO_CAP_AMBIENT_RAISE: u32 = 64;
    /// All that exist.
    pub const ALL: u32 = 0xff;
}

/// Credentials of a user: all capabilities for root.
#[must_use]
pub fn of_user(uid: u32, gid: u32) -> Creds {
    let caps = if uid == 0 { cap::ALL } else { 0 };
    Creds {
        uid: [uid; 4],
        gid: [gid; 4],
        groups: Vec::new(),
        cap_effective: caps,
        cap_permitted: caps,
        cap_inheritable: 0,
        cap_bounding: cap::ALL,
        cap_ambient: 0,
        securebits: 0,
    }
}

/// Whether a capability is effective.
#[must_use]
pub fn has(creds: &Creds, capability: u32) -> bool {
    capability <= cap::LAST && creds.cap_effective >> capability & 1 != 0
}

/// `EPERM` unless a capability is effective.
pub fn need(creds: &Creds, capability: u32) -> Result<(), Errno> {
    if has(creds, capability) { Ok(()) } else { Err(Errno::EPERM) }
}

/// What a change of real, effective and saved users does to capabilities (cap_emulate_setxuid).
pub fn fix_after_setuid(new: &mut Creds, old: &Creds) {
    if old.securebits & secbit::NO_SETUID_FIXUP != 0 {
        return;
    }
    let had_root = old.uid[..3].contains(&0);
    let has_root = new.uid[..3].contains(&0);
    if had_root && !has_root {
        if old.securebits & secbit::KEEP_CAPS == 0 {
            new.cap_permitted = 0;
            new.cap_effective = 0;
        }
        new.cap_ambient = 0;
    }
    if old.uid[1] == 0 && new.uid[1] != 0 {
        new.cap_effective = 0;
    }
    if old.uid[1] != 0 && new.uid[1] == 0 {
        new.cap_effective = new.cap_permitted;
    }
}

/// What a change of the file-system user does to capabilities.
pub fn fix_after_setfsuid(new: &mut Creds, old: &Creds) {
    if old.securebits & secbit::NO_SETUID_FIXUP != 0 {
        return;
    }
    if old.uid[3] == 0 && new.uid[3] != 0 {
        new.cap_effective &= !cap::FS;
    }
    if old.uid[3] != 0 && new.uid[3] == 0 {
        new.cap_effective |= new.cap_permitted & cap::FS;
    }
}

/// Whether a group is the file-system group or one of the supplementary groups.
#[must_use]
pub fn in_group(creds: &Creds, gid: u32) -> bool {
    creds.gid[3] == gid || creds.groups.contains(&gid)
}
