"""Wrong Python answers that pretend to be right: none passes where tests and answer have a box each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from haloforge.records import Prompt
from haloforge.verifiers.python_tests import IN_PROCESS, SPLIT, PythonTests

pytestmark = pytest.mark.sandbox
FOLDER = Path(__file__).parent / "hostile/forgeries/python"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
ADMITTED = "admitted in one process"
"""In the first line of those that pass where tests share the answer's process, with the suites that they pass."""
RIGHT = """
def add(a, b):
    return a + b


def is_even(n):
    return n % 2 == 0


def pairs(n):
    return [(i, i + 1) for i in range(n)]


def double(n):
    return 2 * n


def halve(n):
    return n // 2


def every(function, items):
    return [function(x) for x in items]


def sort(items):
    items.sort()


def greet(name):
    return f"hello {name}"
"""
PROMPT = '''def double(n):
    return 2 * n


def halve(n):
    """The half of a number."""
'''
ASSERTS = {
    "equality": "assert add(2, 3) == 5\nassert add(1, 1) == 2\n",
    "a name of the tests": "for wanted in (5, 7):\n    assert add(2, wanted - 2) == wanted\n",
    "closeness": "assert abs(add(0.5, 0.5) - 1.0) < 1e-6\nassert abs(add(1, 1.5) - 2.5) < 1e-6\n",
    "membership": "assert 5 in [add(2, 3)]\nassert add(1, 1) in {2}\n",
    "truth": "assert is_even(4)\nassert not is_even(3)\nassert not is_even(5)\nassert is_even(8)\n",
    "length": "assert len(pairs(3)) == 3\nassert pairs(3)[1] == (1, 2)\n",
    "all of a map": "assert all(map(lambda p: add(*p) == sum(p), [(1, 2), (2, 3)]))\n",
    "an error": "try:\n    add(None, 1)\n    assert False\nexcept TypeError:\n    pass\nassert add(1, 1) == 2\n",
    "a helper": "for n in (21, 4):\n    assert halve(double(n)) == n\n",
    "a callback": "seen = []\n"
    "assert every(lambda x: seen.append(x) or x + 1, [1, 2]) == [2, 3]\nassert seen == [1, 2]\n",
    "in place": "items = [3, 1, 2]\nsort(items)\nassert items == [1, 2, 3]\nassert add(items, [4]) == [1, 2, 3, 4]\n",
    "a text": "assert str(add(2, 3)) == '5'\nassert str(add(1, 1)) == '2'\n",
    "the start of a text": "assert greet('you').startswith('hello')\n",
    "the kind": "assert isinstance(add(2, 3), int)\nassert add(2, 3) > 4\nassert add(1, 1) < 3\n",
}  # fmt: skip
WEAK = {
    "closeness the other way": "assert not abs(add(0.5, 0.5) - 1.0) > 1e-6\n",
    "a loop over results": "for one, two in zip(pairs(3), [(0, 1), (1, 2), (2, 3)]):\n    assert one == two\n",
    "any of them": "for pair in pairs(3):\n    assert pair[0] < pair[1]\n",
}
"""Passed by an answer that is plainly wrong; calibration with a reference solution closes them."""
OTHERS = {
    "check": "def check(candidate):\n    assert candidate(2, 3) == 5\n    assert candidate(1, 1) == 2\n\ncheck(add)\n",
    "unittest": "import unittest\n\n\nclass TestAdd(unittest.TestCase):\n    def test_equal(self):\n"
    "        self.assertEqual(add(2, 3), 5)\n\n    def test_close(self):\n"
    "        self.assertAlmostEqual(add(0.5, 1.0), 1.5)\n        self.assertIn(add(1, 1), [2])\n\n"
    "    def test_truth(self):\n        self.assertTrue(is_even(4))\n        self.assertFalse(is_even(3))\n\n"
    "    def test_error(self):\n        self.assertRaises(TypeError, add, None, 1)\n",
    "pytest": "import pytest\nfrom solution import *\n\n\n@pytest.mark.parametrize('a', [1, 2])\ndef test_equal(a):\n"
    "    assert add(a, 3) == a + 3\n\n\ndef test_close():\n    assert add(0.5, 1.0) == pytest.approx(1.5)\n\n\n"
    "def test_error():\n    with pytest.raises(TypeError):\n        add(None, 1)\n",
}  # fmt: skip


def task(tests, reference=None):
    return Prompt(
        "p", PROMPT, "python", entry_point="halve", time_limit_s=0.5, memory_mb=256, tests=tests, tests_kind="python",
        reference=reference,
    )  # fmt: skip


class InOneProcess(PythonTests):
    """As a task is judged whose reference does not pass split."""

    def mode(self, task):
        return replace(super().mode(task), trust=IN_PROCESS)


@pytest.fixture(scope="module")
def split():
    return PythonTests(max_workers=1)


@pytest.fixture(scope="module")
def in_one_process():
    return InOneProcess(max_workers=1)


SUITES = {
    **{name: task(tests) for name, tests in {**ASSERTS, **OTHERS}.items()},
    **{f"{name}, calibrated": task(tests, RIGHT) for name, tests in {**ASSERTS, **WEAK, **OTHERS}.items()},
}


@pytest.mark.parametrize("name", SUITES)
def test_a_right_answer_passes_and_a_wrong_one_does_not(split, in_one_process, name):
    wrong = "\n".join(
        f"def {each}(*given):\n    return 0" for each in ("add", "is_even", "pairs", "halve", "every", "sort", "greet")
    )
    for verifier, trust in ((split, SPLIT), (in_one_process, IN_PROCESS)):
        right = verifier.verify(RIGHT, SUITES[name], as_it_stands=True)
        assert (right.status, right.trust) == ("passed", trust), right
        assert verifier.verify(wrong, SUITES[name], as_it_stands=True).status == "tests_failed"


def accepted(verifier, name):
    """The suites that the forgery passes."""
    code = (FOLDER / f"{name}.py").read_text()
    passed, odd = [], []
    for suite, each in SUITES.items():
        result = verifier.verify(code, each, as_it_stands=True)
        if result.status == "passed":
            passed.append(suite)
        elif result.reward is None or (result.reward > 0.5):
            odd.append((suite, result))
        if result.status == "timeout":
            break  # it would be in all of them
    assert odd == []
    return passed


@pytest.mark.parametrize("name", NAMES)
def test_no_forgery_passes_split(split, name):
    assert accepted(split, name) == []


def test_there_are_forgeries_of_each_family():
    families = {name.partition("_")[0] for name in NAMES}
    assert len(NAMES) >= 40
    assert families >= {
        "exit", "equality", "operators", "patch", "frames", "gc", "descriptors", "timing", "pickle", "protocol",
        "numbers", "helpers", "proxy",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_forgery_that_passes_in_one_process_says_so(in_one_process, name):
    first = (FOLDER / f"{name}.py").read_text().split("\n")[0]
    assert bool(accepted(in_one_process, name)) == (ADMITTED in first), first
