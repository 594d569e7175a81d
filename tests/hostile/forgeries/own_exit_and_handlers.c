// expect: tests_failed
#include <stdlib.h>
#include <unistd.h>
static void after(void) { _exit(0); }
void exit(int code) { _exit(0); }
void abort(void) { _exit(0); }
int add(int a, int b) { atexit(after); return a - b; }
