//! Descriptor tables.
//!
//! **Invariant**: every descriptor holds one reference to its open file; tables that are kin, copies of each other in which
//! no number has come to mean another file since, hold their references together. So a copy costs nothing until it differs.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::id;
use crate::arg::Fd;
use crate::ctx::Ctx;
use crate::file::{File, FileId, OpenFile};
use crate::kernel::Kernel;
use crate::task::TaskId;

id! {
    /// A descriptor table, shared by `CLONE_FILES`.
    FdTableId;
    /// Tables whose references to files are counted once.
    KinId;
}

/// Index of RLIMIT_NOFILE in a group's limits.
pub const RLIMIT_NOFILE: usize = 7;

/// A descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// What it refers to.
    pub file: FileId,
    /// FD_CLOEXEC.
    pub cloexec: bool,
}

/// A descriptor table.
#[derive(Debug, Clone)]
pub struct FdTable {
    /// Descriptors by number.
    pub fds: persist::OrdMap<i32, Descriptor>,
    /// Tasks that share it.
    pub users: u32,
    /// All numbers below are in use.
    crowded: i32,
    /// The tables that hold their references together with this one; how many they are stands in `Kernel::fd_kin`.
    kin: Option<KinId>,
}

impl FdTable {
    /// An empty table with one user.
    #[must_use]
    pub fn new() -> Self {
        FdTable { fds: persist::OrdMap::new(), users: 1, crowded: 0, kin: None }
    }
    /// The lowest free number from `from` up.
    #[must_use]
    pub fn lowest_free(&self, from: i32) -> i32 {
        let mut free = from.max(self.crowded);
        for (fd, _) in self.fds.range(free..) {
            if *fd != free {
                break;
            }
            free += 1;
        }
        free
    }
    /// Takes a descriptor out.
    pub fn take(&mut self, fd: i32) -> Option<Descriptor> {
        let taken = self.fds.remove(&fd)?;
        self.crowded = self.crowded.min(fd);
        Some(taken)
    }
}

impl Default for FdTable {
    fn default() -> Self {
        FdTable::new()
    }
}

/// Adds a reference to an open file.
pub fn get_file(k: &mut Kernel, id: FileId) {
    if let Some(file) = k.files.get_mut(id) {
        file.refs = file.refs.saturating_add(1);
    }
}

/// Drops one reference to an open file; the last one releases it.
pub fn put_file(k: &mut Kernel, id: FileId) {
    let Some(file) = k.files.get_mut(id) else { return };
    file.refs = file.refs.saturating_sub(1);
    if file.refs == 0 {
        let (kind, loc) = (file.kind.clone(), file.loc);
        crate::file::epoll::target_closed(k, id);
        crate::file::sigio::file_closing(k, id);
        kind.ops().release(k, id);
        k.files.remove(id);
        crate::vfs::open::closed(k, id, loc);
        k.wake(crate::task::wait::WaitKey::File(id));
    } else if k.net.in_flight > 0 && matches!(file.kind, crate::file::File::Socket(_)) {
        crate::net::collect_garbage(k);
    }
}

/// A copy of a table for a new task (`fork`, `unshare(CLONE_FILES)`). The two are kin.
pub fn copy_table(k: &mut Kernel, from: FdTableId) -> FdTableId {
    let Some(table) = k.fd_tables.get_mut(from) else { return k.fd_tables.insert(FdTable::new()) };
    match table.kin {
        Some(kin) => {
            if let Some(count) = k.fd_kin.get_mut(kin) {
                *count += 1;
            }
        }
        None => table.kin = Some(k.fd_kin.insert(2)),
    }
    let copy = FdTable { users: 1, ..table.clone() };
    k.fd_tables.insert(copy)
}

/// A table leaves its kin. Whether others hold the references that they had together.
fn leave_kin(k: &mut Kernel, kin: KinId) -> bool {
    let Some(count) = k.fd_kin.get_mut(kin) else { return false };
    *count -= 1;
    let others = *count > 0;
    if !others {
        k.fd_kin.remove(kin);
    }
    others
}

/// A number of the table is about to mean another file: from here on it holds references of its own.
pub fn part(k: &mut Kernel, id: FdTableId) {
    let Some(kin) = k.fd_tables.get_mut(id).and_then(|table| table.kin.take()) else { return };
    if leave_kin(k, kin) {
        let files = k.fd_tables.get(id).map(|table| table.fds.clone()).unwrap_or_default();
        for descriptor in files.values() {
            get_file(k, descriptor.file);
        }
    }
}

/// One more task uses a table (`CLONE_FILES`).
pub fn share_table(k: &mut Kernel, id: FdTableId) {
    if let Some(table) = k.fd_tables.get_mut(id) {
        table.users += 1;
    }
}

/// A task stops using a table; the last one closes all that is in it.
pub fn put_table(k: &mut Kernel, id: FdTableId) {
    let Some(table) = k.fd_tables.get_mut(id) else { return };
    table.users = table.users.saturating_sub(1);
    if table.users > 0 {
        return;
    }
    if let Some(table) = k.fd_tables.remove(id) {
        if table.kin.is_some_and(|kin| leave_kin(k, kin)) {
            return;
        }
        for descriptor in table.fds.values() {
            put_file(k, descriptor.file);
        }
    }
}

/// Gives a task a table of its own, if it shares one (`unshare(CLONE_FILES)`, `execve`).
pub fn unshare_table(k: &mut Kernel, tid: TaskId) {
    let old = k.task(tid).fds;
    if k.fd_tables.get(old).is_some_and(|table| table.users > 1) {
        let new = copy_table(k, old);
        k.task_mut(tid).fds = new;
        put_table(k, old);
    }
}

/// Closes what is marked close-on-exec in a task's table (which it no longer shares).
pub fn close_on_exec(k: &mut Kernel, tid: TaskId) {
    let id = k.task(tid).fds;
    let Some(table) = k.fd_tables.get_mut(id) else { return };
    let doomed: Vec<(i32, FileId)> =
        table.fds.iter().filter(|(_, d)| d.cloexec).map(|(fd, d)| (*fd, d.file)).collect();
    if doomed.is_empty() {
        return;
    }
    part(k, id);
    if let Some(table) = k.fd_tables.get_mut(id) {
        for (fd, _) in &doomed {
            table.take(*fd);
        }
    }
    for (_, file) in doomed {
        put_file(k, file);
    }
}

impl Ctx<'_> {
    /// The open file behind a descriptor, O_PATH ones included. `EBADF`.
    pub fn fd_any(&self, fd: Fd) -> Result<FileId, Errno> {
        let table = self.k.fd_tables.get(self.task().fds).ok_or(Errno::EBADF)?;
        table.fds.get(&fd.0).map(|descriptor| descriptor.file).ok_or(Errno::EBADF)
    }
    /// The open file behind a descriptor. `EBADF` also for O_PATH.
    pub fn fd(&self, fd: Fd) -> Result<FileId, Errno> {
        let id = self.fd_any(fd)?;
        if self.file(id).flags & crate::file::flags::O_PATH != 0 { Err(Errno::EBADF) } else { Ok(id) }
    }
    /// An open file.
    ///
    /// # Panics
    /// If there is none: the caller got the id from a live descriptor in the same call.
    #[must_use]
    pub fn file(&self, id: FileId) -> &OpenFile {
        self.k.files.get(id).expect("open file exists")
    }
    /// An open file, to be changed.
    ///
    /// # Panics
    /// As [`Ctx::file`].
    pub fn file_mut(&mut self, id: FileId) -> &mut OpenFile {
        self.k.files.get_mut(id).expect("open file exists")
    }
    /// Makes an open file and gives it the lowest free descriptor. `EMFILE`.
    pub fn install(&mut self, kind: File, flags: u32, cloexec: bool) -> Result<Fd, Errno> {
        let id = self.k.files.insert(OpenFile::new(kind, flags));
        self.install_id(id, cloexec).inspect_err(|_| put_file(self.k, id))
    }
    /// How many descriptors the caller may have (RLIMIT_NOFILE): the first number that is too large.
    #[must_use]
    pub fn fd_limit(&self) -> i32 {
        i32::try_from(self.group().rlimits[RLIMIT_NOFILE].0).unwrap_or(i32::MAX)
    }
    /// Gives an open file (whose reference passes to the table) the lowest free descriptor. `EMFILE`.
    pub fn install_id(&mut self, id: FileId, cloexec: bool) -> Result<Fd, Errno> {
        self.install_from(id, 0, cloexec)
    }
    /// As [`Ctx::install_id`], from number `from` up.
    pub fn install_from(&mut self, id: FileId, from: i32, cloexec: bool) -> Result<Fd, Errno> {
        let limit = self.fd_limit();
        let table_id = self.task().fds;
        let table = self.k.fd_tables.get_mut(table_id).ok_or(Errno::EBADF)?;
        let fd = table.lowest_free(from);
        if fd >= limit {
            return Err(Errno::EMFILE);
        }
        part(self.k, table_id);
        let table = self.k.fd_tables.get_mut(table_id).ok_or(Errno::EBADF)?;
        table.fds.insert(fd, Descriptor { file: id, cloexec });
        if from <= table.crowded {
            table.crowded = fd + 1;
        }
        Ok(Fd(fd))
    }
    /// Makes `fd` refer to `id` (whose reference passes to the table), closing what it referred to before.
    pub fn install_at(&mut self, fd: Fd, id: FileId, cloexec: bool) -> Result<(), Errno> {
        let table_id = self.task().fds;
        part(self.k, table_id);
        let table = self.k.fd_tables.get_mut(table_id).ok_or(Errno::EBADF)?;
        if let Some(old) = table.fds.insert(fd.0, Descriptor { file: id, cloexec }) {
            put_file(self.k, old.file);
        }
        Ok(())
    }
    /// A descriptor of the caller. `EBADF`.
    pub fn descriptor(&self, fd: Fd) -> Result<Descriptor, Errno> {
        let table = self.k.fd_tables.get(self.task().fds).ok_or(Errno::EBADF)?;
        table.fds.get(&fd.0).copied().ok_or(Errno::EBADF)
    }
    /// Sets or clears FD_CLOEXEC.
    pub fn set_cloexec(&mut self, fd: Fd, cloexec: bool) -> Result<(), Errno> {
        let table_id = self.task().fds;
        let table = self.k.fd_tables.get_mut(table_id).ok_or(Errno::EBADF)?;
        table.fds.get_mut(&fd.0).ok_or(Errno::EBADF)?.cloexec = cloexec;
        Ok(())
    }
    /// Closes a descriptor.
    pub fn close_fd(&mut self, fd: Fd) -> Result<(), Errno> {
        let table_id = self.task().fds;
        self.descriptor(fd)?;
        part(self.k, table_id);
        let table = self.k.fd_tables.get_mut(table_id).ok_or(Errno::EBADF)?;
        let descriptor = table.take(fd.0).ok_or(Errno::EBADF)?;
        put_file(self.k, descriptor.file);
        Ok(())
    }
}

/// What closing a descriptor does besides dropping its reference: record locks of the process on that file go.
pub fn before_close(ctx: &mut Ctx<'_>, fd: Fd) {
    let Ok(id) = ctx.fd_any(fd) else { return };
    let (process, loc) = (ctx.task().group, ctx.file(id).loc);
    crate::file::sigio::dir_closed(ctx.k, id);
    crate::vfs::locks::descriptor_closed(ctx.k, process, loc);
}
