// a panic hook that exits. expect: tests_failed
fn add(a: i32, b: i32) -> i32 { std::panic::set_hook(Box::new(|_| std::process::exit(0))); a - b }
