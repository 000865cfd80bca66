/* prctl and arch_prctl. */
#include "t.h"
#include <asm/prctl.h>
#include <sys/prctl.h>

static long pr(int option, long a, long b, long c, long d) { return syscall(SYS_prctl, option, a, b, c, d); }

TEST(the_name_is_cut_to_fifteen) {
    char name[16];
    CHECK_EQ(pr(PR_SET_NAME, (long)"a very long name indeed", 0, 0, 0), 0);
    CHECK_EQ(pr(PR_GET_NAME, (long)name, 0, 0, 0), 0);
    CHECK_STR(name, "a very long nam");
    CHECK_STR(t_text("/proc/self/comm"), "a very long nam\n");
    CHECK_ERRNO(pr(PR_SET_NAME, (long)BAD, 0, 0, 0), EFAULT);
}
TEST(the_death_signal_comes_when_the_parent_dies) {
    int ends[2], sig = 0;
    pipe(ends);
    pid_t middle = t_fork();
    if (middle == 0) {
        if (t_fork() == 0) {
            sigset_t set;
            sigemptyset(&set);
            sigaddset(&set, SIGUSR1);
            sigprocmask(SIG_BLOCK, &set, NULL);
            pr(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0);
            write(ends[1], "r", 1);
            CHECK_EQ(sigwaitinfo(&set, NULL), SIGUSR1);
            write(ends[1], "d", 1);
            _exit(0);
        }
        char c;
        read(ends[0], &c, 1);
        _exit(0);
    }
    t_wait(middle);
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'd');
    CHECK_EQ(pr(PR_GET_PDEATHSIG, (long)&sig, 0, 0, 0), 0);
    CHECK_EQ(sig, 0);
    CHECK_ERRNO(pr(PR_SET_PDEATHSIG, 65, 0, 0, 0), EINVAL);
}
TEST(dumpable_can_be_cleared) {
    CHECK_EQ(pr(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
    CHECK_EQ(pr(PR_SET_DUMPABLE, 0, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    CHECK_ERRNO(pr(PR_SET_DUMPABLE, 2, 0, 0, 0), EINVAL);
}
TEST(keepcaps_keeps_the_permitted_set) {
    CHECK_EQ(pr(PR_GET_KEEPCAPS, 0, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_GET_KEEPCAPS, 0, 0, 0, 0), 1);
    CHECK_ERRNO(pr(PR_SET_KEEPCAPS, 2, 0, 0, 0), EINVAL);
    CHECK_EQ(setuid(1000), 0);
    uint32_t header[2] = {0x20080522, 0}, data[6];
    CHECK_EQ(syscall(SYS_capget, header, data), 0);
    CHECK(data[0] == 0 && (data[1] & 0xffff) == 0xffff);
}
TEST(no_new_privs_cannot_be_undone) {
    CHECK_EQ(pr(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    CHECK_ERRNO(pr(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    CHECK_ERRNO(pr(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0), EINVAL);
    CHECK_EQ(pr(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    IN_CHILD(CHECK_EQ(pr(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1));
}
TEST(a_subreaper_adopts_orphans) {
    int value = 9;
    CHECK_EQ(pr(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_GET_CHILD_SUBREAPER, (long)&value, 0, 0, 0), 0);
    CHECK_EQ(value, 1);
    pid_t middle = t_fork();
    if (middle == 0) {
        if (t_fork() == 0) {
            t_sleep_ms(20);
            _exit(5);
        }
        _exit(0);
    }
    t_wait(middle);
    int status;
    CHECK(wait(&status) > 0);
    CHECK_EQ(WEXITSTATUS(status), 5);
}
TEST(the_bounding_set_can_be_dropped) {
    CHECK_EQ(pr(PR_CAPBSET_READ, 3, 0, 0, 0), 1);
    CHECK_EQ(pr(PR_CAPBSET_DROP, 3, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_CAPBSET_READ, 3, 0, 0, 0), 0);
    CHECK_ERRNO(pr(PR_CAPBSET_READ, 63, 0, 0, 0), EINVAL);
}
TEST(timer_slack_is_kept) {
    CHECK_EQ(pr(PR_GET_TIMERSLACK, 0, 0, 0, 0), 50000);
    CHECK_EQ(pr(PR_SET_TIMERSLACK, 1234, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_GET_TIMERSLACK, 0, 0, 0, 0), 1234);
    CHECK_EQ(pr(PR_SET_TIMERSLACK, 0, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_GET_TIMERSLACK, 0, 0, 0, 0), 50000);
}
TEST(securebits_start_at_zero) { CHECK_EQ(pr(PR_GET_SECUREBITS, 0, 0, 0, 0), 0); }
TEST(transparent_huge_pages_can_be_refused) {
    CHECK_EQ(pr(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    CHECK_EQ(pr(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
}
TEST(unknown_options_are_einval) { CHECK_ERRNO(pr(12345, 0, 0, 0, 0), EINVAL); }
TEST(the_time_stamp_counter_can_be_forbidden) {
    int value = 0;
    CHECK_EQ(pr(PR_GET_TSC, (long)&value, 0, 0, 0), 0);
    CHECK_EQ(value, PR_TSC_ENABLE);
    DIES_OF(SIGSEGV, pr(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0); __builtin_ia32_rdtsc());
}
TEST(arch_prctl_moves_the_segment_bases) {
    static long here[2] = {0x1234, 0x5678};
    unsigned long fs = 0, gs = 1;
    CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs), 0);
    unsigned long self;
    asm("mov %%fs:0, %0" : "=r"(self));
    CHECK(self == fs);
    CHECK_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, here), 0);
    CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs), 0);
    CHECK(gs == (unsigned long)here);
    long value;
    asm volatile("mov %%gs:8, %0" : "=r"(value));
    CHECK_EQ(value, 0x5678);
    IN_CHILD(asm volatile("mov %%gs:0, %0" : "=r"(value)); CHECK_EQ(value, 0x1234));
}
TEST(arch_prctl_checks_addresses_and_codes) {
    CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_GS, KERNEL), EPERM);
    CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_GET_GS, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_arch_prctl, 1, 0), EINVAL);
}
