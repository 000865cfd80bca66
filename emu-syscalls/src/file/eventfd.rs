//! Counters as files: eventfd(2).

use crate::abi::errno::Errno;
use crate::arena::id;
use crate::ctx::{Ctx, Stop};
use crate::file::{FileId, FileOps, NextRead, Ready};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::wait::WaitKey;

id! {
    /// A counter.
    EventFdId;
}

/// A counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventFd {
    /// Its value.
    pub count: u64,
    /// EFD_SEMAPHORE: reads take one at a time.
    pub semaphore: bool,
}

/// A counter as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventFdFile {
    /// Which.
    pub counter: EventFdId,
}

impl FileOps for EventFdFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        if max < 8 {
            return Err(Errno::EINVAL.into());
        }
        let counter = ctx.k.eventfds.get_mut(self.counter).ok_or(Errno::EBADF)?;
        if counter.count == 0 {
            return Err(ctx.block_on(id));
        }
        let value = if counter.semaphore { 1 } else { counter.count };
        counter.count -= value;
        ctx.k.wake(WaitKey::File(id));
        Ok(value.to_le_bytes().to_vec())
    }
    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], _pos: u64) -> Result<usize, Stop> {
        let Ok(bytes) = data.try_into() else { return Err(Errno::EINVAL.into()) };
        let value = u64::from_le_bytes(bytes);
        if value == u64::MAX {
            return Err(Errno::EINVAL.into());
        }
        let counter = ctx.k.eventfds.get_mut(self.counter).ok_or(Errno::EBADF)?;
        if u64::MAX - counter.count <= value {
            return Err(ctx.block_on(id));
        }
        counter.count += value;
        ctx.k.wake(WaitKey::File(id));
        Ok(8)
    }
    fn by_range(&self) -> bool {
        true
    }
    fn next_read(&self, _k: &Kernel) -> NextRead {
        NextRead::Message
    }
    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, _id: FileId) -> Ready {
        let count = k.eventfds.get(self.counter).map_or(0, |counter| counter.count);
        let mut ready = Ready::empty();
        // Linux reports no RDNORM or WRNORM here (fs/eventfd.c).
        ready.set(Ready::IN, count > 0);
        ready.set(Ready::ERR, count == u64::MAX);
        ready.set(Ready::OUT, count < u64::MAX - 1);
        ready
    }
    fn release(&self, k: &mut Kernel, _id: FileId) {
        k.eventfds.remove(self.counter);
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[eventfd]".to_owned()
    }
}
