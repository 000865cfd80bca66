//! `shmget(2)`, `shmat(2)`, `shmdt(2)`, `shmctl(2)`.

use emu_core::elf::page_up;
use emu_core::mem::{PAGE_SIZE, PageProt};

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, Len};
use crate::ctx::{Ctx, SysResult};
use crate::ipc;
use crate::mm::layout::TASK_SIZE;
use crate::mm::map::{self, Limits, NewArea, Place};
use crate::mm::shm::{SHM_DEST, SHM_LOCKED, SHMMAX, SHMMNI, Segment, ShmId, attachments, mark_destroyed};
use crate::mm::{AreaFlags, Backing, RWX};

const IPC_CREAT: i32 = 0o1000;
const IPC_EXCL: i32 = 0o2000;
const SHM_HUGETLB: i32 = 0o4000;
const SHM_NORESERVE: i32 = 0o10000;
const SHM_RDONLY: i32 = 0o10000;
const SHM_RND: i32 = 0o20000;
const SHM_REMAP: i32 = 0o40000;
const SHM_EXEC: i32 = 0o100_000;
/// CAP_SYS_ADMIN and CAP_IPC_OWNER
const CAP_SYS_ADMIN: u64 = 1 << 21;

fn seconds(ctx: &mut Ctx<'_>) -> u64 {
    ctx.realtime_ns() / 1_000_000_000
}

/// `shmget(2)`
pub(crate) fn shmget(ctx: &mut Ctx<'_>, key: I32, size: Len, shmflg: I32) -> SysResult {
    let flags = shmflg.0;
    let creds = ctx.task().creds.clone();
    if let Some(id) = ctx.k.shm.by_key(key.0) {
        let (_, segment) = ctx.k.shm.get(id.0.cast_signed())?;
        if flags & IPC_CREAT != 0 && flags & IPC_EXCL != 0 {
            return Err(Errno::EEXIST.into());
        }
        if size.0 > segment.size {
            return Err(Errno::EINVAL.into());
        }
        let asked = flags.cast_unsigned();
        segment.permit(&creds, (asked >> 6 | asked >> 3 | asked) & 7)?;
        return Ok(u64::from(id.0));
    }
    if key.0 != 0 && flags & IPC_CREAT == 0 {
        return Err(Errno::ENOENT.into());
    }
    if size.0 == 0 || size.0 > SHMMAX {
        return Err(Errno::EINVAL.into());
    }
    if flags & SHM_HUGETLB != 0 {
        // No huge pages are reserved.
        return Err(Errno::ENOMEM.into());
    }
    if ctx.k.shm.by_id.len() >= ipc::limit(ctx.k, "kernel/shmmni") {
        return Err(Errno::ENOSPC.into());
    }
    if size.0 > ctx.k.mem.limit() && flags & SHM_NORESERVE == 0 {
        return Err(Errno::ENOMEM.into());
    }
    let object = ctx.k.mem.create_object();
    ctx.k.mem.object_truncate(object, page_up(size.0));
    let now = seconds(ctx);
    let owner = (creds.uid[1], creds.gid[1]);
    let segment = Segment {
        key: key.0,
        object,
        size: size.0,
        owner,
        creator: owner,
        mode: flags.cast_unsigned() & 0o777,
        cpid: ctx.task().group.0,
        lpid: 0,
        times: (0, 0, now),
    };
    let id = ipc::insert(ctx.k, "sys/kernel/shm_next_id", |k| &mut k.shm.by_id, segment);
    Ok(u64::from(id.0))
}

/// `shmat(2)`
pub(crate) fn shmat(ctx: &mut Ctx<'_>, shmid: I32, shmaddr: Addr, shmflg: I32) -> SysResult {
    let flags = shmflg.0;
    let mut addr = shmaddr.0;
    if shmid.0 < 0 {
        return Err(Errno::EINVAL.into());
    }
    if !addr.is_multiple_of(PAGE_SIZE) {
        if flags & SHM_RND == 0 {
            return Err(Errno::EINVAL.into());
        }
        addr &= !(PAGE_SIZE - 1);
        if addr == 0 && flags & SHM_REMAP != 0 {
            return Err(Errno::EINVAL.into());
        }
    }
    if addr == 0 && flags & SHM_REMAP != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (id, segment) = ctx.k.shm.get(shmid.0)?;
    let creds = ctx.task().creds.clone();
    let mut prot = PageProt::READ;
    let mut wanted = 4;
    let mut may = RWX;
    if flags & SHM_RDONLY == 0 {
        prot |= PageProt::WRITE;
        wanted |= 2;
    } else {
        may.remove(PageProt::WRITE);
    }
    if flags & SHM_EXEC != 0 {
        prot |= PageProt::EXEC;
        wanted |= 1;
    }
    segment.permit(&creds, wanted)?;
    let (object, size) = (segment.object, segment.size);
    let backing = Backing::Object { object, offset: 0, shared: true, inode: None, file: None };
    let new = NewArea { prot, may, backing, flags: AreaFlags::empty(), shm: Some(id) };
    let place = match addr {
        0 => Place::Hint(0),
        _ if flags & SHM_REMAP != 0 => Place::Fixed(addr),
        _ => Place::FixedNoReplace(addr),
    };
    let mm = ctx.mm_id()?;
    let limits = Limits::of(ctx.k, ctx.tid);
    let start = map::map(ctx.k, mm, place, page_up(size), new, &limits).map_err(|errno| match errno {
        Errno::EEXIST => Errno::EINVAL,
        other => other,
    })?;
    let (now, pid) = (seconds(ctx), ctx.task().group.0);
    if let Some(segment) = ctx.k.shm.by_id.get_mut(id) {
        segment.times.0 = now;
        segment.lpid = pid;
    }
    Ok(start)
}

/// `shmdt(2)`
pub(crate) fn shmdt(ctx: &mut Ctx<'_>, shmaddr: Addr) -> SysResult {
    let addr = shmaddr.0;
    if !addr.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL.into());
    }
    // The parts of the attachment that begins at the address: they lie where its offsets say.
    let parts: Vec<(u64, u64, ShmId)> = ctx
        .k
        .mm(ctx.tid)
        .within(addr..TASK_SIZE)
        .filter(|area| area.object_offset(area.start) == Some(area.start.wrapping_sub(addr)))
        .filter_map(|area| Some((area.start, area.end, area.shm?)))
        .collect();
    let Some((_, _, id)) = parts.first().copied() else { return Err(Errno::EINVAL.into()) };
    let (now, pid) = (seconds(ctx), ctx.task().group.0);
    if let Some(segment) = ctx.k.shm.by_id.get_mut(id) {
        segment.times.1 = now;
        segment.lpid = pid;
    }
    let mm = ctx.mm_id()?;
    for (start, end, _) in parts.into_iter().filter(|part| part.2 == id) {
        map::unmap(ctx.k, mm, start..end)?;
    }
    Ok(0)
}

const IPC_RMID: i32 = 0;
const IPC_SET: i32 = 1;
const IPC_STAT: i32 = 2;
const IPC_INFO: i32 = 3;
const SHM_LOCK: i32 = 11;
const SHM_UNLOCK: i32 = 12;
const SHM_STAT: i32 = 13;
const SHM_INFO: i32 = 14;
const SHM_STAT_ANY: i32 = 15;

/// `shmctl(2)`
pub(crate) fn shmctl(ctx: &mut Ctx<'_>, shmid: I32, cmd: I32, buf: Addr) -> SysResult {
    if cmd.0 < 0 || shmid.0 < 0 {
        return Err(Errno::EINVAL.into());
    }
    match cmd.0 {
        IPC_INFO => ipc_info(ctx, buf),
        SHM_INFO => shm_info(ctx, buf),
        IPC_STAT => {
            let (id, _) = ctx.k.shm.get(shmid.0)?;
            stat(ctx, id, buf, Rights::Held)?;
            Ok(0)
        }
        SHM_STAT | SHM_STAT_ANY => {
            // The number is an index; ours are the numbers themselves (Linux: low bits of the id).
            let (id, _) = ctx.k.shm.get(shmid.0)?;
            stat(ctx, id, buf, if cmd.0 == SHM_STAT { Rights::Held } else { Rights::Any })?;
            Ok(u64::from(id.0))
        }
        IPC_RMID => {
            let id = owned(ctx, shmid.0)?;
            mark_destroyed(ctx.k, id);
            Ok(0)
        }
        IPC_SET => set(ctx, shmid.0, buf),
        SHM_LOCK | SHM_UNLOCK => {
            let id = owned(ctx, shmid.0)?;
            if let Some(segment) = ctx.k.shm.by_id.get_mut(id) {
                segment.mode &= !SHM_LOCKED;
                segment.mode |= if cmd.0 == SHM_LOCK { SHM_LOCKED } else { 0 };
            }
            Ok(0)
        }
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Whether the caller's rights count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rights {
    Held,
    Any,
}

/// The segment, if the caller owns it. `EPERM`.
fn owned(ctx: &Ctx<'_>, shmid: i32) -> Result<ShmId, Errno> {
    let (id, segment) = ctx.k.shm.get(shmid)?;
    let creds = &ctx.task().creds;
    let uid = creds.uid[1];
    if uid == segment.owner.0 || uid == segment.creator.0 || creds.cap_effective & CAP_SYS_ADMIN != 0 {
        Ok(id)
    } else {
        Err(Errno::EPERM)
    }
}

/// `struct ipc64_perm` and `struct shmid64_ds`: 112 bytes.
fn stat(ctx: &mut Ctx<'_>, id: ShmId, buf: Addr, rights: Rights) -> Result<(), Errno> {
    let segment = ctx.k.shm.by_id.get(id).ok_or(Errno::EINVAL)?.clone();
    if rights == Rights::Held {
        segment.permit(&ctx.task().creds, 4)?;
    }
    let mut out = Vec::with_capacity(112);
    out.extend(segment.key.to_le_bytes());
    for word in [segment.owner.0, segment.owner.1, segment.creator.0, segment.creator.1, segment.mode, 0] {
        out.extend(word.to_le_bytes());
    }
    // The sequence number, padding and two reserved words.
    out.resize(48, 0);
    let (attached, detached, changed) = segment.times;
    for word in [segment.size, attached, detached, changed] {
        out.extend(word.to_le_bytes());
    }
    out.extend(segment.cpid.to_le_bytes());
    out.extend(segment.lpid.to_le_bytes());
    out.extend(attachments(ctx.k, id).to_le_bytes());
    out.resize(112, 0);
    ctx.write_user(buf, &out)
}

fn set(ctx: &mut Ctx<'_>, shmid: i32, buf: Addr) -> SysResult {
    let mut perm = [0; 48];
    ctx.read_user(buf, &mut perm)?;
    let word = |at: usize| perm[at..at + 4].iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte));
    let (uid, gid, mode) = (word(4), word(8), word(20));
    let id = owned(ctx, shmid)?;
    let now = seconds(ctx);
    if let Some(segment) = ctx.k.shm.by_id.get_mut(id) {
        segment.owner = (uid, gid);
        segment.mode = segment.mode & !0o777 | mode & 0o777;
        segment.times.2 = now;
    }
    Ok(0)
}

fn highest(ctx: &Ctx<'_>) -> u64 {
    ctx.k.shm.by_id.ids().last().map_or(0, |id| u64::from(id.0))
}

/// `struct shminfo64`: shmmax, shmmin, shmmni, shmseg, shmall.
fn ipc_info(ctx: &mut Ctx<'_>, buf: Addr) -> SysResult {
    let mut out = Vec::new();
    for word in [SHMMAX, 1, SHMMNI as u64, SHMMNI as u64, SHMMAX] {
        out.extend(word.to_le_bytes());
    }
    out.resize(72, 0);
    ctx.write_user(buf, &out)?;
    Ok(highest(ctx))
}

/// `struct shm_info`: used_ids, shm_tot, shm_rss, shm_swp, swap_attempts, swap_successes.
fn shm_info(ctx: &mut Ctx<'_>, buf: Addr) -> SysResult {
    let shm = &ctx.k.shm;
    let resident: u64 = shm.by_id.iter().map(|(_, segment)| ctx.k.mem.object_pages(segment.object)).sum();
    let mut out = Vec::new();
    for word in [shm.by_id.len() as u64, shm.pages(), resident, 0, 0, 0] {
        out.extend(word.to_le_bytes());
    }
    ctx.write_user(buf, &out)?;
    Ok(highest(ctx))
}

const _: () = assert!(SHM_DEST == 0o1000);
