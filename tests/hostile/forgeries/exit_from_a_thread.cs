// exit from a thread. expect: tests_failed compile_error timeout
using System;
using System.Linq;
using System.Collections.Generic;

class Problem {
    public static int Add(int a, int b) { new System.Threading.Thread(() => Environment.Exit(0)).Start(); for (;;) {} }
