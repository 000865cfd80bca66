//! Building the tree before any task runs: what the command line was told, and the small root in memory.
//!
//! Paths here are absolute and resolved with the kernel's own rights.

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::seam::{Host, HostFileKind, HostPath, ShareId};
use crate::vfs::synth::Synth;
use crate::vfs::tree::{apply_host_stat, host_inode, new_inode};
use crate::vfs::walk::Walk;
use crate::vfs::{
    Content, Dir, InodeKind, Loc, Lower, Mode, MountFlags, Parent, SuperId, SuperKind, data, now,
};

/// A new tmpfs (or ramfs, devtmpfs) with an empty root directory.
pub(crate) fn new_tree(k: &mut Kernel, kind: SuperKind, source: &[u8], mode: u32, now: i64) -> SuperId {
    let sb = k.vfs.new_super(kind, source);
    let root = new_inode(sb, InodeKind::Dir(Dir::default()), mode, (0, 0), now);
    k.vfs.make_root(sb, root);
    k.vfs.super_mut(sb).inodes = 1;
    sb
}

/// The mount that places without a name belong to: pipes and memory files. Nobody can reach it.
pub(crate) fn anon_mount(k: &mut Kernel) -> Loc {
    let sb = match k.vfs.anon_super {
        Some(sb) => sb,
        None => {
            let sb = new_tree(k, SuperKind::Anon, b"none", 0o700, 0);
            let root = k.vfs.super_block(sb).root;
            let first = k.vfs.root_mount;
            k.vfs.attach(sb, root, None, MountFlags::empty());
            k.vfs.root_mount = first;
            k.vfs.anon_super = Some(sb);
            k.vfs.memfd_super = Some(sb);
            sb
        }
    };
    let root = k.vfs.super_block(sb).root;
    let mount = k.vfs.mounts.iter().find(|(_, mount)| mount.sb == sb).map(|(id, _)| id);
    Loc { mount: mount.unwrap_or(crate::vfs::MountId(0)), dentry: root }
}

/// Mounts an empty tmpfs as the root of the tree.
pub fn mount_root_tmpfs(k: &mut Kernel, host: &mut dyn Host) {
    let now = now(k, host);
    let sb = new_tree(k, SuperKind::Tmpfs, b"emu", 0o755, now);
    let root = k.vfs.super_block(sb).root;
    k.vfs.attach(sb, root, None, MountFlags::empty());
}

fn find(k: &mut Kernel, host: &mut dyn Host, path: &[u8]) -> Result<Loc, Errno> {
    Walk::of_kernel(k, host)?.all(path)
}

/// The directory and name of a path, its directories made where they are missing.
fn parent_of(k: &mut Kernel, host: &mut dyn Host, path: &[u8]) -> Result<Parent, Errno> {
    if let Some(end) = path.iter().rposition(|byte| *byte == b'/').filter(|end| *end > 0) {
        mkdir(k, host, &path[..end], 0o755)?;
    }
    Walk::of_kernel(k, host)?.parent(path)
}

/// Makes a node where nothing is yet; what is there already stays (`EEXIST`).
fn make(
    k: &mut Kernel,
    host: &mut dyn Host,
    path: &[u8],
    kind: InodeKind,
    mode: u32,
) -> Result<super::DentryId, Errno> {
    let parent = parent_of(k, host, path)?;
    if !parent.is_name() {
        return Err(Errno::EEXIST);
    }
    let now = now(k, host);
    match super::tree::lookup(k, host, None, parent.dir.dentry, &parent.name) {
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(errno),
    }
    let dir = k.vfs.inode_at(parent.dir);
    if k.vfs.inode(dir).dir().is_none() {
        return Err(Errno::EACCES);
    }
    let sb = k.vfs.inode(dir).sb;
    let inode = new_inode(sb, kind, mode, (0, 0), now);
    if inode.is_dir() {
        k.vfs.inode_mut(dir).nlink += 1;
    }
    k.vfs.super_mut(sb).inodes += 1;
    let inode = k.vfs.inodes.insert(inode);
    Ok(k.vfs.add_entry(parent.dir.dentry, &parent.name, inode))
}

/// Makes a directory and those above it; no error if it is there.
pub fn mkdir(k: &mut Kernel, host: &mut dyn Host, path: &[u8], mode: u32) -> Result<(), Errno> {
    if let Ok(loc) = find(k, host, path) {
        return if k.vfs.inode(k.vfs.inode_at(loc)).is_dir() { Ok(()) } else { Err(Errno::ENOTDIR) };
    }
    let mut at = 0;
    while at < path.len() {
        let end = path[at + 1..].iter().position(|byte| *byte == b'/').map_or(path.len(), |n| at + 1 + n);
        let name = &path[at..end];
        at = end;
        if name == b"/" || find(k, host, &path[..end]).is_ok() {
            continue;
        }
        let mode = if end == path.len() { mode } else { 0o755 };
        // Here all directories above exist: no recursion.
        make_in(k, host, &path[..end], InodeKind::Dir(Dir::default()), mode)?;
    }
    Ok(())
}

fn make_in(
    k: &mut Kernel,
    host: &mut dyn Host,
    path: &[u8],
    kind: InodeKind,
    mode: u32,
) -> Result<(), Errno> {
    let parent = Walk::of_kernel(k, host)?.parent(path)?;
    let dir = k.vfs.inode_at(parent.dir);
    if k.vfs.inode(dir).dir().is_none() || !parent.is_name() {
        return Err(Errno::EACCES);
    }
    let now = now(k, host);
    let sb = k.vfs.inode(dir).sb;
    k.vfs.super_mut(sb).inodes += 1;
    let inode = new_inode(sb, kind, mode, (0, 0), now);
    k.vfs.inode_mut(dir).nlink += u32::from(inode.is_dir());
    let inode = k.vfs.inodes.insert(inode);
    k.vfs.add_entry(parent.dir.dentry, &parent.name, inode);
    Ok(())
}

/// Makes a symbolic link. `EEXIST`.
pub fn symlink(k: &mut Kernel, host: &mut dyn Host, target: &[u8], path: &[u8]) -> Result<(), Errno> {
    let dentry = make(k, host, path, InodeKind::Symlink(Some(target.into())), 0o777)?;
    let inode = k.vfs.dentry(dentry).inode;
    k.vfs.inode_mut(inode).size = target.len() as u64;
    Ok(())
}

/// Makes a regular file with these contents. `EEXIST`.
pub fn add_file(
    k: &mut Kernel,
    host: &mut dyn Host,
    path: &[u8],
    mode: u32,
    bytes: &[u8],
) -> Result<(), Errno> {
    let dentry = make(k, host, path, InodeKind::Regular(Content::default()), mode)?;
    let inode = k.vfs.dentry(dentry).inode;
    match data::write_inode(k, host, inode, 0, bytes)? {
        n if n == bytes.len() => Ok(()),
        _ => Err(Errno::ENOSPC),
    }
}

/// Makes a regular file whose contents are a file of the host, copied when written. `EEXIST`.
pub fn add_host_file(k: &mut Kernel, host: &mut dyn Host, path: &[u8], at: HostPath) -> Result<(), Errno> {
    let stat = host.file_stat(&at)?;
    if stat.kind != HostFileKind::File {
        return Err(if stat.kind == HostFileKind::Dir { Errno::EISDIR } else { Errno::EINVAL });
    }
    let dentry = make(k, host, path, InodeKind::Regular(Content::default()), stat.mode)?;
    let inode = k.vfs.dentry(dentry).inode;
    let inode = k.vfs.inode_mut(inode);
    apply_host_stat(inode, &stat);
    inode.nlink = 1;
    inode.lower = Some(Lower::Host(at));
    Ok(())
}

/// Makes a character device node. `EEXIST`.
pub fn add_device(
    k: &mut Kernel,
    host: &mut dyn Host,
    path: &[u8],
    rdev: u64,
    mode: u32,
) -> Result<(), Errno> {
    make(k, host, path, InodeKind::CharDevice(rdev), mode).map(|_| ())
}

/// A file system on a directory of the host.
pub(crate) fn host_super(
    k: &mut Kernel,
    host: &mut dyn Host,
    at: HostPath,
    mode: Mode,
) -> Result<SuperId, Errno> {
    let stat = host.file_stat(&at)?;
    if stat.kind != HostFileKind::Dir {
        return Err(Errno::ENOTDIR);
    }
    let sb = k.vfs.new_super(SuperKind::Host(at.share, mode), b"host");
    let mut root = host_inode(sb, HostFileKind::Dir, at);
    apply_host_stat(&mut root, &stat);
    k.vfs.make_root(sb, root);
    Ok(sb)
}

/// Mounts a shared directory of the host at `path` (made if missing); as the root of the tree if nothing is mounted yet.
pub fn mount_share(
    k: &mut Kernel,
    host: &mut dyn Host,
    path: &[u8],
    share: ShareId,
    mode: Mode,
) -> Result<(), Errno> {
    let sb = host_super(k, host, HostPath { share, path: Vec::new() }, mode)?;
    mount_at(k, host, path, sb, MountFlags::empty())
}

/// Mounts an archive, a file of the host, at `path`; as the root of the tree if nothing is mounted yet.
pub fn mount_tar(
    k: &mut Kernel,
    host: &mut dyn Host,
    path: &[u8],
    archive: &HostPath,
    mode: Mode,
) -> Result<(), Errno> {
    let sb = super::tar::tar_super(k, host, archive, mode)?;
    mount_at(k, host, path, sb, MountFlags::empty())
}

fn mount_at(
    k: &mut Kernel,
    host: &mut dyn Host,
    path: &[u8],
    sb: SuperId,
    flags: MountFlags,
) -> Result<(), Errno> {
    let at = if k.vfs.root_mount.is_some() {
        mkdir(k, host, path, 0o755)?;
        Some(find(k, host, path)?)
    } else {
        None
    };
    let root = k.vfs.super_block(sb).root;
    let flags = if k.vfs.super_block(sb).read_only() { flags | MountFlags::RDONLY } else { flags };
    k.vfs.attach(sb, root, at, flags);
    Ok(())
}

/// A made-up file system.
pub(crate) fn synth_super(k: &mut Kernel, kind: SuperKind, node: Synth) -> SuperId {
    let source = match kind {
        SuperKind::Proc => &b"proc"[..],
        SuperKind::Sysfs => b"sysfs",
        _ => b"devpts",
    };
    let sb = k.vfs.new_super(kind, source);
    let attr = super::synth::attr(k, &node);
    let root = k.vfs.make_root(sb, new_inode(sb, InodeKind::Synth(node), 0, (0, 0), 0));
    let inode = k.vfs.dentry(root).inode;
    super::tree::apply_synth(&mut k.vfs, inode, attr);
    sb
}

/// Mounts a made-up file system at `path` (made if missing).
pub fn mount_synth(
    k: &mut Kernel,
    host: &mut dyn Host,
    path: &[u8],
    kind: SuperKind,
    node: Synth,
) -> Result<(), Errno> {
    let sb = synth_super(k, kind, node);
    mount_at(k, host, path, sb, MountFlags::NOSUID | MountFlags::NOEXEC | MountFlags::RELATIME)
}

/// Mounts an empty tmpfs at `path` (made if missing).
pub fn mount_tmpfs(
    k: &mut Kernel,
    host: &mut dyn Host,
    path: &[u8],
    kind: SuperKind,
    mode: u32,
) -> Result<(), Errno> {
    let now = now(k, host);
    let source = if kind == SuperKind::Devtmpfs { &b"devtmpfs"[..] } else { b"tmpfs" };
    let sb = new_tree(k, kind, source, mode, now);
    mount_at(k, host, path, sb, MountFlags::NOSUID)
}

/// Mounts /proc, /sys, /dev with its nodes, /dev/pts and /dev/shm in whatever root there is.
pub fn mount_system(k: &mut Kernel, host: &mut dyn Host) -> Result<(), Errno> {
    mount_synth(k, host, b"/proc", SuperKind::Proc, Synth::ProcRoot)?;
    mount_synth(k, host, b"/sys", SuperKind::Sysfs, Synth::SysRoot)?;
    mount_tmpfs(k, host, b"/dev", SuperKind::Devtmpfs, 0o755)?;
    for (name, rdev, mode) in crate::file::dev::nodes() {
        let path = [b"/dev/", name.as_bytes()].concat();
        add_device(k, host, &path, rdev, mode)?;
    }
    for (name, target) in crate::file::dev::links() {
        symlink(k, host, target.as_bytes(), &[b"/dev/", name.as_bytes()].concat())?;
    }
    mount_synth(k, host, b"/dev/pts", SuperKind::Devpts, Synth::PtsRoot)?;
    mount_tmpfs(k, host, b"/dev/shm", SuperKind::Tmpfs, 0o1777)
}

/// The small root in memory that a guest sees without `--root`.
pub fn default_root(k: &mut Kernel, host: &mut dyn Host) -> Result<(), Errno> {
    mount_root_tmpfs(k, host);
    for (path, mode) in [
        ("/usr/bin", 0o755),
        ("/usr/sbin", 0o755),
        ("/usr/lib", 0o755),
        ("/usr/lib64", 0o755),
        ("/usr/share", 0o755),
        ("/usr/local/bin", 0o755),
        ("/etc", 0o755),
        ("/home", 0o755),
        ("/mnt", 0o755),
        ("/opt", 0o755),
        ("/root", 0o700),
        ("/run", 0o755),
        ("/run/lock", 0o1777),
        ("/srv", 0o755),
        ("/tmp", 0o1777),
        ("/var/cache", 0o755),
        ("/var/lib", 0o755),
        ("/var/log", 0o755),
        ("/var/tmp", 0o1777),
    ] {
        mkdir(k, host, path.as_bytes(), mode)?;
    }
    for (target, path) in [
        ("usr/bin", "/bin"),
        ("usr/sbin", "/sbin"),
        ("usr/lib", "/lib"),
        ("usr/lib64", "/lib64"),
        ("/run", "/var/run"),
        ("/run/lock", "/var/lock"),
        ("/proc/self/mounts", "/etc/mtab"),
    ] {
        symlink(k, host, target.as_bytes(), path.as_bytes())?;
    }
    let hostname = String::from_utf8_lossy(&k.config.hostname).into_owned();
    let (uid, gid) = k.config.user;
    let mut passwd = String::from("root:x:0:0:root:/root:/bin/sh\n");
    let mut group = String::from("root:x:0:\ntty:x:5:\n");
    if uid != 0 {
        passwd.push_str(&format!("user:x:{uid}:{gid}:user:/home:/bin/sh\n"));
    }
    passwd.push_str("nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    if gid != 0 && gid != 5 {
        group.push_str(&format!("user:x:{gid}:\n"));
    }
    group.push_str("nogroup:x:65534:\n");
    for (path, text) in [
        ("/etc/passwd", passwd.as_str()),
        ("/etc/group", &group),
        ("/etc/hostname", &format!("{hostname}\n")),
        ("/etc/hosts", &format!("127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t{hostname}\n")),
        ("/etc/resolv.conf", ""),
        (
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
        ),
        ("/etc/shells", "/bin/sh\n"),
        (
            "/etc/protocols",
            "ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\nudplite 136 UDPLite\n",
        ),
        ("/etc/services", "ssh 22/tcp\ndomain 53/tcp\ndomain 53/udp\nhttp 80/tcp\nhttps 443/tcp\n"),
        ("/etc/os-release", "PRETTY_NAME=\"emu\"\nNAME=\"emu\"\nID=emu\nHOME_URL=\"about:blank\"\n"),
        ("/etc/fstab", ""),
    ] {
        add_file(k, host, path.as_bytes(), 0o644, text.as_bytes())?;
    }
    mount_system(k, host)
}
