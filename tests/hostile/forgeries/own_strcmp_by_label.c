// The same under another name. expect: compile_error
int same(const char *a, const char *b) __asm__("strcmp");
int same(const char *a, const char *b) { return 0; }
int add(int a, int b) { return a - b; }
