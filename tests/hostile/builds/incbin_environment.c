// The environment and the open files of the assembler and of process 1, in the program. expect: passed compile_error
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
__asm__(".section .rodata\nfirst:\n.incbin \"/proc/self/environ\"\n.incbin \"/proc/self/maps\"\nlast:\n.byte 0\n.text\n");
extern char first[], last[];
int main(void) { puts(memmem(first, last - first, "HALOFORGE_SECRET", 16) ? "read" : "blind"); }
