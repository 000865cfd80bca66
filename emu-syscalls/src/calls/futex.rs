//! Futexes, robust lists, restartable sequences, memory barriers (futex(2), set_robust_list(2), rseq(2), membarrier(2)).

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, Len, Pid, U32, U64};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::task::futex::{self, MATCH_ANY, TryOnly, Waitv};
use crate::task::{creds, rseq};

mod op {
    pub(super) const PRIVATE: u32 = 128;
    pub(super) const CLOCK_REALTIME: u32 = 256;
    pub(super) const WAIT: u32 = 0;
    pub(super) const WAKE: u32 = 1;
    pub(super) const REQUEUE: u32 = 3;
    pub(super) const CMP_REQUEUE: u32 = 4;
    pub(super) const WAKE_OP: u32 = 5;
    pub(super) const LOCK_PI: u32 = 6;
    pub(super) const UNLOCK_PI: u32 = 7;
    pub(super) const TRYLOCK_PI: u32 = 8;
    pub(super) const WAIT_BITSET: u32 = 9;
    pub(super) const WAKE_BITSET: u32 = 10;
    pub(super) const WAIT_REQUEUE_PI: u32 = 11;
    pub(super) const CMP_REQUEUE_PI: u32 = 12;
    pub(super) const LOCK_PI2: u32 = 13;
}

/// Fixes the deadline in the first run of the call.
fn set_deadline(ctx: &mut Ctx<'_>, timeout: Addr, absolute: bool, realtime: bool) -> Result<(), Errno> {
    let Some(timeout) = timeout.non_null() else { return Ok(()) };
    if ctx.call.deadline_ns.is_some() {
        return Ok(());
    }
    let ns = ctx.read_timespec(timeout)?;
    let at = match (absolute, realtime) {
        (false, _) => ctx.now_ns().saturating_add(ns),
        (true, false) => ns,
        (true, true) => ctx.realtime_to_monotonic(ns),
    };
    ctx.call.deadline_ns = Some(at);
    Ok(())
}

/// `futex(2)`
pub(crate) fn futex(
    ctx: &mut Ctx<'_>,
    uaddr: Addr,
    op: U32,
    val: U32,
    timeout: Addr,
    uaddr2: Addr,
    val3: U32,
) -> SysResult {
    let private = op.0 & op::PRIVATE != 0;
    let realtime = op.0 & op::CLOCK_REALTIME != 0;
    let command = op.0 & !(op::PRIVATE | op::CLOCK_REALTIME);
    if realtime && !matches!(command, op::WAIT_BITSET | op::WAIT_REQUEUE_PI | op::LOCK_PI2) {
        return Err(Errno::ENOSYS.into());
    }
    // For the commands that take no timeout this register is a count.
    let val2 = u32::try_from(timeout.0 & 0xffff_ffff).unwrap_or(0);
    match command {
        op::WAIT | op::WAIT_BITSET => {
            set_deadline(ctx, timeout, command == op::WAIT_BITSET, realtime)?;
            let bitset = if command == op::WAIT { MATCH_ANY } else { val3.0 };
            futex::wait_on(ctx, uaddr, private, val.0, bitset)
        }
        op::WAKE | op::WAKE_BITSET => {
            let bitset = if command == op::WAKE { MATCH_ANY } else { val3.0 };
            if bitset == 0 {
                return Err(Errno::EINVAL.into());
            }
            let key = futex::key(ctx, uaddr, private)?;
            // Linux wakes one for a count that is zero or negative.
            Ok(futex::wake(ctx.k, key, at_least_one(val.0), bitset))
        }
        op::REQUEUE | op::CMP_REQUEUE => {
            if val.0.cast_signed() < 0 || val2.cast_signed() < 0 {
                return Err(Errno::EINVAL.into());
            }
            let expected = (command == op::CMP_REQUEUE).then_some(val3.0);
            let (woken, moved) =
                futex::requeue(ctx, (uaddr, private), (uaddr2, private), (val.0, val2), expected)?;
            Ok(woken + moved)
        }
        op::WAKE_OP => {
            futex::wake_op(ctx, uaddr, uaddr2, private, (at_least_one(val.0), at_least_one(val2)), val3.0)
        }
        op::LOCK_PI | op::LOCK_PI2 => {
            set_deadline(ctx, timeout, true, command == op::LOCK_PI || realtime)?;
            futex::lock_pi(ctx, uaddr, private, TryOnly::No)
        }
        op::TRYLOCK_PI => futex::lock_pi(ctx, uaddr, private, TryOnly::Yes),
        op::UNLOCK_PI => futex::unlock_pi(ctx, uaddr, private),
        op::WAIT_REQUEUE_PI | op::CMP_REQUEUE_PI => Err(Stop::Unsupported("requeueing to a PI futex")),
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn at_least_one(count: u32) -> u32 {
    if count.cast_signed() <= 0 { 1 } else { count }
}

const FUTEX2_SIZE_MASK: u32 = 3;
const FUTEX2_SIZE_U32: u32 = 2;
const FUTEX2_PRIVATE: u32 = 128;

/// Whether a `FUTEX2_*` flag word asks for a private futex. `EINVAL` for what Linux does not know.
fn futex2_private(flags: u32) -> Result<bool, Errno> {
    if flags & !(FUTEX2_SIZE_MASK | FUTEX2_PRIVATE) != 0 || flags & FUTEX2_SIZE_MASK != FUTEX2_SIZE_U32 {
        return Err(Errno::EINVAL);
    }
    Ok(flags & FUTEX2_PRIVATE != 0)
}

fn clock_is_realtime(clockid: I32) -> Result<bool, Errno> {
    match clockid.0 {
        0 => Ok(true),
        1 => Ok(false),
        _ => Err(Errno::EINVAL),
    }
}

fn read_waitv(ctx: &mut Ctx<'_>, at: Addr) -> Result<Waitv, Errno> {
    let value = ctx.read_u64(at)?;
    let uaddr = Addr(ctx.read_u64(at.at(8))?);
    let flags = ctx.read_u32(at.at(16))?;
    let reserved = ctx.read_u32(at.at(20))?;
    if reserved != 0 {
        return Err(Errno::EINVAL);
    }
    let private = futex2_private(flags)?;
    Ok(Waitv { uaddr, value: u32::try_from(value & 0xffff_ffff).unwrap_or(0), private })
}

/// `futex_waitv(2)`
pub(crate) fn futex_waitv(
    ctx: &mut Ctx<'_>,
    waiters: Addr,
    nr_futexes: U32,
    flags: U32,
    timeout: Addr,
    clockid: I32,
) -> SysResult {
    if flags.0 != 0 || nr_futexes.0 == 0 || nr_futexes.0 > 128 || waiters == Addr::NULL {
        return Err(Errno::EINVAL.into());
    }
    if timeout != Addr::NULL {
        let realtime = clock_is_realtime(clockid)?;
        set_deadline(ctx, timeout, true, realtime)?;
    }
    let mut entries = Vec::new();
    for i in 0..u64::from(nr_futexes.0) {
        entries.push(read_waitv(ctx, waiters.at(24 * i))?);
    }
    futex::wait_any(ctx, &entries)
}

/// `futex_wake(2)`
pub(crate) fn futex_wake(ctx: &mut Ctx<'_>, uaddr: Addr, mask: U64, nr: I32, flags: U32) -> SysResult {
    let private = futex2_private(flags.0)?;
    let bitset = u32::try_from(mask.0).ok().filter(|bits| *bits != 0).ok_or(Errno::EINVAL)?;
    let key = futex::key(ctx, uaddr, private)?;
    Ok(futex::wake(ctx.k, key, u32::try_from(nr.0).unwrap_or(0), bitset))
}

/// `futex_wait(2)`
pub(crate) fn futex_wait(
    ctx: &mut Ctx<'_>,
    uaddr: Addr,
    val: U64,
    mask: U64,
    flags: U32,
    timeout: Addr,
    clockid: I32,
) -> SysResult {
    let private = futex2_private(flags.0)?;
    let bitset = u32::try_from(mask.0).map_err(|_| Errno::EINVAL)?;
    let value = u32::try_from(val.0).map_err(|_| Errno::EINVAL)?;
    if timeout != Addr::NULL {
        let realtime = clock_is_realtime(clockid)?;
        set_deadline(ctx, timeout, true, realtime)?;
    }
    futex::wait_on(ctx, uaddr, private, value, bitset)
}

/// `futex_requeue(2)`
pub(crate) fn futex_requeue(
    ctx: &mut Ctx<'_>,
    waiters: Addr,
    flags: U32,
    nr_wake: I32,
    nr_requeue: I32,
) -> SysResult {
    if flags.0 != 0 || waiters == Addr::NULL {
        return Err(Errno::EINVAL.into());
    }
    let from = read_waitv(ctx, waiters)?;
    let to = read_waitv(ctx, waiters.at(24))?;
    let (Ok(wake), Ok(moved)) = (u32::try_from(nr_wake.0), u32::try_from(nr_requeue.0)) else {
        return Err(Errno::EINVAL.into());
    };
    let done = futex::requeue(
        ctx,
        (from.uaddr, from.private),
        (to.uaddr, to.private),
        (wake, moved),
        Some(from.value),
    )?;
    Ok(done.0 + done.1)
}

/// Bytes of `struct robust_list_head`.
const ROBUST_HEAD: u64 = 24;

/// `set_robust_list(2)`
pub(crate) fn set_robust_list(ctx: &mut Ctx<'_>, head: Addr, len: Len) -> SysResult {
    if len.0 != ROBUST_HEAD {
        return Err(Errno::EINVAL.into());
    }
    ctx.task_mut().robust_list = (head.0, len.0);
    Ok(0)
}

/// `get_robust_list(2)`
pub(crate) fn get_robust_list(ctx: &mut Ctx<'_>, pid: Pid, head_ptr: Addr, len_ptr: Addr) -> SysResult {
    let target = ctx.k.find_task_or_self(pid.0, ctx.tid)?;
    let task = ctx.k.task(target);
    let same = task.creds.uid[0] == ctx.task().creds.uid[0];
    if !same && !creds::has(&ctx.task().creds, creds::cap::SYS_PTRACE) {
        return Err(Errno::EPERM.into());
    }
    let head = task.robust_list.0;
    ctx.write_u64(len_ptr, ROBUST_HEAD)?;
    ctx.write_u64(head_ptr, head)?;
    Ok(0)
}

/// `rseq(2)`
pub(crate) fn rseq(ctx: &mut Ctx<'_>, rseq: Addr, rseq_len: U32, flags: I32, sig: U32) -> SysResult {
    Ok(rseq::register(ctx, rseq, rseq_len.0, flags.0, sig.0)?)
}

/// `membarrier(2)`: one processor runs at a time, in program order, so every barrier holds already, and a preempted
/// restartable sequence starts again anyway.
pub(crate) fn membarrier(ctx: &mut Ctx<'_>, cmd: I32, flags: U32, _cpu_id: I32) -> SysResult {
    const COMMANDS: u64 = 0x3ff;
    const GLOBAL: i32 = 1;
    const GLOBAL_EXPEDITED: i32 = 1 << 1;
    const REGISTER_GLOBAL_EXPEDITED: i32 = 1 << 2;
    const PRIVATE_EXPEDITED: i32 = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: i32 = 1 << 4;
    const SYNC_CORE: i32 = 1 << 5;
    const REGISTER_SYNC_CORE: i32 = 1 << 6;
    const RSEQ: i32 = 1 << 7;
    const REGISTER_RSEQ: i32 = 1 << 8;
    const GET_REGISTRATIONS: i32 = 1 << 9;
    if flags.0 != 0 && !(cmd.0 == RSEQ && flags.0 == 1) {
        return Err(Errno::EINVAL.into());
    }
    let tid = ctx.tid;
    match cmd.0 {
        0 => Ok(COMMANDS),
        GLOBAL | GLOBAL_EXPEDITED => Ok(0),
        REGISTER_GLOBAL_EXPEDITED | REGISTER_PRIVATE_EXPEDITED | REGISTER_SYNC_CORE | REGISTER_RSEQ => {
            ctx.k.mm_mut(tid).membarrier |= cmd.0.cast_unsigned();
            Ok(0)
        }
        // Each private command has its registration in the next bit.
        PRIVATE_EXPEDITED | SYNC_CORE | RSEQ => {
            let registered = ctx.k.mm(tid).membarrier & (cmd.0 << 1).cast_unsigned() != 0;
            if registered { Ok(0) } else { Err(Errno::EPERM.into()) }
        }
        GET_REGISTRATIONS => Ok(u64::from(ctx.k.mm(tid).membarrier)),
        _ => Err(Errno::EINVAL.into()),
    }
}
