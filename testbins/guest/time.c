/* Clocks and sleeping. */
#include "t.h"
#include <sys/timex.h>
#include <utime.h>

static struct timespec ts, other;
static long sleep_(int clock, int flags, void *request, void *remain) { return syscall(SYS_clock_nanosleep, clock, flags, request, remain); }

TEST(the_clocks_agree_on_the_time_of_day) {
    struct timeval tv;
    time_t stored;
    CHECK_EQ(syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts), 0);
    CHECK_EQ(syscall(SYS_gettimeofday, &tv, NULL), 0);
    time_t now = syscall(SYS_time, &stored);
    CHECK(now == stored && now - ts.tv_sec <= 5 && tv.tv_sec - ts.tv_sec <= 5);
    CHECK(ts.tv_sec > 1700000000 && ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
    CHECK_ERRNO(syscall(SYS_time, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_gettimeofday, BAD, NULL), EFAULT);
    CHECK_EQ(syscall(SYS_gettimeofday, NULL, NULL), 0);
}
TEST(monotonic_time_never_goes_back) {
    clock_gettime(CLOCK_MONOTONIC, &ts);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &other), 0);
        CHECK(other.tv_sec > ts.tv_sec || (other.tv_sec == ts.tv_sec && other.tv_nsec >= ts.tv_nsec));
        ts = other;
    }
}
TEST(every_clock_has_a_time_and_a_resolution) {
    for (int clock = 0; clock <= 7; clock++) {
        CHECK_EQ(syscall(SYS_clock_gettime, clock, &ts), 0);
        CHECK_EQ(syscall(SYS_clock_getres, clock, &ts), 0);
        CHECK(ts.tv_sec == 0 && ts.tv_nsec > 0);
        CHECK_EQ(syscall(SYS_clock_getres, clock, NULL), 0);
    }
    CHECK_ERRNO(syscall(SYS_clock_gettime, 99, &ts), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_getres, 99, &ts), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_gettime, 0, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_clock_gettime, 99, BAD), EINVAL);
}
TEST(cpu_clocks_count_work_and_not_sleep) {
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    t_sleep_ms(30);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &other);
    CHECK((other.tv_sec - ts.tv_sec) * 1000000000L + other.tv_nsec - ts.tv_nsec < 25000000);
    for (volatile int i = 0; i < 100000; i++) {}
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    CHECK(ts.tv_sec > 0 || ts.tv_nsec > 0);
}
TEST(another_process_s_cpu_clock_can_be_read) {
    pid_t pid = t_fork();
    if (pid == 0) pause();
    CHECK_EQ(syscall(SYS_clock_gettime, ~pid << 3 | 2, &ts), 0);
    kill(pid, SIGKILL);
    t_wait(pid);
    CHECK_ERRNO(syscall(SYS_clock_gettime, ~pid << 3 | 2, &ts), EINVAL);
}
TEST(nanosleep_sleeps_at_least_as_long) {
    long before = t_now_ms();
    ts = (struct timespec){0, 25000000};
    CHECK_EQ(syscall(SYS_nanosleep, &ts, NULL), 0);
    CHECK(t_now_ms() - before >= 25);
}
TEST(nanosleep_checks_its_time) {
    ts = (struct timespec){0, 1000000000};
    CHECK_ERRNO(syscall(SYS_nanosleep, &ts, NULL), EINVAL);
    ts = (struct timespec){-1, 0};
    CHECK_ERRNO(syscall(SYS_nanosleep, &ts, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_nanosleep, BAD, NULL), EFAULT);
}
TEST(an_interrupted_sleep_tells_what_remains) {
    t_handle(SIGUSR1, t_ignore, SA_RESTART);
    t_kill_later(SIGUSR1, 30);
    ts = (struct timespec){5, 0};
    CHECK_ERRNO(syscall(SYS_nanosleep, &ts, &other), EINTR);
    CHECK(other.tv_sec == 4 && other.tv_nsec > 0);
}
TEST(a_stopped_sleep_goes_on_to_its_end) {
    pid_t pid = t_fork();
    if (pid == 0) {
        long before = t_now_ms();
        ts = (struct timespec){0, 60000000};
        CHECK_EQ(syscall(SYS_nanosleep, &ts, NULL), 0);
        CHECK(t_now_ms() - before >= 60);
        _exit(0);
    }
    t_sleep_ms(10);
    kill(pid, SIGSTOP);
    int status;
    waitpid(pid, &status, WUNTRACED);
    kill(pid, SIGCONT);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(clock_nanosleep_takes_an_absolute_time) {
    clock_gettime(CLOCK_MONOTONIC, &ts);
    other = ts;
    ts.tv_nsec += 20000000;
    if (ts.tv_nsec >= 1000000000) ts.tv_sec++, ts.tv_nsec -= 1000000000;
    CHECK_EQ(sleep_(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &other);
    CHECK(other.tv_sec > ts.tv_sec || (other.tv_sec == ts.tv_sec && other.tv_nsec >= ts.tv_nsec));
    ts = (struct timespec){1, 0};
    CHECK_EQ(sleep_(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL), 0);
}
TEST(clock_nanosleep_checks_in_order) {
    ts = (struct timespec){0, 1000000000};
    CHECK_ERRNO(sleep_(99, 0, BAD, NULL), EINVAL);
    CHECK_ERRNO(sleep_(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EOPNOTSUPP);
    CHECK_ERRNO(sleep_(CLOCK_MONOTONIC, 0, BAD, NULL), EFAULT);
    CHECK_ERRNO(sleep_(CLOCK_MONOTONIC, 0, &ts, NULL), EINVAL);
    CHECK_ERRNO(sleep_(CLOCK_MONOTONIC_COARSE, 0, &ts, NULL), EOPNOTSUPP);
}
TEST(setting_a_clock_is_checked) {
    struct timeval tv = {0, 1000000};
    ts = (struct timespec){0, 1000000000};
    CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_MONOTONIC, &ts), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_REALTIME, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_REALTIME, &ts), EINVAL);
    CHECK_ERRNO(syscall(SYS_settimeofday, &tv, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_settimeofday, BAD, NULL), EFAULT);
    setuid(1000);
    ts.tv_nsec = 0, tv.tv_usec = 0;
    CHECK_ERRNO(syscall(SYS_clock_settime, CLOCK_REALTIME, &ts), EPERM);
    CHECK_ERRNO(syscall(SYS_settimeofday, &tv, NULL), EPERM);
}
TEST(adjtimex_can_be_read_by_anyone_and_set_by_root) {
    struct timex timex = {0};
    setuid(1000);
    long state = syscall(SYS_adjtimex, &timex);
    CHECK(state >= 0 && state <= 5);
    CHECK(timex.tick >= 9000 && timex.tick <= 11000);
    timex.modes = 0;
    CHECK_EQ(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &timex), state);
    timex.modes = ADJ_TICK;
    CHECK_ERRNO(syscall(SYS_adjtimex, &timex), EPERM);
    CHECK_ERRNO(syscall(SYS_adjtimex, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &timex), EOPNOTSUPP);
    CHECK_ERRNO(syscall(SYS_clock_adjtime, 99, &timex), EINVAL);
}
