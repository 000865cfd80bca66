/* Asynchronous input and output of the old kind. */
#include "t.h"
#include <linux/aio_abi.h>

static aio_context_t ctx;
static struct iocb cb, *list = &cb;
static struct io_event event;
static char text[16];

TEST(a_write_and_a_read_complete) {
    int fd = t_open("f", "");
    CHECK_EQ(syscall(SYS_io_setup, 8, &ctx), 0);
    cb = (struct iocb){.aio_data = 77, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (long)"hello", .aio_nbytes = 5};
    CHECK_EQ(syscall(SYS_io_submit, ctx, 1, &list), 1);
    CHECK_EQ(syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL), 1);
    CHECK(event.data == 77 && event.res == 5 && event.obj == (unsigned long)&cb);
    cb.aio_lio_opcode = IOCB_CMD_PREAD, cb.aio_buf = (long)text;
    CHECK_EQ(syscall(SYS_io_submit, ctx, 1, &list), 1);
    struct timespec time = {1, 0};
    CHECK_EQ(syscall(SYS_io_pgetevents, ctx, 1, 1, &event, &time, NULL), 1);
    CHECK_STR(text, "hello");
    CHECK_EQ(syscall(SYS_io_destroy, ctx), 0);
    CHECK_ERRNO(syscall(SYS_io_destroy, ctx), EINVAL);
}
TEST(an_eventfd_hears_of_completions) {
    int fd = t_open("f", "hello"), events = syscall(SYS_eventfd2, 0, 0);
    uint64_t count;
    syscall(SYS_io_setup, 8, &ctx);
    cb = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd, .aio_buf = (long)text, .aio_nbytes = 5, .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = events};
    CHECK_EQ(syscall(SYS_io_submit, ctx, 1, &list), 1);
    CHECK_EQ(read(events, &count, 8), 8);
    CHECK_EQ(count, 1);
}
TEST(nothing_to_get_times_out) {
    struct timespec time = {0, 10000000};
    syscall(SYS_io_setup, 8, &ctx);
    CHECK_EQ(syscall(SYS_io_getevents, ctx, 1, 1, &event, &time), 0);
    CHECK_EQ(syscall(SYS_io_getevents, ctx, 0, 1, &event, NULL), 0);
}
TEST(arguments_are_checked) {
    int fd = t_open("f", "");
    ctx = 1;
    CHECK_ERRNO(syscall(SYS_io_setup, 8, &ctx), EINVAL);
    ctx = 0;
    CHECK_ERRNO(syscall(SYS_io_setup, 0, &ctx), EINVAL);
    CHECK_ERRNO(syscall(SYS_io_setup, 8, BAD), EFAULT);
    CHECK_EQ(syscall(SYS_io_setup, 8, &ctx), 0);
    CHECK_EQ(syscall(SYS_io_submit, ctx, 0, &list), 0);
    CHECK_ERRNO(syscall(SYS_io_submit, ctx, -1L, &list), EINVAL);
    CHECK_ERRNO(syscall(SYS_io_submit, ctx, 1, BAD), EFAULT);
    cb = (struct iocb){.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = 99};
    CHECK_ERRNO(syscall(SYS_io_submit, ctx, 1, &list), EBADF);
    cb.aio_fildes = fd, cb.aio_lio_opcode = 77;
    CHECK_ERRNO(syscall(SYS_io_submit, ctx, 1, &list), EINVAL);
    CHECK_ERRNO(syscall(SYS_io_submit, 12345UL, 1, &list), EINVAL);
    CHECK_ERRNO(syscall(SYS_io_getevents, ctx, 2, 1, &event, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_io_cancel, ctx, &cb, &event), EINVAL);
}
