// A host file by the directive of C23. expect: compile_error
static const unsigned char stolen[] = {
#embed "/etc/passwd"
};
int main(void) { return stolen[0]; }
