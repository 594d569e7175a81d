// own list. expect: tests_failed compile_error timeout
using System;
using System.Linq;
using System.Collections.Generic;

class Problem {
    public static int Add(int a, int b) { return a + b; }
class List<T> {
    public List(T[] a) {}
    public bool SequenceEqual(List<T> o) { return true; }
}
