// One directive, a program of a terabyte. expect: compile_error
__asm__(".data\n.fill 0x7fffffff, 8, 1\n.space 0xffffffffff, 1\n.text\n");
int main(void) { return 0; }
