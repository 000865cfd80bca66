/* UDP over the loopback. */
#include "t.h"
#include <arpa/inet.h>

static struct sockaddr_in address, from;
static socklen_t size;
static char text[64];
static int bound(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK_EQ(bind(fd, (void *)&address, sizeof address), 0);
    size = sizeof address;
    getsockname(fd, (void *)&address, &size);
    return fd;
}
TEST(datagrams_arrive_with_their_sender) {
    int b = bound(), a = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(sendto(a, "hello", 5, 0, (void *)&address, sizeof address), 5);
    size = sizeof from;
    CHECK_EQ(recvfrom(b, text, 64, 0, (void *)&from, &size), 5);
    CHECK(size == 16 && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && from.sin_port);
    CHECK_EQ(sendto(b, "yes", 3, 0, (void *)&from, sizeof from), 3);
    CHECK_EQ(recv(a, text, 64, 0), 3);
}
TEST(long_datagrams_are_cut_and_empty_ones_count) {
    int b = bound(), a = socket(AF_INET, SOCK_DGRAM, 0);
    sendto(a, "hello", 5, 0, (void *)&address, sizeof address);
    sendto(a, "", 0, 0, (void *)&address, sizeof address);
    CHECK_EQ(recv(b, text, 2, 0), 2);
    CHECK_EQ(recv(b, text, 2, 0), 0);
    CHECK_ERRNO(recv(b, text, 2, MSG_DONTWAIT), EAGAIN);
}
TEST(a_connected_socket_hears_only_its_peer) {
    int b = bound(), a = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(connect(a, (void *)&address, sizeof address), 0);
    CHECK_EQ(write(a, "x", 1), 1);
    size = sizeof from;
    CHECK_EQ(getsockname(a, (void *)&from, &size), 0);
    CHECK_EQ(recv(b, text, 64, 0), 1);
    sendto(c, "other", 5, 0, (void *)&from, sizeof from);
    sendto(b, "peer", 4, 0, (void *)&from, sizeof from);
    CHECK_EQ(read(a, text, 64), 4);
}
TEST(sending_nowhere) {
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = bound();
    CHECK_ERRNO(write(a, "x", 1), EDESTADDRREQ);
    close(b);
    connect(a, (void *)&address, sizeof address);
    write(a, "x", 1);
    CHECK_ERRNO(read(a, text, 1), ECONNREFUSED);
    static char large[70000];
    CHECK_ERRNO(write(a, large, sizeof large), EMSGSIZE);
}
TEST(poll_follows_the_queue) {
    int b = bound(), a = socket(AF_INET, SOCK_DGRAM, 0);
    struct pollfd p = {b, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLOUT);
    sendto(a, "x", 1, 0, (void *)&address, sizeof address);
    CHECK_EQ(poll(&p, 1, 1000), 1);
    CHECK(p.revents & POLLIN);
}
TEST(more_holds_a_datagram_back_until_it_is_whole) {
    int b = bound(), a = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(sendto(a, "hel", 3, MSG_MORE, (void *)&address, sizeof address), 3);
    CHECK_ERRNO(recv(b, text, 64, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(sendto(a, "lo", 2, 0, (void *)&address, sizeof address), 2);
    CHECK_EQ(recv(b, text, 64, 0), 5);
    CHECK(!memcmp(text, "hello", 5));
}
static int pair_with(int *r, struct sockaddr_in *name) {
    socklen_t size = sizeof *name;
    *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *r = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(bind(*r, (void *)name, size), 0);
    CHECK_EQ(getsockname(*r, (void *)name, &size), 0);
    return socket(AF_INET, SOCK_DGRAM, 0);
}
static int udp_option(int fd, int name, int value) { return setsockopt(fd, IPPROTO_UDP, name, &value, sizeof value); }
TEST(a_long_send_becomes_segments) {
    static char data[70000];
    struct sockaddr_in name;
    int r, s = pair_with(&r, &name);
    CHECK_ERRNO(udp_option(s, 103, 65536), EINVAL);
    CHECK_ERRNO(udp_option(s, 103, -1), EINVAL);
    CHECK_EQ(udp_option(s, 103, 1000), 0);
    CHECK_EQ(sendto(s, data, 2500, 0, (void *)&name, sizeof name), 2500);
    CHECK_EQ(recv(r, data, sizeof data, MSG_DONTWAIT), 1000);
    CHECK_EQ(recv(r, data, sizeof data, MSG_DONTWAIT), 1000);
    CHECK_EQ(recv(r, data, sizeof data, MSG_DONTWAIT), 500);
    CHECK_ERRNO(recv(r, data, sizeof data, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(udp_option(s, 103, 10), 0);
    CHECK_ERRNO(sendto(s, data, 1281, 0, (void *)&name, sizeof name), EINVAL);
    CHECK_EQ(udp_option(s, 103, 0), 0);
    char control[CMSG_SPACE(2)] = {0};
    struct iovec piece = {data, 2500};
    struct msghdr m = {&name, sizeof name, &piece, 1, control, sizeof control, 0};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = IPPROTO_UDP, c->cmsg_type = 103, c->cmsg_len = CMSG_LEN(2);
    *(uint16_t *)CMSG_DATA(c) = 1300;
    CHECK_EQ(sendmsg(s, &m, 0), 2500);
    CHECK_EQ(recv(r, data, sizeof data, MSG_DONTWAIT), 1300);
    CHECK_EQ(recv(r, data, sizeof data, MSG_DONTWAIT), 1200);
    c->cmsg_type = 99;
    CHECK_ERRNO(sendmsg(s, &m, 0), EINVAL);
}
TEST(a_cork_holds_a_datagram_back) {
    char data[20];
    struct sockaddr_in name;
    int r, s = pair_with(&r, &name);
    CHECK_EQ(udp_option(s, 1, 1), 0);
    CHECK_EQ(sendto(s, "abc", 3, 0, (void *)&name, sizeof name), 3);
    CHECK_EQ(send(s, "def", 3, 0), 3);
    CHECK_ERRNO(recv(r, data, sizeof data, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(udp_option(s, 1, 0), 0);
    CHECK_EQ(recv(r, data, sizeof data, MSG_DONTWAIT), 6);
    CHECK(!memcmp(data, "abcdef", 6));
}
