//! Expressions of `-e`: sets of calls, signals, descriptors and statuses; rules that change calls.

use std::collections::BTreeSet;

use emu_syscalls::abi::errno::Errno;
use emu_syscalls::arg::{ArgKind, Dir, Returns, Rule as By, Shape};
use emu_syscalls::observe::CallSet;
use emu_syscalls::observe::inject::{Compare, Condition, Rule};
use emu_syscalls::table::{Class, ROWS, Row};

use super::options::{Usage, plain, usage};

/// A set as strace(1) writes it: `!` in front inverts, `all`, `none`, or members with commas between.
pub(super) struct Tokens<'a> {
    what: &'static str,
    text: &'a str,
    inverted: bool,
    members: &'a str,
}

impl<'a> Tokens<'a> {
    /// `what` is what a mistake is called after.
    pub(super) fn new(what: &'static str, text: &'a str) -> Self {
        let mut members = text;
        let mut inverted = false;
        while let Some(rest) = members.strip_prefix('!') {
            (members, inverted) = (rest, !inverted);
        }
        match members {
            "none" => Tokens { what, text, inverted, members: "" },
            "all" => Tokens { what, text, inverted: !inverted, members: "" },
            _ => Tokens { what, text, inverted, members },
        }
    }

    fn wrong(&self, token: &str) -> Usage {
        plain(format!("invalid {} '{token}'", self.what))
    }

    /// Tells each member to `add`; gives whether the set is what they are not.
    fn each(&self, mut add: impl FnMut(&'a str) -> Result<(), Usage>) -> Result<bool, Usage> {
        let mut tokens = self.members.split(',').filter(|token| !token.is_empty()).peekable();
        let whole = self.text.trim_start_matches('!');
        if tokens.peek().is_none() && !matches!(whole, "all" | "none") {
            return Err(self.wrong(self.text));
        }
        tokens.try_for_each(&mut add)?;
        Ok(self.inverted)
    }

    /// A set of names: each with what it stands for.
    pub(super) fn names(
        &self,
        known: &[(&'static str, &'static str)],
    ) -> Result<BTreeSet<&'static str>, Usage> {
        let mut set = BTreeSet::new();
        let inverted = self.each(|token| {
            let found = known.iter().find(|(name, _)| *name == token).ok_or_else(|| self.wrong(token))?;
            set.insert(found.1);
            Ok(())
        })?;
        let all = known.iter().map(|(_, name)| *name);
        Ok(if inverted { all.filter(|name| !set.contains(name)).collect() } else { set })
    }
}

/// A set of calls: names, numbers, `%class`, `/regex`, with `!` and `?`.
pub(super) fn calls(text: &str) -> Result<CallSet, Usage> {
    let mut set = CallSet::none();
    let tokens = Tokens::new("system call", text);
    let inverted = tokens.each(|part| one(&mut set, part))?;
    Ok(if inverted { set.inverted() } else { set })
}

/// The last number strace 6.1 has a place for: those up to it may have no name.
const LAST_NUMBER: u64 = 547;

fn one(set: &mut CallSet, part: &str) -> Result<(), Usage> {
    let wrong = || Err(plain(format!("invalid system call '{part}'")));
    let may_miss = part.starts_with('?');
    let name = part.trim_start_matches('?');
    if may_miss && name.is_empty() {
        return Ok(());
    }
    // One personality: `@64` is all there is.
    let (name, other) = match name.rsplit_once('@') {
        Some((name, "64")) => (name, false),
        Some((name, "32" | "x32")) => (name, true),
        Some((_, designator)) if !name.starts_with('/') => {
            return Err(usage(format!(
                "incorrect personality designator '{designator}' in qualification '{part}'"
            )));
        }
        _ => (name, false),
    };
    // What is said of another personality must still be a call.
    let mut nowhere = CallSet::none();
    let set = if other { &mut nowhere } else { set };
    if let Some(pattern) = name.strip_prefix('/') {
        let regex = regex_lite::Regex::new(pattern)
            .map_err(|_| plain(format!("regcomp: {pattern}: {}", regcomp(pattern))))?;
        let mut found = false;
        for row in ROWS.iter().filter(|row| regex.is_match(row.name)) {
            set.add(u64::from(row.nr));
            found = true;
        }
        return if found || may_miss { Ok(()) } else { wrong() };
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        return match name.parse::<u64>() {
            Ok(number)
                if emu_syscalls::table::row(number).is_some()
                    || number <= LAST_NUMBER && !(451..512).contains(&number) =>
            {
                set.add(number);
                Ok(())
            }
            _ if may_miss => Ok(()),
            _ => wrong(),
        };
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
        return if found || may_miss { Ok(()) } else { wrong() };
    }
    match ROWS.iter().find(|row| row.name == name) {
        // `all` in a list is a class like others.
        None if name == "all" => *set = CallSet::all(),
        Some(row) => set.add(u64::from(row.nr)),
        None if may_miss => {}
        None => return wrong(),
    }
    Ok(())
}

/// Why regcomp(3) does not take a pattern, for the mistakes it has names for.
fn regcomp(pattern: &str) -> &'static str {
    let open = |left: char, right: char| pattern.matches(left).count() > pattern.matches(right).count();
    if open('[', ']') {
        "Invalid regular expression"
    } else if open('(', ')') {
        "Unmatched ( or \\("
    } else if open('{', '}') {
        "Unmatched \\{"
    } else if pattern.ends_with('\\') {
        "Trailing backslash"
    } else {
        "Invalid preceding regular expression"
    }
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
    let mut bits = 0;
    let tokens = Tokens::new("signal", text);
    let inverted = tokens.each(|token| {
        let number = signal(token).ok_or_else(|| tokens.wrong(token))?;
        if (1..=64).contains(&number) {
            bits |= 1 << (number - 1);
        }
        Ok(())
    })?;
    Ok(if inverted { !bits } else { bits })
}

/// A signal by name or by a number up to 255, most of which are no signal's.
fn signal(text: &str) -> Option<u8> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return text.parse().ok();
    }
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    let list = emu_syscalls::observe::names::task::SIGNAL.list;
    list.iter().find(|(_, known)| *known == name).and_then(|(number, _)| u8::try_from(*number).ok())
}

/// A set of descriptors as bits; `all` is all.
pub(super) fn descriptors(text: &str) -> Result<u64, Usage> {
    let mut bits = 0u64;
    let tokens = Tokens::new("descriptor", text);
    let inverted = tokens.each(|token| {
        let fd = token.parse::<i32>().ok().and_then(|fd| u32::try_from(fd).ok());
        let fd = fd.ok_or_else(|| tokens.wrong(token))?;
        bits |= 1u64.checked_shl(fd).unwrap_or(0);
        Ok(())
    })?;
    Ok(if inverted { !bits } else { bits })
}

const STATUSES: &[(&str, &str)] = &[
    ("successful", "successful"),
    ("failed", "failed"),
    ("unfinished", "unfinished"),
    ("unavailable", "unavailable"),
    ("detached", "detached"),
];

/// A set of statuses.
pub(super) fn statuses(text: &str) -> Result<BTreeSet<&'static str>, Usage> {
    Tokens::new("status", text).names(STATUSES)
}

/// A number with a unit, microseconds without one; it may have a fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
pub(super) fn duration_ns(text: &str) -> Option<u64> {
    let units = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| text.strip_suffix(suffix).map(|digits| (digits, *unit)))
        .unwrap_or((text, 1e3));
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let ns = digits.parse::<f64>().ok()? * unit;
    (ns.is_finite() && ns < 9.2e18).then_some(ns as u64)
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

/// What stands for no last invocation, and the largest number there is for one.
const WHEN_MAX: u32 = 0xffff;

/// A number of invocations, as strtol(3) reads it, and what is behind it.
fn invocations(text: &str, max: u32) -> Option<(u32, &str)> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let number = digits[..end].parse().ok().filter(|number| (1..=max).contains(number))?;
    Some((number, &digits[end..]))
}

/// `FIRST[..LAST][+[STEP]]`
fn when(text: &str) -> Option<(u32, u32, u32)> {
    let (first, mut rest) = invocations(text, WHEN_MAX)?;
    let mut last = None;
    if let Some(behind) = rest.strip_prefix("..") {
        let (number, behind) = invocations(behind, WHEN_MAX - 1)?;
        (last, rest) = (Some(number).filter(|last| *last >= first), behind);
        last?;
    }
    let step = match rest.strip_prefix('+') {
        Some("") => 1,
        Some(step) => match invocations(step, WHEN_MAX)? {
            (step, "") => step,
            _ => return None,
        },
        None if rest.is_empty() => u32::from(last.is_some()),
        None => return None,
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

/// `-e inject=SET:..` or `-e fault=SET:..`, and what is to be said about it.
pub(super) fn inject(text: &str, fault: bool) -> Result<(Rule, Option<String>), Usage> {
    let wrong = || plain(format!("invalid {} argument '{text}'", if fault { "fault" } else { "inject" }));
    let (set, parts) = text.split_once(':').unwrap_or((text, ""));
    let mut rule = Rule { calls: calls(set)?, ..Rule::default() };
    let mut remark = None;
    let mut given = BTreeSet::new();
    for part in parts.split(':').filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(wrong)?;
        // A result can be given once, whatever kind it is.
        let kind = if key == "retval" { "error" } else { key };
        if !given.insert(kind.to_owned()) && !matches!(kind, "when" | "if") {
            return Err(wrong());
        }
        match key {
            "error" => {
                let named = (1..4096)
                    .map(Errno)
                    .find(|errno| errno.name().is_some_and(|name| name.eq_ignore_ascii_case(value)));
                let errno = match named {
                    Some(errno) => errno,
                    None => Errno(value.parse().ok().filter(|n| (1..4096).contains(n)).ok_or_else(wrong)?),
                };
                rule.result = Some(Err(errno));
            }
            "retval" if !fault => {
                let value = number(value).ok_or_else(wrong)?.cast_unsigned();
                remark = inadvertent(value);
                rule.result = Some(Ok(value));
            }
            "signal" if !fault => {
                rule.signal = Some(signal(value).filter(|n| (1..=64).contains(n)).ok_or_else(wrong)?);
            }
            "delay_enter" if !fault => rule.delay_enter_ns = duration_ns(value).ok_or_else(wrong)?,
            "delay_exit" if !fault => rule.delay_exit_ns = duration_ns(value).ok_or_else(wrong)?,
            "when" => (rule.first, rule.last, rule.step) = when(value).ok_or_else(wrong)?,
            "if" => rule.conditions.push(known_condition(text, value, &rule.calls)?),
            // The call that is made in place of one whose result is made up: one that changes nothing.
            "syscall" if ROWS.iter().any(|row| row.name == value && in_class(row, "pure")) => {}
            "poke_enter" | "poke_exit" if !fault && value.starts_with("@arg") => {
                return Err(plain(format!("inject argument '{key}' is not supported by emu")));
            }
            _ => return Err(wrong()),
        }
    }
    if fault && rule.result.is_none() {
        rule.result = Some(Err(Errno::ENOSYS));
    }
    let acts = ["error", "signal", "delay_enter", "delay_exit"];
    if given.contains("syscall") && rule.result.is_none() {
        return Err(wrong());
    }
    if fault || acts.iter().any(|act| given.contains(*act)) { Ok((rule, remark)) } else { Err(wrong()) }
}

/// What strace says of results that a program may take for something else.
fn inadvertent(value: u64) -> Option<String> {
    let errno = value.wrapping_neg();
    if (1..4096).contains(&errno) {
        return Some(format!("Inadvertent injection of error {errno} is possible for retval={value}"));
    }
    let clipped = value & u64::from(u32::MAX);
    (clipped != value)
        .then(|| format!("Injected return value {value} will be clipped to {clipped} in compat personality"))
}

/// A condition on an argument that some call of the set has.
fn known_condition(text: &str, value: &str, calls: &CallSet) -> Result<Condition, Usage> {
    let condition = condition(value).ok_or_else(|| plain(format!("invalid inject argument '{text}'")))?;
    let has = |row: &&Row| row.args.iter().any(|arg| arg.name == condition.arg);
    if ROWS.iter().filter(|row| calls.contains(u64::from(row.nr))).any(|row| has(&row)) {
        return Ok(condition);
    }
    Err(plain(format!(
        "invalid inject argument '{text}': no call in it has an argument '{}' (emu syscalls --json names them)",
        condition.arg
    )))
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
        let (rule, _) = inject("write:error=ENOSPC:when=3+:if=fd==1", false).unwrap();
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
