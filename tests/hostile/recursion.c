// Recurses without end. expect: runtime_error
#include <stdio.h>
int f(int n) { volatile char block[1000]; block[0] = n; return f(n + 1) + block[0]; }
int main(void) { printf("%d\n", f(0)); }
