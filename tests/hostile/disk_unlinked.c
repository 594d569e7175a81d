// Fills the disk with files that have no name any more. expect: passed violation
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
static char block[1 << 20];
int main(void) {
    long written = 0, n;
    for (int f = 0; f < 100; f++) {
        int fd = open("unnamed", O_CREAT | O_RDWR, 0600);
        if (fd < 0) break;
        unlink("unnamed");
        for (long got = 0; got < (12 << 20) && (n = write(fd, block, sizeof block)) > 0; got += n) written += n;
    }
    usleep(100000);
    puts(written <= 130L << 20 ? "bounded" : "unbounded");
}
