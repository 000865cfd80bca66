//! Expressions of `-e`: sets of calls, signals, descriptors and statuses; rules that change calls.

use std::collections::BTreeSet;

use emu_syscalls::abi::errno::Errno;
use emu_syscalls::arg::{ArgKind, Dir, Returns, Rule as By, Shape};
use emu_syscalls::observe::CallSet;
use emu_syscalls::observe::inject::{Compare, Condition, Rule};
use emu_syscalls::table::{Class, ROWS, Row};

use super::options::{Usage, plain};

/// A set of calls: names, numbers, `%class`, `/regex`, with `!` and `?`.
pub(super) fn calls(text: &str) -> Result<CallSet, Usage> {
    let (text, inverted) = match text.strip_prefix('!') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut set = CallSet::none();
    match text {
        "all" => set = CallSet::all(),
        "none" | "" => {}
        _ => {
            for part in text.split(',') {
                one(&mut set, part)?;
            }
        }
    }
    Ok(if inverted { set.inverted() } else { set })
}

fn one(set: &mut CallSet, part: &str) -> Result<(), Usage> {
    let (name, may_miss) = match part.strip_prefix('?') {
        Some(rest) => (rest, true),
        None => (part, false),
    };
    // One personality: `@64` is all there is.
    let (name, other) = match name.rsplit_once('@') {
        Some((name, "64")) => (name, false),
        Some((name, "32" | "x32")) => (name, true),
        _ => (name, false),
    };
    if other {
        return Ok(());
    }
    if let Some(pattern) = name.strip_prefix('/') {
        let regex = regex_lite::Regex::new(pattern)
            .map_err(|_| plain(format!("regcomp: {pattern}: Invalid regular expression")))?;
        let mut found = false;
        for row in ROWS.iter().filter(|row| regex.is_match(row.name)) {
            set.add(u64::from(row.nr));
            found = true;
        }
        return if found || may_miss { Ok(()) } else { Err(plain(format!("invalid system call '{part}'"))) };
    }
    if let Ok(number) = name.parse::<u64>() {
        if emu_syscalls::table::row(number).is_none() && !may_miss {
            return Err(plain(format!("invalid system call '{part}'")));
        }
        set.add(number);
        return Ok(());
    }
    let class = name.strip_prefix('%').or_else(|| {
        // Names that strace takes without the percent sign, from before it had one.
        ["file", "process", "network", "signal", "ipc", "desc", "memory"].contains(&name).then_some(name)
    });
    if let Some(class) = class {
        let mut found = false;
        for row in ROWS.iter().filter(|row| in_class(row, class)) {
            set.add(u64::from(row.nr));
            found = true;
        }
        return if found || may_miss { Ok(()) } else { Err(plain(format!("invalid system call '{part}'"))) };
    }
    if name == "all" {
        *set = CallSet::all();
        return Ok(());
    }
    match ROWS.iter().find(|row| row.name == name) {
        Some(row) => set.add(u64::from(row.nr)),
        None if may_miss => {}
        None => return Err(plain(format!("invalid system call '{part}'"))),
    }
    Ok(())
}

/// Whether a call belongs to a class of strace(1), told by what its arguments are and by the row's class.
pub(super) fn in_class(row: &Row, class: &str) -> bool {
    let name = row.name;
    let has = |test: fn(&ArgKind) -> bool| row.args.iter().any(|arg| test(&arg.kind));
    match class {
        "file" => has(|kind| matches!(kind, ArgKind::Path)) || name == "getcwd",
        "desc" => {
            row.class != Class::Network
                && (has(|kind| matches!(kind, ArgKind::Fd | ArgKind::DirFd))
                    || has(|kind| matches!(kind, ArgKind::Mem(Dir::Out, Shape::Pair)))
                    || has(|kind| matches!(kind, ArgKind::By(By::Poll | By::Select)))
                    || row.returns == Returns::Fd)
        }
        "process" => matches!(
            name,
            "clone"
                | "clone3"
                | "fork"
                | "vfork"
                | "execve"
                | "execveat"
                | "exit"
                | "exit_group"
                | "wait4"
                | "waitid"
                | "kill"
                | "tkill"
                | "tgkill"
                | "rt_sigqueueinfo"
                | "rt_tgsigqueueinfo"
                | "pidfd_send_signal"
        ),
        "network" | "net" => {
            row.class == Class::Network || matches!(name, "getpmsg" | "putpmsg" | "sendfile")
        }
        "signal" => {
            row.class == Class::Signal && name != "restart_syscall"
                || matches!(name, "signalfd" | "signalfd4")
        }
        "memory" => {
            row.class == Class::Memory
                && !name.starts_with("pkey_a")
                && !name.starts_with("pkey_f")
                && !name.starts_with("process_")
                && !matches!(name, "map_shadow_stack")
                || matches!(name, "shmat" | "shmdt" | "io_setup" | "io_destroy")
        }
        "ipc" => row.class == Class::Ipc && !name.starts_with("mq_"),
        "creds" => row.class == Class::Creds || name == "prctl",
        "clock" => matches!(
            name,
            "clock_gettime"
                | "clock_settime"
                | "clock_getres"
                | "clock_adjtime"
                | "adjtimex"
                | "gettimeofday"
                | "settimeofday"
                | "time"
        ),
        "stat" => name == "stat",
        "lstat" => name == "lstat",
        "fstat" => matches!(name, "fstat" | "newfstatat" | "statx"),
        "%stat" => matches!(name, "stat" | "lstat" | "fstat" | "newfstatat" | "statx"),
        "statfs" => name == "statfs",
        "fstatfs" => name == "fstatfs",
        "%statfs" => matches!(name, "statfs" | "fstatfs" | "ustat"),
        "pure" => matches!(
            name,
            "getpid" | "getppid" | "gettid" | "getuid" | "geteuid" | "getgid" | "getegid" | "getpgrp"
        ),
        _ => false,
    }
}

/// A set of signals as bits.
pub(super) fn signals(text: &str) -> Result<u64, Usage> {
    let (text, inverted) = match text.strip_prefix('!') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut bits = 0;
    match text {
        "all" => bits = u64::MAX,
        "none" | "" => {}
        _ => {
            for part in text.split(',') {
                let number = signal(part).ok_or_else(|| plain(format!("invalid signal '{part}'")))?;
                bits |= 1 << (number - 1);
            }
        }
    }
    Ok(if inverted { !bits } else { bits })
}

fn signal(text: &str) -> Option<u8> {
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    let list = emu_syscalls::observe::names::task::SIGNAL.list;
    let number = match list.iter().find(|(_, known)| *known == name) {
        Some((number, _)) => *number,
        None => text.parse().ok()?,
    };
    u8::try_from(number).ok().filter(|number| (1..=64).contains(number))
}

/// A set of descriptors as bits; `all` is all.
pub(super) fn descriptors(text: &str) -> Result<u64, Usage> {
    let (text, inverted) = match text.strip_prefix('!') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut bits = 0u64;
    match text {
        "all" => bits = u64::MAX,
        "none" | "" => {}
        _ => {
            for part in text.split(',') {
                let fd: u32 = part.parse().map_err(|_| plain(format!("invalid descriptor '{part}'")))?;
                bits |= 1u64.checked_shl(fd).unwrap_or(0);
            }
        }
    }
    Ok(if inverted { !bits } else { bits })
}

const STATUSES: [&str; 5] = ["successful", "failed", "unfinished", "unavailable", "detached"];

/// A set of statuses.
pub(super) fn statuses(text: &str) -> Result<BTreeSet<&'static str>, Usage> {
    let (text, inverted) = match text.strip_prefix('!') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let mut set = BTreeSet::new();
    for part in text.split(',') {
        match part {
            "all" => set.extend(STATUSES),
            "none" => {}
            part => {
                let known = STATUSES.iter().find(|known| **known == part);
                set.insert(*known.ok_or_else(|| plain(format!("invalid status '{part}'")))?);
            }
        }
    }
    Ok(if inverted { STATUSES.into_iter().filter(|name| !set.contains(name)).collect() } else { set })
}

/// A number with a unit: microseconds without one.
pub(super) fn duration_ns(text: &str) -> Option<u64> {
    let units = [("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| text.strip_suffix(suffix).map(|digits| (digits, *unit)))
        .unwrap_or((text, 1000));
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn number(text: &str) -> Option<i64> {
    let (text, negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let value = match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?.cast_signed(),
        None if text.len() > 1 && text.starts_with('0') => i64::from_str_radix(text, 8).ok()?,
        None => text.parse::<u64>().ok()?.cast_signed(),
    };
    Some(if negative { value.wrapping_neg() } else { value })
}

/// `FIRST[..LAST][+[STEP]]`
fn when(text: &str) -> Option<(u32, u32, u32)> {
    let (range, step) = match text.split_once('+') {
        Some((range, "")) => (range, Some(1)),
        Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
        None => (text, None),
    };
    let (first, last) = match range.split_once("..") {
        Some((first, last)) => (first.parse::<u32>().ok()?, Some(last.parse::<u32>().ok()?)),
        None => (range.parse::<u32>().ok()?, None),
    };
    if first == 0 || last.is_some_and(|last| last < first) {
        return None;
    }
    let step = match (step, last) {
        (Some(step), _) => step,
        (None, Some(_)) => 1,
        (None, None) => 0,
    };
    Some((first, last.unwrap_or(u32::MAX), step))
}

/// `fd==1`, `count>=4096`, `flags&0x40`
fn condition(text: &str) -> Option<Condition> {
    let operators = [
        ("==", Compare::Eq),
        ("!=", Compare::Ne),
        ("<=", Compare::Le),
        (">=", Compare::Ge),
        ("<", Compare::Lt),
        (">", Compare::Gt),
        ("&", Compare::Bits),
    ];
    let (at, operator, compare) = operators
        .iter()
        .filter_map(|(operator, compare)| text.find(operator).map(|at| (at, *operator, *compare)))
        .min_by_key(|(at, operator, _)| (*at, 2 - operator.len()))?;
    let arg = text[..at].trim().to_owned();
    let value = number(text[at + operator.len()..].trim())?;
    (!arg.is_empty()).then_some(Condition { arg, compare, value })
}

/// `-e inject=SET:..` or `-e fault=SET:..`
pub(super) fn inject(text: &str, fault: bool) -> Result<Rule, Usage> {
    let wrong = || plain(format!("invalid {} argument '{text}'", if fault { "fault" } else { "inject" }));
    let mut parts = text.split(':');
    let set = parts.next().unwrap_or_default();
    let calls = calls(set)?;
    let mut rule = Rule { calls, ..Rule::default() };
    let mut acts = fault;
    if fault {
        rule.result = Some(Err(Errno::ENOSYS));
    }
    for part in parts {
        let (key, value) = part.split_once('=').ok_or_else(wrong)?;
        match key {
            "error" => {
                let errno = (1..4096).map(Errno).find(|errno| errno.name() == Some(value));
                let errno = match errno {
                    Some(errno) => errno,
                    None => Errno(value.parse().ok().filter(|n| (1..4096).contains(n)).ok_or_else(wrong)?),
                };
                rule.result = Some(Err(errno));
                acts = true;
            }
            "retval" if !fault => {
                rule.result = Some(Ok(number(value).ok_or_else(wrong)?.cast_unsigned()));
                acts = true;
            }
            "signal" if !fault => {
                rule.signal = Some(signal(value).ok_or_else(wrong)?);
                acts = true;
            }
            "delay_enter" if !fault => {
                rule.delay_enter_ns = duration_ns(value).ok_or_else(wrong)?;
                acts = true;
            }
            "delay_exit" if !fault => {
                rule.delay_exit_ns = duration_ns(value).ok_or_else(wrong)?;
                acts = true;
            }
            "when" => (rule.first, rule.last, rule.step) = when(value).ok_or_else(wrong)?,
            "if" => {
                let condition = condition(value).ok_or_else(wrong)?;
                let known = ROWS.iter().any(|row| {
                    rule.calls.contains(u64::from(row.nr))
                        && row.args.iter().any(|arg| arg.name == condition.arg)
                });
                if !known {
                    return Err(plain(format!(
                        "invalid inject argument '{text}': no call in it has an argument '{}' (emu syscalls --json names them)",
                        condition.arg
                    )));
                }
                rule.conditions.push(condition);
            }
            "syscall" | "poke_enter" | "poke_exit" => {
                return Err(plain(format!("inject argument '{key}' is not supported by emu")));
            }
            _ => return Err(wrong()),
        }
    }
    if acts { Ok(rule) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invocations_are_counted_as_strace_does() {
        assert_eq!(when("3"), Some((3, u32::MAX, 0)));
        assert_eq!(when("3+"), Some((3, u32::MAX, 1)));
        assert_eq!(when("2..9+3"), Some((2, 9, 3)));
        assert_eq!(when("2..9"), Some((2, 9, 1)));
        assert!(when("0").is_none() && when("x").is_none() && when("3..2").is_none());
    }

    #[test]
    fn rules_take_conditions() {
        let rule = inject("write:error=ENOSPC:when=3+:if=fd==1", false).unwrap();
        assert_eq!(rule.result, Some(Err(Errno::ENOSPC)));
        assert_eq!(rule.conditions, [Condition { arg: "fd".into(), compare: Compare::Eq, value: 1 }]);
        assert!(inject("write", false).is_err());
        assert!(inject("write:error=EFOO", false).is_err());
        assert!(inject("nosuch:error=EIO", false).is_err());
    }

    #[test]
    fn sets_of_calls() {
        let set = calls("open,%signal,/^exit").unwrap();
        assert!(set.contains(2) && set.contains(62) && set.contains(231) && !set.contains(0));
        assert!(!calls("!open").unwrap().contains(2));
        assert!(calls("?nosuch").is_ok() && calls("nosuch").is_err());
    }
}
