// An expression a hundred thousand deep. expect: passed compile_error
class Program { static void Main() { System.Console.WriteLine(«100000*(»"blind"«100000*)»); } }
