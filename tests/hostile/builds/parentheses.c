// An expression half a million deep. expect: compile_error
int main(void) { return «500000*(»0«500000*)»; }
