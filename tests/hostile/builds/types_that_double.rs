// A type whose length doubles with every step. expect: compile_error
#![recursion_limit = "100000"]
fn f<T: Fn() -> u32>(n: u32, t: T) -> u32 { if n == 0 { t() } else { f(n - 1, || t() + t()) + f(n - 1, (|| t() * 2, || t()).0) } }
fn main() { println!("{}", f(40, || 1)); }
