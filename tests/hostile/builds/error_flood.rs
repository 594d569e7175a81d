// Error messages without end. expect: compile_error
macro_rules! a { ($($t:tt)*) => { $($t)* $($t)* $($t)* $($t)* $($t)* $($t)* $($t)* $($t)* $($t)* $($t)* } }
macro_rules! b { ($($t:tt)*) => { a!{a!{a!{$($t)*}}} } }
fn main() { b!{b!{compile_error!("a message of some length, again and again and again and again");}} }
