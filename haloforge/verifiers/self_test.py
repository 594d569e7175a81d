"""What each verifier finds on this machine: its tools, and one good and one bad program that it really judges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from haloforge.errors import BadInput, HaloforgeError, MissingTool
from haloforge.records import COMPILE_ERROR, COMPILED, PASSED, UNKNOWN, WRONG_ANSWER, Case, Prompt, VerifyResult
from haloforge.verifiers import VERIFIERS, get_verifier, powershell
from haloforge.verifiers.base import Verifier, printable
from haloforge.verifiers.powershell import PowerShellVerifier
from haloforge.verifiers.programs import ProgramVerifier
from haloforge.verifiers.toolchain import REMEDY, has_tool, versions

PROGRAMS = {
    "c": '#include <stdio.h>\nint main(void) { int n; scanf("%d", &n); printf("%d\\n", FACTOR * n); return 0; }\n',
    "cpp": "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << FACTOR * n << std::endl; }\n",
    "cpp-windows": "#include <windows.h>\n#include <stdio.h>\n"
    'int main() { int n; scanf("%d", &n); printf("%d\\n", FACTOR * n); return (int)GetLastError() * 0; }\n',
    "rust": "use std::io;\nfn main() {\n    let mut line = String::new();\n"
    "    io::stdin().read_line(&mut line).unwrap();\n    let n: i64 = line.trim().parse().unwrap();\n"
    '    println!("{}", FACTOR * n);\n}\n',
    "go": 'package main\n\nimport "fmt"\n\nfunc main() {\n\tvar n int\n\tfmt.Scan(&n)\n\tfmt.Println(FACTOR * n)\n}\n',
    "csharp": "using System;\nclass Program {\n"
    "    static void Main() { Console.WriteLine(FACTOR * int.Parse(Console.ReadLine())); }\n}\n",
}
"""Language → a program that prints the number it reads times FACTOR; right is 2."""
_CASES = (Case("4\n", "8\n"), Case("-10\n", "-20\n"))


@dataclass(frozen=True, slots=True)
class Found:
    """One verifier in one language on one machine."""

    verifier: str
    language: str
    tools: dict[str, str | None]
    """Tool → version; None: absent."""
    works: bool | None
    """Whether both programs got the verdict that they deserve; None: not tried."""
    words: str
    """What became of them, or why they were not tried."""


def self_test() -> tuple[str, list[Found]]:
    """The sandbox's level, and what is found, a language at a time. Raises MissingTool where no sandbox holds."""
    found = [one for name in VERIFIERS for one in _of(name)]
    return Verifier().level, found


def _of(name: str) -> Iterator[Found]:
    try:
        verifier = get_verifier(name)
    except BadInput as e:
        yield Found(name, "", {}, None, f"not tried: {e}")
        return
    if isinstance(verifier, PowerShellVerifier):
        yield _parsed(verifier)
        return
    if not isinstance(verifier, ProgramVerifier):
        yield Found(name, "", {}, None, "not tried: it needs arguments")
        return
    for language, row in verifier.rows.items():
        known = versions(row.tools)
        tools = {tool: known.get(tool) for tool in row.tools}
        absent = [tool for tool in row.tools if not has_tool(tool)]
        if absent:
            yield Found(name, language, tools, None, f"not tried: {', '.join(absent)} absent; {REMEDY}")
        elif language not in PROGRAMS:
            yield Found(name, language, tools, None, "not tried: there is no program in this language")
        else:
            yield Found(name, language, tools, *_tried(verifier, language, row.here().run is not None))


def _parsed(verifier: PowerShellVerifier) -> Found:
    tools = powershell.parser_versions()
    good, bad = "Write-Output 2\n", "if ($n {\n"
    try:
        verifier.prepare()
    except MissingTool as e:
        return Found(verifier.name, "powershell", tools, None, f"not tried: {e}")
    results = [verifier.verify(code, as_it_stands=True) for code in (good, bad)]
    verifier.cleanup()
    works = results[0].status == COMPILED and results[1].status in (COMPILE_ERROR, UNKNOWN)
    seconds = sum(result.wall_s for result in results)
    return Found(verifier.name, "powershell", tools, works, f"{', '.join(map(_words, results))}, {seconds:.2f} s")


def _tried(verifier: ProgramVerifier, language: str, runs: bool) -> tuple[bool | None, str]:
    program = PROGRAMS[language]
    good, bad = program.replace("FACTOR", "2"), program.replace("FACTOR", "3")
    task = Prompt("self-test", "", language, cases=_CASES if runs else ())
    if verifier.cases(task) is None:
        return None, "not tried: this machine only builds such programs"
    wanted = (PASSED, WRONG_ANSWER) if runs else (COMPILED, COMPILE_ERROR)
    try:
        results = [verifier.verify(code, task, as_it_stands=True) for code in (good, bad if runs else program)]
    except HaloforgeError as e:
        return False, str(e)
    words = ", ".join(map(_words, results))
    return tuple(r.status for r in results) == wanted, f"{words}, {sum(r.wall_s for r in results):.2f} s"


def _words(result: VerifyResult) -> str:
    said = "" if result.status in (PASSED, COMPILED, WRONG_ANSWER, COMPILE_ERROR) else result.error or result.details
    return f"{result.status}{f' ({printable(said, 100)})' if said else ''}"
