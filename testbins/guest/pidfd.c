/* Descriptors of processes. */
#include "t.h"

TEST(a_pidfd_signals_and_waits) {
    pid_t pid = t_fork();
    if (pid == 0) pause();
    int fd = syscall(SYS_pidfd_open, pid, 0);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), 1);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 0);
    CHECK_EQ(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), 0);
    CHECK_EQ(poll(&p, 1, 5000), 1);
    CHECK(p.revents & POLLIN);
    siginfo_t info;
    CHECK_EQ(waitid(P_PIDFD, fd, &info, WEXITED), 0);
    CHECK_EQ(info.si_status, SIGTERM);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
}
TEST(a_descriptor_can_be_fetched) {
    int file = t_open("f", "hello"), fd = syscall(SYS_pidfd_open, getpid(), 0);
    int copy = syscall(SYS_pidfd_getfd, fd, file, 0);
    CHECK(copy > file);
    CHECK_EQ(lseek(copy, 3, SEEK_SET), 3);
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 3);
    CHECK_ERRNO(syscall(SYS_pidfd_getfd, fd, 99, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_pidfd_getfd, fd, file, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_pidfd_getfd, file, file, 0), EBADF);
}
TEST(arguments_are_checked) {
    CHECK_ERRNO(syscall(SYS_pidfd_open, 0x7ffffff, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_pidfd_open, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_pidfd_open, getpid(), 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0), EBADF);
    int fd = syscall(SYS_pidfd_open, getpid(), 0);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 64), EINVAL);
    CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 65, NULL, 0), EINVAL);
    CHECK_EQ(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0);
}
TEST(mrelease_wants_a_dying_process) {
    int fd = syscall(SYS_pidfd_open, getpid(), 0);
    CHECK_ERRNO(syscall(NR_process_mrelease, fd, 0), EINVAL);
    CHECK_ERRNO(syscall(NR_process_mrelease, fd, 1), EINVAL);
    CHECK_ERRNO(syscall(NR_process_mrelease, 99, 0), EBADF);
}
