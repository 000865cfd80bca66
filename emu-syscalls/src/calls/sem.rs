//! System V semaphores: `semget(2)`, `semop(2)`, `semctl(2)`.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, U32, U64};
use crate::calls::poll::{Timeout, ends_now, read_timespec};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::ipc::{self, Perm, Sem, SemId, SemSet, sem_key};
use crate::task::RunState;
use crate::task::wait::{OnSignal, Wait};

/// Semaphores in a set, operations in a call, sets, and the largest value (/proc/sys/kernel/sem).
const SEMMSL: i32 = 32000;
const SEMOPM: u32 = 500;
const SEMVMX: i32 = 32767;
const IPC_CREAT: i32 = 0o1000;
const IPC_EXCL: i32 = 0o2000;
const IPC_NOWAIT: u16 = 0o4000;
const SEM_UNDO: u16 = 0x1000;

fn seconds(ctx: &mut Ctx<'_>) -> u64 {
    ctx.realtime_ns() / 1_000_000_000
}

/// `semget(2)`
pub(crate) fn semget(ctx: &mut Ctx<'_>, key: I32, nsems: I32, semflg: I32) -> SysResult {
    let flags = semflg.0;
    if !(0..=SEMMSL).contains(&nsems.0) {
        return Err(Errno::EINVAL.into());
    }
    let found = ctx.k.ipc.sem_keys.get(&key.0).copied();
    if let Some(id) = found {
        if flags & IPC_CREAT != 0 && flags & IPC_EXCL != 0 {
            return Err(Errno::EEXIST.into());
        }
        let (_, set) = set_of(ctx, id.0.cast_signed())?;
        if usize::try_from(nsems.0).is_ok_and(|n| n > set.sems.len()) {
            return Err(Errno::EINVAL.into());
        }
        let asked = flags.cast_unsigned();
        set.perm.permit(&ctx.task().creds, (asked >> 6 | asked >> 3 | asked) & 7)?;
        return Ok(u64::from(id.0));
    }
    if key.0 != 0 && flags & IPC_CREAT == 0 {
        return Err(Errno::ENOENT.into());
    }
    if nsems.0 == 0 {
        return Err(Errno::EINVAL.into());
    }
    let sets = semmni(ctx.k);
    if ctx.k.ipc.sems.len() >= sets {
        return Err(Errno::ENOSPC.into());
    }
    let now = seconds(ctx);
    let perm = Perm::new(key.0, &ctx.task().creds, flags.cast_unsigned());
    let sems = (0..nsems.0).map(|_| Sem::default()).collect();
    let set = SemSet { perm, sems, times: (0, now), waiting: persist::OrdMap::new() };
    let id = ipc::insert(ctx.k, "sys/kernel/sem_next_id", |k| &mut k.ipc.sems, set);
    if key.0 != 0 {
        ctx.k.ipc.sem_keys.insert(key.0, id);
    }
    Ok(u64::from(id.0))
}

/// The fourth number of /proc/sys/kernel/sem: how many sets there may be.
fn semmni(k: &crate::kernel::Kernel) -> usize {
    let written = k.sysctls.get("sys/kernel/sem").and_then(|line| line.split_whitespace().nth(3));
    written.and_then(|word| word.parse().ok()).unwrap_or(32000)
}

fn set_of<'a>(ctx: &'a Ctx<'_>, id: i32) -> Result<(SemId, &'a SemSet), Errno> {
    let id = SemId(u32::try_from(id).map_err(|_| Errno::EINVAL)?);
    ctx.k.ipc.sems.get(id).map(|set| (id, set)).ok_or(Errno::EINVAL)
}

/// A `struct sembuf`.
#[derive(Debug, Clone, Copy)]
struct Op {
    num: u16,
    op: i32,
    flags: u16,
}

/// `semop(2)`
pub(crate) fn semop(ctx: &mut Ctx<'_>, semid: I32, sops: Addr, nsops: U32) -> SysResult {
    semtimedop(ctx, semid, sops, nsops, Addr::NULL)
}

/// `semtimedop(2)`
pub(crate) fn semtimedop(ctx: &mut Ctx<'_>, semid: I32, sops: Addr, nsops: U32, timeout: Addr) -> SysResult {
    if nsops.0 == 0 || semid.0 < 0 {
        return Err(Errno::EINVAL.into());
    }
    if nsops.0 > SEMOPM {
        return Err(Errno::E2BIG.into());
    }
    let span = read_timespec(ctx, timeout)?;
    let mut ops = Vec::new();
    for index in 0..u64::from(nsops.0) {
        let mut raw = [0; 6];
        ctx.read_user(sops.at(index * 6), &mut raw)?;
        let half = |at: usize| u16::from_le_bytes([raw[at], raw[at + 1]]);
        ops.push(Op { num: half(0), op: i32::from(half(2).cast_signed()), flags: half(4) });
    }
    let removed = if ctx.call.runs > 1 { Errno::EIDRM } else { Errno::EINVAL };
    let (id, set) = set_of(ctx, semid.0).map_err(|_| removed)?;
    if ops.iter().any(|op| usize::from(op.num) >= set.sems.len()) {
        return Err(Errno::EFBIG.into());
    }
    let alters = ops.iter().any(|op| op.op != 0);
    set.perm.permit(&ctx.task().creds, if alters { 2 } else { 4 })?;
    let mut sems = set.sems.clone();
    let pid = ctx.task().group.0;
    for op in &ops {
        let Some(sem) = sems.get_mut(usize::from(op.num)) else { return Err(Errno::EFBIG.into()) };
        let new = sem.value + op.op;
        if op.op == 0 && sem.value != 0 || new < 0 {
            if op.flags & IPC_NOWAIT != 0 {
                return Err(Errno::EAGAIN.into());
            }
            return wait(ctx, id, (op.num, op.op == 0), span);
        }
        if new > SEMVMX {
            return Err(Errno::ERANGE.into());
        }
        sem.value = new;
        sem.pid = pid;
    }
    let now = seconds(ctx);
    let (tid, group) = (ctx.tid, ctx.task().group);
    for op in ops.iter().filter(|op| op.flags & SEM_UNDO != 0 && op.op != 0) {
        let key = (group, id, op.num);
        let adjust = ctx.k.ipc.undo.get(&key).copied().unwrap_or(0) - op.op;
        ctx.k.ipc.undo.insert(key, adjust);
    }
    if let Some(set) = ctx.k.ipc.sems.get_mut(id) {
        set.sems = sems;
        set.times.0 = now;
        set.waiting.remove(&tid);
    }
    if alters {
        ctx.k.wake(sem_key(id));
    }
    Ok(0)
}

fn wait(ctx: &mut Ctx<'_>, id: SemId, what: (u16, bool), span: Option<u64>) -> SysResult {
    let timeout = Timeout::after(ctx, span);
    let tid = ctx.tid;
    let over = timeout.over(ctx);
    let stop: SysResult = Err(Stop::Block(Wait::any(vec![sem_key(id)], timeout.until(), OnSignal::Eintr)));
    let ends = over || ends_now(ctx, &stop);
    if let Some(set) = ctx.k.ipc.sems.get_mut(id) {
        if ends {
            set.waiting.remove(&tid);
        } else {
            set.waiting.insert(tid, what);
        }
    }
    if over { Err(Errno::EAGAIN.into()) } else { stop }
}

/// Commands of semctl(2).
mod cmd {
    pub(super) const RMID: i32 = 0;
    pub(super) const SET: i32 = 1;
    pub(super) const STAT: i32 = 2;
    pub(super) const INFO: i32 = 3;
    pub(super) const GETPID: i32 = 11;
    pub(super) const GETVAL: i32 = 12;
    pub(super) const GETALL: i32 = 13;
    pub(super) const GETNCNT: i32 = 14;
    pub(super) const GETZCNT: i32 = 15;
    pub(super) const SETVAL: i32 = 16;
    pub(super) const SETALL: i32 = 17;
    pub(super) const SEM_STAT: i32 = 18;
    pub(super) const SEM_INFO: i32 = 19;
    pub(super) const SEM_STAT_ANY: i32 = 20;
}

/// `semctl(2)`
pub(crate) fn semctl(ctx: &mut Ctx<'_>, semid: I32, semnum: I32, cmd: I32, arg: U64) -> SysResult {
    let at = Addr(arg.0);
    if matches!(cmd.0, cmd::INFO | cmd::SEM_INFO) {
        return info(ctx, at, cmd.0 == cmd::SEM_INFO);
    }
    let creds = ctx.task().creds.clone();
    let pid = ctx.task().group.0;
    let (id, set) = set_of(ctx, semid.0)?;
    let index = usize::try_from(semnum.0).unwrap_or(usize::MAX);
    match cmd.0 {
        cmd::RMID => {
            set.perm.owns(&creds)?;
            if let Some(gone) = ctx.k.ipc.sems.remove(id) {
                ctx.k.ipc.sem_keys.remove(&gone.perm.key);
            }
            let gone: Vec<_> = ctx.k.ipc.undo.keys().filter(|(_, sem, _)| *sem == id).copied().collect();
            for key in gone {
                ctx.k.ipc.undo.remove(&key);
            }
            ctx.k.wake(sem_key(id));
            Ok(0)
        }
        cmd::SET => {
            set.perm.owns(&creds)?;
            let (uid, gid, mode) =
                (ctx.read_u32(at.at(4))?, ctx.read_u32(at.at(8))?, ctx.read_u32(at.at(20))?);
            let now = seconds(ctx);
            if let Some(set) = ctx.k.ipc.sems.get_mut(id) {
                set.perm.owner = (uid, gid);
                set.perm.mode = mode & 0o777;
                set.times.1 = now;
            }
            Ok(0)
        }
        cmd::STAT | cmd::SEM_STAT | cmd::SEM_STAT_ANY => {
            if cmd.0 != cmd::SEM_STAT_ANY {
                set.perm.permit(&creds, 4)?;
            }
            let mut bytes = set.perm.to_bytes();
            for word in [set.times.0, 0, set.times.1, 0, set.sems.len() as u64, 0, 0] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            ctx.write_user(at, &bytes)?;
            // The index of the other two is the number itself (Linux: the low bits of it).
            Ok(if cmd.0 == cmd::STAT { 0 } else { u64::from(id.0) })
        }
        cmd::GETALL => {
            set.perm.permit(&creds, 4)?;
            let values = set.sems.iter().map(|sem| u16::try_from(sem.value).unwrap_or(0));
            let bytes: Vec<u8> = values.flat_map(u16::to_le_bytes).collect();
            ctx.write_user(at, &bytes)?;
            Ok(0)
        }
        cmd::SETALL => {
            set.perm.permit(&creds, 2)?;
            let mut raw = vec![0; set.sems.len() * 2];
            ctx.read_user(at, &mut raw)?;
            let values: Vec<i32> =
                raw.chunks_exact(2).map(|b| i32::from(u16::from_le_bytes([b[0], b[1]]))).collect();
            if values.iter().any(|value| *value > SEMVMX) {
                return Err(Errno::ERANGE.into());
            }
            let sems = values.into_iter().map(|value| Sem { value, pid }).collect();
            change(ctx, id, |set| set.sems = sems)
        }
        cmd::GETVAL | cmd::GETPID | cmd::GETNCNT | cmd::GETZCNT => {
            set.perm.permit(&creds, 4)?;
            let sem = *set.sems.get(index).ok_or(Errno::EINVAL)?;
            let waiting = |zero: bool| {
                let here = |(tid, (num, z)): (&crate::task::TaskId, &(u16, bool))| {
                    let parked =
                        ctx.k.tasks.get(*tid).is_some_and(|task| matches!(&task.state, RunState::Parked(wait) if wait.keys.contains(&sem_key(id))));
                    parked && usize::from(*num) == index && *z == zero
                };
                set.waiting.iter().filter(|entry| here(*entry)).count() as u64
            };
            Ok(match cmd.0 {
                cmd::GETVAL => u64::try_from(sem.value).unwrap_or(0),
                cmd::GETPID => u64::from(sem.pid),
                cmd::GETNCNT => waiting(false),
                _ => waiting(true),
            })
        }
        cmd::SETVAL => {
            let value = <I32 as crate::arg::Arg>::from_reg(arg.0).0;
            if !(0..=SEMVMX).contains(&value) {
                return Err(Errno::ERANGE.into());
            }
            if index >= set.sems.len() {
                return Err(Errno::EINVAL.into());
            }
            set.perm.permit(&creds, 2)?;
            let num = u16::try_from(index).map_err(|_| Errno::EINVAL)?;
            let undone: Vec<_> =
                ctx.k.ipc.undo.keys().filter(|(_, sem, n)| *sem == id && *n == num).copied().collect();
            for key in undone {
                ctx.k.ipc.undo.remove(&key);
            }
            change(ctx, id, |set| {
                if let Some(sem) = set.sems.get_mut(index) {
                    *sem = Sem { value, pid };
                }
            })
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

fn change(ctx: &mut Ctx<'_>, id: SemId, with: impl FnOnce(&mut SemSet)) -> SysResult {
    let now = seconds(ctx);
    if let Some(set) = ctx.k.ipc.sems.get_mut(id) {
        with(set);
        set.times.1 = now;
    }
    ctx.k.wake(sem_key(id));
    Ok(0)
}

/// `struct seminfo`; the highest number in use is the result.
fn info(ctx: &mut Ctx<'_>, at: Addr, used: bool) -> SysResult {
    let sets = u32::try_from(ctx.k.ipc.sems.len()).unwrap_or(u32::MAX);
    let sems: usize = ctx.k.ipc.sems.iter().map(|(_, set)| set.sems.len()).sum();
    let (usz, aem) = if used { (sets, u32::try_from(sems).unwrap_or(u32::MAX)) } else { (20, 32767) };
    let words = [1_024_000_000, 32000, 1_024_000_000, 1_024_000_000, 32000, 500, 500, usz, 32767, aem];
    let bytes: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    ctx.write_user(at, &bytes)?;
    Ok(ctx.k.ipc.sems.ids().last().map_or(0, |id| u64::from(id.0)))
}
