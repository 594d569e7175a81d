// Leaves names, symbols and switched-off warnings to the program that the same compiler gets next. expect: passed
#define LEFT
#pragma warning disable
#region left
using Left = System.Console;
public static class Helper { public static string Left() { return "blind"; } public static string Twice(this int n) { return "blind"; } }
class Program { static void Main() { Left.WriteLine(Helper.Left()); } }
#endregion
