/* Terminals: pairs, the line discipline, sessions and job control. */
#include "t.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;
static char text[8192];

/* A pair whose slave is not the controlling terminal. */
static void pair(void) {
    master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    CHECK_EQ(grantpt(master), 0);
    CHECK_EQ(unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
}
/* Types on the master. */
static void type(const char *keys) { CHECK_EQ(write(master, keys, strlen(keys)), strlen(keys)); }
/* Checks what a read on `fd` gives. */
static void gives(int fd, const char *want) {
    ssize_t n = read(fd, text, sizeof text - 1);
    CHECK(n >= 0);
    text[n] = 0;
    CHECK_STR(text, want);
}
static struct termios settings(void) {
    struct termios t;
    CHECK_EQ(tcgetattr(slave, &t), 0);
    return t;
}
static void set_raw(int min, int time) {
    struct termios t = settings();
    cfmakeraw(&t);
    t.c_cc[VMIN] = min;
    t.c_cc[VTIME] = time;
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
}
static int readable(int fd) {
    struct pollfd p = {fd, POLLIN, 0};
    CHECK(poll(&p, 1, 0) >= 0);
    return p.revents & POLLIN;
}

TEST(a_new_pair_has_the_standard_settings) {
    pair();
    struct termios t = settings();
    CHECK_EQ(t.c_iflag, ICRNL | IXON);
    CHECK_EQ(t.c_oflag, OPOST | ONLCR);
    CHECK_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
    CHECK_EQ(t.c_cc[VINTR], 3);
    CHECK_EQ(t.c_cc[VERASE], 127);
    CHECK_EQ(cfgetospeed(&t), B38400);
    CHECK(isatty(slave) && isatty(master));
}
TEST(a_locked_slave_does_not_open) {
    int m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    CHECK(m >= 0);
    CHECK_ERRNO(open(ptsname(m), O_RDWR | O_NOCTTY), EIO);
}
TEST(ttyname_finds_the_node) {
    pair();
    CHECK_STR(ttyname(slave), ptsname(master));
}
TEST(a_line_is_read_once_it_ends_and_echoed_at_once) {
    pair();
    type("ab");
    CHECK(!readable(slave));
    gives(master, "ab");
    type("c\r");
    gives(slave, "abc\n");
    gives(master, "c\r\n");
}
TEST(editing_characters_edit_the_line) {
    pair();
    type("ax\177b one two\027\033\177x\n");
    gives(slave, "ab one x\n");
    type("gone\025kept\n");
    gives(slave, "kept\n");
}
TEST(literal_next_quotes_one_character) {
    pair();
    type("\026\003\026\004\n");
    gives(slave, "\003\004\n");
}
TEST(end_of_file_ends_a_read_without_a_character) {
    pair();
    type("ab\004\004");
    gives(slave, "ab");
    CHECK_EQ(read(slave, text, 10), 0);
}
TEST(short_reads_leave_the_rest_of_the_line) {
    pair();
    type("hello\nx\n");
    CHECK_EQ(read(slave, text, 2), 2);
    int n = 0;
    CHECK_EQ(ioctl(slave, FIONREAD, &n), 0);
    CHECK_EQ(n, 6);
    gives(slave, "llo\n");
    gives(slave, "x\n");
}
TEST(output_gets_carriage_returns_unless_raw) {
    pair();
    CHECK_EQ(write(slave, "a\nb", 3), 3);
    gives(master, "a\r\nb");
    set_raw(1, 0);
    CHECK_EQ(write(slave, "a\nb", 3), 3);
    gives(master, "a\nb");
}
TEST(raw_input_waits_for_vmin_bytes) {
    pair();
    set_raw(3, 0);
    type("ab");
    CHECK(!readable(slave));
    type("c\003");
    gives(slave, "abc\003");
}
TEST(vtime_without_vmin_is_a_time_limit) {
    pair();
    set_raw(0, 1);
    CHECK_EQ(read(slave, text, 10), 0);
    set_raw(0, 0);
    CHECK_EQ(read(slave, text, 10), 0);
    type("x");
    gives(slave, "x");
}
TEST(vtime_with_vmin_is_a_limit_between_bytes) {
    pair();
    set_raw(5, 1);
    type("ab");
    gives(slave, "ab");
}
TEST(nonblocking_reads_are_eagain) {
    pair();
    CHECK_EQ(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    CHECK_ERRNO(read(slave, text, 10), EAGAIN);
    type("half");
    CHECK_ERRNO(read(slave, text, 10), EAGAIN);
}
TEST(tcflush_forgets_input) {
    pair();
    type("gone\n");
    CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
    CHECK(!readable(slave));
    type("kept\n");
    gives(slave, "kept\n");
}
TEST(stop_and_start_hold_output) {
    pair();
    CHECK_EQ(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    type("\023");
    t_sleep_ms(50);
    CHECK_ERRNO(write(slave, "x", 1), EAGAIN);
    type("\021");
    t_sleep_ms(50);
    CHECK_EQ(write(slave, "x", 1), 1);
    gives(master, "x");
}
TEST(termio_and_termios2_say_the_same) {
    pair();
    unsigned char old[18], two[44];
    CHECK_EQ(ioctl(slave, TCGETA, old), 0);
    CHECK_EQ(old[0] | old[1] << 8, ICRNL | IXON);
    CHECK_EQ(ioctl(slave, 0x802c542a, two), 0);
    unsigned speed;
    memcpy(&speed, two + 40, 4);
    CHECK_EQ(speed, 38400);
}
TEST(a_size_reads_back) {
    pair();
    struct winsize size = {24, 80, 1, 2}, got = {0};
    CHECK_EQ(ioctl(master, TIOCSWINSZ, &size), 0);
    CHECK_EQ(ioctl(slave, TIOCGWINSZ, &got), 0);
    CHECK_EQ(memcmp(&size, &got, sizeof got), 0);
}
TEST(the_master_sees_the_slave_close) {
    pair();
    CHECK_EQ(write(slave, "last", 4), 4);
    close(slave);
    gives(master, "last");
    CHECK_ERRNO(read(master, text, 10), EIO);
    struct pollfd p = {master, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK(p.revents & POLLHUP);
}
TEST(the_slave_is_dead_once_the_master_closed) {
    pair();
    close(master);
    CHECK_EQ(read(slave, text, 10), 0);
    CHECK_ERRNO(write(slave, "x", 1), EIO);
    struct termios t;
    CHECK_ERRNO(tcgetattr(slave, &t), EIO);
}
TEST(packet_mode_puts_a_status_before_data) {
    pair();
    int on = 1;
    CHECK_EQ(ioctl(master, TIOCPKT, &on), 0);
    CHECK_EQ(write(slave, "x", 1), 1);
    CHECK_EQ(read(master, text, 10), 2);
    CHECK(text[0] == TIOCPKT_DATA && text[1] == 'x');
    CHECK_EQ(tcflush(slave, TCIFLUSH), 0);
    CHECK_EQ(read(master, text, 10), 1);
    CHECK(text[0] & TIOCPKT_FLUSHREAD);
}
TEST(a_session_leader_gets_the_terminal_it_opens) {
    pair();
    IN_CHILD({
        CHECK(setsid() > 0);
        CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
        int fd = open(ptsname(master), O_RDWR);
        CHECK(fd >= 0);
        CHECK_EQ(tcgetpgrp(fd), getpid());
        CHECK_EQ(tcgetsid(fd), getpid());
        CHECK(open("/dev/tty", O_RDWR) >= 0);
        signal(SIGHUP, SIG_IGN);
        CHECK_EQ(ioctl(fd, TIOCNOTTY), 0);
        CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    });
}
TEST(tcgetpgrp_of_another_terminal_is_enotty) {
    pair();
    CHECK_ERRNO(tcgetpgrp(slave), ENOTTY);
    CHECK_ERRNO(tcsetpgrp(slave, getpgrp()), ENOTTY);
}
/* Becomes leader of a session on the slave. */
static void lead(void) {
    CHECK(setsid() > 0);
    CHECK_EQ(ioctl(slave, TIOCSCTTY, 0), 0);
}
TEST(interrupt_goes_to_the_foreground_group) {
    pair();
    DIES_OF(SIGINT, {
        lead();
        type("\003");
        t_sleep_ms(5000);
    });
    DIES_OF(SIGQUIT, {
        lead();
        type("\034");
        t_sleep_ms(5000);
    });
}
static volatile int resized;
static void on_resize(int signal) { resized = signal; }
TEST(a_change_of_size_signals_the_foreground_group) {
    pair();
    IN_CHILD({
        lead();
        t_handle(SIGWINCH, on_resize, 0);
        struct winsize size = {10, 20, 0, 0};
        CHECK_EQ(ioctl(slave, TIOCSWINSZ, &size), 0);
        CHECK_EQ(resized, SIGWINCH);
    });
}
TEST(a_background_read_stops_the_group) {
    pair();
    IN_CHILD({
        lead();
        pid_t pid = t_fork();
        if (pid == 0) {
            setpgid(0, 0);
            read(slave, text, 1);
            _exit(0);
        }
        int status;
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status));
        CHECK_EQ(WSTOPSIG(status), SIGTTIN);
        kill(pid, SIGKILL);
    });
}
TEST(a_background_read_that_ignores_sigttin_is_eio) {
    pair();
    IN_CHILD({
        lead();
        pid_t pid = t_fork();
        if (pid == 0) {
            setpgid(0, 0);
            signal(SIGTTIN, SIG_IGN);
            CHECK_ERRNO(read(slave, text, 1), EIO);
            _exit(0);
        }
        CHECK_EQ(t_wait(pid), 0);
    });
}
TEST(tostop_stops_a_background_write) {
    pair();
    struct termios t = settings();
    t.c_lflag |= TOSTOP;
    CHECK_EQ(tcsetattr(slave, TCSANOW, &t), 0);
    IN_CHILD({
        lead();
        pid_t pid = t_fork();
        if (pid == 0) {
            setpgid(0, 0);
            write(slave, "x", 1);
            _exit(0);
        }
        int status;
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
        kill(pid, SIGKILL);
    });
}
TEST(the_leader_is_hung_up_when_the_master_closes) {
    pair();
    pid_t pid = t_fork();
    if (pid == 0) {
        close(master);
        lead();
        CHECK_EQ(write(slave, "r", 1), 1);
        t_sleep_ms(5000);
        _exit(0);
    }
    gives(master, "r");
    close(master);
    int status = t_wait(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP);
}
