/* A process takes an error of epoll_wait for the end: a stop and continue ends the wait with EINTR (signal(7)). */
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>
int main(void) {
    int ends[2], epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    pipe(ends);
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
    for (int i = 0; i < 10; i++) {
        if (fork() == 0) {
            usleep(1000);
            write(ends[1], "x", 1);
            _exit(0);
        }
        if (epoll_wait(epoll, &event, 1, -1) != 1) {
            perror("epoll_wait");
            return 1;
        }
        char byte;
        read(ends[0], &byte, 1);
    }
    puts("done");
    return 0;
}
