//! /proc/PID/stat, statm, status, limits and what else is made of a task's numbers.

use std::fmt::Write as _;

use emu_core::mem::{PAGE_SIZE, PageProt};

use super::peer;
use super::pid::View;
use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::mm::Mm;
use crate::task::sighand::SigQueue;
use crate::task::{GroupId, RunState, Task, TaskId, ThreadGroup};

/// Nanoseconds in a clock tick (USER_HZ is 100).
pub(crate) const NS_PER_TICK: u64 = 10_000_000;

fn task_of(k: &Kernel, tid: TaskId) -> Result<(&Task, &ThreadGroup), Errno> {
    let task = k.tasks.get(tid).ok_or(Errno::ESRCH)?;
    Ok((task, k.groups.get(task.group).ok_or(Errno::ESRCH)?))
}

fn state(task: &Task) -> (char, &'static str) {
    match task.state {
        RunState::Runnable => ('R', "running"),
        RunState::Parked(_) => ('S', "sleeping"),
        RunState::Stopped if task.trace.stop.is_some() => ('t', "tracing stop"),
        RunState::Stopped => ('T', "stopped"),
        RunState::Zombie => ('Z', "zombie"),
    }
}

/// Sizes of an address space in pages.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sizes {
    pub(crate) total: u64,
    pub(crate) resident: u64,
    shared: u64,
    text: u64,
    data: u64,
    stack: u64,
    lib: u64,
    /// First and last address of the program's code, and the stack's start.
    code: (u64, u64),
}

/// Sums up the areas.
pub(crate) fn sizes(k: &Kernel, mm: &Mm) -> Sizes {
    let mut sizes = Sizes { resident: k.mem.resident(mm.space), ..Sizes::default() };
    for area in mm.areas.values() {
        let pages = (area.end - area.start) / PAGE_SIZE;
        sizes.total += pages;
        let file = peer::file_of(area);
        let shared = peer::offset_of(area).1;
        if area.prot.contains(PageProt::EXEC) && file.is_some() {
            if file == mm.exe {
                sizes.text += pages;
                if sizes.code.0 == 0 {
                    sizes.code = (area.start, area.end);
                }
            } else {
                sizes.lib += pages;
            }
        }
        if shared {
            sizes.shared += k.mem.mapped_pages(mm.space, area.start..area.end);
        } else if (area.start..area.end).contains(&mm.args.0) {
            sizes.stack += pages;
        } else if area.prot.contains(PageProt::WRITE) {
            sizes.data += pages;
        }
    }
    sizes
}

fn tty_number(k: &Kernel, group: &ThreadGroup) -> (u64, i64) {
    match group.tty.and_then(|id| k.ttys.get(id)) {
        Some(tty) => {
            let number = crate::file::dev::makedev(136, tty.index);
            (number, tty.pgrp.map_or(-1, |GroupId(id)| i64::from(id)))
        }
        None => (0, -1),
    }
}

fn signal_sets(k: &Kernel, task: &Task) -> (u64, u64) {
    let Some(hand) = k.sighands.get(task.sighand) else { return (0, 0) };
    let mut sets = (0, 0);
    for (bit, action) in hand.actions.iter().enumerate() {
        match action.handler {
            0 => {}
            1 => sets.0 |= 1u64 << bit,
            _ => sets.1 |= 1u64 << bit,
        }
    }
    sets
}

fn pending_set(queue: &SigQueue) -> u64 {
    queue.set.0
}

fn times(k: &Kernel, group: &ThreadGroup, tid: TaskId, thread: bool) -> peer::Times {
    if thread { peer::thread_times(k, tid) } else { peer::group_times(k, group) }
}

/// /proc/PID/stat: proc_pid_stat(5).
pub(crate) fn stat(k: &Kernel, at: View) -> Result<Vec<u8>, Errno> {
    let (task, group) = task_of(k, at.tid)?;
    let (letter, _) = state(task);
    let (tty_nr, tpgid) = tty_number(k, group);
    let times = times(k, group, at.tid, at.thread);
    let traced = super::pid::may_trace(k, at.viewer, at.tid);
    let mm = task.mm.and_then(|id| k.mms.get(id));
    let sizes = mm.map(|mm| sizes(k, mm)).unwrap_or_default();
    let (ignored, caught) = signal_sets(k, task);
    let leader = group.sid == group.id;
    let flags: u64 = 0x0040_0000 | if leader { 0x100 } else { 0 };
    let start = task.start_ns.saturating_sub(k.time.boot_ns) / NS_PER_TICK;
    let (data, brk, args, env, stack) = match mm {
        Some(mm) if traced => (peer::data_range(mm), mm.brk.0, mm.args, mm.env, peer::stack_start(mm)),
        _ => ((0, 0), 0, (0, 0), (0, 0), 0),
    };
    let code = if traced { sizes.code } else { (1, 1) };
    let exit_code = if traced { group.status.unwrap_or(0) } else { 0 };
    let mut out = format!("{} (", at.tid.0).into_bytes();
    out.extend_from_slice(&task.comm);
    let parent = group.parent.map_or(0, |GroupId(id)| id);
    let rest = format!(
        ") {letter} {parent} {} {} {tty_nr} {tpgid} {flags} {} {} {} {} {} {} {} {} {} {} {} 0 {start} {} {} {} \
         {} {} {stack} 0 0 {} {} {} {} {} 0 0 {} 0 {} {} 0 0 0 {} {} {brk} {} {} {} {} {exit_code}\n",
        group.pgid.0,
        group.sid.0,
        times.minor_faults,
        times.child_minor_faults,
        times.major_faults,
        times.child_major_faults,
        times.user_ns / NS_PER_TICK,
        times.system_ns / NS_PER_TICK,
        times.child_user_ns / NS_PER_TICK,
        times.child_system_ns / NS_PER_TICK,
        peer::priority(task),
        task.nice,
        group.threads.len(),
        sizes.total * PAGE_SIZE,
        sizes.resident,
        group.rlimits[5].0,
        code.0,
        code.1,
        pending_set(&task.pending) & 0x7fff_ffff,
        task.blocked.0 & 0x7fff_ffff,
        ignored & 0x7fff_ffff,
        caught & 0x7fff_ffff,
        u8::from(matches!(task.state, RunState::Parked(_))),
        group.exit_signal,
        peer::rt_priority(task),
        peer::policy(task),
        data.0,
        data.1,
        args.0,
        args.1,
        env.0,
        env.1,
    );
    out.extend(rest.into_bytes());
    Ok(out)
}

/// /proc/PID/statm
pub(crate) fn statm(k: &Kernel, tid: TaskId) -> Result<Vec<u8>, Errno> {
    let (task, _) = task_of(k, tid)?;
    let sizes = task.mm.and_then(|id| k.mms.get(id)).map(|mm| sizes(k, mm)).unwrap_or_default();
    let data = sizes.data + sizes.stack;
    Ok(format!("{} {} {} {} 0 {data} 0\n", sizes.total, sizes.resident, sizes.shared, sizes.text)
        .into_bytes())
}

/// /proc/PID/status
pub(crate) fn status(k: &Kernel, tid: TaskId) -> Result<Vec<u8>, Errno> {
    let (task, group) = task_of(k, tid)?;
    let (letter, word) = state(task);
    let mut out = b"Name:\t".to_vec();
    for byte in &task.comm {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ => out.push(*byte),
        }
    }
    let mut text = String::new();
    let umask = k.fs_contexts.get(task.fs).map_or(0, |fs| fs.umask);
    let parent = group.parent.map_or(0, |GroupId(id)| id);
    let ids = |ids: &[u32; 4]| format!("{}\t{}\t{}\t{}", ids[0], ids[1], ids[2], ids[3]);
    let fds = k.fd_tables.get(task.fds).and_then(|table| table.fds.keys().next_back().copied()).unwrap_or(0);
    let fd_size = (fds.max(0) / 64 + 1).max(1) * 64;
    let groups: String = task.creds.groups.iter().map(|id| format!("{id} ")).collect();
    let _ = write!(
        text,
        "\nUmask:\t{umask:04o}\nState:\t{letter} ({word})\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{parent}\n\
         TracerPid:\t{}\nUid:\t{}\nGid:\t{}\nFDSize:\t{fd_size}\nGroups:\t{groups}\nNStgid:\t{}\nNSpid:\t{}\n\
         NSpgid:\t{}\nNSsid:\t{}\n",
        group.id.0,
        tid.0,
        peer::tracer(task),
        ids(&task.creds.uid),
        ids(&task.creds.gid),
        group.id.0,
        tid.0,
        group.pgid.0,
        group.sid.0,
    );
    if let Some(mm) = task.mm.and_then(|id| k.mms.get(id)) {
        let sizes = sizes(k, mm);
        let kib = |pages: u64| pages * (PAGE_SIZE / 1024);
        let peak = peer::peak_pages(mm).max(sizes.total);
        let resident = kib(sizes.resident);
        let shared = kib(sizes.shared).min(resident);
        for (name, value) in [
            ("VmPeak", kib(peak)),
            ("VmSize", kib(sizes.total)),
            ("VmLck", kib(peer::locked_pages(mm))),
            ("VmPin", 0),
            ("VmHWM", resident),
            ("VmRSS", resident),
            ("RssAnon", resident - shared),
            ("RssFile", 0),
            ("RssShmem", shared),
            ("VmData", kib(sizes.data)),
            ("VmStk", kib(sizes.stack)),
            ("VmExe", kib(sizes.text)),
            ("VmLib", kib(sizes.lib)),
            ("VmPTE", kib(sizes.resident / 512 + 8)),
            ("VmSwap", 0),
            ("HugetlbPages", 0),
        ] {
            let _ = writeln!(text, "{name}:\t{value:8} kB");
        }
        text.push_str("CoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0xffffffffffffffff\n");
    }
    let (ignored, caught) = signal_sets(k, task);
    let queued = task.pending.queue.len() + group.pending.queue.len();
    let creds = &task.creds;
    let times = peer::thread_times(k, tid);
    let _ = write!(
        text,
        "Threads:\t{}\nSigQ:\t{queued}/{}\nSigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\n\
         SigIgn:\t{ignored:016x}\nSigCgt:\t{caught:016x}\nCapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\n\
         CapBnd:\t{:016x}\nCapAmb:\t{:016x}\nNoNewPrivs:\t{}\nSeccomp:\t{}\nSeccomp_filters:\t{}\n\
         Speculation_Store_Bypass:\tnot vulnerable\nSpeculationIndirectBranch:\tunknown\n\
         Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t00000000,00000001\nMems_allowed_list:\t0\n\
         voluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n",
        group.threads.len(),
        group.rlimits[11].0,
        pending_set(&task.pending),
        pending_set(&group.pending),
        task.blocked.0,
        creds.cap_inheritable,
        creds.cap_permitted,
        creds.cap_effective,
        creds.cap_bounding,
        creds.cap_ambient,
        u8::from(peer::no_new_privs(task)),
        peer::seccomp_mode(task),
        task.seccomp.filters.len(),
        times.voluntary,
        times.involuntary,
    );
    out.extend(text.into_bytes());
    Ok(out)
}

/// Names and units in the order of RLIMIT_* (fs/proc/base.c, lnames).
const LIMITS: [(&str, &str); 16] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];

/// /proc/PID/limits
pub(crate) fn limits(k: &Kernel, tid: TaskId) -> Result<Vec<u8>, Errno> {
    let (_, group) = task_of(k, tid)?;
    let mut out = format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    let show = |value: u64| if value == u64::MAX { "unlimited".to_owned() } else { value.to_string() };
    for ((name, unit), (soft, hard)) in LIMITS.iter().zip(group.rlimits) {
        let _ = write!(out, "{name:<25} {:<20} {:<20} ", show(soft), show(hard));
        let _ = if unit.is_empty() { writeln!(out) } else { writeln!(out, "{unit:<10}") };
    }
    Ok(out.into_bytes())
}

/// /proc/PID/sched
pub(crate) fn sched(k: &Kernel, tid: TaskId) -> Result<Vec<u8>, Errno> {
    let (task, group) = task_of(k, tid)?;
    let times = peer::thread_times(k, tid);
    let ns = times.user_ns + times.system_ns;
    let comm = String::from_utf8_lossy(&task.comm);
    let mut out = format!("{comm} ({}, #threads: {})\n{}\n", tid.0, group.threads.len(), "-".repeat(67));
    let _ = writeln!(
        out,
        "{:<45}:{:>21}\n{:<45}:{:>21}\n{:<45}:{:>21}\n{:<45}:{:>21}\n{:<45}:{:>21}\n{:<45}:{:>21}",
        "se.sum_exec_runtime",
        format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000),
        "nr_switches",
        times.voluntary + times.involuntary,
        "nr_voluntary_switches",
        times.voluntary,
        "nr_involuntary_switches",
        times.involuntary,
        "policy",
        peer::policy(task),
        "prio",
        peer::priority(task) + 100,
    );
    Ok(out.into_bytes())
}

/// /proc/PID/schedstat
pub(crate) fn schedstat(k: &Kernel, tid: TaskId) -> Result<Vec<u8>, Errno> {
    task_of(k, tid)?;
    let times = peer::thread_times(k, tid);
    let switches = times.voluntary + times.involuntary;
    Ok(format!("{} 0 {switches}\n", times.user_ns + times.system_ns).into_bytes())
}

/// /proc/PID/oom_score: 0 to 2000.
pub(crate) fn oom_score(k: &Kernel, tid: TaskId) -> i64 {
    let adj = i64::from(peer::oom_score_adj(k, tid));
    if adj == -1000 {
        return 0;
    }
    let mm = k.tasks.get(tid).and_then(|task| task.mm).and_then(|id| k.mms.get(id));
    let resident = mm.map_or(0, |mm| k.mem.resident(mm.space));
    let total = (k.mem.limit() / PAGE_SIZE).max(1);
    // fs/proc/base.c: badness in thousandths of memory, scaled so that nothing is negative.
    let points = i64::try_from(resident * 1000 / total).unwrap_or(1000) + adj;
    ((1000 + points) * 2 / 3).max(0)
}

/// /proc/PID/oom_adj: the old scale.
pub(crate) fn oom_adj(k: &Kernel, tid: TaskId) -> i32 {
    match peer::oom_score_adj(k, tid) {
        1000 => 15,
        adj => adj * 17 / 1000,
    }
}
