//! `select(2)` and `pselect6(2)`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32};
use crate::calls::poll::{
    Timeout, add_keys, ends_now, enter_mask, leave_mask, read_timespec, ready_of, time_left, write_timespec,
};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::Ready;
use crate::task::wait::{OnSignal, Wait};

/// Readiness that a bit of each of the three sets stands for (fs/select.c: POLLIN_SET, POLLOUT_SET, POLLEX_SET).
fn meaning(set: usize) -> Ready {
    match set {
        0 => Ready::IN | Ready::RDNORM | Ready::HUP | Ready::ERR,
        1 => Ready::OUT | Ready::WRNORM | Ready::ERR,
        _ => Ready::PRI,
    }
}

/// `select(2)`
pub(crate) fn select(
    ctx: &mut Ctx<'_>,
    nfds: I32,
    readfds: Addr,
    writefds: Addr,
    exceptfds: Addr,
    timeout: Addr,
) -> SysResult {
    let span = if timeout == Addr::NULL {
        None
    } else {
        let sec = u64::try_from(ctx.read_u64(timeout)?.cast_signed()).map_err(|_| Errno::EINVAL)?;
        let usec = u64::try_from(ctx.read_u64(timeout.at(8))?.cast_signed()).map_err(|_| Errno::EINVAL)?;
        Some(sec.saturating_mul(1_000_000_000).saturating_add(usec.saturating_mul(1000)))
    };
    let until = Timeout::after(ctx, span);
    let result = select_until(ctx, nfds, [readfds, writefds, exceptfds], until);
    let sticky = ctx.task().attrs.personality & super::prctl::STICKY_TIMEOUTS != 0;
    if timeout != Addr::NULL && !sticky && ends_now(ctx, &result) {
        let left = time_left(ctx, until);
        // Linux: a timeval that cannot be written does not fail the call (poll_select_finish).
        let _ = ctx.write_u64(timeout, left / 1_000_000_000);
        let _ = ctx.write_u64(timeout.at(8), left % 1_000_000_000 / 1000);
    }
    result
}

/// `pselect6(2)`; `sigmask` points to the mask's address and size.
pub(crate) fn pselect6(
    ctx: &mut Ctx<'_>,
    nfds: I32,
    readfds: Addr,
    writefds: Addr,
    exceptfds: Addr,
    timeout: Addr,
    sigmask: Addr,
) -> SysResult {
    let (mask, size) = match sigmask.non_null() {
        None => (Addr::NULL, 8),
        Some(at) => (Addr(ctx.read_u64(at)?), ctx.read_u64(at.at(8))?),
    };
    let span = read_timespec(ctx, timeout)?;
    let until = Timeout::after(ctx, span);
    enter_mask(ctx, mask, size)?;
    let result = select_until(ctx, nfds, [readfds, writefds, exceptfds], until);
    let sticky = ctx.task().attrs.personality & super::prctl::STICKY_TIMEOUTS != 0;
    if timeout != Addr::NULL && !sticky && ends_now(ctx, &result) {
        let left = time_left(ctx, until);
        let _ = write_timespec(ctx, timeout, left);
    }
    leave_mask(ctx, mask, result)
}

/// How many descriptors the caller's table has room for: select looks no further.
fn table_size(ctx: &Ctx<'_>) -> usize {
    let highest =
        ctx.k.fd_tables.get(ctx.task().fds).and_then(|table| table.fds.get_max().map(|(fd, _)| *fd));
    match highest.and_then(|fd| usize::try_from(fd).ok()) {
        Some(fd) if fd >= 64 => (fd + 1).next_power_of_two().max(256),
        _ => 64,
    }
}

fn select_until(ctx: &mut Ctx<'_>, nfds: I32, sets: [Addr; 3], timeout: Timeout) -> SysResult {
    let count = usize::try_from(nfds.0).map_err(|_| Errno::EINVAL)?.min(table_size(ctx));
    let bytes = count.div_ceil(64) * 8;
    let mut asked = [vec![0u8; bytes], vec![0u8; bytes], vec![0u8; bytes]];
    for (set, at) in asked.iter_mut().zip(sets) {
        if at != Addr::NULL {
            ctx.read_user(at, set)?;
        }
    }
    let mut answer = [vec![0u8; bytes], vec![0u8; bytes], vec![0u8; bytes]];
    let mut found = 0;
    let mut keys = Vec::new();
    for fd in 0..count {
        let (byte, bit) = (fd / 8, 1u8 << (fd % 8));
        if asked.iter().all(|set| set[byte] & bit == 0) {
            continue;
        }
        let id = ctx.fd(Fd(i32::try_from(fd).unwrap_or(-1)))?;
        let ready = Ready::from_bits_truncate(ready_of(ctx, id, u32::MAX));
        add_keys(ctx, id, &mut keys);
        for (index, set) in answer.iter_mut().enumerate() {
            if asked[index][byte] & bit != 0 && ready.intersects(meaning(index)) {
                set[byte] |= bit;
                found += 1;
            }
        }
    }
    if found == 0 && !timeout.over(ctx) {
        keys.sort_unstable();
        keys.dedup();
        return Err(Stop::Block(Wait::any(keys, timeout.until(), OnSignal::RestartNoHandler)));
    }
    for (set, at) in answer.iter().zip(sets) {
        if at != Addr::NULL {
            ctx.write_user(at, set)?;
        }
    }
    Ok(found)
}
