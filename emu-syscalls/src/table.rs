//! THE table: one row for each system call of x86-64 Linux. Dispatch, names, `emu syscalls`, strace and the
//! documentation all read it.
//!
//! A row is `number name class (argument: Type [as kind], ...) [-> Result] = Support ["(note)"] [=> handler];`. The argument
//! types are those of [`crate::arg`]; the handler is a function of [`crate::calls`] with exactly these types; `as` refines what
//! an argument is for those who print it ([`crate::observe`]). A row without a handler is
//! [`Support::Missing`]: the guest gets `ENOSYS` (or what [`Missing`](Support::Missing) rows' families give when
//! configured out) and the user one loud line.
//!
//! **Invariant**: no second list of system calls exists. Rows stand in ascending order, checked at compile time.

use crate::arg::kind::{by, inout, inp, names, names64, out};
use crate::arg::{Rule as R, Shape as S, *};
use crate::calls::*;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::observe::names::{file as nf, kernel as nk, misc as nm, net as nn, task as nt};

/// How well a call is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// As the man page says.
    Full,
    /// Works, with the named gap.
    Partial(&'static str),
    /// Not supported; the reason.
    Missing(&'static str),
}

/// Which trace class of strace(1) a call belongs to (`-e trace=%class`); the coarse part that the table states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Takes a file name.
    File,
    /// Takes a descriptor.
    Desc,
    /// Processes, threads and scheduling.
    Process,
    /// Signals.
    Signal,
    /// Memory mappings.
    Memory,
    /// Sockets.
    Network,
    /// System V and POSIX inter-process communication.
    Ipc,
    /// Users, groups, capabilities.
    Creds,
    /// Clocks and timers.
    Time,
    /// Kernel modules.
    Module,
    /// Everything else.
    Misc,
}

/// An argument of a row.
#[derive(Debug, Clone, Copy)]
pub struct ArgInfo {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgKind,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Number in rax.
    pub nr: u32,
    /// Name without `sys_`.
    pub name: &'static str,
    /// Class.
    pub class: Class,
    /// Arguments in order.
    pub args: &'static [ArgInfo],
    /// What the result is.
    pub returns: Returns,
    /// Support level.
    pub support: Support,
}

macro_rules! support {
    (Full) => {
        Support::Full
    };
    (Partial $note:literal) => {
        Support::Partial($note)
    };
    (Missing $note:literal) => {
        Support::Missing($note)
    };
}

macro_rules! kind_of {
    ($ty:ty) => {
        <$ty as Arg>::KIND
    };
    ($ty:ty as $kind:expr) => {
        $kind
    };
}

macro_rules! returns {
    () => {
        Returns::Int
    };
    ($ret:ident) => {
        Returns::$ret
    };
}

macro_rules! call {
    ($ctx:ident, $regs:ident, [$note:expr]) => {{
        let _ = $regs;
        let _ = $ctx;
        Err(Stop::Unsupported($note))
    }};
    ($ctx:ident, $regs:ident, [$note:expr] $handler:path, $($arg:ident : $ty:ty),*) => {{
        #[allow(unused_mut, reason = "a row may have no arguments")]
        let mut regs = $regs.iter().copied();
        $(let $arg = <$ty as Arg>::from_reg(regs.next().unwrap_or(0));)*
        let _ = regs;
        $handler($ctx, $($arg),*)
    }};
}

macro_rules! syscalls {
    ($($nr:literal $name:ident $class:ident ($($arg:ident : $ty:ty $(as $kind:expr)?),*) $(-> $ret:ident)? = $support:ident $(($note:literal))? $(=> $handler:path)?;)*) => {
        /// All rows, ascending by number.
        pub static ROWS: &[Row] = &[$(Row {
            nr: $nr,
            name: stringify!($name),
            class: Class::$class,
            args: &[$(ArgInfo { name: stringify!($arg), kind: kind_of!($ty $(as $kind)?) }),*],
            returns: returns!($($ret)?),
            support: support!($support $($note)?),
        }),*];

        const _: () = {
            let numbers = [$($nr as u32),*];
            let mut i = 1;
            while i < numbers.len() {
                assert!(numbers[i - 1] < numbers[i], "rows out of order");
                i += 1;
            }
        };

        /// Calls the handler of system call `nr` with the six argument registers.
        pub(crate) fn dispatch(ctx: &mut Ctx<'_>, nr: u32, regs: [u64; 6]) -> SysResult {
            match nr {
                $($nr => syscalls!(@call ctx regs ($($note)?) ($($handler)?) ($($arg: $ty),*)),)*
                _ => Err(Stop::Errno(crate::abi::errno::Errno::ENOSYS)),
            }
        }
    };
    (@call $ctx:ident $regs:ident ($($note:literal)?) () ($($arg:ident : $ty:ty),*)) => {
        call!($ctx, $regs, [concat!($($note)?)])
    };
    (@call $ctx:ident $regs:ident ($($note:literal)?) ($handler:path) ($($arg:ident : $ty:ty),*)) => {
        call!($ctx, $regs, [""] $handler, $($arg : $ty),*)
    };
}

/// The row of system call `nr`.
#[must_use]
pub fn row(nr: u64) -> Option<&'static Row> {
    let index = ROWS.binary_search_by(|row| u64::from(row.nr).cmp(&nr)).ok()?;
    ROWS.get(index)
}

syscalls! {
    0   read Desc (fd: Fd, buf: OutBuf<2>, count: Len) = Full => rw::read;
    1   write Desc (fd: Fd, buf: InBuf<2>, count: Len) = Full => rw::write;
    2   open File (path: Path, flags: I32 as by(R::OpenFlags), mode: U32 as by(R::OpenMode(1))) -> Fd = Full => open::open;
    3   close Desc (fd: Fd) = Full => desc::close;
    4   stat File (path: Path, statbuf: Addr as out(S::Stat)) = Full => stat::stat;
    5   fstat File (fd: Fd, statbuf: Addr as out(S::Stat)) = Full => stat::fstat;
    6   lstat File (path: Path, statbuf: Addr as out(S::Stat)) = Full => stat::lstat;
    7   poll Desc (fds: Addr as by(R::Poll), nfds: U32, timeout: I32) -> Special = Full => poll::poll;
    8   lseek Desc (fd: Fd, offset: I64, whence: U32 as names(&nf::SEEK)) = Full => rw::lseek;
    9   mmap Memory (addr: Addr, length: Len, prot: U64 as names64(&nt::PROT), flags: U64 as by(R::MmapFlags), fd: Fd, offset: U64 as ArgKind::Hex) -> Hex = Full => mmap::mmap;
    10  mprotect Memory (addr: Addr, len: Len, prot: U64 as names64(&nt::PROT)) = Full => mmap::mprotect;
    11  munmap Memory (addr: Addr, length: Len) = Full => mmap::munmap;
    12  brk Memory (addr: Addr) -> Hex = Full => mmap::brk;
    13  rt_sigaction Signal (signum: I32 as ArgKind::Signal, act: Addr as inp(S::Sigaction), oldact: Addr as out(S::Sigaction), sigsetsize: Len) = Full => signal::rt_sigaction;
    14  rt_sigprocmask Signal (how: I32 as names(&nt::SIG_HOW), set: Addr as inp(S::Sigset(3)), oldset: Addr as out(S::Sigset(3)), sigsetsize: Len) = Full => signal::rt_sigprocmask;
    15  rt_sigreturn Signal () -> Saved = Full => signal::rt_sigreturn;
    16  ioctl Desc (fd: Fd, request: U32 as by(R::Ioctl), arg: Addr as by(R::IoctlArg)) -> Special = Partial("the requests that programs were seen to use") => desc::ioctl;
    17  pread64 Desc (fd: Fd, buf: OutBuf<2>, count: Len, offset: I64) = Full => rw::pread64;
    18  pwrite64 Desc (fd: Fd, buf: InBuf<2>, count: Len, offset: I64) = Full => rw::pwrite64;
    19  readv Desc (fd: Fd, iov: Addr as out(S::Iovec(2)), iovcnt: U64) = Full => rw::readv;
    20  writev Desc (fd: Fd, iov: Addr as inp(S::Iovec(2)), iovcnt: U64) = Full => rw::writev;
    21  access File (path: Path, mode: I32 as names(&nf::ACCESS)) = Full => stat::access;
    22  pipe Desc (pipefd: Addr as out(S::Pair)) = Full => pipe::pipe;
    23  select Desc (nfds: I32, readfds: Addr as by(R::Select), writefds: Addr as ArgKind::Silent, exceptfds: Addr as ArgKind::Silent, timeout: Addr as ArgKind::Silent) -> Special = Full => select::select;
    24  sched_yield Process () = Full => sched::sched_yield;
    25  mremap Memory (old_address: Addr, old_size: Len, new_size: Len, flags: U64 as names64(&nt::MREMAP), new_address: Addr as by(R::MremapAddress(3))) -> Hex = Full => mmap::mremap;
    26  msync Memory (addr: Addr, length: Len, flags: I32 as names(&nt::MSYNC)) = Full => mmap::msync;
    27  mincore Memory (addr: Addr, length: Len, vec: Addr as out(S::Residency(1))) = Full => mmap::mincore;
    28  madvise Memory (addr: Addr, length: Len, advice: I32 as names(&nt::MADV)) = Partial("no memory failures") => mmap::madvise;
    29  shmget Ipc (key: I32 as by(R::IpcKey), size: Len, shmflg: I32 as by(R::IpcFlags(&nn::SHM_GET))) = Partial("no huge pages") => shm::shmget;
    30  shmat Ipc (shmid: I32, shmaddr: Addr, shmflg: I32 as names(&nn::SHMAT)) -> Hex = Full => shm::shmat;
    31  shmctl Ipc (shmid: I32, cmd: I32 as names(&nn::SHMCTL), buf: Addr as by(R::IpcCtlArg)) = Full => shm::shmctl;
    32  dup Desc (oldfd: Fd) -> Fd = Full => desc::dup;
    33  dup2 Desc (oldfd: Fd, newfd: Fd) -> Fd = Full => desc::dup2;
    34  pause Signal () = Full => signal::pause;
    35  nanosleep Time (req: Addr as inp(S::Timespec), rem: Addr as by(R::Remain)) = Full => clock::nanosleep;
    36  getitimer Time (which: I32 as names(&nt::ITIMER), curr_value: Addr as out(S::Itimerval)) = Full => timer::getitimer;
    37  alarm Time (seconds: U32) = Full => timer::alarm;
    38  setitimer Time (which: I32 as names(&nt::ITIMER), new_value: Addr as inp(S::Itimerval), old_value: Addr as out(S::Itimerval)) = Full => timer::setitimer;
    39  getpid Process () = Full => process::getpid;
    40  sendfile Desc (out_fd: Fd, in_fd: Fd, offset: Addr as by(R::Offset), count: Len) = Full => splice::sendfile;
    41  socket Network (domain: I32 as names(&nn::AF), type_: I32 as by(R::SocketType), protocol: I32 as by(R::Protocol)) -> Fd = Partial("UNIX, TCP, UDP, UDP-Lite and raw over loopback, TCP not seen by raw; netlink of routes and sockets") => socket::socket;
    42  connect Network (sockfd: Fd, addr: Addr as inp(S::Sockaddr(2)), addrlen: I32) = Partial("loopback addresses") => socket::connect;
    43  accept Network (sockfd: Fd, addr: Addr as out(S::SockaddrPtr(2)), addrlen: Addr as ArgKind::Silent) -> Fd = Full => socket::accept;
    44  sendto Network (sockfd: Fd, buf: InBuf<2>, len: Len, flags: U32 as names(&nn::MSG), dest_addr: Addr as inp(S::Sockaddr(5)), addrlen: I32) = Partial("no MSG_FASTOPEN") => message::sendto;
    45  recvfrom Network (sockfd: Fd, buf: OutBuf<2>, len: Len, flags: U32 as names(&nn::MSG), src_addr: Addr as out(S::SockaddrPtr(5)), addrlen: Addr as ArgKind::Silent) = Full => message::recvfrom;
    46  sendmsg Network (sockfd: Fd, msg: Addr as inp(S::Msghdr), flags: U32 as names(&nn::MSG)) = Partial("no MSG_FASTOPEN") => message::sendmsg;
    47  recvmsg Network (sockfd: Fd, msg: Addr as out(S::Msghdr), flags: U32 as names(&nn::MSG)) = Full => message::recvmsg;
    48  shutdown Network (sockfd: Fd, how: I32 as names(&nn::SHUT)) = Full => socket::shutdown;
    49  bind Network (sockfd: Fd, addr: Addr as inp(S::Sockaddr(2)), addrlen: I32) = Partial("loopback addresses") => socket::bind;
    50  listen Network (sockfd: Fd, backlog: I32) = Full => socket::listen;
    51  getsockname Network (sockfd: Fd, addr: Addr as out(S::SockaddrPtr(2)), addrlen: Addr as ArgKind::Silent) = Full => socket::getsockname;
    52  getpeername Network (sockfd: Fd, addr: Addr as out(S::SockaddrPtr(2)), addrlen: Addr as ArgKind::Silent) = Full => socket::getpeername;
    53  socketpair Network (domain: I32 as names(&nn::AF), type_: I32 as by(R::SocketType), protocol: I32 as by(R::Protocol), sv: Addr as out(S::Pair)) = Full => socket::socketpair;
    54  setsockopt Network (sockfd: Fd, level: I32 as names(&nn::SOL), optname: I32 as by(R::SockOptName), optval: Addr as by(R::SockOptVal), optlen: I32 as ArgKind::Silent) = Partial("no packet filters, no SO_TIMESTAMPING, no multicast from chosen sources; options that show nothing on loopback (IP_OPTIONS, SO_MARK, SO_MAX_PACING_RATE ...) are only kept") => socket::setsockopt;
    55  getsockopt Network (sockfd: Fd, level: I32 as names(&nn::SOL), optname: I32 as by(R::SockOptName), optval: Addr as by(R::SockOptVal), optlen: Addr as ArgKind::Silent) = Partial("options of setsockopt; TCP_INFO in part") => socket::getsockopt;
    56  clone Process (flags: U64 as by(R::Clone), stack: Addr as ArgKind::Silent, parent_tid: Addr as ArgKind::Silent, child_tid: Addr as ArgKind::Silent, tls: Addr as ArgKind::Silent) = Partial("of namespaces those of mounts and time") => process::clone;
    57  fork Process () = Full => process::fork;
    58  vfork Process () = Full => process::vfork;
    59  execve Process (path: Path, argv: Addr as inp(S::Strings), envp: Addr as inp(S::Environment)) = Partial("ELF and #! only") => exec::execve;
    60  exit Process (status: I32) = Full => process::exit;
    61  wait4 Process (pid: Pid, wstatus: Addr as out(S::WaitStatus), options: I32 as names(&nt::WAIT), rusage: Addr as out(S::Rusage)) = Full => process::wait4;
    62  kill Signal (pid: Pid, sig: I32 as ArgKind::Signal) = Full => signal::kill;
    63  uname Misc (buf: Addr as out(S::Utsname)) = Full => misc::uname;
    64  semget Ipc (key: I32 as by(R::IpcKey), nsems: I32, semflg: I32 as by(R::IpcFlags(&nn::IPC_GET))) = Full => sem::semget;
    65  semop Ipc (semid: I32, sops: Addr as inp(S::Sembufs(2)), nsops: U32) = Full => sem::semop;
    66  semctl Ipc (semid: I32, semnum: I32, cmd: I32 as names(&nn::SEMCTL), arg: U64 as by(R::IpcCtlArg)) = Full => sem::semctl;
    67  shmdt Ipc (shmaddr: Addr) = Full => shm::shmdt;
    68  msgget Ipc (key: I32 as by(R::IpcKey), msgflg: I32 as by(R::IpcFlags(&nn::IPC_GET))) = Full => msg::msgget;
    69  msgsnd Ipc (msqid: I32, msgp: Addr as inp(S::Msgbuf(2)), msgsz: Len, msgflg: I32 as names(&nn::IPC_MSG)) = Full => msg::msgsnd;
    70  msgrcv Ipc (msqid: I32, msgp: Addr as out(S::Msgbuf(2)), msgsz: Len, msgtyp: I64, msgflg: I32 as names(&nn::IPC_MSG)) = Full => msg::msgrcv;
    71  msgctl Ipc (msqid: I32, cmd: I32 as names(&nn::MSGCTL), buf: Addr as by(R::IpcCtlArg)) = Full => msg::msgctl;
    72  fcntl Desc (fd: Fd, cmd: U32 as names(&nf::FCNTL), arg: U64 as by(R::Fcntl)) -> Special = Full => desc::fcntl;
    73  flock Desc (fd: Fd, operation: U32 as names(&nf::LOCK)) = Full => lock::flock;
    74  fsync Desc (fd: Fd) = Full => sync::fsync;
    75  fdatasync Desc (fd: Fd) = Full => sync::fdatasync;
    76  truncate File (path: Path, length: I64 as ArgKind::Len) = Full => sync::truncate;
    77  ftruncate Desc (fd: Fd, length: I64 as ArgKind::Len) = Full => sync::ftruncate;
    78  getdents Desc (fd: Fd, dirp: Addr as out(S::Dirents), count: U32) = Full => dir::getdents;
    79  getcwd File (buf: Addr as out(S::CStr), size: Len) = Full => dir::getcwd;
    80  chdir File (path: Path) = Full => dir::chdir;
    81  fchdir Desc (fd: Fd) = Full => dir::fchdir;
    82  rename File (oldpath: Path, newpath: Path) = Full => link::rename;
    83  mkdir File (path: Path, mode: U32 as ArgKind::Perm) = Full => dir::mkdir;
    84  rmdir File (path: Path) = Full => dir::rmdir;
    85  creat File (path: Path, mode: U32 as ArgKind::Perm) -> Fd = Full => open::creat;
    86  link File (oldpath: Path, newpath: Path) = Full => link::link;
    87  unlink File (path: Path) = Full => link::unlink;
    88  symlink File (target: Path, linkpath: Path) = Full => link::symlink;
    89  readlink File (path: Path, buf: OutBuf<2>, bufsiz: I32 as ArgKind::U32) = Full => link::readlink;
    90  chmod File (path: Path, mode: U32 as ArgKind::Perm) = Full => attr::chmod;
    91  fchmod Desc (fd: Fd, mode: U32 as ArgKind::Perm) = Full => attr::fchmod;
    92  chown File (path: Path, owner: U32 as ArgKind::Id, group: U32 as ArgKind::Id) = Full => attr::chown;
    93  fchown Desc (fd: Fd, owner: U32 as ArgKind::Id, group: U32 as ArgKind::Id) = Full => attr::fchown;
    94  lchown File (path: Path, owner: U32 as ArgKind::Id, group: U32 as ArgKind::Id) = Full => attr::lchown;
    95  umask Process (mask: U32 as ArgKind::Perm) -> Oct = Full => process::umask;
    96  gettimeofday Time (tv: Addr as out(S::Timeval), tz: Addr as out(S::Timezone)) = Full => clock::gettimeofday;
    97  getrlimit Process (resource: U32 as names(&nt::RLIMIT), rlim: Addr as out(S::Rlimit)) = Full => limits::getrlimit;
    98  getrusage Process (who: I32 as names(&nt::RUSAGE), usage: Addr as out(S::Rusage)) = Full => limits::getrusage;
    99  sysinfo Misc (info: Addr as out(S::Sysinfo)) = Full => misc::sysinfo;
    100 times Process (buf: Addr as out(S::Tms)) = Full => clock::times;
    101 ptrace Process (request: I64 as by(R::Ptrace), pid: I64 as ArgKind::Silent, addr: Addr as ArgKind::Silent, data: Addr as ArgKind::Silent) = Partial("no hardware breakpoints, no PTRACE_SINGLEBLOCK") => ptrace::ptrace;
    102 getuid Creds () = Full => creds::getuid;
    103 syslog Misc (type_: I32 as by(R::Syslog), bufp: Addr as ArgKind::Silent, len: I32 as ArgKind::Silent) = Full => crate::log::syslog::syslog;
    104 getgid Creds () = Full => creds::getgid;
    105 setuid Creds (uid: U32 as ArgKind::Id) = Full => creds::setuid;
    106 setgid Creds (gid: U32 as ArgKind::Id) = Full => creds::setgid;
    107 geteuid Creds () = Full => creds::geteuid;
    108 getegid Creds () = Full => creds::getegid;
    109 setpgid Process (pid: Pid, pgid: Pid) = Full => process::setpgid;
    110 getppid Process () = Full => process::getppid;
    111 getpgrp Process () = Full => process::getpgrp;
    112 setsid Process () = Full => process::setsid;
    113 setreuid Creds (ruid: U32 as ArgKind::Id, euid: U32 as ArgKind::Id) = Full => creds::setreuid;
    114 setregid Creds (rgid: U32 as ArgKind::Id, egid: U32 as ArgKind::Id) = Full => creds::setregid;
    115 getgroups Creds (size: I32, list: Addr as out(S::Gids(0))) = Full => creds::getgroups;
    116 setgroups Creds (size: I32, list: Addr as inp(S::Gids(0))) = Full => creds::setgroups;
    117 setresuid Creds (ruid: U32 as ArgKind::Id, euid: U32 as ArgKind::Id, suid: U32 as ArgKind::Id) = Full => creds::setresuid;
    118 getresuid Creds (ruid: Addr as out(S::Uint), euid: Addr as out(S::Uint), suid: Addr as out(S::Uint)) = Full => creds::getresuid;
    119 setresgid Creds (rgid: U32 as ArgKind::Id, egid: U32 as ArgKind::Id, sgid: U32 as ArgKind::Id) = Full => creds::setresgid;
    120 getresgid Creds (rgid: Addr as out(S::Uint), egid: Addr as out(S::Uint), sgid: Addr as out(S::Uint)) = Full => creds::getresgid;
    121 getpgid Process (pid: Pid) = Full => process::getpgid;
    122 setfsuid Creds (fsuid: U32 as ArgKind::Id) = Full => creds::setfsuid;
    123 setfsgid Creds (fsgid: U32 as ArgKind::Id) = Full => creds::setfsgid;
    124 getsid Process (pid: Pid) = Full => process::getsid;
    125 capget Creds (hdrp: Addr as inp(S::CapHeader), datap: Addr as out(S::CapData)) = Full => creds::capget;
    126 capset Creds (hdrp: Addr as inp(S::CapHeader), datap: Addr as inp(S::CapData)) = Full => creds::capset;
    127 rt_sigpending Signal (set: Addr as out(S::Sigset(1)), sigsetsize: Len) = Full => signal::rt_sigpending;
    128 rt_sigtimedwait Signal (set: Addr as inp(S::Sigset(3)), info: Addr as out(S::Siginfo), timeout: Addr as inp(S::Timespec), sigsetsize: Len) -> Special = Full => signal::rt_sigtimedwait;
    129 rt_sigqueueinfo Signal (tgid: Pid, sig: I32 as ArgKind::Signal, info: Addr as inp(S::Siginfo)) = Full => signal::rt_sigqueueinfo;
    130 rt_sigsuspend Signal (mask: Addr as inp(S::Sigset(1)), sigsetsize: Len) = Full => signal::rt_sigsuspend;
    131 sigaltstack Signal (ss: Addr as inp(S::Stack), old_ss: Addr as out(S::Stack)) = Full => signal::sigaltstack;
    132 utime File (path: Path, times: Addr as inp(S::Utimbuf)) = Full => attr::utime;
    133 mknod File (path: Path, mode: U32 as ArgKind::Mode, dev: U32 as by(R::MknodDev(1))) = Full => link::mknod;
    134 uselib File (path: Path) = Missing("not in x86-64 configurations");
    135 personality Process (persona: U32 as by(R::Personality)) -> Special = Partial("Linux only") => prctl::personality;
    136 ustat File (dev: U32 as ArgKind::Dev, ubuf: Addr) = Full => stat::ustat;
    137 statfs File (path: Path, buf: Addr as out(S::Statfs)) = Full => stat::statfs;
    138 fstatfs Desc (fd: Fd, buf: Addr as out(S::Statfs)) = Full => stat::fstatfs;
    139 sysfs File (option: I32 as ArgKind::Hex32, arg1: U64 as ArgKind::Hex, arg2: U64 as ArgKind::Hex) = Full => stat::sysfs;
    140 getpriority Process (which: I32 as names(&nt::PRIO), who: I32) = Full => sched::getpriority;
    141 setpriority Process (which: I32 as names(&nt::PRIO), who: I32, prio: I32) = Full => sched::setpriority;
    142 sched_setparam Process (pid: Pid, param: Addr as inp(S::SchedParam)) = Full => sched::sched_setparam;
    143 sched_getparam Process (pid: Pid, param: Addr as out(S::SchedParam)) = Full => sched::sched_getparam;
    144 sched_setscheduler Process (pid: Pid, policy: I32 as names(&nt::SCHED), param: Addr as inp(S::SchedParam)) = Partial("no SCHED_DEADLINE") => sched::sched_setscheduler;
    145 sched_getscheduler Process (pid: Pid) -> Policy = Full => sched::sched_getscheduler;
    146 sched_get_priority_max Process (policy: I32 as names(&nt::SCHED)) = Full => sched::sched_get_priority_max;
    147 sched_get_priority_min Process (policy: I32 as names(&nt::SCHED)) = Full => sched::sched_get_priority_min;
    148 sched_rr_get_interval Process (pid: Pid, tp: Addr as out(S::Timespec)) = Full => sched::sched_rr_get_interval;
    149 mlock Memory (addr: Addr, len: Len) = Full => mmap::mlock;
    150 munlock Memory (addr: Addr, len: Len) = Full => mmap::munlock;
    151 mlockall Memory (flags: I32 as names(&nt::MLOCKALL)) = Full => mmap::mlockall;
    152 munlockall Memory () = Full => mmap::munlockall;
    153 vhangup Misc () = Full => machine::vhangup;
    154 modify_ldt Misc (func: I32, ptr: Addr, bytecount: U64) = Partial("the table stays empty") => machine::modify_ldt;
    155 pivot_root File (new_root: Path, put_old: Path) = Full => mount::pivot_root;
    156 _sysctl Misc (args: Addr) = Missing("removed in Linux 5.5");
    157 prctl Process (option: I32 as names(&nt::PRCTL), arg2: U64 as by(R::Prctl), arg3: U64 as ArgKind::Silent, arg4: U64 as ArgKind::Silent, arg5: U64 as ArgKind::Silent) -> Special = Partial("no speculation control") => prctl::prctl;
    158 arch_prctl Process (code: I32 as names(&nt::ARCH), addr: Addr as by(R::ArchPrctl)) = Partial("no shadow stacks, no CPUID faulting") => prctl::arch_prctl;
    159 adjtimex Time (buf: Addr as inout(S::Timex)) -> Special = Partial("the clock keeps the host's rate") => clock::adjtimex;
    160 setrlimit Process (resource: U32 as names(&nt::RLIMIT), rlim: Addr as inp(S::Rlimit)) = Full => limits::setrlimit;
    161 chroot File (path: Path) = Full => dir::chroot;
    162 sync File () = Full => sync::sync;
    163 acct File (filename: Path) = Missing("not implemented yet");
    164 settimeofday Time (tv: Addr as inp(S::Timeval), tz: Addr as inp(S::Timezone)) = Partial("the first time zone does not move the clock") => clock::settimeofday;
    165 mount File (source: Path, target: Path, filesystemtype: Addr as ArgKind::Str, mountflags: U64 as names64(&nf::MS), data: Addr as ArgKind::Str) = Partial("tmpfs, ramfs, devtmpfs, devpts, proc, sysfs, bind and move; no overlay, nothing propagates") => mount::mount;
    166 umount2 File (target: Path, flags: I32 as names(&nf::MNT)) = Partial("no MNT_EXPIRE") => mount::umount2;
    167 swapon File (path: Path, swapflags: I32) = Missing("not implemented yet");
    168 swapoff File (path: Path) = Missing("not implemented yet");
    169 reboot Misc (magic: I32, magic2: I32, cmd: U32, arg: Addr) = Missing("not implemented yet");
    170 sethostname Misc (name: Addr as ArgKind::InBuf(1), len: I32 as ArgKind::U32) = Full => misc::sethostname;
    171 setdomainname Misc (name: Addr as ArgKind::InBuf(1), len: I32 as ArgKind::U32) = Full => misc::setdomainname;
    172 iopl Misc (level: U32) = Partial("there are no ports") => machine::iopl;
    173 ioperm Misc (from: U64 as ArgKind::Hex, num: U64 as ArgKind::Hex, turn_on: I32) = Partial("there are no ports") => machine::ioperm;
    174 create_module Module (name: Path, size: Len) = Missing("removed in Linux 2.6");
    175 init_module Module (module_image: Addr, len: Len, param_values: Addr as ArgKind::Str) = Missing("not implemented yet");
    176 delete_module Module (name: Path as ArgKind::Str, flags: U32 as by(R::OpenFlags)) = Missing("not implemented yet");
    177 get_kernel_syms Module (table: Addr) = Missing("removed in Linux 2.6");
    178 query_module Module (name: Path, which: I32, buf: Addr, bufsize: Len, ret: Addr) = Missing("removed in Linux 2.6");
    179 quotactl File (cmd: U32, special: Path, id: I32, addr: Addr) = Missing("not implemented yet");
    180 nfsservctl Misc (cmd: I32, argp: Addr, resp: Addr) = Missing("removed in Linux 3.1");
    181 getpmsg Misc () = Missing("never implemented in Linux");
    182 putpmsg Misc () = Missing("never implemented in Linux");
    183 afs_syscall Misc () = Missing("never implemented in Linux");
    184 tuxcall Misc () = Missing("never implemented in Linux");
    185 security Misc () = Missing("never implemented in Linux");
    186 gettid Process () = Full => process::gettid;
    187 readahead Desc (fd: Fd, offset: I64, count: Len) = Full => sync::readahead;
    188 setxattr File (path: Path, name: Path as ArgKind::Str, value: InBuf<3>, size: Len, flags: I32 as names(&nf::XATTR)) = Full => xattr::setxattr;
    189 lsetxattr File (path: Path, name: Path as ArgKind::Str, value: InBuf<3>, size: Len, flags: I32 as names(&nf::XATTR)) = Full => xattr::lsetxattr;
    190 fsetxattr Desc (fd: Fd, name: Path as ArgKind::Str, value: InBuf<3>, size: Len, flags: I32 as names(&nf::XATTR)) = Full => xattr::fsetxattr;
    191 getxattr File (path: Path, name: Path as ArgKind::Str, value: OutBuf<3> as out(S::Xattrs(3)), size: Len) = Full => xattr::getxattr;
    192 lgetxattr File (path: Path, name: Path as ArgKind::Str, value: OutBuf<3> as out(S::Xattrs(3)), size: Len) = Full => xattr::lgetxattr;
    193 fgetxattr Desc (fd: Fd, name: Path as ArgKind::Str, value: OutBuf<3> as out(S::Xattrs(3)), size: Len) = Full => xattr::fgetxattr;
    194 listxattr File (path: Path, list: OutBuf<2> as out(S::Xattrs(2)), size: Len) = Full => xattr::listxattr;
    195 llistxattr File (path: Path, list: OutBuf<2> as out(S::Xattrs(2)), size: Len) = Full => xattr::llistxattr;
    196 flistxattr Desc (fd: Fd, list: OutBuf<2> as out(S::Xattrs(2)), size: Len) = Full => xattr::flistxattr;
    197 removexattr File (path: Path, name: Path as ArgKind::Str) = Full => xattr::removexattr;
    198 lremovexattr File (path: Path, name: Path as ArgKind::Str) = Full => xattr::lremovexattr;
    199 fremovexattr Desc (fd: Fd, name: Path as ArgKind::Str) = Full => xattr::fremovexattr;
    200 tkill Signal (tid: Pid, sig: I32 as ArgKind::Signal) = Full => signal::tkill;
    201 time Time (tloc: Addr as out(S::Time)) -> Time = Full => clock::time;
    202 futex Process (uaddr: Addr, op: U32 as by(R::Futex), val: U32 as ArgKind::Silent, timeout: Addr as ArgKind::Silent, uaddr2: Addr as ArgKind::Silent, val3: U32 as ArgKind::Silent) = Partial("no WAIT_REQUEUE_PI; no priority inheritance") => futex::futex;
    203 sched_setaffinity Process (pid: Pid, cpusetsize: U32, mask: Addr as inp(S::CpuSet(1))) = Partial("one processor") => sched::sched_setaffinity;
    204 sched_getaffinity Process (pid: Pid, cpusetsize: U32, mask: Addr as out(S::CpuSet(1))) = Full => sched::sched_getaffinity;
    205 set_thread_area Process (u_info: Addr) = Missing("32-bit only");
    206 io_setup Misc (nr_events: U32, ctx_idp: Addr as out(S::Pointer)) = Full => aio::io_setup;
    207 io_destroy Misc (ctx_id: U64 as ArgKind::Addr) = Full => aio::io_destroy;
    208 io_getevents Misc (ctx_id: U64 as ArgKind::Addr, min_nr: I64, nr: I64, events: Addr as out(S::IoEvents), timeout: Addr as inp(S::Timespec)) = Full => aio::io_getevents;
    209 io_submit Misc (ctx_id: U64 as ArgKind::Addr, nr: I64, iocbpp: Addr as inp(S::Iocbs(1))) = Partial("completes at once; polls are looked at when events are asked for") => aio::io_submit;
    210 io_cancel Misc (ctx_id: U64 as ArgKind::Addr, iocb: Addr as inp(S::Iocb), result: Addr) = Full => aio::io_cancel;
    211 get_thread_area Process (u_info: Addr) = Missing("32-bit only");
    212 lookup_dcookie File (cookie: U64, buffer: Addr, len: Len) = Missing("removed in Linux 6.7");
    213 epoll_create Desc (size: I32) -> Fd = Full => epoll::epoll_create;
    214 epoll_ctl_old Desc () = Missing("never implemented in Linux");
    215 epoll_wait_old Desc () = Missing("never implemented in Linux");
    216 remap_file_pages Memory (addr: Addr, size: Len, prot: U64 as names64(&nt::PROT), pgoff: U64, flags: U64 as by(R::MmapFlags)) = Full => mmap::remap_file_pages;
    217 getdents64 Desc (fd: Fd, dirp: Addr as out(S::Dirents64), count: U32) = Full => dir::getdents64;
    218 set_tid_address Process (tidptr: Addr) = Full => process::set_tid_address;
    219 restart_syscall Signal () -> Saved = Full => signal::restart_syscall;
    220 semtimedop Ipc (semid: I32, sops: Addr as inp(S::Sembufs(2)), nsops: U32, timeout: Addr as inp(S::Timespec)) = Full => sem::semtimedop;
    221 fadvise64 Desc (fd: Fd, offset: I64, len: I64, advice: I32 as names(&nf::FADV)) = Full => sync::fadvise64;
    222 timer_create Time (clockid: I32 as names(&nt::CLOCK), sevp: Addr as inp(S::Sigevent), timerid: Addr as out(S::TimerId)) = Full => timer::timer_create;
    223 timer_settime Time (timerid: I32, flags: I32 as names(&nt::TIMER), new_value: Addr as inp(S::Itimerspec), old_value: Addr as out(S::Itimerspec)) = Full => timer::timer_settime;
    224 timer_gettime Time (timerid: I32, curr_value: Addr as out(S::Itimerspec)) = Full => timer::timer_gettime;
    225 timer_getoverrun Time (timerid: I32) = Full => timer::timer_getoverrun;
    226 timer_delete Time (timerid: I32) = Full => timer::timer_delete;
    227 clock_settime Time (clockid: I32 as names(&nt::CLOCK), tp: Addr as inp(S::Timespec)) = Partial("sleepers on the wall clock keep their deadline") => clock::clock_settime;
    228 clock_gettime Time (clockid: I32 as names(&nt::CLOCK), tp: Addr as out(S::Timespec)) = Full => clock::clock_gettime;
    229 clock_getres Time (clockid: I32 as names(&nt::CLOCK), res: Addr as out(S::Timespec)) = Full => clock::clock_getres;
    230 clock_nanosleep Time (clockid: I32 as names(&nt::CLOCK), flags: I32 as names(&nt::TIMER), request: Addr as inp(S::Timespec), remain: Addr as by(R::Remain)) = Partial("CPU clocks in steps of 1 ms") => clock::clock_nanosleep;
    231 exit_group Process (status: I32) = Full => process::exit_group;
    232 epoll_wait Desc (epfd: Fd, events: Addr as out(S::EpollEvents), maxevents: I32, timeout: I32) = Full => epoll::epoll_wait;
    233 epoll_ctl Desc (epfd: Fd, op: I32 as names(&nf::EPOLL_CTL), fd: Fd, event: Addr as inp(S::EpollEvent)) = Full => epoll::epoll_ctl;
    234 tgkill Signal (tgid: Pid, tid: Pid, sig: I32 as ArgKind::Signal) = Full => signal::tgkill;
    235 utimes File (path: Path, times: Addr as inp(S::Timevals)) = Full => attr::utimes;
    236 vserver Misc () = Missing("never implemented in Linux");
    237 mbind Memory (addr: Addr, len: U64, mode: U64 as by(R::MpolMode), nodemask: Addr as inp(S::Nodes(4)), maxnode: U64, flags: U32 as names(&nt::MBIND)) = Full => mempolicy::mbind;
    238 set_mempolicy Memory (mode: I32 as by(R::MpolMode), nodemask: Addr as inp(S::Nodes(2)), maxnode: U64) = Full => mempolicy::set_mempolicy;
    239 get_mempolicy Memory (mode: Addr as out(S::MpolMode), nodemask: Addr as out(S::Nodes(2)), maxnode: U64, addr: Addr, flags: U64 as names64(&nt::MPOL_GET)) = Full => mempolicy::get_mempolicy;
    240 mq_open Ipc (name: Path as ArgKind::Str, oflag: I32 as by(R::OpenFlags), mode: U32 as by(R::OpenMode(1)), attr: Addr as inp(S::MqAttr)) -> Fd = Full => mqueue::mq_open;
    241 mq_unlink Ipc (name: Path as ArgKind::Str) = Full => mqueue::mq_unlink;
    242 mq_timedsend Ipc (mqdes: Fd, msg_ptr: Addr as ArgKind::InBuf(2), msg_len: Len, msg_prio: U32, abs_timeout: Addr as inp(S::Timespec)) = Full => mqueue::mq_timedsend;
    243 mq_timedreceive Ipc (mqdes: Fd, msg_ptr: Addr as ArgKind::OutBuf(2), msg_len: Len, msg_prio: Addr as out(S::Uint), abs_timeout: Addr as inp(S::Timespec)) = Full => mqueue::mq_timedreceive;
    244 mq_notify Ipc (mqdes: Fd, sevp: Addr as inp(S::Sigevent)) = Partial("no SIGEV_THREAD") => mqueue::mq_notify;
    245 mq_getsetattr Ipc (mqdes: Fd, newattr: Addr as inp(S::MqAttr), oldattr: Addr as out(S::MqAttr)) = Full => mqueue::mq_getsetattr;
    246 kexec_load Misc (entry: Addr, nr_segments: U64, segments: Addr, flags: U64) = Missing("not implemented yet");
    247 waitid Process (idtype: I32 as names(&nt::IDTYPE), id: Pid, infop: Addr as out(S::Siginfo), options: I32 as names(&nt::WAIT), rusage: Addr as out(S::Rusage)) = Full => process::waitid;
    248 add_key Misc (type_: Path as ArgKind::Str, description: Path as ArgKind::Str, payload: Addr as ArgKind::InBuf(3), plen: Len, keyring: I32 as by(R::Key)) = Full => keys::add_key;
    249 request_key Misc (type_: Path as ArgKind::Str, description: Path as ArgKind::Str, callout_info: Path as ArgKind::Str, dest_keyring: I32 as by(R::Key)) = Full => keys::request_key;
    250 keyctl Misc (operation: I32 as names(&nk::KEYCTL), arg2: U64 as by(R::Keyctl), arg3: U64 as ArgKind::Silent, arg4: U64 as ArgKind::Silent, arg5: U64 as ArgKind::Silent) = Partial("no public-key operations, no notifications") => keys::keyctl;
    251 ioprio_set Process (which: I32 as names(&nt::IOPRIO_WHO), who: I32, ioprio: I32 as by(R::Ioprio)) = Partial("kept, orders nothing") => sched::ioprio_set;
    252 ioprio_get Process (which: I32 as names(&nt::IOPRIO_WHO), who: I32) -> Special = Full => sched::ioprio_get;
    253 inotify_init Desc () -> Fd = Full => inotify::inotify_init;
    254 inotify_add_watch Desc (fd: Fd, path: Path, mask: U32 as names(&nf::IN)) = Full => inotify::inotify_add_watch;
    255 inotify_rm_watch Desc (fd: Fd, wd: I32) = Full => inotify::inotify_rm_watch;
    256 migrate_pages Memory (pid: Pid, maxnode: U64, old_nodes: Addr as inp(S::Nodes(1)), new_nodes: Addr as inp(S::Nodes(1))) = Full => mempolicy::migrate_pages;
    257 openat File (dirfd: DirFd, path: Path, flags: I32 as by(R::OpenFlags), mode: U32 as by(R::OpenMode(2))) -> Fd = Full => open::openat;
    258 mkdirat File (dirfd: DirFd, path: Path, mode: U32 as ArgKind::Perm) = Full => dir::mkdirat;
    259 mknodat File (dirfd: DirFd, path: Path, mode: U32 as ArgKind::Mode, dev: U32 as by(R::MknodDev(2))) = Full => link::mknodat;
    260 fchownat File (dirfd: DirFd, path: Path, owner: U32 as ArgKind::Id, group: U32 as ArgKind::Id, flags: I32 as names(&nf::AT)) = Full => attr::fchownat;
    261 futimesat File (dirfd: DirFd, path: Path, times: Addr as inp(S::Timevals)) = Full => attr::futimesat;
    262 newfstatat File (dirfd: DirFd, path: Path, statbuf: Addr as out(S::Stat), flags: I32 as names(&nf::AT)) = Full => stat::newfstatat;
    263 unlinkat File (dirfd: DirFd, path: Path, flags: I32 as names(&nf::AT)) = Full => link::unlinkat;
    264 renameat File (olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path) = Full => link::renameat;
    265 linkat File (olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path, flags: I32 as names(&nf::AT)) = Full => link::linkat;
    266 symlinkat File (target: Path, newdirfd: DirFd, linkpath: Path) = Full => link::symlinkat;
    267 readlinkat File (dirfd: DirFd, path: Path, buf: OutBuf<3>, bufsiz: I32 as ArgKind::U32) = Full => link::readlinkat;
    268 fchmodat File (dirfd: DirFd, path: Path, mode: U32 as ArgKind::Perm) = Full => attr::fchmodat;
    269 faccessat File (dirfd: DirFd, path: Path, mode: I32 as names(&nf::ACCESS)) = Full => stat::faccessat;
    270 pselect6 Desc (nfds: I32, readfds: Addr as by(R::Select), writefds: Addr as ArgKind::Silent, exceptfds: Addr as ArgKind::Silent, timeout: Addr as ArgKind::Silent, sigmask: Addr as ArgKind::Silent) -> Special = Full => select::pselect6;
    271 ppoll Desc (fds: Addr as by(R::Poll), nfds: U32, tmo_p: Addr as inp(S::Timespec), sigmask: Addr as inp(S::Sigset(4)), sigsetsize: Len) -> Special = Full => poll::ppoll;
    272 unshare Process (flags: U64 as names64(&nt::CLONE)) = Partial("of namespaces those of mounts and time") => process::unshare;
    273 set_robust_list Process (head: Addr, len: Len) = Full => futex::set_robust_list;
    274 get_robust_list Process (pid: Pid, head_ptr: Addr as out(S::Pointer), len_ptr: Addr as out(S::Long)) = Full => futex::get_robust_list;
    275 splice Desc (fd_in: Fd, off_in: Addr as by(R::Splice), fd_out: Fd, off_out: Addr as by(R::Splice), len: Len, flags: U32 as names(&nf::SPLICE)) = Full => splice::splice;
    276 tee Desc (fd_in: Fd, fd_out: Fd, len: Len, flags: U32 as names(&nf::SPLICE)) = Full => splice::tee;
    277 sync_file_range Desc (fd: Fd, offset: I64, nbytes: I64, flags: U32 as names(&nf::SYNC_RANGE)) = Full => sync::sync_file_range;
    278 vmsplice Desc (fd: Fd, iov: Addr as inp(S::Iovec(2)), nr_segs: U64, flags: U32 as names(&nf::SPLICE)) = Full => splice::vmsplice;
    279 move_pages Memory (pid: Pid, count: U64, pages: Addr as by(R::MovePages), nodes: Addr as ArgKind::Silent, status: Addr as ArgKind::Silent, flags: I32 as ArgKind::Silent) = Full => mempolicy::move_pages;
    280 utimensat File (dirfd: DirFd, path: Path, times: Addr as inp(S::Timespecs), flags: I32 as names(&nf::AT)) = Full => attr::utimensat;
    281 epoll_pwait Desc (epfd: Fd, events: Addr as out(S::EpollEvents), maxevents: I32, timeout: I32, sigmask: Addr as inp(S::Sigset(5)), sigsetsize: Len) = Full => epoll::epoll_pwait;
    282 signalfd Desc (fd: Fd, mask: Addr as inp(S::Sigset(2)), sizemask: Len) -> Fd = Full => signalfd::signalfd;
    283 timerfd_create Desc (clockid: I32 as names(&nt::CLOCK), flags: I32 as names(&nf::TFD)) -> Fd = Full => timerfd::timerfd_create;
    284 eventfd Desc (initval: U32) -> Fd = Full => eventfd::eventfd;
    285 fallocate Desc (fd: Fd, mode: I32 as names(&nf::FALLOC), offset: I64, len: I64) = Full => sync::fallocate;
    286 timerfd_settime Desc (fd: Fd, flags: I32 as names(&nf::TFD), new_value: Addr as inp(S::Itimerspec), old_value: Addr as out(S::Itimerspec)) = Partial("TFD_TIMER_CANCEL_ON_SET cancels nothing") => timerfd::timerfd_settime;
    287 timerfd_gettime Desc (fd: Fd, curr_value: Addr as out(S::Itimerspec)) = Full => timerfd::timerfd_gettime;
    288 accept4 Network (sockfd: Fd, addr: Addr as out(S::SockaddrPtr(2)), addrlen: Addr as ArgKind::Silent, flags: I32 as names(&nn::SOCK_FLAGS)) -> Fd = Full => socket::accept4;
    289 signalfd4 Desc (fd: Fd, mask: Addr as inp(S::Sigset(2)), sizemask: Len, flags: I32 as names(&nf::SFD)) -> Fd = Full => signalfd::signalfd4;
    290 eventfd2 Desc (initval: U32, flags: I32 as names(&nf::EFD)) -> Fd = Full => eventfd::eventfd2;
    291 epoll_create1 Desc (flags: I32 as names(&nf::EPOLL_CREATE)) -> Fd = Full => epoll::epoll_create1;
    292 dup3 Desc (oldfd: Fd, newfd: Fd, flags: I32 as names(&nf::OPEN)) -> Fd = Full => desc::dup3;
    293 pipe2 Desc (pipefd: Addr as out(S::Pair), flags: I32 as names(&nf::OPEN)) = Partial("no O_NOTIFICATION_PIPE") => pipe::pipe2;
    294 inotify_init1 Desc (flags: I32 as names(&nf::IN_INIT)) -> Fd = Full => inotify::inotify_init1;
    295 preadv Desc (fd: Fd, iov: Addr as out(S::Iovec(2)), iovcnt: U64, pos_l: U64 as ArgKind::I64, pos_h: U64 as ArgKind::Silent) = Full => rw::preadv;
    296 pwritev Desc (fd: Fd, iov: Addr as inp(S::Iovec(2)), iovcnt: U64, pos_l: U64 as ArgKind::I64, pos_h: U64 as ArgKind::Silent) = Full => rw::pwritev;
    297 rt_tgsigqueueinfo Signal (tgid: Pid, tid: Pid, sig: I32 as ArgKind::Signal, info: Addr as inp(S::Siginfo)) = Full => signal::rt_tgsigqueueinfo;
    298 perf_event_open Desc (attr: Addr as by(R::PerfAttr), pid: Pid, cpu: I32, group_fd: Fd, flags: U64 as names64(&nk::PERF_FLAG)) -> Fd = Missing("not implemented yet");
    299 recvmmsg Network (sockfd: Fd, msgvec: Addr as out(S::Mmsghdr(2)), vlen: U32, flags: U32 as names(&nn::MSG), timeout: Addr as inp(S::Timespec)) = Partial("the error queue stays empty") => message::recvmmsg;
    300 fanotify_init Desc (flags: U32 as by(R::FanotifyInit), event_f_flags: U32 as by(R::OpenFlags)) -> Fd = Partial("no FAN_REPORT_*") => fanotify::fanotify_init;
    301 fanotify_mark Desc (fanotify_fd: Fd, flags: U32 as names(&nk::FAN_MARK), mask: U64 as names64(&nk::FAN_EVENT), dirfd: DirFd as by(R::FanotifyDir), pathname: Path) = Partial("no events by file handle") => fanotify::fanotify_mark;
    302 prlimit64 Process (pid: Pid, resource: U32 as names(&nt::RLIMIT), new_limit: Addr as inp(S::Rlimit), old_limit: Addr as out(S::Rlimit)) = Full => limits::prlimit64;
    303 name_to_handle_at File (dirfd: DirFd, path: Path, handle: Addr as inout(S::FileHandle), mount_id: Addr as out(S::Int), flags: I32 as names(&nf::AT)) = Full => handle::name_to_handle_at;
    304 open_by_handle_at Desc (mount_fd: Fd, handle: Addr as inp(S::FileHandle), flags: I32 as by(R::OpenFlags)) -> Fd = Full => handle::open_by_handle_at;
    305 clock_adjtime Time (clockid: I32 as names(&nt::CLOCK), buf: Addr as inout(S::Timex)) -> Special = Partial("the clock keeps the host's rate") => clock::clock_adjtime;
    306 syncfs Desc (fd: Fd) = Full => sync::syncfs;
    307 sendmmsg Network (sockfd: Fd, msgvec: Addr as inout(S::Mmsghdr(2)), vlen: U32, flags: U32 as names(&nn::MSG)) = Partial("no MSG_FASTOPEN") => message::sendmmsg;
    308 setns Process (fd: Fd, nstype: I32) = Partial("namespaces of mounts and of time") => process::setns;
    309 getcpu Process (cpu: Addr as out(S::Uint), node: Addr as out(S::Uint), tcache: Addr) = Full => sched::getcpu;
    310 process_vm_readv Process (pid: Pid, local_iov: Addr as out(S::Iovec(2)), liovcnt: U64, remote_iov: Addr as inp(S::RemoteIovec(4)), riovcnt: U64, flags: U64 as ArgKind::U64) = Full => process_vm::process_vm_readv;
    311 process_vm_writev Process (pid: Pid, local_iov: Addr as inp(S::Iovec(2)), liovcnt: U64, remote_iov: Addr as inp(S::RemoteIovec(4)), riovcnt: U64, flags: U64 as ArgKind::U64) = Full => process_vm::process_vm_writev;
    312 kcmp Process (pid1: Pid, pid2: Pid, type_: I32 as names(&nt::KCMP), idx1: U64 as by(R::Kcmp), idx2: U64 as ArgKind::Silent) = Full => process::kcmp;
    313 finit_module Module (fd: Fd, param_values: Addr as ArgKind::Str, flags: I32 as names(&nm::MODULE_INIT)) = Missing("not implemented yet");
    314 sched_setattr Process (pid: Pid, attr: Addr as inp(S::SchedAttr), flags: U32) = Partial("no SCHED_DEADLINE, no utilisation clamps") => sched::sched_setattr;
    315 sched_getattr Process (pid: Pid, attr: Addr as out(S::SchedAttr), size: U32, flags: U32) = Full => sched::sched_getattr;
    316 renameat2 File (olddirfd: DirFd, oldpath: Path, newdirfd: DirFd, newpath: Path, flags: U32 as names(&nf::RENAME)) = Full => link::renameat2;
    317 seccomp Process (operation: U32 as names(&nt::SECCOMP_OP), flags: U32 as by(R::Seccomp), args: Addr as ArgKind::Silent) = Partial("no user notification") => seccomp::seccomp;
    318 getrandom Misc (buf: OutBuf<1>, buflen: Len, flags: U32 as names(&nm::GRND)) = Full => misc::getrandom;
    319 memfd_create Desc (name: Path as ArgKind::Str, flags: U32 as names(&nf::MFD)) -> Fd = Partial("no huge pages") => open::memfd_create;
    320 kexec_file_load Misc (kernel_fd: Fd, initrd_fd: Fd, cmdline_len: U64, cmdline: Addr, flags: U64) = Missing("not implemented yet");
    321 bpf Desc (cmd: I32 as names(&nm::BPF), attr: Addr as by(R::Bpf), size: U32) = Missing("not implemented yet");
    322 execveat Process (dirfd: DirFd, path: Path, argv: Addr as inp(S::Strings), envp: Addr as inp(S::Environment), flags: I32 as names(&nf::AT)) = Partial("ELF and #! only") => exec::execveat;
    323 userfaultfd Desc (flags: I32 as by(R::Userfaultfd)) -> Fd = Partial("faults inside system calls are EFAULT; no events but faults") => misc::userfaultfd;
    324 membarrier Process (cmd: I32 as names(&nt::MEMBARRIER), flags: U32 as names(&nt::MEMBARRIER_FLAGS), cpu_id: I32 as ArgKind::Silent) -> Special = Full => futex::membarrier;
    325 mlock2 Memory (addr: Addr, len: Len, flags: I32 as names(&nt::MLOCK2)) = Full => mmap::mlock2;
    326 copy_file_range Desc (fd_in: Fd, off_in: Addr as by(R::Splice), fd_out: Fd, off_out: Addr as by(R::Splice), len: Len, flags: U32) = Full => splice::copy_file_range;
    327 preadv2 Desc (fd: Fd, iov: Addr as out(S::Iovec(2)), iovcnt: U64, pos_l: U64 as ArgKind::I64, pos_h: U64 as ArgKind::Silent, flags: I32 as names(&nf::RWF)) = Full => rw::preadv2;
    328 pwritev2 Desc (fd: Fd, iov: Addr as inp(S::Iovec(2)), iovcnt: U64, pos_l: U64 as ArgKind::I64, pos_h: U64 as ArgKind::Silent, flags: I32 as names(&nf::RWF)) = Full => rw::pwritev2;
    329 pkey_mprotect Memory (addr: Addr, len: Len, prot: U64 as names64(&nt::PROT), pkey: I32) = Partial("no protection keys") => mmap::pkey_mprotect;
    330 pkey_alloc Memory (flags: U64 as ArgKind::Hex, access_rights: U64 as names64(&nt::PKEY)) = Partial("no protection keys") => mmap::pkey_alloc;
    331 pkey_free Memory (pkey: I32) = Partial("no protection keys") => mmap::pkey_free;
    332 statx File (dirfd: DirFd, path: Path, flags: U32 as by(R::AtStatx), mask: U32 as names(&nf::STATX_MASK), statxbuf: Addr as out(S::Statx)) = Full => stat::statx;
    333 io_pgetevents Misc (ctx_id: U64 as ArgKind::Addr, min_nr: I64, nr: I64, events: Addr as out(S::IoEvents), timeout: Addr as inp(S::Timespec), usig: Addr as inp(S::SigsetSized)) = Full => aio::io_pgetevents;
    334 rseq Process (rseq: Addr, rseq_len: U32 as ArgKind::Hex32, flags: I32 as ArgKind::Hex32, sig: U32 as ArgKind::Hex32) = Full => futex::rseq;
    335 uretprobe Misc () = Full => machine::uretprobe;
    424 pidfd_send_signal Signal (pidfd: Fd, sig: I32 as ArgKind::Signal, info: Addr as inp(S::Siginfo), flags: U32 as ArgKind::Hex32) = Full => pidfd::pidfd_send_signal;
    425 io_uring_setup Desc (entries: U32, params: Addr) -> Fd = Missing("not implemented yet");
    426 io_uring_enter Desc (fd: Fd, to_submit: U32, min_complete: U32, flags: U32, argp: Addr, argsz: Len) = Missing("not implemented yet");
    427 io_uring_register Desc (fd: Fd, opcode: U32, arg: Addr, nr_args: U32) = Missing("not implemented yet");
    428 open_tree File (dirfd: DirFd, path: Path, flags: U32 as names(&nk::OPEN_TREE)) -> Fd = Missing("not implemented yet");
    429 move_mount File (from_dirfd: DirFd, from_path: Path, to_dirfd: DirFd, to_path: Path, flags: U32 as names(&nk::MOVE_MOUNT)) = Missing("not implemented yet");
    430 fsopen File (fsname: Path as ArgKind::Str, flags: U32 as names(&nk::FSOPEN)) -> Fd = Missing("not implemented yet");
    431 fsconfig File (fd: Fd, cmd: U32 as names(&nk::FSCONFIG), key: Path as by(R::Fsconfig), value: Addr as ArgKind::Silent, aux: I32 as ArgKind::Silent) = Missing("not implemented yet");
    432 fsmount File (fsfd: Fd, flags: U32 as names(&nk::FSMOUNT), attr_flags: U32 as names(&nk::MOUNT_ATTR)) -> Fd = Missing("not implemented yet");
    433 fspick File (dirfd: DirFd, path: Path, flags: U32 as names(&nk::FSPICK)) -> Fd = Missing("not implemented yet");
    434 pidfd_open Desc (pid: Pid, flags: U32 as names(&nf::PIDFD)) -> Fd = Partial("no PIDFD_THREAD") => pidfd::pidfd_open;
    435 clone3 Process (cl_args: Addr as inout(S::CloneArgs(1)), size: Len) = Partial("of namespaces those of mounts and time, no cgroups") => process::clone3;
    436 close_range Desc (first: U32, last: U32, flags: U32 as names(&nf::CLOSE_RANGE)) = Full => desc::close_range;
    437 openat2 File (dirfd: DirFd, path: Path, how: Addr as inp(S::OpenHow(3)), size: Len) -> Fd = Partial("no RESOLVE_CACHED") => open::openat2;
    438 pidfd_getfd Desc (pidfd: Fd, targetfd: Fd, flags: U32 as ArgKind::Hex32) -> Fd = Full => pidfd::pidfd_getfd;
    439 faccessat2 File (dirfd: DirFd, path: Path, mode: I32 as names(&nf::ACCESS), flags: I32 as names(&nf::AT_ACCESS)) = Full => stat::faccessat2;
    440 process_madvise Memory (pidfd: Fd, iovec: Addr as inp(S::RemoteIovec(2)), vlen: Len, advice: I32 as names(&nt::MADV), flags: U32 as ArgKind::Hex32) = Full => mmap::process_madvise;
    441 epoll_pwait2 Desc (epfd: Fd, events: Addr as out(S::EpollEvents), maxevents: I32, timeout: Addr as inp(S::Timespec), sigmask: Addr as inp(S::Sigset(5)), sigsetsize: Len) = Full => epoll::epoll_pwait2;
    442 mount_setattr File (dirfd: DirFd, path: Path, flags: U32 as names(&nf::AT), attr: Addr as by(R::MountAttr), size: Len) = Missing("not implemented yet");
    443 quotactl_fd File (fd: Fd, cmd: U32, id: I32, addr: Addr) = Missing("not implemented yet");
    444 landlock_create_ruleset Misc (attr: Addr as by(R::Landlock), size: Len, flags: U32 as names(&nk::LANDLOCK_CREATE)) = Full => landlock::landlock_create_ruleset;
    445 landlock_add_rule Misc (ruleset_fd: Fd, rule_type: I32 as names(&nk::LANDLOCK_RULE), rule_attr: Addr as by(R::Landlock), flags: U32 as ArgKind::Hex32) = Full => landlock::landlock_add_rule;
    446 landlock_restrict_self Misc (ruleset_fd: Fd, flags: U32 as ArgKind::Hex32) = Full => landlock::landlock_restrict_self;
    447 memfd_secret Desc (flags: U32 as ArgKind::Hex32) -> Fd = Missing("not implemented yet");
    448 process_mrelease Memory (pidfd: Fd, flags: U32 as ArgKind::Hex32) = Full => pidfd::process_mrelease;
    449 futex_waitv Process (waiters: Addr as inp(S::FutexWaiters(1)), nr_futexes: U32, flags: U32 as ArgKind::Hex32, timeout: Addr as inp(S::Timespec), clockid: I32 as names(&nt::CLOCK)) = Full => futex::futex_waitv;
    450 set_mempolicy_home_node Memory (start: Addr, len: U64, home_node: U64, flags: U64 as ArgKind::Hex) = Full => mempolicy::set_mempolicy_home_node;
    451 cachestat Desc (fd: Fd, range: Addr, cstat: Addr, flags: U32 as ArgKind::Hex32) = Full => sync::cachestat;
    452 fchmodat2 File (dirfd: DirFd, path: Path, mode: U32 as ArgKind::Perm, flags: U32 as names(&nf::AT)) = Full => attr::fchmodat2;
    453 map_shadow_stack Memory (addr: Addr, size: U64, flags: U32) = Partial("no shadow stacks") => mmap::map_shadow_stack;
    454 futex_wake Process (uaddr: Addr, mask: U64, nr: I32, flags: U32) = Full => futex::futex_wake;
    455 futex_wait Process (uaddr: Addr, val: U64, mask: U64, flags: U32, timeout: Addr, clockid: I32) = Full => futex::futex_wait;
    456 futex_requeue Process (waiters: Addr, flags: U32, nr_wake: I32, nr_requeue: I32) = Full => futex::futex_requeue;
    457 statmount File (req: Addr, buf: Addr, bufsize: Len, flags: U32) = Missing("not implemented yet");
    458 listmount File (req: Addr, mnt_ids: Addr, nr_mnt_ids: Len, flags: U32) = Missing("not implemented yet");
    459 lsm_get_self_attr Misc (attr: U32, ctx: Addr, size: Addr, flags: U32) = Full => landlock::lsm_get_self_attr;
    460 lsm_set_self_attr Misc (attr: U32, ctx: Addr, size: U32, flags: U32) = Full => landlock::lsm_set_self_attr;
    461 lsm_list_modules Misc (ids: Addr, size: Addr, flags: U32) = Full => landlock::lsm_list_modules;
    462 mseal Memory (start: Addr, len: Len, flags: U64) = Full => mmap::mseal;
    463 setxattrat File (dirfd: DirFd, path: Path, at_flags: U32, name: Path, args: Addr, size: Len) = Full => xattr::setxattrat;
    464 getxattrat File (dirfd: DirFd, path: Path, at_flags: U32, name: Path, args: Addr, size: Len) = Full => xattr::getxattrat;
    465 listxattrat File (dirfd: DirFd, path: Path, at_flags: U32, list: Addr, size: Len) = Full => xattr::listxattrat;
    466 removexattrat File (dirfd: DirFd, path: Path, at_flags: U32, name: Path) = Full => xattr::removexattrat;
    467 open_tree_attr File (dirfd: DirFd, path: Path, flags: U32, attr: Addr, size: Len) = Missing("not implemented yet");
    468 file_getattr File (dirfd: DirFd, path: Path, attr: Addr, size: Len, at_flags: U32) = Partial("no file has such attributes") => attr::file_getattr;
    469 file_setattr File (dirfd: DirFd, path: Path, attr: Addr, size: Len, at_flags: U32) = Partial("no file has such attributes") => attr::file_setattr;
    470 listns Process (req: Addr, ns_ids: Addr, nr_ns_ids: Len, flags: U32) = Missing("not implemented yet");
    471 rseq_slice_yield Process () = Missing("not implemented yet");
}
