// A host file in the error message. expect: compile_error
#include "/etc/shadow"
int main(void) { return 0; }
