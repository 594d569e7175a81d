// A key that never ends. expect: compile_error passed
[assembly: System.Reflection.AssemblyKeyFile("/dev/zero")]
class Program { static void Main() { System.Console.WriteLine("blind"); } }
