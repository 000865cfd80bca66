//! Chrome's trace events (an array of objects), which ui.perfetto.dev and chrome://tracing open.
//!
//! A row for each task: spans for user mode, calls, waiting inside calls, exceptions; instants for signals and wake-ups. A row
//! for the processor: interrupts, softirqs, who runs.

use std::collections::BTreeMap;

use emu_syscalls::kernel::Kernel;
use emu_syscalls::observe::decode::signal_name;
use emu_syscalls::observe::{Event, Stamp, Stamped, Watcher};
use emu_syscalls::task::TaskId;
use serde_json::{Value, json};

use super::{
    Sink, call_name, call_text, ended_text, exception_text, irq_name, process_of, softirq_name, task_name,
};

/// The process number under which the processor's own row stands.
const CPU: u32 = 0;
/// The row of interrupts and softirqs.
const IRQS: u32 = 1;

#[derive(Debug, Default)]
struct Row {
    process: u32,
    name: String,
    /// Spans that are open, innermost last.
    open: Vec<&'static str>,
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct ChromeTrace {
    sink: Sink,
    began: u64,
    first: bool,
    rows: BTreeMap<TaskId, Row>,
    running: Option<TaskId>,
    last: f64,
}

impl ChromeTrace {
    pub(super) fn new(sink: Sink, at: Stamp, first: TaskId, program: &str) -> Self {
        let mut trace = ChromeTrace {
            sink,
            began: at.monotonic_ns,
            first: true,
            rows: BTreeMap::new(),
            running: None,
            last: 0.0,
        };
        trace.name(CPU, 0, "process_name", "processor");
        trace.name(CPU, IRQS, "thread_name", "interrupts and softirqs");
        trace.name(CPU, 0, "thread_name", "running");
        trace.row(first, first.0, program);
        trace
    }

    fn put(&mut self, event: &Value) {
        let lead = if std::mem::take(&mut self.first) { "[" } else { "," };
        self.sink.line(&format!("{lead}{event}"));
    }

    fn name(&mut self, pid: u32, tid: u32, what: &str, name: &str) {
        self.put(&json!({ "ph": "M", "pid": pid, "tid": tid, "name": what, "args": { "name": name } }));
    }

    fn row(&mut self, tid: TaskId, process: u32, name: &str) {
        let known = self.rows.entry(tid).or_default();
        if known.process == process && known.name == name {
            return;
        }
        known.process = process;
        name.clone_into(&mut known.name);
        self.name(process, tid.0, "thread_name", name);
        if process == tid.0 {
            self.name(process, tid.0, "process_name", name);
        }
    }

    fn begin(&mut self, tid: TaskId, ts: f64, kind: &'static str, name: &str, args: &Value) {
        let row = self.rows.entry(tid).or_default();
        let process = if row.process == 0 { tid.0 } else { row.process };
        row.open.push(kind);
        self.put(&json!({ "ph": "B", "pid": process, "tid": tid.0, "ts": ts, "cat": kind, "name": name, "args": args }));
    }

    /// Ends the innermost span if it is of this kind.
    fn end(&mut self, tid: TaskId, ts: f64, kind: &'static str, args: &Value) -> bool {
        let row = self.rows.entry(tid).or_default();
        let process = if row.process == 0 { tid.0 } else { row.process };
        if row.open.last() != Some(&kind) {
            return false;
        }
        row.open.pop();
        self.put(&json!({ "ph": "E", "pid": process, "tid": tid.0, "ts": ts, "args": args }));
        true
    }

    fn instant(&mut self, tid: TaskId, ts: f64, kind: &str, name: &str, args: &Value) {
        let process = self.rows.get(&tid).map_or(tid.0, |row| row.process);
        self.put(&json!({
            "ph": "i", "s": "t", "pid": process, "tid": tid.0, "ts": ts, "cat": kind, "name": name, "args": args,
        }));
    }

    fn user_ends(&mut self, tid: TaskId, ts: f64) {
        self.end(tid, ts, "user", &json!({}));
    }

    fn user_begins(&mut self, tid: TaskId, ts: f64) {
        let inside = self.rows.get(&tid).is_some_and(|row| !row.open.is_empty());
        if !inside && self.running == Some(tid) {
            self.begin(tid, ts, "user", "user mode", &json!({}));
        }
    }

    fn stops_running(&mut self, tid: TaskId, ts: f64) {
        self.user_ends(tid, ts);
        self.put(&json!({ "ph": "E", "pid": CPU, "tid": 0, "ts": ts }));
    }

    fn one(&mut self, stamped: &Stamped, k: &Kernel) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds with a fraction, as the format has them"
        )]
        let ts = stamped.stamp.monotonic_ns.saturating_sub(self.began) as f64 / 1000.0;
        let ts = ts.max(self.last);
        self.last = ts;
        let count = json!({ "instructions": stamped.retired });
        match &stamped.event {
            Event::Switch { from, to } => {
                if let Some(from) = from.filter(|from| self.running == Some(*from)) {
                    self.stops_running(from, ts);
                }
                let name = task_name(k, *to).unwrap_or_else(|| to.0.to_string());
                self.row(*to, process_of(k, *to).unwrap_or(to.0), &name);
                self.running = Some(*to);
                let what = format!("{name} ({})", to.0);
                self.put(&json!({ "ph": "B", "pid": CPU, "tid": 0, "ts": ts, "cat": "switch", "name": what, "args": count }));
                self.user_begins(*to, ts);
            }
            Event::Enter { tid, nr, .. } => {
                self.user_ends(*tid, ts);
                let args = json!({ "arguments": call_text(&stamped.event), "number": nr, "instructions": stamped.retired });
                self.begin(*tid, ts, "syscall", &call_name(*nr), &args);
            }
            Event::Exit { tid, ended, .. } => {
                self.end(*tid, ts, "waiting", &json!({}));
                let args = json!({ "result": ended_text(*ended), "filled": call_text(&stamped.event) });
                self.end(*tid, ts, "syscall", &args);
                self.user_begins(*tid, ts);
            }
            Event::Blocked { tid } => self.begin(*tid, ts, "waiting", "blocked", &json!({})),
            Event::Resumed { tid } => {
                self.end(*tid, ts, "waiting", &json!({}));
            }
            Event::Exception { tid, exception, rip } => {
                self.user_ends(*tid, ts);
                let args = json!({
                    "vector": exception.vector as u8,
                    "error_code": exception.error_code,
                    "cr2": format!("{:#x}", exception.address),
                    "rip": format!("{rip:#x}"),
                    "instructions": stamped.retired,
                });
                self.begin(*tid, ts, "exception", &exception_text(exception), &args);
            }
            Event::Return { tid } => {
                self.end(*tid, ts, "exception", &json!({}));
                self.user_begins(*tid, ts);
            }
            Event::Interrupt { tid, irq, rip } => {
                let args = json!({
                    "task": tid.map(|tid| tid.0),
                    "rip": rip.map(|rip| format!("{rip:#x}")),
                    "instructions": stamped.retired,
                });
                let name = format!("{} interrupt", irq_name(*irq));
                self.put(&json!({
                    "ph": "i", "s": "t", "pid": CPU, "tid": IRQS, "ts": ts, "cat": "irq", "name": name, "args": args,
                }));
            }
            Event::SoftIrq { softirq, begins, daemon } => {
                let phase = if *begins { "B" } else { "E" };
                self.put(&json!({
                    "ph": phase, "pid": CPU, "tid": IRQS, "ts": ts, "cat": "softirq",
                    "name": format!("softirq {}", softirq_name(*softirq)), "args": { "ksoftirqd": daemon },
                }));
            }
            Event::Woken { tid } => self.instant(*tid, ts, "wake", "woken", &count),
            Event::Signal { tid, info } => {
                let name = signal_name(u64::from(info.signo));
                self.instant(*tid, ts, "signal", &name, &json!({ "code": info.code }));
            }
            Event::Stopped { tid, signal } => {
                let name = format!("stopped by {}", signal_name(u64::from(*signal)));
                self.instant(*tid, ts, "signal", &name, &json!({}));
            }
            Event::Forked { parent, child } => {
                let name = task_name(k, *child).unwrap_or_else(|| child.0.to_string());
                self.row(*child, process_of(k, *child).unwrap_or(child.0), &name);
                self.instant(*parent, ts, "fork", "fork", &json!({ "child": child.0 }));
            }
            Event::TaskExited { tid, status } => {
                self.instant(*tid, ts, "exit", "exit", &json!({ "status": status }));
                while let Some(kind) = self.rows.get(tid).and_then(|row| row.open.last().copied()) {
                    self.end(*tid, ts, kind, &json!({}));
                }
            }
            Event::Renumbered { .. } | Event::Exited { .. } | Event::Data { .. } | Event::Stack { .. } => {}
        }
    }
}

impl Watcher for ChromeTrace {
    fn events(&mut self, k: &Kernel, events: Vec<Stamped>) {
        for stamped in events {
            self.one(&stamped, k);
        }
    }

    fn finish(&mut self, _k: &Kernel) {
        let ts = self.last;
        if let Some(running) = self.running {
            self.stops_running(running, ts);
        }
        for tid in self.rows.keys().copied().collect::<Vec<_>>() {
            while let Some(kind) = self.rows.get(&tid).and_then(|row| row.open.last().copied()) {
                self.end(tid, ts, kind, &json!({}));
            }
        }
        self.sink.line("]");
        self.sink.finish();
    }
}
