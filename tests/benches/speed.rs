//! `cargo bench -p emu-tests`: how fast emu is, beside the host itself and, where it is installed, qemu-x86_64-static, all in one run.
//!
//! Five tables: the start and end of a static hello world; programs of `testbins/bench` compiled by the host's compilers;
//! system calls in nanoseconds; the cost of an operation beside few and many of a thing; what `emu strace` costs. Name tables on the
//! command line (`start`, `cpu`, `calls`, `scale`, `strace`) or programs of the second to see only those.
//!
//! Programs are measured in turn so that noise falls on all alike, in CPU time, which is what other work on the host
//! disturbs least; the median counts. The system calls time themselves; the quickest of three runs counts.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::zombie_processes,
    missing_docs,
    reason = "a benchmark measures the host and prints"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use emu_tests::{emu, testbins};

/// A program of the second table: its name, what it is linked with, and how often it is run.
const PROGRAMS: [(&str, &[&str], usize); 15] = [
    ("fib", &[], 5),
    ("quicksort", &[], 3),
    ("sha256", &[], 3),
    ("vm", &[], 5),
    ("hash", &[], 3),
    ("nbody", &[], 5),
    ("x87", &["-lm"], 5),
    ("avx2", &[], 5),
    ("aes", &[], 5),
    ("mem", &[], 5),
    ("lua", &["-llua5.4", "-lm", "-ldl"], 5),
    ("zlib", &["-lz"], 3),
    ("zstd", &["-lzstd"], 3),
    ("sqlite", &["-lsqlite3", "-lm", "-lpthread", "-ldl"], 5),
    ("work", &[], 5),
];
/// Kinds of things in the fourth table, and how many are few and many.
const SCALES: [(&str, u32, u32); 4] = [
    ("processes", 10, 1_000),
    ("threads", 10, 10_000),
    ("files", 100, 100_000),
    ("inodes", 1_000, 1_000_000),
];

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wants = |name: &str| asked.is_empty() || asked.iter().any(|arg| arg == name);
    let qemu = ["/usr/bin/qemu-x86_64-static", "/usr/bin/qemu-x86_64"]
        .iter()
        .map(PathBuf::from)
        .find(|p| p.exists());
    if compile(dir.path(), "hello", &[]).is_none() {
        println!("no C compiler: nothing to measure");
        return;
    }
    println!("on {}", processor());
    if wants("start") {
        start_table(dir.path(), qemu.as_deref());
    }
    let programs: Vec<_> =
        PROGRAMS.iter().filter(|(name, ..)| wants("cpu") || asked.iter().any(|arg| arg == name)).collect();
    if !programs.is_empty() {
        program_table(dir.path(), qemu.as_deref(), &programs);
    }
    if wants("calls") {
        call_table(dir.path(), qemu.as_deref());
    }
    if wants("scale") {
        scale_table(dir.path());
    }
    if wants("strace") {
        strace_table(dir.path());
    }
}

/// What watching costs, on a program that does nothing but calls. Not watched stands there twice, run in turn with the
/// others: how far those two are apart is what the others may be apart by chance.
fn strace_table(dir: &Path) {
    let Some(program) = compile(dir, "manycalls", &[]) else { return };
    println!("\nwatching 600,000 calls (median CPU time of 9 runs, as ratios to not watched)");
    let trace = dir.join("trace");
    let with = |options: &[&str]| -> Vec<PathBuf> {
        let mut command = vec![emu()];
        if !options.is_empty() {
            command.extend(["strace", "-o"].map(PathBuf::from));
            command.push(trace.clone());
            command.extend(options.iter().map(PathBuf::from));
        }
        command.push(program.clone());
        command
    };
    let rows = [
        ("not watched", with(&[])),
        ("not watched, again", with(&[])),
        ("-e trace=none", with(&["-e", "trace=none"])),
        ("-c", with(&["-c"])),
        ("every call printed", with(&["-f"])),
    ];
    let (cpu, _) = measure(&rows, 9);
    for ((name, _), time) in rows.iter().zip(&cpu) {
        println!("{name:<20} {:>10.1} ms {:>8.2}", time * 1e3, time / cpu[0]);
    }
}

/// The machine's name for its processor.
fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| "an unnamed processor".to_owned(), |(_, name)| name.to_owned())
}

fn start_table(dir: &Path, qemu: Option<&Path>) {
    println!("\nstart and end of a static hello world (median of 41 runs)");
    println!("{:<12} {:>10} {:>10} {:>10} {:>12}", "", "wall ms", "CPU ms", "x native", "peak KiB");
    let runners = runners(&dir.join("hello"), qemu, &[]);
    let (cpu, wall) = measure(&runners, 41);
    for (i, (name, command)) in runners.iter().enumerate() {
        println!(
            "{name:<12} {:>10.2} {:>10.2} {:>10.2} {:>12}",
            wall[i] * 1e3,
            cpu[i] * 1e3,
            wall[i] / wall[0],
            run(command).peak_kib
        );
    }
}

fn program_table(dir: &Path, qemu: Option<&Path>, programs: &[&(&str, &[&str], usize)]) {
    println!("\nprograms (CPU time as ratios to native; millions of guest instructions a second)");
    println!(
        "{:<12} {:>10} {:>10} {:>10} {:>10} {:>8}",
        "", "native ms", "emu ms", "emu x", "qemu x", "MIPS"
    );
    let (mut emu_logs, mut qemu_logs) = (Vec::new(), Vec::new());
    for (name, libraries, runs) in programs {
        let Some(program) = compile(dir, name, libraries) else {
            println!("{name:<12} skipped: does not compile here (is the -dev package or Go missing?)");
            continue;
        };
        let commands = runners(&program, qemu, options(name));
        let (times, _) = measure(&commands, *runs);
        let (native, emulated) = (times[0], times[1]);
        let qemu_ratio = times.get(2).map(|time| time / native);
        let mips = instructions(&program, options(name))
            .map_or_else(|| "-".to_owned(), |n| format!("{:.0}", n / emulated / 1e6));
        println!(
            "{name:<12} {:>10.1} {:>10.1} {:>10.2} {:>10} {mips:>8}",
            native * 1e3,
            emulated * 1e3,
            emulated / native,
            qemu_ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        );
        emu_logs.push((emulated / native).ln());
        qemu_logs.extend(qemu_ratio.map(f64::ln));
    }
    println!(
        "geometric mean of {}: emu {:.2}, qemu {:.2}",
        emu_logs.len(),
        mean(&emu_logs),
        mean(&qemu_logs)
    );
}

/// The geometric mean of what these are logarithms of.
fn mean(logs: &[f64]) -> f64 {
    let count = u32::try_from(logs.len()).map_or(1.0, f64::from).max(1.0);
    (logs.iter().sum::<f64>() / count).exp()
}

fn call_table(dir: &Path, qemu: Option<&Path>) {
    let Some(program) = compile(dir, "syscalls", &["-lpthread"]) else { return };
    println!("\nsystem calls (ns an operation, the quickest of three runs)");
    println!("{:<20} {:>10} {:>10} {:>10} {:>10}", "", "native", "emu", "qemu", "emu x");
    let runners = runners(&program, qemu, &[]);
    let mut names: Vec<String> = Vec::new();
    let mut best: BTreeMap<(usize, String), f64> = BTreeMap::new();
    for _ in 0..3 {
        for (i, (_, command)) in runners.iter().enumerate() {
            for (name, ns) in lines(&output(command)) {
                if !names.contains(&name) {
                    names.push(name.clone());
                }
                let slot = best.entry((i, name)).or_insert(f64::INFINITY);
                *slot = slot.min(ns);
            }
        }
    }
    for name in names {
        let ns = |i: usize| best.get(&(i, name.clone())).copied();
        let cell = |ns: Option<f64>| ns.map_or_else(|| "-".to_owned(), |ns| format!("{ns:.0}"));
        let ratio =
            ns(1).zip(ns(0)).map_or_else(|| "-".to_owned(), |(emu, native)| format!("{:.2}", emu / native));
        println!("{name:<20} {:>10} {:>10} {:>10} {ratio:>10}", cell(ns(0)), cell(ns(1)), cell(ns(2)));
    }
}

fn scale_table(dir: &Path) {
    let Some(program) = compile(dir, "scale", &["-lpthread"]) else { return };
    println!("\ncost beside few and many under emu (ns an operation)");
    println!("{:<20} {:>10} {:>10} {:>10} {:>10} {:>8}", "", "few", "ns", "many", "ns", "x");
    for (kind, few, many) in SCALES {
        let at = |n: u32| {
            let command = [emu(), program.clone(), kind.into(), n.to_string().into()];
            output(&command)
        };
        let (few_rows, many_rows) = (at(few), at(many));
        let large: BTreeMap<String, f64> = lines(&many_rows).collect();
        for (name, small) in lines(&few_rows) {
            let Some(large) = large.get(&name) else {
                println!("{name:<20} {few:>10} {small:>10.0} {many:>10} {:>10}", "failed");
                continue;
            };
            println!("{name:<20} {few:>10} {small:>10.0} {many:>10} {large:>10.0} {:>8.2}", large / small);
        }
    }
}

/// The first and the last word of each line.
fn lines(text: &str) -> impl Iterator<Item = (String, f64)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next()?;
        Some((name.to_owned(), words.next_back()?.parse().ok()?))
    })
}

fn output(command: &[PathBuf]) -> String {
    let out = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output();
    out.map(|out| String::from_utf8_lossy(&out.stdout).into_owned()).unwrap_or_default()
}

/// Compiles a program of `testbins/bench`, C or Go; `None` if that fails.
fn compile(dir: &Path, name: &str, libraries: &[&str]) -> Option<PathBuf> {
    let program = dir.join(name);
    let source = testbins().join("bench").join(name);
    let mut command = if source.with_extension("c").exists() {
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-static", "-o"]).arg(&program).arg(source.with_extension("c")).args(libraries);
        if libraries.is_empty() {
            cc.arg("-lm");
        }
        cc
    } else {
        let mut go = Command::new("go");
        go.env("CGO_ENABLED", "0").args(["build", "-o"]).arg(&program).arg(source.with_extension("go"));
        go
    };
    let status = command.stdin(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success()).then_some(program)
}

/// What emu is told for a program: which processor it needs.
fn options(name: &str) -> &'static [&'static str] {
    if matches!(name, "avx2" | "aes") { &["--cpu", "x86-64-v3"] } else { &[] }
}

/// The program natively, under emu, and under qemu if there is one.
fn runners(program: &Path, qemu: Option<&Path>, options: &[&str]) -> Vec<(&'static str, Vec<PathBuf>)> {
    let mut emulated = vec![emu()];
    emulated.extend(options.iter().map(PathBuf::from));
    emulated.push(program.to_owned());
    let mut list = vec![("native", vec![program.to_owned()]), ("emu", emulated)];
    if let Some(qemu) = qemu {
        list.push(("qemu-user", vec![qemu.to_owned(), program.to_owned()]));
    }
    list
}

/// What one run took.
struct Run {
    cpu: f64,
    wall: f64,
    peak_kib: i64,
}

fn start(command: &[PathBuf]) -> Command {
    let mut start = Command::new(&command[0]);
    start.args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    start
}

/// Runs a command to its end.
#[cfg(not(unix))]
fn run(command: &[PathBuf]) -> Run {
    let begin = Instant::now();
    let status = start(command).status().expect("a measured program can be run");
    assert!(status.success(), "{command:?} failed");
    let wall = begin.elapsed().as_secs_f64();
    Run { cpu: wall, wall, peak_kib: 0 }
}

/// Runs a command to its end.
#[cfg(unix)]
fn run(command: &[PathBuf]) -> Run {
    let begin = Instant::now();
    let child = start(command).spawn().expect("a measured program can be run");
    let mut status = 0;
    // SAFETY: rusage is plain numbers, and wait4 fills it for our own child.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::wait4(i32::try_from(child.id()).unwrap_or(-1), &raw mut status, 0, &raw mut usage);
        usage
    };
    assert!(status == 0, "{command:?} failed");
    let seconds = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 * 1e-6;
    Run {
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        wall: begin.elapsed().as_secs_f64(),
        peak_kib: usage.ru_maxrss,
    }
}

/// Median CPU and wall-clock seconds of each command, run in turn.
fn measure(commands: &[(&'static str, Vec<PathBuf>)], runs: usize) -> (Vec<f64>, Vec<f64>) {
    let mut times = vec![(Vec::new(), Vec::new()); commands.len()];
    for _ in 0..runs {
        for ((_, command), (cpu, wall)) in commands.iter().zip(&mut times) {
            let run = run(command);
            cpu.push(run.cpu);
            wall.push(run.wall);
        }
    }
    times.into_iter().map(|(cpu, wall)| (median(cpu), median(wall))).unzip()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// How many instructions the program retires under emu.
fn instructions(program: &Path, options: &[&str]) -> Option<f64> {
    let dir = tempfile::tempdir().ok()?;
    let stats = dir.path().join("stats");
    Command::new(emu())
        .args(options)
        .arg("--stats")
        .arg(&stats)
        .arg(program)
        .stdout(Stdio::null())
        .status()
        .ok()?;
    let text = std::fs::read_to_string(stats).ok()?;
    let digits = text.split_once("\"instructions\":")?.1.trim_start();
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
