//! Processes as files: pidfd_open(2).
//!
//! **Invariant**: process numbers are never used twice in one machine, so the number is the process.

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Ctx, SysResult};
use crate::file::{FileId, FileOps, Ready};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::wait::WaitKey;
use crate::task::{GroupId, TaskId};

/// A process as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PidFdFile {
    /// Which.
    pub group: GroupId,
}

impl PidFdFile {
    /// Whether the process ended (it may still wait to be waited for).
    #[must_use]
    pub fn ended(&self, k: &Kernel) -> bool {
        k.groups.get(self.group).is_none_or(|group| group.status.is_some())
    }
}

impl FileOps for PidFdFile {
    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, _id: FileId) -> Ready {
        match k.groups.get(self.group) {
            None => Ready::IN | Ready::RDNORM | Ready::HUP,
            Some(group) if group.status.is_some() => Ready::IN | Ready::RDNORM,
            Some(_) => Ready::empty(),
        }
    }
    fn wait_keys(&self, _k: &Kernel, _id: FileId) -> Vec<WaitKey> {
        vec![WaitKey::Thread(TaskId(self.group.0))]
    }
    fn ioctl(&self, ctx: &mut Ctx<'_>, _id: FileId, request: u32, _arg: Addr) -> SysResult {
        ctx.k.gap(format!("ioctl {request:#x} on a pidfd"), String::new());
        Err(Errno::ENOTTY.into())
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[pidfd]".to_owned()
    }
}
