//! `mmap(2)` and its family: mmap, munmap, mprotect, mremap, brk, madvise, mincore, msync, mlock, mseal.
//!
//! Neighbours: [`crate::mm`] acts.

use std::ops::Range;

use emu_core::elf::page_up;
use emu_core::mem::{PAGE_SIZE, PageProt};

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, Len, U32, U64};
use crate::ctx::{Ctx, SysResult};
use crate::mm::advise::{self, LockFill};
use crate::mm::layout::TASK_SIZE;
use crate::mm::map::{self, Limits, MapRequest, MapSource, NewArea, Place, page_len};
use crate::mm::remap::{Remap, RemapFlags, remap};
use crate::mm::{AreaFlags, Backing, MmId, RWX};

const MAP_SHARED: u64 = 1;
const MAP_PRIVATE: u64 = 2;
const MAP_SHARED_VALIDATE: u64 = 3;
const MAP_TYPE: u64 = 0xf;
const MAP_FIXED: u64 = 0x10;
const MAP_ANONYMOUS: u64 = 0x20;
const MAP_32BIT: u64 = 0x40;
const MAP_GROWSDOWN: u64 = 0x100;
const MAP_DENYWRITE: u64 = 0x800;
const MAP_EXECUTABLE: u64 = 0x1000;
const MAP_LOCKED: u64 = 0x2000;
const MAP_NORESERVE: u64 = 0x4000;
const MAP_POPULATE: u64 = 0x8000;
const MAP_NONBLOCK: u64 = 0x1_0000;
const MAP_STACK: u64 = 0x2_0000;
const MAP_HUGETLB: u64 = 0x4_0000;
const MAP_SYNC: u64 = 0x8_0000;
const MAP_FIXED_NOREPLACE: u64 = 0x10_0000;
const MAP_UNINITIALIZED: u64 = 0x400_0000;
/// Flags that every file knows (`LEGACY_MAP_MASK`); `MAP_SHARED_VALIDATE` refuses others.
const LEGACY_MAP_MASK: u64 = MAP_TYPE
    | MAP_FIXED
    | MAP_ANONYMOUS
    | MAP_32BIT
    | MAP_GROWSDOWN
    | MAP_DENYWRITE
    | MAP_EXECUTABLE
    | MAP_LOCKED
    | MAP_NORESERVE
    | MAP_POPULATE
    | MAP_NONBLOCK
    | MAP_STACK
    | MAP_HUGETLB
    | MAP_FIXED_NOREPLACE
    | MAP_UNINITIALIZED
    // MAP_HUGE_SHIFT's field
    | 0xfc00_0000;

const PROT_GROWSDOWN: u64 = 0x0100_0000;
const PROT_GROWSUP: u64 = 0x0200_0000;
const PROT_SEM: u64 = 8;

fn rights(prot: u64) -> PageProt {
    let mut rights = PageProt::empty();
    rights.set(PageProt::READ, prot & 1 != 0);
    rights.set(PageProt::WRITE, prot & 2 != 0);
    rights.set(PageProt::EXEC, prot & 4 != 0);
    rights
}

impl Ctx<'_> {
    /// The caller's memory. `ESRCH` never: a task that makes a call has memory.
    pub(crate) fn mm_id(&self) -> Result<MmId, Errno> {
        self.task().mm.ok_or(Errno::ESRCH)
    }
    fn limits(&self) -> Limits {
        Limits::of(self.k, self.tid)
    }
}

/// `mmap(2)`
pub(crate) fn mmap(
    ctx: &mut Ctx<'_>,
    addr: Addr,
    length: Len,
    prot: U64,
    flags: U64,
    fd: Fd,
    offset: U64,
) -> SysResult {
    let (flags, offset) = (flags.0, offset.0);
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL.into());
    }
    let file = if flags & MAP_ANONYMOUS == 0 { Some(ctx.fd(fd)?) } else { None };
    if length.0 == 0 {
        return Err(Errno::EINVAL.into());
    }
    let len = page_len(length.0, Errno::EINVAL)?;
    if (offset / PAGE_SIZE).checked_add(len / PAGE_SIZE).is_none_or(|end| end > 1 << 52) {
        return Err(Errno::EOVERFLOW.into());
    }
    if flags & MAP_HUGETLB != 0 {
        // No huge pages are reserved (/proc/sys/vm/nr_hugepages is 0).
        return Err(Errno::ENOMEM.into());
    }
    let id = ctx.mm_id()?;
    let limits = ctx.limits();
    let place = match flags {
        _ if flags & MAP_FIXED_NOREPLACE != 0 => Place::FixedNoReplace(addr.0),
        _ if flags & MAP_FIXED != 0 => Place::Fixed(addr.0),
        _ if flags & MAP_32BIT != 0 => Place::Low(addr.0),
        _ => Place::Hint(addr.0),
    };
    // Linux finds the address first: its errors come before those of the file.
    map::find_place(ctx.k.mm(ctx.tid), place, len, &limits)?;
    if flags & MAP_LOCKED != 0 && limits.locked == 0 {
        return Err(Errno::EPERM.into());
    }
    let prot_bits = rights(prot.0);
    let mut new = NewArea::anonymous(prot_bits);
    match file {
        Some(file) => file_area(
            ctx,
            &mut new,
            file,
            flags,
            MapRequest {
                shared: matches!(flags & MAP_TYPE, MAP_SHARED | MAP_SHARED_VALIDATE),
                prot: prot_bits,
                offset,
                len,
            },
        )?,
        None => anonymous_area(&mut new, flags)?,
    }
    for (bit, flag) in [
        (MAP_GROWSDOWN, AreaFlags::GROWS_DOWN),
        (MAP_NORESERVE, AreaFlags::NORESERVE),
        (MAP_LOCKED, AreaFlags::LOCKED),
    ] {
        new.flags.set(flag, flags & bit != 0);
    }
    // Shared anonymous memory, and /dev/zero mapped shared: an object of its own.
    let own = (matches!(new.backing, Backing::Anonymous) && flags & MAP_TYPE != MAP_PRIVATE)
        .then(|| ctx.k.mem.create_object());
    if let Some(object) = own {
        new.backing = Backing::Object { object, offset: 0, shared: true, inode: None, file: None };
    }
    let fills = flags & MAP_POPULATE != 0 && flags & MAP_NONBLOCK == 0;
    let start = map::map(ctx.k, id, place, len, new, &limits).inspect_err(|_| {
        if let Some(object) = own {
            ctx.k.mem.destroy_object(object);
        }
    })?;
    if fills || ctx.k.mm(ctx.tid).find(start).is_some_and(|area| area.flags.contains(AreaFlags::LOCKED)) {
        map::populate(ctx.k, ctx.host, id, start..start + len, &limits);
    }
    Ok(start)
}

fn anonymous_area(new: &mut NewArea, flags: u64) -> Result<(), Errno> {
    match flags & MAP_TYPE {
        MAP_PRIVATE => Ok(()),
        MAP_SHARED if flags & MAP_GROWSDOWN == 0 => {
            new.flags = AreaFlags::empty();
            Ok(())
        }
        _ => Err(Errno::EINVAL),
    }
}

fn file_area(
    ctx: &mut Ctx<'_>,
    new: &mut NewArea,
    file: crate::file::FileId,
    flags: u64,
    request: MapRequest,
) -> Result<(), Errno> {
    match flags & MAP_TYPE {
        MAP_SHARED_VALIDATE if flags & !(LEGACY_MAP_MASK | MAP_SYNC) != 0 => return Err(Errno::EOPNOTSUPP),
        MAP_SHARED_VALIDATE if flags & MAP_SYNC != 0 => return Err(Errno::EOPNOTSUPP),
        MAP_SHARED | MAP_SHARED_VALIDATE | MAP_PRIVATE => {}
        _ => return Err(Errno::EINVAL),
    }
    let open = ctx.file(file);
    let (readable, writable) = (open.readable(), open.writable());
    let (kind, loc) = (open.kind.clone(), open.loc);
    if request.shared {
        if request.prot.contains(PageProt::WRITE) && !writable {
            return Err(Errno::EACCES);
        }
        if !writable {
            new.may.remove(PageProt::WRITE);
        }
    }
    if !readable {
        return Err(Errno::EACCES);
    }
    if loc.is_some_and(|loc| crate::task::exec::is_noexec(ctx.k, loc)) {
        if request.prot.contains(PageProt::EXEC) {
            return Err(Errno::EPERM);
        }
        new.may.remove(PageProt::EXEC);
    }
    if flags & MAP_GROWSDOWN != 0 {
        return Err(Errno::EINVAL);
    }
    match kind.ops().mmap(ctx, file, &request)? {
        MapSource::Zeros => {}
        MapSource::Object { object, inode, may } => {
            new.may &= may;
            if !new.may.contains(request.prot & RWX) {
                return Err(Errno::EPERM);
            }
            let (offset, shared) = (request.offset, request.shared);
            new.backing = Backing::Object { object, offset, shared, inode: Some(inode), file: loc };
        }
    }
    Ok(())
}

/// A range of whole pages: `EINVAL` if `addr` is not a page's or the range leaves user addresses.
fn user_pages(addr: Addr, len: u64) -> Result<Range<u64>, Errno> {
    if !addr.0.is_multiple_of(PAGE_SIZE) || addr.0 > TASK_SIZE || len > TASK_SIZE - addr.0 {
        return Err(Errno::EINVAL);
    }
    Ok(addr.0..addr.0 + page_up(len))
}

/// `munmap(2)`
pub(crate) fn munmap(ctx: &mut Ctx<'_>, addr: Addr, length: Len) -> SysResult {
    let range = user_pages(addr, length.0)?;
    if range.is_empty() {
        return Err(Errno::EINVAL.into());
    }
    let id = ctx.mm_id()?;
    map::unmap(ctx.k, id, range)?;
    Ok(0)
}

/// `mprotect(2)`
pub(crate) fn mprotect(ctx: &mut Ctx<'_>, addr: Addr, len: Len, prot: U64) -> SysResult {
    let grows = prot.0 & (PROT_GROWSDOWN | PROT_GROWSUP);
    let known = 7 | PROT_SEM;
    if grows == PROT_GROWSDOWN | PROT_GROWSUP || !addr.0.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL.into());
    }
    if len.0 == 0 {
        return Ok(0);
    }
    let end = len.0.checked_add(PAGE_SIZE - 1).and_then(|len| addr.0.checked_add(len & !(PAGE_SIZE - 1)));
    let end = end.filter(|end| *end > addr.0).ok_or(Errno::ENOMEM)?;
    if prot.0 & !(known | grows) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let id = ctx.mm_id()?;
    let limits = ctx.limits();
    let mut start = addr.0;
    if grows != 0 {
        let area = ctx.k.mm(ctx.tid).next(start).ok_or(Errno::ENOMEM)?;
        if grows == PROT_GROWSUP || !area.grows_down() {
            return Err(Errno::EINVAL.into());
        }
        if area.start >= end {
            return Err(Errno::ENOMEM.into());
        }
        start = area.start;
    }
    map::protect(ctx.k, id, start..end, rights(prot.0), &limits)?;
    Ok(0)
}

/// `pkey_mprotect(2)`: without a key it is mprotect; there are no keys.
pub(crate) fn pkey_mprotect(ctx: &mut Ctx<'_>, addr: Addr, len: Len, prot: U64, pkey: I32) -> SysResult {
    if pkey.0 != -1 {
        return Err(Errno::EINVAL.into());
    }
    mprotect(ctx, addr, len, prot)
}

/// `pkey_alloc(2)`: the processor has no protection keys, which Linux tells with `ENOSPC`.
pub(crate) fn pkey_alloc(_ctx: &mut Ctx<'_>, flags: U64, rights: U64) -> SysResult {
    if flags.0 != 0 || rights.0 & !3 != 0 {
        return Err(Errno::EINVAL.into());
    }
    Err(Errno::ENOSPC.into())
}

/// `pkey_free(2)`: no key was ever given out.
pub(crate) fn pkey_free(_ctx: &mut Ctx<'_>, _pkey: I32) -> SysResult {
    Err(Errno::EINVAL.into())
}

/// `brk(2)`
pub(crate) fn brk(ctx: &mut Ctx<'_>, addr: Addr) -> SysResult {
    let id = ctx.mm_id()?;
    let limits = ctx.limits();
    Ok(map::brk(ctx.k, id, addr.0, &limits)?)
}

/// `mremap(2)`
pub(crate) fn mremap(
    ctx: &mut Ctx<'_>,
    old_address: Addr,
    old_size: Len,
    new_size: Len,
    flags: U64,
    new_address: Addr,
) -> SysResult {
    let flags = RemapFlags::from_bits(flags.0).ok_or(Errno::EINVAL)?;
    let id = ctx.mm_id()?;
    let limits = ctx.limits();
    let what =
        Remap { old: old_address.0, old_size: old_size.0, new_size: new_size.0, flags, new: new_address.0 };
    Ok(remap(ctx.k, ctx.host, id, &what, &limits)?)
}

/// Address and length of advice: `EINVAL` unaligned or wrapping. An empty range is `None`.
fn advice_range(addr: Addr, len: u64) -> Result<Option<Range<u64>>, Errno> {
    if !addr.0.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let len = len.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::EINVAL)?;
    let end = addr.0.checked_add(len).ok_or(Errno::EINVAL)?;
    Ok((len > 0).then_some(addr.0..end))
}

/// `madvise(2)`
pub(crate) fn madvise(ctx: &mut Ctx<'_>, addr: Addr, length: Len, advice: I32) -> SysResult {
    if !advise::is_known(advice.0) {
        return Err(Errno::EINVAL.into());
    }
    let Some(range) = advice_range(addr, length.0)? else { return Ok(0) };
    let id = ctx.mm_id()?;
    let limits = ctx.limits();
    advise::advise(ctx.k, ctx.host, id, range, advice.0, &limits)?;
    Ok(0)
}

/// CAP_SYS_NICE
const CAP_SYS_NICE: u64 = 1 << 23;

/// `process_madvise(2)`: advice that only concerns speed, for any process; all advice for the caller itself.
pub(crate) fn process_madvise(
    ctx: &mut Ctx<'_>,
    pidfd: Fd,
    iovec: Addr,
    vlen: Len,
    advice: I32,
    flags: U32,
) -> SysResult {
    use advise::advice::{COLD, COLLAPSE, PAGEOUT, WILLNEED};
    if flags.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let parts = crate::calls::process_vm::iovec(ctx, iovec, vlen.0)?;
    let group = crate::calls::pidfd::process(ctx, pidfd)?;
    let leader = ctx.k.groups.get(group).and_then(|group| group.threads.first()).copied();
    let id = leader.and_then(|tid| ctx.k.tasks.get(tid)?.mm).ok_or(Errno::ESRCH)?;
    let is_mine = ctx.task().mm == Some(id);
    if !is_mine {
        if !matches!(advice.0, COLD | PAGEOUT | WILLNEED | COLLAPSE) {
            return Err(Errno::EINVAL.into());
        }
        if ctx.task().creds.cap_effective & CAP_SYS_NICE == 0 {
            return Err(Errno::EPERM.into());
        }
    }
    if !advise::is_known(advice.0) {
        return Err(Errno::EINVAL.into());
    }
    let limits = ctx.limits();
    let mut done = 0;
    for (base, len) in parts {
        let advised = match advice_range(Addr(base), len) {
            Ok(Some(range)) => advise::advise(ctx.k, ctx.host, id, range, advice.0, &limits),
            Ok(None) => Ok(()),
            Err(errno) => Err(errno),
        };
        match advised {
            Ok(()) => done += len,
            Err(errno) if done == 0 => return Err(errno.into()),
            Err(_) => return Ok(done),
        }
    }
    Ok(done)
}

/// `remap_file_pages(2)`, as Linux has emulated it since 4.0: a shared mapping of another part of the same file.
pub(crate) fn remap_file_pages(
    ctx: &mut Ctx<'_>,
    addr: Addr,
    size: Len,
    prot: U64,
    pgoff: U64,
    _flags: U64,
) -> SysResult {
    let start = addr.0 & !(PAGE_SIZE - 1);
    let len = size.0 & !(PAGE_SIZE - 1);
    let end = start.checked_add(len).filter(|end| *end > start && *end <= TASK_SIZE).ok_or(Errno::EINVAL)?;
    let offset = pgoff.0.checked_mul(PAGE_SIZE).and_then(|at| at.checked_add(len).map(|_| at));
    let offset = offset.filter(|_| prot.0 == 0).ok_or(Errno::EINVAL)?;
    let area = ctx.k.mm(ctx.tid).find(start).cloned().ok_or(Errno::EINVAL)?;
    let Backing::Object { object, shared: true, inode, file, .. } = area.backing.clone() else {
        return Err(Errno::EINVAL.into());
    };
    let mut at = start;
    for part in ctx.k.mm(ctx.tid).within(start..end) {
        let same = matches!(&part.backing, Backing::Object { object: other, .. } if *other == object);
        if part.start > at || !same || part.flags != area.flags {
            return Err(Errno::EINVAL.into());
        }
        at = part.end;
    }
    if at < end {
        return Err(Errno::EINVAL.into());
    }
    let backing = Backing::Object { object, offset, shared: true, inode, file };
    let new = NewArea { prot: area.prot, may: area.may, backing, flags: area.flags, shm: area.shm };
    let id = ctx.mm_id()?;
    let limits = ctx.limits();
    map::map(ctx.k, id, Place::Fixed(start), len, new, &limits)?;
    map::populate(ctx.k, ctx.host, id, start..end, &limits);
    Ok(0)
}

/// `map_shadow_stack(2)`: the processor has no shadow stacks, which Linux tells so.
pub(crate) fn map_shadow_stack(_ctx: &mut Ctx<'_>, _addr: Addr, _size: U64, _flags: U32) -> SysResult {
    Err(Errno::EOPNOTSUPP.into())
}

/// Most pages that one step of mincore looks at.
const MINCORE_STEP: u64 = 4096;

/// `mincore(2)`
pub(crate) fn mincore(ctx: &mut Ctx<'_>, addr: Addr, length: Len, vec: Addr) -> SysResult {
    if !addr.0.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL.into());
    }
    if addr.0 > TASK_SIZE || length.0 > TASK_SIZE - addr.0 {
        return Err(Errno::ENOMEM.into());
    }
    let id = ctx.mm_id()?;
    let end = addr.0 + page_up(length.0);
    let (mut at, mut out) = (addr.0, vec);
    if vec.0.checked_add((end - at) / PAGE_SIZE).is_none_or(|end| end > TASK_SIZE) {
        return Err(Errno::EFAULT.into());
    }
    while at < end {
        let step = (at + MINCORE_STEP * PAGE_SIZE).min(end);
        let bytes = advise::mincore(ctx.k, id, at..step)?;
        ctx.write_user(out, &bytes)?;
        out = out.at((step - at) / PAGE_SIZE);
        at = step;
    }
    Ok(0)
}

const MS_ASYNC: i32 = 1;
const MS_INVALIDATE: i32 = 2;
const MS_SYNC: i32 = 4;

/// `msync(2)`
pub(crate) fn msync(ctx: &mut Ctx<'_>, addr: Addr, length: Len, flags: I32) -> SysResult {
    if flags.0 & !(MS_ASYNC | MS_INVALIDATE | MS_SYNC) != 0
        || !addr.0.is_multiple_of(PAGE_SIZE)
        || flags.0 & (MS_ASYNC | MS_SYNC) == MS_ASYNC | MS_SYNC
    {
        return Err(Errno::EINVAL.into());
    }
    let len = length.0.checked_next_multiple_of(PAGE_SIZE).ok_or(Errno::ENOMEM)?;
    let end = addr.0.checked_add(len).ok_or(Errno::ENOMEM)?;
    let areas: Vec<_> = ctx.k.mm(ctx.tid).within(addr.0..end).cloned().collect();
    let mut hole = false;
    let mut at = addr.0;
    for area in areas {
        hole |= area.start > at;
        at = area.end;
        if flags.0 & MS_INVALIDATE != 0 && area.flags.contains(AreaFlags::LOCKED) {
            return Err(Errno::EBUSY.into());
        }
        if let Backing::Object { shared: true, inode: Some(inode), .. } = area.backing
            && flags.0 & MS_SYNC != 0
        {
            crate::vfs::sync_inode(ctx.k, ctx.host, inode)?;
        }
    }
    if hole || at < end { Err(Errno::ENOMEM.into()) } else { Ok(0) }
}

/// Pages of mlock: the range is widened to whole pages.
fn lock_range(addr: Addr, len: u64) -> Result<Range<u64>, Errno> {
    let start = addr.0 & !(PAGE_SIZE - 1);
    let end = addr.0.checked_add(len).and_then(|end| end.checked_next_multiple_of(PAGE_SIZE));
    match end {
        Some(end) if end >= start => Ok(start..end),
        _ => Err(Errno::EINVAL),
    }
}

fn do_mlock(ctx: &mut Ctx<'_>, addr: Addr, len: u64, fill: LockFill) -> SysResult {
    let limits = ctx.limits();
    if limits.locked == 0 {
        return Err(Errno::EPERM.into());
    }
    let range = lock_range(addr, len)?;
    let id = ctx.mm_id()?;
    advise::lock(ctx.k, ctx.host, id, range, fill, &limits)?;
    Ok(0)
}

/// `mlock(2)`
pub(crate) fn mlock(ctx: &mut Ctx<'_>, addr: Addr, len: Len) -> SysResult {
    do_mlock(ctx, addr, len.0, LockFill::Now)
}

/// `mlock2(2)`
pub(crate) fn mlock2(ctx: &mut Ctx<'_>, addr: Addr, len: Len, flags: I32) -> SysResult {
    match flags.0 {
        0 => do_mlock(ctx, addr, len.0, LockFill::Now),
        1 => do_mlock(ctx, addr, len.0, LockFill::OnFault),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// `munlock(2)`
pub(crate) fn munlock(ctx: &mut Ctx<'_>, addr: Addr, len: Len) -> SysResult {
    let range = lock_range(addr, len.0)?;
    let id = ctx.mm_id()?;
    advise::unlock(ctx.k, id, range)?;
    Ok(0)
}

const MCL_CURRENT: i32 = 1;
const MCL_FUTURE: i32 = 2;
const MCL_ONFAULT: i32 = 4;

/// `mlockall(2)`
pub(crate) fn mlockall(ctx: &mut Ctx<'_>, flags: I32) -> SysResult {
    if flags.0 == 0 || flags.0 & !(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0 || flags.0 == MCL_ONFAULT {
        return Err(Errno::EINVAL.into());
    }
    let limits = ctx.limits();
    if limits.locked == 0 {
        return Err(Errno::EPERM.into());
    }
    let id = ctx.mm_id()?;
    let mm = ctx.k.mm_mut(ctx.tid);
    if flags.0 & MCL_CURRENT != 0 && mm.usage.total * PAGE_SIZE > limits.locked {
        return Err(Errno::ENOMEM.into());
    }
    mm.lock_future = flags.0 & MCL_FUTURE != 0;
    if flags.0 & MCL_CURRENT != 0 {
        let fill = if flags.0 & MCL_ONFAULT != 0 { LockFill::OnFault } else { LockFill::Now };
        advise::lock_all(ctx.k, ctx.host, id, fill, &limits)?;
    }
    Ok(0)
}

/// `munlockall(2)`
pub(crate) fn munlockall(ctx: &mut Ctx<'_>) -> SysResult {
    let id = ctx.mm_id()?;
    ctx.k.mm_mut(ctx.tid).lock_future = false;
    // Holes do not matter here.
    let _ = advise::unlock(ctx.k, id, 0..TASK_SIZE);
    Ok(0)
}

/// `mseal(2)`
pub(crate) fn mseal(ctx: &mut Ctx<'_>, start: Addr, len: Len, flags: U64) -> SysResult {
    if flags.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let Some(range) = advice_range(start, len.0)? else { return Ok(0) };
    let id = ctx.mm_id()?;
    advise::seal(ctx.k, id, range)?;
    Ok(0)
}
