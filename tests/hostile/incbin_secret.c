// A host file in the program. expect: compile_error
__asm__(".section .rodata\n.incbin \"/etc/shadow\"\n");
int main(void) { return 0; }
