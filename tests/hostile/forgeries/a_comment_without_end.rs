// a comment without end. expect: compile_error
fn add(a: i32, b: i32) -> i32 { a - b }
/*
