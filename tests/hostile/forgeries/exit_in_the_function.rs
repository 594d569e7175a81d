// exit in the function. expect: tests_failed
fn add(_: i32, _: i32) -> i32 { std::process::exit(0) }
