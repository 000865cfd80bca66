/* /proc as programs read it. */
#include "t.h"

static int has(const char *file, const char *line) { return strstr(t_text(file), line) != NULL; }

TEST(status_tells_name_ids_and_threads) {
    char want[64];
    snprintf(want, sizeof want, "\nPid:\t%d\nPPid:\t%d\n", getpid(), getppid());
    CHECK(has("/proc/self/status", want));
    CHECK(has("/proc/self/status", "\nThreads:\t1\n"));
    CHECK(has("/proc/self/status", "\nUid:\t0\t0\t0\t0\n"));
    CHECK(has("/proc/self/status", "\nState:\tR (running)\n"));
}
TEST(stat_begins_with_pid_name_and_state) {
    int pid, parent, group;
    char name[32], state;
    CHECK_EQ(sscanf(t_text("/proc/self/stat"), "%d (%31[^)]) %c %d %d", &pid, name, &state, &parent, &group), 5);
    CHECK(pid == getpid() && state == 'R' && parent == getppid() && group == getpgrp());
}
TEST(self_is_a_link_to_the_pid) {
    char text[32] = "", want[32];
    snprintf(want, sizeof want, "%d", getpid());
    readlink("/proc/self", text, 31);
    CHECK_STR(text, want);
    snprintf(want, sizeof want, "%d/task/%d", getpid(), getpid());
    memset(text, 0, sizeof text);
    readlink("/proc/thread-self", text, 31);
    CHECK_STR(text, want);
}
TEST(descriptors_can_be_listed_and_reopened) {
    char path[64], name[PATH_MAX] = "", here[PATH_MAX];
    int fd = t_open("f", "hello");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK_EQ(strncmp(getcwd(here, sizeof here), name, readlink(path, name, sizeof name) > 0 ? 0 : 1), 0);
    CHECK_STR(strrchr(name, '/'), "/f");
    CHECK_STR(t_text(path), "hello");
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    lseek(fd, 3, SEEK_SET);
    CHECK(!strncmp(t_text(path), "pos:\t3\n", 7));
}
TEST(cwd_and_root_are_links) {
    char here[PATH_MAX], link[PATH_MAX] = "";
    getcwd(here, sizeof here);
    readlink("/proc/self/cwd", link, sizeof link - 1);
    CHECK_STR(link, here);
    memset(link, 0, sizeof link);
    readlink("/proc/self/root", link, sizeof link - 1);
    CHECK_STR(link, "/");
}
TEST(maps_name_stack_and_program) {
    static char all[65536];
    int fd = open("/proc/self/maps", O_RDONLY), n, size = 0;
    while ((n = read(fd, all + size, sizeof all - 1 - size)) > 0) size += n;
    CHECK(strstr(all, "[stack]") && strstr(all, "r-xp "));
    char exe[PATH_MAX] = "";
    readlink("/proc/self/exe", exe, sizeof exe - 1);
    CHECK(strstr(all, exe));
}
TEST(mem_reads_and_writes_the_process) {
    static volatile int value = 1234;
    int fd = open("/proc/self/mem", O_RDWR), got, new = 99;
    CHECK_EQ(pread(fd, &got, 4, (long)&value), 4);
    CHECK_EQ(got, 1234);
    CHECK_EQ(pwrite(fd, &new, 4, (long)&value), 4);
    CHECK_EQ(value, 99);
    CHECK_ERRNO(pread(fd, &got, 4, 8), EIO);
}
TEST(missing_processes_are_enoent) {
    CHECK_ERRNO(open("/proc/99999999", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/proc/nosuch", O_RDONLY), ENOENT);
    pid_t pid = t_fork();
    if (pid == 0) _exit(0);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    t_wait(pid);
    char c;
    CHECK_ERRNO(read(fd, &c, 1), ESRCH);
    CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}
TEST(a_zombie_shows_as_z) {
    char path[64];
    siginfo_t info;
    pid_t pid = t_fork();
    if (pid == 0) _exit(0);
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    CHECK(has(path, "\nState:\tZ (zombie)\n"));
}
TEST(system_files_have_their_form) {
    double up, idle;
    CHECK(has("/proc/meminfo", "MemTotal:"));
    CHECK(has("/proc/cpuinfo", "processor\t: 0\n"));
    CHECK(!strncmp(t_text("/proc/stat"), "cpu  ", 5));
    CHECK(!strncmp(t_text("/proc/version"), "Linux version ", 14));
    CHECK_EQ(sscanf(t_text("/proc/uptime"), "%lf %lf", &up, &idle), 2);
    CHECK(has("/proc/filesystems", "nodev\ttmpfs\n"));
    CHECK_EQ(atoi(t_text("/proc/sys/kernel/pid_max")) > 300, 1);
}
TEST(oom_score_adj_can_be_written) {
    int fd = open("/proc/self/oom_score_adj", O_RDWR);
    CHECK_EQ(write(fd, "500", 3), 3);
    CHECK_STR(t_text("/proc/self/oom_score_adj"), "500\n");
    CHECK_ERRNO(write(fd, "5000", 4), EINVAL);
}
