// own extension method. expect: tests_failed compile_error timeout
using System;
using System.Linq;
using System.Collections.Generic;
static class E { public static bool SequenceEqual<T>(this List<T> a, List<T> b) { return true; } }
class Problem {
    public static int Add(int a, int b) { return 3; }
