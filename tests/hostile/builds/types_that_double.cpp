// A type whose name doubles with every step. expect: compile_error runtime_error
template <class A, class B> struct Pair { A a; B b; };
template <int N, class T> struct Twice { using type = typename Twice<N - 1, Pair<Pair<T, int[N]>, Pair<T, char[N]>>>::type; };
template <class T> struct Twice<0, T> { using type = T; };
template <class T> void named() { throw T(); }
int main() { named<typename Twice<60, int>::type>(); }
