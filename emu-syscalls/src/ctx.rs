//! What a system-call handler works with: the kernel, the host behind the seam, the calling task and the call itself.
//!
//! **Invariant**: a handler that returns [`Stop::Block`] has changed nothing that a second run of the same call would do
//! again; progress that must survive is in [`Call`].

use emu_core::mem::{MemFault, Privilege, SpaceId};

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::wait::Wait;
use crate::task::{Task, TaskId, ThreadGroup};

/// Why a handler did not finish with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// The call fails with this number.
    Errno(Errno),
    /// The call must wait; the same call runs again when woken.
    Block(Wait),
    /// The call does not return here: the task exited, or its registers were replaced (`execve`, `rt_sigreturn`).
    NoReturn,
    /// Not supported: `ENOSYS` to the guest, one loud line to the user. The reason.
    Unsupported(&'static str),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Stop::Errno(errno)
    }
}

/// The result of a handler: the value for rax, or why there is none.
pub type SysResult = Result<u64, Stop>;

/// A system call in progress: what was asked, and progress that survives blocking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// Number.
    pub nr: u64,
    /// The six argument registers.
    pub args: [u64; 6],
    /// Absolute deadline on the monotonic clock in ns, fixed when the call first blocked.
    pub deadline_ns: Option<u64>,
    /// Bytes moved by earlier runs (a large write to a pipe).
    pub done: u64,
    /// Messages moved by earlier runs (`sendmmsg`, `recvmmsg`).
    pub count: u64,
    /// A waker's message to this call, e.g. that a futex waiter was chosen by a `FUTEX_WAKE`.
    pub woken: bool,
    /// How often the handler has run before.
    pub runs: u32,
}

/// The context of a running system call.
#[derive(Debug)]
pub struct Ctx<'a> {
    /// The kernel.
    pub k: &'a mut Kernel,
    /// The host behind the seam.
    pub host: &'a mut dyn Host,
    /// The calling task.
    pub tid: TaskId,
    /// The call.
    pub call: Call,
}

/// Longest path name with its NUL (PATH_MAX).
pub const PATH_MAX: usize = 4096;

impl Ctx<'_> {
    /// The calling task.
    #[must_use]
    pub fn task(&self) -> &Task {
        self.k.task(self.tid)
    }
    /// The calling task, to be changed.
    pub fn task_mut(&mut self) -> &mut Task {
        self.k.task_mut(self.tid)
    }
    /// The caller's thread group.
    #[must_use]
    pub fn group(&self) -> &ThreadGroup {
        self.k.group(self.task().group)
    }
    /// The caller's thread group, to be changed.
    pub fn group_mut(&mut self) -> &mut ThreadGroup {
        let id = self.task().group;
        self.k.group_mut(id)
    }
    /// The caller's address space.
    #[must_use]
    pub fn space(&self) -> SpaceId {
        self.k.space_of(self.tid)
    }
    /// The monotonic clock in ns, read through the seam.
    pub fn now_ns(&mut self) -> u64 {
        self.k.time.monotonic(self.host, self.k.retired)
    }
    /// The wall clock in ns since 1970, read through the seam.
    pub fn realtime_ns(&mut self) -> u64 {
        self.k.time.realtime(self.host, self.k.retired)
    }

    /// Copies from user memory, answering page faults as the hardware would. `EFAULT` if any byte cannot be read.
    pub fn read_user(&mut self, addr: Addr, buf: &mut [u8]) -> Result<(), Errno> {
        let space = self.space();
        let mut done = 0;
        while done < buf.len() {
            let at = addr.0.wrapping_add(done as u64);
            match self.k.mem.read(space, at, &mut buf[done..], Privilege::User) {
                Ok(()) => return Ok(()),
                Err((n, fault)) => {
                    done += n;
                    self.answer_fault(fault, false)?;
                }
            }
        }
        Ok(())
    }

    /// Copies to user memory, answering page faults. On `EFAULT` the bytes before the fault are written.
    pub fn write_user(&mut self, addr: Addr, buf: &[u8]) -> Result<(), Errno> {
        let space = self.space();
        let mut done = 0;
        while done < buf.len() {
            let at = addr.0.wrapping_add(done as u64);
            match self.k.mem.write(space, at, &buf[done..], Privilege::User) {
                Ok(()) => return Ok(()),
                Err((n, fault)) => {
                    done += n;
                    self.answer_fault(fault, true)?;
                }
            }
        }
        Ok(())
    }

    /// Makes sure that `len` bytes at `addr` can be written, faulting pages in, and returns how many of them can be
    /// (counted from the start). `EFAULT` if not even the first.
    pub fn prefault_write(&mut self, addr: Addr, len: u64) -> Result<u64, Errno> {
        crate::mm::fault::prefault_write(self, addr.0, len)
    }

    fn answer_fault(&mut self, fault: MemFault, write: bool) -> Result<(), Errno> {
        crate::mm::fault::answer(self, fault, write).map_err(|_| Errno::EFAULT)
    }

    /// A NUL-terminated string of at most `max` bytes with its NUL; `too_long` if there is no NUL within them.
    pub fn read_cstr(&mut self, addr: Addr, max: usize, too_long: Errno) -> Result<Vec<u8>, Errno> {
        let mut text = Vec::new();
        let mut chunk = [0u8; 256];
        loop {
            let at = addr.at(text.len() as u64);
            // Never past the end of a page in one step: what follows the NUL need not be readable.
            let in_page = 4096 - (at.0 & 4095);
            let take = chunk.len().min(usize::try_from(in_page).unwrap_or(chunk.len())).min(max - text.len());
            if take == 0 {
                return Err(too_long);
            }
            self.read_user(at, &mut chunk[..take])?;
            if let Some(end) = chunk[..take].iter().position(|byte| *byte == 0) {
                text.extend_from_slice(&chunk[..end]);
                return Ok(text);
            }
            text.extend_from_slice(&chunk[..take]);
        }
    }

    /// A path name: `EFAULT`, `ENAMETOOLONG`. The empty string is returned as such.
    pub fn read_path(&mut self, path: crate::arg::Path) -> Result<Vec<u8>, Errno> {
        self.read_cstr(Addr(path.0), PATH_MAX, Errno::ENAMETOOLONG)
    }

    /// A little-endian number.
    pub fn read_u32(&mut self, addr: Addr) -> Result<u32, Errno> {
        let mut bytes = [0; 4];
        self.read_user(addr, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
    /// A little-endian number.
    pub fn read_u64(&mut self, addr: Addr) -> Result<u64, Errno> {
        let mut bytes = [0; 8];
        self.read_user(addr, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }
    /// Writes a little-endian number.
    pub fn write_u32(&mut self, addr: Addr, value: u32) -> Result<(), Errno> {
        self.write_user(addr, &value.to_le_bytes())
    }
    /// Writes a little-endian number.
    pub fn write_u64(&mut self, addr: Addr, value: u64) -> Result<(), Errno> {
        self.write_user(addr, &value.to_le_bytes())
    }
}
