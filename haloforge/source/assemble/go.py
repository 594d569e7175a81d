"""Go: the tests are functions behind the answer in one file, or a test file beside it.

Go refuses an import that nothing uses, so imports follow what is left after the answer's own main and tests are
dropped. In one file with the tests they are merged, and those that nothing uses go. In a file of the answer's own, one
that it never used stays, for that is its mistake, unless the prompt had written it.
"""

from __future__ import annotations

import re

from haloforge.source.assemble.parts import Parts, Task
from haloforge.source.lexing import Item, function_name, items, masked

_PACKAGE = re.compile(r"package\s+(\w+)")
_SPEC = re.compile(r"(?:(?<![\w\"/])([\w.]+)[ \t]+)?[\"`]([^\"`\n]+)[\"`]")
_OWN_TEST = re.compile(r"(?:Test|Benchmark|Fuzz)(?![a-z])\w*$")
_TEST_ARGUMENT = re.compile(r"\(\s*\w*\s*\*\s*testing\s*\.\s*[TBMF]\s*\)")
_STANDARD = {
    "bufio": "bufio", "bytes": "bytes", "cmp": "cmp", "context": "context", "errors": "errors", "fmt": "fmt",
    "io": "io", "json": "encoding/json", "maps": "maps", "math": "math", "big": "math/big", "rand": "math/rand",
    "os": "os", "reflect": "reflect", "regexp": "regexp", "slices": "slices", "sort": "sort", "strconv": "strconv",
    "strings": "strings", "sync": "sync", "testing": "testing", "time": "time", "unicode": "unicode", "utf8":
    "unicode/utf8", "atomic": "sync/atomic", "hex": "encoding/hex", "md5": "crypto/md5", "sha256": "crypto/sha256",
}  # fmt: skip
"""The packages that appended tests may use without saying so."""


def parts(raw: str, code: str, task: Task) -> Parts:
    tests, kind = task.prompt.tests, task.prompt.tests_kind
    beside = kind == "go_test"
    beside_or_alone = kind != "append_go_test"
    code = task.completed(raw, code)
    checks = test_names(tests)
    names = ("sol.go", "sol_test.go") if beside else None
    one_name = "sol_test.go" if kind == "append_go_test" else None
    if not code.strip() or task.as_it_stands:
        return Parts(code, _in_package(tests, code, task) if beside else tests, checks, names, one_name)
    began = task.began()
    mask = task.mask(code)
    own = task.items(mask)
    package = next((found[1] for item in own if (found := _PACKAGE.match(item.head))), "")
    if beside:
        wanted = _package(tests, task) or package or "main"
        package = wanted if not wanted.endswith("_test") or package == wanted else wanted.removesuffix("_test")
    package = package or (_package(began.code, task) if began else "") or "main"

    dropped = [i for i in own if tests and _is_own_test(i)]
    imports = [i for i in own if re.match(r"import\b", i.head)]
    headers = [*imports, *(i for i in own if _PACKAGE.match(i.head))]
    body = _cut(code, [*headers, *dropped])
    before = _cut(mask, headers)
    visible = _cut(mask, [*headers, *dropped]) + ("" if beside else task.mask(tests))
    given = _imports(began.code, task) if began else {}
    kept: dict[str, str] = {}
    for name, spec in {k: v for i in imports for k, v in _specs(code[i.start : i.end]).items()}.items():
        theirs = name in given and given[name] == spec
        own_mistake = beside_or_alone and not theirs and not _uses(before, name)
        if name in ("_", ".") or _uses(visible, name) or own_mistake:
            kept[name] = spec
    for name, spec in given.items():
        if name not in kept and _uses(visible, name):
            kept[name] = spec
    if not beside:
        tests_mask = task.mask(tests)
        for name, path in _STANDARD.items():
            if name not in kept and _uses(tests_mask, name) and not _declares(tests_mask, name):
                kept[name] = f'"{path}"'
    lines = "".join(f"\t{spec}\n" for spec in sorted(kept.values(), key=lambda s: s.split('"')[1]))
    head = f"package {package}\n\n" + (f"import (\n{lines})\n\n" if lines else "")
    return Parts(head + body.lstrip("\n"), tests, checks, names, one_name)


def _in_package(tests: str, code: str, task: Task) -> str:
    """`tests` in the package of an answer that is taken as it stands, unless they are outside of any by intent."""
    own, found = _package(code, task), re.search(r"^[ \t]*package\s+(\w+)", task.mask(tests), re.M)
    if not own or not found or found[1] == own or found[1].endswith("_test"):
        return tests
    return tests[: found.start(1)] + own + tests[found.end(1) :]


def _package(code: str, task: Task) -> str:
    found = re.search(r"^[ \t]*package\s+(\w+)", task.mask(code), re.M)
    return found[1] if found else ""


def _is_own_test(item: Item) -> bool:
    name = function_name(item, "go") or ""
    if re.match(r"func\s*\(", item.head):  # a method
        return False
    if name == "main" or re.match(r"Example(?![a-z])", name):
        return bool(re.search(rf"\b{name}\s*\(\s*\)\s*$", item.head))
    return bool(_OWN_TEST.match(name) and _TEST_ARGUMENT.search(item.head))


def _cut(text: str, gone: list[Item]) -> str:
    pieces, at = [], 0
    for item in sorted(gone, key=lambda i: i.start):
        pieces.append(text[at : item.start])
        at = item.end
    return "".join([*pieces, text[at:]])


def _specs(text: str) -> dict[str, str]:
    """{the name by which a package is called: its import spec} of one import declaration."""
    found = {}
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text.removeprefix("import"), flags=re.S)
    for alias, path in _SPEC.findall(text):
        last = re.sub(r"/v\d+$", "", path).rpartition("/")[2]
        found[alias or last] = f'{alias} "{path}"' if alias else f'"{path}"'
    return found


def _imports(code: str, task: Task) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in task.items(task.mask(code)):
        if re.match(r"import\b", item.head):
            found |= _specs(code[item.start : item.end])
    return found


def _uses(mask: str, name: str) -> bool:
    return bool(re.search(rf"(?<![\w.]){re.escape(name)}\s*\.\s*[A-Z]", mask))


def _declares(mask: str, name: str) -> bool:
    return bool(re.search(rf"\bvar\s+{name}\b|\b{name}\s*(?:,\s*\w+\s*)*:=|\bfunc\s+{name}\b", mask))


def test_names(tests: str) -> tuple[str, ...]:
    """The test functions that `go test` will run."""
    found = items(masked(tests, "go"), "go")
    named = ((function_name(i, "go") or "") for i in found if _TEST_ARGUMENT.search(i.head))
    return tuple(name for name in named if re.match(r"Test(?![a-z])", name) and name != "TestMain")
