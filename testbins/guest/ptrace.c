/* Tracing of one process by another. */
#include "t.h"
#include <sys/ptrace.h>
#include <sys/user.h>

/* A child that is traced and has stopped itself. */
static pid_t traced(void (*run)(void)) {
    pid_t pid = t_fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        run();
        _exit(7);
    }
    int status = t_wait(pid);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGSTOP);
    return pid;
}
static void nothing(void) {}
static int next(pid_t pid, int request, long data) {
    CHECK_EQ(ptrace(request, pid, 0, data), 0);
    return t_wait(pid);
}

static long value = 5;
TEST(memory_and_registers_of_a_tracee_are_read_and_written) {
    pid_t pid = traced(nothing);
    CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &value, 0), 5);
    CHECK_EQ(ptrace(PTRACE_POKEDATA, pid, &value, 6), 0);
    CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &value, 0), 6);
    CHECK_EQ(value, 5);
    struct user_regs_struct regs;
    CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
    CHECK_EQ(ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), 0), regs.rip);
    CHECK_EQ(regs.cs, 0x33);
    CHECK_EQ(ptrace(PTRACE_SETREGS, pid, 0, &regs), 0);
    CHECK_ERRNO(ptrace(PTRACE_PEEKDATA, pid, BAD, 0), EIO);
    CHECK_ERRNO(ptrace(PTRACE_PEEKUSER, pid, 3, 0), EIO);
    CHECK_EQ(WEXITSTATUS(next(pid, PTRACE_CONT, 0)), 7);
}
static void one_call(void) { syscall(SYS_getppid); }
TEST(system_calls_stop_before_and_behind) {
    pid_t pid = traced(one_call);
    CHECK_EQ(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD), 0);
    for (;;) {
        CHECK_EQ(WSTOPSIG(next(pid, PTRACE_SYSCALL, 0)), SIGTRAP | 0x80);
        struct user_regs_struct regs;
        CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
        CHECK_EQ((long)regs.rax, -ENOSYS);
        bool found = regs.orig_rax == SYS_getppid;
        CHECK_EQ(WSTOPSIG(next(pid, PTRACE_SYSCALL, 0)), SIGTRAP | 0x80);
        CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
        if (!found) continue;
        CHECK_EQ(regs.rax, getpid());
        break;
    }
    CHECK_EQ(WEXITSTATUS(next(pid, PTRACE_CONT, 0)), 7);
}
static void exit_3(void) { syscall(SYS_exit_group, 3); }
TEST(a_call_can_be_changed_on_its_way) {
    pid_t pid = traced(exit_3);
    struct user_regs_struct regs;
    do {
        next(pid, PTRACE_SYSCALL, 0);
        CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
    } while (regs.orig_rax != SYS_exit_group);
    regs.rdi = 9;
    CHECK_EQ(ptrace(PTRACE_SETREGS, pid, 0, &regs), 0);
    CHECK_EQ(WEXITSTATUS(next(pid, PTRACE_CONT, 0)), 9);
}
static void raise_usr1(void) {
    signal(SIGUSR1, SIG_DFL);
    raise(SIGUSR1);
}
TEST(the_tracer_decides_about_signals) {
    pid_t pid = traced(raise_usr1);
    CHECK_EQ(WSTOPSIG(next(pid, PTRACE_CONT, 0)), SIGUSR1);
    siginfo_t info;
    CHECK_EQ(ptrace(PTRACE_GETSIGINFO, pid, 0, &info), 0);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(WEXITSTATUS(next(pid, PTRACE_CONT, 0)), 7);
    pid = traced(raise_usr1);
    CHECK_EQ(WSTOPSIG(next(pid, PTRACE_CONT, 0)), SIGUSR1);
    CHECK_EQ(WTERMSIG(next(pid, PTRACE_CONT, SIGTERM)), SIGTERM);
}
TEST(single_steps_stop_behind_each_instruction) {
    pid_t pid = traced(nothing);
    struct user_regs_struct regs;
    unsigned long long last = 0;
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(WSTOPSIG(next(pid, PTRACE_SINGLESTEP, 0)), SIGTRAP);
        CHECK_EQ(ptrace(PTRACE_GETREGS, pid, 0, &regs), 0);
        CHECK(regs.rip != last);
        CHECK_EQ(regs.eflags & 0x100, 0);
        last = regs.rip;
    }
    CHECK_EQ(WEXITSTATUS(next(pid, PTRACE_CONT, 0)), 7);
}
static void fork_once(void) {
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    waitpid(pid, NULL, 0);
}
TEST(a_fork_is_an_event_and_its_child_is_traced_too) {
    pid_t pid = traced(fork_once);
    CHECK_EQ(ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK), 0);
    CHECK_EQ(next(pid, PTRACE_CONT, 0) >> 8, SIGTRAP | PTRACE_EVENT_FORK << 8);
    unsigned long child = 0;
    CHECK_EQ(ptrace(PTRACE_GETEVENTMSG, pid, 0, &child), 0);
    CHECK_EQ(WSTOPSIG(t_wait(child)), SIGSTOP);
    CHECK_EQ(ptrace(PTRACE_DETACH, child, 0, 0), 0);
    int status = next(pid, PTRACE_CONT, 0);
    if (WIFSTOPPED(status)) status = next(pid, PTRACE_CONT, 0);
    CHECK_EQ(WEXITSTATUS(status), 7);
}
TEST(one_attaches_to_a_process_and_lets_it_go) {
    pid_t pid = t_fork();
    if (pid == 0) for (;;) pause();
    CHECK_EQ(ptrace(PTRACE_ATTACH, pid, 0, 0), 0);
    CHECK_EQ(WSTOPSIG(t_wait(pid)), SIGSTOP);
    CHECK_ERRNO(ptrace(PTRACE_ATTACH, pid, 0, 0), EPERM);
    CHECK_EQ(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
    CHECK_ERRNO(ptrace(PTRACE_CONT, pid, 0, 0), ESRCH);
    CHECK_EQ(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
    CHECK_EQ(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
    CHECK_EQ(t_wait(pid) >> 8, SIGTRAP | PTRACE_EVENT_STOP << 8);
    kill(pid, SIGKILL);
    CHECK_EQ(WTERMSIG(t_wait(pid)), SIGKILL);
}
TEST(requests_are_checked) {
    CHECK_ERRNO(ptrace(PTRACE_CONT, getppid(), 0, 0), ESRCH);
    CHECK_ERRNO(ptrace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
    CHECK_ERRNO(ptrace(PTRACE_ATTACH, 0x7ffffff, 0, 0), ESRCH);
    pid_t pid = traced(nothing);
    CHECK_ERRNO(ptrace(PTRACE_CONT, pid, 0, 65), EIO);
    CHECK_ERRNO(ptrace(PTRACE_SETOPTIONS, pid, 0, ~0), EINVAL);
    CHECK_ERRNO(ptrace(0x5000, pid, 0, 0), EIO);
    CHECK_EQ(WEXITSTATUS(next(pid, PTRACE_CONT, 0)), 7);
}
