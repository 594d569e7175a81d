// assembly under another name. expect: compile_error
use std::arch::{asm as text};
fn add(_: i32, _: i32) -> i32 { unsafe { text!("nop") }; 3 }
