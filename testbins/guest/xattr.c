/* Extended attributes. */
#include "t.h"
#include <sys/xattr.h>

static char value[64];

TEST(an_attribute_is_kept_and_listed) {
    t_file("f", "x");
    CHECK_EQ(syscall(SYS_setxattr, "f", "user.a", "one", 3, 0), 0);
    CHECK_EQ(syscall(SYS_getxattr, "f", "user.a", value, 64), 3);
    CHECK(!memcmp(value, "one", 3));
    CHECK_EQ(syscall(SYS_getxattr, "f", "user.a", NULL, 0), 3);
    CHECK_EQ(syscall(SYS_listxattr, "f", value, 64), 7);
    CHECK_STR(value, "user.a");
    CHECK_EQ(syscall(SYS_removexattr, "f", "user.a"), 0);
    CHECK_ERRNO(syscall(SYS_getxattr, "f", "user.a", value, 64), ENODATA);
    CHECK_EQ(syscall(SYS_listxattr, "f", value, 64), 0);
}
TEST(flags_ask_for_a_new_or_an_old_one) {
    t_file("f", "x");
    CHECK_ERRNO(setxattr("f", "user.a", "1", 1, XATTR_REPLACE), ENODATA);
    CHECK_EQ(setxattr("f", "user.a", "1", 1, XATTR_CREATE), 0);
    CHECK_ERRNO(setxattr("f", "user.a", "1", 1, XATTR_CREATE), EEXIST);
    CHECK_EQ(setxattr("f", "user.a", "22", 2, XATTR_REPLACE), 0);
    CHECK_ERRNO(setxattr("f", "user.a", "1", 1, 4), EINVAL);
}
TEST(descriptor_forms) {
    int fd = t_open("f", "x");
    CHECK_EQ(syscall(SYS_fsetxattr, fd, "user.a", "one", 3, 0), 0);
    CHECK_EQ(syscall(SYS_fgetxattr, fd, "user.a", value, 64), 3);
    CHECK_EQ(syscall(SYS_flistxattr, fd, value, 64), 7);
    CHECK_EQ(syscall(SYS_fremovexattr, fd, "user.a"), 0);
    CHECK_ERRNO(syscall(SYS_fgetxattr, 99, "user.a", value, 64), EBADF);
    CHECK_ERRNO(syscall(SYS_fremovexattr, fd, "user.a"), ENODATA);
}
TEST(link_forms_do_not_follow) {
    t_file("f", "x"), symlink("f", "l");
    CHECK_ERRNO(syscall(SYS_lsetxattr, "l", "user.a", "one", 3, 0), EPERM);
    CHECK_EQ(syscall(SYS_lsetxattr, "f", "user.a", "one", 3, 0), 0);
    CHECK_EQ(syscall(SYS_lgetxattr, "f", "user.a", value, 64), 3);
    CHECK_ERRNO(syscall(SYS_lgetxattr, "l", "trusted.a", value, 64), ENODATA);
    CHECK_EQ(syscall(SYS_llistxattr, "l", value, 64), 0);
    CHECK_EQ(syscall(SYS_getxattr, "l", "user.a", value, 64), 3);
    CHECK_EQ(syscall(SYS_lremovexattr, "f", "user.a"), 0);
}
TEST(small_buffers_are_erange) {
    t_file("f", "x"), setxattr("f", "user.a", "one", 3, 0);
    CHECK_ERRNO(getxattr("f", "user.a", value, 2), ERANGE);
    CHECK_ERRNO(listxattr("f", value, 3), ERANGE);
    CHECK_EQ(listxattr("f", NULL, 0), 7);
}
TEST(names_and_sizes_are_checked) {
    char name[300];
    t_file("f", "x");
    memset(name, 'n', sizeof name);
    memcpy(name, "user.", 5), name[299] = 0;
    CHECK_ERRNO(setxattr("f", name, "1", 1, 0), ERANGE);
    CHECK_ERRNO(setxattr("f", "", "1", 1, 0), ERANGE);
    CHECK_ERRNO(setxattr("f", "user.a", value, 70000, 0), E2BIG);
    CHECK_ERRNO(setxattr("f", "nosuch.a", "1", 1, 0), EOPNOTSUPP);
    CHECK_ERRNO(setxattr("none", "user.a", "1", 1, 0), ENOENT);
    CHECK_ERRNO(setxattr("f", "user.a", BAD, 1, 0), EFAULT);
    CHECK_ERRNO(getxattr("f", BAD, value, 1), EFAULT);
}
TEST(trusted_attributes_are_root_s) {
    t_file("f", "x"), chown("f", 1000, 1000);
    CHECK_EQ(setxattr("f", "trusted.t", "1", 1, 0), 0);
    setuid(1000);
    CHECK_EQ(setxattr("f", "user.a", "1", 1, 0), 0);
    CHECK_ERRNO(setxattr("f", "trusted.t", "1", 1, 0), EPERM);
    CHECK_ERRNO(getxattr("f", "trusted.t", value, 8), ENODATA);
    CHECK_EQ(listxattr("f", value, 64), 7);
}
TEST(the_at_forms_take_a_directory) {
    struct { uint64_t value; uint32_t size, flags; } args = {(long)"one", 3, 0};
    t_file("f", "x");
    CHECK_EQ(syscall(NR_setxattrat, AT_FDCWD, "f", 0, "user.a", &args, sizeof args), 0);
    args.value = (long)value, args.size = 64;
    CHECK_EQ(syscall(NR_getxattrat, AT_FDCWD, "f", 0, "user.a", &args, sizeof args), 3);
    CHECK_EQ(syscall(NR_listxattrat, AT_FDCWD, "f", 0, value, 64), 7);
    CHECK_EQ(syscall(NR_removexattrat, open("f", O_RDONLY), "", AT_EMPTY_PATH, "user.a"), 0);
    CHECK_ERRNO(syscall(NR_setxattrat, AT_FDCWD, "f", 1, "user.a", &args, sizeof args), EINVAL);
    CHECK_ERRNO(syscall(NR_setxattrat, AT_FDCWD, "f", 0, "user.a", &args, 8), EINVAL);
}
