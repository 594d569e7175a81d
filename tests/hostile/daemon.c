// Leaves a daemon behind; the second case looks for it. expect: passed
#include <dirent.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void) {
    int others = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));)
        if (isdigit(e->d_name[0]) && atoi(e->d_name) != 1 && atoi(e->d_name) != getpid()) others++;
    if (fork() == 0) { setsid(); if (fork() == 0) { close(0); close(1); close(2); for (;;) sleep(100); } _exit(0); }
    printf("%d\n", others);
}
