// A file that never ends, in the program. expect: compile_error
__asm__(".data\n.incbin \"/dev/zero\", 0, 100000000000\n.incbin \"/dev/urandom\"\n");
int main(void) { return 0; }
