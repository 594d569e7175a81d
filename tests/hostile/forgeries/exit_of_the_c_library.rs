// exit of the C library. expect: tests_failed
extern "C" { fn _exit(code: i32) -> !; }
fn add(_: i32, _: i32) -> i32 { unsafe { _exit(0) } }
