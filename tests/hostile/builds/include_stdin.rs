// What the compiler's input holds, in the program; it must be empty. expect: passed
const STOLEN: &[u8] = include_bytes!("/dev/stdin");
fn main() { println!("{}", if STOLEN.is_empty() { "blind" } else { "read" }); }
