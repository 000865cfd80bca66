/* A thread sleeps longer than another to run after it: timers may be late, and both be due by then. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static volatile int is_ready;
static void *prepare(void *arg) {
    usleep(1000);
    is_ready = 1;
    return arg;
}
int main(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, prepare, NULL);
    usleep(1500);
    if (!is_ready) {
        fputs("not ready\n", stderr);
        return 1;
    }
    pthread_join(thread, NULL);
    return 0;
}
