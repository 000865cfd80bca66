/* Options of sockets. */
#include "t.h"

static int value;
static socklen_t size;
static int get(int fd, int option) {
    value = -1, size = sizeof value;
    CHECK_EQ(syscall(SYS_getsockopt, fd, SOL_SOCKET, option, &value, &size), 0);
    return value;
}
TEST(a_socket_tells_what_it_is) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(get(fd, SO_TYPE), SOCK_DGRAM);
    CHECK_EQ(get(fd, SO_DOMAIN), AF_INET);
    CHECK_EQ(get(fd, SO_PROTOCOL), 17);
    CHECK_EQ(get(fd, SO_ERROR), 0);
    CHECK_EQ(get(fd, SO_ACCEPTCONN), 0);
}
TEST(switches_are_kept) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, options[] = {SO_REUSEADDR, SO_KEEPALIVE, SO_REUSEPORT, SO_BROADCAST};
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(get(fd, options[i]), 0);
        CHECK_EQ(syscall(SYS_setsockopt, fd, SOL_SOCKET, options[i], &on, 4), 0);
        CHECK_EQ(get(fd, options[i]), 1);
    }
}
TEST(buffer_sizes_are_doubled) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), want = 20000;
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, 4), 0);
    CHECK_EQ(get(fd, SO_SNDBUF), 40000);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &want, 4), 0);
    CHECK_EQ(get(fd, SO_RCVBUF), 40000);
}
TEST(a_receive_timeout_is_eagain) {
    int pair[2];
    char c;
    struct timeval time = {0, 20000};
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), 0);
    long before = t_now_ms();
    CHECK_ERRNO(read(pair[0], &c, 1), EAGAIN);
    CHECK(t_now_ms() - before >= 19);
}
TEST(peer_credentials_can_be_asked) {
    struct { int pid, uid, gid; } cred;
    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    size = sizeof cred;
    CHECK_EQ(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &cred, &size), 0);
    CHECK(size == 12 && cred.pid == getpid() && cred.uid == 0);
}
TEST(arguments_are_checked) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    size = 4;
    CHECK_ERRNO(syscall(SYS_setsockopt, 99, SOL_SOCKET, SO_REUSEADDR, &on, 4), EBADF);
    CHECK_ERRNO(syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, BAD, 4), EFAULT);
    CHECK_ERRNO(syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, 2), EINVAL);
    CHECK_ERRNO(syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, -1), EINVAL);
    CHECK_ERRNO(syscall(SYS_setsockopt, fd, SOL_SOCKET, 9999, &on, 4), ENOPROTOOPT);
    CHECK_ERRNO(syscall(SYS_getsockopt, fd, SOL_SOCKET, 9999, &on, &size), ENOPROTOOPT);
    CHECK_ERRNO(syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &on, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_socket, AF_INET, 99, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_socket, 999, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERRNO(syscall(SYS_socket, AF_INET, SOCK_STREAM, 17), EPROTONOSUPPORT);
    size = 1;
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size), 0);
    CHECK_EQ(size, 1);
}
