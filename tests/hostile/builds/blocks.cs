// Blocks, types and lambdas, tens of thousands deep. expect: compile_error
using System;
class Program {
    static void Main() { «20000*{ if (true) »Console.WriteLine(1);«20000*}» }
    Func<«20000*Func<»int«20000*>»> f = «20000*() => »1;
}
