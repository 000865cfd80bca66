/* Threads as a C library uses them. */
#include "t.h"
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile int counter, go;
static _Thread_local int mine = 7;

static pthread_t start(void *(*body)(void *), void *arg) {
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, body, arg), 0);
    return thread;
}
static void *add(void *times) {
    for (long i = 0; i < (long)times; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return times;
}
TEST(threads_share_memory_under_a_mutex) {
    pthread_t t[4];
    for (int i = 0; i < 4; i++) t[i] = start(add, (void *)2000);
    for (int i = 0; i < 4; i++) {
        void *result;
        CHECK_EQ(pthread_join(t[i], &result), 0);
        CHECK_EQ((long)result, 2000);
    }
    CHECK_EQ(counter, 8000);
}
static void *changes_local(void *unused) {
    (void)unused;
    mine++;
    return (void *)(long)mine;
}
TEST(thread_locals_are_apart) {
    void *result;
    pthread_join(start(changes_local, NULL), &result);
    CHECK_EQ((long)result, 8);
    CHECK_EQ(mine, 7);
}
static void *waits(void *unused) {
    (void)unused;
    pthread_mutex_lock(&mutex);
    while (!go) pthread_cond_wait(&cond, &mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
    return NULL;
}
TEST(a_condition_wakes_all_waiters) {
    pthread_t t[3];
    for (int i = 0; i < 3; i++) t[i] = start(waits, NULL);
    t_sleep_ms(10);
    pthread_mutex_lock(&mutex);
    go = 1;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
    CHECK_EQ(counter, 3);
}
static void *identity(void *pids) {
    ((int *)pids)[0] = getpid();
    ((int *)pids)[1] = gettid();
    return NULL;
}
TEST(a_thread_has_its_own_tid_in_the_same_process) {
    int pids[2];
    pthread_join(start(identity, pids), NULL);
    CHECK_EQ(pids[0], getpid());
    CHECK(pids[1] != gettid());
}
static void *exits_all(void *unused) {
    (void)unused;
    exit(9);
}
TEST(exit_group_ends_every_thread) {
    pid_t pid = t_fork();
    if (pid == 0) {
        start(exits_all, NULL);
        for (;;) pause();
    }
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 9);
}
static void *outlives(void *unused) {
    (void)unused;
    t_sleep_ms(30);
    _exit(11);
}
TEST(the_first_thread_may_end_before_the_others) {
    pid_t pid = t_fork();
    if (pid == 0) {
        start(outlives, NULL);
        syscall(SYS_exit, 1);
    }
    CHECK_EQ(WEXITSTATUS(t_wait(pid)), 11);
}
static volatile int handled_by;
static void on(int number) {
    (void)number;
    handled_by = gettid();
}
static void *sleeps(void *tid) {
    *(volatile int *)tid = gettid();
    while (!handled_by) t_sleep_ms(1);
    return NULL;
}
TEST(pthread_kill_reaches_the_thread_named) {
    volatile int tid = 0;
    signal(SIGUSR1, on);
    pthread_t thread = start(sleeps, (void *)&tid);
    while (!tid) sched_yield();
    CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
    pthread_join(thread, NULL);
    CHECK_EQ(handled_by, tid);
}
static void *keeps_it_open(void *tid) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    return sleeps(tid);
}
TEST(a_process_signal_goes_to_a_thread_that_does_not_block_it) {
    volatile int tid = 0;
    sigset_t set;
    signal(SIGUSR1, on);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_t thread = start(keeps_it_open, (void *)&tid);
    while (!tid) sched_yield();
    kill(getpid(), SIGUSR1);
    pthread_join(thread, NULL);
    CHECK_EQ(handled_by, tid);
}
TEST(fork_in_a_threaded_program_copies_one_thread) {
    volatile int tid = 0;
    start(sleeps, (void *)&tid);
    while (!tid) sched_yield();
    IN_CHILD(CHECK_EQ(getpid(), gettid()); CHECK_EQ(syscall(SYS_tgkill, getpid(), tid, 0), -1));
}
static void *forever(void *unused) {
    (void)unused;
    while (pause()) {}
    return NULL;
}
TEST(a_thread_can_be_cancelled) {
    pthread_t thread = start(forever, NULL);
    void *result;
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
}
static void *crashes(void *unused) {
    (void)unused;
    *(volatile int *)8 = 1;
    return NULL;
}
TEST(a_fault_in_a_thread_kills_the_process) {
    DIES_OF(SIGSEGV, start(crashes, NULL); for (;;) pause());
}
static sem_t semaphore;
static pthread_barrier_t barrier;
static void *meets(void *unused) {
    (void)unused;
    pthread_barrier_wait(&barrier);
    sem_post(&semaphore);
    return NULL;
}
TEST(barriers_and_semaphores_work) {
    sem_init(&semaphore, 0, 0);
    pthread_barrier_init(&barrier, NULL, 3);
    for (int i = 0; i < 2; i++) start(meets, NULL);
    CHECK_EQ(sem_trywait(&semaphore), -1);
    pthread_barrier_wait(&barrier);
    CHECK_EQ(sem_wait(&semaphore), 0);
    CHECK_EQ(sem_wait(&semaphore), 0);
}
TEST(a_timed_wait_on_a_condition_ends) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&mutex);
    CHECK_EQ(pthread_cond_timedwait(&cond, &mutex, &until), ETIMEDOUT);
}
static void *dies_holding(void *robust) {
    pthread_mutex_lock(robust);
    return NULL;
}
TEST(a_robust_mutex_tells_that_its_owner_died) {
    pthread_mutex_t robust;
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_join(start(dies_holding, &robust), NULL);
    CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(&robust), 0);
    CHECK_EQ(pthread_mutex_unlock(&robust), 0);
}
TEST(credentials_change_in_all_threads) {
    CHECK_EQ(setgid(77), 0);
    volatile int tid = 0;
    pthread_t thread = start(sleeps, (void *)&tid);
    while (!tid) sched_yield();
    CHECK_EQ(setuid(1000), 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
    CHECK(strstr(t_text(path), "Uid:\t1000\t1000\t1000\t1000"));
    handled_by = 1;
    pthread_join(thread, NULL);
}

static int stopped = 1, stops, acknowledged;
static volatile int progress;
static void futex(void *word, int op, int value) { syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0); }
static void *runs_unless_stopped(void *unused) {
    (void)unused;
    while (!go) {
        if (!__atomic_load_n(&stopped, __ATOMIC_SEQ_CST)) {
            progress++;
            continue;
        }
        __atomic_store_n(&acknowledged, __atomic_load_n(&stops, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
        futex(&acknowledged, FUTEX_WAKE, 1);
        futex(&stopped, FUTEX_WAIT, 1);
    }
    return NULL;
}
/* As a runtime stops the world over and over: who wakes another and stops it again soon afterwards must not keep it from
 * the processor, though its turn is not over. */
TEST(a_thread_that_is_let_go_and_soon_stopped_gets_somewhere) {
    pthread_t t = start(runs_unless_stopped, NULL);
    while (progress < 1000) {
        __atomic_store_n(&stopped, 0, __ATOMIC_SEQ_CST);
        futex(&stopped, FUTEX_WAKE, 1);
        for (volatile int i = 0; i < 10000; i++) {}
        int now = __atomic_add_fetch(&stops, 1, __ATOMIC_SEQ_CST);
        __atomic_store_n(&stopped, 1, __ATOMIC_SEQ_CST);
        for (int seen; (seen = __atomic_load_n(&acknowledged, __ATOMIC_SEQ_CST)) < now;)
            futex(&acknowledged, FUTEX_WAIT, seen);
    }
    go = 1;
    __atomic_store_n(&stopped, 0, __ATOMIC_SEQ_CST);
    futex(&stopped, FUTEX_WAKE, 1);
    CHECK_EQ(pthread_join(t, NULL), 0);
}
