/* clone and clone3 without a thread library. */
#include "t.h"
#include <linux/sched.h>
#include <sched.h>

static volatile int shared;
static char stack[65536] __attribute__((aligned(16)));

static int set_shared(void *to) {
    shared = (int)(long)to;
    syscall(SYS_exit, 5);
    return 0;
}
static long clone3(struct clone_args *args, size_t size) { return syscall(SYS_clone3, args, size); }

TEST(clone_with_sigchld_alone_is_fork) {
    pid_t pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    CHECK(pid >= 0);
    if (pid == 0) _exit(3);
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 3);
}
TEST(clone_vm_shares_memory) {
    pid_t pid = clone(set_shared, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)42);
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 5);
    CHECK_EQ(shared, 42);
}
TEST(clone_vm_and_vfork_waits_for_the_child) {
    pid_t pid = clone(set_shared, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)43);
    CHECK_EQ(shared, 43);
    t_wait(pid);
}
static int opens(void *unused) {
    (void)unused;
    return dup2(0, 50) != 50 || chdir("/");
}
TEST(clone_files_and_fs_share_descriptors_and_directory) {
    pid_t pid = clone(opens, stack + sizeof stack, CLONE_FILES | CLONE_FS | SIGCHLD, NULL);
    CHECK_EQ(t_wait(pid), 0);
    CHECK_EQ(fcntl(50, F_GETFD), 0);
    char path[64];
    CHECK_EQ(syscall(SYS_getcwd, path, 64), 2);
    CHECK_STR(path, "/");
}
TEST(clone_without_them_does_not) {
    pid_t pid = clone(opens, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    CHECK_EQ(t_wait(pid), 0);
    CHECK_ERRNO(fcntl(50, F_GETFD), EBADF);
}
TEST(clone_stores_the_child_s_id_where_asked) {
    static int parent_tid, child_tid;
    pid_t pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL, &parent_tid, &child_tid, 0);
    if (pid == 0) _exit(child_tid != getpid());
    CHECK_EQ(parent_tid, pid);
    CHECK_EQ(child_tid, 0);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(flags_that_need_each_other_are_checked) {
    CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND, stack, 0, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | CLONE_VM, stack, 0, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0), EINVAL);
}
TEST(a_child_can_have_another_exit_signal_or_none) {
    int status;
    pid_t pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
    if (pid == 0) _exit(1);
    CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
    CHECK_EQ(waitpid(pid, &status, __WALL), pid);
    t_handle(SIGUSR1, t_ignore, SA_RESTART);
    pid = syscall(SYS_clone, SIGUSR1, NULL, NULL, NULL, NULL);
    if (pid == 0) _exit(1);
    CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
    CHECK_EQ(waitpid(pid, &status, __WCLONE), pid);
}
TEST(clone_parent_makes_a_sibling) {
    pid_t pid = t_fork();
    if (pid == 0) {
        pid_t mine = getppid(), sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
        if (sibling == 0) _exit(getppid() != mine);
        CHECK_ERRNO(wait(NULL), ECHILD);
        _exit(0);
    }
    CHECK_EQ(t_wait(pid), 0);
    int status;
    CHECK(wait(&status) > 0);
    CHECK_EQ(status, 0);
}
TEST(clone3_forks_and_gives_a_pidfd) {
    int pidfd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (long)&pidfd, .exit_signal = SIGCHLD};
    pid_t pid = clone3(&args, sizeof args);
    CHECK(pid >= 0);
    if (pid == 0) _exit(6);
    CHECK(pidfd > 2);
    CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    siginfo_t info;
    CHECK_EQ(waitid(P_PIDFD, pidfd, &info, WEXITED), 0);
    CHECK_EQ(info.si_status, 6);
    CHECK_EQ(info.si_pid, pid);
}
TEST(clone3_checks_its_record) {
    struct clone_args args = {.exit_signal = SIGCHLD};
    char large[128] = {0};
    CHECK_ERRNO(clone3(&args, 63), EINVAL);
    CHECK_ERRNO(clone3(&args, 5000), E2BIG);
    large[120] = 1;
    CHECK_ERRNO(clone3((void *)large, 128), E2BIG);
    CHECK_ERRNO(clone3(BAD, sizeof args), EFAULT);
    args.exit_signal = 65;
    CHECK_ERRNO(clone3(&args, sizeof args), EINVAL);
    args.exit_signal = SIGCHLD, args.stack = (long)stack;
    CHECK_ERRNO(clone3(&args, sizeof args), EINVAL);
    args.stack = 0, args.flags = CLONE_DETACHED;
    CHECK_ERRNO(clone3(&args, sizeof args), EINVAL);
}
TEST(clone3_can_reset_handlers) {
    signal(SIGUSR1, t_ignore);
    struct clone_args args = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    pid_t pid = clone3(&args, sizeof args);
    if (pid == 0) {
        struct sigaction old;
        sigaction(SIGUSR1, NULL, &old);
        _exit(old.sa_handler != SIG_DFL);
    }
    CHECK_EQ(t_wait(pid), 0);
}
static int sets_handler(void *unused) {
    (void)unused;
    signal(SIGUSR1, t_ignore);
    return 0;
}
TEST(clone_sighand_shares_actions) {
    pid_t pid = clone(sets_handler, stack + sizeof stack, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL);
    CHECK_EQ(t_wait(pid), 0);
    struct sigaction old;
    sigaction(SIGUSR1, NULL, &old);
    CHECK(old.sa_handler == t_ignore);
}
