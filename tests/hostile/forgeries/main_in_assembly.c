// expect: compile_error tests_failed
__asm__(".globl main\nmain:\n xorl %eax, %eax\n ret\n");
int add(int a, int b) { return a - b; }
