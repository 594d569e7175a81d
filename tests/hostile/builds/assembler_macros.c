// Macros of the assembler that double. expect: compile_error
__asm__(".altmacro\n.macro twice n\n.if \\n\ntwice %(\\n-1)\ntwice %(\\n-1)\n.else\n.quad 1\n.endif\n.endm\ntwice 60\n");
int main(void) { return 0; }
