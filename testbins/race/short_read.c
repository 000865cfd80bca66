/* A reader believes that a read gives all that was written: a stream of TCP may be cut anywhere. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    char line[16] = {0};
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&at, sizeof at);
    getsockname(listener, (struct sockaddr *)&at, &len);
    listen(listener, 1);
    connect(client, (struct sockaddr *)&at, sizeof at);
    int server = accept(listener, 0, 0);
    write(client, "hello world", 11);
    ssize_t got = read(server, line, sizeof line);
    printf("%zd bytes: %s\n", got, line);
    return strcmp(line, "hello world") != 0;
}
