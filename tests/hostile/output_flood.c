// Ten gigabytes to stdout. expect: output_limit
#include <unistd.h>
static char block[1 << 20];
int main(void) { for (long i = 0; i < 10240; i++) if (write(1, block, sizeof block) < 0) return 0; return 0; }
