// A string constant that doubles. expect: compile_error
class Program {
    const string a = "text of some length, 32 letters.", b = a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a;
    const string c = b + b + b + b + b + b + b + b + b + b + b + b + b + b + b + b, d = c + c + c + c + c + c + c + c + c + c + c + c;
    const string e = d + d + d + d + d + d + d + d + d + d + d + d + d + d + d + d, f = e + e + e + e + e + e + e + e + e + e + e + e;
    const string g = f + f + f + f + f + f + f + f + f + f + f + f + f + f + f + f, h = g + g + g + g + g + g + g + g + g + g + g + g;
    static void Main() { System.Console.WriteLine(h); }
}
