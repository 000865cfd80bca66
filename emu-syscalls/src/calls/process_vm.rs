//! `process_vm_readv(2)` and `process_vm_writev(2)`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, Pid, U64};
use crate::ctx::{Ctx, SysResult};
use crate::mm::MmId;
use crate::mm::remote::{self, Force};
use crate::task::TaskId;

/// Most elements of a vector (UIO_MAXIOV).
const IOV_MAX: u64 = 1024;
/// Most bytes that one step copies.
const STEP: u64 = 1 << 16;
/// CAP_SYS_PTRACE
const CAP_SYS_PTRACE: u64 = 1 << 19;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Read,
    Write,
}

/// A vector of buffers; the sum of lengths fits `isize`.
pub(crate) fn iovec(ctx: &mut Ctx<'_>, at: Addr, count: u64) -> Result<Vec<(u64, u64)>, Errno> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    let mut buffers = Vec::new();
    let mut total: u64 = 0;
    for index in 0..count {
        let base = ctx.read_u64(at.at(index * 16))?;
        let len = ctx.read_u64(at.at(index * 16 + 8))?;
        total = total.checked_add(len).filter(|sum| *sum <= i64::MAX.cast_unsigned()).ok_or(Errno::EINVAL)?;
        buffers.push((base, len));
    }
    Ok(buffers)
}

/// The memory of `pid`, if the caller may look into it (`PTRACE_MODE_ATTACH_REALCREDS`).
fn target(ctx: &Ctx<'_>, pid: Pid) -> Result<MmId, Errno> {
    let tid = TaskId(u32::try_from(pid.0).map_err(|_| Errno::ESRCH)?);
    let other = ctx.k.tasks.get(tid).ok_or(Errno::ESRCH)?;
    let (mine, theirs) = (&ctx.task().creds, &other.creds);
    let same = theirs.uid[..3].iter().all(|uid| *uid == mine.uid[0])
        && theirs.gid[..3].iter().all(|gid| *gid == mine.gid[0]);
    let is_self = other.group == ctx.task().group;
    if !is_self && !same && mine.cap_effective & CAP_SYS_PTRACE == 0 {
        return Err(Errno::EPERM);
    }
    other.mm.ok_or(Errno::ESRCH)
}

fn transfer(
    ctx: &mut Ctx<'_>,
    pid: Pid,
    local: (Addr, u64),
    remote_vector: (Addr, u64),
    flags: u64,
    way: Way,
) -> SysResult {
    if flags != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mut mine = iovec(ctx, local.0, local.1)?;
    mine.retain(|buffer| buffer.1 > 0);
    if mine.is_empty() {
        return Ok(0);
    }
    let mut theirs = iovec(ctx, remote_vector.0, remote_vector.1)?;
    theirs.retain(|buffer| buffer.1 > 0);
    if theirs.is_empty() {
        return Ok(0);
    }
    let mm = target(ctx, pid)?;
    mine.reverse();
    theirs.reverse();
    let mut done = 0;
    while let (Some(here), Some(there)) = (mine.last_mut(), theirs.last_mut()) {
        let step = here.1.min(there.1).min(STEP);
        let size = usize::try_from(step).map_err(|_| Errno::EINVAL)?;
        let mut data = vec![0; size];
        let moved = match way {
            Way::Read => {
                let n = remote::read(ctx.k, ctx.host, mm, there.0, &mut data, Force::No);
                data.truncate(n);
                ctx.write_user(Addr(here.0), &data).map(|()| n)
            }
            Way::Write => ctx
                .read_user(Addr(here.0), &mut data)
                .map(|()| remote::write(ctx.k, ctx.host, mm, there.0, &data, Force::No)),
        };
        let n = match moved {
            Ok(n) => u64::try_from(n).map_err(|_| Errno::EINVAL)?,
            Err(errno) if done == 0 => return Err(errno.into()),
            Err(_) => return Ok(done),
        };
        done += n;
        if n < step {
            return if done == 0 { Err(Errno::EFAULT.into()) } else { Ok(done) };
        }
        for (vector, buffer) in [(0, *here), (1, *there)] {
            let left = (buffer.0.wrapping_add(step), buffer.1 - step);
            let stack = if vector == 0 { &mut mine } else { &mut theirs };
            stack.pop();
            if left.1 > 0 {
                stack.push(left);
            }
        }
    }
    Ok(done)
}

/// `process_vm_readv(2)`
pub(crate) fn process_vm_readv(
    ctx: &mut Ctx<'_>,
    pid: Pid,
    local_iov: Addr,
    liovcnt: U64,
    remote_iov: Addr,
    riovcnt: U64,
    flags: U64,
) -> SysResult {
    transfer(ctx, pid, (local_iov, liovcnt.0), (remote_iov, riovcnt.0), flags.0, Way::Read)
}

/// `process_vm_writev(2)`
pub(crate) fn process_vm_writev(
    ctx: &mut Ctx<'_>,
    pid: Pid,
    local_iov: Addr,
    liovcnt: U64,
    remote_iov: Addr,
    riovcnt: U64,
    flags: U64,
) -> SysResult {
    transfer(ctx, pid, (local_iov, liovcnt.0), (remote_iov, riovcnt.0), flags.0, Way::Write)
}
