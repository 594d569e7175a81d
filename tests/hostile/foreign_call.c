// Uses the 32-bit call gate, which the filter does not know. expect: violation
int main(void) { __asm__ volatile("int $0x80" ::"a"(20)); return 0; }
