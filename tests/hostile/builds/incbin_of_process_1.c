// The environment of the process that gives out verdicts, in the program. expect: compile_error
__asm__(".section .rodata\n.incbin \"/proc/1/environ\"\n");
int main(void) { return 0; }
