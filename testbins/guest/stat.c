/* stat in all its forms, statfs, statx. */
#include "t.h"
#include <sys/sysmacros.h>
#include <sys/vfs.h>

struct ustat_ { int tfree; unsigned long tinode; char fname[6], fpack[6]; };

TEST(stat_tells_type_size_and_links) {
    struct stat st;
    t_file("f", "hello");
    chmod("f", 0640);
    CHECK_EQ(syscall(SYS_stat, "f", &st), 0);
    CHECK_EQ(st.st_mode, S_IFREG | 0640);
    CHECK(st.st_size == 5 && st.st_nlink == 1 && st.st_uid == 0 && st.st_gid == 0 && st.st_ino > 0);
    CHECK_EQ(st.st_blksize, 4096);
    link("f", "g");
    CHECK_EQ(syscall(SYS_stat, "g", &st), 0);
    CHECK_EQ(st.st_nlink, 2);
}
TEST(lstat_tells_about_the_link_itself) {
    struct stat st;
    symlink("nowhere", "l");
    CHECK_EQ(syscall(SYS_lstat, "l", &st), 0);
    CHECK_EQ(st.st_mode, S_IFLNK | 0777);
    CHECK_EQ(st.st_size, 7);
    CHECK_ERRNO(syscall(SYS_stat, "l", &st), ENOENT);
    CHECK_ERRNO(syscall(SYS_stat, "l", BAD), ENOENT);
    CHECK_ERRNO(syscall(SYS_lstat, "l", BAD), EFAULT);
}
TEST(fstat_of_kinds) {
    struct stat st;
    int pair[2];
    CHECK_EQ(syscall(SYS_fstat, open(".", O_RDONLY), &st), 0);
    CHECK(S_ISDIR(st.st_mode) && st.st_nlink >= 1);
    CHECK_EQ(syscall(SYS_fstat, open("/dev/null", O_RDONLY), &st), 0);
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_rdev, makedev(1, 3));
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    CHECK_EQ(syscall(SYS_fstat, pair[0], &st), 0);
    CHECK(S_ISSOCK(st.st_mode));
    CHECK_ERRNO(syscall(SYS_fstat, 99, &st), EBADF);
    CHECK_ERRNO(syscall(SYS_fstat, 0, BAD), EFAULT);
}
TEST(newfstatat_takes_flags) {
    struct stat st;
    t_file("f", "hello");
    symlink("f", "l");
    int fd = open("f", O_RDONLY);
    CHECK_EQ(syscall(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH), 0);
    CHECK_EQ(st.st_size, 5);
    CHECK_EQ(syscall(SYS_newfstatat, AT_FDCWD, "l", &st, AT_SYMLINK_NOFOLLOW), 0);
    CHECK(S_ISLNK(st.st_mode));
    CHECK_ERRNO(syscall(SYS_newfstatat, fd, "", &st, 0), ENOENT);
    CHECK_ERRNO(syscall(SYS_newfstatat, AT_FDCWD, "f", &st, 0x10000), EINVAL);
    CHECK_ERRNO(syscall(SYS_newfstatat, 99, "f", &st, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_newfstatat, fd, "f", &st, 0), ENOTDIR);
}
TEST(statx_fills_the_basics) {
    struct statx sx;
    t_file("f", "hello");
    CHECK_EQ(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx), 0);
    CHECK_EQ(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    CHECK(sx.stx_size == 5 && sx.stx_nlink == 1 && S_ISREG(sx.stx_mode));
    CHECK_EQ(syscall(SYS_statx, open("f", O_RDONLY), "", AT_EMPTY_PATH, STATX_SIZE, &sx), 0);
    CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0, 0x80000000, &sx), EINVAL);
    CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0x6000, STATX_SIZE, &sx), EINVAL);
    CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "none", 0, STATX_SIZE, &sx), ENOENT);
    CHECK_ERRNO(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_SIZE, BAD), EFAULT);
}
TEST(times_move_with_the_deeds) {
    struct stat a, b;
    int fd = t_open("f", "x");
    struct timespec old[2] = {{1000, 5}, {2000, 7}};
    CHECK_EQ(futimens(fd, old), 0);
    fstat(fd, &a);
    CHECK(a.st_atim.tv_sec == 1000 && a.st_mtim.tv_sec == 2000 && a.st_mtim.tv_nsec == 7);
    write(fd, "y", 1);
    fstat(fd, &b);
    CHECK(b.st_mtim.tv_sec > 1700000000 && b.st_ctim.tv_sec > 1700000000);
    mkdir("d", 0755);
    utimensat(AT_FDCWD, "d", old, 0);
    t_file("d/f", "x");
    stat("d", &b);
    CHECK(b.st_mtim.tv_sec > 1700000000);
}
TEST(blocks_count_what_is_used) {
    struct stat st;
    int fd = t_open("f", "");
    ftruncate(fd, 1 << 20);
    fstat(fd, &st);
    CHECK(st.st_blocks == 0 && st.st_size == 1 << 20);
    char block[4096] = {1};
    pwrite(fd, block, 4096, 0);
    fsync(fd);
    fstat(fd, &st);
    CHECK_EQ(st.st_blocks, 8);
}
TEST(statfs_knows_its_file_systems) {
    struct statfs fs;
    CHECK_EQ(syscall(SYS_statfs, ".", &fs), 0);
    CHECK(fs.f_bsize > 0 && fs.f_namelen == 255);
    CHECK_EQ(syscall(SYS_statfs, "/proc", &fs), 0);
    CHECK_EQ(fs.f_type, 0x9fa0);
    CHECK_EQ(syscall(SYS_statfs, "/sys", &fs), 0);
    CHECK_EQ(fs.f_type, 0x62656572);
    CHECK_EQ(syscall(SYS_fstatfs, open("/proc/self/stat", O_RDONLY), &fs), 0);
    CHECK_EQ(fs.f_type, 0x9fa0);
    CHECK_ERRNO(syscall(SYS_statfs, "none", &fs), ENOENT);
    CHECK_ERRNO(syscall(SYS_statfs, ".", BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_fstatfs, 99, &fs), EBADF);
}
TEST(ustat_takes_a_device) {
    struct ustat_ u;
    struct stat st;
    stat("/proc", &st);
    CHECK_EQ(syscall(SYS_ustat, st.st_dev, &u), 0);
    CHECK_ERRNO(syscall(SYS_ustat, 0xfffffff, &u), EINVAL);
    CHECK_ERRNO(syscall(SYS_ustat, st.st_dev, BAD), EFAULT);
}
TEST(sysfs_numbers_the_file_system_types) {
    char name[64];
    long n = syscall(SYS_sysfs, 3, 0, 0), proc = syscall(SYS_sysfs, 1, "proc", 0);
    CHECK(n > 2 && proc >= 0 && proc < n);
    CHECK_EQ(syscall(SYS_sysfs, 2, proc, name), 0);
    CHECK_STR(name, "proc");
    CHECK_ERRNO(syscall(SYS_sysfs, 1, "nosuchfs", 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_sysfs, 9, 0, 0), EINVAL);
}
TEST(handles_can_be_asked_for) {
    struct { unsigned bytes; int type; char data[128]; } handle = {0, 0, {0}};
    int mount;
    t_file("f", "x");
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &mount, 0x10000), EINVAL);
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, "none", &handle, &mount, 0), ENOENT);
    CHECK_EQ(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &mount, 0), -1);
    CHECK(errno == EOVERFLOW || errno == EOPNOTSUPP);
}
