//! Resource limits and usage (getrlimit(2), getrusage(2)).

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, Pid, U32};
use crate::calls::process::rusage_bytes;
use crate::ctx::{Ctx, SysResult};
use crate::task::{GroupId, creds, reap};

const RLIMIT_NOFILE: usize = 7;
/// `/proc/sys/fs/nr_open`
const NR_OPEN: u64 = 1_048_576;

fn index(resource: U32) -> Result<usize, Errno> {
    usize::try_from(resource.0).ok().filter(|index| *index < 16).ok_or(Errno::EINVAL)
}

fn read_limit(ctx: &mut Ctx<'_>, at: Addr) -> Result<(u64, u64), Errno> {
    Ok((ctx.read_u64(at)?, ctx.read_u64(at.at(8))?))
}

fn write_limit(ctx: &mut Ctx<'_>, at: Addr, (soft, hard): (u64, u64)) -> Result<(), Errno> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&soft.to_le_bytes());
    bytes[8..].copy_from_slice(&hard.to_le_bytes());
    ctx.write_user(at, &bytes)
}

/// Sets and gets a limit of a process (do_prlimit): the old one.
fn exchange(
    ctx: &mut Ctx<'_>,
    gid: GroupId,
    index: usize,
    new: Option<(u64, u64)>,
) -> Result<(u64, u64), Errno> {
    let old = ctx.k.group(gid).rlimits[index];
    if let Some((soft, hard)) = new {
        if soft > hard {
            return Err(Errno::EINVAL);
        }
        if index == RLIMIT_NOFILE && hard > NR_OPEN {
            return Err(Errno::EPERM);
        }
        if hard > old.1 && !creds::has(&ctx.task().creds, creds::cap::SYS_RESOURCE) {
            return Err(Errno::EPERM);
        }
        ctx.k.group_mut(gid).rlimits[index] = (soft, hard);
    }
    Ok(old)
}

/// `getrlimit(2)`
pub(crate) fn getrlimit(ctx: &mut Ctx<'_>, resource: U32, rlim: Addr) -> SysResult {
    let gid = ctx.task().group;
    let limit = exchange(ctx, gid, index(resource)?, None)?;
    write_limit(ctx, rlim, limit)?;
    Ok(0)
}

/// `setrlimit(2)`
pub(crate) fn setrlimit(ctx: &mut Ctx<'_>, resource: U32, rlim: Addr) -> SysResult {
    let new = read_limit(ctx, rlim)?;
    let gid = ctx.task().group;
    exchange(ctx, gid, index(resource)?, Some(new))?;
    Ok(0)
}

/// `prlimit64(2)`
pub(crate) fn prlimit64(
    ctx: &mut Ctx<'_>,
    pid: Pid,
    resource: U32,
    new_limit: Addr,
    old_limit: Addr,
) -> SysResult {
    let new = match new_limit.non_null() {
        Some(at) => Some(read_limit(ctx, at)?),
        None => None,
    };
    let tid = ctx.k.find_task_or_self(pid.0, ctx.tid)?;
    let target = ctx.k.task(tid);
    let gid = target.group;
    let me = &ctx.task().creds;
    let same = target.creds.uid[..3].iter().all(|uid| *uid == me.uid[0])
        && target.creds.gid[..3].iter().all(|gid| *gid == me.gid[0]);
    if gid != ctx.task().group && !same && !creds::has(me, creds::cap::SYS_RESOURCE) {
        return Err(Errno::EPERM.into());
    }
    let old = exchange(ctx, gid, index(resource)?, new)?;
    if let Some(at) = old_limit.non_null() {
        write_limit(ctx, at, old)?;
    }
    Ok(0)
}

/// `getrusage(2)`
pub(crate) fn getrusage(ctx: &mut Ctx<'_>, who: I32, usage: Addr) -> SysResult {
    let used = match who.0 {
        0 => reap::group_usage(ctx.k, ctx.task().group),
        -1 => ctx.group().child_usage,
        1 => {
            let mut mine = ctx.task().usage();
            mine.max_resident = ctx.k.mem.resident(ctx.space());
            mine
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    ctx.write_user(usage, &rusage_bytes(&used))?;
    Ok(0)
}
