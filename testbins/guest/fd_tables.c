// Descriptor tables after fork: each copy is its own, and a file lives as long as any of them has it.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long value) { printf("%s: %ld\n", what, value); fflush(stdout); }

static int ready(int fd) {
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, 0) == 1 ? p.revents : 0;
}

// A child that waits for a byte, runs `act`, answers with a byte and waits for its end to be allowed.
static int order[2], done[2];
static void tell(void) { char c; write(order[1], "x", 1); read(done[0], &c, 1); }
static void obey(void) { char c; read(order[0], &c, 1); }
static void answer(void) { write(done[1], "x", 1); }

static void a_child_that_ends_takes_nothing_away(void) {
    int p[2];
    char c = 0;
    pipe(p);
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) _exit(0);
        wait(NULL);
    }
    say("written", write(p[1], "a", 1));
    say("read", read(p[0], &c, 1));
    close(p[0]);
    close(p[1]);
}

static void the_end_comes_when_every_copy_is_closed(void) {
    int p[2];
    char c;
    pipe(p);
    pid_t child = fork();
    if (child == 0) {
        obey();
        close(p[1]);
        answer();
        obey();
        _exit(0);
    }
    close(p[1]);
    say("before the child closes", ready(p[0]));
    tell();
    say("hang-up after", ready(p[0]) & POLLHUP ? 1 : 0);
    say("end of file", read(p[0], &c, 1));
    write(order[1], "x", 1);
    wait(NULL);
    close(p[0]);
}

static void a_grandchild_keeps_what_both_others_closed(void) {
    int p[2];
    char c = 0;
    pipe(p);
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            obey();
            write(p[1], "g", 1);
            close(p[1]);
            answer();
            _exit(0);
        }
        close(p[1]);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    close(p[1]);
    say("nothing yet", ready(p[0]));
    tell();
    say("byte", read(p[0], &c, 1) == 1 ? c : -1);
    say("then the end", read(p[0], &c, 1));
    close(p[0]);
}

static void numbers_are_each_tables_own(void) {
    int p[2], status;
    pipe(p);
    pid_t child = fork();
    if (child == 0) {
        int zero = open("/dev/zero", O_RDONLY);
        dup2(zero, p[0]);
        char c = 1;
        int n = read(p[0], &c, 1);
        close(p[1]);
        _exit(n == 1 && c == 0 && fcntl(p[1], F_GETFD) < 0 ? 7 : 8);
    }
    waitpid(child, &status, 0);
    say("child", WEXITSTATUS(status));
    char c = 0;
    write(p[1], "p", 1);
    say("the parent's is still the pipe", read(p[0], &c, 1) == 1 ? c : -1);
    fcntl(p[0], F_SETFD, FD_CLOEXEC);
    if (fork() == 0) {
        fcntl(p[0], F_SETFD, 0);
        _exit(0);
    }
    wait(NULL);
    say("close-on-exec", fcntl(p[0], F_GETFD));
    close(p[0]);
    signal(SIGPIPE, SIG_IGN);
    say("no reader is left", write(p[1], "p", 1));
    close(p[1]);
}

static void close_on_exec_closes_in_the_child_alone(char *self) {
    int p[2], status;
    pipe2(p, O_CLOEXEC);
    char number[16];
    sprintf(number, "%d", p[1]);
    if (fork() == 0) {
        execl(self, self, number, NULL);
        _exit(9);
    }
    wait(&status);
    say("open after exec", WEXITSTATUS(status));
    say("written", write(p[1], "a", 1));
    close(p[0]);
    close(p[1]);
}

int main(int argc, char **argv) {
    if (argc > 1) return fcntl(atoi(argv[1]), F_GETFD) >= 0;
    pipe(order);
    pipe(done);
    a_child_that_ends_takes_nothing_away();
    the_end_comes_when_every_copy_is_closed();
    a_grandchild_keeps_what_both_others_closed();
    numbers_are_each_tables_own();
    close_on_exec_closes_in_the_child_alone(argv[0]);
    return 0;
}
