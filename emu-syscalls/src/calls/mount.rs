//! Mounting: `mount`, `umount2`, `pivot_root`.

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd, I32, Path, U64};
use crate::ctx::{Ctx, PATH_MAX, Stop, SysResult};
use crate::vfs::build::{new_tree, synth_super};
use crate::vfs::mount::{Lazy, Recursive, bind, move_mount, pivot_root as pivot, unmount};
use crate::vfs::perm::{cap, capable};
use crate::vfs::synth::Synth;
use crate::vfs::{Loc, MountFlags, Resolve, SuperId, SuperKind, resolve};

const MS_REMOUNT: u64 = 0x20;
const MS_BIND: u64 = 0x1000;
const MS_MOVE: u64 = 0x2000;
const MS_REC: u64 = 0x4000;
const MS_UNBINDABLE: u64 = 0x2_0000;
const MS_PRIVATE: u64 = 0x4_0000;
const MS_SLAVE: u64 = 0x8_0000;
const MS_SHARED: u64 = 0x10_0000;

fn must_be_admin(ctx: &Ctx<'_>) -> Result<(), Errno> {
    if capable(&ctx.task().creds, cap::SYS_ADMIN) { Ok(()) } else { Err(Errno::EPERM) }
}

/// `mount(2)`
pub(crate) fn mount(
    ctx: &mut Ctx<'_>,
    source: Path,
    target: Path,
    fstype: Addr,
    mountflags: U64,
    data: Addr,
) -> SysResult {
    const MAGIC: u64 = 0xc0ed_0000;
    let mut bits = mountflags.0;
    if bits & 0xffff_0000 == MAGIC {
        bits &= !0xffff_0000;
    }
    let kind = match fstype.non_null() {
        Some(at) => ctx.read_cstr(at, 4096, Errno::EINVAL)?,
        None => Vec::new(),
    };
    let source = if source.0 == 0 { Vec::new() } else { ctx.read_path(source)? };
    let options = match data.non_null() {
        // A page of text; what is not text is a binary structure of a file system that is not here.
        Some(at) => ctx.read_cstr(at, PATH_MAX, Errno::EINVAL).unwrap_or_default(),
        None => Vec::new(),
    };
    let path = ctx.read_path(target)?;
    let at = resolve(ctx, DirFd::CWD, &path, Resolve::FOLLOW)?;
    must_be_admin(ctx)?;
    crate::landlock::check_mount(ctx.k, ctx.tid)?;
    let flags = MountFlags::from_bits_truncate(u32::try_from(bits & 0xffff_ffff).unwrap_or(0));
    if bits & MS_REMOUNT != 0 {
        remount(ctx, at, flags, bits & MS_BIND != 0)?;
    } else if bits & MS_BIND != 0 {
        let from = resolve(ctx, DirFd::CWD, &source, Resolve::FOLLOW)?;
        let recursive = if bits & MS_REC != 0 { Recursive::Yes } else { Recursive::No };
        bind(ctx.k, from, at, recursive)?;
    } else if bits & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE) != 0 {
        propagation(ctx, at, bits)?;
    } else if bits & MS_MOVE != 0 {
        let from = resolve(ctx, DirFd::CWD, &source, Resolve::FOLLOW)?;
        move_mount(ctx.k, from, at)?;
    } else {
        let sb = new_super(ctx, &kind, &source, &options)?;
        let is_dir = ctx.k.vfs.inode(ctx.k.vfs.inode_at(at)).is_dir();
        if !is_dir {
            return Err(Errno::ENOTDIR.into());
        }
        let root = ctx.k.vfs.super_block(sb).root;
        ctx.k.vfs.super_mut(sb).rdonly = flags.contains(MountFlags::RDONLY);
        ctx.k.vfs.attach(sb, root, Some(at), flags | MountFlags::RELATIME);
    }
    ctx.k.wake(crate::task::wait::WaitKey::Mounts);
    Ok(0)
}

/// Nothing spreads from one namespace to another; what was asked for is remembered, and loud if it was spreading.
fn propagation(ctx: &mut Ctx<'_>, at: Loc, bits: u64) -> Result<(), Errno> {
    if ctx.k.vfs.mount(at.mount).root != at.dentry {
        return Err(Errno::EINVAL);
    }
    const MS_SILENT: u64 = 0x8000;
    let kind = bits & !(MS_REC | MS_SILENT);
    if kind & !(MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE) != 0 || !kind.is_power_of_two() {
        return Err(Errno::EINVAL);
    }
    if bits & (MS_SHARED | MS_SLAVE) != 0 {
        let task = format!("task {}", ctx.tid.0);
        ctx.k.gap("mount propagation (MS_SHARED, MS_SLAVE)".to_owned(), task);
    }
    let tree = if bits & MS_REC != 0 { ctx.k.vfs.mount_tree(at.mount) } else { vec![at.mount] };
    for id in tree {
        if let Some(mount) = ctx.k.vfs.mounts.get_mut(id) {
            mount.shared = bits & MS_SHARED != 0;
        }
    }
    Ok(())
}

fn remount(ctx: &mut Ctx<'_>, at: Loc, flags: MountFlags, only_mount: bool) -> Result<(), Errno> {
    let mount = ctx.k.vfs.mounts.get_mut(at.mount).ok_or(Errno::EINVAL)?;
    if mount.root != at.dentry {
        return Err(Errno::EINVAL);
    }
    let sb = mount.sb;
    if flags.contains(MountFlags::RDONLY) {
        let written = ctx.k.files.iter().any(|(_, file)| {
            file.writable()
                && matches!(file.kind, crate::file::File::Regular(_))
                && file.loc.is_some_and(|loc| loc.mount == at.mount)
        });
        if written {
            return Err(Errno::EBUSY);
        }
    }
    let mount = ctx.k.vfs.mounts.get_mut(at.mount).ok_or(Errno::EINVAL)?;
    mount.flags = flags;
    if !only_mount {
        ctx.k.vfs.super_mut(sb).rdonly = flags.contains(MountFlags::RDONLY);
    }
    ctx.k.vfs.mounts_generation += 1;
    Ok(())
}

/// A number with a suffix, as `size=` has it: k, m, g, or a percentage of memory.
fn parse_size(ctx: &Ctx<'_>, text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().ok()?;
    match unit {
        "" => Some(number),
        "k" | "K" => number.checked_mul(1 << 10),
        "m" | "M" => number.checked_mul(1 << 20),
        "g" | "G" => number.checked_mul(1 << 30),
        "%" => (ctx.k.mem.limit() / 100).checked_mul(number),
        _ => None,
    }
}

/// A new file system of the named type. `ENODEV` if there is none.
fn new_super(ctx: &mut Ctx<'_>, kind: &[u8], source: &[u8], options: &[u8]) -> Result<SuperId, Stop> {
    let source = if source.is_empty() { b"none" } else { source };
    match kind {
        b"tmpfs" | b"ramfs" | b"devtmpfs" => {
            let now = crate::vfs::now(ctx.k, ctx.host);
            let kind = match kind {
                b"tmpfs" => SuperKind::Tmpfs,
                b"ramfs" => SuperKind::Ramfs,
                _ => SuperKind::Devtmpfs,
            };
            let is_tmpfs = kind == SuperKind::Tmpfs;
            let mode = if is_tmpfs { 0o1777 } else { 0o755 };
            let limits = tmpfs_options(ctx, options, is_tmpfs)?;
            let sb = new_tree(ctx.k, kind, source, limits.mode.unwrap_or(mode), now);
            let super_block = ctx.k.vfs.super_mut(sb);
            super_block.max_pages = limits.pages;
            super_block.max_inodes = limits.inodes;
            super_block.options = options.to_vec();
            let root = super_block.root;
            let root = ctx.k.vfs.dentry(root).inode;
            let inode = ctx.k.vfs.inode_mut(root);
            inode.uid = limits.uid.unwrap_or(0);
            inode.gid = limits.gid.unwrap_or(0);
            Ok(sb)
        }
        b"proc" => Ok(synth_super(ctx.k, SuperKind::Proc, Synth::ProcRoot)),
        b"devpts" => Ok(synth_super(ctx.k, SuperKind::Devpts, Synth::PtsRoot)),
        b"sysfs" => Ok(synth_super(ctx.k, SuperKind::Sysfs, Synth::SysRoot)),
        b"" => Err(Errno::EINVAL.into()),
        other => {
            let at = format!("task {}", ctx.tid.0);
            ctx.k.gap(format!("file system type {}", String::from_utf8_lossy(other)), at);
            Err(Errno::ENODEV.into())
        }
    }
}

/// What `mount -o` says of a tmpfs.
#[derive(Default)]
struct Limits {
    pages: Option<u64>,
    inodes: Option<u64>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

fn tmpfs_options(ctx: &Ctx<'_>, options: &[u8], is_tmpfs: bool) -> Result<Limits, Errno> {
    let mut limits = Limits::default();
    if is_tmpfs {
        // Half of memory, as Linux.
        limits.pages = Some(ctx.k.mem.limit() / 8192);
    }
    let text = std::str::from_utf8(options).map_err(|_| Errno::EINVAL)?;
    for option in text.split(',').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let number = || value.parse::<u32>().map_err(|_| Errno::EINVAL);
        match name {
            "size" => {
                let bytes = parse_size(ctx, value).ok_or(Errno::EINVAL)?;
                limits.pages = (bytes > 0).then(|| bytes.div_ceil(4096));
            }
            "nr_blocks" => limits.pages = Some(parse_size(ctx, value).ok_or(Errno::EINVAL)?),
            "nr_inodes" => limits.inodes = Some(parse_size(ctx, value).ok_or(Errno::EINVAL)?),
            "mode" => limits.mode = Some(u32::from_str_radix(value, 8).map_err(|_| Errno::EINVAL)?),
            "uid" => limits.uid = Some(number()?),
            "gid" => limits.gid = Some(number()?),
            "huge" | "inode64" | "inode32" | "mpol" | "noswap" => {}
            // ramfs takes what it does not know, tmpfs does not.
            _ if is_tmpfs => return Err(Errno::EINVAL),
            _ => {}
        }
    }
    Ok(limits)
}

/// `umount2(2)`
pub(crate) fn umount2(ctx: &mut Ctx<'_>, target: Path, bits: I32) -> SysResult {
    const FORCE: u32 = 1;
    const DETACH: u32 = 2;
    const EXPIRE: u32 = 4;
    const NOFOLLOW: u32 = 8;
    let bits = bits.0.cast_unsigned();
    if bits & !(FORCE | DETACH | EXPIRE | NOFOLLOW) != 0
        || (bits & EXPIRE != 0 && bits & (FORCE | DETACH) != 0)
    {
        return Err(Errno::EINVAL.into());
    }
    let path = ctx.read_path(target)?;
    let mut how = Resolve::empty();
    how.set(Resolve::FOLLOW, bits & NOFOLLOW == 0);
    let at = resolve(ctx, DirFd::CWD, &path, how)?;
    must_be_admin(ctx)?;
    crate::landlock::check_mount(ctx.k, ctx.tid)?;
    if ctx.k.vfs.mount(at.mount).root != at.dentry {
        return Err(Errno::EINVAL.into());
    }
    if bits & EXPIRE != 0 {
        return Err(Stop::Unsupported("MNT_EXPIRE"));
    }
    unmount(ctx.k, at, if bits & DETACH != 0 { Lazy::Yes } else { Lazy::No })?;
    ctx.k.wake(crate::task::wait::WaitKey::Mounts);
    Ok(0)
}

/// `pivot_root(2)`
pub(crate) fn pivot_root(ctx: &mut Ctx<'_>, new_root: Path, put_old: Path) -> SysResult {
    must_be_admin(ctx)?;
    crate::landlock::check_mount(ctx.k, ctx.tid)?;
    let how = Resolve::FOLLOW | Resolve::DIRECTORY;
    let new = ctx.read_path(new_root)?;
    let new = resolve(ctx, DirFd::CWD, &new, how)?;
    let old = ctx.read_path(put_old)?;
    let old = resolve(ctx, DirFd::CWD, &old, how)?;
    let root = ctx.k.fs_contexts.get(ctx.task().fs).ok_or(Errno::ENOENT)?.root;
    pivot(ctx.k, root, new, old)?;
    ctx.k.wake(crate::task::wait::WaitKey::Mounts);
    Ok(0)
}
