// Asks for new namespaces, mounts and roots, and for memory that no limit counts. expect: passed
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
    if (unshare(CLONE_NEWUSER) == 0) puts("user namespace");
    if (unshare(CLONE_NEWNS) == 0) puts("mount namespace");
    if (syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0) == 0) { puts("clone"); return 0; }
    if (mount("none", "/tmp", "tmpfs", 0, "") == 0) puts("mount");
    if (umount2("/work", MNT_DETACH) == 0) puts("umount");
    if (chroot("/tmp") == 0) puts("chroot");
    if (memfd_create("x", 0) >= 0) puts("memfd");
    if (shmget(IPC_PRIVATE, 1 << 20, 0600) >= 0) puts("shm");
    if (msgget(IPC_PRIVATE, 0600) >= 0) puts("msg");
    if (syscall(SYS_bpf, 0, 0, 0) >= 0) puts("bpf");
    if (syscall(425, 8, 0) >= 0) puts("io_uring");
    if (setuid(0) == 0 && getuid() != 0) puts("setuid");
    puts("end");
}
