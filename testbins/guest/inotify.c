/* inotify. */
#include "t.h"
#include <sys/inotify.h>

static int in, watch;
static char buffer[4096] __attribute__((aligned(8)));
static void on(const char *path, unsigned mask) {
    in = syscall(SYS_inotify_init1, IN_NONBLOCK);
    watch = syscall(SYS_inotify_add_watch, in, path, mask);
    CHECK(watch > 0);
}
static char *at, *end;
static void expect(unsigned mask, const char *name) {
    if (at >= end) {
        int n = read(in, buffer, sizeof buffer);
        CHECK(n > 0);
        at = buffer, end = buffer + n;
    }
    struct inotify_event *event = (void *)at;
    CHECK_EQ(event->mask, mask);
    CHECK_EQ(event->wd, watch);
    if (name) CHECK_STR(event->name, name);
    else CHECK_EQ(event->len, 0);
    at += sizeof *event + event->len;
}
TEST(a_directory_tells_of_new_and_gone_names) {
    on(".", IN_CREATE | IN_DELETE);
    t_file("f", "x"), mkdir("d", 0755), unlink("f"), rmdir("d");
    expect(IN_CREATE, "f");
    expect(IN_CREATE | IN_ISDIR, "d");
    expect(IN_DELETE, "f");
    expect(IN_DELETE | IN_ISDIR, "d");
    CHECK_ERRNO(read(in, buffer, sizeof buffer), EAGAIN);
}
TEST(a_file_tells_of_its_use) {
    t_file("f", "x");
    on("f", IN_OPEN | IN_MODIFY | IN_ACCESS | IN_CLOSE | IN_ATTRIB);
    int fd = open("f", O_RDWR);
    char c;
    read(fd, &c, 1), write(fd, "y", 1), fchmod(fd, 0600), close(fd);
    expect(IN_OPEN, NULL), expect(IN_ACCESS, NULL), expect(IN_MODIFY, NULL), expect(IN_ATTRIB, NULL), expect(IN_CLOSE_WRITE, NULL);
}
TEST(moves_have_a_common_cookie) {
    t_file("a", "x");
    on(".", IN_MOVE);
    rename("a", "b");
    expect(IN_MOVED_FROM, "a");
    uint32_t cookie = ((struct inotify_event *)buffer)->cookie;
    CHECK(cookie && ((struct inotify_event *)at)->cookie == cookie);
    expect(IN_MOVED_TO, "b");
}
TEST(deleting_the_watched_file_ends_the_watch) {
    t_file("f", "x");
    on("f", IN_DELETE_SELF);
    unlink("f");
    expect(IN_DELETE_SELF, NULL);
    expect(IN_IGNORED, NULL);
    CHECK_ERRNO(syscall(SYS_inotify_rm_watch, in, watch), EINVAL);
}
TEST(a_removed_watch_is_ignored) {
    on(".", IN_CREATE);
    CHECK_EQ(syscall(SYS_inotify_rm_watch, in, watch), 0);
    expect(IN_IGNORED, NULL);
}
TEST(arguments_are_checked) {
    in = syscall(SYS_inotify_init);
    CHECK(in >= 0);
    CHECK_ERRNO(syscall(SYS_inotify_init1, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_inotify_add_watch, in, ".", 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_inotify_add_watch, in, "none", IN_CREATE), ENOENT);
    CHECK_ERRNO(syscall(SYS_inotify_add_watch, 99, ".", IN_CREATE), EBADF);
    CHECK_ERRNO(syscall(SYS_inotify_add_watch, 0, ".", IN_CREATE), EINVAL);
    CHECK_ERRNO(syscall(SYS_inotify_rm_watch, in, 77), EINVAL);
    t_file("f", "x");
    CHECK_ERRNO(syscall(SYS_inotify_add_watch, in, "f", IN_CREATE | IN_ONLYDIR), ENOTDIR);
    watch = inotify_add_watch(in, ".", IN_CREATE);
    CHECK_EQ(inotify_add_watch(in, ".", IN_DELETE), watch);
    CHECK_ERRNO(inotify_add_watch(in, ".", IN_DELETE | IN_MASK_CREATE), EEXIST);
}
TEST(too_small_a_buffer_is_einval) {
    on(".", IN_CREATE);
    t_file("f", "x");
    struct pollfd p = {in, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_ERRNO(read(in, buffer, 16), EINVAL);
}
