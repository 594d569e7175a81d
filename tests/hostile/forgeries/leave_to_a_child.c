// expect: tests_failed
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int add(int a, int b) {
    if (fork() == 0) { puts("passed"); fflush(stdout); _exit(0); }
    wait(0);
    _exit(0);
}
