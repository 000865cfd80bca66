//! A machine: a kernel, the engine that executes its tasks, and the loop that runs them against a host.
//!
//! **Invariant**: everything a guest can observe is in [`Machine::kernel`]; the engine holds caches only.

use emu_core::cpu::Exception;
use emu_core::engine::{Engine, Exit};

use crate::entry::irq::{self, Irq};
use crate::file::epoll::ItemState;
use crate::kernel::{Config, Kernel};
use crate::observe::{Event, Watcher, hook};
use crate::seam::{Direction, Host, Stream};
use crate::task::exec::start::{First, StartError};
use crate::task::pids::FIRST_PID;
use crate::task::sched::{Running, Turn};
use crate::task::sighand::sig;
use crate::task::wait::{WaitKey, Waiter};
use crate::task::{GroupId, RunState, TaskId, exec, signal};
use crate::time::timer::run_cpu_timers;
use crate::{entry, file};

/// Why [`Machine::run`] came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The first process ended; its wait status as wait4(2) gives it.
    Exited(u32),
    /// The instruction count asked for was reached.
    Budget,
    /// Nobody can ever run again: what each task waits for, one line each.
    Deadlock(Vec<String>),
    /// Gaps or events are there to be told; call again to go on.
    Report,
    /// The host can answer no more ([`Host::gone`]): the end of a recording, or a divergence from it.
    HostGone,
}

/// See the module documentation.
#[derive(Debug)]
pub struct Machine {
    /// The state.
    pub kernel: Kernel,
    engine: Box<dyn Engine>,
    /// The first process: when it ends, so does the machine.
    pub init: Option<TaskId>,
    /// Who is told what happens; without one, events stay in [`Observer::events`](crate::observe::Observer::events).
    pub watcher: Option<Box<dyn Watcher>>,
}

impl Machine {
    /// A machine without any task.
    #[must_use]
    pub fn new(config: Config, engine: Box<dyn Engine>) -> Self {
        Machine { kernel: Kernel::new(config), engine, init: None, watcher: None }
    }

    /// Starts a program as the first process; when it ends, so does the machine. Mount a root before.
    ///
    /// # Errors
    /// What is wrong with the program or its surroundings, in terms of the guest.
    pub fn start(&mut self, host: &mut dyn Host, first: &First<'_>) -> Result<TaskId, StartError> {
        let tid = exec::start::start(&mut self.kernel, host, first)?;
        self.init = Some(tid);
        Ok(tid)
    }

    /// A snapshot of the state. Constant time.
    #[must_use]
    pub fn snapshot(&self) -> Kernel {
        self.kernel.clone()
    }

    /// Goes back to a snapshot.
    pub fn restore(&mut self, snapshot: &Kernel) {
        self.kernel = snapshot.clone();
        self.engine.flush();
    }

    /// Runs until something happens, at most until `stop_at` instructions have retired in the whole machine.
    pub fn run(&mut self, host: &mut dyn Host, stop_at: u64) -> Stopped {
        loop {
            self.tell(host);
            if let Some(status) = self.init_status() {
                file::tty::drain(&mut self.kernel, host, 5_000_000_000);
                return Stopped::Exited(status);
            }
            if !self.kernel.gaps_new.is_empty() {
                return Stopped::Report;
            }
            if self.kernel.retired >= stop_at {
                return Stopped::Budget;
            }
            if host.gone() {
                return Stopped::HostGone;
            }
            let turn = match self.kernel.sched.running.take() {
                Some(turn) => turn,
                None => match self.kernel.sched.pick_at(self.kernel.retired) {
                    Some(tid) => self.begin_turn(host, tid),
                    None => {
                        if let Some(stopped) = self.idle(host) {
                            return stopped;
                        }
                        continue;
                    }
                },
            };
            self.go_on(host, turn, stop_at);
        }
    }

    /// Tells the watcher what happened. Nothing in the machine depends on when.
    fn tell(&mut self, host: &mut dyn Host) {
        let k = &mut self.kernel;
        if !k.observer.ignored.is_empty() {
            hook::settle(k, host);
        }
        if k.observer.events.is_empty() {
            return;
        }
        if let Some(watcher) = &mut self.watcher {
            let events = std::mem::take(&mut k.observer.events);
            watcher.events(k, events);
        }
    }

    fn init_status(&self) -> Option<u32> {
        let init = self.init?;
        match self.kernel.groups.get(crate::task::GroupId(init.0)) {
            Some(group) => group.status,
            None => Some(0),
        }
    }

    /// Gives `tid` the processor: the rest of a call comes first.
    fn begin_turn(&mut self, host: &mut dyn Host, tid: TaskId) -> Running {
        let k = &mut self.kernel;
        if k.last_ran != Some(tid) {
            let from = k.last_ran.replace(tid);
            k.irq.switches += 1;
            if k.observer.on {
                hook::stamp(k, host);
                k.observer.note_machine(k.retired, || Event::Switch { from, to: tid });
            }
        }
        let turn = Running {
            tid,
            began: k.retired,
            began_ns: k.time.monotonic_ns,
            calls_before: k.tasks.get(tid).map_or(0, |task| task.syscalls),
            end: k.sched.turn_end(k.retired, k.config.slice),
        };
        if let Some(call) = k.task_mut(tid).call.take() {
            entry::run_call(k, host, tid, call);
        } else if k.task(tid).in_kernel {
            entry::leave(k, host, tid);
        } else if signal::pending(k, tid) {
            // Sent while it was preempted in user mode: the interrupt that took the processor had come before.
            entry::enter(k, tid, entry::NO_SYSCALL);
            entry::leave(k, host, tid);
        }
        turn
    }

    /// Runs a turn to its end. Where it only pauses (at `stop_at`, or to report) it goes on later as if it had not, so that
    /// neither watching nor stopping changes who runs when.
    fn go_on(&mut self, host: &mut dyn Host, turn: Running, stop_at: u64) {
        let tid = turn.tid;
        loop {
            let k = &mut self.kernel;
            // `execve` may have given the running thread its leader's number: then the turn ends here.
            if k.sched.current != Some(tid) || k.sched.need_resched || k.retired >= turn.end {
                break;
            }
            if k.retired >= stop_at || !k.gaps_new.is_empty() || host.gone() {
                k.sched.running = Some(turn);
                return;
            }
            let tick_in = k.irq.next_tick.saturating_sub(k.irq.work);
            if tick_in == 0 {
                self.tick(host, tid);
                continue;
            }
            let Some(task) = k.tasks.get_mut(tid) else { break };
            if task.state != RunState::Runnable || task.in_kernel {
                break;
            }
            let Some(mm) = task.mm.and_then(|id| k.mms.get(id)) else { break };
            let before = task.cpu.icount;
            let budget = tick_in.min(turn.end.min(stop_at) - k.retired);
            let exit = self.engine.run(&mut task.cpu, &mut k.mem, mm.space, before + budget);
            let ran = task.cpu.icount - before;
            task.user_instructions += ran;
            k.retired += ran;
            k.irq.work += ran;
            match exit {
                Exit::Budget => {}
                Exit::Seam(instr) => self.seam_instruction(host, tid, instr),
                other => {
                    k.irq.work += EXIT_WORK;
                    entry::engine_exit(k, host, tid, &other);
                }
            }
            if self.kernel.observer.on {
                self.tell(host);
            }
        }
        self.end_turn(&turn);
    }

    fn end_turn(&mut self, turn: &Running) {
        let tid = turn.tid;
        let k = &mut self.kernel;
        let ran = k.retired - turn.began;
        // What the clock showed last, not what it shows now: the timer interrupt reads it about once a turn, whoever runs.
        let took_ns = k.time.monotonic_ns - turn.began_ns;
        if let Some(task) = k.tasks.get_mut(tid) {
            let calls = task.syscalls.saturating_sub(turn.calls_before);
            task.charge(took_ns, ran, calls);
        }
        let how = if std::mem::take(&mut k.sched.yielded) { Turn::Yielded } else { Turn::SliceOver };
        if k.retired >= turn.end || k.sched.need_resched || how == Turn::Yielded {
            if k.sched.contains(tid) {
                preempted(k, tid, how);
            }
            k.turn_over(tid, ran, how);
        } else if let Some(task) = k.tasks.get_mut(tid) {
            // It waits, or its turn goes on: what it ran counts either way.
            let weighted = task.sched.weighted(ran, task.nice);
            task.sched.vruntime = task.sched.vruntime.saturating_add(weighted);
        }
    }

    /// The timer interrupt: the running task enters the kernel, time goes on, host events are taken, and what is pending is
    /// done on the way back.
    fn tick(&mut self, host: &mut dyn Host, tid: TaskId) {
        let k = &mut self.kernel;
        k.irq.next_tick = k.irq.work.saturating_add(TICK);
        let in_user =
            k.tasks.get(tid).is_some_and(|task| task.state == RunState::Runnable && !task.in_kernel);
        if in_user {
            entry::enter(k, tid, entry::NO_SYSCALL);
        }
        if k.observer.on {
            hook::stamp(k, host);
        }
        irq::top_half(k, Irq::Timer);
        for event in host.poll(k.retired) {
            irq::host_interrupt(k, event);
        }
        if let Some(gid) = k.tasks.get(tid).map(|task| task.group) {
            run_cpu_timers(k, gid);
        }
        if in_user {
            entry::leave(k, host, tid);
            k.observer.note_machine(k.retired, || Event::Return { tid });
        } else {
            irq::run_softirqs(k, host);
        }
    }

    fn idle(&mut self, host: &mut dyn Host) -> Option<Stopped> {
        let k = &mut self.kernel;
        if k.irq.raised != 0 {
            irq::run_softirqs(k, host);
            if !k.sched.is_empty() {
                return None;
            }
        }
        let mut interest = Vec::new();
        for stream in [Stream::Stdin, Stream::Stdout, Stream::Stderr] {
            for direction in [Direction::Read, Direction::Write] {
                if wanted(k, WaitKey::Host(stream, direction)) {
                    interest.push((stream, direction));
                }
            }
        }
        interest.extend(file::tty::host_interest(k));
        let until = irq::next_due(k);
        if k.groups.get(GroupId(FIRST_PID)).is_some_and(|first| first.stop.stopped.is_some()) {
            host.suspend();
            signal::from_host(k, sig::CONT);
            return None;
        }
        if until.is_none() && interest.is_empty() && !(host.can_signal() && awaits_signal(k)) {
            return Some(Stopped::Deadlock(deadlock_report(k)));
        }
        let since = k.time.monotonic(host, k.retired);
        for event in host.wait(k.retired, until, &interest) {
            irq::host_interrupt(k, event);
        }
        let now = k.time.monotonic(host, k.retired);
        k.irq.idle_ns += now - since;
        irq::top_half(k, Irq::Timer);
        irq::run_softirqs(k, host);
        None
    }

    fn seam_instruction(&mut self, host: &mut dyn Host, tid: TaskId, instr: emu_core::engine::SeamInstr) {
        use emu_core::engine::SeamInstr;
        let k = &mut self.kernel;
        let tsc = matches!(instr, SeamInstr::Rdtsc | SeamInstr::Rdtscp);
        if tsc && k.tasks.get(tid).is_some_and(|task| task.attrs.no_tsc) {
            entry::exception(k, host, tid, Exception::gp());
            return;
        }
        let value = match instr {
            SeamInstr::Rdtsc | SeamInstr::Rdtscp => k.time.monotonic(host, k.retired),
            SeamInstr::Random => {
                let mut bytes = [0; 8];
                host.entropy(&mut bytes);
                u64::from_le_bytes(bytes)
            }
        };
        let Some(task) = k.tasks.get_mut(tid) else { return };
        let Some(mm) = task.mm.and_then(|id| k.mms.get(id)) else { return };
        let before = task.cpu.icount;
        let done = self.engine.complete(&mut task.cpu, &mut k.mem, mm.space, value);
        let ran = task.cpu.icount - before;
        task.user_instructions += ran;
        k.retired += ran;
        k.irq.work += ran;
        if let Err(raised) = done {
            entry::exception(k, host, tid, raised);
        }
    }
}

/// Work between two timer interrupts, in instructions: about a millisecond.
const TICK: u64 = 200_000;
/// What an entry into the kernel counts for, in instructions, so that time goes on for those who only make calls.
const EXIT_WORK: u64 = 100;

/// A task lost the processor while it could go on: its restartable sequence is looked at before it runs again.
fn preempted(k: &mut Kernel, tid: TaskId, turn: Turn) {
    let Some(task) = k.tasks.get_mut(tid) else { return };
    if turn == Turn::Yielded {
        task.usage.voluntary += 1;
    } else {
        task.usage.involuntary += 1;
    }
    if task.rseq.0 != 0 {
        task.work.rseq = true;
        if !task.in_kernel {
            entry::enter(k, tid, entry::NO_SYSCALL);
        }
    }
}

/// Whether an event of a host stream would change anything: a task waits for it, or an epoll instance that does not know
/// yet that it came or that a task waits for.
fn wanted(k: &Kernel, key: WaitKey) -> bool {
    k.waits.waiters(key).into_iter().any(|waiter| match waiter {
        Waiter::Task(_) | Waiter::Async(_) => true,
        Waiter::Epoll(epoll, item) => match file::epoll::item_state(k, epoll, item) {
            ItemState::Silent => false,
            ItemState::Idle => true,
            ItemState::Queued => wanted(k, WaitKey::File(epoll)),
        },
    })
}

/// Whether a task waits for nothing but a signal.
fn awaits_signal(k: &Kernel) -> bool {
    k.tasks.iter().filter(|(tid, _)| !crate::task::init::is_kernels(*tid)).any(|(_, task)| {
        match &task.state {
            RunState::Parked(wait) => {
                wait.keys.iter().all(|key| matches!(key, WaitKey::Never | WaitKey::Signal(_)))
            }
            RunState::Stopped => true,
            _ => false,
        }
    })
}

fn deadlock_report(k: &Kernel) -> Vec<String> {
    k.tasks
        .iter()
        .filter(|(tid, _)| !crate::task::init::is_kernels(*tid))
        .map(|(tid, task)| {
            let name = String::from_utf8_lossy(&task.comm);
            let call =
                task.call.as_ref().and_then(|call| crate::table::row(call.nr)).map_or("-", |row| row.name);
            match &task.state {
                RunState::Parked(wait) => {
                    let keys: Vec<String> = wait.keys.iter().map(ToString::to_string).collect();
                    let keys = if keys.is_empty() { "a signal".to_owned() } else { keys.join(" or ") };
                    format!("task {} ({name}) in {call} waits for {keys}", tid.0)
                }
                other => format!("task {} ({name}) is {other:?}", tid.0),
            }
        })
        .collect()
}
