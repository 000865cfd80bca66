//! `ptrace(2)`: the requests. What tracing means is in [`crate::task::ptrace`].

use emu_core::cpu::{RFlags, xsave};
use emu_core::mem::USER_END;

use crate::abi::errno::Errno;
use crate::arg::{Addr, I64};
use crate::ctx::{Ctx, SysResult};
use crate::entry::{PtRegs, USER_CS, USER_SS};
use crate::mm::remote::{self, Force};
use crate::task::ptrace::{self, Kind, Resume, TraceStop, event, option};
use crate::task::sighand::{SigInfo, SigSet, sig};
use crate::task::signal::{To, post};
use crate::task::wait::unpark;
use crate::task::{RunState, TaskId, init};

/// `PTRACE_*`
mod req {
    pub(super) const TRACEME: i64 = 0;
    pub(super) const PEEKTEXT: i64 = 1;
    pub(super) const PEEKDATA: i64 = 2;
    pub(super) const PEEKUSR: i64 = 3;
    pub(super) const POKETEXT: i64 = 4;
    pub(super) const POKEDATA: i64 = 5;
    pub(super) const POKEUSR: i64 = 6;
    pub(super) const CONT: i64 = 7;
    pub(super) const KILL: i64 = 8;
    pub(super) const SINGLESTEP: i64 = 9;
    pub(super) const GETREGS: i64 = 12;
    pub(super) const SETREGS: i64 = 13;
    pub(super) const GETFPREGS: i64 = 14;
    pub(super) const SETFPREGS: i64 = 15;
    pub(super) const ATTACH: i64 = 16;
    pub(super) const DETACH: i64 = 17;
    pub(super) const SYSCALL: i64 = 24;
    pub(super) const ARCH_PRCTL: i64 = 30;
    pub(super) const SYSEMU: i64 = 31;
    pub(super) const SYSEMU_SINGLESTEP: i64 = 32;
    pub(super) const SINGLEBLOCK: i64 = 33;
    pub(super) const SETOPTIONS: i64 = 0x4200;
    pub(super) const GETEVENTMSG: i64 = 0x4201;
    pub(super) const GETSIGINFO: i64 = 0x4202;
    pub(super) const SETSIGINFO: i64 = 0x4203;
    pub(super) const GETREGSET: i64 = 0x4204;
    pub(super) const SETREGSET: i64 = 0x4205;
    pub(super) const SEIZE: i64 = 0x4206;
    pub(super) const INTERRUPT: i64 = 0x4207;
    pub(super) const LISTEN: i64 = 0x4208;
    pub(super) const PEEKSIGINFO: i64 = 0x4209;
    pub(super) const GETSIGMASK: i64 = 0x420a;
    pub(super) const SETSIGMASK: i64 = 0x420b;
    pub(super) const GET_SYSCALL_INFO: i64 = 0x420e;
    pub(super) const GET_RSEQ_CONFIGURATION: i64 = 0x420f;
}

/// Words of `struct user_regs_struct`.
const USER_REGS: usize = 27;
/// Bytes of `struct user`.
const USER_SIZE: u64 = 912;
/// Where the debug registers stand in it.
const DEBUG_REGS: u64 = 848;
/// `AUDIT_ARCH_X86_64`
const AUDIT_ARCH: u32 = 0xc000_003e;
const NT_PRSTATUS: u64 = 1;
const NT_PRFPREG: u64 = 2;
const NT_X86_XSTATE: u64 = 0x202;

/// `ptrace(2)`
pub(crate) fn ptrace(ctx: &mut Ctx<'_>, request: I64, pid: I64, addr: Addr, data: Addr) -> SysResult {
    if request.0 == req::TRACEME {
        return traceme(ctx);
    }
    let tid = i32::try_from(pid.0).map_err(|_| Errno::ESRCH)?;
    let tid = ctx.k.find_task(tid)?;
    match request.0 {
        req::ATTACH => return attach(ctx, tid, None),
        req::SEIZE => {
            if addr.0 != 0 {
                return Err(Errno::EIO.into());
            }
            let options = u32::try_from(data.0).ok().filter(|bits| bits & !option::KNOWN == 0);
            return attach(ctx, tid, Some(options.ok_or(Errno::EIO)?));
        }
        _ => {}
    }
    let task = ctx.k.task(tid);
    if task.trace.tracer != Some(ctx.tid) {
        return Err(Errno::ESRCH.into());
    }
    let stopped = task.state == RunState::Stopped && task.trace.stop.is_some() && !task.trace.listening;
    match request.0 {
        req::KILL => {
            post(ctx.k, To::Thread(tid), SigInfo::kernel(sig::KILL));
            return Ok(0);
        }
        req::INTERRUPT => return interrupt(ctx, tid),
        _ if !stopped => return Err(Errno::ESRCH.into()),
        _ => {}
    }
    match request.0 {
        req::PEEKTEXT | req::PEEKDATA => {
            let mm = ctx.k.task(tid).mm.ok_or(Errno::EIO)?;
            let mut word = [0; 8];
            if remote::read(ctx.k, ctx.host, mm, addr.0, &mut word, Force::Yes) != 8 {
                return Err(Errno::EIO.into());
            }
            ctx.write_user(data, &word)?;
        }
        req::POKETEXT | req::POKEDATA => {
            let mm = ctx.k.task(tid).mm.ok_or(Errno::EIO)?;
            if remote::write(ctx.k, ctx.host, mm, addr.0, &data.0.to_le_bytes(), Force::Yes) != 8 {
                return Err(Errno::EIO.into());
            }
        }
        req::PEEKUSR => {
            let value = peek_user(ctx, tid, addr.0)?;
            ctx.write_u64(data, value)?;
        }
        req::POKEUSR => poke_user(ctx, tid, addr.0, data.0)?,
        req::GETREGS => {
            let words = user_regs(ctx, tid);
            ctx.write_user(data, &bytes_of(&words))?;
        }
        req::SETREGS => {
            let mut bytes = [0; USER_REGS * 8];
            ctx.read_user(data, &mut bytes)?;
            set_user_regs(ctx, tid, &words_of(&bytes))?;
        }
        req::GETFPREGS => {
            let image = xsave::fxsave(&ctx.k.task(tid).cpu);
            ctx.write_user(data, &image)?;
        }
        req::SETFPREGS => {
            let mut image = [0; xsave::FXSAVE_SIZE];
            ctx.read_user(data, &mut image)?;
            xsave::fxrstor(&mut ctx.k.task_mut(tid).cpu, &image).map_err(|_| Errno::EINVAL)?;
        }
        req::GETREGSET | req::SETREGSET => regset(ctx, tid, request.0 == req::SETREGSET, addr.0, data)?,
        req::CONT
        | req::SYSCALL
        | req::SINGLESTEP
        | req::SYSEMU
        | req::SYSEMU_SINGLESTEP
        | req::SINGLEBLOCK => resume(ctx, tid, request.0, data.0)?,
        req::DETACH => {
            let signo = signal_number(data.0)?;
            ptrace::detach(ctx.k, tid, signo);
        }
        req::SETOPTIONS => {
            let options = u32::try_from(data.0).ok().filter(|bits| bits & !option::KNOWN == 0);
            let options = options.ok_or(Errno::EINVAL)?;
            if options & option::SUSPEND_SECCOMP != 0 {
                return Err(Errno::EPERM.into());
            }
            ctx.k.task_mut(tid).trace.options = options;
        }
        req::GETEVENTMSG => {
            let message = ctx.k.task(tid).trace.message;
            ctx.write_u64(data, message)?;
        }
        req::GETSIGINFO => {
            let info = ctx.k.task(tid).trace.info.clone().ok_or(Errno::EINVAL)?;
            ctx.write_user(data, &info.to_bytes())?;
        }
        req::SETSIGINFO => {
            let mut bytes = [0; 128];
            ctx.read_user(data, &mut bytes)?;
            let signo =
                u8::try_from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).unwrap_or(0);
            let trace = &mut ctx.k.task_mut(tid).trace;
            if trace.info.is_none() {
                return Err(Errno::EINVAL.into());
            }
            trace.info = Some(SigInfo::from_bytes(signo, &bytes));
        }
        req::LISTEN => listen(ctx, tid)?,
        req::PEEKSIGINFO => return peek_siginfo(ctx, tid, addr, data),
        req::GETSIGMASK | req::SETSIGMASK => sigmask(ctx, tid, request.0, addr.0, data)?,
        req::GET_SYSCALL_INFO => return syscall_info(ctx, tid, addr.0, data),
        req::GET_RSEQ_CONFIGURATION => {
            let (at, len, signature) = ctx.k.task(tid).rseq;
            let size = addr.0.min(24);
            let mut bytes = at.to_le_bytes().to_vec();
            bytes.extend(len.to_le_bytes());
            bytes.extend(signature.to_le_bytes());
            bytes.extend([0; 8]);
            bytes.truncate(usize::try_from(size).unwrap_or(24));
            ctx.write_user(data, &bytes)?;
            return Ok(24);
        }
        req::ARCH_PRCTL => arch_prctl(ctx, tid, addr, data.0)?,
        _ => return Err(Errno::EIO.into()),
    }
    Ok(0)
}

fn traceme(ctx: &mut Ctx<'_>) -> SysResult {
    if ctx.task().trace.tracer.is_some() {
        return Err(Errno::EPERM.into());
    }
    let group = ctx.group();
    let parent = group.parent.and_then(|id| ctx.k.groups.get(id)).filter(|parent| parent.status.is_none());
    // The kernel's own init traces nobody.
    let Some(parent) = parent else { return Err(Errno::EPERM.into()) };
    let tracer = match ctx.k.tasks.get(group.parent_thread) {
        Some(task) if task.group == parent.id && !task.is_dead() => group.parent_thread,
        _ => parent.leader(),
    };
    ptrace::may_access(ctx.k, tracer, ctx.tid)?;
    ptrace::link(ctx.k, tracer, ctx.tid);
    Ok(0)
}

fn attach(ctx: &mut Ctx<'_>, tid: TaskId, seize: Option<u32>) -> SysResult {
    let task = ctx.k.task(tid);
    if task.group == ctx.task().group {
        return Err(Errno::EPERM.into());
    }
    ptrace::may_access(ctx.k, ctx.tid, tid)?;
    let task = ctx.k.task(tid);
    // Threads of the kernel cannot be traced (PF_KTHREAD).
    if tid == init::KSOFTIRQD || task.is_dead() || task.trace.tracer.is_some() {
        return Err(Errno::EPERM.into());
    }
    let was_stopped = task.state == RunState::Stopped;
    let signo = ctx.k.group(task.group).stop.pending.unwrap_or(sig::STOP);
    ptrace::link(ctx.k, ctx.tid, tid);
    let trace = &mut ctx.k.task_mut(tid).trace;
    trace.past_group_stop = was_stopped;
    if let Some(options) = seize {
        trace.seized = true;
        trace.options = options;
    } else {
        post(ctx.k, To::Thread(tid), SigInfo::kernel(sig::STOP));
    }
    if was_stopped {
        ptrace::stop_with_group(ctx.k, tid, Some(signo));
    }
    Ok(0)
}

fn interrupt(ctx: &mut Ctx<'_>, tid: TaskId) -> SysResult {
    let task = ctx.k.task_mut(tid);
    if !task.trace.seized {
        return Err(Errno::EIO.into());
    }
    if task.trace.listening {
        let message = task.trace.message;
        let code = u32::from(sig::TRAP) | event::STOP << 8;
        ptrace::stop(ctx.k, tid, TraceStop { kind: Kind::Group, code, message, told: false }, None);
    } else if task.trace.stop.is_none() {
        task.trace.interrupt = true;
        unpark(ctx.k, tid);
    }
    Ok(0)
}

fn listen(ctx: &mut Ctx<'_>, tid: TaskId) -> Result<(), Errno> {
    let trace = &mut ctx.k.task_mut(tid).trace;
    let event_stop = trace.stop.is_some_and(|stop| stop.code >> 8 == event::STOP);
    if !trace.seized || !event_stop {
        return Err(Errno::EIO);
    }
    trace.listening = true;
    let task = ctx.k.task(tid);
    if !ptrace::group_stop_waits(ctx.k, task) && ctx.k.group(task.group).stop.pending.is_none() {
        // The process has gone on already: that is reported at once.
        ptrace::group_continues(ctx.k, tid);
    }
    Ok(())
}

fn signal_number(data: u64) -> Result<u8, Errno> {
    u8::try_from(data).ok().filter(|signo| *signo <= sig::MAX).ok_or(Errno::EIO)
}

fn resume(ctx: &mut Ctx<'_>, tid: TaskId, request: i64, data: u64) -> Result<(), Errno> {
    let signo = signal_number(data)?;
    if request == req::SINGLEBLOCK {
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap("ptrace PTRACE_SINGLEBLOCK".into(), at);
        return Err(Errno::EIO);
    }
    let task = ctx.k.task_mut(tid);
    task.trace.resume = match request {
        req::SYSCALL => Resume::Syscall,
        req::SYSEMU | req::SYSEMU_SINGLESTEP => Resume::Emulate,
        _ => Resume::Run,
    };
    task.work.step = matches!(request, req::SINGLESTEP | req::SYSEMU_SINGLESTEP);
    ptrace::resume(ctx.k, tid, signo);
    Ok(())
}

/// The registers as `struct user_regs_struct`.
fn user_regs(ctx: &Ctx<'_>, tid: TaskId) -> [u64; USER_REGS] {
    let mut words = [0; USER_REGS];
    words[..21].copy_from_slice(&ctx.k.user_regs(tid).words());
    let cpu = &ctx.k.task(tid).cpu;
    words[21] = cpu.fs_base;
    words[22] = cpu.gs_base;
    words
}

/// Flags that a tracer may set.
fn settable_flags() -> u64 {
    (RFlags::STATUS | RFlags::TF | RFlags::DF | RFlags::RF | RFlags::AC | RFlags::NT).bits()
}

fn set_user_regs(ctx: &mut Ctx<'_>, tid: TaskId, words: &[u64; USER_REGS]) -> Result<(), Errno> {
    let mut first = [0; 21];
    first.copy_from_slice(&words[..21]);
    let old = ctx.k.user_regs(tid);
    let mut new = PtRegs::from_words(&first);
    let selectors = [new.cs, new.ss, words[23], words[24], words[25], words[26]];
    // A selector of user mode, or null where that may be (invalid_selector).
    if selectors.iter().any(|selector| selector & 0xffff != 0 && selector & 3 != 3)
        || new.cs == 0
        || new.ss == 0
    {
        return Err(Errno::EIO);
    }
    if words[21] >= USER_END || words[22] >= USER_END {
        return Err(Errno::EIO);
    }
    if new.cs & 0xffff != USER_CS {
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap(format!("ptrace: code segment {:#x}", new.cs), at);
        return Err(Errno::EIO);
    }
    new.cs = USER_CS;
    new.ss = USER_SS;
    new.flags = old.flags & !settable_flags() | new.flags & settable_flags();
    if new.orig_ax & 0xffff_ffff == 0xffff_ffff {
        new.orig_ax = crate::entry::NO_SYSCALL;
    }
    ctx.k.set_user_regs(tid, &new);
    let cpu = &mut ctx.k.task_mut(tid).cpu;
    cpu.fs_base = words[21];
    cpu.gs_base = words[22];
    Ok(())
}

fn bytes_of(words: &[u64; USER_REGS]) -> [u8; USER_REGS * 8] {
    let mut bytes = [0; USER_REGS * 8];
    for (slot, word) in bytes.chunks_exact_mut(8).zip(words) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn words_of(bytes: &[u8; USER_REGS * 8]) -> [u64; USER_REGS] {
    let mut words = [0; USER_REGS];
    for (word, slot) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        let mut quad = [0; 8];
        quad.copy_from_slice(slot);
        *word = u64::from_le_bytes(quad);
    }
    words
}

/// Index of a word of `struct user_regs_struct`.
fn reg_index(at: u64) -> Option<usize> {
    usize::try_from(at / 8).ok().filter(|index| *index < USER_REGS)
}

fn debug_index(at: u64) -> Option<usize> {
    let index = usize::try_from(at.checked_sub(DEBUG_REGS)? / 8).ok()?;
    Some(index).filter(|index| *index < 8)
}

fn peek_user(ctx: &Ctx<'_>, tid: TaskId, at: u64) -> Result<u64, Errno> {
    if at & 7 != 0 || at >= USER_SIZE {
        return Err(Errno::EIO);
    }
    if let Some(index) = reg_index(at) {
        return Ok(user_regs(ctx, tid)[index]);
    }
    Ok(debug_index(at).map_or(0, |index| ctx.k.task(tid).trace.debug[index]))
}

fn poke_user(ctx: &mut Ctx<'_>, tid: TaskId, at: u64, value: u64) -> Result<(), Errno> {
    if at & 7 != 0 || at >= USER_SIZE {
        return Err(Errno::EIO);
    }
    if let Some(index) = reg_index(at) {
        let mut words = user_regs(ctx, tid);
        words[index] = value;
        return set_user_regs(ctx, tid, &words);
    }
    match debug_index(at) {
        None | Some(4 | 5) => return Err(Errno::EIO),
        Some(index @ 0..=3) => {
            if value >= USER_END {
                return Err(Errno::EINVAL);
            }
            ctx.k.task_mut(tid).trace.debug[index] = value;
        }
        Some(7) => set_debug_control(ctx, tid, value)?,
        Some(index) => ctx.k.task_mut(tid).trace.debug[index] = value,
    }
    Ok(())
}

/// Register 7 switches breakpoints on: each must be one that the processor has (arch_build_bp_info).
fn set_debug_control(ctx: &mut Ctx<'_>, tid: TaskId, value: u64) -> Result<(), Errno> {
    const KNOWN: u64 = 0xffff_0fff;
    let addresses = ctx.k.task(tid).trace.debug;
    let mut on = false;
    for index in 0..4 {
        if value >> (index * 2) & 3 == 0 {
            continue;
        }
        on = true;
        let (kind, len) = (value >> (16 + index * 4) & 3, value >> (18 + index * 4) & 3);
        let mask = [0u64, 1, 7, 3][usize::try_from(len).unwrap_or(0)];
        // Port breakpoints are nobody's, and an instruction has no length.
        if kind == 2 || (kind == 0 && len != 0) || addresses[usize::try_from(index).unwrap_or(0)] & mask != 0
        {
            return Err(Errno::EINVAL);
        }
    }
    if on {
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap("hardware breakpoints (debug register 7): they never fire".into(), at);
    }
    ctx.k.task_mut(tid).trace.debug[7] = value & KNOWN;
    Ok(())
}

fn regset(ctx: &mut Ctx<'_>, tid: TaskId, set: bool, kind: u64, iov: Addr) -> Result<(), Errno> {
    let (base, len) = (ctx.read_u64(iov)?, ctx.read_u64(iov.at(8))?);
    let cpu = &ctx.k.task(tid).cpu;
    let mut image = match kind {
        NT_PRSTATUS => bytes_of(&user_regs(ctx, tid)).to_vec(),
        NT_PRFPREG => xsave::fxsave(cpu).to_vec(),
        NT_X86_XSTATE => {
            let mut image = xsave::xsave(cpu).to_vec();
            image[464..472].copy_from_slice(&xsave::XFEATURES.to_le_bytes());
            image
        }
        _ => return Err(Errno::EINVAL),
    };
    let take = usize::try_from(len).unwrap_or(usize::MAX).min(image.len());
    // Whole words only (PTRACE_SETREGSET of part of one is EINVAL).
    if take & 7 != 0 {
        return Err(Errno::EINVAL);
    }
    if !set {
        ctx.write_user(Addr(base), &image[..take])?;
        return ctx.write_u64(iov.at(8), take as u64);
    }
    ctx.read_user(Addr(base), &mut image[..take])?;
    match kind {
        NT_PRSTATUS => {
            let mut bytes = [0; USER_REGS * 8];
            bytes.copy_from_slice(&image);
            set_user_regs(ctx, tid, &words_of(&bytes))?;
        }
        NT_PRFPREG => {
            let mut legacy = [0; xsave::FXSAVE_SIZE];
            legacy.copy_from_slice(&image);
            xsave::fxrstor(&mut ctx.k.task_mut(tid).cpu, &legacy).map_err(|_| Errno::EINVAL)?;
        }
        _ => {
            let mut whole = [0; xsave::XSAVE_SIZE];
            whole.copy_from_slice(&image);
            whole[464..512].fill(0);
            let cpu = &mut ctx.k.task_mut(tid).cpu;
            xsave::xrstor(cpu, &whole, xsave::XFEATURES).map_err(|_| Errno::EINVAL)?;
        }
    }
    ctx.write_u64(iov.at(8), take as u64)
}

fn peek_siginfo(ctx: &mut Ctx<'_>, tid: TaskId, args: Addr, data: Addr) -> SysResult {
    const SHARED: u32 = 1;
    let (offset, flags, count) = (ctx.read_u64(args)?, ctx.read_u32(args.at(8))?, ctx.read_u32(args.at(12))?);
    let count = count.cast_signed();
    if flags & !SHARED != 0 || count < 0 {
        return Err(Errno::EINVAL.into());
    }
    let task = ctx.k.task(tid);
    let queue =
        if flags & SHARED != 0 { &ctx.k.group(task.group).pending.queue } else { &task.pending.queue };
    let skip = usize::try_from(offset).unwrap_or(usize::MAX);
    let wanted = usize::try_from(count).unwrap_or(0);
    let infos: Vec<SigInfo> = queue.iter().skip(skip).take(wanted).cloned().collect();
    let mut done = 0;
    for info in infos {
        if let Err(errno) = ctx.write_user(data.at(done * 128), &info.to_bytes()) {
            return if done > 0 { Ok(done) } else { Err(errno.into()) };
        }
        done += 1;
    }
    Ok(done)
}

fn sigmask(ctx: &mut Ctx<'_>, tid: TaskId, request: i64, size: u64, data: Addr) -> Result<(), Errno> {
    if size != 8 {
        return Err(Errno::EINVAL);
    }
    if request == req::GETSIGMASK {
        let task = ctx.k.task(tid);
        let mask = task.saved_mask.unwrap_or(task.blocked).0;
        return ctx.write_u64(data, mask);
    }
    let mask = ctx.read_u64(data)?;
    let task = ctx.k.task_mut(tid);
    task.saved_mask = None;
    task.blocked = SigSet(mask).minus(SigSet::UNBLOCKABLE);
    Ok(())
}

/// `struct ptrace_syscall_info`
fn syscall_info(ctx: &mut Ctx<'_>, tid: TaskId, size: u64, data: Addr) -> SysResult {
    let regs = ctx.k.user_regs(tid);
    let kind = ctx.k.task(tid).trace.stop.map(|stop| stop.kind);
    let op: u8 = match kind {
        Some(Kind::Entry) => 1,
        Some(Kind::Exit) => 2,
        Some(Kind::Seccomp) => 3,
        _ => 0,
    };
    let mut bytes = vec![op, 0, 0, 0];
    bytes.extend(AUDIT_ARCH.to_le_bytes());
    bytes.extend(regs.ip.to_le_bytes());
    bytes.extend(regs.sp.to_le_bytes());
    match op {
        1 | 3 => {
            for word in [regs.orig_ax, regs.di, regs.si, regs.dx, regs.r10, regs.r8, regs.r9] {
                bytes.extend(word.to_le_bytes());
            }
            if op == 3 {
                let value = u32::try_from(ctx.k.task(tid).trace.message & 0xffff_ffff).unwrap_or(0);
                bytes.extend(value.to_le_bytes());
            }
        }
        2 => {
            bytes.extend(regs.ax.to_le_bytes());
            bytes.push(u8::from(regs.ax > u64::MAX - 4096));
        }
        _ => {}
    }
    let take = usize::try_from(size).unwrap_or(usize::MAX).min(bytes.len());
    ctx.write_user(data, &bytes[..take])?;
    Ok(bytes.len() as u64)
}

fn arch_prctl(ctx: &mut Ctx<'_>, tid: TaskId, at: Addr, code: u64) -> Result<(), Errno> {
    let cpu = &mut ctx.k.task_mut(tid).cpu;
    match code {
        0x1001 | 0x1002 if at.0 >= USER_END => return Err(Errno::EPERM),
        0x1001 => cpu.gs_base = at.0,
        0x1002 => cpu.fs_base = at.0,
        0x1003 => {
            let value = cpu.fs_base;
            ctx.write_u64(at, value)?;
        }
        0x1004 => {
            let value = cpu.gs_base;
            ctx.write_u64(at, value)?;
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}
