// A string literal that doubles. expect: compile_error
#define A(x) x x x x x x x x
#define B(x) A(A(A(x)))
#define C(x) B(B(B(x)))
const char *text = C("text of some length ");
int main(void) { return text[0]; }
