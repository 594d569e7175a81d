// Host files given to the linker, as libraries and as its script. expect: compile_error
#[link(name = "/etc/passwd", kind = "static")]
extern "C" {}
#[link(name = ":../../etc/passwd", kind = "dylib")]
extern "C" {}
fn main() {}
