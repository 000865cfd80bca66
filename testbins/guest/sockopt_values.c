/* Values that socket options take, and what comes of them. */
#include "t.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

enum { PASSPIDFD = 76, PEERPIDFD = 77, SCM_PIDFD_ = 4 };

static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }
static int get(int fd, int level, int name) {
    int value = -77;
    socklen_t len = sizeof value;
    CHECK_EQ(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

TEST(numbers_out_of_range_are_refused) {
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp6 = socket(AF_INET6, SOCK_DGRAM, 0);
    static const struct { int six, level, name, wrong, right, reads; } rows[] = {
        {0, IPPROTO_TCP, TCP_KEEPIDLE, 0, 5, 5}, {0, IPPROTO_TCP, TCP_KEEPIDLE, 40000, 32767, 32767},
        {0, IPPROTO_TCP, TCP_KEEPINTVL, 0, 5, 5}, {0, IPPROTO_TCP, TCP_KEEPCNT, 128, 127, 127},
        {0, IPPROTO_TCP, TCP_SYNCNT, 0, 1, 1}, {0, IPPROTO_TCP, TCP_MAXSEG, 5, 1000, 1000},
        {0, IPPROTO_TCP, TCP_USER_TIMEOUT, -1, 1000, 1000}, {0, IPPROTO_TCP, TCP_SAVE_SYN, 3, 2, 2},
        {0, IPPROTO_IP, IP_TTL, 0, 255, 255}, {0, IPPROTO_IP, IP_TTL, 256, -1, 64},
        {0, IPPROTO_IP, IP_MTU_DISCOVER, 6, 3, 3}, {0, IPPROTO_IP, IP_MINTTL, 256, 255, 255},
        {0, SOL_SOCKET, SO_BUSY_POLL, -1, 0, 0}, {1, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256, -1, 64},
        {1, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 256, -1, 1}, {1, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 2, 0, 0},
        {1, IPPROTO_IPV6, IPV6_TCLASS, 256, -1, 0}, {1, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, -1, 1, 1025},
        {1, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 6, 2, 2},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = rows[i].six ? udp6 : tcp;
        CHECK_ERRNO(set(fd, rows[i].level, rows[i].name, rows[i].wrong), EINVAL);
        CHECK_EQ(set(fd, rows[i].level, rows[i].name, rows[i].right), 0);
        CHECK_EQ(get(fd, rows[i].level, rows[i].name), rows[i].reads);
    }
}
TEST(numbers_are_kept_as_linux_keeps_them) {
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    static const struct { int udp, level, name, sets, reads; } rows[] = {
        {0, IPPROTO_IP, IP_TOS, 255, 252}, {1, IPPROTO_IP, IP_TOS, 255, 255}, {0, SOL_SOCKET, SO_RCVLOWAT, 0, 1},
        {0, IPPROTO_TCP, TCP_LINGER2, 1000000, 120}, {0, IPPROTO_TCP, TCP_LINGER2, -5, -1},
        {0, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5, 7}, {0, IPPROTO_TCP, TCP_DEFER_ACCEPT, -1, 0},
        {0, IPPROTO_TCP, TCP_WINDOW_CLAMP, 1, 1152}, {0, IPPROTO_TCP, TCP_NODELAY, 7, 1},
        {0, IPPROTO_TCP, TCP_QUICKACK, 7, 1}, {0, IPPROTO_IP, IP_RECVOPTS, 7, 1}, {1, SOL_SOCKET, SO_NO_CHECK, 7, 1},
        {0, SOL_SOCKET, SO_BSDCOMPAT, 1, 0},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        int fd = rows[i].udp ? udp : tcp;
        CHECK_EQ(set(fd, rows[i].level, rows[i].name, rows[i].sets), 0);
        CHECK_EQ(get(fd, rows[i].level, rows[i].name), rows[i].reads);
    }
    CHECK_EQ(setsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
    char name[16];
    socklen_t len = sizeof name;
    CHECK_EQ(getsockopt(tcp, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
    CHECK_STR(name, "reno");
}
TEST(lengths_are_checked_level_by_level) {
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp6 = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
    CHECK_ERRNO(setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &one, 1), EINVAL);
    CHECK_ERRNO(setsockopt(udp6, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, 1), EINVAL);
    CHECK_EQ(setsockopt(tcp, IPPROTO_IP, IP_RECVTTL, &one, 1), 0);
    CHECK_EQ(setsockopt(tcp, IPPROTO_IP, IP_RECVTTL, &one, 0), 0);
    CHECK_EQ(get(tcp, IPPROTO_IP, IP_RECVTTL), 0);
    CHECK_ERRNO(setsockopt(tcp, IPPROTO_IP, IP_TTL, &one, 0), EINVAL);
    CHECK_ERRNO(setsockopt(tcp, IPPROTO_IP, 27, BAD, 4), ENOPROTOOPT);
    CHECK_ERRNO(setsockopt(tcp, IPPROTO_IP, IP_TTL, BAD, 4), EFAULT);
}
TEST(options_of_others_are_refused) {
    int local = socket(AF_UNIX, SOCK_STREAM, 0), tcp = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERRNO(set(local, SOL_SOCKET, SO_REUSEPORT, 1), EOPNOTSUPP);
    CHECK_ERRNO(set(tcp, IPPROTO_IP, IP_HDRINCL, 1), ENOPROTOOPT);
    socklen_t len = 4;
    int value;
    CHECK_ERRNO(getsockopt(tcp, IPPROTO_IP, IP_MTU, &value, &len), ENOTCONN);
    CHECK_EQ(set(tcp, SOL_SOCKET, SO_LOCK_FILTER, 1), 0);
    CHECK_ERRNO(set(tcp, SOL_SOCKET, SO_LOCK_FILTER, 0), EPERM);
    IN_CHILD(setuid(1000); CHECK_ERRNO(set(tcp, SOL_SOCKET, SO_MARK, 1), EPERM);
             CHECK_ERRNO(set(tcp, SOL_SOCKET, SO_PRIORITY, 7), EPERM); CHECK_EQ(set(tcp, SOL_SOCKET, SO_PRIORITY, 6), 0);
             CHECK_ERRNO(set(tcp, SOL_SOCKET, SO_RCVBUFFORCE, 7), EPERM));
}
TEST(a_look_goes_on_where_the_last_one_ended) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    for (int i = 0; i < 2; i++) {
        int p[2];
        char b[8] = "";
        socketpair(AF_UNIX, types[i] | SOCK_NONBLOCK, 0, p);
        CHECK_EQ(get(p[1], SOL_SOCKET, SO_PEEK_OFF), -1);
        CHECK_EQ(set(p[1], SOL_SOCKET, SO_PEEK_OFF, 0), 0);
        send(p[0], "abcdef", 6, 0);
        CHECK_EQ(recv(p[1], b, 2, MSG_PEEK), 2);
        CHECK_STR(b, "ab");
        CHECK_EQ(recv(p[1], b, 2, MSG_PEEK), 2);
        CHECK_STR(b, "cd");
        CHECK_EQ(get(p[1], SOL_SOCKET, SO_PEEK_OFF), 4);
        CHECK_EQ(recv(p[1], b, 8, MSG_PEEK), 2);
        CHECK_ERRNO(recv(p[1], b, 8, MSG_PEEK), EAGAIN);
        CHECK_EQ(recv(p[1], b, 3, 0), 3);
        CHECK_EQ(get(p[1], SOL_SOCKET, SO_PEEK_OFF), types[i] == SOCK_STREAM ? 3 : 0);
    }
}
TEST(the_process_at_the_other_end_comes_as_a_pidfd) {
    int p[2], fd = -1;
    socklen_t len = sizeof fd;
    socketpair(AF_UNIX, SOCK_STREAM, 0, p);
    CHECK_EQ(getsockopt(p[0], SOL_SOCKET, PEERPIDFD, &fd, &len), 0);
    CHECK_EQ(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0);
    CHECK_EQ(set(p[1], SOL_SOCKET, PASSPIDFD, 1), 0);
    send(p[0], "x", 1, 0);
    char b[4], control[64];
    struct iovec v = {b, 4};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK_EQ(recvmsg(p[1], &m, 0), 1);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    CHECK(c && c->cmsg_type == SCM_PIDFD_ && c->cmsg_len == CMSG_LEN(4));
    CHECK_EQ(syscall(SYS_pidfd_send_signal, *(int *)CMSG_DATA(c), 0, NULL, 0), 0);
}
TEST(groups_and_names_of_a_peer_fit_or_not) {
    int p[2], groups[4];
    setgroups(2, (gid_t[]){7, 9});
    socketpair(AF_UNIX, SOCK_STREAM, 0, p);
    socklen_t len = 4;
    CHECK_ERRNO(getsockopt(p[0], SOL_SOCKET, SO_PEERGROUPS, groups, &len), ERANGE);
    CHECK_EQ(len, 8);
    CHECK_EQ(getsockopt(p[0], SOL_SOCKET, SO_PEERGROUPS, groups, &len), 0);
    CHECK(groups[0] == 7 && groups[1] == 9);
    len = 16;
    CHECK_ERRNO(getsockopt(p[0], SOL_SOCKET, SO_PEERNAME, groups, &len), EINVAL);
}
TEST(a_full_backlog_is_told_before_the_own_state) {
    struct sockaddr_un name = {AF_UNIX, "s"};
    int a = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), b = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_EQ(bind(a, (void *)&name, sizeof name), 0);
    CHECK_ERRNO(bind(a, (void *)&name, sizeof name), EADDRINUSE);
    CHECK_EQ(listen(a, 0), 0);
    CHECK_EQ(connect(b, (void *)&name, sizeof name), 0);
    CHECK_ERRNO(connect(b, (void *)&name, sizeof name), EAGAIN);
    CHECK(accept(a, NULL, NULL) >= 0);
    CHECK_ERRNO(connect(b, (void *)&name, sizeof name), EISCONN);
}
TEST(a_datagram_socket_that_has_another_peer_refuses) {
    struct sockaddr_un name = {AF_UNIX, "d"};
    int a = socket(AF_UNIX, SOCK_DGRAM, 0), b = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(bind(a, (void *)&name, sizeof name), 0);
    CHECK_EQ(connect(a, (void *)&name, sizeof name), 0);
    CHECK_ERRNO(connect(b, (void *)&name, sizeof name), EPERM);
}
TEST(a_connection_of_messages_does_not_look_at_a_name) {
    struct sockaddr_un name = {AF_UNIX, "nobody"};
    int p[2];
    char b;
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p);
    CHECK_EQ(sendto(p[0], "x", 1, 0, (void *)&name, sizeof name), 1);
    CHECK_EQ(read(p[1], &b, 1), 1);
}
TEST(an_unread_datagram_socket_that_was_shut_is_empty_not_at_its_end) {
    int p[2];
    char b;
    socketpair(AF_UNIX, SOCK_DGRAM, 0, p);
    CHECK_EQ(shutdown(p[0], SHUT_RD), 0);
    CHECK_ERRNO(recv(p[0], &b, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(recv(p[0], &b, 1, 0), 0);
}

static int pair_of_tcp(int *accepted) {
    struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(bind(listener, (void *)&at, len), 0);
    CHECK_EQ(listen(listener, 1), 0);
    getsockname(listener, (void *)&at, &len);
    CHECK_EQ(connect(fd, (void *)&at, len), 0);
    *accepted = accept(listener, NULL, NULL);
    close(listener);
    return fd;
}
TEST(a_connection_that_both_ended_is_none) {
    int b, a = pair_of_tcp(&b);
    struct tcp_info info;
    struct sockaddr_in name;
    socklen_t len = sizeof info, size = sizeof name;
    CHECK_EQ(shutdown(a, SHUT_WR), 0);
    CHECK_EQ(recv(b, &len, 1, 0), 0);
    CHECK_EQ(getsockopt(b, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    CHECK_EQ(info.tcpi_state, TCP_CLOSE_WAIT);
    CHECK_EQ(shutdown(b, SHUT_WR), 0);
    CHECK_EQ(recv(a, &b, 1, 0), 0);
    CHECK_ERRNO(shutdown(a, SHUT_RDWR), ENOTCONN);
    CHECK_ERRNO(getpeername(a, (void *)&name, &size), ENOTCONN);
}
TEST(tcp_throws_away_what_it_would_copy) {
    int b, a = pair_of_tcp(&b);
    char text[8];
    CHECK_EQ(send(a, "hello", 5, 0), 5);
    CHECK_EQ(recv(b, text, 3, MSG_PEEK | MSG_WAITALL), 3);
    CHECK_EQ(recv(b, NULL, 3, MSG_TRUNC), 3);
    CHECK_EQ(recv(b, text, 8, 0), 2);
    CHECK(memcmp(text, "lo", 2) == 0);
}
TEST(a_refusal_that_was_read_is_told_once_more) {
    struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int bound = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    CHECK_EQ(bind(bound, (void *)&at, len), 0);
    getsockname(bound, (void *)&at, &len);
    CHECK_ERRNO(connect(fd, (void *)&at, sizeof at), EINPROGRESS);
    struct pollfd p = {fd, POLLOUT};
    CHECK_EQ(poll(&p, 1, 5000), 1);
    CHECK_EQ(get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    CHECK_ERRNO(connect(fd, (void *)&at, sizeof at), ECONNABORTED);
}
TEST(udp_knows_no_urgent_data_and_may_be_shut_alone) {
    struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char b;
    CHECK_EQ(bind(fd, (void *)&at, len), 0);
    getsockname(fd, (void *)&at, &len);
    CHECK_EQ(sendto(fd, "x", 1, 0, (void *)&at, sizeof at), 1);
    CHECK_EQ(recv(fd, &b, 1, MSG_OOB), 1);
    CHECK_ERRNO(shutdown(fd, SHUT_RDWR), ENOTCONN);
    CHECK_ERRNO(sendto(fd, "x", 1, MSG_NOSIGNAL, (void *)&at, sizeof at), EPIPE);
    at.sin_addr.s_addr = INADDR_BROADCAST;
    CHECK_ERRNO(connect(socket(AF_INET, SOCK_DGRAM, 0), (void *)&at, sizeof at), EACCES);
}
TEST(an_error_after_the_first_message_is_told_next_time) {
    int p[2];
    char b[4];
    struct iovec good = {b, 4};
    struct mmsghdr two[2] = {{{.msg_iov = &good, .msg_iovlen = 1}}, {{.msg_iov = BAD, .msg_iovlen = 1}}};
    socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p);
    send(p[0], "x", 1, 0);
    CHECK_EQ(recvmmsg(p[1], two, 2, 0, NULL), 1);
    CHECK_ERRNO(recv(p[1], b, 4, 0), EFAULT);
    CHECK_ERRNO(recv(p[1], b, 4, 0), EAGAIN);
}
