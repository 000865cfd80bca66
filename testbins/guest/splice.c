/* splice, tee, vmsplice, sendfile. */
#include "t.h"
#include <sys/sendfile.h>

static int p[2], q[2];
static char text[16];
static void pipes(void) {
    CHECK_EQ(pipe(p), 0);
    CHECK_EQ(pipe(q), 0);
}
TEST(splice_moves_a_file_into_a_pipe) {
    int fd = t_open("f", "hello world");
    long offset = 6;
    pipes();
    CHECK_EQ(syscall(SYS_splice, fd, &offset, p[1], NULL, 5, 0), 5);
    CHECK_EQ(offset, 11);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    CHECK_EQ(read(p[0], text, 16), 5);
    CHECK_STR(text, "world");
    CHECK_EQ(syscall(SYS_splice, fd, NULL, p[1], NULL, 5, 0), 5);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
}
TEST(splice_moves_a_pipe_into_a_file) {
    int fd = t_open("f", "");
    pipes();
    write(p[1], "hello", 5);
    CHECK_EQ(syscall(SYS_splice, p[0], NULL, fd, NULL, 100, 0), 5);
    CHECK_STR(t_text("f"), "hello");
}
TEST(splice_between_pipes_consumes_and_tee_does_not) {
    pipes();
    write(p[1], "hello", 5);
    CHECK_EQ(syscall(SYS_tee, p[0], q[1], 3, 0), 3);
    CHECK_EQ(read(q[0], text, 16), 3);
    CHECK_EQ(syscall(SYS_splice, p[0], NULL, q[1], NULL, 100, 0), 5);
    CHECK_EQ(read(q[0], text, 16), 5);
    CHECK_STR(text, "hello");
}
TEST(splice_checks_its_arguments) {
    int fd = t_open("f", "hello"), append = open("f", O_WRONLY | O_APPEND);
    long offset = 0;
    pipes();
    CHECK_EQ(syscall(SYS_splice, 99, NULL, 99, NULL, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_splice, fd, NULL, p[1], NULL, 1, 64), EINVAL);
    CHECK_ERRNO(syscall(SYS_splice, 99, NULL, p[1], NULL, 1, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_splice, fd, NULL, fd, NULL, 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_splice, p[0], &offset, fd, NULL, 1, 0), ESPIPE);
    CHECK_ERRNO(syscall(SYS_splice, p[1], NULL, fd, NULL, 1, 0), EBADF);
    write(p[1], "x", 1);
    CHECK_ERRNO(syscall(SYS_splice, p[0], NULL, append, NULL, 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_splice, p[0], NULL, p[1], NULL, 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_tee, p[0], fd, 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_tee, q[0], p[1], 1, 2), EAGAIN);
    CHECK_ERRNO(syscall(SYS_splice, q[0], NULL, fd, NULL, 1, 2), EAGAIN);
}
TEST(vmsplice_goes_both_ways) {
    struct iovec parts[2] = {{"he", 2}, {"llo", 3}}, in = {text, 16};
    pipes();
    CHECK_EQ(syscall(SYS_vmsplice, p[1], parts, 2, 0), 5);
    CHECK_EQ(syscall(SYS_vmsplice, p[0], &in, 1, 0), 5);
    CHECK_STR(text, "hello");
    CHECK_ERRNO(syscall(SYS_vmsplice, t_open("f", ""), parts, 2, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_vmsplice, 99, parts, 2, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_vmsplice, p[1], parts, 2, 64), EINVAL);
}
TEST(sendfile_copies_and_moves_the_right_offset) {
    int in = t_open("a", "hello world"), out = t_open("b", "");
    long offset = 6;
    CHECK_EQ(syscall(SYS_sendfile, out, in, &offset, 100), 5);
    CHECK_EQ(offset, 11);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
    CHECK_EQ(syscall(SYS_sendfile, out, in, NULL, 5), 5);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 5);
    CHECK_STR(t_text("b"), "worldhello");
}
TEST(sendfile_works_into_pipes_and_sockets) {
    int in = t_open("a", "hello"), pair[2];
    long offset = 0;
    pipes();
    CHECK_EQ(sendfile(p[1], in, &offset, 5), 5);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    offset = 0;
    CHECK_EQ(sendfile(pair[0], in, &offset, 5), 5);
    CHECK_EQ(read(pair[1], text, 16), 5);
}
TEST(sendfile_checks_its_arguments) {
    int in = t_open("a", "hello"), out = open("a", O_RDONLY);
    long negative = -1;
    pipes();
    CHECK_ERRNO(syscall(SYS_sendfile, p[1], 99, NULL, 5), EBADF);
    CHECK_ERRNO(syscall(SYS_sendfile, 99, in, NULL, 5), EBADF);
    CHECK_ERRNO(syscall(SYS_sendfile, out, in, NULL, 5), EBADF);
    CHECK_ERRNO(syscall(SYS_sendfile, p[1], in, &negative, 5), EINVAL);
    CHECK_ERRNO(syscall(SYS_sendfile, p[1], in, BAD, 5), EFAULT);
    CHECK_ERRNO(syscall(SYS_sendfile, p[1], open(".", O_RDONLY), NULL, 5), EINVAL);
}
