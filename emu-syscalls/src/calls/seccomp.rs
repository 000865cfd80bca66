//! `seccomp(2)` and `prctl(PR_SET_SECCOMP)`.

use std::sync::Arc;

use crate::abi::errno::Errno;
use crate::arg::{Addr, U32};
use crate::ctx::{Ctx, SysResult};
use crate::task::creds::{cap, has};
use crate::task::seccomp::{Filter, Insn, MAX_INSNS, Seccomp, ret};

const TSYNC: u32 = 1;
const LOG: u32 = 2;
const SPEC_ALLOW: u32 = 4;
const NEW_LISTENER: u32 = 8;
const TSYNC_ESRCH: u32 = 16;
const WAIT_KILLABLE: u32 = 32;

/// `seccomp(2)`
pub(crate) fn seccomp(ctx: &mut Ctx<'_>, operation: U32, flags: U32, args: Addr) -> SysResult {
    match operation.0 {
        0 if flags.0 == 0 && args == Addr::NULL => set_strict(ctx),
        1 => set_filter(ctx, flags.0, args),
        2 if flags.0 == 0 => {
            let action = ctx.read_u32(args)?;
            let known = [
                ret::KILL_PROCESS,
                ret::KILL_THREAD,
                ret::TRAP,
                ret::ERRNO,
                ret::TRACE,
                ret::LOG,
                ret::ALLOW,
            ];
            // User notification is not there, and says so.
            if known.contains(&action) { Ok(0) } else { Err(Errno::EOPNOTSUPP.into()) }
        }
        3 if flags.0 == 0 => {
            // struct seccomp_notif_sizes
            let sizes: Vec<u8> = [80u16, 24, 64].iter().flat_map(|size| size.to_le_bytes()).collect();
            ctx.write_user(args, &sizes)?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `SECCOMP_SET_MODE_STRICT`
pub(crate) fn set_strict(ctx: &mut Ctx<'_>) -> SysResult {
    let task = ctx.task_mut();
    if task.seccomp.mode() == 2 {
        return Err(Errno::EINVAL.into());
    }
    task.seccomp.strict = true;
    task.work.seccomp = true;
    Ok(0)
}

/// `SECCOMP_SET_MODE_FILTER`
pub(crate) fn set_filter(ctx: &mut Ctx<'_>, flags: u32, args: Addr) -> SysResult {
    if flags & !(TSYNC | LOG | SPEC_ALLOW | NEW_LISTENER | TSYNC_ESRCH | WAIT_KILLABLE) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags & (TSYNC | NEW_LISTENER) == TSYNC | NEW_LISTENER && flags & TSYNC_ESRCH == 0
        || flags & (WAIT_KILLABLE | NEW_LISTENER) == WAIT_KILLABLE
    {
        return Err(Errno::EINVAL.into());
    }
    let mut head = [0; 16];
    ctx.read_user(args, &mut head)?;
    let count = usize::from(u16::from_le_bytes([head[0], head[1]]));
    if count == 0 || count > MAX_INSNS {
        return Err(Errno::EINVAL.into());
    }
    let task = ctx.task();
    if !task.attrs.no_new_privs && !has(&task.creds, cap::SYS_ADMIN) {
        return Err(Errno::EACCES.into());
    }
    let mut at = [0; 8];
    at.copy_from_slice(&head[8..]);
    let mut bytes = vec![0; count * 8];
    ctx.read_user(Addr(u64::from_le_bytes(at)), &mut bytes)?;
    let insns = bytes
        .chunks_exact(8)
        .map(|b| Insn {
            code: u16::from_le_bytes([b[0], b[1]]),
            jt: b[2],
            jf: b[3],
            k: u32::from_le_bytes([b[4], b[5], b[6], b[7]]),
        })
        .collect();
    let filter = Arc::new(Filter::new(insns)?);
    if flags & NEW_LISTENER != 0 {
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap("seccomp SECCOMP_FILTER_FLAG_NEW_LISTENER".into(), at);
        return Err(Errno::EOPNOTSUPP.into());
    }
    if ctx.task().seccomp.strict {
        return Err(Errno::EINVAL.into());
    }
    let mut new: Seccomp = ctx.task().seccomp.clone();
    let threads = ctx.group().threads.clone();
    if flags & TSYNC != 0 {
        let stranger = threads.iter().find(|tid| {
            ctx.k.tasks.get(**tid).is_some_and(|task| !task.is_dead() && !task.seccomp.is_ancestor_of(&new))
        });
        if let Some(tid) = stranger {
            return if flags & TSYNC_ESRCH != 0 { Err(Errno::ESRCH.into()) } else { Ok(u64::from(tid.0)) };
        }
    }
    new.add(filter)?;
    let nnp = ctx.task().attrs.no_new_privs;
    let me = ctx.tid;
    for tid in threads.into_iter().filter(|tid| *tid == me || flags & TSYNC != 0) {
        if let Some(task) = ctx.k.tasks.get_mut(tid) {
            task.seccomp = new.clone();
            task.work.seccomp = true;
            task.attrs.no_new_privs |= nnp;
        }
    }
    Ok(0)
}
