/* Memory devices and the kernel log. */
#include "t.h"
#include <sys/klog.h>

static char data[4096];

TEST(null_swallows_and_gives_nothing) {
    int fd = open("/dev/null", O_RDWR);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(read(fd, data, 10), 0);
}
TEST(zero_gives_zeros) {
    int fd = open("/dev/zero", O_RDWR);
    memset(data, 1, 10);
    CHECK_EQ(read(fd, data, 10), 10);
    CHECK_EQ(data[0] | data[9], 0);
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(page != MAP_FAILED);
    page[5] = 1;
}
TEST(full_takes_nothing) {
    int fd = open("/dev/full", O_RDWR);
    CHECK_ERRNO(write(fd, "x", 1), ENOSPC);
    CHECK_EQ(read(fd, data, 10), 10);
}
TEST(random_gives_something_else_each_time) {
    int fd = open("/dev/urandom", O_RDONLY);
    CHECK_EQ(read(fd, data, 16), 16);
    CHECK_EQ(read(fd, data + 16, 16), 16);
    CHECK(memcmp(data, data + 16, 16));
}
TEST(device_numbers_are_linux_s) {
    struct stat st;
    CHECK_EQ(stat("/dev/null", &st), 0);
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_rdev, 0x103);
    CHECK_EQ(stat("/dev/tty", &st), 0);
    CHECK_EQ(st.st_rdev, 0x500);
}
TEST(dev_fd_leads_to_descriptors) {
    int fd = t_open("file", "text");
    char path[64];
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    CHECK_STR(t_text(path), "text");
}
TEST(the_log_has_a_size_and_knows_its_actions) {
    CHECK(klogctl(10, NULL, 0) > 0);
    CHECK_ERRNO(klogctl(11, NULL, 0), EINVAL);
    CHECK_ERRNO(klogctl(3, NULL, 10), EINVAL);
    CHECK_ERRNO(klogctl(3, data, -1), EINVAL);
    CHECK_ERRNO(klogctl(8, NULL, 9), EINVAL);
}
