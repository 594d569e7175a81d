// expect: tests_failed
#include <unistd.h>
int add(int a, int b) { _exit(0); }
