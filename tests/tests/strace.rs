//! `emu strace` against Debian's strace: the same static programs and options, compared line by line.
//!
//! What depends on the machine is normalised, and nothing else: addresses, process numbers, times, inode and device numbers,
//! sizes of random choices. Tasks run in another order on another machine, so lines are compared task by task, with
//! `<unfinished ...>` and `<... resumed>` put together.
#![allow(clippy::disallowed_methods, reason = "tests work on the host")]
#![allow(missing_docs, reason = "tests are named by what they show")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use emu_tests::{emu, fixtures, native, program, run, testbins};

const STRACE: &str = "/usr/bin/strace";

/// Replaces every run that `is` accepts behind a word break by `with`.
fn numbers(line: &str) -> String {
    let mut out = String::new();
    let bytes = line.as_bytes();
    let mut at = 0;
    let mut quoted = false;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'\\' && quoted {
            let end = (at + 2).min(bytes.len());
            out.push_str(&line[at..end]);
            at = end;
            continue;
        }
        if byte == b'"' {
            quoted = !quoted;
        }
        let fresh = at == 0 || !(bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
        if !quoted && fresh && line[at..].starts_with("0x") {
            let end = at + 2 + line[at + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
            // Short ones are flags and offsets, which are the same everywhere.
            if end - at > 6 {
                out.push_str("ADDR");
            } else {
                out.push_str(&line[at..end]);
            }
            at = end;
            continue;
        }
        out.push(char::from(byte));
        at += 1;
    }
    out
}

/// Replaces the number behind each `key`.
fn after(line: &str, key: &str, with: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(key) {
        let start = at + key.len();
        out.push_str(&rest[..start]);
        let digits =
            rest[start..].bytes().take_while(|b| b.is_ascii_hexdigit() || *b == b'x' || *b == b'-').count();
        if digits > 0 {
            out.push_str(with);
        }
        rest = &rest[start + digits..];
    }
    out.push_str(rest);
    out
}

/// One line with what depends on the machine taken out.
fn normal(line: &str, pids: &BTreeMap<String, String>) -> String {
    let mut line = numbers(line);
    for key in [
        "st_ino=",
        "stx_ino=",
        "d_ino=",
        "d_off=",
        "st_dev=makedev(",
        "f_bsize=",
        "f_blocks=",
        "f_bfree=",
        "f_bavail=",
        "f_files=",
        "f_ffree=",
        "tv_sec=",
        "tv_nsec=",
        "tv_usec=",
        "si_utime=",
        "si_stime=",
        "htons(",
        "st_blocks=",
        "uptime=",
        "totalram=",
        "freeram=",
        "sharedram=",
        "bufferram=",
        "procs=",
        "tms_utime=",
        "tms_stime=",
    ] {
        line = after(&line, key, "N");
    }
    // Process numbers, in order of appearance.
    let mut out = String::new();
    let mut word = String::new();
    for c in line.chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            out.push_str(pids.get(&word).map_or(word.as_str(), String::as_str));
            word.clear();
            out.push(c);
        }
    }
    // Columns depend on the width of what was replaced.
    let mut squeezed = String::new();
    for part in out.trim_end().split(" = ") {
        if !squeezed.is_empty() {
            squeezed.push_str(" = ");
        }
        squeezed.push_str(part.trim_end());
    }
    squeezed
}

/// The lines of a trace by task: `-f -o` puts the number first. Parts of a call are put together.
fn by_task(trace: &str, follow: bool) -> Vec<Vec<String>> {
    let mut order: Vec<String> = Vec::new();
    let mut tasks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut pending: BTreeMap<String, String> = BTreeMap::new();
    for line in trace.lines() {
        let (pid, text) = match follow.then(|| line.split_once(' ')).flatten() {
            Some((pid, text)) if pid.bytes().all(|b| b.is_ascii_digit()) => {
                (pid.to_owned(), text.trim_start())
            }
            _ => (String::new(), line),
        };
        if !order.contains(&pid) {
            order.push(pid.clone());
        }
        let lines = tasks.entry(pid.clone()).or_default();
        if let Some(head) = text.strip_suffix(" <unfinished ...>") {
            pending.insert(pid, head.to_owned());
            continue;
        }
        if let Some(rest) = text.strip_prefix("<... ") {
            let tail = rest.split_once(" resumed>").map_or("", |(_, tail)| tail);
            let head = pending.remove(&pid).unwrap_or_default();
            lines.push(format!("{head}{tail}"));
            continue;
        }
        lines.push(text.to_owned());
    }
    let mut pids: BTreeMap<String, String> = BTreeMap::new();
    for (n, pid) in order.iter().enumerate() {
        pids.insert(pid.clone(), format!("PID{n}"));
    }
    order
        .iter()
        .map(|pid| tasks.remove(pid).unwrap_or_default().iter().map(|line| normal(line, &pids)).collect())
        .collect()
}

/// A static program made from a guest program's source.
fn guest(name: &str) -> PathBuf {
    static MADE: Mutex<()> = Mutex::new(());
    let _made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("strace-{name}"));
    if !program.exists() {
        let source = testbins().join("guest").join(format!("{name}.c"));
        let done = Command::new("cc")
            .args(["-static", "-O1", "-pthread", "-w", "-o"])
            .arg(&program)
            .arg(source)
            .status()
            .expect("a C compiler runs");
        assert!(done.success());
    }
    program
}

/// Both traces of one program.
fn traces(options: &[&str], program: &Path, args: &[&str]) -> (String, String) {
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let work = dir.path().join("work");
    let trace = |emulated: bool| {
        let _ = std::fs::remove_dir_all(&work);
        std::fs::create_dir(&work).expect("a fresh directory can be made");
        fixtures(&work);
        let file = dir.path().join("trace");
        let _ = std::fs::remove_file(&file);
        let mut command = if emulated {
            let mut command = Command::new(emu());
            command.arg("strace");
            for (key, value) in
                [("PATH", "/bin"), ("HOME", "/root"), ("TERM", "xterm"), ("LANG", "C"), ("TZ", "UTC")]
            {
                command.arg("-E").arg(format!("{key}={value}"));
            }
            command
        } else {
            Command::new(STRACE)
        };
        command.args(options).arg("-o").arg(&file).arg(program).args(args);
        let _ = run(command, &work, b"");
        std::fs::read_to_string(&file).unwrap_or_default()
    };
    (trace(false), trace(true))
}

/// Says how two traces differ, if they do.
fn difference(options: &[&str], program: &Path, args: &[&str]) -> Option<String> {
    let (theirs, ours) = traces(options, program, args);
    let follow = options.iter().any(|option| option.starts_with("-f"));
    let (theirs, ours) = (by_task(&theirs, follow), by_task(&ours, follow));
    if theirs == ours && !theirs.is_empty() {
        return None;
    }
    let mut text = format!("### strace {} {} {}\n", options.join(" "), program.display(), args.join(" "));
    for n in 0..theirs.len().max(ours.len()) {
        let (a, b) = (theirs.get(n), ours.get(n));
        let empty = Vec::new();
        let (a, b) = (a.unwrap_or(&empty), b.unwrap_or(&empty));
        for at in 0..a.len().max(b.len()) {
            let (x, y) =
                (a.get(at).map_or("(none)", String::as_str), b.get(at).map_or("(none)", String::as_str));
            if x != y {
                text.push_str(&format!("task {n} line {at}:\n  strace: {x}\n  emu:    {y}\n"));
                break;
            }
        }
    }
    Some(text)
}

fn compare(cases: &[(&[&str], &Path, &[&str])]) {
    if !native() || program("strace", &[STRACE], "strace").is_none() {
        return;
    }
    let failures: Vec<String> =
        cases.iter().filter_map(|(options, program, args)| difference(options, program, args)).collect();
    assert!(failures.is_empty(), "{} of {} differ\n{}", failures.len(), cases.len(), failures.join("\n"));
}
