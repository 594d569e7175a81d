// Says that its error is in a host file, whose line a compiler may quote. expect: compile_error
#line 1 "/etc/passwd"
int main(void) { return undeclared; }
