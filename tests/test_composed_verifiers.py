"""Verifiers made of others, of a command, or by a user: what they are worth together and what they may get wrong."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from haloforge.errors import BadInput, MissingTool
from haloforge.records import Case, Prompt, VerifyResult
from haloforge.verifiers import (
    ChainedVerifier,
    ExecutionVerifier,
    GCCVerifier,
    SubprocessVerifier,
    Verifier,
    get_verifier,
    verdict,
)

pytestmark = pytest.mark.sandbox

RIGHT = '#include <stdio.h>\nint main(void) { puts("7"); return 0; }\n'
WRONG = RIGHT.replace("7", "8")
SEVEN = Prompt("p", "print 7", language="c", cases=(Case("", "7\n"),))
NO_TESTS = Prompt("p", "print 7", language="c")


class Said(Verifier):
    """Says what it was made with, and counts how often it is asked."""

    def __init__(self, *results: Any) -> None:
        super().__init__(max_workers=1)
        self.results, self.asked = list(results), 0

    def verify(self, code, task=None):  # type: ignore[override]
        self.asked += 1
        return self.results[0]


def test_a_chain_pays_each_stage_that_succeeds_its_whole_weight_and_stops_at_the_first_other():
    gcc, execution = GCCVerifier(max_workers=1), ExecutionVerifier(max_workers=1, slot=1)
    last = Said(VerifyResult(True, 1.0))
    chain = ChainedVerifier([gcc, execution, last], weights=[0.2, 0.5, 0.3])
    good = chain.verify(RIGHT, SEVEN)
    assert (good.status, good.reward, good.success, last.asked) == ("passed", 1.0, True, 1)
    built = chain.verify(RIGHT, NO_TESTS)  # gcc only builds and succeeds; execution has nothing to run
    assert (built.status, built.reward, built.metadata["stages"]) == ("unknown", None, ["compiled", "unknown"])
    wrong = chain.verify(WRONG, SEVEN)
    assert (wrong.status, wrong.metadata["stages"], last.asked) == ("wrong_answer", ["wrong_answer"], 1)
    assert wrong.reward == pytest.approx(0.2 * 0.7)
    assert chain.verify("int main(", SEVEN).reward == 0


def test_a_chain_of_builds_is_compiled_and_one_with_a_pass_is_passed():
    gcc = GCCVerifier(max_workers=1)
    assert ChainedVerifier([gcc, gcc]).verify(RIGHT, NO_TESTS).status == "compiled"
    chain = ChainedVerifier([GCCVerifier(max_workers=1), Said(VerifyResult(True, 1.0)), gcc])
    result = chain.verify(RIGHT, NO_TESTS)
    assert (result.status, result.reward, result.level) == ("passed", 1.0, "custom")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "has no stages"),
        ({"stages": [{"type": "gcc"}], "weights": [0.5, 0.5]}, "1 stages and 2 weights"),
        ({"stages": [{"type": "gcc"}, {"type": "clang"}], "weights": [0.5, 0.6]}, r"\[0.5, 0.6\].*sum to 1"),
        ({"stages": [{"type": "gcc"}], "weights": [-1.0]}, "sum to 1"),
        ({"stages": ["gcc"]}, "stage 1 of the chain is 'gcc'"),
        ({"stages": [{"type": "gcc", "argument": {}}]}, "stage 1"),
        ({"stages": [{"type": "gccc"}]}, "no verifier 'gccc'"),
        ({"stages": [{"type": "gcc", "args": {"cpu_s": 0}}]}, "cpu_s is 0"),
    ],
)
def test_a_chain_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(BadInput, match=message):
        get_verifier("chain", **arguments)


def test_stages_given_by_name_share_no_slot_and_get_the_common_arguments():
    chain = get_verifier("chain", stages=[{"type": "gcc"}, {"type": "execution"}], max_workers=2, slot=4, cpu_s=3.0)
    assert isinstance(chain, ChainedVerifier)
    slots = [{stage._slots.get(), stage._slots.get()} for stage in chain.stages]
    assert slots == [{4, 5}, {6, 7}]
    assert [stage.cpu_s for stage in chain.stages] == [3.0, 3.0]
    with pytest.raises(BadInput, match="execution needs test cases"):
        chain.check([NO_TESTS])


def test_a_command_judges_by_its_exit_status_in_a_box(tmp_path):
    grep = get_verifier("subprocess", command="grep -q puts {file}", max_workers=1)
    good, bad = grep.verify(RIGHT, NO_TESTS), grep.verify("int main(void) { return 0; }", NO_TESTS)
    assert (good.status, good.reward, good.trust, good.level) == ("passed", 1.0, "custom", "ns")
    assert (bad.status, bad.reward) == ("tests_failed", 0.0)
    spoiled = tmp_path / "spoiled"
    touch = SubprocessVerifier(f"cat {{file}} && touch {spoiled}", max_workers=1)
    assert touch.verify(RIGHT).status == "tests_failed"
    assert not spoiled.exists()
    hangs = SubprocessVerifier("cat {file}; while :; do :; done", max_workers=1, timeout=0.2)
    assert hangs.verify(RIGHT).status == "timeout"
    assert grep.verify("").status == "no_code"
    once = SubprocessVerifier("cat {file}; test -e seen || { touch seen; sleep 60; }", max_workers=1, timeout=0.2)
    assert once.verify(RIGHT).status == "passed"
    with pytest.raises(BadInput, match=r"command is 'true'; wanted is one with \{file\}"):
        SubprocessVerifier("true")


def test_a_mounted_folder_is_seen_in_boxes_and_cannot_be_written(tmp_path):
    (tmp_path / "words").write_text("puts\n")
    tmp_path.chmod(0o755)
    seen = SubprocessVerifier(f"grep -q -f {tmp_path}/words {{file}}", max_workers=1, mounts=[str(tmp_path)])
    assert (seen.prepare(), seen.verify(RIGHT).status) == ("ns", "passed")
    written = SubprocessVerifier(f"cp {{file}} {tmp_path}/new", max_workers=1, mounts=[str(tmp_path)])
    assert written.verify(RIGHT).status == "tests_failed"
    assert not (tmp_path / "new").exists()
    with pytest.raises(MissingTool, match=r"/absent of verifier\.mounts is absent"):
        SubprocessVerifier("cat {file}", mounts=["/absent"]).prepare()
    with pytest.raises(BadInput, match="wanted is an absolute path"):
        GCCVerifier(mounts=["here"])


class OnlyCode(Verifier):
    def verify(self, code):  # type: ignore[override]
        return VerifyResult(success="good" in code, reward=0.25)


def test_a_class_of_a_users_that_takes_only_code_works_and_is_named_as_what_it_is():
    result = verdict(OnlyCode(max_workers=1), "good", SEVEN)
    assert (result.status, result.reward, result.level, result.trust) == ("passed", 0.25, "custom", "custom")
    assert [one.status for one in OnlyCode(max_workers=2).verify_batch(["good", "bad"])] == ["passed", "tests_failed"]


@pytest.mark.parametrize(("said", "message"), [(1.0, "returned float"), (None, "returned NoneType")])
def test_what_a_class_of_a_users_gets_wrong_is_no_verdict_on_the_sample(said, message):
    result = verdict(Said(said), "code")
    assert (result.status, result.reward) == ("infra_error", None)
    assert message in (result.error or "")
    fails = type("Fails", (Verifier,), {"verify": lambda self, code: 1 / 0})
    assert "ZeroDivisionError" in (verdict(fails(max_workers=1), "code").error or "")


def test_a_class_is_found_by_its_path_and_gets_only_what_it_takes(tmp_path, monkeypatch):
    (tmp_path / "my_checks.py").write_text(
        "from haloforge.verifiers import Verifier, VerifyResult\n"
        "class Short(Verifier):\n"
        "    def __init__(self, most, max_workers=1):\n"
        "        super().__init__(max_workers)\n"
        "        self.most = most\n"
        "    def verify(self, code):\n"
        "        return VerifyResult(len(code) <= self.most, 1.0 if len(code) <= self.most else 0.0)\n"
        "class Other: pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    short = get_verifier("my_checks:Short", most=3, cpu_s=1.0, max_workers=1, allow_weak=False)
    assert [verdict(short, code).reward for code in ("abc", "abcd")] == [1.0, 0.0]
    for path, message in {
        "my_checks:Absent": "cannot be imported", "absent_module.Class": "cannot be imported",
        "my_checks.Other": "no subclass",
    }.items():  # fmt: skip
        with pytest.raises(BadInput, match=message):
            get_verifier(path)
    with pytest.raises(BadInput, match="does not take"):
        get_verifier("my_checks:Short", least=3)
    sys.modules.pop("my_checks", None)


SLOW = '#include <stdio.h>\nint main(void) { for (volatile long i = 0; i < %dL; i++); puts("7"); return 0; }\n'


def test_a_reference_solution_sets_the_cpu_limit_where_the_task_has_none(caplog):
    gcc = GCCVerifier(max_workers=1, cpu_s=0.2, reference_multiple=4.0, reference_floor_s=5.0)
    slow = SLOW % 800_000_000
    assert gcc.verify(slow, SEVEN).status == "timeout"
    task = Prompt("q", "print 7", language="c", cases=SEVEN.cases, reference=RIGHT)
    result = gcc.verify(slow, task)
    assert result.status == "passed"
    limit = result.metadata["cpu_limit"]
    assert (limit["s"], limit["multiple"], limit["floor_s"]) == (5.0, 4.0, 5.0)
    slower = Prompt("r", "print 7", language="c", cases=SEVEN.cases, reference=slow)
    limit = gcc.verify(RIGHT, slower).metadata["cpu_limit"]
    assert limit["s"] == max(5.0, 4 * limit["reference_s"])
    assert limit["reference_s"] > 0.2
    wrong = Prompt("s", "print 7", language="c", cases=SEVEN.cases, reference=WRONG)
    assert "cpu_limit" not in gcc.verify(RIGHT, wrong).metadata
    assert "reference solution is wrong_answer" in caplog.text
    named = Prompt("t", "print 7", language="c", cases=SEVEN.cases, reference=slow, time_limit_s=0.2)
    assert gcc.verify(slow, named).status == "timeout"


def test_what_is_only_checked_is_neither_built_nor_run():
    checked = GCCVerifier(max_workers=1, check_only=True)
    unlinked = "int missing(void); int main(void) { return missing(); }"
    result = checked.verify(unlinked, NO_TESTS)
    assert (result.status, result.metadata["check_only"], result.passed) == ("compiled", True, 0)
    assert "checked only" in result.details
    assert checked.verify("int main(void) { return x; }", NO_TESTS).status == "compile_error"
    with pytest.raises(BadInput, match="'p', which has tests, of which check_only runs none"):
        checked.check([NO_TESTS, SEVEN])
    tested = checked.verify(RIGHT, SEVEN)
    assert (tested.status, tested.success, tested.reward, tested.trust) == ("unknown", False, None, "")
    with pytest.raises(BadInput, match="check_only runs nothing"):
        GCCVerifier(check_only=True, run_after_compile=True)


class Lenient(GCCVerifier):
    def reward(self, status, passed, total):
        return 0.11


def test_a_class_that_builds_on_ours_is_custom_too_and_nobody_keeps_its_verdicts():
    lenient = Lenient(max_workers=1)
    result = verdict(lenient, RIGHT, SEVEN, True)
    assert (result.status, result.reward, result.trust, result.level) == ("passed", 0.11, "custom", "ns")
    assert lenient.fingerprint() is None
    assert GCCVerifier(max_workers=1).fingerprint() is not None


def test_a_chain_keeps_what_a_stage_said_of_a_check_that_was_none():
    checked = GCCVerifier(max_workers=1, check_only=True)
    result = ChainedVerifier([SubprocessVerifier("true {file}", max_workers=1), checked]).verify(RIGHT, NO_TESTS)
    assert (result.status, result.metadata["check_only"]) == ("passed", True)


def test_a_time_limit_may_be_called_timeout():
    assert GCCVerifier(max_workers=1, timeout=0.25).cpu_s == 0.25
    with pytest.raises(BadInput, match="timeout is 0"):
        GCCVerifier(timeout=0)
