// Leaves folders too deep for a path, and closed ones. expect: passed violation
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
int main(void) {
    mkdir("closed", 0700);
    close(open("closed/file", O_CREAT | O_WRONLY, 0600));
    mkdir("closed/inner", 0);
    chmod("closed", 0);
    for (int i = 0; i < 3000; i++) {
        if (mkdir("deeper", 0700) || chdir("deeper")) break;
        close(open("file", O_CREAT | O_WRONLY, 0));
    }
    usleep(50000);
    puts("deep");
}
