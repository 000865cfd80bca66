//! Programs on a terminal, driven by a script, natively and under emu: what the terminal shows must be the same.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "tests are named by what they show, and work on the host"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use emu_tests::{Outcome, assert_replays_as, emu, fixtures, program};

/// What is typed, and what must appear before the next step: up to the prompt, so that what is typed next meets a program
/// that reads, and is echoed in its place.
type Step = (&'static str, &'static str);

/// How long to wait for what must appear.
const PATIENCE: Duration = Duration::from_secs(60);

const ENV: [(&str, &str); 6] =
    [("PATH", "."), ("HOME", "/root"), ("TERM", "dumb"), ("LANG", "C"), ("PS1", "$ "), ("ENV", "")];

/// A new pseudo-terminal of 24 lines and 80 columns: its two sides.
fn terminal() -> (File, OwnedFd) {
    let (mut master, mut slave) = (-1, -1);
    let size = libc::winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: openpty writes two descriptors and reads the size; both descriptors are then owned once.
    unsafe {
        let done = libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        );
        assert_eq!(done, 0, "a pseudo-terminal can be made");
        // A program started by another test must not hold this terminal open.
        for fd in [master, slave] {
            assert_eq!(libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC), 0);
        }
        (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave))
    }
}

fn show(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output).escape_debug().to_string().replace("\\r\\n", "\n");
    // The number of a background process is the machine's own.
    let own = |line: &str| {
        line.strip_prefix("[1] ").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    text.lines().map(|line| if own(line) { "[1] N" } else { line }).collect::<Vec<_>>().join("\n")
}

/// Runs a command on a terminal and plays the script; gives what appeared and the exit status.
fn play(mut command: Command, dir: &Path, steps: &[Step]) -> (Vec<u8>, i32) {
    let (mut master, slave) = terminal();
    command.current_dir(dir).env_clear().envs(ENV);
    command.stdin(Stdio::from(slave.try_clone().expect("a descriptor can be copied")));
    command.stdout(Stdio::from(slave.try_clone().expect("a descriptor can be copied")));
    command.stderr(Stdio::from(slave));
    // SAFETY: between fork and exec only async-signal-safe calls are made.
    unsafe {
        command.pre_exec(|| {
            if libc::setsid() < 0 || libc::ioctl(0, libc::TIOCSCTTY, 0) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let mut child = command.spawn().expect("the program can be run");
    drop(command);
    let mut reader = master.try_clone().expect("a descriptor can be copied");
    let (send, pieces) = channel();
    std::thread::spawn(move || {
        let mut buf = [0; 4096];
        while let Ok(n @ 1..) = reader.read(&mut buf) {
            if send.send(buf[..n].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut output = Vec::new();
    for (typed, expected) in steps {
        let from = output.len();
        master.write_all(typed.as_bytes()).expect("the terminal takes input");
        await_text(&pieces, &mut output, from, expected);
    }
    while let Ok(piece) = pieces.recv_timeout(PATIENCE) {
        output.extend(piece);
    }
    let status = child.wait().expect("a started child can be waited for");
    (output, status.code().unwrap_or(-1))
}

fn await_text(pieces: &Receiver<Vec<u8>>, output: &mut Vec<u8>, from: usize, expected: &str) {
    let start = Instant::now();
    let found =
        |output: &[u8]| output[from..].windows(expected.len().max(1)).any(|w| w == expected.as_bytes());
    while !expected.is_empty() && !found(output) {
        match pieces.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
            Ok(piece) => output.extend(piece),
            Err(_) => panic!("{expected:?} did not appear; the terminal shows:\n{}", show(output)),
        }
    }
}

/// How often a session is played at most: a program may be typed at before it has told the terminal to echo no more,
/// natively too, and so sessions differ now and then. One of ours must equal one of the host's.
const TRIES: usize = 5;

fn compare(program: &Path, args: &[&str], steps: &[Step]) {
    let (mut native, mut emulated) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        native.push(session(program, args, steps, false));
        emulated.push(session(program, args, steps, true));
        if native.iter().any(|outcome| emulated.contains(outcome)) {
            return;
        }
    }
    assert_eq!(native[0], emulated[0], "native (left) and emu differ");
}

/// What a session shows, its exit status, and what it leaves in a file.
fn session(program: &Path, args: &[&str], steps: &[Step], under_emu: bool) -> (String, i32, String) {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let work = dir.path().join("work");
    std::fs::create_dir(&work).expect("a directory can be made");
    fixtures(&work);
    std::fs::copy("/bin/busybox", work.join("busybox")).expect("busybox can be copied");
    let mut command = Command::new(if under_emu { emu() } else { program.to_owned() });
    let trace = dir.path().join("trace");
    if under_emu {
        command.arg("record").arg("-o").arg(&trace);
        command.args(["--bind", &format!("{}:rw", work.display())]);
        command.args(ENV.iter().map(|(key, value)| format!("--env={key}={value}")));
        command.arg(program);
    }
    command.args(args);
    let (output, status) = play(command, &work, steps);
    if under_emu {
        // What was typed is in the recording: it needs no terminal.
        let recorded = Outcome { stdout: output.clone(), stderr: Vec::new(), status };
        assert_replays_as(&trace, &recorded, |outcome| show(&[outcome.stdout, outcome.stderr].concat()));
    }
    (show(&output), status, std::fs::read_to_string(work.join("a.txt")).unwrap_or_default())
}

#[test]
fn busybox_sh_is_interactive() {
    let Some(busybox) = program("terminal", &["/bin/busybox"], "busybox-static") else { return };
    compare(
        &busybox,
        &["sh"],
        &[
            ("", "$ "),
            ("echo hi\r", "hi\r\n$ "),
            ("echo ready; cat\r", "ready\r\n"),
            ("line\r", "line\r\nline\r\n"),
            ("\x04", "$ "),
            // Who says "ready" has the terminal and the default SIGINT: a shell that only just forked would swallow it.
            ("busybox sh -c 'echo ready; sleep 50'\r", "ready\r\n"),
            ("\x03", "$ "),
            ("busybox sh -c 'echo ready; while :; do :; done'\r", "ready\r\n"),
            ("\x03", "$ "),
            ("stty size\r", "24 80\r\n$ "),
            ("exit 4\r", ""),
        ],
    );
}

#[test]
fn bash_has_job_control() {
    let Some(bash) = program("terminal", &["/bin/bash-static"], "bash-static") else { return };
    if program("terminal", &["/bin/busybox"], "busybox-static").is_none() {
        return;
    }
    compare(
        &bash,
        &["--norc", "--noprofile", "--noediting"],
        &[
            ("", "$ "),
            ("busybox sh -c 'echo ready; sleep 100'\r", "ready\r\n"),
            ("\x03", "$ "),
            ("echo $?\r", "130\r\n$ "),
            ("busybox sh -c 'echo ready; cat'\r", "ready\r\n"),
            ("\x1a", "$ "),
            ("jobs\r", "cat'\r\n$ "),
            ("fg\r", "cat'\r\n"),
            ("again\r", "again\r\nagain\r\n"),
            ("\x04", "$ "),
            ("busybox sleep 100 &\r", "$ "),
            ("kill %1; wait %1; echo $?\r", "143\r\n$ "),
            ("exit 5\r", ""),
        ],
    );
}

#[test]
fn vi_edits_a_file() {
    let Some(busybox) = program("terminal", &["/bin/busybox"], "busybox-static") else { return };
    compare(
        &busybox,
        &["vi", "a.txt"],
        &[
            ("", "a.txt 1/4 25%"),
            ("ihello \x1b", "[Modified] 1/4 25%"),
            ("yyp", "Put 1 lines"),
            (":s/one/two/\r", "\x1b[2;7Htwo\x1b[2;1H"),
            (":wq\r", ""),
        ],
    );
}

#[test]
fn less_shows_pages() {
    let Some(busybox) = program("terminal", &["/bin/busybox"], "busybox-static") else { return };
    compare(&busybox, &["less", "long"], &[("", "long\x1b[m"), (" ", "\x1b[24;0H\x1b[K:"), ("q", "")]);
}
