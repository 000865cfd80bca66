//! Running a program: options become a machine, the machine runs, its end becomes our exit status.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use emu_core::engine::{Engine, interp::Interp, stepper::Stepper};
use emu_syscalls::machine::{Machine, Stopped};
use emu_syscalls::seam::Host;
use emu_syscalls::table::ROWS;

use crate::args::{EngineArg, RunArgs};
use crate::live::Terminal;
use crate::setup::{self, Begun};

/// Exit status when `--timeout` ends the guest (as timeout(1)).
const EXIT_TIMEOUT: i32 = 124;

/// Runs a program to its end and gives its exit status.
pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    run_watched(args, |_, _, _| Ok(()))
}

/// As [`run`]; `begin` may set up who watches before the first instruction.
pub(crate) fn run_watched(
    args: &RunArgs,
    begin: impl FnOnce(&mut Machine, &mut dyn Host, &Begun) -> Result<()>,
) -> Result<u8> {
    let (plan, live) = setup::plan(args)?;
    let mut host = setup::host(args, live);
    let (mut machine, begun) = plan.build(&mut *host, engine(args.engine))?;
    begin(&mut machine, &mut *host, &begun)?;
    if let Some(seconds) = args.timeout {
        end_after(seconds)?;
    }
    let terminal = Terminal::raw();
    let end = to_the_end(&mut machine, |machine| machine.run(&mut *host, u64::MAX));
    drop(terminal);
    if let Some(mut watcher) = machine.watcher.take() {
        watcher.finish(&machine.kernel);
    }
    report(&machine, args)?;
    // The process ends now, and the host takes its memory back at once: nothing of it needs to be freed piece by piece.
    std::mem::forget(machine);
    end
}

pub(crate) fn engine(which: EngineArg) -> Box<dyn Engine> {
    match which {
        EngineArg::Interp => Box::new(Interp::new()),
        EngineArg::Stepper => Box::new(Stepper::new()),
    }
}

/// Runs a machine to its end, telling what is to be told on the way.
pub(crate) fn to_the_end(machine: &mut Machine, mut run: impl FnMut(&mut Machine) -> Stopped) -> Result<u8> {
    loop {
        match run(machine) {
            Stopped::Exited(status) => {
                tell_gaps(machine);
                if let Some(death) = machine.kernel.death.as_deref() {
                    say(death);
                }
                return Ok(exit_status(status));
            }
            Stopped::Report => tell_gaps(machine),
            Stopped::Budget => bail!("the instruction count overflowed"),
            Stopped::HostGone => bail!("the host can answer no more"),
            Stopped::Deadlock(tasks) => {
                tell_gaps(machine);
                say("every task waits for something that can never happen:");
                for line in tasks {
                    say(&format!("  {line}"));
                }
                bail!("the guest is deadlocked");
            }
        }
    }
}

pub(crate) fn tell_gaps(machine: &mut Machine) {
    for gap in std::mem::take(&mut machine.kernel.gaps_new) {
        say(&format!("not supported: {}, {}", gap.what, gap.at));
    }
}

/// One line of ours on standard error; the terminal may be in raw mode.
pub(crate) fn say(line: &str) {
    let end = if Terminal::is_raw() { "\r\n" } else { "\n" };
    let _ = write!(std::io::stderr(), "emu: {line}{end}");
}

/// A wait status as a shell's exit status.
pub(crate) fn exit_status(status: u32) -> u8 {
    let signal = status & 0x7f;
    let code = if signal == 0 { (status >> 8) & 0xff } else { 128 + signal };
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// What is told at the end: dropped writes, statistics, the kernel log.
pub(crate) fn report(machine: &Machine, args: &RunArgs) -> Result<()> {
    if let (Some(path), Some(chaos)) = (&args.schedule_log, &machine.kernel.sched.chaos) {
        crate::explore::write_schedule(path, chaos.made.iter().copied())?;
    }
    report_parts(machine, args.stats.as_deref(), args.dmesg)
}

/// As [`report`], with the options by themselves.
#[expect(clippy::disallowed_methods, reason = "the command line's layer: --stats names a file of the host")]
pub(crate) fn report_parts(machine: &Machine, stats: Option<&Path>, dmesg: bool) -> Result<()> {
    let k = &machine.kernel;
    let dropped = k.vfs.dropped_changes();
    if dropped.count > 0 {
        let files = if dropped.count == 1 { "1 file".to_owned() } else { format!("{} files", dropped.count) };
        say(&format!("writes to {files} stayed in memory and are dropped; --bind DIR:rw keeps them"));
    }
    if let Some(path) = stats {
        let counts: serde_json::Map<String, serde_json::Value> = ROWS
            .iter()
            .filter_map(|row| {
                let count = k.syscall_counts.get(usize::try_from(row.nr).ok()?).copied()?;
                (count > 0).then(|| (row.name.to_owned(), count.into()))
            })
            .collect();
        let text = serde_json::json!({
            "instructions": k.retired, "memory": k.mem.used(), "digest": format!("{:032x}", k.digest()),
            "syscalls": counts,
        });
        std::fs::write(path, format!("{text}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if dmesg {
        let mut stderr = std::io::stderr().lock();
        for record in k.log.records() {
            let _ = write!(stderr, "[{:5}.{:06}] ", record.at_us / 1_000_000, record.at_us % 1_000_000);
            let _ = stderr.write_all(&record.text);
            let _ = stderr.write_all(b"\n");
        }
    }
    Ok(())
}

/// Ends emu from another thread when the time is up, whatever the guest does.
pub(crate) fn end_after(seconds: f64) -> Result<()> {
    let limit = Duration::try_from_secs_f64(seconds).context("--timeout takes a number of seconds")?;
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        Terminal::restore();
        eprintln!("emu: ended after {seconds} s (--timeout)");
        std::process::exit(EXIT_TIMEOUT);
    });
    Ok(())
}
