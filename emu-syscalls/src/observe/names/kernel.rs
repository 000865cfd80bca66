//! Names of what the newer interfaces of the kernel take: keys, Landlock, fanotify, mounts, BPF, events, routing.
//!
//! **Invariant**: data only.

use super::Names;

/// Keyrings with a name of their own.
pub static KEY_SPEC: Names = Names::one("KEY_SPEC_???", &[
    (0xffffffff, "KEY_SPEC_THREAD_KEYRING"), (0xfffffffe, "KEY_SPEC_PROCESS_KEYRING"),
    (0xfffffffd, "KEY_SPEC_SESSION_KEYRING"), (0xfffffffc, "KEY_SPEC_USER_KEYRING"),
    (0xfffffffb, "KEY_SPEC_USER_SESSION_KEYRING"), (0xfffffffa, "KEY_SPEC_GROUP_KEYRING"),
    (0xfffffff9, "KEY_SPEC_REQKEY_AUTH_KEY"), (0xfffffff8, "KEY_SPEC_REQUESTOR_KEYRING"),
]);

/// Where request_key(2) puts keys.
pub static KEY_REQKEY: Names = Names::one("KEY_REQKEY_DEFL_???", &[
    (0xffffffff, "KEY_REQKEY_DEFL_NO_CHANGE"), (0x0, "KEY_REQKEY_DEFL_DEFAULT"),
    (0x1, "KEY_REQKEY_DEFL_THREAD_KEYRING"), (0x2, "KEY_REQKEY_DEFL_PROCESS_KEYRING"),
    (0x3, "KEY_REQKEY_DEFL_SESSION_KEYRING"), (0x4, "KEY_REQKEY_DEFL_USER_KEYRING"),
    (0x5, "KEY_REQKEY_DEFL_USER_SESSION_KEYRING"), (0x6, "KEY_REQKEY_DEFL_GROUP_KEYRING"),
    (0x7, "KEY_REQKEY_DEFL_REQUESTOR_KEYRING"),
]);

/// Operations of keyctl(2).
pub static KEYCTL: Names = Names::one("KEYCTL_???", &[
    (0x0, "KEYCTL_GET_KEYRING_ID"), (0x1, "KEYCTL_JOIN_SESSION_KEYRING"), (0x2, "KEYCTL_UPDATE"),
    (0x3, "KEYCTL_REVOKE"), (0x4, "KEYCTL_CHOWN"), (0x5, "KEYCTL_SETPERM"), (0x6, "KEYCTL_DESCRIBE"),
    (0x7, "KEYCTL_CLEAR"), (0x8, "KEYCTL_LINK"), (0x9, "KEYCTL_UNLINK"), (0xa, "KEYCTL_SEARCH"),
    (0xb, "KEYCTL_READ"), (0xc, "KEYCTL_INSTANTIATE"), (0xd, "KEYCTL_NEGATE"), (0xe, "KEYCTL_SET_REQKEY_KEYRING"),
    (0xf, "KEYCTL_SET_TIMEOUT"), (0x10, "KEYCTL_ASSUME_AUTHORITY"), (0x11, "KEYCTL_GET_SECURITY"),
    (0x12, "KEYCTL_SESSION_TO_PARENT"), (0x13, "KEYCTL_REJECT"), (0x14, "KEYCTL_INSTANTIATE_IOV"),
    (0x15, "KEYCTL_INVALIDATE"), (0x16, "KEYCTL_GET_PERSISTENT"), (0x17, "KEYCTL_DH_COMPUTE"),
    (0x18, "KEYCTL_PKEY_QUERY"), (0x19, "KEYCTL_PKEY_ENCRYPT"), (0x1a, "KEYCTL_PKEY_DECRYPT"),
    (0x1b, "KEYCTL_PKEY_SIGN"), (0x1c, "KEYCTL_PKEY_VERIFY"), (0x1d, "KEYCTL_RESTRICT_KEYRING"),
    (0x1e, "KEYCTL_MOVE"), (0x1f, "KEYCTL_CAPABILITIES"), (0x20, "KEYCTL_WATCH_KEY"),
]);

/// What a Landlock ruleset handles.
pub static LANDLOCK_FS: Names = Names::bits("LANDLOCK_ACCESS_FS_???", &[
    (0x1, "LANDLOCK_ACCESS_FS_EXECUTE"), (0x2, "LANDLOCK_ACCESS_FS_WRITE_FILE"),
    (0x4, "LANDLOCK_ACCESS_FS_READ_FILE"), (0x8, "LANDLOCK_ACCESS_FS_READ_DIR"),
    (0x10, "LANDLOCK_ACCESS_FS_REMOVE_DIR"), (0x20, "LANDLOCK_ACCESS_FS_REMOVE_FILE"),
    (0x40, "LANDLOCK_ACCESS_FS_MAKE_CHAR"), (0x80, "LANDLOCK_ACCESS_FS_MAKE_DIR"),
    (0x100, "LANDLOCK_ACCESS_FS_MAKE_REG"), (0x200, "LANDLOCK_ACCESS_FS_MAKE_SOCK"),
    (0x400, "LANDLOCK_ACCESS_FS_MAKE_FIFO"), (0x800, "LANDLOCK_ACCESS_FS_MAKE_BLOCK"),
    (0x1000, "LANDLOCK_ACCESS_FS_MAKE_SYM"), (0x2000, "LANDLOCK_ACCESS_FS_REFER"),
]);

/// Kinds of Landlock rules.
pub static LANDLOCK_RULE: Names = Names::one("LANDLOCK_RULE_???", &[
    (0x1, "LANDLOCK_RULE_PATH_BENEATH"),
]);

/// Flags of landlock_create_ruleset(2).
pub static LANDLOCK_CREATE: Names = Names::bits("LANDLOCK_CREATE_RULESET_???", &[
    (0x1, "LANDLOCK_CREATE_RULESET_VERSION"),
]);

/// What a filter can say.
pub static SECCOMP_RET: Names = Names::one("SECCOMP_RET_???", &[
    (0x80000000, "SECCOMP_RET_KILL_PROCESS"), (0x0, "SECCOMP_RET_KILL_THREAD"), (0x30000, "SECCOMP_RET_TRAP"),
    (0x50000, "SECCOMP_RET_ERRNO"), (0x7fc00000, "SECCOMP_RET_USER_NOTIF"), (0x7ff00000, "SECCOMP_RET_TRACE"),
    (0x7ffc0000, "SECCOMP_RET_LOG"), (0x7fff0000, "SECCOMP_RET_ALLOW"),
]);

/// Classes of fanotify_init(2).
pub static FAN_CLASS: Names = Names::one("FAN_CLASS_???", &[
    (0x0, "FAN_CLASS_NOTIF"), (0x4, "FAN_CLASS_CONTENT"), (0x8, "FAN_CLASS_PRE_CONTENT"),
]);

/// Flags of fanotify_init(2).
pub static FAN_INIT: Names = Names::bits("FAN_???", &[
    (0x1, "FAN_CLOEXEC"), (0x2, "FAN_NONBLOCK"), (0x10, "FAN_UNLIMITED_QUEUE"), (0x20, "FAN_UNLIMITED_MARKS"),
    (0x40, "FAN_ENABLE_AUDIT"), (0x80, "FAN_REPORT_PIDFD"), (0x100, "FAN_REPORT_TID"), (0x200, "FAN_REPORT_FID"),
    (0x400, "FAN_REPORT_DIR_FID"), (0x800, "FAN_REPORT_NAME"), (0x1000, "FAN_REPORT_TARGET_FID"),
]);

/// Flags of fanotify_mark(2).
pub static FAN_MARK: Names = Names::bits("FAN_MARK_???", &[
    (0x1, "FAN_MARK_ADD"), (0x2, "FAN_MARK_REMOVE"), (0x4, "FAN_MARK_DONT_FOLLOW"), (0x8, "FAN_MARK_ONLYDIR"),
    (0x10, "FAN_MARK_MOUNT"), (0x20, "FAN_MARK_IGNORED_MASK"), (0x40, "FAN_MARK_IGNORED_SURV_MODIFY"),
    (0x80, "FAN_MARK_FLUSH"), (0x100, "FAN_MARK_FILESYSTEM"), (0x200, "FAN_MARK_EVICTABLE"),
    (0x400, "FAN_MARK_IGNORE"),
]);

/// Events of fanotify_mark(2).
pub static FAN_EVENT: Names = Names::bits("FAN_???", &[
    (0x1, "FAN_ACCESS"), (0x2, "FAN_MODIFY"), (0x4, "FAN_ATTRIB"), (0x8, "FAN_CLOSE_WRITE"),
    (0x10, "FAN_CLOSE_NOWRITE"), (0x20, "FAN_OPEN"), (0x40, "FAN_MOVED_FROM"), (0x80, "FAN_MOVED_TO"),
    (0x100, "FAN_CREATE"), (0x200, "FAN_DELETE"), (0x400, "FAN_DELETE_SELF"), (0x800, "FAN_MOVE_SELF"),
    (0x1000, "FAN_OPEN_EXEC"), (0x4000, "FAN_Q_OVERFLOW"), (0x8000, "FAN_FS_ERROR"), (0x10000, "FAN_OPEN_PERM"),
    (0x20000, "FAN_ACCESS_PERM"), (0x40000, "FAN_OPEN_EXEC_PERM"), (0x8000000, "FAN_EVENT_ON_CHILD"),
    (0x10000000, "FAN_RENAME"), (0x40000000, "FAN_ONDIR"),
]);

/// Flags of fsopen(2).
pub static FSOPEN: Names = Names::bits("FSOPEN_???", &[
    (0x1, "FSOPEN_CLOEXEC"),
]);

/// Flags of fsmount(2).
pub static FSMOUNT: Names = Names::bits("FSMOUNT_???", &[
    (0x1, "FSMOUNT_CLOEXEC"),
]);

/// Flags of fspick(2).
pub static FSPICK: Names = Names::bits("FSPICK_???", &[
    (0x1, "FSPICK_CLOEXEC"), (0x2, "FSPICK_SYMLINK_NOFOLLOW"), (0x4, "FSPICK_NO_AUTOMOUNT"),
    (0x8, "FSPICK_EMPTY_PATH"),
]);

/// Commands of fsconfig(2).
pub static FSCONFIG: Names = Names::one("FSCONFIG_???", &[
    (0x0, "FSCONFIG_SET_FLAG"), (0x1, "FSCONFIG_SET_STRING"), (0x2, "FSCONFIG_SET_BINARY"),
    (0x3, "FSCONFIG_SET_PATH"), (0x4, "FSCONFIG_SET_PATH_EMPTY"), (0x5, "FSCONFIG_SET_FD"),
    (0x6, "FSCONFIG_CMD_CREATE"), (0x7, "FSCONFIG_CMD_RECONFIGURE"),
]);

/// Attributes of a mount.
pub static MOUNT_ATTR: Names = Names::bits("MOUNT_ATTR_???", &[
    (0x1, "MOUNT_ATTR_RDONLY"), (0x2, "MOUNT_ATTR_NOSUID"), (0x4, "MOUNT_ATTR_NODEV"), (0x8, "MOUNT_ATTR_NOEXEC"),
    (0x10, "MOUNT_ATTR_NOATIME"), (0x20, "MOUNT_ATTR_STRICTATIME"), (0x80, "MOUNT_ATTR_NODIRATIME"),
    (0x100000, "MOUNT_ATTR_IDMAP"), (0x200000, "MOUNT_ATTR_NOSYMFOLLOW"),
]);

/// Flags of move_mount(2).
pub static MOVE_MOUNT: Names = Names::bits("MOVE_MOUNT_???", &[
    (0x1, "MOVE_MOUNT_F_SYMLINKS"), (0x2, "MOVE_MOUNT_F_AUTOMOUNTS"), (0x4, "MOVE_MOUNT_F_EMPTY_PATH"),
    (0x10, "MOVE_MOUNT_T_SYMLINKS"), (0x20, "MOVE_MOUNT_T_AUTOMOUNTS"), (0x40, "MOVE_MOUNT_T_EMPTY_PATH"),
    (0x100, "MOVE_MOUNT_SET_GROUP"),
]);

/// Flags of open_tree(2).
pub static OPEN_TREE: Names = Names::bits("OPEN_TREE_???", &[
    (0x1, "OPEN_TREE_CLONE"), (0x80000, "OPEN_TREE_CLOEXEC"), (0x100, "AT_SYMLINK_NOFOLLOW"),
    (0x800, "AT_NO_AUTOMOUNT"), (0x1000, "AT_EMPTY_PATH"), (0x8000, "AT_RECURSIVE"),
]);

/// Flags of move_pages(2).
pub static MPOL_MF: Names = Names::bits("MPOL_???", &[
    (0x1, "MPOL_MF_STRICT"), (0x2, "MPOL_MF_MOVE"), (0x4, "MPOL_MF_MOVE_ALL"),
]);

/// Types of BPF maps.
pub static BPF_MAP_TYPE: Names = Names::one("BPF_MAP_TYPE_???", &[
    (0x0, "BPF_MAP_TYPE_UNSPEC"), (0x1, "BPF_MAP_TYPE_HASH"), (0x2, "BPF_MAP_TYPE_ARRAY"),
    (0x3, "BPF_MAP_TYPE_PROG_ARRAY"), (0x4, "BPF_MAP_TYPE_PERF_EVENT_ARRAY"), (0x5, "BPF_MAP_TYPE_PERCPU_HASH"),
    (0x6, "BPF_MAP_TYPE_PERCPU_ARRAY"), (0x7, "BPF_MAP_TYPE_STACK_TRACE"), (0x8, "BPF_MAP_TYPE_CGROUP_ARRAY"),
    (0x9, "BPF_MAP_TYPE_LRU_HASH"), (0xa, "BPF_MAP_TYPE_LRU_PERCPU_HASH"), (0xb, "BPF_MAP_TYPE_LPM_TRIE"),
    (0xc, "BPF_MAP_TYPE_ARRAY_OF_MAPS"), (0xd, "BPF_MAP_TYPE_HASH_OF_MAPS"), (0xe, "BPF_MAP_TYPE_DEVMAP"),
    (0xf, "BPF_MAP_TYPE_SOCKMAP"), (0x10, "BPF_MAP_TYPE_CPUMAP"), (0x11, "BPF_MAP_TYPE_XSKMAP"),
    (0x12, "BPF_MAP_TYPE_SOCKHASH"), (0x16, "BPF_MAP_TYPE_QUEUE"), (0x17, "BPF_MAP_TYPE_STACK"),
    (0x1b, "BPF_MAP_TYPE_RINGBUF"),
]);

/// Flags of an update of a BPF map.
pub static BPF_UPDATE: Names = Names::one("BPF_???", &[
    (0x0, "BPF_ANY"), (0x1, "BPF_NOEXIST"), (0x2, "BPF_EXIST"),
]);

/// Flags of a BPF map.
pub static BPF_MAP_FLAGS: Names = Names::bits("BPF_F_???", &[
    (0x1, "BPF_F_NO_PREALLOC"), (0x2, "BPF_F_NO_COMMON_LRU"), (0x4, "BPF_F_NUMA_NODE"), (0x8, "BPF_F_RDONLY"),
    (0x10, "BPF_F_WRONLY"), (0x20, "BPF_F_STACK_BUILD_ID"), (0x40, "BPF_F_ZERO_SEED"), (0x80, "BPF_F_RDONLY_PROG"),
    (0x100, "BPF_F_WRONLY_PROG"), (0x200, "BPF_F_CLONE"), (0x400, "BPF_F_MMAPABLE"),
]);

/// Flags of perf_event_open(2).
pub static PERF_FLAG: Names = Names::bits("PERF_FLAG_???", &[
    (0x1, "PERF_FLAG_FD_NO_GROUP"), (0x2, "PERF_FLAG_FD_OUTPUT"), (0x4, "PERF_FLAG_PID_CGROUP"),
    (0x8, "PERF_FLAG_FD_CLOEXEC"),
]);

/// Types of events.
pub static PERF_TYPE: Names = Names::one("PERF_TYPE_???", &[
    (0x0, "PERF_TYPE_HARDWARE"), (0x1, "PERF_TYPE_SOFTWARE"), (0x2, "PERF_TYPE_TRACEPOINT"),
    (0x3, "PERF_TYPE_HW_CACHE"), (0x4, "PERF_TYPE_RAW"), (0x5, "PERF_TYPE_BREAKPOINT"),
]);

/// Sizes of `struct perf_event_attr`.
pub static PERF_SIZE: Names = Names::one("PERF_ATTR_SIZE_???", &[
    (0x40, "PERF_ATTR_SIZE_VER0"), (0x48, "PERF_ATTR_SIZE_VER1"), (0x50, "PERF_ATTR_SIZE_VER2"),
    (0x60, "PERF_ATTR_SIZE_VER3"), (0x68, "PERF_ATTR_SIZE_VER4"), (0x70, "PERF_ATTR_SIZE_VER5"),
    (0x78, "PERF_ATTR_SIZE_VER6"), (0x80, "PERF_ATTR_SIZE_VER7"),
]);

/// Events of the processor.
pub static PERF_HW: Names = Names::one("PERF_COUNT_HW_???", &[
    (0x0, "PERF_COUNT_HW_CPU_CYCLES"), (0x1, "PERF_COUNT_HW_INSTRUCTIONS"), (0x2, "PERF_COUNT_HW_CACHE_REFERENCES"),
    (0x3, "PERF_COUNT_HW_CACHE_MISSES"), (0x4, "PERF_COUNT_HW_BRANCH_INSTRUCTIONS"),
    (0x5, "PERF_COUNT_HW_BRANCH_MISSES"), (0x6, "PERF_COUNT_HW_BUS_CYCLES"),
    (0x7, "PERF_COUNT_HW_STALLED_CYCLES_FRONTEND"), (0x8, "PERF_COUNT_HW_STALLED_CYCLES_BACKEND"),
    (0x9, "PERF_COUNT_HW_REF_CPU_CYCLES"),
]);

/// Events of the kernel.
pub static PERF_SW: Names = Names::one("PERF_COUNT_SW_???", &[
    (0x0, "PERF_COUNT_SW_CPU_CLOCK"), (0x1, "PERF_COUNT_SW_TASK_CLOCK"), (0x2, "PERF_COUNT_SW_PAGE_FAULTS"),
    (0x3, "PERF_COUNT_SW_CONTEXT_SWITCHES"), (0x4, "PERF_COUNT_SW_CPU_MIGRATIONS"),
    (0x5, "PERF_COUNT_SW_PAGE_FAULTS_MIN"), (0x6, "PERF_COUNT_SW_PAGE_FAULTS_MAJ"),
    (0x7, "PERF_COUNT_SW_ALIGNMENT_FAULTS"), (0x8, "PERF_COUNT_SW_EMULATION_FAULTS"), (0x9, "PERF_COUNT_SW_DUMMY"),
    (0xa, "PERF_COUNT_SW_BPF_OUTPUT"), (0xb, "PERF_COUNT_SW_CGROUP_SWITCHES"),
]);

/// Types of messages about links, addresses and routes.
pub static RTM: Names = Names::one("RTM_???", &[
    (0x10, "RTM_NEWLINK"), (0x11, "RTM_DELLINK"), (0x12, "RTM_GETLINK"), (0x14, "RTM_NEWADDR"),
    (0x15, "RTM_DELADDR"), (0x16, "RTM_GETADDR"), (0x18, "RTM_NEWROUTE"), (0x19, "RTM_DELROUTE"),
    (0x1a, "RTM_GETROUTE"), (0x1c, "RTM_NEWNEIGH"), (0x1d, "RTM_DELNEIGH"), (0x1e, "RTM_GETNEIGH"),
    (0x20, "RTM_NEWRULE"), (0x21, "RTM_DELRULE"), (0x22, "RTM_GETRULE"), (0x24, "RTM_NEWQDISC"),
    (0x25, "RTM_DELQDISC"), (0x26, "RTM_GETQDISC"), (0x28, "RTM_NEWTCLASS"), (0x29, "RTM_DELTCLASS"),
    (0x2a, "RTM_GETTCLASS"), (0x2c, "RTM_NEWTFILTER"), (0x2d, "RTM_DELTFILTER"), (0x2e, "RTM_GETTFILTER"),
    (0x30, "RTM_NEWACTION"), (0x31, "RTM_DELACTION"), (0x32, "RTM_GETACTION"), (0x13, "RTM_SETLINK"),
    (0x34, "RTM_NEWPREFIX"), (0x3a, "RTM_GETMULTICAST"), (0x3e, "RTM_GETANYCAST"), (0x40, "RTM_NEWNEIGHTBL"),
    (0x42, "RTM_GETNEIGHTBL"), (0x43, "RTM_SETNEIGHTBL"), (0x44, "RTM_NEWNDUSEROPT"), (0x48, "RTM_NEWADDRLABEL"),
    (0x49, "RTM_DELADDRLABEL"), (0x4a, "RTM_GETADDRLABEL"), (0x4e, "RTM_GETDCB"), (0x4f, "RTM_SETDCB"),
    (0x50, "RTM_NEWNETCONF"), (0x51, "RTM_DELNETCONF"), (0x52, "RTM_GETNETCONF"), (0x54, "RTM_NEWMDB"),
    (0x55, "RTM_DELMDB"), (0x56, "RTM_GETMDB"), (0x58, "RTM_NEWNSID"), (0x59, "RTM_DELNSID"), (0x5a, "RTM_GETNSID"),
    (0x5c, "RTM_NEWSTATS"), (0x5e, "RTM_GETSTATS"), (0x68, "RTM_NEWNEXTHOP"), (0x69, "RTM_DELNEXTHOP"),
    (0x6a, "RTM_GETNEXTHOP"),
]);
