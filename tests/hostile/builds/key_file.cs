// Host files that the compiler reads by itself, as keys. expect: compile_error passed
using System.Reflection;
[assembly: AssemblyKeyFile("/etc/passwd")]
[assembly: AssemblyDelaySign(false)]
class Program { static void Main() { System.Console.WriteLine("blind"); } }
