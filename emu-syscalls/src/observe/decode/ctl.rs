//! Calls with an operation that decides about the rest: fcntl, prctl, futex, the control calls of System V, clone, ptrace.

use super::{Decoder, bpf, i32_of, id, named, signal, u16_of, u32_of, u64_of};
use crate::observe::names::{file as nf, task as nt};
use crate::observe::value::{Bytes, Quote, Value, field};

impl Decoder<'_> {
    pub(super) fn fcntl(&mut self) -> Vec<Value> {
        let arg = self.reg(2);
        let low = u64::from(arg as u32);
        vec![match self.reg(1) as u32 {
            1 | 3 | 9 | 11 | 1025 | 1032 | 1034 => return Vec::new(),
            0 | 1030 | 1031 => Value::Uint(low),
            8 => Value::Int(i64::from((arg as u32).cast_signed())),
            2 => named(&nf::FD, low),
            4 => super::rules::open_flags(low),
            5..=7 | 36..=38 => {
                if matches!(self.reg(1) as u32, 5 | 36) && self.failed() {
                    return vec![Value::Addr(arg)];
                }
                self.record_lock(arg).unwrap_or(Value::Addr(arg))
            }
            10 => signal::signal(arg as u32),
            15 | 16 => {
                if self.failed() && self.reg(1) == 16 {
                    return vec![Value::Addr(arg)];
                }
                match self.bytes(arg, 8) {
                    Some(b) => {
                        let kind = u32_of(&b, 0);
                        let names = ["F_OWNER_TID", "F_OWNER_PID", "F_OWNER_PGRP"];
                        let kind = match names.get(kind as usize) {
                            Some(name) => Value::text(*name),
                            None => Value::text(format!("{kind:#x} /* F_OWNER_??? */")),
                        };
                        Value::Struct(vec![field("type", kind), field("pid", Value::Int(i32_of(&b, 4)))])
                    }
                    None => Value::Addr(arg),
                }
            }
            1024 => named(&nf::LOCK_TYPE, low),
            1026 => {
                static DN: crate::observe::names::Names = crate::observe::names::Names::bits(
                    "DN_???",
                    &[
                        (1, "DN_ACCESS"),
                        (2, "DN_MODIFY"),
                        (4, "DN_CREATE"),
                        (8, "DN_DELETE"),
                        (16, "DN_RENAME"),
                        (32, "DN_ATTRIB"),
                        (0x8000_0000, "DN_MULTISHOT"),
                    ],
                );
                named(&DN, low)
            }
            1033 => named(&nf::SEAL, low),
            _ => Value::Hex(arg),
        }]
    }

    fn record_lock(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 32)?;
        let mut fields = vec![
            field("l_type", named(&nf::LOCK_TYPE, u64::from(u16_of(&b, 0)))),
            field("l_whence", named(&nf::SEEK, u64::from(u16_of(&b, 2)))),
            field("l_start", Value::Int(u64_of(&b, 8).cast_signed())),
            field("l_len", Value::Int(u64_of(&b, 16).cast_signed())),
        ];
        if matches!(self.reg(1) as u32, 5 | 36) {
            fields.push(field("l_pid", Value::Int(i32_of(&b, 24))));
        }
        Some(Value::Struct(fields))
    }

    pub(super) fn fcntl_note(&self, value: u64) -> Option<String> {
        match self.reg(1) as u32 {
            1 if value != 0 => Some(format!("flags {}", nf::FD.text(value))),
            3 => Some(format!("flags {}", super::rules::open_flags(value).to_text(&self.style))),
            11 if value != 0 => Some(signal::signal_name(value)),
            1025 => Some(nf::LOCK_TYPE.text(value)),
            1034 if value != 0 => Some(format!("seals {}", nf::SEAL.text(value))),
            _ => None,
        }
    }

    pub(super) fn prctl(&mut self) -> Vec<Value> {
        let a: Vec<u64> = (1..5).map(|i| self.reg(i)).collect();
        let hex = |n: usize| -> Vec<Value> { a[..n].iter().map(|reg| Value::Hex(*reg)).collect() };
        let uint = |reg: u64| Value::Uint(reg);
        let cap = |reg: u64| named(&nt::CAP, reg);
        match self.reg(0) as u32 {
            1 => vec![signal::signal(a[0] as u32)],
            2 | 5 | 9 | 11 | 19 | 25 | 37 => {
                if self.failed() {
                    return vec![Value::Addr(a[0])];
                }
                let Some(value) = self.u32_at(a[0]) else { return vec![Value::Addr(a[0])] };
                let told = match self.reg(0) as u32 {
                    2 => signal::signal(value),
                    25 => Value::text(match value {
                        1 => "PR_TSC_ENABLE".to_owned(),
                        2 => "PR_TSC_SIGSEGV".to_owned(),
                        other => format!("{other:#x} /* PR_TSC_??? */"),
                    }),
                    37 => Value::Uint(u64::from(value)),
                    _ => Value::Hex(u64::from(value)),
                };
                vec![Value::array(vec![told])]
            }
            40 => {
                if self.failed() {
                    return vec![Value::Addr(a[0])];
                }
                match self.u64_at(a[0]) {
                    Some(value) => vec![Value::array(vec![Value::Addr(value)])],
                    None => vec![Value::Addr(a[0])],
                }
            }
            3 | 7 | 13 | 21 | 27 | 30 | 31 | 32 | 46 => Vec::new(),
            4 => vec![dumpable(a[0])],
            8 | 29 | 36 => vec![uint(a[0])],
            15 => match self.cstr(a[0], 15) {
                Some((data, end)) => vec![Value::Str(Bytes { data, more: !end, kind: Quote::Text })],
                None => vec![Value::Addr(a[0])],
            },
            16 => {
                if self.failed() {
                    return vec![Value::Addr(a[0])];
                }
                match self.cstr(a[0], 16) {
                    Some((data, end)) => vec![Value::Str(Bytes { data, more: !end, kind: Quote::Text })],
                    None => vec![Value::Addr(a[0])],
                }
            }
            22 => {
                let mode = match a[0] {
                    0 => "SECCOMP_MODE_DISABLED".to_owned(),
                    1 => "SECCOMP_MODE_STRICT".to_owned(),
                    2 => "SECCOMP_MODE_FILTER".to_owned(),
                    other => format!("{other:#x} /* SECCOMP_MODE_??? */"),
                };
                let mut told = vec![Value::Named { value: a[0], text: mode }];
                match a[0] {
                    1 => {}
                    2 => told.push(self.filter_program(a[1], bpf::Kind::Seccomp)),
                    _ => told.extend(a[1..].iter().map(|reg| Value::Hex(*reg))),
                }
                told
            }
            23 | 24 => vec![cap(a[0])],
            26 => vec![Value::text(match a[0] {
                1 => "PR_TSC_ENABLE".to_owned(),
                2 => "PR_TSC_SIGSEGV".to_owned(),
                other => format!("{other:#x} /* PR_TSC_??? */"),
            })],
            28 => vec![named(&SECBITS, a[0])],
            38 | 41 => vec![uint(a[0]), Value::Hex(a[1]), Value::Hex(a[2]), Value::Hex(a[3])],
            34 | 39 | 42 => a.iter().map(|reg| Value::Hex(*reg)).collect(),
            47 => {
                let op = match a[0] {
                    1 => "PR_CAP_AMBIENT_IS_SET",
                    2 => "PR_CAP_AMBIENT_RAISE",
                    3 => "PR_CAP_AMBIENT_LOWER",
                    4 => "PR_CAP_AMBIENT_CLEAR_ALL",
                    _ => return hex(4),
                };
                vec![Value::text(op), cap(a[1]), Value::Hex(a[2]), Value::Hex(a[3])]
            }
            52 => vec![speculation(a[0])],
            0x5356_4d41 => {
                let op = if a[0] == 0 {
                    Value::text("PR_SET_VMA_ANON_NAME")
                } else {
                    Value::text(format!("{:#x} /* PR_SET_VMA_??? */", a[0]))
                };
                let name = self.string(a[3]);
                vec![op, Value::Hex(a[1]), Value::Uint(a[2]), name]
            }
            0x5961_6d61 => vec![match a[0] {
                u64::MAX => Value::text("PR_SET_PTRACER_ANY"),
                pid => Value::Int(pid.cast_signed()),
            }],
            _ => hex(4),
        }
    }

    pub(super) fn prctl_note(&self, value: u64) -> Option<String> {
        match self.reg(0) as u32 {
            3 => Some(dumpable(value).to_text(&self.style)),
            27 if value != 0 => Some(SECBITS.text(value)),
            34 => match value {
                0 => Some("PR_MCE_KILL_LATE".into()),
                1 => Some("PR_MCE_KILL_EARLY".into()),
                2 => Some("PR_MCE_KILL_DEFAULT".into()),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn arch_prctl(&mut self) -> Vec<Value> {
        let addr = self.reg(1);
        match self.reg(0) as u32 {
            0x1003 | 0x1004 if !self.failed() => match self.u64_at(addr) {
                Some(value) => vec![Value::array(vec![Value::Addr(value)])],
                None => vec![Value::Addr(addr)],
            },
            0x1011 => Vec::new(),
            0x1001..=0x1004 => vec![Value::Addr(addr)],
            _ => vec![Value::Hex(addr)],
        }
    }

    pub(super) fn futex(&mut self) -> Vec<Value> {
        let op = self.reg(1);
        let value = Value::Uint(u64::from(self.reg(2) as u32));
        let signed = Value::Int(i64::from((self.reg(2) as u32).cast_signed()));
        let (timeout, second, third) = (self.reg(3), self.reg(4), self.reg(5) as u32);
        let told = futex_op(op as u32);
        let time = |d: &mut Self| d.timespec(timeout).unwrap_or(Value::Addr(timeout));
        let mask = match third {
            u32::MAX => Value::text("FUTEX_BITSET_MATCH_ANY"),
            bits => Value::Hex(u64::from(bits)),
        };
        match op as u32 & 0x7f {
            0 => vec![told, value, time(self)],
            1 | 2 => vec![told, signed],
            3 => vec![told, signed, Value::Uint(u64::from(timeout as u32)), Value::Addr(second)],
            4 | 12 => vec![
                told,
                signed,
                Value::Uint(u64::from(timeout as u32)),
                Value::Addr(second),
                Value::Uint(u64::from(third)),
            ],
            5 => vec![
                told,
                signed,
                Value::Uint(u64::from(timeout as u32)),
                Value::Addr(second),
                wake_op(third),
            ],
            6 | 13 => vec![told, time(self)],
            7 | 8 => vec![told],
            9 => vec![told, value, time(self), mask],
            10 => vec![told, signed, mask],
            11 => vec![told, value, time(self), Value::Addr(second)],
            _ => vec![
                told,
                Value::Hex(u64::from(self.reg(2) as u32)),
                Value::Addr(timeout),
                Value::Addr(second),
                Value::Hex(u64::from(third)),
            ],
        }
    }

    /// Stack and flags of clone(2), known on entry.
    pub(super) fn clone_head(&mut self) -> Vec<Value> {
        let flags = self.reg(0);
        let signal_number = flags & 0xff;
        let (names, rest) = nt::CLONE.split(flags & !0xff & 0xffff_ffff);
        let mut parts: Vec<String> = names.into_iter().map(str::to_owned).collect();
        if rest != 0 {
            parts.push(format!("{rest:#x}"));
        }
        if signal_number != 0 {
            parts.push(signal::signal_name(signal_number));
        }
        let text = if parts.is_empty() { "0".to_owned() } else { parts.join("|") };
        vec![
            Value::Label("child_stack", Box::new(Value::Addr(self.reg(1)))),
            Value::Label("flags", Box::new(Value::Named { value: flags, text })),
        ]
    }

    /// The rest of clone(2).
    pub(super) fn clone(&mut self) -> Vec<Value> {
        let flags = self.reg(0);
        let mut args = Vec::new();
        let tid_at = |d: &Self, i: usize| Value::Addr(d.reg(i));
        if flags & (0x10_0000 | 0x1000) != 0 {
            let at = self.reg(2);
            let told = match self.u32_at(at).filter(|_| !self.failed()) {
                Some(pidfd) if flags & 0x1000 != 0 => Value::array(vec![self.fd(pidfd.cast_signed())]),
                Some(tid) => Value::array(vec![Value::Int(i64::from(tid))]),
                None => Value::Addr(at),
            };
            args.push(Value::Label("parent_tid", Box::new(told)));
        }
        if flags & 0x8_0000 != 0 {
            args.push(Value::Label("tls", Box::new(Value::Hex(self.reg(4)))));
        }
        if flags & (0x20_0000 | 0x100_0000) != 0 {
            args.push(Value::Label("child_tidptr", Box::new(tid_at(self, 3))));
        }
        args
    }

    /// What clone3(2) is asked for.
    pub(super) fn clone_args_head(&mut self, addr: u64, size: usize) -> Vec<Value> {
        let size = self.reg(size);
        if size < 64 {
            return vec![Value::Addr(addr)];
        }
        let len = usize::try_from(size.min(4096)).unwrap_or(64);
        let Some(b) = self.bytes(addr, len) else { return vec![Value::Addr(addr)] };
        let flags = u64_of(&b, 0);
        let mut fields = vec![field("flags", named(&nt::CLONE, flags))];
        let mut address = |name, bit: u64, at: usize| {
            if flags & bit != 0 {
                fields.push(field(name, Value::Addr(u64_of(&b, at))));
            }
        };
        address("pidfd", 0x1000, 8);
        address("child_tid", 0x20_0000 | 0x100_0000, 16);
        address("parent_tid", 0x10_0000, 24);
        let exit_signal = u64_of(&b, 32);
        fields.push(field(
            "exit_signal",
            match nt::SIGNAL.name(exit_signal) {
                Some(name) => Value::text(name),
                None => Value::Uint(exit_signal),
            },
        ));
        fields.push(field("stack", Value::Addr(u64_of(&b, 40))));
        fields.push(field("stack_size", Value::Hex(u64_of(&b, 48))));
        if flags & 0x8_0000 != 0 {
            fields.push(field("tls", Value::Addr(u64_of(&b, 56))));
        }
        if size >= 80 && u64_of(&b, 72) != 0 {
            let (at, count) = (u64_of(&b, 64), u64_of(&b, 72));
            let list = self.list(at, count, 4, |b| Value::Int(i32_of(b, 0))).unwrap_or(Value::Addr(at));
            fields.push(field("set_tid", list));
            fields.push(field("set_tid_size", Value::Uint(count)));
        }
        if size >= 88 && flags & 0x2_0000_0000 != 0 {
            fields.push(field("cgroup", Value::Uint(u64_of(&b, 80))));
        }
        if size > 88 {
            let mut data = b[88..].to_vec();
            let more = data.len() > self.style.limit;
            data.truncate(self.style.limit);
            let told = Value::Str(Bytes { data, more, kind: Quote::Hex });
            let end = size.min(4096) - 1;
            fields
                .push(field("", Value::text(format!("/* bytes 88..{end} */ {}", told.to_text(&self.style)))));
        }
        vec![Value::Struct(fields)]
    }

    /// What clone3(2) filled in.
    pub(super) fn clone_args(&mut self, addr: u64, size: usize) -> Vec<Value> {
        let _ = size;
        if self.failed() {
            return Vec::new();
        }
        let Some(b) = self.bytes(addr, 64) else { return Vec::new() };
        let flags = u64_of(&b, 0);
        let mut fields = Vec::new();
        for (name, bit, at) in [("pidfd", 0x1000, 8), ("parent_tid", 0x10_0000, 24)] {
            if flags & bit != 0
                && let Some(value) = self.u32_at(u64_of(&b, at))
            {
                let value =
                    if bit == 0x1000 { self.fd(value.cast_signed()) } else { Value::Int(i64::from(value)) };
                fields.push(field(name, Value::array(vec![value])));
            }
        }
        if fields.is_empty() { Vec::new() } else { vec![Value::Suffix(Box::new(Value::Struct(fields)))] }
    }

    pub(super) fn ipc_control(&mut self, i: usize) -> Vec<Value> {
        let addr = self.reg(i);
        let command = if self.call.nr == 66 { self.reg(2) } else { self.reg(1) } as u32;
        let plain = match (self.call.nr, addr) {
            (66, reg) if !matches!(command, 1 | 2) => Value::Addr(reg),
            (_, reg) => Value::Addr(reg),
        };
        if !matches!(command, 1 | 2) || self.failed() {
            return vec![plain];
        }
        vec![self.ipc_record(addr, command).unwrap_or(plain)]
    }

    /// `struct shmid_ds` and its like: what IPC_SET gives or IPC_STAT got.
    fn ipc_record(&mut self, addr: u64, command: u32) -> Option<Value> {
        let nr = self.call.nr;
        let b = self.bytes(addr, if nr == 66 { 104 } else { 112 })?;
        let mut perm = vec![
            field("uid", id(u32_of(&b, 4))),
            field("gid", id(u32_of(&b, 8))),
            field("mode", Value::Oct(u64::from(u32_of(&b, 20) & 0xffff))),
        ];
        let stat = command == 2;
        if stat {
            perm.push(field("key", Value::Uint(u64::from(u32_of(&b, 0)))));
            perm.push(field("cuid", id(u32_of(&b, 12))));
            perm.push(field("cgid", id(u32_of(&b, 16))));
        }
        let perm = Value::Struct(perm);
        let uint = |at: usize| Value::Uint(u64_of(&b, at));
        let pid = |at: usize| Value::Int(i32_of(&b, at));
        Some(Value::Struct(match nr {
            31 if !stat => vec![field("shm_perm", perm)],
            31 => vec![
                field("shm_perm", perm),
                field("shm_segsz", uint(48)),
                field("shm_cpid", pid(80)),
                field("shm_lpid", pid(84)),
                field("shm_nattch", uint(88)),
                field("shm_atime", uint(56)),
                field("shm_dtime", uint(64)),
                field("shm_ctime", uint(72)),
            ],
            71 if !stat => vec![field("msg_perm", perm), field("msg_qbytes", uint(88))],
            71 => vec![
                field("msg_perm", perm),
                field("msg_stime", uint(48)),
                field("msg_rtime", uint(56)),
                field("msg_ctime", uint(64)),
                field("msg_qnum", uint(80)),
                field("msg_qbytes", uint(88)),
                field("msg_lspid", pid(96)),
                field("msg_lrpid", pid(100)),
            ],
            _ if !stat => vec![field("sem_perm", perm)],
            _ => vec![
                field("sem_perm", perm),
                field("sem_otime", uint(48)),
                field("sem_ctime", uint(64)),
                field("sem_nsems", uint(80)),
            ],
        }))
    }

    pub(super) fn ptrace(&mut self) -> Vec<Value> {
        let request = self.reg(0);
        let pid = Value::Int(i64::from((self.reg(1) as u32).cast_signed()));
        let (addr, data) = (self.reg(2), self.reg(3));
        let told = if request == 0 {
            return vec![Value::text("PTRACE_TRACEME")];
        } else {
            named(&nt::PTRACE, request)
        };
        let mut args = vec![told, pid];
        match request {
            16 | 8 | 0x4207 => {}
            7 | 9 | 17 | 24 => {
                args.push(Value::Addr(addr));
                args.push(signal::signal(data as u32));
            }
            _ => {
                args.push(Value::Addr(addr));
                args.push(Value::Addr(data));
            }
        }
        args
    }
}

static SECBITS: crate::observe::names::Names = crate::observe::names::Names::bits(
    "SECBIT_???",
    &[
        (1, "SECBIT_NOROOT"),
        (2, "SECBIT_NOROOT_LOCKED"),
        (4, "SECBIT_NO_SETUID_FIXUP"),
        (8, "SECBIT_NO_SETUID_FIXUP_LOCKED"),
        (16, "SECBIT_KEEP_CAPS"),
        (32, "SECBIT_KEEP_CAPS_LOCKED"),
        (64, "SECBIT_NO_CAP_AMBIENT_RAISE"),
        (128, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"),
    ],
);

fn dumpable(value: u64) -> Value {
    match value {
        0 => Value::text("SUID_DUMP_DISABLE"),
        1 => Value::text("SUID_DUMP_USER"),
        2 => Value::text("SUID_DUMP_ROOT"),
        other => Value::text(format!("{other:#x} /* SUID_DUMP_??? */")),
    }
}

fn speculation(value: u64) -> Value {
    match value {
        0 => Value::text("PR_SPEC_STORE_BYPASS"),
        1 => Value::text("PR_SPEC_INDIRECT_BRANCH"),
        2 => Value::text("PR_SPEC_L1D_FLUSH"),
        other => Value::text(format!("{other:#x} /* PR_SPEC_??? */")),
    }
}

fn futex_op(op: u32) -> Value {
    let clock = op & 0x100 != 0;
    let base = op & !0x100;
    let text = match nt::FUTEX.name(u64::from(base)) {
        Some(name) if clock && matches!(base & 0x7f, 9 | 11 | 13) => format!("{name}|FUTEX_CLOCK_REALTIME"),
        Some(name) if !clock => name.to_owned(),
        _ => format!("{op:#x} /* FUTEX_??? */"),
    };
    Value::Named { value: u64::from(op), text }
}

fn wake_op(code: u32) -> Value {
    const OPS: [&str; 5] = ["FUTEX_OP_SET", "FUTEX_OP_ADD", "FUTEX_OP_OR", "FUTEX_OP_ANDN", "FUTEX_OP_XOR"];
    const CMPS: [&str; 6] = [
        "FUTEX_OP_CMP_EQ",
        "FUTEX_OP_CMP_NE",
        "FUTEX_OP_CMP_LT",
        "FUTEX_OP_CMP_LE",
        "FUTEX_OP_CMP_GT",
        "FUTEX_OP_CMP_GE",
    ];
    let shift = if code >> 31 & 1 != 0 { "FUTEX_OP_OPARG_SHIFT<<28|" } else { "" };
    let op = OPS.get((code >> 28 & 7) as usize).copied().unwrap_or("0x7 /* FUTEX_OP_??? */");
    let cmp = CMPS.get((code >> 24 & 15) as usize).copied().unwrap_or("0xf /* FUTEX_OP_CMP_??? */");
    let hex = |n: u32| if n == 0 { "0".to_owned() } else { format!("{n:#x}") };
    Value::text(format!("{shift}{op}<<28|{}<<12|{cmp}<<24|{}", hex(code >> 12 & 0xfff), hex(code & 0xfff)))
}
