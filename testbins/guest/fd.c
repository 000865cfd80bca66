/* Descriptors: dup, dup2, dup3, fcntl, close, close_range. */
#include "t.h"

TEST(dup_takes_the_lowest_free_number) {
    int fd = open("/dev/null", O_RDWR);
    int a = dup(fd), b = dup(fd);
    CHECK_EQ(a, fd + 1);
    CHECK_EQ(b, fd + 2);
    close(a);
    CHECK_EQ(syscall(SYS_dup, fd), a);
}
TEST(dup_of_a_closed_descriptor_is_ebadf) {
    CHECK_ERRNO(syscall(SYS_dup, 99), EBADF);
    CHECK_ERRNO(syscall(SYS_dup, -1), EBADF);
}
TEST(dup_shares_the_offset) {
    int fd = t_open("f", "abcdef"), other = dup(fd);
    CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
    CHECK_EQ(lseek(other, 0, SEEK_CUR), 3);
}
TEST(dup2_onto_itself_does_nothing_and_checks_the_descriptor) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK_EQ(syscall(SYS_dup2, fd, fd), fd);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_ERRNO(syscall(SYS_dup2, 99, 99), EBADF);
}
TEST(dup2_replaces_the_target_and_clears_cloexec) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), target = t_open("f", "x");
    CHECK_EQ(syscall(SYS_dup2, fd, target), target);
    CHECK_EQ(fcntl(target, F_GETFD), 0);
    char c;
    CHECK_EQ(read(target, &c, 1), 0);
}
TEST(dup2_beyond_the_limit_is_ebadf) {
    CHECK_ERRNO(syscall(SYS_dup2, 0, -1), EBADF);
    CHECK_ERRNO(syscall(SYS_dup2, 0, 1 << 30), EBADF);
}
TEST(dup3_with_equal_numbers_is_einval) {
    CHECK_ERRNO(syscall(SYS_dup3, 0, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_dup3, 99, 99, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_dup3, 0, 50, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_dup3, 99, 50, 0), EBADF);
}
TEST(dup3_sets_cloexec) {
    CHECK_EQ(syscall(SYS_dup3, 0, 50, O_CLOEXEC), 50);
    CHECK_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
}
TEST(fcntl_dupfd_starts_at_the_minimum) {
    CHECK_EQ(fcntl(0, F_DUPFD, 40), 40);
    CHECK_EQ(fcntl(0, F_DUPFD, 40), 41);
    CHECK_EQ(fcntl(0, F_DUPFD_CLOEXEC, 60), 60);
    CHECK_EQ(fcntl(60, F_GETFD), FD_CLOEXEC);
    CHECK_ERRNO(fcntl(0, F_DUPFD, -1), EINVAL);
    CHECK_ERRNO(fcntl(0, F_DUPFD, 1 << 30), EINVAL);
}
TEST(fcntl_setfd_keeps_only_the_cloexec_bit) {
    int fd = open("/dev/null", O_RDONLY);
    CHECK_EQ(fcntl(fd, F_SETFD, -1), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_SETFD, 2), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
}
TEST(fcntl_getfl_tells_mode_and_status_flags) {
    int fd = open("f", O_CREAT | O_EXCL | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    CHECK_EQ(fcntl(fd, F_GETFL), O_WRONLY | O_APPEND | 0100000);
}
TEST(fcntl_setfl_changes_only_what_may_change) {
    int fd = t_open("f", "x");
    CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_CREAT), 0);
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_APPEND | O_NONBLOCK | 0100000);
    CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | 0100000);
}
TEST(fcntl_setfl_is_shared_by_duplicates) {
    int fd = t_open("f", "x"), other = dup(fd);
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    CHECK(fcntl(other, F_GETFL) & O_NONBLOCK);
}
TEST(fcntl_of_a_bad_descriptor_or_command) {
    CHECK_ERRNO(fcntl(99, F_GETFD), EBADF);
    CHECK_ERRNO(fcntl(99, 9999), EBADF);
    CHECK_ERRNO(fcntl(0, 9999), EINVAL);
}
TEST(fcntl_on_a_path_descriptor_is_restricted) {
    t_file("f", "x");
    int fd = open("f", O_PATH);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_EQ(fcntl(fd, F_GETFL), O_PATH);
    CHECK_ERRNO(fcntl(fd, F_SETFL, O_NONBLOCK), EBADF);
    char c;
    CHECK_ERRNO(read(fd, &c, 1), EBADF);
    CHECK_ERRNO(fchmod(fd, 0600), EBADF);
    CHECK(dup(fd) > fd);
}
TEST(fcntl_owner_and_signal_are_kept) {
    int pair[2];
    CHECK_EQ(pipe(pair), 0);
    CHECK_EQ(fcntl(pair[0], F_GETOWN), 0);
    CHECK_EQ(fcntl(pair[0], F_SETOWN, getpid()), 0);
    CHECK_EQ(fcntl(pair[0], F_GETOWN), getpid());
    CHECK_EQ(fcntl(pair[0], F_SETSIG, SIGUSR1), 0);
    CHECK_EQ(fcntl(pair[0], F_GETSIG), SIGUSR1);
    CHECK_ERRNO(fcntl(pair[0], F_SETSIG, 65), EINVAL);
    CHECK_ERRNO(fcntl(pair[0], F_SETOWN, 0x7ffffff), ESRCH);
}
TEST(close_twice_is_ebadf) {
    int fd = dup(0);
    CHECK_EQ(syscall(SYS_close, fd), 0);
    CHECK_ERRNO(syscall(SYS_close, fd), EBADF);
    CHECK_ERRNO(syscall(SYS_close, -1), EBADF);
}
TEST(close_range_closes_all_in_between) {
    dup2(0, 40), dup2(0, 41), dup2(0, 43), dup2(0, 44);
    CHECK_EQ(syscall(SYS_close_range, 41, 43, 0), 0);
    CHECK_EQ(fcntl(40, F_GETFD), 0);
    CHECK_ERRNO(fcntl(41, F_GETFD), EBADF);
    CHECK_ERRNO(fcntl(43, F_GETFD), EBADF);
    CHECK_EQ(fcntl(44, F_GETFD), 0);
    CHECK_EQ(syscall(SYS_close_range, 40, ~0U, 0), 0);
    CHECK_ERRNO(fcntl(44, F_GETFD), EBADF);
}
TEST(close_range_can_set_cloexec_instead) {
    dup2(0, 40);
    CHECK_EQ(syscall(SYS_close_range, 40, 40, 4), 0);
    CHECK_EQ(fcntl(40, F_GETFD), FD_CLOEXEC);
}
TEST(close_range_checks_flags_and_order) {
    CHECK_ERRNO(syscall(SYS_close_range, 5, 4, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_close_range, 40, 50, 8), EINVAL);
}
TEST(descriptors_beyond_the_soft_limit_are_emfile) {
    struct { unsigned long cur, max; } limit = {10, 4096};
    CHECK_EQ(syscall(SYS_setrlimit, 7, &limit), 0);
    int fd, last = -1;
    while ((fd = dup(0)) >= 0) last = fd;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(last, 9);
    CHECK_ERRNO(open("/dev/null", O_RDONLY), EMFILE);
    int pair[2];
    CHECK_ERRNO(pipe(pair), EMFILE);
    CHECK_ERRNO(syscall(SYS_dup2, 0, 10), EBADF);
    CHECK_ERRNO(fcntl(0, F_DUPFD, 10), EINVAL);
}
TEST(kcmp_tells_whether_descriptors_share_a_file) {
    int a = open("/dev/null", O_RDONLY), b = dup(a), c = open("/dev/null", O_RDONLY);
    pid_t me = getpid();
    CHECK_EQ(syscall(SYS_kcmp, me, me, 0, a, b), 0);
    CHECK(syscall(SYS_kcmp, me, me, 0, a, c) > 0);
    CHECK_EQ(syscall(SYS_kcmp, me, me, 1, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_kcmp, me, me, 0, a, 99), EBADF);
    CHECK_ERRNO(syscall(SYS_kcmp, me, me, 99, a, b), EINVAL);
    CHECK_ERRNO(syscall(SYS_kcmp, me, 0x7ffffff, 0, a, b), ESRCH);
}
TEST(a_write_life_hint_is_kept_with_the_file) {
    enum { GET = 1035, SET = 1036 };
    uint64_t hint = 9;
    int fd = t_open("hint", "x");
    CHECK_EQ(fcntl(fd, GET, &hint), 0);
    CHECK_EQ(hint, 0);
    hint = 3;
    CHECK_EQ(fcntl(fd, SET, &hint), 0);
    hint = 0;
    CHECK_EQ(fcntl(open("hint", O_RDONLY), GET, &hint), 0);
    CHECK_EQ(hint, 3);
    hint = 77;
    CHECK_ERRNO(fcntl(fd, SET, &hint), EINVAL);
}
TEST(the_lowest_free_number_is_taken_after_any_close) {
    close_range(3, ~0U, 0);
    int fd = open("/dev/null", O_RDWR);
    for (int i = 1; i < 100; i++) CHECK_EQ(dup(fd), fd + i);
    close(fd + 70), close(fd + 30), close(fd + 31);
    CHECK_EQ(fcntl(fd, F_DUPFD, fd + 40), fd + 70);
    CHECK_EQ(dup(fd), fd + 30);
    CHECK_EQ(dup2(fd, fd + 31), fd + 31);
    CHECK_EQ(dup(fd), fd + 100);
    if (fork() == 0) close(fd + 3), _exit(dup(fd) != fd + 3);
    int status;
    wait(&status);
    CHECK_EQ(status, 0);
    CHECK_EQ(dup(fd), fd + 101);
}
