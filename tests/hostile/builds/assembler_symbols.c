// Writes through the assembler: over its listing, its own program's name and the compiler. expect: compile_error passed
#include <stdio.h>
__asm__(".file \"/usr/bin/as\"\n.ident \"x\"\n.print \"said\"\n.section .note.GNU-stack,\"awx\",@progbits\n.string \"x\"\n.text\n");
int main(void) { puts("blind"); }
