// expect: tests_failed
#include <cstdlib>
struct Before { Before() { std::_Exit(0); } } before;
int add(int a, int b) { return a - b; }
