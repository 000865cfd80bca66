//! What each option of strace(1) sets.

use std::collections::BTreeSet;

use emu_syscalls::observe::value::{Escapes, NameStyle};

use super::super::expr::{self, Tokens};
use super::{Clock, Column, Digits, Options, Seen, Usage, plain, usage};

/// A number as strtol(3) takes it in base 10.
fn number(typed: &str, value: &str) -> Result<usize, Usage> {
    let digits = value.trim_start();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    match digits.parse::<u32>() {
        Ok(number) if digits.starts_with(|first: char| first.is_ascii_digit()) => {
            usize::try_from(number).map_err(|_| wrong(typed, value))
        }
        _ => Err(wrong(typed, value)),
    }
}

fn wrong(typed: &str, value: &str) -> Usage {
    usage(format!("invalid {typed} argument: '{value}'"))
}

/// Sets a short option, or a long one that stands for it; `typed` is how it was given.
pub(super) fn short(
    options: &mut Options,
    seen: &mut Seen,
    letter: char,
    typed: &str,
    value: String,
) -> Result<(), Usage> {
    match letter {
        'a' => options.column = number(typed, &value)?,
        'b' => {
            if value != "execve" {
                return Err(plain(format!("Syscall '{value}' for -b isn't supported")));
            }
            options.detach_on_exec = true;
        }
        'c' => seen.summary_only = true,
        'C' => seen.summary_too = true,
        'F' => seen.deprecated_follow = true,
        'd' => options.remarks.push("-d/--debug has no effect: there is no tracer to debug".into()),
        'D' => seen.daemonize += 1,
        'I' => {
            if !["1", "2", "3", "4", "anywhere", "waiting", "never", "never_tstp"].contains(&value.as_str()) {
                return Err(wrong(typed, &value));
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
        'O' => options.overhead_ns = expr::duration_ns(&value).ok_or_else(|| wrong(typed, &value))?,
        'p' => {
            for pid in value.split([',', ' ', '\t', '\n']) {
                if pid.parse::<u32>().ok().filter(|pid| *pid > 0 && *pid <= 0x7fff_ffff).is_none() {
                    return Err(plain(format!("Invalid process id: '{pid}'")));
                }
            }
            return Err(plain(
                "-p/--attach: there is no process to attach to: emu runs the program it traces",
            ));
        }
        'P' => options.paths.push(value.into_bytes()),
        'q' => seen.quiet += 1,
        'r' => options.relative = Some(6),
        's' => {
            let limit = number(typed, &value)?;
            if limit > 0x3fff_ffff {
                return Err(wrong(typed, &value));
            }
            options.style.limit = limit;
        }
        'S' => {
            options.sort = sort(&value)?;
            seen.sorted = true;
        }
        't' => seen.times += 1,
        'T' => options.took = Some(6),
        'u' => seen.user = Some(value),
        'U' => {
            options.columns = columns(&value)?;
            seen.columns = true;
        }
        'v' => seen.verbose = true,
        'V' => seen.version = true,
        'w' => options.wall = true,
        'x' => seen.hex += 1,
        'X' => {
            options.style.names = match value.as_str() {
                "raw" => NameStyle::Raw,
                "abbrev" => NameStyle::Names,
                "verbose" => NameStyle::Both,
                _ => return Err(wrong(typed, &value)),
            }
        }
        'y' => seen.paths += 1,
        'Y' => options.names = true,
        'z' => (seen.z, seen.last_z) = (seen.z + 1, 'z'),
        'Z' => (seen.uppercase_z, seen.last_z) = (seen.uppercase_z + 1, 'Z'),
        _ => return Err(usage(format!("invalid option -- '{letter}'"))),
    }
    Ok(())
}

/// Sets a long option; `what` is what it stands for in the list of long options.
pub(super) fn long(
    options: &mut Options,
    seen: &mut Seen,
    what: &str,
    name: &str,
    value: Option<String>,
) -> Result<(), Usage> {
    let given = value.clone().unwrap_or_default();
    let typed = format!("--{name}");
    match what {
        "D" => match value.as_deref() {
            None | Some("grandchild") => seen.daemonize += 1,
            Some("pgroup" | "pgrp") => seen.daemonize = 2,
            Some("session") => seen.daemonize = 3,
            Some(_) => return Err(wrong(&typed, &given)),
        },
        what if what.len() == 1 => {
            short(options, seen, what.chars().next().unwrap_or('?'), &typed, given)?;
        }
        what if what.starts_with("e ") => expression(options, seen, &format!("{}={given}", &what[2..]))?,
        "separate" => seen.separate = true,
        "quiet" => match value {
            None => seen.quiet += 1,
            Some(set) => expression(options, seen, &format!("quiet={set}"))?,
        },
        "decode-fds" => {
            let set = value.as_deref().unwrap_or("path");
            expression(options, seen, &format!("decode-fds={set}"))?;
        }
        "relative" => options.relative = Some(precision(&typed, value.as_deref().unwrap_or("us"), &given)?),
        "times" => options.took = Some(precision(&typed, value.as_deref().unwrap_or("us"), &given)?),
        "absolute" => {
            let mut clock = (Clock::Time, 0);
            for part in given.split(',').filter(|part| !part.is_empty()) {
                let format = part.strip_prefix("format:");
                let digits = part.strip_prefix("precision:");
                match format.unwrap_or(part) {
                    "none" if digits.is_none() => clock.0 = Clock::None,
                    "time" if digits.is_none() => clock.0 = Clock::Time,
                    "unix" if digits.is_none() => clock.0 = Clock::Unix,
                    _ if format.is_some() => return Err(wrong(&typed, &given)),
                    _ => clock.1 = precision(&typed, digits.unwrap_or(part), &given)?,
                }
            }
            seen.absolute = Some(clock);
        }
        "hex" => {
            seen.hex_long = Some(match value.as_deref() {
                None | Some("all") => Escapes::AllHex,
                Some("non-ascii") => Escapes::Hex,
                Some("non-ascii-chars") => Escapes::HexChars,
                Some("none") => Escapes::Octal,
                Some(_) => return Err(wrong(&typed, &given)),
            });
        }
        // All processes are in one namespace: there is nothing to translate.
        "pidns" => {}
        "json" => options.json = true,
        "seccomp" => seen.seccomp = true,
        "secontext" => {
            return Err(plain(
                "SELinux context printing (--secontext option) is not supported by this build of strace",
            ));
        }
        "tips" => match value.as_deref() {
            Some("none") => {}
            None | Some("full" | "compact" | "random") => {
                options.remarks.push(format!("--{name} has no effect here"));
            }
            Some(id) if id.parse::<u32>().is_ok() => {
                options.remarks.push(format!("--{name} has no effect here"));
            }
            Some(_) => return Err(wrong(&typed, &given)),
        },
        _ => options.remarks.push(format!("--{name} has no effect here")),
    }
    Ok(())
}

fn precision(typed: &str, value: &str, whole: &str) -> Result<Digits, Usage> {
    match value {
        "s" => Ok(0),
        "ms" => Ok(3),
        "us" => Ok(6),
        "ns" => Ok(9),
        _ => Err(wrong(typed, whole)),
    }
}

fn sort(value: &str) -> Result<Column, Usage> {
    match value {
        "nothing" | "none" => Ok(Column::Nothing),
        _ => column(value).ok_or_else(|| usage(format!("invalid sortby: '{value}'"))),
    }
}

fn column(name: &str) -> Option<Column> {
    Some(match name.replace('_', "-").as_str() {
        "time-percent" => Column::TimePercent,
        "time" | "time-total" | "total-time" => Column::TotalTime,
        "min-time" | "time-min" | "shortest" => Column::MinTime,
        "max-time" | "time-max" | "longest" => Column::MaxTime,
        "avg-time" | "time-avg" => Column::AvgTime,
        "calls" | "count" => Column::Calls,
        "errors" | "error" => Column::Errors,
        "name" | "syscall" | "syscall-name" => Column::Name,
        _ => return None,
    })
}

fn columns(value: &str) -> Result<Vec<Column>, Usage> {
    let mut list = Vec::new();
    let mut residual = value;
    while !residual.is_empty() {
        let (name, rest) = residual.split_once(',').unwrap_or((residual, ""));
        let column = match name {
            // As a column, `time` is the part of the whole.
            "time" => Column::TimePercent,
            name => column(name).ok_or_else(|| usage(format!("unknown column name: '{name}'")))?,
        };
        if list.contains(&column) {
            return Err(usage(format!(
                "call summary column has been provided more than once: '{name}' (-U option residual: '{residual}')"
            )));
        }
        list.push(column);
        residual = rest;
    }
    if list.is_empty() {
        return Err(usage(format!("unknown column name: '{value}'")));
    }
    if !list.contains(&Column::Name) {
        list.push(Column::Name);
    }
    Ok(list)
}

const QUIET: &[(&str, &str)] = &[
    ("attach", "attach"),
    ("exit", "exit"),
    ("exits", "exit"),
    ("path-resolution", "path-resolution"),
    ("path-resolve", "path-resolution"),
    ("personality", "personality"),
    ("thread-execve", "thread-execve"),
    ("superseded", "thread-execve"),
];
const FDS: &[(&str, &str)] = &[("path", "path"), ("socket", "socket"), ("dev", "dev"), ("pidfd", "pidfd")];
const PIDS: &[(&str, &str)] = &[("comm", "comm"), ("pidns", "pidns")];
const KVM: &[(&str, &str)] = &[("vcpu", "vcpu")];

/// `-e EXPR`
fn expression(options: &mut Options, seen: &mut Seen, text: &str) -> Result<(), Usage> {
    let (what, set) = match text.split_once('=') {
        Some((what, set)) if is_option(what) => (what, set),
        _ => ("trace", text),
    };
    let named = |what, names| Tokens::new(what, set).names(names);
    match what {
        "trace" | "t" => {
            options.calls = expr::calls(set)?;
            seen.traced = true;
        }
        "abbrev" | "a" => options.abbrev = expr::calls(set)?,
        "verbose" | "v" => options.verbose = expr::calls(set)?,
        "raw" | "x" => options.raw = expr::calls(set)?,
        "signal" | "signals" | "s" => options.signals = expr::signals(set)?,
        "read" | "reads" | "r" => options.data_read = expr::descriptors(set)?,
        "write" | "writes" | "w" => options.data_written = expr::descriptors(set)?,
        "status" => {
            options.statuses = expr::statuses(set)?;
            seen.status = true;
        }
        "inject" | "fault" => {
            let (rule, remark) = expr::inject(set, what == "fault")?;
            options.remarks.extend(remark);
            options.plan.push(rule);
        }
        "quiet" | "silent" | "silence" | "q" => seen.quiet_set = Some(named("quiet", QUIET)?),
        "decode-fds" | "decode-fd" => seen.decode_fds = Some(named("decode-fds", FDS)?),
        "decode-pids" | "decode-pid" => {
            let set: BTreeSet<_> = named("decode-pids", PIDS)?;
            options.names = set.contains("comm");
        }
        // No guest has a virtual processor of a KVM: nothing will be told.
        "kvm" => {
            named("kvm", KVM).map_err(|_| plain(format!("invalid -e kvm= argument: '{set}'")))?;
        }
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
        "decode-pids",
        "decode-pid",
        "kvm",
    ]
    .contains(&name)
}
