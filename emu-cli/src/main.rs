//! The `emu` command: what was typed, what it means, a machine.

mod args;
mod explain;
mod explore;
mod live;
mod record;
mod replay;
mod report;
mod run;
mod setup;
mod strace;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

/// Exit status for emu's own failure.
const EXIT_FAILURE: u8 = 125;

fn main() -> ExitCode {
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_FAILURE) } else { ExitCode::SUCCESS };
        }
    };
    let done = match cli.command {
        Some(args::Command::Syscalls { json }) => report::syscalls(json),
        Some(args::Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut args::Cli::command(), "emu", &mut std::io::stdout());
            Ok(0)
        }
        Some(args::Command::Strace { args }) => strace::strace(&args),
        Some(args::Command::Trace(args)) => trace::trace(&args),
        Some(args::Command::Explain(args)) => explain::explain(&args),
        Some(args::Command::Man) => report::man(),
        Some(args::Command::Record { output, on_record_error, run }) => {
            record::record(&output, on_record_error, &run)
        }
        Some(args::Command::Replay(args)) => replay::replay(&args),
        Some(args::Command::Explore(args)) => explore::explore(&args),
        Some(args::Command::TraceInfo { trace }) => replay::info(&trace),
        Some(args::Command::Snapshot(args::SnapshotCommand::Save { at, file, run })) => {
            record::save(&file, at, &run)
        }
        Some(args::Command::Snapshot(args::SnapshotCommand::Restore { at, file, engine, stats })) => {
            replay::restore(&file, at, engine, stats.as_deref())
        }
        None => run::run(&cli.run),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("emu: {error:#}");
            ExitCode::from(
                error.downcast_ref::<setup::NotStarted>().map_or(EXIT_FAILURE, setup::NotStarted::status),
            )
        }
    }
}
