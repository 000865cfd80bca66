/* Sockets of the local kind. */
#include "t.h"
#include <sys/un.h>

static int pair[2];
static char text[16];
static struct sockaddr_un at(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    return address;
}
TEST(a_pair_carries_bytes_both_ways) {
    CHECK_EQ(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair), 0);
    write(pair[0], "abc", 3), write(pair[0], "def", 3), write(pair[1], "x", 1);
    CHECK_EQ(read(pair[1], text, 16), 6);
    CHECK_EQ(read(pair[0], text, 16), 1);
    close(pair[0]);
    CHECK_EQ(read(pair[1], text, 16), 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(pair[1], "x", 1), EPIPE);
    CHECK_ERRNO(syscall(SYS_sendto, pair[1], "x", 1, MSG_NOSIGNAL, NULL, 0), EPIPE);
}
TEST(socketpair_checks_its_arguments) {
    CHECK_ERRNO(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, BAD), EFAULT);
    CHECK_ERRNO(syscall(SYS_socketpair, AF_UNIX, 77, 0, pair), EINVAL);
    CHECK_ERRNO(syscall(SYS_socketpair, AF_INET, SOCK_STREAM, 0, pair), EOPNOTSUPP);
    CHECK_ERRNO(syscall(SYS_socketpair, 999, SOCK_STREAM, 0, pair), EAFNOSUPPORT);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    CHECK_EQ(fcntl(pair[0], F_GETFD), 1);
    CHECK_ERRNO(read(pair[0], text, 1), EAGAIN);
}
TEST(datagrams_and_packets_keep_their_bounds) {
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    send(pair[0], "abc", 3, 0), send(pair[0], "de", 2, 0);
    CHECK_EQ(recv(pair[1], text, 2, MSG_TRUNC), 3);
    CHECK_EQ(recv(pair[1], text, 16, 0), 2);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    send(pair[0], "abc", 3, 0), send(pair[0], "de", 2, 0);
    CHECK_EQ(recv(pair[1], text, 16, 0), 3);
    close(pair[0]);
    CHECK_EQ(recv(pair[1], text, 16, 0), 2);
    CHECK_EQ(recv(pair[1], text, 16, 0), 0);
}
TEST(a_server_accepts_a_client) {
    struct sockaddr_un address = at("s"), from;
    socklen_t size = sizeof from;
    int server = syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(syscall(SYS_connect, client, &address, sizeof address), ENOENT);
    CHECK_EQ(syscall(SYS_bind, server, &address, sizeof address), 0);
    CHECK_ERRNO(connect(client, (void *)&address, sizeof address), ECONNREFUSED);
    CHECK_EQ(syscall(SYS_listen, server, 5), 0);
    CHECK_EQ(connect(client, (void *)&address, sizeof address), 0);
    int peer = syscall(SYS_accept, server, &from, &size);
    CHECK(peer >= 0);
    CHECK(size == 2 && from.sun_family == AF_UNIX);
    write(client, "hi", 2);
    CHECK_EQ(read(peer, text, 16), 2);
    size = sizeof from;
    CHECK_EQ(syscall(SYS_getpeername, client, &from, &size), 0);
    CHECK(size == 4 && !strcmp(from.sun_path, "s"));
    size = sizeof from;
    CHECK_EQ(syscall(SYS_getsockname, server, &from, &size), 0);
    CHECK_STR(from.sun_path, "s");
    CHECK_ERRNO(bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&address, sizeof address), EADDRINUSE);
    CHECK_ERRNO(connect(client, (void *)&address, sizeof address), EISCONN);
}
TEST(accept4_sets_flags_and_nonblocking_accept_is_eagain) {
    struct sockaddr_un address = at("s");
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(syscall(SYS_accept4, server, NULL, NULL, 0), EINVAL);
    bind(server, (void *)&address, sizeof address), listen(server, 1);
    CHECK_ERRNO(syscall(SYS_accept4, server, NULL, NULL, 0), EAGAIN);
    connect(client, (void *)&address, sizeof address);
    CHECK_ERRNO(syscall(SYS_accept4, server, NULL, NULL, 1), EINVAL);
    int peer = syscall(SYS_accept4, server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(fcntl(peer, F_GETFD) == 1 && (fcntl(peer, F_GETFL) & O_NONBLOCK));
}
TEST(abstract_names_need_no_file) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path + 1, 40, "emu-test-%d", getpid());
    socklen_t size = 3 + strlen(address.sun_path + 1);
    CHECK_EQ(bind(server, (void *)&address, size), 0);
    listen(server, 1);
    CHECK_EQ(connect(client, (void *)&address, size), 0);
}
TEST(descriptors_can_be_passed) {
    char control[CMSG_SPACE(sizeof(int))] = {0}, c = 'x';
    struct iovec part = {&c, 1};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    *head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    *(int *)CMSG_DATA(head) = t_open("f", "hello");
    CHECK_EQ(syscall(SYS_sendmsg, pair[0], &msg, 0), 1);
    memset(control, 0, sizeof control);
    CHECK_EQ(syscall(SYS_recvmsg, pair[1], &msg, MSG_CMSG_CLOEXEC), 1);
    int fd = *(int *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
    CHECK_EQ(read(fd, text, 16), 5);
    CHECK_EQ(fcntl(fd, F_GETFD), 1);
}
static void send_with_file(const char *bytes) {
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {(void *)bytes, strlen(bytes)};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    *head = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    *(int *)CMSG_DATA(head) = 1;
    CHECK_EQ(sendmsg(pair[0], &msg, 0), (int)strlen(bytes));
}
TEST(a_read_of_a_stream_ends_with_the_message_that_has_files) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    write(pair[0], "ab", 2), send_with_file("cd"), write(pair[0], "ef", 2), write(pair[0], "gh", 2);
    CHECK_EQ(recv(pair[1], text, 16, MSG_PEEK), 4);
    CHECK_EQ(read(pair[1], text, 16), 4);
    CHECK_EQ(read(pair[1], text, 16), 4);
    send_with_file("ab"), send_with_file("cd");
    CHECK_EQ(read(pair[1], text, 16), 2);
    CHECK_EQ(recv(pair[1], text, 16, MSG_DONTWAIT), 2);
    send_with_file("abcd"), write(pair[0], "ef", 2);
    CHECK_EQ(read(pair[1], text, 2), 2);
    CHECK_EQ(read(pair[1], text, 16), 4);
}
TEST(credentials_can_be_received) {
    struct ucred { int pid, uid, gid; } *cred;
    char control[64] = {0}, c;
    struct iovec part = {&c, 1};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int on = 1;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    CHECK_EQ(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
    write(pair[0], "x", 1);
    CHECK_EQ(recvmsg(pair[1], &msg, 0), 1);
    CHECK_EQ(CMSG_FIRSTHDR(&msg)->cmsg_type, SCM_CREDENTIALS);
    cred = (void *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
    CHECK(cred->pid == getpid() && cred->uid == 0);
}
TEST(peek_leaves_and_waitall_waits) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    write(pair[0], "ab", 2);
    CHECK_EQ(syscall(SYS_recvfrom, pair[1], text, 16, MSG_PEEK, NULL, NULL), 2);
    pid_t pid = t_fork();
    if (pid == 0) {
        t_sleep_ms(20);
        write(pair[0], "cd", 2);
        _exit(0);
    }
    CHECK_EQ(recv(pair[1], text, 4, MSG_WAITALL), 4);
    CHECK(!memcmp(text, "abcd", 4));
    CHECK_ERRNO(recv(pair[1], text, 4, MSG_DONTWAIT), EAGAIN);
}
TEST(shutdown_closes_one_direction) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    CHECK_EQ(syscall(SYS_shutdown, pair[0], SHUT_WR), 0);
    CHECK_EQ(read(pair[1], text, 1), 0);
    CHECK_EQ(write(pair[1], "x", 1), 1);
    CHECK_EQ(read(pair[0], text, 1), 1);
    CHECK_ERRNO(syscall(SYS_shutdown, pair[0], 3), EINVAL);
    CHECK_EQ(syscall(SYS_shutdown, socket(AF_UNIX, SOCK_STREAM, 0), 0), 0);
}
TEST(many_messages_go_in_one_call) {
    struct iovec parts[2] = {{"ab", 2}, {"cde", 3}}, in[2] = {{text, 8}, {text + 8, 8}};
    struct mmsghdr out[2] = {{{.msg_iov = parts, .msg_iovlen = 1}, 0}, {{.msg_iov = parts + 1, .msg_iovlen = 1}, 0}};
    struct mmsghdr got[2] = {{{.msg_iov = in, .msg_iovlen = 1}, 0}, {{.msg_iov = in + 1, .msg_iovlen = 1}, 0}};
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    CHECK_EQ(syscall(SYS_sendmmsg, pair[0], out, 2, 0), 2);
    CHECK(out[0].msg_len == 2 && out[1].msg_len == 3);
    CHECK_EQ(syscall(SYS_recvmmsg, pair[1], got, 2, 0, NULL), 2);
    CHECK(got[0].msg_len == 2 && got[1].msg_len == 3);
    CHECK_ERRNO(syscall(SYS_recvmmsg, pair[1], got, 2, MSG_DONTWAIT, NULL), EAGAIN);
}
TEST(calls_on_files_that_are_no_sockets_are_enotsock) {
    socklen_t size = 0;
    int fd = t_open("f", "");
    CHECK_ERRNO(bind(fd, NULL, 0), ENOTSOCK);
    CHECK_ERRNO(listen(fd, 0), ENOTSOCK);
    CHECK_ERRNO(accept(fd, NULL, NULL), ENOTSOCK);
    CHECK_ERRNO(send(fd, "x", 1, 0), ENOTSOCK);
    CHECK_ERRNO(recv(fd, text, 1, 0), ENOTSOCK);
    CHECK_ERRNO(getsockname(fd, (void *)text, &size), ENOTSOCK);
    CHECK_ERRNO(shutdown(fd, 0), ENOTSOCK);
    CHECK_ERRNO(shutdown(99, 0), EBADF);
}
