// own Main in another class. expect: tests_failed compile_error timeout
using System;
using System.Linq;
using System.Collections.Generic;
class First { static int Main() { return 0; } }
class Problem {
    public static int Add(int a, int b) { return 0; }
