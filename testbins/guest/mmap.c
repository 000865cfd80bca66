/* mmap, munmap, brk, mincore, locking and sealing of memory. */
#include "t.h"
#include <sys/resource.h>

static char *map(size_t size) {
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}
static long raw(void *at, size_t size, int prot, int flags, int fd, long offset) { return syscall(SYS_mmap, at, size, prot, flags, fd, offset); }

TEST(anonymous_memory_is_zero_and_writable) {
    char *at = map(10000);
    for (int i = 0; i < 10000; i += 999) CHECK_EQ(at[i], 0);
    at[9999] = 1;
    CHECK_EQ((long)at & 4095, 0);
}
TEST(arguments_are_checked) {
    CHECK_ERRNO(raw(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(raw(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(raw(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERRNO(raw(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 1), EINVAL);
    CHECK_ERRNO(raw((void *)1, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
    CHECK_ERRNO(raw(NULL, -1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERRNO(raw(NULL, 1UL << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK_ERRNO(raw((void *)0x7ffffffff000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
    CHECK_ERRNO(raw(KERNEL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
}
TEST(file_access_decides_what_may_be_mapped) {
    t_file("f", "x");
    int in = open("f", O_RDONLY), out = open("f", O_WRONLY);
    CHECK_ERRNO(raw(NULL, 4096, PROT_READ, MAP_PRIVATE, out, 0), EACCES);
    CHECK_ERRNO(raw(NULL, 4096, PROT_WRITE, MAP_SHARED, in, 0), EACCES);
    CHECK(raw(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, in, 0) > 0);
    int dir = open(".", O_RDONLY), ends[2];
    CHECK_ERRNO(raw(NULL, 4096, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
    pipe(ends);
    CHECK_ERRNO(raw(NULL, 4096, PROT_READ, MAP_PRIVATE, ends[0], 0), ENODEV);
}
TEST(a_shared_file_mapping_writes_through) {
    int fd = t_open("f", "hello world");
    char *at = mmap(NULL, 11, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(!memcmp(at, "hello", 5));
    memcpy(at, "HELLO", 5);
    CHECK_STR(t_text("f"), "HELLO world");
    pwrite(fd, "W", 1, 6);
    CHECK_EQ(at[6], 'W');
    CHECK_EQ(at[12], 0);
}
TEST(a_private_file_mapping_does_not) {
    int fd = t_open("f", "hello");
    char *at = mmap(NULL, 5, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    at[0] = 'J';
    CHECK_STR(t_text("f"), "hello");
    CHECK_EQ(at[0], 'J');
}
TEST(a_mapping_outlives_its_descriptor_and_name) {
    int fd = t_open("f", "hello");
    char *at = mmap(NULL, 5, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    unlink("f");
    CHECK(!memcmp(at, "hello", 5));
}
TEST(access_beyond_the_file_is_sigbus) {
    int fd = t_open("f", "hello");
    volatile char *at = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    CHECK_EQ(at[4095], 0);
    DIES_OF(SIGBUS, at[4096]);
    ftruncate(fd, 0);
    DIES_OF(SIGBUS, at[0]);
}
TEST(fixed_replaces_and_noreplace_refuses) {
    char *at = map(3 * 4096);
    at[4096] = 1;
    CHECK_EQ(raw(at + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (long)at + 4096);
    CHECK_EQ(at[4096], 0);
    CHECK_ERRNO(raw(at + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    munmap(at + 4096, 4096);
    CHECK_EQ(raw(at + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), (long)at + 4096);
}
TEST(a_free_hint_is_taken) {
    char *at = map(4096);
    munmap(at, 4096);
    CHECK_EQ(raw(at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), (long)at);
    CHECK(raw(at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != (long)at);
}
TEST(map_32bit_stays_low) {
    long at = raw(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(at > 0 && at < 0x80000000);
}
TEST(munmap_makes_a_hole) {
    volatile char *at = map(3 * 4096);
    CHECK_EQ(syscall(SYS_munmap, at + 4096, 4096), 0);
    DIES_OF(SIGSEGV, at[4096]);
    CHECK_EQ(at[0] + at[8192], 0);
    CHECK_EQ(syscall(SYS_munmap, at + 4096, 4096), 0);
    CHECK_ERRNO(syscall(SYS_munmap, at + 1, 4096), EINVAL);
    CHECK_ERRNO(syscall(SYS_munmap, at, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_munmap, KERNEL, 4096), EINVAL);
}
TEST(shared_anonymous_memory_is_shared_with_children) {
    volatile int *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    IN_CHILD(*at = 42);
    CHECK_EQ(*at, 42);
}
TEST(private_memory_is_copied_on_write_both_ways) {
    volatile char *at = map(4096);
    int ends[2], back[2];
    char c;
    pipe(ends), pipe(back);
    at[0] = 'a';
    pid_t pid = t_fork();
    if (pid == 0) {
        read(ends[0], &c, 1);
        CHECK_EQ(at[0], 'a');
        at[0] = 'c';
        _exit(0);
    }
    at[0] = 'b';
    write(ends[1], "x", 1);
    CHECK_EQ(t_wait(pid), 0);
    CHECK_EQ(at[0], 'b');
}
TEST(brk_grows_zeroed_and_shrinks) {
    char *end = (char *)syscall(SYS_brk, 0);
    CHECK_EQ(syscall(SYS_brk, end + 10000), (long)end + 10000);
    CHECK_EQ(end[9999], 0);
    end[9999] = 5;
    CHECK_EQ(syscall(SYS_brk, end), (long)end);
    CHECK_EQ(syscall(SYS_brk, end + 10000), (long)end + 10000);
    CHECK_EQ(end[9999], 0);
    CHECK_EQ(syscall(SYS_brk, 1), (long)end + 10000);
    CHECK_EQ(syscall(SYS_brk, -1L), (long)end + 10000);
}
TEST(msync_checks_its_range) {
    int fd = t_open("f", "hello");
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    at[0] = 'J';
    CHECK_EQ(syscall(SYS_msync, at, 4096, MS_SYNC), 0);
    CHECK_EQ(syscall(SYS_msync, at, 0, MS_ASYNC), 0);
    CHECK_ERRNO(syscall(SYS_msync, at + 1, 4096, MS_SYNC), EINVAL);
    CHECK_ERRNO(syscall(SYS_msync, at, 4096, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERRNO(syscall(SYS_msync, at, 4096, 64), EINVAL);
    munmap(at, 4096);
    CHECK_ERRNO(syscall(SYS_msync, at, 4096, MS_SYNC), ENOMEM);
}
TEST(mincore_tells_touched_pages) {
    char *at = map(2 * 4096);
    unsigned char vec[2] = {9, 9};
    at[4096] = 1;
    CHECK_EQ(syscall(SYS_mincore, at, 8192, vec), 0);
    CHECK((vec[0] & 1) == 0 && (vec[1] & 1) == 1);
    CHECK_ERRNO(syscall(SYS_mincore, at + 1, 4096, vec), EINVAL);
    CHECK_ERRNO(syscall(SYS_mincore, at, 4096, BAD), EFAULT);
    munmap(at, 4096);
    CHECK_ERRNO(syscall(SYS_mincore, at, 8192, vec), ENOMEM);
}
TEST(locking_checks_range_and_limit) {
    char *at = map(8192);
    CHECK_EQ(syscall(SYS_mlock, at, 8192), 0);
    CHECK_EQ(syscall(SYS_munlock, at, 8192), 0);
    CHECK_EQ(syscall(SYS_mlock2, at, 4096, 1), 0);
    CHECK_ERRNO(syscall(SYS_mlock2, at, 4096, 2), EINVAL);
    CHECK_EQ(syscall(SYS_mlockall, MCL_CURRENT), 0);
    CHECK_EQ(syscall(SYS_munlockall), 0);
    CHECK_ERRNO(syscall(SYS_mlockall, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_mlockall, 8), EINVAL);
    struct rlimit limit = {0, 0};
    setrlimit(RLIMIT_MEMLOCK, &limit);
    setuid(1000);
    CHECK_ERRNO(syscall(SYS_mlock, at, 4096), EPERM);
    munmap(at, 4096);
    CHECK_ERRNO(syscall(SYS_munlock, at, 8192), ENOMEM);
}
TEST(sealed_memory_cannot_be_changed) {
    char *at = map(8192);
    CHECK_EQ(syscall(NR_mseal, at, 4096, 0), 0);
    CHECK_ERRNO(munmap(at, 8192), EPERM);
    CHECK_ERRNO(mprotect(at, 4096, PROT_READ), EPERM);
    CHECK_ERRNO(raw(at, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
    at[0] = 1;
    CHECK_EQ(munmap(at + 4096, 4096), 0);
    CHECK_ERRNO(syscall(NR_mseal, at, 4096, 1), EINVAL);
    CHECK_ERRNO(syscall(NR_mseal, at + 1, 4096, 0), EINVAL);
    CHECK_ERRNO(syscall(NR_mseal, at, 8192, 0), ENOMEM);
}
TEST(remap_file_pages_rearranges_a_shared_mapping) {
    int fd = t_open("f", "");
    ftruncate(fd, 8192);
    pwrite(fd, "a", 1, 0), pwrite(fd, "b", 1, 4096);
    volatile char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_EQ(syscall(SYS_remap_file_pages, at, 4096, 0, 1, 0), 0);
    CHECK(at[0] == 'b' && at[4096] == 'b');
    CHECK_ERRNO(syscall(SYS_remap_file_pages, map(4096), 4096, 0, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_remap_file_pages, at, 4096, 1, 0, 0), EINVAL);
}
TEST(huge_reservations_cost_nothing) {
    char *at = mmap(NULL, 1UL << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    CHECK_EQ(mprotect(at + (1UL << 39), 4096, PROT_READ | PROT_WRITE), 0);
    at[1UL << 39] = 1;
    CHECK_EQ(munmap(at, 1UL << 40), 0);
}
TEST(a_shadow_stack_is_not_to_be_had) {
    CHECK_EQ(syscall(NR_map_shadow_stack, 0, 4096, 0), -1);
    CHECK(errno == ENOSYS || errno == EOPNOTSUPP);
}
TEST(a_hole_is_found_again_whatever_was_mapped_since) {
    char *at = map(16 * 65536);
    for (int i = 1; i < 16; i += 2) mprotect(at + i * 65536, 65536, PROT_READ);
    char *below = map(65536);
    munmap(at + 5 * 65536, 65536), munmap(at + 9 * 65536, 2 * 65536);
    CHECK(map(2 * 65536) == at + 9 * 65536);
    CHECK(map(65536) == at + 5 * 65536);
    munmap(below, 65536);
    char *next = map(4096);
    CHECK(next < at || next >= at + 16 * 65536);
    munmap(at, 16 * 65536);
    CHECK(map(16 * 65536) == at);
}
