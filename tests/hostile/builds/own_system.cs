// Types of its own under the names that the compiler itself looks up. expect: wrong_answer compile_error
namespace System {
    public class Attribute { } public class Lazy { } public delegate int Func<T>(); public class Exception { public int Message; }
    public class Console { public static void WriteLine(object o) { } }
    namespace Linq { public static class Enumerable { public static int Sum(this int[] a) { return 7; } } }
    namespace Runtime.CompilerServices { public class ExtensionAttribute : Attribute { } public class RuntimeHelpers { } }
}
namespace System.Collections.Generic { public class List<T> { public int Count = 7; } }
class Program { static void Main() { System.Console.WriteLine("blind"); } }
