"""Go: a package of ours stands in for `go test`: it imports the package under test and has `testing` call each Test.

The answer cannot name ours, cannot replace a test (an own TestMain is called by nobody), and cannot get at the tests'
variables by name. What the tests use of the language itself is checked by the compiler to be still what it was.
Examples with output are run behind the tests; what they print, `testing` compares, and only the exit status says.
Benchmarks are not run; fuzz targets are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from haloforge.source.assemble import Program
from haloforge.source.lexing import Item, function_name, items, masked, words
from haloforge.verifiers.drivers import NONCE_BYTES, Driven, NotDriven, Secret
from haloforge.verifiers.go_toolchain import LINK_CONFIG, toolchain

_TEST = re.compile(r"Test(?![a-z])\w*$")
_TEST_ARGUMENT = re.compile(r"\(\s*\w*\s*\*\s*testing\s*\.\s*([TMF])\s*,?\s*\)")
_IMPORT = re.compile(r"[\"`]([^\"`\n]+)[\"`]")
_TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|`[^`]*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])+'", re.S)
_OUTPUT = re.compile(r"\s*(unordered )?output: *\n?", re.I)
_CHECKED = {
    "true": "const _ bool = true\nvar _ = map[bool]int{true: 0, 0 != 0: 0}",
    "false": "const _ bool = false\nvar _ = map[bool]int{false: 0, 0 == 0: 0}",
    "nil": "var _ []struct{} = nil\nvar _ func() = nil",
    "len": 'const _ = len("")',
    "cap": "const _ = cap([1]struct{}{})",
    "append": 'var _ = append([]byte(nil), ""...)',
    "panic": "func _() struct{} { panic(0) }",
    "error": "func _(x error) { _ = x.Error }",
    "bool": "func _(x bool) { _ = NAMEstrconv.FormatBool(x) }",
    "int": "func _(x int) { _ = NAMEstrconv.Itoa(x) }",
    "int64": "func _(x int64) { _ = NAMEstrconv.FormatInt(x, 10) }",
    "uint64": "func _(x uint64) { _ = NAMEstrconv.FormatUint(x, 10) }",
    "float32": "func _(x float32) { _ = NAMEmath.Float32bits(x) }",
    "float64": "func _(x float64) { _ = NAMEmath.Float64bits(x) }",
    "string": "func _(x string) { _ = NAMEutf8.RuneCountInString(x) }",
    "byte": "func _(x byte) { _ = NAMEutf8.RuneStart(x) }",
    "rune": "func _(x rune) { _ = NAMEutf8.RuneLen(x) }",
}
"""Predeclared name → declarations that compile only where it means what the language says."""
_HELPERS = {"strconv": "strconv", "math": "math", "utf8": "unicode/utf8"}


@dataclass(frozen=True, slots=True)
class Example:
    name: str
    output: str
    unordered: bool


@dataclass(frozen=True, slots=True)
class Package:
    """Files of one package, as they are compiled together."""

    path: str
    """By which others import it."""
    files: tuple[str, ...]
    """Keys of the program's files."""
    tests: tuple[str, ...] = ()
    """Names of functions that `testing` shall call."""
    test_main: str = ""
    examples: tuple[Example, ...] = ()
    """Those of the tests."""
    own_examples: tuple[Example, ...] = ()
    """Those of the answer, in a file of tests: they count only where they fail."""
    folder: str = "."
    """Where its tests run."""
    flags: tuple[str, ...] = ()


def drive(program: Program, secret: Secret) -> Driven:
    """Tests beside the answer (go_test), behind it in one file (append_go_test), or as a main (append_main).

    Raises:
        NotDriven: there is no test, or tests of a kind that is not called.
    """
    if program.tests_kind == "append_main":
        return _main_driven(program, secret)
    code, tests = program.code, program.tests
    beside = program.tests_kind == "go_test"
    if not program.checks and not examples(program.tests):
        raise NotDriven("the tests have no function Test… (t *testing.T)")
    test_main = check_tests(tests)
    names = hidden(tests, code, secret)
    if not beside:  # in one file a comment that the answer opens could swallow a test and the answer bring its own
        names |= {name: secret.name.upper() + name for name in (*program.checks, test_main) if name}
    tests = renamed(tests, names)
    ours = f"{secret.name}_test.go"
    if not beside:
        files = {program.main: code.rstrip("\n") + "\n\n" + tests.lstrip("\n")}
        theirs = package_name(code)
    else:
        files = {name: tests if name.endswith("_test.go") else text for name, text in program.files.items()}
        theirs = package_name(program.tests)
    called = tuple(names.get(name, name) for name in program.checks)
    test_main = names.get(test_main, test_main)
    path, foreign = "answer", sorted(imports(program.tests) - {"C"} - set(toolchain().public) if beside else ())
    if theirs.endswith("_test") and beside:
        if len(foreign) == 1:
            path, foreign = foreign[0], []
        files[ours] = guard(theirs.removesuffix("_test"), (), (), secret)
        outside = Package(f"{path}_test", ("sol_test.go",), called, test_main, examples(program.tests))
        packages = [Package(path, ("sol.go", ours)), outside]
    else:
        files[ours] = guard(theirs, words(masked(program.tests, "go")), names, secret)
        own_examples = () if beside else examples(code)
        packages = [Package(path, (*files,), called, test_main, examples(program.tests), own_examples)]
    if foreign:
        raise NotDriven(f"the tests import {', '.join(foreign)}, which is not in the standard library")
    return driven(files, packages, secret, program.checks)


def check_tests(tests: str) -> str:
    """The name of the tests' TestMain, "" where they have none.

    Raises:
        NotDriven: they have some that `go test` would run and we don't.
    """
    mask = masked(tests, "go")
    test_main = ""
    for item in items(mask, "go"):
        name, argument = function_name(item, "go") or "", _TEST_ARGUMENT.search(item.head)
        if name == "TestMain" and argument and argument[1] == "M":
            test_main = name
        elif name.startswith("Fuzz") and argument and argument[1] == "F":
            raise NotDriven(f"the tests have a fuzz target, {name}: these are not run")
    return test_main


def examples(tests: str) -> tuple[Example, ...]:
    """The functions Example… that say what they print, in their last comment."""
    found = []
    for item in items(masked(tests, "go"), "go"):
        name = function_name(item, "go") or ""
        if re.match(r"Example(?![a-z])", name) and re.search(r"\(\s*\)$", item.head) and item.head.startswith("func "):
            text = _last_comment(tests[item.brace : item.end])
            said = _OUTPUT.match(text)
            if said:
                found.append(Example(name, text[said.end() :], bool(said[1])))
    return tuple(found)


def _last_comment(body: str) -> str:
    """Its text as Go's own parser gives it: comments on neighbouring lines are one, but for one behind code."""
    group: list[str] = []
    end, most = 0, 1
    for token in _TOKEN.finditer(body):
        if token[0][:2] in ("//", "/*"):
            between = body[end : token.start()]
            if between.strip() or between.count("\n") > most:
                group = []
                most = 0 if body[: token.start()].rpartition("\n")[2].strip() else 1
            line = token[0].startswith("//")
            group += [re.sub(r"^ ", "", token[0][2:]).rstrip()] if line else token[0][2:-2].split("\n")
            end = token.end()
    return "\n".join(group)


def package_name(code: str) -> str:
    found = re.search(r"^[ \t]*package\s+(\w+)", masked(code, "go"), re.M)
    return found[1] if found else "main"


def imports(code: str) -> set[str]:
    """The paths that a file imports."""
    mask = masked(code, "go")
    found: set[str] = set()
    for item in items(mask, "go"):
        if re.match(r"import\b", item.head):
            found |= set(_IMPORT.findall(re.sub(r"//[^\n]*|/\*.*?\*/", "", code[item.start : item.end], flags=re.S)))
    return found


def hidden(tests: str, code: str, secret: Secret) -> dict[str, str]:
    """{variable of the tests' package level that the answer names: what to call it instead}; as gofmt writes them.

    A comment names it too: `//go:linkname` is one. Left alone is a name that is also a field's or a method's.
    """
    mask = masked(tests, "go")
    heads = re.findall(r"^var[ \t]+(\w+(?:[ \t]*,[ \t]*\w+)*)", mask, re.M)
    for group in re.findall(r"^var[ \t]*\(\n(.*?)^\)", mask, re.M | re.S):
        heads += re.findall(r"^\t(\w+(?:[ \t]*,[ \t]*\w+)*)[ \t]", group, re.M)
    names = {name.strip() for head in heads for name in head.split(",")} - {"_"}
    clear = [name for name in sorted(names) if not re.search(rf"\.\s*{name}\b", mask)]
    return {name: secret.name.upper() + name for name in clear if re.search(rf"\b{name}\b", code)}


def renamed(code: str, names: Mapping[str, str]) -> str:
    """`code` with these identifiers called otherwise, in code only."""
    if not names:
        return code
    pieces, at = [], 0
    for found in re.finditer(rf"(?<![\w.])(?:{'|'.join(map(re.escape, names))})\b", masked(code, "go")):
        pieces += [code[at : found.start()], names[found[0]]]
        at = found.end()
    return "".join([*pieces, code[at:]])


def guard(package: str, said: Iterable[str], taken: Iterable[str], secret: Secret) -> str:
    """A file beside the tests that compiles only where the answer left alone what the tests stand on.

    Args:
        said: the words of the tests.
        taken: names that were the tests' own: whoever declares or uses them is not compiled.
    """
    checked = "\n".join(_CHECKED[name] for name in sorted(set(said) & set(_CHECKED))).replace("NAME", secret.name)
    needed = "".join(f'import {secret.name}{n} "{p}"\n' for n, p in _HELPERS.items() if f"{secret.name}{n}." in checked)
    dummies = "".join(f"func {name}() {{}}\n" for name in sorted(taken))
    return f"package {package}\n\n{needed}\n{checked}\n{dummies}"


def driven(files: Mapping[str, str], packages: Sequence[Package], secret: Secret, names: Sequence[str]) -> Driven:
    """The packages, in an order in which each finds those that it imports, with our main behind them.

    Args:
        names: of the tests of all packages, one after another, as they shall be called in their own eyes.

    Raises:
        NotDriven: more than one package has a TestMain.
    """
    tested = [package for package in packages if package.tests or package.examples]
    mains = [(number, package) for number, package in enumerate(tested) if package.test_main]
    if mains and len(tested) > 1:
        raise NotDriven("the tests have a TestMain and more than one package")
    calls = [f"tests{number}.{test}" for number, package in enumerate(tested) for test in package.tests]
    folders = [package.folder for package in tested for _ in package.tests]
    rows = [
        f'\t\t{{"{name}", run({number}, "{folder}", {call})}},\n'
        for number, (name, folder, call) in enumerate(zip(names, folders, calls, strict=True))
    ]
    total, known = len(calls), ""
    for number, package in enumerate(tested):
        for example in (*package.examples, *package.own_examples):
            call = f"tests{number}.{example.name}"
            if example in package.examples:
                call, total = f'ends({total}, "{package.folder}", {call})', total + 1
            known += f'\t\t{{"{example.name}", {call}, {_quoted(example.output)}, {str(example.unordered).lower()}}},\n'
    start = "testing.Main(func(_, _ string) (bool, error) { return true, nil }, tests, nil, examples)"
    more = ""
    if mains:
        start = f"tests0.{tested[0].test_main}(testing.MainStart(testdeps.TestDeps{{}}, tests, nil, nil, examples))"
        more = '\t"testing/internal/testdeps"\n'
    more += "".join(f'\ttests{number} "{package.path}"\n' for number, package in enumerate(tested))
    fill = {"IMPORTS": _IMPORTS + more, "START": start, "ROWS": "".join(rows), "EXAMPLES": known}
    return _built(files, packages, _TESTS, fill, total, secret)


def _quoted(text: str) -> str:
    """A string literal of Go."""
    plain = (chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\x{b:02x}" for b in text.encode())
    return f'"{"".join(plain)}"'


def _main_driven(program: Program, secret: Secret) -> Driven:
    mask = masked(program.tests, "go")
    mains = [item for item in items(mask, "go") if function_name(item, "go") == "main" and _plain(item)]
    if len(mains) != 1:
        raise NotDriven(f"the tests have {len(mains)} functions called main; wanted is one")
    if re.search(r"\b(?:os|syscall)\s*\.\s*Exit\s*\((?!\s*[1-9]\d*\s*\))", mask):
        raise NotDriven("the tests' main ends the program by os.Exit; let it return where all is well, and panic else")
    name = secret.name.upper()
    tests = renamed(program.tests, {"main": name})
    own = package_name(program.code)
    files = {
        program.main: program.code.rstrip("\n") + "\n\n" + tests.lstrip("\n"),
        f"{secret.name}_test.go": guard(own, words(mask), ("main",), secret),
    }
    fill = {"IMPORTS": '\t"syscall"\n\ttests "answer"\n'}
    return _built(files, [Package("answer", (*files,))], f"\ttests.{name}()\n\tanswer(1)\n", fill, 1, secret)


def _plain(item: Item) -> bool:
    return bool(re.match(r"func\s+main\s*\(\s*\)\s*$", item.head))


def _built(
    files: Mapping[str, str], packages: Sequence[Package], body: str, fill: dict[str, str], total: int, secret: Secret
) -> Driven:
    """`fill` is put in last, in its order: it has words of others."""
    main = f"{secret.name}.go"
    text = _DRIVER.replace("BODY", body)
    numbers = {"TOTAL": total, "BYTES": NONCE_BYTES, "KEY": secret.key, "LESSER": secret.lesser}
    for word, value in {"NAME": secret.name, **numbers, **fill}.items():
        text = text.replace(word, str(value))
    go = toolchain()
    archives = {package.path: f"p{number}.a" for number, package in enumerate(packages)}
    commands = [go.compile(p.path, archives[p.path], p.files, flags=p.flags) for p in packages]
    commands += [go.compile("main", "main.a", [main], LINK_CONFIG), go.link("main.a")]
    gone = (main, "main.a", *archives.values(), *(name for name in files if name.endswith("_test.go")))
    return Driven({**files, **go.configs(archives), main: text}, main, total, tuple(commands), gone)


_IMPORTS = '\t"flag"\n\t"os"\n\t"sync/atomic"\n\t"syscall"\n\t"testing"\n'
# The functions have a name that nobody can know, because //go:linkname reaches into other packages by name.
_DRIVER = """package main

import (
IMPORTS)

func main() { NAME() }

func NAME() {
	var nonce [BYTES]byte
	for got := 0; got < BYTES; {
		n, err := syscall.Read(0, nonce[got:])
		if err != syscall.EINTR && n <= 0 {
			break
		}
		if n > 0 {
			got += n
		}
	}
	var given uint64
	for _, c := range nonce {
		if c >= 'a' {
			c -= 'a' - '0' - 10
		}
		given = given<<4 + uint64(c-'0')
	}
	answer := func(passed int) {
		x := given ^ KEY
		if passed < TOTAL {
			x = given ^ LESSER
		}
		x += uint64(passed) * 0x9E3779B97F4A7C15
		x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
		x = (x ^ (x >> 27)) * 0x94D049BB133111EB
		x ^= x >> 31
		line := []byte("\\n")
		for at := 60; at >= 0; at -= 4 {
			line = append(line, "0123456789abcdef"[x>>at&15])
		}
		syscall.Write(1, append(line, '\\n'))
	}
BODY}
"""
_TESTS = """	var passed [TOTAL]bool
	var ended int32
	home, _ := os.Getwd()
	end := func() {
		if atomic.AddInt32(&ended, 1) == TOTAL {
			count := 0
			for _, good := range passed {
				if good {
					count++
				}
			}
			answer(count)
		}
	}
	ends := func(number int, folder string, example func()) func() {
		return func() {
			os.Chdir(home + "/" + folder)
			example()
			passed[number] = true
			end()
		}
	}
	run := func(number int, folder string, test func(*testing.T)) func(*testing.T) {
		return func(t *testing.T) {
			returned := false
			t.Cleanup(func() { // the last of the test: its own clean-ups and subtests came before
				passed[number] = !t.Failed() && (returned || t.Skipped() && !testing.Short())
				end()
			})
			os.Chdir(home + "/" + folder)
			test(t)
			returned = true
		}
	}
	_, _ = run, ends
	tests := []testing.InternalTest{
ROWS	}
	examples := []testing.InternalExample{
EXAMPLES	}
	os.Args = []string{"program"}
	testing.Init()
	for _, f := range [][2]string{
		{"run", ""}, {"skip", ""}, {"list", ""}, {"bench", ""}, {"fuzz", ""}, {"fuzzworker", "false"}, {"cpu", ""},
		{"short", "false"}, {"failfast", "false"}, {"count", "1"}, {"shuffle", "off"}, {"timeout", "0"},
	} {
		if flag.Lookup("test."+f[0]) != nil && flag.Set("test."+f[0], f[1]) != nil {
			os.Exit(3)
		}
	}
	START
"""
