//! The same run twice: deterministic runs, recordings that are replayed, damaged recordings, and programs with races.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests are named by what they show, and work on the host"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use emu_core::engine::interp::Interp;
use emu_core::engine::stepper::Stepper;
use emu_syscalls::kernel::Config;
use emu_syscalls::machine::Stopped;
use emu_syscalls::seam::record::{OnError, RecordingHost};
use emu_syscalls::seam::replay::{Replayed, Replayer};
use emu_syscalls::seam::scripted::ScriptedHost;
use emu_syscalls::seam::trace::{ChunkKind, ChunkWriter, Effort, Sink, Trace};
use emu_syscalls::seam::{HostPath, ShareId, Stream};
use emu_syscalls::setup::{Setup, Step};
use emu_tests::{emu, native, skip, testbins};

const TOUR: &[u8] = include_bytes!("../../testbins/tour");

/// Keeps what is written for the test.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A scripted host with testbins/tour, and a machine that runs it.
fn tour() -> (Box<ScriptedHost>, Setup) {
    let mut host = ScriptedHost::new(1);
    host.files.insert(HostPath { share: ShareId(0), path: Vec::new() }, TOUR.to_vec());
    let setup = Setup {
        config: Config::default(),
        steps: vec![Step::DefaultRoot, Step::File { at: b"/bin/tour".to_vec(), share: ShareId(0) }],
        candidates: vec![b"/bin/tour".to_vec()],
        argv: vec![b"tour".to_vec(), b"one".to_vec()],
        envp: Vec::new(),
        cwd: b"/".to_vec(),
    };
    (Box::new(host), setup)
}

/// A recording of testbins/tour against a scripted host.
fn recorded_tour() -> Vec<u8> {
    let (host, setup) = tour();
    let kept = Kept::default();
    let sink = Box::new(ChunkWriter::new(kept.clone()));
    let mut host = RecordingHost::new(host, sink, &setup, Vec::new(), None, OnError::Stop);
    let mut machine = setup.build(&mut host, Box::new(Interp::new())).unwrap();
    let stopped = host.run(&mut machine, u64::MAX);
    assert!(matches!(stopped, Stopped::Exited(_)), "{stopped:?}");
    host.finish(&machine.kernel, &stopped).unwrap();

    kept.0.lock().unwrap().clone()
}

/// Replays bytes as far as they go: an error is as good as an end, a panic is not.
fn replay_whatever(bytes: Vec<u8>) -> Option<Replayed> {
    let trace = Arc::new(Trace::open(bytes).ok()?);
    let mut replayer = Replayer::new(trace, Box::new(Interp::new())).ok()?;
    loop {
        match replayer.run(20_000_000) {
            Replayed::Stopped(Stopped::Report) => replayer.machine.kernel.gaps_new.clear(),
            other => return Some(other),
        }
    }
}

#[test]
fn a_recording_replays_on_either_engine_and_from_any_count() {
    let trace = Arc::new(Trace::open(recorded_tour()).unwrap());
    let end = trace.end.clone().unwrap();
    for engine in [0, 1] {
        let engine: Box<dyn emu_core::engine::Engine> =
            if engine == 0 { Box::new(Interp::new()) } else { Box::new(Stepper::new()) };
        let mut replayer = Replayer::new(Arc::clone(&trace), engine).unwrap();
        replayer.take_snapshots();
        assert!(matches!(replayer.run(u64::MAX), Replayed::Stopped(Stopped::Exited(_))));
        let output: Vec<u8> = replayer.host.output.drain(..).flat_map(|(_, data)| data).collect();
        assert!(!output.is_empty());
        // Back, and stopping on the way: none of it changes anything.
        let mut digests = Vec::new();
        for count in [end.retired / 2, end.retired / 3, end.retired / 2] {
            assert_eq!(replayer.seek(count), Replayed::Stopped(Stopped::Budget));
            assert_eq!(replayer.machine.kernel.retired, count);
            digests.push(replayer.machine.kernel.digest());
            replayer.mark();
        }
        assert_eq!(digests[0], digests[2]);
        assert!(matches!(replayer.run(u64::MAX), Replayed::Stopped(Stopped::Exited(_))));
        assert!(replayer.host.output.iter().all(|(stream, _)| *stream != Stream::Stdin));
    }
}

/// Numbers that differ.
fn next(random: &mut u64) -> usize {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*random >> 33) as usize
}

#[test]
fn damaged_recordings_are_errors() {
    let good = recorded_tour();
    let mut random = 1;
    for _ in 0..200 {
        let mut bad = good.clone();
        let at = next(&mut random) % bad.len();
        bad[at] ^= 1 << (next(&mut random) % 8);
        let end = replay_whatever(bad);
        assert!(!matches!(end, Some(Replayed::Diverged(_))) || at == 10 || at == 11, "{end:?} at {at}");
        let cut = next(&mut random) % good.len();
        // The log may be whole, and only what comes after it lost.
        let end = replay_whatever(good[..cut].to_vec());
        let fits = matches!(end, None | Some(Replayed::End | Replayed::Stopped(Stopped::Exited(_))));
        assert!(fits, "{end:?} when cut at {cut}");
    }
}

#[test]
fn recordings_with_wrong_contents_diverge() {
    let good = Trace::open(recorded_tour()).unwrap();
    let mut random = 7;
    let mut diverged = 0;
    for _ in 0..200 {
        let mut writer = ChunkWriter::new(Vec::new());
        writer.put(ChunkKind::Start, postcard::to_allocvec(&good.start).unwrap(), Effort::Little).unwrap();
        for index in 0.. {
            let Some((_, records)) = good.chunk(index).unwrap() else { break };
            let mut records = records.to_vec();
            for _ in 0..=next(&mut random) % 3 {
                let at = next(&mut random) % records.len();
                records[at] = u8::try_from(next(&mut random) % 256).unwrap();
            }
            writer.put(ChunkKind::Log, records, Effort::Much).unwrap();
        }
        writer
            .put(ChunkKind::End, postcard::to_allocvec(good.end.as_ref().unwrap()).unwrap(), Effort::Little)
            .unwrap();
        let end = replay_whatever(writer.into_inner());
        diverged += u32::from(!matches!(end, Some(Replayed::Stopped(Stopped::Exited(_)))));
    }
    // One in 256 changes is none.
    assert!(diverged >= 195, "only {diverged} of 200 wrong recordings were noticed");
}

/// A disk that is full after some bytes.
#[derive(Debug)]
struct FullDisk(Kept, usize);

impl std::io::Write for FullDisk {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let room = self.1.min(data.len());
        if room == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.1 -= room;
        self.0.write(&data[..room])
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_was_written_before_the_disk_was_full_replays() {
    let whole = recorded_tour().len();
    for (size, on_error) in [
        (whole / 2, OnError::Stop),
        (whole / 2, OnError::GoOn),
        (whole - 20, OnError::Stop),
        (whole - 20, OnError::GoOn),
        (100, OnError::Stop),
        (0, OnError::GoOn),
    ] {
        let (host, setup) = tour();
        let kept = Kept::default();
        let sink = Box::new(ChunkWriter::new(FullDisk(kept.clone(), size)));
        let mut host = RecordingHost::new(host, sink, &setup, Vec::new(), None, on_error);
        if let Ok(mut machine) = setup.build(&mut host, Box::new(Interp::new())) {
            let stopped = host.run(&mut machine, u64::MAX);
            if on_error == OnError::GoOn {
                assert!(matches!(stopped, Stopped::Exited(_)), "{stopped:?} with {size} bytes");
            }
            let error = host.finish(&machine.kernel, &stopped).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        }
        let bytes = kept.0.lock().unwrap().clone();
        assert_eq!(bytes.len(), size);
        let end = replay_whatever(bytes);
        let fits = matches!(end, None | Some(Replayed::End | Replayed::Stopped(Stopped::Exited(_))));
        assert!(fits, "{end:?} with {size} bytes");
    }
}

#[test]
fn a_full_disk_stops_the_recorder_or_is_told() {
    if !native() || !Path::new("/dev/full").exists() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = testbins().join("tour");
    let stopped = run(dir.path(), &["record", "-o", "/dev/full"], Some(&program));
    let said = String::from_utf8_lossy(&stopped.stderr).into_owned();
    assert_eq!(stopped.status.code(), Some(125), "{said}");
    assert!(said.contains("/dev/full") && said.contains("--on-record-error"), "{said}");
    let options = ["record", "--on-record-error", "continue", "-o", "/dev/full"];
    let whole = run(dir.path(), &options, Some(&program));
    assert_eq!(whole.status.code(), Some(0), "{}", String::from_utf8_lossy(&whole.stderr));
    assert!(String::from_utf8_lossy(&whole.stderr).contains("was not written to its end"));
    assert_eq!(whole.stdout, run(dir.path(), &[], Some(&program)).stdout);
}

#[test]
fn a_killed_recorder_leaves_what_replays() {
    let Some(busybox) = emu_tests::program("killed", &["/bin/busybox"], "busybox-static") else { return };
    if !native() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "i=0; while :; do i=$((i+1)); [ $((i%100)) = 0 ] && echo $i; done";
    let output = dir.path().join("output");
    let mut recorder = Command::new(emu())
        .args(["record", "-o", "trace"])
        .arg(&busybox)
        .args(["sh", "-c", script])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&output).unwrap())
        .spawn()
        .unwrap();
    let begin = std::time::Instant::now();
    let chunks = || {
        let bytes = std::fs::read(dir.path().join("trace")).unwrap_or_default();
        Trace::open(bytes).map_or(0, |trace| trace.chunks())
    };
    while chunks() < 3 {
        assert!(begin.elapsed().as_secs() < 120, "no chunk was written");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    recorder.kill().unwrap();
    recorder.wait().unwrap();
    let replayed = run(dir.path(), &["replay", "trace"], None);
    let said = String::from_utf8_lossy(&replayed.stderr).into_owned();
    assert_eq!(replayed.status.code(), Some(0), "{said}");
    assert!(said.contains("the recording ends at instruction"), "{said}");
    let recorded = std::fs::read(&output).unwrap();
    assert!(!replayed.stdout.is_empty() && recorded.starts_with(&replayed.stdout));
}

#[test]
fn a_replay_stops_where_it_is_told_and_shows_calls() {
    if !native() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let program = testbins().join("tour");
    let recorded = run(dir.path(), &["record", "-o", "trace"], Some(&program));
    assert!(recorded.status.success());
    let replay = |options: &[&str]| {
        let output = run(dir.path(), &[&["replay", "trace"], options].concat(), None);
        (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let count = |said: &str| -> u64 {
        let rest = said.split("stopped at instruction ").nth(1).unwrap_or_else(|| panic!("{said}"));
        rest.split(',').next().unwrap().parse().unwrap()
    };
    let (code, _, said) = replay(&["--until", "1000"]);
    assert_eq!((code, count(&said)), (Some(0), 1000));
    let (code, _, said) = replay(&["--until", "syscall", "pipe"]);
    let there = count(&said);
    assert_eq!(code, Some(0), "{said}");
    let output = run(dir.path(), &["replay", "--until", "signal", "trace"], None);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("signal ") && count(&said) > 1000, "{said}");
    let (code, stdout, _) = replay(&["--until", "exit"]);
    assert_eq!((code, stdout), (recorded.status.code(), recorded.stdout.clone()));
    let (code, _, said) = replay(&["--until", "syscall", "nosuchcall"]);
    assert_eq!(code, Some(125), "{said}");
    // The calls that strace shows of the run itself are those of the replay.
    let (code, stdout, calls) = replay(&["--strace"]);
    assert_eq!((code, stdout), (recorded.status.code(), recorded.stdout));
    assert!(
        calls.contains("execve(") && calls.contains("pipe([") && calls.contains("+++ exited with"),
        "{calls}"
    );
    let (_, _, calls) = replay(&["--strace=-e trace=pipe", "--until", "syscall", "pipe"]);
    assert_eq!(count(&calls), there);
}

fn compile(name: &str) -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("race-{name}"));
    // Two tests want some of them: the second takes what the first made.
    static MADE: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if made.iter().any(|known| known == name) {
        return Some(program);
    }
    let built = Command::new("cc")
        .args(["-static", "-O1", "-pthread", "-o"])
        .arg(&program)
        .arg(testbins().join("race").join(format!("{name}.c")))
        .status();
    match built {
        Ok(status) => {
            assert!(status.success(), "{name} does not compile");
            made.push(name.to_owned());
            Some(program)
        }
        Err(_) => {
            skip(name, "a C compiler (the Debian packages gcc and libc6-dev)");
            None
        }
    }
}

fn run(dir: &Path, args: &[&str], program: Option<&Path>) -> Output {
    let mut command = Command::new(emu());
    command.args(args).args(program).current_dir(dir).stdin(Stdio::null());
    command.output().expect("emu can be run")
}

/// The programs that are no guest tests: those with races, those that strace and benchmarks are tried on, and the hammer of
/// a hundred threads. Those of the benchmarks that take long only with `EMU_LONG` set.
#[test]
fn programs_beside_the_guest_tests_replay() {
    if !native() {
        return;
    }
    let mut programs = vec![
        ("strace/arguments.c", vec![]),
        ("threads/hammer.c", vec!["100"]),
        ("bench/hello.c", vec![]),
        ("bench/syscalls.c", vec!["--exit"]),
        ("bench/scale.c", vec!["processes", "5"]),
        ("bench/scale.c", vec!["threads", "5"]),
        ("bench/fib.c", vec![]),
    ];
    for race in std::fs::read_dir(testbins().join("race")).unwrap() {
        let name = race.unwrap().file_name().into_string().unwrap();
        // One that is caught in its race may end otherwise, and replays all the same.
        programs.push((String::leak(format!("race/{name}")), vec![]));
    }
    if std::env::var_os("EMU_LONG").is_some() {
        for name in ["aes", "avx2", "hash", "mem", "nbody", "quicksort", "sha256", "vm", "x87"] {
            programs.push((String::leak(format!("bench/{name}.c")), vec![]));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    for (source, args) in programs {
        let program = dir.path().join("program");
        let built = Command::new("cc")
            .args(["-static", "-O2", "-pthread", "-w", "-o"])
            .arg(&program)
            .arg(testbins().join(source))
            .arg("-lm")
            .status();
        let Ok(built) = built else {
            return skip(source, "a C compiler (the Debian packages gcc and libc6-dev)");
        };
        assert!(built.success(), "{source} does not compile");
        let run = emu_tests::run_emu(&[], &program, &args, dir.path(), b"");
        assert!(source.starts_with("race/") || run.status == 0, "{source} ends with {}", run.status);
    }
}

/// `emu explore` makes a program fail; the failing run is recorded and fails in every replay.
fn is_made_to_fail(name: &str, replays: u32) {
    if !native() {
        return;
    }
    let Some(program) = compile(name) else { return };
    let dir = tempfile::tempdir().unwrap();
    let explored = run(dir.path(), &["explore", "--runs", "400"], Some(&program));
    let said = String::from_utf8_lossy(&explored.stderr).into_owned();
    assert!(explored.status.success(), "{name} was not made to fail: {said}");
    let seed = said.split("seed ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a seed is named");
    let seed = format!("--deterministic={seed}");
    let again = ["record", "-o", "trace", &seed, "--schedule", "emu.schedule"];
    let recorded = run(dir.path(), &again, Some(&program));
    assert!(!recorded.status.success(), "{name} does not fail again: {said}");
    for _ in 0..replays {
        let replayed = run(dir.path(), &["replay", "trace"], None);
        assert_eq!(
            (replayed.status.code(), &replayed.stdout),
            (recorded.status.code(), &recorded.stdout),
            "{name}: {}",
            String::from_utf8_lossy(&replayed.stderr)
        );
    }
}

/// Replays of each race: all thousand with `EMU_LONG` set.
fn replays() -> u32 {
    if std::env::var_os("EMU_LONG").is_some() { 1000 } else { 5 }
}

#[test]
fn a_lost_update_is_found_and_replayed() {
    is_made_to_fail("lost_update", replays());
}

#[test]
fn a_deadlock_of_lock_order_is_found_and_replayed() {
    is_made_to_fail("lock_order", replays());
}

#[test]
fn a_use_after_free_is_found_and_replayed() {
    is_made_to_fail("use_after_free", replays());
}

#[test]
fn a_signal_that_comes_too_early_is_found_and_replayed() {
    is_made_to_fail("signal", replays());
}

#[test]
fn a_wait_that_may_be_interrupted_is() {
    is_made_to_fail("interrupted_wait", replays());
}

#[test]
fn a_read_that_may_be_short_is() {
    is_made_to_fail("short_read", replays());
}

#[test]
fn a_timer_that_may_be_late_is() {
    is_made_to_fail("late_timer", replays());
}

/// What `--stats` says of instructions and digest.
fn identity(stats: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(stats).unwrap();
    text.split([',', '{', '}'])
        .filter(|part| part.starts_with("\"digest\"") || part.starts_with("\"instructions\""))
        .map(str::to_owned)
        .collect()
}

#[test]
fn deterministic_runs_are_the_same_run() {
    if !native() {
        return;
    }
    let script =
        "sleep 3600; date; head -c 8 /dev/urandom | od -x; (echo a; echo b) | sort -r; ls -l /proc/self";
    let Some(busybox) = emu_tests::program("deterministic", &["/bin/busybox"], "busybox-static") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let runs: Vec<_> = ["interp", "interp", "stepper"]
        .iter()
        .enumerate()
        .map(|(number, engine)| {
            let stats = dir.path().join(format!("stats{number}"));
            let mut command = Command::new(emu());
            command.args(["--deterministic=5", "--engine", engine, "--stats"]).arg(&stats);
            command.arg(&busybox).args(["sh", "-c", script]).current_dir("/").stdin(Stdio::null());
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            (output.stdout, identity(&stats))
        })
        .collect();
    assert_eq!(runs[0].1.len(), 2);
    assert_eq!(runs[0], runs[1], "two runs differ");
    assert_eq!(runs[0], runs[2], "two engines differ");
}

#[test]
fn chaos_is_the_same_for_one_seed_on_either_engine() {
    if !native() {
        return;
    }
    let (Some(threads), Some(waits)) = (compile("lost_update"), compile("interrupted_wait")) else { return };
    // The directory that the guest sees is an input.
    let (dir, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let stats = beside.path().join("stats");
    let mut counts = std::collections::BTreeSet::new();
    for program in [&threads, &waits] {
        for seed in ["1", "2", "3", "4"] {
            let runs: Vec<_> = ["interp", "interp", "stepper"]
                .iter()
                .map(|engine| {
                    let seed = format!("--deterministic={seed}");
                    let stats_name = stats.to_str().unwrap();
                    let options = [&seed, "--chaos", "--engine", engine, "--stats", stats_name];
                    let output = run(dir.path(), &options, Some(program));
                    (output.status.code(), output.stdout, identity(&stats))
                })
                .collect();
            assert_eq!(runs[0], runs[1], "two runs of seed {seed} differ");
            assert_eq!(runs[0], runs[2], "two engines differ with seed {seed}");
            counts.insert(runs[0].2.clone());
        }
    }
    assert_eq!(counts.len(), 8, "seeds give the same run");
}

#[test]
fn a_program_goes_on_from_a_snapshot_on_disk() {
    if !native() {
        return;
    }
    let Some(busybox) = emu_tests::program("snapshot", &["/bin/busybox"], "busybox-static") else { return };
    let dir = tempfile::tempdir().unwrap();
    let script =
        "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; done; date; head -c 4 /dev/urandom | od -x";
    let emu = |args: &[&str], program: bool| {
        let mut command = Command::new(emu());
        command.args(args).current_dir(dir.path()).stdin(Stdio::null());
        if program {
            command.arg(&busybox).args(["sh", "-c", script]);
        }
        command.output().unwrap()
    };
    let whole = emu(&["--deterministic", "--stats", "whole"], true);
    let first = emu(&["snapshot", "save", "--at", "600000", "half", "--deterministic"], true);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let second = emu(&["snapshot", "restore", "--stats", "rest", "half"], false);
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert!(!first.stdout.is_empty() && !second.stdout.is_empty());
    assert_eq!(whole.stdout, [first.stdout, second.stdout].concat());
}
