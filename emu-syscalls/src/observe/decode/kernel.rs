//! What the newer interfaces of the kernel take: keys, Landlock, seccomp, mounts, BPF, events.

use super::{Decoder, bpf, id, named, u32_of, u64_of};
use crate::arg::Rule;
use crate::observe::names::{file as nf, kernel as nk, task as nt};
use crate::observe::value::{Bytes, Quote, Value, field, verbose};

/// A key by its number, or a keyring by its name.
pub(super) fn key(low: u32) -> Value {
    match nk::KEY_SPEC.name(u64::from(low)) {
        Some(name) => Value::Named { value: u64::from(low), text: name.to_owned() },
        None => Value::Int(i64::from(low.cast_signed())),
    }
}

/// Permissions of a key: possessor, user, group and others, in this order.
fn key_permissions(bits: u32) -> Value {
    const WHO: [(&str, u32); 4] = [("POS", 24), ("USR", 16), ("GRP", 8), ("OTH", 0)];
    const WHAT: [&str; 6] = ["VIEW", "READ", "WRITE", "SEARCH", "LINK", "SETATTR"];
    let mut parts: Vec<String> = Vec::new();
    for (who, shift) in WHO {
        let set = bits >> shift & 0x3f;
        for (n, what) in WHAT.iter().enumerate() {
            if set >> n & 1 != 0 {
                parts.push(format!("KEY_{who}_{what}"));
            }
        }
    }
    let rest = bits & !0x3f3f_3f3f;
    let text = match (parts.is_empty(), rest) {
        (true, 0) => "0".to_owned(),
        (true, rest) => format!("{rest:#x} /* KEY_??? */"),
        (false, rest) => {
            if rest != 0 {
                parts.push(format!("{rest:#x}"));
            }
            parts.join("|")
        }
    };
    Value::Named { value: u64::from(bits), text }
}

/// Flags of fanotify_init(2): the class first.
fn fanotify_init(low: u64) -> Value {
    let mut text = nk::FAN_CLASS.text(low & 0xc);
    if low & !0xc != 0 {
        text = format!("{text}|{}", nk::FAN_INIT.text(low & !0xc));
    }
    Value::Named { value: low, text }
}

/// Flags of userfaultfd(2).
fn userfaultfd(low: u64) -> Value {
    if low & 1 == 0 {
        return named(&nf::OPEN, low);
    }
    let mut text = "UFFD_USER_MODE_ONLY".to_owned();
    let (names, rest) = nf::OPEN.split(low & !1);
    for name in names {
        text.push('|');
        text.push_str(name);
    }
    if rest != 0 {
        text.push_str(&format!("|{rest:#x}"));
    }
    Value::Named { value: low, text }
}

impl Decoder<'_> {
    /// The values of an argument by a rule of these interfaces.
    pub(super) fn kernel_rule(&mut self, i: usize, rule: Rule) -> Vec<Value> {
        let reg = self.reg(i);
        let low = u64::from(reg as u32);
        vec![match rule {
            Rule::Key => key(reg as u32),
            Rule::Keyctl => return self.keyctl(),
            Rule::Seccomp => return self.seccomp(),
            Rule::Userfaultfd => userfaultfd(low),
            Rule::FanotifyInit => fanotify_init(low),
            Rule::FanotifyDir => match low as u32 {
                u32::MAX => Value::text("FAN_NOFD"),
                _ => self.dirfd((reg as u32).cast_signed()),
            },
            Rule::Landlock => self.landlock(reg),
            Rule::Fsconfig => return self.fsconfig(),
            Rule::MovePages => return self.move_pages(),
            Rule::MountAttr => self.mount_attr(reg).unwrap_or(Value::Addr(reg)),
            Rule::Bpf => self.bpf(reg).unwrap_or(Value::Addr(reg)),
            Rule::PerfAttr => self.perf_attr(reg).unwrap_or(Value::Addr(reg)),
            _ => return Vec::new(),
        }]
    }

    fn keyctl(&mut self) -> Vec<Value> {
        let regs: Vec<u64> = (1..5).map(|i| self.reg(i)).collect();
        let key_of = |n: usize| key(regs[n] as u32);
        let uint = |n: usize| Value::Uint(u64::from(regs[n] as u32));
        match self.reg(0) as u32 {
            0 => vec![key_of(0), Value::Int(i64::from((regs[1] as u32).cast_signed()))],
            1 => vec![self.string(regs[0])],
            2 => {
                let payload = self.buffer(regs[1], regs[2], Quote::Text);
                vec![key_of(0), payload, Value::Uint(regs[2])]
            }
            3 | 7 | 16 | 21 => vec![key_of(0)],
            4 => vec![key_of(0), id(regs[1] as u32), id(regs[2] as u32)],
            5 => vec![key_of(0), key_permissions(regs[1] as u32)],
            6 | 11 | 17 => {
                let len = regs[2];
                let filled = if self.failed() { Value::Addr(regs[1]) } else { self.key_text(regs[1], len) };
                vec![key_of(0), filled, Value::Uint(len)]
            }
            8 | 9 => vec![key_of(0), key_of(1)],
            10 => {
                let (kind, name) = (self.string(regs[1]), self.string(regs[2]));
                vec![key_of(0), kind, name, key_of(3)]
            }
            12 => {
                let payload = self.buffer(regs[1], regs[2], Quote::Text);
                vec![key_of(0), payload, Value::Uint(regs[2]), key_of(3)]
            }
            13 => vec![key_of(0), uint(1), key_of(2)],
            14 => vec![named(&nk::KEY_REQKEY, u64::from(regs[0] as u32))],
            15 => vec![key_of(0), uint(1)],
            18 => Vec::new(),
            19 => {
                let error = crate::abi::errno::Errno(regs[2] as u16);
                let error = error.name().map_or_else(|| uint(2), Value::text);
                vec![key_of(0), uint(1), error, key_of(3)]
            }
            20 => {
                let vector = self.iovec(regs[1], regs[2], Some(u64::MAX)).unwrap_or(Value::Addr(regs[1]));
                vec![key_of(0), vector, Value::Uint(regs[2]), key_of(3)]
            }
            22 => vec![id(regs[0] as u32), key_of(1)],
            _ => regs.iter().map(|reg| Value::Hex(*reg)).collect(),
        }
    }

    /// What keyctl(2) filled in: a description ends with a NUL that is not told.
    fn key_text(&mut self, addr: u64, len: u64) -> Value {
        let is_text = self.reg(0) as u32 != 11;
        let n = self.value().min(len);
        let n = if is_text { n.saturating_sub(1) } else { n };
        self.buffer(addr, n, Quote::Text)
    }

    fn seccomp(&mut self) -> Vec<Value> {
        let (op, flags, addr) = (self.reg(0) as u32, u64::from(self.reg(1) as u32), self.reg(2));
        match op {
            1 => {
                vec![named(&nt::SECCOMP, flags), self.filter_program(addr, bpf::Kind::Seccomp)]
            }
            2 => {
                let action = self.u32_at(addr);
                let told = action.map(|n| Value::array(vec![named(&nk::SECCOMP_RET, u64::from(n))]));
                vec![Value::Hex(flags), told.unwrap_or(Value::Addr(addr))]
            }
            _ => vec![Value::Hex(flags), Value::Addr(addr)],
        }
    }

    /// The attributes of a ruleset, or a rule.
    fn landlock(&mut self, addr: u64) -> Value {
        let creates = self.call.nr == 444;
        if creates {
            let size = self.reg(1);
            let Some(b) = (size >= 8).then(|| self.bytes(addr, 8)).flatten() else {
                return Value::Addr(addr);
            };
            let mut fields = vec![field("handled_access_fs", named(&nk::LANDLOCK_FS, u64_of(&b, 0)))];
            if size > 8 {
                fields.push(field("", Value::text("...")));
            }
            return Value::Struct(fields);
        }
        if self.reg(1) as u32 != 1 {
            return Value::Addr(addr);
        }
        match self.bytes(addr, 12) {
            Some(b) => Value::Struct(vec![
                field("allowed_access", named(&nk::LANDLOCK_FS, u64_of(&b, 0))),
                field("parent_fd", self.fd(u32_of(&b, 8).cast_signed())),
            ]),
            None => Value::Addr(addr),
        }
    }

    fn fsconfig(&mut self) -> Vec<Value> {
        let (name, value, aux) = (self.reg(2), self.reg(3), (self.reg(4) as u32).cast_signed());
        let number = Value::Int(i64::from(aux));
        match self.reg(1) as u32 {
            0 => vec![self.string(name), Value::Addr(value), number],
            1 => vec![self.string(name), self.string(value), number],
            2 => {
                let data = self.buffer(value, u64::try_from(aux).unwrap_or(0), Quote::Hex);
                vec![self.string(name), data, number]
            }
            3 | 4 => vec![self.string(name), self.path(value), self.dirfd(aux)],
            5 => vec![self.string(name), Value::Addr(value), self.fd(aux)],
            _ => vec![Value::Addr(name), Value::Addr(value), number],
        }
    }

    fn move_pages(&mut self) -> Vec<Value> {
        let count = self.reg(1);
        let (pages, nodes, status) = (self.reg(2), self.reg(3), self.reg(4));
        let int = |b: &[u8]| Value::Int(super::i32_of(b, 0));
        let pages = self.list(pages, count, 8, |b| Value::Addr(u64_of(b, 0))).unwrap_or(Value::Addr(pages));
        let nodes = self.list(nodes, count, 4, int).unwrap_or(Value::Addr(nodes));
        let told = if self.failed() { None } else { self.list(status, count, 4, status_of_page) };
        let flags = named(&nk::MPOL_MF, u64::from(self.reg(5) as u32));
        vec![pages, nodes, told.unwrap_or(Value::Addr(status)), flags]
    }

    fn mount_attr(&mut self, addr: u64) -> Option<Value> {
        let size = self.reg(4);
        if size < 32 {
            return None;
        }
        let b = self.bytes(addr, 32)?;
        Some(Value::Struct(vec![
            field("attr_set", named(&nk::MOUNT_ATTR, u64_of(&b, 0))),
            field("attr_clr", named(&nk::MOUNT_ATTR, u64_of(&b, 8))),
            field("propagation", named(&nf::MS, u64_of(&b, 16))),
            field("userns_fd", self.fd(u32_of(&b, 24).cast_signed())),
        ]))
    }

    /// `union bpf_attr` of the commands about maps; those of programs are told as an address.
    fn bpf(&mut self, addr: u64) -> Option<Value> {
        let size = self.reg(2) as u32;
        let b = self.bytes(addr, usize::try_from(size.min(256)).ok()?)?;
        let uint = |at: usize| Value::Uint(u64::from(u32_of(&b, at)));
        let command = self.reg(0) as u32;
        match command {
            0 if size >= 20 => Some(Value::Struct(vec![
                field("map_type", named(&nk::BPF_MAP_TYPE, u64::from(u32_of(&b, 0)))),
                field("key_size", uint(4)),
                field("value_size", uint(8)),
                field("max_entries", uint(12)),
                field("map_flags", named(&nk::BPF_MAP_FLAGS, u64::from(u32_of(&b, 16)))),
            ])),
            1..=4 if size >= 24 => {
                let mut fields = vec![
                    field("map_fd", self.fd(u32_of(&b, 0).cast_signed())),
                    field("key", Value::Addr(u64_of(&b, 8))),
                ];
                match command {
                    1 | 2 => fields.push(field("value", Value::Addr(u64_of(&b, 16)))),
                    4 => fields.push(field("next_key", Value::Addr(u64_of(&b, 16)))),
                    _ => {}
                }
                if command == 2 && size >= 32 {
                    fields.push(field("flags", named(&nk::BPF_UPDATE, u64_of(&b, 24))));
                }
                Some(Value::Struct(fields))
            }
            _ => None,
        }
    }

    /// `struct perf_event_attr`, as much as is told without `-v`.
    fn perf_attr(&mut self, addr: u64) -> Option<Value> {
        const BITS: [&str; 15] = [
            "disabled",
            "inherit",
            "pinned",
            "exclusive",
            "exclude_user",
            "exclude_kernel",
            "exclude_hv",
            "exclude_idle",
            "mmap",
            "comm",
            "freq",
            "inherit_stat",
            "enable_on_exec",
            "task",
            "watermark",
        ];
        const SKID: [&str; 4] =
            ["arbitrary skid", "constant skid", "requested to have 0 skid", "must have 0 skid"];
        let b = self.bytes(addr, 64)?;
        let (kind, size, config) = (u32_of(&b, 0), u32_of(&b, 4), u64_of(&b, 8));
        let config = match kind {
            0 => named(&nk::PERF_HW, config),
            1 => named(&nk::PERF_SW, config),
            _ => Value::Hex(config),
        };
        let bits = u64_of(&b, 40);
        let period = if bits >> 10 & 1 != 0 { "sample_freq" } else { "sample_period" };
        let mut fields = vec![
            field("type", named(&nk::PERF_TYPE, u64::from(kind))),
            field("size", named(&nk::PERF_SIZE, u64::from(size))),
            field("config", config),
            field(period, Value::Uint(u64_of(&b, 16))),
            field("sample_type", Value::Hex(u64_of(&b, 24))),
            field("read_format", Value::Hex(u64_of(&b, 32))),
        ];
        for (n, name) in BITS.iter().enumerate() {
            if bits >> n & 1 != 0 {
                fields.push(field(name, Value::Uint(1)));
            }
        }
        let skid = usize::try_from(bits >> 15 & 3).unwrap_or(0);
        fields.push(field("precise_ip", Value::Note(Box::new(Value::Uint(skid as u64)), SKID[skid].into())));
        fields.push(verbose("wakeup_events", Value::Uint(u64::from(u32_of(&b, 48)))));
        fields.push(verbose("config1", Value::Hex(u64_of(&b, 56))));
        Some(Value::Struct(fields))
    }

    /// The body of a netlink message that tells of an error: the number and the message it is about.
    pub(super) fn netlink_error(&mut self, body: &[u8]) -> Option<Value> {
        if body.len() < 20 {
            return None;
        }
        let error = u32_of(body, 0).cast_signed();
        let name = u16::try_from(error.unsigned_abs()).ok().and_then(|n| crate::abi::errno::Errno(n).name());
        let error = match name {
            Some(name) if error < 0 => Value::text(format!("-{name}")),
            _ => Value::Int(i64::from(error)),
        };
        Some(Value::Struct(vec![field("error", error), field("msg", super::net::netlink_head(&body[4..]))]))
    }
}

fn status_of_page(b: &[u8]) -> Value {
    let status = super::i32_of(b, 0);
    let name = u16::try_from(-status).ok().and_then(|n| crate::abi::errno::Errno(n).name());
    match name {
        Some(name) if status < 0 => Value::text(format!("-{name}")),
        _ => Value::Int(status),
    }
}

/// A handle of a file: its kind and its bytes.
pub(super) fn handle_bytes(data: &[u8]) -> Value {
    Value::Str(Bytes { data: data.to_vec(), more: false, kind: Quote::Hex })
}
