// Ends in the middle of everything. expect: compile_error
#define LEFT
#if !LEFT
#else
#region left
#pragma warning disable 1
class Program { static async System.Threading.Tasks.Task<int> Main() { unsafe { checked { var q = from n in new[] { 1, 2 } where $"{n + "
