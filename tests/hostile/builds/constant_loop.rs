// Computes for ever while it is compiled, and allows itself to. expect: compile_error
#![allow(long_running_const_eval)]
const FOREVER: usize = { let mut n = 0; loop { n = (n + 1) % 1000; if n == 1000 { break n } } };
fn main() { println!("{FOREVER}"); }
