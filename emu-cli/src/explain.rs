//! `emu explain PROGRAM --syscall NAME`: walks one system call through the gate, with the registers and the kernel stack as
//! they are.
//!
//! **Invariant**: what is printed is read from the machine at that moment; nothing is an example.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use clap::Args;
use emu_syscalls::entry::{PT_REGS_SIZE, PtRegs};
use emu_syscalls::kernel::Kernel;
use emu_syscalls::observe::value::{Style, write_list};
use emu_syscalls::observe::{Ended, Event, Stamped, Watch, Watcher};
use emu_syscalls::table::{ROWS, Row, Support};
use emu_syscalls::task::TaskId;

use crate::args::RunArgs;
use crate::run;

/// Explaining a system call.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The call to walk through
    #[arg(long, value_name = "NAME", default_value = "write")]
    pub(crate) syscall: String,
    /// Which of the program's calls of that name
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) nth: u64,
    /// What to run.
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Runs `emu explain`.
pub(crate) fn explain(args: &ExplainArgs) -> Result<u8> {
    let Some(row) = ROWS.iter().find(|row| row.name == args.syscall) else {
        bail!("there is no system call {:?} (emu syscalls lists them)", args.syscall);
    };
    let mut run_args = args.run.clone();
    if let [.., option, name] = run_args.program.as_slice()
        && option == "--syscall"
    {
        // `emu explain PROGRAM --syscall write`: the option may stand behind the program.
        let name = name.to_string_lossy().into_owned();
        run_args.program.truncate(run_args.program.len() - 2);
        return explain(&ExplainArgs { syscall: name, nth: args.nth, run: run_args });
    }
    let nth = args.nth;
    run::run_watched(&run_args, move |machine, _host, _begun| {
        machine.kernel.observer.start(Watch { machine: true, gate: true, ..Watch::default() });
        machine.watcher =
            Some(Box::new(Explainer { row, nth, seen: 0, task: None, told: String::new(), done: false }));
        Ok(())
    })
}

#[derive(Debug)]
struct Explainer {
    row: &'static Row,
    nth: u64,
    seen: u64,
    task: Option<TaskId>,
    told: String,
    done: bool,
}

impl Explainer {
    fn say(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.told, "{text}");
    }

    fn registers(&mut self, regs: &PtRegs) {
        let names = [
            ("rax", regs.ax),
            ("rbx", regs.bx),
            ("rcx", regs.cx),
            ("rdx", regs.dx),
            ("rsi", regs.si),
            ("rdi", regs.di),
            ("rbp", regs.bp),
            ("rsp", regs.sp),
            ("r8", regs.r8),
            ("r9", regs.r9),
            ("r10", regs.r10),
            ("r11", regs.r11),
            ("r12", regs.r12),
            ("r13", regs.r13),
            ("r14", regs.r14),
            ("r15", regs.r15),
            ("rip", regs.ip),
            ("rflags", regs.flags),
        ];
        for pair in names.chunks(3) {
            let line: Vec<String> =
                pair.iter().map(|(name, value)| format!("{name:>6} {value:016x}")).collect();
            self.say(format_args!("    {}", line.join("   ")));
        }
    }

    fn entered(
        &mut self,
        tid: TaskId,
        gate: &Gate,
        args: &[emu_syscalls::observe::value::Value],
        k: &Kernel,
    ) {
        let row = self.row;
        let before = gate.user;
        let name =
            k.tasks.get(tid).map(|task| String::from_utf8_lossy(&task.comm).into_owned()).unwrap_or_default();
        self.say(format_args!("{} of task {} ({name}): system call {}\n", row.name, tid.0, row.nr));
        self.say(format_args!("1. User mode. The program put the number into rax and the arguments into rdi, rsi, rdx, r10, r8, r9,"));
        self.say(format_args!("   then executed `syscall` (0f 05) at {:#x}:", before.ip.wrapping_sub(2)));
        self.registers(&PtRegs { ax: u64::from(row.nr), ..before });
        for (n, (arg, register)) in row.args.iter().zip(["rdi", "rsi", "rdx", "r10", "r8", "r9"]).enumerate()
        {
            let value = [before.di, before.si, before.dx, before.r10, before.r8, before.r9][n];
            self.say(format_args!("    {register:>4} = {:<10} {value:#x}", arg.name));
        }
        let mut text = String::new();
        write_list(&mut text, args, &Style::default());
        self.say(format_args!("   As strace tells what is known now: {}({text}", row.name));
        self.say(format_args!(""));
        self.say(format_args!(
            "2. The instruction itself. The processor saves rip in rcx ({:#x}) and rflags in r11 ({:#x}),",
            before.cx, before.r11
        ));
        self.say(format_args!("   goes to ring 0 and to the kernel's entry point. It counts as one retired instruction: number {}.", gate.retired));
        self.say(format_args!(""));
        self.say(format_args!("3. The gate. The task's kernel stack is the {} bytes below {:#x}, in supervisor pages. At its top", 16 * 1024, gate.top));
        self.say(format_args!("   the entry code saves the user's registers as `struct pt_regs`; from here on these words are the registers:"));
        let labels = [
            "r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di",
            "orig_ax", "ip", "cs", "flags", "sp", "ss",
        ];
        for (n, (label, word)) in labels.iter().zip(gate.words).enumerate() {
            let remark = match *label {
                "ax" => "   -ENOSYS until the call has a result",
                "orig_ax" => "   the number of the call",
                "cs" => "   ring 3: where to go back to",
                _ => "",
            };
            let at = gate.top - PT_REGS_SIZE + 8 * n as u64;
            self.say(format_args!("    {at:#x}: {word:016x}  {label}{remark}"));
        }
        self.say(format_args!(""));
        let support = match row.support {
            Support::Full => "as the man page says".to_owned(),
            Support::Partial(note) => format!("with a gap: {note}"),
            Support::Missing(note) => format!("not supported: {note}"),
        };
        self.say(format_args!("4. Dispatch. Row {} of the table gives the arguments their types and names the handler ({support}):", row.nr));
        for arg in row.args {
            self.say(format_args!("    {:<10} {:?}", arg.name, arg.kind));
        }
    }

    fn left(
        &mut self,
        tid: TaskId,
        gate: Option<&Gate>,
        ended: Ended,
        args: &[emu_syscalls::observe::value::Value],
    ) {
        let mut text = String::new();
        write_list(&mut text, args, &Style::default());
        self.say(format_args!(""));
        self.say(format_args!("5. The result. The handler returned: {}", super::trace::ended_text(ended)));
        if !text.is_empty() {
            self.say(format_args!("   What it filled in: {text}"));
        }
        if let Some(gate) = gate {
            self.say(format_args!(
                "   It goes to pt_regs.ax at {:#x}: {:016x}",
                gate.top - PT_REGS_SIZE + 80,
                gate.words[10]
            ));
            self.say(format_args!(""));
            self.say(format_args!("6. The way out. Raised softirqs run, need-resched and pending signals are looked at ({}), then `sysret`", gate.pending));
            self.say(format_args!(
                "   loads rip from rcx, rflags from r11 and goes back to ring 3 at {:#x}.",
                gate.user.ip
            ));
            self.say(format_args!("   {} instructions had retired in the machine: a call takes no instruction of the guest's in the kernel.", gate.retired));
        }
        let _ = tid;
    }
}

/// What the gate looked like at one moment.
#[derive(Debug, Clone)]
struct Gate {
    user: PtRegs,
    words: [u64; 21],
    top: u64,
    retired: u64,
    pending: String,
}

fn gate(tid: TaskId, words: &[u64; 21], k: &Kernel, retired: u64) -> Gate {
    let top = k.tasks.get(tid).map_or(0, |task| task.kernel_stack_top);
    let pending = match emu_syscalls::task::signal::pending(k, tid) {
        true => "a signal is pending",
        false => "none is pending",
    };
    Gate { user: PtRegs::from_words(words), words: *words, top, retired, pending: pending.to_owned() }
}

impl Watcher for Explainer {
    fn events(&mut self, k: &Kernel, events: Vec<Stamped>) {
        for stamped in events {
            if self.done {
                return;
            }
            let retired = stamped.retired;
            match (self.task, stamped.event) {
                (None, Event::Enter { tid, nr, args, gate: Some(words), .. })
                    if nr == u64::from(self.row.nr) =>
                {
                    self.seen += 1;
                    if self.seen == self.nth {
                        self.task = Some(tid);
                        let gate = gate(tid, &words, k, retired);
                        self.entered(tid, &gate, &args, k);
                    }
                }
                (Some(task), Event::Blocked { tid }) if task == tid => {
                    self.say(format_args!("   It had to wait: the task was parked with the call as data, others ran (instruction {retired})."));
                }
                (Some(task), Event::Resumed { tid }) if task == tid => {
                    self.say(format_args!(
                        "   It was woken: the same call runs again (instruction {retired})."
                    ));
                }
                (Some(_), Event::Interrupt { irq, .. }) => {
                    self.say(format_args!(
                        "   Meanwhile: a {} interrupt, its top half (instruction {retired}).",
                        super::trace::irq_name(irq)
                    ));
                }
                (Some(_), Event::SoftIrq { softirq, begins: true, .. }) => {
                    self.say(format_args!("   Meanwhile: softirq {}.", super::trace::softirq_name(softirq)));
                }
                (Some(task), Event::Exit { tid, ended, args, gate: words, .. }) if task == tid => {
                    let gate = words.map(|words| gate(tid, &words, k, retired));
                    self.left(tid, gate.as_ref(), ended, &args);
                    self.done = true;
                }
                _ => {}
            }
        }
    }

    fn finish(&mut self, _k: &Kernel) {
        if self.task.is_none() {
            let (seen, name, nth) = (self.seen, self.row.name, self.nth);
            self.say(format_args!("the program made {seen} calls of {name}: there is no number {nth}"));
        }
        eprint!("{}", self.told);
    }
}
