//! `cargo bench -p emu-tests`: how fast emu is, beside the host itself and, where it is installed, qemu-x86_64-static, all in one run.
//!
//! The first table starts and ends a static hello world; the second runs kernels of `testbins/bench` compiled by the host's C
//! compiler. Times are medians of wall-clock time in milliseconds, taken in turn so that noise falls on all alike.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::zombie_processes,
    missing_docs,
    reason = "a benchmark measures the host and prints"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use emu_tests::{emu, testbins};

/// Programs, and how often each is run.
const KERNELS: [(&str, usize); 6] =
    [("fib", 5), ("quicksort", 3), ("sha256", 3), ("vm", 5), ("hash", 3), ("nbody", 5)];

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let Some(hello) = compile(dir.path(), "hello") else {
        println!("no C compiler: nothing to measure");
        return;
    };
    let qemu = ["/usr/bin/qemu-x86_64-static", "/usr/bin/qemu-x86_64"]
        .iter()
        .map(PathBuf::from)
        .find(|p| p.exists());

    println!("start and end of a static hello world (median of 41 runs)");
    println!("{:<12} {:>10} {:>10} {:>12}", "", "ms", "x native", "peak KiB");
    let runners = runners(&hello, qemu.as_deref());
    let times = measure(&runners, 41);
    for ((name, command), time) in runners.iter().zip(&times) {
        println!("{name:<12} {:>10.2} {:>10.2} {:>12}", time * 1e3, time / times[0], peak_kib(command));
    }

    println!("\nkernels (ratios to native; millions of guest instructions a second)");
    println!(
        "{:<12} {:>10} {:>10} {:>10} {:>10} {:>8}",
        "", "native ms", "emu ms", "emu x", "qemu x", "MIPS"
    );
    let mut product = (0.0, 0.0, 0);
    for (name, runs) in KERNELS {
        let Some(program) = compile(dir.path(), name) else { continue };
        let commands = self::runners(&program, qemu.as_deref());
        let times = measure(&commands, runs);
        let (native, emulated) = (times[0], times[1]);
        let qemu_ratio = times.get(2).map(|time| time / native);
        let mips =
            instructions(&program).map_or_else(|| "-".to_owned(), |n| format!("{:.0}", n / emulated / 1e6));
        println!(
            "{name:<12} {:>10.1} {:>10.1} {:>10.2} {:>10} {mips:>8}",
            native * 1e3,
            emulated * 1e3,
            emulated / native,
            qemu_ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        );
        product =
            (product.0 + (emulated / native).ln(), product.1 + qemu_ratio.unwrap_or(1.0).ln(), product.2 + 1);
    }
    let count = f64::from(product.2.max(1));
    println!(
        "geometric mean: emu {:.2}, qemu {:.2} times native",
        (product.0 / count).exp(),
        (product.1 / count).exp()
    );
}

fn compile(dir: &Path, name: &str) -> Option<PathBuf> {
    let source = testbins().join("bench").join(format!("{name}.c"));
    let program = dir.join(name);
    let status =
        Command::new("cc").args(["-O2", "-static", "-o"]).arg(&program).arg(source).arg("-lm").status();
    status.is_ok_and(|status| status.success()).then_some(program)
}

/// The program natively, under emu, and under qemu if there is one.
fn runners(program: &Path, qemu: Option<&Path>) -> Vec<(&'static str, Vec<PathBuf>)> {
    let mut list = vec![("native", vec![program.to_owned()]), ("emu", vec![emu(), program.to_owned()])];
    if let Some(qemu) = qemu {
        list.push(("qemu-user", vec![qemu.to_owned(), program.to_owned()]));
    }
    list
}

fn start(command: &[PathBuf]) -> Command {
    let mut start = Command::new(&command[0]);
    start.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    start
}

/// Median wall-clock seconds of each command, run in turn.
fn measure(commands: &[(&'static str, Vec<PathBuf>)], runs: usize) -> Vec<f64> {
    let mut times = vec![Vec::new(); commands.len()];
    for _ in 0..runs {
        for ((_, command), times) in commands.iter().zip(&mut times) {
            let begin = Instant::now();
            let status = start(command).status().expect("a measured program can be run");
            times.push(begin.elapsed().as_secs_f64());
            assert!(status.success(), "{command:?} failed");
        }
    }
    times
        .into_iter()
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
        .collect()
}

/// Largest resident size in KiB, as wait4(2) tells.
#[cfg(target_os = "linux")]
fn peak_kib(command: &[PathBuf]) -> i64 {
    let child = start(command).spawn().expect("a measured program can be run");
    let mut status = 0;
    // SAFETY: rusage is plain numbers, and wait4 fills it for our own child.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::wait4(i32::try_from(child.id()).unwrap_or(-1), &raw mut status, 0, &raw mut usage);
        usage.ru_maxrss
    }
}

#[cfg(not(target_os = "linux"))]
fn peak_kib(_command: &[PathBuf]) -> i64 {
    0
}

/// How many instructions the program retires under emu.
fn instructions(program: &Path) -> Option<f64> {
    let dir = tempfile::tempdir().ok()?;
    let stats = dir.path().join("stats");
    Command::new(emu()).arg("--stats").arg(&stats).arg(program).stdout(Stdio::null()).status().ok()?;
    let text = std::fs::read_to_string(stats).ok()?;
    let digits = text.split_once("\"instructions\":")?.1.trim_start();
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
