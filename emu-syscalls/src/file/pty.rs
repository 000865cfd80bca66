//! Pseudo-terminals: the master's side, and who is there.
//!
//! **Invariant**: a pair lives as long as a file on either side is open; its number is free again afterwards.

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::dev::makedev;
use crate::file::tty::{self, Tty, TtyId, Wire};
use crate::file::{File, FileId, FileOps, Ready, jobctl};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::wait::WaitKey;
use crate::vfs::{Stat, ftype};

/// Most pairs at a time (/proc/sys/kernel/pty/max).
pub const PTY_MAX: usize = 4096;

/// The master's side of a pair as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MasterFile {
    /// Which.
    pub tty: TtyId,
}

/// The lowest number that no terminal has.
pub(crate) fn free_index(k: &Kernel) -> u32 {
    let mut used: Vec<u32> = k.ttys.iter().map(|(_, tty)| tty.index).collect();
    used.sort_unstable();
    let mut free = 0;
    for index in used {
        if index == free {
            free += 1;
        }
    }
    free
}

/// The terminal with this number below /dev/pts.
#[must_use]
pub fn by_index(k: &Kernel, index: u32) -> Option<TtyId> {
    k.ttys
        .iter()
        .find(|(_, tty)| tty.index == index && (tty.masters > 0 || tty.wire != Wire::Master))
        .map(|(id, _)| id)
}

/// Opens /dev/ptmx: a new pair, its slave locked. `ENOSPC` when there are too many.
pub(crate) fn open_master(ctx: &mut Ctx<'_>) -> Result<File, Stop> {
    if ctx.k.ttys.len() >= PTY_MAX {
        return Err(Errno::ENOSPC.into());
    }
    let mut tty = Tty::new(free_index(ctx.k), Wire::Master);
    tty.locked = true;
    tty.masters = 1;
    tty.owner = ctx.task().creds.uid[3];
    Ok(File::Master(MasterFile { tty: ctx.k.ttys.insert(tty) }))
}

/// A file on the slave's side was closed.
pub(crate) fn slave_closed(k: &mut Kernel, id: TtyId) {
    let Some(tty) = k.ttys.get_mut(id) else { return };
    tty.slaves = tty.slaves.saturating_sub(1);
    if tty.slaves > 0 || tty.wire != Wire::Master {
        return;
    }
    tty.slave_closed = true;
    tty.exclusive = false;
    jobctl::forget_terminal(k, id);
    drop_unused(k, id);
    k.wake(WaitKey::Tty(id));
}

fn drop_unused(k: &mut Kernel, id: TtyId) {
    if k.ttys.get(id).is_some_and(|tty| tty.wire == Wire::Master && tty.slaves == 0 && tty.masters == 0) {
        jobctl::forget_terminal(k, id);
        k.ttys.remove(id);
    }
}

impl FileOps for MasterFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        let Some(tty) = ctx.k.ttys.get_mut(self.tty) else { return Err(Errno::EIO.into()) };
        if max == 0 {
            return Ok(Vec::new());
        }
        if tty.packet_mode && tty.packet_status != 0 {
            return Ok(vec![std::mem::take(&mut tty.packet_status)]);
        }
        if tty.out.is_empty() {
            return Err(if tty.slave_closed { Errno::EIO.into() } else { ctx.block_on(id) });
        }
        let mut data = Vec::new();
        if tty.packet_mode {
            data.push(0);
        }
        let n = (max - data.len()).min(tty.out.len());
        data.extend(tty.out.drain(..n));
        ctx.k.wake(WaitKey::Tty(self.tty));
        Ok(data)
    }

    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], _pos: u64) -> Result<usize, Stop> {
        let Some(tty) = ctx.k.ttys.get_mut(self.tty) else { return Err(Errno::EIO.into()) };
        if tty.slave_closed {
            return Err(Errno::EIO.into());
        }
        let n = data.len().min(tty::WAITING_MAX.saturating_sub(tty.ld.waiting.len()));
        if n == 0 && !data.is_empty() {
            return Err(ctx.block_on(id));
        }
        tty.ld.waiting.extend(&data[..n]);
        tty::pump(ctx.k, self.tty);
        Ok(n)
    }

    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, _id: FileId) -> Ready {
        let Some(tty) = k.ttys.get(self.tty) else { return Ready::HUP | Ready::ERR };
        let mut ready = Ready::empty();
        ready.set(Ready::IN | Ready::RDNORM, !tty.out.is_empty());
        if tty.packet_mode && tty.packet_status != 0 {
            ready |= Ready::PRI | Ready::IN | Ready::RDNORM;
        }
        ready.set(Ready::HUP, tty.slave_closed);
        ready.set(Ready::OUT | Ready::WRNORM, tty.ld.waiting.len() < tty::WAITING_MAX);
        ready
    }

    fn wait_keys(&self, _k: &Kernel, _id: FileId) -> Vec<WaitKey> {
        vec![WaitKey::Tty(self.tty)]
    }

    fn ioctl(&self, ctx: &mut Ctx<'_>, id: FileId, request: u32, arg: Addr) -> SysResult {
        super::tty_ioctl::ioctl(ctx, id, self.tty, super::tty_ioctl::Side::Master, request, arg)
    }

    fn release(&self, k: &mut Kernel, _id: FileId) {
        let Some(tty) = k.ttys.get_mut(self.tty) else { return };
        tty.masters = tty.masters.saturating_sub(1);
        if tty.masters == 0 {
            jobctl::hangup(k, self.tty);
            drop_unused(k, self.tty);
        }
    }

    fn stat(&self, _k: &Kernel, id: FileId) -> Stat {
        Stat { rdev: makedev(5, 2), ..Stat::anonymous(u64::from(id.0), ftype::S_IFCHR | 0o666) }
    }

    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "/dev/ptmx".to_owned()
    }
}
