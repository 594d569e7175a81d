// hiding behind a comment. expect: compile_error
#![doc = "/* /* "]
macro_rules! grab {
    ($(#$x:tt[$($y:tt)*])* extern crate std as $s:ident; pub mod $m:ident; fn main() { $($b:tt)* } $($t:tt)*) => {
        extern crate std as $s; pub mod $m; fn one() -> u64 { 1 } fn two() -> u64 { 2 }
        fn main() { $m::main(if stringify!($($t)*).contains("mod tests") { two } else { one }) }
        $($t)*
    }
}
grab! {
#![doc = " */ */"]
fn add(a: i32, b: i32) -> i32 { a - b }
}
