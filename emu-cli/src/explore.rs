//! `emu explore`: seeds are tried until a program fails; then the fewest switches that still make it fail are looked for.
//!
//! **Invariant**: each run is an emu of its own, so that none can disturb another.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use emu_syscalls::task::sched::Choice;

use crate::args::ExploreArgs;
use crate::run::say;

/// Runs that narrowing down may take.
const NARROWING: usize = 600;
/// Exit status when the program was never made to fail.
const NONE_FAILED: u8 = 1;

/// A choice, and the instruction count where it is made.
type Switch = (u64, Choice);

/// Reads a schedule, a choice a line: a count and a task, a count and `interrupt`, a count, `short` and bytes, or a count,
/// `late` and nanoseconds. `#` begins a comment.
#[expect(clippy::disallowed_methods, reason = "the command line's layer: the user names the file")]
pub(crate) fn read_schedule(path: &Path) -> Result<Vec<Switch>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let text = String::from_utf8_lossy(&text);
    let mut switches: Vec<Switch> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let switch = match words[..] {
            [] => continue,
            [at, "interrupt"] => at.parse().ok().map(|at| (at, Choice::Interrupt)),
            [at, "short", most] => at.parse().ok().zip(most.parse().ok().map(Choice::Short)),
            [at, "late", ns] => at.parse().ok().zip(ns.parse().ok().map(Choice::Late)),
            [at, task] => at.parse().ok().zip(task.parse().ok().map(Choice::Run)),
            _ => None,
        };
        match switch {
            Some(switch) if switches.last().is_none_or(|last| last.0 <= switch.0) => switches.push(switch),
            _ => bail!("{}: line {number} is no instruction count and choice, ascending", path.display()),
        }
    }
    Ok(switches)
}

/// Writes a schedule.
#[expect(clippy::disallowed_methods, reason = "the command line's layer: the user names the file")]
pub(crate) fn write_schedule(path: &Path, switches: impl Iterator<Item = Switch>) -> Result<()> {
    let mut text = String::from(
        "# instruction count; task that runs from there, `interrupt`, `short` and bytes, or `late` and ns\n",
    );
    for (at, choice) in switches {
        let _ = match choice {
            Choice::Run(task) => writeln!(text, "{at} {task}"),
            Choice::Interrupt => writeln!(text, "{at} interrupt"),
            Choice::Short(most) => writeln!(text, "{at} short {most}"),
            Choice::Late(ns) => writeln!(text, "{at} late {ns}"),
        };
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Good,
    Failed(String),
}

/// Runs the program once, in an emu of its own.
fn run(args: &ExploreArgs, options: &[OsString]) -> Result<End> {
    let emu = std::env::current_exe().context("cannot tell where emu is")?;
    let output = Command::new(emu)
        .args(options)
        .arg("--timeout")
        .arg(args.limit.to_string())
        .args(&args.program)
        .stdin(Stdio::null())
        .output()
        .context("cannot run emu")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    Ok(match output.status.code() {
        Some(0) => End::Good,
        Some(124) => End::Failed(format!("it runs for more than {} s", args.limit)),
        Some(125) if errors.contains("the guest is deadlocked") => End::Failed("it is deadlocked".to_owned()),
        Some(status @ 125..=127) => bail!("emu failed with status {status}:\n{errors}"),
        Some(status) if status > 128 => End::Failed(format!("killed by signal {}", status - 128)),
        Some(status) => End::Failed(format!("exit status {status}")),
        None => bail!("emu was killed"),
    })
}

fn option(name: &str, value: &Path) -> [OsString; 2] {
    [name.into(), value.as_os_str().to_owned()]
}

/// The first seed that fails, and how.
fn search(args: &ExploreArgs) -> Result<Option<(u64, String)>> {
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let found: Mutex<Vec<Result<(u64, String)>>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, 256) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= args.runs {
                        return;
                    }
                    let seed = args.seed.wrapping_add(number);
                    let result = run(args, &[format!("--deterministic={seed}").into(), "--chaos".into()]);
                    let result = match result {
                        Ok(End::Good) => continue,
                        Ok(End::Failed(how)) => Ok((seed, how)),
                        Err(error) => Err(error),
                    };
                    stop.store(true, Ordering::Relaxed);
                    if let Ok(mut found) = found.lock() {
                        found.push(result);
                    }
                }
            });
        }
    });
    let found = found.into_inner().unwrap_or_default().into_iter().collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().min())
}

/// Takes switches away as long as the program still fails as it did: half of them at a time, then less.
fn narrow(args: &ExploreArgs, seed: u64, how: &str, mut switches: Vec<Switch>) -> Result<Vec<Switch>> {
    let mut runs = 0;
    let mut fails = |switches: &[Switch]| -> Result<bool> {
        runs += 1;
        write_schedule(&args.output, switches.iter().copied())?;
        let [name, file] = option("--schedule", &args.output);
        let end = run(args, &[format!("--deterministic={seed}").into(), name, file])?;
        Ok(runs <= NARROWING && end == End::Failed(how.to_owned()))
    };
    if !fails(&switches)? {
        bail!("seed {seed} does not fail again with the switches it made");
    }
    let mut piece = switches.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut is_less = false;
        while at < switches.len() {
            let end = (at + piece).min(switches.len());
            let rest = [&switches[..at], &switches[end..]].concat();
            if fails(&rest)? {
                switches = rest;
                is_less = true;
            } else {
                at = end;
            }
        }
        if piece == 1 && !is_less {
            break;
        }
        piece = piece.div_ceil(2).max(1);
    }
    write_schedule(&args.output, switches.iter().copied())?;
    Ok(switches)
}

/// Where the choices are made: from a recording of the run that fails.
#[expect(clippy::disallowed_methods, reason = "the command line's layer: a file of its own")]
fn places(args: &ExploreArgs, seed: u64, how: &str, choices: &[Switch]) -> Vec<String> {
    let trace = args.output.with_extension(format!("{}.trace", std::process::id()));
    let [name, file] = option("--schedule", &args.output);
    let [out, to] = option("-o", &trace);
    let options = ["record".into(), out, to, format!("--deterministic={seed}").into(), name, file];
    let same = matches!(run(args, &options), Ok(End::Failed(again)) if again == how);
    let places = same.then(|| crate::replay::places(&trace, choices.iter().map(|(at, _)| *at)));
    let _ = std::fs::remove_file(&trace);
    match places {
        Some(Ok(places)) => places,
        _ => vec!["somebody runs".to_owned(); choices.len()],
    }
}

/// Tries seeds; gives 0 if the program was made to fail.
pub(crate) fn explore(args: &ExploreArgs) -> Result<u8> {
    let Some((seed, how)) = search(args)? else {
        say(&format!("{} runs, none failed", args.runs));
        return Ok(NONE_FAILED);
    };
    say(&format!("seed {seed} fails: {how}"));
    let [name, file] = option("--schedule-log", &args.output);
    let logged = run(args, &[format!("--deterministic={seed}").into(), "--chaos".into(), name, file])?;
    if logged != End::Failed(how.clone()) {
        bail!("seed {seed} does not fail again: {logged:?}");
    }
    let all = read_schedule(&args.output)?;
    let count = all.len();
    let few = narrow(args, seed, &how, all)?;
    say(&format!(
        "of {count} choices of the scheduler these {} make it fail ({}):",
        few.len(),
        args.output.display()
    ));
    let places = places(args, seed, &how, &few);
    for ((at, choice), place) in few.iter().zip(places) {
        let what = match choice {
            Choice::Run(task) => format!("; task {task} runs"),
            Choice::Interrupt => "; its wait is interrupted".to_owned(),
            Choice::Short(most) => format!("; its read is short, {most} bytes at most"),
            Choice::Late(ns) => format!("; timers that are due come {} us late", ns / 1000),
        };
        say(&format!("  at instruction {at} {place}{what}"));
    }
    let program: Vec<_> = args.program.iter().map(|word| word.to_string_lossy()).collect();
    say(&format!(
        "again: emu --deterministic={seed} --schedule {} {} (or emu record, emu strace, emu trace with these options)",
        args.output.display(),
        program.join(" ")
    ));
    Ok(0)
}
