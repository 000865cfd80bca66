//! Names of files, descriptors and what is done with them. Values and order are those that strace(1) prints.
//!
//! **Invariant**: data only.

use super::Names;

/// Flags of open(2) besides the access mode.
pub static OPEN: Names = Names::bits("O_???", &[
    (0x40, "O_CREAT"), (0x80, "O_EXCL"), (0x100, "O_NOCTTY"), (0x200, "O_TRUNC"), (0x400, "O_APPEND"), (0x800,
    "O_NONBLOCK"), (0x101000, "O_SYNC"), (0x100000, "__O_SYNC"), (0x1000, "O_DSYNC"), (0x4000, "O_DIRECT"), (0x8000,
    "O_LARGEFILE"), (0x20000, "O_NOFOLLOW"), (0x40000, "O_NOATIME"), (0x80000, "O_CLOEXEC"), (0x200000, "O_PATH"),
    (0x410000, "O_TMPFILE"), (0x400000, "__O_TMPFILE"), (0x10000, "O_DIRECTORY"), (0x2000, "FASYNC"),
]);
/// Access modes of open(2).
pub static ACCMODE: Names = Names::one("O_???", &[
    (0x0, "O_RDONLY"), (0x1, "O_WRONLY"), (0x2, "O_RDWR"), (0x3, "O_ACCMODE"),
]);
/// Modes of access(2).
pub static ACCESS: Names = Names::bits("?_OK", &[
    (0x0, "F_OK"), (0x4, "R_OK"), (0x2, "W_OK"), (0x1, "X_OK"),
]);
/// Flags of faccessat2(2).
pub static AT_ACCESS: Names = Names::bits("AT_???", &[
    (0x100, "AT_SYMLINK_NOFOLLOW"), (0x200, "AT_EACCESS"), (0x1000, "AT_EMPTY_PATH"),
]);
/// `AT_*` flags.
pub static AT: Names = Names::bits("AT_???", &[
    (0x100, "AT_SYMLINK_NOFOLLOW"), (0x200, "AT_REMOVEDIR"), (0x400, "AT_SYMLINK_FOLLOW"), (0x800,
    "AT_NO_AUTOMOUNT"), (0x1000, "AT_EMPTY_PATH"), (0x8000, "AT_RECURSIVE"),
]);
/// What statx(2) is asked for.
pub static STATX_MASK: Names = Names::bits("STATX_???", &[
    (0xfff, "STATX_ALL"), (0x7ff, "STATX_BASIC_STATS"), (0x1, "STATX_TYPE"), (0x2, "STATX_MODE"), (0x4,
    "STATX_NLINK"), (0x8, "STATX_UID"), (0x10, "STATX_GID"), (0x20, "STATX_ATIME"), (0x40, "STATX_MTIME"), (0x80,
    "STATX_CTIME"), (0x100, "STATX_INO"), (0x200, "STATX_SIZE"), (0x400, "STATX_BLOCKS"), (0x800, "STATX_BTIME"),
    (0x1000, "STATX_MNT_ID"), (0x2000, "STATX_DIOALIGN"),
]);
/// Flags of renameat2(2).
pub static RENAME: Names = Names::bits("RENAME_??", &[
    (0x1, "RENAME_NOREPLACE"), (0x2, "RENAME_EXCHANGE"), (0x4, "RENAME_WHITEOUT"),
]);
/// Origins of lseek(2).
pub static SEEK: Names = Names::one("SEEK_???", &[
    (0x0, "SEEK_SET"), (0x1, "SEEK_CUR"), (0x2, "SEEK_END"), (0x3, "SEEK_DATA"), (0x4, "SEEK_HOLE"),
]);
/// Commands of fcntl(2).
pub static FCNTL: Names = Names::one("F_???", &[
    (0x0, "F_DUPFD"), (0x1, "F_GETFD"), (0x2, "F_SETFD"), (0x3, "F_GETFL"), (0x4, "F_SETFL"), (0x5, "F_GETLK"),
    (0x6, "F_SETLK"), (0x7, "F_SETLKW"), (0x8, "F_SETOWN"), (0x9, "F_GETOWN"), (0xa, "F_SETSIG"), (0xb, "F_GETSIG"),
    (0xc, "F_GETLK64"), (0xd, "F_SETLK64"), (0xe, "F_SETLKW64"), (0xf, "F_SETOWN_EX"), (0x10, "F_GETOWN_EX"), (0x11,
    "F_GETOWNER_UIDS"), (0x24, "F_OFD_GETLK"), (0x25, "F_OFD_SETLK"), (0x26, "F_OFD_SETLKW"), (0x400, "F_SETLEASE"),
    (0x401, "F_GETLEASE"), (0x402, "F_NOTIFY"), (0x405, "F_CANCELLK"), (0x406, "F_DUPFD_CLOEXEC"), (0x407,
    "F_SETPIPE_SZ"), (0x408, "F_GETPIPE_SZ"), (0x409, "F_ADD_SEALS"), (0x40a, "F_GET_SEALS"),
]);
/// Descriptor flags.
pub static FD: Names = Names::bits("FD_???", &[
    (0x1, "FD_CLOEXEC"),
]);
/// Operations of flock(2).
pub static LOCK: Names = Names::bits("LOCK_???", &[
    (0x1, "LOCK_SH"), (0x2, "LOCK_EX"), (0x4, "LOCK_NB"), (0x8, "LOCK_UN"), (0x20, "LOCK_MAND"), (0x40,
    "LOCK_READ"), (0x80, "LOCK_WRITE"),
]);
/// Types of a record lock.
pub static LOCK_TYPE: Names = Names::one("F_???", &[
    (0x0, "F_RDLCK"), (0x1, "F_WRLCK"), (0x2, "F_UNLCK"), (0x4, "F_EXLCK"), (0x8, "F_SHLCK"),
]);
/// Seals of memfd_create(2).
pub static SEAL: Names = Names::bits("F_SEAL_???", &[
    (0x1, "F_SEAL_SEAL"), (0x2, "F_SEAL_SHRINK"), (0x4, "F_SEAL_GROW"), (0x8, "F_SEAL_WRITE"), (0x10,
    "F_SEAL_FUTURE_WRITE"),
]);
/// Events of poll(2).
pub static POLL: Names = Names::bits("POLL???", &[
    (0x1, "POLLIN"), (0x2, "POLLPRI"), (0x4, "POLLOUT"), (0x8, "POLLERR"), (0x10, "POLLHUP"), (0x20, "POLLNVAL"),
    (0x40, "POLLRDNORM"), (0x80, "POLLRDBAND"), (0x100, "POLLWRNORM"), (0x200, "POLLWRBAND"), (0x400, "POLLMSG"),
    (0x1000, "POLLREMOVE"), (0x2000, "POLLRDHUP"), (0x8000, "POLL_BUSY_LOOP"),
]);
/// Events of epoll(7).
pub static EPOLL: Names = Names::bits("EPOLL???", &[
    (0x1, "EPOLLIN"), (0x2, "EPOLLPRI"), (0x4, "EPOLLOUT"), (0x8, "EPOLLERR"), (0x10, "EPOLLHUP"), (0x20,
    "EPOLLNVAL"), (0x40, "EPOLLRDNORM"), (0x80, "EPOLLRDBAND"), (0x100, "EPOLLWRNORM"), (0x200, "EPOLLWRBAND"),
    (0x400, "EPOLLMSG"), (0x2000, "EPOLLRDHUP"), (0x10000000, "EPOLLEXCLUSIVE"), (0x20000000, "EPOLLWAKEUP"),
    (0x40000000, "EPOLLONESHOT"), (0x80000000, "EPOLLET"),
]);
/// Operations of epoll_ctl(2).
pub static EPOLL_CTL: Names = Names::one("EPOLL_CTL_???", &[
    (0x1, "EPOLL_CTL_ADD"), (0x2, "EPOLL_CTL_DEL"), (0x3, "EPOLL_CTL_MOD"),
]);
/// Flags of epoll_create1(2).
pub static EPOLL_CREATE: Names = Names::bits("EPOLL_???", &[
    (0x80000, "EPOLL_CLOEXEC"),
]);
/// Flags of eventfd2(2).
pub static EFD: Names = Names::bits("EFD_???", &[
    (0x1, "EFD_SEMAPHORE"), (0x80000, "EFD_CLOEXEC"), (0x800, "EFD_NONBLOCK"),
]);
/// Flags of signalfd4(2).
pub static SFD: Names = Names::bits("SFD_???", &[
    (0x80000, "SFD_CLOEXEC"), (0x800, "SFD_NONBLOCK"),
]);
/// Flags of timerfd_create(2).
pub static TFD: Names = Names::bits("TFD_???", &[
    (0x1, "TFD_TIMER_ABSTIME"), (0x2, "TFD_TIMER_CANCEL_ON_SET"), (0x80000, "TFD_CLOEXEC"), (0x800, "TFD_NONBLOCK"),
]);
/// Flags of inotify_init1(2).
pub static IN_INIT: Names = Names::bits("IN_???", &[
    (0x800, "IN_NONBLOCK"), (0x80000, "IN_CLOEXEC"),
]);
/// Events of inotify(7).
pub static IN: Names = Names::bits("IN_???", &[
    (0x1, "IN_ACCESS"), (0x2, "IN_MODIFY"), (0x4, "IN_ATTRIB"), (0x8, "IN_CLOSE_WRITE"), (0x10, "IN_CLOSE_NOWRITE"),
    (0x20, "IN_OPEN"), (0x40, "IN_MOVED_FROM"), (0x80, "IN_MOVED_TO"), (0x100, "IN_CREATE"), (0x200, "IN_DELETE"),
    (0x400, "IN_DELETE_SELF"), (0x800, "IN_MOVE_SELF"), (0x2000, "IN_UNMOUNT"), (0x4000, "IN_Q_OVERFLOW"), (0x8000,
    "IN_IGNORED"), (0x1000000, "IN_ONLYDIR"), (0x2000000, "IN_DONT_FOLLOW"), (0x4000000, "IN_EXCL_UNLINK"),
    (0x10000000, "IN_MASK_CREATE"), (0x20000000, "IN_MASK_ADD"), (0x40000000, "IN_ISDIR"), (0x80000000,
    "IN_ONESHOT"),
]);
/// Flags of memfd_create(2).
pub static MFD: Names = Names::bits("MFD_???", &[
    (0x1, "MFD_CLOEXEC"), (0x2, "MFD_ALLOW_SEALING"), (0x4, "MFD_HUGETLB"),
]);
/// Flags of close_range(2).
pub static CLOSE_RANGE: Names = Names::bits("CLOSE_RANGE_???", &[
    (0x2, "CLOSE_RANGE_UNSHARE"), (0x4, "CLOSE_RANGE_CLOEXEC"),
]);
/// Flags of pidfd_open(2).
pub static PIDFD: Names = Names::bits("PIDFD_???", &[
    (0x800, "PIDFD_NONBLOCK"),
]);
/// Flags of mount(2).
pub static MS: Names = Names::bits("MS_???", &[
    (0x1, "MS_RDONLY"), (0x2, "MS_NOSUID"), (0x4, "MS_NODEV"), (0x8, "MS_NOEXEC"), (0x10, "MS_SYNCHRONOUS"), (0x20,
    "MS_REMOUNT"), (0x40, "MS_MANDLOCK"), (0x80, "MS_DIRSYNC"), (0x100, "MS_NOSYMFOLLOW"), (0x400, "MS_NOATIME"),
    (0x800, "MS_NODIRATIME"), (0x1000, "MS_BIND"), (0x2000, "MS_MOVE"), (0x4000, "MS_REC"), (0x8000, "MS_SILENT"),
    (0x10000, "MS_POSIXACL"), (0x20000, "MS_UNBINDABLE"), (0x40000, "MS_PRIVATE"), (0x80000, "MS_SLAVE"), (0x100000,
    "MS_SHARED"), (0x200000, "MS_RELATIME"), (0x400000, "MS_KERNMOUNT"), (0x800000, "MS_I_VERSION"), (0x1000000,
    "MS_STRICTATIME"), (0x2000000, "MS_LAZYTIME"), (0x4000000, "MS_SUBMOUNT"), (0x8000000, "MS_NOREMOTELOCK"),
    (0x10000000, "MS_NOSEC"), (0x20000000, "MS_BORN"), (0x40000000, "MS_ACTIVE"), (0x80000000, "MS_NOUSER"),
]);
/// Flags of umount2(2).
pub static MNT: Names = Names::bits("MNT_???", &[
    (0x1, "MNT_FORCE"), (0x2, "MNT_DETACH"), (0x4, "MNT_EXPIRE"), (0x8, "UMOUNT_NOFOLLOW"),
]);
/// Modes of fallocate(2).
pub static FALLOC: Names = Names::bits("FALLOC_FL_???", &[
    (0x1, "FALLOC_FL_KEEP_SIZE"), (0x2, "FALLOC_FL_PUNCH_HOLE"), (0x4, "FALLOC_FL_NO_HIDE_STALE"), (0x8,
    "FALLOC_FL_COLLAPSE_RANGE"), (0x10, "FALLOC_FL_ZERO_RANGE"), (0x20, "FALLOC_FL_INSERT_RANGE"), (0x40,
    "FALLOC_FL_UNSHARE_RANGE"),
]);
/// Advice of posix_fadvise(2).
pub static FADV: Names = Names::one("POSIX_FADV_???", &[
    (0x0, "POSIX_FADV_NORMAL"), (0x1, "POSIX_FADV_RANDOM"), (0x2, "POSIX_FADV_SEQUENTIAL"), (0x3,
    "POSIX_FADV_WILLNEED"), (0x4, "POSIX_FADV_DONTNEED"), (0x5, "POSIX_FADV_NOREUSE"),
]);
/// Flags of sync_file_range(2).
pub static SYNC_RANGE: Names = Names::bits("SYNC_FILE_RANGE_???", &[
    (0x1, "SYNC_FILE_RANGE_WAIT_BEFORE"), (0x2, "SYNC_FILE_RANGE_WRITE"), (0x4, "SYNC_FILE_RANGE_WAIT_AFTER"),
]);
/// Flags of splice(2).
pub static SPLICE: Names = Names::bits("SPLICE_F_???", &[
    (0x1, "SPLICE_F_MOVE"), (0x2, "SPLICE_F_NONBLOCK"), (0x4, "SPLICE_F_MORE"), (0x8, "SPLICE_F_GIFT"),
]);
/// Flags of setxattr(2).
pub static XATTR: Names = Names::bits("XATTR_???", &[
    (0x1, "XATTR_CREATE"), (0x2, "XATTR_REPLACE"),
]);
/// Flags of preadv2(2).
pub static RWF: Names = Names::bits("RWF_???", &[
    (0x1, "RWF_HIPRI"), (0x2, "RWF_DSYNC"), (0x4, "RWF_SYNC"), (0x8, "RWF_NOWAIT"), (0x10, "RWF_APPEND"),
]);
/// How openat2(2) resolves.
pub static RESOLVE: Names = Names::bits("RESOLVE_???", &[
    (0x1, "RESOLVE_NO_XDEV"), (0x2, "RESOLVE_NO_MAGICLINKS"), (0x4, "RESOLVE_NO_SYMLINKS"), (0x8,
    "RESOLVE_BENEATH"), (0x10, "RESOLVE_IN_ROOT"), (0x20, "RESOLVE_CACHED"),
]);
/// File types in a mode.
pub static FILE_TYPE: Names = Names::one("S_IF???", &[
    (0xc000, "S_IFSOCK"), (0xa000, "S_IFLNK"), (0x8000, "S_IFREG"), (0x6000, "S_IFBLK"), (0x4000, "S_IFDIR"),
    (0x2000, "S_IFCHR"), (0x1000, "S_IFIFO"),
]);
/// File types in a directory entry.
pub static D_TYPE: Names = Names::one("DT_???", &[
    (0x0, "DT_UNKNOWN"), (0x1, "DT_FIFO"), (0x2, "DT_CHR"), (0x4, "DT_DIR"), (0x6, "DT_BLK"), (0x8, "DT_REG"), (0xa,
    "DT_LNK"), (0xc, "DT_SOCK"), (0xe, "DT_WHT"),
]);
/// File systems in statfs(2).
pub static FS_MAGIC: Names = Names::one("???", &[
    (0x61756673, "AUFS_SUPER_MAGIC"), (0x9123683e, "BTRFS_SUPER_MAGIC"), (0x27e0eb, "CGROUP_SUPER_MAGIC"),
    (0x63677270, "CGROUP2_SUPER_MAGIC"), (0x64626720, "DEBUGFS_MAGIC"), (0x1cd1, "DEVPTS_SUPER_MAGIC"), (0xef53,
    "EXT2_SUPER_MAGIC"), (0x65735546, "FUSE_SUPER_MAGIC"), (0x19800202, "MQUEUE_MAGIC"), (0x794c7630,
    "OVERLAYFS_SUPER_MAGIC"), (0x50495045, "PIPEFS_MAGIC"), (0x9fa0, "PROC_SUPER_MAGIC"), (0x858458f6,
    "RAMFS_MAGIC"), (0x534f434b, "SOCKFS_MAGIC"), (0x73717368, "SQUASHFS_MAGIC"), (0x62656572, "SYSFS_MAGIC"),
    (0x1021994, "TMPFS_MAGIC"), (0x74726163, "TRACEFS_MAGIC"), (0x1021997, "V9FS_MAGIC"), (0x58465342,
    "XFS_SUPER_MAGIC"),
]);
/// Mount flags in statfs(2).
pub static ST_FLAGS: Names = Names::bits("ST_???", &[
    (0x20, "ST_VALID"), (0x1, "ST_RDONLY"), (0x2, "ST_NOSUID"), (0x4, "ST_NODEV"), (0x8, "ST_NOEXEC"), (0x10,
    "ST_SYNCHRONOUS"), (0x40, "ST_MANDLOCK"), (0x80, "ST_WRITE"), (0x100, "ST_APPEND"), (0x200, "ST_IMMUTABLE"),
    (0x400, "ST_NOATIME"), (0x800, "ST_NODIRATIME"), (0x1000, "ST_RELATIME"), (0x2000, "ST_NOSYMFOLLOW"),
]);
