/* Nobody can ever run again: two locks taken in opposite order, and processes that wait for each other's silence. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
static void *up(void *unused) {
    pthread_mutex_lock(&first);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&second);
    return unused;
}
static void *down(void *unused) {
    pthread_mutex_lock(&second);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&first);
    return unused;
}
int main(void) {
    int ends[2], pair[2];
    char byte;
    if (pipe(ends) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return 2;
    if (fork() == 0) return (int)read(ends[0], &byte, 1);
    if (fork() == 0) return poll(&(struct pollfd){pair[0], POLLIN, 0}, 1, -1);
    if (fork() == 0) {
        struct epoll_event event = {.events = EPOLLIN};
        int epoll = epoll_create1(0);
        epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event);
        return epoll_wait(epoll, &event, 1, -1);
    }
    if (fork() == 0) {
        sem_t never;
        sem_init(&never, 1, 0);
        return sem_wait(&never);
    }
    if (fork() == 0) {
        pthread_t threads[2];
        pthread_barrier_init(&both, NULL, 2);
        pthread_create(&threads[0], NULL, up, NULL);
        pthread_create(&threads[1], NULL, down, NULL);
        pthread_join(threads[0], NULL);
        return 0;
    }
    puts("waiting");
    fflush(stdout);
    wait(NULL);
    return 0;
}
