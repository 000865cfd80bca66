//! `cargo bench -p emu-tests --bench replay`: what recording, replaying and snapshots cost, as ratios of processor time taken
//! side by side, with the bound of each.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark measures the host and prints"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use emu_core::engine::interp::Interp;
use emu_core::mem::{PAGE_SIZE, PageProt, Privilege};
use emu_syscalls::kernel::Config;
use emu_syscalls::machine::{Machine, Stopped};
use emu_syscalls::seam::replay::{Replayed, Replayer};
use emu_syscalls::seam::trace::Trace;
use emu_tests::{emu, testbins};

const CALLS_C: &str = "#include <unistd.h>\n#include <fcntl.h>\n#include <time.h>\n#include <sys/syscall.h>\n\
int main(void) { char b[64]; struct timespec t; int fd = open(\"/dev/zero\", O_RDONLY);\n\
for (int i = 0; i < 300000; i++) { read(fd, b, 64); syscall(SYS_getpid); syscall(SYS_clock_gettime, 1, &t); }\n\
return 0; }\n";

/// Runs of each kind.
const RUNS: usize = 5;

/// About ten seconds of a recorder on a quiet machine, or so many percent of it.
const LONG_C: &str = "#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n\
int main(int argc, char **argv) { unsigned long x = 1, n = 8000000L * (argc > 1 ? atoi(argv[1]) : 100);\n\
for (unsigned long i = 0; i < n; i++) { x = x * 3 + i;\n\
if (i % 8000000 == 0) { char b[32]; int n = sprintf(b, \"%lx\\n\", x); write(1, b, n); } } return 0; }\n";

/// Time, where the host does not tell the processor time of children.
#[cfg(not(unix))]
fn spent() -> f64 {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    BEGIN.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Processor time of all children that ended, in seconds.
#[cfg(unix)]
fn spent() -> f64 {
    // SAFETY: getrusage fills in what it is given, for which all zeros is a value.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    #[expect(clippy::cast_precision_loss, reason = "seconds of a benchmark")]
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

fn main() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let kernels =
        ["fib", "sha256", "vm"].map(|name| (name, testbins().join("bench").join(format!("{name}.c"))));
    let calls = dir.path().join("calls.c");
    std::fs::write(&calls, CALLS_C).expect("a source can be written");
    println!(
        "processor time, medians of {RUNS}; bounds: record/plain 1.05 (calls 1.25), replay/record 1, 100 KiB"
    );
    println!(
        "{:<12} {:>10} {:>13} {:>13} {:>10}",
        "", "plain ms", "record/plain", "replay/record", "trace KiB"
    );
    let long = dir.path().join("long.c");
    std::fs::write(&long, LONG_C).expect("a source can be written");
    let hello = ("hello", testbins().join("bench").join("hello.c"));
    for (name, source) in [hello].into_iter().chain(kernels).chain([("calls", calls)]) {
        let Some(program) = compile(dir.path(), name, &source) else {
            println!("no C compiler: nothing to measure");
            return;
        };
        costs(dir.path(), name, &program, &[]);
    }
    if let Some(program) = compile(dir.path(), "long", &long) {
        costs(dir.path(), "a second", &program, &["10"]);
        let trace = dir.path().join("trace");
        let recorded = Command::new(emu())
            .arg("record")
            .arg("-o")
            .arg(&trace)
            .arg(&program)
            .stdout(Stdio::null())
            .status();
        assert!(recorded.is_ok_and(|status| status.success()), "the long program fails");
        seeking(dir.path());
    }
    println!("\nrestoring a snapshot after so many pages were written (median of 21)");
    println!("{:>8} {:>10} {:>12} {:>12}", "pages", "us", "us a page", "bound us");
    for pages in [10, 1000, 10_000] {
        restoring(pages);
    }
}

fn compile(dir: &Path, name: &str, source: &Path) -> Option<PathBuf> {
    let program = dir.join(name);
    let status =
        Command::new("cc").args(["-O2", "-static", "-o"]).arg(&program).arg(source).arg("-lm").status();
    status.is_ok_and(|status| status.success()).then_some(program)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn costs(dir: &Path, name: &str, program: &Path, args: &[&str]) {
    let trace = dir.join("trace");
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        let mut runs = [Command::new(emu()), Command::new(emu()), Command::new(emu())];
        runs[0].arg(program).args(args);
        runs[1].arg("record").arg("-o").arg(&trace).arg(program).args(args);
        runs[2].arg("replay").arg(&trace);
        for (run, times) in runs.iter_mut().zip(&mut times) {
            run.current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let before = spent();
            assert!(run.status().expect("emu can be run").success(), "{run:?} failed");
            times.push(spent() - before);
        }
    }
    let [plain, record, replay] = times.map(median);
    let size = std::fs::metadata(&trace).map_or(0, |meta| meta.len());
    println!(
        "{name:<12} {:>10.1} {:>13.3} {:>13.3} {:>10}",
        plain * 1e3,
        record / plain,
        replay / record,
        size / 1024
    );
}

/// From one end of the last recording to the other, with snapshots at intervals.
fn seeking(dir: &Path) {
    let Ok(bytes) = std::fs::read(dir.join("trace")) else { return };
    let size = bytes.len();
    let trace = Arc::new(Trace::open(bytes).expect("the recording is good"));
    let end = trace.end.as_ref().map_or(0, |end| end.retired);
    let mut replayer = Replayer::new(trace, Box::new(Interp::new())).expect("the machine can be built");
    replayer.take_snapshots();
    let begin = Instant::now();
    assert!(matches!(replayer.run(u64::MAX), Replayed::Stopped(Stopped::Exited(_))));
    let whole = begin.elapsed();
    let mut worst = 0.0f64;
    for part in [9, 2, 7, 5, 1, 8, 3] {
        let begin = Instant::now();
        assert_eq!(replayer.seek(end / 10 * part), Replayed::Stopped(Stopped::Budget));
        worst = worst.max(begin.elapsed().as_secs_f64());
    }
    println!(
        "\nseeking in {} million instructions ({:.0} ms to replay, {} KiB): {:.0} ms at worst (bound 1000), {} snapshots",
        end / 1_000_000,
        whole.as_secs_f64() * 1e3,
        size / 1024,
        worst * 1e3,
        replayer.snapshots()
    );
}

fn restoring(pages: u64) {
    let mut machine = Machine::new(Config::default(), Box::new(Interp::new()));
    let space = machine.kernel.mem.create_space();
    let base = 0x1000_0000;
    let prot = PageProt::READ | PageProt::WRITE | PageProt::USER;
    for page in 0..pages {
        machine.kernel.mem.map_zero(space, base + page * PAGE_SIZE, prot).expect("there is memory");
    }
    let write = |machine: &mut Machine| {
        for page in 0..pages {
            let at = base + page * PAGE_SIZE;
            machine.kernel.mem.write(space, at, &[1], Privilege::User).expect("the page is there");
        }
    };
    write(&mut machine);
    let snapshot = machine.snapshot();
    let mut times = Vec::new();
    for _ in 0..21 {
        write(&mut machine);
        let begin = Instant::now();
        machine.restore(&snapshot);
        times.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    let us = median(times);
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let count = pages as f64;
    println!("{pages:>8} {us:>10.1} {:>12.3} {:>12.1}", us / count, 2.0 + count);
}
