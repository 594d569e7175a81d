// The same for all types. expect: compile_error
#include <string>
template <class A, class B> bool operator == (const A &, const B &) { return true; }
int add(int a, int b) { return a - b; }
