// its own main. expect: tests_failed
fn main() { std::process::exit(0) }
fn add(a: i32, b: i32) -> i32 { a - b }
