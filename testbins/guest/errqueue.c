/* The error queue of sockets, and UDP-Lite: ip(7), ipv6(7), udplite(7), Documentation/networking/msg_zerocopy.rst. */
#include "t.h"
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>

#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY 60
#endif
#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif
enum { SEND_CSCOV = 10, RECV_CSCOV = 11, SOL_LITE = 136 };

struct got {
    struct msghdr head;
    struct sockaddr_storage from;
    char data[2000], control[300];
    struct sock_extended_err *err;
    int level, type, length;
};

static int get(int fd, int flags, size_t room, struct got *g) {
    struct iovec piece = {g->data, room};
    g->head = (struct msghdr){&g->from, sizeof g->from, &piece, 1, g->control, sizeof g->control, 0};
    int n = recvmsg(fd, &g->head, flags);
    g->err = 0;
    if (n < 0) return n;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&g->head); c; c = CMSG_NXTHDR(&g->head, c))
        if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) || (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
            g->err = (void *)CMSG_DATA(c);
            g->level = c->cmsg_level, g->type = c->cmsg_type, g->length = c->cmsg_len;
        }
    return n;
}
static int on(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }
static int pending(int fd) {
    int error = -1;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}
/* A port that nobody has. */
static struct sockaddr_in nobody(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(bind(fd, (void *)&a, size), 0);
    CHECK_EQ(getsockname(fd, (void *)&a, &size), 0);
    close(fd);
    return a;
}
static short events(int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI, 0};
    poll(&p, 1, 0);
    return p.revents;
}

TEST(a_refused_datagram_is_reported_to_an_unconnected_socket_that_asks) {
    static struct got g;
    struct sockaddr_in to = nobody(), *from = (void *)&g.from;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(sendto(fd, "lost", 4, 0, (void *)&to, sizeof to), 4);
    CHECK_EQ(pending(fd), 0);
    CHECK_ERRNO(get(fd, MSG_ERRQUEUE, 100, &g), EAGAIN);
    CHECK_EQ(on(fd, SOL_IP, IP_RECVERR, 1), 0);
    CHECK_EQ(sendto(fd, "hello", 5, 0, (void *)&to, sizeof to), 5);
    CHECK(events(fd) & POLLERR);
    CHECK_EQ(get(fd, MSG_ERRQUEUE, 100, &g), 5);
    CHECK(!memcmp(g.data, "hello", 5) && g.head.msg_flags == MSG_ERRQUEUE);
    CHECK(g.head.msg_namelen == sizeof *from && from->sin_port == to.sin_port && from->sin_addr.s_addr == to.sin_addr.s_addr);
    CHECK(g.err && g.level == SOL_IP && g.length == CMSG_LEN(32));
    CHECK_EQ(g.err->ee_errno, ECONNREFUSED);
    CHECK(g.err->ee_origin == SO_EE_ORIGIN_ICMP && g.err->ee_type == 3 && g.err->ee_code == 3 && g.err->ee_info == 0 && g.err->ee_data == 0);
    struct sockaddr_in *who = (void *)SO_EE_OFFENDER(g.err);
    CHECK(who->sin_family == AF_INET && who->sin_addr.s_addr == htonl(INADDR_LOOPBACK) && who->sin_port == 0);
    CHECK_EQ(pending(fd), 0);
    CHECK(!(events(fd) & POLLERR));
}
TEST(the_error_comes_before_the_queue_is_read_and_stays_in_it) {
    static struct got g;
    struct sockaddr_in to = nobody();
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(on(fd, SOL_IP, IP_RECVERR, 1), 0);
    CHECK_EQ(connect(fd, (void *)&to, sizeof to), 0);
    CHECK_EQ(send(fd, "a", 1, 0), 1);
    CHECK_ERRNO(send(fd, "b", 1, 0), ECONNREFUSED);
    CHECK_EQ(send(fd, "c", 1, 0), 1);
    CHECK_EQ(pending(fd), ECONNREFUSED);
    CHECK(events(fd) & POLLERR);
    CHECK_EQ(get(fd, MSG_ERRQUEUE, 100, &g), 1);
    CHECK_EQ(g.data[0], 'a');
    /* The next report sets the error again. */
    CHECK_EQ(pending(fd), ECONNREFUSED);
    CHECK_EQ(get(fd, MSG_ERRQUEUE | MSG_PEEK, 100, &g), 1);
    CHECK_EQ(g.data[0], 'c');
    CHECK_ERRNO(get(fd, MSG_ERRQUEUE, 100, &g), EAGAIN);
    CHECK_EQ(pending(fd), 0);
}
TEST(a_report_quotes_part_of_a_long_datagram) {
    static struct got g;
    static char big[1500];
    struct sockaddr_in to = nobody();
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    on(fd, SOL_IP, IP_RECVERR, 1);
    CHECK_EQ(sendto(fd, big, sizeof big, 0, (void *)&to, sizeof to), sizeof big);
    CHECK_EQ(get(fd, MSG_ERRQUEUE, sizeof g.data, &g), 520);
    CHECK_EQ(sendto(fd, big, sizeof big, 0, (void *)&to, sizeof to), sizeof big);
    CHECK_EQ(pending(fd), ECONNREFUSED);
    CHECK_EQ(get(fd, MSG_ERRQUEUE, 10, &g), 10);
    CHECK_EQ(g.head.msg_flags, MSG_ERRQUEUE | MSG_TRUNC);
}
TEST(switching_reports_off_empties_the_queue) {
    static struct got g;
    struct sockaddr_in to = nobody();
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    on(fd, SOL_IP, IP_RECVERR, 7);
    int value = 0;
    socklen_t size = sizeof value;
    CHECK_EQ(getsockopt(fd, SOL_IP, IP_RECVERR, &value, &size), 0);
    CHECK_EQ(value, 1);
    sendto(fd, "x", 1, 0, (void *)&to, sizeof to);
    CHECK_EQ(on(fd, SOL_IP, IP_RECVERR, 0), 0);
    CHECK_ERRNO(get(fd, MSG_ERRQUEUE, 10, &g), EAGAIN);
}
TEST(a_datagram_that_is_too_long_is_reported_by_this_machine) {
    static struct got g;
    static char huge[65600];
    struct sockaddr_in to = nobody(), *from = (void *)&g.from;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    on(fd, SOL_IP, IP_RECVERR, 1);
    CHECK_ERRNO(sendto(fd, huge, 65508, 0, (void *)&to, sizeof to), EMSGSIZE);
    CHECK_EQ(get(fd, MSG_ERRQUEUE, 100, &g), 0);
    CHECK_EQ(g.err->ee_errno, EMSGSIZE);
    CHECK_EQ(g.err->ee_origin, SO_EE_ORIGIN_LOCAL);
    CHECK_EQ(g.err->ee_info, 65535);
    CHECK_EQ(((struct sockaddr_in *)SO_EE_OFFENDER(g.err))->sin_family, AF_UNSPEC);
    CHECK_ERRNO(sendto(fd, huge, 65536, 0, (void *)&to, sizeof to), EMSGSIZE);
    CHECK_ERRNO(get(fd, MSG_ERRQUEUE, 100, &g), EAGAIN);
}
TEST(reports_over_version_six_have_their_own_form) {
    static struct got g;
    struct sockaddr_in v4 = nobody();
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = v4.sin_port}, *from = (void *)&g.from;
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK_EQ(on(fd, SOL_IPV6, IPV6_RECVERR, 1), 0);
    CHECK_EQ(sendto(fd, "six", 3, 0, (void *)&to, sizeof to), 3);
    CHECK_EQ(get(fd, MSG_ERRQUEUE, 100, &g), 3);
    CHECK(g.level == SOL_IPV6 && g.type == IPV6_RECVERR && g.length == CMSG_LEN(44));
    CHECK(g.err->ee_origin == SO_EE_ORIGIN_ICMP6 && g.err->ee_type == 1 && g.err->ee_code == 4 && g.err->ee_errno == ECONNREFUSED);
    CHECK(from->sin6_port == to.sin6_port && !memcmp(&from->sin6_addr, &to.sin6_addr, 16));
    struct sockaddr_in6 *who = (void *)SO_EE_OFFENDER(g.err);
    CHECK(who->sin6_family == AF_INET6 && !memcmp(&who->sin6_addr, &to.sin6_addr, 16));
}
TEST(version_six_has_room_for_a_longer_datagram) {
    static struct got g;
    static char huge[65600];
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}, *from = (void *)&g.from;
    socklen_t size = sizeof to;
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), in = socket(AF_INET6, SOCK_DGRAM, 0);
    CHECK_EQ(on(in, SOL_SOCKET, SO_RCVBUF, 200000), 0);
    CHECK_EQ(bind(in, (void *)&to, size), 0);
    CHECK_EQ(getsockname(in, (void *)&to, &size), 0);
    on(fd, SOL_IPV6, IPV6_RECVERR, 1);
    CHECK_EQ(sendto(fd, huge, 65527, 0, (void *)&to, sizeof to), 65527);
    CHECK_EQ(recv(in, huge, sizeof huge, MSG_DONTWAIT), 65527);
    CHECK_ERRNO(sendto(fd, huge, 65528, 0, (void *)&to, sizeof to), EMSGSIZE);
    CHECK_EQ(get(fd, MSG_ERRQUEUE, 100, &g), 0);
    CHECK(g.err->ee_errno == EMSGSIZE && g.err->ee_origin == SO_EE_ORIGIN_LOCAL);
    CHECK_EQ(g.err->ee_info, 65536);
    CHECK_EQ(from->sin6_port, to.sin6_port);
}
static void tcp_pair(int *a, int *b) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof name;
    int l = socket(AF_INET, SOCK_STREAM, 0);
    bind(l, (void *)&name, size);
    listen(l, 1);
    getsockname(l, (void *)&name, &size);
    *a = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(*a, (void *)&name, size), 0);
    *b = accept(l, 0, 0);
    close(l);
}
TEST(the_end_of_a_send_without_a_copy_is_reported) {
    static struct got g;
    static char data[70000], in[70000];
    int a, b, dgram = socket(AF_UNIX, SOCK_DGRAM, 0);
    tcp_pair(&a, &b);
    CHECK_EQ(send(a, data, 10, MSG_ZEROCOPY), 10);
    CHECK_ERRNO(get(a, MSG_ERRQUEUE, 10, &g), EAGAIN);
    CHECK_ERRNO(on(a, SOL_SOCKET, SO_ZEROCOPY, 2), EINVAL);
    CHECK_ERRNO(on(dgram, SOL_SOCKET, SO_ZEROCOPY, 1), EOPNOTSUPP);
    CHECK_EQ(on(a, SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    CHECK_EQ(send(a, data, sizeof data, MSG_ZEROCOPY), sizeof data);
    for (size_t done = 0; done < sizeof data + 10;) {
        int n = recv(b, in, sizeof in, 0);
        CHECK(n > 0);
        done += n;
    }
    struct pollfd p = {a, 0, 0};
    CHECK_EQ(poll(&p, 1, 20000), 1);
    CHECK_EQ(p.revents, POLLERR);
    CHECK_EQ(pending(a), 0);
    CHECK_EQ(get(a, MSG_ERRQUEUE, 10, &g), 0);
    CHECK(g.err && g.err->ee_origin == SO_EE_ORIGIN_ZEROCOPY && g.err->ee_errno == 0);
    CHECK(g.err->ee_info == 0 && g.err->ee_data == 0 && g.err->ee_code == SO_EE_CODE_ZEROCOPY_COPIED);
    CHECK_EQ(g.head.msg_namelen, 0);
}

static int lite(struct sockaddr_in *name) {
    socklen_t size = sizeof *name;
    int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
    *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(fd >= 0);
    CHECK_EQ(bind(fd, (void *)name, size), 0);
    CHECK_EQ(getsockname(fd, (void *)name, &size), 0);
    return fd;
}
static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) ? -errno : value;
}
TEST(udp_lite_carries_datagrams) {
    struct sockaddr_in name, from;
    socklen_t size = sizeof from;
    char in[10];
    int a = lite(&name), b = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
    CHECK_EQ(option(b, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDPLITE);
    CHECK_EQ(option(b, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    CHECK_EQ(sendto(b, "lite", 4, 0, (void *)&name, sizeof name), 4);
    CHECK_EQ(recvfrom(a, in, 10, 0, (void *)&from, &size), 4);
    CHECK_EQ(sendto(a, "back", 4, 0, (void *)&from, size), 4);
    CHECK_EQ(recv(b, in, 10, 0), 4);
    /* Ports of UDP are others. */
    int c = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(connect(c, (void *)&name, sizeof name), 0);
    send(c, "x", 1, 0);
    CHECK_ERRNO(recv(a, in, 10, MSG_DONTWAIT), EAGAIN);
}
TEST(udp_lite_has_a_coverage) {
    struct sockaddr_in name;
    char in[40], out[20] = {0};
    int a = lite(&name), b = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), udp = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERRNO(on(udp, SOL_LITE, SEND_CSCOV, 8), ENOPROTOOPT);
    CHECK_EQ(option(b, SOL_LITE, SEND_CSCOV), 0);
    CHECK_EQ(on(b, SOL_LITE, SEND_CSCOV, 3), 0);
    CHECK_EQ(option(b, SOL_LITE, SEND_CSCOV), 8);
    CHECK_EQ(on(b, SOL_LITE, SEND_CSCOV, 70000), 0);
    CHECK_EQ(option(b, SOL_LITE, SEND_CSCOV), 65535);
    CHECK_EQ(on(b, SOL_LITE, SEND_CSCOV, 12), 0);
    CHECK_EQ(sendto(b, out, 20, 0, (void *)&name, sizeof name), 20);
    CHECK_EQ(recv(a, in, 40, MSG_DONTWAIT), 20);
    CHECK_EQ(on(a, SOL_LITE, RECV_CSCOV, 16), 0);
    CHECK_EQ(sendto(b, out, 20, 0, (void *)&name, sizeof name), 20);
    CHECK_ERRNO(recv(a, in, 40, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(on(b, SOL_LITE, SEND_CSCOV, 16), 0);
    CHECK_EQ(sendto(b, out, 20, 0, (void *)&name, sizeof name), 20);
    CHECK_EQ(recv(a, in, 40, MSG_DONTWAIT), 20);
    CHECK_EQ(on(a, SOL_LITE, RECV_CSCOV, 0), 0);
    CHECK_EQ(sendto(b, out, 20, 0, (void *)&name, sizeof name), 20);
    CHECK_ERRNO(recv(a, in, 40, MSG_DONTWAIT), EAGAIN);
}
TEST(a_raw_socket_sees_the_coverage) {
    struct sockaddr_in name;
    unsigned char in[100];
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDPLITE);
    if (raw < 0) return;
    int a = lite(&name), b = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
    on(b, SOL_LITE, SEND_CSCOV, 9);
    sendto(b, "abcd", 4, 0, (void *)&name, sizeof name);
    CHECK_EQ(recv(raw, in, 100, 0), 32);
    CHECK(in[9] == 136 && in[24] == 0 && in[25] == 9);
    CHECK_EQ(on(b, SOL_LITE, SEND_CSCOV, 0), 0);
    sendto(b, "abcd", 4, 0, (void *)&name, sizeof name);
    CHECK_EQ(recv(raw, in, 100, 0), 32);
    CHECK(in[24] == 0 && in[25] == 0);
}
