// expect: compile_error
int add(int a, int b) { return a - b; }
int main(void) { return 0; }
/*
