/* Hard and symbolic links, unlink, mknod. */
#include "t.h"
#include <sys/sysmacros.h>

TEST(link_adds_a_name_for_the_same_file) {
    struct stat a, b;
    t_file("f", "x");
    CHECK_EQ(syscall(SYS_link, "f", "g"), 0);
    stat("f", &a), stat("g", &b);
    CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
    CHECK_ERRNO(syscall(SYS_link, "f", "g"), EEXIST);
    CHECK_ERRNO(syscall(SYS_link, "none", "h"), ENOENT);
    CHECK_ERRNO(syscall(SYS_link, "f", "none/h"), ENOENT);
    CHECK_ERRNO(syscall(SYS_link, ".", "h"), EPERM);
    CHECK_ERRNO(syscall(SYS_link, "f", BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_link, "f", "/proc/h"), ENOENT);
}
TEST(linkat_follows_only_when_asked) {
    struct stat st;
    t_file("f", "x"), symlink("f", "l");
    CHECK_EQ(syscall(SYS_linkat, AT_FDCWD, "l", AT_FDCWD, "l2", 0), 0);
    lstat("l2", &st);
    CHECK(S_ISLNK(st.st_mode));
    CHECK_EQ(syscall(SYS_linkat, AT_FDCWD, "l", AT_FDCWD, "f2", AT_SYMLINK_FOLLOW), 0);
    lstat("f2", &st);
    CHECK(S_ISREG(st.st_mode));
    CHECK_ERRNO(syscall(SYS_linkat, AT_FDCWD, "f", AT_FDCWD, "f3", 1), EINVAL);
    CHECK_EQ(syscall(SYS_linkat, open("f", O_RDONLY), "", AT_FDCWD, "f4", AT_EMPTY_PATH), 0);
}
TEST(unlink_checks_its_target) {
    t_file("f", "x"), mkdir("d", 0755);
    CHECK_EQ(syscall(SYS_unlink, "f"), 0);
    CHECK_ERRNO(syscall(SYS_unlink, "f"), ENOENT);
    CHECK_ERRNO(syscall(SYS_unlink, "d"), EISDIR);
    CHECK_ERRNO(syscall(SYS_unlink, ""), ENOENT);
    t_file("g", "x");
    CHECK_ERRNO(syscall(SYS_unlink, "g/"), ENOTDIR);
    CHECK_ERRNO(syscall(SYS_unlink, "g/x"), ENOTDIR);
}
TEST(symlink_keeps_its_text) {
    char text[16];
    CHECK_EQ(syscall(SYS_symlink, "any thing", "l"), 0);
    CHECK_EQ(syscall(SYS_readlink, "l", text, 16), 9);
    CHECK(!memcmp(text, "any thing", 9));
    CHECK_EQ(syscall(SYS_readlink, "l", text, 3), 3);
    CHECK_ERRNO(syscall(SYS_symlink, "x", "l"), EEXIST);
    CHECK_ERRNO(syscall(SYS_symlink, "", "m"), ENOENT);
    CHECK_ERRNO(syscall(SYS_symlink, "x", ""), ENOENT);
    CHECK_ERRNO(syscall(SYS_symlink, BAD, "m"), EFAULT);
}
TEST(readlink_checks_in_order) {
    char text[16];
    t_file("f", "x"), symlink("f", "l");
    CHECK_ERRNO(syscall(SYS_readlink, "f", text, 16), EINVAL);
    CHECK_ERRNO(syscall(SYS_readlink, "none", text, 16), ENOENT);
    CHECK_ERRNO(syscall(SYS_readlink, "none", text, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_readlink, "l", text, -1), EINVAL);
    CHECK_ERRNO(syscall(SYS_readlink, "l", BAD, 16), EFAULT);
}
TEST(the_at_forms_start_at_a_directory) {
    char text[16];
    mkdir("d", 0755);
    int dir = open("d", O_RDONLY);
    CHECK_EQ(syscall(SYS_symlinkat, "target", dir, "l"), 0);
    CHECK_EQ(syscall(SYS_readlinkat, dir, "l", text, 16), 6);
    CHECK_EQ(access("d/l", F_OK), -1);
    CHECK_ERRNO(syscall(SYS_symlinkat, "t", 99, "m"), EBADF);
    int link = openat(dir, "l", O_PATH | O_NOFOLLOW);
    CHECK_EQ(syscall(SYS_readlinkat, link, "", text, 16), 6);
    CHECK_ERRNO(syscall(SYS_readlinkat, dir, "", text, 16), ENOENT);
}
TEST(a_trailing_slash_follows_a_link) {
    struct stat st;
    mkdir("d", 0755), symlink("d", "l");
    CHECK_EQ(lstat("l/", &st), 0);
    CHECK(S_ISDIR(st.st_mode));
    CHECK_ERRNO(unlink("l/"), ENOTDIR);
    CHECK_ERRNO(rmdir("l"), ENOTDIR);
}
TEST(mknod_makes_kinds_of_files) {
    struct stat st;
    umask(0);
    CHECK_EQ(syscall(SYS_mknod, "r", S_IFREG | 0640, 0), 0);
    CHECK_EQ(syscall(SYS_mknod, "p", S_IFIFO | 0600, 0), 0);
    CHECK_EQ(syscall(SYS_mknod, "s", S_IFSOCK | 0600, 0), 0);
    CHECK_EQ(syscall(SYS_mknodat, AT_FDCWD, "c", S_IFCHR | 0666, makedev(1, 3)), 0);
    stat("r", &st);
    CHECK_EQ(st.st_mode, S_IFREG | 0640);
    stat("c", &st);
    CHECK(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
    CHECK_ERRNO(syscall(SYS_mknod, "r", S_IFREG, 0), EEXIST);
    CHECK_ERRNO(syscall(SYS_mknod, "d", S_IFDIR | 0700, 0), EPERM);
    CHECK_ERRNO(syscall(SYS_mknod, "x", 0170000, 0), EINVAL);
    CHECK_ERRNO(open("s", O_RDONLY), ENXIO);
    int fd = open("c", O_RDWR);
    CHECK_EQ(write(fd, "x", 1), 1);
    chmod(".", 0777), setuid(1000);
    CHECK_ERRNO(syscall(SYS_mknod, "c2", S_IFCHR | 0666, makedev(1, 3)), EPERM);
}
