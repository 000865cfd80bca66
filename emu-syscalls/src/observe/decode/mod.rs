//! System calls as values: the row of the table says what each argument is, this reads it from the guest.
//!
//! Key types: [`Decoder`]. Neighbours: [`crate::arg`] (what arguments can be), [`super::value`] (what comes out), [`super::names`].
//!
//! **Invariant**: decoding changes nothing that a guest can see and never fails: what cannot be read is told as an address.
#![allow(clippy::cast_possible_truncation, reason = "registers hold narrower values, as the ABI says")]

mod bpf;
mod ctl;
mod file;
mod ioctl;
mod kernel;
mod net;
mod rules;
mod signal;
mod structs;
mod task;
mod time;

use crate::abi::errno::Errno;
use crate::arg::{ArgKind, Dir, Returns, Shape};
use crate::ctx::Call;
use crate::kernel::Kernel;
use crate::observe::names::Names;
use crate::observe::peek;
use crate::observe::value::{Bytes, FdPath, Quote, Style, Value};
use crate::seam::Host;
use crate::table::Row;
use crate::task::TaskId;

pub use signal::{siginfo, signal_name};
pub use time::timestamp;

/// Most bytes of a string or buffer that are read whatever is asked.
const LONGEST: usize = 1 << 20;
/// Longest path with its NUL.
const PATH_MAX: usize = 4096;

/// Reads the arguments of one call.
#[derive(Debug)]
pub struct Decoder<'a> {
    pub(super) k: &'a mut Kernel,
    pub(super) host: &'a mut dyn Host,
    pub(super) tid: TaskId,
    pub(super) call: &'a Call,
    /// `None` on entry; afterwards the result.
    pub(super) result: Option<Result<u64, Errno>>,
    /// Words that were in memory on entry and that the call may change.
    pub(super) saved: Vec<u64>,
    pub(super) style: Style,
}

/// The first part of a call, as known on entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// Arguments up to the first that only the result tells.
    pub args: Vec<Value>,
    /// Whether a comma follows them.
    pub more: bool,
    /// Index of the argument that [`Decoder::exit`] goes on with.
    pub next: usize,
    /// What was in memory and may be changed.
    pub saved: Vec<u64>,
}

impl<'a> Decoder<'a> {
    /// For one call of a task.
    pub fn new(k: &'a mut Kernel, host: &'a mut dyn Host, tid: TaskId, call: &'a Call, style: Style) -> Self {
        Decoder { k, host, tid, call, result: None, saved: Vec::new(), style }
    }

    /// The argument of `rt_sigreturn`: what is on the stack.
    pub fn sigreturn(mut self) -> Value {
        self.sigreturn_mask()
    }

    /// What is known when the call is entered.
    pub fn enter(mut self, row: Option<&Row>) -> Head {
        let Some(row) = row else {
            return Head {
                args: self.call.args.iter().map(|reg| Value::Hex(*reg)).collect(),
                ..Head::default()
            };
        };
        let mut args = Vec::new();
        for (i, arg) in row.args.iter().enumerate() {
            if self.is_late(i, arg.kind) {
                let more = self.saves(i, arg.kind, &mut args);
                for (i, arg) in row.args.iter().enumerate().skip(i + 1) {
                    self.saves(i, arg.kind, &mut Vec::new());
                }
                return Head { args, more, next: i, saved: self.saved };
            }
            self.arg(i, arg.kind, &mut args);
        }
        Head { args, more: false, next: row.args.len(), saved: self.saved }
    }

    /// What the call left behind, from argument `next` on.
    pub fn exit(
        mut self,
        row: Option<&Row>,
        next: usize,
        saved: Vec<u64>,
        result: Result<u64, Errno>,
    ) -> Exit {
        self.result = Some(result);
        self.saved = saved;
        let mut args = Vec::new();
        let Some(row) = row else {
            return Exit { args, returns: Returns::Int, fd: None, note: None };
        };
        for (i, arg) in row.args.iter().enumerate().skip(next) {
            self.arg(i, arg.kind, &mut args);
        }
        let note = self.note(row);
        let fd = match (row.returns, result) {
            (Returns::Fd, Ok(fd)) => self.fd_path(fd as i32),
            _ => None,
        };
        Exit { args, returns: self.returns(row), fd, note }
    }

    /// Whether an argument is told only with the result.
    fn is_late(&self, i: usize, kind: ArgKind) -> bool {
        match kind {
            ArgKind::OutBuf(_) => true,
            ArgKind::Mem(Dir::Out, Shape::SockaddrPtr(_)) => self.reg(i) != 0,
            ArgKind::Mem(Dir::InOut, Shape::CloneArgs(_)) => true,
            ArgKind::Mem(dir, _) => dir != Dir::In,
            ArgKind::By(rule) => self.rule_is_late(rule),
            _ => false,
        }
    }

    /// Most elements of an array that are told.
    pub(super) fn longest_list(&self) -> u64 {
        if self.style.verbose { LONGEST as u64 } else { self.style.limit as u64 }
    }

    pub(super) fn reg(&self, i: usize) -> u64 {
        self.call.args.get(i).copied().unwrap_or(0)
    }
    /// Whether the call is being entered.
    pub(super) fn entering(&self) -> bool {
        self.result.is_none()
    }
    /// Whether the call failed.
    pub(super) fn failed(&self) -> bool {
        matches!(self.result, Some(Err(_)))
    }
    /// The result of a call that succeeded.
    pub(super) fn value(&self) -> u64 {
        self.result.and_then(Result::ok).unwrap_or(0)
    }

    fn arg(&mut self, i: usize, kind: ArgKind, out: &mut Vec<Value>) {
        let reg = self.reg(i);
        let low = reg as u32;
        out.push(match kind {
            ArgKind::Fd => self.fd(low.cast_signed()),
            ArgKind::DirFd => self.dirfd(low.cast_signed()),
            ArgKind::Pid | ArgKind::I32 => Value::Int(i64::from(low.cast_signed())),
            ArgKind::U32 => Value::Uint(u64::from(low)),
            ArgKind::I64 => Value::Int(reg.cast_signed()),
            ArgKind::U64 | ArgKind::Len => Value::Uint(reg),
            ArgKind::Addr => Value::Addr(reg),
            ArgKind::Path => self.path(reg),
            ArgKind::Str => self.string(reg),
            ArgKind::OutBuf(len) => self.out_buffer(reg, len),
            ArgKind::InBuf(len) => self.in_buffer(reg, usize::from(len)),
            ArgKind::Named(names) => named(names, u64::from(low)),
            ArgKind::NamedLong(names) => named(names, reg),
            ArgKind::Hex32 => Value::Hex(u64::from(low)),
            ArgKind::Hex => Value::Hex(reg),
            ArgKind::Perm => Value::Oct(u64::from(low)),
            ArgKind::Mode => file::mode(low),
            ArgKind::Dev => file::device(u64::from(low)),
            ArgKind::Id => id(low),
            ArgKind::Signal => signal::signal(low),
            ArgKind::Mem(dir, shape) => {
                let values = self.memory(i, reg, dir, shape);
                out.extend(values);
                return;
            }
            ArgKind::By(rule) => {
                let values = self.rule(i, rule);
                out.extend(values);
                return;
            }
            ArgKind::Silent => return,
        });
    }

    fn out_buffer(&mut self, addr: u64, len: u8) -> Value {
        if self.failed() {
            return Value::Addr(addr);
        }
        // With MSG_TRUNC the result is longer than what was filled.
        let n = self.value().min(self.reg(usize::from(len)));
        match self.call.nr {
            // getrandom: random bytes are told in hexadecimal.
            318 => self.buffer(addr, n, Quote::Hex),
            // A datagram of a netlink socket is told as text of its parts.
            45 => self.datagram(addr, n),
            89 | 267 => self.buffer(addr, n, Quote::Text),
            _ => self.buffer(addr, n, Quote::Text),
        }
    }

    fn in_buffer(&mut self, addr: u64, len: usize) -> Value {
        let len = self.reg(len);
        match self.call.nr {
            44 => self.datagram(addr, len),
            // XATTR_SIZE_MAX
            188..=190 if len > 65_536 => Value::Addr(addr),
            // sethostname, setdomainname: a length that cannot be is not read (strace: arg > __NEW_UTS_LEN).
            170 | 171 if len as u32 > 64 => Value::Addr(addr),
            170 | 171 => self.buffer(addr, u64::from(len as u32), Quote::Text),
            _ => self.buffer(addr, len, Quote::Text),
        }
    }

    /// Bytes of a structure of the guest; `None` if not all can be read, or if structures are not to be told.
    pub(super) fn bytes(&mut self, addr: u64, len: usize) -> Option<Vec<u8>> {
        if self.style.structures { self.text(addr, len) } else { None }
    }

    /// Bytes of the guest; `None` if not all can be read.
    fn text(&mut self, addr: u64, len: usize) -> Option<Vec<u8>> {
        if addr == 0 {
            return None;
        }
        let data = peek::read_some(self.k, self.host, self.tid, addr, len.min(LONGEST));
        (data.len() == len).then_some(data)
    }
    pub(super) fn u32_at(&mut self, addr: u64) -> Option<u32> {
        let bytes = self.bytes(addr, 4)?;
        Some(u32_of(&bytes, 0))
    }
    pub(super) fn u64_at(&mut self, addr: u64) -> Option<u64> {
        let bytes = self.bytes(addr, 8)?;
        Some(u64_of(&bytes, 0))
    }

    /// A buffer of `len` bytes in quotes.
    pub(super) fn buffer(&mut self, addr: u64, len: u64, kind: Quote) -> Value {
        if addr == 0 {
            return Value::null();
        }
        let wanted = usize::try_from(len).unwrap_or(usize::MAX);
        let shown = wanted.min(self.style.limit);
        if shown == 0 && wanted == 0 {
            return Value::Str(Bytes { data: Vec::new(), more: false, kind });
        }
        match self.text(addr, shown.max(1)) {
            Some(mut data) => {
                data.truncate(shown);
                Value::Str(Bytes { data, more: wanted > shown, kind })
            }
            None => Value::Addr(addr),
        }
    }

    /// A NUL-terminated string of at most `max` bytes, and whether its end was found.
    pub(super) fn cstr(&mut self, addr: u64, max: usize) -> Option<(Vec<u8>, bool)> {
        if addr == 0 {
            return None;
        }
        let mut text = Vec::new();
        while text.len() < max {
            let at = addr.wrapping_add(text.len() as u64);
            let in_page = usize::try_from(4096 - (at & 4095)).unwrap_or(1);
            let part =
                peek::read_some(self.k, self.host, self.tid, at, in_page.min(256).min(max - text.len()));
            if part.is_empty() {
                return None;
            }
            if let Some(end) = part.iter().position(|byte| *byte == 0) {
                text.extend_from_slice(&part[..end]);
                return Some((text, true));
            }
            text.extend_from_slice(&part);
        }
        Some((text, false))
    }

    /// A path.
    pub(super) fn path(&mut self, addr: u64) -> Value {
        match self.cstr(addr, PATH_MAX) {
            Some((mut data, end)) => {
                data.truncate(PATH_MAX - 1);
                Value::Str(Bytes { data, more: !end, kind: Quote::Path })
            }
            None => Value::Addr(addr),
        }
    }

    /// A NUL-terminated string that is no path.
    pub(super) fn string(&mut self, addr: u64) -> Value {
        let limit = self.style.limit;
        match self.cstr(addr, limit + 1) {
            Some((mut data, end)) => {
                let more = !end;
                data.truncate(limit);
                Value::Str(Bytes { data, more, kind: Quote::Text })
            }
            None => Value::Addr(addr),
        }
    }

    /// A descriptor of the task.
    pub(super) fn fd(&mut self, fd: i32) -> Value {
        let path = self.fd_path(fd);
        Value::Fd(fd, path)
    }

    pub(super) fn dirfd(&mut self, fd: i32) -> Value {
        if fd != crate::arg::DirFd::CWD.0 {
            return self.fd(fd);
        }
        if !self.style.paths {
            return Value::Cwd(None);
        }
        let cwd =
            self.k.tasks.get(self.tid).and_then(|task| self.k.fs_contexts.get(task.fs)).map(|fs| fs.cwd);
        Value::Cwd(cwd.map(|cwd| self.k.path_for(self.tid, cwd)))
    }

    /// What a descriptor is open on, if that is to be told.
    pub(super) fn fd_path(&mut self, fd: i32) -> Option<FdPath> {
        if !self.style.paths && !self.style.details.any() {
            return None;
        }
        let table = self.k.tasks.get(self.tid)?.fds;
        let id = self.k.fd_tables.get(table)?.fds.get(&fd)?.file;
        net::describe(self.k, self.host, self.tid, id)
    }
}

/// The rest of a call, as known when it returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// The arguments that were not told on entry.
    pub args: Vec<Value>,
    /// How the result is told.
    pub returns: Returns,
    /// What the descriptor it returned is open on.
    pub fd: Option<FdPath>,
    /// What is told in parentheses behind the result.
    pub note: Option<String>,
}

/// A number with names.
pub(super) fn named(names: &Names, value: u64) -> Value {
    Value::Named { value, text: names.text(value) }
}

/// A user or group.
pub(super) fn id(low: u32) -> Value {
    if low == u32::MAX { Value::Int(-1) } else { Value::Uint(u64::from(low)) }
}

pub(super) fn u16_of(bytes: &[u8], at: usize) -> u16 {
    let mut word = [0; 2];
    if let Some(part) = bytes.get(at..at + 2) {
        word.copy_from_slice(part);
    }
    u16::from_le_bytes(word)
}
pub(super) fn u32_of(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    if let Some(part) = bytes.get(at..at + 4) {
        word.copy_from_slice(part);
    }
    u32::from_le_bytes(word)
}
pub(super) fn i32_of(bytes: &[u8], at: usize) -> i64 {
    i64::from(u32_of(bytes, at).cast_signed())
}
pub(super) fn u64_of(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    if let Some(part) = bytes.get(at..at + 8) {
        word.copy_from_slice(part);
    }
    u64::from_le_bytes(word)
}
