// expect: tests_failed
#def\
ine if(x) if (0)
int add(int a, int b) { return a - b; }
