// the C library's main. expect: compile_error
#![no_main]
#[export_name = "main"]
pub extern "C" fn first() -> i32 { 0 }
fn add(a: i32, b: i32) -> i32 { a - b }
