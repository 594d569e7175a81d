// expect: tests_failed
int add(int a, int b) { return a - b; }
#define assert(x) ((void)0)
#define if(x) if (0)
// \
