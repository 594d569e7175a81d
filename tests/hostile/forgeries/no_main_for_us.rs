// no main for us. expect: compile_error
#![no_main]
fn add(a: i32, b: i32) -> i32 { a - b }
