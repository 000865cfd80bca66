/* Two threads take two locks in opposite order: each can hold what the other waits for. */
#include <pthread.h>
#include <stdio.h>
static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static long shared;
static void *up(void *unused) {
    for (int i = 0; i < 20; i++) {
        pthread_mutex_lock(&first);
        pthread_mutex_lock(&second);
        shared++;
        pthread_mutex_unlock(&second);
        pthread_mutex_unlock(&first);
    }
    return unused;
}
static void *down(void *unused) {
    for (int i = 0; i < 20; i++) {
        pthread_mutex_lock(&second);
        pthread_mutex_lock(&first);
        shared--;
        pthread_mutex_unlock(&first);
        pthread_mutex_unlock(&second);
    }
    return unused;
}
int main(void) {
    pthread_t a, b;
    pthread_create(&a, 0, up, 0);
    pthread_create(&b, 0, down, 0);
    pthread_join(a, 0);
    pthread_join(b, 0);
    printf("shared %ld\n", shared);
    return shared != 0;
}
