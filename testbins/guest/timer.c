/* POSIX timers. */
#include "t.h"
#include <pthread.h>

static sigset_t set;
static siginfo_t info;
static struct itimerspec spec, old;
static int id;

static void make(int clock, int number, int value) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = number, .sigev_value.sival_int = value};
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK_EQ(syscall(SYS_timer_create, clock, &event, &id), 0);
}
static long set_ms(long first, long every, int flags) {
    spec = (struct itimerspec){{every / 1000, every % 1000 * 1000000}, {first / 1000, first % 1000 * 1000000}};
    return syscall(SYS_timer_settime, id, flags, &spec, &old);
}
TEST(an_expiry_sends_the_signal_with_the_value) {
    make(CLOCK_MONOTONIC, SIGRTMIN, 77);
    CHECK_EQ(set_ms(15, 0, 0), 0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK_EQ(info.si_value.sival_int, 77);
    CHECK_EQ(info.si_timerid, id);
    CHECK_EQ(info.si_overrun, 0);
}
TEST(without_an_event_it_sends_sigalrm_with_the_id) {
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK_EQ(syscall(SYS_timer_create, CLOCK_REALTIME, NULL, &id), 0);
    CHECK_EQ(set_ms(5, 0, 0), 0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGALRM);
    CHECK_EQ(info.si_value.sival_int, id);
}
TEST(missed_expiries_are_counted_as_overruns) {
    make(CLOCK_MONOTONIC, SIGRTMIN, 0);
    CHECK_EQ(set_ms(5, 5, 0), 0);
    t_sleep_ms(60);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    CHECK(info.si_overrun >= 9);
    CHECK_EQ(syscall(SYS_timer_getoverrun, id), info.si_overrun);
}
TEST(gettime_tells_what_is_left_and_settime_what_was) {
    make(CLOCK_MONOTONIC, SIGRTMIN, 0);
    CHECK_EQ(syscall(SYS_timer_gettime, id, &old), 0);
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    CHECK_EQ(set_ms(100000, 3000, 0), 0);
    CHECK_EQ(syscall(SYS_timer_gettime, id, &old), 0);
    CHECK(old.it_value.tv_sec >= 98 && old.it_value.tv_sec <= 100 && old.it_interval.tv_sec == 3);
    CHECK_EQ(set_ms(0, 0, 0), 0);
    CHECK(old.it_value.tv_sec >= 98 && old.it_interval.tv_sec == 3);
}
TEST(a_deleted_timer_is_gone) {
    make(CLOCK_MONOTONIC, SIGRTMIN, 0);
    set_ms(5, 0, 0);
    CHECK_EQ(syscall(SYS_timer_delete, id), 0);
    CHECK_ERRNO(syscall(SYS_timer_delete, id), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_gettime, id, &old), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_getoverrun, id), EINVAL);
    CHECK_ERRNO(set_ms(1, 0, 0), EINVAL);
    struct timespec time = {0, 20000000};
    CHECK_ERRNO(sigtimedwait(&set, NULL, &time), EAGAIN);
}
TEST(an_absolute_time_in_the_past_fires_at_once) {
    make(CLOCK_MONOTONIC, SIGRTMIN, 0);
    CHECK_EQ(set_ms(1, 0, TIMER_ABSTIME), 0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
}
TEST(sigev_none_only_counts) {
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), 0);
    CHECK_EQ(set_ms(5, 0, 0), 0);
    t_sleep_ms(10);
    CHECK_EQ(syscall(SYS_timer_gettime, id, &old), 0);
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
}
TEST(a_thread_can_be_named) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
    event._sigev_un._tid = gettid();
    CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), 0);
    event._sigev_un._tid = 1;
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
}
TEST(a_cpu_time_timer_counts_work) {
    make(CLOCK_PROCESS_CPUTIME_ID, SIGRTMIN, 0);
    CHECK_EQ(set_ms(20, 0, 0), 0);
    struct timespec none = {0, 0};
    long before = t_now_ms();
    while (sigtimedwait(&set, &info, &none) < 0) CHECK(t_now_ms() - before < 5000);
    CHECK_EQ(info.si_code, SI_TIMER);
}
TEST(arguments_are_checked) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
    CHECK_ERRNO(syscall(SYS_timer_create, 99, NULL, &id), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, BAD, &id), EFAULT);
    CHECK_ERRNO(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, BAD), EFAULT);
    make(CLOCK_MONOTONIC, SIGRTMIN, 0);
    spec = (struct itimerspec){{0, 0}, {0, 1000000000}};
    CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, &spec, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, NULL, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_timer_settime, id, 0, BAD, NULL), EFAULT);
    CHECK_ERRNO(syscall(SYS_timer_gettime, id, BAD), EFAULT);
}
TEST(timers_are_not_inherited) {
    make(CLOCK_MONOTONIC, SIGRTMIN, 0);
    IN_CHILD(CHECK_ERRNO(syscall(SYS_timer_gettime, id, &old), EINVAL));
}
