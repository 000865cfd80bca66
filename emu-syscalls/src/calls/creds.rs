//! Users, groups and capabilities (credentials(7), capabilities(7)).

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, U32};
use crate::ctx::{Ctx, SysResult};
use crate::task::Creds;
use crate::task::creds::{cap, fix_after_setfsuid, fix_after_setuid, has, need};

/// `-1`: leave it as it is.
const KEEP: u32 = u32::MAX;

pub(crate) fn getuid(ctx: &mut Ctx<'_>) -> SysResult {
    Ok(u64::from(ctx.task().creds.uid[0]))
}
pub(crate) fn geteuid(ctx: &mut Ctx<'_>) -> SysResult {
    Ok(u64::from(ctx.task().creds.uid[1]))
}
pub(crate) fn getgid(ctx: &mut Ctx<'_>) -> SysResult {
    Ok(u64::from(ctx.task().creds.gid[0]))
}
pub(crate) fn getegid(ctx: &mut Ctx<'_>) -> SysResult {
    Ok(u64::from(ctx.task().creds.gid[1]))
}

/// Takes new credentials: changed users change capabilities, and a process whose users changed is not dumpable.
fn commit(ctx: &mut Ctx<'_>, mut new: Creds) {
    let old = ctx.task().creds.clone();
    if new.uid[..3] != old.uid[..3] {
        fix_after_setuid(&mut new, &old);
    }
    if new.uid[3] != old.uid[3] {
        fix_after_setfsuid(&mut new, &old);
    }
    if new.uid[1] != old.uid[1] || new.gid[1] != old.gid[1] {
        ctx.group_mut().dumpable = 0;
        ctx.task_mut().attrs.parent_death_signal = 0;
    }
    ctx.task_mut().creds = new;
}

/// `setuid(2)`
pub(crate) fn setuid(ctx: &mut Ctx<'_>, uid: U32) -> SysResult {
    if uid.0 == KEEP {
        return Err(Errno::EINVAL.into());
    }
    let mut new = ctx.task().creds.clone();
    if has(&new, cap::SETUID) {
        new.uid = [uid.0; 4];
    } else if uid.0 == new.uid[0] || uid.0 == new.uid[2] {
        new.uid[1] = uid.0;
        new.uid[3] = uid.0;
    } else {
        return Err(Errno::EPERM.into());
    }
    commit(ctx, new);
    Ok(0)
}

/// `setgid(2)`
pub(crate) fn setgid(ctx: &mut Ctx<'_>, gid: U32) -> SysResult {
    if gid.0 == KEEP {
        return Err(Errno::EINVAL.into());
    }
    let mut new = ctx.task().creds.clone();
    if has(&new, cap::SETGID) {
        new.gid = [gid.0; 4];
    } else if gid.0 == new.gid[0] || gid.0 == new.gid[2] {
        new.gid[1] = gid.0;
        new.gid[3] = gid.0;
    } else {
        return Err(Errno::EPERM.into());
    }
    commit(ctx, new);
    Ok(0)
}

/// Real and effective number as setreuid(2) sets them. `EPERM`.
fn set_re(ids: &mut [u32; 4], real: u32, effective: u32, privileged: bool) -> Result<(), Errno> {
    let old = *ids;
    if real != KEEP {
        if !privileged && real != old[0] && real != old[1] {
            return Err(Errno::EPERM);
        }
        ids[0] = real;
    }
    if effective != KEEP {
        if !privileged && !old[..3].contains(&effective) {
            return Err(Errno::EPERM);
        }
        ids[1] = effective;
    }
    if real != KEEP || (effective != KEEP && effective != old[0]) {
        ids[2] = ids[1];
    }
    ids[3] = ids[1];
    Ok(())
}

/// Real, effective and saved number as setresuid(2) sets them. `EPERM`.
fn set_res(ids: &mut [u32; 4], wanted: [u32; 3], privileged: bool) -> Result<(), Errno> {
    let old = *ids;
    for (slot, id) in ids.iter_mut().zip(wanted) {
        if id == KEEP {
            continue;
        }
        if !privileged && !old[..3].contains(&id) {
            return Err(Errno::EPERM);
        }
        *slot = id;
    }
    ids[3] = ids[1];
    Ok(())
}

/// `setreuid(2)`
pub(crate) fn setreuid(ctx: &mut Ctx<'_>, ruid: U32, euid: U32) -> SysResult {
    let mut new = ctx.task().creds.clone();
    let privileged = has(&new, cap::SETUID);
    set_re(&mut new.uid, ruid.0, euid.0, privileged)?;
    commit(ctx, new);
    Ok(0)
}

/// `setregid(2)`
pub(crate) fn setregid(ctx: &mut Ctx<'_>, rgid: U32, egid: U32) -> SysResult {
    let mut new = ctx.task().creds.clone();
    let privileged = has(&new, cap::SETGID);
    set_re(&mut new.gid, rgid.0, egid.0, privileged)?;
    commit(ctx, new);
    Ok(0)
}

/// `setresuid(2)`
pub(crate) fn setresuid(ctx: &mut Ctx<'_>, ruid: U32, euid: U32, suid: U32) -> SysResult {
    let mut new = ctx.task().creds.clone();
    let privileged = has(&new, cap::SETUID);
    set_res(&mut new.uid, [ruid.0, euid.0, suid.0], privileged)?;
    commit(ctx, new);
    Ok(0)
}

/// `setresgid(2)`
pub(crate) fn setresgid(ctx: &mut Ctx<'_>, rgid: U32, egid: U32, sgid: U32) -> SysResult {
    let mut new = ctx.task().creds.clone();
    let privileged = has(&new, cap::SETGID);
    set_res(&mut new.gid, [rgid.0, egid.0, sgid.0], privileged)?;
    commit(ctx, new);
    Ok(0)
}

/// `getresuid(2)`
pub(crate) fn getresuid(ctx: &mut Ctx<'_>, ruid: Addr, euid: Addr, suid: Addr) -> SysResult {
    let ids = ctx.task().creds.uid;
    for (at, id) in [ruid, euid, suid].into_iter().zip(ids) {
        ctx.write_u32(at, id)?;
    }
    Ok(0)
}

/// `getresgid(2)`
pub(crate) fn getresgid(ctx: &mut Ctx<'_>, rgid: Addr, egid: Addr, sgid: Addr) -> SysResult {
    let ids = ctx.task().creds.gid;
    for (at, id) in [rgid, egid, sgid].into_iter().zip(ids) {
        ctx.write_u32(at, id)?;
    }
    Ok(0)
}

/// `setfsuid(2)`: the old number, whether or not it changed.
pub(crate) fn setfsuid(ctx: &mut Ctx<'_>, fsuid: U32) -> SysResult {
    let mut new = ctx.task().creds.clone();
    let old = new.uid[3];
    if fsuid.0 != KEEP && (has(&new, cap::SETUID) || new.uid.contains(&fsuid.0)) {
        new.uid[3] = fsuid.0;
        commit(ctx, new);
    }
    Ok(u64::from(old))
}

/// `setfsgid(2)`: the old number, whether or not it changed.
pub(crate) fn setfsgid(ctx: &mut Ctx<'_>, fsgid: U32) -> SysResult {
    let mut new = ctx.task().creds.clone();
    let old = new.gid[3];
    if fsgid.0 != KEEP && (has(&new, cap::SETGID) || new.gid.contains(&fsgid.0)) {
        new.gid[3] = fsgid.0;
        commit(ctx, new);
    }
    Ok(u64::from(old))
}

/// `getgroups(2)`
pub(crate) fn getgroups(ctx: &mut Ctx<'_>, size: I32, list: Addr) -> SysResult {
    let size = usize::try_from(size.0).map_err(|_| Errno::EINVAL)?;
    let groups = ctx.task().creds.groups.clone();
    if size != 0 {
        if groups.len() > size {
            return Err(Errno::EINVAL.into());
        }
        let bytes: Vec<u8> = groups.iter().flat_map(|gid| gid.to_le_bytes()).collect();
        ctx.write_user(list, &bytes)?;
    }
    Ok(groups.len() as u64)
}

/// `setgroups(2)`
pub(crate) fn setgroups(ctx: &mut Ctx<'_>, size: I32, list: Addr) -> SysResult {
    const NGROUPS_MAX: usize = 65_536;
    need(&ctx.task().creds, cap::SETGID)?;
    let size = usize::try_from(size.0).ok().filter(|n| *n <= NGROUPS_MAX).ok_or(Errno::EINVAL)?;
    let mut bytes = vec![0; 4 * size];
    ctx.read_user(list, &mut bytes)?;
    let mut groups: Vec<u32> =
        bytes.chunks_exact(4).map(|quad| u32::from_le_bytes([quad[0], quad[1], quad[2], quad[3]])).collect();
    if groups.contains(&KEEP) {
        return Err(Errno::EINVAL.into());
    }
    groups.sort_unstable();
    ctx.task_mut().creds.groups = groups;
    Ok(0)
}

const CAP_VERSION_1: u32 = 0x1998_0330;
const CAP_VERSION_2: u32 = 0x2007_1026;
const CAP_VERSION_3: u32 = 0x2008_0522;

/// Number of 32-bit halves that a header's version has; an unknown one is answered with the newest. `EINVAL`.
fn cap_halves(ctx: &mut Ctx<'_>, hdrp: Addr) -> Result<usize, Errno> {
    match ctx.read_u32(hdrp)? {
        CAP_VERSION_1 => Ok(1),
        CAP_VERSION_2 | CAP_VERSION_3 => Ok(2),
        _ => {
            ctx.write_u32(hdrp, CAP_VERSION_3)?;
            Err(Errno::EINVAL)
        }
    }
}

/// `capget(2)`
pub(crate) fn capget(ctx: &mut Ctx<'_>, hdrp: Addr, datap: Addr) -> SysResult {
    let halves = match cap_halves(ctx, hdrp) {
        Err(Errno::EINVAL) if datap == Addr::NULL => return Ok(0),
        other => other?,
    };
    let pid = ctx.read_u32(hdrp.at(4))?.cast_signed();
    if pid < 0 {
        return Err(Errno::EINVAL.into());
    }
    let tid = ctx.k.find_task_or_self(pid, ctx.tid)?;
    if datap == Addr::NULL {
        return Ok(0);
    }
    let creds = &ctx.k.task(tid).creds;
    let sets = [creds.cap_effective, creds.cap_permitted, creds.cap_inheritable];
    let mut bytes = Vec::new();
    for half in 0..halves {
        for set in sets {
            bytes.extend_from_slice(&set.to_le_bytes()[4 * half..4 * half + 4]);
        }
    }
    ctx.write_user(datap, &bytes)?;
    Ok(0)
}

/// `capset(2)`
pub(crate) fn capset(ctx: &mut Ctx<'_>, hdrp: Addr, datap: Addr) -> SysResult {
    let halves = cap_halves(ctx, hdrp)?;
    let pid = ctx.read_u32(hdrp.at(4))?.cast_signed();
    if pid != 0 && u32::try_from(pid) != Ok(ctx.tid.0) {
        return Err(Errno::EPERM.into());
    }
    let mut sets = [0u64; 3];
    for half in 0..halves {
        for (i, set) in sets.iter_mut().enumerate() {
            let word = ctx.read_u32(datap.at((12 * half + 4 * i) as u64))?;
            *set |= u64::from(word) << (32 * half);
        }
    }
    let [effective, permitted, inheritable] = sets.map(|set| set & cap::ALL);
    let old = &ctx.task().creds;
    let may_add = old.cap_inheritable | old.cap_permitted;
    let wrong = (inheritable & !may_add != 0 && !has(old, cap::SETPCAP))
        || inheritable & !(old.cap_inheritable | old.cap_bounding) != 0
        || permitted & !old.cap_permitted != 0
        || effective & !permitted != 0;
    if wrong {
        return Err(Errno::EPERM.into());
    }
    let creds = &mut ctx.task_mut().creds;
    creds.cap_effective = effective;
    creds.cap_permitted = permitted;
    creds.cap_inheritable = inheritable;
    creds.cap_ambient &= permitted & inheritable;
    Ok(0)
}
