/* Leases, O_ASYNC and F_NOTIFY: signals of open files. */
#include "t.h"
static siginfo_t wait_for(int signal) {
    sigset_t set;
    siginfo_t info = {0};
    struct timespec limit = {5, 0};
    sigemptyset(&set), sigaddset(&set, signal);
    CHECK_EQ(sigtimedwait(&set, &info, &limit), signal);
    return info;
}
static void block(int signal) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, NULL);
}
TEST(a_lease_stands_against_other_opens_until_given_up) {
    block(SIGIO);
    t_file("f", "x");
    int fd = open("f", O_RDONLY);
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_UNLCK), EAGAIN);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, 77), EINVAL);
    CHECK_EQ(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_WRLCK);
    CHECK_ERRNO(open("f", O_RDONLY | O_NONBLOCK), EWOULDBLOCK);
    wait_for(SIGIO);
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_RDLCK);
    int pid = fork();
    if (!pid) _exit(open("f", O_RDONLY) < 0);
    usleep(50000);
    CHECK_EQ(fcntl(fd, F_SETLEASE, F_RDLCK), 0);
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK_ERRNO(open("f", O_WRONLY | O_NONBLOCK), EWOULDBLOCK);
    wait_for(SIGIO);
    CHECK_EQ(fcntl(fd, F_GETLEASE), F_UNLCK);
    CHECK_EQ(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
    CHECK(open("f", O_WRONLY | O_NONBLOCK) >= 0);
    CHECK_ERRNO(fcntl(fd, F_SETLEASE, F_RDLCK), EAGAIN);
}
TEST(an_asynchronous_pipe_signals_its_owner) {
    int ends[2], chosen = SIGRTMIN + 1;
    block(SIGIO), block(chosen);
    pipe(ends);
    CHECK_EQ(fcntl(ends[0], F_SETOWN, getpid()), 0);
    CHECK_EQ(fcntl(ends[0], F_SETFL, O_ASYNC), 0);
    CHECK_EQ(fcntl(ends[0], F_GETFL) & O_ASYNC, O_ASYNC);
    write(ends[1], "x", 1);
    CHECK_EQ(wait_for(SIGIO).si_code, SI_KERNEL);
    CHECK_EQ(fcntl(ends[0], F_SETSIG, chosen), 0);
    write(ends[1], "x", 1);
    siginfo_t info = wait_for(chosen);
    CHECK_EQ(info.si_code, POLL_IN);
    CHECK_EQ(info.si_fd, ends[0]);
    CHECK_EQ(fcntl(ends[0], F_SETFL, 0), 0);
    write(ends[1], "x", 1);
    sigset_t pending;
    sigpending(&pending);
    CHECK(!sigismember(&pending, chosen));
}
TEST(a_directory_signals_what_happens_in_it) {
    int chosen = SIGRTMIN + 2, dir = open(".", O_RDONLY);
    block(chosen);
    t_file("f", "x");
    CHECK_EQ(fcntl(dir, F_SETSIG, chosen), 0);
    CHECK_EQ(fcntl(dir, F_NOTIFY, DN_RENAME | DN_DELETE | DN_MULTISHOT), 0);
    rename("f", "g");
    CHECK_EQ(wait_for(chosen).si_fd, dir);
    unlink("g");
    CHECK_EQ(wait_for(chosen).si_fd, dir);
    int file = t_open("h", "x");
    CHECK_ERRNO(fcntl(file, F_NOTIFY, DN_ACCESS), ENOTDIR);
}
TEST(a_new_file_knows_that_its_open_made_it) {
    enum { CREATED_QUERY = 1028 };
    int made = open("n", O_CREAT | O_RDWR, 0600), again = open("n", O_CREAT | O_RDWR, 0600);
    CHECK_EQ(fcntl(made, CREATED_QUERY), 1);
    CHECK_EQ(fcntl(again, CREATED_QUERY), 0);
}
