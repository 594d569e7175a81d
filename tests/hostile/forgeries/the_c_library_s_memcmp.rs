// the C library's memcmp. expect: compile_error
#[no_mangle]
pub extern "C" fn memcmp(_: *const u8, _: *const u8, _: usize) -> i32 { 0 }
#[no_mangle]
pub extern "C" fn bcmp(_: *const u8, _: *const u8, _: usize) -> i32 { 0 }
fn add(a: i32, _: i32) -> i32 { [3, 5, 41][a.min(3) as usize - 1] }
