/* System V shared memory. */
#include "t.h"
#include <sys/shm.h>

static int id;
static struct shmid_ds ds;
static char *make(size_t size) {
    id = syscall(SYS_shmget, IPC_PRIVATE, size, 0600);
    CHECK(id >= 0);
    char *at = (char *)syscall(SYS_shmat, id, NULL, 0);
    CHECK(at != (void *)-1);
    syscall(SYS_shmctl, id, IPC_RMID, NULL);
    return at;
}
TEST(a_segment_is_zero_and_shared_with_children) {
    volatile char *at = make(5000);
    CHECK_EQ(at[4999], 0);
    IN_CHILD(at[10] = 'x');
    CHECK_EQ(at[10], 'x');
    CHECK_EQ(syscall(SYS_shmdt, at), 0);
    DIES_OF(SIGSEGV, at[0]);
    CHECK_ERRNO(syscall(SYS_shmdt, at), EINVAL);
}
TEST(a_key_finds_the_same_segment) {
    int key = 0x51a70000 + getpid() % 0x10000;
    id = syscall(SYS_shmget, key, 4096, IPC_CREAT | IPC_EXCL | 0600);
    CHECK(id >= 0);
    CHECK_EQ(syscall(SYS_shmget, key, 0, 0), id);
    CHECK_ERRNO(syscall(SYS_shmget, key, 4096, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    CHECK_ERRNO(syscall(SYS_shmget, key, 8192, 0), EINVAL);
    CHECK_EQ(syscall(SYS_shmctl, id, IPC_RMID, NULL), 0);
    CHECK_ERRNO(syscall(SYS_shmget, key, 4096, 0), ENOENT);
}
TEST(ipc_stat_counts_attachments) {
    id = shmget(IPC_PRIVATE, 5000, 0640);
    char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
    CHECK_EQ(syscall(SYS_shmctl, id, IPC_STAT, &ds), 0);
    CHECK(ds.shm_nattch == 2 && ds.shm_segsz == 5000 && (ds.shm_perm.mode & 0777) == 0640 && ds.shm_cpid == getpid());
    a[0] = 'q';
    CHECK_EQ(b[0], 'q');
    DIES_OF(SIGSEGV, *(volatile char *)b = 1);
    ds.shm_perm.mode = 0600;
    CHECK_EQ(syscall(SYS_shmctl, id, IPC_SET, &ds), 0);
    CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
    CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
    CHECK(ds.shm_perm.mode & SHM_DEST);
    shmdt(a), shmdt(b);
    CHECK_ERRNO(shmctl(id, IPC_STAT, &ds), EINVAL);
}
TEST(arguments_are_checked) {
    char *at = make(4096);
    CHECK_ERRNO(syscall(SYS_shmget, IPC_PRIVATE, 0, 0600), EINVAL);
    CHECK_ERRNO(syscall(SYS_shmat, -1, NULL, 0), EINVAL);
    id = shmget(IPC_PRIVATE, 4096, 0600);
    CHECK_ERRNO(syscall(SYS_shmat, id, (char *)1, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_shmat, id, at, 0), EINVAL);
    CHECK_EQ(syscall(SYS_shmat, id, at + 1, SHM_RND | SHM_REMAP), (long)at);
    CHECK_ERRNO(syscall(SYS_shmctl, id, 99, NULL), EINVAL);
    CHECK_ERRNO(syscall(SYS_shmctl, id, IPC_STAT, BAD), EFAULT);
    CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}
TEST(permissions_are_checked) {
    id = shmget(IPC_PRIVATE, 4096, 0600);
    IN_CHILD(setuid(1000); CHECK_ERRNO((long)shmat(id, NULL, 0), EACCES); CHECK_ERRNO(shmctl(id, IPC_RMID, NULL), EPERM));
    CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}
