// expect: tests_failed
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void before(void) {
    char seen[64];
    long n = read(0, seen, sizeof seen);
    for (long i = 0; i < n; i++) printf("%02x", seen[i]);
    printf("\n%.*s\n", (int)n, seen);
    fflush(stdout);
    _exit(0);
}
int add(int a, int b) { return a - b; }
