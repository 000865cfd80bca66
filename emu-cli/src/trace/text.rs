//! A line for each event: time in microseconds, instruction count, task, what happened.

use std::fmt::Write as _;

use emu_syscalls::kernel::Kernel;
use emu_syscalls::observe::decode::signal_name;
use emu_syscalls::observe::{Event, Stamp, Stamped, Watcher};
use emu_syscalls::task::TaskId;

use super::{
    Sink, call_name, call_text, ended_text, exception_text, irq_name, process_of, softirq_name, task_name,
};

/// See the module documentation.
#[derive(Debug)]
pub(super) struct TextTrace {
    sink: Sink,
    began: u64,
    running: Option<TaskId>,
}

impl TextTrace {
    pub(super) fn new(mut sink: Sink, at: Stamp, first: TaskId, program: &str) -> Self {
        sink.line("#        us  instructions  task    event");
        sink.line(&format!("{:>11} {:>13}  {:<6}  start {program}", "0.000", 0, first.0));
        TextTrace { sink, began: at.monotonic_ns, running: None }
    }

    fn put(&mut self, stamped: &Stamped, tid: Option<TaskId>, text: &str) {
        let ns = stamped.stamp.monotonic_ns.saturating_sub(self.began);
        let task = tid.map_or_else(|| "-".to_owned(), |tid| tid.0.to_string());
        let us = format!("{}.{:03}", ns / 1000, ns % 1000);
        self.sink.line(&format!("{us:>11} {:>13}  {task:<6}  {text}", stamped.retired));
    }
}

impl Watcher for TextTrace {
    fn events(&mut self, k: &Kernel, events: Vec<Stamped>) {
        for stamped in events {
            let tid = stamped.event.task().or(self.running);
            let text = match &stamped.event {
                Event::Enter { nr, .. } => {
                    format!("syscall {}({}", call_name(*nr), call_text(&stamped.event).unwrap_or_default())
                }
                Event::Exit { nr, ended, .. } => {
                    let rest = call_text(&stamped.event).unwrap_or_default();
                    format!("sysret  {} {rest}) = {}", call_name(*nr), ended_text(*ended))
                }
                Event::Blocked { .. } => "wait    blocked in the call".to_owned(),
                Event::Resumed { .. } => "wait    over, the call goes on".to_owned(),
                Event::Signal { info, .. } => {
                    format!("signal  {} code {}", signal_name(u64::from(info.signo)), info.code)
                }
                Event::Stopped { signal, .. } => format!("stopped by {}", signal_name(u64::from(*signal))),
                Event::Forked { child, .. } => format!("fork    task {}", child.0),
                Event::Renumbered { from, to } => format!("exec    task {} is now {}", from.0, to.0),
                Event::TaskExited { status, .. } => format!("exit    status {status:#x}"),
                Event::Exited { status, .. } => format!("exit    process, status {status:#x}"),
                Event::Exception { exception, rip, .. } => {
                    format!("except  {} at rip {rip:#x}", exception_text(exception))
                }
                Event::Return { .. } => "iret    back to user mode".to_owned(),
                Event::Interrupt { irq, rip, .. } => {
                    let mut text = format!("irq     {} top half", irq_name(*irq));
                    match rip {
                        Some(rip) => {
                            let _ = write!(text, ", before the instruction at rip {rip:#x}");
                        }
                        None => text.push_str(", nobody in user mode"),
                    }
                    text
                }
                Event::SoftIrq { softirq, begins, daemon } => {
                    let by = if *daemon { " in ksoftirqd" } else { "" };
                    let what = if *begins { "begins" } else { "ends" };
                    format!("softirq {} {what}{by}", softirq_name(*softirq))
                }
                Event::Woken { .. } => "wake    made runnable".to_owned(),
                Event::Switch { from, to } => {
                    self.running = Some(*to);
                    let name = task_name(k, *to).unwrap_or_default();
                    let process = process_of(k, *to).unwrap_or(to.0);
                    let from = from.map_or_else(|| "nobody".to_owned(), |tid| tid.0.to_string());
                    format!("switch  from {from} to {} ({name}, process {process})", to.0)
                }
                Event::Data { .. } | Event::Stack { .. } => continue,
            };
            self.put(&stamped, tid, &text);
        }
    }

    fn finish(&mut self, _k: &Kernel) {
        self.sink.finish();
    }
}
