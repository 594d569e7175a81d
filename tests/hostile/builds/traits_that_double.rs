// Trait bounds that ask for twice as many. expect: compile_error
#![recursion_limit = "100000"]
trait T { const N: u64; }
struct P<A, B>(A, B);
struct S<A>(A);
impl<A> T for S<A> where P<S<S<A>>, S<(A, A)>>: T { const N: u64 = 1; }
impl<A: T, B: T> T for P<A, B> { const N: u64 = A::N + B::N; }
fn main() { println!("{}", <S<u8> as T>::N); }
