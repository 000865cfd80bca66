/* Guest tests: a test is a function, one behaviour each, named as a sentence. Each runs in a process and an empty
 * directory of its own; the program prints `ok NAME` or `not ok NAME` for each in order and exits with 0 or 1.
 * Why a test failed goes to standard error. Output holds nothing that differs between two runs.
 * `PROGRAM NAME` runs one test alone, in the program's own process: for debuggers and for kernels without fork. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    NR_process_mrelease = 448, NR_futex_waitv = 449, NR_cachestat = 451, NR_fchmodat2 = 452, NR_map_shadow_stack = 453,
    NR_futex_wake = 454, NR_futex_wait = 455, NR_futex_requeue = 456, NR_mseal = 462, NR_setxattrat = 463,
    NR_getxattrat = 464, NR_listxattrat = 465, NR_removexattrat = 466, NR_file_getattr = 468, NR_file_setattr = 469,
};

/* An address that no process has mapped, and one that user code may never map. */
#define BAD ((void *)8)
#define KERNEL ((void *)0xffff888000000000)

static struct { const char *title; void (*run)(void); } t_all[160];
static int t_count;
static volatile pid_t t_child;

#define TEST(name)                                                                                              \
    static void name(void);                                                                                     \
    __attribute__((constructor)) static void t_add_##name(void) {                                               \
        t_all[t_count].title = #name;                                                                            \
        t_all[t_count++].run = name;                                                                            \
    }                                                                                                           \
    static void name(void)

#define FAIL(...)                                                                                               \
    do {                                                                                                        \
        dprintf(2, "# %s:%d: ", __FILE__, __LINE__);                                                            \
        dprintf(2, __VA_ARGS__);                                                                                \
        dprintf(2, "\n");                                                                                       \
        _exit(1);                                                                                               \
    } while (0)

#define CHECK(cond)                                                                                             \
    do {                                                                                                        \
        if (!(cond)) FAIL("%s (errno %d)", #cond, errno);                                                       \
    } while (0)

#define CHECK_EQ(expr, want)                                                                                    \
    do {                                                                                                        \
        long long t_got = (long long)(expr), t_want = (long long)(want);                                        \
        if (t_got != t_want) FAIL("%s is %lld, not %lld (errno %d)", #expr, t_got, t_want, errno);              \
    } while (0)

#define CHECK_ERRNO(expr, error)                                                                                \
    do {                                                                                                        \
        errno = 0;                                                                                              \
        long long t_got = (long long)(expr);                                                                    \
        if (t_got != -1 || errno != (error)) FAIL("%s gives %lld, errno %d, not %s", #expr, t_got, errno, #error); \
    } while (0)

#define CHECK_STR(expr, want) CHECK(strcmp((expr), (want)) == 0)

static inline long t_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void t_sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&time, &time)) {}
}

/* Makes a file holding `text`. */
static inline void t_file(const char *name, const char *text) {
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* Makes a file holding `text` and opens it for reading and writing. */
static inline int t_open(const char *name, const char *text) {
    t_file(name, text);
    int fd = open(name, O_RDWR);
    CHECK(fd >= 0);
    return fd;
}

/* What a file or another descriptor without end-of-record holds, up to 4095 bytes. */
static inline const char *t_text(const char *name) {
    static char text[4096];
    int fd = open(name, O_RDONLY);
    CHECK(fd >= 0);
    ssize_t size = read(fd, text, sizeof text - 1);
    CHECK(size >= 0);
    text[size] = 0;
    close(fd);
    return text;
}

static inline pid_t t_fork(void) {
    pid_t pid = fork();
    CHECK(pid >= 0);
    return pid;
}

static inline int t_wait(pid_t pid) {
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return status;
}

/* Runs the block in a child, which must end well. */
#define IN_CHILD(...)                                                                                           \
    do {                                                                                                        \
        pid_t t_pid = t_fork();                                                                                 \
        if (t_pid == 0) {                                                                                       \
            __VA_ARGS__;                                                                                        \
            _exit(0);                                                                                           \
        }                                                                                                       \
        CHECK_EQ(t_wait(t_pid), 0);                                                                             \
    } while (0)

/* Runs the block in a child, which must die of the signal. */
#define DIES_OF(signal, ...)                                                                                    \
    do {                                                                                                        \
        pid_t t_pid = t_fork();                                                                                 \
        if (t_pid == 0) {                                                                                       \
            __VA_ARGS__;                                                                                        \
            _exit(0);                                                                                           \
        }                                                                                                       \
        int t_status = t_wait(t_pid);                                                                           \
        CHECK(WIFSIGNALED(t_status));                                                                           \
        CHECK_EQ(WTERMSIG(t_status), signal);                                                                   \
    } while (0)

static inline void t_ignore(int signal) { (void)signal; }

/* Installs a handler without SA_RESTART. */
static inline void t_handle(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK_EQ(sigaction(number, &action, NULL), 0);
}

/* Sends `signal` to this process from a child after `ms`. */
static inline pid_t t_kill_later(int number, long ms) {
    pid_t me = getpid(), pid = t_fork();
    if (pid == 0) {
        t_sleep_ms(ms);
        kill(me, number);
        _exit(0);
    }
    return pid;
}

static void t_too_long(int signal) {
    (void)signal;
    kill(t_child, SIGKILL);
}

int main(int argc, char **argv) {
    int failed = 0, ran = 0;
    for (int i = 0; i < t_count; i++) {
        if (argc > 1) {
            if (strcmp(argv[1], t_all[i].title)) continue;
            t_all[i].run();
            dprintf(1, "ok %s\n", t_all[i].title);
            return 0;
        }
        ran++;
        mkdir(t_all[i].title, 0777);
        t_child = fork();
        if (t_child == 0) {
            if (chdir(t_all[i].title)) _exit(2);
            t_all[i].run();
            _exit(0);
        }
        int status = -1;
        signal(SIGALRM, t_too_long);
        alarm(15);
        while (waitpid(t_child, &status, 0) < 0 && errno == EINTR) {}
        alarm(0);
        signal(SIGALRM, SIG_DFL);
        if (WIFSIGNALED(status)) dprintf(2, "# %s: killed by signal %d\n", t_all[i].title, WTERMSIG(status));
        dprintf(1, "%s %s\n", status ? "not ok" : "ok", t_all[i].title);
        failed |= status;
    }
    return failed || !ran;
}
