/* Pipes and FIFOs. */
#include "t.h"
#include <sys/ioctl.h>

static int ends[2];
static void make(int flags) { CHECK_EQ(syscall(SYS_pipe2, ends, flags), 0); }

TEST(pipe_gives_the_two_lowest_numbers) {
    int lowest = dup(0);
    close(lowest);
    CHECK_EQ(syscall(SYS_pipe, ends), 0);
    CHECK_EQ(ends[0], lowest);
    CHECK_EQ(ends[1], lowest + 1);
    CHECK_EQ(fcntl(ends[0], F_GETFL), O_RDONLY);
    CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY);
}
TEST(pipe_to_a_bad_address_is_efault_and_opens_nothing) {
    int next = dup(0);
    close(next);
    CHECK_ERRNO(syscall(SYS_pipe, BAD), EFAULT);
    CHECK_EQ(dup(0), next);
}
TEST(pipe2_sets_flags_and_refuses_unknown_ones) {
    make(O_CLOEXEC | O_NONBLOCK);
    CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK);
    CHECK_ERRNO(syscall(SYS_pipe2, ends, O_APPEND), EINVAL);
    CHECK_ERRNO(syscall(SYS_pipe2, BAD, 1), EINVAL);
}
TEST(bytes_come_out_in_order) {
    make(0);
    char text[8] = "";
    CHECK_EQ(write(ends[1], "abc", 3), 3);
    CHECK_EQ(write(ends[1], "def", 3), 3);
    CHECK_EQ(read(ends[0], text, 4), 4);
    CHECK_STR(text, "abcd");
    CHECK_EQ(read(ends[0], text, 8), 2);
}
TEST(ends_work_in_one_direction) {
    make(0);
    char c;
    CHECK_ERRNO(read(ends[1], &c, 1), EBADF);
    CHECK_ERRNO(write(ends[0], &c, 1), EBADF);
}
TEST(reading_after_the_last_writer_is_end_of_file) {
    make(0);
    write(ends[1], "x", 1);
    close(ends[1]);
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(read(ends[0], &c, 1), 0);
}
TEST(writing_without_a_reader_is_epipe_and_sigpipe) {
    make(0);
    close(ends[0]);
    DIES_OF(SIGPIPE, write(ends[1], "x", 1));
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
    CHECK_EQ(write(ends[1], "x", 0), 0);
}
TEST(an_empty_nonblocking_pipe_is_eagain) {
    make(O_NONBLOCK);
    char c;
    CHECK_ERRNO(read(ends[0], &c, 1), EAGAIN);
    CHECK_EQ(read(ends[0], &c, 0), 0);
}
TEST(a_full_nonblocking_pipe_is_eagain) {
    make(O_NONBLOCK);
    static char block[4096];
    int pages = 0;
    while (write(ends[1], block, 4096) == 4096) pages++;
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(pages, 16);
    CHECK_EQ(read(ends[0], block, 4096), 4096);
    CHECK_EQ(write(ends[1], block, 4096), 4096);
}
TEST(small_writes_to_a_nonblocking_pipe_are_atomic) {
    make(O_NONBLOCK);
    static char block[65536];
    CHECK_EQ(write(ends[1], block, 65536), 65536);
    CHECK_EQ(read(ends[0], block, 100), 100);
    CHECK_ERRNO(write(ends[1], block, 200), EAGAIN);
}
TEST(a_large_write_to_a_nonblocking_pipe_is_partial) {
    make(O_NONBLOCK);
    static char block[100000];
    CHECK_EQ(write(ends[1], block, sizeof block), 65536);
}
TEST(a_reader_blocks_until_a_writer_comes) {
    make(0);
    pid_t pid = t_fork();
    if (pid == 0) {
        t_sleep_ms(30);
        write(ends[1], "x", 1);
        _exit(0);
    }
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'x');
    t_wait(pid);
}
TEST(a_blocked_writer_goes_on_when_a_reader_drains) {
    make(0);
    static char block[200000], in[4096];
    pid_t pid = t_fork();
    if (pid == 0) {
        close(ends[0]);
        _exit(write(ends[1], block, sizeof block) != sizeof block);
    }
    close(ends[1]);
    long total = 0, n;
    while ((n = read(ends[0], in, sizeof in)) > 0) total += n;
    CHECK_EQ(n, 0);
    CHECK_EQ(total, sizeof block);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(a_signal_interrupts_a_blocked_read) {
    make(0);
    t_handle(SIGUSR1, t_ignore, 0);
    t_kill_later(SIGUSR1, 30);
    char c;
    CHECK_ERRNO(read(ends[0], &c, 1), EINTR);
}
TEST(sa_restart_restarts_a_blocked_read) {
    make(0);
    t_handle(SIGUSR1, t_ignore, SA_RESTART);
    pid_t me = getpid();
    if (t_fork() == 0) {
        t_sleep_ms(30);
        kill(me, SIGUSR1);
        t_sleep_ms(30);
        write(ends[1], "y", 1);
        _exit(0);
    }
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'y');
}
TEST(fionread_counts_the_bytes_inside) {
    make(0);
    int n = -1;
    write(ends[1], "abcde", 5);
    CHECK_EQ(ioctl(ends[0], FIONREAD, &n), 0);
    CHECK_EQ(n, 5);
    CHECK_ERRNO(syscall(SYS_ioctl, ends[0], 0x12345678, 0), ENOTTY);
    CHECK_ERRNO(syscall(SYS_ioctl, 99, FIONREAD, 0), EBADF);
}
TEST(f_setpipe_sz_rounds_up_to_pages) {
    make(0);
    CHECK_EQ(fcntl(ends[0], F_GETPIPE_SZ), 65536);
    CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, 5000), 8192);
    CHECK_EQ(fcntl(ends[1], F_GETPIPE_SZ), 8192);
    CHECK_EQ(fcntl(ends[0], F_SETPIPE_SZ, 1), 4096);
    CHECK_ERRNO(fcntl(open("/dev/null", O_RDONLY), F_GETPIPE_SZ), EBADF);
}
TEST(shrinking_a_pipe_below_its_contents_is_ebusy) {
    make(0);
    static char block[16384];
    write(ends[1], block, sizeof block);
    CHECK_ERRNO(fcntl(ends[0], F_SETPIPE_SZ, 4096), EBUSY);
}
TEST(a_packet_pipe_keeps_records) {
    make(O_DIRECT);
    char text[10] = "";
    write(ends[1], "abc", 3);
    write(ends[1], "de", 2);
    CHECK_EQ(read(ends[0], text, 2), 2);
    CHECK_EQ(read(ends[0], text, 10), 2);
    CHECK(!memcmp(text, "de", 2));
}
TEST(fstat_calls_a_pipe_a_fifo) {
    make(0);
    struct stat st;
    CHECK_EQ(fstat(ends[0], &st), 0);
    CHECK_EQ(st.st_mode, S_IFIFO | 0600);
    CHECK_EQ(st.st_size, 0);
    CHECK_EQ(st.st_blksize, 4096);
}
TEST(a_fifo_connects_its_openers) {
    CHECK_EQ(mkfifo("p", 0600), 0);
    pid_t pid = t_fork();
    if (pid == 0) {
        int fd = open("p", O_WRONLY);
        write(fd, "hi", 2);
        _exit(0);
    }
    int fd = open("p", O_RDONLY);
    CHECK(fd >= 0);
    char text[4] = "";
    CHECK_EQ(read(fd, text, 4), 2);
    CHECK_STR(text, "hi");
    CHECK_EQ(read(fd, text, 4), 0);
    t_wait(pid);
}
TEST(opening_a_fifo_nonblocking) {
    CHECK_EQ(mkfifo("p", 0600), 0);
    CHECK_ERRNO(open("p", O_WRONLY | O_NONBLOCK), ENXIO);
    int in = open("p", O_RDONLY | O_NONBLOCK);
    CHECK(in >= 0);
    char c;
    CHECK_EQ(read(in, &c, 1), 0);
    int out = open("p", O_WRONLY | O_NONBLOCK);
    CHECK(out >= 0);
    CHECK_ERRNO(read(in, &c, 1), EAGAIN);
    int both = open("p", O_RDWR);
    CHECK(both >= 0);
}
