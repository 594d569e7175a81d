// Spreads its CPU time over children that nobody waits for. expect: timeout
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        if (fork() == 0) { while (clock() < CLOCKS_PER_SEC / 10) {} _exit(0); }
        usleep(90000);
    }
}
