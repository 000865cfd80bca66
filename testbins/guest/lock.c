/* flock, record locks, open-file-description locks. */
#include "t.h"
#include <sys/file.h>

static long lock(int fd, int cmd, int type, long start, long len) {
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    return fcntl(fd, cmd, &l);
}
TEST(flock_excludes_another_open) {
    int a = t_open("f", ""), b = open("f", O_RDONLY);
    CHECK_EQ(syscall(SYS_flock, a, LOCK_EX), 0);
    CHECK_ERRNO(syscall(SYS_flock, b, LOCK_EX | LOCK_NB), EAGAIN);
    CHECK_ERRNO(syscall(SYS_flock, b, LOCK_SH | LOCK_NB), EAGAIN);
    CHECK_EQ(syscall(SYS_flock, a, LOCK_SH), 0);
    CHECK_EQ(syscall(SYS_flock, b, LOCK_SH | LOCK_NB), 0);
    CHECK_EQ(syscall(SYS_flock, a, LOCK_UN), 0);
    CHECK_EQ(syscall(SYS_flock, b, LOCK_EX | LOCK_NB), 0);
}
TEST(flock_belongs_to_the_open_file) {
    int a = t_open("f", ""), b = open("f", O_RDONLY), copy = dup(a);
    CHECK_EQ(flock(a, LOCK_EX), 0);
    CHECK_EQ(flock(copy, LOCK_EX | LOCK_NB), 0);
    close(a);
    CHECK_ERRNO(flock(b, LOCK_EX | LOCK_NB), EAGAIN);
    close(copy);
    CHECK_EQ(flock(b, LOCK_EX | LOCK_NB), 0);
}
TEST(flock_waits_for_the_holder) {
    int a = t_open("f", "");
    CHECK_EQ(flock(a, LOCK_EX), 0);
    pid_t pid = t_fork();
    if (pid == 0) {
        close(a);
        _exit(flock(open("f", O_RDONLY), LOCK_EX) != 0);
    }
    t_sleep_ms(20);
    CHECK_EQ(flock(a, LOCK_UN), 0);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(flock_checks_its_arguments) {
    CHECK_ERRNO(syscall(SYS_flock, 99, LOCK_EX), EBADF);
    CHECK_ERRNO(syscall(SYS_flock, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_flock, 0, 64), EINVAL);
}
TEST(record_locks_exclude_other_processes) {
    int fd = t_open("f", "0123456789");
    CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 2, 3), 0);
    CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 2, 3), 0);
    IN_CHILD(CHECK_ERRNO(lock(fd, F_SETLK, F_RDLCK, 4, 1), EAGAIN); CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 5, 0), 0);
             CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 2), 0));
}
TEST(getlk_tells_who_holds_it) {
    int fd = t_open("f", "0123456789");
    lock(fd, F_SETLK, F_WRLCK, 2, 3);
    pid_t me = getpid();
    IN_CHILD(struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET}; CHECK_EQ(fcntl(fd, F_GETLK, &l), 0);
             CHECK(l.l_type == F_WRLCK && l.l_start == 2 && l.l_len == 3 && l.l_pid == me));
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_EQ(fcntl(fd, F_GETLK, &l), 0);
    CHECK_EQ(l.l_type, F_UNLCK);
}
TEST(unlocking_the_middle_splits_a_lock) {
    int fd = t_open("f", "0123456789");
    lock(fd, F_SETLK, F_WRLCK, 0, 10), lock(fd, F_SETLK, F_UNLCK, 4, 2);
    IN_CHILD(CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 4, 2), 0); CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 3, 1), EAGAIN);
             CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 6, 1), EAGAIN));
}
TEST(closing_any_descriptor_drops_record_locks) {
    int fd = t_open("f", "x"), other = open("f", O_RDONLY);
    lock(fd, F_SETLK, F_WRLCK, 0, 0);
    close(other);
    IN_CHILD(CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 0), 0));
}
TEST(setlkw_waits_and_detects_deadlock) {
    int fd = t_open("f", "01"), ends[2];
    char c;
    pipe(ends);
    lock(fd, F_SETLK, F_WRLCK, 0, 1);
    pid_t pid = t_fork();
    if (pid == 0) {
        lock(fd, F_SETLK, F_WRLCK, 1, 1);
        write(ends[1], "x", 1);
        _exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) != 0);
    }
    read(ends[0], &c, 1);
    t_sleep_ms(20);
    CHECK_ERRNO(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
    lock(fd, F_SETLK, F_UNLCK, 0, 1);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(record_locks_are_checked) {
    int in = open("f", O_RDONLY | O_CREAT, 0600), fd = open("f", O_RDWR);
    CHECK_ERRNO(lock(in, F_SETLK, F_WRLCK, 0, 0), EBADF);
    CHECK_ERRNO(lock(fd, F_SETLK, 9, 0, 0), EINVAL);
    CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, -1, 0), EINVAL);
    CHECK_ERRNO(lock(fd, F_SETLK, F_WRLCK, 1, -2), EINVAL);
    CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 2, -2), 0);
    CHECK_ERRNO(syscall(SYS_fcntl, fd, F_SETLK, BAD), EFAULT);
}
TEST(ofd_locks_belong_to_the_open_file) {
    int a = t_open("f", "x"), b = open("f", O_RDWR);
    CHECK_EQ(lock(a, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
    CHECK_ERRNO(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0), EAGAIN);
    CHECK_ERRNO(lock(b, F_SETLK, F_WRLCK, 0, 0), EAGAIN);
    close(a);
    CHECK_EQ(lock(b, F_OFD_SETLK, F_WRLCK, 0, 0), 0);
}
