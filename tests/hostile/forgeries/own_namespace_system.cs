// own namespace System. expect: tests_failed compile_error timeout
using System;
using System.Linq;
using System.Collections.Generic;

namespace System {
    class Console { public static System.IO.Stream OpenStandardInput() { Environment.Exit(0); return null; } }
}

class Problem {
    public static int Add(int a, int b) { return 0; }
