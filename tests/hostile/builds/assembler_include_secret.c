// A host file in the assembler's error message. expect: compile_error
__asm__(".include \"/etc/passwd\"\n");
int main(void) { return 0; }
