//! `--json`: an object on a line for each call, signal and end.

use emu_syscalls::observe::inject::Tampered;
use emu_syscalls::observe::value::{Style, Value};
use emu_syscalls::observe::{Ended, Stamp};
use emu_syscalls::task::TaskId;
use serde_json::json;

use super::summary::name;
use super::tracer::Started;

#[expect(clippy::too_many_arguments, reason = "what a line is made of")]
pub(super) fn call(
    tid: TaskId,
    started: &Started,
    args: &[Value],
    ended: Ended,
    note: Option<&str>,
    tampered: Tampered,
    at: Stamp,
    style: &Style,
) -> String {
    let told: Vec<String> = started.args.iter().chain(args).map(|value| value.to_text(style)).collect();
    let (result, error) = match ended {
        Ended::Value(value) => (json!(value.cast_signed()), json!(null)),
        Ended::Error(errno) => {
            (json!(-1), json!(errno.name().map_or_else(|| errno.0.to_string(), str::to_owned)))
        }
        Ended::Never => (json!(null), json!(null)),
    };
    let mut line = json!({
        "type": "syscall",
        "pid": tid.0,
        "time": started.at.realtime_ns,
        "syscall": name(started.nr),
        "number": started.nr,
        "args": told,
        "registers": started.regs,
        "result": result,
        "error": error,
        "duration_ns": at.monotonic_ns.saturating_sub(started.at.monotonic_ns),
    });
    if let Some(note) = note {
        line["note"] = json!(note);
    }
    if tampered.injected {
        line["injected"] = json!(true);
    }
    if tampered.delayed {
        line["delayed"] = json!(true);
    }
    format!("{line}\n")
}

pub(super) fn signal(tid: TaskId, signal: &str, info: &str, at: Stamp) -> String {
    let line = json!({
        "type": "signal", "pid": tid.0, "time": at.realtime_ns, "signal": signal, "info": info,
    });
    format!("{line}\n")
}

pub(super) fn end(tid: TaskId, status: u32, at: Stamp) -> String {
    let line = json!({ "type": "exit", "pid": tid.0, "time": at.realtime_ns, "status": status });
    format!("{line}\n")
}
