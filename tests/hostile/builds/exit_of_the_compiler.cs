// A class as the compiler's own, and an attribute of which it makes an instance. expect: compile_error passed
using System;
namespace Mono.CSharp { public class CompilerCallableEntryPoint { public static bool InvokeCompiler(string[] a, System.IO.TextWriter w) { return true; } } }
[AttributeUsage(AttributeTargets.All)]
class Ending : Attribute { public Ending() { Environment.Exit(0); } static Ending() { Environment.Exit(0); } }
[Ending] class Program { [Ending] static void Main() { Console.WriteLine("blind"); } }
