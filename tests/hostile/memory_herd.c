// Twenty processes that are each below the limit. expect: memory_limit
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 20; i++)
        if (fork() == 0) {
            volatile char *p = malloc(60 << 20);
            for (long at = 0; at < 60 << 20; at += 4096) p[at] = 1;
            sleep(30);
            return 0;
        }
    sleep(30);
}
