/* read, write and their relatives on regular files. */
#include "t.h"

TEST(read_returns_what_is_there_then_zero) {
    int fd = t_open("f", "hello");
    char text[10];
    CHECK_EQ(syscall(SYS_read, fd, text, 10), 5);
    CHECK(!memcmp(text, "hello", 5));
    CHECK_EQ(syscall(SYS_read, fd, text, 10), 0);
}
TEST(read_of_a_bad_descriptor_comes_before_a_bad_address) {
    char c;
    CHECK_ERRNO(syscall(SYS_read, 99, BAD, 1), EBADF);
    int fd = open("f", O_CREAT | O_WRONLY, 0600);
    CHECK_ERRNO(read(fd, &c, 1), EBADF);
    fd = open("f", O_RDONLY);
    CHECK_ERRNO(write(fd, "x", 1), EBADF);
}
TEST(read_into_a_bad_address_is_efault) {
    int fd = t_open("f", "hello");
    CHECK_ERRNO(syscall(SYS_read, fd, BAD, 5), EFAULT);
    CHECK_ERRNO(syscall(SYS_read, fd, KERNEL, 5), EFAULT);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
}
TEST(read_into_a_partly_bad_buffer_is_short) {
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    int fd = t_open("f", "hello world");
    CHECK_EQ(read(fd, page + 4096 - 5, 11), 5);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
}
TEST(read_of_a_directory_is_eisdir) {
    int fd = open(".", O_RDONLY);
    char c;
    CHECK_ERRNO(read(fd, &c, 1), EISDIR);
    CHECK_ERRNO(write(fd, &c, 1), EBADF);
}
TEST(write_of_nothing_returns_zero) {
    int fd = t_open("f", "");
    CHECK_EQ(syscall(SYS_write, fd, NULL, 0), 0);
    CHECK_EQ(syscall(SYS_read, fd, NULL, 0), 0);
}
TEST(write_from_a_bad_address_is_efault) {
    int fd = t_open("f", "");
    CHECK_ERRNO(syscall(SYS_write, fd, BAD, 5), EFAULT);
    CHECK_ERRNO(syscall(SYS_write, fd, KERNEL, 5), EFAULT);
    CHECK_ERRNO(syscall(SYS_write, 99, BAD, 5), EBADF);
}
TEST(write_beyond_the_end_leaves_a_hole_of_zeros) {
    int fd = t_open("f", "ab");
    CHECK_EQ(lseek(fd, 5, SEEK_SET), 5);
    CHECK_EQ(write(fd, "c", 1), 1);
    char text[6];
    CHECK_EQ(pread(fd, text, 6, 0), 6);
    CHECK(!memcmp(text, "ab\0\0\0c", 6));
}
TEST(append_writes_at_the_end_wherever_the_offset_is) {
    t_file("f", "abc");
    int fd = open("f", O_RDWR | O_APPEND);
    CHECK_EQ(write(fd, "d", 1), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    lseek(fd, 0, SEEK_SET);
    CHECK_EQ(write(fd, "e", 1), 1);
    CHECK_EQ(pwrite(fd, "f", 1, 0), 1);
    CHECK_STR(t_text("f"), "abcdef");
}
TEST(pread_and_pwrite_leave_the_offset) {
    int fd = t_open("f", "abcdef");
    char text[3] = "";
    CHECK_EQ(syscall(SYS_pread64, fd, text, 2, 3L), 2);
    CHECK_STR(text, "de");
    CHECK_EQ(syscall(SYS_pwrite64, fd, "XY", 2, 1L), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    CHECK_STR(t_text("f"), "aXYdef");
    CHECK_EQ(pread(fd, text, 2, 100), 0);
}
TEST(pread_of_a_negative_offset_is_einval_before_ebadf) {
    CHECK_ERRNO(syscall(SYS_pread64, 99, NULL, 1, -1L), EINVAL);
    CHECK_ERRNO(syscall(SYS_pwrite64, 99, NULL, 1, -1L), EINVAL);
    CHECK_ERRNO(syscall(SYS_pread64, 99, NULL, 1, 0L), EBADF);
}
TEST(pread_of_a_pipe_is_espipe) {
    int pair[2];
    char c;
    pipe(pair);
    CHECK_ERRNO(pread(pair[0], &c, 1, 0), ESPIPE);
    CHECK_ERRNO(pwrite(pair[1], &c, 1, 0), ESPIPE);
    CHECK_ERRNO(pread(pair[1], &c, 1, 0), ESPIPE);
}
TEST(lseek_knows_its_whences) {
    int fd = t_open("f", "abcdef");
    CHECK_EQ(syscall(SYS_lseek, fd, 2L, SEEK_SET), 2);
    CHECK_EQ(syscall(SYS_lseek, fd, 2L, SEEK_CUR), 4);
    CHECK_EQ(syscall(SYS_lseek, fd, -1L, SEEK_END), 5);
    CHECK_EQ(syscall(SYS_lseek, fd, 100L, SEEK_END), 106);
    CHECK_ERRNO(syscall(SYS_lseek, fd, -1L, SEEK_SET), EINVAL);
    CHECK_ERRNO(syscall(SYS_lseek, fd, 0L, 5), EINVAL);
    CHECK_ERRNO(syscall(SYS_lseek, 99, 0L, 5), EBADF);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 106);
}
TEST(lseek_on_a_pipe_or_socket_is_espipe) {
    int pair[2];
    pipe(pair);
    CHECK_ERRNO(lseek(pair[0], 0, SEEK_CUR), ESPIPE);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    CHECK_ERRNO(lseek(pair[0], 0, SEEK_CUR), ESPIPE);
}
TEST(lseek_finds_data_and_the_hole_at_the_end) {
    int fd = t_open("f", "abc");
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 3);
    CHECK_ERRNO(lseek(fd, 3, SEEK_DATA), ENXIO);
    CHECK_ERRNO(lseek(fd, 4, SEEK_HOLE), ENXIO);
    CHECK_ERRNO(lseek(fd, -1, SEEK_DATA), ENXIO);
}
TEST(readv_and_writev_go_through_all_parts) {
    int fd = t_open("f", "");
    struct iovec out[3] = {{"ab", 2}, {NULL, 0}, {"cde", 3}};
    CHECK_EQ(syscall(SYS_writev, fd, out, 3), 5);
    lseek(fd, 0, SEEK_SET);
    char a[4] = "", b[4] = "";
    struct iovec in[2] = {{a, 3}, {b, 3}};
    CHECK_EQ(syscall(SYS_readv, fd, in, 2), 5);
    CHECK_STR(a, "abc");
    CHECK_STR(b, "de");
}
TEST(writev_checks_its_vector) {
    int fd = t_open("f", "");
    struct iovec bad = {"a", -1};
    CHECK_EQ(syscall(SYS_writev, fd, NULL, 0), 0);
    CHECK_ERRNO(syscall(SYS_writev, fd, &bad, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_writev, fd, BAD, 1), EFAULT);
    CHECK_ERRNO(syscall(SYS_writev, fd, &bad, 1025), EINVAL);
    CHECK_ERRNO(syscall(SYS_writev, fd, &bad, -1), EINVAL);
    CHECK_ERRNO(syscall(SYS_writev, 99, BAD, 1), EBADF);
}
TEST(writev_stops_at_a_bad_part_after_good_ones) {
    int pair[2];
    pipe(pair);
    struct iovec parts[2] = {{"ab", 2}, {BAD, 2}};
    ssize_t n = writev(pair[1], parts, 2);
    CHECK(n == 2 || (n == -1 && errno == EFAULT));
    parts[0].iov_base = BAD;
    CHECK_ERRNO(writev(pair[1], parts, 2), EFAULT);
}
TEST(preadv_and_pwritev_take_an_offset) {
    int fd = t_open("f", "abcdef");
    char a[3] = "", b[3] = "";
    struct iovec in[2] = {{a, 2}, {b, 2}}, out = {"XY", 2};
    CHECK_EQ(syscall(SYS_preadv, fd, in, 2, 1L, 0L), 4);
    CHECK_STR(a, "bc");
    CHECK_STR(b, "de");
    CHECK_EQ(syscall(SYS_pwritev, fd, &out, 1, 4L, 0L), 2);
    CHECK_STR(t_text("f"), "abcdXY");
    CHECK_ERRNO(syscall(SYS_preadv, fd, in, 2, -1L, 0L), EINVAL);
}
TEST(preadv2_with_offset_minus_one_uses_the_file_offset) {
    int fd = t_open("f", "abcdef");
    char a[3] = "";
    struct iovec part = {a, 2};
    CHECK_EQ(syscall(SYS_preadv2, fd, &part, 1, -1L, -1L, 0), 2);
    CHECK_STR(a, "ab");
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
    CHECK_EQ(syscall(SYS_preadv2, fd, &part, 1, 4L, 0L, 0), 2);
    CHECK_STR(a, "ef");
    CHECK_ERRNO(syscall(SYS_preadv2, fd, &part, 1, 0L, 0L, 0x10000), EOPNOTSUPP);
}
TEST(pwritev2_can_append) {
    int fd = t_open("f", "abc");
    struct iovec part = {"de", 2};
    CHECK_EQ(syscall(SYS_pwritev2, fd, &part, 1, 0L, 0L, 0x10), 2);
    CHECK_EQ(syscall(SYS_pwritev2, fd, &part, 1, -1L, -1L, 2), 2);
    CHECK_STR(t_text("f"), "decde");
    CHECK_ERRNO(syscall(SYS_pwritev2, fd, &part, 1, 0L, 0L, 0x10000), EOPNOTSUPP);
}
TEST(write_beyond_the_file_size_limit_is_efbig_and_sigxfsz) {
    struct { unsigned long cur, max; } limit = {10, 10};
    int fd = t_open("f", "");
    CHECK_EQ(syscall(SYS_setrlimit, 1, &limit), 0);
    CHECK_EQ(write(fd, "0123456789abc", 13), 10);
    DIES_OF(SIGXFSZ, write(fd, "x", 1));
    signal(SIGXFSZ, SIG_IGN);
    CHECK_ERRNO(write(fd, "x", 1), EFBIG);
    CHECK_ERRNO(ftruncate(fd, 11), EFBIG);
}
TEST(write_to_dev_full_is_enospc_and_dev_zero_gives_zeros) {
    int full = open("/dev/full", O_RDWR), zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR);
    char text[4] = "abc";
    CHECK_ERRNO(write(full, text, 1), ENOSPC);
    CHECK_EQ(read(full, text, 2), 2);
    CHECK(text[0] == 0 && text[1] == 0 && text[2] == 'c');
    CHECK_EQ(read(zero, text, 4), 4);
    CHECK_EQ(text[2], 0);
    CHECK_EQ(write(zero, text, 4), 4);
    CHECK_EQ(read(null, text, 4), 0);
    CHECK_EQ(write(null, text, 4), 4);
    CHECK_EQ(lseek(null, 7, SEEK_SET), 0);
}
TEST(huge_counts_are_cut_to_two_gigabytes) {
    int fd = open("/dev/null", O_WRONLY);
    CHECK_EQ(syscall(SYS_write, fd, "", 0x80000000UL), 0x7ffff000);
    CHECK_ERRNO(syscall(SYS_write, fd, "", -1UL), EFAULT);
}
