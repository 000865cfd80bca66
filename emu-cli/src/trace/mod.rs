//! `emu trace`: everything that happens between user mode and the kernel, as text or for a trace viewer.
//!
//! A line or a span for each stretch in user mode, system call (entered, waiting, done), exception, interrupt with its top half,
//! softirq, context switch, wake-up and signal. Neighbours: [`chrome`] writes the form that Perfetto and Chrome open.
//!
//! **Invariant**: it only looks; the guest runs the same without it.

mod chrome;
mod text;

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Write};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use emu_syscalls::kernel::Kernel;
use emu_syscalls::observe::{Event, Watch, Watcher};

use crate::args::RunArgs;
use crate::run;

/// Forms of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line for each event
    Text,
    /// Chrome's trace events as JSON, which Perfetto opens
    Json,
}

/// Tracing a program.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// Where the trace goes: a file; standard error without it
    #[arg(short = 'o', long = "trace-output", value_name = "FILE")]
    pub(crate) output: Option<OsString>,
    /// Its form; json if FILE ends in .json
    #[arg(long, value_enum, value_name = "FORM")]
    pub(crate) format: Option<Format>,
    /// What to run.
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Where lines go. Once writing fails no more is written; the guest goes on.
pub(super) struct Sink {
    out: Box<dyn Write + Send>,
    broken: bool,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl Sink {
    fn line(&mut self, text: &str) {
        if !self.broken && writeln!(self.out, "{text}").is_err() {
            self.broken = true;
        }
    }
    fn finish(&mut self) {
        if !self.broken && self.out.flush().is_err() {
            self.broken = true;
        }
        if self.broken {
            eprintln!("emu: the trace is not complete: writing it failed");
        }
    }
}

/// Runs `emu trace`.
pub(crate) fn trace(args: &TraceArgs) -> Result<u8> {
    let named_json = args.output.as_ref().is_some_and(|name| name.to_string_lossy().ends_with(".json"));
    let format = args.format.unwrap_or(if named_json { Format::Json } else { Format::Text });
    let out: Box<dyn Write + Send> = match &args.output {
        Some(name) => Box::new(BufWriter::new(
            File::create(name).with_context(|| format!("cannot write {}", name.display()))?,
        )),
        None => Box::new(std::io::stderr()),
    };
    let sink = Sink { out, broken: false };
    run::run_watched(&args.run, move |machine, host, begun| {
        machine.kernel.observer.start(Watch { machine: true, ..Watch::default() });
        let at = emu_syscalls::seam::Host::stamp(host, machine.kernel.retired);
        let name = String::from_utf8_lossy(&begun.program).into_owned();
        let watcher: Box<dyn Watcher> = match format {
            Format::Text => Box::new(text::TextTrace::new(sink, at, begun.tid, &name)),
            Format::Json => Box::new(chrome::ChromeTrace::new(sink, at, begun.tid, &name)),
        };
        machine.watcher = Some(watcher);
        Ok(())
    })
}

/// Name of an interrupt's source.
pub(super) fn irq_name(irq: emu_syscalls::entry::irq::Irq) -> &'static str {
    use emu_syscalls::entry::irq::Irq;
    match irq {
        Irq::Timer => "timer",
        Irq::Terminal => "terminal",
        Irq::Host => "host",
        Irq::Network => "network",
    }
}

/// Name of a softirq, as /proc/softirqs has it.
pub(super) fn softirq_name(softirq: emu_syscalls::entry::irq::SoftIrq) -> &'static str {
    emu_syscalls::entry::irq::SOFTIRQ_NAMES[softirq as usize]
}

/// An exception with vector, error code and, for a page fault, the address.
pub(super) fn exception_text(exception: &emu_core::cpu::Exception) -> String {
    use emu_core::cpu::Vector;
    let name = match exception.vector {
        Vector::DivideError => "#DE",
        Vector::Debug => "#DB",
        Vector::Breakpoint => "#BP",
        Vector::Overflow => "#OF",
        Vector::BoundRange => "#BR",
        Vector::InvalidOpcode => "#UD",
        Vector::DeviceNotAvailable => "#NM",
        Vector::StackFault => "#SS",
        Vector::GeneralProtection => "#GP",
        Vector::PageFault => "#PF",
        Vector::X87 => "#MF",
        Vector::AlignmentCheck => "#AC",
        Vector::Simd => "#XM",
    };
    let vector = exception.vector as u8;
    if exception.vector == Vector::PageFault {
        format!("{name} vector {vector} error {:#x} cr2 {:#x}", exception.error_code, exception.address)
    } else {
        format!("{name} vector {vector} error {:#x}", exception.error_code)
    }
}

/// What a trace calls a task.
pub(super) fn task_name(k: &Kernel, tid: emu_syscalls::task::TaskId) -> Option<String> {
    k.tasks.get(tid).map(|task| String::from_utf8_lossy(&task.comm).into_owned())
}

/// The process of a task.
pub(super) fn process_of(k: &Kernel, tid: emu_syscalls::task::TaskId) -> Option<u32> {
    k.tasks.get(tid).map(|task| task.group.0)
}

/// A call's arguments and result, as strace prints them.
pub(super) fn call_text(event: &Event) -> Option<String> {
    use emu_syscalls::observe::value::{Style, write_list};
    let style = Style::default();
    let mut text = String::new();
    match event {
        Event::Enter { args, .. } | Event::Exit { args, .. } => write_list(&mut text, args, &style),
        _ => return None,
    }
    Some(text)
}

/// Used by both forms: the name of a call.
pub(super) fn call_name(nr: u64) -> String {
    emu_syscalls::table::row(nr).map_or_else(|| format!("syscall_{nr:#x}"), |row| row.name.to_owned())
}

/// Used by both forms: what stands behind the equals sign.
pub(super) fn ended_text(ended: emu_syscalls::observe::Ended) -> String {
    use emu_syscalls::observe::Ended;
    match ended {
        Ended::Value(value) if value > 0xffff_ffff => format!("{value:#x}"),
        Ended::Value(value) => value.cast_signed().to_string(),
        Ended::Error(errno) => format!("{errno:?}"),
        Ended::Never => "?".to_owned(),
    }
}
