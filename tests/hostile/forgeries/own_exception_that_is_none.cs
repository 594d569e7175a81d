// own exception that is none. expect: tests_failed compile_error timeout
using System;
using System.Linq;
using System.Collections.Generic;

class Problem {
    public static int Add(int a, int b) { return 0; }
class System {
    public class Exception : global::System.Exception {
        public Exception(string s) { global::System.Environment.Exit(0); }
    }
}
