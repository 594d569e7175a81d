// expect: tests_failed timeout
#define __builtin_trap() return 1
long syscall(long number, ...) { return 0; }
int add(int a, int b) { return a - b; }
