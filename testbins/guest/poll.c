/* poll, ppoll, select, pselect6. */
#include "t.h"
#include <sys/select.h>

static int ends[2];

TEST(poll_of_nothing_times_out) {
    long before = t_now_ms();
    CHECK_EQ(syscall(SYS_poll, NULL, 0, 20), 0);
    CHECK(t_now_ms() - before >= 20);
    CHECK_EQ(syscall(SYS_poll, NULL, 0, 0), 0);
}
TEST(poll_tells_what_a_pipe_can_do) {
    pipe(ends);
    struct pollfd fds[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLOUT, 0}};
    CHECK_EQ(syscall(SYS_poll, fds, 2, 0), 1);
    CHECK_EQ(fds[0].revents, 0);
    CHECK_EQ(fds[1].revents, POLLOUT);
    write(ends[1], "x", 1);
    fds[0].events = POLLIN | POLLRDNORM | POLLPRI;
    CHECK_EQ(poll(fds, 2, -1), 2);
    CHECK_EQ(fds[0].revents, POLLIN | POLLRDNORM);
}
TEST(poll_reports_hangup_and_error_unasked) {
    pipe(ends);
    struct pollfd fd = {ends[0], 0, 0};
    close(ends[1]);
    CHECK_EQ(poll(&fd, 1, 0), 1);
    CHECK_EQ(fd.revents, POLLHUP);
    pipe(ends);
    close(ends[0]);
    fd = (struct pollfd){ends[1], POLLOUT, 0};
    CHECK_EQ(poll(&fd, 1, 0), 1);
    CHECK_EQ(fd.revents, POLLOUT | POLLERR);
}
TEST(poll_marks_closed_descriptors_and_skips_negative_ones) {
    struct pollfd fds[2] = {{99, POLLIN, 0}, {-1, POLLIN, 77}};
    CHECK_EQ(poll(fds, 2, 1000), 1);
    CHECK_EQ(fds[0].revents, POLLNVAL);
    CHECK_EQ(fds[1].revents, 0);
}
TEST(poll_says_regular_files_are_always_ready) {
    struct pollfd fd = {t_open("f", ""), POLLIN | POLLOUT | POLLPRI, 0};
    CHECK_EQ(poll(&fd, 1, -1), 1);
    CHECK_EQ(fd.revents, POLLIN | POLLOUT);
}
TEST(poll_checks_count_and_address) {
    CHECK_ERRNO(syscall(SYS_poll, BAD, 1, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_poll, NULL, 1 << 30, 0), EINVAL);
}
TEST(poll_wakes_when_another_process_writes) {
    pipe(ends);
    pid_t pid = t_fork();
    if (pid == 0) {
        t_sleep_ms(30);
        write(ends[1], "x", 1);
        _exit(0);
    }
    struct pollfd fd = {ends[0], POLLIN, 0};
    CHECK_EQ(poll(&fd, 1, 5000), 1);
    CHECK_EQ(fd.revents, POLLIN);
    t_wait(pid);
}
TEST(poll_is_interrupted_even_with_sa_restart) {
    t_handle(SIGUSR1, t_ignore, SA_RESTART);
    t_kill_later(SIGUSR1, 30);
    CHECK_ERRNO(syscall(SYS_poll, NULL, 0, 5000), EINTR);
}
TEST(poll_goes_on_after_an_ignored_signal_or_a_stop) {
    pid_t pid = t_fork();
    if (pid == 0) {
        long before = t_now_ms();
        CHECK_EQ(poll(NULL, 0, 60), 0);
        CHECK(t_now_ms() - before >= 60);
        _exit(0);
    }
    t_sleep_ms(10);
    kill(pid, SIGCHLD);
    kill(pid, SIGSTOP);
    int status;
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    kill(pid, SIGCONT);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(ppoll_swaps_the_mask_and_tells_the_time_left) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    t_handle(SIGUSR1, t_ignore, 0);
    sigprocmask(SIG_SETMASK, &all, NULL);
    kill(getpid(), SIGUSR1);
    struct timespec time = {5, 0};
    CHECK_EQ(poll(NULL, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_ppoll, NULL, 0, &time, &none, 8), EINTR);
    CHECK(time.tv_sec < 5);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1));
}
TEST(ppoll_checks_its_time_before_its_mask) {
    struct timespec bad = {0, 1000000000}, negative = {-1, 0}, ok = {0, 0};
    unsigned long set = 0;
    CHECK_ERRNO(syscall(SYS_ppoll, NULL, 0, &bad, &set, 7), EINVAL);
    CHECK_ERRNO(syscall(SYS_ppoll, NULL, 0, &negative, NULL, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_ppoll, NULL, 0, BAD, &set, 7), EFAULT);
    CHECK_ERRNO(syscall(SYS_ppoll, NULL, 0, &ok, &set, 7), EINVAL);
    CHECK_ERRNO(syscall(SYS_ppoll, NULL, 0, &ok, BAD, 8), EFAULT);
    CHECK_EQ(syscall(SYS_ppoll, NULL, 0, &ok, NULL, 7), 0);
}
TEST(select_keeps_only_the_ready_ones) {
    pipe(ends);
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    struct timeval time = {0, 0};
    CHECK_EQ(syscall(SYS_select, ends[1] + 1, &in, &out, NULL, &time), 1);
    CHECK(!FD_ISSET(ends[0], &in) && FD_ISSET(ends[1], &out));
    write(ends[1], "x", 1);
    FD_SET(ends[0], &in);
    CHECK_EQ(syscall(SYS_select, ends[1] + 1, &in, &out, NULL, NULL), 2);
    CHECK(FD_ISSET(ends[0], &in));
}
TEST(select_counts_end_of_file_as_readable) {
    pipe(ends);
    close(ends[1]);
    fd_set in;
    FD_ZERO(&in);
    FD_SET(ends[0], &in);
    CHECK_EQ(select(ends[0] + 1, &in, NULL, NULL, NULL), 1);
}
TEST(select_with_a_closed_descriptor_is_ebadf) {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(60, &in);
    struct timeval time = {0, 0};
    CHECK_ERRNO(syscall(SYS_select, 64, &in, NULL, NULL, &time), EBADF);
    CHECK_ERRNO(syscall(SYS_select, -1, NULL, NULL, NULL, &time), EINVAL);
    CHECK_ERRNO(syscall(SYS_select, 4, BAD, NULL, NULL, &time), EFAULT);
}
TEST(select_updates_its_timeout) {
    struct timeval time = {0, 20000};
    CHECK_EQ(syscall(SYS_select, 0, NULL, NULL, NULL, &time), 0);
    CHECK(time.tv_sec == 0 && time.tv_usec == 0);
    time = (struct timeval){-1, 0};
    CHECK_ERRNO(syscall(SYS_select, 0, NULL, NULL, NULL, &time), EINVAL);
}
TEST(pselect6_swaps_the_mask) {
    sigset_t all;
    unsigned long none = 0;
    sigfillset(&all);
    t_handle(SIGUSR1, t_ignore, 0);
    sigprocmask(SIG_SETMASK, &all, NULL);
    kill(getpid(), SIGUSR1);
    struct timespec time = {5, 0};
    struct { void *set; size_t size; } mask = {&none, 8};
    CHECK_ERRNO(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &time, &mask), EINTR);
    mask.size = 9;
    CHECK_ERRNO(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &time, &mask), EINVAL);
    mask.set = NULL;
    time = (struct timespec){0, 1000};
    CHECK_EQ(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &time, &mask), 0);
}
