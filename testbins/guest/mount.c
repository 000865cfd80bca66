/* mount, umount2, pivot_root. On a real system each test works in a mount namespace of its own. */
#include "t.h"
#include <sched.h>
#include <sys/mount.h>

static long mount_(const char *from, const char *to, const char *type, unsigned long flags, const char *data) {
    return syscall(SYS_mount, from, to, type, flags, data);
}
static void fresh(void) {
    unshare(CLONE_NEWNS);
    mount_(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    mkdir("m", 0755);
}
TEST(a_tmpfs_hides_what_was_there) {
    fresh();
    t_file("m/old", "x");
    CHECK_EQ(mount_("none", "m", "tmpfs", 0, NULL), 0);
    CHECK_ERRNO(access("m/old", F_OK), ENOENT);
    t_file("m/new", "y");
    CHECK_EQ(syscall(SYS_umount2, "m", 0), 0);
    CHECK_EQ(access("m/old", F_OK), 0);
    CHECK_ERRNO(access("m/new", F_OK), ENOENT);
}
TEST(a_bind_mount_shows_a_directory_twice) {
    fresh();
    mkdir("d", 0755);
    t_file("d/f", "hello");
    CHECK_EQ(mount_("d", "m", NULL, MS_BIND, NULL), 0);
    CHECK_STR(t_text("m/f"), "hello");
    t_file("m/g", "new");
    CHECK_STR(t_text("d/g"), "new");
    CHECK_EQ(umount2("m", MNT_DETACH), 0);
    CHECK_ERRNO(access("m/f", F_OK), ENOENT);
}
TEST(a_read_only_mount_is_erofs) {
    fresh();
    CHECK_EQ(mount_("none", "m", "tmpfs", 0, NULL), 0);
    t_file("m/f", "x");
    CHECK_EQ(mount_(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    CHECK_ERRNO(open("m/f", O_WRONLY), EROFS);
    CHECK_ERRNO(mkdir("m/d", 0755), EROFS);
    CHECK_ERRNO(unlink("m/f"), EROFS);
    CHECK_ERRNO(access("m/f", W_OK), EROFS);
    CHECK_EQ(umount("m"), 0);
}
TEST(a_busy_mount_cannot_be_unmounted) {
    fresh();
    mount_("none", "m", "tmpfs", 0, NULL);
    int fd = open("m/f", O_CREAT | O_RDWR, 0600);
    CHECK_ERRNO(umount("m"), EBUSY);
    close(fd);
    CHECK_EQ(umount("m"), 0);
}
TEST(arguments_are_checked) {
    fresh();
    CHECK_ERRNO(mount_("none", "none", "tmpfs", 0, NULL), ENOENT);
    CHECK_ERRNO(mount_("none", "m", "nosuchfs", 0, NULL), ENODEV);
    CHECK_ERRNO(mount_("none", "m", NULL, 0, NULL), EINVAL);
    CHECK_ERRNO(mount_("none", "m", BAD, 0, NULL), EFAULT);
    CHECK_ERRNO(mount_("none", BAD, "tmpfs", 0, NULL), EFAULT);
    CHECK_ERRNO(mount_("none", "m", NULL, MS_BIND, NULL), ENOENT);
    CHECK_ERRNO(syscall(SYS_umount2, "m", 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_umount2, "m", 0x100), EINVAL);
    CHECK_ERRNO(syscall(SYS_umount2, "none", 0), ENOENT);
    setuid(1000);
    CHECK_ERRNO(mount_("none", "m", "tmpfs", 0, NULL), EPERM);
    CHECK_ERRNO(syscall(SYS_umount2, "m", 0), EPERM);
}
TEST(a_tmpfs_has_the_mode_asked_for) {
    struct stat st;
    fresh();
    CHECK_EQ(mount_("none", "m", "tmpfs", 0, "mode=0700,size=1m"), 0);
    stat("m", &st);
    CHECK_EQ(st.st_mode & 07777, 0700);
    static char block[65536];
    int fd = open("m/f", O_CREAT | O_WRONLY, 0600), n = 0;
    while (n < 100 && write(fd, block, sizeof block) == sizeof block) n++;
    CHECK_EQ(errno, ENOSPC);
    CHECK_EQ(n, 16);
}
TEST(pivot_root_swaps_the_root) {
    fresh();
    CHECK_EQ(mount_("none", "m", "tmpfs", 0, NULL), 0);
    mkdir("m/old", 0755);
    t_file("m/here", "x");
    CHECK_ERRNO(syscall(SYS_pivot_root, "none", "m/old"), ENOENT);
    CHECK_ERRNO(syscall(SYS_pivot_root, "m/old", "m/old"), EINVAL);
    CHECK_EQ(syscall(SYS_pivot_root, "m", "m/old"), 0);
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(access("/here", F_OK), 0);
    CHECK_EQ(access("/old/proc/self", F_OK), 0);
    CHECK_EQ(umount2("/old", MNT_DETACH), 0);
    CHECK_ERRNO(access("/old/proc", F_OK), ENOENT);
}
TEST(mounts_are_listed_in_proc) {
    fresh();
    mount_("label", "m", "tmpfs", MS_NOSUID, NULL);
    static char text[65536];
    int fd = open("/proc/self/mounts", O_RDONLY), n, size = 0;
    while ((n = read(fd, text + size, sizeof text - 1 - size)) > 0) size += n;
    char *line = strstr(text, "label ");
    CHECK(line && strstr(line, "/m tmpfs rw,nosuid"));
}
