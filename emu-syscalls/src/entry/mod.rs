//! The gate between user and kernel mode, as the hardware and Linux's entry code do it.
//!
//! `syscall`, exceptions and interrupts all come in here: [`enter`] switches to the task's kernel stack and saves
//! [`PtRegs`] there; [`leave`] checks for rescheduling and signals and goes back to user mode.
//!
//! **Invariant**: while a task is in the kernel, its user registers are the `pt_regs` in supervisor memory and nowhere
//! else; whoever wants them (signals, ptrace, /proc, restarts) reads and writes those.

pub mod irq;

use emu_core::cpu::{Exception, RFlags, Vector, pf, reg};
use emu_core::engine::{Exit, MissingInstr};
use emu_core::mem::{Access, Memory, PAGE_SIZE, PageProt, Privilege, SpaceId};

use crate::abi::errno::Errno;
use crate::ctx::{Call, Ctx, Stop, SysResult};
use crate::kernel::Kernel;
use crate::mm::fault::{BadAccess, page_fault};
use crate::mm::userfault;
use crate::observe::inject::{self, Before};
use crate::observe::{Event, hook};
use crate::seam::Host;
use crate::task::sighand::{SigInfo, sig};
use crate::task::wait::{OnSignal, Wait, WaitKey, park};
use crate::task::{RunState, Task, TaskId, coredump, deliver, exit, init, ptrace, seccomp, signal};

/// Where kernel stacks begin (Linux's vmalloc area).
pub const KERNEL_STACKS: u64 = 0xffff_c900_0000_0000;
/// Bytes in a kernel stack.
pub const KERNEL_STACK_SIZE: u64 = 16 * 1024;
/// Distance from one kernel stack to the next; what lies between is the guard.
pub const KERNEL_STACK_STRIDE: u64 = 32 * 1024;
/// The address `rip` has inside the kernel (Linux's text mapping).
pub const KERNEL_TEXT: u64 = 0xffff_ffff_8100_0000;
/// User code segment selector.
pub const USER_CS: u64 = 0x33;
/// User data segment selector.
pub const USER_SS: u64 = 0x2b;

/// The registers of user mode as Linux lays them out at the top of the kernel stack
/// (arch/x86/include/uapi/asm/ptrace.h, `struct pt_regs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
#[allow(missing_docs, reason = "the names of the registers")]
pub struct PtRegs {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub bp: u64,
    pub bx: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub ax: u64,
    pub cx: u64,
    pub dx: u64,
    pub si: u64,
    pub di: u64,
    /// Number of the system call; -1 (all ones) outside of one; an error code in an exception.
    pub orig_ax: u64,
    pub ip: u64,
    pub cs: u64,
    pub flags: u64,
    pub sp: u64,
    pub ss: u64,
}

/// Bytes in [`PtRegs`].
pub const PT_REGS_SIZE: u64 = 21 * 8;

impl PtRegs {
    /// The 21 quadwords in memory order.
    #[must_use]
    pub fn words(&self) -> [u64; 21] {
        [
            self.r15,
            self.r14,
            self.r13,
            self.r12,
            self.bp,
            self.bx,
            self.r11,
            self.r10,
            self.r9,
            self.r8,
            self.ax,
            self.cx,
            self.dx,
            self.si,
            self.di,
            self.orig_ax,
            self.ip,
            self.cs,
            self.flags,
            self.sp,
            self.ss,
        ]
    }
    /// From the 21 quadwords in memory order.
    #[must_use]
    pub fn from_words(w: &[u64; 21]) -> Self {
        let [
            r15,
            r14,
            r13,
            r12,
            bp,
            bx,
            r11,
            r10,
            r9,
            r8,
            ax,
            cx,
            dx,
            si,
            di,
            orig_ax,
            ip,
            cs,
            flags,
            sp,
            ss,
        ] = *w;
        PtRegs {
            r15,
            r14,
            r13,
            r12,
            bp,
            bx,
            r11,
            r10,
            r9,
            r8,
            ax,
            cx,
            dx,
            si,
            di,
            orig_ax,
            ip,
            cs,
            flags,
            sp,
            ss,
        }
    }
    /// As bytes in memory order.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 168] {
        let mut bytes = [0; 168];
        for (slot, word) in bytes.chunks_exact_mut(8).zip(self.words()) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
    /// From bytes in memory order.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 168]) -> Self {
        let mut words = [0; 21];
        for (word, slot) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            let mut quad = [0; 8];
            quad.copy_from_slice(slot);
            *word = u64::from_le_bytes(quad);
        }
        PtRegs::from_words(&words)
    }
}

/// `orig_ax` outside of a system call.
pub const NO_SYSCALL: u64 = u64::MAX;

impl Kernel {
    /// The user registers of a task that is in the kernel.
    ///
    /// # Panics
    /// If its kernel stack is not mapped: it is as long as the task lives.
    #[must_use]
    pub fn user_regs(&self, tid: TaskId) -> PtRegs {
        let task = self.task(tid);
        let at = task.kernel_stack_top - PT_REGS_SIZE;
        let mut bytes = [0; 168];
        self.mem.read(SpaceId(0), at, &mut bytes, Privilege::Supervisor).expect("kernel stack is mapped");
        PtRegs::from_bytes(&bytes)
    }

    /// Changes the user registers of a task that is in the kernel.
    ///
    /// # Panics
    /// As [`Kernel::user_regs`].
    pub fn set_user_regs(&mut self, tid: TaskId, regs: &PtRegs) {
        let at = self.task(tid).kernel_stack_top - PT_REGS_SIZE;
        self.mem
            .write(SpaceId(0), at, &regs.to_bytes(), Privilege::Supervisor)
            .expect("kernel stack is mapped");
    }

    /// Changes what the user's rax of a task in the kernel will be.
    ///
    /// # Panics
    /// As [`Kernel::user_regs`].
    pub fn set_user_ax(&mut self, tid: TaskId, value: u64) {
        let at = self.task(tid).kernel_stack_top - PT_REGS_SIZE + std::mem::offset_of!(PtRegs, ax) as u64;
        self.mem.write_u64(SpaceId(0), at, value, Privilege::Supervisor).expect("kernel stack is mapped");
    }

    /// Maps the kernel stack of task `tid` and returns its top.
    pub fn make_kernel_stack(&mut self, tid: TaskId) -> Result<u64, Errno> {
        let bottom = KERNEL_STACKS + u64::from(tid.0) * KERNEL_STACK_STRIDE;
        for page in 0..KERNEL_STACK_SIZE / PAGE_SIZE {
            self.mem
                .map_zero(SpaceId(0), bottom + page * PAGE_SIZE, PageProt::READ | PageProt::WRITE)
                .map_err(|_| Errno::ENOMEM)?;
        }
        // The page that every entry writes is given its frame now, so that an entry cannot run out of memory.
        let top = bottom + KERNEL_STACK_SIZE;
        self.mem
            .write(SpaceId(0), top - PT_REGS_SIZE, &PtRegs::default().to_bytes(), Privilege::Supervisor)
            .map_err(|_| Errno::ENOMEM)?;
        Ok(top)
    }

    /// Unmaps the kernel stack whose top this is.
    pub fn drop_kernel_stack(&mut self, top: u64) {
        self.mem.unmap(SpaceId(0), top - KERNEL_STACK_SIZE..top);
    }
}

/// User to kernel mode: saves the user registers on the kernel stack.
pub fn enter(k: &mut Kernel, tid: TaskId, orig_ax: u64) {
    let Kernel { tasks, mem, .. } = k;
    let task = tasks.get_mut(tid).expect("task exists");
    let ax = task.cpu.regs[reg::RAX];
    save(task, mem, orig_ax, ax);
}

/// The same with `ax` as the saved rax. Returns what was saved.
fn save(task: &mut Task, mem: &mut Memory, orig_ax: u64, ax: u64) -> PtRegs {
    debug_assert!(!task.in_kernel);
    let r = &task.cpu.regs;
    let mut regs = PtRegs {
        r15: r[reg::R15],
        r14: r[reg::R14],
        r13: r[reg::R13],
        r12: r[reg::R12],
        bp: r[reg::RBP],
        bx: r[reg::RBX],
        r11: r[reg::R11],
        r10: r[reg::R10],
        r9: r[reg::R9],
        r8: r[reg::R8],
        ax,
        cx: r[reg::RCX],
        dx: r[reg::RDX],
        si: r[reg::RSI],
        di: r[reg::RDI],
        orig_ax,
        ip: task.cpu.rip,
        cs: USER_CS,
        flags: task.cpu.rflags,
        sp: r[reg::RSP],
        ss: USER_SS,
    };
    if task.work.step {
        // The flag is the tracer's, not the program's.
        regs.flags &= !RFlags::TF.bits();
    }
    task.in_kernel = true;
    task.cpu.cpl = 0;
    task.cpu.rip = KERNEL_TEXT;
    let at = task.kernel_stack_top - PT_REGS_SIZE;
    task.cpu.regs[reg::RSP] = at;
    mem.write_words(SpaceId(0), at, &regs.words(), Privilege::Supervisor).expect("kernel stack is mapped");
    regs
}

/// Kernel to user mode: loads the user registers from the kernel stack. The caller has done the work on the way out.
fn back_to_user(k: &mut Kernel, tid: TaskId) {
    let regs = k.user_regs(tid);
    load(k.task_mut(tid), &regs);
}

/// The same at the end of a call for which nothing else is to be done: its result goes to where the registers are saved.
fn return_value(task: &mut Task, mem: &mut Memory, value: u64) {
    const AX: usize = std::mem::offset_of!(PtRegs, ax) / 8;
    let at = task.kernel_stack_top - PT_REGS_SIZE;
    let mut words = [0; 21];
    mem.change_words(SpaceId(0), at, Privilege::Supervisor, |saved: &mut [u64; 21]| {
        saved[AX] = value;
        words = *saved;
    })
    .expect("kernel stack is mapped");
    load(task, &PtRegs::from_words(&words));
}

/// Makes `regs` the registers of a task that is in user mode from here on.
fn load(task: &mut Task, regs: &PtRegs) {
    let r = &mut task.cpu.regs;
    r[reg::R15] = regs.r15;
    r[reg::R14] = regs.r14;
    r[reg::R13] = regs.r13;
    r[reg::R12] = regs.r12;
    r[reg::RBP] = regs.bp;
    r[reg::RBX] = regs.bx;
    r[reg::R11] = regs.r11;
    r[reg::R10] = regs.r10;
    r[reg::R9] = regs.r9;
    r[reg::R8] = regs.r8;
    r[reg::RAX] = regs.ax;
    r[reg::RCX] = regs.cx;
    r[reg::RDX] = regs.dx;
    r[reg::RSI] = regs.si;
    r[reg::RDI] = regs.di;
    r[reg::RSP] = regs.sp;
    task.cpu.rip = regs.ip;
    task.cpu.rflags = regs.flags;
    if task.work.step {
        task.cpu.rflags |= RFlags::TF.bits();
    }
    task.cpu.cpl = 3;
    task.in_kernel = false;
}

/// The way out: runs raised softirqs, delivers signals, then returns to user mode, if the task may still run.
pub fn leave(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) {
    if k.irq.raised != 0 {
        irq::run_softirqs(k, host);
    }
    signal::deliver(k, host, tid);
    let Some(task) = k.tasks.get(tid) else { return };
    if task.state == RunState::Runnable && task.in_kernel {
        if task.mm.is_none() {
            return init::run(k, host, tid);
        }
        back_to_user(k, tid);
    }
}

/// A `syscall` instruction retired in `tid`.
pub fn syscall(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) {
    k.irq.syscalls += 1;
    let Kernel { tasks, mem, .. } = k;
    let task = tasks.get_mut(tid).expect("task exists");
    task.syscalls += 1;
    let nr = task.cpu.regs[reg::RAX];
    // What a tracer, a restart or a signal sees before the call has a result (Linux: entry_SYSCALL_64).
    let regs = save(task, mem, nr, Errno::ENOSYS.to_reg());
    let traced = task.work.traced;
    if let Some(count) = usize::try_from(nr).ok().and_then(|nr| k.syscall_counts.own().get_mut(nr)) {
        *count += 1;
    }
    let call = Call { nr, args: [regs.di, regs.si, regs.dx, regs.r10, regs.r8, regs.r9], ..Call::default() };
    if k.observer.on {
        hook::enter(k, host, tid, &call);
    }
    if traced && !ptrace::before_call(k, tid) {
        return;
    }
    if !k.observer.plan.is_empty() {
        inject::decide(k, tid, &call);
    }
    run_call(k, host, tid, call);
}

/// Runs, or runs again, a system call of a task in the kernel, and takes the way out unless it blocks.
pub fn run_call(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, mut call: Call) {
    let work = k.task(tid).work;
    if work.traced && !traced_call(k, host, tid, &call) {
        return;
    }
    if work.seccomp
        && call.runs == 0
        && !std::mem::take(&mut call.woken)
        && !filtered_call(k, host, tid, &call)
    {
        return;
    }
    if k.observer.on && call.runs > 0 {
        hook::stamp(k, host);
        k.observer.note(k.retired, || Event::Resumed { tid });
    }
    call.runs += 1;
    let before = tid;
    let answer = if k.observer.plan.is_empty() { Before::Run } else { inject::before(k, host, tid) };
    let mut ctx = Ctx { k, host, tid, call };
    let result = match answer {
        Before::Run => dispatch(&mut ctx),
        Before::Answer(result) => result.map_err(Stop::Errno),
        Before::Wait(wait) => Err(Stop::Block(wait)),
    };
    // `execve` in a thread that was not the leader changes the task's number.
    let Ctx { k, host, call, tid } = ctx;
    let value = match result {
        Ok(value) => Ok(value),
        Err(Stop::Errno(errno)) => Err(errno),
        Err(Stop::NoReturn) => {
            hook::exit_elsewhere(k, host, before, tid, &call);
            if k.tasks.get(tid).is_some_and(|task| task.work.traced) {
                ptrace::after_call(k, tid);
            }
            leave(k, host, tid);
            return;
        }
        Err(Stop::Unsupported(why)) => {
            unsupported(k, tid, &call, why);
            Err(Errno::ENOSYS)
        }
        Err(Stop::Block(wait)) => {
            match signal::interrupts(k, tid, wait.on_signal).or_else(|| stopped_and_continued(k, &wait)) {
                Some(errno) => {
                    if wait.on_signal == OnSignal::RestartBlock {
                        k.task_mut(tid).restart_call = Some(call.clone());
                    }
                    Err(errno)
                }
                None => {
                    hook::stamp(k, host);
                    k.observer.note(k.retired, || Event::Blocked { tid });
                    let task = k.task_mut(tid);
                    task.call = Some(call);
                    // An event before the wait (`vfork`) is reported first.
                    if !(task.work.traced && ptrace::stop_if_due(k, tid)) {
                        park(k, tid, wait);
                    }
                    return;
                }
            }
        }
    };
    let mut tampered = inject::Tampered::default();
    if !k.observer.plan.is_empty() {
        match inject::after(k, host, tid, value) {
            Ok(done) => tampered = done,
            Err(wait) => {
                k.task_mut(tid).call = Some(call);
                park(k, tid, wait);
                return;
            }
        }
    }
    // Who is killed before it returns is told to have no result.
    if k.observer.on && !signal::pending_set(k, tid).contains(crate::task::sighand::sig::KILL) {
        hook::exit(k, host, tid, &call, value, tampered);
    }
    let ax = value.unwrap_or_else(Errno::to_reg);
    let restart = value.is_err_and(Errno::is_restart);
    let Kernel { tasks, groups, mem, irq, .. } = &mut *k;
    if let Some(task) = tasks.get_mut(tid) {
        task.work.restart |= restart;
        if irq.raised == 0
            && task.mm.is_some()
            && groups.get(task.group).is_some_and(|group| deliver::is_idle(task, group))
        {
            return_value(task, mem, ax);
            return;
        }
        k.set_user_ax(tid, ax);
        if k.task(tid).work.traced {
            ptrace::after_call(k, tid);
        }
        leave(k, host, tid);
    }
}

/// Interrupts a wait as if the process had been stopped and continued here, where that shows (`--chaos`): most calls are
/// restarted, these few end with `EINTR` (signal(7)).
fn stopped_and_continued(k: &mut Kernel, wait: &Wait) -> Option<Errno> {
    let shows = wait.on_signal == OnSignal::Eintr && !wait.keys.contains(&WaitKey::Never);
    let chaos = k.sched.chaos.as_mut().filter(|_| shows)?;
    chaos.interrupts(k.retired).then_some(Errno::EINTR)
}

/// What the filters of the task say to a call. `false`: it does not run (now).
fn filtered_call(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, call: &Call) -> bool {
    use seccomp::Verdict;
    let mut regs = k.user_regs(tid);
    let verdict = seccomp::judge(k, tid, call);
    tell_verdict(k, host, tid, call, &verdict);
    match verdict {
        Verdict::Run => return true,
        Verdict::Fail(number) => regs.ax = if number == 0 { 0 } else { Errno(number).to_reg() },
        Verdict::Ask(data) => {
            if ptrace::wants(k.task(tid), ptrace::option::TRACESECCOMP) {
                let code = u32::from(sig::TRAP) | ptrace::event::SECCOMP << 8;
                ptrace::push(k, tid, ptrace::Kind::Seccomp, code, u64::from(data));
                ptrace::stop_if_due(k, tid);
                return false;
            }
            regs.ax = Errno::ENOSYS.to_reg();
        }
        Verdict::Trap(data) => {
            const SYS_SECCOMP: i32 = 1;
            let mut info = SigInfo::fault(sig::SYS, SYS_SECCOMP, regs.ip);
            info.errno = i32::from(data);
            let nr = u32::try_from(call.nr & 0xffff_ffff).unwrap_or(0);
            info.fields[8..12].copy_from_slice(&nr.to_le_bytes());
            info.fields[12..16].copy_from_slice(&seccomp::AUDIT_ARCH.to_le_bytes());
            regs.ax = regs.orig_ax;
            signal::force(k, tid, info);
        }
        verdict @ (Verdict::KillThread | Verdict::KillProcess | Verdict::Kill) => {
            let last = k.group(k.task(tid).group).threads.len() == 1;
            let signo = if verdict == Verdict::Kill { sig::KILL } else { sig::SYS };
            if verdict == Verdict::KillThread && !last {
                exit::exit_thread(k, host, tid, u32::from(signo));
            } else {
                let info = SigInfo::fault(signo, 1, regs.ip);
                let dumped = signo == sig::SYS && coredump::dump(k, host, tid, &info);
                exit::exit_group(k, host, tid, u32::from(signo) | if dumped { 0x80 } else { 0 });
            }
            return false;
        }
    }
    k.set_user_regs(tid, &regs);
    if work_traced(k, tid) {
        ptrace::after_call(k, tid);
    }
    leave(k, host, tid);
    false
}

/// Tells whoever watches how a call ended that a filter answered: with what is left in ax.
fn tell_verdict(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, call: &Call, verdict: &seccomp::Verdict) {
    use seccomp::Verdict;
    if !k.observer.on {
        return;
    }
    let result = match verdict {
        Verdict::Run => return,
        Verdict::Fail(0) => Ok(0),
        Verdict::Fail(number) => Err(Errno(*number)),
        Verdict::Ask(_) if ptrace::wants(k.task(tid), ptrace::option::TRACESECCOMP) => return,
        Verdict::Ask(_) => Err(Errno::ENOSYS),
        Verdict::Trap(_) | Verdict::KillThread | Verdict::KillProcess => Ok(call.nr),
        // A mode without a filter kills at once.
        Verdict::Kill => return,
    };
    hook::exit(k, host, tid, call, result, inject::Tampered::default());
}

fn work_traced(k: &Kernel, tid: TaskId) -> bool {
    k.tasks.get(tid).is_some_and(|task| task.work.traced)
}

/// What tracing asks for before a call runs. `false`: it does not run (now).
fn traced_call(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, call: &Call) -> bool {
    const NR_EXIT: u64 = 60;
    const NR_EXIT_GROUP: u64 = 231;
    if call.nr & 0xffff_ffff == 0xffff_ffff {
        // The tracer took the call away; what it left in ax is the result.
        ptrace::after_call(k, tid);
        leave(k, host, tid);
        return false;
    }
    let task = k.task_mut(tid);
    let exits = matches!(call.nr, NR_EXIT | NR_EXIT_GROUP);
    if !exits || task.trace.exit_told || !ptrace::wants(task, ptrace::option::TRACEEXIT) {
        return true;
    }
    task.trace.exit_told = true;
    task.call = Some(call.clone());
    ptrace::push_event(k, tid, ptrace::event::EXIT, (call.args[0] & 0xff) << 8);
    !ptrace::stop_if_due(k, tid)
}

fn dispatch(ctx: &mut Ctx<'_>) -> SysResult {
    // Linux compares the number as 32 bits (do_syscall_64 sign-extends); a number out of range is ENOSYS without more.
    match u32::try_from(ctx.call.nr & 0xffff_ffff) {
        Ok(nr) => crate::table::dispatch(ctx, nr, ctx.call.args),
        Err(_) => Err(Errno::ENOSYS.into()),
    }
}

fn unsupported(k: &mut Kernel, tid: TaskId, call: &Call, why: &str) {
    let name = crate::table::row(call.nr & 0xffff_ffff).map_or("?", |row| row.name);
    let at = format!("task {} at {:#x}", tid.0, k.user_regs(tid).ip);
    k.gap(format!("system call {name} ({}): {why}", call.nr), at);
}

/// An exception in user mode.
pub fn exception(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, exception: Exception) {
    let rip = k.task(tid).cpu.rip;
    let retired = k.retired;
    k.irq.exceptions += 1;
    if k.observer.on {
        hook::stamp(k, host);
        k.observer.note_machine(retired, || Event::Exception { tid, exception, rip });
    }
    enter(k, tid, NO_SYSCALL);
    if exception.vector == Vector::PageFault {
        let access = if exception.error_code & pf::FETCH != 0 {
            Access::Execute
        } else if exception.error_code & pf::WRITE != 0 {
            Access::Write
        } else {
            Access::Read
        };
        if exception.address < emu_core::mem::USER_END
            && userfault::user_fault(k, tid, exception.address, access)
        {
            return;
        }
        let answer = if exception.address >= emu_core::mem::USER_END {
            Err(BadAccess::Unmapped)
        } else {
            page_fault(k, host, tid, exception.address, access)
        };
        match answer {
            Ok(()) => k.task_mut(tid).usage.minor_faults += 1,
            Err(bad) => signal::force_fault(k, tid, exception, Some(bad)),
        }
    } else {
        signal::force_fault(k, tid, exception, None);
    }
    leave(k, host, tid);
    k.observer.note_machine(k.retired, || Event::Return { tid });
}

/// An instruction that emu does not know: loud, then #UD.
pub fn missing_instruction(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, missing: &MissingInstr) {
    let bytes: Vec<String> = missing.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let at = format!("task {} at {:#x} ({})", tid.0, missing.rip, bytes.join(" "));
    k.gap(format!("instruction {}", missing.name), at);
    exception(k, host, tid, Exception::ud());
}

/// The engine stopped in `tid`: does what the exit asks for.
pub fn engine_exit(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, exit: &Exit) {
    match exit {
        Exit::Syscall => syscall(k, host, tid),
        Exit::Exception(raised) => exception(k, host, tid, *raised),
        Exit::Missing(missing) => missing_instruction(k, host, tid, missing),
        Exit::Budget | Exit::Seam(_) => {}
    }
}
