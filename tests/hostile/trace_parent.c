// Traces, reads and writes its parent; takes its descriptors. expect: passed
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
int main(void) {
    char c;
    struct iovec here = {&c, 1}, there = {(void *)0x400000, 1};
    if (ptrace(PTRACE_ATTACH, 1, 0, 0) == 0) puts("traced");
    if (open("/proc/1/mem", O_RDWR) >= 0) puts("memory");
    if (open("/proc/1/fd/3", O_RDWR) >= 0) puts("descriptor");
    if (process_vm_readv(1, &here, 1, &there, 1, 0) == 1) puts("read");
    int pid = syscall(SYS_pidfd_open, 1, 0);
    for (int fd = 0; fd < 20; fd++) if (syscall(438, pid, fd, 0) >= 0) puts("taken");
    puts("end");
}
