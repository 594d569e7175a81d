// code before main. expect: compile_error
#[used]
#[link_section = ".init_array"]
static FIRST: extern "C" fn() = first;
extern "C" fn first() { std::process::exit(0) }
fn add(a: i32, b: i32) -> i32 { a - b }
