/* POSIX message queues. */
#include "t.h"
#include <mqueue.h>

static struct mq_attr attr = {.mq_maxmsg = 3, .mq_msgsize = 8};
static char name[32], text[16];
static unsigned priority;
static int make(int flags) {
    snprintf(name, sizeof name, "emu-test-%d", getpid());
    int q = syscall(SYS_mq_open, name, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &attr);
    CHECK(q >= 0);
    return q;
}
static long post(int q, const char *what, unsigned at) { return syscall(SYS_mq_timedsend, q, what, strlen(what), at, NULL); }
static long receive(int q, size_t size, struct timespec *time) { return syscall(SYS_mq_timedreceive, q, text, size, &priority, time); }

TEST(higher_priorities_come_first) {
    int q = make(0);
    CHECK_EQ(post(q, "low", 1) + post(q, "high", 9) + post(q, "mid", 5), 0);
    CHECK_EQ(receive(q, 8, NULL), 4);
    CHECK(priority == 9 && !memcmp(text, "high", 4));
    CHECK_EQ(receive(q, 8, NULL), 3);
    CHECK_EQ(receive(q, 8, NULL), 3);
    CHECK_EQ(priority, 1);
    CHECK_EQ(syscall(SYS_mq_unlink, name), 0);
    CHECK_ERRNO(syscall(SYS_mq_unlink, name), ENOENT);
}
TEST(a_name_opens_the_same_queue) {
    int q = make(0), same = syscall(SYS_mq_open, name, O_RDWR, 0, NULL);
    post(same, "x", 0);
    CHECK_EQ(receive(q, 8, NULL), 1);
    CHECK_ERRNO(syscall(SYS_mq_open, name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
    syscall(SYS_mq_unlink, name);
    CHECK_ERRNO(syscall(SYS_mq_open, name, O_RDWR, 0, NULL), ENOENT);
}
TEST(attributes_can_be_read_and_nonblock_set) {
    int q = make(0);
    struct mq_attr now = {.mq_flags = O_NONBLOCK}, old;
    post(q, "x", 0);
    CHECK_EQ(syscall(SYS_mq_getsetattr, q, &now, &old), 0);
    CHECK(old.mq_flags == 0 && old.mq_maxmsg == 3 && old.mq_msgsize == 8 && old.mq_curmsgs == 1);
    CHECK_EQ(syscall(SYS_mq_getsetattr, q, NULL, &old), 0);
    CHECK_EQ(old.mq_flags, O_NONBLOCK);
    receive(q, 8, NULL);
    CHECK_ERRNO(receive(q, 8, NULL), EAGAIN);
    for (int i = 0; i < 3; i++) CHECK_EQ(post(q, "x", 0), 0);
    CHECK_ERRNO(post(q, "x", 0), EAGAIN);
    syscall(SYS_mq_unlink, name);
}
TEST(sizes_and_priorities_are_checked) {
    int q = make(0);
    CHECK_ERRNO(receive(q, 7, NULL), EMSGSIZE);
    CHECK_ERRNO(post(q, "123456789", 0), EMSGSIZE);
    CHECK_ERRNO(post(q, "x", 32768), EINVAL);
    CHECK_ERRNO(post(0, "x", 0), EBADF);
    struct timespec bad = {0, -1};
    CHECK_ERRNO(receive(q, 8, &bad), EINVAL);
    CHECK_ERRNO(syscall(SYS_mq_open, "a/b", O_CREAT | O_RDWR, 0600, NULL), EACCES);
    CHECK_ERRNO(syscall(SYS_mq_open, "", O_CREAT | O_RDWR, 0600, NULL), ENOENT);
    syscall(SYS_mq_unlink, name);
}
TEST(waiting_ends_at_an_absolute_time) {
    int q = make(0);
    struct timespec past = {1, 0};
    CHECK_ERRNO(receive(q, 8, &past), ETIMEDOUT);
    syscall(SYS_mq_unlink, name);
}
TEST(a_blocked_receiver_is_woken) {
    int q = make(0);
    pid_t pid = t_fork();
    if (pid == 0) {
        t_sleep_ms(20);
        _exit(post(q, "hi", 2) != 0);
    }
    CHECK_EQ(receive(q, 8, NULL), 2);
    CHECK_EQ(t_wait(pid), 0);
    syscall(SYS_mq_unlink, name);
}
TEST(notification_comes_once_for_an_empty_queue) {
    int q = make(0);
    sigset_t set;
    siginfo_t info;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 5};
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigprocmask(SIG_BLOCK, &set, NULL);
    CHECK_EQ(syscall(SYS_mq_notify, q, &event), 0);
    CHECK_ERRNO(syscall(SYS_mq_notify, q, &event), EBUSY);
    post(q, "x", 0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK(info.si_code == SI_MESGQ && info.si_value.sival_int == 5 && info.si_pid == getpid());
    CHECK_EQ(syscall(SYS_mq_notify, q, &event), 0);
    CHECK_EQ(syscall(SYS_mq_notify, q, NULL), 0);
    CHECK_ERRNO(syscall(SYS_mq_notify, 99, &event), EBADF);
    syscall(SYS_mq_unlink, name);
}
TEST(a_queue_can_be_polled) {
    int q = make(0);
    struct pollfd p = {q, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLOUT);
    for (int i = 0; i < 3; i++) post(q, "x", 0);
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLIN);
    syscall(SYS_mq_unlink, name);
}
