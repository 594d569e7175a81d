// a function in assembly. expect: compile_error
std::arch::global_asm!(".globl bcmp", "bcmp: xor %eax, %eax", "ret");
fn add(a: i32, b: i32) -> i32 { a - b }
