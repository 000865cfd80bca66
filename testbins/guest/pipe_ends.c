// pipe(7): capacity, atomic writes, end of file, packets, FIFOs.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int failed;
static void check(int ok, const char *name) {
    printf("%s %s\n", ok ? "ok" : "not ok", name);
    failed |= !ok;
}
static char big[200000];

static void bytes_come_out_in_order(void) {
    int p[2], n = 0;
    char buf[16] = {0};
    check(pipe(p) == 0, "pipe");
    check(write(p[1], "hello", 5) == 5 && write(p[1], " world", 6) == 6, "two writes");
    check(ioctl(p[0], FIONREAD, &n) == 0 && n == 11, "FIONREAD counts both");
    check(read(p[0], buf, sizeof buf) == 11 && !strcmp(buf, "hello world"), "one read gets both");
    close(p[1]);
    check(read(p[0], buf, 1) == 0, "end of file when no writer is left");
    close(p[0]);
}
static void a_full_pipe_takes_no_more(void) {
    int p[2];
    check(pipe2(p, O_NONBLOCK) == 0, "pipe2");
    check(write(p[1], big, sizeof big) == 65536, "65536 bytes fit");
    check(write(p[1], big, 1) == -1 && errno == EAGAIN, "then EAGAIN");
    struct pollfd f = {p[1], POLLOUT, 0};
    check(poll(&f, 1, 0) == 0, "not writable");
    check(read(p[0], big, 4095) == 4095 && poll(&f, 1, 0) == 0, "still not after 4095 bytes");
    check(read(p[0], big, 1) == 1 && poll(&f, 1, 0) == 1, "writable after a whole buffer");
    check(fcntl(p[1], F_GETPIPE_SZ) == 65536, "F_GETPIPE_SZ");
    check(fcntl(p[1], F_SETPIPE_SZ, 100000) == 131072, "F_SETPIPE_SZ rounds up");
    check(fcntl(p[1], F_SETPIPE_SZ, 4096) == -1 && errno == EBUSY, "not below what it holds");
    close(p[0]);
    signal(SIGPIPE, SIG_IGN);
    check(write(p[1], "x", 1) == -1 && errno == EPIPE, "EPIPE without readers");
    f.revents = 0;
    check(poll(&f, 1, 0) == 1 && (f.revents & POLLERR), "POLLERR without readers");
    close(p[1]);
}
static void packets_keep_their_borders(void) {
    int p[2];
    char buf[16];
    check(pipe2(p, O_DIRECT) == 0, "pipe2 O_DIRECT");
    write(p[1], "abc", 3);
    write(p[1], "defg", 4);
    check(read(p[0], buf, 2) == 2, "a packet is cut");
    check(read(p[0], buf, 16) == 4, "the next one is whole");
    close(p[0]);
    close(p[1]);
}
static void a_large_write_waits_for_the_reader(void) {
    int p[2], status;
    size_t got = 0;
    pipe(p);
    pid_t pid = fork();
    if (pid == 0) {
        close(p[0]);
        _exit(write(p[1], big, sizeof big) == sizeof big ? 0 : 1);
    }
    close(p[1]);
    for (ssize_t n; (n = read(p[0], big, 10000)) > 0;) got += n;
    waitpid(pid, &status, 0);
    check(got == sizeof big && status == 0, "a large write is one call for the writer");
    close(p[0]);
}
static void fifo_ends_meet(void) {
    const char *name = "/tmp/fifo_test";
    char buf[8] = {0};
    unlink(name);
    check(mkfifo(name, 0600) == 0, "mkfifo");
    check(open(name, O_WRONLY | O_NONBLOCK) == -1 && errno == ENXIO, "ENXIO without reader");
    int r = open(name, O_RDONLY | O_NONBLOCK);
    struct pollfd f = {r, POLLIN, 0};
    check(r >= 0 && poll(&f, 1, 0) == 0, "no hang-up before the first writer");
    close(r);
    pid_t pid = fork();
    if (pid == 0) {
        int w = open(name, O_WRONLY);
        _exit(write(w, "meet", 4) != 4);
    }
    r = open(name, O_RDONLY);
    check(read(r, buf, 8) == 4 && !strcmp(buf, "meet"), "blocking opens wait for each other");
    waitpid(pid, NULL, 0);
    check(poll(&f, 1, 0) == 1 && (f.revents & POLLHUP), "hang-up after the last writer");
    unlink(name);
}
int main(void) {
    bytes_come_out_in_order();
    a_full_pipe_takes_no_more();
    packets_keep_their_borders();
    a_large_write_waits_for_the_reader();
    fifo_ends_meet();
    return failed;
}
