// What the compiler's input holds, in the program; it must be empty. expect: passed
#include <stdio.h>
static const int stolen[] = {1
#include "/dev/stdin"
};
int main(void) { puts(sizeof stolen == sizeof(int) ? "blind" : "read"); }
