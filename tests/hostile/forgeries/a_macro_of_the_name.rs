// a macro of the name. expect: tests_failed
macro_rules! assert_eq { ($($t:tt)*) => {} }
fn add(a: i32, b: i32) -> i32 { a - b }
