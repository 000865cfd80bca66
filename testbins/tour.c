/* A tour of a Linux program's world: arguments, files, /proc, pipes, fork and signals.
 * Built once and kept: musl-gcc -static -Os -s -o tour tour.c */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t last_signal;

static void on_signal(int number) { last_signal = number; }

static void fail(const char *what) {
    fprintf(stderr, "tour: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void arguments(int argc, char **argv) {
    printf("arguments  %d:", argc);
    for (int i = 0; i < argc; i++) printf(" %s", i ? argv[i] : "tour");
    printf("\n");
}

static void kernel(void) {
    struct utsname name;
    if (uname(&name)) fail("uname");
    printf("kernel     %s on %s, pid %s its parent's\n", name.sysname, name.machine,
           getpid() > getppid() ? "above" : "below");
}

static void files(void) {
    char path[] = "/tmp/tour-XXXXXX", text[64];
    struct stat st;
    int fd = mkstemp(path);
    if (fd < 0) fail("mkstemp");
    if (write(fd, "one two three\n", 14) != 14 || lseek(fd, 4, SEEK_SET) != 4) fail("write");
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0 || fstat(fd, &st) || unlink(path)) fail("read");
    text[n] = 0;
    printf("files      wrote %lld bytes, read back from byte 4: %s", (long long)st.st_size, text);
    if (open("/no/such/file", O_RDONLY) < 0) printf("           opening /no/such/file: %s\n", strerror(errno));
    close(fd);
}

static void proc(void) {
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    if (!status) fail("/proc/self/status");
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "Name:", 5) || !strncmp(line, "Threads:", 8)) printf("/proc      %s", line);
    fclose(status);
}

static void pipes_and_fork(void) {
    int fds[2], status;
    char text[64];
    if (pipe(fds)) fail("pipe");
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (!child) {
        dprintf(fds[1], "hello from a child");
        _exit(7);
    }
    close(fds[1]);
    ssize_t n = read(fds[0], text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    if (waitpid(child, &status, 0) != child) fail("waitpid");
    printf("fork       through a pipe: \"%s\"; it exited with %d\n", text, WEXITSTATUS(status));
}

static void signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    int status;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    printf("signals    a handler saw signal %d (%s)\n", last_signal, strsignal(last_signal));
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        *(volatile int *)16 = 1;
        _exit(0);
    }
    if (waitpid(child, &status, 0) != child) fail("waitpid");
    printf("           a child that wrote to address 16 was killed by signal %d (%s)\n", WTERMSIG(status),
           strsignal(WTERMSIG(status)));
}

int main(int argc, char **argv) {
    arguments(argc, argv);
    kernel();
    files();
    proc();
    pipes_and_fork();
    signals();
    return 0;
}
