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
    /// A pidfd of a process; the caller makes an open file of it.
    #[must_use]
    pub fn new(k: &mut Kernel, group: GroupId) -> Self {
        k.pidfds.entry(group).or_insert((0, None)).0 += 1;
        PidFdFile { group }
    }
    /// `PIDFD_GET_INFO` (fs/pidfs.c): numbers and users of the process, and how it ended once it was waited for.
    fn info(self, ctx: &mut Ctx<'_>, size: u32, arg: Addr) -> SysResult {
        const PID: u64 = 1;
        const CREDS: u64 = 2;
        const CGROUP: u64 = 4;
        const EXIT: u64 = 8;
        const LEAST: u32 = 64;
        if arg == Addr::NULL || size < LEAST {
            return Err(Errno::EINVAL.into());
        }
        let asked = ctx.read_u64(arg)?;
        let mut out = Vec::new();
        if let Some(group) = ctx.k.groups.get(self.group) {
            let creds = &ctx.k.tasks.get(group.leader()).ok_or(Errno::ESRCH)?.creds;
            let (uid, gid) = (creds.uid, creds.gid);
            let parent = group.parent.map_or(1, |parent| parent.0);
            out.extend_from_slice(&(PID | CREDS | CGROUP).to_le_bytes());
            out.extend_from_slice(&1u64.to_le_bytes());
            let words = [
                self.group.0,
                self.group.0,
                parent,
                uid[0],
                gid[0],
                uid[1],
                gid[1],
                uid[2],
                gid[2],
                uid[3],
                gid[3],
                0,
            ];
            out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        } else {
            let status = ctx.k.pidfds.get(&self.group).and_then(|(_, status)| *status);
            let status = status.filter(|_| asked & EXIT != 0).ok_or(Errno::ESRCH)?;
            out.extend_from_slice(&EXIT.to_le_bytes());
            out.resize(60, 0);
            out.extend_from_slice(&status.to_le_bytes());
        }
        ctx.write_user(arg, &out)?;
        Ok(0)
    }
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
    fn release(&self, k: &mut Kernel, _id: FileId) {
        if let Some((files, _)) = k.pidfds.get_mut(&self.group) {
            *files -= 1;
            if *files == 0 {
                k.pidfds.remove(&self.group);
            }
        }
    }
    fn stat(&self, _k: &Kernel, _id: FileId) -> crate::vfs::Stat {
        crate::vfs::Stat::anonymous(3 << 32 | u64::from(self.group.0), 0o700)
    }
    fn ioctl(&self, ctx: &mut Ctx<'_>, _id: FileId, request: u32, arg: Addr) -> SysResult {
        // _IOWR(0xff, 11, struct pidfd_info), whose size may grow.
        if request & 0xc000_ffff == 0xc000_ff0b {
            return self.info(ctx, request >> 16 & 0x3fff, arg);
        }
        ctx.k.gap(format!("ioctl {request:#x} on a pidfd"), String::new());
        Err(Errno::ENOTTY.into())
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[pidfd]".to_owned()
    }
}
