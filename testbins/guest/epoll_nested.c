// epoll(7): level, edge, oneshot, nested, closed targets.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int failed;
static void check(int ok, const char *name) {
    printf("%s %s\n", ok ? "ok" : "not ok", name);
    failed |= !ok;
}
static int add(int ep, int fd, unsigned events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}
static int ready(int ep, struct epoll_event *e) { return epoll_wait(ep, e, 8, 0); }

static void level_reports_as_long_as_it_is_true(void) {
    struct epoll_event e[8];
    int ep = epoll_create1(0), p[2];
    pipe(p);
    check(add(ep, p[0], EPOLLIN) == 0 && ready(ep, e) == 0, "nothing yet");
    write(p[1], "x", 1);
    check(ready(ep, e) == 1 && e[0].events == EPOLLIN && e[0].data.fd == p[0], "reported");
    check(ready(ep, e) == 1, "and again");
    read(p[0], (char[2]){0}, 2);
    check(ready(ep, e) == 0, "until it is read");
    close(p[1]);
    check(ready(ep, e) == 1 && e[0].events == EPOLLHUP, "hang-up without asking");
    close(p[0]);
    check(ready(ep, e) == 0, "a closed file is forgotten");
    close(ep);
}
static void edge_reports_changes(void) {
    struct epoll_event e[8];
    int ep = epoll_create1(0), p[2];
    pipe(p);
    add(ep, p[0], EPOLLIN | EPOLLET);
    write(p[1], "x", 1);
    check(ready(ep, e) == 1 && ready(ep, e) == 0, "edge: once for a write");
    write(p[1], "y", 1);
    check(ready(ep, e) == 1 && ready(ep, e) == 0, "edge: once more for the next");
    read(p[0], (char[1]){0}, 1);
    check(ready(ep, e) == 0, "edge: reading a part is none");
    close(p[0]); close(p[1]); close(ep);
}
static void oneshot_needs_rearming(void) {
    struct epoll_event e[8];
    int ep = epoll_create1(0), ev = eventfd(1, 0);
    add(ep, ev, EPOLLIN | EPOLLONESHOT);
    check(ready(ep, e) == 1 && ready(ep, e) == 0, "oneshot");
    struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = 7};
    check(epoll_ctl(ep, EPOLL_CTL_MOD, ev, &again) == 0 && ready(ep, e) == 1 && e[0].data.fd == 7, "rearmed");
    close(ev); close(ep);
}
static void nested_and_errors(void) {
    struct epoll_event e[8];
    int a = epoll_create1(0), b = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(0, 0);
    check(fcntl(b, F_GETFD) == FD_CLOEXEC, "EPOLL_CLOEXEC");
    check(add(a, b, EPOLLIN) == 0 && add(b, ev, EPOLLIN) == 0, "nested");
    check(add(b, a, EPOLLIN) == -1 && errno == ELOOP, "no circles");
    check(add(a, a, EPOLLIN) == -1 && errno == EINVAL, "not itself");
    check(add(b, ev, EPOLLIN) == -1 && errno == EEXIST, "not twice");
    check(ready(a, e) == 0, "nested: nothing");
    eventfd_write(ev, 1);
    check(ready(a, e) == 1 && e[0].data.fd == b, "nested: ready");
    check(epoll_ctl(b, EPOLL_CTL_DEL, ev, NULL) == 0 && ready(a, e) == 0, "deleted");
    check(epoll_ctl(b, EPOLL_CTL_DEL, ev, NULL) == -1 && errno == ENOENT, "ENOENT");
    int null = open("/dev/null", O_RDWR);
    check(add(b, null, EPOLLIN) == -1 && errno == EPERM, "EPERM for /dev/null");
    check(epoll_wait(b, e, 0, 0) == -1 && errno == EINVAL, "EINVAL for no room");
    close(a); close(b); close(ev); close(null);
}
static void a_thousand_are_watched(void) {
    struct epoll_event e[8];
    int ep = epoll_create1(0), ev[900], ok = 1;
    for (int i = 0; i < 900; i++) {
        ev[i] = eventfd(0, EFD_NONBLOCK);
        ok &= ev[i] >= 0 && add(ep, ev[i], EPOLLIN) == 0;
    }
    for (int i = 0; i < 900; i += 90) {
        eventfd_write(ev[i], 1);
        ok &= ready(ep, e) == 1 && e[0].data.fd == ev[i];
        eventfd_read(ev[i], &(eventfd_t){0});
    }
    check(ok, "one of many");
    for (int i = 0; i < 900; i++) close(ev[i]);
    close(ep);
}
int main(void) {
    level_reports_as_long_as_it_is_true();
    edge_reports_changes();
    oneshot_needs_rearming();
    nested_and_errors();
    a_thousand_are_watched();
    return failed;
}
