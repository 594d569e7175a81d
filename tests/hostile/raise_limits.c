// Raises, or lowers, the limits that it was given. expect: passed
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, more;
    int changed = 0;
    for (int what = 0; what < 16; what++) {
        changed += setrlimit(what, &all) == 0;
        changed += syscall(SYS_setrlimit, what, &all) == 0;
        getrlimit(what, &more);
        more.rlim_cur = more.rlim_max;
        changed += prlimit(getpid(), what, &more, NULL) == 0;
    }
    puts(changed ? "changed" : "in force");
}
