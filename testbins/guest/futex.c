/* futex and its younger relatives. */
#include "t.h"
#include <linux/futex.h>

static uint32_t *word;
static void fresh(void) {
    word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}
static long futex(uint32_t *at, int op, uint32_t val, void *time, uint32_t *at2, uint32_t val3) {
    return syscall(SYS_futex, at, op, val, time, at2, val3);
}
static struct timespec soon = {0, 15000000}, bad_time = {0, 1000000000};
struct waiter { uint64_t val, uaddr; uint32_t flags, reserved; };

/* Wakes one waiter at a time until `n` have been woken. */
static void wake_until(uint32_t *at, int n) {
    while (n > 0) {
        long woken = futex(at, FUTEX_WAKE, n, NULL, NULL, 0);
        CHECK(woken >= 0);
        n -= woken;
        if (!woken) t_sleep_ms(1);
    }
}
TEST(wait_on_another_value_is_eagain) {
    fresh();
    *word = 1;
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 2, NULL, NULL, 0), EAGAIN);
    CHECK_ERRNO(futex(word, FUTEX_WAIT_PRIVATE, 2, &soon, NULL, 0), EAGAIN);
}
TEST(wait_times_out) {
    fresh();
    long before = t_now_ms();
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 0, &soon, NULL, 0), ETIMEDOUT);
    CHECK(t_now_ms() - before >= 15);
}
TEST(wake_wakes_a_waiter_in_another_process) {
    fresh();
    pid_t pid = t_fork();
    if (pid == 0) _exit(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0) != 0);
    wake_until(word, 1);
    CHECK_EQ(t_wait(pid), 0);
    CHECK_EQ(futex(word, FUTEX_WAKE, 10, NULL, NULL, 0), 0);
}
TEST(addresses_and_operations_are_checked) {
    fresh();
    CHECK_ERRNO(futex((void *)((char *)word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(BAD, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 0, &bad_time, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 0, BAD, NULL, 0), EFAULT);
    CHECK_ERRNO(futex(word, 99, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERRNO(futex(word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERRNO(futex(word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERRNO(futex(word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERRNO(futex(KERNEL, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
}
TEST(bitsets_choose_whom_to_wake) {
    fresh();
    pid_t pid = t_fork();
    if (pid == 0) _exit(futex(word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 2) != 0);
    t_sleep_ms(20);
    CHECK_EQ(futex(word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 4), 0);
    while (futex(word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 2) == 0) t_sleep_ms(1);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(wait_bitset_takes_an_absolute_time) {
    fresh();
    struct timespec past = {0, 1};
    CHECK_ERRNO(futex(word, FUTEX_WAIT_BITSET, 0, &past, NULL, -1), ETIMEDOUT);
    CHECK_ERRNO(futex(word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, NULL, -1), ETIMEDOUT);
}
TEST(requeue_moves_waiters) {
    fresh();
    pid_t pids[2];
    for (int i = 0; i < 2; i++)
        if ((pids[i] = t_fork()) == 0) _exit(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0) != 0);
    int moved = 0;
    CHECK_ERRNO(futex(word, FUTEX_CMP_REQUEUE, 0, (void *)10, word + 1, 5), EAGAIN);
    while (moved < 2) {
        moved += futex(word, FUTEX_CMP_REQUEUE, 0, (void *)10, word + 1, 0);
        t_sleep_ms(1);
    }
    CHECK_EQ(futex(word, FUTEX_WAKE, 10, NULL, NULL, 0), 0);
    CHECK_EQ(futex(word + 1, FUTEX_WAKE, 10, NULL, NULL, 0), 2);
    for (int i = 0; i < 2; i++) CHECK_EQ(t_wait(pids[i]), 0);
}
TEST(wake_op_changes_the_second_word_and_wakes_by_its_old_value) {
    fresh();
    word[1] = 3;
    CHECK_EQ(futex(word, FUTEX_WAKE_OP, 1, (void *)1, word + 1, FUTEX_OP(FUTEX_OP_ADD, 4, FUTEX_OP_CMP_EQ, 3)), 0);
    CHECK_EQ(word[1], 7);
    CHECK_EQ(futex(word, FUTEX_WAKE_OP, 1, (void *)1, word + 1, FUTEX_OP(FUTEX_OP_OR, 8, FUTEX_OP_CMP_GT, 3)), 0);
    CHECK_EQ(word[1], 15);
}
TEST(a_signal_interrupts_a_wait) {
    fresh();
    t_handle(SIGUSR1, t_ignore, 0);
    t_kill_later(SIGUSR1, 20);
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
}
TEST(a_pi_lock_holds_its_owner) {
    fresh();
    CHECK_EQ(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), 0);
    CHECK_EQ(*word, gettid());
    CHECK_ERRNO(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
    IN_CHILD(CHECK_ERRNO(futex(word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
             CHECK_ERRNO(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM));
    pid_t pid = t_fork();
    if (pid == 0) _exit(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) || (*word & FUTEX_TID_MASK) != (unsigned)gettid());
    while (!(*(volatile uint32_t *)word & FUTEX_WAITERS)) t_sleep_ms(1);
    CHECK_EQ(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), 0);
    CHECK_EQ(t_wait(pid), 0);
}
TEST(the_robust_list_is_kept_and_read_back) {
    fresh();
    struct robust_list_head head = {{&head.list}, 0, NULL}, *got;
    size_t size;
    CHECK_EQ(syscall(SYS_set_robust_list, &head, sizeof head), 0);
    CHECK_EQ(syscall(SYS_get_robust_list, 0, &got, &size), 0);
    CHECK(got == &head && size == 24);
    CHECK_ERRNO(syscall(SYS_set_robust_list, &head, 23), EINVAL);
    CHECK_ERRNO(syscall(SYS_get_robust_list, 0x7ffffff, &got, &size), ESRCH);
}
TEST(a_dying_owner_marks_its_robust_futexes) {
    fresh();
    struct node { struct robust_list list; uint32_t lock; } *node = (void *)word;
    pid_t pid = t_fork();
    if (pid == 0) {
        static struct robust_list_head head;
        head.list.next = &node->list;
        node->list.next = &head.list;
        head.futex_offset = offsetof(struct node, lock);
        node->lock = gettid();
        syscall(SYS_set_robust_list, &head, sizeof head);
        _exit(0);
    }
    t_wait(pid);
    CHECK_EQ(node->lock, FUTEX_OWNER_DIED);
}
TEST(futex2_waits_and_wakes) {
    fresh();
    pid_t pid = t_fork();
    if (pid == 0) _exit(syscall(NR_futex_wait, word, 0UL, ~0U, 2, NULL, CLOCK_MONOTONIC) != 0);
    while (syscall(NR_futex_wake, word, ~0U, 1, 2) != 1) t_sleep_ms(1);
    CHECK_EQ(t_wait(pid), 0);
    CHECK_ERRNO(syscall(NR_futex_wait, word, 1UL, ~0U, 2, NULL, CLOCK_MONOTONIC), EAGAIN);
    CHECK_ERRNO(syscall(NR_futex_wait, word, 0UL, ~0U, 0x1000, NULL, 0), EINVAL);
    CHECK_ERRNO(syscall(NR_futex_wake, word, ~0U, 1, 0x1000), EINVAL);
    CHECK_ERRNO(syscall(NR_futex_wake, word, 0, 1, 2), EINVAL);
}
TEST(futex_waitv_tells_which_one_was_woken) {
    fresh();
    struct waiter waiters[2] = {{0, (long)word, 2, 0}, {0, (long)(word + 1), 2, 0}};
    pid_t pid = t_fork();
    if (pid == 0) _exit(syscall(NR_futex_waitv, waiters, 2, 0, NULL, CLOCK_MONOTONIC) != 1);
    while (futex(word + 1, FUTEX_WAKE, 1, NULL, NULL, 0) != 1) t_sleep_ms(1);
    CHECK_EQ(t_wait(pid), 0);
    waiters[1].val = 5;
    CHECK_ERRNO(syscall(NR_futex_waitv, waiters, 2, 0, NULL, 0), EAGAIN);
    CHECK_ERRNO(syscall(NR_futex_waitv, waiters, 0, 0, NULL, 0), EINVAL);
    CHECK_ERRNO(syscall(NR_futex_waitv, waiters, 129, 0, NULL, 0), EINVAL);
    CHECK_ERRNO(syscall(NR_futex_waitv, waiters, 2, 1, NULL, 0), EINVAL);
    waiters[0].reserved = 1;
    CHECK_ERRNO(syscall(NR_futex_waitv, waiters, 2, 0, NULL, 0), EINVAL);
}
TEST(futex_requeue_moves_a_waiter) {
    fresh();
    struct waiter pair[2] = {{0, (long)word, 2, 0}, {0, (long)(word + 1), 2, 0}};
    pid_t pid = t_fork();
    if (pid == 0) _exit(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0) != 0);
    while (syscall(NR_futex_requeue, pair, 0, 0, 1) != 1) t_sleep_ms(1);
    CHECK_EQ(futex(word + 1, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    CHECK_EQ(t_wait(pid), 0);
    CHECK_ERRNO(syscall(NR_futex_requeue, NULL, 0, 0, 1), EINVAL);
    CHECK_ERRNO(syscall(NR_futex_requeue, pair, 1, 0, 1), EINVAL);
}
