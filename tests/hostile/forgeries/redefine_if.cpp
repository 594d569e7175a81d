// expect: tests_failed
#define if(x) if (false && (x))
int add(int a, int b) { return a - b; }
