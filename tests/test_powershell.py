"""The verifier that parses PowerShell, by tree-sitter and by a stand-in for pwsh."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from haloforge.errors import BadInput, MissingTool
from haloforge.records import Case, Prompt
from haloforge.verifiers import get_verifier, powershell
from haloforge.verifiers.toolchain import has_tool

pytestmark = pytest.mark.sandbox
ABSENT = [name for name in powershell.PACKAGES if importlib.util.find_spec(name.replace("-", "_")) is None]
by_tree_sitter = pytest.mark.skipif(bool(ABSENT) or has_tool("pwsh"), reason=f"{ABSENT} absent, or there is pwsh")
TASK = Prompt("p", "a script", "powershell")
GOOD = "function Get-Twice {\n    param([int]$Number)\n    return 2 * $Number\n}\nGet-Twice 4 | Write-Output\n"


@by_tree_sitter
@pytest.mark.parametrize(
    ("answer", "status", "reward", "error"),
    [
        (GOOD, "compiled", 0.5, None),
        (f"Here it is:\n```powershell\n{GOOD}```\nDone.", "compiled", 0.5, None),
        ("if ($n {\n", "unknown", None, "line 1: unexpected"),
        (GOOD.replace("}\n", "\n"), "unknown", None, "line 5|line 6|line 1|missing"),
        ("$a | Where-Object { $_.Length -gt 1MB }\n", "unknown", None, "line 1"),  # right, and not in the grammar
        ("", "no_code", 0.0, None),
        ("```python\nprint(1)\n```", "no_code", 0.0, None),
    ],
)
@pytest.mark.parametrize("kind", ["powershell", "auto"])
def test_what_parses_is_compiled_and_what_does_not_is_unknown(kind, answer, status, reward, error):
    result = get_verifier(kind, max_workers=1).verify(answer, TASK)
    assert (result.status, result.reward) == (status, reward), result
    assert (result.level, result.trust) == (("", "") if status == "no_code" else ("ns", "build"))
    if error is None:
        assert result.error is None
    else:
        assert re.search(error, result.error or ""), result.error
    if status == "compiled":
        assert result.metadata["check_only"] is True, "nothing that was only parsed is trained on"
        assert result.metadata["parser"] == "tree-sitter"


@by_tree_sitter
def test_a_script_is_not_run_and_cannot_keep_the_parser(tmp_path):
    verifier = get_verifier("powershell", max_workers=1)
    spoiled = tmp_path / "spoiled"
    assert verifier.verify(f"New-Item {spoiled}\n", TASK).status == "compiled"
    assert not spoiled.exists()
    deep = verifier.verify("(" * 200_000, TASK)
    assert (deep.status, deep.reward) == ("unknown", None)
    assert verifier.verify(GOOD, TASK).status == "compiled"


def test_an_answer_in_another_language_to_a_task_that_names_none_is_not_judged():
    result = get_verifier("powershell", max_workers=1).verify("```python\nprint(1)\n```")
    assert (result.status, result.trust) == ("unknown", "")


def test_tests_and_other_languages_are_refused_before_a_run():
    for kind in ("powershell", "auto"):
        verifier = get_verifier(kind)
        with pytest.raises(BadInput, match=r"only parses, and prompt 'p' has tests \(stdio\)"):
            verifier.check([Prompt("p", "", "ps1", cases=(Case("", ""),))])
        verifier.check([TASK])
    with pytest.raises(BadInput, match="cannot judge rust; it knows powershell"):
        get_verifier("powershell").check([Prompt("p", "", "rust")])
    result = get_verifier("powershell", max_workers=1).verify(GOOD, Prompt("p", "", "ps1", cases=(Case("", ""),)))
    assert result.status == "unknown"


def test_without_a_parser_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(powershell, "has_tool", lambda tool: False)
    monkeypatch.setattr(powershell.importlib.util, "find_spec", lambda name: None)
    powershell._packages.cache_clear()
    try:
        for kind in ("powershell", "auto"):
            with pytest.raises(MissingTool, match=r"install PowerShell \(pwsh\), or `pip install tree-sitter tree"):
                get_verifier(kind).prepare(["powershell"])
    finally:
        powershell._packages.cache_clear()


FAKE = """import os, sys
def read(count):
    data = sys.stdin.buffer.read(count)
    if len(data) < count:
        sys.exit(0)
    return data
number = 0
while True:
    script = read(int.from_bytes(read(4), "big")).decode()
    number += 1
    if "DEEP" in script or ("OFTEN" in script and number > 1):
        os._exit(1)
    answer = " " + ("" if script.count("{") == script.count("}") else "line 1: Missing closing '}'")
    sys.stdout.buffer.write(len(answer).to_bytes(4, "big") + answer.encode())
    sys.stdout.buffer.flush()
"""


def test_with_pwsh_its_parser_decides_and_outlives_what_brings_it_down(monkeypatch, tmp_path):
    """The process in the box is a stand-in that counts braces: pwsh itself has not been run."""
    known = {"pwsh": "/usr/bin/true", "env": "/usr/bin/env"}
    monkeypatch.setattr(powershell, "has_tool", lambda tool: True)
    monkeypatch.setattr(powershell, "tool_path", known.__getitem__)
    started = []
    start = powershell.sandbox.Box.start

    def stand_in(box, argv, limits):
        started.append(argv)
        start(box, [str(Path(sys.executable).resolve()), "-c", FAKE], limits)

    monkeypatch.setattr(powershell.sandbox.Box, "start", stand_in)
    verifier = get_verifier("powershell", max_workers=1)
    try:
        found = [verifier.verify(code, TASK) for code in (GOOD, "function F {", GOOD)]
        assert [(r.status, r.reward) for r in found] == [("compiled", 0.5), ("compile_error", 0.0), ("compiled", 0.5)]
        assert found[1].error == "line 1: Missing closing '}'"
        assert len(started) == 1, "it is kept running"
        assert started[0][0] == "/usr/bin/env"
        assert started[0][-3:] == ["-NonInteractive", "-File", "parse.ps1"]
        assert verifier.verify("$often = 'OFTEN'", TASK).status == "compiled"  # another's doing: asked once more
        assert len(started) == 2
        deep = verifier.verify("$deep = 'DEEP'", TASK)
        assert (deep.status, deep.reward) == ("unknown", None), "what a script does to the parser is no verdict"
        assert verifier.verify(GOOD, TASK).status == "compiled"
    finally:
        verifier.cleanup()
