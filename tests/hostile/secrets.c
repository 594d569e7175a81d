// Reads the file named on stdin, /etc/shadow, homes, and the environment of everybody. expect: passed
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
static int readable(const char *path) { int fd = open(path, O_RDONLY); if (fd >= 0) close(fd); return fd >= 0; }
int main(void) {
    char path[512];
    if (scanf("%511s", path) != 1) return 1;
    const char *files[] = {path, "/etc/shadow", "/etc/passwd", "/root/.bashrc", "/root/.ssh", "/home", "/var/log", "/sys/kernel", "/proc/1/environ", "/proc/1/mem", "/proc/kcore"};
    for (int i = 0; i < 11; i++)
        if (readable(files[i])) { printf("read %s\n", files[i]); return 0; }
    for (char **e = environ; *e; e++)
        if (strstr(*e, "HALOFORGE_SECRET")) { puts("environment"); return 0; }
    puts("blind");
}
