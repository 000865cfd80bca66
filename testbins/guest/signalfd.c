/* signalfd. */
#include "t.h"
#include <sys/signalfd.h>

static struct signalfd_siginfo info[3];
static sigset_t set;

static int make(int flags) {
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = syscall(SYS_signalfd4, -1, &set, 8, flags);
    CHECK(fd >= 0);
    return fd;
}

TEST(a_pending_signal_is_read_and_consumed) {
    int fd = make(0);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(read(fd, info, sizeof *info), 128);
    CHECK_EQ(info[0].ssi_signo, SIGUSR1);
    CHECK_EQ(info[0].ssi_code, SI_USER);
    CHECK_EQ(info[0].ssi_pid, getpid());
    CHECK_EQ(info[0].ssi_uid, getuid());
    sigset_t pending;
    sigpending(&pending);
    CHECK(!sigismember(&pending, SIGUSR1));
}
TEST(queued_values_arrive_in_order) {
    int fd = make(0);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1});
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 2});
    kill(getpid(), SIGUSR1);
    CHECK_EQ(read(fd, info, sizeof info), 3 * 128);
    CHECK_EQ(info[0].ssi_signo, SIGUSR1);
    CHECK_EQ(info[1].ssi_int, 1);
    CHECK_EQ(info[2].ssi_int, 2);
    CHECK_EQ(info[2].ssi_code, SI_QUEUE);
}
TEST(nothing_pending_is_eagain) {
    int fd = make(SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK_ERRNO(read(fd, info, 128), EAGAIN);
    CHECK_ERRNO(read(fd, info, 127), EINVAL);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}
TEST(the_old_call_makes_one_too) {
    sigemptyset(&set);
    int fd = syscall(SYS_signalfd, -1, &set, 8);
    CHECK(fd >= 0);
}
TEST(the_mask_of_an_existing_one_can_change) {
    int fd = make(SFD_NONBLOCK);
    kill(getpid(), SIGUSR1);
    sigemptyset(&set);
    CHECK_EQ(syscall(SYS_signalfd4, fd, &set, 8, 0), fd);
    CHECK_ERRNO(read(fd, info, 128), EAGAIN);
    sigaddset(&set, SIGUSR1);
    CHECK_EQ(syscall(SYS_signalfd4, fd, &set, 8, 0), fd);
    CHECK_EQ(read(fd, info, 128), 128);
}
TEST(checks_come_in_order) {
    sigemptyset(&set);
    CHECK_ERRNO(syscall(SYS_signalfd4, -1, &set, 4, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_signalfd4, -1, BAD, 8, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_signalfd4, -1, &set, 8, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_signalfd4, 99, &set, 8, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_signalfd4, 0, &set, 8, 0), EINVAL);
}
TEST(poll_sees_a_signal_arrive) {
    int fd = make(0);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 0);
    t_kill_later(SIGUSR1, 20);
    CHECK_EQ(poll(&p, 1, 5000), 1);
    CHECK_EQ(p.revents, POLLIN);
}
TEST(a_child_s_end_can_be_read) {
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, 0);
    pid_t pid = t_fork();
    if (pid == 0) _exit(3);
    CHECK_EQ(read(fd, info, 128), 128);
    CHECK_EQ(info[0].ssi_signo, SIGCHLD);
    CHECK_EQ(info[0].ssi_code, CLD_EXITED);
    CHECK_EQ(info[0].ssi_pid, pid);
    CHECK_EQ(info[0].ssi_status, 3);
}
