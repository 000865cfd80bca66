//! /proc: files about the whole machine.

use std::fmt::Write as _;

use emu_core::mem::PAGE_SIZE;

use super::status::NS_PER_TICK;
use super::{CMDLINE, Fixed};
use crate::abi::errno::Errno;
use crate::abi::uts;
use crate::entry::irq::{Irq, SOFTIRQ_NAMES};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::{RunState, TaskId};

type Text = Result<String, Errno>;

/// Files with a fixed path, in the order readdir gives them.
pub(crate) const FILES: &[Fixed] = &[
    ("cmdline", 0o444, |_, _, _| Ok(format!("{CMDLINE}\n"))),
    ("consoles", 0o444, |_, _, _| Ok("tty0                 -WU (EC    )    4:1\n".to_owned())),
    ("cpuinfo", 0o444, cpuinfo),
    ("crypto", 0o444, |_, _, _| Ok(String::new())),
    ("devices", 0o444, |_, _, _| Ok(DEVICES.to_owned())),
    ("diskstats", 0o444, |_, _, _| Ok(String::new())),
    ("execdomains", 0o444, |_, _, _| Ok("0-0\tLinux           \t[kernel]\n".to_owned())),
    ("fb", 0o444, |_, _, _| Ok(String::new())),
    ("filesystems", 0o444, |_, _, _| Ok(FILESYSTEMS.to_owned())),
    ("interrupts", 0o444, interrupts),
    ("iomem", 0o400, |_, _, _| Ok("00000000-00000000 : System RAM\n".to_owned())),
    ("ioports", 0o400, |_, _, _| Ok(String::new())),
    ("kallsyms", 0o444, |_, _, _| Ok(KALLSYMS.to_owned())),
    ("key-users", 0o444, |k, host, _| crate::keys::show::users(k, host)),
    ("keys", 0o444, |k, host, viewer| crate::keys::show::keys(k, host, viewer)),
    ("kmsg", 0o400, |_, _, _| Err(Errno::EAGAIN)),
    ("loadavg", 0o444, loadavg),
    ("locks", 0o444, |k, _, _| Ok(super::peer::locks(k))),
    ("meminfo", 0o444, meminfo),
    ("misc", 0o444, |_, _, _| Ok(String::new())),
    ("modules", 0o444, |_, _, _| Ok(String::new())),
    ("mtrr", 0o644, |_, _, _| Ok(String::new())),
    ("partitions", 0o444, |_, _, _| Ok("major minor  #blocks  name\n\n".to_owned())),
    ("schedstat", 0o444, |k, _, _| {
        Ok(format!("version 15\ntimestamp {}\ncpu0 0 0 0 0 0 0 0 0 0\n", k.retired / NS_PER_TICK))
    }),
    ("softirqs", 0o444, softirqs),
    ("stat", 0o444, stat),
    ("swaps", 0o444, |_, _, _| Ok("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_owned())),
    ("sysvipc/msg", 0o444, |k, _, _| Ok(super::peer::sysvipc(k, "msg"))),
    ("sysvipc/sem", 0o444, |k, _, _| Ok(super::peer::sysvipc(k, "sem"))),
    ("sysvipc/shm", 0o444, |k, _, _| Ok(super::peer::sysvipc(k, "shm"))),
    ("tty/drivers", 0o444, |_, _, _| Ok(TTY_DRIVERS.to_owned())),
    ("tty/ldiscs", 0o444, |_, _, _| Ok("n_tty       0\n".to_owned())),
    ("uptime", 0o444, uptime),
    ("version", 0o444, |_, _, _| {
        Ok(format!("{} version {} {} {}\n", uts::SYSNAME, uts::RELEASE, uts::BUILDER, uts::VERSION))
    }),
    ("vmallocinfo", 0o400, |_, _, _| Ok(String::new())),
    ("vmstat", 0o444, vmstat),
    ("zoneinfo", 0o444, zoneinfo),
    ("buddyinfo", 0o444, |k, _, _| {
        let free = free_pages(k) >> 10;
        Ok(format!("Node 0, zone   Normal{}{free:7} \n", "      0".repeat(10)))
    }),
];

const DEVICES: &str = "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n 10 misc\n\
                       128 ptm\n136 pts\n\nBlock devices:\n";
const FILESYSTEMS: &str = "nodev\tsysfs\nnodev\ttmpfs\nnodev\tbdev\nnodev\tproc\nnodev\tcgroup2\nnodev\tdevtmpfs\n\
                           nodev\tsockfs\nnodev\tpipefs\nnodev\tramfs\nnodev\tdevpts\nnodev\tmqueue\n\
                           nodev\toverlay\n";
const KALLSYMS: &str = "0000000000000000 T _text\n0000000000000000 T entry_SYSCALL_64\n0000000000000000 T _printk\n\
                        0000000000000000 T _etext\n";
const TTY_DRIVERS: &str = "/dev/tty             /dev/tty        5       0 system:/dev/tty\n\
                           /dev/console         /dev/console    5       1 system:console\n\
                           /dev/ptmx            /dev/ptmx       5       2 system\n\
                           pty_slave            /dev/pts      136 0-1048575 pty:slave\n\
                           pty_master           /dev/ptm      128 0-1048575 pty:master\n";

/// Time since boot in ns.
pub(crate) fn up_ns(k: &mut Kernel, host: &mut dyn Host) -> u64 {
    k.time.monotonic(host, k.retired).saturating_sub(k.time.boot_ns)
}

/// Pages that nobody has.
pub(crate) fn free_pages(k: &Kernel) -> u64 {
    k.mem.limit().saturating_sub(k.mem.occupied()) / PAGE_SIZE
}

fn cpuinfo(_k: &mut Kernel, _host: &mut dyn Host, _tid: TaskId) -> Text {
    Ok(super::peer::cpuinfo(_k))
}

fn loadavg(k: &mut Kernel, _host: &mut dyn Host, _tid: TaskId) -> Text {
    let last = k.tasks.ids().last().map_or(0, |TaskId(id)| id);
    let alive = k.tasks.iter().filter(|(_, task)| task.state != RunState::Zombie).count();
    Ok(format!("0.00 0.00 0.00 {}/{alive} {last}\n", k.sched.len().max(1)))
}

fn meminfo(k: &mut Kernel, _host: &mut dyn Host, _tid: TaskId) -> Text {
    let total = k.mem.limit() / 1024;
    let used = k.mem.occupied() / 1024;
    let free = total.saturating_sub(used);
    let mut out = String::new();
    let stacks = k.tasks.len() as u64 * 16;
    for (name, value) in [
        ("MemTotal", total),
        ("MemFree", free),
        ("MemAvailable", free),
        ("Buffers", 0),
        ("Cached", 0),
        ("SwapCached", 0),
        ("Active", used),
        ("Inactive", 0),
        ("Active(anon)", used),
        ("Inactive(anon)", 0),
        ("Active(file)", 0),
        ("Inactive(file)", 0),
        ("Unevictable", 0),
        ("Mlocked", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Zswap", 0),
        ("Zswapped", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", used),
        ("Mapped", 0),
        ("Shmem", 0),
        ("KReclaimable", 0),
        ("Slab", 0),
        ("SReclaimable", 0),
        ("SUnreclaim", 0),
        ("KernelStack", stacks),
        ("PageTables", 0),
        ("SecPageTables", 0),
        ("NFS_Unstable", 0),
        ("Bounce", 0),
        ("WritebackTmp", 0),
        ("CommitLimit", total / 2),
        ("Committed_AS", used),
        ("VmallocTotal", 34_359_738_367),
        ("VmallocUsed", stacks),
        ("VmallocChunk", 0),
        ("Percpu", 0),
        ("HardwareCorrupted", 0),
        ("AnonHugePages", 0),
        ("ShmemHugePages", 0),
        ("ShmemPmdMapped", 0),
        ("FileHugePages", 0),
        ("FilePmdMapped", 0),
    ] {
        let _ = writeln!(out, "{:<15} {value:8} kB", format!("{name}:"));
    }
    for name in ["HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp"] {
        let _ = writeln!(out, "{name}:   {:5}", 0);
    }
    let _ = writeln!(out, "Hugepagesize:       2048 kB\nHugetlb:               0 kB");
    let _ = writeln!(out, "DirectMap4k:    {total:8} kB\nDirectMap2M:           0 kB");
    Ok(out)
}

/// Ticks in user mode, in the kernel, and idle since boot.
fn cpu_ticks(k: &mut Kernel, host: &mut dyn Host) -> (u64, u64, u64) {
    let up = up_ns(k, host) / NS_PER_TICK;
    let user = k.retired / NS_PER_TICK;
    let system = k.irq.syscalls.saturating_mul(crate::task::NS_PER_SYSCALL) / NS_PER_TICK;
    (user, system, up.saturating_sub(user + system))
}

fn stat(k: &mut Kernel, host: &mut dyn Host, _tid: TaskId) -> Text {
    let (user, system, idle) = cpu_ticks(k, host);
    let now = k.time.realtime(host, k.retired);
    let boot_s = now.saturating_sub(up_ns(k, host)) / 1_000_000_000;
    let running = k.sched.len().max(1);
    let times = format!("{user} 0 {system} {idle} 0 0 0 0 0 0");
    let irqs = &k.irq;
    // Numbered interrupts only; the local timer has no number, but is in the sum.
    let counts: Vec<String> = std::iter::once(&0).chain(&irqs.counts[1..]).map(u64::to_string).collect();
    let softirqs: Vec<String> = irqs.softirqs.iter().map(u64::to_string).collect();
    Ok(format!(
        "cpu  {times}\ncpu0 {times}\nintr {} {}\nctxt {}\nbtime {boot_s}\nprocesses {}\n\
         procs_running {running}\nprocs_blocked 0\nsoftirq {} {}\n",
        irqs.total(),
        counts.join(" "),
        irqs.switches,
        irqs.forks.max(1),
        irqs.softirqs.iter().sum::<u64>(),
        softirqs.join(" "),
    ))
}

fn uptime(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) -> Text {
    let offset = k.tasks.get(tid).map_or(0, |task| task.time.boot);
    let up = up_ns(k, host).saturating_add_signed(offset) / NS_PER_TICK;
    let (_, _, idle) = cpu_ticks(k, host);
    Ok(format!("{}.{:02} {}.{:02}\n", up / 100, up % 100, idle / 100, idle % 100))
}

fn interrupts(k: &mut Kernel, _host: &mut dyn Host, _tid: TaskId) -> Text {
    let mut out = format!("{:12}{:<10} \n", "", "CPU0");
    let count = |irq: Irq| k.irq.counts[irq as usize];
    for (number, irq, what) in
        [(1, Irq::Terminal, "terminal"), (2, Irq::Host, "host"), (3, Irq::Network, "network")]
    {
        let _ = writeln!(out, "{number:>4}: {:10}   emu-edge      {what}", count(irq));
    }
    for (name, count, what) in [
        ("NMI", 0, "Non-maskable interrupts"),
        ("LOC", count(Irq::Timer), "Local timer interrupts"),
        ("SPU", 0, "Spurious interrupts"),
        ("RES", 0, "Rescheduling interrupts"),
        ("CAL", 0, "Function call interrupts"),
        ("TLB", 0, "TLB shootdowns"),
    ] {
        let _ = writeln!(out, "{name:>4}: {count:10}   {what}");
    }
    let _ = writeln!(out, " ERR: {:10}\n MIS: {:10}", 0, 0);
    Ok(out)
}

fn softirqs(k: &mut Kernel, _host: &mut dyn Host, _tid: TaskId) -> Text {
    let mut out = format!("{:20}{:<10} \n", "", "CPU0");
    for (name, count) in SOFTIRQ_NAMES.iter().zip(k.irq.softirqs) {
        let _ = writeln!(out, "{:>12} {count:10}", format!("{name}:"));
    }
    Ok(out)
}

fn vmstat(k: &mut Kernel, _host: &mut dyn Host, _tid: TaskId) -> Text {
    let free = free_pages(k);
    let used = k.mem.occupied() / PAGE_SIZE;
    let mut out = String::new();
    for (name, value) in [
        ("nr_free_pages", free),
        ("nr_zone_inactive_anon", 0),
        ("nr_zone_active_anon", used),
        ("nr_inactive_anon", 0),
        ("nr_active_anon", used),
        ("nr_inactive_file", 0),
        ("nr_active_file", 0),
        ("nr_unevictable", 0),
        ("nr_mlock", 0),
        ("nr_anon_pages", used),
        ("nr_mapped", 0),
        ("nr_file_pages", 0),
        ("nr_dirty", 0),
        ("nr_writeback", 0),
        ("nr_shmem", 0),
        ("nr_kernel_stack", k.tasks.len() as u64 * 16),
        ("pgpgin", 0),
        ("pgpgout", 0),
        ("pswpin", 0),
        ("pswpout", 0),
        ("pgfault", used),
        ("pgmajfault", 0),
        ("oom_kill", 0),
    ] {
        let _ = writeln!(out, "{name} {value}");
    }
    Ok(out)
}

fn zoneinfo(k: &mut Kernel, _host: &mut dyn Host, _tid: TaskId) -> Text {
    let total = k.mem.limit() / PAGE_SIZE;
    Ok(format!(
        "Node 0, zone   Normal\n  pages free     {}\n        boost    0\n        min      0\n        low      0\n        \
         high     0\n        spanned  {total}\n        present  {total}\n        managed  {total}\n",
        free_pages(k)
    ))
}
