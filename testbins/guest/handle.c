/* Names of files that outlive their paths; descriptors of namespaces. */
#include "t.h"
#include <sched.h>

struct handle {
    unsigned bytes;
    int type;
    unsigned char data[128];
};
static int name(const char *path, struct handle *handle) {
    int mount;
    handle->bytes = 128;
    return syscall(SYS_name_to_handle_at, AT_FDCWD, path, handle, &mount, 0);
}

TEST(a_handle_opens_its_file_after_a_rename) {
    struct handle a, b;
    t_file("f", "hello");
    CHECK_EQ(name("f", &a), 0);
    CHECK_EQ(rename("f", "g"), 0);
    CHECK_EQ(name("g", &b), 0);
    CHECK(a.bytes == b.bytes && !memcmp(a.data, b.data, a.bytes));
    int fd = syscall(SYS_open_by_handle_at, AT_FDCWD, &a, O_RDONLY);
    CHECK(fd >= 0);
    char text[6] = "";
    CHECK_EQ(read(fd, text, 5), 5);
    CHECK_STR(text, "hello");
}
TEST(a_handle_of_a_file_that_is_gone_is_stale) {
    struct handle a;
    t_file("f", "");
    CHECK_EQ(name("f", &a), 0);
    unlink("f");
    CHECK_ERRNO(syscall(SYS_open_by_handle_at, AT_FDCWD, &a, O_RDONLY), ESTALE);
}
TEST(arguments_of_handles_are_checked) {
    struct handle a = {.bytes = 0};
    int mount;
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, ".", &a, &mount, 0), EOVERFLOW);
    CHECK(a.bytes > 0);
    a.bytes = 200;
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, ".", &a, &mount, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, "no", &a, &mount, 0), ENOENT);
    CHECK_ERRNO(syscall(SYS_name_to_handle_at, AT_FDCWD, ".", BAD, &mount, 0), EFAULT);
    a.bytes = 0;
    CHECK_ERRNO(syscall(SYS_open_by_handle_at, AT_FDCWD, &a, 0), EINVAL);
    CHECK_EQ(name(".", &a), 0);
    CHECK_ERRNO(syscall(SYS_open_by_handle_at, 99, &a, 0), EBADF);
}
TEST(namespaces_are_files) {
    int uts = open("/proc/self/ns/uts", O_RDONLY), mnt = open("/proc/self/ns/mnt", O_RDONLY), file = t_open("f", "");
    CHECK(uts >= 0 && mnt >= 0);
    CHECK_ERRNO(setns(99, 0), EBADF);
    CHECK_ERRNO(setns(file, 0), EINVAL);
    CHECK_ERRNO(setns(uts, CLONE_NEWNS), EINVAL);
    CHECK_EQ(setns(mnt, CLONE_NEWNS), 0);
    struct stat a, b;
    CHECK_EQ(stat("/proc/self/ns/uts", &a), 0);
    CHECK_EQ(fstat(uts, &b), 0);
    CHECK_EQ(a.st_ino, b.st_ino);
}
TEST(children_live_in_a_new_time_namespace) {
    if (unshare(CLONE_NEWTIME)) return;
    int fd = open("/proc/self/timens_offsets", O_WRONLY);
    CHECK(write(fd, "monotonic 1000 0\n", 17) == 17);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    IN_CHILD(clock_gettime(CLOCK_MONOTONIC, &after); CHECK(after.tv_sec - before.tv_sec >= 999));
    CHECK_ERRNO(write(fd, "monotonic 2000 0\n", 17), EACCES);
}
