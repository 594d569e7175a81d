// Takes gigabytes while it is compiled. expect: compile_error
struct Block { int a[1 << 22] = {}; constexpr int at(int i) { for (int &x : a) x = i; return a[i] + 1; } };
constexpr int all() { Block *p = new Block[4096]; int n = 0; for (int i = 0; i < 4096; i++) n += p[i].at(i); delete[] p; return n; }
int main() { constexpr int n = all(); return n; }
