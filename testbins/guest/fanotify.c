/* fanotify, as root. */
#include "t.h"
#include <sys/fanotify.h>
static char buffer[4096] __attribute__((aligned(8)));
static int group(unsigned flags) { return syscall(SYS_fanotify_init, flags, O_RDONLY); }
static int mark(int fd, unsigned flags, uint64_t mask, const char *path) {
    return syscall(SYS_fanotify_mark, fd, flags, mask, AT_FDCWD, path);
}
static struct fanotify_event_metadata next(int fd) {
    struct fanotify_event_metadata *event = (void *)buffer;
    CHECK_EQ(read(fd, buffer, sizeof *event), sizeof *event);
    CHECK_EQ(event->vers, 3);
    CHECK_EQ(event->pid, getpid());
    return *event;
}
TEST(a_listener_gets_the_file_that_was_used) {
    t_file("f", "x");
    int fd = group(FAN_NONBLOCK);
    char c;
    CHECK_EQ(mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE | FAN_EVENT_ON_CHILD, "."), 0);
    CHECK_ERRNO(read(fd, buffer, sizeof buffer), EAGAIN);
    close(open("f", O_RDONLY));
    struct fanotify_event_metadata event = next(fd);
    CHECK_EQ(event.mask, FAN_OPEN | FAN_CLOSE_NOWRITE);
    CHECK_EQ(read(event.fd, &c, 1), 1);
    CHECK_EQ(c, 'x');
    CHECK_ERRNO(write(event.fd, "y", 1), EBADF);
    close(event.fd);
    CHECK_ERRNO(read(fd, buffer, sizeof buffer), EAGAIN);
    CHECK_EQ(mark(fd, FAN_MARK_FLUSH, 0, "."), 0);
    close(open("f", O_RDONLY));
    CHECK_ERRNO(read(fd, buffer, sizeof buffer), EAGAIN);
}
TEST(an_ignored_event_counts_again_after_a_change) {
    t_file("f", "x");
    int fd = group(FAN_NONBLOCK);
    CHECK_EQ(mark(fd, FAN_MARK_ADD, FAN_OPEN, "f"), 0);
    CHECK_EQ(mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, "f"), 0);
    int file = open("f", O_WRONLY);
    CHECK_ERRNO(read(fd, buffer, sizeof buffer), EAGAIN);
    write(file, "y", 1);
    close(open("f", O_RDONLY));
    CHECK_EQ(next(fd).mask, FAN_OPEN);
}
TEST(a_listener_refuses_an_open) {
    t_file("f", "x");
    int fd = group(FAN_CLASS_CONTENT);
    CHECK_EQ(mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, "f"), 0);
    for (int i = 0; i < 2; i++) {
        int pid = fork();
        if (!pid) _exit(open("f", O_RDONLY) < 0 ? errno : 0);
        struct fanotify_event_metadata *event = (void *)buffer;
        CHECK_EQ(read(fd, buffer, sizeof buffer), sizeof *event);
        CHECK_EQ(event->mask, FAN_OPEN_PERM);
        struct fanotify_response answer = {event->fd, i ? FAN_ALLOW : FAN_DENY};
        CHECK_EQ(write(fd, &answer, sizeof answer), sizeof answer);
        CHECK_ERRNO(write(fd, &answer, sizeof answer), ENOENT);
        close(event->fd);
        int status;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(WEXITSTATUS(status), i ? 0 : EPERM);
    }
}
TEST(wrong_arguments_are_told_apart) {
    CHECK_ERRNO(group(FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT), EINVAL);
    int fd = group(0);
    CHECK_ERRNO(mark(fd, 0, FAN_OPEN, "."), EINVAL);
    CHECK_ERRNO(mark(fd, FAN_MARK_ADD, 0, "."), EINVAL);
    CHECK_ERRNO(mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, "."), EINVAL);
    CHECK_ERRNO(mark(fd, FAN_MARK_REMOVE, FAN_OPEN, "."), ENOENT);
    CHECK_ERRNO(mark(fd, FAN_MARK_ADD, FAN_OPEN, "none"), ENOENT);
    CHECK_ERRNO(mark(0, FAN_MARK_ADD, FAN_OPEN, "."), EINVAL);
}
