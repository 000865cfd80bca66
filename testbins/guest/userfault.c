/* Page faults that user space answers. */
#include "t.h"
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
static int fd;
static char *page, source[4096];

static void setup(int mode) {
    fd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
    CHECK(fd >= 0);
    struct uffdio_api api = {.api = UFFD_API};
    CHECK_EQ(ioctl(fd, UFFDIO_API, &api), 0);
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mode & UFFDIO_REGISTER_MODE_WP) page[0] = 1;
    struct uffdio_register range = {.range = {(unsigned long)page, 8192}, .mode = mode};
    CHECK_EQ(ioctl(fd, UFFDIO_REGISTER, &range), 0);
}
static struct uffd_msg fault(void) {
    struct uffd_msg message;
    CHECK_EQ(read(fd, &message, sizeof message), sizeof message);
    CHECK_EQ(message.event, UFFD_EVENT_PAGEFAULT);
    return message;
}
static void *copies(void *unused) {
    struct uffd_msg message = fault();
    CHECK_EQ(message.arg.pagefault.address, (unsigned long)page);
    memset(source, 'x', 4096);
    struct uffdio_copy copy = {.dst = (unsigned long)page, .src = (unsigned long)source, .len = 4096};
    CHECK_EQ(ioctl(fd, UFFDIO_COPY, &copy), 0);
    CHECK_EQ(copy.copy, 4096);
    CHECK_ERRNO(ioctl(fd, UFFDIO_COPY, &copy), EEXIST);
    return NULL;
}
TEST(a_missing_page_is_copied_in) {
    pthread_t thread;
    setup(UFFDIO_REGISTER_MODE_MISSING);
    pthread_create(&thread, NULL, copies, NULL);
    CHECK_EQ(page[17], 'x');
    pthread_join(thread, NULL);
}
TEST(pages_are_provided_before_they_are_missed) {
    setup(UFFDIO_REGISTER_MODE_MISSING);
    struct uffdio_zeropage zero = {.range = {(unsigned long)page, 4096}};
    CHECK_EQ(ioctl(fd, UFFDIO_ZEROPAGE, &zero), 0);
    CHECK_EQ(page[0], 0);
    CHECK_ERRNO(ioctl(fd, UFFDIO_ZEROPAGE, &zero), EEXIST);
    close(fd);
    page[4096] = 1;
}
static void *unprotects(void *unused) {
    struct uffd_msg message = fault();
    CHECK(message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP);
    struct uffdio_writeprotect wp = {.range = {(unsigned long)page, 4096}};
    CHECK_EQ(ioctl(fd, UFFDIO_WRITEPROTECT, &wp), 0);
    return NULL;
}
TEST(a_write_to_a_protected_page_waits) {
    pthread_t thread;
    setup(UFFDIO_REGISTER_MODE_WP);
    struct uffdio_writeprotect wp = {.range = {(unsigned long)page, 4096}, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
    CHECK_EQ(ioctl(fd, UFFDIO_WRITEPROTECT, &wp), 0);
    CHECK_EQ(page[0], 1);
    pthread_create(&thread, NULL, unprotects, NULL);
    page[0] = 2;
    pthread_join(thread, NULL);
    CHECK_EQ(page[0], 2);
}
TEST(arguments_of_userfaultfd_are_checked) {
    CHECK_ERRNO(syscall(SYS_userfaultfd, 2), EINVAL);
    setup(UFFDIO_REGISTER_MODE_MISSING);
    struct uffdio_api api = {.api = UFFD_API};
    CHECK_ERRNO(ioctl(fd, UFFDIO_API, &api), EINVAL);
    struct uffdio_range range = {(unsigned long)page + 1, 4096};
    CHECK_ERRNO(ioctl(fd, UFFDIO_WAKE, &range), EINVAL);
    struct uffd_msg message;
    CHECK_ERRNO(read(fd, &message, 31), EINVAL);
    CHECK_ERRNO(ioctl(fd, 0xaa55, &message), EINVAL);
}
