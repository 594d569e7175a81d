// Arrays of gigabytes that are not empty. expect: compile_error
int large[1 << 29] = {1}, larger[1L << 33] = {[1L << 32] = 1};
int main(void) { return large[5]; }
