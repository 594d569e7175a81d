// A class that needs itself with twice as large a type. expect: compile_error runtime_error memory_limit timeout
class Twice<A, B> {
    public static int Of(int n) { return n == 0 ? 1 : Twice<Twice<A, B>, Twice<B, A>>.Of(n - 1) + Twice<Twice<B, B>, A>.Of(n - 1); }
}
class Program { static void Main() { System.Console.WriteLine(Twice<int, string>.Of(60)); } }
