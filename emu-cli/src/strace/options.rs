//! The command line of strace(1): short options as getopt takes them, long ones, and emu's own long options among them.
//!
//! **Invariant**: a mistake gets strace's own kind of message; what cannot apply here says so.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::CommandFactory;
use emu_syscalls::observe::inject::Rule;
use emu_syscalls::observe::value::{Escapes, NameStyle, Style};
use emu_syscalls::observe::{CallSet, Watch};

use super::expr;
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
    pub(crate) abbrev: CallSet,
    pub(crate) signals: u64,
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
            abbrev: CallSet::all(),
            signals: u64::MAX,
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

#[derive(Default)]
struct Seen {
    follow: u32,
    quiet: u32,
    quiet_set: Option<Vec<String>>,
    hex: u32,
    times: u32,
    paths: u32,
    summary_only: bool,
    summary_too: bool,
    separate: bool,
    trace: bool,
    status: bool,
    z: u32,
    uppercase_z: u32,
    verbose: bool,
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
            if let Some((_, what, takes)) = LONG.iter().find(|(known, ..)| *known == name) {
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
                set_long(&mut options, &mut seen, what, name, value)?;
                continue;
            }
            if own_option(&mut options, arg, name, value.is_some(), &mut rest)? {
                continue;
            }
            return Err(usage(format!("unrecognized option '--{name}'")));
        }
        if text.len() < 2 || !text.starts_with('-') {
            program.push(arg.clone());
            program.extend(rest.by_ref().cloned());
            break;
        }
        for (at, letter) in text[1..].char_indices() {
            if PLAIN.contains(letter) {
                set(&mut options, &mut seen, letter, String::new())?;
            } else if WITH_ARGUMENT.contains(letter) {
                let tail = &text[1 + at + letter.len_utf8()..];
                let value = if tail.is_empty() {
                    rest.next()
                        .map(|next| next.to_string_lossy().into_owned())
                        .ok_or_else(|| usage(format!("option requires an argument -- '{letter}'")))?
                } else {
                    tail.to_owned()
                };
                set(&mut options, &mut seen, letter, value)?;
                break;
            } else {
                return Err(usage(format!("invalid option -- '{letter}'")));
            }
        }
    }
    finish(options, &seen, program)
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
    if program.is_empty() {
        return Err(usage("must have PROG [ARGS] or -p PID"));
    }
    if seen.summary_only && seen.summary_too {
        return Err(usage("-c/--summary-only and -C/--summary are mutually exclusive"));
    }
    options.follow = seen.follow > 0;
    options.separate = (seen.follow > 1 || seen.separate && seen.follow > 0) && options.output.is_some();
    if (seen.follow > 1 || seen.separate) && (seen.summary_only || seen.summary_too) {
        return Err(usage(
            "(-c/--summary-only or -C/--summary) and -ff/--output-separately are mutually exclusive",
        ));
    }
    options.summary = seen.summary_only || seen.summary_too;
    options.lines = !seen.summary_only;
    if options.wall && !options.summary {
        return Err(usage("-w/--summary-wall-clock must be given with (-c/--summary-only or -C/--summary)"));
    }
    options.style.strings = match (seen.hex, options.style.strings) {
        (0, strings) => strings,
        (1, _) => Escapes::Hex,
        _ => Escapes::AllHex,
    };
    options.style.paths = seen.paths > 0;
    options.style.details = seen.paths > 1;
    if seen.verbose {
        options.abbrev = CallSet::none();
    }
    match seen.times {
        0 => {}
        1 => (options.clock, options.clock_digits) = (Clock::Time, 0),
        2 => (options.clock, options.clock_digits) = (Clock::Time, 6),
        _ => (options.clock, options.clock_digits) = (Clock::Unix, 6),
    }
    if seen.z > 0 && !seen.status {
        options.statuses = ["successful"].into();
    }
    if seen.uppercase_z > 0 && !seen.status {
        options.statuses = ["failed"].into();
    }
    let to_file = options.output.is_some();
    options.quiet_attach = seen.quiet > 0 || to_file;
    options.quiet_exit = seen.quiet > 1;
    if let Some(set) = &seen.quiet_set {
        let has = |name: &str| set.iter().any(|one| one == name || one == "all");
        options.quiet_attach = has("attach") || to_file && set.is_empty();
        options.quiet_exit = has("exit") || has("exits");
    }
    if options.summary && !options.lines {
        for (on, name) in [
            (options.pointer, "-i/--instruction-pointer"),
            (options.numbers, "-n/--syscall-number"),
            (options.stack, "-k/--stack-traces"),
            (options.relative.is_some(), "-r/--relative-timestamps"),
            (options.clock != Clock::None, "-t/--absolute-timestamps"),
            (options.took.is_some(), "-T/--syscall-times"),
            (options.style.paths, "-y/--decode-fds"),
        ] {
            if on {
                options.remarks.push(format!("{name} has no effect with -c/--summary-only"));
            }
        }
    }
    let _ = seen.trace;
    options.run.extend(program);
    Ok(options)
}

/// The watch that the options ask for.
pub(crate) fn watch(options: &Options) -> Watch {
    let mut style = options.style;
    style.paths |= !options.paths.is_empty();
    let mut calls = options.calls.clone();
    if options.summary && !options.lines {
        // Counting needs no arguments; the table of calls decides what is counted.
        calls = CallSet::none();
    }
    Watch {
        style,
        calls,
        only: None,
        gate: false,
        stack: options.stack,
        machine: false,
        data_read: options.data_read,
        data_written: options.data_written,
    }
}

fn number(letter: char, value: &str) -> Result<usize, Usage> {
    value.parse().map_err(|_| usage(format!("invalid -{letter} argument: '{value}'")))
}

fn set(options: &mut Options, seen: &mut Seen, letter: char, value: String) -> Result<(), Usage> {
    match letter {
        'a' => options.column = number('a', &value)?,
        'b' => {
            if value != "execve" {
                return Err(usage(format!("Syscall '{value}' for -b isn't supported")));
            }
            return Err(plain("-b/--detach-on: nothing can be detached from: the program runs inside emu"));
        }
        'c' => seen.summary_only = true,
        'C' => seen.summary_too = true,
        'F' => seen.follow += 1,
        'd' => options.remarks.push("-d/--debug has no effect: there is no tracer to debug".into()),
        'D' => options.remarks.push("-D/--daemonize has no effect: emu runs the program it traces".into()),
        'I' => {
            if !matches!(value.as_str(), "1" | "2" | "3" | "4") {
                return Err(usage(format!("invalid -I argument: '{value}'")));
            }
        }
        'e' => expression(options, seen, &value)?,
        'E' => {
            if value.contains('=') {
                options.run.push("--env".into());
                options.run.push(value.into());
            } else {
                options.unset.push(value.into_bytes());
            }
        }
        'f' => seen.follow += 1,
        'h' => return Err(Usage { message: String::new(), hint: false }),
        'i' => options.pointer = true,
        'k' => options.stack = true,
        'n' => options.numbers = true,
        'A' => options.append = true,
        'o' => options.output = Some(value.into()),
        'O' => {
            options.overhead_ns =
                expr::duration_ns(&value).ok_or_else(|| usage(format!("invalid -O argument: '{value}'")))?
        }
        'p' => {
            if value.split([',', ' ', '\t', '\n']).any(|pid| pid.trim().parse::<u32>().is_err()) {
                return Err(plain(format!("Invalid process id: '{value}'")));
            }
            return Err(plain(
                "-p/--attach: there is no process to attach to: emu runs the program it traces",
            ));
        }
        'P' => options.paths.push(value.into_bytes()),
        'q' => seen.quiet += 1,
        'r' => options.relative = Some(6),
        's' => {
            let limit = number('s', &value)?;
            if limit > 0x3fff_ffff {
                return Err(usage(format!("invalid -s argument: '{value}'")));
            }
            options.style.limit = limit;
        }
        'S' => options.sort = sort(&value)?,
        't' => seen.times += 1,
        'T' => options.took = Some(6),
        'u' => {
            options.run.push("--user".into());
            options.run.push(user(&value)?.into());
        }
        'U' => options.columns = columns(&value)?,
        'v' => seen.verbose = true,
        'V' => return Err(Usage { message: "V".into(), hint: false }),
        'w' => options.wall = true,
        'x' => seen.hex += 1,
        'X' => {
            options.style.names = match value.as_str() {
                "raw" => NameStyle::Raw,
                "abbrev" => NameStyle::Names,
                "verbose" => NameStyle::Both,
                _ => return Err(usage(format!("invalid -X argument: '{value}'"))),
            }
        }
        'y' => seen.paths += 1,
        'Y' => options.names = true,
        'z' => seen.z += 1,
        'Z' => seen.uppercase_z += 1,
        _ => return Err(usage(format!("invalid option -- '{letter}'"))),
    }
    Ok(())
}

fn set_long(
    options: &mut Options,
    seen: &mut Seen,
    what: &str,
    name: &str,
    value: Option<String>,
) -> Result<(), Usage> {
    let given = value.clone().unwrap_or_default();
    match what {
        what if what.len() == 1 => set(options, seen, what.chars().next().unwrap_or('?'), given)?,
        what if what.starts_with("e ") => expression(options, seen, &format!("{}={given}", &what[2..]))?,
        "separate" => seen.separate = true,
        "quiet" => match value {
            None => seen.quiet += 1,
            Some(set) => expression(options, seen, &format!("quiet={set}"))?,
        },
        "decode-fds" => match value.as_deref() {
            None | Some("path") => seen.paths = seen.paths.max(1),
            Some("none") => seen.paths = 0,
            Some(_) => seen.paths = 2,
        },
        "decode-pids" => match given.as_str() {
            "comm" => options.names = true,
            "pidns" => {}
            _ => return Err(plain(format!("invalid decode-pids argument: '{given}'"))),
        },
        "relative" => options.relative = Some(precision(name, value.as_deref().unwrap_or("us"))?),
        "times" => options.took = Some(precision(name, value.as_deref().unwrap_or("us"))?),
        "absolute" => {
            options.clock = Clock::Time;
            options.clock_digits = 0;
            for part in given.split(',').filter(|part| !part.is_empty()) {
                let part = part.trim_start_matches("format:").trim_start_matches("precision:");
                match part {
                    "none" => options.clock = Clock::None,
                    "time" => options.clock = Clock::Time,
                    "unix" => options.clock = Clock::Unix,
                    digits => options.clock_digits = precision(name, digits)?,
                }
            }
        }
        "hex" => match value.as_deref() {
            None | Some("all") => seen.hex = 2,
            Some("non-ascii") => seen.hex = 1,
            Some("non-ascii-chars") => options.style.strings = Escapes::HexChars,
            Some("none") => seen.hex = 0,
            Some(_) => return Err(usage(format!("invalid --strings-in-hex argument: '{given}'"))),
        },
        "json" => options.json = true,
        _ => options.remarks.push(format!("--{name} has no effect here")),
    }
    Ok(())
}

fn precision(name: &str, value: &str) -> Result<Digits, Usage> {
    match value {
        "s" => Ok(0),
        "ms" => Ok(3),
        "us" => Ok(6),
        "ns" => Ok(9),
        _ => Err(usage(format!("invalid --{name} argument: '{value}'"))),
    }
}

fn sort(value: &str) -> Result<Column, Usage> {
    Ok(match value {
        "time" | "time-total" | "total-time" | "time-percent" => Column::TotalTime,
        "min-time" | "shortest" | "time-min" => Column::MinTime,
        "max-time" | "longest" | "time-max" => Column::MaxTime,
        "avg-time" | "time-avg" => Column::AvgTime,
        "calls" | "count" => Column::Calls,
        "errors" | "error" => Column::Errors,
        "name" | "syscall" | "syscall-name" => Column::Name,
        "nothing" | "none" => Column::Nothing,
        _ => return Err(usage(format!("invalid sortby: '{value}'"))),
    })
}

fn columns(value: &str) -> Result<Vec<Column>, Usage> {
    let mut list = Vec::new();
    for name in value.split(',') {
        let column = match name {
            "time-percent" | "time_percent" | "time" => Column::TimePercent,
            "total-time" | "time-total" | "total_time" => Column::TotalTime,
            "min-time" | "shortest" => Column::MinTime,
            "max-time" | "longest" => Column::MaxTime,
            "avg-time" | "time-avg" => Column::AvgTime,
            "calls" | "count" => Column::Calls,
            "errors" | "error" => Column::Errors,
            "name" | "syscall" | "syscall-name" => Column::Name,
            _ => return Err(usage(format!("unknown column name: '{name}'"))),
        };
        if list.contains(&column) {
            return Err(usage(format!("call summary column has been provided more than once: '{name}'")));
        }
        list.push(column);
    }
    if !list.contains(&Column::Name) {
        list.push(Column::Name);
    }
    Ok(list)
}

/// A user by number, or one of the names every system has.
fn user(value: &str) -> Result<String, Usage> {
    if value.split(':').all(|part| part.parse::<u32>().is_ok()) {
        return Ok(value.to_owned());
    }
    match value {
        "root" => Ok("0:0".into()),
        "nobody" => Ok("65534:65534".into()),
        _ => Err(plain(format!("Cannot find user '{value}'"))),
    }
}

/// `-e EXPR`
fn expression(options: &mut Options, seen: &mut Seen, text: &str) -> Result<(), Usage> {
    let (what, set) = match text.split_once('=') {
        Some((what, set)) if is_option(what) => (what, set),
        _ => ("trace", text),
    };
    match what {
        "trace" | "t" => {
            options.calls = expr::calls(set)?;
            seen.trace = true;
        }
        "abbrev" | "a" => options.abbrev = expr::calls(set)?,
        "verbose" | "v" => {
            let verbose = expr::calls(set)?;
            options.raw = verbose.inverted();
        }
        "raw" | "x" => options.raw = expr::calls(set)?,
        "signal" | "signals" | "s" => options.signals = expr::signals(set)?,
        "read" | "reads" | "r" => options.data_read = expr::descriptors(set)?,
        "write" | "writes" | "w" => options.data_written = expr::descriptors(set)?,
        "status" => {
            options.statuses = expr::statuses(set)?;
            seen.status = true;
        }
        "inject" => options.plan.push(expr::inject(set, false)?),
        "fault" => options.plan.push(expr::inject(set, true)?),
        "quiet" | "silent" | "silence" | "q" => {
            let names: Vec<String> = set.split(',').map(str::to_owned).collect();
            for name in &names {
                let known = [
                    "attach",
                    "exit",
                    "exits",
                    "path-resolution",
                    "path-resolve",
                    "personality",
                    "thread-execve",
                    "superseded",
                    "all",
                    "none",
                ];
                if !known.contains(&name.trim_start_matches('!')) {
                    return Err(plain(format!("invalid quiet '{name}'")));
                }
            }
            seen.quiet_set = Some(names);
        }
        "decode-fds" | "decode-fd" => {
            seen.paths = match set {
                "none" => 0,
                "path" => 1,
                _ => 2,
            };
        }
        "kvm" => return Err(plain("-e kvm: there is no virtual processor of the host's to tell of")),
        _ => return Err(plain(format!("invalid -e argument: '{text}'"))),
    }
    Ok(())
}

fn is_option(name: &str) -> bool {
    [
        "trace",
        "t",
        "abbrev",
        "a",
        "verbose",
        "v",
        "raw",
        "x",
        "signal",
        "signals",
        "s",
        "read",
        "reads",
        "r",
        "write",
        "writes",
        "w",
        "status",
        "inject",
        "fault",
        "quiet",
        "silent",
        "silence",
        "q",
        "decode-fds",
        "decode-fd",
        "kvm",
    ]
    .contains(&name)
}
