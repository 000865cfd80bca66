//! Arguments whose meaning depends on other arguments, by [`Rule`], and what is told behind a result.

use super::{Decoder, file, named, signal, time, u16_of, u32_of};
use crate::arg::{ArgKind, Dir, Returns, Rule, Shape};
use crate::observe::names::{file as nf, misc as nm, net as nn, task as nt};
use crate::observe::value::{FdDetails, Value, field};
use crate::table::Row;

/// O_CREAT, and O_TMPFILE without O_DIRECTORY.
const MAKES_FILE: u64 = 0x40 | 0x40_0000;

/// Flags of open(2) with the access mode.
pub(super) fn open_flags(flags: u64) -> Value {
    let mode = nf::ACCMODE.text(flags & 3);
    let (names, rest) = nf::OPEN.split(flags & !3);
    let mut parts = vec![mode];
    parts.extend(names.into_iter().map(str::to_owned));
    if rest != 0 {
        parts.push(format!("{rest:#x}"));
    }
    Value::Named { value: flags, text: parts.join("|") }
}

/// A memory policy with its flags.
pub(super) fn mpol_mode(mode: u64) -> Value {
    let (flags, plain) = (mode & 0xe000, mode & !0xe000);
    let mut text = nt::MPOL.text(plain);
    if flags != 0 {
        text = format!("{text}|{}", nt::MPOL_F.text(flags));
    }
    Value::Named { value: mode, text }
}

fn mmap_flags(flags: u64) -> Value {
    // MAP_HUGE_SHIFT
    let size = flags >> 26 & 0x3f;
    let kind = flags & 0xf;
    let mut text = match nt::MAP_TYPE.name(kind) {
        Some(name) => name.to_owned(),
        None => format!("{kind:#x} /* MAP_??? */"),
    };
    let (names, rest) = nt::MAP.split(flags & !0xf & !(0x3f << 26));
    for name in names {
        text.push('|');
        text.push_str(name);
    }
    if rest != 0 {
        text.push_str(&format!("|{rest:#x}"));
    }
    if size != 0 {
        text.push_str(&format!("|{size}<<MAP_HUGE_SHIFT"));
    }
    Value::Named { value: flags, text }
}

fn personality(value: u64) -> Value {
    if value == 0xffff_ffff {
        return Value::Hex(value);
    }
    let base = match value & 0xff {
        0 => "PER_LINUX".to_owned(),
        8 => "PER_LINUX32".to_owned(),
        other => format!("{other:#x} /* PER_??? */"),
    };
    let (names, rest) = nt::PERSONALITY.split(value & !0xff);
    let mut parts = vec![base];
    parts.extend(names.into_iter().map(str::to_owned));
    if rest != 0 {
        parts.push(format!("{rest:#x}"));
    }
    Value::Named { value, text: parts.join("|") }
}

impl Decoder<'_> {
    /// Whether a rule's argument is told only with the result.
    pub(super) fn rule_is_late(&self, rule: Rule) -> bool {
        match rule {
            Rule::SockOptVal => self.call.nr == 55,
            Rule::IpcCtlArg => match self.call.nr {
                66 => self.reg(2) as u32 == 2,
                _ => self.reg(1) as u32 == 2,
            },
            Rule::IoctlArg => super::ioctl::is_late(self.reg(1) as u32),
            Rule::Fcntl => matches!(self.reg(1) as u32, 5 | 36 | 16),
            Rule::Prctl => matches!(self.reg(0) as u32, 2 | 5 | 9 | 11 | 16 | 19 | 25 | 37 | 40),
            Rule::ArchPrctl => matches!(self.reg(0) as u32, 0x1003 | 0x1004),
            Rule::Remain => true,
            Rule::Offset => self.reg(2) != 0,
            Rule::Clone => true,
            Rule::Keyctl => matches!(self.reg(0) as u32, 6 | 11 | 17),
            Rule::MovePages => true,
            _ => false,
        }
    }

    /// Notes what is in memory before a late argument changes it; whether a comma follows what was told.
    pub(super) fn saves(&mut self, i: usize, kind: ArgKind, args: &mut Vec<Value>) -> bool {
        match kind {
            ArgKind::Mem(_, Shape::SockaddrPtr(len)) => {
                let at = self.reg(usize::from(len));
                if let Some(len) = self.u32_at(at) {
                    self.saved.push(u64::from(len));
                }
            }
            ArgKind::By(Rule::SockOptVal) => {
                let at = self.reg(4);
                if let Some(len) = self.u32_at(at) {
                    self.saved.push(u64::from(len));
                }
            }
            ArgKind::By(Rule::Offset) => {
                let at = self.reg(i);
                if let Some(offset) = self.u64_at(at) {
                    self.saved.push(offset);
                }
            }
            ArgKind::Mem(Dir::InOut, Shape::CloneArgs(size)) => {
                args.extend(self.clone_args_head(self.reg(i), usize::from(size)));
                return false;
            }
            ArgKind::By(Rule::Clone) => {
                args.extend(self.clone_head());
                return false;
            }
            ArgKind::Mem(Dir::InOut, Shape::FileHandle) => {
                let at = self.reg(i);
                if let Some(bytes) = self.u32_at(at) {
                    self.saved.push(u64::from(bytes));
                }
            }
            _ => {}
        }
        true
    }

    /// The values of an argument by a rule: none, one, or the rest of the arguments.
    pub(super) fn rule(&mut self, i: usize, rule: Rule) -> Vec<Value> {
        let reg = self.reg(i);
        let low = u64::from(reg as u32);
        vec![match rule {
            Rule::OpenFlags => open_flags(low),
            Rule::OpenMode(flags) => {
                if self.reg(usize::from(flags)) & MAKES_FILE == 0 {
                    return Vec::new();
                }
                Value::Oct(low)
            }
            Rule::MknodDev(mode) => {
                let kind = self.reg(usize::from(mode)) & 0o170_000;
                if !matches!(kind, 0o020_000 | 0o060_000) {
                    return Vec::new();
                }
                file::device(low)
            }
            Rule::SocketType => {
                let (kind, flags) = (low & 0xf, low & !0xf);
                let mut text =
                    nn::SOCK.name(kind).map_or_else(|| format!("{low:#x} /* SOCK_??? */"), str::to_owned);
                if flags != 0 && nn::SOCK.name(kind).is_some() {
                    text = format!("{text}|{}", nn::SOCK_FLAGS.text(flags));
                }
                Value::Named { value: low, text }
            }
            Rule::Protocol if self.call.nr == 53 => Value::Uint(low),
            Rule::Protocol => match self.reg(0) as u32 {
                2 | 10 => named(&nn::IPPROTO, low),
                16 => named(&nn::NETLINK, low),
                _ => Value::Uint(low),
            },
            Rule::SockOptName => self.option_name(),
            Rule::SockOptVal => return self.option_value(),
            Rule::MmapFlags => mmap_flags(reg),
            Rule::MremapAddress(flags) => {
                if self.reg(usize::from(flags)) & 3 != 3 {
                    return Vec::new();
                }
                Value::Addr(reg)
            }
            Rule::IpcKey => match low {
                0 => Value::Named { value: 0, text: "IPC_PRIVATE".into() },
                key => Value::Hex(key),
            },
            Rule::IpcFlags(names) => {
                let (mut parts, rest) = names.split(low & !0o777);
                let perm = crate::observe::value::octal(low & 0o777);
                let extra = format!("{rest:#x}");
                if rest != 0 {
                    parts.push(&extra);
                }
                parts.push(&perm);
                Value::Named { value: low, text: parts.join("|") }
            }
            Rule::IpcCtlArg => return self.ipc_control(i),
            Rule::Ioctl => super::ioctl::request(reg as u32),
            Rule::IoctlArg => return self.ioctl_arg(),
            Rule::Fcntl => return self.fcntl(),
            Rule::Prctl => return self.prctl(),
            Rule::ArchPrctl => return self.arch_prctl(),
            Rule::Futex => return self.futex(),
            Rule::Clone => return self.clone(),
            Rule::Poll => self.pollfds(reg),
            Rule::Select => return self.select(),
            Rule::Ptrace => return self.ptrace(),
            Rule::Remain => match self.result {
                Some(Err(errno)) if errno.is_restart() || errno == crate::abi::errno::Errno::EINTR => {
                    self.timespec(reg).unwrap_or(Value::Addr(reg))
                }
                _ => Value::Addr(reg),
            },
            Rule::Offset => {
                let Some(before) = self.saved.first().copied().filter(|_| reg != 0) else {
                    return vec![Value::Addr(reg)];
                };
                let told = Value::array(vec![Value::Uint(before)]);
                match self.u64_at(reg) {
                    Some(after) if !self.failed() && self.value() != 0 => {
                        Value::Change(Box::new(told), Box::new(Value::array(vec![Value::Uint(after)])))
                    }
                    _ => told,
                }
            }
            Rule::Splice => match self.u64_at(reg) {
                Some(offset) => Value::array(vec![Value::Int(offset.cast_signed())]),
                None => Value::Addr(reg),
            },
            Rule::Priority => Value::Int(i64::from((reg as u32).cast_signed())),
            Rule::Ioprio => ioprio(low),
            Rule::Syslog => return self.syslog(),
            Rule::Restart | Rule::Sigreturn | Rule::MsgType => return Vec::new(),
            Rule::AtStatx => at_statx(low),
            Rule::Personality => personality(low),
            Rule::MpolMode => mpol_mode(reg & if self.call.nr == 238 { 0xffff_ffff } else { u64::MAX }),
            Rule::Kcmp => return self.kcmp(),
            other => return self.kernel_rule(i, other),
        }]
    }

    fn pollfds(&mut self, addr: u64) -> Value {
        if addr == 0 {
            return Value::null();
        }
        let count = u64::from(self.reg(1) as u32);
        let mut fds = Vec::new();
        let shown = count.min(self.longest_list());
        for n in 0..shown {
            let Some(b) = self.bytes(addr + n * 8, 8) else {
                if n == 0 {
                    return Value::Addr(addr);
                }
                fds.push(Value::text(format!("... /* {:#x} */", addr + n * 8)));
                return Value::array(fds);
            };
            let fd = u32_of(&b, 0).cast_signed();
            let mut fields = vec![field("fd", self.fd(fd))];
            if fd >= 0 {
                fields.push(field("events", named(&nf::POLL, u64::from(u16_of(&b, 4)))));
            }
            fds.push(Value::Struct(fields));
        }
        Value::Array { more: count > shown, items: fds }
    }

    fn ready_fds(&mut self) -> Option<String> {
        let addr = self.reg(0);
        let count = u64::from(self.reg(1) as u32);
        let mut ready = Vec::new();
        for n in 0..count.min(4096) {
            let b = self.bytes(addr + n * 8, 8)?;
            if u16_of(&b, 6) != 0 {
                let fd = Value::Fd(u32_of(&b, 0).cast_signed(), None);
                let events = named(&nf::POLL, u64::from(u16_of(&b, 6)));
                ready.push(Value::Struct(vec![field("fd", fd), field("revents", events)]));
            }
        }
        let style = self.style;
        Some(Value::array(ready).to_text(&style))
    }

    /// Descriptors in a set of select(2).
    fn fd_set(&mut self, addr: u64) -> Option<Vec<i32>> {
        let nfds = (self.reg(0) as u32).cast_signed().clamp(0, 1024);
        let len = usize::try_from(nfds).unwrap_or(0).div_ceil(64) * 8;
        let b = self.bytes(addr, len)?;
        Some(
            (0..nfds)
                .filter(|fd| {
                    let at = usize::try_from(*fd).unwrap_or(0);
                    b.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 != 0)
                })
                .collect(),
        )
    }

    fn fd_set_value(&mut self, addr: u64) -> Value {
        if addr == 0 {
            return Value::null();
        }
        match self.fd_set(addr) {
            Some(fds) => {
                let style = self.style;
                let names = fds.into_iter().map(|fd| self.fd(fd).to_text(&style)).collect();
                Value::Set { names, inverted: false }
            }
            None => Value::Addr(addr),
        }
    }

    fn select(&mut self) -> Vec<Value> {
        let mut args: Vec<Value> = (1..4)
            .map(|i| {
                let addr = self.reg(i);
                self.fd_set_value(addr)
            })
            .collect();
        let at = self.reg(4);
        if self.call.nr == 23 {
            args.push(self.timeval(at).unwrap_or(Value::Addr(at)));
            return args;
        }
        args.push(self.timespec(at).unwrap_or(Value::Addr(at)));
        let at = self.reg(5);
        let sized = match self.memory(5, at, Dir::In, Shape::SigsetSized).pop() {
            Some(value) => value,
            None => Value::Addr(at),
        };
        args.push(sized);
        args
    }

    fn select_note(&mut self) -> Option<String> {
        if self.failed() {
            return None;
        }
        if self.value() == 0 {
            return Some("Timeout".into());
        }
        let style = self.style;
        let mut parts = Vec::new();
        // What the descriptors are open on was told with the arguments.
        self.style.paths = false;
        self.style.details = FdDetails::default();
        for (i, name) in [(1, "in"), (2, "out"), (3, "except")] {
            let addr = self.reg(i);
            if addr != 0 && self.fd_set(addr).is_some_and(|fds| !fds.is_empty()) {
                parts.push(format!("{name} {}", self.fd_set_value(addr).to_text(&style)));
            }
        }
        let at = self.reg(4);
        let left = if self.call.nr == 23 { self.timeval(at) } else { self.timespec(at) };
        if let Some(left) = left {
            parts.push(format!("left {}", left.to_text(&style)));
        }
        Some(parts.join(", "))
    }

    fn syslog(&mut self) -> Vec<Value> {
        let action = self.reg(0) as u32;
        let name = nm::SYSLOG.name(u64::from(action)).unwrap_or(nm::SYSLOG.unknown);
        let mut args = vec![Value::Note(Box::new(Value::Int(i64::from(action.cast_signed()))), name.into())];
        let (buf, len) = (self.reg(1), (self.reg(2) as u32).cast_signed());
        match action {
            0 | 1 | 5 | 6 | 7 | 9 | 10 => {}
            8 => {
                args.push(Value::Addr(buf));
                const LEVELS: [&str; 8] = [
                    "LOGLEVEL_EMERG",
                    "LOGLEVEL_ALERT",
                    "LOGLEVEL_CRIT",
                    "LOGLEVEL_ERR",
                    "LOGLEVEL_WARNING",
                    "LOGLEVEL_NOTICE",
                    "LOGLEVEL_INFO",
                    "LOGLEVEL_DEBUG",
                ];
                let level = usize::try_from(len).ok().and_then(|n| LEVELS.get(n)).copied();
                args.push(Value::Note(
                    Box::new(Value::Int(i64::from(len))),
                    level.unwrap_or("LOGLEVEL_???").into(),
                ));
            }
            _ => {
                args.push(Value::Addr(buf));
                args.push(Value::Int(i64::from(len)));
            }
        }
        args
    }

    fn kcmp(&mut self) -> Vec<Value> {
        let (a, b) = (self.reg(3), self.reg(4));
        match self.reg(2) as u32 {
            0 => vec![self.fd((a as u32).cast_signed()), self.fd((b as u32).cast_signed())],
            1..=6 => Vec::new(),
            _ => vec![Value::Hex(a), Value::Hex(b)],
        }
    }

    /// How the result is told, which may depend on the arguments.
    pub(super) fn returns(&self, row: &Row) -> Returns {
        match (row.returns, self.call.nr) {
            (Returns::Special, 72) => match self.reg(1) as u32 {
                0 | 1030 => Returns::Fd,
                1 | 3 | 1025 | 1034 => Returns::Hex,
                _ => Returns::Int,
            },
            (Returns::Special, 157) => match self.reg(0) as u32 {
                27 | 52 => Returns::Hex,
                _ => Returns::Int,
            },
            (Returns::Special, 135 | 324) if self.failed() || self.value() != 0 => Returns::Hex,
            (Returns::Special, _) => Returns::Int,
            (returns, _) => returns,
        }
    }

    /// What is told in parentheses behind the result.
    pub(super) fn note(&mut self, row: &Row) -> Option<String> {
        if self.failed() {
            return None;
        }
        let value = self.value();
        if row.returns == Returns::Policy {
            let (policy, reset) = (value & !0x4000_0000, value & 0x4000_0000 != 0);
            return nt::SCHED.name(policy).filter(|_| !reset).map(str::to_owned);
        }
        if row.returns == Returns::Time {
            return time::timestamp(value.cast_signed(), 0, 0);
        }
        match self.call.nr {
            7 | 271 if value == 0 => Some("Timeout".into()),
            7 | 271 => {
                let ready = self.ready_fds()?;
                let at = self.reg(2);
                if self.call.nr == 271 && at != 0 {
                    let left = self.timespec(at)?.to_text(&self.style);
                    return Some(format!("{ready}, left {left}"));
                }
                Some(ready)
            }
            23 | 270 => self.select_note(),
            72 => self.fcntl_note(value),
            128 => Some(signal::signal_name(value)),
            135 => Some(personality(value).to_text(&self.style)),
            157 => self.prctl_note(value),
            159 | 305 => nm::TIME_STATE.name(value).map(str::to_owned),
            252 => Some(ioprio(value).to_text(&self.style)),
            324 if self.reg(0) as u32 == 0 => Some(nt::MEMBARRIER_BITS.text(value)),
            _ => None,
        }
    }
}

fn ioprio(value: u64) -> Value {
    let class = nt::IOPRIO_CLASS.text(value >> 13 & 7);
    Value::Named { value, text: format!("IOPRIO_PRIO_VALUE({class}, {})", value & 0x1fff) }
}

fn at_statx(flags: u64) -> Value {
    let sync = match flags >> 13 & 3 {
        0 => "AT_STATX_SYNC_AS_STAT",
        1 => "AT_STATX_FORCE_SYNC",
        2 => "AT_STATX_DONT_SYNC",
        _ => "AT_STATX_FORCE_SYNC|AT_STATX_DONT_SYNC",
    };
    let (names, rest) = nf::AT.split(flags & !0x6000);
    let mut parts = vec![sync.to_owned()];
    parts.extend(names.into_iter().map(str::to_owned));
    if rest != 0 {
        parts.push(format!("{rest:#x}"));
    }
    Value::Named { value: flags, text: parts.join("|") }
}
