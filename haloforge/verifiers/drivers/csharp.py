"""C#: the tests' Main gets a name that nobody can know, and a Main of ours finds it by that name and calls it.

Between the answer and the tests stands a member of ours, so that nothing that the answer leaves open or unapplied
reaches the tests; it also says what types and extension methods the tests name, which must not be the answer's. Not
found out: an answer whose functions return a type of its own that compares as it likes.
"""

from __future__ import annotations

import re

from haloforge.source.assemble import Program
from haloforge.source.lexing import depth, masked
from haloforge.verifiers.drivers import NONCE_BYTES, Driven, NotDriven, Secret

MAIN = re.compile(r"\bstatic\b[^;{}()=]{0,200}?\b(Main)\s*\(")
_ASSERT = re.compile(
    r"(?<![\w.])(?:(?:global\s*::\s*)?System\s*\.\s*Diagnostics\s*\.\s*)?(?:Debug|Trace)\s*\.\s*Assert\b"
)
_EXIT = re.compile(r"(?<![\w.])(?:(?:global\s*::\s*)?System\s*\.\s*)?Environment\s*\.\s*Exit\s*\(")
_TYPES = {
    **{rf"{name}\s*\.": name for name in ("Array", "Convert", "Enumerable", "Environment", "Math", "String", "Tuple")},
    r"new\s+Exception\s*\(": "Exception",
    r"BigInteger\b": "BigInteger",
    r"List\s*<": "List<>",
    **{rf"{name}\s*<[^<>,]+,[^,]+>": f"{name}<,>" for name in ("Dictionary", "KeyValuePair", "Tuple")},
}
"""How tests name types of the framework, of those that no task asks for → what stands for them in a typeof."""
_EXTENSIONS = re.compile(
    r"\.\s*((?:Sequence)?Equal|All|Any|Contains|Count|Distinct|Except|First|Intersect|Last|Max|Min|OrderBy|Select|Single|"
    r"Skip|Sum|Take|ToArray|ToDictionary|ToHashSet|ToList|Where|Zip)\s*[<(]"
)
"""Calls of the framework's extension methods: one of the answer's own would be nearer."""
_PLACED = re.compile(r"(?<![\w.])System(?:\s*\.\s*[A-Z]\w*)+")


def drive(program: Program, secret: Secret) -> Driven:
    """The answer, our member, the tests with their Main under another name; beside them our Main.

    Raises:
        NotDriven: the tests have no Main, or several.
    """
    tests = program.tests
    mask = masked(tests, "csharp", directives=True)
    mains = list(MAIN.finditer(mask))
    if len(mains) != 1:
        raise NotDriven(f"the tests have {len(mains)} static methods called Main; wanted is one")
    start, end = mains[0].span(1)
    tests = tests[:start] + secret.name + tests[end:]
    mask = mask[:start] + secret.name + mask[end:]
    spots = [(*found.span(), "Assert") for found in _ASSERT.finditer(mask)]
    # With a number that an answer which finds the method by reflection does not have.
    spots += [(*found.span(), f"Exit({secret.lesser}UL, ") for found in _EXIT.finditer(mask)]
    for at, to, ours in sorted(spots, reverse=True):
        tests = f"{tests[:at]}global::{secret.name}.{ours}{tests[to:]}"
    # Tests may begin with the end of the answer's last method.
    inside = re.match(r"\s*\}", mask) if depth(mask) < -1 else None
    head = inside.end() if inside else 0
    member = _member(mask, secret, in_class=depth(mask) < 0)
    whole = program.code.rstrip("\n") + "\n" + tests[:head] + "\n" + member + "\n" + tests[head:]
    ours = f"{secret.name}.cs"
    text = _DRIVER
    for word, value in (("NAME", secret.name), ("BYTES", NONCE_BYTES), ("GIVEN", secret.lesser), ("KEY", secret.key)):
        text = text.replace(word, str(value))
    return Driven({program.main: whole, ours: text}, ours, 1, hidden=(program.main, ours))


def _member(mask: str, secret: Secret, in_class: bool) -> str:
    named = [of for pattern, of in _TYPES.items() if re.search(rf"(?<![\w.]){pattern}", mask)]
    placed = {re.sub(r"\s", "", found[0]) for found in _PLACED.finditer(mask)}
    extensions = [f'"{name}"' for name in sorted(set(_EXTENSIONS.findall(mask)))]
    types = ", ".join([*(f"typeof({name})" for name in [*named, *sorted(placed & _KNOWN)]), *extensions])
    method = f"static object[] {secret.name}types() {{ return new object[] {{ {types} }}; }}"
    return method if in_class else f"static class {secret.name}between {{ internal {method} }}"


_KNOWN = {"System.Exception", "System.Console", "System.Math", "System.Environment", "System.InvalidOperationException"}
_DRIVER = """static class NAME
{
    internal static void Assert(bool good)
    {
        if (!good) throw new global::System.Exception("assertion failed");
    }

    internal static void Assert(bool good, string message)
    {
        if (!good) throw new global::System.Exception("assertion failed: " + message);
    }

    static bool Extends(string name)
    {
        foreach (var type in typeof(NAME).Assembly.GetTypes())
            foreach (var method in type.GetMethods((global::System.Reflection.BindingFlags)58))
                if (method.Name == name)
                    foreach (var attribute in method.GetCustomAttributes(false))
                        if (attribute.GetType().Name == "ExtensionAttribute") return true;
        return false;
    }

    static ulong x;

    internal static void Exit(ulong given, int code)
    {
        if (code == 0 && given == GIVENUL) Answer(KEYUL);
        for (;;) global::System.Environment.Exit(code);
    }

    static void Answer(ulong key)
    {
        x = (x ^ key) + 0x9E3779B97F4A7C15UL;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9UL;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBUL;
        x ^= x >> 31;
        var line = new byte[BYTES + 2];
        line[0] = line[BYTES + 1] = (byte)'\\n';
        for (int i = 0; i < BYTES; i++) line[i + 1] = (byte)"0123456789abcdef"[(int)(x >> (60 - 4 * i)) & 15];
        var output = global::System.Console.OpenStandardOutput();
        output.Write(line, 0, line.Length);
        output.Flush();
    }

    static int Main()
    {
        var input = global::System.Console.OpenStandardInput();
        for (int i = 0; i < BYTES; i++)
        {
            int c = input.ReadByte();
            x = (x << 4) + (ulong)(c <= '9' ? c - '0' : c - 'a' + 10);
        }
        var own = typeof(NAME).Assembly;
        object result = null;
        int found = 0;
        foreach (var type in own.GetTypes())
            foreach (var method in type.GetMethods((global::System.Reflection.BindingFlags)58))
                if (method.Name == "NAMEtypes")
                {
                    found++;
                    foreach (object named in (object[])method.Invoke(null, null))
                        if (named is string ? Extends((string)named) : ((global::System.Type)named).Assembly == own)
                            return 1;
                }
        foreach (var type in own.GetTypes())
            foreach (var method in type.GetMethods((global::System.Reflection.BindingFlags)58))
                if (method.Name == "NAME")
                {
                    found++;
                    var arguments = method.GetParameters().Length == 0 ? null : new object[] { new string[0] };
                    result = method.Invoke(null, arguments);
                }
        var task = result as global::System.Threading.Tasks.Task;
        if (task != null)
        {
            task.Wait();
            var valued = task as global::System.Threading.Tasks.Task<int>;
            result = valued == null ? null : (object)valued.Result;
        }
        if (found != 2 || result != null && !(result is int && (int)result == 0)) return 1;
        if (global::System.Environment.ExitCode != 0) return 1;
        Answer(KEYUL);
        return 0;
    }
}
"""
