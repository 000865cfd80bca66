//! A machine: a kernel, the engine that executes its tasks, and the loop that runs them against a host.
//!
//! **Invariant**: everything a guest can observe is in [`Machine::kernel`]; the engine holds caches only.

use emu_core::engine::{Engine, Exit};

use crate::kernel::{Config, Kernel};
use crate::seam::{Direction, Host, HostEvent, Stream};
use crate::task::exec::start::{First, StartError};
use crate::task::wait::{WaitKey, wake_expired};
use crate::task::{RunState, TaskId, exec, signal};
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
}

/// See the module documentation.
#[derive(Debug)]
pub struct Machine {
    /// The state.
    pub kernel: Kernel,
    engine: Box<dyn Engine>,
    /// The first process: when it ends, so does the machine.
    pub init: Option<TaskId>,
}

impl Machine {
    /// A machine without any task.
    #[must_use]
    pub fn new(config: Config, engine: Box<dyn Engine>) -> Self {
        Machine { kernel: Kernel::new(config), engine, init: None }
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
            if let Some(status) = self.init_status() {
                file::tty::drain(&mut self.kernel, host, 5_000_000_000);
                return Stopped::Exited(status);
            }
            if !self.kernel.gaps_new.is_empty() || !self.kernel.observer.events.is_empty() {
                return Stopped::Report;
            }
            if self.kernel.retired >= stop_at {
                return Stopped::Budget;
            }
            match self.kernel.sched.pick() {
                Some(tid) => self.run_task(host, tid, stop_at),
                None => {
                    if let Some(stopped) = self.idle(host) {
                        return stopped;
                    }
                }
            }
        }
    }

    fn init_status(&self) -> Option<u32> {
        let init = self.init?;
        match self.kernel.groups.get(crate::task::GroupId(init.0)) {
            Some(group) => group.status,
            None => Some(0),
        }
    }

    /// Gives `tid` one slice: the rest of a call, then user mode until something happens.
    fn run_task(&mut self, host: &mut dyn Host, tid: TaskId, stop_at: u64) {
        let k = &mut self.kernel;
        if let Some(call) = k.task_mut(tid).call.take() {
            entry::run_call(k, host, tid, call);
        } else if k.task(tid).in_kernel {
            entry::leave(k, host, tid);
        }
        let slice_end = k.retired.saturating_add(k.config.slice).min(stop_at);
        loop {
            let k = &mut self.kernel;
            if k.sched.current != Some(tid) || k.retired >= slice_end {
                break;
            }
            let Some(task) = k.tasks.get_mut(tid) else { return };
            if task.state != RunState::Runnable || task.in_kernel {
                break;
            }
            let Some(mm) = task.mm.and_then(|id| k.mms.get(id)) else { break };
            let before = task.cpu.icount;
            let exit = self.engine.run(&mut task.cpu, &mut k.mem, mm.space, before + (slice_end - k.retired));
            let ran = task.cpu.icount - before;
            task.user_instructions += ran;
            k.retired += ran;
            match exit {
                Exit::Budget => {}
                Exit::Seam(instr) => self.seam_instruction(host, tid, instr),
                other => entry::engine_exit(k, host, tid, &other),
            }
            if !self.kernel.gaps_new.is_empty() || self.kernel.observer.on {
                break;
            }
        }
        if self.kernel.retired >= slice_end {
            self.tick(host, tid);
        }
    }

    /// The timer interrupt at the end of a slice: time goes on, host events are taken, the next task gets its turn.
    fn tick(&mut self, host: &mut dyn Host, tid: TaskId) {
        let k = &mut self.kernel;
        let now = k.time.monotonic(host, k.retired);
        wake_expired(k, now);
        for event in host.poll(k.retired) {
            host_event(k, host, event);
        }
        if k.sched.current == Some(tid) {
            k.sched.rotate();
        }
        // A signal may have come for a task that never enters the kernel by itself.
        if let Some(task) = k.tasks.get(tid)
            && task.state == RunState::Runnable
            && !task.in_kernel
            && signal::pending(k, tid)
        {
            entry::enter(k, tid, entry::NO_SYSCALL);
        }
    }

    fn idle(&mut self, host: &mut dyn Host) -> Option<Stopped> {
        let k = &mut self.kernel;
        let mut interest = Vec::new();
        for stream in [Stream::Stdin, Stream::Stdout, Stream::Stderr] {
            for direction in [Direction::Read, Direction::Write] {
                if k.waits.any(WaitKey::Host(stream, direction)) {
                    interest.push((stream, direction));
                }
            }
        }
        interest.extend(file::tty::host_interest(k));
        let until =
            [k.waits.next_deadline(), k.time.next_timer(), k.timerfds.next()].into_iter().flatten().min();
        if until.is_none() && interest.is_empty() {
            return Some(Stopped::Deadlock(deadlock_report(k)));
        }
        let events = host.wait(k.retired, until, &interest);
        for event in events {
            host_event(k, host, event);
        }
        let now = k.time.monotonic(host, k.retired);
        wake_expired(k, now);
        None
    }

    fn seam_instruction(&mut self, host: &mut dyn Host, tid: TaskId, instr: emu_core::engine::SeamInstr) {
        use emu_core::engine::SeamInstr;
        let k = &mut self.kernel;
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
        k.retired += task.cpu.icount - before;
        if let Err(raised) = done {
            entry::exception(k, host, tid, raised);
        }
    }
}

/// Takes an event of the host: the top half wakes those who wait for it.
fn host_event(k: &mut Kernel, host: &mut dyn Host, event: HostEvent) {
    match event {
        HostEvent::Readable(stream) => {
            file::tty::host_readable(k, host, stream);
            k.wake(WaitKey::Host(stream, Direction::Read));
        }
        HostEvent::Writable(stream) => {
            file::tty::host_writable(k, host);
            k.wake(WaitKey::Host(stream, Direction::Write));
        }
        HostEvent::WindowSize => file::tty::host_resized(k, host),
        HostEvent::Signal(number) => signal::from_host(k, number),
    }
}

fn deadlock_report(k: &Kernel) -> Vec<String> {
    k.tasks
        .iter()
        .map(|(tid, task)| {
            let name = String::from_utf8_lossy(&task.comm);
            let call =
                task.call.as_ref().and_then(|call| crate::table::row(call.nr)).map_or("-", |row| row.name);
            match &task.state {
                RunState::Parked(wait) => {
                    format!("task {} ({name}) in {call} waits for {:?}", tid.0, wait.keys)
                }
                other => format!("task {} ({name}) is {other:?}", tid.0),
            }
        })
        .collect()
}
