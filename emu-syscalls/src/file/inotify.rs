//! Inotify instances: what happened to watched inodes.
//!
//! The file systems call [`event`] for every change; it costs one look-up for an inode nobody watches.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::{FileId, FileOps, NextRead, Ready, sigio};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::wait::WaitKey;
use crate::vfs::InodeId;

id! {
    /// An inotify instance.
    InotifyId;
}

/// Event and flag bits (include/uapi/linux/inotify.h).
#[allow(missing_docs, reason = "the names of inotify(7)")]
pub mod mask {
    pub const ACCESS: u32 = 1;
    pub const MODIFY: u32 = 2;
    pub const ATTRIB: u32 = 4;
    pub const CLOSE_WRITE: u32 = 8;
    pub const CLOSE_NOWRITE: u32 = 0x10;
    pub const OPEN: u32 = 0x20;
    pub const MOVED_FROM: u32 = 0x40;
    pub const MOVED_TO: u32 = 0x80;
    pub const CREATE: u32 = 0x100;
    pub const DELETE: u32 = 0x200;
    pub const DELETE_SELF: u32 = 0x400;
    pub const MOVE_SELF: u32 = 0x800;
    pub const ALL_EVENTS: u32 = 0xfff;
    pub const UNMOUNT: u32 = 0x2000;
    pub const Q_OVERFLOW: u32 = 0x4000;
    pub const IGNORED: u32 = 0x8000;
    pub const ONLYDIR: u32 = 0x100_0000;
    pub const DONT_FOLLOW: u32 = 0x200_0000;
    pub const EXCL_UNLINK: u32 = 0x400_0000;
    pub const MASK_CREATE: u32 = 0x1000_0000;
    pub const MASK_ADD: u32 = 0x2000_0000;
    pub const ISDIR: u32 = 0x4000_0000;
    /// Of fanotify only: the file is opened to be executed.
    pub const OPEN_EXEC: u32 = 0x1000;
    /// Not for guests: the entry has lost its name.
    pub const UNLINKED: u32 = 0x0800_0000;
    pub const ONESHOT: u32 = 0x8000_0000;
}

/// Events that an instance holds before it overflows (/proc/sys/fs/inotify/max_queued_events).
const MAX_QUEUED: usize = 16384;

/// An event to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    wd: i32,
    mask: u32,
    cookie: u32,
    name: Vec<u8>,
}

impl Record {
    /// Bytes it takes in a buffer: the name is padded to a multiple of the header's size.
    fn size(&self) -> usize {
        16 + self.name_size()
    }
    fn name_size(&self) -> usize {
        if self.name.is_empty() { 0 } else { (self.name.len() + 1).next_multiple_of(16) }
    }
    fn put(&self, out: &mut Vec<u8>) {
        let name_size = self.name_size();
        out.extend_from_slice(&self.wd.to_le_bytes());
        out.extend_from_slice(&self.mask.to_le_bytes());
        out.extend_from_slice(&self.cookie.to_le_bytes());
        out.extend_from_slice(&u32::try_from(name_size).unwrap_or(0).to_le_bytes());
        let end = out.len() + name_size;
        out.extend_from_slice(&self.name);
        out.resize(end, 0);
    }
}

/// An instance.
#[derive(Debug, Clone)]
pub struct Inotify {
    file: FileId,
    watches: persist::OrdMap<i32, (InodeId, u32)>,
    queue: persist::Vector<Record>,
    next_wd: i32,
}

/// All instances, and who watches which inode.
#[derive(Debug, Clone, Default)]
pub struct Inotifies {
    instances: Arena<InotifyId, Inotify>,
    by_inode: persist::OrdSet<(InodeId, InotifyId, i32)>,
    /// Directories watched by `F_NOTIFY`.
    pub(crate) dir_watches: persist::OrdMap<InodeId, persist::Vector<crate::file::sigio::DirWatch>>,
    last_cookie: u32,
}

/// An instance as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InotifyFile {
    /// Which.
    pub instance: InotifyId,
}

/// Makes an instance. The caller makes the open file and tells it with [`set_file`].
pub fn create(k: &mut Kernel) -> InotifyId {
    k.inotifies.instances.insert(Inotify {
        file: FileId(0),
        watches: persist::OrdMap::new(),
        queue: persist::Vector::new(),
        next_wd: 1,
    })
}

/// Tells an instance its open file.
pub fn set_file(k: &mut Kernel, id: InotifyId, file: FileId) {
    if let Some(instance) = k.inotifies.instances.get_mut(id) {
        instance.file = file;
    }
}

/// A number that ties `MOVED_FROM` and `MOVED_TO` together.
pub fn new_cookie(k: &mut Kernel) -> u32 {
    k.inotifies.last_cookie = k.inotifies.last_cookie.wrapping_add(1).max(1);
    k.inotifies.last_cookie
}

/// Whether anybody watches anything.
#[must_use]
pub fn active(k: &Kernel) -> bool {
    !k.inotifies.by_inode.is_empty()
        || !k.inotifies.dir_watches.is_empty()
        || crate::file::fanotify::active(k)
}

fn watchers(k: &Kernel, inode: InodeId) -> Vec<(InotifyId, i32)> {
    let all = &k.inotifies.by_inode;
    all.range((inode, InotifyId(0), i32::MIN)..)
        .take_while(|(watched, ..)| *watched == inode)
        .map(|(_, instance, wd)| (*instance, *wd))
        .collect()
}

/// Something (`bits`, with ISDIR for a directory) happened to `inode`, known as `parent`'s entry of that name. Events
/// about an entry (CREATE, DELETE, MOVED_*) pass the directory as `parent` and no `inode`. `DELETE_SELF` ends the watches.
pub fn event(
    k: &mut Kernel,
    inode: Option<InodeId>,
    parent: Option<(InodeId, &[u8])>,
    bits: u32,
    cookie: u32,
) {
    if !active(k) {
        return;
    }
    if let Some((dir, name)) = parent {
        sigio::dir_event(k, dir, bits, false);
        for (instance, wd) in watchers(k, dir) {
            push(k, instance, wd, bits, cookie, name);
        }
    }
    let Some(inode) = inode else { return };
    sigio::dir_event(k, inode, bits, false);
    for (instance, wd) in watchers(k, inode) {
        push(k, instance, wd, bits, cookie, b"");
        if bits & (mask::DELETE_SELF | mask::UNMOUNT) != 0 {
            drop_watch(k, instance, wd);
        }
    }
}

fn push(k: &mut Kernel, id: InotifyId, wd: i32, bits: u32, cookie: u32, name: &[u8]) {
    let Some(instance) = k.inotifies.instances.get_mut(id) else { return };
    let Some((_, wanted)) = instance.watches.get(&wd).copied() else { return };
    if bits & wanted & mask::ALL_EVENTS == 0 && bits & (mask::UNMOUNT | mask::IGNORED) == 0 {
        return;
    }
    if bits & mask::UNLINKED != 0 && wanted & mask::EXCL_UNLINK != 0 && !name.is_empty() {
        return;
    }
    queue(k, id, Record { wd, mask: bits & !mask::UNLINKED, cookie, name: name.to_vec() });
    if wanted & mask::ONESHOT != 0 && bits & mask::IGNORED == 0 {
        drop_watch(k, id, wd);
    }
}

fn queue(k: &mut Kernel, id: InotifyId, record: Record) {
    let Some(instance) = k.inotifies.instances.get_mut(id) else { return };
    let record = if instance.queue.len() >= MAX_QUEUED {
        Record { wd: -1, mask: mask::Q_OVERFLOW, cookie: 0, name: Vec::new() }
    } else {
        record
    };
    // Linux merges an event with an identical one just before it.
    if instance.queue.back() != Some(&record) {
        instance.queue.push_back(record);
    }
    let file = instance.file;
    k.wake(WaitKey::File(file));
}

/// Watches of an instance, for /proc/PID/fdinfo: descriptor, inode, mask.
#[must_use]
pub fn watches(k: &Kernel, id: InotifyId) -> Vec<(i32, InodeId, u32)> {
    let Some(instance) = k.inotifies.instances.get(id) else { return Vec::new() };
    instance.watches.iter().map(|(wd, (inode, bits))| (*wd, *inode, *bits)).collect()
}

/// Ends a watch, with its `IN_IGNORED`.
fn drop_watch(k: &mut Kernel, id: InotifyId, wd: i32) {
    let Some(instance) = k.inotifies.instances.get_mut(id) else { return };
    let Some((inode, _)) = instance.watches.remove(&wd) else { return };
    k.inotifies.by_inode.remove(&(inode, id, wd));
    queue(k, id, Record { wd, mask: mask::IGNORED, cookie: 0, name: Vec::new() });
}

/// `inotify_add_watch(2)` on a resolved inode: the watch descriptor. `EEXIST`.
pub fn add_watch(k: &mut Kernel, id: InotifyId, inode: InodeId, bits: u32) -> Result<i32, Errno> {
    let kept = mask::ALL_EVENTS | mask::ONESHOT | mask::EXCL_UNLINK;
    let instance = k.inotifies.instances.get_mut(id).ok_or(Errno::EINVAL)?;
    let found = instance.watches.iter().find(|(_, (watched, _))| *watched == inode).map(|(wd, _)| *wd);
    if let Some(wd) = found {
        if bits & mask::MASK_CREATE != 0 {
            return Err(Errno::EEXIST);
        }
        if let Some((_, old)) = instance.watches.get_mut(&wd) {
            *old = if bits & mask::MASK_ADD != 0 { *old | bits & kept } else { bits & kept };
        }
        return Ok(wd);
    }
    let wd = instance.next_wd;
    instance.next_wd = instance.next_wd.checked_add(1).ok_or(Errno::ENOSPC)?;
    instance.watches.insert(wd, (inode, bits & kept));
    k.inotifies.by_inode.insert((inode, id, wd));
    Ok(wd)
}

/// `inotify_rm_watch(2)`. `EINVAL`.
pub fn remove_watch(k: &mut Kernel, id: InotifyId, wd: i32) -> Result<(), Errno> {
    let instance = k.inotifies.instances.get(id).ok_or(Errno::EINVAL)?;
    if !instance.watches.contains_key(&wd) {
        return Err(Errno::EINVAL);
    }
    drop_watch(k, id, wd);
    Ok(())
}

impl FileOps for InotifyFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        let instance = ctx.k.inotifies.instances.get_mut(self.instance).ok_or(Errno::EBADF)?;
        let mut out = Vec::new();
        while let Some(record) = instance.queue.front() {
            if out.len() + record.size() > max {
                if out.is_empty() {
                    return Err(Errno::EINVAL.into());
                }
                break;
            }
            record.put(&mut out);
            instance.queue.pop_front();
        }
        if out.is_empty() { Err(ctx.block_on(id)) } else { Ok(out) }
    }
    fn next_read(&self, _k: &Kernel) -> NextRead {
        NextRead::Message
    }
    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, _id: FileId) -> Ready {
        match k.inotifies.instances.get(self.instance) {
            Some(instance) if !instance.queue.is_empty() => Ready::IN | Ready::RDNORM,
            _ => Ready::empty(),
        }
    }
    fn ioctl(&self, ctx: &mut Ctx<'_>, _id: FileId, request: u32, arg: Addr) -> SysResult {
        const FIONREAD: u32 = 0x541b;
        if request != FIONREAD {
            return Err(Errno::ENOTTY.into());
        }
        let queued =
            ctx.k.inotifies.instances.get(self.instance).map(|i| i.queue.iter().map(Record::size).sum());
        let bytes: usize = queued.unwrap_or(0);
        ctx.write_u32(arg, u32::try_from(bytes).unwrap_or(u32::MAX))?;
        Ok(0)
    }
    fn release(&self, k: &mut Kernel, _id: FileId) {
        let Some(instance) = k.inotifies.instances.remove(self.instance) else { return };
        for (wd, (inode, _)) in &instance.watches {
            k.inotifies.by_inode.remove(&(*inode, self.instance, *wd));
        }
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:inotify".to_owned()
    }
}
