// Computes for ever while it is compiled. expect: compile_error
constexpr int forever(int n) { for (;;) n = (n + 1) % 1000; return n; }
template <int N> struct Each { static constexpr int value = forever(N) + Each<N - 1>::value; };
template <> struct Each<0> { static constexpr int value = 0; };
int main() { return Each<800>::value; }
