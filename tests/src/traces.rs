//! Traces of strace, ours and theirs, made comparable.
//!
//! What depends on the machine is normalised, and nothing else: addresses, process numbers, times, inode and device numbers,
//! sizes of random choices. Tasks run in another order on another machine, so lines are compared task by task, with
//! `<unfinished ...>` and `<... resumed>` put together. When a child ends is up to the scheduler: see [`set_aside`].
use std::collections::BTreeMap;

use regex_lite::{Captures, Regex};

/// What depends on the machine, as patterns, and what stands for it.
struct Normal {
    rules: Vec<(Regex, &'static str)>,
    /// Where process numbers stand.
    pids: Vec<Regex>,
}

impl Normal {
    fn new() -> Self {
        let rule = |pattern: &str, with: &'static str| (Regex::new(pattern).expect("a pattern"), with);
        let rules = vec![
            // Addresses; short numbers in hexadecimal are flags and offsets, which are the same everywhere.
            rule(r"\b0x[0-9a-f]{5,}\b", "ADDR"),
            // Inode and device numbers, sizes of file systems and of memory, load.
            rule(r"\b(st_ino|stx_ino|d_ino|d_off|st_blocks)=\d+", "$1=N"),
            rule(r"\b(f_bsize|f_blocks|f_bfree|f_bavail|f_files|f_ffree)=\d+", "$1=N"),
            rule(r"\b(uptime|totalram|freeram|sharedram|bufferram|procs)=\d+", "$1=N"),
            rule(r"loads=\[[^]]*\]", "loads=[N]"),
            rule(r"st_dev=makedev\([^)]*\)", "st_dev=N"),
            rule(r"(RLIMIT_NPROC, NULL, )\{.*\}", "$1{N}"),
            // A directory's size is its file system's choice, a number of IPC the kernel's.
            rule(r"(S_IFDIR\|\d+, st_size=)\d+", "${1}N"),
            rule(r"^((?:msg|sem|shm)get\(.*) = \d+$", "$1 = N"),
            rule(r"^((?:msg|sem|shm)(?:snd|rcv|ctl|op|timedop|at)\()\d+", "${1}N"),
            // Times and dates.
            rule(r"\b(tv_sec|tv_nsec|tv_usec|st_[amc]time|st_[amc]time_nsec)=\d+( /\* \S+ \*/)?", "$1=N"),
            rule(r"\b(si_utime|si_stime|tms_[a-z]+)=\d+( /\* \S+ s \*/)?", "$1=N"),
            // Random bytes, names of the machine, ports, numbers of pipes and sockets.
            rule(r#"getrandom\("[^"]*"(\.\.\.)?"#, "getrandom(R"),
            rule(r#"nodename="[^"]*""#, "nodename=N"),
            // Its processors, its kinds of file systems, its limits.
            rule(r"^(sched_getaffinity\(.*, )\[[0-9 ]*\]\) += \d+", "${1}[N]) = N"),
            rule(r#"^(read\(\d+, "nodev\\t).*"#, "${1}"),
            rule(r"(RLIMIT_NOFILE, NULL, )\{.*\}", "${1}{N}"),
            rule(r"/tmp/cc[A-Za-z0-9]{6}", "/tmp/ccR"),
            // With -v, the environment in the order in which it was made.
            rule(r"^(execve\(.*\], )\[.*\]\)", "${1}ENV)"),
            rule(r"htons\([1-9]\d*\)", "htons(N)"),
            rule(r"((?:TCP|UDP)(?:v6)?:\[)\d+\]", "${1}N]"),
            rule(r"(127\.0\.0\.1|\[::1\]):\d+", "$1:N"),
            rule(r"(pipe:\[|socket:\[|UNIX[-A-Z]*:\[|->)\d+", "${1}N"),
            rule(r"^getppid\(\)( +)= \d+", "getppid() = N"),
        ];
        let pids = [
            r"(si_pid=|\{pid=|parent_tid=\[|l_pid=|sigev_notify_thread_id=|F_SETOWN, |TIOC[SG]PGRP, \[)(\d+)",
            r"^((?:kcmp|prlimit64|setpriority|getpriority|process_vm_readv|process_vm_writev)\((?:PRIO_PROCESS, )?)(\d+)",
            r"^(kcmp\(\w+, )(\d+)",
            r"^((?:kill|tkill|wait4|getpgid|getsid|rt_sigqueueinfo|pidfd_open)\()(\d+)",
            r"^((?:tgkill|setpgid|rt_tgsigqueueinfo)\()(\d+)",
            r"^((?:tgkill|setpgid|rt_tgsigqueueinfo)\(\w+, )(\d+)",
            r"^((?:getpid|gettid|getpgrp|setsid|getpgid|getsid|set_tid_address|clone|clone3|fork|vfork|wait4)\(.*= )(\d+)$",
            r"^(\[ *\d+\] set_tid_address\(.*= )(\d+)",
            r"^(set_tid_address\(.*= )(\d+) \(DELAYED\)",
            r"^(rt_sigreturn\(.*= )(\d+)$",
            r"^(futex\(ADDR, FUTEX_WAIT_BITSET[A-Z_|]*, )(\d+)",
        ];
        let pids = pids.iter().map(|pattern| Regex::new(pattern).expect("a pattern")).collect();
        Normal { rules, pids }
    }

    /// One line with what depends on the machine taken out.
    fn line(&self, line: &str, names: &BTreeMap<String, String>) -> String {
        let mut line = line.to_owned();
        for (pattern, with) in &self.rules {
            line = pattern.replace_all(&line, *with).into_owned();
        }
        for pattern in &self.pids {
            line = pattern
                .replace_all(&line, |found: &Captures<'_>| {
                    let number = &found[2];
                    let other =
                        if number.len() > 1 || number == "2" || number == "3" { "PID" } else { number };
                    format!("{}{}", &found[1], names.get(number).map_or(other, String::as_str))
                })
                .into_owned();
        }
        // Columns depend on the width of what was replaced.
        let parts: Vec<&str> = line.trim_end().split(" = ").map(str::trim_end).collect();
        parts.join(" = ")
    }
}

/// One line with its task: `-f -o` puts the number first.
fn split(line: &str, follow: bool) -> (&str, &str) {
    match follow.then(|| line.split_once(' ')).flatten() {
        Some((pid, text)) if pid.bytes().all(|b| b.is_ascii_digit()) => (pid, text.trim_start()),
        _ => ("", line.trim_start()),
    }
}

/// The lines of a trace by task, in the order in which tasks were made. Parts of a call are put together.
#[must_use]
pub fn by_task(trace: &str, follow: bool) -> Vec<Vec<String>> {
    let mut seen: Vec<String> = Vec::new();
    let mut tasks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut pending: BTreeMap<String, String> = BTreeMap::new();
    let mut forms: BTreeMap<(String, String), u32> = BTreeMap::new();
    let time =
        Regex::new(r"^(\d\d:\d\d:\d\d(?:\.\d+)?|\d{10}(?:\.\d+)?|\d+\.\d{3,9}) +(.*)$").expect("a pattern");
    let took = Regex::new(r" <\d+(?:\.(\d+))?>$").expect("a pattern");
    for line in trace.lines() {
        let (pid, text) = split(line, follow);
        // Of the times of lines only the form is compared.
        let mut text = text.to_owned();
        let mut times = String::new();
        if let Some(found) = time.captures(&text) {
            times = found[1].replace(|c: char| c.is_ascii_digit(), "d");
            text = found[2].to_owned();
            if times.contains("d.") && !times.contains(':') && times.len() < 17 {
                times = times.trim_start_matches('d').to_owned();
            }
        }
        if let Some(found) = took.captures(&text) {
            times = format!("{times} <.{}>", "d".repeat(found.get(1).map_or(0, |part| part.len())));
            let whole = found.get(0).map_or(0, |all| all.start());
            text.truncate(whole);
        }
        if !seen.iter().any(|known| known == pid) {
            seen.push(pid.to_owned());
        }
        let lines = tasks.entry(pid.to_owned()).or_default();
        if let Some(head) = text.strip_suffix(" <unfinished ...>") {
            pending.insert(pid.to_owned(), head.to_owned());
            continue;
        }
        if let Some(rest) = text.strip_prefix("<... ") {
            let tail = rest.split_once(" resumed>").map_or("", |(_, tail)| tail);
            let head = pending.remove(pid).unwrap_or_default();
            text = format!("{head}{tail}");
        }
        // The host's vDSO answers these without a call.
        if ["time(", "gettimeofday(", "clock_gettime("].iter().any(|call| text.starts_with(call)) {
            continue;
        }
        lines.push(text);
        if !times.is_empty() {
            *forms.entry((pid.to_owned(), times)).or_default() += 1;
        }
    }
    for lines in tasks.values_mut() {
        take_out_memory_of_loader(lines);
    }
    // A task that is killed in a call leaves its first half.
    for (pid, head) in pending {
        let lines = tasks.entry(pid).or_default();
        let at = lines.iter().position(|line| line.starts_with("+++")).unwrap_or(lines.len());
        lines.insert(at, format!("{head} <unfinished ...>"));
    }
    let order = by_birth(&seen, &tasks);
    let names: BTreeMap<String, String> =
        order.iter().enumerate().map(|(n, pid)| (pid.clone(), format!("PID{n}"))).collect();
    let normal = Normal::new();
    let mut lines = |pid: &String| tasks.remove(pid).unwrap_or_default();
    order
        .iter()
        .map(|pid| {
            let mut told = set_aside(lines(pid).iter().map(|line| normal.line(line, &names)).collect());
            let mine = forms.iter().filter(|((of, _), _)| of == pid);
            told.extend(mine.map(|((_, form), count)| format!("{count} lines with times {form}")));
            told
        })
        .collect()
}

/// The loader describes the host's vDSO in memory of its own, so it asks for more of it at another moment.
fn take_out_memory_of_loader(lines: &mut Vec<String>) {
    const MORE: &str = ", PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)";
    let mut loading = false;
    lines.retain(|line| {
        if line.starts_with("execve(") {
            loading = true;
        } else if line.starts_with("set_tid_address(") {
            loading = false;
        }
        !(loading && line.starts_with("mmap(NULL, ") && line.contains(MORE))
    });
}

/// Tasks as their makers made them, not as they first ran.
fn by_birth(seen: &[String], tasks: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut order: Vec<String> = seen.iter().take(1).cloned().collect();
    let mut next = 0;
    while let Some(pid) = order.get(next).cloned() {
        next += 1;
        for line in tasks.get(&pid).into_iter().flatten() {
            let makes = ["clone(", "clone3(", "fork(", "vfork("].iter().any(|call| line.starts_with(call));
            let Some((_, child)) = line.rsplit_once("= ").filter(|_| makes) else { continue };
            if tasks.contains_key(child) && !order.iter().any(|known| known == child) {
                order.push(child.to_owned());
            }
        }
    }
    order.extend(seen.iter().filter(|pid| !order.contains(pid)).cloned().collect::<Vec<_>>());
    order
}

/// When a child ends is up to the scheduler, so its SIGCHLD may come behind any call of the parent after the one that made
/// the child, and no later than right behind the `wait` that tells of it. What belongs to that signal is taken out and put
/// last: its line, the handler's calls up to `rt_sigreturn`, and the call it interrupted, which is there again behind it.
///
/// A signal at a place where Linux never delivers it stays where it is, and so makes a difference.
fn set_aside(lines: Vec<String>) -> Vec<String> {
    let ended = Regex::new(r"^--- SIGCHLD \{.*si_code=CLD_(?:EXITED|KILLED|DUMPED), si_pid=(PID\d*)")
        .expect("a pattern");
    let own_action = lines.iter().position(|line| line.starts_with("rt_sigaction(SIGCHLD, {"));
    // A child has the handlers of its maker.
    let mut handled =
        lines[..own_action.unwrap_or(lines.len())].iter().any(|line| line.starts_with("rt_sigreturn("));
    let (mut kept, mut aside): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut reaped: Option<String> = None;
    let mut blocked = false;
    let mut at = 0;
    while at < lines.len() {
        let line = &lines[at];
        at += 1;
        if line.starts_with("rt_sigaction(SIGCHLD, {") {
            handled = line.contains("sa_handler=ADDR");
        }
        if line.starts_with("rt_sigprocmask(") {
            blocked = true;
        }
        let Some(found) = ended.captures(line) else {
            if line.starts_with("wait4(")
                && let Some((_, pid)) = line.rsplit_once("= PID")
            {
                reaped = (!blocked).then(|| format!("PID{pid}"));
            }
            kept.push(line.clone());
            continue;
        };
        let child = &found[1];
        let born = kept.iter().any(|line| {
            line.strip_suffix(child).is_some_and(|call| {
                ["clone", "fork", "vfork"].iter().any(|name| call.starts_with(name)) && call.ends_with("= ")
            })
        });
        let right_behind = kept.last().is_some_and(|line| line.starts_with("wait"));
        let late = reaped.as_deref() == Some(child) && !right_behind;
        if !born || late {
            kept.push(format!("{line} (at a place of its own)"));
            continue;
        }
        if kept.last().is_some_and(|line| line.contains("= ? ERESTART")) {
            kept.pop();
        }
        aside.push(line.clone());
        if handled && lines[at..].iter().any(|line| line.starts_with("rt_sigreturn(")) {
            while let Some(line) = lines.get(at) {
                at += 1;
                // What it gives back is the result of the call it came behind.
                let (call, _) = line.rsplit_once(" = ").unwrap_or((line, ""));
                if call.starts_with("rt_sigreturn(") {
                    aside.push(call.to_owned());
                    break;
                }
                aside.push(line.clone());
            }
        }
    }
    kept.append(&mut aside);
    kept
}

/// Says how two traces differ, if they do.
#[must_use]
pub fn difference(theirs: &str, ours: &str, follow: bool) -> Option<String> {
    use std::fmt::Write as _;
    let (theirs, ours) = (by_task(theirs, follow), by_task(ours, follow));
    if theirs == ours && !theirs.is_empty() {
        return None;
    }
    let mut text = String::new();
    let empty = Vec::new();
    for n in 0..theirs.len().max(ours.len()) {
        let (a, b) = (theirs.get(n).unwrap_or(&empty), ours.get(n).unwrap_or(&empty));
        let line = |lines: &[String], at: usize| lines.get(at).map_or("(none)", String::as_str).to_owned();
        if let Some(at) = (0..a.len().max(b.len())).find(|at| a.get(*at) != b.get(*at)) {
            let _ =
                writeln!(text, "task {n} line {at}:\n  strace: {}\n  emu:    {}", line(a, at), line(b, at));
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLS: [&str; 4] = [
        "clone(child_stack=NULL) = 12",
        "write(1, \"a\", 1) = 1",
        "wait4(-1, 0x7ffe12345678, 0, NULL) = 12",
        "+++",
    ];

    fn with_end_at(at: usize) -> Vec<Vec<String>> {
        let mut lines: Vec<String> = CALLS.iter().map(|line| format!("11 {line}")).collect();
        let end =
            "11 --- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=12, si_uid=0, si_status=0} ---";
        lines.insert(at, end.to_owned());
        lines.push("12 +++ exited with 0 +++".to_owned());
        by_task(&lines.join("\n"), true)
    }

    #[test]
    fn an_end_of_a_child_is_told_where_linux_may_tell_it() {
        assert_eq!(with_end_at(1), with_end_at(2));
        assert_eq!(with_end_at(1), with_end_at(3));
        assert_ne!(with_end_at(1), with_end_at(0), "before there is a child");
        assert_ne!(with_end_at(1), with_end_at(4), "after more than the wait that told of it");
    }
}
