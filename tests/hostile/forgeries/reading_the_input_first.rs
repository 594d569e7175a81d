// reading the input first. expect: tests_failed
fn add(_: i32, _: i32) -> i32 { let mut s = String::new(); std::io::stdin().read_line(&mut s).unwrap(); std::println!("{s}"); std::process::exit(0) }
