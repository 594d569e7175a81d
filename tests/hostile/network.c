// Tries to reach the host (port, abstract socket and socket file on stdin) and to open rarer families. expect: passed
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <string.h>
int main(void) {
    char name[64], path[100];
    int port, families[] = {40, 16, 17, 38, 21};
    if (scanf("%d %63s %99s", &port, name, path) != 3) return 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    const char *hosts[] = {"127.0.0.1", "10.0.0.1", "8.8.8.8", "169.254.169.254"};
    for (int i = 0; i < 4; i++) {
        inet_pton(AF_INET, hosts[i], &to.sin_addr);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (void *)&to, sizeof to) == 0) { printf("connected to %s\n", hosts[i]); return 0; }
    }
    for (int i = 0; i < 5; i++)
        if (socket(families[i], SOCK_DGRAM, 0) >= 0 || socket(families[i], SOCK_RAW, 0) >= 0) { printf("family %d\n", families[i]); return 0; }
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    strcpy(un.sun_path + 1, name);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (void *)&un, sizeof(sa_family_t) + 1 + strlen(name)) == 0) { puts("abstract socket"); return 0; }
    int pair[2];
    strcpy(un.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (void *)&un, sizeof un) == 0) { puts("socket file"); return 0; }
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 && connect(pair[0], (void *)&un, sizeof un) == 0) { puts("turned pair"); return 0; }
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    inet_pton(AF_INET, hosts[0], &to.sin_addr);
    if (sendto(fd, "x", 1, 0, (void *)&to, sizeof to) == 1) { puts("datagram"); return 0; }
    puts("cut off");
}
