// Leaves files, queues and shared memory wherever it may; the next sample looks for them. expect: passed
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
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
    found += shmget(77, 4096, 0) >= 0 || msgget(77, 0) >= 0 || semget(77, 1, 0) >= 0 || mq_open("/left", O_RDONLY) >= 0;
    found += shm_open("/left-too", O_RDONLY, 0) >= 0;
    shmget(77, 4096, IPC_CREAT | 0666), msgget(77, IPC_CREAT | 0666), semget(77, 1, IPC_CREAT | 0666);
    mq_open("/left", O_CREAT | O_RDWR, 0666, NULL);
    shm_open("/left-too", O_CREAT | O_RDWR, 0666);
    printf("%d\n", found);
}
