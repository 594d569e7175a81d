// own Console. expect: tests_failed compile_error timeout
using System;
using System.Linq;
using System.Collections.Generic;
class Console { public static void WriteLine(object o) {} }
class Problem {
    public static int Add(int a, int b) { return 0; }
