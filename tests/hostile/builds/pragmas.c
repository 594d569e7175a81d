// Options by pragma and attribute: a plugin, dumps outside, other code generation. expect: passed compile_error
#pragma GCC optimize("-fplugin=/work/evil.so", "-fdump-tree-all=/usr/left", "-fprofile-generate=/usr", "O3")
#pragma GCC target("avx2")
#include <stdio.h>
#include <unistd.h>
#pragma GCC poison puts
__attribute__((optimize("-fdump-rtl-all=/usr/left", "-fauxbase=/usr/left"))) static int f(void) { return 1; }
int main(void) { printf(f() && access("/usr/left", F_OK) ? "blind\n" : "written\n"); }
