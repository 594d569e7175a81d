// What std::string and std::vector compare with. expect: compile_error
extern "C" int memcmp(const void *, const void *, decltype(sizeof 0)) noexcept { return 0; }
int add(int a, int b) { return a - b; }
