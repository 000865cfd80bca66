/* madvise, process_madvise and reading another process's memory. */
#include "t.h"
#include <sys/uio.h>

static char *map(size_t size) { return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

TEST(dontneed_zeroes_private_memory) {
    char *at = map(8192);
    at[0] = at[4096] = 5;
    CHECK_EQ(syscall(SYS_madvise, at, 4096, MADV_DONTNEED), 0);
    CHECK(at[0] == 0 && at[4096] == 5);
}
TEST(dontneed_brings_back_the_file_s_bytes) {
    int fd = t_open("f", "hello");
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    at[0] = 'J';
    CHECK_EQ(madvise(at, 4096, MADV_DONTNEED), 0);
    CHECK_EQ(at[0], 'h');
}
TEST(dontneed_leaves_shared_memory) {
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    at[0] = 5;
    CHECK_EQ(madvise(at, 4096, MADV_DONTNEED), 0);
    CHECK_EQ(at[0], 5);
    CHECK_EQ(madvise(at, 4096, MADV_REMOVE), 0);
    CHECK_EQ(at[0], 0);
}
TEST(hints_are_accepted) {
    char *at = map(8192);
    int hints[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_FREE, MADV_COLD, MADV_PAGEOUT};
    for (int i = 0; i < 7; i++) CHECK_EQ(syscall(SYS_madvise, at, 8192, hints[i]), 0);
    CHECK_EQ(madvise(at, 8192, 22), 0);
    CHECK_EQ(madvise(at, 8192, 23), 0);
}
TEST(arguments_are_checked) {
    char *at = map(8192);
    CHECK_ERRNO(madvise(at + 1, 4096, MADV_DONTNEED), EINVAL);
    CHECK_ERRNO(madvise(at, 4096, 99), EINVAL);
    CHECK_EQ(madvise(at, 0, MADV_DONTNEED), 0);
    CHECK_ERRNO(madvise(at, 0, 99), EINVAL);
    munmap(at + 4096, 4096);
    at[0] = 5;
    CHECK_ERRNO(madvise(at, 8192, MADV_DONTNEED), ENOMEM);
    CHECK_EQ(at[0], 0);
}
TEST(dontfork_hides_memory_from_children) {
    volatile char *at = map(4096);
    CHECK_EQ(madvise((void *)at, 4096, MADV_DONTFORK), 0);
    DIES_OF(SIGSEGV, at[0]);
    CHECK_EQ(madvise((void *)at, 4096, MADV_DOFORK), 0);
    IN_CHILD(at[0]);
}
TEST(wipeonfork_empties_memory_in_children) {
    volatile char *at = map(4096);
    at[0] = 5;
    CHECK_EQ(madvise((void *)at, 4096, MADV_WIPEONFORK), 0);
    IN_CHILD(CHECK_EQ(at[0], 0));
    CHECK_EQ(at[0], 5);
}
TEST(process_madvise_needs_a_pidfd_and_a_known_hint) {
    char *at = map(4096);
    struct iovec part = {at, 4096};
    int fd = syscall(SYS_pidfd_open, getpid(), 0);
    CHECK_EQ(syscall(SYS_process_madvise, fd, &part, 1, MADV_COLD, 0), 4096);
    CHECK_ERRNO(syscall(SYS_process_madvise, fd, &part, 1, MADV_COLD, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_process_madvise, 99, &part, 1, MADV_COLD, 0), EBADF);
    CHECK_ERRNO(syscall(SYS_process_madvise, fd, BAD, 1, MADV_COLD, 0), EFAULT);
}
TEST(another_process_s_memory_can_be_read_and_written) {
    char *at = map(4096), local[6] = "";
    strcpy(at, "hello");
    pid_t pid = t_fork();
    if (pid == 0) {
        while (*(volatile char *)at != 'J') t_sleep_ms(1);
        _exit(0);
    }
    struct iovec mine = {local, 5}, theirs = {at, 5};
    at[0] = 'x';
    CHECK_EQ(syscall(SYS_process_vm_readv, pid, &mine, 1, &theirs, 1, 0), 5);
    CHECK_STR(local, "hello");
    local[0] = 'J';
    CHECK_EQ(syscall(SYS_process_vm_writev, pid, &mine, 1, &theirs, 1, 0), 5);
    CHECK_EQ(t_wait(pid), 0);
    CHECK_EQ(at[0], 'x');
}
TEST(process_vm_readv_checks_in_order) {
    char local[4];
    struct iovec mine = {local, 4}, theirs = {BAD, 4};
    CHECK_ERRNO(syscall(SYS_process_vm_readv, getpid(), &mine, 1, &theirs, 1, 1), EINVAL);
    CHECK_ERRNO(syscall(SYS_process_vm_readv, getpid(), &mine, 1, &theirs, 1, 0), EFAULT);
    CHECK_ERRNO(syscall(SYS_process_vm_readv, 0x7ffffff, &mine, 1, &theirs, 1, 0), ESRCH);
    CHECK_EQ(syscall(SYS_process_vm_readv, 0x7ffffff, NULL, 0, NULL, 0, 0), 0);
    CHECK_ERRNO(syscall(SYS_process_vm_readv, getpid(), &mine, 1025, &theirs, 1, 0), EINVAL);
}
