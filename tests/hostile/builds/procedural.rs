// Code of its own in the compiler: a crate type, a plugin, another linker. expect: compile_error passed
#![crate_type = "proc-macro"]
#![plugin(evil)]
#![feature(plugin, link_args, rustc_private)]
#[link_args = "-fuse-ld=/work/evil"]
extern "C" {}
fn main() { println!("blind"); }
