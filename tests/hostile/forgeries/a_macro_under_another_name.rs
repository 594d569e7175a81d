// a macro under another name. expect: tests_failed
macro_rules! nothing { ($($t:tt)*) => {} }
pub(crate) use nothing as assert_eq;
fn add(a: i32, b: i32) -> i32 { a - b }
