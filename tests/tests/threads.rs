//! A hundred threads on mutexes, condition variables, channels and signals end with the right answer, however short the
//! turns are.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    reason = "tests are named by what they show, and work on the host"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use emu_core::engine::interp::Interp;
use emu_syscalls::kernel::Config;
use emu_syscalls::machine::{Machine, Stopped};
use emu_syscalls::seam::scripted::ScriptedHost;
use emu_syscalls::task::exec::start::First;
use emu_syscalls::vfs::build;
use emu_tests::{native, skip, testbins};

/// Instructions of a turn. With the last, a seed also varies who runs and for how long, from 32 instructions up.
const SLICES: [u64; 6] = [100, 333, 1_000, 10_000, 200_000, 200_000];

/// How many runs of each program, and how long each lasts by the guest's clock in ms: a hundred minutes with `EMU_LONG`.
fn effort() -> (u64, u64) {
    if std::env::var_os("EMU_LONG").is_some() { (100, 60_000) } else { (6, 500) }
}

fn compile(source: &str, compiler: &str, options: &[&str]) -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(source.replace('.', "-"));
    let built = Command::new(compiler)
        .args(options)
        .arg("-o")
        .arg(&program)
        .arg(testbins().join("threads").join(source))
        .status();
    match built {
        Ok(status) => {
            assert!(status.success(), "{source} does not compile");
            Some(program)
        }
        Err(_) => {
            skip(source, &format!("a compiler ({compiler}; the Debian packages gcc and libc6-dev)"));
            None
        }
    }
}

/// Runs a program in a machine whose clock follows from its instructions; what it printed.
fn run(program: &[u8], ms: u64, slice: u64, chaos: Option<u64>) -> Result<String, String> {
    let (end, output) = run_to_the_end(program, ms, Config { slice, chaos, ..Config::default() })?;
    match end {
        Stopped::Exited(0) => Ok(output),
        other => Err(format!("{other:?}: {output}")),
    }
}

fn run_to_the_end(program: &[u8], ms: u64, config: Config) -> Result<(Stopped, String), String> {
    let mut host = ScriptedHost::new(config.chaos.unwrap_or(config.slice));
    let mut machine = Machine::new(config, Box::new(Interp::new()));
    build::default_root(&mut machine.kernel, &mut host).map_err(|errno| format!("{errno:?}"))?;
    build::add_file(&mut machine.kernel, &mut host, b"/bin/hammer", 0o755, program)
        .map_err(|errno| format!("{errno:?}"))?;
    let argv = [b"hammer".to_vec(), ms.to_string().into_bytes()];
    let first = First { program: b"/bin/hammer", argv: &argv, envp: &[], cwd: b"/" };
    machine.start(&mut host, &first).map_err(|error| error.to_string())?;
    // Far more than any of these takes: a run that hangs is told from one that ends.
    let end = machine.run(&mut host, 50_000_000_000);
    Ok((end, String::from_utf8_lossy(&host.output).into_owned()))
}

fn hammer(program: &Path, expected: &str) {
    let native_run = Command::new(program).arg("200").output().expect("the program can be run");
    assert_eq!(String::from_utf8_lossy(&native_run.stdout), expected, "natively");
    let image = std::fs::read(program).expect("the program can be read");
    let (runs, ms) = effort();
    let next = AtomicU64::new(0);
    let one_after_another = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= runs {
                return;
            }
            let kind = usize::try_from(seed).expect("a small number") % SLICES.len();
            let chaos = (kind == SLICES.len() - 1).then_some(seed);
            let slice = SLICES[kind];
            let started = Instant::now();
            let printed = run(&image, ms, slice, chaos);
            let what = format!("{}: run {seed}, slice {slice}, chaos {chaos:?}", program.display());
            assert_eq!(printed.as_deref(), Ok(expected), "{what}");
            eprintln!("{what}: right after {:.1} s", started.elapsed().as_secs_f64());
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(one_after_another);
        }
    });
}

#[test]
fn a_hundred_threads_of_c_end_with_the_right_answer() {
    if !native() {
        return;
    }
    if let Some(program) = compile("hammer.c", "cc", &["-static", "-O1", "-pthread"]) {
        hammer(&program, "mutexes right\nconditions right\npipes right\nsignals right\n");
    }
}

#[test]
fn a_hundred_threads_of_rust_end_with_the_right_answer() {
    if !native() {
        return;
    }
    let options = ["--edition=2024", "-Copt-level=1", "-Ctarget-feature=+crt-static"];
    if let Some(program) = compile("hammer.rs", "rustc", &options) {
        hammer(&program, "mutexes right\nconditions right\nchannels right\n");
    }
}

#[test]
fn a_deadlock_of_the_whole_guest_says_what_each_task_waits_for() {
    if !native() {
        return;
    }
    let Some(program) = compile("deadlock.c", "cc", &["-static", "-O1", "-pthread"]) else { return };
    let image = std::fs::read(program).expect("the program can be read");
    let (end, output) = run_to_the_end(&image, 0, Config::default()).expect("the program can be started");
    assert_eq!(output, "waiting\n");
    let Stopped::Deadlock(tasks) = end else { panic!("it ended with {end:?}") };
    let said = tasks.join("\n");
    for (line, wanted) in [
        "in wait4 waits for a child of process 2",
        "in read waits for data in pipe ",
        "in poll waits for something to read from socket ",
        "in epoll_wait waits for an event of open file ",
        "in futex waits for a wake of futex 0x",
    ]
    .into_iter()
    .zip([1, 1, 1, 1, 4])
    {
        assert_eq!(said.matches(line).count(), wanted, "{line}: {said}");
    }
}
