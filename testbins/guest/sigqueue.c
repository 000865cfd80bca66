/* Queued signals and waiting for them. */
#include "t.h"

static sigset_t set;
static siginfo_t info;

static void block(int number) {
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

TEST(realtime_signals_queue_with_their_values) {
    block(SIGRTMIN);
    for (int i = 0; i < 3; i++) CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), SIGRTMIN);
        CHECK_EQ(info.si_value.sival_int, i);
        CHECK_EQ(info.si_code, SI_QUEUE);
        CHECK_EQ(info.si_pid, getpid());
    }
}
TEST(standard_signals_do_not_queue) {
    block(SIGUSR1);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1});
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 2});
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_value.sival_int, 1);
    struct timespec none = {0, 0};
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, &info, &none, 8), EAGAIN);
}
TEST(sigtimedwait_takes_the_lowest_first) {
    sigset_t both;
    block(SIGRTMIN), both = set;
    block(SIGRTMIN + 1);
    sigorset(&both, &both, &set);
    raise(SIGRTMIN + 1), raise(SIGRTMIN);
    CHECK_EQ(sigwaitinfo(&both, &info), SIGRTMIN);
    CHECK_EQ(sigwaitinfo(&both, &info), SIGRTMIN + 1);
}
TEST(sigtimedwait_times_out) {
    block(SIGUSR1);
    struct timespec time = {0, 20000000};
    long before = t_now_ms();
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, NULL, &time, 8), EAGAIN);
    CHECK(t_now_ms() - before >= 20);
}
TEST(sigtimedwait_checks_in_order) {
    block(SIGUSR1);
    struct timespec bad = {0, 1000000000};
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, BAD, NULL, NULL, 4), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, BAD, NULL, &bad, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, NULL, BAD, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigtimedwait, &set, NULL, &bad, 8), EINVAL);
}
TEST(another_signal_interrupts_sigtimedwait) {
    block(SIGUSR1);
    t_handle(SIGUSR2, t_ignore, SA_RESTART);
    t_kill_later(SIGUSR2, 30);
    CHECK_ERRNO(sigwaitinfo(&set, &info), EINTR);
}
TEST(a_waiting_process_is_woken_by_the_signal) {
    block(SIGUSR1);
    pid_t pid = t_kill_later(SIGUSR1, 30);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_pid, pid);
}
TEST(rt_sigqueueinfo_delivers_the_given_record) {
    block(SIGUSR1);
    siginfo_t mine = {.si_code = -60};
    mine.si_pid = 4711, mine.si_value.sival_int = 99;
    CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &mine), 0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK(info.si_code == -60 && info.si_pid == 4711 && info.si_value.sival_int == 99);
}
TEST(rt_tgsigqueueinfo_reaches_one_thread) {
    block(SIGUSR1);
    siginfo_t mine = {.si_code = SI_QUEUE};
    CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &mine), 0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_ERRNO(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &mine), EINVAL);
}
TEST(pretending_to_be_the_kernel_towards_others_is_eperm) {
    siginfo_t mine = {.si_code = SI_USER};
    pid_t pid = t_fork();
    if (pid == 0) pause();
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &mine), EPERM);
    mine.si_code = SI_TKILL;
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &mine), EPERM);
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, BAD), EFAULT);
    mine.si_code = SI_QUEUE;
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, 0x7ffffff, SIGUSR1, &mine), ESRCH);
    CHECK_ERRNO(syscall(SYS_rt_sigqueueinfo, pid, 65, &mine), EINVAL);
    kill(pid, SIGKILL);
    t_wait(pid);
}
TEST(the_queue_is_bounded_by_its_limit) {
    struct { unsigned long cur, max; } limit = {5, 5};
    block(SIGRTMIN);
    CHECK_EQ(setuid(54321), 0);
    CHECK_EQ(syscall(SYS_setrlimit, 11, &limit), 0);
    int sent = 0;
    while (sent < 10 && sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 0}) == 0) sent++;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(sent, 5);
}
TEST(blocked_realtime_signals_run_handlers_in_order) {
    static volatile int values[3], n;
    void on(int number, siginfo_t *got, void *context) {
        (void)number, (void)context;
        values[n++] = got->si_value.sival_int;
    }
    struct sigaction action = {.sa_sigaction = on, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN, &action, NULL);
    block(SIGRTMIN);
    for (int i = 1; i <= 3; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    CHECK(n == 3 && values[0] == 1 && values[1] == 2 && values[2] == 3);
}
