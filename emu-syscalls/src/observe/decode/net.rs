//! Sockets: addresses, messages, options, and what descriptors are open on.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Decoder, bpf, id, named, u16_of, u32_of, u64_of};
use crate::arg::Dir;
use crate::file::{File, FileId};
use crate::kernel::Kernel;
use crate::net::addr::{Address, UnixName};
use crate::net::{Domain, Kind, Socket, SocketId};
use crate::observe::names::{kernel as nk, net as nn};
use crate::observe::value::{Bytes, FdPath, Quote, Value, field};
use crate::seam::{Host, Stream, StreamKind};
use crate::task::TaskId;

/// Name of an address family.
pub(super) fn family_name(family: u64) -> Value {
    named(&nn::AF, family)
}

/// What an open file is, as `-y` and `-yy` tell it.
pub(super) fn describe(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, id: FileId) -> Option<FdPath> {
    let file = k.files.get(id)?;
    let loc = file.loc;
    let kind = file.kind.clone();
    let mut path = match (loc, &kind) {
        (_, File::Stream(stream)) => stream_name(host, stream.stream),
        (Some(loc), _) => k.path_for(tid, loc),
        (None, _) => kind.ops().describe(k, id).into_bytes(),
    };
    let deleted = path.ends_with(b" (deleted)");
    if deleted {
        path.truncate(path.len() - 10);
    }
    let detail = match &kind {
        File::Socket(socket) => k.net.sockets.get(socket.socket).and_then(|s| endpoint(k, socket.socket, s)),
        File::PidFd(pidfd) => Some(format!("pid:{}", pidfd.group.0)),
        _ => {
            let stat = kind.ops().stat(k, id);
            let place = (stat.rdev >> 8 & 0xfff, stat.rdev & 0xff);
            match stat.mode & 0o170_000 {
                0o020_000 => Some(format!("<char {}:{}>", place.0, place.1)),
                0o060_000 => Some(format!("<block {}:{}>", place.0, place.1)),
                _ => None,
            }
        }
    };
    Some(FdPath { path, deleted, detail })
}

/// What a standard stream of the host is, without telling more of the host than that.
fn stream_name(host: &mut dyn Host, stream: Stream) -> Vec<u8> {
    let (name, number) = match stream {
        Stream::Stdin => ("stdin", 1),
        Stream::Stdout => ("stdout", 2),
        Stream::Stderr => ("stderr", 3),
    };
    match host.stream_kind(stream) {
        StreamKind::Pipe => format!("pipe:[{number}]").into_bytes(),
        _ => format!("/dev/{name}").into_bytes(),
    }
}

fn ip_and_port(address: &Address) -> Option<String> {
    match address {
        Address::Ip(std::net::IpAddr::V4(ip), port) => Some(format!("{ip}:{port}")),
        Address::Ip(std::net::IpAddr::V6(ip), port) => Some(format!("[{ip}]:{port}")),
        _ => None,
    }
}

fn unix_name(address: Option<&Address>) -> Option<String> {
    match address? {
        Address::Unix(UnixName::Path(path)) => Some(format!("\"{}\"", String::from_utf8_lossy(path))),
        Address::Unix(UnixName::Abstract(name)) => Some(format!("@\"{}\"", String::from_utf8_lossy(name))),
        _ => None,
    }
}

/// A socket with its addresses: `TCP:[a->b]`, `UNIX-STREAM:[1->2]`.
fn endpoint(k: &Kernel, id: SocketId, socket: &Socket) -> Option<String> {
    let number = id.0;
    match socket.domain {
        Domain::Unix => {
            let kind = match socket.kind {
                Kind::Stream => "UNIX-STREAM",
                Kind::SeqPacket => "UNIX-SEQPACKET",
                _ => "UNIX",
            };
            let name = unix_name(socket.local.as_ref());
            let mut text = format!("{kind}:[{number}");
            if let Some(peer) = socket.peer.filter(|peer| k.net.sockets.contains(*peer)) {
                let _ = write!(text, "->{}", peer.0);
            }
            if let Some(name) = name {
                let _ = write!(text, ",{name}");
            }
            text.push(']');
            Some(text)
        }
        Domain::Netlink => Some(format!("NETLINK:[{number}]")),
        _ => {
            let v6 = if socket.domain == Domain::Inet6 { "v6" } else { "" };
            let kind = if socket.is_tcp() { "TCP" } else { "UDP" };
            let local =
                socket.local.as_ref().filter(|a| !matches!(a, Address::Ip(_, 0))).and_then(ip_and_port);
            Some(match (local, socket.remote.as_ref().and_then(ip_and_port)) {
                (Some(local), Some(remote)) => format!("{kind}{v6}:[{local}->{remote}]"),
                (Some(local), None) => format!("{kind}{v6}:[{local}]"),
                _ => format!("{kind}{v6}:[{number}]"),
            })
        }
    }
}

/// A socket address from its bytes.
pub(super) fn address(b: &[u8]) -> Value {
    let family = u16_of(b, 0);
    let mut fields = vec![field("sa_family", family_name(u64::from(family)))];
    match family {
        1 => {
            let name = &b[2.min(b.len())..];
            if let Some(rest) = name.strip_prefix(&[0]) {
                let text = Bytes { data: rest.to_vec(), more: false, kind: Quote::Path };
                let quoted = Value::Str(text);
                fields.push(field(
                    "sun_path",
                    Value::Text(format!("@{}", quoted.to_text(&Default::default()))),
                ));
            } else if !name.is_empty() {
                let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
                let text = Bytes { data: name[..end].to_vec(), more: false, kind: Quote::Path };
                fields.push(field("sun_path", Value::Str(text)));
            }
        }
        2 if b.len() >= 16 => {
            let port = u16_of(b, 2).swap_bytes();
            let ip = Ipv4Addr::from(u32_of(b, 4).swap_bytes());
            fields.push(field("sin_port", Value::text(format!("htons({port})"))));
            fields.push(field("sin_addr", Value::text(format!("inet_addr(\"{ip}\")"))));
        }
        10 if b.len() >= 24 => {
            let mut octets = [0; 16];
            octets.copy_from_slice(&b[8..24]);
            let ip = Ipv6Addr::from(octets);
            let flow = u32_of(b, 4).swap_bytes();
            let port = u16_of(b, 2).swap_bytes();
            fields.push(field("sin6_port", Value::text(format!("htons({port})"))));
            fields.push(field("sin6_flowinfo", Value::text(format!("htonl({flow})"))));
            fields.push(field("", Value::text(format!("inet_pton(AF_INET6, \"{ip}\", &sin6_addr)"))));
            if b.len() >= 28 {
                fields.push(field("sin6_scope_id", Value::Uint(u64::from(u32_of(b, 24)))));
            }
        }
        16 if b.len() >= 12 => {
            fields.push(field("nl_pid", Value::Uint(u64::from(u32_of(b, 4)))));
            fields.push(field("nl_groups", Value::text(format!("{:08x}", u32_of(b, 8)))));
        }
        _ if b.len() > 2 => {
            let data = Bytes { data: b[2..].to_vec(), more: false, kind: Quote::Path };
            fields.push(field("sa_data", Value::Str(data)));
        }
        _ => {}
    }
    Value::Struct(fields)
}

impl Decoder<'_> {
    pub(super) fn sockaddr(&mut self, addr: u64, len: u64) -> Value {
        let len = (len as u32).cast_signed();
        if addr == 0 || len < 2 {
            return Value::Addr(addr);
        }
        let len = usize::try_from(len).unwrap_or(0).min(128);
        match self.bytes(addr, len) {
            Some(b) => address(&b),
            None => Value::Addr(addr),
        }
    }

    /// An address that the kernel fills, and the length behind the pointer in argument `len`.
    pub(super) fn sockaddr_ptr(&mut self, addr: u64, len: usize) -> Vec<Value> {
        let len_at = self.reg(len);
        let before = self.saved.first().copied();
        let Some(before) = before.filter(|_| addr != 0 && len_at != 0).map(|n| n as u32) else {
            return vec![Value::Addr(addr), Value::Addr(len_at)];
        };
        let plain = |n: u32| Value::Int(i64::from(n.cast_signed()));
        if self.failed() {
            return vec![Value::Addr(addr), Value::array(vec![plain(before)])];
        }
        let Some(after) = self.u32_at(len_at) else { return vec![Value::Addr(addr), Value::Addr(len_at)] };
        let told = self.sockaddr(addr, u64::from(before.min(after)));
        let len = if before == after {
            plain(before)
        } else {
            Value::Change(Box::new(plain(before)), Box::new(plain(after)))
        };
        vec![told, Value::array(vec![len])]
    }

    /// Buffers of a vector; their bytes up to `limit` in all, or their addresses if there is no limit.
    pub(super) fn iovec(&mut self, addr: u64, count: u64, limit: Option<u64>) -> Option<Value> {
        let shown = count.min(self.longest_list()).min(1024);
        let mut items = Vec::new();
        let mut left = limit;
        for n in 0..shown {
            let at = addr.wrapping_add(n * 16);
            let Some(b) = self.bytes(at, 16) else {
                if n == 0 {
                    return None;
                }
                items.push(Value::text(format!("... /* {at:#x} */")));
                return Some(Value::array(items));
            };
            let (base, len) = (u64_of(&b, 0), u64_of(&b, 8));
            let text = match &mut left {
                None => Value::Addr(base),
                Some(u64::MAX) => self.buffer(base, len, Quote::Text),
                Some(left) => {
                    let take = len.min(*left);
                    *left -= take;
                    if take == 0 && len != 0 && *left == 0 {
                        self.empty_or_address(base)
                    } else {
                        self.buffer(base, take, Quote::Text)
                    }
                }
            };
            items.push(Value::Struct(vec![field("iov_base", text), field("iov_len", Value::Uint(len))]));
        }
        Some(Value::Array { more: count > shown, items })
    }

    fn empty_or_address(&mut self, base: u64) -> Value {
        match base {
            0 => Value::null(),
            _ => Value::Str(Bytes { data: Vec::new(), more: false, kind: Quote::Text }),
        }
    }

    pub(super) fn msghdr(&mut self, addr: u64, dir: Dir) -> Option<Value> {
        let b = self.bytes(addr, 56)?;
        let limit = if dir == Dir::In { u64::MAX } else { self.value() };
        Some(self.msghdr_of(&b, limit, None))
    }

    fn msghdr_of(&mut self, b: &[u8], limit: u64, name_len_before: Option<u32>) -> Value {
        let name_len = u32_of(b, 8);
        let name = self.sockaddr(u64_of(b, 0), u64::from(name_len));
        let (iov, count) = (u64_of(b, 16), u64_of(b, 24));
        let (control, control_len) = (u64_of(b, 32), u64_of(b, 40));
        let vector = if iov == 0 { None } else { self.iovec(iov, count, Some(limit)) };
        let plain = Value::Int(i64::from(name_len.cast_signed()));
        let name_len = match name_len_before {
            Some(before) if before != name_len => {
                Value::Change(Box::new(Value::Int(i64::from(before.cast_signed()))), Box::new(plain))
            }
            _ => plain,
        };
        let mut fields = vec![
            field("msg_name", name),
            field("msg_namelen", name_len),
            field("msg_iov", vector.unwrap_or(Value::Addr(iov))),
            field("msg_iovlen", Value::Uint(count)),
        ];
        if control_len != 0 {
            let told = self.control(control, control_len).unwrap_or(Value::Addr(control));
            fields.push(field("msg_control", told));
        }
        fields.push(field("msg_controllen", Value::Uint(control_len)));
        fields.push(field("msg_flags", named(&nn::MSG, u64::from(u32_of(b, 48)))));
        Value::Struct(fields)
    }

    pub(super) fn mmsghdr(&mut self, addr: u64, count: u64, dir: Dir) -> Option<Value> {
        let count = u64::from(count as u32);
        let done = self.value();
        let shown = count.min(self.longest_list());
        let mut items = Vec::new();
        for n in 0..shown {
            let Some(b) = self.bytes(addr + n * 64, 64) else {
                if n == 0 {
                    return None;
                }
                break;
            };
            let len = u32_of(&b, 56);
            let limit = if dir == Dir::In { u64::MAX } else { u64::from(len) };
            let mut fields = vec![field("msg_hdr", self.msghdr_of(&b, limit, None))];
            if dir != Dir::In || (!self.entering() && n < done) {
                fields.push(field("msg_len", Value::Uint(u64::from(len))));
            }
            items.push(Value::Struct(fields));
        }
        Some(Value::Array { more: count > shown, items })
    }

    /// Control messages.
    fn control(&mut self, addr: u64, len: u64) -> Option<Value> {
        let len = usize::try_from(len.min(4096)).ok()?;
        let b = self.bytes(addr, len)?;
        let mut items = Vec::new();
        let mut at = 0;
        while at + 16 <= len {
            let size = usize::try_from(u64_of(&b, at)).ok()?;
            let (level, kind) = (u32_of(&b, at + 8), u32_of(&b, at + 12));
            let mut fields = vec![
                field("cmsg_len", Value::Uint(size as u64)),
                field("cmsg_level", named(&nn::SOL, u64::from(level))),
                field(
                    "cmsg_type",
                    if level == 1 { named(&nn::SCM, u64::from(kind)) } else { Value::Hex(u64::from(kind)) },
                ),
            ];
            let end = (at + size).min(len);
            let data = b.get(at + 16..end).unwrap_or(&[]);
            // strace tells the contents only of what belongs to sockets and IP.
            if size > 16 && level <= 1 {
                fields.push(field("cmsg_data", self.control_data(level, kind, data)));
            }
            items.push(Value::Struct(fields));
            if size < 16 {
                break;
            }
            at += size.next_multiple_of(8);
        }
        Some(Value::array(items))
    }

    fn control_data(&mut self, level: u32, kind: u32, data: &[u8]) -> Value {
        match (level, kind) {
            (1, 1) => {
                let fds: Vec<i32> = data.chunks_exact(4).map(|part| u32_of(part, 0).cast_signed()).collect();
                Value::array(fds.into_iter().map(|fd| self.fd(fd)).collect())
            }
            (1, 2) if data.len() >= 12 => ucred(data),
            _ => Value::Str(Bytes { data: data.to_vec(), more: false, kind: Quote::Text }),
        }
    }

    /// Name of a socket option.
    pub(super) fn option_name(&mut self) -> Value {
        let option = u64::from(self.reg(2) as u32);
        match self.reg(1) as u32 {
            1 => named(&nn::SO, option),
            0 => named(&nn::SO_IP, option),
            41 => named(&nn::SO_IPV6, option),
            6 => named(&nn::SO_TCP, option),
            17 => named(&nn::SO_UDP, option),
            270 => named(&nn::SO_NETLINK, option),
            _ => Value::Hex(option),
        }
    }

    /// Value and length of setsockopt(2) and getsockopt(2).
    pub(super) fn option_value(&mut self) -> Vec<Value> {
        let (addr, len_reg) = (self.reg(3), self.reg(4));
        let set = self.call.nr == 54;
        if set {
            let len = (len_reg as u32).cast_signed();
            let told = self.option_data(addr, u64::try_from(len).unwrap_or(0)).unwrap_or(Value::Addr(addr));
            return vec![told, Value::Int(i64::from(len))];
        }
        let before = self.saved.first().map(|n| (*n as u32).cast_signed());
        let Some(before) = before.filter(|_| len_reg != 0) else {
            return vec![Value::Addr(addr), Value::Addr(len_reg)];
        };
        let after = self.u32_at(len_reg).map(u32::cast_signed);
        let (false, Some(after)) = (self.failed(), after) else {
            return vec![Value::Addr(addr), Value::array(vec![Value::Int(i64::from(before))])];
        };
        let told = self.option_data(addr, u64::try_from(after).unwrap_or(0)).unwrap_or(Value::Addr(addr));
        let len = if before == after {
            Value::Int(i64::from(before))
        } else {
            Value::Change(Box::new(Value::Int(i64::from(before))), Box::new(Value::Int(i64::from(after))))
        };
        vec![told, Value::array(vec![len])]
    }

    fn option_data(&mut self, addr: u64, len: u64) -> Option<Value> {
        let (level, option) = (self.reg(1) as u32, self.reg(2) as u32);
        match (level, option) {
            (1, 13) if len == 8 => {
                let b = self.bytes(addr, 8)?;
                return Some(Value::Struct(vec![
                    field("l_onoff", Value::Int(super::i32_of(&b, 0))),
                    field("l_linger", Value::Int(super::i32_of(&b, 4))),
                ]));
            }
            // SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF
            (1, 26 | 51) if self.call.nr == 54 && len == 16 => {
                return Some(self.filter_program(addr, bpf::Kind::Socket));
            }
            (1, 17) if len == 12 => return self.bytes(addr, 12).map(|b| ucred(&b)),
            _ => {}
        }
        let text = matches!((level, option), (1, 25 | 20 | 21 | 26) | (6, 11 | 13 | 31));
        if self.call.nr == 54 && len < 4 && !text {
            return None;
        }
        if len == 4 && !text {
            let n = self.u32_at(addr)?;
            if (level, option) == (1, 4)
                && let Some(name) = u16::try_from(n).ok().and_then(|n| crate::abi::errno::Errno(n).name())
            {
                return Some(Value::array(vec![Value::text(name)]));
            }
            return Some(Value::array(vec![Value::Int(i64::from(n.cast_signed()))]));
        }
        Some(self.buffer(addr, len, Quote::Text))
    }

    /// Data of a socket: netlink messages by their parts, others as text.
    pub(super) fn datagram(&mut self, addr: u64, len: u64) -> Value {
        let table = self.k.tasks.get(self.tid).map(|task| task.fds);
        let file = table
            .and_then(|table| self.k.fd_tables.get(table))
            .and_then(|table| table.fds.get(&(self.reg(0) as u32).cast_signed()))
            .and_then(|fd| self.k.files.get(fd.file))
            .map(|file| file.kind.clone());
        let netlink = match file {
            Some(File::Socket(socket)) => {
                self.k.net.sockets.get(socket.socket).is_some_and(|socket| socket.domain == Domain::Netlink)
            }
            _ => false,
        };
        if netlink && let Some(told) = self.netlink(addr, len) {
            return told;
        }
        self.buffer(addr, len, Quote::Text)
    }

    fn netlink(&mut self, addr: u64, len: u64) -> Option<Value> {
        let len = usize::try_from(len.min(65_536)).ok()?;
        let b = self.bytes(addr, len)?;
        let mut items = Vec::new();
        let mut at = 0;
        while at + 16 <= len && (items.len() as u64) < self.longest_list() {
            let size = usize::try_from(u32_of(&b, at)).ok()?;
            let kind = u64::from(u16_of(&b, at + 4));
            let head = netlink_head(&b[at..]);
            let mut parts = vec![head];
            let body = b.get(at + 16..(at + size).min(len)).unwrap_or(&[]);
            match kind {
                2 if let Some(error) = self.netlink_error(body) => parts.push(error),
                16..=111 if let Some(told) = netlink_request(kind, body) => parts.push(told),
                3 if body.len() >= 4 => parts.push(Value::Int(super::i32_of(body, 0))),
                _ if body.is_empty() => {}
                _ => parts.push(Value::Str(Bytes { data: body.to_vec(), more: false, kind: Quote::Hex })),
            }
            items.push(if parts.len() == 1 { parts.remove(0) } else { Value::array(parts) });
            if size < 16 {
                break;
            }
            at += size.next_multiple_of(4);
        }
        match items.len() {
            0 => None,
            1 => items.pop(),
            _ => Some(Value::array(items)),
        }
    }
}

/// The head of a netlink message.
pub(super) fn netlink_head(b: &[u8]) -> Value {
    let kind = u64::from(u16_of(b, 4));
    let kind = match nk::RTM.name(kind) {
        Some(name) => Value::Named { value: kind, text: name.to_owned() },
        None => named(&nn::NLMSG, kind),
    };
    let flags = netlink_flags(u64::from(u16_of(b, 4)), u16_of(b, 6));
    Value::Struct(vec![
        field("nlmsg_len", Value::Uint(u64::from(u32_of(b, 0)))),
        field("nlmsg_type", kind),
        field("nlmsg_flags", flags),
        field("nlmsg_seq", Value::Uint(u64::from(u32_of(b, 8)))),
        field("nlmsg_pid", Value::Uint(u64::from(u32_of(b, 12)))),
    ])
}

/// What a message asks for, by its type: how a dump is made, or how an object is.
fn netlink_flags(kind: u64, flags: u16) -> Value {
    const GENERAL: [(u16, &str); 6] = [
        (0x1, "NLM_F_REQUEST"),
        (0x2, "NLM_F_MULTI"),
        (0x4, "NLM_F_ACK"),
        (0x8, "NLM_F_ECHO"),
        (0x10, "NLM_F_DUMP_INTR"),
        (0x20, "NLM_F_DUMP_FILTERED"),
    ];
    const GET: [(u16, &str); 4] =
        [(0x300, "NLM_F_DUMP"), (0x100, "NLM_F_ROOT"), (0x200, "NLM_F_MATCH"), (0x400, "NLM_F_ATOMIC")];
    const NEW: [(u16, &str); 4] =
        [(0x100, "NLM_F_REPLACE"), (0x200, "NLM_F_EXCL"), (0x400, "NLM_F_CREATE"), (0x800, "NLM_F_APPEND")];
    const DELETE: [(u16, &str); 1] = [(0x100, "NLM_F_NONREC")];
    const ERROR: [(u16, &str); 2] = [(0x100, "NLM_F_CAPPED"), (0x200, "NLM_F_ACK_TLVS")];
    let special: &[(u16, &str)] = match nk::RTM.name(kind) {
        Some(name) if name.starts_with("RTM_GET") => &GET,
        Some(name) if name.starts_with("RTM_NEW") => &NEW,
        Some(name) if name.starts_with("RTM_DEL") => &DELETE,
        _ if kind == 2 => &ERROR,
        _ => &[],
    };
    let mut rest = flags;
    let mut parts: Vec<String> = Vec::new();
    for (bits, name) in GENERAL.iter().chain(special) {
        if rest & bits == *bits {
            rest &= !bits;
            parts.push((*name).to_owned());
        }
    }
    let text = match (parts.is_empty(), rest) {
        (true, 0) => "0".to_owned(),
        (true, rest) => format!("{rest:#x} /* NLM_F_??? */"),
        (false, rest) => {
            if rest != 0 {
                parts.push(format!("{rest:#x}"));
            }
            parts.join("|")
        }
    };
    Value::Named { value: u64::from(flags), text }
}

/// The body of a message about links, addresses or routes that holds no more than the family; `None` for all others.
fn netlink_request(kind: u64, body: &[u8]) -> Option<Value> {
    let name = nk::RTM.name(kind)?;
    let (member, whole) = match name.trim_start_matches("RTM_").get(3..)? {
        "LINK" => ("ifi_family", 16),
        "ADDR" => ("ifa_family", 8),
        "ROUTE" => ("rtm_family", 12),
        _ => return None,
    };
    let family = *body.first().filter(|_| body.len() < whole)?;
    Some(Value::Struct(vec![field(member, family_name(u64::from(family))), field("", Value::text("..."))]))
}

fn ucred(b: &[u8]) -> Value {
    Value::Struct(vec![
        field("pid", Value::Int(super::i32_of(b, 0))),
        field("uid", id(u32_of(b, 4))),
        field("gid", id(u32_of(b, 8))),
    ])
}
