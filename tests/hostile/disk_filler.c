// Fills the disk with files below the size limit; says what it got. expect: passed violation
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static char block[1 << 20];
int main(void) {
    long written = 0;
    const char *folders[] = {"/work", "/tmp", "/dev", "/dev/shm", "/", "/usr", "/var/tmp", "/run", ".", "../tmp"};
    for (int d = 0; d < 10; d++)
        for (int f = 0; f < 400; f++) {
            char name[64];
            snprintf(name, sizeof name, "%s/f%d", folders[d], f);
            int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
            if (fd < 0) break;
            long got = 0, n;
            while (got < (8 << 20) && (n = write(fd, block, sizeof block)) > 0) got += n;
            written += got;
            close(fd);
            if (!got) break;
        }
    puts(written <= 260L << 20 ? "bounded" : "unbounded");
}
