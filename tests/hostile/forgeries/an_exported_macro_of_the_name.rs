// an exported macro of the name. expect: tests_failed
#[macro_export] macro_rules! assert_eq { ($($t:tt)*) => {} }
#[macro_export] macro_rules! format { ($($t:tt)*) => { "42" } }
fn add(a: i32, b: i32) -> i32 { a - b }
