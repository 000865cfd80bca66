//! /sys: what programs look up about processors, memory, devices and the network.
//!
//! **Invariant**: one table; directories follow from the paths, a line is a file, a directory or a link.

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::vfs::procfs::{children, step};
use crate::vfs::synth::SynthAttr;

/// What a path is.
#[derive(Debug, Clone, Copy)]
enum Node {
    /// A directory without anything in it.
    Dir,
    /// A file that always reads the same.
    Text(&'static str),
    /// A file that is made when read.
    Live(fn(&Kernel) -> String),
    /// A file with one of these words chosen; root may choose another.
    Choice(&'static [&'static str], usize),
    /// A link.
    Link(&'static str),
}

const ONE_CPU: Node = Node::Text("0\n");
const NO: Node = Node::Text("0\n");

/// All of /sys.
const NODES: &[(&str, Node)] = &[
    ("block", Node::Dir),
    ("bus/pci/devices", Node::Dir),
    ("bus/usb/devices", Node::Dir),
    ("bus/cpu/devices/cpu0", Node::Link("../../../devices/system/cpu/cpu0")),
    ("class/block", Node::Dir),
    ("class/mem/full", Node::Link("../../devices/virtual/mem/full")),
    ("class/mem/kmsg", Node::Link("../../devices/virtual/mem/kmsg")),
    ("class/mem/null", Node::Link("../../devices/virtual/mem/null")),
    ("class/mem/random", Node::Link("../../devices/virtual/mem/random")),
    ("class/mem/urandom", Node::Link("../../devices/virtual/mem/urandom")),
    ("class/mem/zero", Node::Link("../../devices/virtual/mem/zero")),
    ("class/misc", Node::Dir),
    ("class/net/lo", Node::Link("../../devices/virtual/net/lo")),
    ("class/tty/console", Node::Link("../../devices/virtual/tty/console")),
    ("class/tty/ptmx", Node::Link("../../devices/virtual/tty/ptmx")),
    ("class/tty/tty", Node::Link("../../devices/virtual/tty/tty")),
    ("class/input", Node::Dir),
    ("class/power_supply", Node::Dir),
    ("class/thermal", Node::Dir),
    ("class/hwmon", Node::Dir),
    ("dev/block", Node::Dir),
    ("dev/char/1:3", Node::Link("../../devices/virtual/mem/null")),
    ("dev/char/1:5", Node::Link("../../devices/virtual/mem/zero")),
    ("dev/char/1:7", Node::Link("../../devices/virtual/mem/full")),
    ("dev/char/1:8", Node::Link("../../devices/virtual/mem/random")),
    ("dev/char/1:9", Node::Link("../../devices/virtual/mem/urandom")),
    ("dev/char/1:11", Node::Link("../../devices/virtual/mem/kmsg")),
    ("dev/char/5:0", Node::Link("../../devices/virtual/tty/tty")),
    ("dev/char/5:1", Node::Link("../../devices/virtual/tty/console")),
    ("dev/char/5:2", Node::Link("../../devices/virtual/tty/ptmx")),
    ("devices/system/cpu/cpu0/cache/index0/coherency_line_size", Node::Text("64\n")),
    ("devices/system/cpu/cpu0/cache/index0/level", Node::Text("1\n")),
    ("devices/system/cpu/cpu0/cache/index0/shared_cpu_list", ONE_CPU),
    ("devices/system/cpu/cpu0/cache/index0/shared_cpu_map", Node::Text("1\n")),
    ("devices/system/cpu/cpu0/cache/index0/size", Node::Text("32K\n")),
    ("devices/system/cpu/cpu0/cache/index0/type", Node::Text("Data\n")),
    ("devices/system/cpu/cpu0/cache/index1/coherency_line_size", Node::Text("64\n")),
    ("devices/system/cpu/cpu0/cache/index1/level", Node::Text("2\n")),
    ("devices/system/cpu/cpu0/cache/index1/shared_cpu_list", ONE_CPU),
    ("devices/system/cpu/cpu0/cache/index1/shared_cpu_map", Node::Text("1\n")),
    ("devices/system/cpu/cpu0/cache/index1/size", Node::Text("256K\n")),
    ("devices/system/cpu/cpu0/cache/index1/type", Node::Text("Unified\n")),
    ("devices/system/cpu/cpu0/node0", Node::Link("../../node/node0")),
    ("devices/system/cpu/cpu0/topology/cluster_cpus_list", ONE_CPU),
    ("devices/system/cpu/cpu0/topology/core_cpus", Node::Text("1\n")),
    ("devices/system/cpu/cpu0/topology/core_cpus_list", ONE_CPU),
    ("devices/system/cpu/cpu0/topology/core_id", NO),
    ("devices/system/cpu/cpu0/topology/core_siblings", Node::Text("1\n")),
    ("devices/system/cpu/cpu0/topology/core_siblings_list", ONE_CPU),
    ("devices/system/cpu/cpu0/topology/die_id", NO),
    ("devices/system/cpu/cpu0/topology/package_cpus", Node::Text("1\n")),
    ("devices/system/cpu/cpu0/topology/package_cpus_list", ONE_CPU),
    ("devices/system/cpu/cpu0/topology/physical_package_id", NO),
    ("devices/system/cpu/cpu0/topology/thread_siblings", Node::Text("1\n")),
    ("devices/system/cpu/cpu0/topology/thread_siblings_list", ONE_CPU),
    ("devices/system/cpu/isolated", Node::Text("\n")),
    ("devices/system/cpu/kernel_max", NO),
    ("devices/system/cpu/modalias", Node::Text("cpu:type:x86,ven0000fam0006mod003C:feature:\n")),
    ("devices/system/cpu/offline", Node::Text("\n")),
    ("devices/system/cpu/online", ONE_CPU),
    ("devices/system/cpu/possible", ONE_CPU),
    ("devices/system/cpu/present", ONE_CPU),
    ("devices/system/cpu/smt/active", NO),
    ("devices/system/cpu/smt/control", Node::Text("notsupported\n")),
    ("devices/system/cpu/vulnerabilities/meltdown", Node::Text("Not affected\n")),
    ("devices/system/cpu/vulnerabilities/spectre_v1", Node::Text("Not affected\n")),
    ("devices/system/cpu/vulnerabilities/spectre_v2", Node::Text("Not affected\n")),
    ("devices/system/node/has_cpu", ONE_CPU),
    ("devices/system/node/has_memory", ONE_CPU),
    ("devices/system/node/has_normal_memory", ONE_CPU),
    ("devices/system/node/node0/cpulist", ONE_CPU),
    ("devices/system/node/node0/cpumap", Node::Text("1\n")),
    ("devices/system/node/node0/distance", Node::Text("10\n")),
    ("devices/system/node/node0/meminfo", Node::Live(node_meminfo)),
    ("devices/system/node/online", ONE_CPU),
    ("devices/system/node/possible", ONE_CPU),
    ("devices/system/clocksource/clocksource0/available_clocksource", Node::Text("tsc \n")),
    ("devices/system/clocksource/clocksource0/current_clocksource", Node::Text("tsc\n")),
    ("devices/virtual/mem/full/dev", Node::Text("1:7\n")),
    ("devices/virtual/mem/full/uevent", Node::Text("MAJOR=1\nMINOR=7\nDEVNAME=full\nDEVMODE=0666\n")),
    ("devices/virtual/mem/kmsg/dev", Node::Text("1:11\n")),
    ("devices/virtual/mem/kmsg/uevent", Node::Text("MAJOR=1\nMINOR=11\nDEVNAME=kmsg\nDEVMODE=0644\n")),
    ("devices/virtual/mem/null/dev", Node::Text("1:3\n")),
    ("devices/virtual/mem/null/uevent", Node::Text("MAJOR=1\nMINOR=3\nDEVNAME=null\nDEVMODE=0666\n")),
    ("devices/virtual/mem/random/dev", Node::Text("1:8\n")),
    ("devices/virtual/mem/random/uevent", Node::Text("MAJOR=1\nMINOR=8\nDEVNAME=random\nDEVMODE=0666\n")),
    ("devices/virtual/mem/urandom/dev", Node::Text("1:9\n")),
    ("devices/virtual/mem/urandom/uevent", Node::Text("MAJOR=1\nMINOR=9\nDEVNAME=urandom\nDEVMODE=0666\n")),
    ("devices/virtual/mem/zero/dev", Node::Text("1:5\n")),
    ("devices/virtual/mem/zero/uevent", Node::Text("MAJOR=1\nMINOR=5\nDEVNAME=zero\nDEVMODE=0666\n")),
    ("devices/virtual/net/lo/address", Node::Text("00:00:00:00:00:00\n")),
    ("devices/virtual/net/lo/addr_len", Node::Text("6\n")),
    ("devices/virtual/net/lo/broadcast", Node::Text("00:00:00:00:00:00\n")),
    ("devices/virtual/net/lo/carrier", Node::Text("1\n")),
    ("devices/virtual/net/lo/dormant", NO),
    ("devices/virtual/net/lo/flags", Node::Live(|k| if k.net.lo_up { "0x9\n" } else { "0x8\n" }.to_owned())),
    ("devices/virtual/net/lo/ifindex", Node::Text("1\n")),
    ("devices/virtual/net/lo/iflink", Node::Text("1\n")),
    ("devices/virtual/net/lo/mtu", Node::Text("65536\n")),
    (
        "devices/virtual/net/lo/operstate",
        Node::Live(|k| if k.net.lo_up { "unknown\n" } else { "down\n" }.to_owned()),
    ),
    ("devices/virtual/net/lo/statistics/rx_bytes", NO),
    ("devices/virtual/net/lo/statistics/rx_packets", NO),
    ("devices/virtual/net/lo/statistics/tx_bytes", NO),
    ("devices/virtual/net/lo/statistics/tx_packets", NO),
    ("devices/virtual/net/lo/tx_queue_len", Node::Text("1000\n")),
    ("devices/virtual/net/lo/type", Node::Text("772\n")),
    ("devices/virtual/net/lo/uevent", Node::Text("INTERFACE=lo\nIFINDEX=1\n")),
    ("devices/virtual/tty/console/active", Node::Text("tty0\n")),
    ("devices/virtual/tty/console/dev", Node::Text("5:1\n")),
    ("devices/virtual/tty/ptmx/dev", Node::Text("5:2\n")),
    ("devices/virtual/tty/tty/dev", Node::Text("5:0\n")),
    ("firmware", Node::Dir),
    ("fs/cgroup", Node::Dir),
    ("hypervisor", Node::Dir),
    ("kernel/mm/hugepages/hugepages-2048kB/free_hugepages", NO),
    ("kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", NO),
    ("kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages", NO),
    ("kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", NO),
    ("kernel/mm/hugepages/hugepages-2048kB/surplus_hugepages", NO),
    ("kernel/mm/ksm/run", NO),
    (
        "kernel/mm/transparent_hugepage/defrag",
        Node::Choice(&["always", "defer", "defer+madvise", "madvise", "never"], 3),
    ),
    ("kernel/mm/transparent_hugepage/enabled", Node::Choice(&["always", "madvise", "never"], 1)),
    ("kernel/mm/transparent_hugepage/hpage_pmd_size", Node::Text("2097152\n")),
    (
        "kernel/mm/transparent_hugepage/shmem_enabled",
        Node::Choice(&["always", "within_size", "advise", "never", "deny", "force"], 3),
    ),
    ("kernel/mm/transparent_hugepage/use_zero_page", Node::Text("1\n")),
    ("kernel/debug", Node::Dir),
    ("kernel/security", Node::Dir),
    ("kernel/tracing", Node::Dir),
    ("kernel/profiling", NO),
    ("kernel/uevent_seqnum", NO),
    ("kernel/vmcoreinfo", Node::Text("0 0\n")),
    ("kernel/kexec_loaded", NO),
    ("kernel/kexec_crash_loaded", NO),
    ("kernel/fscaps", Node::Text("1\n")),
    ("kernel/rcu_expedited", NO),
    ("module/printk/parameters/time", Node::Text("Y\n")),
    ("module/kernel/parameters/crash_kexec_post_notifiers", Node::Text("N\n")),
    ("power/state", Node::Text("\n")),
];

fn node_meminfo(k: &Kernel) -> String {
    let total = k.mem.limit() / 1024;
    let used = k.mem.occupied() / 1024;
    let free = total.saturating_sub(used);
    format!(
        "Node 0 MemTotal:       {total:8} kB\nNode 0 MemFree:        {free:8} kB\nNode 0 MemUsed:        {used:8} kB\n"
    )
}

fn paths() -> impl Iterator<Item = &'static str> {
    NODES.iter().map(|(path, _)| *path)
}

fn find(path: &str) -> Option<&'static (&'static str, Node)> {
    NODES.iter().find(|(known, _)| *known == path)
}

/// The entry `name` of directory `dir`.
#[must_use]
pub fn lookup(dir: &str, name: &[u8]) -> Option<&'static str> {
    step(paths(), dir, name)
}

/// All entries of directory `dir`.
#[must_use]
pub fn list(dir: &str) -> Vec<(Vec<u8>, &'static str)> {
    children(paths(), dir)
}

/// Attributes.
#[must_use]
pub fn attr(path: &str) -> SynthAttr {
    match find(path) {
        Some((_, Node::Text(_) | Node::Live(_))) => SynthAttr::file(0o444),
        Some((_, Node::Choice(..))) => SynthAttr::file(0o644),
        Some((_, Node::Link(_))) => SynthAttr::link(),
        Some((_, Node::Dir)) | None => SynthAttr { mode: 0o755, ..SynthAttr::dir() },
    }
}

/// Contents.
pub fn read(k: &Kernel, path: &str) -> Result<Vec<u8>, Errno> {
    let (_, node) = find(path).ok_or(Errno::EISDIR)?;
    let text = match node {
        Node::Text(text) => (*text).to_owned(),
        Node::Live(show) => show(k),
        Node::Choice(words, default) => {
            let default = words.get(*default).copied().unwrap_or_default();
            let chosen = k.sysctls.get(path).unwrap_or(default);
            let shown: Vec<String> = words
                .iter()
                .map(|word| if *word == chosen { format!("[{word}]") } else { (*word).to_owned() })
                .collect();
            format!("{}\n", shown.join(" "))
        }
        Node::Dir => return Err(Errno::EISDIR),
        Node::Link(_) => return Err(Errno::EINVAL),
    };
    Ok(text.into_bytes())
}

/// A write.
pub fn write(k: &mut Kernel, path: &'static str, data: &[u8]) -> Result<usize, Errno> {
    match find(path) {
        Some((_, Node::Choice(words, _))) => {
            let wanted = String::from_utf8_lossy(data);
            let word = words.iter().find(|word| **word == wanted.trim()).ok_or(Errno::EINVAL)?;
            k.sysctls.set(path, (*word).to_owned());
            Ok(data.len())
        }
        _ => Err(Errno::EACCES),
    }
}

/// Target of a link.
pub fn readlink(path: &str) -> Result<&'static str, Errno> {
    match find(path) {
        Some((_, Node::Link(target))) => Ok(target),
        _ => Err(Errno::EINVAL),
    }
}
