//! `emu replay`, `emu trace-info` and `emu snapshot restore`: what recordings are for.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use emu_syscalls::kernel::Kernel;
use emu_syscalls::machine::Stopped;
use emu_syscalls::observe::{Event, Stamped, Watch};
use emu_syscalls::seam::deterministic::DeterministicHost;
use emu_syscalls::seam::replay::{Replayed, Replayer, whereabouts};
use emu_syscalls::seam::trace::{Item, Record, Trace};
use emu_syscalls::seam::{Host, Stream};
use emu_syscalls::table;
use emu_syscalls::task::TaskId;
use emu_syscalls::task::death::place;

use crate::args::{EngineArg, ReplayArgs};
use crate::live::{LiveHost, Terminal};
use crate::run::{self, exit_status, say, tell_gaps};
use crate::setup::{self, Begun};
use crate::strace;

#[expect(clippy::disallowed_methods, reason = "the command line's layer: the user names the file")]
fn open(path: &Path) -> Result<Arc<Trace>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Arc::new(Trace::open(bytes).with_context(|| format!("cannot use {}", path.display()))?))
}

fn replayer(trace: &Arc<Trace>, engine: EngineArg) -> Result<Replayer> {
    Replayer::new(Arc::clone(trace), run::engine(engine))
        .context("the recorded machine cannot be built again")
}

/// Where a replay stops.
enum Until {
    Exit,
    Count(u64),
    Signal,
    Syscall(u64),
}

fn until(words: &[String]) -> Result<Until> {
    let words: Vec<&str> = words.iter().flat_map(|word| word.split_whitespace()).collect();
    Ok(match words[..] {
        [] | ["exit"] => Until::Exit,
        ["signal"] => Until::Signal,
        ["syscall", name] => {
            let row = table::ROWS.iter().find(|row| row.name == name);
            Until::Syscall(
                row.with_context(|| format!("--until: no system call {name} (emu syscalls lists them)"))?
                    .nr
                    .into(),
            )
        }
        [count] => Until::Count(
            count
                .replace(['_', ','], "")
                .parse()
                .with_context(|| format!("--until: {count:?} is no instruction count"))?,
        ),
        _ => bail!("--until takes an instruction count, `exit`, `signal`, or `syscall NAME`"),
    })
}

/// Prints what the guest wrote.
fn print(replayer: &mut Replayer) {
    for (stream, data) in replayer.host.output.drain(..) {
        // Whoever reads us may have left.
        let _ = match stream {
            Stream::Stderr => std::io::stderr().write_all(&data),
            _ => std::io::stdout().write_all(&data).and_then(|()| std::io::stdout().flush()),
        };
    }
}

/// Where the machine is.
fn describe(k: &Kernel) -> String {
    let (task, rip) = whereabouts(k);
    format!("instruction {}, task {task} at {rip:#x}, digest {:032x}", k.retired, k.digest())
}

/// What the events say about the place to stop at: its count, and what is there.
fn is_there(until: &Until, events: &[Stamped]) -> Option<(u64, String)> {
    events.iter().find_map(|Stamped { retired: at, event, .. }| match (until, event) {
        (Until::Signal, Event::Signal { tid, info }) => {
            Some((*at, format!("signal {} to task {}", info.signo, tid.0)))
        }
        (Until::Syscall(wanted), Event::Enter { tid, nr, .. }) if nr == wanted => {
            Some((*at, format!("system call {nr} of task {}", tid.0)))
        }
        _ => None,
    })
}

/// The count at which what is waited for is there, if it ever is.
fn count_of(until: &Until, trace: &Arc<Trace>, engine: EngineArg) -> Result<Option<u64>> {
    let mut replayer = replayer(trace, engine)?;
    replayer.host.keep_output = false;
    replayer.machine.kernel.observer.start(Watch::default());
    loop {
        let piece = replayer.machine.kernel.retired.saturating_add(5_000_000);
        let replayed = replayer.run(piece);
        let events = std::mem::take(&mut replayer.machine.kernel.observer.events);
        if let Some((at, what)) = is_there(until, &events) {
            say(&format!("{what} at instruction {at}"));
            return Ok(Some(at));
        }
        replayer.machine.kernel.gaps_new.clear();
        if !matches!(replayed, Replayed::Stopped(Stopped::Budget | Stopped::Report)) {
            return Ok(None);
        }
    }
}

/// Prints the system calls of a replay from here on.
fn watch(replayer: &mut Replayer, trace: &Trace, words: &str) -> Result<()> {
    let setup = &trace.start.setup;
    let begun = Begun {
        tid: replayer.machine.init.context("a machine without a first process")?,
        program: setup.argv.first().cloned().unwrap_or_default(),
        argv: setup.argv.clone(),
        envp: setup.envp.clone(),
    };
    strace::attach_to_replay(&mut replayer.machine, &mut replayer.host, &begun, words)
}

/// Ends watching: what is held back is printed.
fn unwatch(replayer: &mut Replayer) {
    if let Some(mut watcher) = replayer.machine.watcher.take() {
        watcher.finish(&replayer.machine.kernel);
    }
}

/// Runs a recording again and gives the recorded exit status.
pub(crate) fn replay(args: &ReplayArgs) -> Result<u8> {
    let (path, words) = args.words();
    let mut until = until(words)?;
    let path = path.context("which recording? (emu replay TRACE)")?;
    let trace = open(&path)?;
    if args.strace.is_some() && matches!(until, Until::Signal | Until::Syscall(_)) {
        until = count_of(&until, &trace, args.engine)?.map_or(Until::Exit, Until::Count);
    }
    let mut replayer = replayer(&trace, args.engine)?;
    replayer.host.keep_output = !args.verify && !args.quiet;
    if args.verify
        && let Some(end) = &trace.end
    {
        // From a snapshot in the middle it must come to the same end.
        let _ = replayer.seek(end.retired / 2);
        replayer.mark();
        let first = replayer.seek(u64::MAX);
        let second = replayer.seek(end.retired / 2);
        if let (Replayed::Diverged(divergence), _) | (_, Replayed::Diverged(divergence)) = (first, second) {
            bail!("{divergence}");
        }
    }
    if let Some(words) = &args.strace {
        watch(&mut replayer, &trace, words)?;
    }
    let ended = to_the_end(args, &path, &trace, &mut replayer, &until);
    unwatch(&mut replayer);
    ended
}

fn to_the_end(
    args: &ReplayArgs,
    path: &Path,
    trace: &Trace,
    replayer: &mut Replayer,
    until: &Until,
) -> Result<u8> {
    let watched = replayer.machine.watcher.is_some();
    if matches!(until, Until::Signal | Until::Syscall(_)) {
        replayer.machine.kernel.observer.start(Watch::default());
    }
    let stop_at = if let Until::Count(count) = until { *count } else { u64::MAX };
    loop {
        // In pieces, so that output comes as it comes.
        let from = replayer.machine.kernel.retired;
        let piece = from.saturating_add(5_000_000).min(stop_at);
        if replayer.machine.kernel.observer.on && !watched {
            replayer.mark();
        }
        let replayed = replayer.run(piece);
        let events = std::mem::take(&mut replayer.machine.kernel.observer.events);
        if let Some((at, what)) = is_there(until, &events) {
            // Back to where the piece began, and only so far.
            replayer.seek(from);
            replayer.run(at);
            print(replayer);
            say(&format!("{what} at instruction {at}; stopped at {}", describe(&replayer.machine.kernel)));
            return Ok(0);
        }
        print(replayer);
        let k = &mut replayer.machine.kernel;
        match replayed {
            Replayed::Stopped(Stopped::Budget) if k.retired >= stop_at => {
                say(&format!("stopped at {}", describe(k)));
                return Ok(0);
            }
            Replayed::Stopped(Stopped::Budget) => {}
            Replayed::Stopped(Stopped::Report) => {
                if args.verify || args.quiet {
                    k.gaps_new.clear();
                } else {
                    tell_gaps(&mut replayer.machine);
                }
            }
            Replayed::Stopped(Stopped::Exited(status)) => {
                if let Some(death) = k.death.as_deref().filter(|_| !args.verify) {
                    say(death);
                }
                if args.verify {
                    say(&format!("as recorded: wait status {status:#x} at {}", describe(k)));
                }
                return Ok(exit_status(status));
            }
            Replayed::Stopped(Stopped::Deadlock(tasks)) => {
                say("every task waits for something that can never happen, as recorded:");
                for line in tasks {
                    say(&format!("  {line}"));
                }
                bail!("the guest is deadlocked");
            }
            Replayed::Stopped(Stopped::HostGone) | Replayed::End => {
                say(&format!("the recording ends at {}", describe(k)));
                if let Some(damage) = &trace.damage {
                    bail!("{}: {damage}", path.display());
                }
                return Ok(0);
            }
            Replayed::Diverged(divergence) => bail!("{divergence}"),
            Replayed::Broken(error) => bail!("{}: {error}", path.display()),
        }
    }
}

/// Prints what a recording holds.
pub(crate) fn info(path: &Path) -> Result<u8> {
    let trace = open(path)?;
    let mut out = std::io::stdout().lock();
    let start = &trace.start;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let argv: Vec<String> = start.setup.argv.iter().map(|arg| text(arg)).collect();
    writeln!(out, "program       {}", argv.join(" "))?;
    writeln!(out, "directory     {}", text(&start.setup.cwd))?;
    writeln!(out, "recorded by   emu {}", start.emu)?;
    let how =
        start.deterministic.map_or_else(|| "live".to_owned(), |seed| format!("deterministic, seed {seed}"));
    writeln!(out, "host          {how}")?;
    for share in &start.shares {
        writeln!(out, "share         {share}")?;
    }
    writeln!(out, "bytes         {}", trace.file_len())?;
    writeln!(out, "chunks        {}", trace.chunks())?;
    let mut kinds: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
    let (mut calls, mut last) = (0, 0);
    let mut broken = None;
    'chunks: for index in 0.. {
        let (offset, records) = match trace.chunk(index) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(error) => {
                broken = Some(error);
                break;
            }
        };
        let mut rest = &records[..];
        for number in 0.. {
            if rest.is_empty() {
                break;
            }
            let Ok((record, after)) = emu_syscalls::seam::trace::take_record(rest) else {
                broken = Some(emu_syscalls::seam::trace::TraceError::Record(offset, number));
                break 'chunks;
            };
            let Record { skip, item } = record;
            let kind = kinds.entry(item.name()).or_default();
            *kind = (kind.0 + 1, kind.1 + rest.len() - after.len());
            calls += skip + u64::from(!matches!(item, Item::Mark | Item::Checkpoint { .. }));
            if let Item::Checkpoint { retired, .. } = item {
                last = retired;
            }
            rest = after;
        }
    }
    writeln!(out, "calls         {calls} through the seam")?;
    for (name, (count, bytes)) in kinds {
        writeln!(out, "  {count:>9}  {name}, {bytes} bytes")?;
    }
    match &trace.end {
        Some(end) => {
            let status = end.status.map_or_else(|| "not ended".to_owned(), |status| format!("{status:#x}"));
            writeln!(out, "instructions  {}", end.retired)?;
            writeln!(out, "wait status   {status}")?;
        }
        None => writeln!(out, "instructions  more than {last}; the recorder did not come to its end")?,
    }
    if let Some(error) = broken.or_else(|| trace.damage.clone()) {
        bail!("{}: {error}", path.display());
    }
    Ok(0)
}

/// The host that a recording was made on, if it is this one.
fn live(path: &Path, trace: &Trace) -> Result<LiveHost> {
    let mut live = LiveHost::new().context("cannot connect to the host's streams")?;
    live.shares.owner = setup::owner(trace.start.setup.config.user);
    for name in &trace.start.shares {
        let share = Path::new(name);
        if !share.exists() {
            bail!("{} needs {name} of the host, which is not there", path.display());
        }
        setup::add_share(&mut live, share)?;
    }
    Ok(live)
}

/// Who ran last at some counts of a recording made on this host, and where.
pub(crate) fn places(path: &Path, counts: impl Iterator<Item = u64>) -> Result<Vec<String>> {
    let trace = open(path)?;
    let mut live = live(path, &trace)?;
    let mut replayer = replayer(&trace, EngineArg::Interp)?;
    let mut places = Vec::new();
    for count in counts {
        replayer.seek(count);
        let (task, rip) = whereabouts(&replayer.machine.kernel);
        let tid = TaskId(task);
        // Symbols are read from the files of today, by a machine that is thrown away.
        let mut k = replayer.machine.snapshot();
        let Some(name) = k.tasks.get(tid).map(|task| String::from_utf8_lossy(&task.comm).into_owned()) else {
            places.push("no task ran before".to_owned());
            continue;
        };
        let symbol = place(&mut k, &mut live, tid, rip).map_or(String::new(), |at| format!(" ({at})"));
        places.push(format!("task {task} ({name}) is at {rip:#x}{symbol}"));
    }
    Ok(places)
}

/// Goes on from a snapshot with the live host.
pub(crate) fn restore(path: &Path, at: Option<u64>, engine: EngineArg, stats: Option<&Path>) -> Result<u8> {
    let trace = open(path)?;
    let live = live(path, &trace)?;
    let Some(count) = at.or_else(|| trace.end.as_ref().map(|end| end.retired)) else {
        bail!("{} is a recording without an end; name a count (--at)", path.display());
    };
    let mut replayer = replayer(&trace, engine)?;
    match replayer.seek(count) {
        Replayed::Stopped(Stopped::Budget) => {}
        Replayed::Stopped(Stopped::Exited(_)) => bail!("the program has ended at instruction {count}"),
        Replayed::Diverged(divergence) => bail!("{divergence}"),
        Replayed::Broken(error) => bail!("{}: {error}", path.display()),
        other => bail!("{} does not get to instruction {count}: {other:?}", path.display()),
    }
    let host: Box<dyn Host> = match trace.start.deterministic {
        Some(seed) => Box::new(DeterministicHost::new(live, seed)),
        None => Box::new(live),
    };
    let (mut machine, mut host) = replayer
        .resume(host)
        .map_err(|why| anyhow::anyhow!("cannot go on from {}: {why}", path.display()))?;
    let terminal = Terminal::raw();
    let end = run::to_the_end(&mut machine, |machine| machine.run(&mut host, u64::MAX));
    drop(terminal);
    run::report_parts(&machine, stats, false)?;
    end
}
