/* Access-control lists, as acl(5) and the attributes they are kept in have them. */
#include "t.h"
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
static unsigned char list[100], got[100];
static int size;

static void begin(void) { memcpy(list, "\2\0\0\0", size = 4); }
static void add(int tag, int perm, int id) {
    unsigned char entry[8] = {tag, 0, perm, 0, id, id >> 8, id >> 16, id >> 24};
    memcpy(list + size, entry, 8);
    size += 8;
}
/* u::rw-,u:1000:r--,g::r--,m::rw-,o::--- */
static void usual(void) {
    begin();
    add(USER_OBJ, 6, -1), add(USER, 4, 1000), add(GROUP_OBJ, 4, -1), add(MASK, 6, -1), add(OTHER, 0, -1);
}
static int set(const char *file, const char *name) { return setxattr(file, name, list, size, 0); }
static int get(const char *file, const char *name) { return getxattr(file, name, got, sizeof got); }
static int mode(const char *file) {
    struct stat st;
    CHECK_EQ(stat(file, &st), 0);
    return st.st_mode & 07777;
}

TEST(a_list_is_read_back_and_the_bits_follow_it) {
    t_file("f", "x");
    CHECK_ERRNO(get("f", ACCESS), ENODATA);
    usual();
    CHECK_EQ(set("f", ACCESS), 0);
    CHECK_EQ(get("f", ACCESS), size);
    CHECK(memcmp(list, got, size) == 0);
    CHECK_EQ(mode("f"), 0660);
    CHECK_EQ(listxattr("f", (char *)got, sizeof got), sizeof ACCESS);
    CHECK_STR((char *)got, ACCESS);
}
TEST(a_list_follows_the_bits) {
    t_file("f", "x");
    usual();
    CHECK_EQ(set("f", ACCESS), 0);
    CHECK_EQ(chmod("f", 0745), 0);
    CHECK_EQ(get("f", ACCESS), size);
    CHECK(got[6] == 7 && got[14] == 4 && got[22] == 4 && got[30] == 4 && got[38] == 5);
}
TEST(a_list_that_says_no_more_than_the_bits_is_not_kept) {
    t_file("f", "x");
    begin();
    add(USER_OBJ, 7, -1), add(GROUP_OBJ, 5, -1), add(OTHER, 1, -1);
    CHECK_EQ(set("f", ACCESS), 0);
    CHECK_EQ(mode("f"), 0751);
    CHECK_ERRNO(get("f", ACCESS), ENODATA);
    usual();
    CHECK_EQ(set("f", ACCESS), 0);
    CHECK_EQ(removexattr("f", ACCESS), 0);
    CHECK_EQ(removexattr("f", ACCESS), 0);
    CHECK_ERRNO(get("f", ACCESS), ENODATA);
    CHECK_EQ(mode("f"), 0660);
}
TEST(users_and_groups_of_a_list_may_what_it_says) {
    t_file("f", "x");
    chmod(".", 0755);
    begin();
    add(USER_OBJ, 6, -1), add(USER, 6, 1000), add(USER, 0, 1001), add(GROUP_OBJ, 0, -1), add(GROUP, 4, 2000);
    add(GROUP, 2, 2001), add(MASK, 4, -1), add(OTHER, 6, -1);
    CHECK_EQ(set("f", ACCESS), 0);
    /* The mask takes writing away. */
    IN_CHILD(setgid(5); setgroups(0, NULL); setuid(1000); CHECK(open("f", O_RDONLY) >= 0); CHECK_ERRNO(open("f", O_RDWR), EACCES));
    IN_CHILD(setgid(5); setgroups(0, NULL); setuid(1001); CHECK_ERRNO(open("f", O_RDONLY), EACCES));
    IN_CHILD(setgid(2000); setgroups(0, NULL); setuid(1002); CHECK(open("f", O_RDONLY) >= 0));
    IN_CHILD(setgid(2001); setgroups(0, NULL); setuid(1002); CHECK_ERRNO(open("f", O_RDONLY), EACCES));
    IN_CHILD(setgid(5); setgroups(0, NULL); setuid(1002); CHECK(open("f", O_RDWR) >= 0); CHECK_ERRNO(set("f", ACCESS), EPERM));
}
TEST(what_is_made_in_a_directory_begins_with_its_default) {
    umask(077);
    mkdir("d", 0755);
    usual();
    CHECK_EQ(set("d", DEFAULT), 0);
    close(open("d/f", O_CREAT, 0666));
    CHECK_EQ(mode("d/f"), 0660);
    CHECK_EQ(get("d/f", ACCESS), size);
    CHECK_ERRNO(get("d/f", DEFAULT), ENODATA);
    CHECK_EQ(mkdir("d/d", 0755), 0);
    CHECK_EQ(mode("d/d"), 0640);
    CHECK_EQ(get("d/d", DEFAULT), size);
    CHECK(memcmp(list, got, size) == 0);
    CHECK_EQ(removexattr("d", DEFAULT), 0);
    close(open("d/g", O_CREAT, 0666));
    CHECK_EQ(mode("d/g"), 0600);
}
TEST(what_is_no_list_is_refused) {
    t_file("f", "x");
    symlink("f", "l");
    mkfifo("p", 0600);
    usual();
    CHECK_ERRNO(setxattr("f", ACCESS, list, 3, 0), EINVAL);
    CHECK_ERRNO(setxattr("f", ACCESS, list, 12, 0), EINVAL);
    CHECK_ERRNO(setxattr("f", ACCESS, list, 13, 0), EINVAL);
    CHECK_ERRNO(setxattr("f", ACCESS, "\1\0\0\0", 4, 0), EOPNOTSUPP);
    CHECK_EQ(setxattr("f", ACCESS, list, 4, 0), 0);
    CHECK_ERRNO(set("f", DEFAULT), EACCES);
    CHECK_EQ(removexattr("f", DEFAULT), 0);
    CHECK_ERRNO(lsetxattr("l", ACCESS, list, size, 0), EOPNOTSUPP);
    CHECK_EQ(set("p", ACCESS), 0);
    begin();
    add(USER_OBJ, 6, -1), add(USER, 4, 1000), add(GROUP_OBJ, 4, -1), add(OTHER, 0, -1);
    CHECK_ERRNO(set("f", ACCESS), EINVAL);
    CHECK_ERRNO(setxattr("f", "user.", "x", 1, 0), EINVAL);
}
