// Macros that call themselves twice. expect: compile_error
#![recursion_limit = "1000000"]
macro_rules! twice { ($($t:tt)*) => { twice!($($t)* $($t)* 1); twice!($($t)* 2); } }
fn main() { twice!(1); }
