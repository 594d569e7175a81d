// A host file by the assembler. expect: compile_error
std::arch::global_asm!(".data", ".incbin \"/etc/passwd\"", ".include \"/etc/passwd\"");
fn main() {}
