// Lambdas in lambdas, each tried with every overload: three to the number of them. expect: compile_error
using System;
class Program {
    static int F(Func<int, int> f) { return f(1); }
    static string F(Func<string, string> f) { return f(""); }
    static double F(Func<double, double> f) { return f(1); }
    static void Main() {
        Console.WriteLine(F(a => F(b => F(c => F(d => F(e => F(f => F(g => F(h => F(i => F(j => F(k => F(l => F(m => F(n => a + b + c + d + e + f + g + h + i + j + k + l + m + n)))))))))))))));
    }
}
