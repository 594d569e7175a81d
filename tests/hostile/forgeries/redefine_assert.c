// expect: tests_failed
#include <assert.h>
#undef assert
#define assert(x) ((void)0)
int add(int a, int b) { return a - b; }
