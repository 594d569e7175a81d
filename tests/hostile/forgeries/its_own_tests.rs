// its own tests. expect: tests_failed
fn add(a: i32, b: i32) -> i32 { a - b }
#[test]
fn t1() {}
#[test]
fn t2() {}
