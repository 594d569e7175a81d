// An expression a hundred thousand deep. expect: compile_error passed
fn main() { println!("{}", «100000*(»"blind"«100000*)»); }
