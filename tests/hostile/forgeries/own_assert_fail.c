// expect: tests_failed
#include <unistd.h>
void __assert_fail(const char *a, const char *f, unsigned l, const char *n) { _exit(0); }
int add(int a, int b) { return a - b; }
