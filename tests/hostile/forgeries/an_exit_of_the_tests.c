// expect: tests_failed compile_error
#include <stdlib.h>
#define exit(code) (exit)(0)
static void leave(void) { exit(1); }
int add(int a, int b) { atexit(leave); exit(a + b); }
