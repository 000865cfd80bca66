/* A hundred threads on mutexes, condition variables, pipes and signals for so many milliseconds; nothing may be lost.
 * Between bursts they sleep, so that where sleeping takes no time a minute passes soon. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { EACH = 25, BURST = 5, ROOM = 4 };
static struct timespec until;

static int on_time(void) {
    struct timespec now, left = {0, 100000000};
    while (nanosleep(&left, &left) != 0) {}
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec < until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec < until.tv_nsec);
}

/* Mutexes: each of two counters has its own; a thread adds to one under both, taken in order. */
static pthread_mutex_t mutexes[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static volatile long counted[2];
static atomic_long to_count;
static void *counts(void *number) {
    do {
        for (int i = 0; i < BURST; i++) {
            pthread_mutex_lock(&mutexes[0]);
            pthread_mutex_lock(&mutexes[1]);
            counted[(long)number & 1]++;
            pthread_mutex_unlock(&mutexes[1]);
            pthread_mutex_unlock(&mutexes[0]);
            to_count++;
        }
    } while (on_time());
    return NULL;
}

/* Condition variables: a ring with little room. */
static pthread_mutex_t ring = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static long slots[ROOM], first, used, taken_sum;
static atomic_long put_sum;
static void put(long value) {
    pthread_mutex_lock(&ring);
    while (used == ROOM) pthread_cond_wait(&emptied, &ring);
    slots[(first + used++) % ROOM] = value;
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&ring);
}
static void *puts_in(void *number) {
    do {
        for (int i = 1; i <= BURST; i++) {
            put_sum += i * (long)number;
            put(i * (long)number);
        }
    } while (on_time());
    return NULL;
}
static void *takes_out(void *unused) {
    for (;;) {
        pthread_mutex_lock(&ring);
        while (!used) pthread_cond_wait(&filled, &ring);
        long value = slots[first];
        first = (first + 1) % ROOM;
        used--;
        taken_sum += value > 0 ? value : 0;
        pthread_cond_signal(&emptied);
        pthread_mutex_unlock(&ring);
        if (value < 0) return unused;
    }
}

/* Pipes as channels. */
static int channel[2];
static atomic_long sent_sum, received_sum;
static void send_value(long value) {
    while (write(channel[1], &value, sizeof value) != sizeof value)
        if (errno != EINTR) abort();
}
static void *sends(void *number) {
    do {
        for (int i = 1; i <= BURST; i++) {
            sent_sum += i * (long)number;
            send_value(i * (long)number);
        }
    } while (on_time());
    return NULL;
}
static void *receives(void *unused) {
    for (long value; read(channel[0], &value, sizeof value) == sizeof value && value > 0;) received_sum += value;
    return unused;
}

/* Signals that queue: each one sent arrives once. */
static pthread_t signalled[EACH];
static atomic_long signals_sent, signals_arrived;
static atomic_int signallers_ready, signallers_done;
static void arrives(int unused) {
    (void)unused;
    signals_arrived++;
}
static void *signals(void *number) {
    unsigned next = (unsigned)(long)number;
    signallers_ready++;
    while (signallers_ready < EACH) usleep(1000);
    do {
        for (int i = 0; i < BURST; i++) {
            next = next * 1103515245 + 12345;
            if (pthread_sigqueue(signalled[next / 65536 % EACH], SIGRTMIN + i % 3, (union sigval){0}) == 0)
                signals_sent++;
            else if (errno != EAGAIN)
                abort();
        }
    } while (on_time());
    signallers_done++;
    while (signallers_done < EACH || signals_arrived < signals_sent) usleep(1000);
    return NULL;
}

int main(int argc, char **argv) {
    long ms = argc > 1 ? atol(argv[1]) : 1000;
    pthread_t counters[EACH], putters[EACH], takers[5], senders[15], receivers[5];
    for (int i = 0; i < 3; i++) sigaction(SIGRTMIN + i, &(struct sigaction){.sa_handler = arrives, .sa_flags = SA_RESTART}, NULL);
    if (pipe(channel) != 0) return 2;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;

    for (long i = 0; i < EACH; i++) {
        pthread_create(&counters[i], NULL, counts, (void *)i);
        pthread_create(&putters[i], NULL, puts_in, (void *)(i + 1));
        pthread_create(&signalled[i], NULL, signals, (void *)i);
    }
    for (long i = 0; i < 15; i++) pthread_create(&senders[i], NULL, sends, (void *)(i + 1));
    for (long i = 0; i < 5; i++) {
        pthread_create(&takers[i], NULL, takes_out, NULL);
        pthread_create(&receivers[i], NULL, receives, NULL);
    }
    for (int i = 0; i < EACH; i++) {
        pthread_join(counters[i], NULL);
        pthread_join(putters[i], NULL);
        pthread_join(signalled[i], NULL);
    }
    for (int i = 0; i < 15; i++) pthread_join(senders[i], NULL);
    for (int i = 0; i < 5; i++) put(-1), send_value(-1);
    for (int i = 0; i < 5; i++) pthread_join(takers[i], NULL), pthread_join(receivers[i], NULL);

    printf("mutexes %s\n", counted[0] + counted[1] == to_count ? "right" : "WRONG");
    printf("conditions %s\n", taken_sum == put_sum ? "right" : "WRONG");
    printf("pipes %s\n", received_sum == sent_sum ? "right" : "WRONG");
    printf("signals %s\n", signals_arrived == signals_sent ? "right" : "WRONG");
    return 0;
}
