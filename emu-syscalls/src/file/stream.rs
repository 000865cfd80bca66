//! Standard streams of the host that are not terminals.
use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::{File, FileId, FileOps, Ready, flags, tty};
use crate::kernel::Kernel;
use crate::seam::{Direction, Host, Stream, StreamKind};
use crate::task::TaskId;
use crate::task::wait::WaitKey;
use crate::vfs::open::new_file;

/// A standard stream as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamFile {
    /// Which.
    pub stream: Stream,
}

/// What a standard descriptor of the first process is: the host's terminal as one of ours, a stream that passes bytes, or
/// nothing where the host's is closed. Terminals become the process's controlling terminal.
pub fn standard(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, stream: Stream) -> Option<FileId> {
    let mut loc = None;
    let (kind, flags) = match host.stream_kind(stream) {
        StreamKind::Closed => return None,
        StreamKind::Terminal => {
            let id = tty::host_tty(k, host)?;
            tty::control_host_tty(k, tid, id);
            loc = tty::place(k, host, tid, id);
            (tty::open_direct(k, id)?, flags::O_RDWR)
        }
        StreamKind::Pipe | StreamKind::File(_) | StreamKind::CharDevice => {
            let access = if stream == Stream::Stdin { 0 } else { flags::O_WRONLY };
            (File::Stream(StreamFile { stream }), access)
        }
    };
    Some(new_file(k, kind, flags, loc))
}

impl FileOps for StreamFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        match ctx.host.stream_read(self.stream, max) {
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
