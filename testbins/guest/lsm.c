/* Calls about security modules. What modules there are differs from one kernel to the next. */
#include "t.h"
enum { GET = 459, SET = 460, LIST = 461 };
TEST(capabilities_are_a_module) {
    uint64_t ids[32] = {0};
    uint32_t size = sizeof ids, little = 4;
    int count = syscall(LIST, ids, &size, 0), found = 0;
    for (int i = 0; i < count; i++) found |= ids[i] == 100;
    CHECK(found);
    CHECK(size >= 8 && size < sizeof ids);
    CHECK_ERRNO(syscall(LIST, ids, &little, 0), E2BIG);
    CHECK(little >= 8);
    CHECK_ERRNO(syscall(LIST, ids, &size, 1), EINVAL);
    CHECK_ERRNO(syscall(LIST, BAD, &size, 0), EFAULT);
    CHECK_ERRNO(syscall(LIST, ids, NULL, 0), EFAULT);
}
TEST(attributes_are_asked_for_in_full) {
    struct { uint64_t id, flags, len, ctx_len; } ctx = {0};
    uint32_t size = sizeof ctx;
    CHECK_ERRNO(syscall(GET, 0, &ctx, &size, 0), EINVAL);
    CHECK_ERRNO(syscall(GET, 100, &ctx, NULL, 0), EINVAL);
    CHECK_ERRNO(syscall(GET, 100, &ctx, &size, 8), EINVAL);
    CHECK_ERRNO(syscall(SET, 100, &ctx, 8, 0), EINVAL);
    CHECK_ERRNO(syscall(SET, 100, &ctx, 5000, 0), E2BIG);
    CHECK_ERRNO(syscall(SET, 100, &ctx, size, 1), EINVAL);
}
