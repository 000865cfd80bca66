// poll(2), select(2) and their forms with masks.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int failed, caught;
static void check(int ok, const char *name) {
    printf("%s %s\n", ok ? "ok" : "not ok", name);
    failed |= !ok;
}
static void on_signal(int s) { caught = s; }

static void poll_reports_each(void) {
    int p[2];
    pipe(p);
    struct pollfd f[4] = {{p[0], POLLIN, 9}, {p[1], POLLOUT, 9}, {-1, POLLIN, 9}, {555, POLLIN, 9}};
    check(poll(f, 4, 1000) == 2, "two of four");
    check(f[0].revents == 0 && f[1].revents == POLLOUT && f[2].revents == 0 && f[3].revents == POLLNVAL, "revents");
    close(p[1]);
    check(poll(f, 1, -1) == 1 && f[0].revents == POLLHUP, "hang-up");
    close(p[0]);
    check(poll(NULL, 0, 10) == 0, "only time");
    check(poll(NULL, 1u << 30, 0) == -1 && errno == EINVAL, "too many");
}
static void select_clears_what_is_not_ready(void) {
    int p[2];
    pipe(p);
    fd_set r, w;
    FD_ZERO(&r); FD_ZERO(&w);
    FD_SET(p[0], &r); FD_SET(p[1], &w);
    struct timeval tv = {5, 0};
    check(select(p[1] + 1, &r, &w, NULL, &tv) == 1 && !FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w), "select");
    check(tv.tv_sec == 4 || (tv.tv_sec == 5 && tv.tv_usec == 0), "time left is written back");
    FD_ZERO(&r); FD_SET(p[0], &r);
    tv = (struct timeval){0, 20000};
    check(select(p[0] + 1, &r, NULL, NULL, &tv) == 0 && !FD_ISSET(p[0], &r) && tv.tv_usec == 0, "select times out");
    close(p[1]); close(p[0]);
    FD_SET(p[0], &r);
    tv = (struct timeval){0, 0};
    check(select(p[0] + 1, &r, NULL, NULL, &tv) == -1 && errno == EBADF, "EBADF");
    check(select(-1, NULL, NULL, NULL, NULL) == -1 && errno == EINVAL, "EINVAL");
}
static void masks_hold_for_the_call(void) {
    sigset_t block, empty, now;
    sigemptyset(&empty);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    signal(SIGUSR1, on_signal);
    sigprocmask(SIG_BLOCK, &block, NULL);
    raise(SIGUSR1);
    check(!caught, "blocked");
    struct timespec t = {5, 0};
    check(ppoll(NULL, 0, &t, &empty) == -1 && errno == EINTR && caught == SIGUSR1, "ppoll lets it in");
    sigprocmask(SIG_SETMASK, NULL, &now);
    check(sigismember(&now, SIGUSR1) == 1, "the mask is back");
    caught = 0;
    raise(SIGUSR1);
    check(pselect(0, NULL, NULL, NULL, &t, &empty) == -1 && errno == EINTR && caught, "pselect too");
    t = (struct timespec){0, 1000000};
    check(ppoll(NULL, 0, &t, &block) == 0, "ppoll without signal");
}
int main(void) {
    poll_reports_each();
    select_clears_what_is_not_ready();
    masks_hold_for_the_call();
    return failed;
}
