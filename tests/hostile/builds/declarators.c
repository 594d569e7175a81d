// A type of a million steps, and blocks a hundred thousand deep. expect: compile_error
int «1000000**»p;
int main(void) { «100000*{if (p) »return 0; «100000*}» }
