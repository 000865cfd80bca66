//! `emu trace`: interrupts, softirqs, wake-ups and exceptions as they happen, and the form that trace viewers open.
#![allow(clippy::disallowed_methods, reason = "tests work on the host")]
#![allow(missing_docs, reason = "tests are named by what they show")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use emu_tests::{emu, native, program, run};

/// Compiles a program from its text.
fn made(name: &str, source: &str) -> PathBuf {
    emu_tests::made(env!("CARGO_TARGET_TMPDIR"), name, source)
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

/// /proc/interrupts, /proc/softirqs and /proc/stat say what the trace of the same run shows.
#[test]
fn proc_agrees_with_the_trace() {
    if !native() {
        return;
    }
    let program = made(
        "trace-counts",
        r#"
        #include <fcntl.h>
        #include <signal.h>
        #include <sys/time.h>
        #include <sys/wait.h>
        #include <time.h>
        #include <unistd.h>
        static char text[3][8192];
        static void tick(int signo) { (void)signo; }
        int main(void) {
            static const char *names[3] = { "/proc/interrupts", "/proc/softirqs", "/proc/stat" };
            struct itimerval every = { { 0, 3000 }, { 0, 3000 } }, never = { { 0, 0 }, { 0, 0 } };
            signal(SIGALRM, tick);
            setitimer(ITIMER_REAL, &every, 0);
            for (int i = 0; i < 3; i++)
                if (fork() == 0) {
                    struct timespec t = { 0, 1000000 * (i + 1) };
                    nanosleep(&t, 0);
                    for (volatile int n = 0; n < 3000000; n++) ;
                    _exit(0);
                }
            for (volatile int n = 0; n < 9000000; n++) ;
            while (wait(0) > 0 || 0) ;
            setitimer(ITIMER_REAL, &never, 0);
            for (int i = 0; i < 3; i++) {
                int fd = open(names[i], O_RDONLY);
                int n = read(fd, text[i], sizeof(text[i]) - 1);
                close(fd);
            }
            for (int i = 0; i < 3; i++)
                for (char *c = text[i]; *c; c++) write(1, c, 1);
            return 0;
        }
        "#,
    );
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let file = dir.path().join("trace");
    let mut command = Command::new(emu());
    command.args(["trace", "--deterministic=5", "-o"]).arg(&file).arg(&program);
    let outcome = run(command, dir.path(), b"");
    assert_eq!(outcome.status, 0);
    let said = String::from_utf8(outcome.stdout).expect("text");
    let trace = std::fs::read_to_string(&file).expect("a trace was written");
    let trace: Vec<&str> = trace.lines().collect();
    // What had happened when a file was read; nothing may come between opening and reading it.
    let before = |path: &str, what: &str| {
        let open = trace.iter().position(|line| line.contains("openat") && line.contains(path));
        let open = open.expect("it was opened");
        let read = trace[open..].iter().position(|line| line.contains("sysret  read")).expect("it was read");
        let among = |lines: &[&str]| lines.iter().filter(|line| line.contains(what)).count() as u64;
        assert_eq!(among(&trace[open..open + read]), 0, "{what} while {path} was read");
        among(&trace[..open])
    };
    let number = |line: &str, column: usize| -> u64 {
        line.split_whitespace().nth(column).and_then(|word| word.parse().ok()).expect("a number")
    };
    let row = |name: &str| {
        let found = said.lines().find(|line| line.trim_start().starts_with(name));
        found.unwrap_or_else(|| panic!("no {name} in {said}"))
    };
    let irqs = [
        ("LOC:", "irq     timer"),
        ("1:", "irq     terminal"),
        ("2:", "irq     host"),
        ("3:", "irq     network"),
    ];
    for (name, what) in irqs {
        assert_eq!(number(row(name), 1), before("/proc/interrupts", what), "{name}");
    }
    assert!(number(row("LOC:"), 1) > 10, "{said}");
    let softirqs =
        ["HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU"];
    let stat = row("softirq ");
    for (column, name) in softirqs.iter().enumerate() {
        let what = format!("softirq {name} begins");
        assert_eq!(number(row(&format!("{name}:")), 1), before("/proc/softirqs", &what), "{name}");
        assert_eq!(number(stat, column + 2), before("/proc/stat", &what), "{name} in /proc/stat");
    }
    assert_eq!(number(stat, 1), (2..12).map(|column| number(stat, column)).sum::<u64>());
    assert_eq!(number(row("intr "), 1), before("/proc/stat", "irq     "));
    assert_eq!(number(row("ctxt "), 1), before("/proc/stat", "switch  from"));
    assert_eq!(number(row("processes "), 1), before("/proc/stat", "fork    task"));
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

/// The rules of Chrome's trace-event format, which the viewers hold to: fields of each phase, spans that begin and end in
/// order on their row, time that goes on, rows that have names.
#[test]
fn the_viewers_form_is_whole() {
    let Some(bash) = program("trace", &["/bin/bash-static"], "bash-static") else { return };
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let file = dir.path().join("trace.json");
    let mut command = Command::new(emu());
    command.args(["trace", "-o"]).arg(&file).arg(&bash);
    command.args(["-c", "for i in 1 2 3 4 5 6 7 8 9 10; do (:) | (:); done; kill -USR1 $BASHPID"]);
    let outcome = run(command, dir.path(), b"");
    assert_eq!(outcome.status, 128 + 10);
    let text = std::fs::read_to_string(&file).expect("a trace was written");
    let events: Vec<serde_json::Value> = serde_json::from_str(&text).expect("an array of events");
    let mut open: BTreeMap<(u64, u64), Vec<f64>> = BTreeMap::new();
    let mut last: BTreeMap<(u64, u64), f64> = BTreeMap::new();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let (mut processes, mut rows) = (BTreeSet::new(), BTreeSet::new());
    let mut calls = BTreeSet::new();
    for event in &events {
        let object = event.as_object().expect("events are objects");
        let phase = event["ph"].as_str().expect("a phase");
        let row = (event["pid"].as_u64().expect("a pid"), event["tid"].as_u64().expect("a tid"));
        for name in object.keys() {
            assert!(
                ["ph", "pid", "tid", "ts", "name", "cat", "args", "s"].contains(&name.as_str()),
                "{event}"
            );
        }
        assert!(event.get("args").is_none_or(serde_json::Value::is_object), "{event}");
        if phase == "M" {
            assert!(event["args"]["name"].is_string(), "{event}");
            match event["name"].as_str() {
                Some("process_name") => processes.insert(row.0),
                Some("thread_name") => rows.insert(row),
                other => panic!("metadata {other:?}"),
            };
            continue;
        }
        assert!(rows.contains(&row) && processes.contains(&row.0), "a row without a name: {event}");
        let ts = event["ts"].as_f64().expect("a time");
        assert!(ts >= last.insert(row, ts).unwrap_or(0.0), "time goes on: {event}");
        match phase {
            "B" => {
                assert!(event["name"].is_string(), "{event}");
                open.entry(row).or_default().push(ts);
                let kind = event["cat"].as_str().expect("a kind").to_owned();
                if kind == "syscall" {
                    calls.insert(event["name"].as_str().unwrap_or_default().to_owned());
                }
                *kinds.entry(kind).or_default() += 1;
            }
            "E" => {
                let began = open.entry(row).or_default().pop();
                assert!(began.is_some_and(|began| began <= ts), "a span ends that did not begin: {event}");
            }
            "i" => {
                assert!(event["name"].is_string(), "{event}");
                assert!(matches!(event["s"].as_str(), None | Some("t" | "p" | "g")), "{event}");
                *kinds.entry(event["cat"].as_str().expect("a kind").to_owned()).or_default() += 1;
            }
            other => panic!("phase {other}"),
        }
    }
    for (row, spans) in open {
        assert!(spans.is_empty(), "spans of row {row:?} that do not end");
    }
    // The processor's own row, the shell and twenty children.
    assert!(processes.len() >= 22, "{} processes", processes.len());
    for kind in ["user", "syscall", "exception", "irq", "softirq", "switch", "fork", "exit", "wake", "signal"]
    {
        assert!(kinds.get(kind).is_some_and(|n| *n > 0), "no {kind} in {kinds:?}");
    }
    for call in ["clone", "wait4", "pipe2", "exit_group", "kill", "execve"] {
        assert!(calls.contains(call) || call == "execve", "no {call} in {calls:?}");
    }
}

/// docs/what-happens-in-a-system-call.md shows what `emu explain` prints: the same words, with the numbers of this machine's
/// busybox where its are others.
#[test]
fn the_page_shows_what_explain_prints() {
    let Some(busybox) = program("trace", &["/usr/bin/busybox"], "busybox-static") else { return };
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/what-happens-in-a-system-call.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let mut blocks = Vec::new();
    let mut inside: Option<String> = None;
    for line in page.lines() {
        match (&mut inside, line.starts_with("```")) {
            (Some(block), false) => {
                block.push_str(line);
                block.push('\n');
            }
            (Some(_), true) => blocks.extend(inside.take()),
            (None, true) => inside = Some(String::new()),
            (None, false) => {}
        }
    }
    let shown: String =
        blocks.iter().filter(|block| block.starts_with(|c: char| c.is_ascii_digit())).cloned().collect();
    assert!(shown.contains("orig_ax") && shown.contains("6. The way out."), "{shown}");
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let mut command = Command::new(emu());
    command.arg("explain").arg(&busybox).args(["echo", "hello", "--syscall", "write"]);
    let outcome = run(command, dir.path(), b"");
    let told = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let addresses = regex_lite::Regex::new(r"\b(0x)?[0-9a-f]*[0-9][0-9a-f]{2,}\b").expect("a pattern");
    let words = |text: &str| -> Vec<String> {
        let lines = text.lines().map(|line| addresses.replace_all(line, "N").trim().to_owned());
        lines.filter(|line| !line.is_empty()).skip_while(|line| !line.starts_with("1. User mode")).collect()
    };
    assert_eq!(words(&shown), words(&told));
    // The page says with which command.
    assert!(page.contains("emu explain /usr/bin/busybox echo hello --syscall write"));
    // And what a timer interrupt looks like.
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../emu-cli/src/trace/text.rs"));
    let text = text.expect("the printer");
    for word in ["made runnable", "back to user mode", "before the instruction at rip"] {
        assert!(page.contains(word) && text.contains(word), "{word}");
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
