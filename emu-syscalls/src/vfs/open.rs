//! Opening: from a place, or a path that may have to be created, to an open file.
//!
//! **Invariant**: an open file with a place holds one reference to its dentry, given back by [`closed`].

use crate::abi::errno::Errno;
use crate::arg::DirFd;
use crate::ctx::{Ctx, Stop};
use crate::file::dir::{DirFile, PathFile};
use crate::file::inotify::{self, mask};
use crate::file::regular::{RegularFile, SynthFile};
use crate::file::{File, FileId, OpenFile, dev, flags, pipe};
use crate::kernel::Kernel;
use crate::vfs::ftype::{S_IFCHR, S_IFIFO, S_IFSOCK};
use crate::vfs::ops::Making;
use crate::vfs::perm::{MAY_EXEC, MAY_READ, MAY_WRITE, owner_or_capable, permission};
use crate::vfs::synth::{self, SynthKind};
use crate::vfs::tree::{put_dentry, settle};
use crate::vfs::walk::Walk;
use crate::vfs::{Content, InodeId, InodeKind, Loc, MountFlags, Parent, Resolve, data, ops, want_write};

/// Flags that `open` consumes: they are no status flags of the open file.
const CONSUMED: u32 = flags::O_CREAT | flags::O_EXCL | flags::O_NOCTTY | flags::O_TRUNC | flags::O_CLOEXEC;

/// Opens `path` as open(2) does, creating it if asked, and returns the open file with one reference.
pub fn open_path(
    ctx: &mut Ctx<'_>,
    base: DirFd,
    path: &[u8],
    open_flags: u32,
    mode: u32,
    mut how: Resolve,
) -> Result<FileId, Stop> {
    let is_path = open_flags & flags::O_PATH != 0;
    if open_flags & flags::O_NOFOLLOW == 0 {
        how |= Resolve::FOLLOW;
    }
    if open_flags & flags::O_DIRECTORY != 0 {
        how |= Resolve::DIRECTORY;
    }
    if open_flags & flags::O_TMPFILE == flags::O_TMPFILE && !is_path {
        let dir = crate::vfs::resolve(ctx, base, path, how | Resolve::DIRECTORY)?;
        return open_unnamed(ctx, dir, open_flags, mode);
    }
    if open_flags & flags::O_CREAT == 0 || is_path {
        let loc = crate::vfs::resolve(ctx, base, path, how)?;
        return open_loc(ctx, loc, open_flags);
    }
    if open_flags & flags::O_EXCL != 0 {
        how.remove(Resolve::FOLLOW);
    }
    match find_or_parent(ctx, base, path, how)? {
        Found::There(loc) => {
            if open_flags & flags::O_EXCL != 0 {
                return Err(Errno::EEXIST.into());
            }
            if ctx.k.vfs.inode(ctx.k.vfs.inode_at(loc)).is_dir() {
                return Err(Errno::EISDIR.into());
            }
            open_loc(ctx, loc, open_flags)
        }
        Found::Missing(parent) => {
            let mode = mode & 0o7777;
            let loc = ops::create(ctx, &parent, Making::File, mode)?;
            let id = open_found(ctx, loc, open_flags & !flags::O_TRUNC, Checked::Yes)?;
            ctx.file_mut(id).created = true;
            Ok(id)
        }
    }
}

/// What an open that may create found.
enum Found {
    /// The file.
    There(Loc),
    /// Its directory.
    Missing(Parent),
}

fn find_or_parent(ctx: &mut Ctx<'_>, base: DirFd, path: &[u8], how: Resolve) -> Result<Found, Errno> {
    let mut walk = Walk::of_task(ctx, base, path, how & !Resolve::DIRECTORY)?;
    let mut path = path.to_vec();
    loop {
        let parent = walk.parent(&path)?;
        if !parent.is_name() {
            walk.at = parent.dir;
            // "/", "." and "..": a directory that is there.
            let rest = if parent.name.is_empty() { b".".to_vec() } else { parent.name };
            return walk.all(&rest).map(Found::There);
        }
        if parent.must_be_dir {
            return Err(Errno::EISDIR);
        }
        let child = match walk.step(&parent.name) {
            Ok(child) => child,
            Err(Errno::ENOENT) => return Ok(Found::Missing(parent)),
            Err(errno) => return Err(errno),
        };
        if !walk.k.vfs.inode(walk.k.vfs.inode_at(child)).is_symlink() || !how.contains(Resolve::FOLLOW) {
            return Ok(Found::There(child));
        }
        match walk.follow_last(child)? {
            Ok(loc) => return Ok(Found::There(loc)),
            Err(target) => path = target,
        }
    }
}

/// Whether the checks of `may_open` were done, or do not count because the file was just made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    No,
    Yes,
}

/// Opens the file at a place (which is not followed if it is a link) with O_* flags, and returns the open file with one
/// reference.
pub fn open_loc(ctx: &mut Ctx<'_>, loc: Loc, open_flags: u32) -> Result<FileId, Stop> {
    open_found(ctx, loc, open_flags, Checked::No)
}

fn open_found(ctx: &mut Ctx<'_>, loc: Loc, open_flags: u32, checked: Checked) -> Result<FileId, Stop> {
    settle(ctx.k, ctx.host, loc.dentry)?;
    let id = ctx.k.vfs.inode_at(loc);
    if open_flags & flags::O_PATH != 0 {
        let kept = open_flags & (flags::O_PATH | flags::O_DIRECTORY | flags::O_NOFOLLOW);
        return Ok(new_file(ctx.k, File::Path(PathFile { inode: id }), kept, Some(loc)));
    }
    let inode = ctx.k.vfs.inode(id);
    if inode.is_symlink() {
        return Err(Errno::ELOOP.into());
    }
    if open_flags & flags::O_DIRECTORY != 0 && !inode.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    let mut access = match open_flags & flags::O_ACCMODE {
        0 => MAY_READ,
        flags::O_WRONLY => MAY_WRITE,
        _ => MAY_READ | MAY_WRITE,
    };
    if open_flags & flags::O_TRUNC != 0 {
        access |= MAY_WRITE;
    }
    let writes = access & MAY_WRITE != 0;
    if inode.is_dir() && (writes || open_flags & flags::O_CREAT != 0) {
        return Err(Errno::EISDIR.into());
    }
    let is_device = matches!(inode.ftype, S_IFCHR | S_IFIFO | S_IFSOCK | crate::vfs::ftype::S_IFBLK);
    if is_device
        && inode.ftype != S_IFIFO
        && inode.ftype != S_IFSOCK
        && ctx.k.vfs.mounts.get(loc.mount).is_some_and(|m| m.flags.contains(MountFlags::NODEV))
    {
        return Err(Errno::EACCES.into());
    }
    if checked == Checked::No {
        if writes && !is_device {
            want_write(ctx.k, loc)?;
        }
        permission(ctx, id, access)?;
        let only_append = ctx.k.vfs.inode(id).fsflags & crate::vfs::fsflag::APPEND != 0 && writes;
        if only_append && (open_flags & flags::O_APPEND == 0 || open_flags & flags::O_TRUNC != 0) {
            return Err(Errno::EPERM.into());
        }
        if open_flags & flags::O_NOATIME != 0 && !owner_or_capable(ctx, id) {
            return Err(Errno::EPERM.into());
        }
    }
    let denied = landlock_open(ctx, loc, id, access, open_flags)?;
    let status = open_flags & !CONSUMED;
    let kind = match &ctx.k.vfs.inode(id).kind {
        InodeKind::Regular(_) => {
            if writes && ctx.k.vfs.inode(id).writers < 0 {
                return Err(Errno::ETXTBSY.into());
            }
            crate::vfs::leases::break_for(ctx, id, open_flags)?;
            crate::file::fanotify::ask(ctx, loc, crate::file::fanotify::fan::OPEN_PERM)?;
            File::Regular(RegularFile { inode: id })
        }
        InodeKind::Dir(_) => File::Dir(DirFile { inode: id }),
        InodeKind::CharDevice(rdev) => {
            let rdev = *rdev;
            dev::open(ctx, rdev, open_flags)?
        }
        InodeKind::Fifo => pipe::open_fifo(ctx, u64::from(id.0), open_flags)?,
        InodeKind::Anon(file) => {
            let file = *file;
            let kind = ctx.k.files.get(file).ok_or(Errno::ENXIO)?.kind.clone();
            kind.ops().reopen(ctx, file, open_flags)?
        }
        InodeKind::Synth(node) => {
            let node = node.clone();
            match synth::attr(ctx.k, &node).kind {
                SynthKind::Dir => File::Dir(DirFile { inode: id }),
                SynthKind::CharDevice(rdev) => dev::open(ctx, rdev, open_flags)?,
                SynthKind::File => {
                    use crate::vfs::procfs::ProcNode;
                    let mounts = matches!(
                        &node,
                        synth::Synth::Proc(ProcNode::Task {
                            name: "mounts" | "mountinfo" | "mountstats",
                            ..
                        })
                    );
                    File::Synth(SynthFile { inode: id, mounts })
                }
                SynthKind::Symlink => return Err(Errno::ELOOP.into()),
            }
        }
        InodeKind::BlockDevice(_) | InodeKind::Socket => return Err(Errno::ENXIO.into()),
        InodeKind::Symlink(_) => return Err(Errno::ELOOP.into()),
    };
    if open_flags & flags::O_TRUNC != 0 && matches!(kind, File::Regular(_)) && ctx.k.vfs.inode(id).size > 0 {
        let seals = ctx.k.vfs.inode(id).content().map_or(0, |content| content.seals);
        if seals & crate::file::regular::seal::SHRINK != 0 {
            return Err(Errno::EPERM.into());
        }
        data::set_size(ctx.k, ctx.host, id, 0)?;
        ops::stamp_change(ctx, id);
    }
    if writes && let File::Regular(_) = kind {
        ctx.k.vfs.inode_mut(id).writers += 1;
    }
    notify(ctx.k, loc, mask::OPEN);
    let listed = matches!(kind, File::Synth(SynthFile { mounts: true, .. }));
    let file = new_file(ctx.k, kind, status, Some(loc));
    ctx.file_mut(file).denied = denied;
    if listed {
        let now = ctx.k.vfs.mounts_generation;
        ctx.k.vfs.mounts_polled.insert(file, now);
    }
    Ok(file)
}

/// Whether the caller's Landlock domain lets it open the file; what of the rights that later calls need it does not have.
fn landlock_open(ctx: &Ctx<'_>, loc: Loc, id: InodeId, access: u32, open_flags: u32) -> Result<u64, Errno> {
    use crate::landlock::{allowed, check_path, fs};
    if ctx.task().landlock.is_none() {
        return Ok(0);
    }
    let mut wanted = 0;
    if access & MAY_READ != 0 && open_flags & flags::O_ACCMODE != flags::O_WRONLY {
        wanted |= if ctx.k.vfs.inode(id).is_dir() { fs::READ_DIR } else { fs::READ_FILE };
    }
    if open_flags & flags::O_ACCMODE != 0 {
        wanted |= fs::WRITE_FILE;
    }
    if open_flags & flags::O_TRUNC != 0 {
        wanted |= fs::TRUNCATE;
    }
    check_path(ctx.k, ctx.tid, loc, wanted)?;
    let later = fs::TRUNCATE | fs::IOCTL_DEV;
    Ok(later & !allowed(ctx.k, ctx.tid, loc, later))
}

/// `O_TMPFILE`
fn open_unnamed(ctx: &mut Ctx<'_>, dir: Loc, open_flags: u32, mode: u32) -> Result<FileId, Stop> {
    want_write(ctx.k, dir)?;
    let dir_id = ctx.k.vfs.inode_at(dir);
    permission(ctx, dir_id, MAY_WRITE | MAY_EXEC)?;
    let inode = ctx.k.vfs.inode(dir_id);
    if inode.dir().is_none() || ctx.k.vfs.super_block(inode.sb).is_shared() {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let mode = mode & 0o7777;
    let mut inode = ops::inode_for(ctx, dir_id, InodeKind::Regular(Content::default()), mode)?;
    inode.nlink = 0;
    let id = ctx.k.vfs.inodes.insert(inode);
    let name = format!("#{}", id.0);
    let dentry = ctx.k.vfs.unnamed_dentry(dir.dentry, name.as_bytes(), id);
    ctx.k.vfs.inode_mut(id).writers += 1;
    let loc = Loc { mount: dir.mount, dentry };
    let status = open_flags & !CONSUMED & !(flags::O_TMPFILE & !flags::O_DIRECTORY) & !flags::O_DIRECTORY;
    Ok(new_file(ctx.k, File::Regular(RegularFile { inode: id }), status, Some(loc)))
}

/// `memfd_create(2)`: a file in memory without a name.
pub fn memory_file(ctx: &mut Ctx<'_>, name: &[u8], mode: u32, seals: u32) -> FileId {
    let root = crate::vfs::build::anon_mount(ctx.k);
    let now = crate::vfs::now(ctx.k, ctx.host);
    let creds = &ctx.task().creds;
    let owner = (creds.uid[3], creds.gid[3]);
    let sb = ctx.k.vfs.inode(ctx.k.vfs.inode_at(root)).sb;
    let content = Content { seals, ..Content::default() };
    let mut inode = crate::vfs::tree::new_inode(sb, InodeKind::Regular(content), mode, owner, now);
    inode.nlink = 0;
    inode.writers = 1;
    let id = ctx.k.vfs.inodes.insert(inode);
    let dentry = ctx.k.vfs.unnamed_dentry(root.dentry, &[b"/memfd:", name].concat(), id);
    let loc = Loc { mount: root.mount, dentry };
    let status = flags::O_RDWR | flags::O_LARGEFILE;
    new_file(ctx.k, File::Regular(RegularFile { inode: id }), status, Some(loc))
}

/// Opens a place for somebody who was told of it: no permission is asked, nobody else is told.
pub(crate) fn open_quietly(ctx: &mut Ctx<'_>, loc: Loc, status: u32) -> Result<FileId, Errno> {
    let id = ctx.k.vfs.inode_at(loc);
    let writes = status & flags::O_ACCMODE != 0;
    let kind = match &ctx.k.vfs.inode(id).kind {
        InodeKind::Regular(_) => {
            if writes && ctx.k.vfs.inode(id).writers < 0 {
                return Err(Errno::ETXTBSY);
            }
            if writes {
                want_write(ctx.k, loc)?;
                ctx.k.vfs.inode_mut(id).writers += 1;
            }
            File::Regular(RegularFile { inode: id })
        }
        InodeKind::Dir(_) if writes => return Err(Errno::EISDIR),
        InodeKind::Dir(_) => File::Dir(DirFile { inode: id }),
        InodeKind::Synth(_) if !ctx.k.vfs.inode(id).is_dir() => {
            File::Synth(SynthFile { inode: id, mounts: false })
        }
        InodeKind::Synth(_) => File::Dir(DirFile { inode: id }),
        _ => File::Path(PathFile { inode: id }),
    };
    let file = new_file(ctx.k, kind, status & !CONSUMED, Some(loc));
    ctx.file_mut(file).quiet = true;
    Ok(file)
}

/// A new open file at a place.
pub(crate) fn new_file(k: &mut Kernel, kind: File, status: u32, loc: Option<Loc>) -> FileId {
    let mut file = OpenFile::new(kind, status);
    file.loc = loc;
    if let Some(loc) = loc {
        k.vfs.get_dentry(loc.dentry);
    }
    k.files.insert(file)
}

/// The last reference to an open file is gone: what it held goes too.
pub(crate) fn closed(k: &mut Kernel, id: FileId, loc: Option<Loc>) {
    k.vfs.synth_text.remove(&id);
    k.vfs.mounts_polled.remove(&id);
    super::locks::file_closed(k, id, loc);
    if let Some(dentry) = k.vfs.anon_places.get(&id).copied() {
        k.vfs.anon_places.remove(&id);
        k.vfs.get_dentry(dentry);
        put_dentry(k, dentry);
    }
    if let Some(loc) = loc {
        put_dentry(k, loc.dentry);
    }
}

/// Tells watchers of a file and of its directory.
pub(crate) fn notify(k: &mut Kernel, loc: Loc, bits: u32) {
    if !inotify::active(k) {
        return;
    }
    crate::file::fanotify::event(k, loc, u64::from(bits));
    let bits = bits & !mask::OPEN_EXEC;
    let Some(dentry) = k.vfs.dentries.get(loc.dentry) else { return };
    let (inode, name, parent) = (dentry.inode, dentry.name.clone(), dentry.parent);
    let mut bits = if k.vfs.inode(inode).is_dir() { bits | mask::ISDIR } else { bits };
    if !dentry.hashed && parent != loc.dentry {
        bits |= mask::UNLINKED;
    }
    let parent = k.vfs.dentries.get(parent).filter(|_| parent != loc.dentry).map(|dir| dir.inode);
    inotify::event(k, Some(inode), parent.map(|dir| (dir, &name[..])), bits, 0);
}

/// Tells watchers of a directory about its entry `name`.
pub(crate) fn notify_entry(k: &mut Kernel, dir: InodeId, name: &[u8], bits: u32, cookie: u32) {
    if inotify::active(k) {
        inotify::event(k, None, Some((dir, name)), bits, cookie);
    }
}

impl Ctx<'_> {
    /// The caller's umask.
    #[must_use]
    pub fn umask(&self) -> u32 {
        self.k.fs_contexts.get(self.task().fs).map_or(0o022, |fs| fs.umask)
    }
}
