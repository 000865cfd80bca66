//! /proc/sys: one table of settings.
//!
//! Key types: [`Sysctl`] (a row), [`Sysctls`] (what was written). Other rooms ask [`number`] for what a setting says.
//!
//! **Invariant**: a setting that was written reads back as it was written, in Linux's form.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::abi::uts;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;
use crate::vfs::procfs::peer;

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// This many numbers, each within a range.
    Int(usize, i64, i64),
    /// A line of at most this many bytes.
    Text(usize),
    /// Made when read; a write goes where [`write`] says.
    Live,
    /// Nothing to read: a write does something.
    Trigger,
}

/// A setting.
#[derive(Debug, Clone, Copy)]
pub struct Sysctl {
    /// Path below /proc.
    pub path: &'static str,
    /// Permission bits.
    pub mode: u32,
    /// What it holds.
    pub kind: Kind,
    /// Its value at start.
    pub default: &'static str,
}

/// Settings that were written, by path.
#[derive(Debug, Clone, Default)]
pub struct Sysctls {
    values: persist::OrdMap<&'static str, String>,
}

const INT_MAX: i64 = 0x7fff_ffff;

const fn int(path: &'static str, default: &'static str) -> Sysctl {
    range(path, default, -INT_MAX - 1, INT_MAX)
}
const fn range(path: &'static str, default: &'static str, min: i64, max: i64) -> Sysctl {
    Sysctl { path, mode: 0o644, kind: Kind::Int(1, min, max), default }
}
const fn flag(path: &'static str, default: &'static str) -> Sysctl {
    range(path, default, 0, 1)
}
const fn long(path: &'static str, default: &'static str) -> Sysctl {
    range(path, default, 0, i64::MAX)
}
const fn ints(path: &'static str, count: usize, default: &'static str) -> Sysctl {
    Sysctl { path, mode: 0o644, kind: Kind::Int(count, i64::MIN, i64::MAX), default }
}
const fn fixed(path: &'static str, default: &'static str) -> Sysctl {
    Sysctl { path, mode: 0o444, kind: Kind::Text(0), default }
}
const fn text(path: &'static str, max: usize, default: &'static str) -> Sysctl {
    Sysctl { path, mode: 0o644, kind: Kind::Text(max), default }
}
const fn live(path: &'static str, mode: u32) -> Sysctl {
    Sysctl { path, mode, kind: Kind::Live, default: "" }
}
const fn trigger(path: &'static str, mode: u32) -> Sysctl {
    Sysctl { path, mode, kind: Kind::Trigger, default: "" }
}

/// All settings.
pub const SYSCTLS: &[Sysctl] = &[
    range("sys/fs/aio-max-nr", "65536", 0, i64::MAX),
    fixed("sys/fs/aio-nr", "0"),
    live("sys/fs/dentry-state", 0o444),
    range("sys/fs/epoll/max_user_watches", "900000", 0, i64::MAX),
    range("sys/fs/file-max", "9223372036854775807", 0, i64::MAX),
    live("sys/fs/file-nr", 0o444),
    live("sys/fs/inode-nr", 0o444),
    live("sys/fs/inode-state", 0o444),
    range("sys/fs/inotify/max_queued_events", "16384", 0, INT_MAX),
    range("sys/fs/inotify/max_user_instances", "128", 0, INT_MAX),
    range("sys/fs/inotify/max_user_watches", "65536", 0, INT_MAX),
    range("sys/fs/lease-break-time", "45", 0, INT_MAX),
    flag("sys/fs/leases-enable", "1"),
    range("sys/fs/mount-max", "100000", 1, INT_MAX),
    range("sys/fs/mqueue/msg_default", "10", 1, 65536),
    range("sys/fs/mqueue/msg_max", "10", 1, 65536),
    range("sys/fs/mqueue/msgsize_default", "8192", 128, 16_777_216),
    range("sys/fs/mqueue/msgsize_max", "8192", 128, 16_777_216),
    range("sys/fs/mqueue/queues_max", "256", 0, INT_MAX),
    range("sys/fs/nr_open", "1048576", 8, 2_147_483_584),
    range("sys/fs/overflowgid", "65534", 0, 65535),
    range("sys/fs/overflowuid", "65534", 0, 65535),
    range("sys/fs/pipe-max-size", "1048576", 4096, 1 << 31),
    long("sys/fs/pipe-user-pages-hard", "0"),
    long("sys/fs/pipe-user-pages-soft", "16384"),
    range("sys/fs/protected_fifos", "1", 0, 2),
    flag("sys/fs/protected_hardlinks", "1"),
    range("sys/fs/protected_regular", "2", 0, 2),
    flag("sys/fs/protected_symlinks", "1"),
    range("sys/fs/suid_dumpable", "0", 0, 2),
    ints("sys/kernel/acct", 3, "4\t2\t30"),
    int("sys/kernel/auto_msgmni", "0"),
    fixed("sys/kernel/bootloader_type", "0"),
    fixed("sys/kernel/cap_last_cap", "40"),
    text("sys/kernel/core_pattern", 127, "core"),
    range("sys/kernel/core_pipe_limit", "0", 0, INT_MAX),
    int("sys/kernel/core_uses_pid", "0"),
    flag("sys/kernel/ctrl-alt-del", "0"),
    flag("sys/kernel/dmesg_restrict", "0"),
    live("sys/kernel/domainname", 0o644),
    live("sys/kernel/hostname", 0o644),
    int("sys/kernel/hung_task_timeout_secs", "0"),
    flag("sys/kernel/kexec_load_disabled", "1"),
    range("sys/kernel/keys/gc_delay", "300", 0, INT_MAX),
    range("sys/kernel/keys/maxbytes", "20000", 0, INT_MAX),
    range("sys/kernel/keys/maxkeys", "200", 0, INT_MAX),
    range("sys/kernel/keys/persistent_keyring_expiry", "259200", 0, INT_MAX),
    range("sys/kernel/keys/root_maxbytes", "25000000", 0, INT_MAX),
    range("sys/kernel/keys/root_maxkeys", "1000000", 0, INT_MAX),
    range("sys/kernel/kptr_restrict", "1", 0, 2),
    text("sys/kernel/modprobe", 255, "/sbin/modprobe"),
    flag("sys/kernel/modules_disabled", "0"),
    range("sys/kernel/msgmax", "8192", 0, INT_MAX),
    range("sys/kernel/msgmnb", "16384", 0, INT_MAX),
    range("sys/kernel/msgmni", "32000", 0, 32768),
    range("sys/kernel/msg_next_id", "-1", -1, INT_MAX),
    fixed("sys/kernel/ngroups_max", "65536"),
    live("sys/kernel/ns_last_pid", 0o666),
    fixed("sys/kernel/osrelease", uts::RELEASE),
    fixed("sys/kernel/ostype", uts::SYSNAME),
    range("sys/kernel/overflowgid", "65534", 0, 65535),
    range("sys/kernel/overflowuid", "65534", 0, 65535),
    int("sys/kernel/panic", "0"),
    int("sys/kernel/panic_on_oops", "0"),
    range("sys/kernel/perf_event_max_sample_rate", "100000", 1, INT_MAX),
    range("sys/kernel/perf_event_mlock_kb", "516", 0, INT_MAX),
    range("sys/kernel/perf_event_paranoid", "2", -1, 4),
    range("sys/kernel/pid_max", "4194304", 301, 1 << 22),
    live("sys/kernel/printk", 0o644),
    range("sys/kernel/printk_delay", "0", 0, 10000),
    range("sys/kernel/printk_ratelimit", "5", 0, INT_MAX),
    range("sys/kernel/printk_ratelimit_burst", "10", 0, INT_MAX),
    range("sys/kernel/pty/max", "4096", 0, 1 << 20),
    live("sys/kernel/pty/nr", 0o444),
    range("sys/kernel/pty/reserve", "1024", 0, 1 << 20),
    live("sys/kernel/random/boot_id", 0o444),
    fixed("sys/kernel/random/entropy_avail", "256"),
    fixed("sys/kernel/random/poolsize", "256"),
    range("sys/kernel/random/urandom_min_reseed_secs", "60", 0, INT_MAX),
    live("sys/kernel/random/uuid", 0o444),
    range("sys/kernel/random/write_wakeup_threshold", "256", 0, INT_MAX),
    range("sys/kernel/randomize_va_space", "0", 0, 2),
    range("sys/kernel/sched_autogroup_enabled", "0", 0, 1),
    int("sys/kernel/sched_child_runs_first", "0"),
    range("sys/kernel/sched_rr_timeslice_ms", "100", -INT_MAX, INT_MAX),
    range("sys/kernel/sched_rt_period_us", "1000000", 1, INT_MAX),
    range("sys/kernel/sched_rt_runtime_us", "950000", -1, INT_MAX),
    text(
        "sys/kernel/seccomp/actions_logged",
        127,
        "kill_process kill_thread trap errno user_notif trace log",
    ),
    fixed(
        "sys/kernel/seccomp/actions_avail",
        "kill_process kill_thread trap errno user_notif trace log allow",
    ),
    ints("sys/kernel/sem", 4, "32000\t1024000000\t500\t32000"),
    range("sys/kernel/sem_next_id", "-1", -1, INT_MAX),
    flag("sys/kernel/shm_rmid_forced", "0"),
    long("sys/kernel/shmall", "18446744073692774399"),
    long("sys/kernel/shmmax", "18446744073692774399"),
    range("sys/kernel/shm_next_id", "-1", -1, INT_MAX),
    range("sys/kernel/shmmni", "4096", 0, 32768),
    range("sys/kernel/sysrq", "0", 0, INT_MAX),
    range("sys/kernel/sysctl_writes_strict", "1", -1, 1),
    int("sys/kernel/tainted", "0"),
    range("sys/kernel/threads-max", "63032", 1, 1 << 29),
    range("sys/kernel/unprivileged_bpf_disabled", "2", 0, 2),
    range("sys/kernel/unprivileged_userns_clone", "0", 0, 1),
    fixed("sys/kernel/version", uts::VERSION),
    range("sys/kernel/yama/ptrace_scope", "0", 0, 3),
    int("sys/net/core/bpf_jit_enable", "0"),
    text("sys/net/core/default_qdisc", 15, "pfifo_fast"),
    range("sys/net/core/message_burst", "10", 0, INT_MAX),
    range("sys/net/core/netdev_max_backlog", "1000", 0, INT_MAX),
    range("sys/net/core/optmem_max", "131072", 0, INT_MAX),
    range("sys/net/core/rmem_default", "212992", 2304, INT_MAX),
    range("sys/net/core/rmem_max", "212992", 2304, INT_MAX),
    range("sys/net/core/somaxconn", "4096", 0, INT_MAX),
    range("sys/net/core/wmem_default", "212992", 4608, INT_MAX),
    range("sys/net/core/wmem_max", "212992", 4608, INT_MAX),
    int("sys/net/ipv4/conf/all/accept_redirects", "1"),
    int("sys/net/ipv4/conf/all/forwarding", "0"),
    int("sys/net/ipv4/conf/all/rp_filter", "0"),
    int("sys/net/ipv4/conf/default/forwarding", "0"),
    int("sys/net/ipv4/conf/default/rp_filter", "0"),
    int("sys/net/ipv4/conf/default/tag", "0"),
    int("sys/net/ipv4/conf/lo/forwarding", "0"),
    int("sys/net/ipv4/conf/lo/rp_filter", "0"),
    int("sys/net/ipv4/conf/lo/tag", "0"),
    int("sys/net/ipv4/icmp_echo_ignore_all", "0"),
    int("sys/net/ipv4/icmp_echo_ignore_broadcasts", "1"),
    int("sys/net/ipv4/ip_default_ttl", "64"),
    int("sys/net/ipv4/ip_forward", "0"),
    ints("sys/net/ipv4/ip_local_port_range", 2, "32768\t60999"),
    text("sys/net/ipv4/ip_local_reserved_ports", 1024, ""),
    int("sys/net/ipv4/ip_nonlocal_bind", "0"),
    range("sys/net/ipv4/ip_unprivileged_port_start", "1024", 0, 65535),
    ints("sys/net/ipv4/ping_group_range", 2, "1\t0"),
    text("sys/net/ipv4/tcp_allowed_congestion_control", 127, "reno"),
    fixed("sys/net/ipv4/tcp_available_congestion_control", "reno"),
    text("sys/net/ipv4/tcp_congestion_control", 15, "reno"),
    int("sys/net/ipv4/tcp_fastopen", "1"),
    int("sys/net/ipv4/tcp_fin_timeout", "60"),
    int("sys/net/ipv4/tcp_keepalive_intvl", "75"),
    int("sys/net/ipv4/tcp_keepalive_probes", "9"),
    int("sys/net/ipv4/tcp_keepalive_time", "7200"),
    range("sys/net/ipv4/tcp_max_syn_backlog", "512", 0, INT_MAX),
    ints("sys/net/ipv4/tcp_mem", 3, "46776\t62371\t93552"),
    range("sys/net/ipv4/tcp_retries2", "15", 0, 255),
    ints("sys/net/ipv4/tcp_rmem", 3, "4096\t131072\t6291456"),
    range("sys/net/ipv4/tcp_sack", "1", 0, 255),
    range("sys/net/ipv4/tcp_syncookies", "1", 0, 255),
    range("sys/net/ipv4/tcp_syn_retries", "6", 1, 127),
    range("sys/net/ipv4/tcp_timestamps", "1", 0, 255),
    range("sys/net/ipv4/tcp_tw_reuse", "2", 0, 2),
    range("sys/net/ipv4/tcp_window_scaling", "1", 0, 255),
    ints("sys/net/ipv4/tcp_wmem", 3, "4096\t16384\t4194304"),
    ints("sys/net/ipv4/udp_mem", 3, "93552\t124742\t187104"),
    int("sys/net/ipv6/conf/all/disable_ipv6", "0"),
    int("sys/net/ipv6/conf/all/forwarding", "0"),
    int("sys/net/ipv6/conf/default/disable_ipv6", "0"),
    int("sys/net/ipv6/conf/default/forwarding", "0"),
    int("sys/net/ipv6/conf/lo/disable_ipv6", "0"),
    flag("sys/net/ipv6/bindv6only", "0"),
    range("sys/net/unix/max_dgram_qlen", "512", 0, INT_MAX),
    range("sys/user/max_inotify_instances", "128", 0, INT_MAX),
    range("sys/user/max_inotify_watches", "65536", 0, INT_MAX),
    range("sys/user/max_user_namespaces", "0", 0, INT_MAX),
    long("sys/vm/admin_reserve_kbytes", "8192"),
    trigger("sys/vm/compact_memory", 0o200),
    range("sys/vm/dirty_background_ratio", "10", 0, 100),
    range("sys/vm/dirty_expire_centisecs", "3000", 0, INT_MAX),
    range("sys/vm/dirty_ratio", "20", 0, 100),
    range("sys/vm/dirty_writeback_centisecs", "500", 0, INT_MAX),
    trigger("sys/vm/drop_caches", 0o200),
    range("sys/vm/hugetlb_shm_group", "0", 0, INT_MAX),
    flag("sys/vm/legacy_va_layout", "0"),
    range("sys/vm/max_map_count", "65530", 0, INT_MAX),
    long("sys/vm/min_free_kbytes", "67584"),
    long("sys/vm/mmap_min_addr", "65536"),
    range("sys/vm/mmap_rnd_bits", "28", 28, 32),
    long("sys/vm/nr_hugepages", "0"),
    long("sys/vm/nr_overcommit_hugepages", "0"),
    range("sys/vm/oom_dump_tasks", "1", 0, INT_MAX),
    range("sys/vm/oom_kill_allocating_task", "0", 0, INT_MAX),
    long("sys/vm/overcommit_kbytes", "0"),
    range("sys/vm/overcommit_memory", "0", 0, 2),
    range("sys/vm/overcommit_ratio", "50", 0, INT_MAX),
    range("sys/vm/page-cluster", "3", 0, 31),
    range("sys/vm/panic_on_oom", "0", 0, 2),
    range("sys/vm/swappiness", "60", 0, 200),
    flag("sys/vm/unprivileged_userfaultfd", "0"),
    long("sys/vm/user_reserve_kbytes", "131072"),
    range("sys/vm/vfs_cache_pressure", "100", 0, INT_MAX),
];

/// The setting with this path below /proc.
#[must_use]
pub fn find(path: &str) -> Option<&'static Sysctl> {
    SYSCTLS.iter().find(|entry| entry.path == path)
}

/// The text of a setting, by its path below /proc.
#[must_use]
pub fn text_of(k: &Kernel, path: &str) -> String {
    k.sysctls.get(path).or_else(|| find(path).map(|entry| entry.default)).unwrap_or_default().to_owned()
}

/// The (first) number of a setting, by its path below /proc/sys; 0 if there is none.
#[must_use]
pub fn number(k: &Kernel, name: &str) -> i64 {
    let value = SYSCTLS
        .iter()
        .find(|entry| entry.path.strip_prefix("sys/") == Some(name))
        .map(|entry| k.sysctls.values.get(entry.path).map_or(entry.default, String::as_str));
    let first = value.and_then(|value| value.split_whitespace().next());
    first.and_then(parse).unwrap_or(0)
}

fn uuid(bytes: [u8; 16]) -> String {
    let mut bytes = bytes;
    // RFC 4122, version 4.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

/// Contents of a setting.
pub(crate) fn read(k: &mut Kernel, host: &mut dyn Host, entry: &Sysctl) -> Result<Vec<u8>, Errno> {
    let mut random = || {
        let mut bytes = [0; 16];
        host.entropy(&mut bytes);
        uuid(bytes)
    };
    let value = match entry.path {
        "sys/kernel/hostname" => {
            let mut name = peer::hostname(k);
            name.push(b'\n');
            return Ok(name);
        }
        "sys/kernel/domainname" => {
            let mut name = peer::domainname(k);
            name.push(b'\n');
            return Ok(name);
        }
        "sys/kernel/printk" => {
            let log = &k.log;
            format!("{}\t{}\t{}\t7", log.console_level, log.default_level, log.minimum_level)
        }
        "sys/kernel/ns_last_pid" => k.pids.last.to_string(),
        "sys/kernel/pty/nr" => k.ttys.iter().filter(|(_, tty)| tty.masters > 0).count().to_string(),
        "sys/kernel/random/uuid" => random(),
        "sys/kernel/random/boot_id" => match k.sysctls.values.get(entry.path) {
            Some(id) => id.clone(),
            None => {
                let id = random();
                k.sysctls.values.insert(entry.path, id.clone());
                id
            }
        },
        "sys/fs/file-nr" => format!("{}\t0\t{}", k.files.len(), number(k, "fs/file-max")),
        "sys/fs/inode-nr" => format!("{}\t0", peer::inodes(k)),
        "sys/fs/inode-state" => format!("{}\t0\t0\t0\t0\t0\t0", peer::inodes(k)),
        "sys/fs/dentry-state" => format!("{}\t0\t45\t0\t0\t0", peer::inodes(k)),
        _ => match entry.kind {
            Kind::Trigger => return Err(Errno::EINVAL),
            _ => k.sysctls.values.get(entry.path).cloned().unwrap_or_else(|| entry.default.to_owned()),
        },
    };
    Ok(format!("{value}\n").into_bytes())
}

/// Longest value that a write gives.
const VALUE_MAX: usize = 4096;

fn numbers(data: &str, count: usize, min: i64, max: i64) -> Result<Vec<i64>, Errno> {
    let mut values = Vec::new();
    for word in data.split([' ', '\t', '\n', '\0']).filter(|word| !word.is_empty()) {
        if values.len() == count {
            return Err(Errno::EINVAL);
        }
        let value: i64 = parse(word).ok_or(Errno::EINVAL)?;
        if !(min..=max).contains(&value) {
            return Err(Errno::EINVAL);
        }
        values.push(value);
    }
    if values.is_empty() { Err(Errno::EINVAL) } else { Ok(values) }
}

/// A number in any base that strtol(3) takes.
fn parse(word: &str) -> Option<i64> {
    let (sign, digits) = word.strip_prefix('-').map_or((1, word), |rest| (-1, rest));
    let value = if let Some(hex) = digits.strip_prefix("0x") {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse::<u64>().ok().map(|value| i64::try_from(value).unwrap_or(i64::MAX))?
    };
    Some(sign * value)
}

/// A write to a setting.
pub(crate) fn write(
    k: &mut Kernel,
    tid: TaskId,
    entry: &'static Sysctl,
    offset: u64,
    data: &[u8],
) -> Result<usize, Errno> {
    if entry.mode & 0o222 == 0 {
        return Err(Errno::EACCES);
    }
    // A write that goes on behind the first is ignored for numbers (sysctl_writes_strict).
    if offset != 0 {
        return Ok(data.len());
    }
    if data.len() > VALUE_MAX {
        return Err(Errno::EINVAL);
    }
    let text = String::from_utf8_lossy(data);
    match entry.kind {
        Kind::Int(count, min, max) => {
            let new = numbers(&text, count, min, max)?;
            let old = k.sysctls.values.get(entry.path).cloned().unwrap_or_else(|| entry.default.to_owned());
            // Numbers that the write did not give stay.
            let mut words: Vec<String> = old.split_whitespace().map(str::to_owned).collect();
            for (slot, value) in words.iter_mut().zip(&new) {
                *slot = value.to_string();
            }
            k.sysctls.values.insert(entry.path, words.join("\t"));
        }
        Kind::Text(max) => {
            let line = text.split(['\n', '\0']).next().unwrap_or_default();
            let end = line.char_indices().map(|(at, _)| at).find(|at| *at >= max).unwrap_or(line.len());
            k.sysctls.values.insert(entry.path, line.get(..end).unwrap_or(line).to_owned());
        }
        Kind::Trigger => {
            numbers(&text, 1, 1, 4)?;
        }
        Kind::Live => live_write(k, tid, entry, &text)?,
    }
    Ok(data.len())
}

fn live_write(k: &mut Kernel, tid: TaskId, entry: &Sysctl, text: &str) -> Result<(), Errno> {
    const CAP_SYS_ADMIN: u32 = 21;
    let line = text.split(['\n', '\0']).next().unwrap_or_default();
    let name = line.as_bytes().get(..line.len().min(64)).unwrap_or_default().to_vec();
    match entry.path {
        "sys/kernel/hostname" | "sys/kernel/domainname" => {
            if !peer::capable(k, tid, CAP_SYS_ADMIN) {
                return Err(Errno::EPERM);
            }
            if entry.path.ends_with("hostname") {
                peer::set_hostname(k, name);
            } else {
                peer::set_domainname(k, name);
            }
        }
        // A number that is given out again would be taken for the process that had it by whoever has its directory open.
        "sys/kernel/ns_last_pid" => {
            let at = format!("task {}", tid.0);
            k.gap("choosing the number of the next process (kernel.ns_last_pid)".to_owned(), at);
            return Err(Errno::EPERM);
        }
        "sys/kernel/printk" => {
            let values = numbers(text, 4, 0, 255)?;
            let mut levels = values.iter().map(|value| u8::try_from(*value).unwrap_or(0));
            let log = &mut k.log;
            log.console_level = levels.next().unwrap_or(log.console_level);
            log.default_level = levels.next().unwrap_or(log.default_level);
            log.minimum_level = levels.next().unwrap_or(log.minimum_level);
        }
        _ => return Err(Errno::EACCES),
    }
    Ok(())
}

impl Sysctls {
    /// A value that was written.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&str> {
        self.values.get(path).map(String::as_str)
    }
    /// Sets a value from inside the kernel.
    pub fn set(&mut self, path: &'static str, value: String) {
        self.values.insert(path, value);
    }
}
