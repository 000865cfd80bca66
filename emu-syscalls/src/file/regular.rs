//! Regular files, and made-up files of /proc and /sys.
//!
//! **Invariant**: contents are the inode's; an open file adds a position and flags only.

use std::sync::Arc;

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::inotify::mask;
use crate::file::{FileId, FileOps, Ready, flags};
use crate::kernel::Kernel;
use crate::mm::map::{MapRequest, MapSource};
use crate::task::sighand::{SigInfo, sig};
use crate::task::signal::{self, To};
use crate::task::wait::WaitKey;
use crate::vfs::ftype::{S_ISGID, S_ISUID};
use crate::vfs::perm::{cap, capable};
use crate::vfs::{self, InodeId, InodeKind, MountFlags, Stat, data, synth};

/// `FIONREAD`
const FIONREAD: u32 = 0x541b;
/// Index of RLIMIT_FSIZE in a group's limits.
const RLIMIT_FSIZE: usize = 1;
/// `F_SEAL_WRITE`, `F_SEAL_FUTURE_WRITE` and `F_SEAL_GROW`.
pub(crate) mod seal {
    /// No more seals.
    pub(crate) const SEAL: u32 = 1;
    /// Not shorter.
    pub(crate) const SHRINK: u32 = 2;
    /// Not longer.
    pub(crate) const GROW: u32 = 4;
    /// No writes.
    pub(crate) const WRITE: u32 = 8;
    /// No writes but through mappings there are.
    pub(crate) const FUTURE_WRITE: u32 = 0x10;
    /// The mode's executable bits stay.
    pub(crate) const EXEC: u32 = 0x20;
}

/// A regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegularFile {
    /// Whose contents.
    pub inode: InodeId,
}

impl RegularFile {
    /// Sets the access time if it is older than the last change (relatime).
    fn touch_atime(self, ctx: &mut Ctx<'_>, id: FileId) {
        let Some(file) = ctx.k.files.get(id) else { return };
        let quiet = file.flags & flags::O_NOATIME != 0
            || file
                .loc
                .and_then(|loc| ctx.k.vfs.mounts.get(loc.mount))
                .is_some_and(|mount| mount.flags.intersects(MountFlags::NOATIME | MountFlags::RDONLY));
        let inode = ctx.k.vfs.inode(self.inode);
        let stale = inode.atime <= inode.mtime || inode.atime <= inode.ctime;
        if quiet || !stale || ctx.k.vfs.super_block(inode.sb).read_only() {
            return;
        }
        let now = vfs::now(ctx.k, ctx.host);
        ctx.k.vfs.inode_mut(self.inode).atime = now;
    }
}

/// How many of `len` bytes at `pos` the limit on file sizes allows; SIGXFSZ and `EFBIG` if none.
pub(crate) fn limit_size(ctx: &mut Ctx<'_>, pos: u64, len: usize) -> Result<usize, Errno> {
    let limit = ctx.group().rlimits[RLIMIT_FSIZE].0;
    if len == 0 || limit == u64::MAX {
        return Ok(len);
    }
    if pos >= limit {
        signal::post(ctx.k, To::Thread(ctx.tid), SigInfo::kernel(sig::XFSZ));
        return Err(Errno::EFBIG);
    }
    Ok(len.min(usize::try_from(limit - pos).unwrap_or(usize::MAX)))
}

impl FileOps for RegularFile {
    fn mmap(&self, ctx: &mut Ctx<'_>, id: FileId, request: &MapRequest) -> Result<MapSource, Errno> {
        let object = data::page_object(ctx.k, ctx.host, self.inode)?;
        let seals = ctx.k.vfs.inode(self.inode).content().map_or(0, |content| content.seals);
        let mut may = crate::mm::RWX;
        if request.shared && seals & (seal::WRITE | seal::FUTURE_WRITE) != 0 {
            may.remove(emu_core::mem::PageProt::WRITE);
        }
        self.touch_atime(ctx, id);
        Ok(MapSource::Object { object, inode: self.inode, may })
    }

    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, pos: u64) -> Result<Vec<u8>, Stop> {
        if let Some(loc) = ctx.file(id).loc.filter(|_| !ctx.file(id).quiet) {
            crate::file::fanotify::ask(ctx, loc, crate::file::fanotify::fan::ACCESS_PERM)?;
        }
        let data = data::read_inode(ctx.k, ctx.host, self.inode, pos, max)?;
        if max > 0 {
            self.touch_atime(ctx, id);
        }
        if !data.is_empty()
            && crate::file::inotify::active(ctx.k)
            && !ctx.file(id).quiet
            && let Some(loc) = ctx.file(id).loc
        {
            vfs::open::notify(ctx.k, loc, mask::ACCESS);
        }
        Ok(data)
    }

    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], pos: u64) -> Result<usize, Stop> {
        if data.is_empty() {
            return Ok(0);
        }
        let inode = ctx.k.vfs.inode(self.inode);
        let (mode, size) = (inode.mode, inode.size);
        let seals = inode.content().map_or(0, |content| content.seals);
        if seals & (seal::WRITE | seal::FUTURE_WRITE) != 0 {
            return Err(Errno::EPERM.into());
        }
        let len = limit_size(ctx, pos, data.len())?;
        let data = data.get(..len).unwrap_or_default();
        if seals & seal::GROW != 0 && pos.saturating_add(len as u64) > size {
            return Err(Errno::EPERM.into());
        }
        let done = data::write_inode(ctx.k, ctx.host, self.inode, pos, data)?;
        let now = vfs::now(ctx.k, ctx.host);
        let keeps_ids = capable(&ctx.task().creds, cap::FSETID);
        let inode = ctx.k.vfs.inode_mut(self.inode);
        inode.mtime = now;
        inode.ctime = now;
        if mode & (S_ISUID | S_ISGID) != 0 && !keeps_ids {
            inode.mode &= !S_ISUID;
            if mode & 0o010 != 0 {
                inode.mode &= !S_ISGID;
            }
        }
        if crate::file::inotify::active(ctx.k)
            && !ctx.file(id).quiet
            && let Some(loc) = ctx.file(id).loc
        {
            vfs::open::notify(ctx.k, loc, mask::MODIFY);
        }
        Ok(done)
    }

    fn seekable(&self) -> bool {
        true
    }

    fn ioctl(&self, ctx: &mut Ctx<'_>, id: FileId, request: u32, arg: Addr) -> SysResult {
        match request {
            FIONREAD => {
                let left = ctx.k.vfs.inode(self.inode).size.saturating_sub(ctx.file(id).pos);
                ctx.write_u32(arg, u32::try_from(left).unwrap_or(u32::MAX))?;
                Ok(0)
            }
            _ => inode_flags(ctx, self.inode, request, arg),
        }
    }

    fn release(&self, k: &mut Kernel, id: FileId) {
        let Some(file) = k.files.get(id) else { return };
        let (writable, loc) = (file.writable(), file.loc);
        if writable && let Some(inode) = k.vfs.inodes.get_mut(self.inode) {
            inode.writers -= 1;
        }
        let quiet = k.files.get(id).is_some_and(|file| file.quiet);
        if let Some(loc) = loc.filter(|_| !quiet) {
            vfs::open::notify(k, loc, if writable { mask::CLOSE_WRITE } else { mask::CLOSE_NOWRITE });
        }
    }

    fn stat(&self, k: &Kernel, _id: FileId) -> Stat {
        vfs::stat::stat_known(k, self.inode)
    }

    fn describe(&self, k: &Kernel, id: FileId) -> String {
        describe_place(k, id)
    }
}

/// The path of an open file, for messages.
pub(crate) fn describe_place(k: &Kernel, id: FileId) -> String {
    match (k.files.get(id).and_then(|file| file.loc), k.vfs.root()) {
        (Some(loc), Some(root)) => String::from_utf8_lossy(&vfs::path_of(k, loc, root)).into_owned(),
        _ => "?".to_owned(),
    }
}

/// A made-up file. Its text is taken when it is read at offset 0 and kept for the reads that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SynthFile {
    /// Which.
    pub inode: InodeId,
    /// A list of mounts: changes of it can be waited for.
    pub mounts: bool,
}

impl SynthFile {
    fn node(self, k: &Kernel) -> Result<synth::Synth, Errno> {
        match k.vfs.get_inode(self.inode).map(|inode| &inode.kind) {
            Some(InodeKind::Synth(node)) => Ok(node.clone()),
            _ => Err(Errno::EIO),
        }
    }
}

impl FileOps for SynthFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, pos: u64) -> Result<Vec<u8>, Stop> {
        let node = self.node(ctx.k)?;
        if let Some(found) = synth::read_at(ctx.k, ctx.host, ctx.tid, &node, pos, max) {
            let nonblock = ctx.file(id).flags & crate::file::flags::O_NONBLOCK != 0;
            return match found {
                Err(Errno::EAGAIN) if !nonblock => {
                    Err(Stop::Block(crate::task::wait::Wait::on(synth::wait_key(&node))))
                }
                other => Ok(other?),
            };
        }
        let text = match ctx.k.vfs.synth_text.get(&id) {
            Some(text) if pos > 0 => text.clone(),
            _ => {
                let text = Arc::new(synth::read(ctx.k, ctx.host, ctx.tid, &node)?);
                ctx.k.vfs.synth_text.insert(id, text.clone());
                text
            }
        };
        let start = usize::try_from(pos).unwrap_or(usize::MAX).min(text.len());
        let end = start.saturating_add(max).min(text.len());
        Ok(text[start..end].to_vec())
    }

    fn write(&self, ctx: &mut Ctx<'_>, id: FileId, data: &[u8], pos: u64) -> Result<usize, Stop> {
        let node = self.node(ctx.k)?;
        ctx.k.vfs.synth_text.remove(&id);
        Ok(synth::write(ctx.k, ctx.host, ctx.tid, &node, pos, data)?)
    }

    fn seekable(&self) -> bool {
        true
    }

    fn pollable(&self) -> bool {
        self.mounts
    }

    fn ioctl(&self, ctx: &mut Ctx<'_>, _id: FileId, request: u32, arg: Addr) -> SysResult {
        use crate::vfs::procfs::{ProcNode, maps};
        // _IOWR('f', 17, struct procmap_query)
        const PROCMAP_QUERY: u32 = 0xc068_6611;
        match self.node(ctx.k)? {
            synth::Synth::Proc(ProcNode::Task { tid, name: "maps", .. }) if request == PROCMAP_QUERY => {
                maps::query(ctx, tid, arg)
            }
            _ => Err(Errno::ENOTTY.into()),
        }
    }

    fn ready(&self, k: &mut Kernel, _host: &mut dyn crate::seam::Host, id: FileId) -> Ready {
        let mut ready = Ready::IN | Ready::OUT | Ready::RDNORM | Ready::WRNORM;
        if self.mounts {
            // Each poll tells of changes since the one before it (fs/proc_namespace.c: mounts_poll).
            ready = Ready::IN | Ready::RDNORM;
            let now = k.vfs.mounts_generation;
            if k.vfs.mounts_polled.insert(id, now) != Some(now) {
                ready |= Ready::ERR | Ready::PRI;
            }
        }
        ready
    }

    fn wait_keys(&self, _k: &Kernel, id: FileId) -> Vec<WaitKey> {
        vec![if self.mounts { WaitKey::Mounts } else { WaitKey::File(id) }]
    }

    fn stat(&self, k: &Kernel, _id: FileId) -> Stat {
        vfs::stat::stat_known(k, self.inode)
    }

    fn describe(&self, k: &Kernel, id: FileId) -> String {
        describe_place(k, id)
    }
}

/// `FS_IOC_GETFLAGS` and `FS_IOC_SETFLAGS` (ioctl_iflags(2)) of a file or directory of a file system in memory.
pub(crate) fn inode_flags(ctx: &mut Ctx<'_>, id: InodeId, request: u32, arg: Addr) -> SysResult {
    use crate::vfs::fsflag::{APPEND, IMMUTABLE, SETTABLE};
    const GET: u32 = 0x8008_6601;
    const SET: u32 = 0x4008_6602;
    // What lies on the host only has the host's flags.
    let memory =
        matches!(ctx.k.vfs.inode(id).kind, crate::vfs::InodeKind::Regular(_) | crate::vfs::InodeKind::Dir(_))
            && !vfs::shared::is_shared(ctx.k, id);
    if !memory || !matches!(request, GET | SET) {
        return Err(Errno::ENOTTY.into());
    }
    let old = ctx.k.vfs.inode(id).fsflags;
    if request == GET {
        ctx.write_u32(arg, old)?;
        return Ok(0);
    }
    if !vfs::perm::owner_or_capable(ctx, id) {
        return Err(Errno::EACCES.into());
    }
    let new = ctx.read_u32(arg)?;
    if new & !SETTABLE != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let fixes = (old ^ new) & (IMMUTABLE | APPEND) != 0;
    if fixes && !vfs::perm::capable(&ctx.task().creds, vfs::perm::cap::LINUX_IMMUTABLE) {
        return Err(Errno::EPERM.into());
    }
    ctx.k.vfs.inode_mut(id).fsflags = new;
    vfs::ops::stamp_ctime(ctx, id);
    Ok(0)
}
