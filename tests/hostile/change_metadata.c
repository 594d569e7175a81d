// Changes the mode, times, owner and attributes of a host file, whose name is on stdin. expect: passed
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
int main(void) {
    char path[512];
    if (scanf("%511s", path) != 1) return 1;
    if (chmod(path, 0) == 0 || fchmodat(AT_FDCWD, path, 0, 0) == 0) puts("mode");
    if (utimes(path, NULL) == 0 || utimensat(AT_FDCWD, path, NULL, 0) == 0) puts("times");
    if (chown(path, -1, getgid()) == 0 || lchown(path, -1, getgid()) == 0) puts("owner");
    if (setxattr(path, "user.box", "x", 1, 0) == 0) puts("attribute");
    if (truncate(path, 0) == 0 || unlink(path) == 0 || rename(path, "mine") == 0) puts("content");
    int fd = open(path, O_PATH);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd >= 0 && chmod(path, 0) == 0) puts("mode by descriptor");
    puts("end");
}
