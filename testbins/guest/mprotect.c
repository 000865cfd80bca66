/* mprotect and protection keys. */
#include "t.h"

static char *map(size_t size) { return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

TEST(read_only_memory_cannot_be_written) {
    volatile char *at = map(4096);
    at[0] = 5;
    CHECK_EQ(syscall(SYS_mprotect, at, 4096, PROT_READ), 0);
    CHECK_EQ(at[0], 5);
    DIES_OF(SIGSEGV, at[0] = 1);
    CHECK_EQ(mprotect((void *)at, 4096, PROT_READ | PROT_WRITE), 0);
    at[0] = 6;
}
TEST(prot_none_cannot_be_read) {
    volatile char *at = map(4096);
    mprotect((void *)at, 4096, PROT_NONE);
    DIES_OF(SIGSEGV, at[0]);
    int fd = t_open("f", "x");
    CHECK_ERRNO(read(fd, (void *)at, 1), EFAULT);
    CHECK_ERRNO(write(fd, (void *)at, 1), EFAULT);
}
TEST(the_kernel_respects_read_only_memory) {
    char *at = map(4096);
    mprotect(at, 4096, PROT_READ);
    CHECK_ERRNO(read(open("/dev/zero", O_RDONLY), at, 1), EFAULT);
}
TEST(code_runs_only_where_execution_is_allowed) {
    unsigned char *at = (void *)map(4096);
    at[0] = 0xc3;
    DIES_OF(SIGSEGV, ((void (*)(void))at)());
    CHECK_EQ(mprotect(at, 4096, PROT_READ | PROT_EXEC), 0);
    ((void (*)(void))at)();
}
TEST(execute_only_memory_runs) {
    unsigned char *at = (void *)map(4096);
    at[0] = 0xc3;
    CHECK_EQ(mprotect(at, 4096, PROT_EXEC), 0);
    ((void (*)(void))at)();
}
TEST(part_of_a_mapping_can_change) {
    volatile char *at = map(3 * 4096);
    CHECK_EQ(mprotect((char *)at + 4096, 4096, PROT_READ), 0);
    at[0] = at[8192] = 1;
    DIES_OF(SIGSEGV, at[4096] = 1);
}
TEST(arguments_are_checked) {
    char *at = map(3 * 4096);
    CHECK_ERRNO(syscall(SYS_mprotect, at + 1, 4096, PROT_READ), EINVAL);
    CHECK_ERRNO(syscall(SYS_mprotect, at, 4096, 0x100), EINVAL);
    CHECK_EQ(syscall(SYS_mprotect, at, 0, PROT_READ), 0);
    CHECK_ERRNO(syscall(SYS_mprotect, at, 4096, 0x03000000), EINVAL);
    munmap(at + 4096, 4096);
    CHECK_ERRNO(syscall(SYS_mprotect, at, 3 * 4096, PROT_READ), ENOMEM);
    DIES_OF(SIGSEGV, *(volatile char *)at = 1);
}
TEST(a_shared_read_only_file_cannot_become_writable) {
    t_file("f", "x");
    char *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, open("f", O_RDONLY), 0);
    CHECK_ERRNO(mprotect(at, 4096, PROT_READ | PROT_WRITE), EACCES);
}
TEST(a_handler_can_open_the_page_and_go_on) {
    static char *page;
    static volatile int faults;
    void on(int number) {
        (void)number;
        faults++;
        mprotect(page, 4096, PROT_READ | PROT_WRITE);
    }
    page = map(4096);
    mprotect(page, 4096, PROT_READ);
    t_handle(SIGSEGV, on, 0);
    *(volatile char *)page = 9;
    CHECK(faults == 1 && page[0] == 9);
}
TEST(protection_keys_exist_or_are_refused_as_without_hardware) {
    char *at = map(4096);
    CHECK_EQ(syscall(SYS_pkey_mprotect, at, 4096, PROT_READ, -1), 0);
    CHECK_ERRNO(syscall(SYS_pkey_mprotect, at, 4096, PROT_READ, 99), EINVAL);
    CHECK_ERRNO(syscall(SYS_pkey_alloc, 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_pkey_alloc, 0, 4), EINVAL);
    CHECK_ERRNO(syscall(SYS_pkey_free, 99), EINVAL);
    long key = syscall(SYS_pkey_alloc, 0, 0);
    CHECK(key >= 0 || errno == ENOSPC || errno == EINVAL);
}
