// tcp(7) and udp(7) over loopback.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed;
static void check(int ok, const char *name) {
    printf("%s %s\n", ok ? "ok" : "not ok", name);
    failed |= !ok;
}
static struct sockaddr_in local(int port) {
    return (struct sockaddr_in){AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
}
static int listener(struct sockaddr_in *a) {
    socklen_t n = sizeof *a;
    int l = socket(AF_INET, SOCK_STREAM, 0);
    *a = local(0);
    check(bind(l, (void *)a, n) == 0 && listen(l, 5) == 0 && getsockname(l, (void *)a, &n) == 0, "listen");
    return l;
}
static void streams(void) {
    struct sockaddr_in a, peer;
    socklen_t n = sizeof peer;
    int l = listener(&a), c = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    char buf[8] = {0};
    check(connect(c, (void *)&a, sizeof a) == 0, "connect");
    int s = accept4(l, (void *)&peer, &n, SOCK_CLOEXEC);
    check(s >= 0 && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && n == sizeof peer, "accept");
    check(setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
    check(write(c, "ping", 4) == 4 && read(s, buf, 8) == 4 && !strcmp(buf, "ping"), "bytes");
    write(c, "wait", 4);
    write(c, "all", 3);
    check(recv(s, buf, 7, MSG_WAITALL) == 7, "MSG_WAITALL");
    check(shutdown(c, SHUT_WR) == 0 && read(s, buf, 8) == 0, "end of file");
    check(write(s, "back", 4) == 4 && read(c, buf, 8) == 4, "the other way still works");
    close(s);
    check(read(c, buf, 8) == 0, "closed");
    signal(SIGPIPE, SIG_IGN);
    check(write(c, "x", 1) == -1 && errno == EPIPE, "EPIPE after SHUT_WR");
    close(c);
    c = socket(AF_INET, SOCK_STREAM, 0);
    connect(c, (void *)&a, sizeof a);
    s = accept(l, NULL, NULL);
    write(c, "unread", 6);
    close(s);
    check(read(c, buf, 8) == -1 && errno == ECONNRESET, "closing with unread bytes resets");
    close(c);
    close(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    check(connect(c, (void *)&a, sizeof a) == -1 && errno == ECONNREFUSED, "ECONNREFUSED");
    close(c);
}
static void without_blocking(void) {
    struct sockaddr_in a;
    int l = listener(&a), c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), e = -1;
    socklen_t n = sizeof e;
    struct pollfd f = {c, POLLOUT, 0};
    check(connect(c, (void *)&a, sizeof a) == -1 && errno == EINPROGRESS, "EINPROGRESS");
    check(poll(&f, 1, 1000) == 1 && f.revents == POLLOUT, "then writable");
    check(getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &n) == 0 && e == 0, "without error");
    int s = accept(l, NULL, NULL);
    check(recv(c, (char[1]){0}, 1, 0) == -1 && errno == EAGAIN, "EAGAIN");
    close(s); close(c); close(l);
    f.fd = c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    check(connect(c, (void *)&a, sizeof a) == -1 && errno == EINPROGRESS, "EINPROGRESS to nobody");
    check(poll(&f, 1, 1000) == 1 && (f.revents & POLLERR), "POLLERR");
    check(getsockopt(c, SOL_SOCKET, SO_ERROR, &e, &n) == 0 && e == ECONNREFUSED, "SO_ERROR");
    close(c);
}
static void a_child_serves(void) {
    struct sockaddr_in a;
    static char big[400000];
    int l = listener(&a), status;
    size_t got = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int s = accept(l, NULL, NULL);
        _exit(write(s, big, sizeof big) != sizeof big);
    }
    int c = socket(AF_INET, SOCK_STREAM, 0);
    connect(c, (void *)&a, sizeof a);
    for (ssize_t n; (n = read(c, big, 70000)) > 0;) got += n;
    waitpid(pid, &status, 0);
    check(got == sizeof big && status == 0, "a server process");
    close(c); close(l);
}
static void both_families(void) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    struct sockaddr_in b;
    socklen_t n = sizeof a;
    int l = socket(AF_INET6, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
    if (l < 0) { check(errno == EAFNOSUPPORT, "no IPv6 here"); close(c); return; }
    check(bind(l, (void *)&a, sizeof a) == 0 && listen(l, 1) == 0 && getsockname(l, (void *)&a, &n) == 0, "dual stack");
    b = local(ntohs(a.sin6_port));
    check(connect(c, (void *)&b, sizeof b) == 0, "v4 to v6");
    n = sizeof a;
    int s = accept(l, (void *)&a, &n);
    check(s >= 0 && n == sizeof a && IN6_IS_ADDR_V4MAPPED(&a.sin6_addr), "mapped address");
    close(s); close(c); close(l);
}
static void datagrams(void) {
    struct sockaddr_in a = local(0), from;
    socklen_t n = sizeof a;
    char buf[8];
    int r = socket(AF_INET, SOCK_DGRAM, 0), w = socket(AF_INET, SOCK_DGRAM, 0);
    check(bind(r, (void *)&a, n) == 0 && getsockname(r, (void *)&a, &n) == 0, "udp bind");
    check(send(w, "x", 1, 0) == -1 && errno == EDESTADDRREQ, "EDESTADDRREQ");
    check(sendto(w, "udp", 3, 0, (void *)&a, n) == 3, "sendto");
    n = sizeof from;
    check(recvfrom(r, buf, 8, 0, (void *)&from, &n) == 3 && connect(r, (void *)&from, n) == 0 && send(r, "re", 2, 0) == 2, "answer");
    check(recv(w, buf, 8, 0) == 2, "received");
    close(w);
    send(r, "x", 1, 0);
    check(send(r, "x", 1, 0) == -1 && errno == ECONNREFUSED, "nobody there");
    close(r);
}
static void interfaces(void) {
    struct ifaddrs *all, *i;
    int lo = 0;
    check(getifaddrs(&all) == 0, "getifaddrs");
    for (i = all; i; i = i->ifa_next)
        lo |= !strcmp(i->ifa_name, "lo") && i->ifa_addr && i->ifa_addr->sa_family == AF_INET;
    check(lo && if_nametoindex("lo") == 1, "lo");
    freeifaddrs(all);
}
int main(void) {
    streams();
    without_blocking();
    a_child_serves();
    both_families();
    datagrams();
    interfaces();
    return failed;
}
