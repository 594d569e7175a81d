// An empty array that no memory holds; the program must not start. expect: compile_error runtime_error
static char larger[1L << 44];
int main(void) { for (long at = 0; at < 1L << 44; at += 4096) larger[at] = 1; return larger[5]; }
