// Wants to become somebody else: by identity, capability, and by programs that run as their owner. expect: passed
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    int own = getuid();
    gid_t root = 0;
    if (own && (setresuid(0, 0, 0) == 0 || seteuid(0) == 0 || setreuid(0, 0) == 0)) puts("user");
    if (getgid() && (setresgid(0, 0, 0) == 0 || setegid(0) == 0 || setgroups(1, &root) == 0)) puts("group");
    setfsuid(0);
    if (own && setfsuid(-1) == 0) puts("files' user");
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct has[2] = {{0}}, all[2] = {{~0u, ~0u, ~0u}, {~0u, ~0u, ~0u}};
    if (syscall(SYS_capset, &header, all) == 0) puts("capabilities taken");
    syscall(SYS_capget, &header, has);
    if (has[0].effective | has[1].effective | has[0].permitted | has[1].permitted) puts("capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) puts("new privileges");
    if (prctl(PR_SET_SECUREBITS, 0, 0, 0, 0) == 0) puts("secure bits");
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0) == 0) puts("ambient");
    const char *owned[] = {"/usr/bin/su", "/bin/su", "/usr/bin/mount", "/usr/bin/passwd", "/usr/bin/newgrp", "/usr/bin/sudo"};
    for (int i = 0; i < 6; i++) {
        fflush(stdout);
        int pid = fork(), status;
        if (pid == 0) {  // root, where it works: then it may give itself this mode, and leave the file behind
            for (int fd = 0; fd < 3; fd++) { close(fd); open("/dev/null", O_RDWR); }
            execl(owned[i], owned[i], "-c", "touch became-root; chmod 4755 program", (char *)0);
            _exit(1);
        }
        usleep(1000);
        waitpid(pid, &status, 0);
    }
    struct stat left;
    if (stat("became-root", &left) == 0) puts("set-uid program");
    puts("end");
}
