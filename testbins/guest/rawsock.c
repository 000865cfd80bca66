// Raw sockets, control messages, urgent data, multicast and disconnecting on loopback: raw(7), ip(7), tcp(7).
#include "t.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <linux/sockios.h>

static struct sockaddr_in lo(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int udp_on(struct sockaddr_in *name) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t len = sizeof *name;
    *name = lo(0);
    bind(fd, (void *)name, sizeof *name);
    getsockname(fd, (void *)name, &len);
    return fd;
}

static void tcp_pair(int *a, int *b) {
    int l = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = lo(0);
    socklen_t len = sizeof name;
    bind(l, (void *)&name, sizeof name);
    listen(l, 1);
    getsockname(l, (void *)&name, &len);
    *a = socket(AF_INET, SOCK_STREAM, 0);
    connect(*a, (void *)&name, len);
    *b = accept(l, 0, 0);
    close(l);
}

static unsigned short sum(const unsigned char *p, int n) {
    unsigned s = 0;
    for (int i = 0; i < n; i += 2) s += p[i] << 8 | p[i + 1];
    while (s >> 16) s = (s & 0xffff) + (s >> 16);
    return htons(~s);
}

TEST(an_echo_request_is_answered) {
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (fd < 0) {
        CHECK(errno == EPERM);
        return;
    }
    unsigned char msg[16] = {8, 0, 0, 0, 0x12, 0x34, 0, 1, 'h', 'e', 'l', 'l', 'o', '!', '!', '!'};
    unsigned short c = sum(msg, 16);
    memcpy(msg + 2, &c, 2);
    struct sockaddr_in to = lo(0);
    CHECK(sendto(fd, msg, 16, 0, (void *)&to, sizeof to) == 16);
    unsigned char got[100];
    // The request is seen first, then the answer.
    CHECK(recv(fd, got, 100, 0) == 36 && got[20] == 8);
    CHECK(recv(fd, got, 100, 0) == 36 && got[20] == 0 && got[9] == 1 && !memcmp(got + 28, "hello", 5));
    CHECK((got[0] == 0x45) && got[12] == 127);
    close(fd);
}

TEST(a_raw_socket_sees_udp) {
    int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
    if (raw < 0) return;
    struct sockaddr_in name;
    int fd = udp_on(&name);
    CHECK(sendto(fd, "xyz", 3, 0, (void *)&name, sizeof name) == 3);
    unsigned char got[100];
    struct udphdr *u = (void *)(got + 20);
    CHECK(recv(raw, got, 100, 0) == 31 && u->dest == name.sin_port && ntohs(u->len) == 11);
    close(raw);
    close(fd);
}

TEST(packet_info_names_the_destination) {
    struct sockaddr_in name;
    int fd = udp_on(&name), on = 1;
    CHECK(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, 4) == 0);
    CHECK(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, 4) == 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, 4) == 0);
    CHECK(sendto(fd, "x", 1, 0, (void *)&name, sizeof name) == 1);
    char body[8], control[256];
    struct iovec iov = {body, 8};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = 256};
    CHECK(recvmsg(fd, &m, 0) == 1);
    int seen = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *i = (void *)CMSG_DATA(c);
            seen |= (i->ipi_ifindex == 1 && i->ipi_addr.s_addr == htonl(INADDR_LOOPBACK)) ? 1 : 0;
        }
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) seen |= *(int *)CMSG_DATA(c) == 64 ? 2 : 0;
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMP) seen |= 4;
    }
    CHECK(seen == 7);
    close(fd);
}

TEST(an_urgent_byte_goes_out_of_band) {
    int a, b, mark = -1;
    tcp_pair(&a, &b);
    CHECK(send(a, "abc", 3, MSG_OOB) == 3);
    struct pollfd p = {b, POLLPRI, 0};
    CHECK(poll(&p, 1, 1000) == 1 && p.revents == POLLPRI);
    char got[8];
    CHECK(recv(b, got, 8, MSG_OOB) == 1 && got[0] == 'c');
    CHECK(recv(b, got, 8, MSG_OOB) == -1 && errno == EINVAL);
    CHECK(recv(b, got, 8, 0) == 2 && !memcmp(got, "ab", 2));
    CHECK(ioctl(b, SIOCATMARK, &mark) == 0 && mark == 1);
    CHECK(send(a, "de", 2, 0) == 2);
    CHECK(recv(b, got, 8, 0) == 2 && !memcmp(got, "de", 2));
    close(a);
    close(b);
}

TEST(a_disconnected_stream_connects_again) {
    int a, b;
    tcp_pair(&a, &b);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK(connect(a, &none, sizeof none) == 0);
    char c;
    CHECK(recv(b, &c, 1, 0) == -1 && errno == ECONNRESET);
    struct sockaddr_in name;
    socklen_t len = sizeof name;
    CHECK(getsockname(a, (void *)&name, &len) == 0);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    name = lo(0);
    bind(l, (void *)&name, sizeof name);
    listen(l, 1);
    getsockname(l, (void *)&name, &len);
    CHECK(connect(a, (void *)&name, len) == 0);
    close(a);
    close(b);
    close(l);
}

TEST(a_v6_socket_talks_to_v4_after_v6) {
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    six.sin6_addr = in6addr_loopback;
    CHECK(connect(fd, (void *)&six, sizeof six) == 0);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK(connect(fd, &none, sizeof none) == 0);
    struct sockaddr_in four = lo(9);
    CHECK(connect(fd, (void *)&four, sizeof four) == 0);
    socklen_t len = sizeof six;
    CHECK(getsockname(fd, (void *)&six, &len) == 0 && IN6_IS_ADDR_V4MAPPED(&six.sin6_addr));
    close(fd);
}

TEST(a_group_on_loopback_gets_what_is_sent_to_it) {
    int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET}, to;
    socklen_t len = sizeof any;
    bind(in, (void *)&any, sizeof any);
    getsockname(in, (void *)&any, &len);
    struct ip_mreqn join = {.imr_ifindex = 1};
    join.imr_multiaddr.s_addr = inet_addr("239.1.2.3");
    CHECK(setsockopt(in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join) == 0);
    CHECK(setsockopt(in, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join) == -1 && errno == EADDRINUSE);
    CHECK(setsockopt(out, IPPROTO_IP, IP_MULTICAST_IF, &join, sizeof join) == 0);
    to = any;
    to.sin_addr = join.imr_multiaddr;
    CHECK(sendto(out, "group", 5, 0, (void *)&to, sizeof to) == 5);
    char got[8];
    CHECK(recv(in, got, 8, 0) == 5);
    CHECK(setsockopt(in, IPPROTO_IP, IP_DROP_MEMBERSHIP, &join, sizeof join) == 0);
    CHECK(setsockopt(in, IPPROTO_IP, IP_DROP_MEMBERSHIP, &join, sizeof join) == -1 && errno == EADDRNOTAVAIL);
    close(in);
    close(out);
}

TEST(proc_net_lists_a_bound_socket) {
    struct sockaddr_in name;
    int fd = udp_on(&name);
    char line[400], want[40];
    sprintf(want, "0100007F:%04X", ntohs(name.sin_port));
    FILE *f = fopen("/proc/net/udp", "r");
    int found = 0;
    while (f && fgets(line, sizeof line, f)) found |= strstr(line, want) != 0;
    CHECK(found);
    if (f) fclose(f);
    close(fd);
}

TEST(a_proc_directory_takes_signals) {
    char path[40];
    sprintf(path, "/proc/%d", getpid());
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    CHECK(syscall(SYS_pidfd_send_signal, fd, 0, 0, 0) == 0);
    close(fd);
}
