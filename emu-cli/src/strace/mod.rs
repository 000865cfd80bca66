//! `emu strace`: strace(1) with its own command line, on the machine's events.
//!
//! Neighbours: [`options`] reads the command line, [`tracer`] prints, [`crate::run`] runs the program. What calls and their
//! arguments are comes from the kernel's table ([`emu_syscalls::observe`]).

mod expr;
mod json;
mod long;
mod options;
mod output;
mod summary;
mod tracer;
mod user;
mod zone;

use std::ffi::OsString;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use clap::Parser;
use emu_syscalls::abi::errno::Errno;
use emu_syscalls::machine::Machine;
use emu_syscalls::observe::{Watch, Watcher};
use emu_syscalls::seam::Host;
use emu_syscalls::task::TaskId;
use emu_syscalls::task::pids::FIRST_PID;

use crate::args::Cli;
use crate::run;
use crate::setup::{self, Begun, NotStarted};
use options::{Options, Usage};
use output::Output;

const HELP: &str = include_str!("help.txt");

/// Runs `emu strace` with what was typed behind it.
pub(crate) fn strace(args: &[OsString]) -> Result<u8> {
    match traced(args) {
        Ok(done) => done,
        Err(Usage { message, .. }) if message.is_empty() => {
            crate::report::print(HELP)?;
            Ok(0)
        }
        Err(Usage { message, .. }) if message == "V" => {
            crate::report::print(&format!(
                "strace -- emu {}, with the command line and output of strace 6.1\n",
                env!("CARGO_PKG_VERSION")
            ))?;
            Ok(0)
        }
        Err(Usage { message, hint }) => {
            eprintln!("strace: {message}");
            if hint {
                eprintln!("Try 'emu strace -h' for more information.");
            }
            Ok(1)
        }
    }
}

fn traced(args: &[OsString]) -> Result<Result<u8>, Usage> {
    let options = options::parse(args)?;
    for remark in &options.remarks {
        eprintln!("strace: {remark}");
    }
    let mut typed: Vec<OsString> = vec!["emu".into()];
    typed.extend(options.run.iter().cloned());
    let cli = Cli::try_parse_from(&typed).map_err(|error| {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        options::usage(line)
    })?;
    let mut run_args = cli.run;
    run_args.unset = options.unset.clone();
    let output = Output::new(&options)?;
    let program = typed_program(&run_args.program);
    let mut waiting = Some((options, output));
    let done = run::run_watched(&run_args, |machine, host, begun| {
        if let Some((options, output)) = waiting.take() {
            machine.kernel.observer.plan = Arc::new(options.plan.clone());
            attach(machine, host, begun, options, output);
        }
        Ok(())
    });
    match (done, waiting) {
        (Err(error), Some((options, output))) => match error.downcast_ref::<NotStarted>() {
            Some(why) => not_started(why, &program, options, output).map(Ok),
            None => Ok(Err(error)),
        },
        (done, _) => Ok(done),
    }
}

fn typed_program(words: &[OsString]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_string_lossy().into_owned().into_bytes()).collect()
}

/// A program that could not be started, told as strace tells it.
fn not_started(why: &NotStarted, argv: &[Vec<u8>], options: Options, output: Output) -> Result<u8, Usage> {
    let program = argv.first().map(Vec::as_slice).unwrap_or_default();
    let name = String::from_utf8_lossy(program);
    if why.status() == setup::NOT_FOUND {
        return Err(options::plain(format!("Can't stat '{name}': No such file or directory")));
    }
    let errno = why.errno();
    tracer::Tracer::new(options, output, TaskId(FIRST_PID)).failed(program, argv, errno);
    // What is missing is more than an error number says.
    if errno != Errno::EACCES {
        eprintln!("emu: {why}");
    }
    Ok(EXIT_NOT_STARTED)
}

/// Exit status of strace for a program that cannot be executed.
const EXIT_NOT_STARTED: u8 = 1;

/// Watches a machine whose first program was started.
fn attach(machine: &mut Machine, host: &mut dyn Host, begun: &Begun, options: Options, output: Output) {
    let watch = options::watch(&options);
    let only = (!options.follow).then_some(begun.tid);
    machine.kernel.observer.start(Watch { only, ..watch });
    let mut tracer = tracer::Tracer::new(options, output, begun.tid);
    let at = host.stamp(machine.kernel.retired);
    tracer.started(&begun.program, &begun.argv, &begun.envp, at, &machine.kernel);
    let watcher: Box<dyn Watcher> = Box::new(tracer);
    machine.watcher = Some(watcher);
}

/// Watches a machine that replays a recording, with options of strace in one word.
pub(crate) fn attach_to_replay(
    machine: &mut Machine,
    host: &mut dyn Host,
    begun: &Begun,
    words: &str,
) -> Result<()> {
    let mut typed: Vec<OsString> = words.split_whitespace().map(Into::into).collect();
    typed.push("--".into());
    typed.extend(begun.argv.iter().map(|arg| String::from_utf8_lossy(arg).into_owned().into()));
    let parsed = options::parse(&typed).and_then(|options| {
        let output = Output::new(&options)?;
        Ok((options, output))
    });
    let (options, output) = parsed.map_err(|Usage { message, .. }| anyhow!("--strace: {message}"))?;
    if !options.plan.is_empty() {
        bail!("--strace: a replay cannot be tampered with");
    }
    attach(machine, host, begun, options, output);
    Ok(())
}
