//! The command line of strace(1): short options as getopt takes them, long ones, and emu's own long options among them.
//!
//! **Invariant**: a mistake gets strace's own kind of message; what cannot apply here says so.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

mod set;

use clap::CommandFactory;
use emu_syscalls::observe::inject::Rule;
use emu_syscalls::observe::value::{Escapes, FdDetails, Style};
use emu_syscalls::observe::{CallSet, Watch};

use super::long::{LONG, PLAIN, WITH_ARGUMENT};
use crate::args::Cli;

/// A mistake on the command line: what to say, and whether to point to the help.
#[derive(Debug)]
pub(crate) struct Usage {
    pub(crate) message: String,
    pub(crate) hint: bool,
}

/// A mistake with a pointer to the help.
pub(super) fn usage(message: impl Into<String>) -> Usage {
    Usage { message: message.into(), hint: true }
}

/// A mistake without one.
pub(super) fn plain(message: impl Into<String>) -> Usage {
    Usage { message: message.into(), hint: false }
}

/// How absolute times are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Clock {
    /// Not at all.
    #[default]
    None,
    /// `HH:MM:SS`
    Time,
    /// Seconds since 1970.
    Unix,
}

/// Digits behind the point.
pub(crate) type Digits = usize;

/// Columns and orders of the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    TimePercent,
    TotalTime,
    MinTime,
    MaxTime,
    AvgTime,
    Calls,
    Errors,
    Name,
    Nothing,
}

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) follow: bool,
    pub(crate) separate: bool,
    pub(crate) output: Option<OsString>,
    pub(crate) append: bool,
    pub(crate) summary: bool,
    pub(crate) lines: bool,
    pub(crate) sort: Column,
    pub(crate) columns: Vec<Column>,
    pub(crate) wall: bool,
    pub(crate) overhead_ns: u64,
    pub(crate) style: Style,
    pub(crate) calls: CallSet,
    pub(crate) raw: CallSet,
    pub(crate) verbose: CallSet,
    pub(crate) abbrev: CallSet,
    pub(crate) signals: u64,
    /// A task that calls execve(2) is left alone from then on (`-b execve`).
    pub(crate) detach_on_exec: bool,
    pub(crate) statuses: BTreeSet<&'static str>,
    pub(crate) paths: Vec<Vec<u8>>,
    pub(crate) data_read: u64,
    pub(crate) data_written: u64,
    pub(crate) plan: Vec<Rule>,
    pub(crate) quiet_attach: bool,
    pub(crate) quiet_exit: bool,
    pub(crate) clock: Clock,
    pub(crate) clock_digits: Digits,
    pub(crate) relative: Option<Digits>,
    pub(crate) took: Option<Digits>,
    pub(crate) column: usize,
    pub(crate) pointer: bool,
    pub(crate) numbers: bool,
    pub(crate) stack: bool,
    pub(crate) names: bool,
    pub(crate) json: bool,
    /// Arguments of emu's own, with the program behind them.
    pub(crate) run: Vec<OsString>,
    /// Variables taken out of the environment.
    pub(crate) unset: Vec<Vec<u8>>,
    /// Said before the program starts.
    pub(crate) remarks: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            follow: false,
            separate: false,
            output: None,
            append: false,
            summary: false,
            lines: true,
            sort: Column::TotalTime,
            columns: vec![
                Column::TimePercent,
                Column::TotalTime,
                Column::AvgTime,
                Column::Calls,
                Column::Errors,
                Column::Name,
            ],
            wall: false,
            overhead_ns: 0,
            style: Style::default(),
            calls: CallSet::all(),
            raw: CallSet::none(),
            verbose: CallSet::all(),
            abbrev: CallSet::all(),
            signals: u64::MAX,
            detach_on_exec: false,
            statuses: ["successful", "failed", "unfinished", "unavailable", "detached"].into(),
            paths: Vec::new(),
            data_read: 0,
            data_written: 0,
            plan: Vec::new(),
            quiet_attach: false,
            quiet_exit: false,
            clock: Clock::None,
            clock_digits: 0,
            relative: None,
            took: None,
            column: 40,
            pointer: false,
            numbers: false,
            stack: false,
            names: false,
            json: false,
            run: Vec::new(),
            unset: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

/// What was typed, where it matters that it was.
#[derive(Debug, Default)]
struct Seen {
    follow: u32,
    deprecated_follow: bool,
    quiet: u32,
    quiet_set: Option<BTreeSet<&'static str>>,
    hex: u32,
    hex_long: Option<Escapes>,
    times: u32,
    absolute: Option<(Clock, Digits)>,
    paths: u32,
    decode_fds: Option<BTreeSet<&'static str>>,
    summary_only: bool,
    summary_too: bool,
    sorted: bool,
    columns: bool,
    separate: bool,
    status: bool,
    z: u32,
    uppercase_z: u32,
    last_z: char,
    verbose: bool,
    daemonize: u32,
    seccomp: bool,
    traced: bool,
    version: bool,
    user: Option<String>,
}

/// Reads a command line.
pub(crate) fn parse(args: &[OsString]) -> Result<Options, Usage> {
    let mut options = Options::default();
    let mut seen = Seen::default();
    let mut rest = args.iter();
    let mut program: Vec<OsString> = Vec::new();
    while let Some(arg) = rest.next() {
        let text = arg.to_string_lossy().into_owned();
        if text == "--" {
            program.extend(rest.by_ref().cloned());
            break;
        }
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let exact = LONG.iter().any(|(known, ..)| *known == name);
            if !exact && own_option(&mut options, arg, name, value.is_some(), &mut rest)? {
                continue;
            }
            let (name, what, takes) = long_option(name, long)?;
            let value = match (takes, value) {
                (1, None) => Some(
                    rest.next()
                        .map(|next| next.to_string_lossy().into_owned())
                        .ok_or_else(|| usage(format!("option '--{name}' requires an argument")))?,
                ),
                (0, Some(_)) => {
                    return Err(usage(format!("option '--{name}' doesn't allow an argument")));
                }
                (_, value) => value,
            };
            set::long(&mut options, &mut seen, what, name, value)?;
            continue;
        }
        if text.len() < 2 || !text.starts_with('-') {
            program.push(arg.clone());
            program.extend(rest.by_ref().cloned());
            break;
        }
        for (at, letter) in text[1..].char_indices() {
            let typed = format!("-{letter}");
            if PLAIN.contains(letter) {
                set::short(&mut options, &mut seen, letter, &typed, String::new())?;
            } else if WITH_ARGUMENT.contains(letter) {
                let tail = &text[1 + at + letter.len_utf8()..];
                let value = if tail.is_empty() {
                    rest.next()
                        .map(|next| next.to_string_lossy().into_owned())
                        .ok_or_else(|| usage(format!("option requires an argument -- '{letter}'")))?
                } else {
                    tail.to_owned()
                };
                set::short(&mut options, &mut seen, letter, &typed, value)?;
                break;
            } else {
                return Err(usage(format!("invalid option -- '{letter}'")));
            }
        }
    }
    finish(options, &seen, program)
}

/// A long option by its name or the beginning of one, as getopt_long(3) takes it.
fn long_option(name: &str, typed: &str) -> Result<(&'static str, &'static str, u8), Usage> {
    if let Some(known) = LONG.iter().find(|(known, ..)| *known == name) {
        return Ok(*known);
    }
    let found: Vec<_> = LONG.iter().filter(|(known, ..)| known.starts_with(name)).collect();
    match found.as_slice() {
        [] => Err(usage(format!("unrecognized option '--{typed}'"))),
        [first, others @ ..] if others.iter().all(|other| (other.1, other.2) == (first.1, first.2)) => {
            Ok(**first)
        }
        all => {
            let names: Vec<String> = all.iter().map(|(name, ..)| format!(" '--{name}'")).collect();
            Err(usage(format!("option '--{typed}' is ambiguous; possibilities:{}", names.concat())))
        }
    }
}

/// An option of emu's own, passed on.
fn own_option(
    options: &mut Options,
    arg: &OsStr,
    name: &str,
    has_value: bool,
    rest: &mut std::slice::Iter<'_, OsString>,
) -> Result<bool, Usage> {
    let command = Cli::command();
    let Some(known) = command.get_arguments().find(|known| known.get_long() == Some(name)) else {
        return Ok(false);
    };
    options.run.push(arg.to_owned());
    if !has_value && known.get_action().takes_values() {
        let value = rest.next().ok_or_else(|| usage(format!("option '--{name}' requires an argument")))?;
        options.run.push(value.clone());
    }
    Ok(true)
}

fn finish(mut options: Options, seen: &Seen, program: Vec<OsString>) -> Result<Options, Usage> {
    if seen.version {
        return Err(Usage { message: "V".into(), hint: false });
    }
    if program.is_empty() {
        return Err(usage("must have PROG [ARGS] or -p PID"));
    }
    let summary = seen.summary_only || seen.summary_too;
    let separate = seen.follow > 1 || seen.separate;
    let to_file = options.output.is_some();
    conflicts(&options, seen, summary, separate)?;
    remarks(&mut options, seen, summary);
    options.follow = seen.follow > 0 || seen.deprecated_follow;
    options.separate = separate && options.follow && to_file;
    options.summary = summary;
    options.lines = !seen.summary_only;
    options.style.strings = match (seen.hex, seen.hex_long) {
        (_, Some(strings)) => strings,
        (0, None) => options.style.strings,
        (1, None) => Escapes::Hex,
        _ => Escapes::AllHex,
    };
    let decodes = |what: &str| match &seen.decode_fds {
        Some(set) => set.contains(what),
        None => seen.paths > 1,
    };
    options.style.paths = decodes("path") || seen.paths == 1;
    options.style.details =
        FdDetails { sockets: decodes("socket"), devices: decodes("dev"), pidfds: decodes("pidfd") };
    if seen.verbose {
        options.abbrev = CallSet::none();
    }
    match (seen.times, seen.absolute) {
        (_, Some(absolute)) => (options.clock, options.clock_digits) = absolute,
        (0, None) => {}
        (1, None) => (options.clock, options.clock_digits) = (Clock::Time, 0),
        (2, None) => (options.clock, options.clock_digits) = (Clock::Time, 6),
        _ => (options.clock, options.clock_digits) = (Clock::Unix, 6),
    }
    if !seen.status {
        match seen.last_z {
            'z' => options.statuses = ["successful"].into(),
            'Z' => options.statuses = ["failed"].into(),
            _ => {}
        }
    }
    let quiet = |what: &str, from: u32| match &seen.quiet_set {
        Some(set) => set.contains(what),
        None => seen.quiet >= from,
    };
    options.quiet_attach = quiet("attach", 1) || to_file && seen.quiet_set.is_none();
    options.quiet_exit = quiet("exit", 2);
    if let Some(name) = &seen.user {
        options.run.push("--user".into());
        let user = super::user::find(name, &options.run)
            .ok_or_else(|| plain(format!("Cannot find user '{name}'")))?;
        options.run.push(user.into());
    }
    options.run.push("--".into());
    options.run.extend(program);
    Ok(options)
}

/// Options that cannot stand together.
fn conflicts(options: &Options, seen: &Seen, summary: bool, separate: bool) -> Result<(), Usage> {
    let wrong = match () {
        () if seen.summary_only && seen.summary_too => {
            "-c/--summary-only and -C/--summary are mutually exclusive"
        }
        () if separate && summary => {
            "(-c/--summary-only or -C/--summary) and -ff/--output-separately are mutually exclusive"
        }
        () if options.wall && !summary => {
            "-w/--summary-wall-clock must be given with (-c/--summary-only or -C/--summary)"
        }
        () if seen.columns && !summary => {
            "-U/--summary-columns must be given with (-c/--summary-only or -C/--summary)"
        }
        () if separate && options.output.as_ref().is_some_and(|target| is_command(target)) => {
            "piping the output and -ff/--output-separately are mutually exclusive"
        }
        () if seen.daemonize > 3 => {
            return Err(usage(format!(
                "Too many -D's ({}), maximum supported -D count is 3",
                seen.daemonize
            )));
        }
        () => "",
    };
    if !wrong.is_empty() {
        return Err(usage(wrong));
    }
    let twice = match () {
        () if seen.times > 0 && seen.absolute.is_some() => "-t and --absolute-timestamps",
        () if seen.paths > 0 && seen.decode_fds.is_some() => "-y and --decode-fds",
        () if seen.hex > 0 && seen.hex_long.is_some() => "-x and --strings-in-hex",
        () if seen.quiet > 0 && seen.quiet_set.is_some() => "-q and -e quiet/--quiet",
        () => return Ok(()),
    };
    Err(plain(format!("{twice} cannot be provided simultaneously")))
}

/// Whether `-o` names a command.
pub(super) fn is_command(target: &OsStr) -> bool {
    target.to_string_lossy().starts_with(['|', '!'])
}

/// What has no effect is said.
fn remarks(options: &mut Options, seen: &Seen, summary: bool) {
    let mut say = |text: &str| options.remarks.push(text.to_owned());
    if seen.sorted && !summary {
        say("-S/--summary-sort-by has no effect without (-c/--summary-only or -C/--summary)");
    }
    if seen.deprecated_follow {
        say(if seen.follow > 0 {
            "deprecated option -F ignored"
        } else {
            "option -F is deprecated, please use -f/--follow-forks instead"
        });
    }
    if options.append && options.output.is_none() {
        say("-A/--output-append-mode has no effect without -o/--output");
    }
    if seen.separate && options.output.is_none() && seen.follow == 0 {
        say("--output-separately has no effect without -o/--output");
    }
    if seen.seccomp {
        if seen.follow == 0 && !seen.deprecated_follow {
            say("--seccomp-bpf cannot be used without -f/--follow-forks, disabling");
        } else if !seen.traced {
            say(
                "Seccomp filter is requested but there are no syscalls to filter.  See -e trace to filter syscalls.",
            );
        }
    }
    if seen.z > 0 && seen.uppercase_z > 0 {
        say(
            "Only the last of -z/--successful-only/-Z/--failed-only options will take effect. See status qualifier for more complex filters.",
        );
    }
    if seen.daemonize > 0 {
        say("-D/--daemonize has no effect: emu runs the program it traces");
    }
    if seen.summary_only {
        for (on, name) in [
            (options.pointer, "-i/--instruction-pointer"),
            (options.numbers, "-n/--syscall-number"),
            (options.stack, "-k/--stack-traces"),
            (options.relative.is_some(), "-r/--relative-timestamps"),
            (seen.times > 0 || seen.absolute.is_some(), "-t/--absolute-timestamps"),
            (options.took.is_some(), "-T/--syscall-times"),
            (seen.paths > 0 || seen.decode_fds.is_some(), "-y/--decode-fds"),
        ] {
            if on {
                options.remarks.push(format!("{name} has no effect with -c/--summary-only"));
            }
        }
    }
}

/// The watch that the options ask for.
pub(crate) fn watch(options: &Options) -> Watch {
    let mut style = options.style;
    // Paths of `-P` are those of descriptors too.
    style.paths |= !options.paths.is_empty();
    let mut calls = options.calls.clone();
    if options.summary && !options.lines {
        // Counting needs no arguments; the table of calls decides what is counted.
        calls = CallSet::none();
    }
    Watch {
        style,
        calls,
        structures: options.verbose.clone(),
        abbrev: options.abbrev.clone(),
        only: None,
        gate: false,
        stack: options.stack,
        machine: false,
        data_read: options.data_read,
        data_written: options.data_written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Options, Usage> {
        parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_stand_before_the_program() {
        let options = parsed(&["-fyo", "out", "-e", "trace=open", "--root", "/r", "prog", "-c"]).unwrap();
        assert!(options.follow && options.style.paths && !options.summary);
        assert_eq!(options.output.as_deref(), Some(OsStr::new("out")));
        assert_eq!(options.run, ["--root", "/r", "--", "prog", "-c"]);
    }

    #[test]
    fn long_names_may_be_cut_short() {
        assert!(parsed(&["--fo", "x"]).unwrap().follow);
        let wrong = parsed(&["--st", "x"]).unwrap_err().message;
        assert_eq!(
            wrong,
            "option '--st' is ambiguous; possibilities: '--stack-traces' '--string-limit' '--strings-in-hex' '--status'"
        );
    }

    /// Words that options are made of, put together at random: whatever comes out is told, and nothing panics.
    #[test]
    fn no_command_line_panics() {
        const PIECES: [&str; 64] = [
            "-",
            "--",
            "-e",
            "-f",
            "-o",
            "-s",
            "-P",
            "-b",
            "-I",
            "-O",
            "-S",
            "-U",
            "-X",
            "-E",
            "-u",
            "-p",
            "trace",
            "=",
            "inject",
            "fault",
            ":",
            "error",
            "retval",
            "signal",
            "when",
            "delay_enter",
            "if",
            "..",
            "+",
            "!",
            "?",
            "%",
            "/",
            "@",
            ",",
            "|",
            "all",
            "none",
            "write",
            "open",
            "EIO",
            "INT",
            "0",
            "1",
            "65536",
            "-1",
            "0x",
            "1.5",
            "us",
            "ns",
            "é",
            "\u{0}",
            "quiet",
            "status",
            "decode-fds",
            "verbose",
            "--trace",
            "--fo",
            "--s",
            "fd==1",
            "&",
            "<",
            "(",
            " ",
        ];
        let mut random = 1u64;
        let mut below = |n: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap_or(0) % n
        };
        for _ in 0..30_000 {
            let words: Vec<OsString> = (0..1 + below(5))
                .map(|_| (0..1 + below(7)).map(|_| PIECES[below(PIECES.len())]).collect::<String>().into())
                .collect();
            if let Err(Usage { message, .. }) = parse(&words) {
                assert!(message.len() < 2000, "{words:?}");
            }
        }
    }
}
