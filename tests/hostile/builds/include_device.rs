// A file that never ends, in the program. expect: compile_error
const ZEROS: &[u8] = include_bytes!("/dev/zero");
fn main() { println!("{}", ZEROS.len()); }
