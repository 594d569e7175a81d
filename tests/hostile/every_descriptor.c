// Writes to every descriptor it may have inherited, then answers. expect: passed
#include <stdio.h>
#include <unistd.h>
int main(void) {
    int open_ones = 0;
    for (int fd = 3; fd < 1024; fd++) open_ones += write(fd, "\0\0\0\0\0\0\0\0", 8) >= 0;
    printf("%d\n", open_ones);
}
