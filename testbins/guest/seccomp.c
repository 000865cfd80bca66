/* Filters of system calls. */
#include "t.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#define NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define RET(what) BPF_STMT(BPF_RET | BPF_K, what)

static int install(struct sock_filter *filter, int len) {
    struct sock_fprog program = {len, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
static void forbid(int nr, unsigned what) {
    struct sock_filter filter[] = {NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RET(what), RET(SECCOMP_RET_ALLOW)};
    CHECK_EQ(install(filter, 4), 0);
}

TEST(a_filter_makes_a_call_fail) {
    forbid(SYS_getppid, SECCOMP_RET_ERRNO | 77);
    CHECK_ERRNO(syscall(SYS_getppid), 77);
    CHECK(syscall(SYS_getpid) > 0);
    CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
    IN_CHILD(CHECK_ERRNO(syscall(SYS_getppid), 77));
}
TEST(the_strictest_filter_wins) {
    forbid(SYS_getppid, SECCOMP_RET_ERRNO | 1);
    forbid(SYS_getppid, SECCOMP_RET_ALLOW);
    CHECK_ERRNO(syscall(SYS_getppid), 1);
}
TEST(a_filter_kills) {
    DIES_OF(SIGSYS, forbid(SYS_getppid, SECCOMP_RET_KILL_PROCESS); syscall(SYS_getppid));
    DIES_OF(SIGSYS, forbid(SYS_getppid, SECCOMP_RET_KILL_THREAD); syscall(SYS_getppid));
}
static volatile int trapped, number;
static void on_sys(int signal, siginfo_t *info, void *context) {
    trapped = info->si_errno;
    number = info->si_syscall;
}
TEST(a_filter_traps) {
    struct sigaction action = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    forbid(SYS_getppid, SECCOMP_RET_TRAP | 12);
    CHECK_EQ(syscall(SYS_getppid), SYS_getppid);
    CHECK_EQ(trapped, 12);
    CHECK_EQ(number, SYS_getppid);
}
TEST(arguments_are_seen) {
    struct sock_filter filter[] = {
        NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 100, 0, 1), RET(SECCOMP_RET_ERRNO | 5), RET(SECCOMP_RET_ALLOW),
    };
    CHECK_EQ(install(filter, 6), 0);
    CHECK(dup(1) >= 0);
    CHECK_ERRNO(dup(99), EBADF);
    CHECK_ERRNO(dup(101), 5);
}
TEST(strict_mode_leaves_four_calls) {
    DIES_OF(SIGKILL, prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT); syscall(SYS_getpid));
    pid_t pid = t_fork();
    if (pid == 0) {
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        syscall(SYS_exit, 4);
    }
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 4);
}
TEST(programs_are_checked) {
    struct sock_filter none[] = {RET(0)}, open_end[] = {NR}, far[] = {BPF_JUMP(BPF_JMP | BPF_JA, 9, 0, 0), RET(0)};
    struct sock_filter zero[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RET(0)};
    struct sock_filter outside[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RET(0)};
    struct sock_filter fresh[] = {BPF_STMT(BPF_LD | BPF_MEM, 3), RET(0)}, half[] = {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RET(0)};
    CHECK_ERRNO(install(none, 0), EINVAL);
    CHECK_ERRNO(install(open_end, 1), EINVAL);
    CHECK_ERRNO(install(far, 2), EINVAL);
    CHECK_ERRNO(install(zero, 2), EINVAL);
    CHECK_ERRNO(install(outside, 2), EINVAL);
    CHECK_ERRNO(install(fresh, 2), EINVAL);
    CHECK_ERRNO(install(half, 2), EINVAL);
    CHECK_ERRNO(syscall(SYS_seccomp, 9, 0, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1 << 20, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
}
