//! Structures in memory, by [`Shape`].

use super::{Decoder, i32_of, id, named, signal, time, u16_of, u32_of, u64_of};
use crate::arg::{Dir, Shape};
use crate::observe::names::{file as nf, misc as nm, task as nt};
use crate::observe::value::{Bytes, Field, Quote, Value, field, octal, verbose};

/// File type and permission bits.
pub(super) fn mode(mode: u32) -> Value {
    Value::Named { value: u64::from(mode), text: mode_text(mode) }
}

fn mode_text(mode: u32) -> String {
    let kind = u64::from(mode & 0o170_000);
    let Some(name) = nf::FILE_TYPE.name(kind) else { return octal(u64::from(mode)) };
    let mut text = name.to_owned();
    for (bit, name) in [(0o4000, "S_ISUID"), (0o2000, "S_ISGID"), (0o1000, "S_ISVTX")] {
        if mode & bit != 0 {
            text.push('|');
            text.push_str(name);
        }
    }
    format!("{text}|{}", octal(u64::from(mode & 0o777)))
}

/// Number of a device.
pub(super) fn device(dev: u64) -> Value {
    let major = (dev >> 8 & 0xfff) | (dev >> 32 & 0xffff_f000);
    let minor = (dev & 0xff) | (dev >> 12 & 0xffff_ff00);
    makedev(major, minor)
}

fn makedev(major: u64, minor: u64) -> Value {
    let hex = |n: u64| if n == 0 { "0".to_owned() } else { format!("{n:#x}") };
    Value::text(format!("makedev({}, {})", hex(major), hex(minor)))
}

impl Decoder<'_> {
    /// What lies at `addr`; most shapes give one value.
    pub(super) fn memory(&mut self, i: usize, addr: u64, dir: Dir, shape: Shape) -> Vec<Value> {
        match shape {
            Shape::SockaddrPtr(len) => return self.sockaddr_ptr(addr, usize::from(len)),
            Shape::CloneArgs(len) => return self.clone_args(addr, usize::from(len)),
            Shape::Sockaddr(len) => {
                let len = self.reg(usize::from(len));
                return vec![self.sockaddr(addr, len)];
            }
            _ => {}
        }
        if addr == 0 {
            return vec![Value::null()];
        }
        let told_on_error = matches!(
            shape,
            Shape::FileHandle | Shape::Iovec(_) | Shape::Msghdr | Shape::Mmsghdr(_) | Shape::Timex
        );
        let told_early = matches!((self.call.nr, shape), (128 | 299, Shape::Timespec));
        if (dir != Dir::In || !told_early) && self.failed() && !(told_on_error && self.tells_failed(shape)) {
            return vec![Value::Addr(addr)];
        }
        vec![self.shape(i, addr, dir, shape).unwrap_or(Value::Addr(addr))]
    }

    /// Whether a structure to be filled is told although the call failed.
    fn tells_failed(&self, shape: Shape) -> bool {
        matches!(shape, Shape::Iovec(_) | Shape::FileHandle)
    }

    fn shape(&mut self, i: usize, addr: u64, dir: Dir, shape: Shape) -> Option<Value> {
        let one = |value: Option<Value>| value.map(|value| Value::array(vec![value]));
        match shape {
            Shape::Int => one(self.u32_at(addr).map(|n| Value::Int(i64::from(n.cast_signed())))),
            Shape::Uint => one(self.u32_at(addr).map(|n| Value::Uint(u64::from(n)))),
            Shape::Long => one(self.u64_at(addr).map(Value::Uint)),
            Shape::Hex64 => one(self.u64_at(addr).map(Value::Hex)),
            Shape::Pointer => one(self.u64_at(addr).map(Value::Addr)),
            Shape::TimerId => one(self.u32_at(addr).map(|n| Value::Hex(u64::from(n)))),
            Shape::SchedParam => one(self.u32_at(addr).map(|n| Value::Int(i64::from(n.cast_signed())))),
            Shape::Pair => {
                let b = self.bytes(addr, 8)?;
                let first = self.fd(u32_of(&b, 0).cast_signed());
                let second = self.fd(u32_of(&b, 4).cast_signed());
                Some(Value::array(vec![first, second]))
            }
            Shape::Stat => self.stat(addr),
            Shape::Statx => self.statx(addr),
            Shape::Statfs => self.statfs(addr),
            Shape::Timespec => self.timespec(addr),
            Shape::Timeval => self.timeval(addr),
            Shape::Timevals => self.timevals(addr),
            Shape::Timespecs => self.timespecs(addr),
            Shape::Timezone => self.timezone(addr),
            Shape::Itimerval => self.itimer(addr, time::timeval),
            Shape::Itimerspec => self.itimer(addr, time::timespec),
            Shape::Utimbuf => self.utimbuf(addr),
            Shape::Time => one(self.u64_at(addr).map(time::seconds)),
            Shape::Sigset(size) => {
                let size = self.reg(usize::from(size));
                self.sigset_at(addr, size)
            }
            Shape::SigsetSized => self.sigset_sized(addr),
            Shape::Sigaction => self.sigaction(addr),
            Shape::Siginfo => self.siginfo_at(addr),
            Shape::Sigevent => self.sigevent(addr),
            Shape::Stack => self.sigstack(addr),
            Shape::Rlimit => self.rlimit(addr),
            Shape::Rusage => self.rusage(addr),
            Shape::Sysinfo => self.sysinfo(addr),
            Shape::Utsname => self.utsname(addr),
            Shape::Tms => self.tms(addr),
            Shape::Timex => self.timex(addr),
            Shape::Iovec(count) => {
                let count = self.reg(usize::from(count));
                let limit = if dir == Dir::In { u64::MAX } else { self.value() };
                let limit = if self.failed() { None } else { Some(limit) };
                self.iovec(addr, count, limit)
            }
            Shape::RemoteIovec(count) => {
                let count = self.reg(usize::from(count));
                self.iovec(addr, count, None)
            }
            Shape::Msghdr => self.msghdr(addr, dir),
            Shape::Mmsghdr(count) => {
                let count = if self.entering() || dir == Dir::In {
                    self.reg(usize::from(count))
                } else {
                    self.value()
                };
                self.mmsghdr(addr, count, dir)
            }
            Shape::WaitStatus => one(self.u32_at(addr).map(wait_status)),
            Shape::Pollfds(_) | Shape::Sockaddr(_) | Shape::SockaddrPtr(_) | Shape::CloneArgs(_) => None,
            Shape::EpollEvent => {
                // The operation that removes takes none.
                let b = self.bytes(addr, 12)?;
                (self.reg(1) as u32 != 2).then(|| epoll_event(&b))
            }
            Shape::EpollEvents => {
                let count = usize::try_from(self.value()).ok()?;
                let mut items = Vec::new();
                for n in 0..count.min(self.style.limit) {
                    items.push(epoll_event(&self.bytes(addr + n as u64 * 12, 12)?));
                }
                Some(Value::Array { more: count > items.len(), items })
            }
            Shape::Dirents => self.dirents(addr, false),
            Shape::Dirents64 => self.dirents(addr, true),
            Shape::SchedAttr => self.sched_attr(addr, i),
            Shape::CpuSet(len) => self.cpu_set(addr, usize::from(len)),
            Shape::Nodes(count) => self.nodes(addr, usize::from(count)),
            Shape::CapHeader => self.cap_header(addr),
            Shape::CapData => self.cap_data(addr),
            Shape::Gids(count) => {
                let count = if self.entering() {
                    u64::from(self.reg(usize::from(count)) as u32)
                } else {
                    self.value()
                };
                if self.reg(usize::from(0u8)) as u32 == 0 {
                    return Some(Value::array(Vec::new()));
                }
                if count > 65_536 {
                    return None;
                }
                self.list(addr, count, 4, |b| id(u32_of(b, 0)))
            }
            Shape::OpenHow(_) => {
                let b = self.bytes(addr, 24)?;
                let flags = u64_of(&b, 0);
                let mut fields = vec![field("flags", super::rules::open_flags(flags))];
                if flags & 0x40 != 0 || flags & 0x41_0000 == 0x41_0000 {
                    fields.push(field("mode", Value::Oct(u64_of(&b, 8))));
                } else if u64_of(&b, 8) != 0 {
                    fields.push(field("mode", Value::Oct(u64_of(&b, 8))));
                }
                fields.push(field("resolve", named(&nf::RESOLVE, u64_of(&b, 16))));
                Some(Value::Struct(fields))
            }
            Shape::Sembufs(count) => {
                let count = self.reg(usize::from(count)) & 0xffff_ffff;
                self.list(addr, count, 6, |b| {
                    Value::Struct(vec![
                        field("sem_num", Value::Uint(u64::from(u16_of(b, 0)))),
                        field("sem_op", Value::Int(i64::from(u16_of(b, 2).cast_signed()))),
                        field("sem_flg", named(&crate::observe::names::net::SEMOP, u64::from(u16_of(b, 4)))),
                    ])
                })
            }
            Shape::Msgbuf(len) => {
                let kind = self.u64_at(addr)?;
                let len = self.reg(usize::from(len));
                let text = self.buffer(addr + 8, len, Quote::Text);
                Some(Value::Struct(vec![
                    field("mtype", Value::Int(kind.cast_signed())),
                    field("mtext", text),
                ]))
            }
            Shape::MqAttr => {
                let b = self.bytes(addr, 32)?;
                Some(Value::Struct(vec![
                    field("mq_flags", named(&nf::OPEN, u64_of(&b, 0))),
                    field("mq_maxmsg", Value::Int(u64_of(&b, 8).cast_signed())),
                    field("mq_msgsize", Value::Int(u64_of(&b, 16).cast_signed())),
                    field("mq_curmsgs", Value::Int(u64_of(&b, 24).cast_signed())),
                ]))
            }
            Shape::Strings => self.strings(addr),
            Shape::Environment => self.environment(addr),
            Shape::Residency(len) => {
                let pages = self.reg(usize::from(len)).div_ceil(4096);
                self.list(addr, pages, 1, |b| Value::Uint(u64::from(b.first().copied().unwrap_or(0) & 1)))
            }
            Shape::FileHandle => {
                let b = self.bytes(addr, 8)?;
                Some(Value::Struct(vec![
                    field("handle_bytes", Value::Uint(u64::from(u32_of(&b, 0)))),
                    field("handle_type", Value::Int(i32_of(&b, 4))),
                ]))
            }
            Shape::Iocbs(count) => {
                let count = self.reg(usize::from(count)).cast_signed();
                let count = u64::try_from(count).ok()?;
                let mut items = Vec::new();
                for n in 0..count.min(self.style.limit as u64) {
                    let at = self.u64_at(addr + n * 8)?;
                    items.push(self.iocb(at).unwrap_or(Value::Addr(at)));
                }
                Some(Value::Array { more: count > items.len() as u64, items })
            }
            Shape::Iocb => self.iocb(addr),
            Shape::IoEvents => {
                let count = self.value();
                self.list(addr, count, 32, |b| {
                    Value::Struct(vec![
                        field("data", Value::Hex(u64_of(b, 0))),
                        field("obj", Value::Addr(u64_of(b, 8))),
                        field("res", Value::Int(u64_of(b, 16).cast_signed())),
                        field("res2", Value::Int(u64_of(b, 24).cast_signed())),
                    ])
                })
            }
            Shape::FutexWaiters(count) => {
                let count = self.reg(usize::from(count)) & 0xffff_ffff;
                self.list(addr, count, 24, |b| {
                    let mut fields = vec![
                        field("val", Value::Hex(u64_of(b, 0))),
                        field("uaddr", Value::Addr(u64_of(b, 8))),
                        field("flags", named(&nt::FUTEX2, u64::from(u32_of(b, 16)))),
                    ];
                    if u32_of(b, 20) != 0 {
                        fields.push(field("__reserved", Value::Hex(u64::from(u32_of(b, 20)))));
                    }
                    Value::Struct(fields)
                })
            }
            Shape::MpolMode => one(self.u32_at(addr).map(|mode| super::rules::mpol_mode(u64::from(mode)))),
            Shape::CStr => {
                let (data, end) = self.cstr(addr, 4096)?;
                Some(Value::Str(Bytes { data, more: !end, kind: Quote::Path }))
            }
            Shape::Xattrs(len) => {
                if self.reg(usize::from(len)) == 0 {
                    return None;
                }
                let len = self.value();
                Some(self.buffer(addr, len, Quote::Text))
            }
        }
    }

    /// An array of `count` elements of `size` bytes; what cannot be read ends it with its address.
    pub(super) fn list(
        &mut self,
        addr: u64,
        count: u64,
        size: usize,
        one: impl Fn(&[u8]) -> Value,
    ) -> Option<Value> {
        let shown = count.min(self.style.limit as u64);
        let mut items = Vec::new();
        for n in 0..shown {
            let at = addr.wrapping_add(n * size as u64);
            match self.bytes(at, size) {
                Some(b) => items.push(one(&b)),
                None if n == 0 => return None,
                None => {
                    items.push(Value::text(format!("... /* {at:#x} */")));
                    return Some(Value::array(items));
                }
            }
        }
        Some(Value::Array { more: count > shown, items })
    }

    fn stat(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 144)?;
        let mode_bits = u32_of(&b, 24);
        let is_device = matches!(mode_bits & 0o170_000, 0o020_000 | 0o060_000);
        let uint = |at: usize| Value::Uint(u64_of(&b, at));
        let mut fields = vec![
            verbose("st_dev", device(u64_of(&b, 0))),
            verbose("st_ino", uint(8)),
            field("st_mode", mode(mode_bits)),
            verbose("st_nlink", uint(16)),
            verbose("st_uid", id(u32_of(&b, 28))),
            verbose("st_gid", id(u32_of(&b, 32))),
            verbose("st_blksize", uint(56)),
            verbose("st_blocks", uint(64)),
        ];
        // Without -v the hidden members come last; strace prints `...` at the end only.
        fields.push(if is_device {
            field("st_rdev", device(u64_of(&b, 40)))
        } else {
            field("st_size", Value::Uint(u64_of(&b, 48)))
        });
        for (name, name_ns, at) in [
            ("st_atime", "st_atime_nsec", 72),
            ("st_mtime", "st_mtime_nsec", 88),
            ("st_ctime", "st_ctime_nsec", 104),
        ] {
            let (seconds, ns) = (u64_of(&b, at).cast_signed(), u64_of(&b, at + 8));
            let value = match time::timestamp(seconds, ns, 9) {
                Some(text) => Value::Note(Box::new(Value::Int(seconds)), text),
                None => Value::Int(seconds),
            };
            fields.push(verbose(name, value));
            fields.push(verbose(name_ns, Value::Uint(ns)));
        }
        Some(Value::Struct(fields))
    }

    fn statx(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 256)?;
        let mask = u32_of(&b, 0);
        let uint = |at: usize| Value::Uint(u64::from(u32_of(&b, at)));
        let stamp = |at: usize| {
            let (sec, ns) = (u64_of(&b, at).cast_signed(), u64::from(u32_of(&b, at + 8)));
            let value =
                Value::Struct(vec![field("tv_sec", Value::Int(sec)), field("tv_nsec", Value::Uint(ns))]);
            match time::timestamp(sec, ns, 9) {
                Some(text) => Value::Note(Box::new(value), text),
                None => value,
            }
        };
        let mut fields = vec![
            field("stx_mask", named(&nf::STATX_MASK, u64::from(mask))),
            verbose("stx_blksize", uint(4)),
            field("stx_attributes", named(&STATX_ATTR, u64_of(&b, 8))),
            verbose("stx_nlink", uint(16)),
            verbose("stx_uid", id(u32_of(&b, 20))),
            verbose("stx_gid", id(u32_of(&b, 24))),
            field("stx_mode", mode(u32::from(u16_of(&b, 28)))),
            verbose("stx_ino", Value::Uint(u64_of(&b, 32))),
            field("stx_size", Value::Uint(u64_of(&b, 40))),
            verbose("stx_blocks", Value::Uint(u64_of(&b, 48))),
            verbose("stx_attributes_mask", named(&STATX_ATTR, u64_of(&b, 56))),
            verbose("stx_atime", stamp(64)),
        ];
        if mask & 0x800 != 0 {
            fields.push(verbose("stx_btime", stamp(80)));
        }
        fields.push(verbose("stx_ctime", stamp(96)));
        fields.push(verbose("stx_mtime", stamp(112)));
        fields.push(verbose("stx_rdev_major", uint(128)));
        fields.push(verbose("stx_rdev_minor", uint(132)));
        fields.push(verbose("stx_dev_major", uint(136)));
        fields.push(verbose("stx_dev_minor", uint(140)));
        if mask & 0x1000 != 0 {
            fields.push(verbose("stx_mnt_id", Value::Hex(u64_of(&b, 144))));
        }
        Some(Value::Struct(fields))
    }

    fn statfs(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 120)?;
        let uint = |at: usize| Value::Uint(u64_of(&b, at));
        let kind = u64_of(&b, 0);
        let kind = match nf::FS_MAGIC.name(kind) {
            Some(name) => Value::text(name),
            None => Value::Hex(kind),
        };
        Some(Value::Struct(vec![
            field("f_type", kind),
            field("f_bsize", uint(8)),
            field("f_blocks", uint(16)),
            field("f_bfree", uint(24)),
            field("f_bavail", uint(32)),
            field("f_files", uint(40)),
            field("f_ffree", uint(48)),
            field(
                "f_fsid",
                Value::Struct(vec![field(
                    "val",
                    Value::array(vec![
                        Value::Hex(u64::from(u32_of(&b, 56))),
                        Value::Hex(u64::from(u32_of(&b, 60))),
                    ]),
                )]),
            ),
            field("f_namelen", uint(64)),
            field("f_frsize", uint(72)),
            field("f_flags", named(&nf::ST_FLAGS, u64_of(&b, 80))),
        ]))
    }

    fn rlimit(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 16)?;
        let infinity = if self.call.nr == 302 { "RLIM64_INFINITY" } else { "RLIM_INFINITY" };
        let one = |n: u64| match n {
            u64::MAX => Value::Scaled { value: u64::MAX, text: infinity.into() },
            n if n > 1024 && n % 1024 == 0 => Value::Scaled { value: n, text: format!("{}*1024", n / 1024) },
            n => Value::Uint(n),
        };
        Some(Value::Struct(vec![
            field("rlim_cur", one(u64_of(&b, 0))),
            field("rlim_max", one(u64_of(&b, 8))),
        ]))
    }

    fn sysinfo(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 112)?;
        let uint = |at: usize| Value::Uint(u64_of(&b, at));
        Some(Value::Struct(vec![
            field("uptime", uint(0)),
            field("loads", Value::array(vec![uint(8), uint(16), uint(24)])),
            field("totalram", uint(32)),
            field("freeram", uint(40)),
            field("sharedram", uint(48)),
            field("bufferram", uint(56)),
            field("totalswap", uint(64)),
            field("freeswap", uint(72)),
            field("procs", Value::Uint(u64::from(u16_of(&b, 80)))),
            field("totalhigh", uint(88)),
            field("freehigh", uint(96)),
            field("mem_unit", Value::Uint(u64::from(u32_of(&b, 104)))),
        ]))
    }

    fn utsname(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 390)?;
        let text = |n: usize| {
            let part = &b[n * 65..(n + 1) * 65];
            let end = part.iter().position(|byte| *byte == 0).unwrap_or(65);
            Value::Str(Bytes { data: part[..end].to_vec(), more: false, kind: Quote::Path })
        };
        let mut fields = vec![field("sysname", text(0)), field("nodename", text(1))];
        for (n, name) in ["release", "version", "machine", "domainname"].into_iter().enumerate() {
            fields.push(verbose(name, text(n + 2)));
        }
        Some(Value::Struct(fields))
    }

    fn dirents(&mut self, addr: u64, wide: bool) -> Option<Value> {
        let len = usize::try_from(self.value()).ok()?;
        let b = self.bytes(addr, len.max(1))?;
        let mut entries = Vec::new();
        let mut at = 0;
        let head = if wide { 19 } else { 18 };
        while at + head <= len {
            let size = usize::from(u16_of(&b, at + 16));
            if size < head || at + size > len {
                break;
            }
            let entry = &b[at..at + size];
            let name = &entry[head..];
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            let name = Value::Str(Bytes { data: name[..end].to_vec(), more: false, kind: Quote::Path });
            let kind = if wide { entry[18] } else { entry[size - 1] };
            let kind = named(&nf::D_TYPE, u64::from(kind));
            let mut fields = vec![
                field("d_ino", Value::Uint(u64_of(entry, 0))),
                field(
                    "d_off",
                    if wide {
                        Value::Int(u64_of(entry, 8).cast_signed())
                    } else {
                        Value::Uint(u64_of(entry, 8))
                    },
                ),
                field("d_reclen", Value::Uint(size as u64)),
            ];
            if wide {
                fields.push(field("d_type", kind));
                fields.push(field("d_name", name));
            } else {
                fields.push(field("d_name", name));
                fields.push(field("d_type", kind));
            }
            entries.push(Value::Struct(fields));
            at += size;
        }
        let note = format!("{} entr{}", entries.len(), if entries.len() == 1 { "y" } else { "ies" });
        Some(Value::Either {
            brief: Box::new(Value::Note(Box::new(Value::Addr(addr)), note)),
            verbose: Box::new(Value::array(entries)),
        })
    }

    fn sched_attr(&mut self, addr: u64, i: usize) -> Option<Value> {
        let size = self.u32_at(addr)?;
        let size = if i == 1 && self.call.nr == 315 { (self.reg(2) as u32).min(size) } else { size };
        if size < 48 {
            let mut fields = vec![field("size", Value::Uint(u64::from(size)))];
            if self.entering() {
                fields.truncate(1);
            }
            return Some(Value::Struct(fields));
        }
        let b = self.bytes(addr, if size >= 56 { 56 } else { 48 })?;
        let mut fields = vec![
            field("size", Value::Uint(u64::from(size))),
            field("sched_policy", named(&nt::SCHED, u64::from(u32_of(&b, 4)))),
            field("sched_flags", named(&nt::SCHED_FLAG, u64_of(&b, 8))),
            field("sched_nice", Value::Int(i32_of(&b, 16))),
            field("sched_priority", Value::Uint(u64::from(u32_of(&b, 20)))),
            field("sched_runtime", Value::Uint(u64_of(&b, 24))),
            field("sched_deadline", Value::Uint(u64_of(&b, 32))),
            field("sched_period", Value::Uint(u64_of(&b, 40))),
        ];
        if size >= 56 {
            fields.push(field("sched_util_min", Value::Uint(u64::from(u32_of(&b, 48)))));
            fields.push(field("sched_util_max", Value::Uint(u64::from(u32_of(&b, 52)))));
        }
        Some(Value::Struct(fields))
    }

    fn cpu_set(&mut self, addr: u64, len: usize) -> Option<Value> {
        let len = if self.entering() { self.reg(len) } else { self.value() };
        let b = self.bytes(addr, usize::try_from(len.min(1024)).ok()?)?;
        let names = b
            .iter()
            .enumerate()
            .flat_map(|(n, byte)| (0..8).filter(move |bit| byte >> bit & 1 != 0).map(move |bit| n * 8 + bit))
            .map(|cpu| cpu.to_string())
            .collect();
        Some(Value::Set { names, inverted: false })
    }

    fn nodes(&mut self, addr: u64, count: usize) -> Option<Value> {
        let bits = self.reg(count);
        let words = bits.div_ceil(64).min(16);
        self.list(addr, words, 8, |b| Value::text(format!("{:#016x}", u64_of(b, 0))))
    }

    fn cap_header(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 8)?;
        Some(Value::Struct(vec![
            field("version", {
                let version = u64::from(u32_of(&b, 0));
                match nt::CAP_VERSION.name(version) {
                    Some(name) => Value::Named { value: version, text: name.into() },
                    None => Value::Note(Box::new(Value::Hex(version)), nt::CAP_VERSION.unknown.into()),
                }
            }),
            field("pid", Value::Int(i32_of(&b, 4))),
        ]))
    }

    fn cap_data(&mut self, addr: u64) -> Option<Value> {
        let head = self.reg(0);
        let version = self.u32_at(head)?;
        let two = matches!(version, 0x2007_1026 | 0x2008_0522);
        let b = self.bytes(addr, if two { 24 } else { 12 })?;
        let set = |at: usize| {
            let high = if two { u64::from(u32_of(&b, at + 12)) << 32 } else { 0 };
            let bits = u64::from(u32_of(&b, at)) | high;
            let names: Vec<String> = (0..64)
                .filter(|bit| bits >> bit & 1 != 0)
                .map(|bit| match nt::CAP.name(bit) {
                    Some(name) => format!("1<<{name}"),
                    None => format!("1<<{bit:#x}"),
                })
                .collect();
            Value::Named { value: bits, text: if names.is_empty() { "0".into() } else { names.join("|") } }
        };
        Some(Value::Struct(vec![
            field("effective", set(0)),
            field("permitted", set(4)),
            field("inheritable", set(8)),
        ]))
    }

    /// `argv`: strings, as many as `-s` lets through.
    fn strings(&mut self, addr: u64) -> Option<Value> {
        let mut items = Vec::new();
        loop {
            let at = addr + items.len() as u64 * 8;
            match self.u64_at(at) {
                None if items.is_empty() => return None,
                None => {
                    items.push(Value::text(format!("... /* {at:#x} */")));
                    return Some(Value::array(items));
                }
                Some(0) => return Some(Value::array(items)),
                Some(_) if items.len() >= self.style.limit.max(32) => {
                    return Some(Value::Array { items, more: true });
                }
                Some(text) => items.push(self.string(text)),
            }
        }
    }

    /// `envp`: how many, and with `-v` the strings.
    fn environment(&mut self, addr: u64) -> Option<Value> {
        let mut count = 0u64;
        let mut broken = false;
        loop {
            match self.u64_at(addr + count * 8) {
                None if count == 0 => return None,
                None => broken = true,
                Some(0) => {}
                Some(_) if count < 65_536 => {
                    count += 1;
                    continue;
                }
                Some(_) => broken = true,
            }
            break;
        }
        let unterminated = if broken { ", unterminated" } else { "" };
        let note = format!("{count} var{}{unterminated}", if count == 1 { "" } else { "s" });
        let verbose = self.strings(addr).unwrap_or(Value::Addr(addr));
        Some(Value::Either {
            brief: Box::new(Value::Note(Box::new(Value::Addr(addr)), note)),
            verbose: Box::new(verbose),
        })
    }

    fn iocb(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 64)?;
        let opcode = u64::from(u16_of(&b, 16));
        let op = match nm::IOCB_CMD.name(opcode) {
            Some(name) => Value::text(name),
            None => Value::text(format!("{opcode} /* {} */", nm::IOCB_CMD.unknown)),
        };
        let mut fields: Vec<Field> = vec![field("aio_data", Value::Hex(u64_of(&b, 0)))];
        fields.push(field("aio_lio_opcode", op));
        if i32::from(u16_of(&b, 18).cast_signed()) != 0 {
            fields.push(field("aio_reqprio", Value::Int(i64::from(u16_of(&b, 18).cast_signed()))));
        }
        fields.push(field("aio_fildes", self.fd(u32_of(&b, 20).cast_signed())));
        if opcode <= 1 || opcode == 7 || opcode == 8 {
            let (buf, len) = (u64_of(&b, 24), u64_of(&b, 32));
            let text = match opcode {
                1 => self.buffer(buf, len, Quote::Text),
                8 => self.iovec(buf, len, Some(u64::MAX)).unwrap_or(Value::Addr(buf)),
                7 => self.iovec(buf, len, None).unwrap_or(Value::Addr(buf)),
                _ => Value::Addr(buf),
            };
            fields.push(field("aio_buf", text));
            fields.push(field("aio_nbytes", Value::Uint(len)));
            fields.push(field("aio_offset", Value::Int(u64_of(&b, 40).cast_signed())));
        }
        if u32_of(&b, 56) & 1 != 0 {
            fields.push(field("aio_flags", Value::text("IOCB_FLAG_RESFD")));
            fields.push(field("aio_resfd", self.fd(u32_of(&b, 60).cast_signed())));
        }
        Some(Value::Struct(fields))
    }

    fn sigset_sized(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 16)?;
        let set = self.sigset_at(u64_of(&b, 0), u64_of(&b, 8)).unwrap_or(Value::Addr(u64_of(&b, 0)));
        Some(Value::Struct(vec![field("sigmask", set), field("sigsetsize", Value::Uint(u64_of(&b, 8)))]))
    }
}

/// Attributes in statx(2).
static STATX_ATTR: crate::observe::names::Names = crate::observe::names::Names::bits(
    "STATX_ATTR_???",
    &[
        (0x4, "STATX_ATTR_COMPRESSED"),
        (0x10, "STATX_ATTR_IMMUTABLE"),
        (0x20, "STATX_ATTR_APPEND"),
        (0x40, "STATX_ATTR_NODUMP"),
        (0x800, "STATX_ATTR_ENCRYPTED"),
        (0x1000, "STATX_ATTR_AUTOMOUNT"),
        (0x2000, "STATX_ATTR_MOUNT_ROOT"),
        (0x10_0000, "STATX_ATTR_VERITY"),
        (0x20_0000, "STATX_ATTR_DAX"),
    ],
);

fn epoll_event(b: &[u8]) -> Value {
    Value::Struct(vec![
        field("events", named(&nf::EPOLL, u64::from(u32_of(b, 0)))),
        field(
            "data",
            Value::Struct(vec![
                field("u32", Value::Uint(u64::from(u32_of(b, 4)))),
                field("u64", Value::Uint(u64_of(b, 4))),
            ]),
        ),
    ])
}

/// A wait status as an expression that tests it.
fn wait_status(status: u32) -> Value {
    let name = |signo: u32| signal::signal_name(u64::from(signo));
    let low = status & 0x7f;
    let text = if status == 0xffff {
        "WIFCONTINUED(s)".to_owned()
    } else if low == 0 {
        format!("WIFEXITED(s) && WEXITSTATUS(s) == {}", status >> 8 & 0xff)
    } else if low == 0x7f {
        let mut text = format!("WIFSTOPPED(s) && WSTOPSIG(s) == {}", name(status >> 8 & 0x7f));
        if status >> 8 & 0x80 != 0 {
            text = format!("WIFSTOPPED(s) && WSTOPSIG(s) == {} | 0x80", name(status >> 8 & 0x7f));
        }
        text
    } else {
        let core = if status & 0x80 != 0 { " && WCOREDUMP(s)" } else { "" };
        format!("WIFSIGNALED(s) && WTERMSIG(s) == {}{core}", name(low))
    };
    Value::Named { value: u64::from(status), text: format!("{{{text}}}") }
}
