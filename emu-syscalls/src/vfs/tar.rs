//! A tree from an archive: its index is read when it is mounted, contents when somebody reads them.
//!
//! **Invariant**: nothing of the archive leaves the tree: names are cleaned, links are looked at only by path walks.

use std::io::{Read, Seek, SeekFrom};

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::seam::{Host, HostPath};
use crate::vfs::build::new_tree;
use crate::vfs::tree::new_inode;
use crate::vfs::{Content, DentryId, Dir, InodeId, InodeKind, Lower, Mode, SuperId, SuperKind};

/// The most bytes that a compressed archive may unpack to.
const UNPACKED_MAX: u64 = 16 << 30;

/// An archive on the host as a stream.
struct HostFile<'a> {
    host: &'a mut dyn Host,
    path: &'a HostPath,
    pos: u64,
    size: u64,
}

impl Read for HostFile<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self
            .host
            .file_read(self.path, self.pos, buf)
            .map_err(|errno| std::io::Error::other(errno.to_string()))?;
        self.pos += n as u64;
        Ok(n)
    }
}

impl Seek for HostFile<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.pos.checked_add_signed(by),
        };
        self.pos = at.ok_or_else(|| std::io::Error::other("seek before the start"))?;
        Ok(self.pos)
    }
}

/// An entry as the index keeps it.
struct Indexed {
    path: Vec<u8>,
    kind: tar::EntryType,
    mode: u32,
    owner: (u32, u32),
    mtime: i64,
    size: u64,
    offset: u64,
    target: Vec<u8>,
    device: (u32, u32),
}

fn index<R: Read>(archive: tar::Entries<'_, R>) -> Result<Vec<Indexed>, Errno> {
    let mut found = Vec::new();
    for entry in archive {
        let entry = entry.map_err(|_| Errno::EIO)?;
        let header = entry.header();
        let number = |n: std::io::Result<u64>| n.ok().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let device = |n: std::io::Result<Option<u32>>| n.ok().flatten().unwrap_or(0);
        let seconds = header.mtime().ok().and_then(|s| i64::try_from(s).ok()).unwrap_or(0);
        found.push(Indexed {
            path: entry.path_bytes().into_owned(),
            kind: header.entry_type(),
            mode: header.mode().unwrap_or(0o644) & 0o7777,
            owner: (number(header.uid()), number(header.gid())),
            mtime: seconds.saturating_mul(1_000_000_000),
            size: entry.size(),
            offset: entry.raw_file_position(),
            target: entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default(),
            device: (device(header.device_major()), device(header.device_minor())),
        });
    }
    Ok(found)
}

/// A file system from an archive, plain or compressed with gzip. `EIO` if it is damaged.
pub(crate) fn tar_super(
    k: &mut Kernel,
    host: &mut dyn Host,
    archive: &HostPath,
    mode: Mode,
) -> Result<SuperId, Errno> {
    let size = host.file_stat(archive)?.size;
    let mut magic = [0; 2];
    let n = host.file_read(archive, 0, &mut magic)?;
    let is_gzip = n == 2 && magic == [0x1f, 0x8b];
    let (entries, object) = if is_gzip {
        // Compressed data cannot be read from the middle: all of it is unpacked once.
        let object = k.mem.create_object();
        let file = HostFile { host, path: archive, pos: 0, size };
        let mut unpacked =
            flate2::read::MultiGzDecoder::new(std::io::BufReader::with_capacity(1 << 20, file));
        let mut buf = vec![0; 1 << 20];
        let mut len = 0u64;
        loop {
            let n = unpacked.read(&mut buf).map_err(|_| Errno::EIO)?;
            if n == 0 {
                break;
            }
            if len > UNPACKED_MAX {
                return Err(Errno::EFBIG);
            }
            k.mem.object_write(object, len, &buf[..n]).map_err(|_| Errno::ENOMEM)?;
            len += n as u64;
        }
        let reader = ObjectReader { k, object, pos: 0, len };
        let mut archive = tar::Archive::new(reader);
        (index(archive.entries_with_seek().map_err(|_| Errno::EIO)?)?, Some(object))
    } else {
        let mut reader = tar::Archive::new(HostFile { host, path: archive, pos: 0, size });
        (index(reader.entries_with_seek().map_err(|_| Errno::EIO)?)?, None)
    };
    let sb = new_tree(k, SuperKind::Tar(mode), b"archive", 0o755, 0);
    for entry in entries {
        let lower = match object {
            Some(object) => Lower::Object(object, entry.offset),
            None => Lower::HostRange(archive.clone(), entry.offset),
        };
        add(k, sb, entry, lower);
    }
    Ok(sb)
}

/// An object as a stream.
struct ObjectReader<'a> {
    k: &'a mut Kernel,
    object: emu_core::mem::ObjectId,
    pos: u64,
    len: u64,
}

impl Read for ObjectReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(self.pos)).unwrap_or(usize::MAX);
        let n = buf.len().min(left);
        self.k.mem.object_read(self.object, self.pos, &mut buf[..n]);
        self.pos += n as u64;
        Ok(n)
    }
}

impl Seek for ObjectReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.pos.checked_add_signed(by),
        };
        self.pos = at.ok_or_else(|| std::io::Error::other("seek before the start"))?;
        Ok(self.pos)
    }
}

/// The components of a name in the archive; `None` if it tries to leave the tree.
fn components(path: &[u8]) -> Option<Vec<&[u8]>> {
    let parts: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    let bad = parts.iter().any(|part| *part == b".." || part.len() > super::NAME_MAX || part.contains(&0));
    (!bad).then_some(parts)
}

/// The directory with these components, made where it is missing.
fn dir_at(k: &mut Kernel, sb: SuperId, parts: &[&[u8]]) -> Option<DentryId> {
    let mut at = k.vfs.super_block(sb).root;
    for part in parts {
        let dir = k.vfs.dentry(at).inode;
        let found = k.vfs.inode(dir).dir()?.entries.get(*part).copied();
        at = match found {
            Some(id) => id,
            None => {
                k.vfs.inode_mut(dir).nlink += 1;
                let inode = new_inode(sb, InodeKind::Dir(Dir::default()), 0o755, (0, 0), 0);
                let inode = k.vfs.inodes.insert(inode);
                k.vfs.add_entry(at, part, inode)
            }
        };
    }
    k.vfs.inode(k.vfs.dentry(at).inode).dir().map(|_| at)
}

fn find(k: &Kernel, sb: SuperId, parts: &[&[u8]]) -> Option<InodeId> {
    let mut at = k.vfs.super_block(sb).root;
    for part in parts {
        at = *k.vfs.inode(k.vfs.dentry(at).inode).dir()?.entries.get(*part)?;
    }
    Some(k.vfs.dentry(at).inode)
}

fn add(k: &mut Kernel, sb: SuperId, entry: Indexed, lower: Lower) {
    let Some(parts) = components(&entry.path) else { return };
    let Some((name, above)) = parts.split_last() else {
        // The root itself: its attributes count.
        let root = k.vfs.dentry(k.vfs.super_block(sb).root).inode;
        set_attributes(k, root, &entry);
        return;
    };
    let Some(dir) = dir_at(k, sb, above) else { return };
    let dir_inode = k.vfs.dentry(dir).inode;
    let there = k.vfs.inode(dir_inode).dir().and_then(|entries| entries.entries.get(*name).copied());
    if entry.kind == tar::EntryType::Directory {
        if let Some(dentry) = dir_at(k, sb, &parts) {
            let inode = k.vfs.dentry(dentry).inode;
            set_attributes(k, inode, &entry);
        }
        return;
    }
    if let Some(old) = there {
        // A later entry of the same name replaces the earlier one.
        if k.vfs.inode(k.vfs.dentry(old).inode).is_dir() {
            return;
        }
        super::tree::remove_entry(k, old);
    }
    if entry.kind == tar::EntryType::Link {
        let target = components(&entry.target).and_then(|parts| find(k, sb, &parts));
        if let Some(inode) = target.filter(|id| !k.vfs.inode(*id).is_dir()) {
            k.vfs.inode_mut(inode).nlink += 1;
            k.vfs.add_entry(dir, name, inode);
        }
        return;
    }
    let rdev = crate::file::dev::makedev(entry.device.0, entry.device.1);
    let kind = match entry.kind {
        tar::EntryType::Symlink => InodeKind::Symlink(Some(entry.target.as_slice().into())),
        tar::EntryType::Char => InodeKind::CharDevice(rdev),
        tar::EntryType::Block => InodeKind::BlockDevice(rdev),
        tar::EntryType::Fifo => InodeKind::Fifo,
        tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse => {
            InodeKind::Regular(Content { lower_len: entry.size, ..Content::default() })
        }
        _ => return,
    };
    let mut inode = new_inode(sb, kind, entry.mode, entry.owner, entry.mtime);
    if inode.is_regular() {
        inode.size = entry.size;
        inode.lower = Some(lower);
    } else if inode.is_symlink() {
        inode.size = entry.target.len() as u64;
        inode.mode = 0o777;
    }
    let inode = k.vfs.inodes.insert(inode);
    k.vfs.add_entry(dir, name, inode);
}

fn set_attributes(k: &mut Kernel, id: InodeId, entry: &Indexed) {
    let inode = k.vfs.inode_mut(id);
    inode.mode = entry.mode;
    (inode.uid, inode.gid) = entry.owner;
    (inode.atime, inode.mtime, inode.ctime, inode.btime) =
        (entry.mtime, entry.mtime, entry.mtime, entry.mtime);
}
