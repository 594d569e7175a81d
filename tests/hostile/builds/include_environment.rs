// The environment of the compiler, in the program. expect: passed compile_error
const STOLEN: &[u8] = include_bytes!("/proc/self/environ");
const SAID: Option<&str> = option_env!("HALOFORGE_SECRET");
fn main() {
    let read = SAID.is_some() || STOLEN.windows(16).any(|w| w == b"HALOFORGE_SECRET");
    println!("{}", if read { "read" } else { "blind" });
}
