//! Host files behind the seam: directories and single files that the user named, opened once with cap-std so that no path
//! leads out of them.
//!
//! **Invariant**: every access goes through the `Dir` of its share; nothing is opened by an absolute path after start.

use std::collections::VecDeque;
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use emu_syscalls::abi::errno::Errno;
use emu_syscalls::seam::{HostChange, HostEntry, HostFileKind, HostPath, HostStat, ShareId};

/// How many files are kept open for reading.
const OPEN_FILES: usize = 64;

/// A directory, or one file in it, that the user shares.
#[derive(Debug)]
struct Share {
    dir: Dir,
    /// The only name in `dir` that is shared; `None`: all of it.
    only: Option<std::ffi::OsString>,
}

/// All shares, and a few open files.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    shares: Vec<Share>,
    open: VecDeque<(HostPath, File)>,
    /// The host user whose files belong to the guest's user, and that user.
    pub(crate) owner: Owner,
}

/// Whose files the guest's user owns.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Owner {
    #[cfg(unix)]
    pub(crate) host: (u32, u32),
    pub(crate) guest: (u32, u32),
}

/// Reads from a place in a file: one system call where the host has one for it.
#[cfg(unix)]
fn read_at(file: &mut File, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
    if buf.is_empty() { Ok(0) } else { cap_std::fs::FileExt::read_at(file, buf, offset) }
}

#[cfg(not(unix))]
fn read_at(file: &mut File, buf: &mut [u8], offset: u64) -> std::io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    std::io::Read::read(file, buf)
}

fn errno(error: &std::io::Error) -> Errno {
    #[cfg(target_os = "linux")]
    if let Some(raw) = error.raw_os_error()
        && let Ok(raw) = u16::try_from(raw)
    {
        return Errno(raw);
    }
    match error.kind() {
        ErrorKind::NotFound => Errno::ENOENT,
        ErrorKind::PermissionDenied => Errno::EACCES,
        ErrorKind::AlreadyExists => Errno::EEXIST,
        ErrorKind::NotADirectory => Errno::ENOTDIR,
        ErrorKind::IsADirectory => Errno::EISDIR,
        ErrorKind::DirectoryNotEmpty => Errno::ENOTEMPTY,
        ErrorKind::ReadOnlyFilesystem => Errno::EROFS,
        ErrorKind::StorageFull => Errno::ENOSPC,
        ErrorKind::CrossesDevices => Errno::EXDEV,
        ErrorKind::InvalidInput => Errno::EINVAL,
        _ => Errno::EIO,
    }
}

impl Shares {
    /// Shares a directory.
    pub(crate) fn add_dir(&mut self, path: &Path) -> Result<ShareId> {
        let dir = Dir::open_ambient_dir(path, ambient_authority())
            .with_context(|| format!("cannot open directory {}", path.display()))?;
        self.add(Share { dir, only: None })
    }

    /// Shares a single file.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<ShareId> {
        let name =
            path.file_name().with_context(|| format!("{} has no file name", path.display()))?.to_owned();
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let dir = Dir::open_ambient_dir(parent, ambient_authority())
            .with_context(|| format!("cannot open directory {}", parent.display()))?;
        self.add(Share { dir, only: Some(name) })
    }

    fn add(&mut self, share: Share) -> Result<ShareId> {
        let id = u16::try_from(self.shares.len()).context("too many shared directories")?;
        self.shares.push(share);
        Ok(ShareId(id))
    }

    fn locate(&self, at: &HostPath) -> Result<(&Dir, PathBuf), Errno> {
        let share = self.shares.get(usize::from(at.share.0)).ok_or(Errno::ENOENT)?;
        let path = match &share.only {
            Some(only) if at.path.is_empty() => only.into(),
            Some(_) => return Err(Errno::ENOTDIR),
            None if at.path.is_empty() => ".".into(),
            None => host_name(&at.path)?,
        };
        Ok((&share.dir, path))
    }

    pub(crate) fn file_stat(&mut self, at: &HostPath) -> Result<HostStat, Errno> {
        let (dir, path) = self.locate(at)?;
        let meta = dir.symlink_metadata(path).map_err(|e| errno(&e))?;
        Ok(host_stat(&meta, self.owner))
    }

    pub(crate) fn dir_list(&mut self, at: &HostPath) -> Result<Vec<HostEntry>, Errno> {
        let (dir, path) = self.locate(at)?;
        let mut entries = Vec::new();
        for entry in dir.read_dir(path).map_err(|e| errno(&e))? {
            let entry = entry.map_err(|e| errno(&e))?;
            let Ok(kind) = entry.file_type() else { continue };
            entries.push(HostEntry { name: guest_name(&entry.file_name()), kind: file_kind(kind) });
        }
        Ok(entries)
    }

    pub(crate) fn link_read(&mut self, at: &HostPath) -> Result<Vec<u8>, Errno> {
        let (dir, path) = self.locate(at)?;
        let target = dir.read_link_contents(path).map_err(|e| errno(&e))?;
        Ok(guest_name(target.as_os_str()))
    }

    pub(crate) fn file_read(&mut self, at: &HostPath, offset: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let mut file = match self.open.iter().position(|(path, _)| path == at) {
            Some(index) => self.open.remove(index).ok_or(Errno::EIO)?.1,
            None => {
                let (dir, path) = self.locate(at)?;
                dir.open(path).map_err(|e| errno(&e))?
            }
        };
        let mut done = 0;
        let result = loop {
            match read_at(&mut file, &mut buf[done..], offset.saturating_add(done as u64)) {
                Ok(0) => break Ok(()),
                Ok(n) => done += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => break Err(e),
            }
        };
        self.open.push_front((at.clone(), file));
        self.open.truncate(OPEN_FILES);
        result.map_err(|e| errno(&e))?;
        Ok(done)
    }

    pub(crate) fn file_write(&mut self, at: &HostPath, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let (dir, path) = self.locate(at)?;
        let mut file = dir.open_with(path, OpenOptions::new().write(true)).map_err(|e| errno(&e))?;
        file.seek(SeekFrom::Start(offset)).and_then(|_| file.write_all(data)).map_err(|e| errno(&e))
    }

    pub(crate) fn file_change(&mut self, change: &HostChange) -> Result<(), Errno> {
        self.open.clear();
        let done = match change {
            HostChange::CreateFile(at, mode) => {
                let (dir, path) = self.locate(at)?;
                dir.open_with(&path, OpenOptions::new().write(true).create_new(true))
                    .map(drop)
                    .and_then(|()| set_mode(dir, &path, *mode))
            }
            HostChange::CreateDir(at, mode) => {
                let (dir, path) = self.locate(at)?;
                dir.create_dir(&path).and_then(|()| set_mode(dir, &path, *mode))
            }
            HostChange::CreateSymlink(at, target) => {
                let (dir, path) = self.locate(at)?;
                symlink(dir, target, &path)
            }
            HostChange::Link(from, to) => {
                let (from_dir, from) = self.locate(from)?;
                let (to_dir, to) = self.locate(to)?;
                from_dir.hard_link(from, to_dir, to)
            }
            HostChange::Rename(from, to) => {
                let (from_dir, from) = self.locate(from)?;
                let (to_dir, to) = self.locate(to)?;
                from_dir.rename(from, to_dir, to)
            }
            HostChange::Unlink(at) => {
                let (dir, path) = self.locate(at)?;
                dir.remove_file(path)
            }
            HostChange::RemoveDir(at) => {
                let (dir, path) = self.locate(at)?;
                dir.remove_dir(path)
            }
            HostChange::Truncate(at, size) => {
                let (dir, path) = self.locate(at)?;
                dir.open_with(path, OpenOptions::new().write(true)).and_then(|file| file.set_len(*size))
            }
            HostChange::Chmod(at, mode) => {
                let (dir, path) = self.locate(at)?;
                set_mode(dir, &path, *mode)
            }
            HostChange::SetTimes(at, atime, mtime) => {
                let (dir, path) = self.locate(at)?;
                set_times(dir, &path, *atime, *mtime)
            }
        };
        done.map_err(|e| errno(&e))
    }
}

fn file_kind(kind: cap_std::fs::FileType) -> HostFileKind {
    if kind.is_file() {
        HostFileKind::File
    } else if kind.is_dir() {
        HostFileKind::Dir
    } else if kind.is_symlink() {
        HostFileKind::Symlink
    } else {
        HostFileKind::Other
    }
}

#[cfg(unix)]
fn host_name(path: &[u8]) -> Result<PathBuf, Errno> {
    Ok(PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path)))
}

#[cfg(not(unix))]
fn host_name(path: &[u8]) -> Result<PathBuf, Errno> {
    let text = String::from_utf8(path.to_vec()).map_err(|_| Errno::ENOENT)?;
    if text.contains(['\\', ':']) { Err(Errno::ENOENT) } else { Ok(text.into()) }
}

fn guest_name(name: &std::ffi::OsStr) -> Vec<u8> {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStrExt::as_bytes(name).to_vec();
    #[cfg(not(unix))]
    return name.to_string_lossy().replace('\\', "/").into_bytes();
}

#[cfg(unix)]
fn host_stat(meta: &Metadata, owner: Owner) -> HostStat {
    use cap_std::fs::MetadataExt;
    let ns = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    let own = |id: u32, host: u32, guest: u32| if id == host { guest } else { id };
    HostStat {
        kind: file_kind(meta.file_type()),
        mode: meta.mode() & 0o7777,
        uid: own(meta.uid(), owner.host.0, owner.guest.0),
        gid: own(meta.gid(), owner.host.1, owner.guest.1),
        size: meta.size(),
        nlink: u32::try_from(meta.nlink()).unwrap_or(u32::MAX),
        atime_ns: ns(meta.atime(), meta.atime_nsec()),
        mtime_ns: ns(meta.mtime(), meta.mtime_nsec()),
        ctime_ns: ns(meta.ctime(), meta.ctime_nsec()),
        identity: meta.dev().rotate_left(40) ^ meta.ino(),
    }
}

#[cfg(not(unix))]
fn host_stat(meta: &Metadata, owner: Owner) -> HostStat {
    let ns = |time: std::io::Result<cap_std::time::SystemTime>| {
        time.ok()
            .and_then(|time| time.into_std().duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_nanos()).ok())
            .unwrap_or(0)
    };
    let mtime_ns = ns(meta.modified());
    HostStat {
        kind: file_kind(meta.file_type()),
        mode: if meta.permissions().readonly() { 0o555 } else { 0o755 },
        uid: owner.guest.0,
        gid: owner.guest.1,
        size: meta.len(),
        nlink: 1,
        atime_ns: ns(meta.accessed()),
        mtime_ns,
        ctime_ns: mtime_ns,
        identity: 0,
    }
}

#[cfg(unix)]
fn set_mode(dir: &Dir, path: &Path, mode: u32) -> std::io::Result<()> {
    use cap_std::fs::{Permissions, PermissionsExt};
    dir.set_permissions(path, Permissions::from_mode(mode & 0o7777))
}

#[cfg(not(unix))]
fn set_mode(_dir: &Dir, _path: &Path, _mode: u32) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn symlink(dir: &Dir, target: &[u8], path: &Path) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    dir.symlink_contents(Path::new(std::ffi::OsStr::from_bytes(target)), path)
}

#[cfg(not(unix))]
fn symlink(_dir: &Dir, _target: &[u8], _path: &Path) -> std::io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn set_times(dir: &Dir, path: &Path, atime: Option<i64>, mtime: Option<i64>) -> std::io::Result<()> {
    use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT};
    let spec = |ns: Option<i64>| match ns {
        Some(ns) => {
            Timespec { tv_sec: ns.div_euclid(1_000_000_000), tv_nsec: ns.rem_euclid(1_000_000_000) as _ }
        }
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT as _ },
    };
    let times = Timestamps { last_access: spec(atime), last_modification: spec(mtime) };
    // The last component is not followed, and those before it are directories below the share: cap-std opens the parent.
    let name = path.file_name().unwrap_or(path.as_os_str());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let parent = dir.open_dir(parent)?;
    rustix::fs::utimensat(&parent, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(Into::into)
}

#[cfg(not(unix))]
fn set_times(_dir: &Dir, _path: &Path, _atime: Option<i64>, _mtime: Option<i64>) -> std::io::Result<()> {
    Ok(())
}
