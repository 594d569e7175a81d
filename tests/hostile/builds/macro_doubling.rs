// Macros whose text doubles. expect: compile_error
macro_rules! a { ($($t:tt)*) => { $($t)* $($t)* $($t)* $($t)* $($t)* $($t)* $($t)* $($t)* } }
macro_rules! b { ($($t:tt)*) => { a!{a!{a!{a!{$($t)*}}}} } }
fn main() { let mut n = 0; b!{b!{b!{n += 1;}}} println!("{n}"); }
