// Lambdas in lambdas, each tried with every overload. expect: compile_error
template <class F> auto f(F g, int n) -> decltype(g(n)) { return g(n); }
template <class F> auto f(F g, long n) -> decltype(g(n)) { return g(n); }
template <class F> auto f(F g, char n) -> decltype(g(n)) { return g(n); }
#define L(body) f([=](auto x) { return body + x; }, 'a')
int main() { return L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(L(1)))))))))))))))))))))))))))); }
