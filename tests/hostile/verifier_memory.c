// Looks for the expected output in the memory of the verifier, whose number is on stdin, and in its own. expect: passed
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
static char block[1 << 16];
static void look(int fd, const char *where) {
    long n = pread(fd, block, sizeof block, 0);
    if (n > 0 && memmem(block, n, "unt" "old", 6)) puts(where);
}
int main(void) {
    int pid;
    char path[64];
    if (scanf("%d", &pid) != 1) return 1;
    const char *files[] = {"mem", "maps", "environ", "cmdline", "fd/0", "fd/3", "root/etc/passwd", "cwd/main.c", "syscall", "stack", "auxv"};
    for (int p = pid - 3; p <= pid + 3; p++) {
        for (int i = 0; i < 11; i++) {
            snprintf(path, sizeof path, "/proc/%d/%s", p, files[i]);
            int fd = open(path, O_RDONLY);
            if (fd >= 0 && p != getpid()) puts(path);
            if (fd >= 0) close(fd);
        }
        struct iovec here = {block, 16}, there = {(void *)0x400000, 16};
        if (process_vm_readv(p, &here, 1, &there, 1, 0) > 0) puts("read");
        if (p != getpid() && (ptrace(PTRACE_ATTACH, p, 0, 0) == 0 || ptrace(PTRACE_SEIZE, p, 0, 0) == 0)) puts("traced");
        int handle = syscall(SYS_pidfd_open, p, 0);
        for (int fd = 0; fd < 20; fd++) if (handle >= 0 && p != getpid() && syscall(438, handle, fd, 0) >= 0) puts("taken");
    }
    for (int fd = 0; fd < 64; fd++) look(fd, "own descriptor");
    look(open("/proc/self/environ", O_RDONLY), "own environment");
    look(open("/proc/self/cmdline", O_RDONLY), "own arguments");
    puts("untold");
}
