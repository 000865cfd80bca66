//! Structures in memory, by [`Shape`].

use super::{Decoder, i32_of, id, named, signal, time, u16_of, u32_of, u64_of};
use crate::arg::{Dir, Shape};
use crate::observe::names::{file as nf, misc as nm, task as nt};
use crate::observe::value::{Bytes, Field, Quote, Value, field, verbose};

const NR_SENDMMSG: u64 = 307;

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
            Shape::FileHandle
                | Shape::Iovec(_)
                | Shape::RemoteIovec(_)
                | Shape::Msghdr
                | Shape::Mmsghdr(_)
                | Shape::Timex
        );
        let told_early = matches!((self.call.nr, shape), (128 | 299, Shape::Timespec));
        if (dir != Dir::In || !told_early) && self.failed() && !(told_on_error && self.tells_failed(shape)) {
            return vec![Value::Addr(addr)];
        }
        vec![self.shape(i, addr, dir, shape).unwrap_or(Value::Addr(addr))]
    }

    /// Whether a structure to be filled is told although the call failed.
    fn tells_failed(&self, shape: Shape) -> bool {
        let sends = matches!(shape, Shape::Mmsghdr(_)) && self.call.nr == NR_SENDMMSG;
        sends || matches!(shape, Shape::Iovec(_) | Shape::RemoteIovec(_) | Shape::FileHandle)
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
                // What is sent is told as it was given; the result adds the lengths.
                let dir = if self.call.nr == NR_SENDMMSG { Dir::In } else { dir };
                let count = if self.entering() || dir == Dir::In {
                    self.reg(usize::from(count))
                } else {
                    self.value()
                };
                self.mmsghdr(addr, count, dir)
            }
            // Nobody to tell of: nothing was filled in.
            Shape::WaitStatus if self.value() == 0 => None,
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
                for n in 0..count.min(self.longest_list() as usize) {
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
            Shape::OpenHow(size) => {
                if self.reg(usize::from(size)) < 24 {
                    return None;
                }
                let b = self.bytes(addr, 24)?;
                let flags = u64_of(&b, 0);
                let mut fields = vec![field("flags", super::rules::open_flags(flags))];
                if flags & 0x40_0040 != 0 || u64_of(&b, 8) != 0 {
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
                let size = u32_of(&b, 0);
                let plain = Value::Uint(u64::from(size));
                let told = match self.saved.first().copied() {
                    Some(before) if before != u64::from(size) => {
                        Value::Change(Box::new(Value::Uint(before)), Box::new(plain))
                    }
                    _ => plain,
                };
                let mut fields = vec![field("handle_bytes", told)];
                if dir == Dir::In || !self.failed() {
                    // MAX_HANDLE_SZ
                    let data = self.bytes(addr + 8, usize::try_from(size.min(128)).ok()?)?;
                    fields.push(field("handle_type", Value::Int(i32_of(&b, 4))));
                    fields.push(field("f_handle", super::kernel::handle_bytes(&data)));
                }
                Some(Value::Struct(fields))
            }
            Shape::Iocbs(count) => {
                let count = self.reg(usize::from(count)).cast_signed();
                let count = u64::try_from(count).ok()?;
                let mut items = Vec::new();
                for n in 0..count.min(self.longest_list()) {
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
        let shown = count.min(self.longest_list());
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
