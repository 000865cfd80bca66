/* Keys and keyrings. */
#include "t.h"
enum { THREAD = -1, PROCESS = -2, SESSION = -3, USER_RING = -4 };
enum { GET_ID, JOIN, UPDATE, REVOKE, CHOWN, SETPERM, DESCRIBE, CLEAR, LINK, UNLINK, SEARCH, READ, TIMEOUT = 15, INVALIDATE = 21 };
static long ctl(int op, long a, long b, long c, long d) { return syscall(SYS_keyctl, op, a, b, c, d); }
static int add(const char *type, const char *name, const char *data, int ring) {
    return syscall(SYS_add_key, type, name, data, data ? strlen(data) : 0, ring);
}
TEST(a_key_reads_back_until_it_is_revoked) {
    char buf[16] = "";
    int key = add("user", "a", "one", PROCESS);
    CHECK(key > 0);
    CHECK_EQ(ctl(READ, key, (long)buf, sizeof buf, 0), 3);
    CHECK(!memcmp(buf, "one", 3));
    CHECK_EQ(ctl(UPDATE, key, (long)"three", 5, 0), 0);
    CHECK_EQ(ctl(READ, key, (long)buf, 2, 0), 5);
    CHECK_EQ(add("user", "a", "two", PROCESS), key);
    CHECK_EQ(ctl(REVOKE, key, 0, 0, 0), 0);
    CHECK_ERRNO(ctl(READ, key, (long)buf, sizeof buf, 0), EKEYREVOKED);
}
TEST(a_keyring_holds_links_and_no_circles) {
    int outer = add("keyring", "outer", NULL, THREAD), inner = add("keyring", "inner", NULL, outer);
    int key = add("user", "deep", "x", inner), ids[4];
    CHECK_EQ(ctl(SEARCH, outer, (long)"user", (long)"deep", 0), key);
    CHECK_EQ(syscall(SYS_request_key, "user", "deep", NULL, 0), key);
    CHECK_ERRNO(ctl(LINK, outer, inner, 0, 0), EDEADLK);
    CHECK_EQ(ctl(READ, inner, (long)ids, sizeof ids, 0), 4);
    CHECK_EQ(ids[0], key);
    CHECK_EQ(ctl(UNLINK, key, inner, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_request_key, "user", "deep", NULL, 0), ENOKEY);
    CHECK_ERRNO(ctl(UNLINK, inner, inner, 0, 0), ENOENT);
    CHECK_EQ(ctl(CLEAR, outer, 0, 0, 0), 0);
    CHECK_EQ(ctl(READ, outer, 0, 0, 0), 0);
}
TEST(a_child_has_its_own_thread_keyring_and_the_session) {
    CHECK(ctl(JOIN, 0, 0, 0, 0) > 0);
    CHECK(add("user", "mine", "x", THREAD) > 0);
    int shared = add("user", "ours", "x", SESSION);
    int pid = fork();
    if (!pid) {
        int ok = ctl(GET_ID, THREAD, 0, 0, 0) == -1 && errno == ENOKEY;
        _exit(!(ok && syscall(SYS_request_key, "user", "ours", NULL, 0) == shared));
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}
TEST(wrong_arguments_are_told_apart) {
    CHECK_ERRNO(add("no such type", "a", "x", PROCESS), ENODEV);
    CHECK_ERRNO(add(".kernel", "a", "x", PROCESS), EPERM);
    CHECK_ERRNO(add("user", "a", NULL, PROCESS), EINVAL);
    CHECK_ERRNO(add("keyring", "a", "x", PROCESS), EINVAL);
    CHECK_ERRNO(add("logon", "unqualified", "x", PROCESS), EINVAL);
    CHECK_ERRNO(add("user", "a", "x", 1), ENOKEY);
    CHECK_ERRNO(ctl(SETPERM, PROCESS, 0x80, 0, 0), EINVAL);
    CHECK_ERRNO(ctl(READ, 0, 0, 0, 0), ENOKEY);
    CHECK_ERRNO(ctl(DESCRIBE, 0, 0, 0, 0), EINVAL);
    CHECK_ERRNO(ctl(99, 0, 0, 0, 0), EOPNOTSUPP);
}
TEST(an_expired_key_is_told_so) {
    int key = add("user", "brief", "x", PROCESS);
    CHECK_EQ(ctl(TIMEOUT, key, 1, 0, 0), 0);
    usleep(1200000);
    CHECK_ERRNO(ctl(READ, key, 0, 0, 0), EKEYEXPIRED);
}
