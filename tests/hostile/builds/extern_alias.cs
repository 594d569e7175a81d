// Names and libraries that it was not given. expect: compile_error
extern alias hidden;
extern alias global;
[assembly: System.Runtime.CompilerServices.InternalsVisibleTo("mcs")]
class Program { static void Main() { hidden::Mono.CSharp.Driver.Main(null); } }
