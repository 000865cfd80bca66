//! Names of processes, signals, memory and time. Values and order are those that strace(1) prints.
//!
//! **Invariant**: data only.

use super::Names;

/// Protection of mmap(2).
pub static PROT: Names = Names::bits("PROT_???", &[
    (0x0, "PROT_NONE"), (0x1, "PROT_READ"), (0x2, "PROT_WRITE"), (0x4, "PROT_EXEC"), (0x8, "PROT_SEM"), (0x1000000, "PROT_GROWSDOWN"),
    (0x2000000, "PROT_GROWSUP"),
]);
/// Kinds of mapping of mmap(2).
pub static MAP_TYPE: Names = Names::one("MAP_???", &[
    (0x0, "MAP_FILE"), (0x1, "MAP_SHARED"), (0x2, "MAP_PRIVATE"), (0x3, "MAP_SHARED_VALIDATE"),
]);
/// Flags of mmap(2) besides the kind.
pub static MAP: Names = Names::bits("MAP_???", &[
    (0x10, "MAP_FIXED"), (0x20, "MAP_ANONYMOUS"), (0x40, "MAP_32BIT"), (0x4000, "MAP_NORESERVE"), (0x8000,
    "MAP_POPULATE"), (0x10000, "MAP_NONBLOCK"), (0x100, "MAP_GROWSDOWN"), (0x800, "MAP_DENYWRITE"), (0x1000,
    "MAP_EXECUTABLE"), (0x2000, "MAP_LOCKED"), (0x20000, "MAP_STACK"), (0x40000, "MAP_HUGETLB"), (0x80000,
    "MAP_SYNC"), (0x100000, "MAP_FIXED_NOREPLACE"),
]);
/// Flags of mremap(2).
pub static MREMAP: Names = Names::bits("MREMAP_???", &[
    (0x1, "MREMAP_MAYMOVE"), (0x2, "MREMAP_FIXED"), (0x4, "MREMAP_DONTUNMAP"),
]);
/// Flags of msync(2).
pub static MSYNC: Names = Names::bits("MS_???", &[
    (0x4, "MS_SYNC"), (0x1, "MS_ASYNC"), (0x2, "MS_INVALIDATE"),
]);
/// Advice of madvise(2).
pub static MADV: Names = Names::one("MADV_???", &[
    (0x0, "MADV_NORMAL"), (0x1, "MADV_RANDOM"), (0x2, "MADV_SEQUENTIAL"), (0x3, "MADV_WILLNEED"), (0x4,
    "MADV_DONTNEED"), (0x8, "MADV_FREE"), (0x9, "MADV_REMOVE"), (0xa, "MADV_DONTFORK"), (0xb, "MADV_DOFORK"), (0xc,
    "MADV_MERGEABLE"), (0xd, "MADV_UNMERGEABLE"), (0xe, "MADV_HUGEPAGE"), (0xf, "MADV_NOHUGEPAGE"), (0x10,
    "MADV_DONTDUMP"), (0x11, "MADV_DODUMP"), (0x12, "MADV_WIPEONFORK"), (0x13, "MADV_KEEPONFORK"), (0x14,
    "MADV_COLD"), (0x15, "MADV_PAGEOUT"), (0x16, "MADV_POPULATE_READ"), (0x17, "MADV_POPULATE_WRITE"), (0x18,
    "MADV_DONTNEED_LOCKED"), (0x19, "MADV_COLLAPSE"), (0x64, "MADV_HWPOISON"), (0x65, "MADV_SOFT_OFFLINE"),
]);
/// Flags of mlockall(2).
pub static MLOCKALL: Names = Names::bits("MCL_???", &[
    (0x1, "MCL_CURRENT"), (0x2, "MCL_FUTURE"), (0x4, "MCL_ONFAULT"),
]);
/// Flags of mlock2(2).
pub static MLOCK2: Names = Names::bits("MLOCK_???", &[
    (0x1, "MLOCK_ONFAULT"),
]);
/// Rights of a protection key.
pub static PKEY: Names = Names::bits("PKEY_???", &[
    (0x1, "PKEY_DISABLE_ACCESS"), (0x2, "PKEY_DISABLE_WRITE"), (0x4, "PKEY_DISABLE_EXECUTE"),
]);
/// Flags of clone(2).
pub static CLONE: Names = Names::bits("CLONE_???", &[
    (0x80, "CLONE_NEWTIME"), (0x100, "CLONE_VM"), (0x200, "CLONE_FS"), (0x400, "CLONE_FILES"), (0x800,
    "CLONE_SIGHAND"), (0x1000, "CLONE_PIDFD"), (0x2000, "CLONE_PTRACE"), (0x4000, "CLONE_VFORK"), (0x8000,
    "CLONE_PARENT"), (0x10000, "CLONE_THREAD"), (0x20000, "CLONE_NEWNS"), (0x40000, "CLONE_SYSVSEM"), (0x80000,
    "CLONE_SETTLS"), (0x100000, "CLONE_PARENT_SETTID"), (0x200000, "CLONE_CHILD_CLEARTID"), (0x400000,
    "CLONE_DETACHED"), (0x800000, "CLONE_UNTRACED"), (0x1000000, "CLONE_CHILD_SETTID"), (0x2000000,
    "CLONE_NEWCGROUP"), (0x4000000, "CLONE_NEWUTS"), (0x8000000, "CLONE_NEWIPC"), (0x10000000, "CLONE_NEWUSER"),
    (0x20000000, "CLONE_NEWPID"), (0x40000000, "CLONE_NEWNET"), (0x80000000, "CLONE_IO"), (0x100000000,
    "CLONE_CLEAR_SIGHAND"), (0x200000000, "CLONE_INTO_CGROUP"),
]);
/// Flags of sigaction(2).
pub static SA: Names = Names::bits("SA_???", &[
    (0x4000000, "SA_RESTORER"), (0x8000000, "SA_ONSTACK"), (0x10000000, "SA_RESTART"), (0x20000000, "SA_INTERRUPT"),
    (0x40000000, "SA_NODEFER"), (0x80000000, "SA_RESETHAND"), (0x4, "SA_SIGINFO"), (0x1, "SA_NOCLDSTOP"), (0x2,
    "SA_NOCLDWAIT"),
]);
/// What sigprocmask(2) does.
pub static SIG_HOW: Names = Names::one("SIG_???", &[
    (0x0, "SIG_BLOCK"), (0x1, "SIG_UNBLOCK"), (0x2, "SIG_SETMASK"),
]);
/// Flags of sigaltstack(2).
pub static SS: Names = Names::bits("SS_???", &[
    (0x1, "SS_ONSTACK"), (0x2, "SS_DISABLE"), (0x80000000, "SS_AUTODISARM"),
]);
/// Options of wait4(2).
pub static WAIT: Names = Names::bits("W???", &[
    (0x1, "WNOHANG"), (0x4, "WEXITED"), (0x2, "WSTOPPED"), (0x8, "WCONTINUED"), (0x1000000, "WNOWAIT"), (0x80000000,
    "__WCLONE"), (0x40000000, "__WALL"), (0x20000000, "__WNOTHREAD"),
]);
/// Whom waitid(2) waits for.
pub static IDTYPE: Names = Names::one("P_???", &[
    (0x0, "P_ALL"), (0x1, "P_PID"), (0x2, "P_PGID"), (0x3, "P_PIDFD"),
]);
/// Signals.
pub static SIGNAL: Names = Names::one("SIG???", &[
    (0x1, "SIGHUP"), (0x2, "SIGINT"), (0x3, "SIGQUIT"), (0x4, "SIGILL"), (0x5, "SIGTRAP"), (0x6, "SIGABRT"), (0x7,
    "SIGBUS"), (0x8, "SIGFPE"), (0x9, "SIGKILL"), (0xa, "SIGUSR1"), (0xb, "SIGSEGV"), (0xc, "SIGUSR2"), (0xd,
    "SIGPIPE"), (0xe, "SIGALRM"), (0xf, "SIGTERM"), (0x10, "SIGSTKFLT"), (0x11, "SIGCHLD"), (0x12, "SIGCONT"),
    (0x13, "SIGSTOP"), (0x14, "SIGTSTP"), (0x15, "SIGTTIN"), (0x16, "SIGTTOU"), (0x17, "SIGURG"), (0x18, "SIGXCPU"),
    (0x19, "SIGXFSZ"), (0x1a, "SIGVTALRM"), (0x1b, "SIGPROF"), (0x1c, "SIGWINCH"), (0x1d, "SIGIO"), (0x1e,
    "SIGPWR"), (0x1f, "SIGSYS"), (0x20, "SIGRTMIN"), (0x21, "SIGRT_1"), (0x22, "SIGRT_2"), (0x23, "SIGRT_3"), (0x24,
    "SIGRT_4"), (0x25, "SIGRT_5"), (0x26, "SIGRT_6"), (0x27, "SIGRT_7"), (0x28, "SIGRT_8"), (0x29, "SIGRT_9"),
    (0x2a, "SIGRT_10"), (0x2b, "SIGRT_11"), (0x2c, "SIGRT_12"), (0x2d, "SIGRT_13"), (0x2e, "SIGRT_14"), (0x2f,
    "SIGRT_15"), (0x30, "SIGRT_16"), (0x31, "SIGRT_17"), (0x32, "SIGRT_18"), (0x33, "SIGRT_19"), (0x34, "SIGRT_20"),
    (0x35, "SIGRT_21"), (0x36, "SIGRT_22"), (0x37, "SIGRT_23"), (0x38, "SIGRT_24"), (0x39, "SIGRT_25"), (0x3a,
    "SIGRT_26"), (0x3b, "SIGRT_27"), (0x3c, "SIGRT_28"), (0x3d, "SIGRT_29"), (0x3e, "SIGRT_30"), (0x3f, "SIGRT_31"),
    (0x40, "SIGRT_32"),
]);
/// Operations of prctl(2).
pub static PRCTL: Names = Names::one("PR_???", &[
    (0x1, "PR_SET_PDEATHSIG"), (0x2, "PR_GET_PDEATHSIG"), (0x3, "PR_GET_DUMPABLE"), (0x4, "PR_SET_DUMPABLE"), (0x5,
    "PR_GET_UNALIGN"), (0x6, "PR_SET_UNALIGN"), (0x7, "PR_GET_KEEPCAPS"), (0x8, "PR_SET_KEEPCAPS"), (0x9,
    "PR_GET_FPEMU"), (0xa, "PR_SET_FPEMU"), (0xb, "PR_GET_FPEXC"), (0xc, "PR_SET_FPEXC"), (0xd, "PR_GET_TIMING"),
    (0xe, "PR_SET_TIMING"), (0xf, "PR_SET_NAME"), (0x10, "PR_GET_NAME"), (0x13, "PR_GET_ENDIAN"), (0x14,
    "PR_SET_ENDIAN"), (0x15, "PR_GET_SECCOMP"), (0x16, "PR_SET_SECCOMP"), (0x17, "PR_CAPBSET_READ"), (0x18,
    "PR_CAPBSET_DROP"), (0x19, "PR_GET_TSC"), (0x1a, "PR_SET_TSC"), (0x1b, "PR_GET_SECUREBITS"), (0x1c,
    "PR_SET_SECUREBITS"), (0x1d, "PR_SET_TIMERSLACK"), (0x1e, "PR_GET_TIMERSLACK"), (0x1f,
    "PR_TASK_PERF_EVENTS_DISABLE"), (0x20, "PR_TASK_PERF_EVENTS_ENABLE"), (0x21, "PR_MCE_KILL"), (0x22,
    "PR_MCE_KILL_GET"), (0x23, "PR_SET_MM"), (0x24, "PR_SET_CHILD_SUBREAPER"), (0x25, "PR_GET_CHILD_SUBREAPER"),
    (0x26, "PR_SET_NO_NEW_PRIVS"), (0x27, "PR_GET_NO_NEW_PRIVS"), (0x28, "PR_GET_TID_ADDRESS"), (0x29,
    "PR_SET_THP_DISABLE"), (0x2a, "PR_GET_THP_DISABLE"), (0x2b, "PR_MPX_ENABLE_MANAGEMENT"), (0x2c,
    "PR_MPX_DISABLE_MANAGEMENT"), (0x2d, "PR_SET_FP_MODE"), (0x2e, "PR_GET_FP_MODE"), (0x2f, "PR_CAP_AMBIENT"),
    (0x32, "PR_SVE_SET_VL"), (0x33, "PR_SVE_GET_VL"), (0x34, "PR_GET_SPECULATION_CTRL"), (0x35,
    "PR_SET_SPECULATION_CTRL"), (0x36, "PR_PAC_RESET_KEYS"), (0x37, "PR_SET_TAGGED_ADDR_CTRL"), (0x38,
    "PR_GET_TAGGED_ADDR_CTRL"), (0x39, "PR_SET_IO_FLUSHER"), (0x3a, "PR_GET_IO_FLUSHER"), (0x3b,
    "PR_SET_SYSCALL_USER_DISPATCH"), (0x3c, "PR_PAC_SET_ENABLED_KEYS"), (0x3d, "PR_PAC_GET_ENABLED_KEYS"), (0x3e,
    "PR_SCHED_CORE"), (0x3f, "PR_SME_SET_VL"), (0x40, "PR_SME_GET_VL"), (0x53564d41, "PR_SET_VMA"), (0x59616d61,
    "PR_SET_PTRACER"),
]);
/// Operations of arch_prctl(2).
pub static ARCH: Names = Names::one("ARCH_???", &[
    (0x1001, "ARCH_SET_GS"), (0x1002, "ARCH_SET_FS"), (0x1003, "ARCH_GET_FS"), (0x1004, "ARCH_GET_GS"), (0x1011,
    "ARCH_GET_CPUID"), (0x1012, "ARCH_SET_CPUID"), (0x1021, "ARCH_GET_XCOMP_SUPP"), (0x1022, "ARCH_GET_XCOMP_PERM"),
    (0x1023, "ARCH_REQ_XCOMP_PERM"), (0x1024, "ARCH_GET_XCOMP_GUEST_PERM"), (0x1025, "ARCH_REQ_XCOMP_GUEST_PERM"),
    (0x2001, "ARCH_MAP_VDSO_X32"), (0x2002, "ARCH_MAP_VDSO_32"), (0x2003, "ARCH_MAP_VDSO_64"),
]);
/// Scheduling policies.
pub static SCHED: Names = Names::one("SCHED_???", &[
    (0x0, "SCHED_OTHER"), (0x1, "SCHED_FIFO"), (0x2, "SCHED_RR"), (0x3, "SCHED_BATCH"), (0x4, "SCHED_ISO"), (0x5,
    "SCHED_IDLE"), (0x6, "SCHED_DEADLINE"),
]);
/// Flags of sched_setattr(2).
pub static SCHED_FLAG: Names = Names::bits("SCHED_FLAG_???", &[
    (0x1, "SCHED_FLAG_RESET_ON_FORK"), (0x2, "SCHED_FLAG_RECLAIM"), (0x4, "SCHED_FLAG_DL_OVERRUN"), (0x8,
    "SCHED_FLAG_KEEP_POLICY"), (0x10, "SCHED_FLAG_KEEP_PARAMS"), (0x20, "SCHED_FLAG_UTIL_CLAMP_MIN"), (0x40,
    "SCHED_FLAG_UTIL_CLAMP_MAX"),
]);
/// Whom getpriority(2) means.
pub static PRIO: Names = Names::one("PRIO_???", &[
    (0x0, "PRIO_PROCESS"), (0x1, "PRIO_PGRP"), (0x2, "PRIO_USER"),
]);
/// Whom ioprio_get(2) means.
pub static IOPRIO_WHO: Names = Names::one("IOPRIO_WHO_???", &[
    (0x1, "IOPRIO_WHO_PROCESS"), (0x2, "IOPRIO_WHO_PGRP"), (0x3, "IOPRIO_WHO_USER"),
]);
/// Classes of I/O priority.
pub static IOPRIO_CLASS: Names = Names::one("IOPRIO_CLASS_???", &[
    (0x0, "IOPRIO_CLASS_NONE"), (0x1, "IOPRIO_CLASS_RT"), (0x2, "IOPRIO_CLASS_BE"), (0x3, "IOPRIO_CLASS_IDLE"),
]);
/// Resources of getrlimit(2).
pub static RLIMIT: Names = Names::one("RLIMIT_???", &[
    (0x0, "RLIMIT_CPU"), (0x1, "RLIMIT_FSIZE"), (0x2, "RLIMIT_DATA"), (0x3, "RLIMIT_STACK"), (0x4, "RLIMIT_CORE"),
    (0x5, "RLIMIT_RSS"), (0x6, "RLIMIT_NPROC"), (0x7, "RLIMIT_NOFILE"), (0x8, "RLIMIT_MEMLOCK"), (0x9, "RLIMIT_AS"),
    (0xa, "RLIMIT_LOCKS"), (0xb, "RLIMIT_SIGPENDING"), (0xc, "RLIMIT_MSGQUEUE"), (0xd, "RLIMIT_NICE"), (0xe,
    "RLIMIT_RTPRIO"), (0xf, "RLIMIT_RTTIME"),
]);
/// Whom getrusage(2) means.
pub static RUSAGE: Names = Names::one("RUSAGE_???", &[
    (0x0, "RUSAGE_SELF"), (0x1, "RUSAGE_THREAD"), (0xffffffff, "RUSAGE_CHILDREN"), (0xfffffffe, "RUSAGE_BOTH"),
]);
/// Timers of setitimer(2).
pub static ITIMER: Names = Names::one("ITIMER_???", &[
    (0x0, "ITIMER_REAL"), (0x1, "ITIMER_VIRTUAL"), (0x2, "ITIMER_PROF"),
]);
/// Clocks.
pub static CLOCK: Names = Names::one("CLOCK_???", &[
    (0x0, "CLOCK_REALTIME"), (0x1, "CLOCK_MONOTONIC"), (0x2, "CLOCK_PROCESS_CPUTIME_ID"), (0x3,
    "CLOCK_THREAD_CPUTIME_ID"), (0x4, "CLOCK_MONOTONIC_RAW"), (0x5, "CLOCK_REALTIME_COARSE"), (0x6,
    "CLOCK_MONOTONIC_COARSE"), (0x7, "CLOCK_BOOTTIME"), (0x8, "CLOCK_REALTIME_ALARM"), (0x9,
    "CLOCK_BOOTTIME_ALARM"), (0xa, "CLOCK_SGI_CYCLE"), (0xb, "CLOCK_TAI"),
]);
/// Flags of timer_settime(2).
pub static TIMER: Names = Names::bits("TIMER_???", &[
    (0x1, "TIMER_ABSTIME"),
]);
/// Operations of futex(2).
pub static FUTEX: Names = Names::one("FUTEX_???", &[
    (0x0, "FUTEX_WAIT"), (0x1, "FUTEX_WAKE"), (0x2, "FUTEX_FD"), (0x3, "FUTEX_REQUEUE"), (0x4, "FUTEX_CMP_REQUEUE"),
    (0x5, "FUTEX_WAKE_OP"), (0x6, "FUTEX_LOCK_PI"), (0x7, "FUTEX_UNLOCK_PI"), (0x8, "FUTEX_TRYLOCK_PI"), (0x9,
    "FUTEX_WAIT_BITSET"), (0xa, "FUTEX_WAKE_BITSET"), (0xb, "FUTEX_WAIT_REQUEUE_PI"), (0xc, "FUTEX_CMP_REQUEUE_PI"),
    (0xd, "FUTEX_LOCK_PI2"), (0x80, "FUTEX_WAIT_PRIVATE"), (0x81, "FUTEX_WAKE_PRIVATE"), (0x82,
    "FUTEX_FD|FUTEX_PRIVATE_FLAG"), (0x83, "FUTEX_REQUEUE_PRIVATE"), (0x84, "FUTEX_CMP_REQUEUE_PRIVATE"), (0x85,
    "FUTEX_WAKE_OP_PRIVATE"), (0x86, "FUTEX_LOCK_PI_PRIVATE"), (0x87, "FUTEX_UNLOCK_PI_PRIVATE"), (0x88,
    "FUTEX_TRYLOCK_PI_PRIVATE"), (0x89, "FUTEX_WAIT_BITSET_PRIVATE"), (0x8a, "FUTEX_WAKE_BITSET_PRIVATE"), (0x8b,
    "FUTEX_WAIT_REQUEUE_PI_PRIVATE"), (0x8c, "FUTEX_CMP_REQUEUE_PI_PRIVATE"), (0x8d, "FUTEX_LOCK_PI2_PRIVATE"),
    (0x100, "FUTEX_WAIT|FUTEX_CLOCK_REALTIME"), (0x109, "FUTEX_WAIT_BITSET|FUTEX_CLOCK_REALTIME"), (0x10b,
    "FUTEX_WAIT_REQUEUE_PI|FUTEX_CLOCK_REALTIME"), (0x180, "FUTEX_WAIT_PRIVATE|FUTEX_CLOCK_REALTIME"), (0x189,
    "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME"), (0x18b, "FUTEX_WAIT_REQUEUE_PI_PRIVATE|FUTEX_CLOCK_REALTIME"),
]);
/// Commands of membarrier(2).
pub static MEMBARRIER: Names = Names::one("MEMBARRIER_CMD_???", &[
    (0x0, "MEMBARRIER_CMD_QUERY"), (0x1, "MEMBARRIER_CMD_GLOBAL"), (0x2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"), (0x4,
    "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"), (0x8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"), (0x10,
    "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"), (0x20, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"), (0x40,
    "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"), (0x80, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"), (0x100,
    "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"),
]);
/// What membarrier(2) can do.
pub static MEMBARRIER_BITS: Names = Names::bits("MEMBARRIER_CMD_???", &[
    (0x1, "MEMBARRIER_CMD_GLOBAL"), (0x2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"), (0x4,
    "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"), (0x8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"), (0x10,
    "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"), (0x20, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"), (0x40,
    "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"), (0x80, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"), (0x100,
    "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"),
]);
/// Flags of membarrier(2).
pub static MEMBARRIER_FLAGS: Names = Names::bits("MEMBARRIER_CMD_FLAG_???", &[
    (0x1, "MEMBARRIER_CMD_FLAG_CPU"),
]);
/// Memory policies.
pub static MPOL: Names = Names::one("MPOL_???", &[
    (0x0, "MPOL_DEFAULT"), (0x1, "MPOL_PREFERRED"), (0x2, "MPOL_BIND"), (0x3, "MPOL_INTERLEAVE"), (0x4,
    "MPOL_LOCAL"), (0x5, "MPOL_PREFERRED_MANY"),
]);
/// Flags of a memory policy.
pub static MPOL_F: Names = Names::bits("MPOL_???", &[
    (0x8000, "MPOL_F_STATIC_NODES"), (0x4000, "MPOL_F_RELATIVE_NODES"), (0x2000, "MPOL_F_NUMA_BALANCING"),
]);
/// Flags of get_mempolicy(2).
pub static MPOL_GET: Names = Names::bits("MPOL_???", &[
    (0x1, "MPOL_F_NODE"), (0x2, "MPOL_F_ADDR"), (0x4, "MPOL_F_MEMS_ALLOWED"),
]);
/// Flags of mbind(2).
pub static MBIND: Names = Names::bits("MPOL_???", &[
    (0x1, "MPOL_MF_STRICT"), (0x2, "MPOL_MF_MOVE"), (0x4, "MPOL_MF_MOVE_ALL"),
]);
/// What kcmp(2) compares.
pub static KCMP: Names = Names::one("KCMP_???", &[
    (0x0, "KCMP_FILE"), (0x1, "KCMP_VM"), (0x2, "KCMP_FILES"), (0x3, "KCMP_FS"), (0x4, "KCMP_SIGHAND"), (0x5,
    "KCMP_IO"), (0x6, "KCMP_SYSVSEM"), (0x7, "KCMP_EPOLL_TFD"),
]);
/// Flags of personality(2).
pub static PERSONALITY: Names = Names::bits("PER_???", &[
    (0x20000, "UNAME26"), (0x40000, "ADDR_NO_RANDOMIZE"), (0x80000, "FDPIC_FUNCPTRS"), (0x100000, "MMAP_PAGE_ZERO"),
    (0x200000, "ADDR_COMPAT_LAYOUT"), (0x400000, "READ_IMPLIES_EXEC"), (0x800000, "ADDR_LIMIT_32BIT"), (0x1000000,
    "SHORT_INODE"), (0x2000000, "WHOLE_SECONDS"), (0x4000000, "STICKY_TIMEOUTS"), (0x8000000, "ADDR_LIMIT_3GB"),
]);
/// Requests of ptrace(2).
pub static PTRACE: Names = Names::one("PTRACE_???", &[
    (0x1, "PTRACE_PEEKTEXT"), (0x2, "PTRACE_PEEKDATA"), (0x3, "PTRACE_PEEKUSER"), (0x4, "PTRACE_POKETEXT"), (0x5,
    "PTRACE_POKEDATA"), (0x6, "PTRACE_POKEUSER"), (0x7, "PTRACE_CONT"), (0x8, "PTRACE_KILL"), (0x9,
    "PTRACE_SINGLESTEP"), (0xc, "PTRACE_GETREGS"), (0xd, "PTRACE_SETREGS"), (0xe, "PTRACE_GETFPREGS"), (0xf,
    "PTRACE_SETFPREGS"), (0x10, "PTRACE_ATTACH"), (0x11, "PTRACE_DETACH"), (0x12, "PTRACE_GETFPXREGS"), (0x13,
    "PTRACE_SETFPXREGS"), (0x15, "PTRACE_OLDSETOPTIONS"), (0x18, "PTRACE_SYSCALL"), (0x19,
    "PTRACE_GET_THREAD_AREA"), (0x1a, "PTRACE_SET_THREAD_AREA"), (0x1e, "PTRACE_ARCH_PRCTL"), (0x1f,
    "PTRACE_SYSEMU"), (0x20, "PTRACE_SYSEMU_SINGLESTEP"), (0x21, "PTRACE_SINGLEBLOCK"), (0x4200,
    "PTRACE_SETOPTIONS"), (0x4201, "PTRACE_GETEVENTMSG"), (0x4202, "PTRACE_GETSIGINFO"), (0x4203,
    "PTRACE_SETSIGINFO"), (0x4204, "PTRACE_GETREGSET"), (0x4205, "PTRACE_SETREGSET"), (0x4206, "PTRACE_SEIZE"),
    (0x4207, "PTRACE_INTERRUPT"), (0x4208, "PTRACE_LISTEN"), (0x4209, "PTRACE_PEEKSIGINFO"), (0x420a,
    "PTRACE_GETSIGMASK"), (0x420b, "PTRACE_SETSIGMASK"), (0x420c, "PTRACE_SECCOMP_GET_FILTER"), (0x420d,
    "PTRACE_SECCOMP_GET_METADATA"), (0x420e, "PTRACE_GET_SYSCALL_INFO"), (0x420f, "PTRACE_GET_RSEQ_CONFIGURATION"),
]);
/// Operations of seccomp(2).
pub static SECCOMP_OP: Names = Names::one("SECCOMP_SET_MODE_???", &[
    (0x0, "SECCOMP_SET_MODE_STRICT"), (0x1, "SECCOMP_SET_MODE_FILTER"), (0x2, "SECCOMP_GET_ACTION_AVAIL"), (0x3,
    "SECCOMP_GET_NOTIF_SIZES"),
]);
/// Flags of seccomp(2).
pub static SECCOMP: Names = Names::bits("SECCOMP_FILTER_FLAG_???", &[
    (0x1, "SECCOMP_FILTER_FLAG_TSYNC"), (0x2, "SECCOMP_FILTER_FLAG_LOG"), (0x4, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"),
    (0x8, "SECCOMP_FILTER_FLAG_NEW_LISTENER"), (0x10, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"), (0x20,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"),
]);
/// How sigevent(3) tells.
pub static SIGEV: Names = Names::one("SIGEV_???", &[
    (0x0, "SIGEV_SIGNAL"), (0x1, "SIGEV_NONE"), (0x2, "SIGEV_THREAD"), (0x4, "SIGEV_THREAD_ID"),
]);
/// Capabilities.
pub static CAP: Names = Names::one("CAP_???", &[
    (0x0, "CAP_CHOWN"), (0x1, "CAP_DAC_OVERRIDE"), (0x2, "CAP_DAC_READ_SEARCH"), (0x3, "CAP_FOWNER"), (0x4,
    "CAP_FSETID"), (0x5, "CAP_KILL"), (0x6, "CAP_SETGID"), (0x7, "CAP_SETUID"), (0x8, "CAP_SETPCAP"), (0x9,
    "CAP_LINUX_IMMUTABLE"), (0xa, "CAP_NET_BIND_SERVICE"), (0xb, "CAP_NET_BROADCAST"), (0xc, "CAP_NET_ADMIN"), (0xd,
    "CAP_NET_RAW"), (0xe, "CAP_IPC_LOCK"), (0xf, "CAP_IPC_OWNER"), (0x10, "CAP_SYS_MODULE"), (0x11,
    "CAP_SYS_RAWIO"), (0x12, "CAP_SYS_CHROOT"), (0x13, "CAP_SYS_PTRACE"), (0x14, "CAP_SYS_PACCT"), (0x15,
    "CAP_SYS_ADMIN"), (0x16, "CAP_SYS_BOOT"), (0x17, "CAP_SYS_NICE"), (0x18, "CAP_SYS_RESOURCE"), (0x19,
    "CAP_SYS_TIME"), (0x1a, "CAP_SYS_TTY_CONFIG"), (0x1b, "CAP_MKNOD"), (0x1c, "CAP_LEASE"), (0x1d,
    "CAP_AUDIT_WRITE"), (0x1e, "CAP_AUDIT_CONTROL"), (0x1f, "CAP_SETFCAP"), (0x20, "CAP_MAC_OVERRIDE"), (0x21,
    "CAP_MAC_ADMIN"), (0x22, "CAP_SYSLOG"), (0x23, "CAP_WAKE_ALARM"), (0x24, "CAP_BLOCK_SUSPEND"), (0x25,
    "CAP_AUDIT_READ"), (0x26, "CAP_PERFMON"), (0x27, "CAP_BPF"), (0x28, "CAP_CHECKPOINT_RESTORE"),
]);
/// Versions of capget(2).
pub static CAP_VERSION: Names = Names::one("_LINUX_CAPABILITY_VERSION_???", &[
    (0x19980330, "_LINUX_CAPABILITY_VERSION_1"), (0x20071026, "_LINUX_CAPABILITY_VERSION_2"), (0x20080522,
    "_LINUX_CAPABILITY_VERSION_3"),
]);
/// Flags of futex_waitv(2).
pub static FUTEX2: Names = Names::bits("FUTEX_???", &[
    (0x80, "FUTEX_PRIVATE_FLAG"), (0x2, "FUTEX_32"),
]);
