/* Calls whose arguments are structures, flags and commands, for the tests of `emu strace`: run with every call answered by
 * `-e inject`, so that only how arguments are told matters. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BAD ((void *)8)

static void keys(void) {
    syscall(SYS_add_key, "user", "name", "payload", 7, KEY_SPEC_SESSION_KEYRING);
    syscall(SYS_add_key, "keyring", "name", NULL, 0, KEY_SPEC_PROCESS_KEYRING);
    syscall(SYS_request_key, "user", "name", NULL, KEY_SPEC_THREAD_KEYRING);
    syscall(SYS_request_key, "user", "name", "info", 4711);
    syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1);
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "session");
    syscall(SYS_keyctl, KEYCTL_UPDATE, 17, "abc", 3);
    syscall(SYS_keyctl, KEYCTL_REVOKE, 17);
    syscall(SYS_keyctl, KEYCTL_DESCRIBE, 17, BAD, 100);
    syscall(SYS_keyctl, KEYCTL_CLEAR, KEY_SPEC_SESSION_KEYRING);
    syscall(SYS_keyctl, KEYCTL_LINK, 17, KEY_SPEC_USER_SESSION_KEYRING);
    syscall(SYS_keyctl, KEYCTL_UNLINK, 17, 18);
    syscall(SYS_keyctl, KEYCTL_SEARCH, 17, "user", "name", 0);
    syscall(SYS_keyctl, KEYCTL_READ, 17, BAD, 10);
    syscall(SYS_keyctl, KEYCTL_CHOWN, 17, 0, -1);
    syscall(SYS_keyctl, KEYCTL_SETPERM, 17, 0x3f010000);
    syscall(SYS_keyctl, KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_THREAD_KEYRING);
    syscall(SYS_keyctl, KEYCTL_SET_TIMEOUT, 17, 5);
    syscall(SYS_keyctl, KEYCTL_INVALIDATE, 17);
    syscall(SYS_keyctl, 999, 1, 2, 3, 4);
}

static void landlock(void) {
    struct landlock_ruleset_attr attr = { LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE };
    struct landlock_path_beneath_attr beneath = { LANDLOCK_ACCESS_FS_EXECUTE, 5 };
    syscall(SYS_landlock_create_ruleset, &attr, 8, 0);
    syscall(SYS_landlock_create_ruleset, &attr, 4, 0);
    syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    syscall(SYS_landlock_add_rule, 3, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
    syscall(SYS_landlock_add_rule, 3, 77, &beneath, 1);
    syscall(SYS_landlock_restrict_self, 3, 0);
}

static void filters(void) {
    struct sock_filter code[] = { { 6, 0, 0, 0x7fff0000 } };
    struct sock_fprog program = { 1, code };
    unsigned action = SECCOMP_RET_KILL_PROCESS;
    syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, BAD);
    syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
    syscall(SYS_seccomp, 99, 1, BAD);
    syscall(SYS_userfaultfd, O_CLOEXEC | 1);
    syscall(SYS_userfaultfd, O_NONBLOCK);
}

static void files(void) {
    struct open_how how = { O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    struct open_how plain = { O_RDONLY, 0, 0 };
    struct mount_attr mount = { MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, 0x100000, 7 };
    struct { unsigned bytes; int type; unsigned char data[8]; } handle = { 8, 1, "\1\2\3\4\5\6\7" };
    int id = 3;
    syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof how);
    syscall(SYS_openat2, AT_FDCWD, "f", &plain, sizeof plain);
    syscall(SYS_openat2, AT_FDCWD, "f", &plain, 8);
    syscall(SYS_openat2, AT_FDCWD, "f", BAD, sizeof how);
    syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_LARGEFILE);
    syscall(SYS_fanotify_init, FAN_CLASS_CONTENT | FAN_UNLIMITED_QUEUE | FAN_REPORT_FID, O_RDWR);
    syscall(SYS_fanotify_mark, 3, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_CREATE | FAN_ONDIR, AT_FDCWD, ".");
    syscall(SYS_fanotify_mark, 3, FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, -1, NULL);
    syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &id, AT_EMPTY_PATH);
    syscall(SYS_open_by_handle_at, 3, &handle, O_RDWR);
    syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    syscall(SYS_move_mount, 3, "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS);
    syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    syscall(SYS_fsconfig, 3, FSCONFIG_SET_FLAG, "ro", NULL, 0);
    syscall(SYS_fsconfig, 3, FSCONFIG_SET_STRING, "size", "10M", 0);
    syscall(SYS_fsconfig, 3, FSCONFIG_SET_BINARY, "key", "abc", 3);
    syscall(SYS_fsconfig, 3, FSCONFIG_SET_PATH, "source", "/dev/x", AT_FDCWD);
    syscall(SYS_fsconfig, 3, FSCONFIG_SET_FD, "source", NULL, 5);
    syscall(SYS_fsconfig, 3, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
    syscall(SYS_fsconfig, 3, 99, BAD, BAD, 1);
    syscall(SYS_fsmount, 3, FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
    syscall(SYS_fspick, AT_FDCWD, "/", FSPICK_CLOEXEC | FSPICK_NO_AUTOMOUNT);
    syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE, &mount, sizeof mount);
    syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, BAD, sizeof mount);
}

static void memory(void) {
    void *pages[2] = { (void *)0x100000, (void *)0x200000 };
    int nodes[2] = { 0, 1 }, status[2] = { 0, 0 };
    syscall(SYS_move_pages, 0, 2, pages, nodes, status, 2);
    syscall(SYS_move_pages, 0, 1, BAD, NULL, status, 4);
}

static void programs(void) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_type = BPF_MAP_TYPE_HASH;
    attr.key_size = 4;
    attr.value_size = 8;
    attr.max_entries = 16;
    syscall(SYS_bpf, BPF_MAP_CREATE, &attr, 20);
    syscall(SYS_bpf, BPF_MAP_CREATE, BAD, 20);
    struct perf_event_attr event;
    memset(&event, 0, sizeof event);
    event.type = PERF_TYPE_HARDWARE;
    event.size = sizeof event;
    event.config = PERF_COUNT_HW_INSTRUCTIONS;
    event.disabled = 1;
    event.exclude_kernel = 1;
    syscall(SYS_perf_event_open, &event, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    syscall(SYS_perf_event_open, BAD, 0, -1, -1, 0);
}

static void netlink(void) {
    struct { struct nlmsghdr head; struct rtgenmsg body; char pad[3]; } ask = {
        { sizeof ask, RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 7, 0 }, { AF_UNSPEC } };
    struct { struct nlmsghdr head; int error; struct nlmsghdr about; } error = {
        { sizeof error, NLMSG_ERROR, 0, 9, 5 }, -95, { 32, RTM_GETADDR, NLM_F_REQUEST | NLM_F_ACK, 9, 0 } };
    struct { struct nlmsghdr head; int status; } done = { { sizeof done, NLMSG_DONE, NLM_F_MULTI, 9, 5 }, 0 };
    struct nlmsghdr nothing = { sizeof nothing, NLMSG_NOOP, 0, 1, 2 };
    struct sockaddr_nl name = { AF_NETLINK };
    int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    bind(s, (void *)&name, sizeof name);
    syscall(SYS_sendto, s, &ask, sizeof ask, 0, NULL, 0);
    syscall(SYS_sendto, s, &error, sizeof error, 0, NULL, 0);
    syscall(SYS_sendto, s, &done, sizeof done, 0, NULL, 0);
    syscall(SYS_sendto, s, &nothing, sizeof nothing, 0, NULL, 0);
}

int main(int argc, char **argv) {
    struct { const char *name; void (*make)(void); } all[] = { { "keys", keys }, { "landlock", landlock },
        { "filters", filters }, { "files", files }, { "memory", memory }, { "programs", programs }, { "netlink", netlink } };
    for (int i = 0; argc > 1 && i < 7; i++)
        if (!strcmp(argv[1], all[i].name)) all[i].make();
    return 0;
}
