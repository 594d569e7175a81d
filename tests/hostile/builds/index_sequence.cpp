// A hundred million template arguments. expect: compile_error
#include <utility>
template <std::size_t... I> constexpr std::size_t sum(std::index_sequence<I...>) { return (I + ... + 0); }
int main() { return (int)sum(std::make_index_sequence<100000000>{}); }
