/* Interval timers and alarm. */
#include "t.h"

static volatile int count;
static void on(int number) {
    (void)number;
    count++;
}
static struct itimerval value, old;

TEST(alarm_tells_what_was_left) {
    CHECK_EQ(syscall(SYS_alarm, 100), 0);
    CHECK_EQ(syscall(SYS_alarm, 50), 100);
    CHECK_EQ(syscall(SYS_alarm, 0), 50);
    CHECK_EQ(syscall(SYS_alarm, 0), 0);
}
TEST(an_alarm_is_not_inherited) {
    alarm(100);
    IN_CHILD(CHECK_EQ(alarm(0), 0));
}
TEST(the_real_timer_sends_sigalrm) {
    t_handle(SIGALRM, on, 0);
    value.it_value.tv_usec = 15000;
    CHECK_EQ(syscall(SYS_setitimer, ITIMER_REAL, &value, NULL), 0);
    CHECK_ERRNO(pause(), EINTR);
    CHECK_EQ(count, 1);
    CHECK_EQ(syscall(SYS_getitimer, ITIMER_REAL, &old), 0);
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
}
TEST(an_unhandled_alarm_kills) { DIES_OF(SIGALRM, value.it_value.tv_usec = 5000; setitimer(ITIMER_REAL, &value, NULL); for (;;) pause()); }
TEST(a_periodic_timer_goes_on) {
    t_handle(SIGALRM, on, 0);
    value.it_value.tv_usec = value.it_interval.tv_usec = 5000;
    setitimer(ITIMER_REAL, &value, NULL);
    while (count < 4) pause();
    CHECK_EQ(syscall(SYS_getitimer, ITIMER_REAL, &old), 0);
    CHECK_EQ(old.it_interval.tv_usec, 5000);
}
TEST(setitimer_gives_the_old_value) {
    value.it_value.tv_sec = 100, value.it_interval.tv_sec = 7;
    CHECK_EQ(setitimer(ITIMER_REAL, &value, NULL), 0);
    CHECK_EQ(syscall(SYS_setitimer, ITIMER_REAL, NULL, &old), 0);
    CHECK(old.it_value.tv_sec >= 98 && old.it_interval.tv_sec == 7);
    CHECK_EQ(alarm(0), 0);
}
TEST(virtual_and_profiling_timers_count_work) {
    t_handle(SIGVTALRM, on, 0);
    value.it_value.tv_usec = 10000;
    CHECK_EQ(setitimer(ITIMER_VIRTUAL, &value, NULL), 0);
    long before = t_now_ms();
    while (!count) CHECK(t_now_ms() - before < 5000);
    t_handle(SIGPROF, on, 0);
    CHECK_EQ(setitimer(ITIMER_PROF, &value, NULL), 0);
    while (count < 2) CHECK(t_now_ms() - before < 5000);
}
TEST(arguments_are_checked) {
    value.it_value.tv_usec = 1000000;
    CHECK_ERRNO(syscall(SYS_setitimer, ITIMER_REAL, &value, NULL), EINVAL);
    value.it_value.tv_usec = -1;
    CHECK_ERRNO(syscall(SYS_setitimer, ITIMER_REAL, &value, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_setitimer, ITIMER_REAL, BAD, NULL), EFAULT);
    CHECK_ERRNO(syscall(SYS_getitimer, 3, &old), EINVAL);
    CHECK_ERRNO(syscall(SYS_getitimer, ITIMER_REAL, BAD), EFAULT);
    value.it_value.tv_usec = 0;
    CHECK_ERRNO(syscall(SYS_setitimer, 3, &value, NULL), EINVAL);
}
