// The function itself is a macro, whose words run into the test's. expect: compile_error
#define add(a, b) 1 || a
