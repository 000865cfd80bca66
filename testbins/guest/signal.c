/* Actions, masks, delivery, alternate stacks. */
#include "t.h"
#include <setjmp.h>

static volatile int count, last, order[8], nested;
static volatile siginfo_t seen;
static void on(int number) {
    last = number;
    order[count++ & 7] = number;
}
static void on_info(int number, siginfo_t *info, void *context) {
    (void)context;
    seen = *info;
    on(number);
}
struct kaction { void *handler; unsigned long flags; void *restorer; unsigned long mask; };

TEST(sigaction_gives_back_what_was_set) {
    struct sigaction new = {.sa_handler = on, .sa_flags = SA_RESTART | SA_NODEFER}, old;
    sigaddset(&new.sa_mask, SIGUSR2);
    CHECK_EQ(sigaction(SIGUSR1, &new, NULL), 0);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_handler == on);
    CHECK_EQ(old.sa_flags & ~0x04000000, SA_RESTART | SA_NODEFER);
    CHECK(sigismember(&old.sa_mask, SIGUSR2) && !sigismember(&old.sa_mask, SIGUSR1));
}
TEST(rt_sigaction_checks_in_order) {
    struct kaction action = {0};
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, BAD, NULL, 4), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, BAD, NULL, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGKILL, BAD, NULL, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 0, &action, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, 65, &action, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGKILL, &action, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGSTOP, &action, NULL, 8), EINVAL);
    CHECK_EQ(syscall(SYS_rt_sigaction, SIGKILL, NULL, &action, 8), 0);
    CHECK_ERRNO(syscall(SYS_rt_sigaction, SIGUSR1, NULL, BAD, 8), EFAULT);
}
TEST(a_handler_sees_who_sent) {
    struct sigaction action = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(last, SIGUSR1);
    CHECK_EQ(seen.si_code, SI_USER);
    CHECK_EQ(seen.si_pid, getpid());
    CHECK_EQ(seen.si_errno, 0);
    syscall(SYS_tkill, gettid(), SIGUSR1);
    CHECK_EQ(seen.si_code, SI_TKILL);
}
TEST(sigprocmask_blocks_and_delivers_when_opened) {
    sigset_t set, old;
    signal(SIGUSR1, on);
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &old), 0);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(count, 0);
    sigset_t pending;
    CHECK_EQ(syscall(SYS_rt_sigpending, &pending, 8), 0);
    CHECK(sigismember(&pending, SIGUSR1));
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
    CHECK_EQ(count, 1);
}
TEST(sigprocmask_checks_its_arguments) {
    unsigned long set = 0;
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 7, &set, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, 7, BAD, NULL, 8), EFAULT);
    CHECK_EQ(syscall(SYS_rt_sigprocmask, 7, NULL, &set, 8), 0);
    CHECK_ERRNO(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, BAD, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_rt_sigpending, &set, 9), EINVAL);
}
TEST(kill_and_stop_cannot_be_blocked) {
    unsigned long all = -1, now;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &now, 8);
    CHECK_EQ(now, ~(1UL << 8 | 1UL << 18));
}
TEST(a_signal_is_blocked_in_its_own_handler) {
    signal(SIGUSR1, on);
    sigset_t set;
    void raise_inside(int number) {
        (void)number;
        raise(SIGUSR1);
        nested = count;
    }
    signal(SIGUSR2, raise_inside);
    struct sigaction action = {.sa_handler = raise_inside};
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGUSR2);
    CHECK_EQ(nested, 0);
    CHECK_EQ(count, 1);
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK(!sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2));
}
TEST(nodefer_lets_a_signal_nest) {
    static volatile int depth, deepest;
    void again(int number) {
        if (++depth > deepest) deepest = depth;
        if (depth < 3) raise(number);
        depth--;
    }
    t_handle(SIGUSR1, again, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(deepest, 3);
}
TEST(resethand_acts_once) {
    t_handle(SIGUSR1, on, SA_RESETHAND);
    raise(SIGUSR1);
    CHECK_EQ(count, 1);
    struct sigaction old;
    sigaction(SIGUSR1, NULL, &old);
    CHECK(old.sa_handler == SIG_DFL);
}
TEST(pending_signals_are_delivered_lowest_last) {
    sigset_t set;
    signal(SIGUSR1, on), signal(SIGUSR2, on), signal(SIGHUP, on);
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    raise(SIGUSR2), raise(SIGHUP), raise(SIGUSR1);
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    CHECK(order[0] == SIGUSR2 && order[1] == SIGUSR1 && order[2] == SIGHUP);
}
TEST(default_actions_kill_or_are_ignored) {
    DIES_OF(SIGTERM, raise(SIGTERM));
    DIES_OF(SIGRTMIN, raise(SIGRTMIN));
    IN_CHILD(raise(SIGCHLD); raise(SIGURG); raise(SIGWINCH); raise(SIGCONT));
    DIES_OF(SIGKILL, raise(SIGKILL));
}
TEST(abort_dies_even_when_the_signal_is_blocked) {
    DIES_OF(SIGABRT, sigset_t set; sigfillset(&set); sigprocmask(SIG_SETMASK, &set, NULL); abort());
}
TEST(kill_checks_signal_and_target) {
    CHECK_ERRNO(syscall(SYS_kill, getpid(), 65), EINVAL);
    CHECK_ERRNO(syscall(SYS_kill, 0x7ffffff, 65), ESRCH);
    CHECK_ERRNO(syscall(SYS_kill, 0x7ffffff, 0), ESRCH);
    CHECK_EQ(syscall(SYS_kill, getpid(), 0), 0);
    CHECK_ERRNO(syscall(SYS_tkill, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_tkill, 0x7ffffff, 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tgkill, 1, getpid(), 0), ESRCH);
    CHECK_ERRNO(syscall(SYS_tgkill, -1, getpid(), 0), EINVAL);
    CHECK_EQ(syscall(SYS_tgkill, getpid(), gettid(), 0), 0);
}
TEST(kill_reaches_a_process_group) {
    pid_t pid = t_fork();
    if (pid == 0) {
        setpgid(0, 0);
        if (t_fork() == 0) pause();
        signal(SIGTERM, SIG_IGN);
        kill(0, SIGTERM);
        int status = 0;
        wait(&status);
        _exit(WTERMSIG(status) != SIGTERM);
    }
    CHECK_EQ(t_wait(pid), 0);
}
TEST(kill_of_another_user_s_process_is_eperm) {
    pid_t pid = t_fork();
    if (pid == 0) pause();
    IN_CHILD(CHECK_EQ(setuid(1000), 0); CHECK_ERRNO(kill(pid, 0), EPERM); CHECK_ERRNO(kill(pid, SIGTERM), EPERM));
    kill(pid, SIGKILL);
    t_wait(pid);
}
TEST(pause_returns_eintr_after_a_handler) {
    t_handle(SIGUSR1, on, SA_RESTART);
    t_kill_later(SIGUSR1, 30);
    CHECK_ERRNO(syscall(SYS_pause), EINTR);
    CHECK_EQ(count, 1);
}
TEST(sigsuspend_swaps_the_mask_and_restores_it) {
    sigset_t set, none;
    t_handle(SIGUSR1, on, 0);
    sigemptyset(&none), sigemptyset(&set), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_SETMASK, &set, NULL);
    raise(SIGUSR1);
    CHECK_EQ(count, 0);
    CHECK_ERRNO(syscall(SYS_rt_sigsuspend, &none, 8), EINTR);
    CHECK_EQ(count, 1);
    sigprocmask(SIG_BLOCK, NULL, &none);
    CHECK(sigismember(&none, SIGUSR1));
    CHECK_ERRNO(syscall(SYS_rt_sigsuspend, &none, 4), EINVAL);
}
static stack_t alternate;
static volatile int on_alternate;
static void where(int number) {
    (void)number;
    stack_t now;
    char here;
    sigaltstack(NULL, &now);
    on_alternate = &here >= (char *)alternate.ss_sp && &here < (char *)alternate.ss_sp + alternate.ss_size
        && now.ss_flags == SS_ONSTACK && sigaltstack(&alternate, NULL) == -1 && errno == EPERM;
}
TEST(an_alternate_stack_is_used_when_asked) {
    alternate = (stack_t){.ss_sp = malloc(65536), .ss_size = 65536};
    CHECK_EQ(sigaltstack(&alternate, NULL), 0);
    t_handle(SIGUSR1, where, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(on_alternate);
    stack_t now;
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK_EQ(now.ss_flags, 0);
    CHECK(now.ss_sp == alternate.ss_sp);
}
TEST(sigaltstack_checks_flags_and_size) {
    stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536, .ss_flags = 64};
    CHECK_ERRNO(syscall(SYS_sigaltstack, &stack, NULL), EINVAL);
    stack.ss_flags = 0, stack.ss_size = 100;
    CHECK_ERRNO(syscall(SYS_sigaltstack, &stack, NULL), ENOMEM);
    CHECK_ERRNO(syscall(SYS_sigaltstack, BAD, NULL), EFAULT);
    stack_t now;
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK_EQ(now.ss_flags, SS_DISABLE);
}
TEST(siglongjmp_leaves_a_handler) {
    static sigjmp_buf back;
    void jump(int number) { siglongjmp(back, number); }
    signal(SIGUSR1, jump);
    if (sigsetjmp(back, 1) == 0) raise(SIGUSR1);
    else count++;
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK(count == 1 && !sigismember(&set, SIGUSR1));
}
TEST(handlers_survive_fork_and_pending_signals_do_not) {
    sigset_t set;
    signal(SIGUSR1, on);
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    IN_CHILD(sigpending(&set); CHECK(!sigismember(&set, SIGUSR1)); raise(SIGUSR1);
             sigprocmask(SIG_BLOCK, NULL, &set); CHECK(sigismember(&set, SIGUSR1));
             sigprocmask(SIG_UNBLOCK, &set, NULL); CHECK_EQ(count, 1));
}
TEST(ignoring_discards_what_is_pending) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    sigpending(&set);
    CHECK(!sigismember(&set, SIGUSR1));
}
TEST(registers_survive_a_handler) {
    signal(SIGUSR1, on);
    register double x = 1.5;
    unsigned long flags;
    raise(SIGUSR1);
    long r12, result;
    asm volatile("mov $0x1234, %%r12; stc; mov %[nr], %%eax; mov %[pid], %%edi; mov %[sig], %%esi; stc; syscall;"
                 "pushf; pop %[flags]; mov %%r12, %[r12]; mov %%rax, %[result]"
                 : [flags] "=&r"(flags), [r12] "=&r"(r12), [result] "=&r"(result)
                 : [nr] "i"(SYS_kill), [pid] "r"(getpid()), [sig] "i"(SIGUSR1)
                 : "rax", "rdi", "rsi", "rcx", "r11", "r12", "memory", "cc");
    CHECK(x == 1.5 && r12 == 0x1234 && result == 0 && (flags & 1) && count == 2);
}
TEST(sigreturn_uses_what_the_handler_left_in_the_context) {
    void change(int number, siginfo_t *info, void *context) {
        (void)number, (void)info;
        ((long *)context)[5 + 13] = 77; /* rax in uc_mcontext.gregs */
    }
    struct sigaction action = {.sa_sigaction = change, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    CHECK_EQ(syscall(SYS_kill, getpid(), SIGUSR1), 77);
}
TEST(a_bad_frame_in_sigreturn_is_sigsegv) {
    DIES_OF(SIGSEGV, asm volatile("xor %%esp, %%esp; mov $15, %%eax; syscall" ::: "rax", "memory"));
}
TEST(restart_syscall_without_anything_to_restart_is_eintr) {
    CHECK_ERRNO(syscall(SYS_restart_syscall), EINTR);
}
