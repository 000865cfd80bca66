/* timerfd. */
#include "t.h"
#include <sys/timerfd.h>

static uint64_t count;
static struct itimerspec spec, old;

static int make(int flags) {
    int fd = syscall(SYS_timerfd_create, CLOCK_MONOTONIC, flags);
    CHECK(fd >= 0);
    return fd;
}
static void set(int fd, long first_ms, long every_ms) {
    spec = (struct itimerspec){{0, every_ms * 1000000}, {0, first_ms * 1000000}};
    CHECK_EQ(syscall(SYS_timerfd_settime, fd, 0, &spec, NULL), 0);
}

TEST(create_checks_clock_and_flags) {
    CHECK_ERRNO(syscall(SYS_timerfd_create, 99, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_timerfd_create, CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_timerfd_create, CLOCK_MONOTONIC, 1), EINVAL);
    CHECK(syscall(SYS_timerfd_create, CLOCK_REALTIME, 0) >= 0);
    CHECK(syscall(SYS_timerfd_create, CLOCK_BOOTTIME, 0) >= 0);
    CHECK_EQ(fcntl(make(TFD_CLOEXEC), F_GETFD), FD_CLOEXEC);
}
TEST(a_read_waits_for_the_expiry) {
    int fd = make(0);
    long before = t_now_ms();
    set(fd, 20, 0);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK_EQ(count, 1);
    CHECK(t_now_ms() - before >= 19);
}
TEST(a_periodic_timer_counts_its_expiries) {
    int fd = make(0);
    set(fd, 5, 5);
    t_sleep_ms(40);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK(count >= 7);
}
TEST(a_disarmed_timer_is_eagain_when_nonblocking) {
    int fd = make(TFD_NONBLOCK);
    CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
    set(fd, 5, 0);
    CHECK_ERRNO(read(fd, &count, 4), EINVAL);
    t_sleep_ms(20);
    set(fd, 0, 0);
    CHECK_ERRNO(read(fd, &count, 8), EAGAIN);
}
TEST(gettime_tells_what_is_left) {
    int fd = make(0);
    CHECK_EQ(syscall(SYS_timerfd_gettime, fd, &old), 0);
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    spec = (struct itimerspec){{3, 0}, {100, 0}};
    CHECK_EQ(timerfd_settime(fd, 0, &spec, NULL), 0);
    CHECK_EQ(syscall(SYS_timerfd_gettime, fd, &old), 0);
    CHECK_EQ(old.it_interval.tv_sec, 3);
    CHECK(old.it_value.tv_sec >= 98 && old.it_value.tv_sec <= 100);
}
TEST(settime_gives_the_old_setting) {
    int fd = make(0);
    spec = (struct itimerspec){{7, 0}, {50, 0}};
    timerfd_settime(fd, 0, &spec, NULL);
    spec = (struct itimerspec){{0, 0}, {0, 0}};
    CHECK_EQ(timerfd_settime(fd, 0, &spec, &old), 0);
    CHECK_EQ(old.it_interval.tv_sec, 7);
    CHECK(old.it_value.tv_sec >= 49);
}
TEST(an_absolute_time_in_the_past_expires_at_once) {
    int fd = make(TFD_NONBLOCK);
    spec = (struct itimerspec){{0, 0}, {0, 1}};
    CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL), 0);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 1000), 1);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK_EQ(count, 1);
}
TEST(settime_checks_in_order) {
    int fd = make(0);
    spec = (struct itimerspec){{0, 0}, {0, 1000000000}};
    CHECK_ERRNO(syscall(SYS_timerfd_settime, fd, 0, BAD, NULL), EFAULT);
    CHECK_ERRNO(syscall(SYS_timerfd_settime, fd, 0, &spec, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_timerfd_settime, 99, 0, &spec, NULL), EINVAL);
    spec.it_value.tv_nsec = 0;
    CHECK_ERRNO(syscall(SYS_timerfd_settime, fd, 64, &spec, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_timerfd_settime, 99, 0, &spec, NULL), EBADF);
    CHECK_ERRNO(syscall(SYS_timerfd_settime, 0, 0, &spec, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_timerfd_gettime, 99, &spec), EBADF);
    CHECK_ERRNO(syscall(SYS_timerfd_gettime, fd, BAD), EFAULT);
}
TEST(poll_sees_the_expiry) {
    int fd = make(0);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 0);
    set(fd, 10, 0);
    CHECK_EQ(poll(&p, 1, 5000), 1);
    CHECK_EQ(p.revents, POLLIN);
}
TEST(it_cannot_be_written) {
    CHECK_ERRNO(write(make(0), &count, 8), EINVAL);
}
