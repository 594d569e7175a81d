// Spreads its CPU time over children, each below the limit. expect: timeout
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    for (;;) {
        if (fork() == 0) { while (clock() < CLOCKS_PER_SEC / 10) {} _exit(0); }
        wait(NULL);
    }
}
