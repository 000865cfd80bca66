//! Standard streams of the host that are not terminals.
use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::{FileId, FileOps, Ready};
use crate::kernel::Kernel;
use crate::seam::{Direction, Host, Stream};
use crate::task::wait::WaitKey;

/// A standard stream as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamFile {
    /// Which.
    pub stream: Stream,
}

impl FileOps for StreamFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        let most = ctx.k.shorter_read(max).unwrap_or(max);
        match ctx.host.stream_read(self.stream, most) {
            Err(Errno::EAGAIN) => Err(ctx.block_on(id)),
            other => Ok(other?),
        }
    }
    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], _pos: u64) -> Result<usize, Stop> {
        match ctx.host.stream_write(self.stream, data) {
            Err(Errno::EAGAIN) => Err(ctx.block_on(id)),
            other => Ok(other?),
        }
    }
    fn ready(&self, _k: &mut Kernel, host: &mut dyn Host, _id: FileId) -> Ready {
        let (read, write) = host.stream_ready(self.stream);
        let mut ready = Ready::empty();
        ready.set(Ready::IN | Ready::RDNORM, read && self.stream == Stream::Stdin);
        ready.set(Ready::OUT | Ready::WRNORM, write && self.stream != Stream::Stdin);
        ready
    }
    fn wait_keys(&self, _k: &Kernel, _id: FileId) -> Vec<WaitKey> {
        let direction = if self.stream == Stream::Stdin { Direction::Read } else { Direction::Write };
        vec![WaitKey::Host(self.stream, direction)]
    }
    fn reopen(&self, _ctx: &mut Ctx<'_>, _id: FileId, _flags: u32) -> Result<crate::file::File, Stop> {
        Ok(crate::file::File::Stream(*self))
    }
    fn stat(&self, _k: &Kernel, id: FileId) -> crate::vfs::Stat {
        crate::vfs::Stat::anonymous(u64::from(id.0), crate::vfs::ftype::S_IFIFO | 0o600)
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        format!("host:[{:?}]", self.stream).to_lowercase()
    }
}
