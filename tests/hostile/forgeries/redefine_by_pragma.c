// expect: tests_failed
#define assert(x) ((void)0)
#pragma push_macro("assert")
#undef assert
int add(int a, int b) { return a - b; }
