// unix(7): pairs, names, files and credentials in messages.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed;
static void check(int ok, const char *name) {
    printf("%s %s\n", ok ? "ok" : "not ok", name);
    failed |= !ok;
}
static void pairs_talk(void) {
    int s[2];
    char buf[16] = {0};
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "socketpair");
    check(send(s[0], "ab", 2, 0) == 2 && write(s[0], "cd", 2) == 2, "send");
    check(recv(s[1], buf, 3, MSG_PEEK) == 3 && recv(s[1], buf, 16, 0) == 4 && !strcmp(buf, "abcd"), "peek, recv");
    check(recv(s[1], buf, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "MSG_DONTWAIT");
    check(shutdown(s[0], SHUT_WR) == 0 && recv(s[1], buf, 1, 0) == 0, "shutdown is the end");
    close(s[0]);
    signal(SIGPIPE, SIG_IGN);
    check(send(s[1], "x", 1, 0) == -1 && errno == EPIPE, "EPIPE");
    struct pollfd f = {s[1], POLLIN | POLLRDHUP, 0};
    check(poll(&f, 1, 0) == 1 && f.revents == (POLLIN | POLLHUP | POLLRDHUP), "poll after close");
    close(s[1]);
}
static void named(const char *path, socklen_t len, const char *what) {
    struct sockaddr_un a = {AF_UNIX, {0}}, peer;
    memcpy(a.sun_path, path, len);
    socklen_t alen = offsetof(struct sockaddr_un, sun_path) + len, plen = sizeof peer;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    check(connect(c, (void *)&a, alen) == -1, what);
    check(bind(l, (void *)&a, alen) == 0 && listen(l, 1) == 0, "bind, listen");
    check(bind(c, (void *)&a, alen) == -1 && errno == EADDRINUSE, "EADDRINUSE");
    check(connect(c, (void *)&a, alen) == 0, "connect");
    int s = accept(l, (void *)&peer, &plen);
    check(s >= 0 && plen == 2, "accept from one without a name");
    plen = sizeof peer;
    check(getpeername(c, (void *)&peer, &plen) == 0 && !memcmp(peer.sun_path, a.sun_path, len), "getpeername");
    struct ucred u;
    socklen_t ulen = sizeof u;
    check(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &u, &ulen) == 0 && u.pid == getpid(), "SO_PEERCRED");
    check(write(c, "hi", 2) == 2 && read(s, (char[2]){0}, 2) == 2, "talk");
    close(s); close(c); close(l);
}
static void datagrams_keep_borders(void) {
    struct sockaddr_un a = {AF_UNIX, {0}}, from;
    socklen_t flen = sizeof from, two = 2, n = sizeof a;
    int r = socket(AF_UNIX, SOCK_DGRAM, 0), w = socket(AF_UNIX, SOCK_DGRAM, 0);
    char buf[8];
    check(bind(r, (void *)&a, two) == 0 && getsockname(r, (void *)&a, &n) == 0 && n == 8, "autobind");
    check(sendto(w, "one", 3, 0, (void *)&a, n) == 3 && connect(w, (void *)&a, n) == 0 && send(w, "four", 4, 0) == 4, "send");
    check(recvfrom(r, buf, 2, MSG_TRUNC, (void *)&from, &flen) == 3 && flen == 0, "MSG_TRUNC tells the length");
    check(recv(r, buf, 8, 0) == 4, "next");
    check(send(r, "x", 1, 0) == -1 && errno == ENOTCONN, "ENOTCONN");
    close(r);
    check(send(w, "x", 1, 0) == -1 && errno == ECONNREFUSED, "ECONNREFUSED");
    close(w);
}
static void files_and_credentials_go_along(void) {
    int s[2], p[2], on = 1, got = -1;
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    pipe(p);
    setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    union { char b[CMSG_SPACE(sizeof(int))]; struct cmsghdr h; } c = {0};
    struct iovec io = {"f", 1};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
    c.h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&c.h), &p[1], sizeof(int));
    check(sendmsg(s[0], &m, 0) == 1, "sendmsg with a file");
    close(p[1]);
    char space[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))], byte;
    io = (struct iovec){&byte, 1};
    m = (struct msghdr){.msg_iov = &io, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    check(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC) == 1 && byte == 'f', "recvmsg");
    int creds = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_type == SCM_RIGHTS) memcpy(&got, CMSG_DATA(h), sizeof got);
        if (h->cmsg_type == SCM_CREDENTIALS) creds = ((struct ucred *)CMSG_DATA(h))->pid == getpid();
    }
    check(creds, "credentials");
    check(got >= 0 && write(got, "x", 1) == 1 && read(p[0], &byte, 1) == 1, "the file works");
    close(got);
    check(read(p[0], &byte, 1) == 0, "no reference is left");
    // A socket in its own queue: closing both ends must free the pipe that travels with it.
    pipe(p);
    int two[2] = {s[0], p[1]};
    union { char b[CMSG_SPACE(sizeof two)]; struct cmsghdr h; } d = {0};
    d.h = (struct cmsghdr){CMSG_LEN(sizeof two), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&d.h), two, sizeof two);
    m = (struct msghdr){.msg_iov = &io, .msg_iovlen = 1, .msg_control = &d, .msg_controllen = sizeof d};
    check(sendmsg(s[1], &m, 0) == 1, "a socket in its own queue");
    close(s[0]); close(s[1]); close(p[1]);
    struct pollfd f = {p[0], POLLIN, 0};
    check(poll(&f, 1, 2000) == 1 && (f.revents & POLLHUP), "garbage is found");
    close(p[0]);
}
int main(void) {
    pairs_talk();
    unlink("/tmp/sock_test");
    named("/tmp/sock_test", 15, "no such path yet");
    unlink("/tmp/sock_test");
    named("\0abstract", 9, "no such name yet");
    datagrams_keep_borders();
    files_and_credentials_go_along();
    return failed;
}
