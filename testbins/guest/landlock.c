/* Landlock. */
#include "t.h"
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/un.h>
enum { CREATE = 444, ADD = 445, RESTRICT = 446 };
enum { EXECUTE = 1, WRITE_FILE = 2, READ_FILE = 4, READ_DIR = 8, REMOVE_FILE = 32, MAKE_REG = 256, REFER = 1 << 13, TRUNC = 1 << 14 };
struct attr { uint64_t fs, net, scoped; };
struct __attribute__((packed)) beneath { uint64_t allowed; int fd; };
static int ruleset(uint64_t fs, uint64_t net, uint64_t scoped) {
    struct attr attr = {fs, net, scoped};
    return syscall(CREATE, &attr, sizeof attr, 0);
}
static void allow(int rules, const char *path, uint64_t bits) {
    struct beneath rule = {bits, open(path, O_PATH)};
    CHECK_EQ(syscall(ADD, rules, 1, &rule, 0), 0);
    close(rule.fd);
}
static void restrict_self(int rules) {
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(syscall(RESTRICT, rules, 0), 0);
}
TEST(only_what_is_allowed_below_a_directory_can_be_done) {
    mkdir("in", 0755), mkdir("out", 0755), t_file("in/f", "x"), t_file("out/f", "x");
    int rules = ruleset(READ_FILE | WRITE_FILE | MAKE_REG | REMOVE_FILE | TRUNC, 0, 0);
    allow(rules, "in", READ_FILE | WRITE_FILE | MAKE_REG);
    restrict_self(rules);
    CHECK(open("in/f", O_RDWR) >= 0);
    CHECK_ERRNO(open("out/f", O_RDONLY), EACCES);
    CHECK(open("in/new", O_CREAT | O_WRONLY, 0600) >= 0);
    CHECK_ERRNO(open("out/new", O_CREAT | O_WRONLY, 0600), EACCES);
    CHECK_ERRNO(open("in/f", O_RDWR | O_TRUNC), EACCES);
    CHECK_ERRNO(truncate("in/f", 0), EACCES);
    CHECK_ERRNO(ftruncate(open("in/f", O_RDWR), 0), EACCES);
    CHECK_ERRNO(unlink("in/f"), EACCES);
    CHECK(open("out", O_RDONLY | O_DIRECTORY) >= 0);
    CHECK_ERRNO(link("in/f", "out/g"), EACCES);
}
TEST(a_file_changes_its_directory_only_with_refer) {
    mkdir("a", 0755), mkdir("b", 0755), t_file("a/f", "x");
    restrict_self(ruleset(EXECUTE, 0, 0));
    CHECK_ERRNO(rename("a/f", "b/f"), EXDEV);
    CHECK_EQ(rename("a/f", "a/g"), 0);
}
TEST(ports_are_checked_for_tcp_only) {
    int rules = ruleset(0, 3, 0), tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {AF_INET, htons(47123), {htonl(INADDR_LOOPBACK)}};
    struct { uint64_t allowed, port; } rule = {1, 47123};
    CHECK_EQ(syscall(ADD, rules, 2, &rule, 0), 0);
    restrict_self(rules);
    CHECK_ERRNO(connect(tcp, (void *)&to, sizeof to), EACCES);
    CHECK_EQ(bind(tcp, (void *)&to, sizeof to), 0);
    to.sin_port = htons(47124);
    CHECK_ERRNO(bind(socket(AF_INET, SOCK_STREAM, 0), (void *)&to, sizeof to), EACCES);
    CHECK_EQ(connect(udp, (void *)&to, sizeof to), 0);
}
TEST(signals_stay_inside_a_scope) {
    int outside = getppid();
    restrict_self(ruleset(0, 0, 2));
    CHECK_ERRNO(kill(outside, 0), EPERM);
    int pid = fork();
    if (!pid) pause();
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}
TEST(wrong_arguments_are_told_apart) {
    CHECK(syscall(CREATE, NULL, 0, 1) >= 6);
    CHECK_ERRNO(ruleset(0, 0, 0), ENOMSG);
    CHECK_ERRNO(ruleset(1ull << 40, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(CREATE, NULL, 24, 0), EFAULT);
    int rules = ruleset(EXECUTE, 0, 0);
    struct beneath rule = {WRITE_FILE, 0};
    CHECK_ERRNO(syscall(ADD, rules, 1, &rule, 0), EINVAL);
    CHECK_ERRNO(syscall(ADD, rules, 9, &rule, 0), EINVAL);
    CHECK_ERRNO(syscall(ADD, open(".", O_RDONLY), 1, &rule, 0), EBADFD);
    CHECK_ERRNO(syscall(RESTRICT, -1, 0), EBADF);
    CHECK_ERRNO(syscall(RESTRICT, rules, 64), EINVAL);
}
