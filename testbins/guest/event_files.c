// Counters, timers, signals and processes as files.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

static int failed;
static void check(int ok, const char *name) {
    printf("%s %s\n", ok ? "ok" : "not ok", name);
    failed |= !ok;
}
static int is_ready(int fd, short events, int ms) {
    struct pollfd f = {fd, events, 0};
    return poll(&f, 1, ms) == 1;
}
static void eventfd_counts(void) {
    uint64_t v = 3;
    int fd = eventfd(2, EFD_NONBLOCK);
    check(write(fd, &v, 8) == 8 && read(fd, &v, 8) == 8 && v == 5, "adds up");
    check(read(fd, &v, 8) == -1 && errno == EAGAIN, "empty");
    check(read(fd, &v, 4) == -1 && errno == EINVAL, "too small");
    v = UINT64_MAX;
    check(write(fd, &v, 8) == -1 && errno == EINVAL, "no largest number");
    v = UINT64_MAX - 1;
    check(write(fd, &v, 8) == 8 && !is_ready(fd, POLLOUT, 0), "full");
    close(fd);
    fd = eventfd(2, EFD_SEMAPHORE);
    check(read(fd, &v, 8) == 8 && v == 1 && is_ready(fd, POLLIN, 0), "semaphore");
    close(fd);
}
static void timerfd_ticks(void) {
    uint64_t n = 0;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec t = {{0, 5000000}, {0, 5000000}}, now;
    check(timerfd_settime(fd, 0, &t, NULL) == 0, "armed");
    check(timerfd_gettime(fd, &now) == 0 && now.it_interval.tv_nsec == 5000000, "gettime");
    check(read(fd, &n, 8) == 8 && n >= 1, "a read waits for the tick");
    check(is_ready(fd, POLLIN, 1000), "poll sees the next");
    t = (struct itimerspec){{0, 0}, {0, 0}};
    check(timerfd_settime(fd, 0, &t, &now) == 0 && !is_ready(fd, POLLIN, 20), "disarmed");
    close(fd);
}
static void signalfd_reads_signals(void) {
    struct signalfd_siginfo si;
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGUSR2);
    sigprocmask(SIG_BLOCK, &s, NULL);
    int fd = signalfd(-1, &s, 0);
    check(!is_ready(fd, POLLIN, 0), "no signal");
    kill(getpid(), SIGUSR2);
    check(is_ready(fd, POLLIN, 0), "signal");
    check(read(fd, &si, sizeof si) == sizeof si && si.ssi_signo == SIGUSR2 && si.ssi_pid == (unsigned)getpid(), "read");
    close(fd);
}
static void pidfd_is_ready_at_the_end(void) {
    int go[2];
    pipe(go);
    pid_t pid = fork();
    if (pid == 0) { close(go[1]); read(go[0], (char[1]){0}, 1); _exit(3); }
    int fd = syscall(SYS_pidfd_open, pid, 0);
    check(fd >= 0 && !is_ready(fd, POLLIN, 0), "alive");
    check(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0, "signal 0");
    close(go[1]);
    check(is_ready(fd, POLLIN, 5000), "ended");
    siginfo_t info = {0};
    check(waitid(P_PIDFD, fd, &info, WEXITED) == 0 && info.si_status == 3, "waitid P_PIDFD");
    check(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == -1 && errno == ESRCH, "gone");
    close(fd);
    close(go[0]);
}
static void inotify_tells(void) {
    char buf[512];
    int fd = inotify_init1(IN_NONBLOCK);
    mkdir("/tmp/watched", 0700);
    unlink("/tmp/watched/a");
    int wd = inotify_add_watch(fd, "/tmp/watched", IN_CREATE | IN_DELETE | IN_CLOSE_WRITE);
    check(wd > 0 && read(fd, buf, sizeof buf) == -1 && errno == EAGAIN, "watch");
    close(open("/tmp/watched/a", O_CREAT | O_WRONLY, 0600));
    struct inotify_event *e = (void *)buf;
    check(read(fd, buf, sizeof buf) == 64 && e->wd == wd && e->mask == IN_CREATE && !strcmp(e->name, "a"), "created");
    e = (void *)(buf + 32);
    check(e->mask == IN_CLOSE_WRITE, "closed");
    unlink("/tmp/watched/a");
    check(read(fd, buf, sizeof buf) == 32 && ((struct inotify_event *)buf)->mask == IN_DELETE, "deleted");
    check(inotify_rm_watch(fd, wd) == 0 && read(fd, buf, sizeof buf) == 16, "ignored");
    rmdir("/tmp/watched");
    close(fd);
}
int main(void) {
    eventfd_counts();
    timerfd_ticks();
    signalfd_reads_signals();
    pidfd_is_ready_at_the_end();
    inotify_tells();
    return failed;
}
