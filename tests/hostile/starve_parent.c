// Lowers the limits of its parent, the only way left to end it. expect: passed
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
int main(void) {
    struct rlimit none = {0, 0};
    int harmed = 0;
    for (int what = 0; what < 16; what++) harmed += prlimit(1, what, &none, NULL) == 0;
    puts(harmed ? "harmed" : "harmless");
}
