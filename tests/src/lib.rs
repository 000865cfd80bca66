//! Shared parts of the integration tests: running a program natively and under emu, and comparing.
//!
//! **Invariant**: what is expected comes from the real kernel, in the same test run; nothing is a recorded guess.
#![allow(clippy::disallowed_methods, reason = "tests work on the host")]
#![allow(clippy::print_stdout, reason = "tests report what they skip")]

pub mod judge;
pub mod traces;

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time a single run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The `emu` command built beside this test.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn emu() -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows its own path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push("emu");
    assert!(path.exists(), "{} is missing: run `cargo test --workspace`, which builds it", path.display());
    path
}

/// The folder of the guest programs' sources.
#[must_use]
pub fn testbins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testbins")
}

/// Whether guest programs can run natively here, for comparison.
#[must_use]
pub fn native() -> bool {
    cfg!(all(target_os = "linux", target_arch = "x86_64"))
}

/// Says that a test is skipped, and what to install. With `EMU_NO_SKIP` set (as CI does) that is a failure.
///
/// # Panics
/// If skipping is not allowed.
pub fn skip(test: &str, needs: &str) {
    assert!(std::env::var_os("EMU_NO_SKIP").is_none(), "{test} would be skipped: install {needs}");
    println!("SKIPPED {test}: install {needs}");
}

/// The first of `paths` that exists; otherwise the test is to be skipped, naming the Debian package.
#[must_use]
pub fn program(test: &str, paths: &[&str], package: &str) -> Option<PathBuf> {
    let found = paths.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() {
        skip(test, &format!("the Debian package {package}"));
    }
    found
}

/// Compiles a static program from its text in `dir`.
///
/// # Panics
/// If there is no C compiler, or it does not like the text.
#[must_use]
pub fn made(dir: &str, name: &str, source: &str) -> PathBuf {
    let (file, program) = (Path::new(dir).join(format!("{name}.c")), Path::new(dir).join(name));
    std::fs::write(&file, source).expect("a source can be written");
    let done = Command::new("cc").args(["-static", "-O1", "-w", "-o"]).arg(&program).arg(&file).status();
    assert!(done.expect("a C compiler runs").success());
    program
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Exit status, as a shell sees it (128+N for signal N).
    pub status: i32,
}

impl Outcome {
    fn describe(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "status {}", self.status);
        let _ = writeln!(text, "--- stdout\n{}", String::from_utf8_lossy(&self.stdout));
        let _ = writeln!(text, "--- stderr\n{}", String::from_utf8_lossy(&self.stderr));
        text
    }
}

/// Environment of compared runs, the same on both sides.
const ENV: [(&str, &str); 5] = [
    ("PATH", ".:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("TERM", "xterm"),
    ("LANG", "C"),
    ("TZ", "UTC"),
];

/// Runs a command with `input` on standard input, in `dir`, with the fixed environment, within the limit of time.
///
/// # Panics
/// If it cannot be started or does not end in time.
pub fn run(mut command: Command, dir: &Path, input: &[u8]) -> Outcome {
    command
        .current_dir(dir)
        .env_clear()
        .envs(ENV)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || {
        // A program that does not read its input is no error.
        let _ = stdin.write_all(&input);
    });
    let id = child.id();
    let (done, waits) = std::sync::mpsc::channel::<()>();
    let watchdog = std::thread::spawn(move || {
        let start = Instant::now();
        if waits.recv_timeout(LIMIT).is_err() && start.elapsed() >= LIMIT {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            return true;
        }
        false
    });
    let output = child.wait_with_output().expect("a started child can be waited for");
    let _ = done.send(());
    let _ = feeder.join();
    assert!(!watchdog.join().unwrap_or(false), "{command:?} did not end within {LIMIT:?}");
    let status = output.status.code().unwrap_or_else(|| 128 + signal_of(output.status));
    Outcome { stdout: output.stdout, stderr: output.stderr, status }
}

#[cfg(unix)]
fn signal_of(status: std::process::ExitStatus) -> i32 {
    std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0)
}

#[cfg(not(unix))]
fn signal_of(_status: std::process::ExitStatus) -> i32 {
    0
}

/// Runs `program` under emu with emu's own `options`, recorded; then replays the recording and compares. The line about
/// dropped writes is taken off standard error.
///
/// # Panics
/// If a replay gives something else. `EMU_NO_REPLAY` switches replaying off.
pub fn run_emu<S: AsRef<OsStr>>(
    options: &[&str],
    program: &Path,
    args: &[S],
    dir: &Path,
    input: &[u8],
) -> Outcome {
    let traces = tempfile::tempdir().expect("a temporary directory can be made");
    let trace = std::env::var_os("EMU_NO_REPLAY").is_none().then(|| traces.path().join("trace"));
    let mut command = Command::new(emu());
    if let Some(trace) = &trace {
        command.arg("record").arg("-o").arg(trace);
    }
    for (key, value) in ENV {
        command.arg("--env").arg(format!("{key}={value}"));
    }
    command.args(options).arg(program).args(args);
    let mut outcome = run(command, dir, input);
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    if text.contains("emu: writes to ") {
        let kept: Vec<&str> =
            text.split_inclusive('\n').filter(|line| !line.starts_with("emu: writes to ")).collect();
        outcome.stderr = kept.concat().into_bytes();
    }
    if let Some(trace) = trace.filter(|trace| trace.exists()) {
        assert_replays(&trace, &outcome);
    }
    outcome
}

/// Replays a recording three times: once for what it prints, and to its end, from a snapshot in its middle and from its
/// beginning, comparing digests. With `EMU_LONG` what it prints is compared three times.
///
/// # Panics
/// If any replay gives something else than the recorded run.
pub fn assert_replays(trace: &Path, recorded: &Outcome) {
    assert_replays_as(trace, recorded, |outcome| outcome);
}

/// As [`assert_replays`], for a run of which something else is known than what it printed: `seen` makes it of what a replay
/// prints.
///
/// # Panics
/// If any replay gives something else than the recorded run.
pub fn assert_replays_as<T: PartialEq + std::fmt::Debug>(
    trace: &Path,
    recorded: &Outcome,
    seen: impl Fn(Outcome) -> T,
) {
    let elsewhere = tempfile::tempdir().expect("a temporary directory can be made");
    let replay = |options: &[&str]| {
        let mut command = Command::new(emu());
        command.arg("replay").args(options).arg(trace);
        run(command, elsewhere.path(), b"")
    };
    // Only a machine that was built has something to replay.
    if recorded.status >= 125 && recorded.status <= 127 {
        return;
    }
    let expected = seen(recorded.clone());
    for _ in 0..if std::env::var_os("EMU_LONG").is_some() { 3 } else { 1 } {
        let replayed = replay(&[]);
        let text = replayed.describe();
        assert!(
            replayed.status == recorded.status && seen(replayed) == expected,
            "recorded:\n{}\nreplayed:\n{text}",
            recorded.describe()
        );
    }
    // Runs twice, the second time from a snapshot in the middle, and compares digests.
    let verified = replay(&["--verify"]);
    assert!(
        verified.status == recorded.status
            && String::from_utf8_lossy(&verified.stderr).contains("as recorded"),
        "not as recorded:\n{}",
        verified.describe()
    );
}

/// Runs `program` natively.
pub fn run_native<S: AsRef<OsStr>>(program: &Path, args: &[S], dir: &Path, input: &[u8]) -> Outcome {
    let mut command = Command::new(program);
    command.args(args);
    run(command, dir, input)
}

/// Runs natively and under emu, each in a fresh copy of what `prepare` makes, and tells the difference.
pub fn compare<S: AsRef<OsStr>>(
    program: &Path,
    args: &[S],
    input: &[u8],
    prepare: impl Fn(&Path),
) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    // One path for both runs, since programs print it.
    let work = dir.path().join("work");
    let fresh = || {
        let _ = std::fs::remove_dir_all(&work);
        std::fs::create_dir(&work).expect("a fresh directory can be made");
        prepare(&work);
    };
    fresh();
    let emulated = run_emu(&[], program, args, &work, input);
    fresh();
    let native = run_native(program, args, &work, input);
    if emulated == native {
        return Ok(());
    }
    Err(format!("=== native: {}=== emu: {}", native.describe(), emulated.describe()))
}

/// Cases of a file: a line `name: command` each; lines that begin with `#` or are empty do not count. A line that ends in
/// a backslash goes on.
///
/// # Panics
/// If the file cannot be read or a line has no name.
#[must_use]
pub fn cases(file: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace("\\\n", "\n\\")
        .split('\n')
        .fold(Vec::<String>::new(), |mut lines, line| {
            match (line.strip_prefix('\\'), lines.last_mut()) {
                (Some(rest), Some(last)) => {
                    last.push('\n');
                    last.push_str(rest);
                }
                _ => lines.push(line.to_owned()),
            }
            lines
        })
        .into_iter()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, command) =
                line.split_once(": ").unwrap_or_else(|| panic!("{file}: no name in {line:?}"));
            (name.to_owned(), command.to_owned())
        })
        .collect()
}

/// Compares every case of a file, as `shell ARGS.. -c COMMAND`, natively and under emu; two at a time.
///
/// # Panics
/// If any differs; all differences are in the message.
pub fn compare_cases(shell: &Path, args: &[&str], file: &str, prepare: impl Fn(&Path) + Sync) {
    let cases = cases(file);
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((name, command)) =
                    cases.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let mut argv: Vec<&str> = args.to_vec();
                    argv.extend(["-c", command]);
                    if let Err(difference) = compare(shell, &argv, b"", &prepare)
                        && let Ok(mut failures) = failures.lock()
                    {
                        failures.push(format!("##### {name}: {command}\n{difference}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    assert!(
        failures.is_empty(),
        "{} of {} cases differ\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
    println!("{} cases of {file} agree", cases.len());
}

/// Files that shell cases work on.
///
/// # Panics
/// If they cannot be written.
pub fn fixtures(dir: &Path) {
    let write =
        |name: &str, text: &str| std::fs::write(dir.join(name), text).expect("a fixture can be written");
    write("words", "pear\napple\nfig\nbanana\napple\ncherry\n");
    write("numbers", "10\n9\n100\n1\n55\n");
    write("table", "alice 30 paris\nbob 25 berlin\ncarol 41 rome\ndave 25 paris\n");
    write("a.txt", "one\ntwo\nthree\nfour\n");
    write("b.txt", "one\n2\nthree\nfour\nfive\n");
    let long: String = (0..2000).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "line {n} of a longer file, {}", n * n % 977);
        text
    });
    write("long", &long);
    std::fs::create_dir_all(dir.join("tree/sub/deep")).expect("a fixture can be made");
    write("tree/x", "x\n");
    write("tree/sub/y", "yy\n");
    write("tree/sub/deep/z", "zzz\n");
}
