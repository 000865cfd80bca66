/* Two threads add to a counter without a lock: an update is lost if one is stopped between its read and its write. */
#include <pthread.h>
#include <stdio.h>
static volatile long counter;
static void *add(void *unused) {
    for (int i = 0; i < 50; i++) {
        long seen = counter;
        counter = seen + 1;
    }
    return unused;
}
int main(void) {
    pthread_t a, b;
    pthread_create(&a, 0, add, 0);
    pthread_create(&b, 0, add, 0);
    pthread_join(a, 0);
    pthread_join(b, 0);
    printf("counter %ld\n", counter);
    return counter != 100;
}
