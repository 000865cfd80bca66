/* wait4 and waitid. */
#include "t.h"
#include <sys/resource.h>

static int status;
static siginfo_t info;
static pid_t child_exiting(int code) {
    pid_t pid = t_fork();
    if (pid == 0) _exit(code);
    return pid;
}
static long waitid_(int type, int id, void *to, int options) { return syscall(SYS_waitid, type, id, to, options, NULL); }

TEST(wait4_tells_the_exit_code) {
    pid_t pid = child_exiting(7);
    struct rusage usage;
    CHECK_EQ(syscall(SYS_wait4, pid, &status, 0, &usage), pid);
    CHECK_EQ(status, 7 << 8);
    CHECK_ERRNO(syscall(SYS_wait4, pid, &status, 0, NULL), ECHILD);
}
TEST(wait4_tells_the_killing_signal) {
    pid_t pid = t_fork();
    if (pid == 0) pause();
    kill(pid, SIGTERM);
    CHECK_EQ(syscall(SYS_wait4, -1, &status, 0, NULL), pid);
    CHECK_EQ(status & 0x7f, SIGTERM);
}
TEST(wnohang_returns_zero_while_none_has_ended) {
    pid_t pid = t_fork();
    if (pid == 0) pause();
    CHECK_EQ(syscall(SYS_wait4, -1, &status, WNOHANG, NULL), 0);
    kill(pid, SIGKILL);
    t_wait(pid);
    CHECK_ERRNO(syscall(SYS_wait4, -1, &status, WNOHANG, NULL), ECHILD);
}
TEST(wait4_checks_options_and_target) {
    CHECK_ERRNO(syscall(SYS_wait4, -1, NULL, 0x100, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_wait4, -1, NULL, WEXITED, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_wait4, INT_MIN, NULL, 0, NULL), ESRCH);
    CHECK_ERRNO(syscall(SYS_wait4, getpid(), NULL, 0, NULL), ECHILD);
    child_exiting(0);
    CHECK_ERRNO(syscall(SYS_wait4, -1, BAD, 0, NULL), EFAULT);
    CHECK_ERRNO(syscall(SYS_wait4, -1, NULL, 0, NULL), ECHILD);
}
TEST(stops_and_continues_are_reported_when_asked) {
    pid_t pid = t_fork();
    if (pid == 0)
        for (;;) pause();
    kill(pid, SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
    kill(pid, SIGCONT);
    CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
    CHECK(WIFCONTINUED(status));
    CHECK_EQ(status, 0xffff);
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
}
TEST(a_stopped_process_dies_of_sigkill) {
    pid_t pid = t_fork();
    if (pid == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_EQ(WSTOPSIG(status), SIGSTOP);
    kill(pid, SIGTERM);
    kill(pid, SIGKILL);
    CHECK_EQ(WTERMSIG(t_wait(pid)), SIGKILL);
}
TEST(waitid_fills_a_siginfo) {
    pid_t pid = child_exiting(9);
    CHECK_EQ(waitid_(P_PID, pid, &info, WEXITED), 0);
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_status, 9);
    CHECK_EQ(info.si_pid, pid);
}
TEST(waitid_with_wnowait_leaves_the_child) {
    pid_t pid = child_exiting(1);
    CHECK_EQ(waitid_(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(waitid_(P_ALL, 0, &info, WEXITED), 0);
    CHECK_ERRNO(waitid_(P_ALL, 0, &info, WEXITED), ECHILD);
}
TEST(waitid_with_wnohang_clears_the_record) {
    pid_t pid = t_fork();
    if (pid == 0) pause();
    info.si_pid = 5, info.si_signo = 5;
    CHECK_EQ(waitid_(P_ALL, 0, &info, WEXITED | WNOHANG), 0);
    CHECK(info.si_pid == 0 && info.si_signo == 0);
    kill(pid, SIGKILL);
    CHECK_EQ(waitid_(P_PID, pid, &info, WEXITED), 0);
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGKILL);
}
TEST(waitid_checks_its_arguments) {
    CHECK_ERRNO(waitid_(P_ALL, 0, &info, 0), EINVAL);
    CHECK_ERRNO(waitid_(P_ALL, 0, &info, WEXITED | 0x100), EINVAL);
    CHECK_ERRNO(waitid_(9, 0, &info, WEXITED), EINVAL);
    CHECK_ERRNO(waitid_(P_PID, 0, &info, WEXITED), EINVAL);
    CHECK_ERRNO(waitid_(P_PGID, -1, &info, WEXITED), EINVAL);
    CHECK_ERRNO(waitid_(P_PIDFD, 99, &info, WEXITED), EBADF);
    CHECK_ERRNO(waitid_(P_ALL, 0, &info, WEXITED), ECHILD);
}
TEST(waiting_can_be_limited_to_a_group) {
    pid_t pid = t_fork();
    if (pid == 0) {
        setpgid(0, 0);
        _exit(4);
    }
    setpgid(pid, pid);
    CHECK_ERRNO(waitpid(0, &status, 0), ECHILD);
    CHECK_EQ(waitpid(-pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 4);
}
TEST(ignoring_sigchld_reaps_by_itself) {
    signal(SIGCHLD, SIG_IGN);
    child_exiting(0);
    child_exiting(1);
    CHECK_ERRNO(wait(&status), ECHILD);
}
TEST(sigchld_arrives_and_interrupts) {
    t_handle(SIGCHLD, t_ignore, 0);
    pid_t pid = t_fork();
    if (pid == 0) {
        t_sleep_ms(20);
        _exit(0);
    }
    CHECK_ERRNO(pause(), EINTR);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(nocldstop_hides_stops) {
    static volatile int calls;
    void on(int number) {
        (void)number;
        calls++;
    }
    t_handle(SIGCHLD, on, SA_NOCLDSTOP | SA_RESTART);
    pid_t pid = t_fork();
    if (pid == 0)
        for (;;) pause();
    kill(pid, SIGSTOP);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK_EQ(calls, 0);
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(calls, 1);
}
TEST(a_zombie_still_has_a_pid) {
    pid_t pid = child_exiting(0);
    waitid_(P_PID, pid, &info, WEXITED | WNOWAIT);
    CHECK_EQ(kill(pid, SIGTERM), 0);
    CHECK_EQ(t_wait(pid), 0);
    CHECK_ERRNO(kill(pid, 0), ESRCH);
}
TEST(children_can_be_waited_for_in_any_order) {
    pid_t a = child_exiting(1), b = child_exiting(2), c = child_exiting(3);
    CHECK_EQ(WEXITSTATUS(t_wait(b)), 2);
    CHECK_EQ(WEXITSTATUS(t_wait(c)), 3);
    CHECK_EQ(WEXITSTATUS(t_wait(a)), 1);
}
