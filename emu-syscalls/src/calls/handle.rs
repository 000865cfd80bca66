//! `name_to_handle_at(2)` and `open_by_handle_at(2)`: names of files that outlive their paths.
//!
//! A handle is the number of the file system and of the inode, in the shape of tmpfs's handles (type 1, 12 bytes).

use crate::abi::errno::Errno;
use crate::arg::{Addr, DirFd, Fd, I32, Path};
use crate::calls::desc::fd_result;
use crate::ctx::{Ctx, SysResult};
use crate::file::fdtable::put_file;
use crate::file::flags;
use crate::task::creds::{cap, has};
use crate::vfs::{InodeId, InodeKind, Loc, Resolve, open_loc, resolve};

/// Bytes behind the two words of `struct file_handle`.
const HANDLE_BYTES: u32 = 12;
const HANDLE_TYPE: u32 = 1;
/// `MAX_HANDLE_SZ`
const MAX_HANDLE_SIZE: u32 = 128;

/// `name_to_handle_at(2)`
pub(crate) fn name_to_handle_at(
    ctx: &mut Ctx<'_>,
    dirfd: DirFd,
    path: Path,
    handle: Addr,
    mount_id: Addr,
    flags: I32,
) -> SysResult {
    const AT_HANDLE_MNT_ID_UNIQUE: u32 = 1;
    const AT_HANDLE_CONNECTABLE: u32 = 2;
    const AT_HANDLE_FID: u32 = 0x200;
    const AT_SYMLINK_FOLLOW: u32 = 0x400;
    const AT_EMPTY_PATH: u32 = 0x1000;
    let bits = flags.0.cast_unsigned();
    let known =
        AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | AT_HANDLE_FID | AT_HANDLE_MNT_ID_UNIQUE | AT_HANDLE_CONNECTABLE;
    // A connectable handle of an object that is only compared makes no sense.
    let both = AT_HANDLE_FID | AT_HANDLE_CONNECTABLE;
    if bits & !known != 0 || bits & both == both {
        return Err(Errno::EINVAL.into());
    }
    let mut how = Resolve::empty();
    how.set(Resolve::FOLLOW, bits & AT_SYMLINK_FOLLOW != 0);
    how.set(Resolve::EMPTY, bits & AT_EMPTY_PATH != 0);
    let path = ctx.read_path(path)?;
    let loc = resolve(ctx, dirfd, &path, how)?;
    let inode = ctx.k.vfs.inode_at(loc);
    // What is made up when looked at has numbers for comparing only.
    let made_up = matches!(ctx.k.vfs.inode(inode).kind, InodeKind::Synth(_) | InodeKind::Anon(_));
    if made_up && bits & AT_HANDLE_FID == 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let room = ctx.read_u32(handle)?;
    if room > MAX_HANDLE_SIZE {
        return Err(Errno::EINVAL.into());
    }
    let fits = room >= HANDLE_BYTES;
    if bits & AT_HANDLE_MNT_ID_UNIQUE != 0 {
        ctx.write_u64(mount_id, u64::from(loc.mount.0))?;
    } else {
        ctx.write_u32(mount_id, loc.mount.0)?;
    }
    let mut bytes = HANDLE_BYTES.to_le_bytes().to_vec();
    bytes.extend(if fits { HANDLE_TYPE } else { 255 }.to_le_bytes());
    if fits {
        bytes.extend(ctx.k.vfs.inode(inode).sb.0.to_le_bytes());
        bytes.extend(u64::from(inode.0).to_le_bytes());
    }
    ctx.write_user(handle, &bytes)?;
    if fits { Ok(0) } else { Err(Errno::EOVERFLOW.into()) }
}

/// `open_by_handle_at(2)`
pub(crate) fn open_by_handle_at(ctx: &mut Ctx<'_>, mount_fd: Fd, handle: Addr, flags: I32) -> SysResult {
    let (size, kind) = (ctx.read_u32(handle)?, ctx.read_u32(handle.at(4))?);
    if size == 0 || size > MAX_HANDLE_SIZE || kind.cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    let anchor = if mount_fd.0 == DirFd::CWD.0 {
        ctx.k.fs_contexts.get(ctx.task().fs).map(|fs| fs.cwd)
    } else {
        let id = ctx.fd_any(mount_fd)?;
        ctx.file(id).loc
    };
    if !has(&ctx.task().creds, cap::DAC_READ_SEARCH) {
        return Err(Errno::EPERM.into());
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
    ctx.read_user(handle.at(8), &mut bytes)?;
    let loc = anchor.and_then(|anchor| find(ctx, anchor, kind, &bytes)).ok_or(Errno::ESTALE)?;
    let bits = flags.0.cast_unsigned() & !(flags::O_CREAT | flags::O_EXCL);
    let id = open_loc(ctx, loc, bits | flags::O_LARGEFILE)?;
    match ctx.install_id(id, bits & flags::O_CLOEXEC != 0) {
        Ok(fd) => Ok(fd_result(fd)),
        Err(errno) => {
            put_file(ctx.k, id);
            Err(errno.into())
        }
    }
}

/// The place that a handle names on the mount of `anchor`, if its file is still there.
fn find(ctx: &Ctx<'_>, anchor: Loc, kind: u32, bytes: &[u8]) -> Option<Loc> {
    if kind & 0xffff != HANDLE_TYPE {
        return None;
    }
    let sb = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    let number = u64::from_le_bytes(bytes.get(4..12)?.try_into().ok()?);
    let inode = InodeId(u32::try_from(number).ok()?);
    let held = ctx.k.vfs.get_inode(inode)?;
    if held.sb.0 != sb || ctx.k.vfs.inode(ctx.k.vfs.inode_at(anchor)).sb != held.sb {
        return None;
    }
    // Names are few beside the time in which somebody opens by handle: no index is kept.
    let (dentry, _) = ctx.k.vfs.dentries.iter().find(|(_, dentry)| dentry.inode == inode)?;
    Some(Loc { mount: anchor.mount, dentry })
}
