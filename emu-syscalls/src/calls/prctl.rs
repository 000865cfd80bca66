//! Attributes of a task: prctl(2), arch_prctl(2), personality(2).

use std::sync::Arc;

use emu_core::mem::PAGE_SIZE;

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, U32, U64};
use crate::ctx::{Ctx, SysResult};
use crate::task::creds::{cap, has, need, secbit};
use crate::task::sighand::sig;

/// `PR_*` numbers (prctl(2)).
mod pr {
    pub(super) const SET_PDEATHSIG: i32 = 1;
    pub(super) const GET_PDEATHSIG: i32 = 2;
    pub(super) const GET_DUMPABLE: i32 = 3;
    pub(super) const SET_DUMPABLE: i32 = 4;
    pub(super) const GET_KEEPCAPS: i32 = 7;
    pub(super) const SET_KEEPCAPS: i32 = 8;
    pub(super) const GET_TIMING: i32 = 13;
    pub(super) const SET_TIMING: i32 = 14;
    pub(super) const SET_NAME: i32 = 15;
    pub(super) const GET_NAME: i32 = 16;
    pub(super) const GET_SECCOMP: i32 = 21;
    pub(super) const SET_SECCOMP: i32 = 22;
    pub(super) const CAPBSET_READ: i32 = 23;
    pub(super) const CAPBSET_DROP: i32 = 24;
    pub(super) const GET_TSC: i32 = 25;
    pub(super) const SET_TSC: i32 = 26;
    pub(super) const GET_SECUREBITS: i32 = 27;
    pub(super) const SET_SECUREBITS: i32 = 28;
    pub(super) const SET_TIMERSLACK: i32 = 29;
    pub(super) const GET_TIMERSLACK: i32 = 30;
    pub(super) const MCE_KILL: i32 = 33;
    pub(super) const MCE_KILL_GET: i32 = 34;
    pub(super) const SET_CHILD_SUBREAPER: i32 = 36;
    pub(super) const GET_CHILD_SUBREAPER: i32 = 37;
    pub(super) const SET_NO_NEW_PRIVS: i32 = 38;
    pub(super) const GET_NO_NEW_PRIVS: i32 = 39;
    pub(super) const GET_TID_ADDRESS: i32 = 40;
    pub(super) const SET_THP_DISABLE: i32 = 41;
    pub(super) const GET_THP_DISABLE: i32 = 42;
    pub(super) const CAP_AMBIENT: i32 = 47;
    pub(super) const SET_VMA: i32 = 0x5356_4d41;
}

/// `PR_TSC_ENABLE`
const TSC_ENABLE: u32 = 1;
/// `PR_TSC_SIGSEGV`
const TSC_SIGSEGV: u32 = 2;

/// `prctl(2)`
pub(crate) fn prctl(ctx: &mut Ctx<'_>, option: I32, arg2: U64, arg3: U64, arg4: U64, arg5: U64) -> SysResult {
    let (a2, rest) = (arg2.0, [arg3.0, arg4.0, arg5.0]);
    let rest_zero = || if rest == [0; 3] { Ok(()) } else { Err(Errno::EINVAL) };
    match option.0 {
        pr::SET_PDEATHSIG => {
            let signo = u8::try_from(a2).ok().filter(|n| *n <= sig::MAX).ok_or(Errno::EINVAL)?;
            ctx.task_mut().attrs.parent_death_signal = signo;
        }
        pr::GET_PDEATHSIG => {
            let signo = ctx.task().attrs.parent_death_signal;
            ctx.write_u32(Addr(a2), u32::from(signo))?;
        }
        pr::GET_DUMPABLE => return Ok(u64::from(ctx.group().dumpable)),
        pr::SET_DUMPABLE => {
            ctx.group_mut().dumpable = u8::try_from(a2).ok().filter(|n| *n <= 1).ok_or(Errno::EINVAL)?;
        }
        pr::GET_KEEPCAPS => return Ok(u64::from(ctx.task().creds.securebits & secbit::KEEP_CAPS != 0)),
        pr::SET_KEEPCAPS => set_keepcaps(ctx, a2)?,
        pr::GET_TIMING => {}
        pr::SET_TIMING if a2 == 0 => {}
        pr::SET_NAME => {
            let mut name = ctx.read_cstr_prefix(Addr(a2), 15)?;
            name.truncate(15);
            ctx.task_mut().comm = name;
        }
        pr::GET_NAME => {
            let mut bytes = [0; 16];
            let name = &ctx.task().comm;
            let len = name.len().min(15);
            bytes[..len].copy_from_slice(&name[..len]);
            ctx.write_user(Addr(a2), &bytes)?;
        }
        pr::GET_SECCOMP => return Ok(u64::from(ctx.task().seccomp.mode())),
        pr::SET_SECCOMP => match a2 {
            1 => return super::seccomp::set_strict(ctx),
            2 => return super::seccomp::set_filter(ctx, 0, Addr(arg3.0)),
            _ => return Err(Errno::EINVAL.into()),
        },
        pr::CAPBSET_READ => {
            let bit = capability(a2)?;
            return Ok(ctx.task().creds.cap_bounding >> bit & 1);
        }
        pr::CAPBSET_DROP => {
            need(&ctx.task().creds, cap::SETPCAP)?;
            let bit = capability(a2)?;
            ctx.task_mut().creds.cap_bounding &= !(1 << bit);
        }
        pr::GET_TSC => {
            let value = if ctx.task().attrs.no_tsc { TSC_SIGSEGV } else { TSC_ENABLE };
            ctx.write_u32(Addr(a2), value)?;
        }
        pr::SET_TSC => {
            let value = u32::try_from(a2).map_err(|_| Errno::EINVAL)?;
            if value != TSC_ENABLE && value != TSC_SIGSEGV {
                return Err(Errno::EINVAL.into());
            }
            ctx.task_mut().attrs.no_tsc = value == TSC_SIGSEGV;
        }
        pr::GET_SECUREBITS => return Ok(u64::from(ctx.task().creds.securebits)),
        pr::SET_SECUREBITS => set_securebits(ctx, a2)?,
        pr::SET_TIMERSLACK => {
            let task = ctx.task_mut();
            let default = task.attrs.default_slack_ns;
            task.attrs.timer_slack_ns = if a2 == 0 || a2 > i64::MAX.unsigned_abs() { default } else { a2 };
        }
        pr::GET_TIMERSLACK => return Ok(ctx.task().attrs.timer_slack_ns),
        // There are no machine checks to be killed by: the default policy is reported.
        pr::MCE_KILL if a2 == 0 => rest_zero()?,
        pr::MCE_KILL_GET => return Ok(2),
        pr::SET_CHILD_SUBREAPER => ctx.group_mut().subreaper = a2 != 0,
        pr::GET_CHILD_SUBREAPER => {
            let value = u32::from(ctx.group().subreaper);
            ctx.write_u32(Addr(a2), value)?;
        }
        pr::SET_NO_NEW_PRIVS => {
            rest_zero()?;
            if a2 != 1 {
                return Err(Errno::EINVAL.into());
            }
            ctx.task_mut().attrs.no_new_privs = true;
        }
        pr::GET_NO_NEW_PRIVS => {
            rest_zero()?;
            return if a2 == 0 {
                Ok(u64::from(ctx.task().attrs.no_new_privs))
            } else {
                Err(Errno::EINVAL.into())
            };
        }
        pr::GET_TID_ADDRESS => {
            let value = ctx.task().clear_child_tid;
            ctx.write_u64(Addr(a2), value)?;
        }
        // There are no huge pages to be disabled: the answer is kept.
        pr::SET_THP_DISABLE => {
            rest_zero()?;
            let tid = ctx.tid;
            ctx.k.mm_mut(tid).thp_disabled = a2 != 0;
        }
        pr::GET_THP_DISABLE => {
            rest_zero()?;
            if a2 != 0 {
                return Err(Errno::EINVAL.into());
            }
            return Ok(u64::from(ctx.k.mm(ctx.tid).thp_disabled));
        }
        pr::CAP_AMBIENT => return ambient(ctx, a2, rest),
        pr::SET_VMA if a2 == 0 => name_memory(ctx, arg3, arg4, Addr(arg5.0))?,
        pr::SET_VMA => return Err(Errno::EINVAL.into()),
        other => {
            let at = format!("task {}", ctx.tid.0);
            ctx.k.gap(format!("prctl option {other}"), at);
            return Err(Errno::EINVAL.into());
        }
    }
    Ok(0)
}

/// `PR_SET_VMA_ANON_NAME`
fn name_memory(ctx: &mut Ctx<'_>, start: U64, len: U64, name: Addr) -> Result<(), Errno> {
    /// Longest name with its NUL (ANON_VMA_NAME_MAX_LEN).
    const NAME_MAX: usize = 80;
    let name: Option<Arc<[u8]>> = match name.non_null() {
        None => None,
        Some(at) => {
            let text = ctx.read_cstr(at, NAME_MAX, Errno::EINVAL)?;
            if text.iter().any(|byte| !(0x20..0x7f).contains(byte) || b"\\`$[]".contains(byte)) {
                return Err(Errno::EINVAL);
            }
            Some(text.into())
        }
    };
    let pages = len.0.wrapping_add(PAGE_SIZE - 1) & !(PAGE_SIZE - 1);
    let end = start.0.checked_add(pages).ok_or(Errno::EINVAL)?;
    if !start.0.is_multiple_of(PAGE_SIZE) || (len.0 != 0 && pages == 0) {
        return Err(Errno::EINVAL);
    }
    if pages == 0 {
        return Ok(());
    }
    let id = ctx.mm_id()?;
    crate::mm::advise::name(ctx.k, id, start.0..end, name.as_ref())
}

fn capability(number: u64) -> Result<u32, Errno> {
    u32::try_from(number).ok().filter(|bit| *bit <= cap::LAST).ok_or(Errno::EINVAL)
}

fn set_keepcaps(ctx: &mut Ctx<'_>, keep: u64) -> Result<(), Errno> {
    let bits = &mut ctx.task_mut().creds.securebits;
    if keep > 1 {
        return Err(Errno::EINVAL);
    }
    if *bits & secbit::KEEP_CAPS_LOCKED != 0 {
        return Err(Errno::EPERM);
    }
    *bits = *bits & !secbit::KEEP_CAPS | if keep == 1 { secbit::KEEP_CAPS } else { 0 };
    Ok(())
}

fn set_securebits(ctx: &mut Ctx<'_>, bits: u64) -> Result<(), Errno> {
    let old = ctx.task().creds.securebits;
    let locked = (old & 0xaa) >> 1;
    let new = u32::try_from(bits).ok().filter(|bits| bits & !secbit::ALL == 0).ok_or(Errno::EPERM)?;
    if locked & (old ^ new) != 0 || old & 0xaa & !new != 0 || !has(&ctx.task().creds, cap::SETPCAP) {
        return Err(Errno::EPERM);
    }
    ctx.task_mut().creds.securebits = new;
    Ok(())
}

fn ambient(ctx: &mut Ctx<'_>, command: u64, [number, a4, a5]: [u64; 3]) -> SysResult {
    const IS_SET: u64 = 1;
    const RAISE: u64 = 2;
    const LOWER: u64 = 3;
    const CLEAR_ALL: u64 = 4;
    if a4 != 0 || a5 != 0 {
        return Err(Errno::EINVAL.into());
    }
    if command == CLEAR_ALL {
        if number != 0 {
            return Err(Errno::EINVAL.into());
        }
        ctx.task_mut().creds.cap_ambient = 0;
        return Ok(0);
    }
    let bit = 1u64 << capability(number)?;
    let creds = &mut ctx.task_mut().creds;
    match command {
        IS_SET => return Ok(u64::from(creds.cap_ambient & bit != 0)),
        RAISE => {
            let allowed = creds.cap_permitted & creds.cap_inheritable & bit != 0
                && creds.securebits & secbit::NO_CAP_AMBIENT_RAISE == 0;
            if !allowed {
                return Err(Errno::EPERM.into());
            }
            creds.cap_ambient |= bit;
        }
        LOWER => creds.cap_ambient &= !bit,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

impl Ctx<'_> {
    /// The bytes of a string up to its NUL, at most `max` of them.
    fn read_cstr_prefix(&mut self, addr: Addr, max: usize) -> Result<Vec<u8>, Errno> {
        let mut text = Vec::new();
        while text.len() < max {
            let mut byte = [0];
            self.read_user(addr.at(text.len() as u64), &mut byte)?;
            if byte[0] == 0 {
                break;
            }
            text.push(byte[0]);
        }
        Ok(text)
    }
}

/// `arch_prctl(2)`
pub(crate) fn arch_prctl(ctx: &mut Ctx<'_>, code: I32, addr: Addr) -> SysResult {
    const SET_GS: i32 = 0x1001;
    const SET_FS: i32 = 0x1002;
    const GET_FS: i32 = 0x1003;
    const GET_GS: i32 = 0x1004;
    const GET_CPUID: i32 = 0x1011;
    const SET_CPUID: i32 = 0x1012;
    let below = addr.0 < emu_core::mem::USER_END;
    match code.0 {
        SET_GS | SET_FS if !below => return Err(Errno::EPERM.into()),
        SET_GS => ctx.task_mut().cpu.gs_base = addr.0,
        SET_FS => ctx.task_mut().cpu.fs_base = addr.0,
        GET_FS => {
            let base = ctx.task().cpu.fs_base;
            ctx.write_u64(addr, base)?;
        }
        GET_GS => {
            let base = ctx.task().cpu.gs_base;
            ctx.write_u64(addr, base)?;
        }
        GET_CPUID => return Ok(1),
        SET_CPUID => return Err(Errno::ENODEV.into()),
        // ARCH_CET_STATUS, ARCH_SHSTK_* and the like on a processor without these features, as old C libraries ask.
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

/// `STICKY_TIMEOUTS`: select and the like leave the time as it was.
pub(crate) const STICKY_TIMEOUTS: u32 = 0x0400_0000;
const READ_IMPLIES_EXEC: u32 = 0x0040_0000;
const MMAP_PAGE_ZERO: u32 = 0x0010_0000;

/// `personality(2)`
pub(crate) fn personality(ctx: &mut Ctx<'_>, persona: U32) -> SysResult {
    let old = ctx.task().attrs.personality;
    if persona.0 != u32::MAX {
        // The domain itself changes nothing on x86-64; of the flags two would change memory.
        if persona.0 & (READ_IMPLIES_EXEC | MMAP_PAGE_ZERO) != 0 {
            let at = format!("task {}", ctx.tid.0);
            ctx.k.gap(format!("personality {:#x}: READ_IMPLIES_EXEC, MMAP_PAGE_ZERO", persona.0), at);
        }
        ctx.task_mut().attrs.personality = persona.0;
    }
    Ok(u64::from(old))
}
