/* epoll. */
#include "t.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int ep, ends[2];
static struct epoll_event event, got[8];

static void make(void) {
    ep = epoll_create1(0);
    CHECK(ep >= 0);
    CHECK_EQ(pipe(ends), 0);
}
static int add(int fd, unsigned events, unsigned long data) {
    event.events = events;
    event.data.u64 = data;
    return syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, fd, &event);
}
static int wait_now(void) { return syscall(SYS_epoll_wait, ep, got, 8, 0); }

TEST(epoll_create_checks_its_size_and_create1_its_flags) {
    CHECK(syscall(SYS_epoll_create, 1) >= 0);
    CHECK_ERRNO(syscall(SYS_epoll_create, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_epoll_create1, 1), EINVAL);
    CHECK_EQ(fcntl(syscall(SYS_epoll_create1, EPOLL_CLOEXEC), F_GETFD), FD_CLOEXEC);
}
TEST(epoll_reports_readiness_with_the_data_given) {
    make();
    CHECK_EQ(add(ends[0], EPOLLIN, 0x123456789abcdef0), 0);
    CHECK_EQ(wait_now(), 0);
    write(ends[1], "x", 1);
    CHECK_EQ(wait_now(), 1);
    CHECK_EQ(got[0].events, EPOLLIN);
    CHECK_EQ(got[0].data.u64, 0x123456789abcdef0);
    CHECK_EQ(wait_now(), 1);
}
TEST(edge_triggered_events_come_once) {
    make();
    add(ends[0], EPOLLIN | EPOLLET, 1);
    write(ends[1], "x", 1);
    CHECK_EQ(wait_now(), 1);
    CHECK_EQ(wait_now(), 0);
    write(ends[1], "y", 1);
    CHECK_EQ(wait_now(), 1);
    CHECK_EQ(wait_now(), 0);
}
TEST(one_shot_events_rest_until_rearmed) {
    make();
    add(ends[0], EPOLLIN | EPOLLONESHOT, 1);
    write(ends[1], "x", 1);
    CHECK_EQ(wait_now(), 1);
    write(ends[1], "y", 1);
    CHECK_EQ(wait_now(), 0);
    event.events = EPOLLIN;
    CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event), 0);
    CHECK_EQ(wait_now(), 1);
}
TEST(hangup_is_reported_unasked) {
    make();
    add(ends[0], 0, 5);
    close(ends[1]);
    CHECK_EQ(wait_now(), 1);
    CHECK_EQ(got[0].events, EPOLLHUP);
}
TEST(epoll_ctl_checks_in_order) {
    make();
    CHECK_ERRNO(syscall(SYS_epoll_ctl, 99, EPOLL_CTL_ADD, ends[0], BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_epoll_ctl, 99, EPOLL_CTL_ADD, ends[0], &event), EBADF);
    CHECK_ERRNO(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, 99, &event), EBADF);
    CHECK_ERRNO(syscall(SYS_epoll_ctl, ends[0], EPOLL_CTL_ADD, ends[1], &event), EINVAL);
    CHECK_ERRNO(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, ep, &event), EINVAL);
    CHECK_ERRNO(syscall(SYS_epoll_ctl, ep, 9, ends[0], &event), EINVAL);
    CHECK_ERRNO(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_DEL, ends[0], NULL), ENOENT);
    CHECK_ERRNO(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_MOD, ends[0], &event), ENOENT);
}
TEST(adding_twice_is_eexist_and_deleting_stops_events) {
    make();
    CHECK_EQ(add(ends[1], EPOLLOUT, 1), 0);
    CHECK_ERRNO(add(ends[1], EPOLLOUT, 1), EEXIST);
    CHECK_EQ(wait_now(), 1);
    CHECK_EQ(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_DEL, ends[1], NULL), 0);
    CHECK_EQ(wait_now(), 0);
}
TEST(regular_files_and_directories_are_eperm) {
    make();
    CHECK_ERRNO(add(t_open("f", ""), EPOLLIN, 0), EPERM);
    CHECK_ERRNO(add(open(".", O_RDONLY), EPOLLIN, 0), EPERM);
}
TEST(closing_the_last_descriptor_removes_the_entry) {
    make();
    int copy = dup(ends[1]);
    add(ends[1], EPOLLOUT, 1);
    close(ends[1]);
    CHECK_EQ(wait_now(), 1);
    close(copy);
    CHECK_EQ(wait_now(), 0);
}
TEST(epoll_wait_checks_count_then_address_then_descriptor) {
    make();
    CHECK_ERRNO(syscall(SYS_epoll_wait, ep, got, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_epoll_wait, ep, got, -1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_epoll_wait, 99, got, 1, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_epoll_wait, ends[0], got, 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_epoll_wait, ends[0], got, 0, 0), EINVAL);
    add(ends[1], EPOLLOUT, 1);
    CHECK_ERRNO(syscall(SYS_epoll_wait, ep, BAD, 1, 0), EFAULT);
}
TEST(maxevents_bounds_the_answer_and_all_get_their_turn) {
    make();
    int seen = 0;
    for (int i = 0; i < 3; i++) add(eventfd(1, 0), EPOLLIN, i);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(epoll_wait(ep, got, 1, 0), 1);
        seen |= 1 << got[0].data.u64;
    }
    CHECK_EQ(seen, 7);
}
TEST(epoll_wait_times_out) {
    make();
    long before = t_now_ms();
    CHECK_EQ(epoll_wait(ep, got, 1, 25), 0);
    CHECK(t_now_ms() - before >= 25);
}
TEST(epoll_wait_wakes_for_another_process) {
    make();
    add(ends[0], EPOLLIN, 3);
    pid_t pid = t_fork();
    if (pid == 0) {
        t_sleep_ms(30);
        write(ends[1], "x", 1);
        _exit(0);
    }
    CHECK_EQ(epoll_wait(ep, got, 8, -1), 1);
    CHECK_EQ(got[0].data.u64, 3);
    t_wait(pid);
}
TEST(an_epoll_inside_an_epoll_is_readable_when_it_has_events) {
    make();
    int outer = epoll_create1(0);
    event = (struct epoll_event){.events = EPOLLIN, .data.u64 = 9};
    CHECK_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &event), 0);
    CHECK_EQ(epoll_wait(outer, got, 8, 0), 0);
    add(ends[1], EPOLLOUT, 1);
    CHECK_EQ(epoll_wait(outer, got, 8, 0), 1);
    CHECK_EQ(got[0].data.u64, 9);
    CHECK_ERRNO(add(outer, EPOLLIN, 0), ELOOP);
}
TEST(epoll_pwait_swaps_the_mask) {
    make();
    unsigned long none = 0;
    sigset_t all;
    sigfillset(&all);
    t_handle(SIGUSR1, t_ignore, 0);
    sigprocmask(SIG_SETMASK, &all, NULL);
    kill(getpid(), SIGUSR1);
    CHECK_ERRNO(syscall(SYS_epoll_pwait, ep, got, 1, 5000, &none, 8), EINTR);
    CHECK_ERRNO(syscall(SYS_epoll_pwait, ep, got, 1, 0, &none, 4), EINVAL);
    CHECK_EQ(syscall(SYS_epoll_pwait, ep, got, 1, 0, NULL, 4), 0);
}
TEST(epoll_pwait2_counts_nanoseconds) {
    make();
    struct timespec time = {0, 20000000}, bad = {0, -1};
    long before = t_now_ms();
    CHECK_EQ(syscall(SYS_epoll_pwait2, ep, got, 1, &time, NULL, 8), 0);
    CHECK(t_now_ms() - before >= 20);
    CHECK_ERRNO(syscall(SYS_epoll_pwait2, ep, got, 1, &bad, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_epoll_pwait2, ep, got, 1, BAD, NULL, 8), EFAULT);
}
TEST(exclusive_is_only_for_adding) {
    make();
    CHECK_EQ(add(ends[0], EPOLLIN | EPOLLEXCLUSIVE, 1), 0);
    event.events = EPOLLIN | EPOLLEXCLUSIVE;
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event), EINVAL);
    event.events = EPOLLIN;
    CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &event), EINVAL);
    CHECK_ERRNO(add(ends[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT, 1), EINVAL);
}
TEST(an_exclusive_event_wakes_one_waiter) {
    int ends[2], woken = 0;
    pipe(ends);
    for (int i = 0; i < 4; i++)
        if (!fork()) {
            int epoll = epoll_create1(0);
            struct epoll_event event = {EPOLLIN | EPOLLET | EPOLLEXCLUSIVE};
            epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
            _exit(epoll_wait(epoll, &event, 1, 700));
        }
    usleep(300000);
    write(ends[1], "x", 1);
    for (int i = 0, status; i < 4; i++) wait(&status), woken += WEXITSTATUS(status);
    CHECK_EQ(woken, 1);
}
