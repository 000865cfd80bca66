//! /proc: which nodes there are, and who answers for each.
//!
//! Key types: [`ProcNode`]. Neighbours: [`pid`] (processes), [`system`] (the machine), [`net`], [`sysctl`] (/proc/sys).
//!
//! **Invariant**: every fixed file is one line of a table ([`system::FILES`], [`net::FILES`], [`sysctl::SYSCTLS`],
//! [`pid::FILES`]); directories follow from the paths.

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::{GroupId, TaskId};
use crate::vfs::synth::{LinkTarget, SynthAttr};

pub mod maps;
pub mod net;
pub(crate) mod peer;
pub mod pid;
pub mod status;
pub mod sysctl;
pub mod system;
#[cfg(test)]
mod tests;

/// What /proc/cmdline says.
pub const CMDLINE: &str = "console=tty0 init=/emu";

/// A file below /proc.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProcNode {
    /// A file or directory with a fixed path below /proc.
    Path(&'static str),
    /// A file of a process or (`thread`) of a thread, by name; the empty name is the directory itself.
    Task {
        /// Whose.
        tid: TaskId,
        /// Whether it was reached through a `task` directory.
        thread: bool,
        /// Which.
        name: &'static str,
    },
    /// A descriptor of a task.
    Fd {
        /// Whose.
        tid: TaskId,
        /// Whether it was reached through a `task` directory.
        thread: bool,
        /// Which.
        fd: i32,
        /// In `fdinfo`, not `fd`.
        info: bool,
    },
    /// A namespace of a task, by name.
    Ns {
        /// Whose.
        tid: TaskId,
        /// Which.
        name: &'static str,
    },
}

impl ProcNode {
    /// The process whose directory this is.
    #[must_use]
    pub fn process_directory(&self) -> Option<TaskId> {
        match self {
            ProcNode::Task { tid, thread: false, name: "" } => Some(*tid),
            _ => None,
        }
    }
}

/// A number in decimal, without leading zeros.
#[must_use]
pub fn decimal(name: &[u8]) -> Option<u32> {
    if name.len() > 1 && name.first() == Some(&b'0') || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// Makes a value's file: reader.
pub(crate) type Show = fn(&mut Kernel, &mut dyn Host, TaskId) -> Result<String, Errno>;

/// A fixed file: path, permission bits, contents.
pub(crate) type Fixed = (&'static str, u32, Show);

/// Fixed links: path, target.
const LINKS: &[(&str, &str)] = &[("mounts", "self/mounts"), ("net", "self/net")];

/// Fixed directories that may hold nothing.
const DIRS: &[&str] = &["driver", "fs", "bus", "irq", "tty/ldisc", "tty/driver", "asound", "acpi"];

fn paths() -> impl Iterator<Item = &'static str> {
    let links = LINKS.iter().map(|(path, _)| *path);
    let system = system::FILES.iter().map(|(path, ..)| *path);
    links.chain(DIRS.iter().copied()).chain(system).chain(sysctl::SYSCTLS.iter().map(|entry| entry.path))
}

/// The path `dir/name`, if a fixed path is it or lies below it.
pub(crate) fn step(
    paths: impl Iterator<Item = &'static str>,
    dir: &str,
    name: &[u8],
) -> Option<&'static str> {
    let name = std::str::from_utf8(name).ok()?;
    if name.is_empty() || name.contains('/') {
        return None;
    }
    for path in paths {
        let rest = if dir.is_empty() { Some(path) } else { below(path, dir) };
        let Some(rest) = rest else { continue };
        if rest == name || below(rest, name).is_some() {
            return path.get(..path.len() - rest.len() + name.len());
        }
    }
    None
}

/// What follows `dir/` in `path`.
fn below<'p>(path: &'p str, dir: &str) -> Option<&'p str> {
    path.strip_prefix(dir)?.strip_prefix('/')
}

/// The names right below `dir`, with their paths, in order.
pub(crate) fn children(paths: impl Iterator<Item = &'static str>, dir: &str) -> Vec<(Vec<u8>, &'static str)> {
    let mut out: Vec<(Vec<u8>, &'static str)> = Vec::new();
    for path in paths {
        let rest = if dir.is_empty() { Some(path) } else { below(path, dir) };
        let Some(rest) = rest else { continue };
        let name = rest.split('/').next().unwrap_or(rest);
        if out.iter().any(|(seen, _)| seen == name.as_bytes()) {
            continue;
        }
        let end = path.len() - rest.len() + name.len();
        out.push((name.as_bytes().to_vec(), path.get(..end).unwrap_or(path)));
    }
    out
}

fn fixed(path: &str) -> Option<&'static Fixed> {
    system::FILES.iter().find(|(known, ..)| *known == path)
}

fn fixed_link(path: &str) -> Option<&'static str> {
    LINKS.iter().find(|(known, _)| *known == path).map(|(_, target)| *target)
}

/// The entry `name` of /proc.
pub fn lookup_root(k: &Kernel, tid: TaskId, name: &[u8]) -> Option<ProcNode> {
    let _ = tid;
    match name {
        b"self" => return Some(ProcNode::Path("self")),
        b"thread-self" => return Some(ProcNode::Path("thread-self")),
        _ => {}
    }
    if let Some(number) = decimal(name) {
        let tid = TaskId(number);
        return k.tasks.contains(tid).then_some(ProcNode::Task { tid, thread: false, name: "" });
    }
    step(paths(), "", name).map(ProcNode::Path)
}

/// All entries of /proc: fixed ones, then processes.
pub fn list_root(k: &Kernel) -> Vec<(Vec<u8>, ProcNode)> {
    let mut out: Vec<(Vec<u8>, ProcNode)> =
        children(paths(), "").into_iter().map(|(name, path)| (name, ProcNode::Path(path))).collect();
    for name in ["self", "thread-self"] {
        out.push((name.as_bytes().to_vec(), ProcNode::Path(name)));
    }
    for GroupId(number) in k.groups.ids() {
        if k.tasks.contains(TaskId(number)) {
            let node = ProcNode::Task { tid: TaskId(number), thread: false, name: "" };
            out.push((number.to_string().into_bytes(), node));
        }
    }
    out
}

/// The entry `name` of a directory below /proc.
pub fn lookup(k: &mut Kernel, viewer: TaskId, node: &ProcNode, name: &[u8]) -> Option<ProcNode> {
    match node {
        ProcNode::Path(dir) => step(paths(), dir, name).map(ProcNode::Path),
        ProcNode::Task { tid, thread, name: dir } => pid::lookup(k, viewer, *tid, *thread, dir, name),
        ProcNode::Fd { .. } | ProcNode::Ns { .. } => None,
    }
}

/// All entries of a directory below /proc.
pub fn list(k: &mut Kernel, viewer: TaskId, node: &ProcNode) -> Vec<(Vec<u8>, ProcNode)> {
    match node {
        ProcNode::Path(dir) => {
            children(paths(), dir).into_iter().map(|(name, path)| (name, ProcNode::Path(path))).collect()
        }
        ProcNode::Task { tid, thread, name } => pid::list(k, viewer, *tid, *thread, name),
        ProcNode::Fd { .. } | ProcNode::Ns { .. } => Vec::new(),
    }
}

/// Attributes of a node below /proc.
pub fn attr(k: &mut Kernel, node: &ProcNode) -> SynthAttr {
    match node {
        ProcNode::Path("self" | "thread-self") => SynthAttr::link(),
        ProcNode::Path(path) => {
            if fixed_link(path).is_some() {
                SynthAttr::link()
            } else if let Some((_, mode, _)) = fixed(path) {
                SynthAttr::file(*mode)
            } else if let Some(entry) = sysctl::find(path) {
                SynthAttr::file(entry.mode)
            } else {
                SynthAttr::dir()
            }
        }
        other => pid::attr(k, other),
    }
}

/// Whether the node still stands for something.
pub fn alive(k: &Kernel, node: &ProcNode) -> bool {
    match node {
        ProcNode::Path(_) => true,
        ProcNode::Task { tid, .. } | ProcNode::Ns { tid, .. } => k.tasks.contains(*tid),
        ProcNode::Fd { tid, fd, .. } => pid::descriptor(k, *tid, *fd).is_some(),
    }
}

/// Whole contents.
pub fn read(k: &mut Kernel, host: &mut dyn Host, viewer: TaskId, node: &ProcNode) -> Result<Vec<u8>, Errno> {
    match node {
        ProcNode::Path(path) => {
            if let Some((_, _, show)) = fixed(path) {
                return Ok(show(k, host, viewer)?.into_bytes());
            }
            match sysctl::find(path) {
                Some(entry) => sysctl::read(k, host, entry),
                None => Err(Errno::EISDIR),
            }
        }
        ProcNode::Task { tid, thread, name } => pid::read(k, host, viewer, *tid, *thread, name),
        ProcNode::Fd { tid, fd, info: true, .. } => pid::fdinfo(k, *tid, *fd),
        ProcNode::Fd { .. } | ProcNode::Ns { .. } => Err(Errno::EINVAL),
    }
}

/// See [`super::synth::read_at`].
pub fn read_at(
    k: &mut Kernel,
    host: &mut dyn Host,
    viewer: TaskId,
    node: &ProcNode,
    offset: u64,
    max: usize,
) -> Option<Result<Vec<u8>, Errno>> {
    match node {
        ProcNode::Path("kmsg") => Some(read_kmsg(k, viewer, max)),
        ProcNode::Task { tid, name: "mem", .. } => Some(pid::read_mem(k, host, viewer, *tid, offset, max)),
        ProcNode::Task { tid, name: "pagemap", .. } => Some(pid::read_pagemap(k, viewer, *tid, offset, max)),
        _ => None,
    }
}

fn read_kmsg(k: &mut Kernel, viewer: TaskId, max: usize) -> Result<Vec<u8>, Errno> {
    crate::log::check_admin(k, viewer)?;
    if k.log.has_unread() { Ok(k.log.take_unread(max)) } else { Err(Errno::EAGAIN) }
}

/// A write.
pub fn write(
    k: &mut Kernel,
    host: &mut dyn Host,
    viewer: TaskId,
    node: &ProcNode,
    offset: u64,
    data: &[u8],
) -> Result<usize, Errno> {
    match node {
        ProcNode::Path(path) => match sysctl::find(path) {
            Some(entry) => sysctl::write(k, viewer, entry, offset, data),
            None => Err(Errno::EIO),
        },
        ProcNode::Task { tid, name, .. } => pid::write(k, host, viewer, *tid, name, offset, data),
        ProcNode::Fd { .. } | ProcNode::Ns { .. } => Err(Errno::EIO),
    }
}

/// Where a link leads.
pub fn readlink(k: &mut Kernel, viewer: TaskId, node: &ProcNode) -> Result<LinkTarget, Errno> {
    match node {
        ProcNode::Path("self") => {
            let GroupId(group) = k.task(viewer).group;
            Ok(LinkTarget::Path(group.to_string().into_bytes()))
        }
        ProcNode::Path("thread-self") => {
            let GroupId(group) = k.task(viewer).group;
            Ok(LinkTarget::Path(format!("{group}/task/{}", viewer.0).into_bytes()))
        }
        ProcNode::Path(path) => {
            fixed_link(path).map(|target| LinkTarget::Path(target.into())).ok_or(Errno::EINVAL)
        }
        other => pid::readlink(k, viewer, other),
    }
}
