//! Open directories, and open files that are only a place (O_PATH).
//!
//! **Invariant**: the position in a directory is a cookie that an entry keeps for life, so a reader sees every entry that
//! stays exactly once, whatever else comes and goes.

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::{FileId, FileOps};
use crate::kernel::Kernel;
use crate::vfs::{self, InodeId, InodeKind, Load, Stat, shared, synth, tree};

use super::regular::describe_place;

/// An open directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirFile {
    /// Which.
    pub inode: InodeId,
}

/// An entry as getdents(2) gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Inode number.
    pub ino: u64,
    /// Position behind it.
    pub next: u64,
    /// `DT_*`
    pub dtype: u8,
    /// Its name.
    pub name: Vec<u8>,
}

/// `DT_*` of a type in `st_mode`.
fn dtype(ftype: u32) -> u8 {
    u8::try_from(ftype >> 12 & 15).unwrap_or(0)
}

impl DirFile {
    /// At most `max` entries from position `pos` on.
    pub(crate) fn entries(
        self,
        ctx: &mut Ctx<'_>,
        id: FileId,
        pos: u64,
        max: usize,
    ) -> Result<Vec<DirEntry>, Errno> {
        let loc = ctx.file(id).loc.ok_or(Errno::ENOENT)?;
        let dentry = ctx.k.vfs.dentry(loc.dentry);
        let parent_inode = ctx.k.vfs.dentries.get(dentry.parent).map_or(self.inode, |parent| parent.inode);
        let mut found = Vec::new();
        if pos == 0 {
            found.push(DirEntry { ino: u64::from(self.inode.0), next: 1, dtype: 4, name: b".".to_vec() });
        }
        if pos <= 1 {
            found.push(DirEntry { ino: u64::from(parent_inode.0), next: 2, dtype: 4, name: b"..".to_vec() });
        }
        if let InodeKind::Synth(node) = &ctx.k.vfs.inode(self.inode).kind {
            let node = node.clone();
            self.synth_entries(ctx, &node, pos, max, &mut found);
            return Ok(found);
        }
        if !dentry.hashed && pos == 0 && ctx.k.vfs.inode(self.inode).nlink == 0 {
            return Err(Errno::ENOENT);
        }
        let load = ctx.k.vfs.inode(self.inode).dir().map(|dir| dir.load);
        match load {
            Some(Load::Todo) => tree::load_dir(ctx.k, ctx.host, loc.dentry)?,
            Some(Load::ByName) => return Err(Errno::EACCES),
            _ if pos == 0 && shared::is_shared(ctx.k, self.inode) => {
                shared::relist(ctx.k, ctx.host, loc.dentry)?;
            }
            _ => {}
        }
        let Some(dir) = ctx.k.vfs.inode(self.inode).dir() else { return Err(Errno::ENOTDIR) };
        for (cookie, child) in dir.order.range(pos.max(2) + 1..).take(max) {
            let child = ctx.k.vfs.dentry(*child);
            found.push(DirEntry {
                ino: u64::from(child.inode.0),
                next: *cookie,
                dtype: dtype(ctx.k.vfs.inode(child.inode).ftype),
                name: child.name.to_vec(),
            });
        }
        Ok(found)
    }

    /// Entries of a made-up directory: numbered ones (/proc/PID, /proc/PID/fd) by their number, so that positions stay
    /// good while processes come and go; the others by their place in the list.
    fn synth_entries(
        self,
        ctx: &mut Ctx<'_>,
        node: &synth::Synth,
        pos: u64,
        max: usize,
        found: &mut Vec<DirEntry>,
    ) {
        const NUMBERED: u64 = 1 << 32;
        let mut list: Vec<(u64, Vec<u8>, synth::Synth)> = Vec::new();
        let mut plain = 2;
        for (name, child) in synth::list(ctx.k, ctx.tid, node) {
            let number = std::str::from_utf8(&name).ok().and_then(|text| text.parse::<u32>().ok());
            let cookie = match number {
                Some(number) => NUMBERED + u64::from(number),
                None => {
                    plain += 1;
                    plain
                }
            };
            list.push((cookie, name, child));
        }
        list.sort();
        for (cookie, name, child) in list.into_iter().filter(|(cookie, ..)| *cookie > pos.max(2)).take(max) {
            let ftype = match synth::attr(ctx.k, &child).kind {
                synth::SynthKind::Dir => 4,
                synth::SynthKind::File => 8,
                synth::SynthKind::Symlink => 10,
                synth::SynthKind::CharDevice(_) => 2,
            };
            // The node need not exist yet: a number that follows from its directory and its position.
            let ino = u64::from(self.inode.0) << 34 | cookie;
            found.push(DirEntry { ino, next: cookie, dtype: ftype, name });
        }
    }
}

impl FileOps for DirFile {
    fn ioctl(
        &self,
        ctx: &mut Ctx<'_>,
        _id: FileId,
        request: u32,
        arg: crate::arg::Addr,
    ) -> crate::ctx::SysResult {
        crate::file::regular::inode_flags(ctx, self.inode, request, arg)
    }
    fn read(&self, _ctx: &mut Ctx<'_>, _id: FileId, _max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        Err(Errno::EISDIR.into())
    }
    fn write(&self, _ctx: &mut Ctx<'_>, _id: FileId, _data: &[u8], _pos: u64) -> Result<usize, Stop> {
        Err(Errno::EISDIR.into())
    }
    fn seekable(&self) -> bool {
        true
    }
    fn release(&self, k: &mut Kernel, id: FileId) {
        let place = k.files.get(id).filter(|file| !file.quiet).and_then(|file| file.loc);
        if let Some(loc) = place {
            vfs::open::notify(k, loc, crate::file::inotify::mask::CLOSE_NOWRITE);
        }
    }
    fn stat(&self, k: &Kernel, _id: FileId) -> Stat {
        vfs::stat::stat_known(k, self.inode)
    }
    fn describe(&self, k: &Kernel, id: FileId) -> String {
        describe_place(k, id)
    }
}

/// Only a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathFile {
    /// What is there.
    pub inode: InodeId,
}

impl FileOps for PathFile {
    fn pollable(&self) -> bool {
        false
    }
    fn stat(&self, k: &Kernel, id: FileId) -> Stat {
        match k.vfs.get_inode(self.inode) {
            Some(_) => vfs::stat::stat_known(k, self.inode),
            None => Stat::anonymous(u64::from(id.0), 0o600),
        }
    }
    fn describe(&self, k: &Kernel, id: FileId) -> String {
        describe_place(k, id)
    }
}
