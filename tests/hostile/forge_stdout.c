// Rewrites its own input and cuts its output; wrong all the same. expect: wrong_answer
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    int in = open("/proc/self/fd/0", O_RDWR), out = open("/proc/self/fd/1", O_RDWR);
    if (in >= 0) write(in, "42\n", 3), ftruncate(in, 3);
    if (out >= 0) ftruncate(out, 0);
    puts("42");
}
