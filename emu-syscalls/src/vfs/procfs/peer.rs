//! What /proc asks of other rooms of the kernel, in one place.

use std::fmt::Write as _;

use emu_core::cpu::CpuModel;

use crate::file::{File, FileId};
use crate::kernel::Kernel;
use crate::mm::remote::{self, Force};
use crate::mm::shm::ShmId;
use crate::mm::{Area, Backing, Mm, MmId};
use crate::seam::Host;
use crate::task::reap::group_usage;
use crate::task::{GroupId, Task, TaskId, ThreadGroup, Usage};
use crate::vfs::Loc;
use crate::vfs::locks::{LockKind, Owner};
use crate::vfs::mount::{MountLine, mount_lines};

/// The path of a place as `viewer` sees it.
pub(crate) fn path_of(k: &Kernel, viewer: TaskId, loc: Loc) -> Vec<u8> {
    k.path_for(viewer, loc)
}

/// Device and inode number of a place.
pub(crate) fn identity(k: &Kernel, loc: Loc) -> (u64, u64) {
    match k.vfs.dentries.get(loc.dentry) {
        Some(dentry) => {
            let stat = crate::vfs::stat::stat_known(k, dentry.inode);
            (stat.dev, stat.ino)
        }
        None => (0, 0),
    }
}

/// The file behind an area.
pub(crate) fn file_of(area: &Area) -> Option<Loc> {
    match &area.backing {
        Backing::Object { file, .. } => *file,
        Backing::Anonymous => None,
    }
}

/// Byte offset and whether it is shared.
pub(crate) fn offset_of(area: &Area) -> (u64, bool) {
    match &area.backing {
        Backing::Object { offset, shared, .. } => (*offset, *shared),
        Backing::Anonymous => (0, false),
    }
}

/// Reads memory of a process as a debugger does; how many bytes there were.
pub(crate) fn read_memory(k: &mut Kernel, host: &mut dyn Host, mm: MmId, addr: u64, buf: &mut [u8]) -> usize {
    remote::read(k, host, mm, addr, buf, Force::Yes)
}

/// Writes memory of a process as a debugger does; how many bytes could be.
pub(crate) fn write_memory(k: &mut Kernel, host: &mut dyn Host, mm: MmId, addr: u64, data: &[u8]) -> usize {
    remote::write(k, host, mm, addr, data, Force::Yes)
}

/// Whether a task has a capability.
pub(crate) fn capable(k: &Kernel, tid: TaskId, cap: u32) -> bool {
    k.tasks.get(tid).is_some_and(|task| task.creds.cap_effective >> cap & 1 == 1)
}

/// Whether others of the same user may look into a process.
pub(crate) fn dumpable(k: &Kernel, group: GroupId) -> bool {
    k.groups.get(group).is_some_and(|group| group.dumpable == 1)
}

/// `coredump_filter` of a task; nothing without memory.
pub(crate) fn dump_filter(k: &Kernel, tid: TaskId) -> String {
    let mm = k.tasks.get(tid).and_then(|task| task.mm).and_then(|mm| k.mms.get(mm));
    mm.map(|mm| format!("{:08x}\n", mm.dump_filter)).unwrap_or_default()
}

/// Sets `coredump_filter`; Linux keeps nine bits.
pub(crate) fn set_dump_filter(k: &mut Kernel, mm: MmId, value: u32) {
    if let Some(mm) = k.mms.get_mut(mm) {
        mm.dump_filter = u16::try_from(value & 0x1ff).unwrap_or(0);
    }
}

/// `oom_score_adj` of a task's process.
pub(crate) fn oom_score_adj(k: &Kernel, tid: TaskId) -> i32 {
    let group = k.tasks.get(tid).and_then(|task| k.groups.get(task.group));
    group.map_or(0, |group| group.oom_score_adj)
}

/// Sets it.
pub(crate) fn set_oom_score_adj(k: &mut Kernel, tid: TaskId, value: i32) {
    let Some(group) = k.tasks.get(tid).map(|task| task.group) else { return };
    k.group_mut(group).oom_score_adj = value;
}

/// Timer slack in ns.
pub(crate) fn timer_slack(k: &Kernel, tid: TaskId) -> u64 {
    k.tasks.get(tid).map_or(0, |task| task.attrs.timer_slack_ns)
}

/// Sets it.
pub(crate) fn set_timer_slack(k: &mut Kernel, tid: TaskId, value: u64) {
    if let Some(task) = k.tasks.get_mut(tid) {
        task.attrs.timer_slack_ns = if value == 0 { 50_000 } else { value };
    }
}

fn lines(k: &Kernel, tid: TaskId) -> Vec<MountLine> {
    let root = k.tasks.get(tid).and_then(|task| k.fs_contexts.get(task.fs)).map(|fs| fs.root);
    root.or_else(|| k.vfs.root()).map(|root| mount_lines(k, root)).unwrap_or_default()
}

/// Blanks in the columns of a mount table are octal (fs/proc_namespace.c, mangle).
fn mangle(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in text {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' | b'#' => out.extend(format!("\\{byte:03o}").into_bytes()),
            _ => out.push(*byte),
        }
    }
    out
}

fn join(columns: &[&[u8]]) -> Vec<u8> {
    let mut line = columns.join(&b' ');
    line.push(b'\n');
    line
}

/// /proc/PID/mounts
pub(crate) fn mounts(k: &Kernel, tid: TaskId) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines(k, tid) {
        // Options of the mount, then those of the file system behind its own `ro` or `rw`.
        let mut options = line.options;
        if let Some(at) = line.super_options.iter().position(|byte| *byte == b',') {
            options.extend_from_slice(&line.super_options[at..]);
        }
        let columns: [&[u8]; 6] =
            [&mangle(&line.source), &mangle(&line.point), line.fstype.as_bytes(), &options, b"0", b"0"];
        out.extend(join(&columns));
    }
    out
}

/// /proc/PID/mountinfo
pub(crate) fn mountinfo(k: &Kernel, tid: TaskId) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines(k, tid) {
        let (major, minor) = crate::file::dev::split_dev(line.dev);
        let head = format!("{} {} {major}:{minor}", line.id, line.parent);
        let columns: [&[u8]; 8] = [
            head.as_bytes(),
            &mangle(&line.root),
            &mangle(&line.point),
            &line.options,
            b"-",
            line.fstype.as_bytes(),
            &mangle(&line.source),
            &line.super_options,
        ];
        out.extend(join(&columns));
    }
    out
}

/// /proc/PID/mountstats
pub(crate) fn mountstats(k: &Kernel, tid: TaskId) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines(k, tid) {
        let columns: [&[u8]; 8] = [
            b"device",
            &mangle(&line.source),
            b"mounted",
            b"on",
            &mangle(&line.point),
            b"with",
            b"fstype",
            line.fstype.as_bytes(),
        ];
        out.extend(join(&columns));
    }
    out
}

/// Lines of fdinfo that only some kinds of files have.
pub(crate) fn fdinfo_extra(k: &Kernel, id: FileId) -> String {
    let Some(file) = k.files.get(id) else { return String::new() };
    let place = |inode: crate::vfs::InodeId| {
        let dev = k.vfs.get_inode(inode).map_or(0, |node| k.vfs.super_block(node.sb).dev);
        (inode.0, crate::file::dev::kernel_dev(dev))
    };
    match &file.kind {
        File::EventFd(event) => {
            let count = k.eventfds.get(event.counter).map_or(0, |counter| counter.count);
            format!("eventfd-count: {count:16x}\neventfd-id: {}\n", event.counter.0)
        }
        File::Epoll(epoll) => crate::file::epoll::items(k, epoll.epoll)
            .into_iter()
            .map(|(fd, events, data)| {
                format!("tfd: {fd:8} events: {events:8x} data: {data:16x}  pos:0 ino:0 sdev:0\n")
            })
            .collect(),
        File::SignalFd(signals) => format!("sigmask:\t{:016x}\n", signals.mask),
        File::PidFd(process) => {
            let pid = if process.ended(k) { -1 } else { i64::from(process.group.0) };
            format!("Pid:\t{pid}\nNSpid:\t{pid}\n")
        }
        File::Inotify(inotify) => crate::file::inotify::watches(k, inotify.instance)
            .into_iter()
            .map(|(wd, inode, mask)| {
                let (ino, dev) = place(inode);
                format!("inotify wd:{wd:x} ino:{ino:x} sdev:{dev:x} mask:{mask:x} ignored_mask:0 \n")
            })
            .collect(),
        _ => String::new(),
    }
}

/// Times and counts of a thread or process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    pub(crate) user_ns: u64,
    pub(crate) system_ns: u64,
    pub(crate) child_user_ns: u64,
    pub(crate) child_system_ns: u64,
    pub(crate) minor_faults: u64,
    pub(crate) child_minor_faults: u64,
    pub(crate) major_faults: u64,
    pub(crate) child_major_faults: u64,
    pub(crate) voluntary: u64,
    pub(crate) involuntary: u64,
}

impl From<Usage> for Times {
    fn from(usage: Usage) -> Self {
        Times {
            user_ns: usage.user_ns,
            system_ns: usage.system_ns,
            minor_faults: usage.minor_faults,
            major_faults: usage.major_faults,
            voluntary: usage.voluntary,
            involuntary: usage.involuntary,
            ..Times::default()
        }
    }
}

/// Of a thread.
pub(crate) fn thread_times(k: &Kernel, tid: TaskId) -> Times {
    k.tasks.get(tid).map(|task| task.usage().into()).unwrap_or_default()
}

/// Of a process, with the children it waited for.
pub(crate) fn group_times(k: &Kernel, group: &ThreadGroup) -> Times {
    let children = group.child_usage;
    Times {
        child_user_ns: children.user_ns,
        child_system_ns: children.system_ns,
        child_minor_faults: children.minor_faults,
        child_major_faults: children.major_faults,
        ..group_usage(k, group.id).into()
    }
}

/// Priority as stat shows it: 20 plus nice, or below 0 for real-time policies.
pub(crate) fn priority(task: &Task) -> i64 {
    if task.sched.is_realtime() { -1 - i64::from(task.sched.priority) } else { i64::from(20 + task.nice) }
}

/// Real-time priority.
pub(crate) fn rt_priority(task: &Task) -> u32 {
    task.sched.priority
}

/// Scheduling policy.
pub(crate) fn policy(task: &Task) -> u32 {
    task.sched.policy
}

/// Who traces the task; 0 for nobody.
pub(crate) fn tracer(task: &Task) -> u32 {
    task.trace.tracer.map_or(0, |TaskId(id)| id)
}

/// PR_SET_NO_NEW_PRIVS
pub(crate) fn no_new_privs(task: &Task) -> bool {
    task.attrs.no_new_privs
}

/// Seccomp mode.
pub(crate) fn seccomp_mode(task: &Task) -> u32 {
    task.seccomp.mode()
}

/// Where the program's data begins and ends.
pub(crate) fn data_range(mm: &Mm) -> (u64, u64) {
    mm.data
}

/// Where the stack began.
pub(crate) fn stack_start(mm: &Mm) -> u64 {
    mm.stack_start
}

/// Most pages that were ever mapped.
pub(crate) fn peak_pages(mm: &Mm) -> u64 {
    mm.peak
}

/// Locked pages.
pub(crate) fn locked_pages(mm: &Mm) -> u64 {
    mm.usage.locked
}

/// /proc/locks
pub(crate) fn locks(k: &Kernel) -> String {
    let place = |inode| {
        let stat = crate::vfs::stat::stat_known(k, inode);
        let (major, minor) = crate::file::dev::split_dev(stat.dev);
        format!("{major:02x}:{minor:02x}:{}", stat.ino)
    };
    let word = |kind| if kind == LockKind::Write { "WRITE" } else { "READ " };
    let mut out = String::new();
    let mut number = 0;
    for (inode, record) in k.vfs.locks.records() {
        number += 1;
        let (class, pid) = match record.owner {
            Owner::Process(GroupId(pid)) => ("POSIX ", i64::from(pid)),
            Owner::File(_) => ("OFDLCK", -1),
        };
        let last = if record.last == u64::MAX { "EOF".to_owned() } else { record.last.to_string() };
        let _ = writeln!(
            out,
            "{number}: {class} ADVISORY  {} {pid} {} {} {last}",
            word(record.kind),
            place(inode),
            record.start
        );
    }
    for (inode, file, kind) in k.vfs.locks.flocks() {
        number += 1;
        let holder = k.tasks.iter().find(|(_, task)| {
            k.fd_tables.get(task.fds).is_some_and(|table| table.fds.values().any(|fd| fd.file == file))
        });
        let pid = holder.map_or(0, |(_, task)| task.group.0);
        let _ = writeln!(out, "{number}: FLOCK  ADVISORY  {} {pid} {} 0 EOF", word(kind), place(inode));
    }
    out
}

/// /proc/sysvipc
pub(crate) fn sysvipc(k: &Kernel, kind: &str) -> String {
    let mut out = match kind {
        "msg" => {
            "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      \
             rtime      ctime\n"
        }
        "sem" => {
            "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"
        }
        _ => {
            "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      \
             atime      dtime      ctime                   rss                  swap\n"
        }
    }
    .to_owned();
    for (id, queue) in k.ipc.queues.iter().filter(|_| kind == "msg") {
        let (perm, (stime, rtime, ctime), (lspid, lrpid)) = (queue.perm, queue.times, queue.pids);
        let _ = writeln!(
            out,
            "{:10} {:10}  {:4o}  {:10} {:10} {lspid:5} {lrpid:5} {:5} {:5} {:5} {:5} {stime:10} {rtime:10} {ctime:10}",
            perm.key,
            id.0,
            perm.mode,
            queue.bytes,
            queue.messages.len(),
            perm.owner.0,
            perm.owner.1,
            perm.creator.0,
            perm.creator.1
        );
    }
    for (id, set) in k.ipc.sems.iter().filter(|_| kind == "sem") {
        let (perm, (otime, ctime)) = (set.perm, set.times);
        let _ = writeln!(
            out,
            "{:10} {:10}  {:4o} {:10} {:5} {:5} {:5} {:5} {otime:10} {ctime:10}",
            perm.key,
            id.0,
            perm.mode,
            set.sems.len(),
            perm.owner.0,
            perm.owner.1,
            perm.creator.0,
            perm.creator.1
        );
    }
    if kind == "shm" {
        for (ShmId(id), segment) in k.shm.by_id.iter() {
            let (atime, dtime, ctime) = segment.times;
            let attached = crate::mm::shm::attachments(k, ShmId(id));
            let rss = k.mem.object_pages(segment.object) * 4096;
            let _ = writeln!(
                out,
                "{:10} {id:10}  {:4o} {:21} {:5} {:5}  {attached:5} {:5} {:5} {:5} {:5} {atime:10} {dtime:10} \
                 {ctime:10} {rss:21} {:21}",
                segment.key,
                segment.mode,
                segment.size,
                segment.cpid,
                segment.lpid,
                segment.owner.0,
                segment.owner.1,
                segment.creator.0,
                segment.creator.1,
                0
            );
        }
    }
    out
}

/// /proc/cpuinfo
pub(crate) fn cpuinfo(k: &Kernel) -> String {
    let level = match k.config.cpu {
        CpuModel::V1 => 1,
        CpuModel::V2 => 2,
        CpuModel::V3 => 3,
    };
    let names: Vec<&str> = emu_core::cpu::features::names(k.config.cpu).collect();
    let flags = names.join(" ") + " rep_good nopl cpuid";
    format!(
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 23\nmodel\t\t: 49\n\
         model name\t: emu x86-64-v{level}\nstepping\t: 0\nmicrocode\t: 0x1\ncpu MHz\t\t: 1000.000\n\
         cache size\t: 8192 KB\nphysical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: 0\n\
         initial apicid\t: 0\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 13\nwp\t\t: yes\nflags\t\t: {flags}\n\
         bugs\t\t:\nbogomips\t: 2000.00\nclflush size\t: 64\ncache_alignment\t: 64\n\
         address sizes\t: 48 bits physical, 48 bits virtual\npower management:\n\n"
    )
}

/// Node name.
pub(crate) fn hostname(k: &Kernel) -> Vec<u8> {
    k.config.hostname.clone()
}

/// Sets it.
pub(crate) fn set_hostname(k: &mut Kernel, name: Vec<u8>) {
    k.config.hostname = name;
}

/// NIS domain name.
pub(crate) fn domainname(k: &Kernel) -> Vec<u8> {
    k.domainname.clone()
}

/// Sets it.
pub(crate) fn set_domainname(k: &mut Kernel, name: Vec<u8>) {
    k.domainname = name;
}

/// How many inodes are in memory.
pub(crate) fn inodes(k: &Kernel) -> usize {
    k.vfs.inodes.len()
}
