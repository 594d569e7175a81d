// Leaves files wherever it may; the next sample looks for them. expect: passed
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    const char *names[] = {"/work/left", "/tmp/left", "/left", "/usr/left", "/dev/left", "/proc/left", "left", "../left", "../tmp/left", "/dev/shm/left"};
    int found = 0;
    for (int i = 0; i < 10; i++) found += access(names[i], F_OK) == 0;
    for (int i = 0; i < 10; i++) {
        int fd = open(names[i], O_CREAT | O_WRONLY, 0666);
        if (fd >= 0) close(fd);
    }
    printf("%d\n", found);
}
