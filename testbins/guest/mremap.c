/* mremap. */
#include "t.h"

static char *map(size_t size) { return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static long remap(void *at, size_t old, size_t new, int flags, void *to) { return syscall(SYS_mremap, at, old, new, flags, to); }

TEST(shrinking_unmaps_the_end) {
    volatile char *at = map(8192);
    CHECK_EQ(remap((void *)at, 8192, 4096, 0, NULL), (long)at);
    DIES_OF(SIGSEGV, at[4096]);
}
TEST(growing_in_place_keeps_the_address) {
    char *at = map(3 * 4096);
    at[0] = 7;
    munmap(at + 4096, 8192);
    CHECK_EQ(remap(at, 4096, 3 * 4096, 0, NULL), (long)at);
    CHECK(at[0] == 7 && at[8192] == 0);
}
TEST(growing_into_a_neighbour_needs_maymove) {
    char *at = map(2 * 4096);
    at[0] = 7;
    mprotect(at + 4096, 4096, PROT_READ);
    CHECK_ERRNO(remap(at, 4096, 8192, 0, NULL), ENOMEM);
    char *to = (char *)remap(at, 4096, 8192, MREMAP_MAYMOVE, NULL);
    CHECK(to != MAP_FAILED && to != at && to[0] == 7);
    DIES_OF(SIGSEGV, *(volatile char *)at);
}
TEST(fixed_moves_where_told) {
    char *at = map(4096), *to = map(8192);
    at[5] = 'x';
    to[4096] = 'y';
    CHECK_EQ(remap(at, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to), (long)to);
    CHECK(to[5] == 'x' && to[4096] == 'y');
}
TEST(dontunmap_leaves_an_empty_mapping) {
    char *at = map(4096);
    at[0] = 'x';
    char *to = (char *)remap(at, 4096, 4096, MREMAP_MAYMOVE | 4, NULL);
    CHECK(to != MAP_FAILED && to[0] == 'x' && at[0] == 0);
}
TEST(a_shared_mapping_of_old_size_zero_is_doubled) {
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *to = (char *)remap(at, 0, 4096, MREMAP_MAYMOVE, NULL);
    CHECK(to != MAP_FAILED && to != at);
    at[0] = 'z';
    CHECK_EQ(to[0], 'z');
    CHECK_ERRNO(remap(map(4096), 0, 4096, MREMAP_MAYMOVE, NULL), EINVAL);
}
TEST(arguments_are_checked) {
    char *at = map(8192);
    CHECK_ERRNO(remap(at + 1, 4096, 4096, 0, NULL), EINVAL);
    CHECK_ERRNO(remap(at, 4096, 0, 0, NULL), EINVAL);
    CHECK_ERRNO(remap(at, 4096, 4096, 8, NULL), EINVAL);
    CHECK_ERRNO(remap(at, 4096, 4096, MREMAP_FIXED, at), EINVAL);
    CHECK_ERRNO(remap(at, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, at + 4096), EINVAL);
    munmap(at, 8192);
    CHECK_ERRNO(remap(at, 4096, 8192, MREMAP_MAYMOVE, NULL), EFAULT);
}
TEST(a_file_mapping_grows_with_its_file_offset) {
    int fd = t_open("f", "");
    ftruncate(fd, 8192);
    pwrite(fd, "q", 1, 4096);
    char *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    at = (char *)remap(at, 4096, 8192, MREMAP_MAYMOVE, NULL);
    CHECK_EQ(at[4096], 'q');
}
