//! POSIX message queues: `mq_open(3)` and its kin.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arg::{Addr, Fd, I32, Len, Path, U32};
use crate::calls::desc::fd_result;
use crate::calls::poll::{Timeout, read_timespec};
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::{File, FileId, flags};
use crate::ipc::mqueue::{MQueue, MqFile, NOTIFY_REMOVED, NOTIFY_WOKENUP, Tell, key, put, send_cookie};
use crate::ipc::{MqId, Perm};
use crate::net::Domain;
use crate::task::wait::{OnSignal, Wait, Waiter};

/// Limits without privilege (/proc/sys/fs/mqueue/*), and with.
const MSG_MAX: u64 = 10;
const MSGSIZE_MAX: u64 = 8192;
const HARD_MSG_MAX: u64 = 65_536;
const HARD_MSGSIZE_MAX: u64 = 1 << 24;
const QUEUES_MAX: usize = 256;
const PRIO_MAX: u32 = 32768;
/// CAP_SYS_RESOURCE
const CAP_SYS_RESOURCE: u64 = 1 << 24;

fn read_name(ctx: &mut Ctx<'_>, name: Path) -> Result<Vec<u8>, Errno> {
    let name = ctx.read_path(name)?;
    if name.is_empty() {
        return Err(Errno::ENOENT);
    }
    if name.contains(&b'/') {
        return Err(Errno::EACCES);
    }
    if name.len() > 255 { Err(Errno::ENAMETOOLONG) } else { Ok(name) }
}

/// `mq_open(2)`
pub(crate) fn mq_open(ctx: &mut Ctx<'_>, name: Path, oflag: I32, mode: U32, attr: Addr) -> SysResult {
    let bits = oflag.0.cast_unsigned();
    let sizes =
        if attr == Addr::NULL { None } else { Some((ctx.read_u64(attr.at(8))?, ctx.read_u64(attr.at(16))?)) };
    let name = read_name(ctx, name)?;
    let creds = ctx.task().creds.clone();
    let wanted = match bits & flags::O_ACCMODE {
        0 => 4,
        flags::O_WRONLY => 2,
        flags::O_RDWR => 6,
        _ => return Err(Errno::EINVAL.into()),
    };
    let queue = match ctx.k.ipc.mq_names.get(&name).copied() {
        Some(_) if bits & flags::O_CREAT != 0 && bits & flags::O_EXCL != 0 => {
            return Err(Errno::EEXIST.into());
        }
        Some(id) => {
            ctx.k.ipc.mqueues.get(id).ok_or(Errno::ENOENT)?.perm.permit(&creds, wanted)?;
            id
        }
        None if bits & flags::O_CREAT == 0 => return Err(Errno::ENOENT.into()),
        None => {
            let (count, size) = sizes.unwrap_or((10, 8192));
            let privileged = creds.cap_effective & CAP_SYS_RESOURCE != 0;
            let (most, largest) =
                if privileged { (HARD_MSG_MAX, HARD_MSGSIZE_MAX) } else { (MSG_MAX, MSGSIZE_MAX) };
            if !(1..=most).contains(&count) || !(1..=largest).contains(&size) {
                return Err(Errno::EINVAL.into());
            }
            if ctx.k.ipc.mqueues.len() >= QUEUES_MAX && !privileged {
                return Err(Errno::ENOSPC.into());
            }
            let queue = MQueue {
                perm: Perm::new(0, &creds, mode.0 & !ctx.umask()),
                messages: persist::Vector::new(),
                max_messages: usize::try_from(count).map_err(|_| Errno::EINVAL)?,
                max_size: usize::try_from(size).map_err(|_| Errno::EINVAL)?,
                refs: 1,
                notify: None,
            };
            let id = ctx.k.ipc.mqueues.insert(queue);
            ctx.k.ipc.mq_names.insert(name, id);
            id
        }
    };
    if let Some(queue) = ctx.k.ipc.mqueues.get_mut(queue) {
        queue.refs += 1;
    }
    let status = bits & (flags::O_ACCMODE | flags::O_NONBLOCK);
    let fd = ctx.install(File::Mq(MqFile { queue }), status, bits & flags::O_CLOEXEC != 0)?;
    Ok(fd_result(fd))
}

/// `mq_unlink(2)`
pub(crate) fn mq_unlink(ctx: &mut Ctx<'_>, name: Path) -> SysResult {
    let name = read_name(ctx, name)?;
    let id = ctx.k.ipc.mq_names.get(&name).copied().ok_or(Errno::ENOENT)?;
    let creds = ctx.task().creds.clone();
    let queue = ctx.k.ipc.mqueues.get(id).ok_or(Errno::ENOENT)?;
    queue.perm.owns(&creds).map_err(|_| Errno::EACCES)?;
    ctx.k.ipc.mq_names.remove(&name);
    put(ctx.k, id);
    Ok(0)
}

fn queue_of(ctx: &Ctx<'_>, fd: Fd) -> Result<(FileId, MqId), Errno> {
    let id = ctx.fd(fd)?;
    match &ctx.file(id).kind {
        File::Mq(file) => Ok((id, file.queue)),
        _ => Err(Errno::EBADF),
    }
}

/// Waits for the queue to change, at most until `abs_timeout` of the wall clock.
fn block(ctx: &mut Ctx<'_>, file: FileId, queue: MqId, span: Option<u64>) -> Stop {
    if ctx.file(file).flags & flags::O_NONBLOCK != 0 {
        return Errno::EAGAIN.into();
    }
    let timeout = Timeout::after(ctx, span);
    if timeout.over(ctx) {
        return Errno::ETIMEDOUT.into();
    }
    Stop::Block(Wait::any(vec![key(queue)], timeout.until(), OnSignal::Restart))
}

/// Time from now to an absolute time of the wall clock, at least 0.
fn until(ctx: &mut Ctx<'_>, abs_timeout: Addr) -> Result<Option<u64>, Errno> {
    let at = read_timespec(ctx, abs_timeout)?;
    Ok(at.map(|at| at.saturating_sub(ctx.realtime_ns())))
}

/// `mq_timedsend(2)`
pub(crate) fn mq_timedsend(
    ctx: &mut Ctx<'_>,
    mqdes: Fd,
    msg_ptr: Addr,
    msg_len: Len,
    msg_prio: U32,
    abs_timeout: Addr,
) -> SysResult {
    if msg_prio.0 >= PRIO_MAX {
        return Err(Errno::EINVAL.into());
    }
    let span = until(ctx, abs_timeout)?;
    let (file, id) = queue_of(ctx, mqdes)?;
    if !ctx.file(file).writable() {
        return Err(Errno::EBADF.into());
    }
    let queue = ctx.k.ipc.mqueues.get(id).ok_or(Errno::EBADF)?;
    let len = usize::try_from(msg_len.0).unwrap_or(usize::MAX);
    if len > queue.max_size {
        return Err(Errno::EMSGSIZE.into());
    }
    if queue.messages.len() >= queue.max_messages {
        return Err(block(ctx, file, id, span));
    }
    let was_empty = queue.messages.is_empty();
    let mut data = vec![0; len];
    ctx.read_user(msg_ptr, &mut data)?;
    let receives = ctx.k.waits.waiters(key(id)).iter().any(|waiter| matches!(waiter, Waiter::Task(_)));
    let queue = ctx.k.ipc.mqueues.get_mut(id).ok_or(Errno::EBADF)?;
    queue.push(msg_prio.0, data);
    let notify = if was_empty && !receives { queue.notify.take() } else { None };
    match notify {
        Some((group, Tell::Signal(signal, value))) => tell(ctx, group, signal, value),
        Some((_, Tell::Cookie(socket, cookie))) => send_cookie(ctx.k, socket, cookie, NOTIFY_WOKENUP),
        Some((_, Tell::Nothing)) | None => {}
    }
    ctx.k.wake(key(id));
    Ok(0)
}

/// Sends the signal that `mq_notify` asked for.
fn tell(ctx: &mut Ctx<'_>, group: crate::task::GroupId, signal: u8, value: u64) {
    const SI_MESGQ: i32 = -3;
    let mut fields = [0; 112];
    fields[..4].copy_from_slice(&ctx.task().group.0.to_le_bytes());
    fields[4..8].copy_from_slice(&ctx.task().creds.uid[0].to_le_bytes());
    fields[8..16].copy_from_slice(&value.to_le_bytes());
    let info = crate::task::sighand::SigInfo { signo: signal, errno: 0, code: SI_MESGQ, fields };
    crate::task::signal::post(ctx.k, crate::task::signal::To::Process(group), info);
}

/// `mq_timedreceive(2)`
pub(crate) fn mq_timedreceive(
    ctx: &mut Ctx<'_>,
    mqdes: Fd,
    msg_ptr: Addr,
    msg_len: Len,
    msg_prio: Addr,
    abs_timeout: Addr,
) -> SysResult {
    let span = until(ctx, abs_timeout)?;
    let (file, id) = queue_of(ctx, mqdes)?;
    if !ctx.file(file).readable() {
        return Err(Errno::EBADF.into());
    }
    let queue = ctx.k.ipc.mqueues.get(id).ok_or(Errno::EBADF)?;
    if usize::try_from(msg_len.0).is_ok_and(|len| len < queue.max_size) {
        return Err(Errno::EMSGSIZE.into());
    }
    let Some((priority, data)) = queue.messages.front().cloned() else {
        return Err(block(ctx, file, id, span));
    };
    ctx.k.ipc.mqueues.get_mut(id).ok_or(Errno::EBADF)?.messages.pop_front();
    ctx.k.wake(key(id));
    ctx.write_user(msg_ptr, &data)?;
    if msg_prio != Addr::NULL {
        ctx.write_u32(msg_prio, priority)?;
    }
    Ok(data.len() as u64)
}

/// `mq_notify(2)`
pub(crate) fn mq_notify(ctx: &mut Ctx<'_>, mqdes: Fd, sevp: Addr) -> SysResult {
    const SIGEV_SIGNAL: u32 = 0;
    const SIGEV_NONE: u32 = 1;
    const SIGEV_THREAD: u32 = 2;
    let wanted = if sevp == Addr::NULL {
        None
    } else {
        let value = ctx.read_u64(sevp)?;
        let signal = ctx.read_u32(sevp.at(8))?;
        match ctx.read_u32(sevp.at(12))? {
            SIGEV_NONE => Some(Tell::Nothing),
            SIGEV_SIGNAL => {
                let signal = u8::try_from(signal).ok().filter(|signal| (1..=64).contains(signal));
                Some(Tell::Signal(signal.ok_or(Errno::EINVAL)?, value))
            }
            SIGEV_THREAD => {
                let mut cookie = [0; 32];
                ctx.read_user(Addr(value), &mut cookie)?;
                let (_, socket) = super::socket::socket_of(ctx, Fd(signal.cast_signed()))?;
                if ctx.k.net.get(socket)?.domain != Domain::Netlink {
                    return Err(Errno::EINVAL.into());
                }
                Some(Tell::Cookie(socket, cookie))
            }
            _ => return Err(Errno::EINVAL.into()),
        }
    };
    let (_, id) = queue_of(ctx, mqdes)?;
    let group = ctx.task().group;
    let queue = ctx.k.ipc.mqueues.get_mut(id).ok_or(Errno::EBADF)?;
    match (wanted, queue.notify) {
        (None, Some((owner, how))) if owner == group => {
            queue.notify = None;
            if let Tell::Cookie(socket, cookie) = how {
                send_cookie(ctx.k, socket, cookie, NOTIFY_REMOVED);
            }
        }
        (None, _) => {}
        (Some(_), Some(_)) => return Err(Errno::EBUSY.into()),
        (Some(how), None) => queue.notify = Some((group, how)),
    }
    Ok(0)
}

/// `mq_getsetattr(2)`
pub(crate) fn mq_getsetattr(ctx: &mut Ctx<'_>, mqdes: Fd, newattr: Addr, oldattr: Addr) -> SysResult {
    let new = if newattr == Addr::NULL { None } else { Some(ctx.read_u64(newattr)?) };
    let nonblock = u64::from(flags::O_NONBLOCK);
    if new.is_some_and(|bits| bits & !nonblock != 0) {
        return Err(Errno::EINVAL.into());
    }
    let (file, id) = queue_of(ctx, mqdes)?;
    let queue = ctx.k.ipc.mqueues.get(id).ok_or(Errno::EBADF)?;
    let old = u64::from(ctx.file(file).flags & flags::O_NONBLOCK);
    let words =
        [old, queue.max_messages as u64, queue.max_size as u64, queue.messages.len() as u64, 0, 0, 0, 0];
    if let Some(bits) = new {
        let file = ctx.file_mut(file);
        file.flags = if bits != 0 { file.flags | flags::O_NONBLOCK } else { file.flags & !flags::O_NONBLOCK };
    }
    if oldattr != Addr::NULL {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        ctx.write_user(oldattr, &bytes)?;
    }
    Ok(0)
}
