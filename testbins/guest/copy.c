/* copy_file_range and ioctls on files. */
#include "t.h"
#include <sys/ioctl.h>

static long copy(int in, long *in_at, int out, long *out_at, size_t n, int flags) { return syscall(SYS_copy_file_range, in, in_at, out, out_at, n, flags); }

TEST(a_range_is_copied_with_offsets) {
    int in = t_open("a", "hello world"), out = t_open("b", "0123456789");
    long from = 6, to = 2;
    CHECK_EQ(copy(in, &from, out, &to, 5, 0), 5);
    CHECK(from == 11 && to == 7);
    CHECK_STR(t_text("b"), "01world789");
    CHECK_EQ(copy(in, &from, out, &to, 5, 0), 0);
}
TEST(file_offsets_move_without_them) {
    int in = t_open("a", "hello"), out = t_open("b", "");
    CHECK_EQ(copy(in, NULL, out, NULL, 100, 0), 5);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 5);
    CHECK_EQ(lseek(out, 0, SEEK_CUR), 5);
}
TEST(arguments_are_checked) {
    int in = t_open("a", "hello"), ends[2];
    long zero = 0, one = 1;
    pipe(ends);
    CHECK_ERRNO(copy(in, NULL, in, NULL, 5, 1), EINVAL);
    CHECK_ERRNO(copy(99, NULL, in, NULL, 5, 0), EBADF);
    CHECK_ERRNO(copy(in, NULL, 99, NULL, 5, 0), EBADF);
    CHECK_ERRNO(copy(in, NULL, open("a", O_RDONLY), NULL, 5, 0), EBADF);
    CHECK_ERRNO(copy(in, NULL, open("a", O_WRONLY | O_APPEND), NULL, 5, 0), EBADF);
    CHECK_ERRNO(copy(in, &zero, in, &one, 3, 0), EINVAL);
    CHECK_ERRNO(copy(ends[0], NULL, in, NULL, 3, 0), EINVAL);
    CHECK_ERRNO(copy(open(".", O_RDONLY), NULL, in, NULL, 3, 0), EISDIR);
    CHECK_ERRNO(syscall(SYS_copy_file_range, in, BAD, in, NULL, 3, 0), EFAULT);
}
TEST(fionread_counts_what_is_left_in_a_file) {
    int fd = t_open("f", "hello"), n;
    lseek(fd, 2, SEEK_SET);
    CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
    CHECK_EQ(n, 3);
}
TEST(fionbio_and_fioclex_set_flags) {
    int fd = t_open("f", ""), on = 1;
    CHECK_EQ(ioctl(fd, FIONBIO, &on), 0);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK_EQ(ioctl(fd, FIOCLEX), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), 1);
    CHECK_EQ(ioctl(fd, FIONCLEX), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_ERRNO(ioctl(fd, 0x5401, &on), ENOTTY);
    CHECK_ERRNO(syscall(SYS_ioctl, fd, FIONBIO, BAD), EFAULT);
}
