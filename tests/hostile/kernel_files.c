// Writes to the kernel's switches, and saves itself from its killer. expect: passed
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    const char *files[] = {"/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sys/kernel/hostname", "/proc/self/uid_map", "/proc/1/oom_score_adj", "/sys/kernel/mm/ksm/run", "/dev/kmsg", "/dev/mem", "/dev/vda"};
    for (int i = 0; i < 10; i++) {
        int fd = open(files[i], O_WRONLY);
        if (fd >= 0 && write(fd, "1\n", 2) > 0) puts(files[i]);
    }
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    if (fd >= 0 && write(fd, "-1000\n", 6) > 0) puts("oom_score_adj");
    puts("end");
}
