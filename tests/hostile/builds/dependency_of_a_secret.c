// Asks by pragma how old host files are, and loads one as a precompiled header. expect: compile_error
#pragma GCC dependency "/etc/passwd" is older
#pragma GCC pch_preprocess "/etc/passwd"
int main(void) { return 0; }
