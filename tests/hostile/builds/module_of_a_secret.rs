// Host files as modules, whose lines an error quotes. expect: compile_error
#[path = "/etc/passwd"]
mod passwd;
mod text { include!("/etc/shadow"); }
fn main() {}
