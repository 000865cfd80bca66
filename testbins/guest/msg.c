/* System V message queues. */
#include "t.h"
#include <sys/msg.h>

static int id;
static struct { long type; char text[16]; } m;
static long post(long type, const char *text, int flags) {
    m.type = type;
    strcpy(m.text, text);
    return syscall(SYS_msgsnd, id, &m, strlen(text) + 1, flags);
}
static long receive(long type, size_t size, int flags) { return syscall(SYS_msgrcv, id, &m, size, type, flags); }
static void make(void) {
    id = syscall(SYS_msgget, IPC_PRIVATE, 0600);
    CHECK(id >= 0);
}
TEST(messages_come_in_order_or_by_type) {
    make();
    post(3, "three", 0), post(1, "one", 0), post(2, "two", 0);
    CHECK_EQ(receive(2, 16, 0), 4);
    CHECK_STR(m.text, "two");
    CHECK_EQ(receive(-3, 16, 0), 4);
    CHECK_EQ(m.type, 1);
    CHECK_EQ(receive(0, 16, 0), 6);
    CHECK_EQ(m.type, 3);
    CHECK_ERRNO(receive(0, 16, IPC_NOWAIT), ENOMSG);
    CHECK_EQ(syscall(SYS_msgctl, id, IPC_RMID, NULL), 0);
}
TEST(except_takes_any_other_type) {
    make();
    post(1, "a", 0), post(2, "b", 0);
    CHECK_EQ(receive(1, 16, MSG_EXCEPT), 2);
    CHECK_EQ(m.type, 2);
    msgctl(id, IPC_RMID, NULL);
}
TEST(too_large_a_message_stays_or_is_cut) {
    make();
    post(1, "hello", 0);
    CHECK_ERRNO(receive(0, 3, 0), E2BIG);
    CHECK_EQ(receive(0, 3, MSG_NOERROR), 3);
    CHECK_ERRNO(receive(0, 3, IPC_NOWAIT), ENOMSG);
    msgctl(id, IPC_RMID, NULL);
}
TEST(a_receiver_waits_and_removal_wakes_it) {
    make();
    pid_t pid = t_fork();
    if (pid == 0) {
        CHECK_EQ(receive(5, 16, 0), 3);
        CHECK_ERRNO(receive(5, 16, 0), EIDRM);
        _exit(0);
    }
    t_sleep_ms(10);
    post(5, "hi", 0);
    t_sleep_ms(20);
    msgctl(id, IPC_RMID, NULL);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(a_full_queue_is_eagain) {
    struct msqid_ds ds;
    make();
    CHECK_EQ(syscall(SYS_msgctl, id, IPC_STAT, &ds), 0);
    ds.msg_qbytes = 8;
    CHECK_EQ(syscall(SYS_msgctl, id, IPC_SET, &ds), 0);
    CHECK_EQ(post(1, "1234", 0), 0);
    CHECK_ERRNO(post(1, "12345", IPC_NOWAIT), EAGAIN);
    msgctl(id, IPC_STAT, &ds);
    CHECK(ds.msg_qnum == 1 && ds.msg_lspid == getpid());
    msgctl(id, IPC_RMID, NULL);
}
TEST(arguments_are_checked) {
    make();
    CHECK_ERRNO(post(0, "x", 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgsnd, id, &m, -1L, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgsnd, id, BAD, 1, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_msgsnd, -1, &m, 1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgrcv, id, &m, -1L, 0, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgctl, id, 99, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_msgget, 0x7e57beef, 0), ENOENT);
    IN_CHILD(setuid(1000); CHECK_ERRNO(receive(0, 16, IPC_NOWAIT), EACCES));
    msgctl(id, IPC_RMID, NULL);
}
