// Host files in the program. expect: compile_error
const STOLEN: &str = include_str!("/etc/passwd");
const BYTES: &[u8] = include_bytes!("/etc/shadow");
fn main() { println!("{STOLEN}{BYTES:?}"); }
