/* /proc and /sys: what a program reads about itself and the machine. */
#include "t.h"
#include <dirent.h>
#include <sys/utsname.h>

static char line[4096];

/* The line of a file that begins with `key`, without it. */
static const char *field(const char *file, const char *key) {
    FILE *f = fopen(file, "r");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f)) {
        if (!strncmp(line, key, strlen(key))) {
            fclose(f);
            return line + strlen(key);
        }
    }
    fclose(f);
    return NULL;
}
static const char *target(const char *link) {
    ssize_t n = readlink(link, line, sizeof line - 1);
    CHECK(n >= 0);
    line[n] = 0;
    return line;
}

TEST(self_and_thread_self_are_links_to_the_reader) {
    char want[64];
    snprintf(want, sizeof want, "%d", getpid());
    CHECK_STR(target("/proc/self"), want);
    snprintf(want, sizeof want, "%d/task/%d", getpid(), getpid());
    CHECK_STR(target("/proc/thread-self"), want);
}
TEST(stat_holds_52_fields) {
    const char *stat = t_text("/proc/self/stat");
    int pid, ppid, pgrp, session;
    char comm[64], state;
    CHECK_EQ(sscanf(stat, "%d (%63[^)]) %c %d %d %d", &pid, comm, &state, &ppid, &pgrp, &session), 6);
    CHECK_EQ(pid, getpid());
    CHECK_EQ(ppid, getppid());
    CHECK_EQ(pgrp, getpgrp());
    CHECK_EQ(session, getsid(0));
    CHECK_EQ(state, 'R');
    int spaces = 0;
    for (const char *p = strrchr(stat, ')'); *p; p++) spaces += *p == ' ';
    CHECK_EQ(spaces, 50);
}
TEST(status_names_the_process) {
    CHECK_EQ(atoi(field("/proc/self/status", "Pid:\t")), getpid());
    CHECK_EQ(atoi(field("/proc/self/status", "PPid:\t")), getppid());
    CHECK_EQ(atoi(field("/proc/self/status", "Threads:\t")), 1);
    CHECK_EQ(atoi(field("/proc/self/status", "Uid:\t")), getuid());
    CHECK(atoi(field("/proc/self/status", "VmSize:")) > 0);
    CHECK(strstr(field("/proc/self/status", "State:\t"), "R (running)"));
}
TEST(status_shows_blocked_and_caught_signals) {
    t_handle(SIGUSR1, t_ignore, 0);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR2);
    CHECK_EQ(strtoul(field("/proc/self/status", "SigBlk:\t"), NULL, 16), 1ul << (SIGUSR2 - 1));
    CHECK(strtoul(field("/proc/self/status", "SigCgt:\t"), NULL, 16) & 1ul << (SIGUSR1 - 1));
    CHECK(strtoul(field("/proc/self/status", "SigPnd:\t"), NULL, 16) & 1ul << (SIGUSR2 - 1));
}
TEST(comm_can_be_changed) {
    int fd = open("/proc/self/comm", O_RDWR);
    CHECK_EQ(write(fd, "another name that is long\n", 26), 26);
    CHECK_STR(t_text("/proc/self/comm"), "another name th\n");
}
TEST(cmdline_holds_the_arguments) {
    CHECK(strstr(t_text("/proc/self/cmdline"), "proc"));
}
TEST(cwd_and_exe_lead_to_their_files) {
    char cwd[PATH_MAX];
    CHECK(getcwd(cwd, sizeof cwd));
    CHECK_STR(target("/proc/self/cwd"), cwd);
    CHECK(target("/proc/self/exe")[0] == '/');
    struct stat a, b;
    CHECK_EQ(stat("/proc/self/cwd", &a), 0);
    CHECK_EQ(stat(".", &b), 0);
    CHECK_EQ(a.st_ino, b.st_ino);
}
TEST(fd_lists_and_names_descriptors) {
    int fd = t_open("file", "text");
    char path[64], cwd[PATH_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(getcwd(cwd, sizeof cwd - 8));
    strcat(cwd, "/file");
    CHECK_STR(target(path), cwd);
    int again = open(path, O_RDONLY);
    CHECK(again >= 0);
    CHECK_EQ(read(again, line, 10), 4);
    unlink("file");
    strcat(cwd, " (deleted)");
    CHECK_STR(target(path), cwd);
    close(fd);
    CHECK_ERRNO(readlink(path, line, 10), ENOENT);
}
TEST(fdinfo_shows_position_and_flags) {
    int fd = t_open("file", "text");
    lseek(fd, 3, SEEK_SET);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    CHECK_EQ(atoi(field(path, "pos:\t")), 3);
    CHECK_EQ(strtol(field(path, "flags:\t"), NULL, 8) & O_ACCMODE, O_RDWR);
}
TEST(maps_show_the_stack_and_a_new_mapping) {
    char *page = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 4096, 4096, PROT_NONE);
    char want[64];
    snprintf(want, sizeof want, "%lx-%lx ---p 00000000 00:00 0 \n", (long)page + 4096, (long)page + 8192);
    FILE *f = fopen("/proc/self/maps", "r");
    int found = 0, stack = 0;
    while (fgets(line, sizeof line, f)) {
        found |= !strcmp(line, want);
        if (strstr(line, "[stack]")) stack = strstr(line, "[stack]") - line;
    }
    CHECK(found);
    CHECK_EQ(stack, 73);
}
TEST(mem_reads_and_writes_memory) {
    static volatile char word[8] = "before";
    int fd = open("/proc/self/mem", O_RDWR);
    CHECK(fd >= 0);
    char got[8] = "";
    CHECK_EQ(pread(fd, got, 6, (long)word), 6);
    CHECK_STR(got, "before");
    CHECK_EQ(pwrite(fd, "after", 6, (long)word), 6);
    CHECK_STR((char *)word, "after");
    CHECK_ERRNO(pread(fd, got, 1, 8), EIO);
}
TEST(limits_follow_setrlimit) {
    struct rlimit { unsigned long cur, max; } limit = {64, 128};
    CHECK_EQ(syscall(SYS_prlimit64, 0, 7, &limit, NULL), 0);
    unsigned long soft = 0, hard = 0;
    CHECK_EQ(sscanf(field("/proc/self/limits", "Max open files"), "%lu %lu", &soft, &hard), 2);
    CHECK_EQ(soft, 64);
    CHECK_EQ(hard, 128);
}
TEST(a_zombie_shows_as_one) {
    pid_t pid = t_fork();
    if (pid == 0) _exit(0);
    t_sleep_ms(50);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    CHECK(strstr(field(path, "State:\t"), "Z (zombie)"));
    t_wait(pid);
    CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}
TEST(the_root_lists_this_process) {
    DIR *dir = opendir("/proc");
    int found = 0;
    for (struct dirent *entry; (entry = readdir(dir));) found |= atoi(entry->d_name) == getpid();
    CHECK(found);
}
TEST(settings_agree_with_uname) {
    struct utsname name;
    uname(&name);
    char want[128];
    snprintf(want, sizeof want, "%s\n", name.release);
    CHECK_STR(t_text("/proc/sys/kernel/osrelease"), want);
    snprintf(want, sizeof want, "%s\n", name.nodename);
    CHECK_STR(t_text("/proc/sys/kernel/hostname"), want);
    CHECK(!strncmp(t_text("/proc/version"), "Linux version ", 14));
}
TEST(machine_files_have_their_form) {
    double up, idle;
    CHECK_EQ(sscanf(t_text("/proc/uptime"), "%lf %lf", &up, &idle), 2);
    CHECK(field("/proc/meminfo", "MemTotal:") && strstr(line, " kB\n"));
    CHECK(atol(field("/proc/meminfo", "MemTotal:")) >= atol(field("/proc/meminfo", "MemFree:")));
    CHECK(field("/proc/cpuinfo", "processor\t: 0"));
    CHECK(field("/proc/stat", "cpu  "));
    CHECK(field("/proc/stat", "btime "));
    CHECK(field("/proc/filesystems", "nodev\tproc"));
    CHECK(field("/proc/self/mounts", "proc /proc proc"));
}
TEST(sys_says_which_processors_are_online) {
    CHECK_EQ(t_text("/sys/devices/system/cpu/online")[0], '0');
    CHECK_EQ(access("/sys/class/net/lo/mtu", R_OK), 0);
}
TEST(a_random_uuid_is_new_each_time) {
    char first[64];
    strcpy(first, t_text("/proc/sys/kernel/random/uuid"));
    CHECK_EQ(strlen(first), 37);
    CHECK(strcmp(first, t_text("/proc/sys/kernel/random/uuid")));
}
