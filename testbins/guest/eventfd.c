/* eventfd. */
#include "t.h"
#include <sys/eventfd.h>

static uint64_t value;

TEST(a_read_takes_the_whole_count) {
    int fd = syscall(SYS_eventfd, 5);
    value = 3;
    CHECK_EQ(write(fd, &value, 8), 8);
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 8);
}
TEST(a_semaphore_gives_one_at_a_time) {
    int fd = syscall(SYS_eventfd2, 2, EFD_SEMAPHORE | EFD_NONBLOCK);
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 1);
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
}
TEST(eventfd2_knows_its_flags) {
    CHECK_ERRNO(syscall(SYS_eventfd2, 0, 2), EINVAL);
    int fd = syscall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
}
TEST(sizes_below_eight_are_einval) {
    int fd = eventfd(1, 0);
    CHECK_ERRNO(read(fd, &value, 7), EINVAL);
    CHECK_ERRNO(write(fd, &value, 4), EINVAL);
    char large[16];
    CHECK_EQ(read(fd, large, 16), 8);
}
TEST(all_ones_is_einval) {
    int fd = eventfd(0, 0);
    value = -1;
    CHECK_ERRNO(write(fd, &value, 8), EINVAL);
}
TEST(a_write_that_would_overflow_blocks_or_is_eagain) {
    int fd = eventfd(0, EFD_NONBLOCK);
    value = -2;
    CHECK_EQ(write(fd, &value, 8), 8);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLIN);
    value = 1;
    CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
    value = 0;
    CHECK_EQ(write(fd, &value, 8), 8);
}
TEST(poll_follows_the_count) {
    int fd = eventfd(0, 0);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLOUT);
    eventfd_write(fd, 1);
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLIN | POLLOUT);
}
TEST(a_blocked_reader_is_woken) {
    int fd = eventfd(0, 0);
    pid_t pid = t_fork();
    if (pid == 0) {
        t_sleep_ms(30);
        eventfd_write(fd, 7);
        _exit(0);
    }
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 7);
    t_wait(pid);
}
TEST(it_cannot_be_sought_or_truncated) {
    int fd = eventfd(0, 0);
    CHECK_ERRNO(pread(fd, &value, 8, 0), ESPIPE);
    CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
    CHECK_ERRNO(fsync(fd), EINVAL);
}
TEST(a_bad_address_is_efault) {
    int fd = eventfd(1, 0);
    CHECK_ERRNO(syscall(SYS_write, fd, BAD, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_read, fd, BAD, 8), EFAULT);
}
TEST(proc_names_it_anonymous) {
    char path[64], name[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", eventfd(0, 0));
    CHECK(readlink(path, name, 63) > 0);
    CHECK_STR(name, "anon_inode:[eventfd]");
}
