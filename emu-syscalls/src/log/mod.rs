//! The kernel log: a ring of records that `printk` fills and syslog(2), /dev/kmsg and /proc/kmsg read.
//!
//! Key types: [`Log`], [`Record`]. Times are microseconds of the monotonic clock since boot, as last read.
//!
//! **Invariant**: the ring is bounded ([`RING_BYTES`]); a reader that was overtaken learns so (`EPIPE`), never blocks.

use std::collections::VecDeque;

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::abi::uts;
use crate::file::{FileId, Ready};
use crate::kernel::Kernel;
use crate::task::TaskId;
use crate::task::wait::WaitKey;

pub(crate) mod syslog;

/// What readers of the log wait for.
pub(crate) const WAIT: WaitKey = WaitKey::Log;
/// Bytes of text that the ring holds; also what SYSLOG_ACTION_SIZE_BUFFER says.
pub const RING_BYTES: usize = 256 << 10;
/// Longest text of one record.
const TEXT_MAX: usize = 1024 - 48;

const CAP_SYSLOG: u32 = 34;

/// Severity, as `<N>` in front of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// KERN_EMERG
    Emerg = 0,
    /// KERN_ALERT
    Alert = 1,
    /// KERN_CRIT
    Crit = 2,
    /// KERN_ERR
    Err = 3,
    /// KERN_WARNING
    Warning = 4,
    /// KERN_NOTICE
    Notice = 5,
    /// KERN_INFO
    Info = 6,
    /// KERN_DEBUG
    Debug = 7,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub seq: u64,
    /// Facility times eight, and level.
    pub prio: u32,
    /// Microseconds since boot.
    pub at_us: u64,
    /// The text, without a newline at its end.
    pub text: Vec<u8>,
}

impl Record {
    /// As syslog(2) and /proc/kmsg give it: every line with priority and time.
    fn lines(&self) -> Vec<u8> {
        let head = format!("<{}>[{:5}.{:06}] ", self.prio, self.at_us / 1_000_000, self.at_us % 1_000_000);
        let mut out = Vec::new();
        for line in self.text.split(|byte| *byte == b'\n') {
            out.extend_from_slice(head.as_bytes());
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out
    }

    /// As /dev/kmsg gives it (Documentation/ABI/testing/dev-kmsg).
    fn kmsg(&self) -> Vec<u8> {
        let mut out = format!("{},{},{},-;", self.prio, self.seq, self.at_us).into_bytes();
        for byte in &self.text {
            if *byte < 0x20 || *byte >= 0x7f || *byte == b'\\' {
                out.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
            } else {
                out.push(*byte);
            }
        }
        out.push(b'\n');
        out
    }
}

/// The log.
#[derive(Debug, Clone)]
pub struct Log {
    records: VecDeque<Record>,
    bytes: usize,
    next: u64,
    /// Next record of SYSLOG_ACTION_READ and /proc/kmsg, and how many bytes of it were read.
    unread: (u64, usize),
    /// First record of SYSLOG_ACTION_READ_ALL.
    cleared: u64,
    /// Next record of each open /dev/kmsg.
    readers: persist::OrdMap<FileId, u64>,
    /// Messages below this level go to the console; /proc/sys/kernel/printk.
    pub console_level: u8,
    /// Level of messages without one.
    pub default_level: u8,
    /// Lowest value of the console level.
    pub minimum_level: u8,
    /// The console level before SYSLOG_ACTION_CONSOLE_OFF.
    saved_level: Option<u8>,
}

impl Default for Log {
    fn default() -> Self {
        Log {
            records: VecDeque::new(),
            bytes: 0,
            next: 0,
            unread: (0, 0),
            cleared: 0,
            readers: persist::OrdMap::new(),
            console_level: 7,
            default_level: 4,
            minimum_level: 1,
            saved_level: None,
        }
    }
}

impl Log {
    /// The log of a machine that was just started: the boot lines.
    #[must_use]
    pub fn booted(memory: u64, cmdline: &str) -> Self {
        let mut log = Log::default();
        let kib = memory / 1024;
        for (level, text) in [
            (Level::Notice, format!("Linux version {} {} {}", uts::RELEASE, uts::BUILDER, uts::VERSION)),
            (Level::Info, format!("Command line: {cmdline}")),
            (Level::Info, "KERNEL supported cpus:".to_owned()),
            (Level::Info, "  emu x86-64".to_owned()),
            (Level::Info, format!("Memory: {kib}K/{kib}K available")),
            (Level::Info, "SMP: Total of 1 processors activated".to_owned()),
            (Level::Info, "Run program as init process".to_owned()),
        ] {
            log.push(level as u32, 0, text.as_bytes());
        }
        log
    }

    fn push(&mut self, prio: u32, at_us: u64, text: &[u8]) {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = &text[..text.len().min(TEXT_MAX)];
        self.bytes += text.len() + 64;
        self.records.push_back(Record { seq: self.next, prio, at_us, text: text.to_vec() });
        self.next += 1;
        while self.bytes > RING_BYTES {
            let Some(old) = self.records.pop_front() else { break };
            self.bytes -= old.text.len() + 64;
        }
    }

    fn first(&self) -> u64 {
        self.records.front().map_or(self.next, |record| record.seq)
    }

    /// Records from number `from` on.
    fn since(&self, from: u64) -> impl DoubleEndedIterator<Item = &Record> {
        let skip = usize::try_from(from.saturating_sub(self.first())).unwrap_or(usize::MAX);
        self.records.iter().skip(skip)
    }

    /// All records that are still there, oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// The next record for an open /dev/kmsg; `None` if there is none yet. `EPIPE` after the ring overtook the reader,
    /// `EINVAL` if the record is longer than `max`.
    pub(crate) fn read_record(&mut self, reader: FileId, max: usize) -> Result<Option<Vec<u8>>, Errno> {
        let first = self.first();
        let at = self.readers.get(&reader).copied().unwrap_or(first);
        if at < first {
            self.readers.insert(reader, first);
            return Err(Errno::EPIPE);
        }
        let Some(record) = self.since(at).next() else { return Ok(None) };
        let line = record.kmsg();
        if line.len() > max {
            return Err(Errno::EINVAL);
        }
        self.readers.insert(reader, at + 1);
        Ok(Some(line))
    }

    /// Moves an open /dev/kmsg: to the oldest record (`SEEK_SET`), the last cleared one (`SEEK_DATA`) or behind the
    /// newest (`SEEK_END`), all with offset 0.
    pub fn seek(&mut self, reader: FileId, offset: i64, whence: u32) -> Result<u64, Errno> {
        if offset != 0 {
            return Err(Errno::ESPIPE);
        }
        let at = match whence {
            0 => self.first(),
            2 => self.next,
            3 => self.cleared.max(self.first()),
            _ => return Err(Errno::EINVAL),
        };
        self.readers.insert(reader, at);
        Ok(0)
    }

    /// Readiness of an open /dev/kmsg.
    pub(crate) fn ready(&self, reader: FileId) -> Ready {
        let first = self.first();
        let at = self.readers.get(&reader).copied().unwrap_or(first);
        if at < first {
            Ready::IN | Ready::RDNORM | Ready::ERR | Ready::PRI
        } else if at < self.next {
            Ready::IN | Ready::RDNORM
        } else {
            Ready::empty()
        }
    }

    pub(crate) fn forget_reader(&mut self, reader: FileId) {
        self.readers.remove(&reader);
    }

    /// Takes at most `max` bytes of what SYSLOG_ACTION_READ has not given yet.
    pub(crate) fn take_unread(&mut self, max: usize) -> Vec<u8> {
        let (mut seq, mut part) = self.unread;
        if seq < self.first() {
            (seq, part) = (self.first(), 0);
        }
        let mut out = Vec::new();
        let start = seq;
        for record in self.records.iter().filter(|record| record.seq >= start) {
            let text = record.lines();
            let rest = text.get(part..).unwrap_or_default();
            let n = rest.len().min(max - out.len());
            out.extend_from_slice(&rest[..n]);
            if n < rest.len() {
                part += n;
                break;
            }
            (seq, part) = (record.seq + 1, 0);
        }
        self.unread = (seq, part);
        out
    }

    fn unread_bytes(&self) -> usize {
        let (seq, part) = self.unread;
        let part = if seq < self.first() { 0 } else { part };
        self.since(seq).map(|record| record.lines().len()).sum::<usize>().saturating_sub(part)
    }

    /// Whether SYSLOG_ACTION_READ has something to give.
    #[must_use]
    pub fn has_unread(&self) -> bool {
        self.unread.0 < self.next
    }

    /// The newest whole records since the last clear that fit into `max` bytes.
    fn tail(&self, max: usize) -> Vec<u8> {
        let mut kept = Vec::new();
        let mut total = 0;
        for record in self.since(self.cleared).rev() {
            let text = record.lines();
            if total + text.len() > max {
                break;
            }
            total += text.len();
            kept.push(text);
        }
        kept.into_iter().rev().flatten().collect()
    }
}

/// Whether `tid` may read the whole log (`dmesg_restrict`, CAP_SYSLOG).
pub(crate) fn check_read(k: &Kernel, tid: TaskId) -> Result<(), Errno> {
    let restricted = crate::vfs::procfs::sysctl::number(k, "kernel/dmesg_restrict") != 0;
    if restricted { check_admin(k, tid) } else { Ok(()) }
}

/// Whether `tid` may take from the log or change it.
pub(crate) fn check_admin(k: &Kernel, tid: TaskId) -> Result<(), Errno> {
    let caps = k.task(tid).creds.cap_effective;
    let syslog = caps >> CAP_SYSLOG & 1 == 1;
    if syslog || crate::file::jobctl::capable_admin(k, tid) { Ok(()) } else { Err(Errno::EPERM) }
}

/// A write to /dev/kmsg: an optional `<N>` in front gives facility and level.
pub(crate) fn write_kmsg(k: &mut Kernel, data: &[u8]) -> Result<(), Errno> {
    if data.len() > TEXT_MAX {
        return Err(Errno::EINVAL);
    }
    let mut prio = u32::from(k.log.default_level) | 1 << 3;
    let mut text = data;
    if let Some(rest) = data.strip_prefix(b"<")
        && let Some(end) = rest.iter().position(|byte| *byte == b'>')
        && let Some(number) = std::str::from_utf8(&rest[..end]).ok().and_then(|n| n.parse::<u32>().ok())
    {
        // The kernel's own facility cannot be forged: 0 becomes LOG_USER.
        let facility = if number >> 3 == 0 { 1 } else { number >> 3 & 0x1fff };
        prio = facility << 3 | number & 7;
        text = &rest[end + 1..];
    }
    k.log_record(prio, text);
    Ok(())
}

impl Kernel {
    /// Adds a message of the kernel to its log.
    pub fn printk(&mut self, level: Level, text: &str) {
        self.log_record(level as u32, text.as_bytes());
    }

    fn log_record(&mut self, prio: u32, text: &[u8]) {
        let at_us = self.time.monotonic_ns.saturating_sub(self.time.boot_ns) / 1000;
        self.log.push(prio, at_us, text);
        self.wake(WAIT);
    }

    /// The line that an unhandled SIGSEGV leaves (arch/x86/mm/fault.c, show_signal_msg).
    pub fn log_segfault(&mut self, tid: TaskId, address: u64, ip: u64, sp: u64, error: u64) {
        let task = self.task(tid);
        let comm = String::from_utf8_lossy(&task.comm).into_owned();
        let place = self.place_of(tid, ip);
        self.printk(
            Level::Info,
            &format!(
                "{comm}[{}]: segfault at {address:x} ip {ip:016x} sp {sp:016x} error {error:x}{place} \
                 likely on CPU 0 (core 0, socket 0)",
                tid.0
            ),
        );
        self.log_code(tid, ip);
    }

    /// The bytes of code around an address (arch/x86/kernel/dumpstack.c, show_opcodes).
    fn log_code(&mut self, tid: TaskId, ip: u64) {
        const PROLOGUE: u64 = 42;
        let mut code = [0; 64];
        let from = ip.wrapping_sub(PROLOGUE);
        let space = self.task(tid).mm.and_then(|id| self.mms.get(id)).map(|mm| mm.space);
        let readable = space.is_some_and(|space| {
            from < ip && self.mem.read(space, from, &mut code, emu_core::mem::Privilege::User).is_ok()
        });
        if !readable {
            return self.printk(Level::Info, &format!("Code: Unable to access opcode bytes at {from:#x}."));
        }
        let mut text = String::from("Code:");
        for (at, byte) in (0..).zip(code) {
            text.push_str(&if at == PROLOGUE { format!(" <{byte:02x}>") } else { format!(" {byte:02x}") });
        }
        self.printk(Level::Info, &text);
    }

    /// The line that another unhandled trap leaves (arch/x86/kernel/traps.c).
    pub fn log_trap(&mut self, tid: TaskId, what: &str, ip: u64, sp: u64, error: u64) {
        let comm = String::from_utf8_lossy(&self.task(tid).comm).into_owned();
        let place = self.place_of(tid, ip);
        self.printk(
            Level::Info,
            &format!("traps: {comm}[{}] {what} ip:{ip:x} sp:{sp:x} error:{error:x}{place}", tid.0),
        );
    }

    /// The lines that a kill for lack of memory leaves (mm/oom_kill.c).
    pub fn log_oom(&mut self, tid: TaskId) {
        let task = self.task(tid);
        let mm = task.mm.and_then(|id| self.mms.get(id));
        let (total_kib, anon_kib) =
            mm.map_or((0, 0), |mm| (mm.usage.total * 4, self.mem.resident(mm.space) * 4));
        let comm = String::from_utf8_lossy(&task.comm).into_owned();
        let (uid, process) = (task.creds.uid[0], task.group.0);
        self.printk(
            Level::Warning,
            &format!(
                "{comm} invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, \
                 oom_score_adj=0"
            ),
        );
        self.printk(
            Level::Err,
            &format!(
                "Out of memory: Killed process {} ({comm}) total-vm:{total_kib}kB, anon-rss:{anon_kib}kB, \
                 file-rss:0kB, shmem-rss:0kB, UID:{uid} pgtables:0kB oom_score_adj:0",
                process
            ),
        );
    }

    /// ` in name[offset,start+size]` for an address inside a file's mapping (mm/memory.c, print_vma_addr).
    fn place_of(&self, tid: TaskId, ip: u64) -> String {
        let Some(mm) = self.task(tid).mm.and_then(|id| self.mms.get(id)) else { return String::new() };
        let Some((_, area)) = mm.areas.range(..=ip).next_back().filter(|(_, area)| ip < area.end) else {
            return String::new();
        };
        let path = crate::vfs::procfs::maps::area_name(self, mm, area);
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if name.is_empty() || name.starts_with(b"[") {
            return String::new();
        }
        let name = String::from_utf8_lossy(name).into_owned();
        let offset = area.object_offset(ip).unwrap_or(0);
        format!(" in {name}[{offset:x},{:x}+{:x}]", area.start, area.end - area.start)
    }
}
