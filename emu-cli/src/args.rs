//! What can be typed: the command line as clap knows it. Help, completions and the man page come from here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "emu",
    version,
    about = "Runs x86-64 Linux programs inside a kernel of its own, on any host",
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    override_usage = "emu [OPTIONS] PROGRAM [ARGS]...\n       emu COMMAND",
    after_help = "Options before PROGRAM are emu's; everything after it is the program's.\n\
                  Exit status: the program's; 128+N: signal N killed it; 125: emu failed; 126: not executable; 127: not found."
)]
pub(crate) struct Cli {
    /// A command of emu's own.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// What to run.
    #[command(flatten)]
    pub(crate) run: RunArgs,
}

/// Commands of emu's own.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the table of system calls: number, name, support
    Syscalls {
        /// As JSON, one array
        #[arg(long)]
        json: bool,
    },
    /// Run a program and print its system calls, with strace(1)'s options
    #[command(disable_help_flag = true)]
    Strace {
        /// Options, the program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS PROGRAM ARGS")]
        args: Vec<OsString>,
    },
    /// Run a program and trace calls, exceptions, interrupts and switches
    Trace(crate::trace::TraceArgs),
    /// Run a program and walk one of its system calls through the kernel's gate
    Explain(crate::explain::ExplainArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
    /// Run a program and write down everything that comes from outside of it
    Record {
        /// The recording
        #[arg(short, long, value_name = "TRACE")]
        output: PathBuf,
        /// When the recording cannot be written: stop, or let the program go on
        #[arg(long, value_enum, default_value = "stop", value_name = "WHAT")]
        on_record_error: OnRecordError,
        /// What to run
        #[command(flatten)]
        run: Box<RunArgs>,
    },
    /// Run a recording again; needs nothing but the recording
    Replay(ReplayArgs),
    /// Print what a recording holds
    TraceInfo {
        /// The recording
        trace: PathBuf,
    },
    /// Vary a program's scheduling until it fails; find the fewest switches
    Explore(ExploreArgs),
    /// Save a running program to a file, and go on from there
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
}

/// What to do when a recording cannot be written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OnRecordError {
    /// The guest is ended
    Stop,
    /// The guest goes on, unrecorded
    Continue,
}

/// Replaying.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The recording
    pub(crate) trace: Option<PathBuf>,
    /// Stop there: an instruction count, `exit`, `signal`, or `syscall NAME`
    #[arg(long, value_name = "WHERE", num_args = 1..=2)]
    pub(crate) until: Vec<String>,
    /// Print no output of the program; say at the end whether all went as recorded
    #[arg(long)]
    pub(crate) verify: bool,
    /// Print no output of the program
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print the system calls; OPTIONS are those of `emu strace`, in one word
    #[arg(long, value_name = "OPTIONS", num_args = 0..=1, require_equals = true, default_missing_value = "-f", conflicts_with = "verify")]
    pub(crate) strace: Option<String>,
    /// Which engine executes
    #[arg(long, value_enum, default_value = "interp", hide_possible_values = true, value_name = "NAME")]
    pub(crate) engine: EngineArg,
}

impl ReplayArgs {
    /// The recording, and where to stop: of `--until signal TRACE` the second word is the recording.
    pub(crate) fn words(&self) -> (Option<PathBuf>, &[String]) {
        match (&self.trace, &self.until[..]) {
            (None, [first, trace]) if first != "syscall" => (Some(trace.into()), &self.until[..1]),
            (trace, until) => (trace.clone(), until),
        }
    }
}

/// Exploring.
#[derive(Debug, Args)]
pub(crate) struct ExploreArgs {
    /// Seeds to try
    #[arg(long, value_name = "N", default_value = "1000")]
    pub(crate) runs: u64,
    /// First seed
    #[arg(long, value_name = "SEED", default_value = "1")]
    pub(crate) seed: u64,
    /// Runs at a time (one for each processor)
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Seconds after which a run counts as failed
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    pub(crate) limit: f64,
    /// Where the switches that fail are written
    #[arg(short, long, value_name = "FILE", default_value = "emu.schedule")]
    pub(crate) output: PathBuf,
    /// Options of emu, the program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}

/// Snapshots on disk.
#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Run a program to an instruction count, and save it there
    Save {
        /// Instructions that retire before
        #[arg(long, value_name = "COUNT")]
        at: u64,
        /// The snapshot
        file: PathBuf,
        /// What to run
        #[command(flatten)]
        run: Box<RunArgs>,
    },
    /// Go on from a snapshot, or from some count of a recording
    Restore {
        /// From this count of a recording
        #[arg(long, value_name = "COUNT")]
        at: Option<u64>,
        /// The snapshot
        file: PathBuf,
        /// Which engine executes
        #[arg(long, value_enum, default_value = "interp", hide_possible_values = true, value_name = "NAME")]
        engine: EngineArg,
        /// Write instruction and system-call counts to a file as JSON at the end
        #[arg(long, value_name = "FILE")]
        stats: Option<PathBuf>,
    },
}

/// Which levels of the instruction set CPUID claims.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CpuArg {
    /// Baseline, SSE2
    #[value(name = "x86-64-v1")]
    V1,
    /// To SSE4.2
    #[value(name = "x86-64-v2")]
    V2,
    /// AVX2, FMA, BMI
    #[value(name = "x86-64-v3")]
    V3,
}

/// What network the guest has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NetArg {
    /// `lo` is down, as in a fresh network namespace
    None,
    /// `lo` alone
    Loopback,
    /// The host's; not there yet
    Host,
}

/// Which engine executes instructions.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EngineArg {
    /// Decoded blocks
    Interp,
    /// One instruction at a time; slow, the reference
    Stepper,
}

/// Running a program.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Root file system, a directory or a tar file; writes stay in memory
    #[arg(long, value_name = "DIR|TAR")]
    pub(crate) root: Option<PathBuf>,
    /// Share a path: HOST[:GUEST][:ro|rw|cow]; cow, the default, drops writes
    #[arg(long, value_name = "SPEC")]
    pub(crate) bind: Vec<String>,
    /// Set a variable of the guest; K alone copies the host's
    #[arg(long, value_name = "K[=V]")]
    pub(crate) env: Vec<OsString>,
    /// Variables taken out of the guest's environment (`emu strace -E VAR`)
    #[arg(skip)]
    pub(crate) unset: Vec<Vec<u8>>,
    /// Working directory in the guest
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<OsString>,
    /// User and group numbers in the guest
    #[arg(long, value_name = "UID[:GID]", default_value = "0:0", hide_short_help = true)]
    pub(crate) user: String,
    /// Host name that the guest sees
    #[arg(long, value_name = "NAME", default_value = "emu", hide_short_help = true)]
    pub(crate) hostname: OsString,
    /// Network in the guest: none (lo is down), loopback; host is not there yet
    #[arg(long, value_enum, default_value = "loopback", hide_possible_values = true, value_name = "WHAT")]
    pub(crate) net: NetArg,
    /// What the processor claims to be
    #[arg(long, value_enum, default_value = "x86-64-v3", hide_possible_values = true, value_name = "MODEL")]
    pub(crate) cpu: CpuArg,
    /// Which engine executes
    #[arg(
        long,
        value_enum,
        default_value = "interp",
        hide_possible_values = true,
        value_name = "NAME",
        hide_short_help = true
    )]
    pub(crate) engine: EngineArg,
    /// Bound on guest memory: bytes, or with K, M, G
    #[arg(long, value_name = "SIZE", default_value = "4G")]
    pub(crate) memory: String,
    /// The same run every time; sleeping takes no time
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    pub(crate) deterministic: Option<u64>,
    /// Vary by the seed who runs when and for how long, short reads, EINTR, late timers (implies --deterministic)
    #[arg(long, hide_short_help = true)]
    pub(crate) chaos: bool,
    /// Who runs when, as `emu explore` wrote it (implies --deterministic)
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) schedule: Option<PathBuf>,
    /// Write to a file who ran when
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) schedule_log: Option<PathBuf>,
    /// End the guest after this many seconds (exit status 124)
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<f64>,
    /// Write instruction and system-call counts to a file as JSON at the end
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) stats: Option<PathBuf>,
    /// Print the kernel log to standard error at the end
    #[arg(long)]
    pub(crate) dmesg: bool,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}

impl RunArgs {
    /// The seed of a deterministic run.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.deterministic.or_else(|| (self.chaos || self.schedule.is_some()).then_some(0))
    }
}
