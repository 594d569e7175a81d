// A variable of the environment that it must not have. expect: compile_error
fn main() { println!("{}", env!("HALOFORGE_SECRET")); }
