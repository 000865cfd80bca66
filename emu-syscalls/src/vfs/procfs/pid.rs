//! /proc/PID: what a process or thread shows of itself.
//!
//! **Invariant**: memory, environment and registers are shown only to those who may trace the process.

use crate::abi::errno::Errno;
use crate::file::{FileId, ns};
use crate::kernel::Kernel;
use crate::mm::MmId;
use crate::seam::Host;
use crate::task::{RunState, Task, TaskId};
use crate::vfs::procfs::{ProcNode, decimal, maps, net, peer, status};
use crate::vfs::synth::{LinkTarget, SynthAttr, SynthKind};

/// Of whom, and who looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Who looks.
    pub(crate) viewer: TaskId,
    /// Whose file it is.
    pub(crate) tid: TaskId,
    /// Whether the file is a thread's (below `task`).
    pub(crate) thread: bool,
}

type Show = fn(&mut Kernel, &mut dyn Host, View) -> Result<Vec<u8>, Errno>;

/// What a name below /proc/PID is.
#[derive(Clone, Copy)]
enum Kind {
    Dir,
    Link,
    File(Show),
}

fn text(text: impl Into<String>) -> Result<Vec<u8>, Errno> {
    Ok(text.into().into_bytes())
}

/// Names, permission bits, kinds, in Linux's order (fs/proc/base.c, tgid_base_stuff).
const FILES: &[(&str, u32, Kind)] = &[
    ("task", 0o555, Kind::Dir),
    ("fd", 0o500, Kind::Dir),
    ("fdinfo", 0o555, Kind::Dir),
    ("ns", 0o511, Kind::Dir),
    ("net", 0o555, Kind::Dir),
    ("environ", 0o400, Kind::File(environ)),
    ("auxv", 0o400, Kind::File(auxv)),
    ("status", 0o444, Kind::File(|k, _, at| status::status(k, at.tid))),
    ("personality", 0o400, Kind::File(|k, _, at| personality(k, at))),
    ("limits", 0o444, Kind::File(|k, _, at| status::limits(k, at.tid))),
    ("sched", 0o644, Kind::File(|k, _, at| status::sched(k, at.tid))),
    ("comm", 0o644, Kind::File(comm)),
    ("syscall", 0o400, Kind::File(syscall)),
    ("cmdline", 0o444, Kind::File(cmdline)),
    ("stat", 0o444, Kind::File(|k, _, at| status::stat(k, at))),
    ("statm", 0o444, Kind::File(|k, _, at| status::statm(k, at.tid))),
    ("maps", 0o444, Kind::File(|k, _, at| with_mm(k, at, maps::maps))),
    ("mem", 0o600, Kind::File(|_, _, _| Err(Errno::EIO))),
    ("pagemap", 0o400, Kind::File(|_, _, _| Err(Errno::EIO))),
    ("cwd", 0o777, Kind::Link),
    ("root", 0o777, Kind::Link),
    ("exe", 0o777, Kind::Link),
    ("mounts", 0o444, Kind::File(|k, _, at| Ok(peer::mounts(k, at.tid)))),
    ("mountinfo", 0o444, Kind::File(|k, _, at| Ok(peer::mountinfo(k, at.tid)))),
    ("mountstats", 0o400, Kind::File(|k, _, at| Ok(peer::mountstats(k, at.tid)))),
    ("clear_refs", 0o200, Kind::File(|_, _, _| Err(Errno::EINVAL))),
    ("smaps", 0o444, Kind::File(|k, _, at| with_mm(k, at, maps::smaps))),
    ("smaps_rollup", 0o444, Kind::File(|k, _, at| with_mm(k, at, maps::rollup))),
    ("wchan", 0o444, Kind::File(|_, _, _| text("0"))),
    ("stack", 0o400, Kind::File(stack)),
    ("schedstat", 0o444, Kind::File(|k, _, at| status::schedstat(k, at.tid))),
    ("cpuset", 0o444, Kind::File(|_, _, _| text("/\n"))),
    ("cgroup", 0o444, Kind::File(|_, _, _| text("0::/\n"))),
    ("oom_score", 0o444, Kind::File(|k, _, at| text(format!("{}\n", status::oom_score(k, at.tid))))),
    ("oom_adj", 0o644, Kind::File(|k, _, at| text(format!("{}\n", status::oom_adj(k, at.tid))))),
    ("oom_score_adj", 0o644, Kind::File(|k, _, at| text(format!("{}\n", peer::oom_score_adj(k, at.tid))))),
    ("loginuid", 0o644, Kind::File(|_, _, _| text("4294967295"))),
    ("sessionid", 0o444, Kind::File(|_, _, _| text("4294967295"))),
    ("coredump_filter", 0o644, Kind::File(|k, _, at| text(peer::dump_filter(k, at.tid)))),
    ("io", 0o400, Kind::File(io)),
    ("uid_map", 0o644, Kind::File(|_, _, _| id_map())),
    ("gid_map", 0o644, Kind::File(|_, _, _| id_map())),
    ("projid_map", 0o644, Kind::File(|_, _, _| id_map())),
    ("setgroups", 0o644, Kind::File(|_, _, _| text("allow\n"))),
    ("timens_offsets", 0o644, Kind::File(|k, _, at| timens_offsets(k, at.tid))),
    ("timerslack_ns", 0o666, Kind::File(|k, _, at| text(format!("{}\n", peer::timer_slack(k, at.tid))))),
];

/// Only /proc/PID has these, not /proc/PID/task/TID.
const GROUP_ONLY: &[&str] = &["task", "mountstats", "coredump_filter", "timerslack_ns"];

fn entry(name: &str) -> Option<&'static (&'static str, u32, Kind)> {
    FILES.iter().find(|(known, ..)| *known == name)
}

/// Whether `viewer` may look into `tid` as a debugger (ptrace_may_access, PTRACE_MODE_READ).
pub(crate) fn may_trace(k: &Kernel, viewer: TaskId, tid: TaskId) -> bool {
    const CAP_SYS_PTRACE: u32 = 19;
    let (Some(who), Some(whom)) = (k.tasks.get(viewer), k.tasks.get(tid)) else { return false };
    if who.group == whom.group || who.creds.cap_effective >> CAP_SYS_PTRACE & 1 == 1 {
        return true;
    }
    let (uid, gid) = (who.creds.uid[3], who.creds.gid[3]);
    let same_user = whom.creds.uid[..3].iter().all(|id| *id == uid);
    let same_group = whom.creds.gid[..3].iter().all(|id| *id == gid);
    same_user && same_group && peer::dumpable(k, whom.group)
}

fn traced_mm(k: &Kernel, at: View) -> Result<Option<MmId>, Errno> {
    let task = k.tasks.get(at.tid).ok_or(Errno::ESRCH)?;
    if may_trace(k, at.viewer, at.tid) { Ok(task.mm) } else { Err(Errno::EACCES) }
}

fn with_mm(k: &Kernel, at: View, show: fn(&Kernel, MmId) -> Vec<u8>) -> Result<Vec<u8>, Errno> {
    Ok(traced_mm(k, at)?.map(|mm| show(k, mm)).unwrap_or_default())
}

fn id_map() -> Result<Vec<u8>, Errno> {
    text("         0          0 4294967295\n")
}

/// Longest argument or environment block shown.
const STRINGS_MAX: u64 = 4 << 20;

fn strings(k: &mut Kernel, host: &mut dyn Host, mm: MmId, range: (u64, u64)) -> Vec<u8> {
    let len = range.1.saturating_sub(range.0).min(STRINGS_MAX);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    let n = peer::read_memory(k, host, mm, range.0, &mut bytes);
    bytes.truncate(n);
    bytes
}

fn cmdline(k: &mut Kernel, host: &mut dyn Host, at: View) -> Result<Vec<u8>, Errno> {
    let Some(id) = k.tasks.get(at.tid).ok_or(Errno::ESRCH)?.mm else { return Ok(Vec::new()) };
    let Some((args, env)) = k.mms.get(id).map(|mm| (mm.args, mm.env)) else { return Ok(Vec::new()) };
    let mut out = strings(k, host, id, args);
    // A program that wrote over the last NUL has set its title, which may go on into the environment.
    if out.last().is_some_and(|last| *last != 0) {
        out.extend(strings(k, host, id, env));
        let end = out.iter().position(|byte| *byte == 0).unwrap_or(out.len());
        out.truncate(end);
    }
    Ok(out)
}

fn environ(k: &mut Kernel, host: &mut dyn Host, at: View) -> Result<Vec<u8>, Errno> {
    let Some(id) = traced_mm(k, at)? else { return Ok(Vec::new()) };
    let Some(env) = k.mms.get(id).map(|mm| mm.env) else { return Ok(Vec::new()) };
    Ok(strings(k, host, id, env))
}

fn auxv(k: &mut Kernel, _host: &mut dyn Host, at: View) -> Result<Vec<u8>, Errno> {
    let Some(mm) = traced_mm(k, at)?.and_then(|id| k.mms.get(id)) else { return Ok(Vec::new()) };
    let pairs = mm.auxv.iter().flat_map(|(key, value)| [*key, *value]);
    let mut out: Vec<u8> = pairs.flat_map(u64::to_le_bytes).collect();
    if mm.auxv.last().is_none_or(|(key, _)| *key != 0) {
        out.extend([0; 16]);
    }
    Ok(out)
}

fn personality(k: &Kernel, at: View) -> Result<Vec<u8>, Errno> {
    traced_mm(k, at)?;
    let personality = k.tasks.get(at.tid).map_or(0, |task| task.attrs.personality);
    text(format!("{personality:08x}\n"))
}

fn comm(k: &mut Kernel, _host: &mut dyn Host, at: View) -> Result<Vec<u8>, Errno> {
    let mut name = k.tasks.get(at.tid).ok_or(Errno::ESRCH)?.comm.clone();
    name.push(b'\n');
    Ok(name)
}

fn syscall(k: &mut Kernel, _host: &mut dyn Host, at: View) -> Result<Vec<u8>, Errno> {
    traced_mm(k, at)?;
    let task = k.tasks.get(at.tid).ok_or(Errno::ESRCH)?;
    if at.viewer != at.tid && task.state == RunState::Runnable || !task.in_kernel {
        return text("running\n");
    }
    let regs = k.user_regs(at.tid);
    if regs.orig_ax == crate::entry::NO_SYSCALL {
        return text(format!("-1 {:#x} {:#x}\n", regs.sp, regs.ip));
    }
    text(format!(
        "{} {:#x} {:#x} {:#x} {:#x} {:#x} {:#x} {:#x} {:#x}\n",
        regs.orig_ax, regs.di, regs.si, regs.dx, regs.r10, regs.r8, regs.r9, regs.sp, regs.ip
    ))
}

fn stack(k: &mut Kernel, _host: &mut dyn Host, at: View) -> Result<Vec<u8>, Errno> {
    if crate::file::jobctl::capable_admin(k, at.viewer) { Ok(Vec::new()) } else { Err(Errno::EACCES) }
}

fn io(k: &mut Kernel, _host: &mut dyn Host, at: View) -> Result<Vec<u8>, Errno> {
    traced_mm(k, at)?;
    text("rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n")
}

/// The open file behind a descriptor of a task.
pub(crate) fn descriptor(k: &Kernel, tid: TaskId, fd: i32) -> Option<FileId> {
    let task = k.tasks.get(tid)?;
    if task.state == RunState::Zombie {
        return None;
    }
    k.fd_tables.get(task.fds)?.fds.get(&fd).map(|found| found.file)
}

fn member(k: &Kernel, tid: TaskId, thread: u32) -> Option<TaskId> {
    let found = k.tasks.get(TaskId(thread))?;
    (found.group == k.tasks.get(tid)?.group).then_some(TaskId(thread))
}

/// The entry `name` of directory `dir` of a task.
pub(crate) fn lookup(
    k: &mut Kernel,
    viewer: TaskId,
    tid: TaskId,
    thread: bool,
    dir: &str,
    name: &[u8],
) -> Option<ProcNode> {
    match dir {
        "" => {
            let name = std::str::from_utf8(name).ok()?;
            let (name, ..) = entry(name)?;
            let hidden = thread && GROUP_ONLY.contains(name);
            (!hidden).then_some(ProcNode::Task { tid, thread, name })
        }
        "task" => member(k, tid, decimal(name)?).map(|tid| ProcNode::Task { tid, thread: true, name: "" }),
        "fd" | "fdinfo" => {
            let fd = i32::try_from(decimal(name)?).ok()?;
            descriptor(k, tid, fd)?;
            (dir == "fdinfo" || may_trace(k, viewer, tid)).then_some(ProcNode::Fd {
                tid,
                thread,
                fd,
                info: dir == "fdinfo",
            })
        }
        "ns" => {
            let (name, _) = ns::KINDS
                .iter()
                .find(|(known, ..)| known.as_bytes() == name)
                .map(|(name, flag, _)| (*name, flag))?;
            Some(ProcNode::Ns { tid, name })
        }
        "net" => {
            let file = net::FILES.iter().map(|(path, _)| *path);
            let path = super::step(file, "net", name)?;
            Some(ProcNode::Task { tid, thread, name: path })
        }
        _ => None,
    }
}

/// All entries of directory `dir` of a task.
pub(crate) fn list(
    k: &mut Kernel,
    viewer: TaskId,
    tid: TaskId,
    thread: bool,
    dir: &str,
) -> Vec<(Vec<u8>, ProcNode)> {
    let named = |name: &'static str| ProcNode::Task { tid, thread, name };
    match dir {
        "" => FILES
            .iter()
            .filter(|(name, ..)| !(thread && GROUP_ONLY.contains(name)))
            .map(|(name, ..)| (name.as_bytes().to_vec(), named(name)))
            .collect(),
        "task" => {
            let group = k.tasks.get(tid).and_then(|task| k.groups.get(task.group));
            let threads = group.map(|group| group.threads.clone()).unwrap_or_default();
            threads
                .into_iter()
                .map(|tid| (tid.0.to_string().into_bytes(), ProcNode::Task { tid, thread: true, name: "" }))
                .collect()
        }
        "fd" | "fdinfo" if may_trace(k, viewer, tid) => {
            let table = k.tasks.get(tid).and_then(|task| k.fd_tables.get(task.fds));
            let info = dir == "fdinfo";
            table
                .into_iter()
                .flat_map(|table| table.fds.keys())
                .map(|fd| (fd.to_string().into_bytes(), ProcNode::Fd { tid, thread, fd: *fd, info }))
                .collect()
        }
        "ns" => ns::KINDS
            .iter()
            .map(|(name, ..)| (name.as_bytes().to_vec(), ProcNode::Ns { tid, name }))
            .collect(),
        "net" => super::children(net::FILES.iter().map(|(path, _)| *path), "net")
            .into_iter()
            .map(|(name, path)| (name, named(path)))
            .collect(),
        _ => Vec::new(),
    }
}

fn owner(k: &Kernel, tid: TaskId) -> (u32, u32) {
    match k.tasks.get(tid) {
        Some(task) if peer::dumpable(k, task.group) => (task.creds.uid[1], task.creds.gid[1]),
        _ => (0, 0),
    }
}

/// Attributes of a file of a task.
pub(crate) fn attr(k: &mut Kernel, node: &ProcNode) -> SynthAttr {
    let (kind, mode, tid) = match node {
        ProcNode::Task { tid, name: "", .. } => (SynthKind::Dir, 0o555, *tid),
        ProcNode::Task { tid, name, .. } => match entry(name) {
            Some((_, mode, Kind::Dir)) => (SynthKind::Dir, *mode, *tid),
            Some((_, mode, Kind::Link)) => (SynthKind::Symlink, *mode, *tid),
            Some((_, mode, Kind::File(_))) => (SynthKind::File, *mode, *tid),
            None => return SynthAttr::file(0o444),
        },
        ProcNode::Fd { tid, info: true, .. } => (SynthKind::File, 0o444, *tid),
        ProcNode::Fd { tid, fd, .. } => {
            let file = descriptor(k, *tid, *fd).and_then(|id| k.files.get(id));
            let read = file.is_some_and(crate::file::OpenFile::readable);
            let write = file.is_some_and(crate::file::OpenFile::writable);
            let mode = 0o100 | if read { 0o400 } else { 0 } | if write { 0o200 } else { 0 };
            (SynthKind::Symlink, mode, *tid)
        }
        ProcNode::Ns { tid, .. } => (SynthKind::Symlink, 0o777, *tid),
        ProcNode::Path(_) => return SynthAttr::dir(),
    };
    let (uid, gid) = owner(k, tid);
    let nlink = if kind == SynthKind::Dir { 2 } else { 1 };
    SynthAttr { kind, mode, uid, gid, nlink }
}

/// Whole contents of a file of a task.
pub(crate) fn read(
    k: &mut Kernel,
    host: &mut dyn Host,
    viewer: TaskId,
    tid: TaskId,
    thread: bool,
    name: &str,
) -> Result<Vec<u8>, Errno> {
    if !k.tasks.contains(tid) {
        return Err(Errno::ESRCH);
    }
    match entry(name) {
        Some((_, _, Kind::File(show))) => show(k, host, View { viewer, tid, thread }),
        Some((_, _, Kind::Dir)) => Err(Errno::EISDIR),
        Some((_, _, Kind::Link)) => Err(Errno::EINVAL),
        None => {
            let found = net::FILES.iter().find(|(path, _)| *path == name);
            found.map(|(_, show)| show(k).into_bytes()).ok_or(Errno::EISDIR)
        }
    }
}

/// /proc/PID/fdinfo/N
pub(crate) fn fdinfo(k: &mut Kernel, tid: TaskId, fd: i32) -> Result<Vec<u8>, Errno> {
    let id = descriptor(k, tid, fd).ok_or(Errno::ENOENT)?;
    let cloexec = k
        .tasks
        .get(tid)
        .and_then(|task| k.fd_tables.get(task.fds))
        .and_then(|table| table.fds.get(&fd))
        .is_some_and(|found| found.cloexec);
    let file = k.files.get(id).ok_or(Errno::ENOENT)?;
    let flags = file.flags | if cloexec { crate::file::flags::O_CLOEXEC } else { 0 };
    let (mount, ino) = file.loc.map_or((15, 0), |loc| (loc.mount.0, peer::identity(k, loc).1));
    let mut out = format!("pos:\t{}\nflags:\t0{flags:o}\nmnt_id:\t{mount}\nino:\t{ino}\n", file.pos);
    out.push_str(&peer::fdinfo_extra(k, id));
    text(out)
}

/// Bytes of memory that one read of /proc/PID/mem moves.
const MEM_STEP: usize = 1 << 20;

/// /proc/PID/mem, read.
pub(crate) fn read_mem(
    k: &mut Kernel,
    host: &mut dyn Host,
    viewer: TaskId,
    tid: TaskId,
    offset: u64,
    max: usize,
) -> Result<Vec<u8>, Errno> {
    let Some(mm) = traced_mm(k, View { viewer, tid, thread: false })? else { return Ok(Vec::new()) };
    let mut bytes = vec![0; max.min(MEM_STEP)];
    let n = peer::read_memory(k, host, mm, offset, &mut bytes);
    if n == 0 && max > 0 {
        return Err(Errno::EIO);
    }
    bytes.truncate(n);
    Ok(bytes)
}

/// /proc/PID/timens_offsets: of the namespace of children.
fn timens_offsets(k: &Kernel, tid: TaskId) -> Result<Vec<u8>, Errno> {
    let task = k.tasks.get(tid).ok_or(Errno::ESRCH)?;
    let time = task.children_time.unwrap_or(task.time);
    let split = |ns: i64| (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let (monotonic, boot) = (split(time.monotonic), split(time.boot));
    let line = |name: &str, (s, ns): (i64, i64)| format!("{name:<10} {s:10} {ns:9}\n");
    text(line("monotonic", monotonic) + &line("boottime", boot))
}

/// Sets the clocks of a time namespace that nobody is in yet (timens_offsets_write). `EINVAL`, `EACCES`, `ERANGE`.
fn set_timens_offsets(k: &mut Kernel, viewer: TaskId, tid: TaskId, data: &[u8]) -> Result<usize, Errno> {
    const CAP_SYS_TIME: u32 = 25;
    let lines = std::str::from_utf8(data).map_err(|_| Errno::EINVAL)?;
    let mut changes = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_whitespace();
        let boot = match words.next() {
            Some("monotonic" | "1") => false,
            Some("boottime" | "7") => true,
            _ => return Err(Errno::EINVAL),
        };
        let mut next = || words.next().and_then(|word| word.parse::<i64>().ok()).ok_or(Errno::EINVAL);
        let (seconds, ns) = (next()?, next()?);
        if !(0..1_000_000_000).contains(&ns) || changes.len() == 2 {
            return Err(Errno::EINVAL);
        }
        let offset =
            seconds.checked_mul(1_000_000_000).and_then(|all| all.checked_add(ns)).ok_or(Errno::ERANGE)?;
        changes.push((boot, offset));
    }
    if !peer::capable(k, viewer, CAP_SYS_TIME) {
        return Err(Errno::EPERM);
    }
    let now = i64::try_from(k.time.monotonic_ns).unwrap_or(i64::MAX);
    // Neither below zero nor beyond half of what a clock can show.
    if changes.iter().any(|(_, offset)| now.saturating_add(*offset) < 0 || *offset > i64::MAX / 2) {
        return Err(Errno::ERANGE);
    }
    let time = k.tasks.get(tid).and_then(|task| task.children_time).ok_or(Errno::EACCES)?;
    if k.time.frozen.contains(&time.id) {
        return Err(Errno::EACCES);
    }
    for (boot, offset) in changes {
        if let Some(time) = &mut k.task_mut(tid).children_time {
            *(if boot { &mut time.boot } else { &mut time.monotonic }) = offset;
        }
    }
    Ok(data.len())
}

/// /proc/PID/pagemap: a word a page (Documentation/admin-guide/mm/pagemap.rst).
pub(crate) fn read_pagemap(
    k: &mut Kernel,
    viewer: TaskId,
    tid: TaskId,
    offset: u64,
    max: usize,
) -> Result<Vec<u8>, Errno> {
    const CAP_SYS_ADMIN: u32 = 21;
    const PRESENT: u64 = 1 << 63;
    const FILE_OR_SHARED: u64 = 1 << 61;
    const EXCLUSIVE: u64 = 1 << 56;
    const SOFT_DIRTY: u64 = 1 << 55;
    if !offset.is_multiple_of(8) || !max.is_multiple_of(8) {
        return Err(Errno::EINVAL);
    }
    let view = View { viewer, tid, thread: false };
    let Some(mm) = traced_mm(k, view)?.and_then(|id| k.mms.get(id)) else { return Ok(Vec::new()) };
    let numbers = peer::capable(k, viewer, CAP_SYS_ADMIN);
    let mut out = Vec::new();
    let mut page = offset / 8;
    while out.len() < max.min(MEM_STEP) && page < emu_core::mem::USER_END / emu_core::mem::PAGE_SIZE {
        let info = k.mem.page(mm.space, page * emu_core::mem::PAGE_SIZE);
        let word = match info.and_then(|info| Some((info.frame?, info))) {
            Some((frame, info)) => {
                let kind = if info.shared.is_some() { FILE_OR_SHARED } else { EXCLUSIVE };
                let number = if numbers { frame.0 & (SOFT_DIRTY - 1) } else { 0 };
                PRESENT | kind | number | if info.dirty { SOFT_DIRTY } else { 0 }
            }
            None => 0,
        };
        out.extend(word.to_le_bytes());
        page += 1;
    }
    Ok(out)
}

fn number(data: &[u8]) -> Result<i64, Errno> {
    std::str::from_utf8(data).ok().and_then(|text| text.trim().parse().ok()).ok_or(Errno::EINVAL)
}

/// A number in decimal, or after 0x or 0 in hexadecimal or octal (kstrtouint).
fn any_base(data: &[u8]) -> Result<u32, Errno> {
    let text = std::str::from_utf8(data).map_err(|_| Errno::EINVAL)?.trim_end_matches(['\n', '\0']);
    let (digits, base) =
        match (text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")), text.strip_prefix('0')) {
            (Some(digits), _) => (digits, 16),
            (None, Some(digits)) if !digits.is_empty() => (digits, 8),
            _ => (text, 10),
        };
    u32::from_str_radix(digits, base).map_err(|_| Errno::EINVAL)
}

/// A write to a file of a task.
pub(crate) fn write(
    k: &mut Kernel,
    host: &mut dyn Host,
    viewer: TaskId,
    tid: TaskId,
    name: &str,
    offset: u64,
    data: &[u8],
) -> Result<usize, Errno> {
    let task = k.tasks.get(tid).ok_or(Errno::ESRCH)?;
    match name {
        "mem" => {
            let view = View { viewer, tid, thread: false };
            let Some(mm) = traced_mm(k, view)? else { return Ok(0) };
            let n = peer::write_memory(k, host, mm, offset, data);
            if n == 0 && !data.is_empty() { Err(Errno::EIO) } else { Ok(n) }
        }
        "comm" => {
            if k.task(viewer).group != task.group {
                return Err(Errno::EINVAL);
            }
            let line = data.split(|byte| *byte == b'\n' || *byte == 0).next().unwrap_or_default();
            k.task_mut(tid).comm = line.get(..line.len().min(15)).unwrap_or_default().to_vec();
            Ok(data.len())
        }
        "oom_score_adj" | "oom_adj" => {
            let value = number(data)?;
            let range = if name == "oom_adj" { -17..=15 } else { -1000..=1000 };
            if !range.contains(&value) {
                return Err(Errno::EINVAL);
            }
            let value = if name == "oom_score_adj" {
                value
            } else if value == 15 {
                1000
            } else {
                value * 1000 / 17
            };
            let value = i32::try_from(value).map_err(|_| Errno::EINVAL)?;
            if value < peer::oom_score_adj(k, tid) && !peer::capable(k, viewer, CAP_SYS_RESOURCE) {
                return Err(Errno::EACCES);
            }
            peer::set_oom_score_adj(k, tid, value);
            Ok(data.len())
        }
        "timens_offsets" => set_timens_offsets(k, viewer, tid, data),
        "timerslack_ns" => {
            let value = u64::try_from(number(data)?).map_err(|_| Errno::EINVAL)?;
            if viewer != tid && !may_trace(k, viewer, tid) {
                return Err(Errno::EPERM);
            }
            peer::set_timer_slack(k, tid, value);
            Ok(data.len())
        }
        // References are not counted: what is asked for is so already.
        "clear_refs" => {
            let what = number(data)?;
            if !(1..=5).contains(&what) {
                return Err(Errno::EINVAL);
            }
            if let Some(space) = task.mm.and_then(|id| k.mms.get(id)).map(|mm| mm.space)
                && what == 4
            {
                k.mem.clear_dirty(space, 0..emu_core::mem::USER_END);
            }
            Ok(data.len())
        }
        "coredump_filter" => {
            let value = any_base(data)?;
            let mm = task.mm.ok_or(Errno::ESRCH)?;
            peer::set_dump_filter(k, mm, value);
            Ok(data.len())
        }
        "loginuid" | "sched" | "uid_map" | "gid_map" | "projid_map" | "setgroups" => {
            let at = format!("task {}", viewer.0);
            k.gap(format!("write to /proc/PID/{name}"), at);
            Err(Errno::EPERM)
        }
        _ => Err(Errno::EACCES),
    }
}

const CAP_SYS_RESOURCE: u32 = 24;

/// Where a link of a task leads.
pub(crate) fn readlink(k: &mut Kernel, viewer: TaskId, node: &ProcNode) -> Result<LinkTarget, Errno> {
    match node {
        ProcNode::Task { tid, name, .. } => {
            if !may_trace(k, viewer, *tid) {
                return Err(Errno::EACCES);
            }
            let task: &Task = k.tasks.get(*tid).ok_or(Errno::ESRCH)?;
            let loc = match *name {
                "exe" => task.mm.and_then(|mm| k.mms.get(mm)).and_then(|mm| mm.exe),
                "cwd" => k.fs_contexts.get(task.fs).map(|fs| fs.cwd),
                "root" => k.fs_contexts.get(task.fs).map(|fs| fs.root),
                _ => return Err(Errno::EINVAL),
            };
            let loc = loc.ok_or(Errno::ENOENT)?;
            Ok(LinkTarget::Loc(loc, peer::path_of(k, viewer, loc)))
        }
        ProcNode::Fd { tid, fd, info: false, .. } => {
            if !may_trace(k, viewer, *tid) {
                return Err(Errno::EACCES);
            }
            let id = descriptor(k, *tid, *fd).ok_or(Errno::ENOENT)?;
            let file = k.files.get(id).ok_or(Errno::ENOENT)?;
            let text = match file.loc {
                Some(loc) => peer::path_of(k, viewer, loc),
                None => file.kind.ops().describe(k, id).into_bytes(),
            };
            Ok(LinkTarget::File(id, text))
        }
        ProcNode::Ns { tid, name } => {
            if !may_trace(k, viewer, *tid) {
                return Err(Errno::EACCES);
            }
            let id = ns::open(k, *tid, name).ok_or(Errno::ENOENT)?;
            let text = k.files.get(id).map(|file| file.kind.ops().describe(k, id)).unwrap_or_default();
            Ok(LinkTarget::File(id, text.into_bytes()))
        }
        _ => Err(Errno::EINVAL),
    }
}
