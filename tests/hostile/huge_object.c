// An object file of gigabytes. expect: compile_error
int main(void) { __asm__(".rept 200000000\n.quad 0\n.quad 0\n.endr\n"); return 0; }
