// Messages that are no errors, a million million of them. expect: compile_error
#pragma message "a message of some length, again and again and again and again and again and again and again"
#if __INCLUDE_LEVEL__ < 40
#include __FILE__
#include __FILE__
#endif
