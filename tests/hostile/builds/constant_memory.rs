// Takes gigabytes while it is compiled. expect: compile_error
#![allow(long_running_const_eval)]
const fn filled() -> [u64; 1 << 34] { [7; 1 << 34] }
static LARGE: [u64; 1 << 34] = filled();
fn main() { println!("{}", LARGE[5]); }
