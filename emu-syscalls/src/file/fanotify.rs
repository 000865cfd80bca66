//! Fanotify groups: events with an open descriptor, and permission asked before a file is opened or read (fanotify(7)).
//!
//! A mark stands on an inode, a mount or a file system. [`event`] and [`ask`] are called where files are opened, read,
//! written and closed; both cost one look-up for each object while nobody watches it.
//!
//! **Invariant**: a queued event keeps the place it is about. What a listener opens to look at an event makes no event.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::fdtable::put_file;
use crate::file::{FileId, FileOps, Ready, flags};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::TaskId;
use crate::task::wait::{OnSignal, Wait, WaitKey};
use crate::vfs::tree::put_dentry;
use crate::vfs::{InodeId, Loc, MountId, SuperId};

id! {
    /// A fanotify group.
    FanotifyId;
}

/// Events (include/uapi/linux/fanotify.h).
#[allow(missing_docs, reason = "the names of fanotify_mark(2)")]
pub mod fan {
    pub const ACCESS: u64 = 1;
    pub const MODIFY: u64 = 2;
    pub const CLOSE_WRITE: u64 = 8;
    pub const CLOSE_NOWRITE: u64 = 0x10;
    pub const OPEN: u64 = 0x20;
    pub const OPEN_EXEC: u64 = 0x1000;
    pub const Q_OVERFLOW: u64 = 0x4000;
    pub const OPEN_PERM: u64 = 0x1_0000;
    pub const ACCESS_PERM: u64 = 0x2_0000;
    pub const OPEN_EXEC_PERM: u64 = 0x4_0000;
    pub const EVENT_ON_CHILD: u64 = 0x0800_0000;
    pub const ONDIR: u64 = 0x4000_0000;
    /// Those that ask.
    pub const PERM: u64 = OPEN_PERM | ACCESS_PERM | OPEN_EXEC_PERM;
    /// Those that tell.
    pub const TELL: u64 = ACCESS | MODIFY | CLOSE_WRITE | CLOSE_NOWRITE | OPEN | OPEN_EXEC;
}

/// `FAN_UNLIMITED_QUEUE`, `FAN_UNLIMITED_MARKS`, `FAN_REPORT_TID`
pub mod init {
    /// No bound on queued events.
    pub const UNLIMITED_QUEUE: u32 = 0x10;
    /// No bound on marks.
    pub const UNLIMITED_MARKS: u32 = 0x20;
    /// Answers may be audited.
    pub const ENABLE_AUDIT: u32 = 0x40;
    /// Events name threads.
    pub const REPORT_TID: u32 = 0x100;
    /// Which class.
    pub const CLASS: u32 = 0xc;
}

const MAX_QUEUED: usize = 16_384;
const MAX_MARKS: usize = 8192;
/// `struct fanotify_event_metadata`
const RECORD: usize = 24;

/// What a mark stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A file or directory.
    Inode(InodeId),
    /// What is reached through a mount.
    Mount(MountId),
    /// A file system.
    Super(SuperId),
}

/// A mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Mark {
    mask: u64,
    ignored: u64,
    survives: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Event {
    mask: u64,
    loc: Option<Loc>,
    pid: u32,
    question: Option<u64>,
}

/// A task that waits for leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Question {
    tid: TaskId,
    mask: u64,
    loc: Loc,
    group: FanotifyId,
    fd: Option<i32>,
    answer: Option<bool>,
}

/// A group.
#[derive(Debug, Clone)]
pub struct Fanotify {
    file: FileId,
    /// Flags of `fanotify_init`.
    pub flags: u32,
    event_flags: u32,
    marks: persist::OrdMap<Object, Mark>,
    queue: persist::Vector<Event>,
}

/// All groups, and who watches what.
#[derive(Debug, Clone, Default)]
pub struct Fanotifies {
    groups: Arena<FanotifyId, Fanotify>,
    by_object: persist::OrdSet<(Object, FanotifyId)>,
    questions: persist::OrdMap<u64, Question>,
    asked: u64,
}

/// A group as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanotifyFile {
    /// Which.
    pub group: FanotifyId,
}

/// Makes a group. The caller makes the open file and tells it with [`set_file`].
pub fn create(k: &mut Kernel, flags: u32, event_flags: u32) -> FanotifyId {
    k.fanotifies.groups.insert(Fanotify {
        file: FileId(0),
        flags,
        event_flags,
        marks: persist::OrdMap::new(),
        queue: persist::Vector::new(),
    })
}

/// Tells a group its open file.
pub fn set_file(k: &mut Kernel, id: FanotifyId, file: FileId) {
    if let Some(group) = k.fanotifies.groups.get_mut(id) {
        group.file = file;
    }
}

/// A group's flags.
#[must_use]
pub fn flags_of(k: &Kernel, id: FanotifyId) -> u32 {
    k.fanotifies.groups.get(id).map_or(0, |group| group.flags)
}

/// Whether anybody watches anything.
#[must_use]
pub fn active(k: &Kernel) -> bool {
    !k.fanotifies.by_object.is_empty()
}

/// Adds to a mark. `ENOSPC`.
pub fn add_mark(
    k: &mut Kernel,
    id: FanotifyId,
    object: Object,
    mask: u64,
    ignored: Option<bool>,
) -> Result<(), Errno> {
    let group = k.fanotifies.groups.get_mut(id).ok_or(Errno::EBADF)?;
    if group.flags & init::UNLIMITED_MARKS == 0
        && group.marks.len() >= MAX_MARKS
        && !group.marks.contains_key(&object)
    {
        return Err(Errno::ENOSPC);
    }
    let mark = group.marks.entry(object).or_default();
    match ignored {
        None => mark.mask |= mask,
        Some(survives) => {
            mark.ignored |= mask;
            mark.survives |= survives;
        }
    }
    k.fanotifies.by_object.insert((object, id));
    Ok(())
}

/// Takes from a mark; an empty one goes. `ENOENT`.
pub fn remove_mark(
    k: &mut Kernel,
    id: FanotifyId,
    object: Object,
    mask: u64,
    ignored: bool,
) -> Result<(), Errno> {
    let group = k.fanotifies.groups.get_mut(id).ok_or(Errno::EBADF)?;
    let mark = group.marks.get_mut(&object).ok_or(Errno::ENOENT)?;
    if ignored {
        mark.ignored &= !mask;
    } else {
        mark.mask &= !mask;
    }
    let none = fan::EVENT_ON_CHILD | fan::ONDIR;
    if mark.mask & !none == 0 && mark.ignored & !none == 0 {
        group.marks.remove(&object);
        k.fanotifies.by_object.remove(&(object, id));
    }
    Ok(())
}

/// Removes all marks of one kind (`FAN_MARK_FLUSH`).
pub fn flush(k: &mut Kernel, id: FanotifyId, like: Object) {
    let Some(group) = k.fanotifies.groups.get_mut(id) else { return };
    let same = |object: &Object| std::mem::discriminant(object) == std::mem::discriminant(&like);
    let gone: Vec<Object> = group.marks.keys().copied().filter(|object| same(object)).collect();
    for object in gone {
        group.marks.remove(&object);
        k.fanotifies.by_object.remove(&(object, id));
    }
}

/// An inode is gone, and its marks with it.
pub fn inode_gone(k: &mut Kernel, inode: InodeId) {
    if active(k) {
        let object = Object::Inode(inode);
        for id in watchers(k, object) {
            if let Some(group) = k.fanotifies.groups.get_mut(id) {
                group.marks.remove(&object);
            }
            k.fanotifies.by_object.remove(&(object, id));
        }
    }
}

fn watchers(k: &Kernel, object: Object) -> Vec<FanotifyId> {
    let all = k.fanotifies.by_object.range((object, FanotifyId(0))..);
    all.take_while(|(watched, _)| *watched == object).map(|(_, id)| *id).collect()
}

/// The groups that want to know of `mask` at a place, with what they want of it.
fn interested(k: &mut Kernel, loc: Loc, mask: u64) -> Vec<(FanotifyId, u64)> {
    let Some(dentry) = k.vfs.dentries.get(loc.dentry) else { return Vec::new() };
    let (inode, parent) = (dentry.inode, dentry.parent);
    let Some(node) = k.vfs.get_inode(inode) else { return Vec::new() };
    let (is_dir, sb) = (node.is_dir(), node.sb);
    let dir = k.vfs.dentries.get(parent).filter(|_| parent != loc.dentry).map(|dir| dir.inode);
    let objects = [
        Some((Object::Inode(inode), false)),
        dir.map(|dir| (Object::Inode(dir), true)),
        Some((Object::Mount(loc.mount), false)),
        Some((Object::Super(sb), false)),
    ];
    let mut wanted: std::collections::BTreeMap<FanotifyId, (u64, u64)> = std::collections::BTreeMap::new();
    for (object, of_child) in objects.into_iter().flatten() {
        for id in watchers(k, object) {
            let Some(mark) = k.fanotifies.groups.get_mut(id).and_then(|group| group.marks.get_mut(&object))
            else {
                continue;
            };
            if of_child && mark.mask & fan::EVENT_ON_CHILD == 0 {
                continue;
            }
            // What was ignored counts again once the file was changed.
            if mask & fan::MODIFY != 0 && !mark.survives {
                mark.ignored = 0;
            }
            let mark = *mark;
            let entry = wanted.entry(id).or_default();
            if !is_dir || mark.mask & fan::ONDIR != 0 {
                entry.0 |= mark.mask;
            }
            entry.1 |= mark.ignored;
        }
    }
    let found = wanted.into_iter().map(|(id, (want, ignored))| (id, mask & want & !ignored));
    found.filter(|(_, bits)| *bits & (fan::TELL | fan::PERM) != 0).collect()
}

/// Something happened at a place.
pub fn event(k: &mut Kernel, loc: Loc, mask: u64) {
    if !active(k) || mask & fan::TELL == 0 {
        return;
    }
    let who = k.last_ran.and_then(|tid| k.tasks.get(tid)).map_or((0, 0), |task| (task.group.0, task.tid.0));
    for (id, bits) in interested(k, loc, mask & fan::TELL) {
        let Some(group) = k.fanotifies.groups.get(id) else { continue };
        let pid = if group.flags & init::REPORT_TID != 0 { who.1 } else { who.0 };
        queue(k, id, Event { mask: bits, loc: Some(loc), pid, question: None });
    }
}

fn queue(k: &mut Kernel, id: FanotifyId, event: Event) {
    let Some(group) = k.fanotifies.groups.get_mut(id) else { return };
    let file = group.file;
    let full = group.flags & init::UNLIMITED_QUEUE == 0 && group.queue.len() >= MAX_QUEUED;
    let same = |old: &&mut Event| old.loc == event.loc && old.pid == event.pid && old.question.is_none();
    if full && event.question.is_none() {
        let lost = Event { mask: fan::Q_OVERFLOW, loc: None, pid: 0, question: None };
        if group.queue.back() != Some(&lost) {
            group.queue.push_back(lost);
        }
    } else if let Some(old) =
        group.queue.iter_mut().rev().take(128).find(same).filter(|_| event.question.is_none())
    {
        old.mask |= event.mask;
    } else {
        group.queue.push_back(event);
        if let Some(loc) = event.loc {
            k.vfs.get_dentry(loc.dentry);
        }
    }
    k.wake(WaitKey::File(file));
}

/// Asks the listeners for leave; the call runs again when they answered. `EPERM` if one refused.
pub fn ask(ctx: &mut Ctx<'_>, loc: Loc, mask: u64) -> Result<(), Stop> {
    if !active(ctx.k) {
        return Ok(());
    }
    let tid = ctx.tid;
    let mine: Vec<(u64, Question)> = ctx
        .k
        .fanotifies
        .questions
        .iter()
        .filter(|(_, question)| question.tid == tid && question.mask & mask != 0 && question.loc == loc)
        .map(|(id, question)| (*id, *question))
        .collect();
    let open = if mine.is_empty() { pose(ctx, loc, mask) } else { mine };
    if open.is_empty() {
        return Ok(());
    }
    let files: Vec<WaitKey> = open
        .iter()
        .filter(|(_, question)| question.answer.is_none())
        .filter_map(|(_, question)| ctx.k.fanotifies.groups.get(question.group))
        .map(|group| WaitKey::File(group.file))
        .collect();
    if !files.is_empty() {
        return Err(Stop::Block(Wait::any(files, None, OnSignal::Killable)));
    }
    let refused = open.iter().any(|(_, question)| question.answer == Some(false));
    for (id, _) in open {
        ctx.k.fanotifies.questions.remove(&id);
    }
    if refused { Err(Errno::EPERM.into()) } else { Ok(()) }
}

fn pose(ctx: &mut Ctx<'_>, loc: Loc, mask: u64) -> Vec<(u64, Question)> {
    let (tid, pid) = (ctx.tid, ctx.task().group.0);
    let mut posed = Vec::new();
    for (group, bits) in interested(ctx.k, loc, mask) {
        ctx.k.fanotifies.asked += 1;
        let number = ctx.k.fanotifies.asked;
        let question = Question { tid, mask: bits, loc, group, fd: None, answer: None };
        ctx.k.fanotifies.questions.insert(number, question);
        let pid = if flags_of(ctx.k, group) & init::REPORT_TID != 0 { tid.0 } else { pid };
        queue(ctx.k, group, Event { mask: bits, loc: Some(loc), pid, question: Some(number) });
        posed.push((number, question));
    }
    posed
}

/// Forgets what ended tasks asked.
fn drop_stale(k: &mut Kernel) {
    let gone: Vec<u64> = k
        .fanotifies
        .questions
        .iter()
        .filter(|(_, question)| k.tasks.get(question.tid).is_none_or(crate::task::Task::is_dead))
        .map(|(id, _)| *id)
        .collect();
    for id in gone {
        k.fanotifies.questions.remove(&id);
    }
}

impl FanotifyFile {
    /// Opens what an event is about for its reader; -1 if that cannot be.
    fn open(self, ctx: &mut Ctx<'_>, event: &Event) -> Result<i32, Errno> {
        let Some(loc) = event.loc else { return Ok(-1) };
        let wanted = ctx.k.fanotifies.groups.get(self.group).map_or(0, |group| group.event_flags);
        let file = crate::vfs::open::open_quietly(ctx, loc, wanted)?;
        match ctx.install_id(file, wanted & flags::O_CLOEXEC != 0) {
            Ok(fd) => Ok(fd.0),
            Err(errno) => {
                put_file(ctx.k, file);
                Err(errno)
            }
        }
    }
}

impl FileOps for FanotifyFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        let mut out = Vec::new();
        loop {
            let group = ctx.k.fanotifies.groups.get_mut(self.group).ok_or(Errno::EBADF)?;
            let Some(event) = group.queue.front().copied() else { break };
            if out.len() + RECORD > max {
                if out.is_empty() {
                    return Err(Errno::EINVAL.into());
                }
                break;
            }
            group.queue.pop_front();
            let opened = self.open(ctx, &event);
            if let Some(loc) = event.loc {
                put_dentry(ctx.k, loc.dentry);
            }
            if let Some(question) =
                event.question.and_then(|number| ctx.k.fanotifies.questions.get_mut(&number))
            {
                match opened {
                    Ok(fd) => question.fd = Some(fd),
                    Err(_) => question.answer = Some(false),
                }
            }
            let fd = match opened {
                Ok(fd) => fd,
                // What cannot be opened is left out, unless nothing else was found (fanotify_read).
                Err(errno) if out.is_empty() => {
                    ctx.k.wake(WaitKey::File(id));
                    return Err(errno.into());
                }
                Err(_) => break,
            };
            out.extend_from_slice(&24u32.to_le_bytes());
            out.extend_from_slice(&[3, 0]);
            out.extend_from_slice(&24u16.to_le_bytes());
            out.extend_from_slice(&event.mask.to_le_bytes());
            out.extend_from_slice(&fd.to_le_bytes());
            out.extend_from_slice(&event.pid.to_le_bytes());
        }
        if out.is_empty() { Err(ctx.block_on(id)) } else { Ok(out) }
    }
    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], _pos: u64) -> Result<usize, Stop> {
        const ALLOW: u32 = 1;
        const DENY: u32 = 2;
        const AUDIT: u32 = 0x10;
        let word = |at: usize| data.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        let (Some(fd), Some(response)) = (word(0), word(4)) else { return Err(Errno::EINVAL.into()) };
        let fd = fd.cast_signed();
        let audits = flags_of(ctx.k, self.group) & init::ENABLE_AUDIT != 0;
        if fd < 0 || !matches!(response & !AUDIT, ALLOW | DENY) || (response & AUDIT != 0 && !audits) {
            return Err(Errno::EINVAL.into());
        }
        drop_stale(ctx.k);
        let group = self.group;
        let asked = ctx.k.fanotifies.questions.iter().find(|(_, question)| {
            question.group == group && question.fd == Some(fd) && question.answer.is_none()
        });
        let number = asked.map(|(number, _)| *number).ok_or(Errno::ENOENT)?;
        if let Some(question) = ctx.k.fanotifies.questions.get_mut(&number) {
            question.answer = Some(response & !AUDIT == ALLOW);
        }
        ctx.k.wake(WaitKey::File(id));
        Ok(data.len())
    }
    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, _id: FileId) -> Ready {
        match k.fanotifies.groups.get(self.group) {
            Some(group) if !group.queue.is_empty() => Ready::IN | Ready::RDNORM,
            _ => Ready::empty(),
        }
    }
    fn ioctl(&self, ctx: &mut Ctx<'_>, _id: FileId, request: u32, arg: Addr) -> SysResult {
        const FIONREAD: u32 = 0x541b;
        if request != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let queued = ctx.k.fanotifies.groups.get(self.group).map_or(0, |group| group.queue.len() * RECORD);
        ctx.write_u32(arg, u32::try_from(queued).unwrap_or(u32::MAX))?;
        Ok(0)
    }
    fn release(&self, k: &mut Kernel, id: FileId) {
        let Some(group) = k.fanotifies.groups.remove(self.group) else { return };
        for object in group.marks.keys() {
            k.fanotifies.by_object.remove(&(*object, self.group));
        }
        for loc in group.queue.iter().filter_map(|event| event.loc) {
            put_dentry(k, loc.dentry);
        }
        // Nobody is left to refuse.
        let open: Vec<u64> = k
            .fanotifies
            .questions
            .iter()
            .filter(|(_, question)| question.group == self.group && question.answer.is_none())
            .map(|(number, _)| *number)
            .collect();
        for number in open {
            if let Some(question) = k.fanotifies.questions.get_mut(&number) {
                question.answer = Some(true);
            }
        }
        k.wake(WaitKey::File(id));
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[fanotify]".to_owned()
    }
}
