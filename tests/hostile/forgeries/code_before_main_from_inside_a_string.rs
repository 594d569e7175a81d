// code before main, from inside a string. expect: compile_error
const A: &str = "/* /* ";
#[used]
#[link_section = ".init_array"]
static FIRST: extern "C" fn() = first;
const B: &str = " */ */";
extern "C" fn first() { std::process::exit(0) }
fn add(a: i32, b: i32) -> i32 { a - b }
