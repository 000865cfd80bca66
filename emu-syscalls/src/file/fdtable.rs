//! Descriptor tables.
//!
//! **Invariant**: every descriptor holds one reference to its open file.

use crate::abi::errno::Errno;
use crate::arena::id;
use crate::arg::Fd;
use crate::ctx::Ctx;
use crate::file::{File, FileId, OpenFile};
use crate::kernel::Kernel;

id! {
    /// A descriptor table, shared by `CLONE_FILES`.
    FdTableId;
}

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
    pub fds: imbl::OrdMap<i32, Descriptor>,
    /// Tasks that share it.
    pub users: u32,
}

impl FdTable {
    /// An empty table with one user.
    #[must_use]
    pub fn new() -> Self {
        FdTable { fds: imbl::OrdMap::new(), users: 1 }
    }
    /// The lowest free number from `from` up.
    #[must_use]
    pub fn lowest_free(&self, from: i32) -> i32 {
        let mut free = from;
        for (fd, _) in self.fds.range(from..) {
            if *fd != free {
                break;
            }
            free += 1;
        }
        free
    }
}

impl Default for FdTable {
    fn default() -> Self {
        FdTable::new()
    }
}

/// Drops one reference to an open file; the last one releases it.
pub fn put_file(k: &mut Kernel, id: FileId) {
    let Some(file) = k.files.get_mut(id) else { return };
    file.refs -= 1;
    if file.refs == 0 {
        let kind = file.kind.clone();
        kind.ops().release(k, id);
        k.files.remove(id);
        k.wake(crate::task::wait::WaitKey::File(id));
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
    /// Gives an open file (whose reference passes to the table) the lowest free descriptor. `EMFILE`.
    pub fn install_id(&mut self, id: FileId, cloexec: bool) -> Result<Fd, Errno> {
        let limit = self.group().rlimits[7].0;
        let table_id = self.task().fds;
        let table = self.k.fd_tables.get_mut(table_id).ok_or(Errno::EBADF)?;
        let fd = table.lowest_free(0);
        if u64::try_from(fd).map_or(true, |fd| fd >= limit) {
            return Err(Errno::EMFILE);
        }
        table.fds.insert(fd, Descriptor { file: id, cloexec });
        Ok(Fd(fd))
    }
    /// Closes a descriptor.
    pub fn close_fd(&mut self, fd: Fd) -> Result<(), Errno> {
        let table_id = self.task().fds;
        let table = self.k.fd_tables.get_mut(table_id).ok_or(Errno::EBADF)?;
        let descriptor = table.fds.remove(&fd.0).ok_or(Errno::EBADF)?;
        put_file(self.k, descriptor.file);
        Ok(())
    }
}
