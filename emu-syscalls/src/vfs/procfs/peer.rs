//! What /proc asks of other rooms of the kernel, in one place.

use emu_core::cpu::CpuModel;
use emu_core::mem::Privilege;

use crate::file::FileId;
use crate::kernel::Kernel;
use crate::mm::{Area, Backing, Mm, MmId};
use crate::seam::Host;
use crate::task::{GroupId, Task, TaskId, ThreadGroup};
use crate::vfs::Loc;

/// The path of a place as `viewer` sees it.
pub(crate) fn path_of(k: &Kernel, viewer: TaskId, loc: Loc) -> Vec<u8> {
    let _ = (k, viewer, loc);
    b"/".to_vec()
}

/// Device and inode number of a place.
pub(crate) fn identity(k: &Kernel, loc: Loc) -> (u64, u64) {
    let _ = (k, loc);
    (0, 0)
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
    let _ = host;
    let Some(space) = k.mms.get(mm).map(|mm| mm.space) else { return 0 };
    match k.mem.read(space, addr, buf, Privilege::User) {
        Ok(()) => buf.len(),
        Err((n, _)) => n,
    }
}

/// Writes memory of a process as a debugger does; how many bytes could be.
pub(crate) fn write_memory(k: &mut Kernel, host: &mut dyn Host, mm: MmId, addr: u64, data: &[u8]) -> usize {
    let _ = host;
    let Some(space) = k.mms.get(mm).map(|mm| mm.space) else { return 0 };
    match k.mem.write_forced(space, addr, data) {
        Ok(()) => data.len(),
        Err((n, _)) => n,
    }
}

/// Whether a task has a capability.
pub(crate) fn capable(k: &Kernel, tid: TaskId, cap: u32) -> bool {
    k.tasks.get(tid).is_some_and(|task| task.creds.cap_effective >> cap & 1 == 1)
}

/// Whether others of the same user may look into a process.
pub(crate) fn dumpable(k: &Kernel, group: GroupId) -> bool {
    let _ = (k, group);
    true
}

/// `oom_score_adj` of a task's process.
pub(crate) fn oom_score_adj(k: &Kernel, tid: TaskId) -> i32 {
    let _ = (k, tid);
    0
}

/// Sets it.
pub(crate) fn set_oom_score_adj(k: &mut Kernel, tid: TaskId, value: i32) {
    let _ = (k, tid, value);
}

/// Timer slack in ns.
pub(crate) fn timer_slack(k: &Kernel, tid: TaskId) -> u64 {
    let _ = (k, tid);
    50_000
}

/// Sets it.
pub(crate) fn set_timer_slack(k: &mut Kernel, tid: TaskId, value: u64) {
    let _ = (k, tid, value);
}

/// /proc/PID/mounts
pub(crate) fn mounts(k: &Kernel, tid: TaskId) -> Vec<u8> {
    let _ = (k, tid);
    Vec::new()
}

/// /proc/PID/mountinfo
pub(crate) fn mountinfo(k: &Kernel, tid: TaskId) -> Vec<u8> {
    let _ = (k, tid);
    Vec::new()
}

/// /proc/PID/mountstats
pub(crate) fn mountstats(k: &Kernel, tid: TaskId) -> Vec<u8> {
    let _ = (k, tid);
    Vec::new()
}

/// Lines of fdinfo that only some kinds of files have.
pub(crate) fn fdinfo_extra(k: &Kernel, id: FileId) -> String {
    let _ = (k, id);
    String::new()
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

/// Of a thread.
pub(crate) fn thread_times(k: &Kernel, tid: TaskId) -> Times {
    let Some(task) = k.tasks.get(tid) else { return Times::default() };
    Times { user_ns: task.user_instructions, ..Times::default() }
}

/// Of a process.
pub(crate) fn group_times(k: &Kernel, group: &ThreadGroup) -> Times {
    let mut times = Times::default();
    for tid in &group.threads {
        let one = thread_times(k, *tid);
        times.user_ns += one.user_ns;
        times.system_ns += one.system_ns;
        times.minor_faults += one.minor_faults;
        times.major_faults += one.major_faults;
        times.voluntary += one.voluntary;
        times.involuntary += one.involuntary;
    }
    times
}

/// Priority as stat shows it: 20 plus nice, or below 0 for real-time policies.
pub(crate) fn priority(task: &Task) -> i64 {
    i64::from(20 + task.nice)
}

/// Real-time priority.
pub(crate) fn rt_priority(task: &Task) -> u32 {
    let _ = task;
    0
}

/// Scheduling policy.
pub(crate) fn policy(task: &Task) -> u32 {
    let _ = task;
    0
}

/// Who traces the task; 0 for nobody.
pub(crate) fn tracer(task: &Task) -> u32 {
    let _ = task;
    0
}

/// PR_SET_NO_NEW_PRIVS
pub(crate) fn no_new_privs(task: &Task) -> bool {
    let _ = task;
    false
}

/// Seccomp mode.
pub(crate) fn seccomp_mode(task: &Task) -> u32 {
    let _ = task;
    0
}

/// Where the program's data begins and ends.
pub(crate) fn data_range(mm: &Mm) -> (u64, u64) {
    let _ = mm;
    (0, 0)
}

/// Where the stack began.
pub(crate) fn stack_start(mm: &Mm) -> u64 {
    mm.args.0
}

/// Most pages that were ever mapped.
pub(crate) fn peak_pages(mm: &Mm) -> u64 {
    let _ = mm;
    0
}

/// Locked pages.
pub(crate) fn locked_pages(mm: &Mm) -> u64 {
    let _ = mm;
    0
}

/// /proc/locks
pub(crate) fn locks(k: &Kernel) -> String {
    let _ = k;
    String::new()
}

/// /proc/sysvipc
pub(crate) fn sysvipc(k: &Kernel, kind: &str) -> String {
    let _ = k;
    match kind {
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
    .to_owned()
}

/// Flags of /proc/cpuinfo that each model adds to the one before.
const FLAGS: [&str; 3] = [
    "fpu tsc msr cx8 cmov mmx fxsr sse sse2 syscall nx rdtscp lm constant_tsc rep_good nopl cpuid",
    "pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm",
    "fma movbe xsave avx f16c rdrand abm bmi1 avx2 bmi2",
];

/// /proc/cpuinfo
pub(crate) fn cpuinfo(k: &Kernel) -> String {
    let level = match k.config.cpu {
        CpuModel::V1 => 1,
        CpuModel::V2 => 2,
        CpuModel::V3 => 3,
    };
    let flags = FLAGS.get(..level).unwrap_or_default().join(" ");
    format!(
        "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 60\n\
         model name\t: emu x86-64-v{level}\nstepping\t: 1\nmicrocode\t: 0x1\ncpu MHz\t\t: 1000.000\n\
         cache size\t: 8192 KB\nphysical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\napicid\t\t: 0\n\
         initial apicid\t: 0\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: 13\nwp\t\t: yes\nflags\t\t: {flags}\n\
         bugs\t\t:\nbogomips\t: 2000.00\nclflush size\t: 64\ncache_alignment\t: 64\n\
         address sizes\t: 46 bits physical, 48 bits virtual\npower management:\n\n"
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
    k.sysctls.get("sys/kernel/domainname").unwrap_or(crate::abi::uts::DOMAIN).as_bytes().to_vec()
}

/// Sets it.
pub(crate) fn set_domainname(k: &mut Kernel, name: Vec<u8>) {
    k.sysctls.set("sys/kernel/domainname", String::from_utf8_lossy(&name).into_owned());
}

/// How many inodes are in memory.
pub(crate) fn inodes(k: &Kernel) -> usize {
    let _ = k;
    0
}
