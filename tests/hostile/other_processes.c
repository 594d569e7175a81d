// Ends, slows and moves a process of the host, whose number is on stdin. expect: passed
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    int pid;
    char path[64];
    cpu_set_t one;
    struct sched_param idle = {0};
    if (scanf("%d", &pid) != 1) return 1;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    if (setpriority(PRIO_PROCESS, pid, 19) == 0) puts("nice");
    if (setpriority(PRIO_USER, 0, 19) == 0 && getpriority(PRIO_PROCESS, pid) == 19) puts("nice for all");
    if (sched_setaffinity(pid, sizeof one, &one) == 0) puts("affinity");
    if (sched_setscheduler(pid, SCHED_IDLE, &idle) == 0) puts("scheduler");
    if (syscall(SYS_ioprio_set, 1, pid, 3 << 13) == 0) puts("io priority");
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    if (open(path, O_RDWR) >= 0) puts("memory");
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    if (open(path, O_RDONLY) >= 0) puts("environment");
    for (int s = 1; s < 65; s++) if (kill(pid, s) == 0) puts("signal");
    puts("end");
}
