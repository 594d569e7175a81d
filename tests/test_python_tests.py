"""Python answers with tests of each kind: status, reward, trust, and what a task's reference decides."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from haloforge.errors import BadInput
from haloforge.records import Prompt
from haloforge.tasks.prompts import parse_task
from haloforge.verifiers import get_verifier
from haloforge.verifiers.python_tests import PythonTests

pytestmark = pytest.mark.sandbox
ADD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"


@pytest.fixture(scope="module")
def python():
    return PythonTests(max_workers=1)


def task(tests, **more):
    return Prompt("p", more.pop("text", ""), "python", tests=tests, tests_kind="python", **more)


def judged(verifier, code, tests, **more):
    return verifier.verify(code, task(tests, **more), as_it_stands=True)


ASSERTS = "assert add(1, 2) == 3\nassert add(2, 2) == 4\n"
CASE = "import unittest\n\nclass TestAdd(unittest.TestCase):\n"
UNITTEST = f"{CASE}    def test_a(self):\n        self.assertEqual(add(1, 2), 3)\n"
PYTEST = (
    "import pytest\n\n@pytest.mark.parametrize('a', [0, 1, 2, 3])\ndef test_add(a):\n    assert add(a, a) == 2 * a\n"
)


@pytest.mark.parametrize(
    ("name", "tests", "wrong", "reward"),
    [
        ("asserts", ASSERTS, WRONG, 0.0),
        ("mbpp", ASSERTS, WRONG, 0.0),
        ("humaneval", "def check(f):\n    assert f(1, 2) == 3\n", WRONG, 0.0),
        ("unittest", UNITTEST, WRONG, 0.0),
        ("pytest", PYTEST, "def add(a, b):\n    return a + b if a < 3 else 0\n", 0.375),
        ("auto", PYTEST, WRONG, 0.125),
        ("auto", UNITTEST, WRONG, 0.0),
        ("auto", ASSERTS, WRONG, 0.0),
    ],
)
def test_each_verifier_gives_its_rewards(name, tests, wrong, reward):
    verifier = get_verifier(name, max_workers=1)
    right = judged(verifier, ADD, tests, entry_point="add")
    assert (right.status, right.reward, right.trust, right.passed) == ("passed", 1.0, "split", right.total)
    result = judged(verifier, wrong, tests, entry_point="add")
    assert (result.status, result.reward) == ("tests_failed", reward), result


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("def add(a, b:\n", "compile_error"),
        ("", "no_code"),
        ("def sub(a, b):\n    return 0\n", "tests_failed"),
        ("raise ValueError\n", "tests_failed"),
        ("def add(a, b):\n    while True:\n        pass\n", "timeout"),
        ("def add(a, b):\n    return [0] * 10**9\n", "memory_limit"),
        ("x = [bytearray(1 << 20) for _ in range(400)]\n", "memory_limit"),
        ("import os\nos._exit(0)\n", "tests_failed"),
        ("import os\nos.write(1, b'x' * (17 << 20))\n" + ADD, "output_limit"),
        (f"{ADD}\nif __name__ == '__main__':\n    raise SystemExit(1)\n", "passed"),
        ("import sys\nsys.exit(0)\n", "tests_failed"),
    ],
)
def test_what_becomes_of_an_answer(python, code, status):
    result = judged(python, code, ASSERTS, time_limit_s=0.5, memory_mb=200)
    assert result.status == status, result


@pytest.mark.parametrize(
    "tests",
    [
        "def run():\n    assert add(1, 2) == 3\n",
        "class TestNothing:\n    pass\n\nimport pytest\nx = lambda: pytest.raises(ValueError)\n",
        f"{CASE}    def check(self):\n        self.assertTrue(False)\n",
        f"{CASE}    @unittest.skip('')\n    def test_a(self):\n        pass\n",
        "for x in []:\n    assert add(1, x)\n",
    ],
)
def test_tests_that_check_nothing_are_no_pass(python, tests):
    assert judged(python, ADD, tests).status == "tests_failed"


def test_functions_that_nobody_calls_are_called(python):
    for tests in (
        "def test_solution():\n    assert add(1, 2) == 3\n",
        "async def test_solution():\n    assert add(1, 2) == 3\n",
        "def check(candidate):\n    assert candidate(1, 2) == 3\n",
    ):
        assert judged(python, ADD, tests, entry_point="add").status == "passed"
        assert judged(python, WRONG, tests, entry_point="add").status == "tests_failed"


def test_the_first_check_that_fails_is_named(python):
    result = judged(python, WRONG, "assert add(1, 0) == 1\nassert add(1, 2) == 3\n")
    assert (result.details, result.passed, result.total) == ("line 2: assert add(1, 2) == 3", 1, 2)


def test_an_answer_s_own_tests_and_conftest_count_nothing(python):
    own = "\n\ndef test_add():\n    assert True\n\ndef check(f):\n    pass\n\n"
    own += "open('conftest.py', 'w').write('raise SystemExit')\n"
    assert judged(python, WRONG + own, PYTEST).status == "tests_failed"
    assert judged(python, ADD + own, PYTEST).status == "passed"


MATCH = "import re\n\n\ndef word(x):\n    return re.match('[a-z]+$', x)\n"


def test_a_task_whose_reference_gives_objects_is_judged_in_one_process(python):
    tests = "assert word('ab')\nassert not word('1')\n"
    alone = judged(python, MATCH, tests)
    assert (alone.status, alone.trust, alone.metadata["refused"]) == ("tests_failed", "split", True)
    known = judged(python, MATCH, tests, reference=MATCH)
    assert (known.status, known.trust) == ("passed", "in_process")
    assert judged(python, MATCH.replace("+$", "*"), tests, reference=MATCH).status == "tests_failed"


def test_a_task_that_only_one_process_can_judge_is_refused_where_trust_is_split():
    tests = task("assert word('ab')\n", reference=MATCH)
    with pytest.raises(BadInput, match="another box"):
        PythonTests(max_workers=1, trust="split").check([tests])
    PythonTests(max_workers=1).check([tests])


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (task("assert add(1, 2) == 4\n", reference=ADD), "its reference fails its own tests: line 1"),
        (task("assert add(1, 2 == 3\n"), "no Python"),
        (Prompt("p", "p", "python"), "needs Python tests"),
        (Prompt("p", "p", "python", tests_kind="files", files={"t.py": ""}, code_path="a.py", cmd="make"), "cmd"),
    ],
)
def test_a_task_that_cannot_be_judged_is_refused_before_the_run(python, bad, said):
    with pytest.raises(BadInput, match=said):
        python.check([bad])
    assert python.verify(ADD, bad).status == "unknown"


def test_a_reference_sets_the_time_and_how_many_checks_there_must_be(python):
    tests = "for one, two in zip(pairs(3), [1, 2, 3]):\n    assert one == two\n"
    reference = "def pairs(n):\n    return [1, 2, 3]\n"
    result = judged(python, "def pairs(n):\n    return []\n", tests, reference=reference)
    assert (result.status, result.details) == ("tests_failed", "only 0 of 1 checks were reached")
    assert result.metadata["cpu_limit"]["s"] == 1.0


def test_helpers_of_the_prompt_are_the_prompt_s_own(python):
    text = "import math\n\ndef double(x):\n    return math.floor(2 * x)\n\n\ndef halve(x):\n    '''Half.'''\n"
    tests = "assert halve(double(3)) == 3\nassert math.pi > 3\n"
    right, same = "def halve(x):\n    return x // 2\n", "def double(x):\n    return x\n\n"
    assert judged(python, f"{same}def halve(x):\n    return x\n", tests, text=text, entry_point="halve").passed == 0
    for own, status in (("", "passed"), ("def double(x):\n    return x + x\n\n", "passed"), (same, "tests_failed")):
        assert judged(python, own + right, tests, text=text, entry_point="halve").status == status, own


def test_tests_may_import_the_answer_by_any_name(python):
    for line in (
        "from solution import add",
        "from your_module import add",
        "import main\nadd = main.add",
        "from sol import *",
    ):
        assert judged(python, ADD, f"{line}\n{ASSERTS}").status == "passed", line
        assert judged(python, WRONG, f"{line}\n{ASSERTS}").status == "tests_failed", line


@pytest.mark.parametrize("question", ["isdecimal", "isprintable", "isascii", "istitle", "difference"])
def test_an_object_is_not_asked_what_plain_data_is_asked(python, question):
    answer = f"class Yes:\n    def {question}(self, *given):\n        return {{1}}\n\n\ndef f():\n    return Yes()\n"
    result = judged(python, answer, f"assert f().{question}({'{2}' * (question == 'difference')})\n")
    assert (result.status, result.metadata.get("refused")) == ("tests_failed", True)


@pytest.mark.parametrize(
    "check",
    [
        "isinstance(f(), collections.abc.Iterator)",
        "isinstance(f(), collections.abc.Sized)",
        "hasattr(f(), '__iter__')",
        "isinstance(f(), typing.SupportsFloat)",
        "isinstance(f(), os.PathLike)",
        "isinstance(f(), typing.Callable)",
    ],
)
def test_an_object_has_no_methods_but_its_own(python, check):
    answer = "class Nothing:\n    x = 1\n\n\ndef f():\n    return Nothing()\n"
    tests = "import collections.abc, os, typing\nassert f().x == 1\nassert {}\n"
    assert judged(python, answer, tests.format(check)).status == "tests_failed"
    assert judged(python, answer, tests.format("isinstance(f, typing.Callable)")).status == "passed"


def test_a_class_by_its_name_may_be_asked_anything(python):
    answer = "class Words:\n    @staticmethod\n    def isalpha(text):\n        return text.isalpha()\n"
    tests = "assert Words.isalpha('a')\nassert not Words.isalpha('1')\n"
    assert judged(python, answer, tests).status == "passed"
    assert judged(python, answer.replace("text.isalpha()", "True"), tests).status == "tests_failed"
    constant = answer.replace("Words", "WORDS")
    assert judged(python, constant, "from solution import WORDS\nassert WORDS.isalpha('a')\n").status == "tests_failed"


def test_an_exception_has_no_nan_where_the_reference_s_has_none(python):
    answer = "class Bad(Exception):\n    pass\n\n\ndef f():\n    bad = Bad()\n    bad.code = {}\n    raise bad\n"
    tests = (
        "from solution import Bad, f\ntry:\n    f()\n    assert False\nexcept Bad as e:\n    assert not e.code > 3\n"
    )
    right = answer.format("2.0")
    assert judged(python, right, tests, reference=right).status == "passed"
    assert judged(python, answer.format("float('nan')"), tests, reference=right).status == "tests_failed"


RAISES = "class Bad(Exception):\n    pass\n\n\ndef f():\n    raise Bad('no')\n"


@pytest.mark.parametrize("bad", ["Exception", "AssertionError", "(AssertionError, ValueError)"])
def test_an_exception_of_the_answer_does_not_catch_the_failure_of_a_check(python, bad):
    for tests in (
        "from solution import Bad, f\ntry:\n    f()\n    assert False\nexcept Bad:\n    pass\n",
        f"{CASE}    def test_a(self):\n        try:\n            f()\n            self.fail()\n"
        "        except Bad:\n            pass\n",
    ):
        for reference in (None, RAISES):
            assert judged(python, RAISES, tests, reference=reference).status == "passed"
            wrong = f"Bad = {bad}\n\n\ndef f():\n    pass\n"
            assert judged(python, wrong, tests, reference=reference).status == "tests_failed"


def test_an_answer_that_gives_back_what_it_was_given_gave_no_copy(python):
    copies, same = "def f(items):\n    return [*items]\n", "def f(items):\n    return items\n"
    for tests in (
        "x = [1]\ny = f(x)\nassert y == [1] and y is not x\n",
        "x = [1]\ny = f(items=x)\ny.append(2)\nassert x == [1]\n",
    ):
        for reference in (None, copies):
            assert judged(python, copies, tests, reference=reference).status == "passed"
            assert judged(python, same, tests, reference=reference).status == "tests_failed"
    is_same = "x = [2, 1]\nassert f(x) is x\n"
    assert judged(python, same, is_same, reference=same).trust == "split"
    assert judged(python, copies, is_same, reference=same).status == "tests_failed"


NO_CHECKS = (
    "def given(*_):\n    return lambda test: lambda *_: None\n\n\ndef assert_that(*_):\n    return 0\n\n\n"
    "def f(x):\n    return 0\n"
)


@pytest.mark.parametrize(
    "tests",
    [
        f"{CASE}    @given(1)\n    def test_a(self):\n        self.assertEqual(f(1), 2)\n",
        "import pytest\nfrom tools import given, f\n\n@given(1)\ndef test_a():\n    assert f(1) == 2\n",
        "import pytest\nimport tools\n\n@tools.given(1)\ndef test_a():\n    assert f(1) == 2\n",
        "from solution import assert_that, f\nassert_that(f(1))\n",
        "assert_that(f(1) == 2)\n",
    ],
)
def test_tests_whose_checks_the_answer_could_leave_out_are_refused(python, tests):
    with pytest.raises(BadInput, match="from the answer, which could leave out the checks"):
        python.check([task(tests)])
    assert judged(python, NO_CHECKS, tests).status == "unknown"


YES = "class Yes:\n    allclose = staticmethod(lambda *_: True)\n    raises = staticmethod(lambda *_: Yes())\n\n" + (
    "    def __enter__(self):\n        return 0\n\n    def __exit__(self, *_):\n        return 0\n\n\n"
    "np = pytest = Yes\n\n\ndef isclose(*_):\n    return 1\n\n\napprox = Counter = isclose\n\n\n"
    "def f(x):\n    return 1\n"
)


@pytest.mark.parametrize(
    "tests",
    [
        "assert np.allclose(f(1), 2)\n",
        "assert isclose(f(1), 2)\n",
        "with pytest.raises(ValueError):\n    f(-1)\n",
        "assert f(1) == approx(2)\n",
        "assert Counter([f(1)]) == Counter([2])\n",
    ],
)
def test_what_tests_compare_with_is_none_of_the_answer_s(python, tests):
    assert judged(python, YES, tests).status == "tests_failed"


def test_names_that_tests_forgot_to_import_are_python_s_unless_the_task_asks_for_them(python):
    tests = "assert isclose(add(1, 2), 3)\nassert Counter([add(1, 1)]) == Counter([2])\n"
    assert judged(python, ADD, tests).status == "passed"
    own, tests = "def isclose(a, b):\n    return a == b\n", "assert isclose(1, 1)\nassert not isclose(1, 1 + 1e-12)\n"
    for more in ({}, {"entry_point": "isclose"}, {"text": "def isclose(a, b):\n    ..."}, {"reference": own}):
        assert judged(python, own, tests, **more).status == "passed", more


def test_a_module_that_tests_are_written_with_is_none_of_the_answer_s(python):
    tests = (
        "import pytest\nfrom hypothesis import given\nfrom solution import f\n\n\n@given(1)\n"
        "def test_a():\n    assert f(1) == 2\n\n\ndef test_b():\n    assert f(0) == 0\n"
    )
    assert judged(python, NO_CHECKS, tests).status == "tests_failed"


@pytest.mark.parametrize(
    "deep",
    ["    if x is None: pass\n" + "    elif x is None: pass\n" * 400, f"    if x == 0x{'9' * 5000}: pass\n"],
    ids=["elif", "number"],
)
def test_a_helper_whose_syntax_cannot_be_written_down_is_the_answer_s_own(python, deep):
    text = "def double(x):\n    return 2 * x\n\n\ndef halve(x):\n    '''Half.'''\n"
    for helper, status in (("2 * x", "passed"), ("x", "tests_failed")):
        own = f"def double(x):\n{deep}    return {helper}\n\n\ndef halve(x):\n    return x // 2\n"
        tests = "assert halve(double(3)) == 3\n"
        assert judged(python, own, tests, text=text, entry_point="halve").status == status


def test_an_answer_with_the_name_of_a_builtin(python):
    tests = "assert sum(1, 2) == 3\n"
    assert judged(python, ADD.replace("add", "sum"), tests).status == "passed"
    assert judged(python, WRONG.replace("add", "sum"), tests).status == "tests_failed"


PROJECT = {
    "pkg/__init__.py": "",
    "pkg/words.py": "HELLO = 'hello'\n",
    "tests/test_greet.py": "from pkg.greet import greet\n\ndef test_a():\n    assert greet('x') == 'hello x'\n\n"
    "def test_b():\n    assert greet('') == 'hello'\n",
}
GREET = "from pkg.words import HELLO\n\ndef greet(name):\n    return f'{HELLO} {name}'.strip()\n"


@pytest.mark.parametrize("cmd", ["pytest", "python -m pytest -q tests/test_greet.py"])
def test_a_project_s_tests_see_its_files_and_the_answer_sees_no_tests(python, cmd):
    project = Prompt("p", "p", "python", tests_kind="files", files=PROJECT, code_path="pkg/greet.py", cmd=cmd)
    right = python.verify(GREET, project, as_it_stands=True)
    assert (right.status, right.trust, right.total) == ("passed", "split", 2), right
    wrong = python.verify(GREET.replace(".strip()", ""), project, as_it_stands=True)
    assert (wrong.status, wrong.reward) == ("tests_failed", 0.25)
    peeks = f"import os\nassert not os.path.exists('tests')\nassert os.path.exists('pkg')\n{GREET}"
    assert python.verify(peeks, project, as_it_stands=True).status == "passed"


@pytest.mark.parametrize("cmd", ["pytest", "python -m unittest greet_test"])
def test_tests_of_a_project_may_import_all_of_the_answer(python, cmd):
    tests = (
        "import unittest\nfrom greet import *\n\n\nclass TestGreet(unittest.TestCase):\n    def test_a(self):\n"
        "        self.assertEqual(greet('x'), 'hello x')\n"
    )
    project = Prompt(
        "p", "p", "python", tests_kind="files", files={"greet_test.py": tests}, code_path="greet.py", cmd=cmd
    )
    answer = "def greet(name):\n    return f'hello {name}'\n\n\ndef test_own():\n    assert 0\n"
    assert python.verify(answer, project, as_it_stands=True).status == "passed"
    assert python.verify(answer.replace("hello", "bye"), project, as_it_stands=True).status == "tests_failed"


@pytest.mark.parametrize("hidden", [".meta/example.py", "expected.json", "tests/cases.json", "test_cases.json"])
def test_an_answer_sees_no_file_with_what_is_expected(python, hidden):
    tests = f"from greet import seen\n\n\ndef test_a():\n    assert seen == [] and open({hidden!r}).read() == '1'\n"
    files = {"greet_test.py": tests, hidden: "1", "words.json": "2"}
    project = Prompt("p", "p", "python", tests_kind="files", files=files, code_path="greet.py", cmd="pytest")
    answer = "import os\n\nseen = [name for name in {} if os.path.exists(name)]\n"
    assert python.verify(answer.format([hidden]), project, as_it_stands=True).status == "passed"
    assert python.verify(answer.format(["words.json"]), project, as_it_stands=True).status == "tests_failed"


def test_a_body_that_continues_the_prompt_is_judged_with_it():
    text = 'from typing import List\n\n\ndef total(xs: List[int]) -> int:\n    """The sum."""\n'
    verifier = get_verifier("humaneval", max_workers=1)
    one = Prompt(
        "p",
        text,
        "python",
        entry_point="total",
        tests="def check(f):\n    assert f([1, 2]) == 3\n",
        tests_kind="python",
    )
    assert verifier.verify("    return sum(xs)\n", one).status == "passed"
    assert verifier.verify("```py\ndef total(xs: List[int]):\n    return sum(xs)\n```", one).status == "passed"
    assert verifier.verify("    return len(xs)\n", one).status == "tests_failed"


DATA = os.environ.get("HALOFORGE_TEST_DATA")


@pytest.mark.skipif(not DATA, reason="HALOFORGE_TEST_DATA is unset")
@pytest.mark.parametrize(
    ("name", "step", "split", "others"),
    [("humaneval", 4, 41, 0), ("mbpp", 20, 49, 0), ("exercism_python", 5, 29, 1), ("humaneval_mutants", 5, 22, 0)],
)
def test_rows_of_public_sets_get_their_status(name, step, split, others):
    rows = [json.loads(line) for line in Path(DATA or "", f"{name}.jsonl").read_text().splitlines()][::step]
    references = {}
    if name == "exercism_python":
        every = (json.loads(line) for line in Path(DATA or "", f"{name}.jsonl").read_text().splitlines())
        references = {row["code_path"]: row["code"] for row in every if row["verdict"] == "pass"}
    tasks = [
        parse_task({**{k: v for k, v in row.items() if k != "code"}, "reference": references.get(row.get("code_path"))})
        for row in rows
    ]
    verifier = get_verifier("auto", max_workers=2)
    results = [verifier.verify(row["code"], each, as_it_stands=True) for row, each in zip(rows, tasks, strict=True)]
    statuses = {
        "pass": ("passed",),
        "wrong_answer": ("tests_failed",),
        "runtime_error": ("tests_failed",),
        "timeout": ("timeout",),
    }
    odd = [
        (row["id"], x.status, x.details)
        for row, x in zip(rows, results, strict=True)
        if x.status not in statuses[row["verdict"]]
    ]
    assert odd == []
    assert [x.trust for x in results].count("split") == split
    assert [x.trust for x in results].count("in_process") == others
