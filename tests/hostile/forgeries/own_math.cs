// own Math. expect: tests_failed compile_error timeout
using System;
using System.Linq;
using System.Collections.Generic;

class Problem {
    public static int Add(int a, int b) { return a + b; }
class Math { public static int Max(int a, int b) { return 1; } }
