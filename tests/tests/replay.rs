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
use emu_syscalls::seam::trace::{ChunkKind, ChunkWriter, Sink, Trace};
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

/// A recording of testbins/tour against a scripted host.
fn recorded_tour() -> Vec<u8> {
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
    let kept = Kept::default();
    let sink = Box::new(ChunkWriter::new(kept.clone()));
    let mut host = RecordingHost::new(Box::new(host), sink, &setup, Vec::new(), None, OnError::Stop);
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
        writer.put(ChunkKind::Start, postcard::to_allocvec(&good.start).unwrap()).unwrap();
        for index in 0.. {
            let Some((_, records)) = good.chunk(index).unwrap() else { break };
            let mut records = records.to_vec();
            for _ in 0..=next(&mut random) % 3 {
                let at = next(&mut random) % records.len();
                records[at] = u8::try_from(next(&mut random) % 256).unwrap();
            }
            writer.put(ChunkKind::Log, records).unwrap();
        }
        writer.put(ChunkKind::End, postcard::to_allocvec(&good.end).unwrap()).unwrap();
        let end = replay_whatever(writer.into_inner());
        diverged += u32::from(!matches!(end, Some(Replayed::Stopped(Stopped::Exited(_)))));
    }
    // Most bytes are of file contents that the program never looks at; what it did look at is in the digests.
    assert!(diverged > 10, "only {diverged} of 200 wrong recordings were noticed");
}

fn compile(name: &str) -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("race-{name}"));
    let built = Command::new("cc")
        .args(["-static", "-O1", "-pthread", "-o"])
        .arg(&program)
        .arg(testbins().join("race").join(format!("{name}.c")))
        .status();
    match built {
        Ok(status) => {
            assert!(status.success(), "{name} does not compile");
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
