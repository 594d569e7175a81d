// expect: tests_failed
#include <stdio.h>
#include <stdlib.h>
int add(int a, int b) {
    for (unsigned long i = 0; i < 100000; i++) printf("%016lx\n", i * 0x9E3779B97F4A7C15UL);
    puts("1 of 1 tests passed");
    exit(0);
}
