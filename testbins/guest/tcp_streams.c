/* TCP over the loopback. */
#include "t.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>

static struct sockaddr_in address;
static socklen_t size = sizeof address;
static char text[64];
static int listener(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(bind(fd, (void *)&address, sizeof address), 0);
    CHECK_EQ(listen(fd, 5), 0);
    size = sizeof address;
    CHECK_EQ(getsockname(fd, (void *)&address, &size), 0);
    return fd;
}
static void connected(int *a, int *b) {
    int server = listener();
    *a = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(*a, (void *)&address, sizeof address), 0);
    *b = accept(server, NULL, NULL);
    CHECK(*b >= 0);
}
TEST(bytes_flow_both_ways_and_end) {
    int a, b;
    connected(&a, &b);
    CHECK_EQ(write(a, "hello", 5), 5);
    CHECK_EQ(read(b, text, 64), 5);
    CHECK_EQ(write(b, "x", 1), 1);
    CHECK_EQ(read(a, text, 64), 1);
    close(a);
    CHECK_EQ(read(b, text, 64), 0);
}
TEST(names_of_both_ends_match) {
    int a, b;
    struct sockaddr_in mine, theirs;
    connected(&a, &b);
    size = sizeof mine;
    getsockname(a, (void *)&mine, &size), getpeername(b, (void *)&theirs, &size);
    CHECK(size == 16 && mine.sin_port == theirs.sin_port && mine.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK_ERRNO(getpeername(socket(AF_INET, SOCK_STREAM, 0), (void *)&mine, &size), ENOTCONN);
}
TEST(a_port_without_a_listener_refuses) {
    int server = listener(), client = socket(AF_INET, SOCK_STREAM, 0);
    close(server);
    CHECK_ERRNO(connect(client, (void *)&address, sizeof address), ECONNREFUSED);
}
TEST(a_used_port_is_eaddrinuse) {
    listener();
    CHECK_ERRNO(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, sizeof address), EADDRINUSE);
    address.sin_addr.s_addr = htonl(0x08080808);
    CHECK_ERRNO(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, sizeof address), EADDRNOTAVAIL);
    CHECK_ERRNO(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, 4), EINVAL);
    address.sin_family = AF_UNIX;
    CHECK_ERRNO(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&address, sizeof address), EAFNOSUPPORT);
}
TEST(a_nonblocking_connect_is_followed_by_poll) {
    int server = listener(), client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = -1;
    CHECK(connect(client, (void *)&address, sizeof address) == 0 || errno == EINPROGRESS);
    struct pollfd p = {client, POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 5000), 1);
    CHECK_EQ(p.revents, POLLOUT);
    size = sizeof error;
    CHECK_EQ(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    CHECK_EQ(error, 0);
    p = (struct pollfd){server, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 5000), 1);
    CHECK(accept(server, NULL, NULL) >= 0);
}
TEST(writing_after_the_peer_closed_is_epipe) {
    int a, b;
    connected(&a, &b);
    signal(SIGPIPE, SIG_IGN);
    close(b);
    int tries = 0;
    while (write(a, "x", 1) == 1 && ++tries < 100) t_sleep_ms(1);
    CHECK(errno == EPIPE || errno == ECONNRESET);
}
TEST(half_close_lets_the_other_half_flow) {
    int a, b;
    connected(&a, &b);
    write(a, "q", 1), shutdown(a, SHUT_WR);
    CHECK_EQ(read(b, text, 64), 1);
    CHECK_EQ(read(b, text, 64), 0);
    CHECK_EQ(write(b, "answer", 6), 6);
    CHECK_EQ(read(a, text, 64), 6);
    struct pollfd p = {b, POLLIN | POLLRDHUP, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLIN | POLLRDHUP);
}
TEST(much_data_arrives_whole) {
    int a, b;
    static char block[65536];
    long total = 0, n;
    connected(&a, &b);
    pid_t pid = t_fork();
    if (pid == 0) {
        for (int i = 0; i < 32; i++)
            for (long done = 0; done < 65536;) done += write(a, block + done, 65536 - done);
        _exit(0);
    }
    close(a);
    while ((n = read(b, block, sizeof block)) > 0) total += n;
    CHECK_EQ(total, 32 * 65536);
    t_wait(pid);
}
TEST(calls_before_a_connection) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(read(fd, text, 1), ENOTCONN);
    CHECK_ERRNO(write(fd, "x", 1), EPIPE);
    CHECK_ERRNO(accept(fd, NULL, NULL), EINVAL);
    CHECK_ERRNO(shutdown(fd, SHUT_WR), ENOTCONN);
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLOUT | POLLHUP);
}
TEST(options_of_tcp) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), value = 1;
    CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 4), 0);
    value = 0, size = 4;
    CHECK_EQ(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
    CHECK(value == 1 && size == 4);
}
TEST(an_unspecified_peer_ends_the_connection) {
    int a, b;
    connected(&a, &b);
    struct sockaddr none = {AF_UNSPEC};
    CHECK_EQ(connect(a, &none, sizeof none), 0);
    CHECK_ERRNO(read(b, text, 1), ECONNRESET);
    CHECK_ERRNO(getpeername(a, (void *)&address, &size), ENOTCONN);
    struct sockaddr_in any = {AF_INET};
    CHECK_EQ(bind(a, (void *)&any, sizeof any), 0);
    CHECK_EQ(listen(a, 1), 0);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERRNO(connect(fd, &none, sizeof none), EINVAL);
}
