/* Scheduling policies, priorities, affinity. */
#include "t.h"
#include <sched.h>
#include <sys/resource.h>

struct attr { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; uint32_t util_min, util_max; };

TEST(sched_yield_succeeds) { CHECK_EQ(syscall(SYS_sched_yield), 0); }
TEST(the_policy_is_other_at_first) {
    struct sched_param param = {5};
    CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
    CHECK_EQ(syscall(SYS_sched_getparam, 0, &param), 0);
    CHECK_EQ(param.sched_priority, 0);
}
TEST(root_may_become_realtime) {
    struct sched_param param = {10};
    CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param), 0);
    CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_RR);
    param.sched_priority = 20;
    CHECK_EQ(syscall(SYS_sched_setparam, 0, &param), 0);
    CHECK_EQ(syscall(SYS_sched_getparam, 0, &param), 0);
    CHECK_EQ(param.sched_priority, 20);
    IN_CHILD(CHECK_EQ(sched_getscheduler(0), SCHED_RR));
    param.sched_priority = 0;
    CHECK_EQ(sched_setscheduler(0, SCHED_BATCH, &param), 0);
    CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
}
TEST(reset_on_fork_shows_in_the_policy) {
    struct sched_param param = {1};
    CHECK_EQ(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param), 0);
    CHECK_EQ(sched_getscheduler(0), SCHED_FIFO | SCHED_RESET_ON_FORK);
    IN_CHILD(CHECK_EQ(sched_getscheduler(0), SCHED_OTHER));
}
TEST(setscheduler_checks_in_order) {
    struct sched_param param = {0}, high = {100};
    CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, -1, &param), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_RR, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_RR, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0x7ffffff, SCHED_RR, &param), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &param), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_RR, &high), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, 77, &param), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getscheduler, -1), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getscheduler, 0x7ffffff), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getparam, 0, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_sched_setparam, -1, &param), EINVAL);
}
TEST(an_ordinary_user_may_not_be_realtime) {
    struct sched_param param = {1};
    CHECK_EQ(setuid(1000), 0);
    CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &param), EPERM);
}
TEST(priorities_have_their_ranges) {
    CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_FIFO), 99);
    CHECK_EQ(syscall(SYS_sched_get_priority_min, SCHED_RR), 1);
    CHECK_EQ(syscall(SYS_sched_get_priority_max, SCHED_OTHER), 0);
    CHECK_EQ(syscall(SYS_sched_get_priority_min, SCHED_IDLE), 0);
    CHECK_ERRNO(syscall(SYS_sched_get_priority_max, 99), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_get_priority_min, -1), EINVAL);
}
TEST(the_round_robin_interval_can_be_asked) {
    struct timespec time = {-1, -1};
    struct sched_param param = {1};
    CHECK_EQ(sched_setscheduler(0, SCHED_RR, &param), 0);
    CHECK_EQ(syscall(SYS_sched_rr_get_interval, 0, &time), 0);
    CHECK(time.tv_sec == 0 && time.tv_nsec > 0);
    CHECK_ERRNO(syscall(SYS_sched_rr_get_interval, -1, &time), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_rr_get_interval, 0, BAD), EFAULT);
}
TEST(sched_attributes_can_be_read_and_set) {
    struct attr attr = {0};
    CHECK_EQ(syscall(SYS_setpriority, PRIO_PROCESS, 0, 0), 0);
    CHECK_EQ(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0), 0);
    CHECK(attr.size >= 48 && attr.policy == SCHED_OTHER && attr.nice == 0);
    attr = (struct attr){.size = 48, .policy = SCHED_OTHER, .nice = 5};
    CHECK_EQ(syscall(SYS_sched_setattr, 0, &attr, 0), 0);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &attr, 47, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, NULL, 48, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &attr, 48, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &attr, 1), EINVAL);
    attr.size = 10;
    CHECK_ERRNO(syscall(SYS_sched_setattr, 0, &attr, 0), E2BIG);
}
TEST(affinity_can_be_narrowed_and_read_back) {
    unsigned long set[16] = {0}, old[16] = {0};
    long size = syscall(SYS_sched_getaffinity, 0, sizeof old, old);
    CHECK(size >= 8 && size % 8 == 0);
    CHECK(old[0] & 1);
    set[0] = 1;
    CHECK_EQ(syscall(SYS_sched_setaffinity, 0, sizeof set, set), 0);
    CHECK_EQ(syscall(SYS_sched_getaffinity, 0, sizeof set, set), size);
    CHECK_EQ(set[0], 1);
    unsigned cpu = 99, node = 99;
    CHECK_EQ(syscall(SYS_getcpu, &cpu, &node, NULL), 0);
    CHECK(cpu == 0 && node == 0);
    CHECK_EQ(syscall(SYS_getcpu, NULL, NULL, NULL), 0);
    CHECK_ERRNO(syscall(SYS_getcpu, BAD, NULL, NULL), EFAULT);
}
TEST(affinity_checks_its_arguments) {
    unsigned long none[16] = {0};
    CHECK_ERRNO(syscall(SYS_sched_setaffinity, 0, sizeof none, none), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_setaffinity, 0, 8, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 7, none), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 0, none), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0x7ffffff, 128, none), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 128, BAD), EFAULT);
}
TEST(getpriority_returns_twenty_minus_nice) {
    CHECK_EQ(syscall(SYS_setpriority, PRIO_PROCESS, 0, 0), 0);
    CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 20);
    CHECK_EQ(syscall(SYS_setpriority, PRIO_PROCESS, 0, 7), 0);
    CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 13);
    CHECK_EQ(syscall(SYS_setpriority, PRIO_PROCESS, 0, 100), 0);
    CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 1);
    CHECK_EQ(syscall(SYS_setpriority, PRIO_PROCESS, 0, -100), 0);
    CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 40);
    IN_CHILD(CHECK_EQ(getpriority(PRIO_PROCESS, 0), -20));
}
TEST(an_ordinary_user_may_only_lower_its_priority) {
    CHECK_EQ(setuid(1000), 0);
    CHECK_EQ(setpriority(PRIO_PROCESS, 0, 5), 0);
    CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 0), EACCES);
    CHECK_ERRNO(setpriority(PRIO_PROCESS, getppid(), 10), EPERM);
}
TEST(priority_targets_are_checked) {
    CHECK_ERRNO(syscall(SYS_getpriority, 3, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_setpriority, -1, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_getpriority, PRIO_PROCESS, 0x7ffffff), ESRCH);
    CHECK_ERRNO(syscall(SYS_getpriority, PRIO_PGRP, 0x7ffffff), ESRCH);
    CHECK(syscall(SYS_getpriority, PRIO_PGRP, 0) > 0);
    CHECK(syscall(SYS_getpriority, PRIO_USER, 0) > 0);
}
TEST(io_priorities_are_kept) {
    CHECK_EQ(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 3), 0);
    CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), 2 << 13 | 3);
    CHECK_ERRNO(syscall(SYS_ioprio_set, 1, 0, 5 << 13), EINVAL);
    CHECK_ERRNO(syscall(SYS_ioprio_set, 9, 0, 2 << 13), EINVAL);
    CHECK_ERRNO(syscall(SYS_ioprio_get, 1, 0x7ffffff), ESRCH);
    CHECK_ERRNO(syscall(SYS_ioprio_get, 9, 0), EINVAL);
}
TEST(membarrier_tells_what_it_can_do) {
    long commands = syscall(SYS_membarrier, 0, 0, 0);
    CHECK(commands > 0 && (commands & 1));
    CHECK_EQ(syscall(SYS_membarrier, 1, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_membarrier, 8, 0, 0), EPERM);
    CHECK_EQ(syscall(SYS_membarrier, 16, 0, 0), 0);
    CHECK_EQ(syscall(SYS_membarrier, 8, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_membarrier, 1 << 20, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_membarrier, 0, 2, 0), EINVAL);
}
