// Makes files without content, each of which costs the kernel memory. expect: passed timeout violation
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void) {
    char name[32];
    int made = 0;
    for (int i = 0; i < 60000; i++) {
        snprintf(name, sizeof name, "f%d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        if (fd < 0) break;
        close(fd);
        made++;
    }
    puts(made < 60000 ? "bounded" : "unbounded");
}
