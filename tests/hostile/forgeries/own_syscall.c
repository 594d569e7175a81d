// expect: tests_failed timeout
long syscall(long number, ...) { return 0; }
int add(int a, int b) { return a - b; }
