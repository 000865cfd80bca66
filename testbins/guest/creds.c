/* Users, groups, capabilities. The tests start as root. */
#include "t.h"
#include <grp.h>
#include <linux/capability.h>

static unsigned r, e, s;
static void uids(unsigned wr, unsigned we, unsigned ws) {
    CHECK_EQ(syscall(SYS_getresuid, &r, &e, &s), 0);
    CHECK_EQ(r, wr);
    CHECK_EQ(e, we);
    CHECK_EQ(s, ws);
}
static void gids(unsigned wr, unsigned we, unsigned ws) {
    CHECK_EQ(syscall(SYS_getresgid, &r, &e, &s), 0);
    CHECK_EQ(r, wr);
    CHECK_EQ(e, we);
    CHECK_EQ(s, ws);
}
TEST(root_starts_with_zeros) {
    CHECK_EQ(syscall(SYS_getuid) + syscall(SYS_geteuid) + syscall(SYS_getgid) + syscall(SYS_getegid), 0);
    uids(0, 0, 0);
    gids(0, 0, 0);
}
TEST(setuid_of_root_sets_all_three) {
    CHECK_EQ(syscall(SYS_setuid, 1000), 0);
    uids(1000, 1000, 1000);
    CHECK_ERRNO(syscall(SYS_setuid, 0), EPERM);
    CHECK_EQ(syscall(SYS_setuid, 1000), 0);
}
TEST(setgid_of_root_sets_all_three) {
    CHECK_EQ(syscall(SYS_setgid, 1000), 0);
    gids(1000, 1000, 1000);
    CHECK_EQ(syscall(SYS_setgid, 0), 0);
    syscall(SYS_setgid, 50);
    syscall(SYS_setuid, 1000);
    CHECK_ERRNO(syscall(SYS_setgid, 0), EPERM);
}
TEST(setuid_of_an_ordinary_user_changes_only_the_effective_one) {
    CHECK_EQ(syscall(SYS_setresuid, 1000, 1001, 1002), 0);
    CHECK_EQ(syscall(SYS_setuid, 1000), 0);
    uids(1000, 1000, 1002);
    CHECK_EQ(syscall(SYS_setuid, 1002), 0);
    uids(1000, 1002, 1002);
    CHECK_ERRNO(syscall(SYS_setuid, 1001), EPERM);
}
TEST(setreuid_moves_the_saved_one) {
    CHECK_EQ(syscall(SYS_setreuid, 1000, 1001), 0);
    uids(1000, 1001, 1001);
    CHECK_EQ(syscall(SYS_setreuid, -1, 1000), 0);
    uids(1000, 1000, 1001);
    CHECK_EQ(syscall(SYS_setreuid, -1, 1001), 0);
    CHECK_ERRNO(syscall(SYS_setreuid, 1002, -1), EPERM);
    CHECK_ERRNO(syscall(SYS_setreuid, -1, 1002), EPERM);
}
TEST(setregid_moves_the_saved_one) {
    CHECK_EQ(syscall(SYS_setregid, 1000, 1001), 0);
    gids(1000, 1001, 1001);
    CHECK_EQ(syscall(SYS_setregid, -1, -1), 0);
    gids(1000, 1001, 1001);
}
TEST(setresuid_leaves_minus_one_alone) {
    CHECK_EQ(syscall(SYS_setresuid, -1, 1000, -1), 0);
    uids(0, 1000, 0);
    CHECK_EQ(syscall(SYS_setresuid, -1, 0, -1), 0);
    CHECK_EQ(syscall(SYS_setresuid, 1000, 1000, 1000), 0);
    CHECK_ERRNO(syscall(SYS_setresuid, 0, -1, -1), EPERM);
}
TEST(setresgid_sets_each) {
    CHECK_EQ(syscall(SYS_setresgid, 1, 2, 3), 0);
    gids(1, 2, 3);
    syscall(SYS_setuid, 1000);
    CHECK_EQ(syscall(SYS_setresgid, 3, 1, 2), 0);
    gids(3, 1, 2);
    CHECK_ERRNO(syscall(SYS_setresgid, 9, -1, -1), EPERM);
}
TEST(addresses_are_checked) {
    CHECK_ERRNO(syscall(SYS_getresuid, BAD, &e, &s), EFAULT);
    CHECK_ERRNO(syscall(SYS_getresgid, &r, &e, BAD), EFAULT);
}
TEST(minus_one_is_no_user) {
    CHECK_ERRNO(syscall(SYS_setuid, -1), EINVAL);
    CHECK_ERRNO(syscall(SYS_setgid, -1), EINVAL);
}
TEST(setfsuid_returns_the_old_value_always) {
    CHECK_EQ(syscall(SYS_setfsuid, 1000), 0);
    CHECK_EQ(syscall(SYS_setfsuid, -1), 1000);
    CHECK_EQ(syscall(SYS_setfsgid, 1000), 0);
    CHECK_EQ(syscall(SYS_setfsgid, -1), 1000);
    CHECK_EQ(geteuid(), 0);
}
TEST(the_file_system_user_decides_access) {
    t_file("f", "x");
    chmod("f", 0600);
    CHECK_EQ(syscall(SYS_setfsuid, 1000), 0);
    CHECK_ERRNO(open("f", O_RDONLY), EACCES);
    CHECK_EQ(access("f", R_OK), 0);
    syscall(SYS_setfsuid, 0);
    CHECK(open("f", O_RDONLY) >= 0);
}
TEST(groups_are_kept) {
    gid_t groups[3] = {5, 9, 7}, got[4];
    CHECK_EQ(syscall(SYS_setgroups, 3, groups), 0);
    CHECK_EQ(syscall(SYS_getgroups, 0, NULL), 3);
    CHECK_EQ(syscall(SYS_getgroups, 4, got), 3);
    CHECK_EQ(got[0] + got[1] + got[2], 21);
    CHECK_ERRNO(syscall(SYS_getgroups, 2, got), EINVAL);
    CHECK_ERRNO(syscall(SYS_getgroups, -1, got), EINVAL);
    CHECK_ERRNO(syscall(SYS_getgroups, 4, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_setgroups, 65537, got), EINVAL);
    CHECK_ERRNO(syscall(SYS_setgroups, 1, BAD), EFAULT);
    setuid(1000);
    CHECK_ERRNO(syscall(SYS_setgroups, 65537, got), EPERM);
}
TEST(a_supplementary_group_gives_access) {
    t_file("f", "x");
    chmod("f", 0640);
    chown("f", 0, 77);
    gid_t group = 77;
    setgroups(1, &group);
    setgid(1000), setuid(1000);
    CHECK(open("f", O_RDONLY) >= 0);
    CHECK_ERRNO(open("f", O_RDWR), EACCES);
}
static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
static struct __user_cap_data_struct data[2];
TEST(root_has_all_capabilities_and_loses_them_with_setuid) {
    CHECK_EQ(syscall(SYS_capget, &header, data), 0);
    CHECK((data[0].effective & 0xfeffff) == 0xfeffff && (data[0].permitted & 0xfeffff) == 0xfeffff);
    setuid(1000);
    CHECK_EQ(syscall(SYS_capget, &header, data), 0);
    CHECK(data[0].effective == 0 && data[0].permitted == 0 && data[1].permitted == 0);
}
TEST(dropped_capabilities_are_gone) {
    CHECK_EQ(syscall(SYS_capget, &header, data), 0);
    data[0].effective = data[0].permitted = 1 << CAP_CHOWN;
    data[1].effective = data[1].permitted = 0;
    CHECK_EQ(syscall(SYS_capset, &header, data), 0);
    t_file("f", "x");
    CHECK_EQ(chown("f", 5, 5), 0);
    CHECK_ERRNO(setuid(1000), EPERM);
    data[0].permitted |= 1 << CAP_KILL;
    CHECK_ERRNO(syscall(SYS_capset, &header, data), EPERM);
}
TEST(capget_tells_its_version) {
    struct __user_cap_header_struct other = {0, 0};
    CHECK_EQ(syscall(SYS_capget, &other, NULL), 0);
    CHECK_EQ(other.version, _LINUX_CAPABILITY_VERSION_3);
    other.version = 0;
    CHECK_ERRNO(syscall(SYS_capget, &other, data), EINVAL);
    CHECK_ERRNO(syscall(SYS_capget, BAD, data), EFAULT);
    other.version = _LINUX_CAPABILITY_VERSION_3, other.pid = -1;
    CHECK_ERRNO(syscall(SYS_capget, &other, data), EINVAL);
    other.pid = 0x7ffffff;
    CHECK_ERRNO(syscall(SYS_capget, &other, data), ESRCH);
    other.pid = getppid();
    CHECK_ERRNO(syscall(SYS_capset, &other, data), EPERM);
}
TEST(a_set_user_id_program_runs_as_its_owner) {
    char self[PATH_MAX] = "";
    readlink("/proc/self/exe", self, sizeof self - 1);
    int in = open(self, O_RDONLY), out = open("/tmp/.emu-setuid-test", O_CREAT | O_TRUNC | O_WRONLY, 0755), n;
    static char block[65536];
    while ((n = read(in, block, sizeof block)) > 0) CHECK_EQ(write(out, block, n), n);
    CHECK_EQ(fchown(out, 1234, 0), 0);
    CHECK_EQ(fchmod(out, 04755), 0);
    close(out);
    pid_t pid = t_fork();
    if (pid == 0) {
        setuid(1000);
        execl("/tmp/.emu-setuid-test", "x", "says_its_effective_user", NULL);
        _exit(1);
    }
    int status = t_wait(pid);
    unlink("/tmp/.emu-setuid-test");
    CHECK_EQ(WEXITSTATUS(status), 34);
}
TEST(says_its_effective_user) {
    if (geteuid() == 1234 && getuid() == 1000) _exit(34);
}
