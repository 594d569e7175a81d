// Asks the compiler what the host has. expect: passed compile_error
#include <stdio.h>
#if __has_include("/etc/passwd") || __has_include("/etc/shadow") || __has_include("/etc/hostname") || __has_include("/root/.bashrc") || __has_include("/var/lib/dpkg/status")
#define SEEN "seen"
#else
#define SEEN "blind"
#endif
int main(void) { puts(SEEN); }
