// expect: tests_failed
#include <unistd.h>
struct Before {
    Before() {
        char seen[4096];
        long n = read(0, seen, sizeof seen);
        for (int fd = 1; fd < 64; fd++) if (write(fd, seen, n) < 0) continue;
        _exit(0);
    }
} before;
int add(int a, int b) { return a - b; }
