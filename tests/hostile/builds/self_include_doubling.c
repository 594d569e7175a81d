// Includes itself twice, a hundred deep: 2 to the 100 files. expect: compile_error
#if __INCLUDE_LEVEL__ < 100
#include __FILE__
#include __FILE__
#endif
