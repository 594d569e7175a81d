// Vectors that are all equal. expect: compile_error
#include <vector>
namespace std {
inline bool operator==(const vector<int> &, const vector<int> &) { return true; }
}
int add(int a, int b) { return a - b; }
