// Blocks and types, fifty thousand deep. expect: compile_error
type Deep = «50000*Option<»u8«50000*>»;
fn main() { let x: Option<Deep> = None; «50000*{»println!("{}", x.is_none());«50000*}» }
