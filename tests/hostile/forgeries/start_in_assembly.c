// expect: compile_error tests_failed
__asm__(".globl _start\n_start:\n movl $60, %eax\n xorl %edi, %edi\n syscall\n");
int add(int a, int b) { return a - b; }
