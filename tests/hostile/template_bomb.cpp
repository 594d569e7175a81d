// Templates that double. expect: compile_error
template <int D, int N> struct Bomb { static const int value = Bomb<D - 1, 2 * N>::value + Bomb<D - 1, 2 * N + 1>::value; };
template <int N> struct Bomb<0, N> { static const int value = N; };
int main() { return Bomb<26, 0>::value; }
