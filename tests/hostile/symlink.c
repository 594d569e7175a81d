// Replaces its program by links to host files and devices; the next case must not follow. expect: runtime_error
#include <stdio.h>
#include <unistd.h>
int main(void) { unlink("program"); symlink("/etc/shadow", "program"); symlink("/", "root"); puts("1"); }
