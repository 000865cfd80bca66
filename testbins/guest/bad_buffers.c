/* What becomes of a transfer when a part of its buffer is not there: it depends on the file. */
#include "t.h"
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <sys/vfs.h>

static char bytes[8192] = "0123456789";
static struct iovec good_bad[2] = {{bytes, 2}, {BAD, 2}}, bad_good[2] = {{BAD, 2}, {bytes, 2}}, nothing[1] = {{bytes, 0}};

static void pair(int type, int ends[2]) { CHECK_EQ(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, ends), 0); }

/* Two pages of which the second is not there: the end of the first. */
static char *edge(void) {
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    memset(page, 'e', 4096);
    return page + 4096;
}

TEST(a_pipe_takes_nothing_of_a_page_that_cannot_be_read_whole) {
    int p[2];
    pipe2(p, O_NONBLOCK);
    CHECK_ERRNO(writev(p[1], good_bad, 2), EFAULT);
    CHECK_ERRNO(write(p[1], edge() - 2, 4), EFAULT);
    CHECK_ERRNO(read(p[0], bytes, 1), EAGAIN);
    CHECK_EQ(write(p[1], edge() - 4096, 8192), 4096);
}
TEST(a_pipe_and_a_stream_keep_what_cannot_be_copied_out) {
    int ends[2][2];
    pipe2(ends[0], O_NONBLOCK);
    pair(SOCK_STREAM, ends[1]);
    for (int i = 0; i < 2; i++) {
        int from = ends[i][0], to = ends[i][1];
        CHECK_EQ(write(to, "abc", 3), 3);
        CHECK_ERRNO(read(from, BAD, 3), EFAULT);
        CHECK_ERRNO(read(from, edge() - 2, 4), EFAULT);
        CHECK_ERRNO(readv(from, good_bad, 2), EFAULT);
        CHECK_EQ(read(from, edge() - 2, 2), 2);
        CHECK_EQ(read(from, bytes, 9), 1);
        CHECK(bytes[0] == 'c');
        CHECK_ERRNO(readv(from, bad_good, 2), EAGAIN);
        CHECK_ERRNO(read(from, BAD, 2), EAGAIN);
    }
}
TEST(a_datagram_that_cannot_be_copied_is_lost) {
    static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 2; i++) {
        int ends[2];
        pair(types[i], ends);
        CHECK_ERRNO(writev(ends[0], good_bad, 2), EFAULT);
        CHECK_ERRNO(read(ends[1], BAD, 2), EAGAIN);
        CHECK_EQ(write(ends[0], "abc", 3), 3);
        CHECK_ERRNO(readv(ends[1], good_bad, 2), EFAULT);
        CHECK_ERRNO(read(ends[1], bytes, 9), EAGAIN);
    }
}
TEST(sendmsg_sends_all_of_its_buffers_or_nothing) {
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++) {
        int ends[2];
        pair(types[i], ends);
        struct msghdr m = {.msg_iov = good_bad, .msg_iovlen = 2};
        CHECK_ERRNO(sendmsg(ends[0], &m, 0), EFAULT);
        CHECK_ERRNO(recv(ends[1], bytes, 9, 0), EAGAIN);
        m.msg_iovlen = 1;
        CHECK_EQ(sendmsg(ends[0], &m, MSG_EOR), 2);
        CHECK_EQ(recvmsg(ends[1], &m, 0), 2);
        CHECK_EQ(m.msg_flags, 0);
    }
}
TEST(devices_take_what_they_do_not_look_at) {
    int zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
    CHECK_EQ(writev(zero, bad_good, 2), 4);
    CHECK_EQ(write(zero, BAD, 4096), 4096);
    CHECK_ERRNO(write(zero, KERNEL, 1), EFAULT);
    CHECK_ERRNO(write(full, BAD, 1), ENOSPC);
    CHECK_ERRNO(write(full, bytes, 0), ENOSPC);
    CHECK_EQ(writev(full, nothing, 1), 0);
}
TEST(a_counter_takes_each_range_for_itself) {
    int fd = eventfd(0, EFD_NONBLOCK);
    uint64_t two[2] = {1, 2};
    struct iovec halves[2] = {{two, 4}, {(char *)two + 4, 4}}, both[2] = {{two, 8}, {two + 1, 8}};
    CHECK_ERRNO(writev(fd, halves, 2), EINVAL);
    CHECK_ERRNO(write(fd, two, 16), EINVAL);
    CHECK_EQ(writev(fd, both, 2), 16);
    CHECK_ERRNO(read(fd, BAD, 8), EFAULT);
    CHECK_ERRNO(read(fd, two, 8), EAGAIN);
    CHECK_EQ(lseek(fd, 5, SEEK_SET), 0);
    CHECK_ERRNO(lseek(fd, 0, 9), EINVAL);
    CHECK_ERRNO(pread(fd, two, 8, 0), ESPIPE);
}
TEST(a_vector_of_nothing_is_no_message_and_a_read_of_nothing_takes_none) {
    int ends[2];
    pair(SOCK_DGRAM, ends);
    CHECK_EQ(writev(ends[0], nothing, 1), 0);
    CHECK_ERRNO(read(ends[1], bytes, 9), EAGAIN);
    CHECK_EQ(read(ends[1], bytes, 0), 0);
    CHECK_EQ(write(ends[0], bytes, 0), 0);
    CHECK_EQ(read(ends[1], bytes, 9), 0);
    CHECK_EQ(write(ends[0], "abc", 3), 3);
    CHECK_EQ(read(ends[1], bytes, 0), 0);
    CHECK_EQ(read(ends[1], bytes, 9), 3);
}
TEST(a_transfer_may_not_end_beyond_the_largest_offset) {
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_ERRNO(pread(fd, bytes, 1, LLONG_MAX), EINVAL);
    CHECK_ERRNO(pwrite(fd, bytes, 1, LLONG_MAX), EINVAL);
    CHECK_EQ(pread(fd, bytes, 0, LLONG_MAX), 0);
}
TEST(pipes_and_sockets_have_permissions_and_owners) {
    int p[2], ends[2];
    struct stat st;
    pipe(p);
    pair(SOCK_STREAM, ends);
    CHECK_EQ(fchmod(p[0], 0640), 0);
    CHECK_EQ(fchown(p[1], 5, 6), 0);
    CHECK_EQ(fstat(p[1], &st), 0);
    CHECK_EQ(st.st_mode, S_IFIFO | 0640);
    CHECK(st.st_uid == 5 && st.st_gid == 6);
    CHECK_EQ(fstat(ends[0], &st), 0);
    CHECK_EQ(st.st_mode, S_IFSOCK | 0777);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {AF_UNIX, "sock"};
    umask(022);
    CHECK_EQ(fchmod(fd, 0660), 0);
    CHECK_EQ(bind(fd, (void *)&name, sizeof name), 0);
    CHECK_EQ(stat("sock", &st), 0);
    CHECK_EQ(st.st_mode, S_IFSOCK | 0640);
}
TEST(file_systems_of_pipes_and_sockets_have_their_numbers) {
    int p[2], ends[2];
    struct statfs fs;
    pipe(p);
    pair(SOCK_STREAM, ends);
    CHECK_EQ(fstatfs(p[0], &fs), 0);
    CHECK_EQ(fs.f_type, 0x50495045);
    CHECK_EQ(fstatfs(ends[0], &fs), 0);
    CHECK_EQ(fs.f_type, 0x534f434b);
}
