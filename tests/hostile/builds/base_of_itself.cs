// Classes whose base is a larger one of themselves. expect: compile_error passed
class A<T> : B<A<A<T>>> { }
class B<T> : C<B<B<T>>> { }
class C<T> { public class D : A<D> { } }
class Program { static void Main() { System.Console.WriteLine(new A<A<int>>() == null ? typeof(C<int>.D).ToString() : "blind"); } }
