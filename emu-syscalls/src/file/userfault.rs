//! Userfaultfd instances as files: messages about faults are read, pages are provided by ioctl (ioctl_userfaultfd(2)).
//!
//! **Invariant**: an instance acts on the memory of the process that made it and no other.

use std::ops::Range;

use emu_core::elf::page_down;
use emu_core::mem::{Access, PAGE_SIZE};
use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::id;
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::{File, FileId, FileOps, Ready, flags};
use crate::kernel::Kernel;
use crate::mm::fault::fault_in;
use crate::mm::layout::TASK_SIZE;
use crate::mm::map::Limits;
use crate::mm::userfault::{self, Registered, mode};
use crate::mm::{Backing, MmId, area_of};
use crate::seam::Host;

id! {
    /// An instance.
    UffdId;
}

/// `UFFD_FEATURE_*`
#[allow(missing_docs, reason = "the names of ioctl_userfaultfd(2)")]
pub mod feature {
    pub const PAGEFAULT_FLAG_WP: u64 = 1;
    pub const MISSING_SHMEM: u64 = 1 << 5;
    pub const SIGBUS: u64 = 1 << 7;
    pub const THREAD_ID: u64 = 1 << 8;
    pub const MINOR_SHMEM: u64 = 1 << 10;
    pub const EXACT_ADDRESS: u64 = 1 << 11;
    pub const POISON: u64 = 1 << 14;
    pub const MOVE: u64 = 1 << 16;
    pub const KNOWN: u64 =
        PAGEFAULT_FLAG_WP | MISSING_SHMEM | SIGBUS | THREAD_ID | MINOR_SHMEM | EXACT_ADDRESS | POISON | MOVE;
}

const UFFD_API: u64 = 0xaa;
const API: u32 = 0xc018_aa3f;
const REGISTER: u32 = 0xc020_aa00;
const UNREGISTER: u32 = 0x8010_aa01;
const WAKE: u32 = 0x8010_aa02;
const COPY: u32 = 0xc028_aa03;
const ZEROPAGE: u32 = 0xc020_aa04;
const MOVE: u32 = 0xc028_aa05;
const WRITEPROTECT: u32 = 0xc018_aa06;
const CONTINUE: u32 = 0xc020_aa07;
const POISON: u32 = 0xc020_aa08;
/// Bytes of `struct uffd_msg`.
const MESSAGE: usize = 32;

/// Bytes that one call provides at most.
const PIECE: u64 = 64 << 20;

/// An instance.
#[derive(Debug, Clone)]
pub struct Uffd {
    /// Its open file.
    pub file: FileId,
    /// Whose memory it is about.
    pub mm: MmId,
    /// `UFFDIO_API` was made.
    pub ready: bool,
    /// Features asked for.
    pub features: u64,
    /// Faults not read yet: flags, address, thread.
    pub queue: persist::Vector<(u64, u64, u32)>,
}

/// An instance as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UffdFile {
    /// Which.
    pub uffd: UffdId,
}

/// Makes an instance for the caller's memory (`userfaultfd(2)`, `USERFAULTFD_IOC_NEW`).
pub fn make(ctx: &mut Ctx<'_>, bits: u32) -> SysResult {
    const USER_MODE_ONLY: u32 = 1;
    if bits & !(flags::O_CLOEXEC | flags::O_NONBLOCK | USER_MODE_ONLY) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let mm = ctx.mm_id()?;
    let state = Uffd { file: FileId(0), mm, ready: false, features: 0, queue: persist::Vector::new() };
    let uffd = ctx.k.uffds.insert(state);
    let status = flags::O_RDWR | bits & flags::O_NONBLOCK;
    let fd = match ctx.install(File::Uffd(UffdFile { uffd }), status, bits & flags::O_CLOEXEC != 0) {
        Ok(fd) => fd,
        Err(errno) => {
            ctx.k.uffds.remove(uffd);
            return Err(errno.into());
        }
    };
    let file = ctx.fd(fd)?;
    if let Some(state) = ctx.k.uffds.get_mut(uffd) {
        state.file = file;
    }
    Ok(crate::calls::desc::fd_result(fd))
}

impl FileOps for UffdFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        let state = ctx.k.uffds.get_mut(self.uffd).ok_or(Errno::EBADF)?;
        if !state.ready || max < MESSAGE {
            return Err(Errno::EINVAL.into());
        }
        if state.queue.is_empty() {
            return Err(ctx.block_on(id));
        }
        let mut out = Vec::new();
        while out.len() + MESSAGE <= max
            && let Some((flags, address, thread)) = state.queue.pop_front()
        {
            const PAGEFAULT: u64 = 0x12;
            for word in [PAGEFAULT, flags, address, u64::from(thread)] {
                out.extend(word.to_le_bytes());
            }
        }
        Ok(out)
    }
    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, id: FileId) -> Ready {
        let Some(state) = k.uffds.get(self.uffd) else { return Ready::ERR };
        let nonblocking = k.files.get(id).is_some_and(|file| file.flags & flags::O_NONBLOCK != 0);
        match (state.ready && nonblocking, state.queue.is_empty()) {
            (false, _) => Ready::ERR,
            (true, false) => Ready::IN | Ready::RDNORM,
            (true, true) => Ready::empty(),
        }
    }
    fn ioctl(&self, ctx: &mut Ctx<'_>, _id: FileId, request: u32, arg: Addr) -> SysResult {
        let state = ctx.k.uffds.get(self.uffd).ok_or(Errno::EBADF)?;
        if request != API && !state.ready {
            return Err(Errno::EINVAL.into());
        }
        match request {
            API => api(ctx, self.uffd, arg)?,
            REGISTER => register(ctx, self.uffd, arg)?,
            UNREGISTER => {
                let range = range(ctx, arg)?;
                let mm = memory(ctx, self.uffd)?;
                userfault::protect(ctx.k, mm, range.clone(), false);
                if let Some(mm) = ctx.k.mms.get_mut(mm) {
                    mm.userfaults.forget(range.clone());
                }
                userfault::wake(ctx.k, self.uffd, range);
            }
            WAKE => {
                let range = range(ctx, arg)?;
                userfault::wake(ctx.k, self.uffd, range);
            }
            COPY | MOVE => copy(ctx, self.uffd, arg, request == MOVE)?,
            ZEROPAGE | CONTINUE | POISON => provide(ctx, self.uffd, arg, request)?,
            WRITEPROTECT => write_protect(ctx, self.uffd, arg)?,
            _ => return Err(Errno::EINVAL.into()),
        }
        Ok(0)
    }
    fn release(&self, k: &mut Kernel, _id: FileId) {
        let Some(state) = k.uffds.get(self.uffd) else { return };
        let id = state.mm;
        let mine: Vec<Range<u64>> = k
            .mms
            .get(id)
            .map(|mm| {
                let ranges = mm.userfaults.ranges.iter().filter(|(_, held)| held.uffd == self.uffd);
                ranges.map(|(start, held)| *start..held.end).collect()
            })
            .unwrap_or_default();
        for range in mine {
            userfault::protect(k, id, range.clone(), false);
            let Some(mm) = k.mms.get_mut(id) else { continue };
            // A poisoned page stays poisoned.
            let poisoned = mm.userfaults.poisoned.clone();
            mm.userfaults.forget(range);
            mm.userfaults.poisoned = poisoned;
        }
        userfault::wake(k, self.uffd, 0..TASK_SIZE);
        k.uffds.remove(self.uffd);
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[userfaultfd]".to_owned()
    }
}

/// The instance's memory. `ESRCH` once its process is gone.
fn memory(ctx: &Ctx<'_>, uffd: UffdId) -> Result<MmId, Errno> {
    let id = ctx.k.uffds.get(uffd).ok_or(Errno::EBADF)?.mm;
    if ctx.k.mms.contains(id) { Ok(id) } else { Err(Errno::ESRCH) }
}

fn checked(start: u64, len: u64) -> Result<Range<u64>, Errno> {
    let end = start.checked_add(len).filter(|end| *end <= TASK_SIZE && len > 0);
    match end {
        Some(end) if start.is_multiple_of(PAGE_SIZE) && len.is_multiple_of(PAGE_SIZE) => Ok(start..end),
        _ => Err(Errno::EINVAL),
    }
}

fn range(ctx: &mut Ctx<'_>, arg: Addr) -> Result<Range<u64>, Errno> {
    let (start, len) = (ctx.read_u64(arg)?, ctx.read_u64(arg.at(8))?);
    checked(start, len)
}

fn api(ctx: &mut Ctx<'_>, uffd: UffdId, arg: Addr) -> Result<(), Errno> {
    let (version, wanted) = (ctx.read_u64(arg)?, ctx.read_u64(arg.at(8))?);
    let state = ctx.k.uffds.get(uffd).ok_or(Errno::EBADF)?;
    if state.ready || version != UFFD_API || wanted & !feature::KNOWN != 0 {
        if wanted & !feature::KNOWN != 0 {
            let at = format!("task {}", ctx.tid.0);
            ctx.k.gap(format!("userfaultfd features {:#x}", wanted & !feature::KNOWN), at);
        }
        ctx.write_user(arg, &[0; 24])?;
        return Err(Errno::EINVAL);
    }
    ctx.write_u64(arg.at(8), feature::KNOWN)?;
    ctx.write_u64(arg.at(16), 1 << 63 | 3)?;
    if let Some(state) = ctx.k.uffds.get_mut(uffd) {
        state.ready = true;
        state.features = wanted;
    }
    Ok(())
}

fn register(ctx: &mut Ctx<'_>, uffd: UffdId, arg: Addr) -> Result<(), Errno> {
    let modes = ctx.read_u64(arg.at(16))?;
    if modes == 0 || modes & !(mode::MISSING | mode::WP | mode::MINOR) != 0 {
        return Err(Errno::EINVAL);
    }
    let range = range(ctx, arg)?;
    let id = memory(ctx, uffd)?;
    let mm = ctx.k.mms.get(id).ok_or(Errno::ESRCH)?;
    let mut any = false;
    let mut anonymous = true;
    for area in mm.within(range.clone()) {
        any = true;
        match &area.backing {
            Backing::Anonymous if modes & mode::MINOR == 0 => {}
            // Memory files, and shared memory without a file.
            Backing::Object { shared: true, inode, .. } if modes & mode::WP == 0 => {
                anonymous = false;
                let lower = inode
                    .and_then(|inode| ctx.k.vfs.get_inode(inode))
                    .is_some_and(|inode| inode.lower.is_some());
                if lower {
                    return Err(Errno::EINVAL);
                }
            }
            _ => return Err(Errno::EINVAL),
        }
        if !area.may.contains(emu_core::mem::PageProt::WRITE) {
            return Err(Errno::EPERM);
        }
    }
    if !any {
        return Err(Errno::EINVAL);
    }
    let taken =
        |held: &Registered, start: u64| start < range.end && held.end > range.start && held.uffd != uffd;
    if mm.userfaults.ranges.iter().any(|(start, held)| taken(held, *start)) {
        return Err(Errno::EBUSY);
    }
    if let Some(mm) = ctx.k.mms.get_mut(id) {
        let protected = mm.userfaults.protected.clone();
        mm.userfaults.forget(range.clone());
        mm.userfaults.protected = protected;
        mm.userfaults.ranges.insert(range.start, Registered { end: range.end, uffd, modes });
    }
    // WAKE, COPY, POISON; ZEROPAGE and MOVE for anonymous memory, WRITEPROTECT and CONTINUE as asked.
    let mut can = 1 << 2 | 1 << 3 | 1 << 8;
    can |= if anonymous { 1 << 4 | 1 << 5 } else { 1 << 4 };
    can |= if modes & mode::WP != 0 { 1 << 6 } else { 0 };
    can |= if modes & mode::MINOR != 0 { 1 << 7 } else { 0 };
    ctx.write_u64(arg.at(24), can)
}

/// Tells how many bytes were done: the field behind the arguments, and the call's result.
fn finish(ctx: &mut Ctx<'_>, field: Addr, done: u64, len: u64, end: Result<(), Errno>) -> Result<(), Errno> {
    let value = match end {
        Err(errno) if done == 0 => errno.to_reg(),
        _ => done,
    };
    ctx.write_u64(field, value)?;
    match end {
        Err(errno) if done == 0 => Err(errno),
        _ if done < len => Err(Errno::EAGAIN),
        _ => Ok(()),
    }
}

/// Makes the page at `at` of a registered range present, with these bytes. `EEXIST`, `ENOENT` outside of what is
/// registered.
fn put_page(ctx: &mut Ctx<'_>, uffd: UffdId, id: MmId, at: u64, data: Option<&[u8]>) -> Result<(), Errno> {
    let mm = ctx.k.mms.get(id).ok_or(Errno::ESRCH)?;
    if mm.userfaults.find(at).is_none_or(|held| held.uffd != uffd) {
        return Err(Errno::ENOENT);
    }
    let space = mm.space;
    let area = area_of(ctx.k, id, at).ok_or(Errno::ENOENT)?.clone();
    if ctx.k.mem.page(space, at).is_some() || mm_poisoned(ctx.k, id, at) {
        return Err(Errno::EEXIST);
    }
    if let Backing::Object { object, .. } = &area.backing {
        let offset = area.object_offset(at).unwrap_or(0);
        if ctx.k.mem.object_has_page(*object, offset / PAGE_SIZE) {
            return Err(Errno::EEXIST);
        }
        let zeros = [0; 4096];
        ctx.k.mem.object_write(*object, offset, data.unwrap_or(&zeros)).map_err(|_| Errno::ENOMEM)?;
        return map_present(ctx, id, at);
    }
    ctx.k.mem.map_zero(space, at, area.page_prot()).map_err(|_| Errno::ENOMEM)?;
    if let Some(data) = data {
        ctx.k.mem.write_forced(space, at, data).map_err(|_| Errno::ENOMEM)?;
    }
    Ok(())
}

fn mm_poisoned(k: &Kernel, id: MmId, at: u64) -> bool {
    k.mms.get(id).is_some_and(|mm| mm.userfaults.poisoned.contains(&at))
}

/// Maps what the object of the area has at `at`.
fn map_present(ctx: &mut Ctx<'_>, id: MmId, at: u64) -> Result<(), Errno> {
    let limits = Limits::of(ctx.k, ctx.tid);
    fault_in(ctx.k, ctx.host, id, at, Access::Read, &limits).map_err(|_| Errno::EFAULT)
}

fn copy(ctx: &mut Ctx<'_>, uffd: UffdId, arg: Addr, moves: bool) -> Result<(), Errno> {
    const DONTWAKE: u64 = 1;
    const SECOND: u64 = 2;
    let word = |ctx: &mut Ctx<'_>, index: u64| ctx.read_u64(arg.at(index * 8));
    let (dst, src, len, bits) = (word(ctx, 0)?, word(ctx, 1)?, word(ctx, 2)?, word(ctx, 3)?);
    let to = checked(dst, len)?;
    if bits & !(DONTWAKE | SECOND) != 0 || src.checked_add(len).is_none() || moves && src % PAGE_SIZE != 0 {
        return Err(Errno::EINVAL);
    }
    let id = memory(ctx, uffd)?;
    let mut done = 0;
    let mut end = Ok(());
    while done < len.min(PIECE) {
        let mut data = [0; 4096];
        let from = src + done;
        end = read_source(ctx, from, &mut data, moves)
            .and_then(|()| put_page(ctx, uffd, id, dst + done, Some(&data)));
        if end.is_err() {
            break;
        }
        if moves {
            let space = ctx.k.mms.get(id).ok_or(Errno::ESRCH)?.space;
            ctx.k.mem.unmap(space, from..from + PAGE_SIZE);
        } else if bits & SECOND != 0 {
            userfault::protect(ctx.k, id, dst + done..dst + done + PAGE_SIZE, true);
        }
        done += PAGE_SIZE;
    }
    if bits & DONTWAKE == 0 {
        userfault::wake(ctx.k, uffd, to);
    }
    finish(ctx, arg.at(32), done, len, end)
}

/// The bytes of a source page; a page that is moved must be there, anonymous and private.
fn read_source(ctx: &mut Ctx<'_>, from: u64, data: &mut [u8], moves: bool) -> Result<(), Errno> {
    if moves {
        let id = ctx.mm_id()?;
        let space = ctx.space();
        let private = area_of(ctx.k, id, from).is_some_and(|area| area.backing == Backing::Anonymous);
        if !private {
            return Err(Errno::EINVAL);
        }
        if ctx.k.mem.page(space, from).is_none() {
            return Err(Errno::ENOENT);
        }
    }
    ctx.read_user(Addr(from), data)
}

fn provide(ctx: &mut Ctx<'_>, uffd: UffdId, arg: Addr, request: u32) -> Result<(), Errno> {
    const DONTWAKE: u64 = 1;
    let range = range(ctx, arg)?;
    let bits = ctx.read_u64(arg.at(16))?;
    if bits & !DONTWAKE != 0 {
        return Err(Errno::EINVAL);
    }
    let id = memory(ctx, uffd)?;
    let (mut done, mut end) = (0, Ok(()));
    // What is left after a bounded piece is asked for again.
    let last = range.end.min(range.start.saturating_add(PIECE));
    for at in (range.start..last).step_by(4096) {
        end = match request {
            ZEROPAGE => put_page(ctx, uffd, id, at, None),
            CONTINUE => continue_page(ctx, uffd, id, at),
            _ => poison(ctx, uffd, id, at),
        };
        if end.is_err() {
            break;
        }
        done += PAGE_SIZE;
    }
    let len = range.end - range.start;
    if bits & DONTWAKE == 0 {
        userfault::wake(ctx.k, uffd, range);
    }
    finish(ctx, arg.at(24), done, len, end)
}

fn continue_page(ctx: &mut Ctx<'_>, uffd: UffdId, id: MmId, at: u64) -> Result<(), Errno> {
    let mm = ctx.k.mms.get(id).ok_or(Errno::ESRCH)?;
    if mm.userfaults.find(at).is_none_or(|held| held.uffd != uffd || held.modes & mode::MINOR == 0) {
        return Err(Errno::EINVAL);
    }
    if ctx.k.mem.page(mm.space, at).is_some() {
        return Err(Errno::EEXIST);
    }
    let area = area_of(ctx.k, id, at).ok_or(Errno::ENOENT)?;
    let held = match &area.backing {
        Backing::Object { object, .. } => {
            ctx.k.mem.object_has_page(*object, area.object_offset(at).unwrap_or(0) / PAGE_SIZE)
        }
        Backing::Anonymous => return Err(Errno::EINVAL),
    };
    if !held {
        return Err(Errno::EFAULT);
    }
    map_present(ctx, id, at)
}

fn poison(ctx: &mut Ctx<'_>, uffd: UffdId, id: MmId, at: u64) -> Result<(), Errno> {
    let mm = ctx.k.mms.get(id).ok_or(Errno::ESRCH)?;
    if mm.userfaults.find(at).is_none_or(|held| held.uffd != uffd) {
        return Err(Errno::ENOENT);
    }
    if ctx.k.mem.page(mm.space, at).is_some() {
        return Err(Errno::EEXIST);
    }
    let limit = ctx.k.mem.limit() / PAGE_SIZE;
    if let Some(mm) = ctx.k.mms.get_mut(id) {
        if mm.userfaults.poisoned.len() as u64 >= limit {
            return Err(Errno::ENOMEM);
        }
        mm.userfaults.poisoned.insert(page_down(at));
    }
    Ok(())
}

fn write_protect(ctx: &mut Ctx<'_>, uffd: UffdId, arg: Addr) -> Result<(), Errno> {
    const WP: u64 = 1;
    const DONTWAKE: u64 = 2;
    let range = range(ctx, arg)?;
    let bits = ctx.read_u64(arg.at(16))?;
    if bits & !(WP | DONTWAKE) != 0 || bits == WP | DONTWAKE {
        return Err(Errno::EINVAL);
    }
    let id = memory(ctx, uffd)?;
    let mm = ctx.k.mms.get(id).ok_or(Errno::ESRCH)?;
    let held = mm.userfaults.find(range.start);
    if held.is_none_or(|held| held.uffd != uffd || held.modes & mode::WP == 0 || held.end < range.end) {
        return Err(Errno::ENOENT);
    }
    userfault::protect(ctx.k, id, range.clone(), bits & WP != 0);
    if bits & (WP | DONTWAKE) == 0 {
        userfault::wake(ctx.k, uffd, range);
    }
    Ok(())
}
