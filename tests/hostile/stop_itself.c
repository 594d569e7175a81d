// Stops, which is neither running nor ended. expect: timeout
#include <signal.h>
int main(void) { for (;;) raise(SIGSTOP); }
