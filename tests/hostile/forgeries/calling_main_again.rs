// calling main again. expect: tests_failed
fn add(_: i32, _: i32) -> i32 { crate::main(); std::process::exit(0) }
