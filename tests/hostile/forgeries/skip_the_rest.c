// expect: compile_error tests_failed
int add(int a, int b) { return a - b; }
int main(void) { return 0; }
#if 0
