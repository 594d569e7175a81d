"""`powershell`: whether a script parses; nothing is run, and nothing so judged is trained on.

By PowerShell's own parser where `pwsh` is installed, kept running in a box of its own. Otherwise by tree-sitter's
grammar, which refuses some right scripts: what it flags is `unknown`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from haloforge import records as r
from haloforge import sandbox
from haloforge.errors import BadInput, MissingTool, SandboxFault
from haloforge.records import Prompt, VerifyResult
from haloforge.sandbox import MIB, Box, Limits
from haloforge.source.assemble import assemble
from haloforge.source.detect import known_language
from haloforge.source.extract import foreign_fences
from haloforge.verifiers import rewards
from haloforge.verifiers.base import Verifier, printable
from haloforge.verifiers.toolchain import has_tool, tool_path, versions

PWSH, TREE_SITTER = "pwsh", "tree-sitter"
PACKAGES = ("tree-sitter", "tree-sitter-powershell")
ANSWER_S = 10.0
"""Seconds by the clock for one script, and the parser's start where it does not run yet."""
INPUTS = 500
"""Scripts after which the parser is started anew."""
MOST_BYTES = 1 * MIB
_PARSING = Limits(cpu_s=5, wall_s=ANSWER_S, memory_bytes=512 * MIB, output_bytes=MOST_BYTES)
_RESIDENT = Limits(cpu_s=1e6, wall_s=1e6, memory_bytes=2048 * MIB, disk_bytes=64 * MIB, processes=128)
_LAST_SLOT = 63
"""Of boxes; those of samples and resident compilers are counted from the other end."""


class PowerShellVerifier(Verifier):
    """`compiled` where a script parses. `metadata["parser"]` says by which: pwsh or tree-sitter."""

    name = "powershell"

    def __init__(self, max_workers: int = 8, **common: Any) -> None:
        super().__init__(max_workers, **common)
        self._lock = threading.Lock()
        self._pwsh = _Pwsh(self)

    def check(self, prompts: Sequence[Prompt]) -> None:
        for prompt in prompts:
            if prompt.has_checks:
                raise BadInput(
                    f"verifier powershell only parses, and prompt {prompt.id!r} has tests ({prompt.tests_kind}); leave "
                    "them out, or judge it with a class of your own"
                )
            self._known(prompt.language)

    def _known(self, language: str | None) -> None:
        if (language or "any").lower() != "any" and known_language(language) != "powershell":
            raise BadInput(f"verifier powershell cannot judge {language}; it knows powershell")

    def required_tools(self, language: str) -> tuple[str, ...]:
        self._known(language)
        return (tool_path(PWSH),) if _parser() == PWSH else ()

    def prepare(self, languages: Sequence[str] = ()) -> str:
        _parser()
        return super().prepare([name for name in languages if known_language(name) == "powershell"])

    def fingerprint(self) -> dict[str, Any] | None:
        return None if self.mounts else {"level": self.level, "tools": parser_versions()}

    def judge(self, code: str, task: Prompt | None, as_it_stands: bool) -> VerifyResult:
        task = task or Prompt(id="", text="")
        named = known_language(task.language)
        foreign = "" if as_it_stands else foreign_fences(code, ["powershell"])
        language = named or foreign or "powershell"
        script = assemble(code, replace(task, language=language), as_it_stands=as_it_stands).code
        metadata: dict[str, Any] = {"language": language, "check_only": True}
        cpu_s, error = 0.0, None
        parser = ""
        if not script.strip():
            status, details = r.NO_CODE, "the answer has no code"
        elif named and foreign:
            status, details = r.NO_CODE, f"the answer has code in {foreign} only; wanted is {named}"
        elif language != "powershell":
            status, details = r.UNKNOWN, f"verifier powershell cannot judge {language}; it knows powershell"
        elif task.has_checks:
            status, details = (
                r.UNKNOWN,
                f"verifier powershell only parses: it has no way to run {task.tests_kind} tests",
            )
        else:
            metadata["parser"] = parser = _parser()
            error, cpu_s = self._by_pwsh(script) if parser == PWSH else self._by_tree_sitter(script)
            if not error:
                status, details = r.COMPILED, f"parsed by {parser} only: neither commands nor types were looked up"
            elif parser == PWSH and error != _GAVE_UP:
                status, details = r.COMPILE_ERROR, "does not parse"
            else:
                status, details = r.UNKNOWN, f"{parser} does not parse it, and that alone proves nothing"
        return VerifyResult(
            success=status == r.COMPILED,
            reward=rewards.gcc(status, 0, 0),
            details=details,
            error=printable(error) if error else None,
            metadata=metadata,
            status=status,
            cpu_s=cpu_s,
            level=self.level if parser else "",
            trust="build" if parser else "",
            code=script,
        )

    def _by_tree_sitter(self, script: str) -> tuple[str, float]:
        """What it flags, "" for nothing; and CPU seconds."""
        site, *packages = _packages()
        argv = [os.path.realpath(sys.executable), "-I", "-S", "-c", _TREE_SITTER, site]
        with self.box({}, _PARSING, packages) as box:
            outcome = box.run(argv, (script.rstrip() + "\n").encode("utf-8", "replace"))
        if outcome.ended_by:
            return _GAVE_UP, outcome.cpu_s
        if not outcome.ok:
            raise SandboxFault(f"tree-sitter does not work on this node: {printable(outcome.stderr)}")
        return json.loads(outcome.stdout), outcome.cpu_s

    def _by_pwsh(self, script: str) -> tuple[str, float]:
        """The same, CPU not counted. A parser that earlier scripts have brought down is started anew."""
        with self._lock:
            for _ in range(2):
                try:
                    return self._pwsh.ask(script), 0.0
                except SandboxFault:
                    alone = self._pwsh.asked == 1
                    self._pwsh.close()
                    if alone:
                        break
            self._pwsh.ask("1")  # raises where pwsh itself does not work here
            return _GAVE_UP, 0.0

    def cleanup(self) -> None:
        self._pwsh.close()
        super().cleanup()


_GAVE_UP = "the parser came to no end"


def _parser() -> str:
    """Which parser this node has. Raises MissingTool where it has none."""
    if has_tool(PWSH):
        return PWSH
    _packages()
    return TREE_SITTER


def parser_versions() -> dict[str, str | None]:
    """Tool or package → version; None where it is absent."""
    if has_tool(PWSH):
        return dict(versions([PWSH]))
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = f"{name} {version(name)}"
        except PackageNotFoundError:
            found[name] = None
    return found


@cache
def _packages() -> tuple[str, ...]:
    """The folder that holds tree-sitter's packages, and theirs. Raises MissingTool where one is absent."""
    specs = [importlib.util.find_spec(name.replace("-", "_")) for name in PACKAGES]
    folders = [os.path.dirname(spec.origin) for spec in specs if spec and spec.origin]
    if len(folders) < len(PACKAGES):
        raise MissingTool(
            "the verifier needs a PowerShell parser, absent on this node: install PowerShell (pwsh), or "
            f"`pip install {' '.join(PACKAGES)}` (the extra powershell)"
        )
    return (os.path.dirname(folders[0]), *folders)


_TREE_SITTER = r"""
import json, sys
sys.path.append(sys.argv[1])
import tree_sitter, tree_sitter_powershell
text = sys.stdin.buffer.read()
parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
cursor, said = parser.parse(text).walk(), ""
while not said and cursor.node.has_error:  # down to the first node that is itself an error
    node = cursor.node
    if node.is_missing:
        said = f"line {node.start_point[0] + 1}: {node.type} is missing"
    elif node.is_error or not cursor.goto_first_child():
        part = text[node.start_byte:node.end_byte][:60].decode("utf-8", "replace")
        said = f"line {node.start_point[0] + 1}: unexpected {part!r}"
    else:
        while not cursor.node.has_error and cursor.goto_next_sibling():
            pass
        if not cursor.node.has_error:
            said = f"line {node.start_point[0] + 1}: does not parse"
print(json.dumps(said))
"""


class _Pwsh:
    """One pwsh that parses one script after another; it never runs them."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._slot = _LAST_SLOT - verifier.slot % 16
        self._box: Box | None = None
        self.asked = 0

    def ask(self, script: str) -> str:
        """The first errors, "" for none. Raises SandboxFault where no answer comes."""
        if self._box is None or self.asked >= INPUTS:
            self._start()
        assert self._box is not None
        self.asked += 1
        answer = self._box.ask(script.encode("utf-8", "replace"), ANSWER_S, MOST_BYTES)
        return answer[1:].decode("utf-8", "replace")  # an empty message is none

    def _start(self) -> None:
        self.close()
        program = tool_path(PWSH)
        home = os.path.dirname(os.path.realpath(program))
        shown = () if home.startswith("/usr/") else (home,)
        level = self._verifier.level
        box = sandbox.box({"parse.ps1": _SERVER}, _RESIDENT, level=level, slot=self._slot, mounts=shown, talks=True)
        self._box = box.__enter__()
        # The runtime's second view of its own code needs a call that boxes refuse; its heap's reservation would pass
        # the limit of address space.
        variables = ("DOTNET_EnableWriteXorExecute=0", "DOTNET_GCHeapHardLimit=0x20000000", "HOME=/tmp")
        quiet = ("POWERSHELL_TELEMETRY_OPTOUT=1", "POWERSHELL_UPDATECHECK=Off")
        command = (program, "-NoLogo", "-NoProfile", "-NonInteractive", "-File", "parse.ps1")
        box.start([tool_path("env"), *variables, *quiet, *command], _RESIDENT)

    def close(self) -> None:
        box, self._box, self.asked = self._box, None, 0
        if box is not None:
            box.close()


_SERVER = r"""
$source = [Console]::OpenStandardInput()
$sink = [Console]::OpenStandardOutput()
function Read-Exactly([int]$count) {
    $data = [byte[]]::new($count)
    $at = 0
    while ($at -lt $count) {
        $more = $source.Read($data, $at, $count - $at)
        if ($more -le 0) { exit 0 }
        $at += $more
    }
    return , $data
}
while ($true) {
    $size = Read-Exactly 4
    $length = ([int]$size[0] -shl 24) -bor ([int]$size[1] -shl 16) -bor ([int]$size[2] -shl 8) -bor [int]$size[3]
    $text = [System.Text.Encoding]::UTF8.GetString((Read-Exactly $length))
    $tokens = $null
    $errors = $null
    [void][System.Management.Automation.Language.Parser]::ParseInput($text, [ref]$tokens, [ref]$errors)
    $lines = $errors | Select-Object -First 3 | ForEach-Object { "line $($_.Extent.StartLineNumber): $($_.Message)" }
    $answer = [System.Text.Encoding]::UTF8.GetBytes(' ' + ($lines -join "`n"))
    $n = $answer.Length
    $head = [byte[]]@(($n -shr 24) -band 255, ($n -shr 16) -band 255, ($n -shr 8) -band 255, $n -band 255)
    $sink.Write($head, 0, 4)
    $sink.Write($answer, 0, $n)
    $sink.Flush()
}
"""
