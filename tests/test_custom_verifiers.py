"""A user's own verifiers: found where the user says, refused with what is wrong, and carried to every node."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from actors.cluster import connect
from actors.pool import VerifierPool
from actors.survey import survey
from haloforge import config as schema
from haloforge.config import RaftConfig
from haloforge.config_cli import check_verifier
from haloforge.errors import BadInput, MissingTool
from haloforge.preparation import verifier_arguments
from haloforge.records import Prompt, Sample
from haloforge.verifiers import custom, get_verifier, verdict

SHORT = """from haloforge.verifiers import Verifier, VerifyResult
import words

class Short(Verifier):
    def __init__(self, most=3, max_workers=1):
        super().__init__(max_workers)
        self.most = most

    def verify(self, code):
        return VerifyResult(len(code) <= self.most, words.GOOD if len(code) <= self.most else 0.0)
"""


@pytest.fixture
def place(tmp_path, home, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(custom, "_arrived", {})
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks/short.py").write_text(SHORT)
    (tmp_path / "checks/words.py").write_text("GOOD = 1.0\n")
    return tmp_path


def rewards(verifier) -> list[float | None]:
    return [verdict(verifier, code).reward for code in ("abc", "abcd", "abcde")]


def test_a_class_in_a_file_is_found_from_where_one_is_and_beside_the_config(place, monkeypatch):
    assert rewards(get_verifier("checks/short.py:Short", most=4)) == [1.0, 1.0, 0.0]
    assert rewards(get_verifier(f"{place}/checks/short.py:Short")) == [1.0, 0.0, 0.0]
    (place / "checks/run.yaml").write_text("verifier: {class: short.py:Short, args: {most: 4}}\n")
    config = schema.load(RaftConfig, Path("checks/run.yaml"))
    assert config.verifier.type == "checks/short.py:Short"  # as it is found from here: a later command needs no config
    assert rewards(get_verifier(config.verifier.type, **verifier_arguments(config))) == [1.0, 1.0, 0.0]
    check_verifier("checks/run.yaml", config)
    (place / "checks/run.yaml").write_text("verifier: {type: chain, stages: [{class: short.py:Short}]}\n")
    config = schema.load(RaftConfig, Path("checks/run.yaml"))
    assert config.verifier.stages == [{"class": "checks/short.py:Short"}]
    assert rewards(get_verifier("chain", **verifier_arguments(config))) == [1.0, 0.0, 0.0]


def test_a_file_may_be_called_like_a_module_that_somebody_has(place):
    (place / "json.py").write_text(SHORT.replace("import words\n", "").replace("words.GOOD", "0.5"))
    assert rewards(get_verifier("json.py:Short")) == [0.5, 0.0, 0.0]
    import json

    assert json.loads("[1]") == [1]


def test_what_a_run_gives_every_verifier_is_no_reason_to_refuse_a_class_or_a_command(place):
    for kind, args in (("checks/short.py:Short", {}), ("subprocess", {"command": "true {file}"})):
        config = RaftConfig.model_validate({"verifier": {"type": kind, "args": args}})
        get_verifier(kind, **verifier_arguments(config))
        config = RaftConfig.model_validate({"verifier": {"type": kind, "args": args, "run_after_compile": True}})
        with pytest.raises(BadInput, match=r"does not take .*'run_after_compile'"):
            get_verifier(kind, **verifier_arguments(config))


BASE = "from haloforge.verifiers import Verifier, VerifyResult\n"
WRONG = {
    "import nowhere_to_be_found\n": "cannot be imported: No module named 'nowhere_to_be_found'",
    "def broken(:\n": r"cannot be imported: SyntaxError.*line 1",
    "x = 1\n\ny = x / 0\n": r"cannot be imported: ZeroDivisionError: division by zero \(.*wrong.*\.py, line 3\)",
    "x = 1\n": "has no 'Mine'",
    "class Mine: pass\n": "no subclass of haloforge.verifiers.Verifier",
    BASE + "class Mine(Verifier): pass\n": r"lacks verify; wanted is verify\(self, code\)",
    BASE + "class Mine(Verifier):\n def verify(self): pass\n": r"has verify\(self\); wanted is verify\(self, code\)",
    BASE + "class Mine(Verifier):\n def verify(self, code, a, b): pass\n": r"has verify\(self, code, a, b\)",
    BASE + "class Mine(Verifier):\n def __init__(self, least): pass\n def verify(self, code): pass\n": (
        r"does not take these arguments: TypeError: .*'most'"
    ),
    BASE + "class Mine(Verifier):\n def __init__(self, most): 1 / 0\n def verify(self, code): pass\n": (
        r"cannot be made: ZeroDivisionError.*'most': 3"
    ),
    BASE + "class Mine(Verifier):\n def __init__(self, most): pass\n def verify(self, code): pass\n": (
        r"its __init__ does not call super\(\).__init__\(\)"
    ),
}


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_a_class_that_cannot_be_is_refused_with_what_is_wrong(place, number):
    text, words = list(WRONG.items())[number]
    (place / f"wrong_{number}.py").write_text(text)
    for form in (f"wrong_{number}.py:Mine", f"wrong_{number}:Mine"):
        with pytest.raises(BadInput, match=words):
            get_verifier(form, most=3)


@pytest.mark.parametrize(
    "named", ["nowhere.py:Short", "nowhere:Short", "checks/short.py:", ":Short", "checks/short.py"]
)
def test_a_class_that_is_not_there_is_refused(place, named):
    with pytest.raises(BadInput, match=r"nowhere|wanted is package\.module:Class or file\.py:Class|cannot be imported"):
        get_verifier(named)


def test_what_travels_is_the_file_or_package_and_what_it_imports_from_beside_it(place):
    (place / "checks/unused.py").write_text("raise SystemExit\n")
    code = custom.carried("chain", {"stages": [{"type": "gcc"}, {"class": "checks/short.py:Short"}]})
    assert list(code) == ["checks/short.py"]
    assert (code["checks/short.py"].place, set(code["checks/short.py"].files)) == ("short.py", {"short.py", "words.py"})
    shutil.move("checks", "package")
    (place / "package/__init__.py").write_text("")
    (place / "package/short.py").write_text(SHORT.replace("import words", "from package import words"))
    (place / "package/unused.py").write_text("")
    code = custom.carried("package.short:Short", {})
    assert set(code["package.short"].files) == {f"package/{n}.py" for n in ("__init__", "short", "unused", "words")}
    assert custom.carried("json:JSONDecoder", {}) == {}, "what is installed does not travel"
    assert custom.carried("gcc", {}) == {}
    (place / "package/unused.py").write_text("#" * custom.MOST_BYTES)
    with pytest.raises(BadInput, match="more than 4 MiB"):
        custom.carried("package.short:Short", {})


def test_what_arrived_is_what_is_imported_also_after_a_change(place, home):
    for most, expected in ((3, [1.0, 0.0, 0.0]), (4, [1.0, 1.0, 0.0])):
        (place / "checks/short.py").write_text(SHORT.replace("most=3", f"most={most}"))
        code = custom.carried("checks/short.py:Short", {})
        (place / "checks/short.py").write_text("raise SystemExit\n")
        custom.arrived(code)
        assert rewards(get_verifier("checks/short.py:Short")) == expected
    assert len(list((home / "cache/verifiers").iterdir())) == 2
    (home / "cache/verifiers").rename(home / "cache/gone")
    (home / "cache/verifiers").write_text("a file")
    with pytest.raises(MissingTool, match=r"cannot write .*cache/verifiers"):
        custom.arrived(code)


@pytest.mark.sandbox
@pytest.mark.parametrize("form", ["checks/short.py:Short", "package.short:Short"])
def test_a_class_judges_on_a_node_that_has_nothing_of_it(place, form):
    """The node is this machine, after the files are gone from it."""
    shutil.copytree("checks", "package")
    (place / "package/__init__.py").write_text("")
    (place / "package/short.py").write_text(SHORT.replace("import words", "from package import words"))

    async def play() -> None:
        with connect("test-travels") as cluster:
            asked = asyncio.ensure_future(survey(cluster, form, {"most": 4}, []))
            pool = VerifierPool([cluster.nodes[0]], form, {"most": 4})
            await asyncio.sleep(0)  # both have taken the code along
            shutil.rmtree("checks")
            shutil.rmtree("package")
            assert [one.lacks for one in await asked] == [""]
            await pool.start()
            for code, reward in (("abcd", 1.0), ("abcde", 0.0)):
                sample = Sample(f"1/p/{code}", "p", 1, 0, code, (1,), (2,), "stop")
                assert (await pool.judge(sample, Prompt("p", ""))).reward == reward

    asyncio.run(play())


PREDECESSORS = '''"""A verifier as the predecessor's users wrote them."""

import re
from typing import Optional

from halo_forge.rlvr.verifiers.base import Verifier, VerifyResult, RewardLevel


class KeywordVerifier(Verifier):
    """Pays for a header guard, and more for comments."""

    def __init__(self, keyword: str, min_lines: int = 2, max_workers: int = 8):
        super().__init__(max_workers=max_workers)
        self.keyword = keyword
        self.min_lines = min_lines
        self.seen: Optional[int] = 0

    def verify(self, code: str) -> VerifyResult:
        extracted = self.extract_code(code)
        self.seen += 1
        if not re.search(self.keyword, extracted):
            return VerifyResult(
                success=False,
                reward=RewardLevel.FAILURE.value,
                details="Verification failed",
                error=f"no {self.keyword}",
                metadata={"lines": len(extracted.splitlines())},
            )
        if len(extracted.splitlines()) < self.min_lines:
            return VerifyResult(success=False, reward=RewardLevel.COMPILE_CLEAN.value, details="Too short")
        return VerifyResult(success=True, reward=RewardLevel.CORRECT_OUTPUT.value, details="Good")

    def cleanup(self):
        self.seen = 0
'''


@pytest.mark.parametrize("package", ["haloforge.verifiers", "haloforge.verifiers.base"])
def test_a_verifier_written_for_the_predecessor_works_by_changing_its_import(place, package):
    (place / "keyword_verifier.py").write_text(PREDECESSORS.replace("halo_forge.rlvr.verifiers.base", package))
    verifier = get_verifier("keyword_verifier.py:KeywordVerifier", keyword="guard", max_workers=2, cpu_s=1.0)
    answers = ["```cpp\n// guard\nint x;\n```", "Sorry, I cannot.", "```cpp\nint guard;\n```"]
    results = verifier.verify_batch(answers)
    assert [(one.success, one.reward) for one in results] == [(True, 1.0), (False, 0.0), (False, 0.5)]
    assert [one.status for one in results] == ["passed", "tests_failed", "tests_failed"]
    assert results[1].error == "no guard"
    assert "lines" in results[1].metadata
    verifier.cleanup()
    assert verifier.seen == 0  # type: ignore[attr-defined]
