// A file that never ends and is never the same. expect: compile_error passed
#include <stdio.h>
#include "/dev/urandom"
int main(void) { puts("blind"); }
