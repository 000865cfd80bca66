//! The `emu` command: what was typed, what it means, a machine.

mod args;
mod explain;
mod live;
mod report;
mod run;
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
        None => run::run(&cli.run),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("emu: {error:#}");
            ExitCode::from(
                error.downcast_ref::<run::NotStarted>().map_or(EXIT_FAILURE, run::NotStarted::status),
            )
        }
    }
}
