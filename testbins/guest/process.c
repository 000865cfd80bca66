/* Identity, fork, vfork, exit, sessions and groups, times. */
#include "t.h"
#include <sys/resource.h>
#include <sys/times.h>

TEST(getpid_and_gettid_agree_in_the_first_thread) {
    CHECK_EQ(syscall(SYS_getpid), syscall(SYS_gettid));
    pid_t me = getpid();
    IN_CHILD(CHECK_EQ(syscall(SYS_getppid), me); CHECK(syscall(SYS_getpid) != me));
}
TEST(fork_returns_twice_and_copies_memory) {
    static int value = 1;
    pid_t pid = syscall(SYS_fork);
    CHECK(pid >= 0);
    if (pid == 0) {
        value = 2;
        _exit(value + 10);
    }
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 12);
    CHECK_EQ(value, 1);
}
TEST(vfork_runs_the_child_first_in_the_same_memory) {
    static volatile int value = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        value = 2;
        _exit(0);
    }
    CHECK_EQ(value, 2);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(exit_codes_keep_eight_bits) {
    pid_t pid = t_fork();
    if (pid == 0) syscall(SYS_exit, 0x1234);
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 0x34);
    pid = t_fork();
    if (pid == 0) syscall(SYS_exit_group, -1);
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 255);
}
TEST(an_orphan_gets_a_new_parent) {
    int ends[2];
    pipe(ends);
    pid_t middle = t_fork();
    if (middle == 0) {
        pid_t me = getpid();
        if (t_fork() == 0) {
            while (getppid() == me) t_sleep_ms(1);
            write(ends[1], "x", 1);
        }
        _exit(0);
    }
    t_wait(middle);
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
}
TEST(setsid_makes_a_leader_of_session_and_group) {
    pid_t pid = t_fork();
    if (pid == 0) {
        CHECK_EQ(syscall(SYS_setsid), getpid());
        CHECK_EQ(syscall(SYS_getsid, 0), getpid());
        CHECK_EQ(syscall(SYS_getpgrp), getpid());
        CHECK_ERRNO(syscall(SYS_setsid), EPERM);
        CHECK_ERRNO(setpgid(0, 0), EPERM);
        _exit(0);
    }
    CHECK_EQ(t_wait(pid), 0);
}
TEST(setpgid_moves_a_child_before_exec) {
    pid_t pid = t_fork();
    if (pid == 0) pause();
    CHECK_EQ(syscall(SYS_setpgid, pid, pid), 0);
    CHECK_EQ(syscall(SYS_getpgid, pid), pid);
    CHECK_EQ(syscall(SYS_getpgid, 0), getpgrp());
    CHECK_EQ(setpgid(pid, getpgrp()), 0);
    CHECK_EQ(getpgid(pid), getpgrp());
    kill(pid, SIGKILL);
    t_wait(pid);
}
TEST(setpgid_checks_its_targets) {
    CHECK_ERRNO(setpgid(0, -1), EINVAL);
    CHECK_ERRNO(setpgid(0x7ffffff, 0), ESRCH);
    CHECK_ERRNO(setpgid(getppid(), 0), ESRCH);
    CHECK_ERRNO(setpgid(0, 0x7ffffff), EPERM);
    CHECK_ERRNO(getpgid(0x7ffffff), ESRCH);
    CHECK_ERRNO(getpgid(-1), ESRCH);
    CHECK_ERRNO(getsid(0x7ffffff), ESRCH);
}
TEST(umask_returns_the_old_mask_and_shapes_new_files) {
    syscall(SYS_umask, 022);
    CHECK_EQ(syscall(SYS_umask, 01077), 022);
    CHECK_EQ(umask(027), 077);
    struct stat st;
    close(open("f", O_CREAT | O_WRONLY, 0666));
    stat("f", &st);
    CHECK_EQ(st.st_mode & 0777, 0640);
    mkdir("d", 0777);
    stat("d", &st);
    CHECK_EQ(st.st_mode & 0777, 0750);
    IN_CHILD(CHECK_EQ(umask(0), 027));
}
TEST(times_counts_and_children_are_added_when_waited_for) {
    struct tms t;
    CHECK(syscall(SYS_times, &t) != -1);
    CHECK_EQ(t.tms_cutime + t.tms_cstime, 0);
    pid_t pid = t_fork();
    if (pid == 0) {
        while (clock() < CLOCKS_PER_SEC / 20) {}
        _exit(0);
    }
    t_wait(pid);
    CHECK(syscall(SYS_times, &t) != -1);
    CHECK(t.tms_cutime + t.tms_cstime >= 3);
    CHECK_ERRNO(syscall(SYS_times, BAD), EFAULT);
}
TEST(getrusage_knows_self_children_and_thread) {
    struct rusage usage;
    CHECK_EQ(syscall(SYS_getrusage, RUSAGE_SELF, &usage), 0);
    CHECK(usage.ru_maxrss > 0);
    CHECK_EQ(syscall(SYS_getrusage, RUSAGE_CHILDREN, &usage), 0);
    CHECK_EQ(syscall(SYS_getrusage, 1, &usage), 0);
    CHECK_ERRNO(syscall(SYS_getrusage, 2, &usage), EINVAL);
    CHECK_ERRNO(syscall(SYS_getrusage, 0, BAD), EFAULT);
}
TEST(set_tid_address_returns_the_thread_id) {
    int tid;
    CHECK_EQ(syscall(SYS_set_tid_address, &tid), gettid());
    CHECK_EQ(syscall(SYS_set_tid_address, BAD), gettid());
}
TEST(personality_can_be_asked_and_set) {
    CHECK_EQ(syscall(SYS_personality, 0xffffffff), 0);
    CHECK_EQ(syscall(SYS_personality, 0x0040000), 0);
    CHECK_EQ(syscall(SYS_personality, 0), 0x0040000);
}
TEST(a_child_s_descriptor_table_is_a_copy) {
    int fd = dup(0);
    IN_CHILD(close(fd));
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    int file = t_open("f", "abcdef");
    IN_CHILD(lseek(file, 4, SEEK_SET));
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 4);
}
TEST(many_children_can_be_made_and_reaped) {
    for (int i = 0; i < 50; i++)
        if (t_fork() == 0) _exit(i);
    int sum = 0, status;
    for (int i = 0; i < 50; i++) {
        CHECK(wait(&status) > 0);
        sum += WEXITSTATUS(status);
    }
    CHECK_EQ(sum, 49 * 25);
    CHECK_ERRNO(wait(&status), ECHILD);
}
