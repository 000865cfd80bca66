/* Files in memory and their seals. */
#include "t.h"

TEST(a_memfd_is_an_unnamed_file) {
    int fd = syscall(SYS_memfd_create, "name", MFD_CLOEXEC);
    char path[64], name[64] = "";
    CHECK_EQ(fcntl(fd, F_GETFD), 1);
    CHECK_EQ(write(fd, "hello", 5), 5);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    readlink(path, name, 63);
    CHECK_STR(name, "/memfd:name (deleted)");
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
}
TEST(seals_forbid) {
    int fd = syscall(SYS_memfd_create, "s", MFD_ALLOW_SEALING);
    CHECK_EQ(ftruncate(fd, 100), 0);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    CHECK_ERRNO(ftruncate(fd, 50), EPERM);
    CHECK_ERRNO(ftruncate(fd, 200), EPERM);
    CHECK_EQ(write(fd, "x", 1), 1);
    char *at = mmap(NULL, 100, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    munmap(at, 100);
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), 0);
    CHECK_ERRNO(write(fd, "x", 1), EPERM);
    CHECK_ERRNO((long)mmap(NULL, 100, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), 15);
    CHECK_ERRNO(fcntl(t_open("f", ""), F_GET_SEALS), EINVAL);
}
TEST(arguments_are_checked) {
    char name[300];
    memset(name, 'n', sizeof name);
    name[250] = 0;
    CHECK_ERRNO(syscall(SYS_memfd_create, name, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_memfd_create, "x", 0x80), EINVAL);
    CHECK_ERRNO(syscall(SYS_memfd_create, BAD, 0), EFAULT);
}
TEST(a_secret_file_cannot_be_read_by_calls) {
    CHECK_ERRNO(syscall(SYS_memfd_secret, 1), errno == ENOSYS ? ENOSYS : EINVAL);
    int fd = syscall(SYS_memfd_secret, 0);
    if (fd < 0) {
        CHECK_EQ(errno, ENOSYS);
        return;
    }
    CHECK_EQ(ftruncate(fd, 4096), 0);
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    at[0] = 1;
    CHECK_EQ(at[0], 1);
}
