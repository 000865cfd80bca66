//! Scheduling: policies, priorities, affinity (sched(7), nice(2)).

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, Pid, U32};
use crate::ctx::{Ctx, SysResult};
use crate::kernel::Kernel;
use crate::task::sched::policy;
use crate::task::{GroupId, TaskId, creds};

const RESET_ON_FORK: i32 = 0x4000_0000;
/// `RLIMIT_NICE` and `RLIMIT_RTPRIO`
const RLIMIT_NICE: usize = 13;
const RLIMIT_RTPRIO: usize = 14;

fn target(ctx: &Ctx<'_>, pid: Pid) -> Result<TaskId, Errno> {
    if pid.0 < 0 {
        return Err(Errno::EINVAL);
    }
    ctx.k.find_task_or_self(pid.0, ctx.tid)
}

/// `sched_yield(2)`
pub(crate) fn sched_yield(ctx: &mut Ctx<'_>) -> SysResult {
    if ctx.k.sched.len() > 1 {
        ctx.k.sched.yielded = true;
        ctx.k.sched.need_resched = true;
    }
    Ok(0)
}

fn same_owner(ctx: &Ctx<'_>, target: TaskId) -> bool {
    let me = ctx.task().creds.uid[1];
    let to = &ctx.k.task(target).creds.uid;
    me == to[0] || me == to[1]
}

fn valid_priority(policy: u32, priority: u32) -> bool {
    match policy {
        policy::FIFO | policy::RR => (1..=99).contains(&priority),
        policy::NORMAL | policy::BATCH | policy::IDLE => priority == 0,
        _ => false,
    }
}

/// Sets policy, priority and nice value (__sched_setscheduler).
fn set(ctx: &mut Ctx<'_>, tid: TaskId, new: (u32, u32), nice: Option<i32>, reset: bool) -> Result<(), Errno> {
    let (new_policy, priority) = new;
    if new_policy == policy::DEADLINE {
        ctx.k.gap("SCHED_DEADLINE".into(), format!("task {}", tid.0));
        return Err(Errno::EINVAL);
    }
    if !valid_priority(new_policy, priority) {
        return Err(Errno::EINVAL);
    }
    let privileged = creds::has(&ctx.task().creds, creds::cap::SYS_NICE);
    let old = ctx.k.task(tid).sched;
    if !privileged {
        let limits = ctx.k.group(ctx.k.task(tid).group).rlimits;
        let realtime = matches!(new_policy, policy::FIFO | policy::RR);
        let limit = limits[RLIMIT_RTPRIO].0;
        let raises = u64::from(priority) > limit && priority > old.priority;
        let wrong_nice =
            nice.is_some_and(|nice| nice < ctx.k.task(tid).nice && !may_nice(limits[RLIMIT_NICE].0, nice));
        if (realtime && ((new_policy != old.policy && limit == 0) || raises))
            || wrong_nice
            || !same_owner(ctx, tid)
            || (old.reset_on_fork && !reset)
        {
            return Err(Errno::EPERM);
        }
    }
    let task = ctx.k.task_mut(tid);
    task.sched.policy = new_policy;
    task.sched.priority = priority;
    task.sched.reset_on_fork = reset;
    if let Some(nice) = nice {
        task.nice = nice.clamp(-20, 19);
    }
    requeue(ctx.k, tid);
    Ok(())
}

fn requeue(k: &mut Kernel, tid: TaskId) {
    if let Some(task) = k.tasks.get_mut(tid) {
        k.sched.changed(tid, &mut task.sched);
    }
}

/// Whether RLIMIT_NICE allows a nice value: the limit counts from 1 (nice 19) to 40 (nice -20).
fn may_nice(limit: u64, nice: i32) -> bool {
    u64::try_from(20 - nice).is_ok_and(|wanted| wanted <= limit)
}

/// `sched_setparam(2)`
pub(crate) fn sched_setparam(ctx: &mut Ctx<'_>, pid: Pid, param: Addr) -> SysResult {
    if param == Addr::NULL {
        return Err(Errno::EINVAL.into());
    }
    let tid = target(ctx, pid)?;
    let priority = ctx.read_u32(param)?;
    let old = ctx.k.task(tid).sched;
    set(ctx, tid, (old.policy, priority), None, old.reset_on_fork)?;
    Ok(0)
}

/// `sched_getparam(2)`
pub(crate) fn sched_getparam(ctx: &mut Ctx<'_>, pid: Pid, param: Addr) -> SysResult {
    if param == Addr::NULL {
        return Err(Errno::EINVAL.into());
    }
    let tid = target(ctx, pid)?;
    let priority = ctx.k.task(tid).sched.priority;
    ctx.write_u32(param, priority)?;
    Ok(0)
}

/// `sched_setscheduler(2)`
pub(crate) fn sched_setscheduler(ctx: &mut Ctx<'_>, pid: Pid, policy: I32, param: Addr) -> SysResult {
    if policy.0 < 0 || param == Addr::NULL {
        return Err(Errno::EINVAL.into());
    }
    let priority = ctx.read_u32(param)?;
    let tid = target(ctx, pid)?;
    let number = (policy.0 & !RESET_ON_FORK).cast_unsigned();
    set(ctx, tid, (number, priority), None, policy.0 & RESET_ON_FORK != 0)?;
    Ok(0)
}

/// `sched_getscheduler(2)`
pub(crate) fn sched_getscheduler(ctx: &mut Ctx<'_>, pid: Pid) -> SysResult {
    let tid = target(ctx, pid)?;
    let sched = ctx.k.task(tid).sched;
    let reset = if sched.reset_on_fork { RESET_ON_FORK.cast_unsigned() } else { 0 };
    Ok(u64::from(sched.policy | reset))
}

/// `sched_get_priority_max(2)`
pub(crate) fn sched_get_priority_max(_ctx: &mut Ctx<'_>, policy: I32) -> SysResult {
    match policy.0 {
        1 | 2 => Ok(99),
        0 | 3 | 5 | 6 | 7 => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `sched_get_priority_min(2)`
pub(crate) fn sched_get_priority_min(_ctx: &mut Ctx<'_>, policy: I32) -> SysResult {
    match policy.0 {
        1 | 2 => Ok(1),
        0 | 3 | 5 | 6 | 7 => Ok(0),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `sched_rr_get_interval(2)`
pub(crate) fn sched_rr_get_interval(ctx: &mut Ctx<'_>, pid: Pid, tp: Addr) -> SysResult {
    let tid = target(ctx, pid)?;
    let ns = match ctx.k.task(tid).sched.policy {
        policy::FIFO => 0,
        policy::RR => 100_000_000,
        _ => ctx.k.config.slice,
    };
    ctx.write_timespec(tp, ns)?;
    Ok(0)
}

/// Reads a whole `struct sched_attr` from user memory: policy, flags, nice, priority.
fn read_attr(ctx: &mut Ctx<'_>, attr: Addr) -> Result<(u32, u64, i32, u32), Errno> {
    let size = ctx.read_u32(attr)?;
    let size = if size == 0 { 48 } else { size };
    if !(48..=4096).contains(&size) {
        ctx.write_u32(attr, 56)?;
        return Err(Errno::E2BIG);
    }
    let mut extra = vec![0; usize::try_from(size).unwrap_or(48)];
    ctx.read_user(attr, &mut extra)?;
    if extra.get(56..).is_some_and(|rest| rest.iter().any(|byte| *byte != 0)) {
        ctx.write_u32(attr, 56)?;
        return Err(Errno::E2BIG);
    }
    let policy = ctx.read_u32(attr.at(4))?;
    let flags = ctx.read_u64(attr.at(8))?;
    let nice = ctx.read_u32(attr.at(16))?.cast_signed();
    let priority = ctx.read_u32(attr.at(20))?;
    Ok((policy, flags, nice, priority))
}

/// `sched_setattr(2)`
pub(crate) fn sched_setattr(ctx: &mut Ctx<'_>, pid: Pid, attr: Addr, flags: U32) -> SysResult {
    const RESET: u64 = 1;
    const KEEP_POLICY: u64 = 8;
    const KEEP_PARAMS: u64 = 16;
    if attr == Addr::NULL || pid.0 < 0 || flags.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (mut new_policy, attr_flags, mut nice, mut priority) = read_attr(ctx, attr)?;
    if new_policy.cast_signed() < 0 || attr_flags & !0x7f != 0 {
        return Err(Errno::EINVAL.into());
    }
    let tid = target(ctx, pid)?;
    let old = (ctx.k.task(tid).sched, ctx.k.task(tid).nice);
    if attr_flags & KEEP_POLICY != 0 {
        new_policy = old.0.policy;
    }
    if attr_flags & KEEP_PARAMS != 0 {
        priority = old.0.priority;
        nice = old.1;
    }
    let nice = matches!(new_policy, policy::NORMAL | policy::BATCH).then_some(nice);
    set(ctx, tid, (new_policy, priority), nice, attr_flags & RESET != 0)?;
    Ok(0)
}

/// `sched_getattr(2)`
pub(crate) fn sched_getattr(ctx: &mut Ctx<'_>, pid: Pid, attr: Addr, size: U32, flags: U32) -> SysResult {
    if attr == Addr::NULL || size.0 > 4096 || size.0 < 48 || flags.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let tid = target(ctx, pid)?;
    let task = ctx.k.task(tid);
    let mut bytes = [0; 56];
    let len = size.0.min(56);
    bytes[..4].copy_from_slice(&len.to_le_bytes());
    bytes[4..8].copy_from_slice(&task.sched.policy.to_le_bytes());
    bytes[8..16].copy_from_slice(&u64::from(task.sched.reset_on_fork).to_le_bytes());
    bytes[16..20].copy_from_slice(&task.nice.to_le_bytes());
    bytes[20..24].copy_from_slice(&task.sched.priority.to_le_bytes());
    bytes[52..56].copy_from_slice(&1024u32.to_le_bytes());
    ctx.write_user(attr, &bytes[..usize::try_from(len).unwrap_or(48)])?;
    Ok(0)
}

/// Processors, a bit each.
const ONLINE: u64 = 1;

/// `sched_setaffinity(2)`
pub(crate) fn sched_setaffinity(ctx: &mut Ctx<'_>, pid: Pid, cpusetsize: U32, mask: Addr) -> SysResult {
    let mut bytes = [0; 8];
    let len = usize::try_from(cpusetsize.0).unwrap_or(8).min(8);
    ctx.read_user(mask, &mut bytes[..len])?;
    let wanted = u64::from_le_bytes(bytes) & ONLINE;
    let tid = target(ctx, pid).map_err(|_| Errno::ESRCH)?;
    if !same_owner(ctx, tid) && !creds::has(&ctx.task().creds, creds::cap::SYS_NICE) {
        return Err(Errno::EPERM.into());
    }
    if wanted == 0 {
        return Err(Errno::EINVAL.into());
    }
    ctx.k.task_mut(tid).sched.affinity = wanted;
    Ok(0)
}

/// `sched_getaffinity(2)`
pub(crate) fn sched_getaffinity(ctx: &mut Ctx<'_>, pid: Pid, cpusetsize: U32, mask: Addr) -> SysResult {
    if !cpusetsize.0.is_multiple_of(8) || cpusetsize.0 == 0 {
        return Err(Errno::EINVAL.into());
    }
    let tid = target(ctx, pid).map_err(|_| Errno::ESRCH)?;
    let affinity = ctx.k.task(tid).sched.affinity & ONLINE;
    ctx.write_u64(mask, affinity)?;
    Ok(8)
}

/// `getcpu(2)`
pub(crate) fn getcpu(ctx: &mut Ctx<'_>, cpu: Addr, node: Addr, _tcache: Addr) -> SysResult {
    for word in [cpu, node] {
        if let Some(word) = word.non_null() {
            ctx.write_u32(word, 0)?;
        }
    }
    Ok(0)
}

/// The threads that `which` and `who` of getpriority(2) and ioprio_get(2) name.
fn chosen(ctx: &Ctx<'_>, which: i32, who: i32) -> Result<Vec<TaskId>, Errno> {
    let of_group = |gid: GroupId| {
        let members = ctx.k.groups.iter().filter(move |(_, group)| group.pgid == gid);
        members.flat_map(|(_, group)| group.threads.clone()).collect()
    };
    match which {
        0 => Ok(vec![ctx.k.find_task_or_self(who, ctx.tid)?]),
        1 if who == 0 => Ok(of_group(ctx.group().pgid)),
        1 => Ok(u32::try_from(who).map(|pgid| of_group(GroupId(pgid))).unwrap_or_default()),
        2 => {
            let uid = if who == 0 { ctx.task().creds.uid[0] } else { who.cast_unsigned() };
            Ok(ctx.k.tasks.iter().filter(|(_, task)| task.creds.uid[0] == uid).map(|(tid, _)| tid).collect())
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `getpriority(2)`: 20 minus the nice value, as the raw call answers.
pub(crate) fn getpriority(ctx: &mut Ctx<'_>, which: I32, who: I32) -> SysResult {
    let tasks = chosen(ctx, which.0, who.0)?;
    let best = tasks.iter().filter_map(|tid| ctx.k.tasks.get(*tid)).map(|task| 20 - task.nice).max();
    Ok(u64::from(best.ok_or(Errno::ESRCH)?.cast_unsigned()))
}

/// `setpriority(2)`
pub(crate) fn setpriority(ctx: &mut Ctx<'_>, which: I32, who: I32, prio: I32) -> SysResult {
    let nice = prio.0.clamp(-20, 19);
    let tasks = chosen(ctx, which.0, who.0)?;
    let mut result = Err(Errno::ESRCH);
    for tid in tasks {
        let privileged = creds::has(&ctx.task().creds, creds::cap::SYS_NICE);
        let task = ctx.k.task(tid);
        let limit = ctx.k.group(task.group).rlimits[RLIMIT_NICE].0;
        if !same_owner(ctx, tid) && !privileged {
            result = Err(Errno::EPERM);
            continue;
        }
        if nice < task.nice && !may_nice(limit, nice) && !privileged {
            result = Err(Errno::EACCES);
            continue;
        }
        if result == Err(Errno::ESRCH) {
            result = Ok(0);
        }
        ctx.k.task_mut(tid).nice = nice;
    }
    Ok(result?)
}

/// `ioprio_set(2)`: kept and reported; there is no queue of disk requests that it could order.
pub(crate) fn ioprio_set(ctx: &mut Ctx<'_>, which: I32, who: I32, ioprio: I32) -> SysResult {
    let (class, level) = (ioprio.0 >> 13, ioprio.0 & 7);
    let allowed = match class {
        0 => level == 0,
        1..=3 => true,
        _ => false,
    };
    if !allowed {
        return Err(Errno::EINVAL.into());
    }
    if class == 1 && !creds::has(&ctx.task().creds, creds::cap::SYS_ADMIN) {
        return Err(Errno::EPERM.into());
    }
    let tasks = chosen(ctx, which.0.saturating_sub(1), who.0)?;
    if tasks.is_empty() {
        return Err(Errno::ESRCH.into());
    }
    for tid in tasks {
        ctx.k.task_mut(tid).attrs.ioprio = ioprio.0.cast_unsigned();
    }
    Ok(0)
}

/// `ioprio_get(2)`
pub(crate) fn ioprio_get(ctx: &mut Ctx<'_>, which: I32, who: I32) -> SysResult {
    let tasks = chosen(ctx, which.0.saturating_sub(1), who.0)?;
    let found = tasks.iter().filter_map(|tid| ctx.k.tasks.get(*tid)).map(|task| task.attrs.ioprio).max();
    Ok(u64::from(found.ok_or(Errno::ESRCH)?))
}
