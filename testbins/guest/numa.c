/* Memory policies, on a machine of one node or as good as one. */
#include "t.h"

enum { DEFAULT = 0, BIND = 2, INTERLEAVE = 3, MOVE = 2 };

static unsigned long node = 1;
static void *page(void) { return mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

TEST(the_policy_is_default_at_first) {
    int mode = -1;
    CHECK_EQ(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0), 0);
    CHECK_EQ(mode, DEFAULT);
    CHECK_ERRNO(syscall(SYS_get_mempolicy, BAD, NULL, 0, NULL, 0), EFAULT);
}
TEST(a_policy_can_be_set_and_read_back) {
    int mode = -1;
    CHECK_EQ(syscall(SYS_set_mempolicy, BIND, &node, 64), 0);
    CHECK_EQ(syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0), 0);
    CHECK_EQ(mode, BIND);
    CHECK_EQ(syscall(SYS_set_mempolicy, DEFAULT, NULL, 0), 0);
    CHECK_ERRNO(syscall(SYS_set_mempolicy, 99, NULL, 0), EINVAL);
}
TEST(a_mapping_can_be_bound_to_a_node) {
    char *at = page();
    CHECK_EQ(syscall(SYS_mbind, at, 4096, DEFAULT, NULL, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_mbind, at + 1, 4096, DEFAULT, NULL, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_mbind, at, 4096, 99, NULL, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_set_mempolicy_home_node, at, 4096, 0, 1), EINVAL);
}
TEST(the_policy_of_a_mapping_is_told) {
    char *at = page();
    int mode = -1;
    CHECK_EQ(syscall(SYS_mbind, at, 4096, BIND, &node, 64, 0), 0);
    CHECK_EQ(syscall(SYS_get_mempolicy, &mode, NULL, 0, at, 2), 0);
    CHECK_EQ(mode, BIND);
    CHECK_EQ(syscall(SYS_mbind, at, 4096, DEFAULT, NULL, 0, 0), 0);
    CHECK_EQ(syscall(SYS_get_mempolicy, &mode, NULL, 0, at, 2), 0);
    CHECK_EQ(mode, DEFAULT);
}
TEST(pages_are_where_the_only_node_is) {
    char *at = page();
    void *pages[] = {at};
    int status = -1;
    at[0] = 1;
    CHECK_EQ(syscall(SYS_move_pages, 0, 1, pages, NULL, &status, MOVE), 0);
    CHECK_EQ(status, 0);
    CHECK_ERRNO(syscall(SYS_move_pages, 0x7ffffff, 1, pages, NULL, &status, MOVE), ESRCH);
    CHECK_EQ(syscall(SYS_migrate_pages, 0, 64, &node, &node), 0);
    CHECK_ERRNO(syscall(SYS_migrate_pages, 0x7ffffff, 64, &node, &node), ESRCH);
}
