//! The guest programs of `testbins/guest`, one test a file: compiled, run natively and under emu, compared to the byte.
#![allow(clippy::disallowed_methods, reason = "tests work on the host")]
#![allow(missing_docs, reason = "tests are named by what they show")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use emu_syscalls::table::{ROWS, Support};
use emu_tests::{native, run_emu, run_native, skip, testbins};

macro_rules! guest {
    ($($file:ident)*) => {
        /// Every program, as the tests below name them.
        const ALL: &[&str] = &[$(stringify!($file)),*];

        $(
            #[test]
            fn $file() {
                same_as_natively(stringify!($file));
            }
        )*
    };
}

guest! {
    acl aio attr bad_buffers clone copy core creds dev dir epoll epoll_nested errqueue event_files eventfd exec fanotify faults fd
    fd_tables futex
    handle inotify itimer kernel_address key landlock lease link lock lsm madvise memfd mmap mount mprotect
    mqueue mremap msg netdown netlink numa open pidfd pipe pipe_ends poll poll_masks prctl proc proc_files process
    ptrace pty rawsock rename rlimit rw sched seccomp segments sem shm signal signalfd sigqueue smc sockopt sockopt_values splice
    stack stat sys tcp tcp_streams thread time timer timerfd tty udp unix unix_socket userfault wait xattr
}

/// Compiles a program, statically so that nothing but itself and the kernel decides what it does.
fn compile(name: &str) -> Option<PathBuf> {
    let source = testbins().join("guest").join(format!("{name}.c"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guest-{name}"));
    // Two tests want each program: the second takes what the first made.
    static MADE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if made.contains(name) {
        return Some(program);
    }
    let output = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-static", "-O1", "-pthread", "-w", "-o"])
        .arg(&program)
        .arg(&source)
        .output();
    let Ok(output) = output else {
        skip(name, "a C compiler (the Debian packages gcc and libc6-dev)");
        return None;
    };
    assert!(
        output.status.success(),
        "{} does not compile:\n{}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    made.insert(name.to_owned());
    Some(program)
}

/// Runs a program natively, where it must pass, and under emu, where it must print the same.
fn same_as_natively(name: &str) {
    if !native() {
        return;
    }
    let Some(program) = compile(name) else {
        return;
    };
    let run = |emulated: bool| {
        let dir = tempfile::tempdir().expect("a fresh directory can be made");
        let none: [&str; 0] = [];
        if emulated {
            run_emu(&[], &program, &none, dir.path(), b"")
        } else {
            run_native(&program, &none, dir.path(), b"")
        }
    };
    let expected = run(false);
    let text = String::from_utf8_lossy(&expected.stdout);
    if is_root() {
        assert_eq!(
            expected.status,
            0,
            "{name} fails natively:\n{text}\n{}",
            String::from_utf8_lossy(&expected.stderr)
        );
    }
    let emulated = run(true);
    let failed: Vec<&str> = text
        .lines()
        .filter(|line| !String::from_utf8_lossy(&emulated.stdout).lines().any(|emulated| emulated == *line))
        .collect();
    if is_root() {
        assert!(
            expected.stdout == emulated.stdout && expected.status == emulated.status,
            "{name} under emu (status {}) lacks:\n{}\n--- stderr\n{}",
            emulated.status,
            failed.join("\n"),
            String::from_utf8_lossy(&emulated.stderr)
        );
    } else {
        // An ordinary user cannot do natively what root of the emulated system can: emu must pass by itself.
        assert_eq!(emulated.status, 0, "{name} under emu:\n{}", String::from_utf8_lossy(&emulated.stderr));
    }
}

/// Whether the tests run as root, as the guest programs assume.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

#[test]
fn nothing_is_reached_without_a_network() {
    if !native() {
        return;
    }
    let Some(program) = compile("netdown") else {
        return;
    };
    let dir = tempfile::tempdir().expect("a fresh directory can be made");
    let none: [&str; 0] = [];
    let run = run_emu(&["--net", "none"], &program, &none, dir.path(), b"");
    assert_eq!(run.status, 0, "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn no_program_is_forgotten() {
    let found: BTreeSet<String> = std::fs::read_dir(testbins().join("guest"))
        .expect("the programs can be listed")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".c").map(str::to_owned))
        .collect();
    let listed: BTreeSet<String> = ALL.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, listed, "testbins/guest and the list in tests/guest.rs differ");
}

/// Names of the system calls in what `--stats` writes: `{"instructions":N,"syscalls":{"read":12,...}}`.
fn entered(stats: &str) -> BTreeSet<String> {
    let calls = stats.split_once("\"syscalls\"").map_or("", |(_, rest)| rest);
    let calls = calls.split_once('{').map_or("", |(_, rest)| rest);
    let calls = calls.split_once('}').map_or(calls, |(inside, _)| inside);
    calls
        .split(',')
        .filter_map(|pair| Some(pair.split_once(':')?.0.trim().trim_matches('"').to_owned()))
        .collect()
}

#[test]
fn every_supported_row_is_entered_by_a_guest_test() {
    let mut seen = BTreeSet::new();
    for name in ALL {
        let Some(program) = compile(name) else {
            return;
        };
        let dir = tempfile::tempdir().expect("a fresh directory can be made");
        let stats = dir.path().join("stats.json");
        let work = dir.path().join("work");
        std::fs::create_dir(&work).expect("a fresh directory can be made");
        let none: [&str; 0] = [];
        run_emu(&["--stats", &stats.to_string_lossy()], &program, &none, &work, b"");
        seen.extend(entered(&std::fs::read_to_string(&stats).unwrap_or_default()));
    }
    let missed: Vec<&str> = ROWS
        .iter()
        .filter(|row| !matches!(row.support, Support::Missing(_)) && !seen.contains(row.name))
        .map(|row| row.name)
        .collect();
    assert!(missed.is_empty(), "no guest test enters {}", missed.join(", "));
}

#[test]
fn statistics_are_read() {
    let names = entered(r#"{"instructions":5,"syscalls":{"read":12, "write": 1}}"#);
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["read", "write"]);
}
