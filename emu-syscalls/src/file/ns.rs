//! Namespaces as files: what /proc/PID/ns/* opens, for setns(2) and for comparing.
//!
//! Of namespaces there are those of mounts and of time; of all other kinds there is the one that every task is in.

use crate::ctx::Ctx;
use crate::file::{File, FileId, FileOps, OpenFile};
use crate::kernel::Kernel;
use crate::task::fork::flag;
use crate::task::{TaskId, TimeOffsets};
use crate::vfs::Loc;

/// Kinds by name: `CLONE_NEW*` flag and the number of the first one (fs/nsfs.c, include/linux/proc_ns.h).
pub const KINDS: &[(&str, u64, u64)] = &[
    ("net", flag::NEWNET, 4_026_531_840),
    ("uts", flag::NEWUTS, 4_026_531_838),
    ("ipc", flag::NEWIPC, 4_026_531_839),
    ("pid", flag::NEWPID, 4_026_531_836),
    ("pid_for_children", flag::NEWPID, 4_026_531_836),
    ("user", flag::NEWUSER, 4_026_531_837),
    ("mnt", flag::NEWNS, 4_026_531_841),
    ("cgroup", flag::NEWCGROUP, 4_026_531_835),
    ("time", flag::NEWTIME, 4_026_531_834),
    ("time_for_children", flag::NEWTIME, 4_026_531_834),
];

/// A namespace as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NsFile {
    /// Its name without `_for_children`.
    pub kind: &'static str,
    /// `CLONE_NEW*`
    pub flag: u64,
    /// Its number.
    pub number: u64,
    /// Root directory, of one of mounts.
    pub root: Option<Loc>,
    /// Clock offsets, of one of time.
    pub time: TimeOffsets,
}

/// The namespace `name` of a task.
#[must_use]
pub fn of_task(k: &Kernel, tid: TaskId, name: &str) -> Option<NsFile> {
    let (name, flag, first) = *KINDS.iter().find(|(known, ..)| *known == name)?;
    let task = k.tasks.get(tid)?;
    let root = k.fs_contexts.get(task.fs)?.root;
    let time = if name == "time" { task.time } else { task.children_time.unwrap_or(task.time) };
    // Later ones are numbered from 0xf0000000 up, away from those of other kinds.
    let later = match flag {
        flag::NEWNS => crate::vfs::mount::namespace_of(k, root.mount).map_or(0, |id| u64::from(id.0)),
        flag::NEWTIME => time.id,
        _ => 0,
    };
    let number =
        if later == 0 { first } else { 0xf000_0000 + later * 16 + flag.trailing_zeros() as u64 % 16 };
    let kind = name.trim_end_matches("_for_children");
    Some(NsFile { kind, flag, number, root: (flag == flag::NEWNS).then_some(root), time })
}

/// An open file of the namespace `name` of a task; one and the same as long as the machine lives.
pub fn open(k: &mut Kernel, tid: TaskId, name: &str) -> Option<FileId> {
    let ns = of_task(k, tid, name)?;
    if let Some(id) = k.ns_files.get(&(ns.flag, ns.number)).copied() {
        return Some(id);
    }
    let id = k.files.insert(OpenFile::new(File::Ns(ns), 0));
    k.ns_files.insert((ns.flag, ns.number), id);
    Some(id)
}

impl FileOps for NsFile {
    fn reopen(&self, _ctx: &mut Ctx<'_>, _id: FileId, _flags: u32) -> Result<File, crate::ctx::Stop> {
        Ok(File::Ns(*self))
    }
    fn stat(&self, _k: &Kernel, _id: FileId) -> crate::vfs::Stat {
        crate::vfs::Stat::anonymous(self.number, crate::vfs::ftype::S_IFREG | 0o444)
    }
    fn ioctl(
        &self,
        ctx: &mut Ctx<'_>,
        _id: FileId,
        request: u32,
        _arg: crate::arg::Addr,
    ) -> crate::ctx::SysResult {
        const NS_GET_NSTYPE: u32 = 0xb703;
        if request == NS_GET_NSTYPE {
            return Ok(self.flag);
        }
        let at = format!("task {}", ctx.tid.0);
        ctx.k.gap(format!("ioctl {request:#x} on a namespace"), at);
        Err(crate::abi::errno::Errno::ENOTTY.into())
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        format!("{}:[{}]", self.kind, self.number)
    }
}
