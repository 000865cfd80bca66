//! Prints events as strace(1) does: one line a call, unfinished and resumed where tasks interleave.
//!
//! Key types: [`Tracer`] (told by the machine), [`Tcb`] (what is known of a task).
//!
//! **Invariant**: it only looks; the guest runs the same without it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use emu_syscalls::abi::errno::Errno;
use emu_syscalls::arg::Returns;
use emu_syscalls::kernel::Kernel;
use emu_syscalls::observe::decode::siginfo;
use emu_syscalls::observe::inject::Tampered;
use emu_syscalls::observe::value::{FdPath, Style, Value, write_list};
use emu_syscalls::observe::{Ended, Event, Stamp, Stamped, Watcher};
use emu_syscalls::task::TaskId;

use super::json;
use super::options::{Clock, Options};
use super::output::Output;
use super::summary::{Summary, name};

/// What is known of a task.
#[derive(Debug, Default)]
pub(super) struct Tcb {
    /// The call it is in.
    pub(super) call: Option<Started>,
    /// Number of the call it made last.
    last: u64,
    /// Column of its unfinished line.
    column: usize,
    /// The text of its unfinished line, if lines are held back until the status is known.
    staged: String,
}

/// A call that was entered.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) nr: u64,
    pub(super) regs: [u64; 6],
    pub(super) ip: u64,
    pub(super) args: Vec<Value>,
    more: bool,
    pub(super) at: Stamp,
    blocked_since: Option<u64>,
    blocked_ns: u64,
    /// It is told: it is in the sets that were asked for.
    shown: bool,
    /// What it moved, to be shown below its line.
    data: Vec<(bool, Vec<Vec<u8>>)>,
    /// The calls that led to it.
    frames: Vec<emu_syscalls::observe::stack::Frame>,
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct Tracer {
    options: Options,
    output: Output,
    tasks: BTreeMap<TaskId, Tcb>,
    /// The task whose line is not finished.
    printing: Option<TaskId>,
    first: TaskId,
    summary: Summary,
    last_ns: Option<u64>,
    /// Tasks that were left alone (`-b execve`), and those they made.
    detached: BTreeSet<TaskId>,
    /// Local time's distance from UTC.
    zone: super::zone::Zone,
}

impl Tracer {
    pub(super) fn new(options: Options, output: Output, first: TaskId) -> Self {
        let zone = super::zone::Zone::local();
        let tasks = [(first, Tcb::default())].into();
        Tracer {
            options,
            output,
            tasks,
            printing: None,
            first,
            summary: Summary::default(),
            last_ns: None,
            detached: BTreeSet::new(),
            zone,
        }
    }

    fn style(&self, nr: u64) -> Style {
        Style { verbose: !self.options.abbrev.contains(nr), ..self.options.style }
    }

    /// Lines are held back until it is known whether they are wanted.
    fn stages(&self) -> bool {
        self.options.statuses.len() < 5
    }

    fn put(&mut self, tid: TaskId, text: &str) {
        if text.is_empty() {
            return;
        }
        let stages = self.stages();
        let tcb = self.tasks.entry(tid).or_default();
        match text.rfind('\n') {
            Some(at) => tcb.column = text[at + 1..].chars().count(),
            None => tcb.column += text.chars().count(),
        }
        if stages && self.printing == Some(tid) {
            tcb.staged.push_str(text);
        } else {
            self.output.write(tid, text);
        }
    }

    /// Begins a line of `tid`: ends an unfinished one, then the prefixes.
    fn leader(&mut self, tid: TaskId, at: Stamp, k: Option<&Kernel>) {
        if let Some(other) = self.printing
            && (other == tid || !self.options.separate)
            && !self.stages()
        {
            self.put(other, " <unfinished ...>\n");
        }
        self.printing = Some(tid);
        let mut text = String::new();
        let many = self.tasks.len() > 1;
        let comm = if self.options.names {
            k.and_then(|k| k.tasks.get(tid))
                .map(|task| format!("<{}>", String::from_utf8_lossy(&task.comm)))
                .unwrap_or_default()
        } else {
            String::new()
        };
        if self.options.follow && self.options.output.is_some() && !self.options.separate {
            let _ = write!(text, "{:<5}{comm} ", tid.0);
        } else if many && !self.options.separate {
            let _ = write!(text, "[pid {:5}{comm}] ", tid.0);
        }
        self.clocks(&mut text, at);
        if let Some(tcb) = self.tasks.get_mut(&tid) {
            tcb.column = 0;
        }
        if self.options.pointer {
            let inside = k.filter(|k| k.tasks.get(tid).is_some_and(|task| task.in_kernel));
            let ip = inside.map(|k| k.user_regs(tid).ip);
            let ip = self.tasks.get(&tid).and_then(|tcb| tcb.call.as_ref()).map(|call| call.ip).or(ip);
            let _ = match ip {
                Some(ip) => write!(text, "[{ip:016x}] "),
                None => write!(text, "[{}] ", "?".repeat(16)),
            };
        }
        if self.options.numbers {
            let nr = self.tasks.get(&tid).map_or(0, |tcb| tcb.last);
            let _ = write!(text, "[{nr:4}] ");
        }
        self.put(tid, &text);
    }

    fn clocks(&mut self, text: &mut String, at: Stamp) {
        let options = &self.options;
        let fraction = |ns: u64, digits: usize| {
            let full = format!("{:09}", ns % 1_000_000_000);
            if digits == 0 { String::new() } else { format!(".{}", &full[..digits]) }
        };
        let absolute = match options.clock {
            Clock::None => None,
            Clock::Unix => Some(format!(
                "{}{}",
                at.realtime_ns / 1_000_000_000,
                fraction(at.realtime_ns, options.clock_digits)
            )),
            Clock::Time => {
                let seconds = self.zone.local_seconds(at.realtime_ns / 1_000_000_000);
                Some(format!(
                    "{:02}:{:02}:{:02}{}",
                    seconds / 3600 % 24,
                    seconds / 60 % 60,
                    seconds % 60,
                    fraction(at.realtime_ns, options.clock_digits)
                ))
            }
        };
        if let Some(absolute) = &absolute {
            let _ = write!(text, "{absolute} ");
        }
        if let Some(digits) = options.relative {
            let since = at.monotonic_ns.saturating_sub(self.last_ns.unwrap_or(at.monotonic_ns));
            self.last_ns = Some(at.monotonic_ns);
            let told = format!("{:6}{}", since / 1_000_000_000, fraction(since, digits));
            if absolute.is_some() {
                let _ = write!(text, "(+{told}) ");
            } else {
                let _ = write!(text, "{told} ");
            }
        }
    }

    /// Ends a line.
    fn end_line(&mut self, tid: TaskId) {
        self.put(tid, "\n");
        self.printing = None;
    }

    fn enter(&mut self, tid: TaskId, started: Started, k: Option<&Kernel>) {
        let shown = started.shown;
        let nr = started.nr;
        let at = started.at;
        let mut text = format!("{}(", name(nr));
        let style = self.style(nr);
        if self.options.raw.contains(nr) {
            let count = emu_syscalls::table::row(nr).map_or(6, |row| row.args.len());
            let raw: Vec<Value> = started.regs.iter().take(count).map(|reg| Value::Hex(*reg)).collect();
            write_list(&mut text, &raw, &style);
        } else {
            write_list(&mut text, &started.args, &style);
            if started.more && !started.args.is_empty() {
                text.push_str(", ");
            }
        }
        let tcb = self.tasks.entry(tid).or_default();
        tcb.last = nr;
        tcb.call = Some(started);
        if shown && self.options.lines && !self.options.json {
            self.leader(tid, at, k);
            self.put(tid, &text);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what an exit is made of")]
    fn exit(
        &mut self,
        tid: TaskId,
        nr: u64,
        args: &[Value],
        ended: Ended,
        returns: Returns,
        fd: Option<&FdPath>,
        note: Option<&str>,
        tampered: Tampered,
        at: Stamp,
        k: Option<&Kernel>,
    ) {
        let Some(started) = self.tasks.get_mut(&tid).and_then(|tcb| tcb.call.take()) else { return };
        if self.options.summary && self.counts(nr) && ended != Ended::Never {
            let whole = at.monotonic_ns.saturating_sub(started.at.monotonic_ns);
            let took = if self.options.wall { whole } else { whole.saturating_sub(started.blocked_ns) };
            let took = took.saturating_sub(self.options.overhead_ns);
            let failed = matches!(ended, Ended::Error(errno) if !errno.is_restart());
            self.summary.add(nr, failed, took);
        }
        let shown = started.shown;
        if !shown || !self.options.lines {
            return;
        }
        if self.options.json {
            let line = json::call(tid, &started, args, ended, note, tampered, at, &self.style(nr));
            self.output.write(tid, &line);
            return;
        }
        if self.printing != Some(tid) && !self.stages() && !self.options.separate {
            self.tasks.entry(tid).or_default();
            self.leader(tid, at, k);
            self.put(tid, &format!("<... {} resumed>", name(nr)));
        } else if !self.options.paths.is_empty() || self.printing != Some(tid) && self.options.separate {
            self.printing = Some(tid);
        }
        let style = self.style(nr);
        let mut text = String::new();
        let raw = self.options.raw.contains(nr);
        if !raw {
            if !started.more
                && !started.args.is_empty()
                && !args.is_empty()
                && !matches!(args[0], Value::Suffix(_))
            {
                text.push_str(", ");
            }
            write_list(&mut text, args, &style);
        }
        text.push_str(") ");
        self.put(tid, &text);
        let column = self.tasks.get(&tid).map_or(0, |tcb| tcb.column);
        let mut text = " ".repeat(self.options.column.saturating_sub(column));
        text.push_str("= ");
        text.push_str(&result(ended, if raw { Returns::Hex } else { returns }, fd, note, &style));
        if tampered.injected {
            text.push_str(" (INJECTED)");
        }
        if tampered.delayed {
            text.push_str(" (DELAYED)");
        }
        if let Some(digits) = self.options.took.filter(|_| ended != Ended::Never) {
            let took = at.monotonic_ns.saturating_sub(started.at.monotonic_ns);
            let fraction = format!("{:09}", took % 1_000_000_000);
            let point = if digits == 0 { "" } else { "." };
            let _ = write!(text, " <{}{point}{}>", took / 1_000_000_000, &fraction[..digits]);
        }
        self.put(tid, &text);
        self.end_line(tid);
        if self.stages() {
            let staged = std::mem::take(&mut self.tasks.entry(tid).or_default().staged);
            if self.options.statuses.contains(status(ended)) {
                self.output.write(tid, &staged);
            }
        }
        for (_, buffers) in &started.data {
            self.dump(tid, nr, buffers);
        }
        if self.options.stack {
            let mut text = String::new();
            for frame in &started.frames {
                let file = String::from_utf8_lossy(&frame.file);
                let _ = match &frame.symbol {
                    Some(name) => writeln!(text, " > {file}({name}) [{:#x}]", frame.offset),
                    None => writeln!(text, " > {file}() [{:#x}]", frame.offset),
                };
            }
            if ended != Ended::Never {
                self.output.write(tid, &text);
            }
        }
    }

    /// Data in hexadecimal and as text, sixteen bytes a line.
    fn dump(&mut self, tid: TaskId, nr: u64, buffers: &[Vec<u8>]) {
        let vector = matches!(nr, 19 | 20 | 295 | 296 | 327 | 328);
        let mut text = String::new();
        for (n, buffer) in buffers.iter().enumerate() {
            if vector {
                let _ = writeln!(text, " * {} bytes in buffer {n}", buffer.len());
            }
            for (line, bytes) in buffer.chunks(16).enumerate() {
                let mut hex = String::new();
                for at in 0..16 {
                    match bytes.get(at) {
                        Some(byte) => {
                            let _ = write!(hex, " {byte:02x}");
                        }
                        None => hex.push_str("   "),
                    }
                    if at == 7 || at == 15 {
                        hex.push(' ');
                    }
                }
                let shown: String = (0..16)
                    .map(|at| match bytes.get(at) {
                        Some(byte) if (0x20..0x7f).contains(byte) => char::from(*byte),
                        Some(_) => '.',
                        None => ' ',
                    })
                    .collect();
                let _ = writeln!(text, " | {:05x} {hex} {shown} |", line * 16);
            }
        }
        self.output.write(tid, &text);
    }

    fn tells_signal(&self, signal: u8) -> bool {
        self.options.signals >> (signal.clamp(1, 64) - 1) & 1 != 0
    }

    fn counts(&self, nr: u64) -> bool {
        self.options.calls.contains(nr)
    }

    /// Whether a call has to do with a path of `-P`.
    fn touches(&self, head: &[Value], tail: &[Value]) -> bool {
        let wanted = |path: &[u8]| self.options.paths.iter().any(|wanted| wanted == path);
        head.iter().chain(tail).any(|value| match value {
            Value::Str(bytes) => wanted(&bytes.data),
            Value::Fd(_, Some(fd)) => wanted(&fd.path),
            _ => false,
        })
    }

    fn line(&mut self, tid: TaskId, at: Stamp, text: &str, k: Option<&Kernel>) {
        if !self.options.lines {
            return;
        }
        if self.options.json {
            return;
        }
        let staged = self.stages();
        self.leader(tid, at, k);
        self.put(tid, text);
        self.end_line(tid);
        if staged {
            let text = std::mem::take(&mut self.tasks.entry(tid).or_default().staged);
            self.output.write(tid, &text);
        }
    }

    /// Leaves a task alone that has just become another program.
    fn detach(&mut self, tid: TaskId, at: Stamp, k: Option<&Kernel>) {
        if !self.options.quiet_attach {
            eprintln!("strace: Process {} detached", tid.0);
        }
        let shown = self.tasks.get(&tid).and_then(|tcb| tcb.call.as_ref()).is_some_and(|call| call.shown);
        if shown && self.options.lines && !self.options.json {
            if self.printing != Some(tid) && !self.stages() && !self.options.separate {
                self.leader(tid, at, k);
                self.put(tid, "<... execve resumed>");
            }
            self.put(tid, " <detached ...>");
            self.end_line(tid);
            let staged = std::mem::take(&mut self.tasks.entry(tid).or_default().staged);
            if self.options.statuses.contains("detached") {
                self.output.write(tid, &staged);
            }
        }
        self.tasks.remove(&tid);
        self.detached.insert(tid);
    }

    fn attached(&mut self, child: TaskId) {
        if !self.options.quiet_attach && self.options.lines {
            if let Some(other) = self.printing {
                // The message goes between the parts of a line, as it does there.
                let _ = other;
            }
            eprintln!("strace: Process {} attached", child.0);
        }
    }

    fn one(&mut self, stamped: Stamped, k: Option<&Kernel>) {
        let at = stamped.stamp;
        let Some(tid) = stamped.event.task() else { return };
        if !self.options.follow && tid != self.first {
            return;
        }
        if self.detached.contains(&tid) {
            match stamped.event {
                Event::Forked { child, .. } => {
                    self.detached.insert(child);
                }
                Event::TaskExited { .. } => {
                    self.detached.remove(&tid);
                }
                _ => {}
            }
            return;
        }
        match stamped.event {
            Event::Exit { nr: 59, ended: Ended::Value(_), .. } if self.options.detach_on_exec => {
                self.detach(tid, at, k);
            }
            Event::Enter { nr, regs, ip, args, more, .. } => {
                let shown = self.counts(nr) && (self.options.paths.is_empty() || self.touches(&args, &[]));
                let started = Started {
                    nr,
                    regs,
                    ip,
                    args,
                    more,
                    at,
                    blocked_since: None,
                    blocked_ns: 0,
                    shown,
                    data: Vec::new(),
                    frames: Vec::new(),
                };
                self.enter(tid, started, k);
            }
            Event::Exit { nr, args, ended, returns, fd, note, tampered, .. } => {
                self.exit(tid, nr, &args, ended, returns, fd.as_ref(), note.as_deref(), tampered, at, k);
            }
            Event::Data { read, buffers, .. } => {
                if let Some(call) = self.tasks.get_mut(&tid).and_then(|tcb| tcb.call.as_mut()) {
                    call.data.push((read, buffers));
                }
            }
            Event::Stack { frames, .. } => {
                if let Some(call) = self.tasks.get_mut(&tid).and_then(|tcb| tcb.call.as_mut()) {
                    call.frames = frames;
                }
            }
            Event::Blocked { .. } => {
                if let Some(call) = self.tasks.get_mut(&tid).and_then(|tcb| tcb.call.as_mut()) {
                    call.blocked_since = Some(at.monotonic_ns);
                }
            }
            Event::Resumed { .. } => {
                if let Some(call) = self.tasks.get_mut(&tid).and_then(|tcb| tcb.call.as_mut())
                    && let Some(since) = call.blocked_since.take()
                {
                    call.blocked_ns += at.monotonic_ns.saturating_sub(since);
                }
            }
            Event::Signal { info, .. } => {
                if !self.tells_signal(info.signo) {
                    return;
                }
                let told = siginfo(&info.to_bytes()).to_text(&self.options.style);
                let signal = emu_syscalls::observe::decode::signal_name(u64::from(info.signo));
                if self.options.json {
                    let line = json::signal(tid, &signal, &told, at);
                    self.output.write(tid, &line);
                }
                self.line(tid, at, &format!("--- {signal} {told} ---"), k);
            }
            Event::Stopped { signal, .. } if self.tells_signal(signal) => {
                let signal = emu_syscalls::observe::decode::signal_name(u64::from(signal));
                self.line(tid, at, &format!("--- stopped by {signal} ---"), k);
            }
            Event::Forked { child, .. } if self.options.follow => {
                self.tasks.insert(child, Tcb::default());
                self.attached(child);
            }
            Event::Renumbered { from, to } => {
                self.line(to, at, &format!("+++ superseded by execve in pid {} +++", from.0), k);
                let tcb = self.tasks.remove(&from).unwrap_or_default();
                self.tasks.insert(to, tcb);
            }
            Event::TaskExited { status, .. } => {
                let signal = u8::try_from(status & 0x7f).unwrap_or(0);
                if signal != 0 && !self.tells_signal(signal) {
                    // What ended it is not to be told.
                    if self.printing == Some(tid) {
                        self.put(tid, " <unfinished ...>\n");
                        self.printing = None;
                    }
                } else if !self.options.quiet_exit {
                    let text = exit_text(status);
                    if self.options.json {
                        let line = json::end(tid, status, at);
                        self.output.write(tid, &line);
                    }
                    self.line(tid, at, &text, k);
                } else if self.printing == Some(tid) {
                    self.put(tid, " <unfinished ...>\n");
                    self.printing = None;
                }
                self.tasks.remove(&tid);
            }
            _ => {}
        }
    }

    /// The first line: how the program was started.
    pub(super) fn started(
        &mut self,
        program: &[u8],
        argv: &[Vec<u8>],
        envp: &[Vec<u8>],
        at: Stamp,
        k: &Kernel,
    ) {
        // A relative path of `-P` means the file it leads to from the working directory.
        let cwd = k.tasks.get(self.first).and_then(|task| k.fs_contexts.get(task.fs)).map(|fs| fs.cwd);
        if let Some(cwd) = cwd.map(|cwd| k.path_for(self.first, cwd)) {
            let relative = self.options.paths.iter().filter(|path| !path.starts_with(b"/"));
            let absolute: Vec<Vec<u8>> = relative
                .map(|path| {
                    if cwd == b"/" {
                        [b"/", path.as_slice()].concat()
                    } else {
                        [&cwd, b"/".as_slice(), path].concat()
                    }
                })
                .collect();
            self.options.paths.extend(absolute);
        }
        self.first_call(program, argv, envp, Ended::Value(0), at, Some(k));
    }

    /// The call that starts the program.
    fn first_call(
        &mut self,
        program: &[u8],
        argv: &[Vec<u8>],
        envp: &[Vec<u8>],
        ended: Ended,
        at: Stamp,
        k: Option<&Kernel>,
    ) {
        use emu_syscalls::observe::value::{Bytes, Quote};
        let text = |data: &[u8], kind| Value::Str(Bytes { data: data.to_vec(), more: false, kind });
        let list =
            |strings: &[Vec<u8>]| Value::array(strings.iter().map(|one| text(one, Quote::Text)).collect());
        // Where the caller of execve(2) would have had its environment: strace's own stack.
        let sp = 0x7fff_ffff_e000u64;
        let count = envp.len();
        let note = format!("{count} var{}", if count == 1 { "" } else { "s" });
        let environment = Value::Either {
            brief: Box::new(Value::Note(Box::new(Value::Addr(sp)), note)),
            verbose: Box::new(list(envp)),
        };
        let args = match self.options.verbose.contains(59) {
            true => vec![text(program, Quote::Path), list(argv), environment],
            false => vec![text(program, Quote::Path), Value::Addr(sp - 0x10), Value::Addr(sp)],
        };
        let started = Started {
            nr: 59,
            regs: [sp, sp, sp, 0, 0, 0],
            ip: 0,
            args,
            more: false,
            at,
            blocked_since: None,
            blocked_ns: 0,
            shown: self.counts(59)
                && (self.options.paths.is_empty() || self.options.paths.iter().any(|path| path == program)),
            data: Vec::new(),
            frames: Vec::new(),
        };
        let first = self.first;
        self.enter(first, started, k);
        self.exit(first, 59, &[], ended, Returns::Int, None, None, Tampered::default(), at, k);
    }

    /// The program could not be started: the call that failed, and the end of whoever made it.
    pub(super) fn failed(mut self, program: &[u8], argv: &[Vec<u8>], errno: Errno) {
        let at = Stamp::default();
        self.first_call(program, argv, &[], Ended::Error(errno), at, None);
        eprintln!("strace: exec: {}", errno.text().unwrap_or("Unknown error"));
        let first = self.first;
        if !self.options.quiet_exit {
            self.line(first, at, "+++ exited with 1 +++", None);
        }
        self.end();
    }

    /// What stands at the end of every trace.
    fn end(&mut self) {
        if let Some(tid) = self.printing
            && !self.stages()
        {
            self.put(tid, " <unfinished ...>\n");
        }
        if self.options.summary {
            let text = self.summary.text(&self.options);
            let first = self.first;
            self.output.write(first, &text);
        }
        self.output.finish();
    }
}

impl Watcher for Tracer {
    fn events(&mut self, k: &Kernel, events: Vec<Stamped>) {
        for event in events {
            self.one(event, Some(k));
        }
    }

    fn finish(&mut self, _k: &Kernel) {
        self.end();
    }
}

fn status(ended: Ended) -> &'static str {
    match ended {
        Ended::Value(_) => "successful",
        Ended::Error(errno) if errno.is_restart() => "unavailable",
        Ended::Error(_) => "failed",
        Ended::Never => "unfinished",
    }
}

fn exit_text(status: u32) -> String {
    let signal = status & 0x7f;
    if signal == 0 {
        return format!("+++ exited with {} +++", status >> 8 & 0xff);
    }
    let name = emu_syscalls::observe::decode::signal_name(u64::from(signal));
    let core = if status & 0x80 != 0 { " (core dumped)" } else { "" };
    format!("+++ killed by {name}{core} +++")
}

/// What stands behind the equals sign.
pub(super) fn result(
    ended: Ended,
    returns: Returns,
    fd: Option<&FdPath>,
    note: Option<&str>,
    style: &Style,
) -> String {
    let value = match ended {
        Ended::Never => return "?".to_owned(),
        Ended::Error(errno) if errno.is_restart() => {
            let name = errno.name().unwrap_or("ERESTART");
            return format!("? {name} ({})", errno.text().unwrap_or("To be restarted"));
        }
        Ended::Error(errno) => return error(errno),
        Ended::Value(value) => value,
    };
    let mut text = match returns {
        Returns::Hex => Value::Hex(value).to_text(style),
        Returns::Oct => Value::Oct(value).to_text(style),
        Returns::Fd => {
            let low = u32::try_from(value & 0xffff_ffff).unwrap_or(0).cast_signed();
            Value::Fd(low, fd.cloned()).to_text(style)
        }
        _ => value.cast_signed().to_string(),
    };
    if let Some(note) = note {
        let _ = write!(text, " ({note})");
    }
    text
}

fn error(errno: Errno) -> String {
    match (errno.name(), errno.text()) {
        (Some(name), Some(text)) => format!("-1 {name} ({text})"),
        _ => format!("-1 (errno {})", errno.0),
    }
}
