// expect: tests_failed
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int add(int a, int b) {
    unlink("program");
    FILE *f = fopen("program", "w");
    fputs("#!/bin/sh\nexit 0\n", f);
    fclose(f);
    chmod("program", 0755);
    execl("./program", "program", (char *)0);
    return 0;
}
