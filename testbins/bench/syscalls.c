/* Nanoseconds an operation: each row is timed in batches, the quickest counts. A line is "name ns". */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}
static const char *only, *self;
static int zero, null, two[4], epoll, pair[2], child;
static uint32_t *words;
static volatile sig_atomic_t signals;

static void must(int ok, const char *what) {
    if (!ok) perror(what), exit(1);
}
/* Runs `step` in batches for about 30 ms at least, 5 batches at least. */
static void row(const char *name, void (*step)(int), int batch) {
    if (only && strcmp(only, name)) return;
    double best = 1e18, begin = now_ns();
    step(1);
    for (int i = 0; i < 5 || (i < 60 && now_ns() - begin < 30e6); i++) {
        double t = now_ns();
        step(batch);
        t = (now_ns() - t) / batch;
        if (t < best) best = t;
    }
    printf("%s %.1f\n", name, best);
    fflush(stdout);
}
static void do_getpid(int n) { while (n--) syscall(SYS_getpid); }
static void do_read(int n) { char c; while (n--) must(read(zero, &c, 1) == 1, "read"); }
static void do_write(int n) { while (n--) must(write(null, "x", 1) == 1, "write"); }
static void do_open(int n) { while (n--) close(open("/dev/null", O_RDONLY)); }
static void do_stat(int n) { struct stat s; while (n--) must(!stat("/dev/null", &s), "stat"); }
static void do_clock(int n) { struct timespec t; while (n--) syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t); }
static void do_clock_libc(int n) { struct timespec t; while (n--) clock_gettime(CLOCK_MONOTONIC, &t); }
static void do_mmap(int n) {
    while (n--) {
        char *p = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        must(p != MAP_FAILED, "mmap");
        p[0] = 1;
        munmap(p, 65536);
    }
}
static void do_fork(int n) {
    while (n--) {
        pid_t pid = fork();
        if (!pid) _exit(0);
        must(waitpid(pid, 0, 0) == pid, "waitpid");
    }
}
static void do_exec(int n) {
    while (n--) {
        pid_t pid = fork();
        if (!pid) {
            execl(self, self, "--exit", (char *)0);
            _exit(1);
        }
        int status;
        must(waitpid(pid, &status, 0) == pid && status == 0, "exec");
    }
}
static void on_signal(int sig) { (void)sig; signals++; }
static void do_signal(int n) { while (n--) raise(SIGUSR1); }
static void do_epoll(int n) {
    struct epoll_event e;
    while (n--) must(epoll_wait(epoll, &e, 1, -1) == 1, "epoll_wait");
}
static void *idle(void *arg) { return arg; }
static void do_thread(int n) {
    pthread_t t;
    while (n--) must(!pthread_create(&t, 0, idle, 0) && !pthread_join(t, 0), "thread");
}
static void do_pipe(int n) {
    char c = 0;
    while (n--) must(write(two[1], &c, 1) == 1 && read(two[2], &c, 1) == 1, "pipe");
}
static void do_tcp(int n) {
    char c = 0;
    while (n--) must(write(pair[0], &c, 1) == 1 && read(pair[0], &c, 1) == 1, "tcp");
}
static void wait_for(uint32_t value) {
    for (uint32_t seen; (seen = __atomic_load_n(words, __ATOMIC_ACQUIRE)) != value;)
        syscall(SYS_futex, words, FUTEX_WAIT, seen, 0, 0, 0);
}
static void hand_over(uint32_t value) {
    __atomic_store_n(words, value, __ATOMIC_RELEASE);
    syscall(SYS_futex, words, FUTEX_WAKE, 1, 0, 0, 0);
}
static void do_futex(int n) { while (n--) hand_over(1), wait_for(0); }

/* A child that answers, started before its row and killed behind it. */
static void with_child(void (*answer)(void)) {
    child = fork();
    if (!child) {
        for (;;) answer();
    }
}
static void without_child(void) {
    kill(child, SIGKILL);
    waitpid(child, 0, 0);
}
static void answer_pipe(void) { char c; if (read(two[0], &c, 1) != 1 || write(two[3], &c, 1) != 1) _exit(1); }
static void answer_tcp(void) { char c; if (read(pair[1], &c, 1) != 1 || write(pair[1], &c, 1) != 1) _exit(1); }
static void answer_futex(void) { wait_for(1), hand_over(0); }

static void connect_pair(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int l = socket(AF_INET, SOCK_STREAM, 0);
    must(!bind(l, (void *)&a, n) && !listen(l, 1) && !getsockname(l, (void *)&a, &n), "listen");
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    must(!connect(pair[0], (void *)&a, n), "connect");
    pair[1] = accept(l, 0, 0);
    close(l);
}
int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "--exit")) return 0;
    self = argv[0];
    only = argc > 1 ? argv[1] : 0;
    struct rlimit files = {4096, 4096};
    setrlimit(RLIMIT_NOFILE, &files);
    zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    must(!pipe(two) && !pipe(two + 2), "pipe");
    words = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    signal(SIGUSR1, on_signal);
    row("getpid", do_getpid, 5000);
    row("read-1", do_read, 5000);
    row("write-1", do_write, 5000);
    row("open+close", do_open, 1000);
    row("stat", do_stat, 2000);
    with_child(answer_pipe);
    row("pipe-pingpong", do_pipe, 500);
    without_child();
    row("fork+exit+wait", do_fork, 20);
    row("fork+exec+wait", do_exec, 10);
    row("mmap+touch+munmap", do_mmap, 1000);
    with_child(answer_futex);
    row("futex-pingpong", do_futex, 500);
    without_child();
    row("signal+handler", do_signal, 1000);
    row("clock_gettime", do_clock, 5000);
    row("clock_gettime-libc", do_clock_libc, 5000);
    epoll = epoll_create1(0);
    for (int i = 0; i < 1000; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.fd = eventfd(i == 500, 0)};
        must(!epoll_ctl(epoll, EPOLL_CTL_ADD, e.data.fd, &e), "epoll_ctl");
    }
    row("epoll_wait-1000", do_epoll, 2000);
    connect_pair();
    with_child(answer_tcp);
    row("tcp-pingpong", do_tcp, 300);
    without_child();
    row("thread-create+join", do_thread, 100);
    return 0;
}
