// An expression so deep that the compiler's stack does not hold it. expect: compile_error
class Program { static void Main() { int n = 1; System.Console.WriteLine(n«300000*+ n»); } }
