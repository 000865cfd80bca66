//! Contents of regular files.
//!
//! A file is an object over what lies below it: a page in the object counts, else the lower file up to
//! `Content::lower_len`, else zeros. So a file of the host is copied up page by page, by writes and by mappings alone.
//!
//! **Invariant**: pages that a mapping shares are in the object, so read(2), write(2) and mappings see the same bytes.

use emu_core::mem::{ObjectId, PAGE_SIZE};

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::seam::{Host, HostChange};
use crate::vfs::{InodeId, InodeKind, Lower, shared};

/// Largest size of a file in bytes.
pub const MAX_BYTES: u64 = i64::MAX.cast_unsigned();
/// Most bytes that one step moves.
pub const STEP: usize = 1 << 20;

/// Reads from the lower file; what it does not have is zeros.
fn read_lower(
    k: &mut Kernel,
    host: &mut dyn Host,
    lower: &Lower,
    off: u64,
    buf: &mut [u8],
) -> Result<(), Errno> {
    match lower {
        Lower::Host(path) => {
            let n = host.file_read(path, off, buf)?;
            buf.get_mut(n..).unwrap_or_default().fill(0);
        }
        Lower::HostRange(path, start) => {
            let n = host.file_read(path, start + off, buf)?;
            buf.get_mut(n..).unwrap_or_default().fill(0);
        }
        Lower::Object(object, start) => k.mem.object_read(*object, start + off, buf),
    }
    Ok(())
}

/// Reads at most `max` bytes (and no more than 1 MiB) at `off`; empty at the end of the file.
pub fn read_inode(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: InodeId,
    off: u64,
    max: usize,
) -> Result<Vec<u8>, Errno> {
    shared::refresh(k, host, id);
    let inode = k.vfs.inode(id);
    let size = inode.size;
    let Some(content) = inode.content() else {
        return Err(if inode.is_dir() { Errno::EISDIR } else { Errno::EINVAL });
    };
    let (object, lower_len) = (content.object, content.lower_len);
    if off >= size {
        return Ok(Vec::new());
    }
    let len = usize::try_from(size - off).unwrap_or(usize::MAX).min(max).min(STEP);
    let lower = inode.lower.clone().filter(|_| off < lower_len);
    let mut data = vec![0; len];
    let Some(lower) = lower else {
        if let Some(object) = object {
            k.mem.object_read(object, off, &mut data);
        }
        return Ok(data);
    };
    let end = off + len as u64;
    let first = off / PAGE_SIZE;
    let last = (end - 1) / PAGE_SIZE;
    let all_here =
        object.is_some_and(|object| (first..=last).all(|page| k.mem.object_has_page(object, page)));
    if !all_here {
        let from_lower = usize::try_from(lower_len - off).unwrap_or(usize::MAX).min(len);
        read_lower(k, host, &lower, off, &mut data[..from_lower])?;
    }
    if let Some(object) = object {
        for page in first..=last {
            if k.mem.object_has_page(object, page) {
                let from = (page * PAGE_SIZE).max(off);
                let to = (page * PAGE_SIZE + PAGE_SIZE).min(end);
                let range = index(from - off)..index(to - off);
                k.mem.object_read(object, from, &mut data[range]);
            }
        }
    }
    Ok(data)
}

/// A difference within one step as an index.
fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(0)
}

/// The object of a regular file, made if there is none.
fn object_of(k: &mut Kernel, id: InodeId) -> Result<ObjectId, Errno> {
    let content = k.vfs.inode(id).content().ok_or(Errno::ENODEV)?;
    if let Some(object) = content.object {
        return Ok(object);
    }
    let object = k.mem.create_object();
    k.vfs.by_object.insert(object, id);
    if let Some(content) = k.vfs.inode_mut(id).content_mut() {
        content.object = Some(object);
    }
    Ok(object)
}

/// The object that mappings of a file map; its pages are filled by [`fill_page`]. `ENODEV` if it cannot be mapped.
pub fn page_object(k: &mut Kernel, host: &mut dyn Host, id: InodeId) -> Result<ObjectId, Errno> {
    let _ = host;
    let object = object_of(k, id)?;
    if let Some(content) = k.vfs.inode_mut(id).content_mut() {
        content.mapped = true;
    }
    Ok(object)
}

/// Makes sure that page `page` of an object that a file's mapping maps holds what the file holds. Nothing to do for an
/// object that is no file's. `EFAULT` past the end of the file, `EIO` if the host fails, `ENOSPC`.
pub fn fill_page(k: &mut Kernel, host: &mut dyn Host, object: ObjectId, page: u64) -> Result<(), Errno> {
    let Some(id) = k.vfs.inode_of_object(object) else { return Ok(()) };
    if k.mem.object_has_page(object, page) {
        return Ok(());
    }
    let inode = k.vfs.inode(id);
    let Some(at) = page.checked_mul(PAGE_SIZE).filter(|at| *at < inode.size.next_multiple_of(PAGE_SIZE))
    else {
        return Err(Errno::EFAULT);
    };
    let Some(content) = inode.content() else { return Err(Errno::EIO) };
    let mut data = vec![0; index(PAGE_SIZE)];
    let lower_len = content.lower_len;
    if let Some(lower) = inode.lower.clone().filter(|_| at < lower_len) {
        let take = index((lower_len - at).min(PAGE_SIZE));
        read_lower(k, host, &lower, at, &mut data[..take]).map_err(|_| Errno::EIO)?;
    }
    charge(k, id, 1)?;
    k.mem.object_write(object, at, &data).map_err(|_| Errno::ENOMEM)
}

/// Takes `pages` more pages of the file system's limit. `ENOSPC`.
fn charge(k: &mut Kernel, id: InodeId, pages: u64) -> Result<(), Errno> {
    let inode = k.vfs.inode(id);
    let sb = k.vfs.super_mut(inode.sb);
    if sb.max_pages.is_some_and(|max| sb.pages.saturating_add(pages) > max) {
        return Err(Errno::ENOSPC);
    }
    sb.pages += pages;
    if let Some(content) = k.vfs.inode_mut(id).content_mut() {
        content.charged += pages;
    }
    Ok(())
}

/// Gives charged pages back that the object no longer holds.
fn uncharge(k: &mut Kernel, id: InodeId) {
    let Some(content) = k.vfs.inode(id).content() else { return };
    let held = content.object.map_or(0, |object| k.mem.object_pages(object));
    let over = content.charged.saturating_sub(held);
    let sb = k.vfs.inode(id).sb;
    if let Some(content) = k.vfs.inode_mut(id).content_mut() {
        content.charged -= over;
    }
    let sb = k.vfs.super_mut(sb);
    sb.pages = sb.pages.saturating_sub(over);
}

/// Notes a change of a host file that stays in memory.
pub(crate) fn note_changed(k: &mut Kernel, id: InodeId) {
    let inode = k.vfs.inode(id);
    let sb = inode.sb;
    if let Some(Lower::Host(path)) = &inode.lower
        && k.vfs.super_block(sb).is_cow()
    {
        let path = path.path.clone();
        k.vfs.super_mut(sb).note_changed(path);
    }
}

/// Writes some of `data` (all of it unless space runs out) at `off`; times are the caller's business.
pub fn write_inode(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: InodeId,
    off: u64,
    data: &[u8],
) -> Result<usize, Errno> {
    if data.is_empty() {
        return Ok(0);
    }
    let inode = k.vfs.inode(id);
    if inode.content().is_none() {
        return Err(if inode.is_dir() { Errno::EISDIR } else { Errno::EINVAL });
    }
    let end = off.checked_add(data.len() as u64).filter(|end| *end <= MAX_BYTES).ok_or(Errno::EFBIG)?;
    if k.vfs.super_block(inode.sb).is_shared() {
        let Some(Lower::Host(path)) = inode.lower.clone() else { return Err(Errno::EIO) };
        host.file_write(&path, off, data)?;
        write_cached(k, id, off, data)?;
        let inode = k.vfs.inode_mut(id);
        inode.size = inode.size.max(end);
        let size = inode.size;
        if let Some(content) = inode.content_mut() {
            content.lower_len = size;
        }
        return Ok(data.len());
    }
    note_changed(k, id);
    let object = object_of(k, id)?;
    let mut done = 0;
    while done < data.len() {
        let at = off + done as u64;
        let page = at / PAGE_SIZE;
        let take = index(PAGE_SIZE - at % PAGE_SIZE).min(data.len() - done);
        if let Err(errno) = write_page(k, host, id, object, page, at, &data[done..done + take]) {
            if done == 0 {
                return Err(errno);
            }
            break;
        }
        done += take;
    }
    let inode = k.vfs.inode_mut(id);
    inode.size = inode.size.max(off + done as u64);
    Ok(done)
}

fn write_page(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: InodeId,
    object: ObjectId,
    page: u64,
    at: u64,
    data: &[u8],
) -> Result<(), Errno> {
    if !k.mem.object_has_page(object, page) {
        let inode = k.vfs.inode(id);
        let lower_len = inode.content().map_or(0, |content| content.lower_len);
        let below = inode.lower.is_some() && page * PAGE_SIZE < lower_len;
        if below && (data.len() as u64) < PAGE_SIZE {
            fill_page(k, host, object, page)?;
        } else {
            charge(k, id, 1)?;
        }
    }
    k.mem.object_write(object, at, data).map_err(|_| Errno::ENOSPC)
}

/// Writes to pages that the object holds, so that mappings see what went to the host.
fn write_cached(k: &mut Kernel, id: InodeId, off: u64, data: &[u8]) -> Result<(), Errno> {
    let Some(object) = k.vfs.inode(id).content().and_then(|content| content.object) else { return Ok(()) };
    let mut done = 0;
    while done < data.len() {
        let at = off + done as u64;
        let take = index(PAGE_SIZE - at % PAGE_SIZE).min(data.len() - done);
        if k.mem.object_has_page(object, at / PAGE_SIZE) {
            k.mem.object_write(object, at, &data[done..done + take]).map_err(|_| Errno::ENOSPC)?;
        }
        done += take;
    }
    Ok(())
}

/// Sets the size of a regular file.
pub fn set_size(k: &mut Kernel, host: &mut dyn Host, id: InodeId, size: u64) -> Result<(), Errno> {
    if size > MAX_BYTES {
        return Err(Errno::EFBIG);
    }
    let inode = k.vfs.inode(id);
    let Some(content) = inode.content() else {
        return Err(if inode.is_dir() { Errno::EISDIR } else { Errno::EINVAL });
    };
    let (object, is_shared) = (content.object, k.vfs.super_block(inode.sb).is_shared());
    if is_shared {
        let Some(Lower::Host(path)) = inode.lower.clone() else { return Err(Errno::EIO) };
        host.file_change(&HostChange::Truncate(path, size))?;
    } else {
        note_changed(k, id);
    }
    if let Some(object) = object {
        k.mem.object_truncate(object, size);
    }
    let inode = k.vfs.inode_mut(id);
    inode.size = size;
    if let Some(content) = inode.content_mut() {
        content.lower_len = if is_shared { size } else { content.lower_len.min(size) };
    }
    uncharge(k, id);
    Ok(())
}

/// Makes `off..off+len` read as zeros without changing the size.
pub(crate) fn punch(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: InodeId,
    off: u64,
    len: u64,
) -> Result<(), Errno> {
    let inode = k.vfs.inode(id);
    let end = off.saturating_add(len).min(inode.size);
    let Some(content) = inode.content() else { return Err(Errno::EINVAL) };
    let lower_len = if inode.lower.is_some() { content.lower_len } else { 0 };
    // Below the hole there may be the lower file: zeros must stand before it.
    let mut at = off;
    let zeros = vec![0; index(PAGE_SIZE)];
    while at < end.min(lower_len) {
        let take = (PAGE_SIZE - at % PAGE_SIZE).min(end - at);
        write_inode(k, host, id, at, &zeros[..index(take)])?;
        at += take;
    }
    if let Some(object) = k.vfs.inode(id).content().and_then(|content| content.object)
        && at < end
    {
        k.mem.object_punch(object, at..end);
    }
    uncharge(k, id);
    Ok(())
}

/// Gives `off..off+len` its pages (`fallocate`). `ENOSPC`.
pub(crate) fn allocate(
    k: &mut Kernel,
    host: &mut dyn Host,
    id: InodeId,
    off: u64,
    len: u64,
) -> Result<(), Errno> {
    let inode = k.vfs.inode(id);
    let sb = k.vfs.super_block(inode.sb);
    let pages = len.div_ceil(PAGE_SIZE);
    if sb.max_pages.is_some_and(|max| sb.pages.saturating_add(pages) > max)
        || pages * PAGE_SIZE > k.mem.limit()
    {
        return Err(Errno::ENOSPC);
    }
    let _ = (host, off);
    Ok(())
}

/// Start of data or of a hole at or after `off` (`SEEK_DATA`, `SEEK_HOLE`). `ENXIO` past the end.
pub(crate) fn seek(k: &Kernel, id: InodeId, off: u64, what: Seek) -> Result<u64, Errno> {
    let inode = k.vfs.inode(id);
    if off >= inode.size {
        return Err(Errno::ENXIO);
    }
    let InodeKind::Regular(content) = &inode.kind else { return Err(Errno::EINVAL) };
    let lower_len = if inode.lower.is_some() { content.lower_len } else { 0 };
    match what {
        Seek::Data if off < lower_len => Ok(off),
        Seek::Data => content
            .object
            .and_then(|object| k.mem.object_next_data(object, off))
            .filter(|at| *at < inode.size)
            .ok_or(Errno::ENXIO),
        Seek::Hole => {
            let from = if off < lower_len { lower_len.next_multiple_of(PAGE_SIZE) } else { off };
            Ok(content.object.map_or(from, |object| k.mem.object_next_hole(object, from)).min(inode.size))
        }
    }
}

/// What to seek for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seek {
    /// Data.
    Data,
    /// A hole.
    Hole,
}

/// Writes what mappings changed in a shared host file back to the host (`msync`, `fsync`, unmapping). Nothing to do for
/// other files.
pub fn sync_inode(k: &mut Kernel, host: &mut dyn Host, id: InodeId) -> Result<(), Errno> {
    let Some(inode) = k.vfs.get_inode(id) else { return Ok(()) };
    let Some(content) = inode.content() else { return Ok(()) };
    let (Some(object), true) = (content.object, k.vfs.super_block(inode.sb).is_shared()) else {
        return Ok(());
    };
    let Some(Lower::Host(path)) = inode.lower.clone() else { return Ok(()) };
    let size = inode.size;
    let mut next = k.mem.object_next_data(object, 0);
    let mut ours = vec![0; index(PAGE_SIZE)];
    let mut theirs = vec![0; index(PAGE_SIZE)];
    while let Some(at) = next.filter(|at| *at < size) {
        let take = index((size - at).min(PAGE_SIZE));
        k.mem.object_read(object, at, &mut ours[..take]);
        let n = host.file_read(&path, at, &mut theirs[..take])?;
        if ours[..take] != theirs[..n] {
            host.file_write(&path, at, &ours[..take])?;
        }
        next = k.mem.object_next_data(object, at + PAGE_SIZE);
    }
    Ok(())
}
