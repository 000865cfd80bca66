/* open and its relatives, paths, access, working directory, root. */
#include "t.h"
#include <linux/openat2.h>

TEST(open_of_a_missing_file_is_enoent) {
    CHECK_ERRNO(syscall(SYS_open, "none", O_RDONLY), ENOENT);
    CHECK_ERRNO(syscall(SYS_open, "", O_RDONLY), ENOENT);
    CHECK_ERRNO(syscall(SYS_open, "none/x", O_CREAT, 0600), ENOENT);
    CHECK_ERRNO(syscall(SYS_open, BAD, O_RDONLY), EFAULT);
}
TEST(a_file_as_directory_is_enotdir) {
    t_file("f", "x");
    CHECK_ERRNO(open("f/x", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("f/", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(open("f/.", O_RDONLY), ENOTDIR);
}
TEST(creating_exclusively_fails_if_it_exists) {
    CHECK(syscall(SYS_open, "f", O_CREAT | O_EXCL | O_WRONLY, 0600) >= 0);
    CHECK_ERRNO(syscall(SYS_open, "f", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
    symlink("nowhere", "l");
    CHECK_ERRNO(open("l", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
    CHECK(open("l", O_CREAT | O_WRONLY, 0600) >= 0);
    CHECK_EQ(access("nowhere", F_OK), 0);
}
TEST(creat_truncates) {
    t_file("f", "hello");
    int fd = syscall(SYS_creat, "f", 0600);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
}
TEST(directories_cannot_be_opened_for_writing) {
    CHECK_ERRNO(open(".", O_WRONLY), EISDIR);
    CHECK_ERRNO(open(".", O_RDONLY | O_CREAT, 0600), EISDIR);
    CHECK_ERRNO(open(".", O_RDWR | O_TRUNC), EISDIR);
    CHECK(open(".", O_RDONLY | O_DIRECTORY) >= 0);
}
TEST(nofollow_refuses_a_link) {
    t_file("f", "x");
    symlink("f", "l");
    CHECK_ERRNO(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK(open("l", O_PATH | O_NOFOLLOW) >= 0);
    CHECK_ERRNO(open("l", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
}
TEST(loops_of_links_are_eloop) {
    symlink("a", "b"), symlink("b", "a");
    CHECK_ERRNO(open("a", O_RDONLY), ELOOP);
    CHECK_ERRNO(open("a/x", O_RDONLY), ELOOP);
}
TEST(forty_links_may_be_followed_and_no_more) {
    char from[8], to[8];
    t_file("l0", "x");
    for (int i = 1; i <= 41; i++) {
        sprintf(from, "l%d", i - 1), sprintf(to, "l%d", i);
        symlink(from, to);
    }
    CHECK(open("l40", O_RDONLY) >= 0);
    CHECK_ERRNO(open("l41", O_RDONLY), ELOOP);
}
TEST(names_and_paths_have_their_limits) {
    char name[5000];
    memset(name, 'n', sizeof name);
    name[256] = 0;
    CHECK_ERRNO(open(name, O_RDONLY), ENAMETOOLONG);
    name[255] = 0;
    CHECK(open(name, O_CREAT | O_WRONLY, 0600) >= 0);
    memset(name, '/', sizeof name);
    name[4095] = 0;
    CHECK(open(name, O_RDONLY) >= 0);
    name[4095] = '/', name[4096] = 0;
    CHECK_ERRNO(open(name, O_RDONLY), ENAMETOOLONG);
}
TEST(openat_starts_at_a_directory) {
    mkdir("d", 0755);
    t_file("d/f", "x");
    int dir = open("d", O_RDONLY), file = open("d/f", O_RDONLY);
    CHECK(syscall(SYS_openat, dir, "f", O_RDONLY) >= 0);
    CHECK_ERRNO(syscall(SYS_openat, 99, "f", O_RDONLY), EBADF);
    CHECK_ERRNO(syscall(SYS_openat, file, "f", O_RDONLY), ENOTDIR);
    CHECK(syscall(SYS_openat, 99, "/dev/null", O_RDONLY) >= 0);
}
TEST(dots_go_where_they_should) {
    mkdir("d", 0755);
    t_file("f", "x");
    CHECK(open("d/../f", O_RDONLY) >= 0);
    CHECK(open("./d/.././/f", O_RDONLY) >= 0);
    CHECK(open("/../../dev/null", O_RDONLY) >= 0);
    symlink("d", "l");
    CHECK(open("l/../f", O_RDONLY) >= 0);
}
TEST(an_unlinked_open_file_lives_on) {
    int fd = t_open("f", "hello");
    unlink("f");
    char text[6] = "";
    CHECK_EQ(read(fd, text, 5), 5);
    struct stat st;
    fstat(fd, &st);
    CHECK_EQ(st.st_nlink, 0);
}
TEST(tmpfile_has_no_name_until_linked) {
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "hi", 2), 2);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK_EQ(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
    CHECK_STR(t_text("named"), "hi");
    CHECK_ERRNO(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
}
TEST(permissions_decide_for_ordinary_users) {
    t_file("f", "x");
    mkdir("d", 0700);
    t_file("d/f", "x");
    chmod("f", 0044);
    CHECK_EQ(chown("f", 1000, 1000), 0);
    setgid(1001), setuid(1001);
    CHECK(open("f", O_RDONLY) >= 0);
    CHECK_ERRNO(open("f", O_WRONLY), EACCES);
    CHECK_ERRNO(open("d/f", O_RDONLY), EACCES);
    CHECK_ERRNO(open("new", O_CREAT | O_WRONLY, 0600), EACCES);
    CHECK_ERRNO(open("d/none", O_RDONLY), EACCES);
}
TEST(the_owner_s_bits_count_for_the_owner_alone) {
    t_file("f", "x");
    chmod("f", 0077);
    chown("f", 1000, 1000);
    setuid(1000);
    CHECK_ERRNO(open("f", O_RDONLY), EACCES);
}
TEST(access_uses_the_real_user) {
    t_file("f", "x");
    chmod("f", 0600);
    CHECK_EQ(syscall(SYS_access, "f", R_OK | W_OK), 0);
    CHECK_ERRNO(syscall(SYS_access, "f", X_OK), EACCES);
    CHECK_ERRNO(syscall(SYS_access, "f", 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_access, "none", F_OK), ENOENT);
    CHECK_EQ(setresuid(1000, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_access, "f", R_OK), EACCES);
    CHECK_ERRNO(syscall(SYS_faccessat, AT_FDCWD, "f", R_OK), EACCES);
    CHECK_EQ(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS), 0);
    CHECK_ERRNO(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_faccessat, 99, "f", R_OK), EBADF);
}
TEST(openat2_can_forbid_links_and_leaving) {
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
    t_file("f", "x");
    symlink("f", "l");
    CHECK(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof how) >= 0);
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "../x", &how, sizeof how), EXDEV);
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "/dev/null", &how, sizeof how), EXDEV);
    how.resolve = RESOLVE_NO_SYMLINKS;
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "l", &how, sizeof how), ELOOP);
    how.resolve = RESOLVE_IN_ROOT;
    CHECK(syscall(SYS_openat2, AT_FDCWD, "/../f", &how, sizeof how) >= 0);
}
TEST(openat2_refuses_what_it_does_not_know) {
    struct open_how how = {.flags = 1UL << 40};
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof how), EINVAL);
    how.flags = O_RDONLY, how.mode = 0600;
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof how), EINVAL);
    how.mode = 0, how.resolve = 1 << 20;
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof how), EINVAL);
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, 8), EINVAL);
    CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", BAD, 24), EFAULT);
}
TEST(chdir_moves_and_getcwd_tells) {
    char before[PATH_MAX], after[PATH_MAX];
    CHECK(syscall(SYS_getcwd, before, PATH_MAX) > 1);
    mkdir("d", 0755);
    CHECK_EQ(syscall(SYS_chdir, "d"), 0);
    CHECK_EQ(syscall(SYS_getcwd, after, PATH_MAX), (long)strlen(before) + 3);
    CHECK_STR(after + strlen(before), "/d");
    CHECK_ERRNO(syscall(SYS_getcwd, after, 3), ERANGE);
    CHECK_ERRNO(syscall(SYS_getcwd, BAD, 4096), EFAULT);
    CHECK_ERRNO(syscall(SYS_chdir, "none"), ENOENT);
    CHECK_EQ(rmdir("../d"), 0);
    CHECK_ERRNO(syscall(SYS_getcwd, after, PATH_MAX), ENOENT);
    CHECK_ERRNO(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
}
TEST(fchdir_takes_a_directory) {
    mkdir("d", 0755);
    t_file("f", "x");
    CHECK_EQ(syscall(SYS_fchdir, open("d", O_RDONLY)), 0);
    CHECK_EQ(access("../f", F_OK), 0);
    CHECK_ERRNO(syscall(SYS_fchdir, open("../f", O_RDONLY)), ENOTDIR);
    CHECK_ERRNO(syscall(SYS_fchdir, 99), EBADF);
}
TEST(chroot_makes_a_new_top) {
    mkdir("d", 0755);
    t_file("d/f", "x");
    t_file("outside", "y");
    CHECK_ERRNO(syscall(SYS_chroot, "outside"), ENOTDIR);
    CHECK_EQ(syscall(SYS_chroot, "d"), 0);
    CHECK_EQ(access("/f", F_OK), 0);
    chdir("/");
    CHECK_ERRNO(access("/../outside", F_OK), ENOENT);
    setuid(1000);
    CHECK_ERRNO(syscall(SYS_chroot, "/"), EPERM);
}
TEST(device_nodes_without_a_driver_are_enxio) {
    CHECK_EQ(mknod("n", S_IFCHR | 0666, 0xf1f1), 0);
    CHECK_ERRNO(open("n", O_RDWR), ENXIO);
}
