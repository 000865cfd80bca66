//! System V message queues: `msgget(2)`, `msgsnd(2)`, `msgrcv(2)`, `msgctl(2)`.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, I64, Len};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::ipc::{self, Msg, MsgId, MsgQueue, Perm, msg_key};
use crate::task::wait::{OnSignal, Wait};

/// Bytes in a message, bytes in a queue, queues (/proc/sys/kernel/msg*).
const MSGMAX: u64 = 8192;
const MSGMNB: u64 = 16384;
const IPC_CREAT: i32 = 0o1000;
const IPC_EXCL: i32 = 0o2000;
const IPC_NOWAIT: i32 = 0o4000;
const MSG_NOERROR: i32 = 0o10000;
const MSG_EXCEPT: i32 = 0o20000;
const MSG_COPY: i32 = 0o40000;
/// CAP_SYS_RESOURCE
const CAP_SYS_RESOURCE: u64 = 1 << 24;

fn seconds(ctx: &mut Ctx<'_>) -> u64 {
    ctx.realtime_ns() / 1_000_000_000
}

fn queue_of<'a>(ctx: &'a Ctx<'_>, id: i32) -> Result<(MsgId, &'a MsgQueue), Errno> {
    let gone = if ctx.call.runs > 1 { Errno::EIDRM } else { Errno::EINVAL };
    let id = MsgId(u32::try_from(id).map_err(|_| Errno::EINVAL)?);
    ctx.k.ipc.queues.get(id).map(|queue| (id, queue)).ok_or(gone)
}

/// `msgget(2)`
pub(crate) fn msgget(ctx: &mut Ctx<'_>, key: I32, msgflg: I32) -> SysResult {
    let flags = msgflg.0;
    let found = ctx.k.ipc.msg_keys.get(&key.0).copied();
    if let Some((id, queue)) = found.and_then(|id| Some((id, ctx.k.ipc.queues.get(id)?))) {
        if flags & IPC_CREAT != 0 && flags & IPC_EXCL != 0 {
            return Err(Errno::EEXIST.into());
        }
        let asked = flags.cast_unsigned();
        queue.perm.permit(&ctx.task().creds, (asked >> 6 | asked >> 3 | asked) & 7)?;
        return Ok(u64::from(id.0));
    }
    if key.0 != 0 && flags & IPC_CREAT == 0 {
        return Err(Errno::ENOENT.into());
    }
    if ctx.k.ipc.queues.len() >= ipc::limit(ctx.k, "kernel/msgmni") {
        return Err(Errno::ENOSPC.into());
    }
    let now = seconds(ctx);
    let queue = MsgQueue {
        perm: Perm::new(key.0, &ctx.task().creds, flags.cast_unsigned()),
        messages: persist::Vector::new(),
        bytes: 0,
        limit: MSGMNB,
        times: (0, 0, now),
        pids: (0, 0),
    };
    let id = ipc::insert(ctx.k, "sys/kernel/msg_next_id", |k| &mut k.ipc.queues, queue);
    if key.0 != 0 {
        ctx.k.ipc.msg_keys.insert(key.0, id);
    }
    Ok(u64::from(id.0))
}

fn block(id: MsgId, flags: i32, full: Errno) -> Stop {
    if flags & IPC_NOWAIT != 0 {
        return full.into();
    }
    Stop::Block(Wait::any(vec![msg_key(id)], None, OnSignal::RestartNoHandler))
}

/// `msgsnd(2)`
pub(crate) fn msgsnd(ctx: &mut Ctx<'_>, msqid: I32, msgp: Addr, msgsz: Len, msgflg: I32) -> SysResult {
    let kind = ctx.read_u64(msgp)?.cast_signed();
    if msgsz.0 > MSGMAX || msqid.0 < 0 || kind < 1 {
        return Err(Errno::EINVAL.into());
    }
    let mut data = vec![0; usize::try_from(msgsz.0).map_err(|_| Errno::EINVAL)?];
    ctx.read_user(msgp.at(8), &mut data)?;
    let (id, queue) = queue_of(ctx, msqid.0)?;
    queue.perm.permit(&ctx.task().creds, 2)?;
    if queue.bytes + msgsz.0 > queue.limit || queue.messages.len() as u64 + 1 > queue.limit {
        return Err(block(id, msgflg.0, Errno::EAGAIN));
    }
    let (now, pid) = (seconds(ctx), ctx.task().group.0);
    if let Some(queue) = ctx.k.ipc.queues.get_mut(id) {
        queue.bytes += msgsz.0;
        queue.messages.push_back(Msg { kind, data });
        queue.times.0 = now;
        queue.pids.0 = pid;
    }
    ctx.k.wake(msg_key(id));
    Ok(0)
}

/// Index of the message that `msgtyp` asks for.
fn choose(queue: &MsgQueue, msgtyp: i64, flags: i32) -> Option<usize> {
    let messages = queue.messages.iter().enumerate();
    if flags & MSG_COPY != 0 {
        return usize::try_from(msgtyp).ok().filter(|index| *index < queue.messages.len());
    }
    match msgtyp {
        0 => (!queue.messages.is_empty()).then_some(0),
        1.. => messages
            .into_iter()
            .find(|(_, msg)| (msg.kind == msgtyp) != (flags & MSG_EXCEPT != 0))
            .map(|(index, _)| index),
        _ => {
            let most = msgtyp.checked_neg().unwrap_or(i64::MAX);
            let low = messages.filter(|(_, msg)| msg.kind <= most);
            low.min_by_key(|(index, msg)| (msg.kind, *index)).map(|(index, _)| index)
        }
    }
}

/// `msgrcv(2)`
pub(crate) fn msgrcv(
    ctx: &mut Ctx<'_>,
    msqid: I32,
    msgp: Addr,
    msgsz: Len,
    msgtyp: I64,
    msgflg: I32,
) -> SysResult {
    let flags = msgflg.0;
    if msqid.0 < 0 || msgsz.0.cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags & MSG_COPY != 0 && (flags & MSG_EXCEPT != 0 || flags & IPC_NOWAIT == 0) {
        return Err(Errno::EINVAL.into());
    }
    let (id, queue) = queue_of(ctx, msqid.0)?;
    queue.perm.permit(&ctx.task().creds, 4)?;
    let Some(index) = choose(queue, msgtyp.0, flags) else { return Err(block(id, flags, Errno::ENOMSG)) };
    let Some(message) = queue.messages.get(index).cloned() else { return Err(Errno::ENOMSG.into()) };
    let len = message.data.len();
    let take = usize::try_from(msgsz.0).unwrap_or(usize::MAX).min(len);
    if take < len && flags & MSG_NOERROR == 0 {
        return Err(Errno::E2BIG.into());
    }
    let (now, pid) = (seconds(ctx), ctx.task().group.0);
    if flags & MSG_COPY == 0 {
        if let Some(queue) = ctx.k.ipc.queues.get_mut(id) {
            queue.messages.remove(index);
            queue.bytes = queue.bytes.saturating_sub(len as u64);
            queue.times.1 = now;
            queue.pids.1 = pid;
        }
        ctx.k.wake(msg_key(id));
    }
    ctx.write_u64(msgp, message.kind.cast_unsigned())?;
    ctx.write_user(msgp.at(8), &message.data[..take])?;
    Ok(take as u64)
}

/// `msgctl(2)`
pub(crate) fn msgctl(ctx: &mut Ctx<'_>, msqid: I32, cmd: I32, buf: Addr) -> SysResult {
    const RMID: i32 = 0;
    const SET: i32 = 1;
    const STAT: i32 = 2;
    const INFO: i32 = 3;
    const MSG_STAT: i32 = 11;
    const MSG_INFO: i32 = 12;
    const MSG_STAT_ANY: i32 = 13;
    if msqid.0 < 0 || cmd.0 < 0 {
        return Err(Errno::EINVAL.into());
    }
    if matches!(cmd.0, INFO | MSG_INFO) {
        return info(ctx, buf, cmd.0 == MSG_INFO);
    }
    let creds = ctx.task().creds.clone();
    let (id, queue) = queue_of(ctx, msqid.0)?;
    match cmd.0 {
        RMID => {
            queue.perm.owns(&creds)?;
            if let Some(gone) = ctx.k.ipc.queues.remove(id) {
                ctx.k.ipc.msg_keys.remove(&gone.perm.key);
            }
        }
        SET => {
            queue.perm.owns(&creds)?;
            let (uid, gid, mode) =
                (ctx.read_u32(buf.at(4))?, ctx.read_u32(buf.at(8))?, ctx.read_u32(buf.at(20))?);
            let limit = ctx.read_u64(buf.at(88))?;
            if limit > MSGMNB && creds.cap_effective & CAP_SYS_RESOURCE == 0 {
                return Err(Errno::EPERM.into());
            }
            let now = seconds(ctx);
            if let Some(queue) = ctx.k.ipc.queues.get_mut(id) {
                queue.perm.owner = (uid, gid);
                queue.perm.mode = mode & 0o777;
                queue.limit = limit.min(1 << 24);
                queue.times.2 = now;
            }
        }
        STAT | MSG_STAT | MSG_STAT_ANY => {
            if cmd.0 != MSG_STAT_ANY {
                queue.perm.permit(&creds, 4)?;
            }
            let mut bytes = queue.perm.to_bytes();
            let times = [queue.times.0, queue.times.1, queue.times.2];
            let sizes = [queue.bytes, queue.messages.len() as u64, queue.limit];
            for word in times.into_iter().chain(sizes) {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            bytes.extend_from_slice(&queue.pids.0.to_le_bytes());
            bytes.extend_from_slice(&queue.pids.1.to_le_bytes());
            bytes.resize(120, 0);
            ctx.write_user(buf, &bytes)?;
            // The index of the other two is the number itself (Linux: the low bits of it).
            return Ok(if cmd.0 == STAT { 0 } else { u64::from(id.0) });
        }
        _ => return Err(Errno::EINVAL.into()),
    }
    ctx.k.wake(msg_key(id));
    Ok(0)
}

/// `struct msginfo`; the highest number in use is the result.
fn info(ctx: &mut Ctx<'_>, at: Addr, used: bool) -> SysResult {
    let count = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    let queues = &ctx.k.ipc.queues;
    let (pool, map, tql) = if used {
        let messages: u64 = queues.iter().map(|(_, q)| q.messages.len() as u64).sum();
        let bytes: u64 = queues.iter().map(|(_, q)| q.bytes).sum();
        (count(queues.len() as u64), count(messages), count(bytes))
    } else {
        (512_000, 16_384, 16_384)
    };
    let words = [pool, map, count(MSGMAX), count(MSGMNB), 32000, 16, tql];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend_from_slice(&0xffffu16.to_le_bytes());
    bytes.resize(32, 0);
    ctx.write_user(at, &bytes)?;
    Ok(ctx.k.ipc.queues.ids().last().map_or(0, |id| u64::from(id.0)))
}
