// a module initialiser. expect: tests_failed compile_error timeout
using System;
using System.Linq;
using System.Collections.Generic;

namespace System.Runtime.CompilerServices { class ModuleInitializerAttribute : Attribute {} }
class M { [System.Runtime.CompilerServices.ModuleInitializer] internal static void I() { Environment.Exit(0); } }

class Problem {
    public static int Add(int a, int b) { return 0; }
