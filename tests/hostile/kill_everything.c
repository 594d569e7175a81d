// Kills every process it can, and process 1 by every signal. expect: passed
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    for (int s = 1; s < 65; s++) { kill(1, s); kill(getppid(), s); }
    kill(-1, SIGKILL);
    puts("alive");
}
