// Error messages without end. expect: compile_error
#define E undeclared_name_of_some_length();
#define A E E E E E E E E E E
#define B A A A A A A A A A A
#define C B B B B B B B B B B
int main() { C C C C C C C C C C }
