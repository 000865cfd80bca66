//! Record locks: `F_GETLK`, `F_SETLK`, `F_SETLKW` of fcntl(2), and their forms for open files.

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::calls::poll::ends_now;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::FileId;
use crate::task::wait::Wait;
use crate::vfs::InodeId;
use crate::vfs::locks::{LockKind, Owner, Record, begin_wait, end_wait, set_record, wait_key};

const F_GETLK: u32 = 5;
const F_SETLKW: u32 = 7;
const F_OFD_GETLK: u32 = 36;
const F_OFD_SETLKW: u32 = 38;
const F_RDLCK: u16 = 0;
const F_WRLCK: u16 = 1;
const F_UNLCK: u16 = 2;

/// A `struct flock`: kind (`None` to unlock), first and last byte, pid.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    kind: Option<LockKind>,
    start: u64,
    last: u64,
    pid: i32,
}

fn read_flock(ctx: &mut Ctx<'_>, id: FileId, at: Addr) -> Result<Wanted, Errno> {
    let mut raw = [0; 32];
    ctx.read_user(at, &mut raw)?;
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&raw[at..at + 8]);
        i64::from_le_bytes(bytes)
    };
    let kind = match u16::from_le_bytes([raw[0], raw[1]]) {
        F_RDLCK => Some(LockKind::Read),
        F_WRLCK => Some(LockKind::Write),
        F_UNLCK => None,
        _ => return Err(Errno::EINVAL),
    };
    let base = match u16::from_le_bytes([raw[2], raw[3]]) {
        0 => 0,
        1 => ctx.file(id).pos,
        2 => ctx.file(id).loc.map_or(0, |loc| ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).size),
        _ => return Err(Errno::EINVAL),
    };
    let base = i64::try_from(base).map_err(|_| Errno::EOVERFLOW)?;
    let start = base.checked_add(word(8)).ok_or(Errno::EOVERFLOW)?;
    let len = word(16);
    let (start, last) = match len {
        0 => (start, u64::MAX),
        1.. => (start, start.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?.cast_unsigned()),
        _ => (start.checked_add(len).ok_or(Errno::EINVAL)?, (start - 1).cast_unsigned()),
    };
    let start = u64::try_from(start).map_err(|_| Errno::EINVAL)?;
    let pid = i32::from_le_bytes([raw[24], raw[25], raw[26], raw[27]]);
    Ok(Wanted { kind, start, last, pid })
}

fn write_flock(ctx: &mut Ctx<'_>, at: Addr, found: Option<Record>) -> Result<(), Errno> {
    let Some(found) = found else { return ctx.write_user(at, &F_UNLCK.to_le_bytes()) };
    let kind = if found.kind == LockKind::Read { F_RDLCK } else { F_WRLCK };
    let len = if found.last == u64::MAX { 0 } else { found.last - found.start + 1 };
    let pid = match found.owner {
        Owner::Process(process) => process.0.cast_signed(),
        Owner::File(_) => -1,
    };
    ctx.write_user(at, &kind.to_le_bytes())?;
    ctx.write_user(at.at(2), &0u16.to_le_bytes())?;
    ctx.write_u64(at.at(8), found.start)?;
    ctx.write_u64(at.at(16), len)?;
    ctx.write_u32(at.at(24), pid.cast_unsigned())
}

/// A record-lock command of fcntl(2) on an open file.
pub(crate) fn record_lock(ctx: &mut Ctx<'_>, id: FileId, command: u32, flock: Addr) -> SysResult {
    let wanted = read_flock(ctx, id, flock)?;
    let for_file = command >= F_OFD_GETLK;
    if for_file && wanted.pid != 0 {
        return Err(Errno::EINVAL.into());
    }
    let process = ctx.task().group;
    let owner = if for_file { Owner::File(id) } else { Owner::Process(process) };
    let inode: InodeId = crate::calls::lock::inode_of(ctx, id);
    if matches!(command, F_GETLK | F_OFD_GETLK) {
        let Some(kind) = wanted.kind else { return Err(Errno::EINVAL.into()) };
        let asked = Record { start: wanted.start, last: wanted.last, kind, owner };
        let found = ctx.k.vfs.locks.conflict(inode, &asked);
        write_flock(ctx, flock, found)?;
        return Ok(0);
    }
    let file = ctx.file(id);
    let allowed = match wanted.kind {
        Some(LockKind::Read) => file.readable(),
        Some(LockKind::Write) => file.writable(),
        None => true,
    };
    if !allowed {
        return Err(Errno::EBADF.into());
    }
    let result = set_record(ctx.k, inode, owner, wanted.start, wanted.last, wanted.kind);
    let waits = matches!(command, F_SETLKW | F_OFD_SETLKW);
    let (Err(Errno::EAGAIN), true, Some(kind)) = (result, waits, wanted.kind) else {
        end_wait(ctx.k, process);
        return Ok(result.map(|()| 0)?);
    };
    let asked = Record { start: wanted.start, last: wanted.last, kind, owner };
    if !for_file && let Some(found) = ctx.k.vfs.locks.conflict(inode, &asked) {
        begin_wait(ctx.k, process, found.owner)?;
    }
    let stop: SysResult = Err(Stop::Block(Wait::on(wait_key(inode))));
    if ends_now(ctx, &stop) {
        end_wait(ctx.k, process);
    }
    stop
}
