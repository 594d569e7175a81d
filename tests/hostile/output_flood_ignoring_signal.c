// The same, with the signal of the limit ignored, on stderr. expect: output_limit
#include <signal.h>
#include <unistd.h>
static char block[1 << 20];
int main(void) { signal(SIGXFSZ, SIG_IGN); for (long i = 0; i < 10240; i++) if (write(2, block, sizeof block) < 0) break; return 0; }
