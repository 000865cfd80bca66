/* Resource limits. */
#include "t.h"
#include <sys/resource.h>

static struct rlimit limit, old;
static long prlimit_(pid_t pid, int which, void *new, void *was) { return syscall(SYS_prlimit64, pid, which, new, was); }

TEST(limits_can_be_read_and_lowered) {
    CHECK_EQ(syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit), 0);
    CHECK(limit.rlim_cur <= limit.rlim_max);
    limit.rlim_cur = 20, limit.rlim_max = 30;
    CHECK_EQ(syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(syscall(SYS_getrlimit, RLIMIT_NOFILE, &old), 0);
    CHECK(old.rlim_cur == 20 && old.rlim_max == 30);
    IN_CHILD(CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0); CHECK_EQ(old.rlim_cur, 20));
}
TEST(a_soft_limit_above_the_hard_one_is_einval) {
    limit.rlim_cur = 31, limit.rlim_max = 30;
    CHECK_ERRNO(syscall(SYS_setrlimit, RLIMIT_NOFILE, &limit), EINVAL);
    CHECK_ERRNO(syscall(SYS_setrlimit, 16, &limit), EINVAL);
    CHECK_ERRNO(syscall(SYS_getrlimit, 16, &limit), EINVAL);
    CHECK_ERRNO(syscall(SYS_setrlimit, RLIMIT_NOFILE, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_setrlimit, 16, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_getrlimit, RLIMIT_NOFILE, BAD), EFAULT);
}
TEST(raising_a_hard_limit_needs_privilege) {
    limit.rlim_cur = limit.rlim_max = 30;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    setuid(1000);
    limit.rlim_max = 31;
    CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
    limit.rlim_cur = 25, limit.rlim_max = 30;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
TEST(prlimit_swaps_and_reaches_other_processes) {
    pid_t pid = t_fork();
    if (pid == 0) pause();
    limit.rlim_cur = 11, limit.rlim_max = 12;
    CHECK_EQ(prlimit_(pid, RLIMIT_CORE, &limit, &old), 0);
    CHECK_EQ(prlimit_(pid, RLIMIT_CORE, NULL, &old), 0);
    CHECK(old.rlim_cur == 11 && old.rlim_max == 12);
    kill(pid, SIGKILL);
    t_wait(pid);
}
TEST(prlimit_checks_its_arguments) {
    CHECK_EQ(prlimit_(0, RLIMIT_CORE, NULL, NULL), 0);
    CHECK_ERRNO(prlimit_(0x7ffffff, RLIMIT_CORE, NULL, &old), ESRCH);
    CHECK_ERRNO(prlimit_(0, 16, NULL, &old), EINVAL);
    CHECK_ERRNO(prlimit_(0, RLIMIT_CORE, BAD, NULL), EFAULT);
    CHECK_ERRNO(prlimit_(0, RLIMIT_CORE, NULL, BAD), EFAULT);
    pid_t parent = getppid();
    setuid(1000);
    CHECK_ERRNO(prlimit_(parent, RLIMIT_CORE, NULL, &old), EPERM);
}
TEST(the_cpu_limit_sends_sigxcpu) {
    DIES_OF(SIGXCPU, limit.rlim_cur = 0; limit.rlim_max = 5; setrlimit(RLIMIT_CPU, &limit); for (;;) {});
}
TEST(the_address_space_limit_is_enomem) {
    limit.rlim_cur = limit.rlim_max = 64 << 20;
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    CHECK_ERRNO((long)mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK(mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}
TEST(the_process_limit_is_eagain) {
    setuid(54322);
    limit.rlim_cur = limit.rlim_max = 1;
    CHECK_EQ(setrlimit(RLIMIT_NPROC, &limit), 0);
    CHECK_ERRNO(syscall(SYS_fork), EAGAIN);
}
TEST(the_data_limit_stops_brk) {
    char *end = (char *)syscall(SYS_brk, 0);
    limit.rlim_cur = limit.rlim_max = 4 << 20;
    CHECK_EQ(setrlimit(RLIMIT_DATA, &limit), 0);
    CHECK(syscall(SYS_brk, end + (16 << 20)) == (long)end);
}
TEST(usual_defaults) {
    getrlimit(RLIMIT_STACK, &limit);
    CHECK_EQ(limit.rlim_cur, 8 << 20);
    getrlimit(RLIMIT_FSIZE, &limit);
    CHECK(limit.rlim_cur == RLIM_INFINITY);
    getrlimit(RLIMIT_RTPRIO, &limit);
    CHECK_EQ(limit.rlim_cur, 0);
}
