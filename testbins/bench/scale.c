/* Cost of an operation beside many of a thing: a line is "name n ns" for a few and for many. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
static void must(int ok, const char *what) {
    if (!ok) fprintf(stderr, "%s: %s\n", what, strerror(errno)), exit(1);
}
static void tell(const char *name, int n, double ns) {
    printf("%s %d %.0f\n", name, n, ns);
    fflush(stdout);
}
/* The quickest of a few batches. */
static void timed(const char *name, int n, void (*step)(int), int batch) {
    double best = 1e18;
    for (int i = 0; i < 7; i++) {
        double t = now_ns();
        step(batch);
        t = (now_ns() - t) / batch;
        if (t < best) best = t;
    }
    tell(name, n, best);
}
static void do_getpid(int n) { while (n--) syscall(SYS_getpid); }
static void do_yield(int n) { while (n--) sched_yield(); }
static void do_kill(int n) { while (n--) kill(getpid(), 0); }
static void do_sleep(int n) { struct timespec t = {0, 1000}; while (n--) nanosleep(&t, 0); }
static void do_open(int n) { while (n--) close(open("/dev/null", O_RDONLY)); }
static void do_fork(int n) {
    while (n--) {
        pid_t pid = fork();
        if (!pid) _exit(0);
        must(waitpid(pid, 0, 0) == pid, "waitpid");
    }
}
static void processes(int n) {
    pid_t *pid = calloc(n, sizeof *pid);
    double t = now_ns();
    for (int i = 0; i < n; i++) {
        pid[i] = fork();
        must(pid[i] >= 0, "fork");
        if (!pid[i]) for (;;) pause();
    }
    tell("process-start", n, (now_ns() - t) / n);
    timed("process-getpid", n, do_getpid, 1000);
    timed("process-yield", n, do_yield, 300);
    timed("process-kill0", n, do_kill, 300);
    timed("process-sleep-1us", n, do_sleep, 20);
    timed("process-fork", n, do_fork, 20);
    t = now_ns();
    for (int i = 0; i < n; i++) kill(pid[i], SIGKILL);
    for (int i = 0; i < n; i++) waitpid(pid[i], 0, 0);
    tell("process-end", n, (now_ns() - t) / n);
}
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static int is_open;
static void *waits(void *arg) {
    pthread_mutex_lock(&gate);
    while (!is_open) pthread_cond_wait(&opened, &gate);
    pthread_mutex_unlock(&gate);
    return arg;
}
static void threads(int n) {
    pthread_t *all = calloc(n, sizeof *all);
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 65536);
    is_open = 0;
    double t = now_ns();
    for (int i = 0; i < n; i++) {
        errno = pthread_create(&all[i], &a, waits, 0);
        must(!errno, "pthread_create");
    }
    tell("thread-start", n, (now_ns() - t) / n);
    timed("thread-getpid", n, do_getpid, 1000);
    timed("thread-yield", n, do_yield, 300);
    timed("thread-sleep-1us", n, do_sleep, 20);
    t = now_ns();
    pthread_mutex_lock(&gate);
    is_open = 1;
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < n; i++) pthread_join(all[i], 0);
    tell("thread-end", n, (now_ns() - t) / n);
}
static void files(int n) {
    int *fd = calloc(n, sizeof *fd);
    double t = now_ns();
    for (int i = 0; i < n; i++) {
        fd[i] = open("/dev/zero", O_RDONLY);
        must(fd[i] >= 0, "open");
    }
    tell("file-open", n, (now_ns() - t) / n);
    timed("file-open+close", n, do_open, 300);
    timed("file-getpid", n, do_getpid, 1000);
    timed("file-fork", n, do_fork, n > 10000 ? 2 : 20);
    t = now_ns();
    for (int i = 0; i < n; i++) close(fd[i]);
    tell("file-close", n, (now_ns() - t) / n);
}
static void inodes(int n) {
    char name[64];
    must(!mkdir("/tmp/scale", 0755), "mkdir");
    double t = now_ns();
    for (int i = 0; i < n; i++) {
        sprintf(name, "/tmp/scale/f%d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0644);
        must(fd >= 0, "create");
        close(fd);
    }
    tell("inode-create", n, (now_ns() - t) / n);
    double best = 1e18;
    for (int r = 0; r < 5; r++) {
        struct stat s;
        t = now_ns();
        for (int i = 0; i < 1000; i++) {
            sprintf(name, "/tmp/scale/f%d", (int)((unsigned)(i + r * 1000) * 7919u % (unsigned)n));
            must(!stat(name, &s), "stat");
        }
        if ((now_ns() - t) / 1000 < best) best = (now_ns() - t) / 1000;
    }
    tell("inode-stat", n, best);
    t = now_ns();
    for (int i = 0; i < n; i++) {
        sprintf(name, "/tmp/scale/f%d", i);
        unlink(name);
    }
    tell("inode-unlink", n, (now_ns() - t) / n);
    rmdir("/tmp/scale");
}
int main(int argc, char **argv) {
    must(argc == 3, "usage: scale KIND N");
    struct rlimit many = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_NOFILE, &many);
    setrlimit(RLIMIT_NPROC, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
    int n = atoi(argv[2]);
    switch (argv[1][0]) { /* processes, threads, files, inodes */
    case 'p': processes(n); break;
    case 't': threads(n); break;
    case 'f': files(n); break;
    default: inodes(n);
    }
    return 0;
}
