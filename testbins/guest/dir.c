/* Directories: making, removing, listing. */
#include "t.h"
#include <dirent.h>

struct old { unsigned long ino, off; unsigned short reclen; char name[]; };
struct new { unsigned long ino; long off; unsigned short reclen; unsigned char type; char name[]; };
static char buffer[32768] __attribute__((aligned(8)));

TEST(mkdir_checks_its_path) {
    CHECK_EQ(syscall(SYS_mkdir, "d", 0755), 0);
    CHECK_ERRNO(syscall(SYS_mkdir, "d", 0755), EEXIST);
    CHECK_ERRNO(syscall(SYS_mkdir, "none/d", 0755), ENOENT);
    CHECK_ERRNO(syscall(SYS_mkdir, "", 0755), ENOENT);
    CHECK_ERRNO(syscall(SYS_mkdir, BAD, 0755), EFAULT);
    CHECK_ERRNO(syscall(SYS_mkdir, ".", 0755), EEXIST);
    t_file("f", "x");
    CHECK_ERRNO(syscall(SYS_mkdir, "f/d", 0755), ENOTDIR);
    CHECK_EQ(syscall(SYS_mkdir, "e/", 0755), 0);
    CHECK_EQ(syscall(SYS_mkdirat, open("d", O_RDONLY), "in", 0700), 0);
    CHECK_EQ(access("d/in", F_OK), 0);
}
TEST(rmdir_wants_an_empty_directory) {
    mkdir("d", 0755), mkdir("d/e", 0755);
    CHECK_ERRNO(syscall(SYS_rmdir, "d"), ENOTEMPTY);
    CHECK_ERRNO(syscall(SYS_rmdir, "d/e/."), EINVAL);
    CHECK_ERRNO(syscall(SYS_rmdir, "d/e/.."), ENOTEMPTY);
    CHECK_EQ(syscall(SYS_rmdir, "d/e"), 0);
    CHECK_EQ(syscall(SYS_rmdir, "d"), 0);
    CHECK_ERRNO(syscall(SYS_rmdir, "d"), ENOENT);
    t_file("f", "x");
    CHECK_ERRNO(syscall(SYS_rmdir, "f"), ENOTDIR);
    CHECK_ERRNO(syscall(SYS_rmdir, "/"), EBUSY);
}
TEST(unlinkat_removes_both_kinds) {
    mkdir("d", 0755), t_file("f", "x");
    CHECK_ERRNO(syscall(SYS_unlinkat, AT_FDCWD, "d", 0), EISDIR);
    CHECK_EQ(syscall(SYS_unlinkat, AT_FDCWD, "d", AT_REMOVEDIR), 0);
    CHECK_ERRNO(syscall(SYS_unlinkat, AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
    CHECK_ERRNO(syscall(SYS_unlinkat, AT_FDCWD, "f", 1), EINVAL);
    CHECK_EQ(syscall(SYS_unlinkat, AT_FDCWD, "f", 0), 0);
}
TEST(a_new_directory_counts_in_its_parent_s_links) {
    struct stat a, b;
    stat(".", &a);
    mkdir("d", 0755);
    stat(".", &b);
    CHECK(b.st_nlink == a.st_nlink + 1 || b.st_nlink == 1);
    stat("d", &b);
    CHECK(b.st_nlink == 2 || b.st_nlink == 1);
}
TEST(getdents64_lists_every_name_once_with_its_type) {
    mkdir("d", 0755), t_file("f", "x"), symlink("f", "l");
    int fd = open(".", O_RDONLY), seen = 0, n;
    while ((n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
        for (int at = 0; at < n;) {
            struct new *entry = (void *)(buffer + at);
            CHECK(entry->reclen % 8 == 0 && entry->ino);
            if (!strcmp(entry->name, ".") && entry->type == DT_DIR) seen += 1;
            if (!strcmp(entry->name, "..") && entry->type == DT_DIR) seen += 10;
            if (!strcmp(entry->name, "d") && entry->type == DT_DIR) seen += 100;
            if (!strcmp(entry->name, "f") && entry->type == DT_REG) seen += 1000;
            if (!strcmp(entry->name, "l") && entry->type == DT_LNK) seen += 10000;
            at += entry->reclen;
        }
    CHECK_EQ(n, 0);
    CHECK_EQ(seen, 11111);
}
TEST(the_old_getdents_puts_the_type_last) {
    t_file("f", "x");
    int n = syscall(SYS_getdents, open(".", O_RDONLY), buffer, sizeof buffer), found = 0;
    for (int at = 0; at < n;) {
        struct old *entry = (void *)(buffer + at);
        if (!strcmp(entry->name, "f")) found = buffer[at + entry->reclen - 1] == DT_REG;
        at += entry->reclen;
    }
    CHECK(found);
}
TEST(getdents_checks_its_arguments) {
    int fd = open(".", O_RDONLY);
    CHECK_ERRNO(syscall(SYS_getdents64, fd, buffer, 10), EINVAL);
    CHECK_ERRNO(syscall(SYS_getdents64, fd, BAD, 1000), EFAULT);
    CHECK_ERRNO(syscall(SYS_getdents64, 99, buffer, 1000), EBADF);
    CHECK_ERRNO(syscall(SYS_getdents64, t_open("f", ""), buffer, 1000), ENOTDIR);
    int gone;
    mkdir("d", 0755);
    gone = open("d", O_RDONLY);
    rmdir("d");
    CHECK_ERRNO(syscall(SYS_getdents64, gone, buffer, 1000), ENOENT);
}
TEST(a_large_directory_is_listed_in_pieces) {
    char name[32];
    int fd, n, count = 0;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "file-%03d", i);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    fd = open(".", O_RDONLY);
    while ((n = syscall(SYS_getdents64, fd, buffer, 512)) > 0)
        for (int at = 0; at < n; at += ((struct new *)(buffer + at))->reclen) count++;
    CHECK_EQ(count, 302);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK(syscall(SYS_getdents64, fd, buffer, 512) > 0);
}
TEST(seekdir_comes_back_to_its_place) {
    t_file("a", ""), t_file("b", ""), t_file("c", "");
    DIR *dir = opendir(".");
    readdir(dir), readdir(dir);
    long place = telldir(dir);
    char name[256];
    strcpy(name, readdir(dir)->d_name);
    readdir(dir);
    seekdir(dir, place);
    CHECK_STR(readdir(dir)->d_name, name);
    rewinddir(dir);
    int count = 0;
    while (readdir(dir)) count++;
    CHECK_EQ(count, 5);
}
TEST(set_gid_directories_pass_their_group_on) {
    struct stat st;
    mkdir("d", 0755);
    chown("d", 0, 55);
    chmod("d", 02755);
    t_file("d/f", "x"), mkdir("d/e", 0755);
    stat("d/f", &st);
    CHECK_EQ(st.st_gid, 55);
    stat("d/e", &st);
    CHECK(st.st_gid == 55 && (st.st_mode & S_ISGID));
}
TEST(sticky_directories_protect_others_files) {
    mkdir("d", 0777), chmod("d", 01777);
    t_file("d/f", "x");
    IN_CHILD(setuid(1000); CHECK_ERRNO(unlink("d/f"), EPERM); CHECK_ERRNO(rename("d/f", "d/g"), EPERM);
             t_file("d/mine", "y"); CHECK_EQ(unlink("d/mine"), 0));
}
