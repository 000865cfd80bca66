//! `emu trace`: interrupts, softirqs, wake-ups and exceptions as they happen, and the form that trace viewers open.
#![allow(clippy::disallowed_methods, reason = "tests work on the host")]
#![allow(missing_docs, reason = "tests are named by what they show")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use emu_tests::{emu, native, program, run};

/// Compiles a program from its text.
fn made(name: &str, source: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (file, program) = (dir.join(format!("{name}.c")), dir.join(name));
    std::fs::write(&file, source).expect("a source can be written");
    let done = Command::new("cc").args(["-static", "-O1", "-w", "-o"]).arg(&program).arg(&file).status();
    assert!(done.expect("a C compiler runs").success());
    program
}

/// The lines of a trace: instruction count, task, what.
fn lines(program: &Path) -> Vec<(u64, String, String)> {
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let file = dir.path().join("trace");
    let mut command = Command::new(emu());
    command.args(["trace", "-o"]).arg(&file).arg(program);
    let _ = run(command, dir.path(), b"");
    let text = std::fs::read_to_string(&file).expect("a trace was written");
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            words.next()?;
            let count = words.next()?.parse().ok()?;
            let task = words.next()?.to_owned();
            Some((count, task, words.collect::<Vec<_>>().join(" ")))
        })
        .collect()
}

#[test]
fn a_timer_interrupt_wakes_a_sleeping_task() {
    if !native() {
        return;
    }
    let program = made(
        "trace-timer",
        r#"
        #include <time.h>
        #include <unistd.h>
        #include <sys/wait.h>
        int main(void) {
            if (fork() == 0) {
                struct timespec t = { 0, 20000000 };
                nanosleep(&t, 0);
                _exit(0);
            }
            for (volatile int i = 0; i < 60000000; i++) ;
            wait(0);
            return 0;
        }
        "#,
    );
    let trace = lines(&program);
    let sleeps =
        trace.iter().position(|(_, _, what)| what.starts_with("wait blocked")).expect("the child sleeps");
    let child = trace[sleeps].1.clone();
    let wakes = trace
        .iter()
        .enumerate()
        .position(|(at, (_, task, what))| at > sleeps && *task == child && what.starts_with("wake"))
        .expect("the child is woken");
    // Backwards from the wake-up: in softirq TIMER, raised by a timer interrupt between two instructions of the parent.
    let softirq =
        trace[..wakes].iter().rposition(|(_, _, what)| what == "softirq TIMER begins").expect("a softirq");
    assert!(trace[softirq..wakes].iter().all(|(_, _, what)| what != "softirq TIMER ends"));
    let irq = trace[..softirq]
        .iter()
        .rposition(|(_, _, what)| what.starts_with("irq timer top half"))
        .expect("an irq");
    let (count, parent, what) = &trace[irq];
    assert!(what.contains("before the instruction at rip 0x"), "{what}");
    assert_ne!(*parent, child);
    // The top half only counts and raises: the work is done behind it, on the way back to user mode.
    assert!(irq < softirq && trace[softirq].0 == *count);
    let back = trace[wakes..]
        .iter()
        .find(|(_, task, what)| task == parent && what.starts_with("iret"))
        .expect("iret");
    assert_eq!(back.0, *count, "no instruction retires between the interrupt and the return");
    assert!(trace[wakes..].iter().any(|(_, task, what)| *task == child && what.starts_with("wait over")));
}

#[test]
fn exceptions_become_signals() {
    if !native() {
        return;
    }
    let program = made(
        "trace-faults",
        r#"
        #include <unistd.h>
        #include <sys/wait.h>
        int main(void) {
            for (int i = 0; i < 3; i++) {
                if (fork() == 0) {
                    if (i == 0) { __asm__ volatile("xor %%ecx, %%ecx; div %%ecx" ::: "eax", "ecx", "edx"); }
                    if (i == 1) { __asm__ volatile("int3"); }
                    if (i == 2) { *(volatile int *)0x1234 = 1; }
                    _exit(0);
                }
                wait(0);
            }
            return 0;
        }
        "#,
    );
    let trace = lines(&program);
    for (exception, signal, status) in [
        ("except #DE vector 0 error 0x0", "signal SIGFPE", "0x8"),
        ("except #BP vector 3 error 0x0", "signal SIGTRAP", "0x5"),
        ("except #PF vector 14 error 0x6 cr2 0x1234", "signal SIGSEGV", "0xb"),
    ] {
        let at = trace.iter().position(|(_, _, what)| what.starts_with(exception));
        let at = at.unwrap_or_else(|| panic!("no {exception}"));
        let task = &trace[at].1;
        let mut rest =
            trace[at..].iter().filter(|(_, other, _)| other == task).map(|(_, _, what)| what.as_str());
        assert!(rest.any(|what| what.starts_with(signal)), "{exception} becomes {signal}");
        assert!(rest.any(|what| what == format!("exit status {status}")), "{signal} ends the task");
    }
}

#[test]
fn the_viewers_form_is_whole() {
    let Some(bash) = program("trace", &["/bin/bash-static"], "bash-static") else { return };
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let file = dir.path().join("trace.json");
    let mut command = Command::new(emu());
    command.args(["trace", "-o"]).arg(&file).arg(&bash);
    command.args(["-c", "for i in 1 2 3 4 5 6 7 8 9 10; do (:) | (:); done; echo $BASHPID"]);
    let outcome = run(command, dir.path(), b"");
    assert_eq!(outcome.status, 0);
    let text = std::fs::read_to_string(&file).expect("a trace was written");
    let events: Vec<serde_json::Value> = serde_json::from_str(&text).expect("an array of events");
    let mut depth: BTreeMap<(u64, u64), i64> = BTreeMap::new();
    let mut last = 0.0;
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut processes = std::collections::BTreeSet::new();
    for event in &events {
        let phase = event["ph"].as_str().expect("a phase");
        let row = (event["pid"].as_u64().expect("a pid"), event["tid"].as_u64().expect("a tid"));
        if phase == "M" {
            if event["name"] == "process_name" {
                processes.insert(row.0);
            }
            continue;
        }
        let ts = event["ts"].as_f64().expect("a time");
        assert!(ts >= last, "time goes on");
        last = ts;
        match phase {
            "B" => {
                assert!(event["name"].is_string());
                *depth.entry(row).or_default() += 1;
                *kinds.entry(event["cat"].as_str().expect("a kind").to_owned()).or_default() += 1;
            }
            "E" => {
                let depth = depth.entry(row).or_default();
                *depth -= 1;
                assert!(*depth >= 0, "a span ends that did not begin: {event}");
            }
            "i" => *kinds.entry(event["cat"].as_str().expect("a kind").to_owned()).or_default() += 1,
            other => panic!("phase {other}"),
        }
    }
    // The processor's own row, the shell and twenty children.
    assert!(processes.len() >= 22, "{} processes", processes.len());
    for kind in ["user", "syscall", "exception", "irq", "softirq", "switch", "fork", "exit", "wake"] {
        assert!(kinds.get(kind).is_some_and(|n| *n > 0), "no {kind} in {kinds:?}");
    }
}

#[test]
fn explain_walks_a_write() {
    let Some(busybox) = program("trace", &["/usr/bin/busybox"], "busybox-static") else { return };
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let mut command = Command::new(emu());
    command.arg("explain").arg(&busybox).args(["echo", "hello", "--syscall", "write"]);
    let outcome = run(command, dir.path(), b"");
    assert_eq!(outcome.stdout, b"hello\n");
    let told = String::from_utf8_lossy(&outcome.stderr);
    for part in
        ["write(1, \"hello\\n\", 6", "orig_ax", "ffffffffffffffda  ax", "The handler returned: 6", "sysret"]
    {
        assert!(told.contains(part), "no {part:?} in\n{told}");
    }
}
