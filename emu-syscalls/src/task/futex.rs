//! Futexes: waiting for and waking by a word of user memory, requeueing, priority inheritance, robust lists.
//!
//! A waiter is a parked task under [`WaitKey::Futex`]; a waker marks the call ([`Call::woken`]) of those it chose.
//!
//! **Invariant**: a private futex is named by address space and address, a shared one by object and offset; a waiter that
//! was chosen by a wake never reports a timeout or a signal instead.

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Call, Ctx, Stop, SysResult};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::wait::{self, OnSignal, Wait, WaitKey, Waiter};
use crate::task::{TaskId, signal};

/// Bit of a word: somebody waits.
pub const WAITERS: u32 = 0x8000_0000;
/// Bit of a word: the owner died.
pub const OWNER_DIED: u32 = 0x4000_0000;
/// Bits of a word: number of the owner.
pub const TID_MASK: u32 = 0x3fff_ffff;
/// `FUTEX_BITSET_MATCH_ANY`
pub const MATCH_ANY: u32 = u32::MAX;
/// Set in the first half of a key of shared memory.
const SHARED: u64 = 1 << 63;

/// What a waker needs to know of a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FutexWait {
    /// Which wakes concern it.
    pub bitset: u32,
    /// Index of the entry that was woken (`futex_waitv`), by key.
    pub woken_key: Option<(u64, u64)>,
}

/// The name of the futex at an address, whose page is faulted in. `EINVAL` if not aligned, `EFAULT`.
pub fn key(ctx: &mut Ctx<'_>, uaddr: Addr, private: bool) -> Result<(u64, u64), Errno> {
    if !uaddr.0.is_multiple_of(4) {
        return Err(Errno::EINVAL);
    }
    if uaddr.0 >= emu_core::mem::USER_END {
        return Err(Errno::EFAULT);
    }
    let space = ctx.space();
    if !private {
        ctx.read_u32(uaddr)?;
        if let Some((object, index)) = ctx.k.mem.page(space, uaddr.0).and_then(|page| page.shared) {
            return Ok((SHARED | u64::from(object.0), index * emu_core::mem::PAGE_SIZE + (uaddr.0 & 4095)));
        }
    }
    Ok((u64::from(space.0), uaddr.0))
}

fn wait_key((a, b): (u64, u64)) -> WaitKey {
    WaitKey::Futex(a, b)
}

fn waiting_tasks(k: &Kernel, key: (u64, u64)) -> Vec<TaskId> {
    let waiters = k.waits.waiters(wait_key(key));
    waiters.into_iter().filter_map(|w| if let Waiter::Task(tid) = w { Some(tid) } else { None }).collect()
}

fn wake_one(k: &mut Kernel, tid: TaskId, key: (u64, u64)) {
    let task = k.task_mut(tid);
    task.futex.woken_key = Some(key);
    if let Some(call) = &mut task.call {
        call.woken = true;
    }
    if wait::unpark(k, tid) {
        k.sched.woken(tid);
    }
}

/// Wakes at most `count` waiters whose bitset meets `bitset`; how many.
pub fn wake(k: &mut Kernel, key: (u64, u64), count: u32, bitset: u32) -> u64 {
    let mut woken = 0;
    if count == 0 || !k.waits.any(wait_key(key)) {
        return 0;
    }
    for tid in waiting_tasks(k, key) {
        if woken == u64::from(count) {
            break;
        }
        if k.tasks.get(tid).is_some_and(|task| task.futex.bitset & bitset != 0) {
            wake_one(k, tid, key);
            woken += 1;
        }
    }
    woken
}

/// When a wait ends: an absolute time of the monotonic clock; fixed by the first run of the call.
pub fn expired(ctx: &mut Ctx<'_>) -> bool {
    match ctx.call.deadline_ns {
        Some(at) => ctx.now_ns() >= at,
        None => false,
    }
}

/// Waits until woken, if the word holds `expected`.
pub fn wait_on(ctx: &mut Ctx<'_>, uaddr: Addr, private: bool, expected: u32, bitset: u32) -> SysResult {
    if bitset == 0 {
        return Err(Errno::EINVAL.into());
    }
    if ctx.call.woken {
        return Ok(0);
    }
    let key = key(ctx, uaddr, private)?;
    let interrupted = ctx.call.runs > 1 && signal::pending(ctx.k, ctx.tid);
    if !interrupted {
        if ctx.call.runs > 1 && expired(ctx) {
            return Err(Errno::ETIMEDOUT.into());
        }
        if ctx.read_u32(uaddr)? != expected {
            return Err(Errno::EAGAIN.into());
        }
        if expired(ctx) {
            return Err(Errno::ETIMEDOUT.into());
        }
    }
    ctx.task_mut().futex = FutexWait { bitset, woken_key: None };
    Err(block(ctx, vec![wait_key(key)]))
}

fn block(ctx: &Ctx<'_>, keys: Vec<WaitKey>) -> Stop {
    let until_ns = ctx.call.deadline_ns;
    let on_signal = if until_ns.is_some() { OnSignal::RestartBlock } else { OnSignal::Restart };
    Stop::Block(Wait { keys, until_ns, on_signal })
}

/// Wakes `wake_count` waiters of `from` and moves at most `move_count` others to `to`; how many of both. With `expected`,
/// `EAGAIN` unless the word holds it.
pub fn requeue(
    ctx: &mut Ctx<'_>,
    (from_addr, from_private): (Addr, bool),
    (to_addr, to_private): (Addr, bool),
    counts: (u32, u32),
    expected: Option<u32>,
) -> Result<(u64, u64), Errno> {
    let from = key(ctx, from_addr, from_private)?;
    let to = key(ctx, to_addr, to_private)?;
    if let Some(expected) = expected
        && ctx.read_u32(from_addr)? != expected
    {
        return Err(Errno::EAGAIN);
    }
    let woken = wake(ctx.k, from, counts.0, MATCH_ANY);
    let mut moved = 0;
    for tid in waiting_tasks(ctx.k, from) {
        if moved == u64::from(counts.1) {
            break;
        }
        wait::rekey(ctx.k, tid, wait_key(from), wait_key(to));
        moved += 1;
    }
    Ok((woken, moved))
}

/// `FUTEX_WAKE_OP`: changes the word at `second` as `op` says, wakes `counts.0` of `first`, and `counts.1` of `second` if
/// its old value compares as `op` says.
pub fn wake_op(
    ctx: &mut Ctx<'_>,
    first: Addr,
    second: Addr,
    private: bool,
    counts: (u32, u32),
    op: u32,
) -> SysResult {
    let key1 = key(ctx, first, private)?;
    let key2 = key(ctx, second, private)?;
    let sign_extend = |field: u32| (field << 20).cast_signed() >> 20;
    let mut operand = sign_extend(op >> 12 & 0xfff);
    let compare = sign_extend(op & 0xfff);
    if op >> 28 & 8 != 0 {
        operand = 1i32.wrapping_shl(operand.cast_unsigned() & 31);
    }
    let old = ctx.read_u32(second)?;
    let operand = operand.cast_unsigned();
    let new = match op >> 28 & 7 {
        0 => operand,
        1 => old.wrapping_add(operand),
        2 => old | operand,
        3 => old & !operand,
        4 => old ^ operand,
        _ => return Err(Errno::ENOSYS.into()),
    };
    let signed = old.cast_signed();
    let also = match op >> 24 & 15 {
        0 => signed == compare,
        1 => signed != compare,
        2 => signed < compare,
        3 => signed <= compare,
        4 => signed > compare,
        5 => signed >= compare,
        _ => return Err(Errno::ENOSYS.into()),
    };
    ctx.write_u32(second, new)?;
    let mut woken = wake(ctx.k, key1, counts.0, MATCH_ANY);
    if also {
        woken += wake(ctx.k, key2, counts.1, MATCH_ANY);
    }
    Ok(woken)
}

/// `FUTEX_LOCK_PI`, and `FUTEX_TRYLOCK_PI` with `try_only`.
pub fn lock_pi(ctx: &mut Ctx<'_>, uaddr: Addr, private: bool, try_only: TryOnly) -> SysResult {
    if ctx.call.woken {
        return Ok(0);
    }
    let key = key(ctx, uaddr, private)?;
    let me = ctx.tid.0;
    let value = ctx.read_u32(uaddr)?;
    let owner = value & TID_MASK;
    if owner == me {
        return Err(Errno::EDEADLK.into());
    }
    let owner_lives = ctx.k.tasks.get(TaskId(owner)).is_some_and(|task| !task.is_dead());
    let waited = ctx.call.done == u64::from(owner) && ctx.call.runs > 1;
    if owner == 0 || (!owner_lives && (waited || value & OWNER_DIED != 0)) {
        let died = if owner == 0 { value & OWNER_DIED } else { OWNER_DIED };
        let others = waiting_tasks(ctx.k, key).iter().any(|tid| *tid != ctx.tid);
        let waiters = if others { WAITERS } else { 0 };
        ctx.write_u32(uaddr, me | died | waiters)?;
        return Ok(0);
    }
    if !owner_lives {
        return Err(Errno::ESRCH.into());
    }
    if try_only == TryOnly::Yes {
        return Err(Errno::EAGAIN.into());
    }
    if expired(ctx) {
        return Err(Errno::ETIMEDOUT.into());
    }
    ctx.write_u32(uaddr, value | WAITERS)?;
    ctx.call.done = u64::from(owner);
    ctx.task_mut().futex = FutexWait { bitset: MATCH_ANY, woken_key: None };
    let keys = vec![wait_key(key), WaitKey::Thread(TaskId(owner))];
    let until_ns = ctx.call.deadline_ns;
    // An interrupted lock is always started again (ERESTARTNOINTR), so a signal need not end the wait's bookkeeping.
    Err(Stop::Block(Wait { keys, until_ns, on_signal: OnSignal::Restart }))
}

/// Whether a lock is only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryOnly {
    /// `EAGAIN` instead of waiting.
    Yes,
    /// Wait.
    No,
}

/// `FUTEX_UNLOCK_PI`: gives the lock to the most important waiter.
pub fn unlock_pi(ctx: &mut Ctx<'_>, uaddr: Addr, private: bool) -> SysResult {
    let key = key(ctx, uaddr, private)?;
    let value = ctx.read_u32(uaddr)?;
    if value & TID_MASK != ctx.tid.0 {
        return Err(Errno::EPERM.into());
    }
    let waiters = waiting_tasks(ctx.k, key);
    let next = pick_pi(ctx.k, &waiters);
    let new = match next {
        Some(tid) => tid.0 | if waiters.len() > 1 { WAITERS } else { 0 },
        None => 0,
    };
    ctx.write_u32(uaddr, new)?;
    if let Some(tid) = next {
        wake_one(ctx.k, tid, key);
    }
    Ok(0)
}

/// The waiter of the highest priority, the first of equals.
fn pick_pi(k: &Kernel, waiters: &[TaskId]) -> Option<TaskId> {
    let rank = |tid: &TaskId| k.tasks.get(*tid).map_or(u32::MAX, |task| 99 - task.sched.priority.min(99));
    waiters.iter().copied().min_by_key(rank)
}

/// One entry of `futex_waitv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waitv {
    /// Address of the word.
    pub uaddr: Addr,
    /// Expected value.
    pub value: u32,
    /// Whether it is private.
    pub private: bool,
}

/// Waits for any of several futexes; the index of one that was woken.
pub fn wait_any(ctx: &mut Ctx<'_>, entries: &[Waitv]) -> SysResult {
    let mut keys = Vec::with_capacity(entries.len());
    for entry in entries {
        keys.push(key(ctx, entry.uaddr, entry.private)?);
    }
    if ctx.call.woken {
        let woken = ctx.task().futex.woken_key;
        let index = keys.iter().position(|key| Some(*key) == woken).unwrap_or(0);
        return Ok(index as u64);
    }
    let interrupted = ctx.call.runs > 1 && signal::pending(ctx.k, ctx.tid);
    if !interrupted {
        for entry in entries {
            if ctx.read_u32(entry.uaddr)? != entry.value {
                return Err(Errno::EAGAIN.into());
            }
        }
        if expired(ctx) {
            return Err(Errno::ETIMEDOUT.into());
        }
    }
    ctx.task_mut().futex = FutexWait { bitset: MATCH_ANY, woken_key: None };
    let until_ns = ctx.call.deadline_ns;
    let keys = keys.into_iter().map(wait_key).collect();
    Err(Stop::Block(Wait { keys, until_ns, on_signal: OnSignal::Restart }))
}

/// Longest robust list that is walked (ROBUST_LIST_LIMIT).
const ROBUST_LIMIT: u32 = 2048;

/// Marks the futexes on a dying thread's robust list as orphaned and wakes a waiter of each.
pub fn exit_robust_lists(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) {
    let (head, _) = std::mem::take(&mut k.task_mut(tid).robust_list);
    if head == 0 || k.task(tid).mm.is_none() {
        return;
    }
    let mut ctx = Ctx { k, host, tid, call: Call::default() };
    // A fault anywhere ends the walk, silently, as in Linux.
    let _ = walk_robust(&mut ctx, Addr(head));
}

fn walk_robust(ctx: &mut Ctx<'_>, head: Addr) -> Result<(), Errno> {
    let mut entry = ctx.read_u64(head)?;
    let offset = ctx.read_u64(head.at(8))?;
    let pending = ctx.read_u64(head.at(16))?;
    let mut left = ROBUST_LIMIT;
    while entry & !1 != head.0 && left > 0 {
        let next = ctx.read_u64(Addr(entry & !1));
        if entry & !1 != pending & !1 {
            futex_death(ctx, Addr((entry & !1).wrapping_add(offset)), entry & 1 != 0, Pending::No)?;
        }
        entry = next?;
        left -= 1;
    }
    if pending & !1 != 0 {
        futex_death(ctx, Addr((pending & !1).wrapping_add(offset)), pending & 1 != 0, Pending::Yes)?;
    }
    Ok(())
}

/// Whether an entry is the one that was being locked or unlocked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Yes,
    No,
}

fn futex_death(ctx: &mut Ctx<'_>, uaddr: Addr, pi: bool, pending: Pending) -> Result<(), Errno> {
    let key = key(ctx, uaddr, false)?;
    let value = ctx.read_u32(uaddr)?;
    if pending == Pending::Yes && !pi && value == 0 {
        wake(ctx.k, key, 1, MATCH_ANY);
        return Ok(());
    }
    if value & TID_MASK != ctx.tid.0 {
        return Ok(());
    }
    ctx.write_u32(uaddr, value & WAITERS | OWNER_DIED)?;
    if !pi && value & WAITERS != 0 {
        // The waiter may use either name of the word (private and shared mutexes share this list).
        let private = (u64::from(ctx.space().0), uaddr.0);
        if wake(ctx.k, key, 1, MATCH_ANY) == 0 && private != key {
            wake(ctx.k, private, 1, MATCH_ANY);
        }
    }
    Ok(())
}
