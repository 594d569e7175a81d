// expect: tests_failed
%:define assert(x) ((void)0)
%:define if(x) if (false)
int add(int a, int b) { return a - b; }
