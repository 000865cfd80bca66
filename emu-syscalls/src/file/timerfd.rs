//! Timers as files: timerfd_create(2).
//!
//! **Invariant**: an armed timer is in the queue at the monotonic time of its next expiration.

use emu_core::persist;

use crate::abi::errno::Errno;
use crate::arena::{Arena, id};
use crate::ctx::{Ctx, Stop};
use crate::file::{FileId, FileOps, NextRead, Ready};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::wait::WaitKey;

id! {
    /// A timer.
    TimerFdId;
}

/// A timer.
#[derive(Debug, Clone)]
pub struct TimerFd {
    /// The clock it was made for.
    pub clock: i32,
    /// When it expires next, in ns of the monotonic clock.
    pub next_ns: Option<u64>,
    /// Time from one expiration to the next in ns; 0 for once.
    pub interval_ns: u64,
    /// Expirations not read yet.
    pub ticks: u64,
    /// Its open file.
    pub file: FileId,
}

/// All timers.
#[derive(Debug, Clone, Default)]
pub struct TimerFds {
    /// By id.
    pub timers: Arena<TimerFdId, TimerFd>,
    queue: persist::OrdSet<(u64, TimerFdId)>,
}

impl TimerFds {
    /// When the next one expires, in ns of the monotonic clock.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.queue.get_min().map(|(at, _)| *at)
    }
    /// Arms (or disarms) a timer anew; expirations not read are forgotten.
    pub fn set(&mut self, id: TimerFdId, next_ns: Option<u64>, interval_ns: u64) {
        let Some(timer) = self.timers.get_mut(id) else { return };
        if let Some(old) = timer.next_ns {
            self.queue.remove(&(old, id));
        }
        timer.next_ns = next_ns;
        timer.interval_ns = interval_ns;
        timer.ticks = 0;
        if let Some(at) = next_ns {
            self.queue.insert((at, id));
        }
    }
}

/// Lets every timer expire whose time is not after `now_ns`.
pub fn expire(k: &mut Kernel, now_ns: u64) {
    while let Some((at, id)) = k.timerfds.queue.get_min().copied() {
        if at > now_ns {
            break;
        }
        k.timerfds.queue.remove(&(at, id));
        let Some(timer) = k.timerfds.timers.get_mut(id) else { continue };
        let file = timer.file;
        match (now_ns - at).checked_div(timer.interval_ns) {
            None => {
                timer.ticks = timer.ticks.saturating_add(1);
                timer.next_ns = None;
            }
            Some(more) => {
                timer.ticks = timer.ticks.saturating_add(1 + more);
                let next = at.saturating_add(timer.interval_ns.saturating_mul(1 + more));
                timer.next_ns = Some(next);
                // A timer at the end of time never expires.
                if next > now_ns {
                    k.timerfds.queue.insert((next, id));
                }
            }
        }
        k.wake(WaitKey::File(file));
    }
}

/// A timer as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerFdFile {
    /// Which.
    pub timer: TimerFdId,
}

impl FileOps for TimerFdFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        if max < 8 {
            return Err(Errno::EINVAL.into());
        }
        let now = ctx.now_ns();
        expire(ctx.k, now);
        let timer = ctx.k.timerfds.timers.get_mut(self.timer).ok_or(Errno::EBADF)?;
        if timer.ticks == 0 {
            return Err(ctx.block_on(id));
        }
        let ticks = std::mem::take(&mut timer.ticks);
        Ok(ticks.to_le_bytes().to_vec())
    }
    fn next_read(&self, _k: &Kernel) -> NextRead {
        NextRead::Message
    }
    fn ready(&self, k: &mut Kernel, host: &mut dyn Host, _id: FileId) -> Ready {
        let now = k.time.monotonic(host, k.retired);
        expire(k, now);
        let ticks = k.timerfds.timers.get(self.timer).map_or(0, |timer| timer.ticks);
        if ticks > 0 { Ready::IN } else { Ready::empty() }
    }
    fn release(&self, k: &mut Kernel, _id: FileId) {
        k.timerfds.set(self.timer, None, 0);
        k.timerfds.timers.remove(self.timer);
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[timerfd]".to_owned()
    }
}
