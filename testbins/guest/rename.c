/* rename. */
#include "t.h"

TEST(rename_moves_and_replaces) {
    t_file("a", "A"), t_file("b", "B");
    CHECK_EQ(syscall(SYS_rename, "a", "b"), 0);
    CHECK_STR(t_text("b"), "A");
    CHECK_ERRNO(access("a", F_OK), ENOENT);
    CHECK_ERRNO(syscall(SYS_rename, "a", "c"), ENOENT);
    CHECK_EQ(syscall(SYS_rename, "b", "b"), 0);
}
TEST(names_of_the_same_file_both_stay) {
    t_file("a", "A"), link("a", "b");
    CHECK_EQ(rename("a", "b"), 0);
    CHECK_EQ(access("a", F_OK), 0);
}
TEST(kinds_must_match) {
    t_file("f", "x"), mkdir("d", 0755), mkdir("e", 0755), t_file("e/x", "");
    CHECK_ERRNO(syscall(SYS_rename, "f", "d"), EISDIR);
    CHECK_ERRNO(syscall(SYS_rename, "d", "f"), ENOTDIR);
    CHECK_ERRNO(syscall(SYS_rename, "d", "e"), ENOTEMPTY);
    CHECK_EQ(syscall(SYS_rename, "e", "d"), 0);
    CHECK_EQ(access("d/x", F_OK), 0);
}
TEST(a_directory_cannot_move_into_itself) {
    mkdir("d", 0755), mkdir("d/e", 0755);
    CHECK_ERRNO(rename("d", "d/e/f"), EINVAL);
    CHECK_ERRNO(rename("d", "d/e"), EINVAL);
    CHECK_ERRNO(rename("d/e", "d"), ENOTEMPTY);
    CHECK_ERRNO(rename(".", "x"), EBUSY);
    CHECK_ERRNO(rename("d", ".."), EBUSY);
}
TEST(renameat_starts_at_directories) {
    mkdir("d", 0755), t_file("f", "x");
    int dir = open("d", O_RDONLY);
    CHECK_EQ(syscall(SYS_renameat, AT_FDCWD, "f", dir, "g"), 0);
    CHECK_EQ(access("d/g", F_OK), 0);
    CHECK_ERRNO(syscall(SYS_renameat, 99, "f", dir, "g"), EBADF);
    CHECK_ERRNO(syscall(SYS_renameat, AT_FDCWD, BAD, dir, "g"), EFAULT);
}
TEST(renameat2_can_refuse_to_replace) {
    t_file("a", "A"), t_file("b", "B");
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 1), EEXIST);
    CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", 1), 0);
}
TEST(renameat2_can_exchange) {
    t_file("a", "A"), mkdir("b", 0755), t_file("b/x", "X");
    CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2), 0);
    CHECK_STR(t_text("b"), "A");
    CHECK_STR(t_text("a/x"), "X");
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "none", 2), ENOENT);
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 3), EINVAL);
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 8), EINVAL);
}
TEST(an_open_file_follows_its_name) {
    int fd = t_open("a", "hello");
    char path[64], name[PATH_MAX] = "";
    CHECK_EQ(rename("a", "b"), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(readlink(path, name, sizeof name - 1) > 0);
    CHECK_STR(strrchr(name, '/'), "/b");
}
TEST(the_working_directory_follows_its_name) {
    char path[PATH_MAX];
    mkdir("d", 0755), chdir("d");
    CHECK_EQ(rename("../d", "../e"), 0);
    getcwd(path, sizeof path);
    CHECK_STR(strrchr(path, '/'), "/e");
}
TEST(moving_between_file_systems_is_exdev) {
    t_file("f", "x");
    CHECK_ERRNO(rename("f", "/proc/f"), EXDEV);
}
TEST(a_whiteout_stays_where_a_name_was) {
    enum { NOREPLACE = 1, EXCHANGE = 2, WHITEOUT = 4 };
    struct stat st;
    t_file("f", "x");
    CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "g", WHITEOUT), 0);
    CHECK_EQ(lstat("f", &st), 0);
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_rdev, 0);
    CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "g", AT_FDCWD, "f", WHITEOUT | EXCHANGE), EINVAL);
}
