/* System V semaphores. */
#include "t.h"
#include <sys/sem.h>

static int id;
static long op(int number, int by, int flags) {
    struct sembuf buf = {number, by, flags};
    return syscall(SYS_semop, id, &buf, 1);
}
static long ctl(int number, int cmd, long arg) { return syscall(SYS_semctl, id, number, cmd, arg); }
static void make(int n) {
    id = syscall(SYS_semget, IPC_PRIVATE, n, 0600);
    CHECK(id >= 0);
}
TEST(values_are_set_and_read) {
    unsigned short all[3] = {1, 2, 3}, got[3];
    make(3);
    CHECK_EQ(ctl(0, SETALL, (long)all), 0);
    CHECK_EQ(ctl(1, GETVAL, 0), 2);
    CHECK_EQ(ctl(1, SETVAL, 9), 0);
    CHECK_EQ(ctl(0, GETALL, (long)got), 0);
    CHECK(got[0] == 1 && got[1] == 9 && got[2] == 3);
    CHECK_ERRNO(ctl(3, GETVAL, 0), EINVAL);
    CHECK_ERRNO(ctl(0, SETVAL, -1), ERANGE);
    CHECK_ERRNO(ctl(0, SETVAL, 32768), ERANGE);
    CHECK_EQ(ctl(0, IPC_RMID, 0), 0);
    CHECK_ERRNO(ctl(0, GETVAL, 0), EINVAL);
}
TEST(operations_are_all_or_nothing) {
    make(2);
    ctl(0, SETVAL, 1);
    struct sembuf both[2] = {{0, -1, IPC_NOWAIT}, {1, -1, IPC_NOWAIT}};
    CHECK_ERRNO(syscall(SYS_semop, id, both, 2), EAGAIN);
    CHECK_EQ(ctl(0, GETVAL, 0), 1);
    ctl(1, SETVAL, 1);
    CHECK_EQ(syscall(SYS_semop, id, both, 2), 0);
    CHECK_EQ(ctl(0, GETVAL, 0) + ctl(1, GETVAL, 0), 0);
    CHECK_EQ(ctl(0, GETPID, 0), getpid());
    ctl(0, IPC_RMID, 0);
}
TEST(a_waiter_is_woken) {
    make(1);
    pid_t pid = t_fork();
    if (pid == 0) _exit(op(0, -2, 0) != 0);
    while (ctl(0, GETNCNT, 0) != 1) t_sleep_ms(1);
    CHECK_EQ(op(0, 1, 0), 0);
    CHECK_EQ(op(0, 1, 0), 0);
    CHECK_EQ(t_wait(pid), 0);
    CHECK_EQ(ctl(0, GETVAL, 0), 0);
    ctl(0, IPC_RMID, 0);
}
TEST(zero_can_be_waited_for) {
    make(1);
    ctl(0, SETVAL, 1);
    pid_t pid = t_fork();
    if (pid == 0) _exit(op(0, 0, 0) != 0);
    while (ctl(0, GETZCNT, 0) != 1) t_sleep_ms(1);
    op(0, -1, 0);
    CHECK_EQ(t_wait(pid), 0);
    ctl(0, IPC_RMID, 0);
}
TEST(removal_wakes_with_eidrm) {
    make(1);
    pid_t pid = t_fork();
    if (pid == 0) {
        CHECK_ERRNO(op(0, -1, 0), EIDRM);
        _exit(0);
    }
    while (ctl(0, GETNCNT, 0) != 1) t_sleep_ms(1);
    ctl(0, IPC_RMID, 0);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(semtimedop_times_out) {
    make(1);
    struct sembuf buf = {0, -1, 0};
    struct timespec time = {0, 15000000}, bad = {0, -1};
    CHECK_ERRNO(syscall(SYS_semtimedop, id, &buf, 1, &time), EAGAIN);
    CHECK_ERRNO(syscall(SYS_semtimedop, id, &buf, 1, &bad), EINVAL);
    CHECK_ERRNO(syscall(SYS_semtimedop, id, &buf, 1, BAD), EFAULT);
    ctl(0, IPC_RMID, 0);
}
TEST(undo_gives_back_at_exit) {
    make(1);
    ctl(0, SETVAL, 5);
    IN_CHILD(CHECK_EQ(op(0, -3, SEM_UNDO), 0); CHECK_EQ(ctl(0, GETVAL, 0), 2));
    CHECK_EQ(ctl(0, GETVAL, 0), 5);
    ctl(0, IPC_RMID, 0);
}
TEST(arguments_are_checked) {
    struct sembuf buf = {5, 1, 0};
    struct semid_ds ds;
    CHECK_ERRNO(syscall(SYS_semget, IPC_PRIVATE, 0, 0600), EINVAL);
    CHECK_ERRNO(syscall(SYS_semget, IPC_PRIVATE, -1, 0600), EINVAL);
    make(1);
    CHECK_ERRNO(syscall(SYS_semop, id, &buf, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_semop, id, &buf, 501), E2BIG);
    CHECK_ERRNO(syscall(SYS_semop, id, BAD, 1), EFAULT);
    CHECK_ERRNO(syscall(SYS_semop, id, &buf, 1), EFBIG);
    CHECK_ERRNO(syscall(SYS_semop, -1, &buf, 1), EINVAL);
    CHECK_ERRNO(ctl(0, 99, 0), EINVAL);
    CHECK_EQ(ctl(0, IPC_STAT, (long)&ds), 0);
    CHECK(ds.sem_nsems == 1 && (ds.sem_perm.mode & 0777) == 0600);
    ctl(0, SETVAL, 32767);
    CHECK_ERRNO(op(0, 1, 0), ERANGE);
    ctl(0, IPC_RMID, 0);
}
