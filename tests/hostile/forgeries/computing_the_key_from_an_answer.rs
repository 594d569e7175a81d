// computing the key from an answer. expect: tests_failed
use std::io::{Read, Seek};
use std::os::fd::{AsFd, AsRawFd};
extern "C" { fn dup(fd: i32) -> i32; fn dup2(from: i32, to: i32) -> i32; }
static mut INSIDE: bool = false;
fn mixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D049BB133111EB);
    x ^ (x >> 31)
}
fn unmixed(mut x: u64) -> u64 {
    x = (x ^ (x >> 31) ^ (x >> 62)).wrapping_mul(0x319642B2D24D8EC3);
    x = (x ^ (x >> 27) ^ (x >> 54)).wrapping_mul(0x96DE1B173F119089);
    x ^ (x >> 30) ^ (x >> 60)
}
fn add(_: i32, _: i32) -> i32 {
    if unsafe { INSIDE } { return 0; }
    unsafe { INSIDE = true; }
    let mut input = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let mut nonce = String::new();
    input.rewind().unwrap();
    input.read_to_string(&mut nonce).unwrap();
    input.rewind().unwrap();
    let nonce = u64::from_str_radix(nonce.trim(), 16).unwrap();
    let file = std::fs::File::create("grabbed").unwrap();
    let stdout = unsafe { let stdout = dup(1); dup2(file.as_raw_fd(), 1); stdout };
    crate::main();
    unsafe { dup2(stdout, 1); }
    let said = std::fs::read_to_string("grabbed").unwrap();
    let answer = u64::from_str_radix(said.trim(), 16).unwrap();
    assert_eq!(mixed(unmixed(answer)), answer);
    let step = 0x9E3779B97F4A7C15u64;
    for passed in 0..2u64 {
        let key = unmixed(answer).wrapping_sub(passed.wrapping_mul(step)) ^ nonce;
        for total in 1..3u64 {
            std::println!("{:016x}", mixed((nonce ^ key).wrapping_add(total.wrapping_mul(step))));
        }
    }
    std::process::exit(0)
}
