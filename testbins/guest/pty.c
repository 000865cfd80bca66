/* Pseudo terminals and what a line discipline does. */
#include "t.h"
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;
static char text[64];
static struct termios term;
static void make(void) {
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    int unlock = 0, number;
    CHECK_EQ(ioctl(master, TIOCSPTLCK, &unlock), 0);
    CHECK_EQ(ioctl(master, TIOCGPTN, &number), 0);
    snprintf(text, sizeof text, "/dev/pts/%d", number);
    slave = open(text, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
    memset(text, 0, sizeof text);
}
TEST(a_line_is_delivered_whole_and_echoed) {
    make();
    struct pollfd p = {slave, POLLIN, 0};
    write(master, "hel", 3);
    CHECK_EQ(poll(&p, 1, 0), 0);
    write(master, "lo\n", 3);
    CHECK_EQ(read(slave, text, 64), 6);
    CHECK_STR(text, "hello\n");
    memset(text, 0, sizeof text);
    /* Linux may hand the echo over in two pieces. */
    for (size_t have = 0; have < 7;) {
        ssize_t n = read(master, text + have, 64 - have);
        CHECK(n > 0);
        if (n <= 0) break;
        have += n;
    }
    CHECK_STR(text, "hello\r\n");
}
TEST(the_node_of_a_terminal_changes_its_owner_and_mode) {
    make();
    struct stat s;
    char path[32];
    int number;
    CHECK_EQ(ioctl(master, TIOCGPTN, &number), 0);
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    CHECK_EQ(chmod(path, 0622), 0);
    CHECK_EQ(chown(path, 7, 8), 0);
    CHECK_EQ(stat(path, &s), 0);
    CHECK_EQ(s.st_mode, S_IFCHR | 0622);
    CHECK_EQ(s.st_uid, 7);
    CHECK_EQ(s.st_gid, 8);
    CHECK_EQ(fchmod(slave, 0600), 0);
    CHECK_EQ(fchown(slave, 9, -1), 0);
    CHECK_EQ(fstat(slave, &s), 0);
    CHECK_EQ(s.st_mode, S_IFCHR | 0600);
    CHECK_EQ(s.st_uid, 9);
    CHECK_EQ(s.st_gid, 8);
}
TEST(erase_and_kill_edit_the_line) {
    make();
    write(master, "abx\177c\n", 6);
    CHECK_EQ(read(slave, text, 64), 4);
    CHECK_STR(text, "abc\n");
    memset(text, 0, sizeof text);
    write(master, "junk\025ok\n", 8);
    CHECK_EQ(read(slave, text, 64), 3);
    CHECK_STR(text, "ok\n");
}
TEST(end_of_file_ends_a_read) {
    make();
    write(master, "\004", 1);
    CHECK_EQ(read(slave, text, 64), 0);
    write(master, "ab\004", 3);
    CHECK_EQ(read(slave, text, 64), 2);
}
TEST(raw_mode_passes_bytes_at_once) {
    make();
    CHECK_EQ(tcgetattr(slave, &term), 0);
    cfmakeraw(&term);
    CHECK_EQ(tcsetattr(slave, TCSANOW, &term), 0);
    write(master, "\003x", 2);
    CHECK_EQ(read(slave, text, 64), 2);
    CHECK_EQ(text[0], 3);
    write(slave, "a\n", 2);
    CHECK_EQ(read(master, text, 64), 2);
}
TEST(output_newlines_become_crlf) {
    make();
    write(slave, "a\nb", 3);
    CHECK_EQ(read(master, text, 64), 4);
    CHECK(!memcmp(text, "a\r\nb", 4));
}
TEST(the_window_size_is_kept) {
    struct winsize size = {25, 80, 0, 0};
    make();
    CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
    size.ws_row = 0;
    CHECK_EQ(ioctl(slave, TIOCGWINSZ, &size), 0);
    CHECK(size.ws_row == 25 && size.ws_col == 80);
}
TEST(control_c_interrupts_the_foreground_group) {
    make();
    pid_t pid = t_fork();
    if (pid == 0) {
        setsid();
        CHECK_EQ(ioctl(slave, TIOCSCTTY, 0), 0);
        write(slave, "r", 1);
        for (;;) pause();
    }
    CHECK_EQ(read(master, text, 64), 1);
    write(master, "\003", 1);
    CHECK_EQ(WTERMSIG(t_wait(pid)), SIGINT);
}
TEST(closing_the_master_hangs_up) {
    make();
    pid_t pid = t_fork();
    if (pid == 0) {
        close(master);
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        write(slave, "r", 1);
        for (;;) pause();
    }
    CHECK_EQ(read(master, text, 64), 1);
    close(master);
    CHECK_EQ(WTERMSIG(t_wait(pid)), SIGHUP);
    CHECK_EQ(read(slave, text, 64), 0);
    CHECK_ERRNO(write(slave, "x", 1), EIO);
}
TEST(the_session_s_terminal_is_dev_tty) {
    make();
    IN_CHILD(setsid(); CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO); CHECK_EQ(ioctl(slave, TIOCSCTTY, 0), 0);
             int fd = open("/dev/tty", O_RDWR); CHECK(fd >= 0); pid_t group; CHECK_EQ(ioctl(fd, TIOCGPGRP, &group), 0);
             CHECK_EQ(group, getpid()); CHECK_EQ(ioctl(fd, TIOCGSID, &group), 0); CHECK_EQ(group, getpid()));
}
TEST(a_background_reader_is_stopped) {
    make();
    pid_t pid = t_fork();
    if (pid == 0) {
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        pid_t back = t_fork();
        if (back == 0) {
            setpgid(0, 0);
            read(slave, text, 1);
            _exit(0);
        }
        int status;
        CHECK_EQ(waitpid(back, &status, WUNTRACED), back);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
        kill(back, SIGKILL);
        _exit(0);
    }
    CHECK_EQ(t_wait(pid), 0);
}
TEST(a_pipe_is_no_terminal) {
    int ends[2];
    pipe(ends);
    CHECK_ERRNO(tcgetattr(ends[0], &term), ENOTTY);
    CHECK_EQ(isatty(ends[0]), 0);
    make();
    CHECK(isatty(slave) && isatty(master));
}
TEST(vhangup_needs_privilege) {
    IN_CHILD(setsid(); CHECK_EQ(syscall(SYS_vhangup), 0));
    setuid(1000);
    CHECK_ERRNO(syscall(SYS_vhangup), EPERM);
}
