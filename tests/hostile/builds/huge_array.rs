// A constant of gigabytes, and one of more than there can be. expect: compile_error
static LARGE: [u8; 1 << 33] = [1; 1 << 33];
static LARGER: [u64; 1 << 60] = [1; 1 << 60];
fn main() { println!("{}", LARGE[5] as u64 + LARGER[5]); }
