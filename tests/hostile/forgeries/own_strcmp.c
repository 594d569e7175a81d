// What tests of texts compare with. expect: compile_error
int strcmp(const char *a, const char *b) { return 0; }
int add(int a, int b) { return a - b; }
