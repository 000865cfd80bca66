//! Signals of open files: `O_ASYNC`, leases, `F_NOTIFY` (fs/fcntl.c, fs/notify/dnotify).
//!
//! An open file with `O_ASYNC` waits for what a reader or writer would wait for, lastingly; each time, its owner gets the
//! signal.
//!
//! **Invariant**: registrations of an open file go with it.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::file::inotify::mask;
use crate::file::{File, FileId, flags};
use crate::kernel::Kernel;
use crate::task::sighand::{SigInfo, sig};
use crate::task::signal::{To, post, post_pgrp};
use crate::task::wait::{WaitKey, Waiter};
use crate::task::{GroupId, TaskId};
use crate::vfs::InodeId;

/// `si_code`: there is input.
pub const POLL_IN: i32 = 1;
/// `si_code`: output is possible.
pub const POLL_OUT: i32 = 2;
/// `si_code`: a message.
pub const POLL_MSG: i32 = 3;

/// Tells the owner of an open file that something happened, by SIGIO or what `F_SETSIG` chose.
pub fn signal_owner(k: &mut Kernel, id: FileId, fd: i32, code: i32) {
    let Some(file) = k.files.get(id) else { return };
    let (kind, who, signo) = file.owner;
    let number = who.unsigned_abs();
    let band = match code {
        POLL_IN => 0x41,
        POLL_OUT => 0x304,
        _ => 0x441,
    };
    let info = match u8::try_from(signo) {
        Ok(signo) if signo > 0 => SigInfo::poll(signo, code, band, fd),
        _ => SigInfo::kernel(sig::IO),
    };
    if number == 0 {
        return;
    }
    match kind {
        0 => post(k, To::Thread(TaskId(number)), info),
        1 => post(k, To::Process(GroupId(number)), info),
        _ => post_pgrp(k, GroupId(number), &info),
    }
}

/// Something that an `O_ASYNC` file waits for happened.
pub fn woken(k: &mut Kernel, id: FileId, key: WaitKey) {
    let fd = k.files.get(id).map_or(-1, |file| file.async_fd);
    let code = match key {
        WaitKey::PipeRoom(_) | WaitKey::SocketRoom(_) => POLL_OUT,
        _ => POLL_IN,
    };
    signal_owner(k, id, fd, code);
}

/// Whether a kind of file knows `O_ASYNC`: others keep the flag, and nothing comes of it.
fn knows_async(kind: &File) -> bool {
    matches!(
        kind,
        File::Pipe(_) | File::Socket(_) | File::Tty(_) | File::Master(_) | File::Inotify(_) | File::Stream(_)
    )
}

/// Sets or clears `O_ASYNC` of an open file through descriptor `fd`. `ENOTTY` if `must_know` and it cannot.
pub fn set_async(k: &mut Kernel, id: FileId, fd: i32, on: bool, must_know: bool) -> Result<(), Errno> {
    let Some(file) = k.files.get_mut(id) else { return Err(Errno::EBADF) };
    let was = file.flags & flags::O_ASYNC != 0;
    let knows = knows_async(&file.kind);
    if !knows && must_know {
        return Err(Errno::ENOTTY);
    }
    if on {
        file.flags |= flags::O_ASYNC;
        file.async_fd = fd;
    } else {
        file.flags &= !flags::O_ASYNC;
    }
    if !knows || was == on {
        return Ok(());
    }
    let kind = file.kind.clone();
    for key in kind.ops().wait_keys(k, id) {
        if on {
            k.waits.watch(key, Waiter::Async(id));
        } else {
            k.waits.unwatch(key, Waiter::Async(id));
        }
    }
    Ok(())
}

/// The last reference to an open file goes: nobody is to be told any more.
pub fn file_closing(k: &mut Kernel, id: FileId) {
    if k.files.get(id).is_some_and(|file| file.flags & flags::O_ASYNC != 0) {
        let _ = set_async(k, id, -1, false, false);
    }
    crate::vfs::leases::file_closed(k, id);
}

/// A directory that is watched by `F_NOTIFY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirWatch {
    /// Through which open file.
    pub file: FileId,
    /// The descriptor, for the signal.
    pub fd: i32,
    /// `DN_*`
    pub wanted: u32,
}

/// `DN_*` bits (include/uapi/linux/fcntl.h).
mod dn {
    pub(super) const ACCESS: u32 = 1;
    pub(super) const MODIFY: u32 = 2;
    pub(super) const CREATE: u32 = 4;
    pub(super) const DELETE: u32 = 8;
    pub(super) const RENAME: u32 = 16;
    pub(super) const ATTRIB: u32 = 32;
    pub(super) const MULTISHOT: u32 = 1 << 31;
}

/// `F_NOTIFY`: adds to what an open directory is watched for, or ends it. `ENOTDIR`.
pub fn watch_dir(k: &mut Kernel, id: FileId, fd: i32, bits: u32) -> Result<(), Errno> {
    let Some(File::Dir(dir)) = k.files.get(id).map(|file| &file.kind) else { return Err(Errno::ENOTDIR) };
    let inode = dir.inode;
    let mut list = k.inotifies.dir_watches.get(&inode).cloned().unwrap_or_default();
    if bits & !dn::MULTISHOT == 0 {
        list.retain(|watch| watch.file != id);
    } else {
        match list.iter_mut().find(|watch| watch.file == id) {
            Some(watch) => {
                watch.wanted |= bits;
                watch.fd = fd;
            }
            None => list.push_back(DirWatch { file: id, fd, wanted: bits }),
        }
    }
    store(k, inode, list);
    Ok(())
}

fn store(k: &mut Kernel, inode: InodeId, list: persist::Vector<DirWatch>) {
    if list.is_empty() {
        k.inotifies.dir_watches.remove(&inode);
    } else {
        k.inotifies.dir_watches.insert(inode, list);
    }
}

/// A descriptor of an open directory is closed: its watch ends, whoever else has the file open.
pub fn dir_closed(k: &mut Kernel, id: FileId) {
    if k.inotifies.dir_watches.is_empty() {
        return;
    }
    if matches!(k.files.get(id).map(|file| &file.kind), Some(File::Dir(_))) {
        let _ = watch_dir(k, id, -1, 0);
    }
}

/// A directory, or an entry of it, had an event (bits of inotify).
pub fn dir_event(k: &mut Kernel, dir: InodeId, bits: u32, renamed_within: bool) {
    let Some(list) = k.inotifies.dir_watches.get(&dir).cloned() else { return };
    let table = [
        (mask::ACCESS, dn::ACCESS),
        (mask::MODIFY, dn::MODIFY),
        (mask::CREATE | mask::MOVED_TO, dn::CREATE),
        (mask::DELETE | mask::MOVED_FROM, dn::DELETE),
        (mask::ATTRIB, dn::ATTRIB),
    ];
    let mut found = table.iter().filter(|(event, _)| bits & event != 0).fold(0, |all, (_, bit)| all | bit);
    if renamed_within {
        found = dn::RENAME;
    }
    let mut rest = persist::Vector::new();
    for mut watch in list {
        if watch.wanted & found == 0 {
            rest.push_back(watch);
            continue;
        }
        signal_owner(k, watch.file, watch.fd, POLL_MSG);
        if watch.wanted & dn::MULTISHOT == 0 {
            watch.wanted &= !found;
        }
        if watch.wanted & !dn::MULTISHOT != 0 {
            rest.push_back(watch);
        }
    }
    store(k, dir, rest);
}
