"""What verifiers' constructors take: checked by type before anything is made, and told in docs/VERIFIERS.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from haloforge.config import RaftConfig, load
from haloforge.config.raft import LimitsBlock
from haloforge.errors import BadInput
from haloforge.preparation import verifier_arguments
from haloforge.records import Prompt
from haloforge.verifiers import VERIFIERS, get_verifier
from haloforge.verifiers.arguments import arguments_of
from haloforge.verifiers.programs import ProgramVerifier

FILE = {"command": "true {file}"}
TWO = [{"type": "gcc"}, {"type": "clang"}]
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("gcc", {"check_only": "maybe"}, "gcc: check_only is 'maybe'; wanted is true or false"),
    ("gcc", {"run_after_compile": 1}, "run_after_compile is 1; wanted is true or false"),
    ("gcc", {"cpu_s": True}, "cpu_s is True; wanted is a number"),
    ("gcc", {"cpu_s": "1e-9"}, "cpu_s is 1e-09; wanted is a number from 0.01"),
    ("gcc", {"cpu_s": float("nan")}, "cpu_s is nan; wanted is a number from 0.01"),
    ("gcc", {"timeout": 1e30}, "timeout is 1e+30; wanted is a number from 0.01 to below 1e9"),
    ("gcc", {"memory_mb": 0.5}, "memory_mb is 0.5; wanted is a whole number"),
    ("gcc", {"max_workers": 0}, "max_workers is 0; wanted is a number from 1"),
    ("gcc", {"mounts": "/opt"}, "mounts is '/opt'; wanted is a list, each a text"),
    ("gcc", {"warnings": True}, "warnings is True; wanted is ignore or penalise"),
    ("gcc", {"check": True}, "does not take 'check'; did you mean 'check_only'?; it takes allow_weak, check_only, "),
    ("auto", {"reference_floor_s": "long"}, "reference_floor_s is 'long'; wanted is a number"),
    ("execution", {"test_cases": 3}, "test_cases is 3; wanted is a list"),
    ("chain", {"stages": "gcc"}, "stages is 'gcc'; wanted is a list, each an object"),
    ("chain", {"stages": TWO, "weights": ["0.5", "0.5"]}, "weights is ['0.5', '0.5']; wanted is a list, each a number"),
    ("chain", {"stages": TWO, "weights": [float("nan"), 1]}, "weights are [nan, 1]; wanted are numbers"),
    ("chain", {"stages": [{"type": "gcc", "args": 3}]}, "stage 1 of the chain: args is 3"),
    ("chain", {"stages": [{"type": "gcx"}]}, "no verifier 'gcx'; did you mean 'gcc'?"),
    ("subprocess", {"command": 3}, "command is 3; wanted is a text"),
    ("subprocess", {**FILE, "timeout": 0, "cpu_s": 2.0}, "timeout is 0; wanted is a number from 0.01"),
    ("subprocess", {**FILE, "check_only": True}, "does not take 'check_only'"),
    ("broken_checks:Any", {}, "cannot be imported: SyntaxError"),
    ("whole_checks:Fails", {}, "cannot be made: ZeroDivisionError"),
    ("whole_checks:Plain", {"most": 3}, "does not take these arguments: TypeError"),
]


@pytest.fixture
def classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two modules of a user's, one of which is no Python."""
    (tmp_path / "broken_checks.py").write_text("class Any(:\n")
    (tmp_path / "whole_checks.py").write_text(
        "from haloforge.verifiers import Verifier\n"
        "class Plain(Verifier):\n    def verify(self, code): pass\n"
        "class Fails(Plain):\n    def __init__(self): 1 / 0\n"
        "class Most(Plain):\n    def __init__(self, most=1, **more): super().__init__(**more)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(("kind", "given", "words"), REFUSED, ids=lambda v: str(v)[:40])
def test_a_setting_that_does_not_fit_is_refused_with_what_is_wanted(classes, kind, given, words):
    with pytest.raises(BadInput, match=re.escape(words)):
        get_verifier(kind, **given)


def test_numbers_that_yaml_reads_as_texts_are_numbers():
    verifier = get_verifier("gcc", cpu_s="2e0", memory_mb="1e3")
    assert (verifier.cpu_s, verifier.memory_mb) == (2.0, 1000)
    assert isinstance(verifier.memory_mb, int)


@pytest.mark.parametrize(
    "typed",
    [
        {"verifier.type": "subprocess", "verifier.args": FILE},
        {"verifier.type": "whole_checks:Plain"},
        {"verifier.type": "whole_checks:Most", "verifier.args": {"most": 3}},
        {"verifier.type": "chain", "verifier.stages": [*TWO, {"type": "subprocess", "args": FILE}]},
    ],
)
def test_a_run_can_use_verifiers_that_compile_nothing(classes, typed):
    """A run gives every verifier its limits and compiler settings."""
    verifier = get_verifier(typed["verifier.type"], **verifier_arguments(load(RaftConfig, None, typed)))
    assert verifier.memory_mb == 512
    asked = {**typed, "verifier.check_only": True}
    with pytest.raises(BadInput, match="check_only"):
        get_verifier(typed["verifier.type"], **verifier_arguments(load(RaftConfig, None, asked)))


def test_limits_that_nobody_names_are_those_of_the_config():
    limits = LimitsBlock().model_dump()
    assert len(limits) == 5
    for name, kind in VERIFIERS.items():
        if issubclass(kind, ProgramVerifier):
            verifier = get_verifier(name)
            assert {key: getattr(verifier, key) for key in limits} == limits


@pytest.mark.sandbox
def test_a_row_with_flags_that_no_compiler_takes_is_no_verdict_on_the_sample():
    flags = Prompt("p", "", language="c", cflags="--wow")
    gcc = get_verifier("gcc", max_workers=1)
    result = gcc.verify("int main(void) { return 0; }", flags)
    assert (result.status, result.reward) == ("unknown", None)
    assert "cflags '--wow', with which nothing compiles: gcc: error" in result.details
    with pytest.raises(BadInput, match="prompt 'p' has cflags '--wow'"):
        gcc.check([flags])
    clang = get_verifier("clang", max_workers=1)
    only_cpp = Prompt("q", "", cflags="-std=c++17")  # clang refuses it for C; the answers may be C++
    clang.check([only_cpp])
    assert clang.verify("```cpp\nint main() { return 0; }\n```", only_cpp).status == "compiled"


@pytest.mark.sandbox
def test_a_command_that_is_not_there_is_no_verdict_on_the_sample():
    absent = get_verifier("subprocess", command="nonesuch {file}", max_workers=1)
    with pytest.raises(BadInput, match="boxes have no nonesuch"):
        absent.prepare()
    assert absent.verify("int main() {}").status == "infra_error"
    says_so = get_verifier("subprocess", command="sh {file}", max_workers=1)
    assert says_so.verify("exit 127", as_it_stands=True).status == "tests_failed"


# ---- docs/VERIFIERS.md ------------------------------------------------------------------------------------

DOCS = Path(__file__).parent.parent / "docs"
COMPILERS = {"gcc", "clang", "mingw", "rust", "go", "dotnet", "auto", "execution"}
PYTHON = {"asserts", "humaneval", "mbpp", "unittest", "pytest"}
OF = {
    "compilers and Python": COMPILERS | PYTHON,
    "auto and Python": {"auto"} | PYTHON,
    "all": {*VERIFIERS},
    "all but subprocess and msvc": {*VERIFIERS} - {"subprocess", "msvc"},
    "compilers": COMPILERS,
    "compilers and msvc": COMPILERS | {"msvc"},
}


def test_the_table_of_arguments_is_what_the_constructors_take():
    table = (DOCS / "VERIFIERS.md").read_text().partition("\n## Arguments\n")[2].partition("\n## ")[0]
    told: dict[str, dict[str, str]] = {name: {} for name in VERIFIERS}
    for name, default, of in re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.*?) \|", table, re.M):
        for verifier in OF.get(of) or {of}:
            assert name not in told[verifier], f"{name} of {verifier} stands there twice"
            told[verifier][name] = default
    taken = {
        verifier: {name: str(p.default) for name, p in arguments_of(kind).items()}
        for verifier, kind in VERIFIERS.items()
    }
    assert told == taken


@pytest.mark.sandbox
@pytest.mark.parametrize("page", ["VERIFIERS.md", "VERIFY.md"])
def test_the_python_of_the_docs_prints_what_it_says(page, home, capsys):
    """What a line prints stands behind it in a comment."""
    found = re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(), re.M | re.S)
    assert found
    for block in found:
        exec(compile(block, page, "exec"), {"__name__": "docs"})
        assert capsys.readouterr().out.splitlines() == re.findall(r"^print\(.*\)  # (.*)$", block, re.M)
