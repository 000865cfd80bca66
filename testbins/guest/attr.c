/* Modes, owners, times, sizes, syncing. */
#include "t.h"
#include <sys/ioctl.h>
#include <utime.h>

static struct stat st;
static mode_t mode(const char *name) {
    CHECK_EQ(lstat(name, &st), 0);
    return st.st_mode & 07777;
}
TEST(chmod_in_all_forms) {
    int fd = t_open("f", "x");
    CHECK_EQ(syscall(SYS_chmod, "f", 0123), 0);
    CHECK_EQ(mode("f"), 0123);
    CHECK_EQ(syscall(SYS_fchmod, fd, 0765), 0);
    CHECK_EQ(mode("f"), 0765);
    CHECK_EQ(syscall(SYS_fchmodat, AT_FDCWD, "f", 06711), 0);
    CHECK_EQ(mode("f"), 06711);
    CHECK_EQ(syscall(NR_fchmodat2, fd, "", 0600, AT_EMPTY_PATH), 0);
    CHECK_EQ(mode("f"), 0600);
    CHECK_ERRNO(syscall(NR_fchmodat2, AT_FDCWD, "f", 0600, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_chmod, "none", 0600), ENOENT);
    CHECK_ERRNO(syscall(SYS_fchmod, 99, 0600), EBADF);
    CHECK_ERRNO(syscall(SYS_chmod, BAD, 0600), EFAULT);
    setuid(1000);
    CHECK_ERRNO(syscall(SYS_chmod, "f", 0600), EPERM);
}
TEST(chmod_follows_links) {
    t_file("f", "x"), symlink("f", "l");
    CHECK_EQ(chmod("l", 0604), 0);
    CHECK_EQ(mode("f"), 0604);
    CHECK_ERRNO(syscall(NR_fchmodat2, AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW), EOPNOTSUPP);
}
TEST(chown_in_all_forms) {
    int fd = t_open("f", "x");
    symlink("f", "l");
    CHECK_EQ(syscall(SYS_chown, "l", 1, 2), 0);
    lstat("f", &st);
    CHECK(st.st_uid == 1 && st.st_gid == 2);
    CHECK_EQ(syscall(SYS_lchown, "l", 3, 4), 0);
    lstat("l", &st);
    CHECK(st.st_uid == 3 && st.st_gid == 4);
    CHECK_EQ(syscall(SYS_fchown, fd, -1, 7), 0);
    fstat(fd, &st);
    CHECK(st.st_uid == 1 && st.st_gid == 7);
    CHECK_EQ(syscall(SYS_fchownat, AT_FDCWD, "l", 8, -1, AT_SYMLINK_NOFOLLOW), 0);
    CHECK_EQ(syscall(SYS_fchownat, fd, "", 9, 9, AT_EMPTY_PATH), 0);
    CHECK_ERRNO(syscall(SYS_fchownat, AT_FDCWD, "f", 9, 9, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_fchown, 99, 1, 1), EBADF);
    CHECK_ERRNO(syscall(SYS_chown, "none", 1, 1), ENOENT);
    setuid(9);
    CHECK_ERRNO(chown("f", 10, -1), EPERM);
    CHECK_EQ(chown("f", 9, -1), 0);
}
TEST(chown_clears_set_id_bits) {
    t_file("f", "x"), chmod("f", 06755);
    CHECK_EQ(chown("f", 1, 1), 0);
    CHECK_EQ(mode("f"), 0755);
}
TEST(writing_by_an_ordinary_user_clears_set_id_bits) {
    t_file("f", "x"), chown("f", 1000, 1000), chmod("f", 06755);
    IN_CHILD(setgid(1000); setuid(1000); int fd = open("f", O_WRONLY); CHECK_EQ(write(fd, "y", 1), 1));
    CHECK_EQ(mode("f"), 0755);
}
TEST(truncate_cuts_and_extends) {
    int fd = t_open("f", "hello");
    CHECK_EQ(syscall(SYS_truncate, "f", 2L), 0);
    CHECK_STR(t_text("f"), "he");
    CHECK_EQ(syscall(SYS_ftruncate, fd, 4L), 0);
    fstat(fd, &st);
    CHECK_EQ(st.st_size, 4);
    CHECK(!memcmp(t_text("f"), "he\0\0", 4));
    CHECK_ERRNO(syscall(SYS_truncate, "f", -1L), EINVAL);
    CHECK_ERRNO(syscall(SYS_truncate, "none", -1L), EINVAL);
    CHECK_ERRNO(syscall(SYS_truncate, "none", 1L), ENOENT);
    CHECK_ERRNO(syscall(SYS_truncate, ".", 1L), EISDIR);
    CHECK_ERRNO(syscall(SYS_ftruncate, fd, -1L), EINVAL);
    CHECK_ERRNO(syscall(SYS_ftruncate, 99, 1L), EBADF);
    CHECK_ERRNO(syscall(SYS_ftruncate, open("f", O_RDONLY), 1L), EINVAL);
}
TEST(times_can_be_set_in_all_forms) {
    t_file("f", "x"), symlink("f", "l");
    struct utimbuf old = {100, 200};
    CHECK_EQ(syscall(SYS_utime, "f", &old), 0);
    stat("f", &st);
    CHECK(st.st_atime == 100 && st.st_mtime == 200 && st.st_mtim.tv_nsec == 0);
    struct timeval tv[2] = {{300, 5}, {400, 6}};
    CHECK_EQ(syscall(SYS_utimes, "f", tv), 0);
    stat("f", &st);
    CHECK(st.st_atime == 300 && st.st_mtim.tv_nsec == 6000);
    tv[0].tv_sec = 500;
    CHECK_EQ(syscall(SYS_futimesat, AT_FDCWD, "f", tv), 0);
    stat("f", &st);
    CHECK_EQ(st.st_atime, 500);
    struct timespec ts[2] = {{600, 7}, {700, 8}};
    CHECK_EQ(syscall(SYS_utimensat, AT_FDCWD, "l", ts, AT_SYMLINK_NOFOLLOW), 0);
    lstat("l", &st);
    CHECK(st.st_mtime == 700 && st.st_mtim.tv_nsec == 8);
    CHECK_EQ(syscall(SYS_utime, "f", NULL), 0);
    stat("f", &st);
    CHECK(st.st_mtime > 1700000000);
}
TEST(utimensat_can_omit_and_take_now) {
    struct timespec ts[2] = {{600, 7}, {700, 8}};
    t_file("f", "x");
    utimensat(AT_FDCWD, "f", ts, 0);
    ts[0].tv_nsec = UTIME_OMIT, ts[1].tv_nsec = UTIME_NOW;
    CHECK_EQ(utimensat(AT_FDCWD, "f", ts, 0), 0);
    stat("f", &st);
    CHECK(st.st_atime == 600 && st.st_mtime > 1700000000);
    ts[1].tv_nsec = UTIME_OMIT;
    CHECK_EQ(syscall(SYS_utimensat, 99, "none", ts, 0), 0);
}
TEST(times_are_checked) {
    struct timespec ts[2] = {{0, 1000000000}, {0, 0}};
    struct timeval tv[2] = {{0, 1000000}, {0, 0}};
    t_file("f", "x");
    CHECK_ERRNO(syscall(SYS_utimensat, AT_FDCWD, "f", ts, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_utimes, "f", tv), EINVAL);
    CHECK_ERRNO(syscall(SYS_utimensat, AT_FDCWD, "f", BAD, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_utimensat, AT_FDCWD, "f", NULL, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_utime, "none", NULL), ENOENT);
    CHECK_ERRNO(syscall(SYS_futimesat, 99, "f", NULL), EBADF);
    chmod("f", 0644), setuid(1000);
    CHECK_ERRNO(syscall(SYS_utime, "f", NULL), EACCES);
    ts[0].tv_nsec = 0;
    CHECK_ERRNO(syscall(SYS_utimensat, AT_FDCWD, "f", ts, 0), EPERM);
}
TEST(syncing_works_on_files_only) {
    int fd = t_open("f", "x"), ends[2];
    pipe(ends);
    CHECK_EQ(syscall(SYS_fsync, fd), 0);
    CHECK_EQ(syscall(SYS_fdatasync, fd), 0);
    CHECK_EQ(syscall(SYS_syncfs, fd), 0);
    CHECK_EQ(syscall(SYS_sync_file_range, fd, 0L, 0L, 7), 0);
    CHECK_ERRNO(syscall(SYS_sync_file_range, fd, 0L, 0L, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_sync_file_range, ends[0], 0L, 0L, 0), ESPIPE);
    CHECK_ERRNO(syscall(SYS_fsync, ends[0]), EINVAL);
    CHECK_ERRNO(syscall(SYS_fdatasync, 99), EBADF);
    CHECK_ERRNO(syscall(SYS_syncfs, 99), EBADF);
    CHECK_EQ(syscall(SYS_fsync, open(".", O_RDONLY)), 0);
}
TEST(sync_returns_zero) { CHECK_EQ(syscall(SYS_sync), 0); }
TEST(advice_about_files_is_checked) {
    int fd = t_open("f", "x"), ends[2];
    pipe(ends);
    for (int advice = 0; advice < 6; advice++) CHECK_EQ(syscall(SYS_fadvise64, fd, 0L, 0L, advice), 0);
    CHECK_ERRNO(syscall(SYS_fadvise64, fd, 0L, 0L, 6), EINVAL);
    CHECK_ERRNO(syscall(SYS_fadvise64, fd, 0L, -1L, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_fadvise64, ends[0], 0L, 0L, 0), ESPIPE);
    CHECK_ERRNO(syscall(SYS_fadvise64, 99, 0L, 0L, 0), EBADF);
    CHECK_EQ(syscall(SYS_readahead, fd, 0L, 4096), 0);
    CHECK_ERRNO(syscall(SYS_readahead, ends[0], 0L, 4096), EINVAL);
    CHECK_ERRNO(syscall(SYS_readahead, 99, 0L, 4096), EBADF);
}
TEST(fallocate_extends_and_punches) {
    int fd = t_open("f", "hello");
    CHECK_EQ(syscall(SYS_fallocate, fd, 0, 0L, 10000L), 0);
    fstat(fd, &st);
    CHECK_EQ(st.st_size, 10000);
    CHECK_EQ(syscall(SYS_fallocate, fd, 1, 0L, 20000L), 0);
    fstat(fd, &st);
    CHECK_EQ(st.st_size, 10000);
    CHECK_EQ(syscall(SYS_fallocate, fd, 3, 1L, 2L), 0);
    CHECK(!memcmp(t_text("f"), "h\0\0lo", 5));
    CHECK_ERRNO(syscall(SYS_fallocate, fd, 2, 0L, 1L), EOPNOTSUPP);
    CHECK_ERRNO(syscall(SYS_fallocate, fd, 0, 0L, 0L), EINVAL);
    CHECK_ERRNO(syscall(SYS_fallocate, fd, 0, -1L, 1L), EINVAL);
    CHECK_ERRNO(syscall(SYS_fallocate, 99, 0, 0L, 1L), EBADF);
    CHECK_ERRNO(syscall(SYS_fallocate, open("f", O_RDONLY), 0, 0L, 1L), EBADF);
    int ends[2];
    pipe(ends);
    CHECK_ERRNO(syscall(SYS_fallocate, ends[1], 0, 0L, 1L), ESPIPE);
}
TEST(cachestat_counts_pages) {
    int fd = t_open("f", "hello"), ends[2];
    uint64_t range[2] = {0, 0}, stat[5] = {0};
    pipe(ends);
    CHECK_EQ(syscall(NR_cachestat, fd, range, stat, 0), 0);
    CHECK_EQ(stat[0], 1);
    CHECK_ERRNO(syscall(NR_cachestat, fd, range, stat, 1), EINVAL);
    CHECK_ERRNO(syscall(NR_cachestat, 99, range, stat, 0), EBADF);
    CHECK_ERRNO(syscall(NR_cachestat, fd, BAD, stat, 0), EFAULT);
}
TEST(file_attributes_have_a_record_of_their_own) {
    struct { uint64_t xflags; uint32_t a, b, c, d; } attr = {0};
    t_file("f", "x");
    CHECK_ERRNO(syscall(NR_file_getattr, AT_FDCWD, "f", &attr, 8, 0), EINVAL);
    CHECK_ERRNO(syscall(NR_file_setattr, AT_FDCWD, "f", &attr, 8, 0), EINVAL);
    CHECK_ERRNO(syscall(NR_file_getattr, AT_FDCWD, "f", &attr, 24, 1), EINVAL);
    CHECK_ERRNO(syscall(NR_file_setattr, AT_FDCWD, "f", &attr, 24, 1), EINVAL);
}
TEST(an_immutable_file_stays_as_it_is) {
    int flags = 0, fd = open("/dev/shm/t_immutable", O_CREAT | O_RDWR, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(ioctl(fd, 0x80086601, &flags), 0);
    flags |= 0x10;
    CHECK_EQ(ioctl(fd, 0x40086602, &flags), 0);
    CHECK_ERRNO(open("/dev/shm/t_immutable", O_WRONLY), EPERM);
    CHECK_ERRNO(chmod("/dev/shm/t_immutable", 0600), EPERM);
    CHECK_ERRNO(unlink("/dev/shm/t_immutable"), EPERM);
    CHECK_ERRNO(link("/dev/shm/t_immutable", "/dev/shm/t_link"), EPERM);
    flags = 0x20;
    CHECK_EQ(ioctl(fd, 0x40086602, &flags), 0);
    CHECK_ERRNO(open("/dev/shm/t_immutable", O_WRONLY), EPERM);
    CHECK_ERRNO(truncate("/dev/shm/t_immutable", 0), EPERM);
    close(open("/dev/shm/t_immutable", O_WRONLY | O_APPEND));
    flags = 0;
    CHECK_EQ(ioctl(fd, 0x40086602, &flags), 0);
    CHECK_EQ(unlink("/dev/shm/t_immutable"), 0);
}
